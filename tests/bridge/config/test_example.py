"""The example that comes with the program is complete, and what `init` writes is what it was told."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Annotated, get_args, get_origin

import pytest
import yaml

from bridge.config import Config, ConfigError, load
from bridge.config.examples import is_example
from bridge.config.sections import Section
from bridge.config.writing import Answers, MatrixAnswers, XmppAnswers, render
from tests.bridge.config.files import problems, written

EXAMPLE = Path(__file__).parents[3] / "config.example.yaml"


def fields(annotation: object) -> Iterator[tuple[type[Section], str]]:
    """Every field of every section that can stand in a configuration."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        for name, field in annotation.model_fields.items():
            yield annotation, name
            yield from fields(field.annotation)
    elif get_origin(annotation) is Annotated:
        yield from fields(get_args(annotation)[0])
    else:
        for argument in get_args(annotation):
            yield from fields(argument)


def fields_given(value: object) -> Iterator[tuple[type[Section], str]]:
    """Every field that is told in a configuration, rather than left out."""
    match value:
        case Section():
            for name in value.model_fields_set:
                yield type(value), name
                yield from fields_given(getattr(value, name))
        case dict():
            for item in value.values():
                yield from fields_given(item)
        case tuple():
            for item in value:
                yield from fields_given(item)
        case _:
            pass


def own_values(text: str) -> str:
    return text.replace("example.org", "tea.party")


def test_example_has_every_field(tmp_path: Path) -> None:
    config = written(tmp_path, own_values(EXAMPLE.read_text(encoding="utf-8")))

    missing = {(section.__name__, name) for section, name in fields(Config)} - {
        (section.__name__, name) for section, name in fields_given(config)
    }
    assert missing == set()


def test_what_the_example_calls_optional_stands_there_with_its_default(tmp_path: Path) -> None:
    text = own_values(EXAMPLE.read_text(encoding="utf-8"))
    config = written(tmp_path, text)

    for section in (config.health, config.log, *(room.member for room in config.rooms.values() if room.member)):
        for name in section.model_fields_set - {"account"}:
            assert getattr(section, name) == type(section).model_fields[name].default, name


def test_example_is_refused_for_its_example_values_alone() -> None:
    with pytest.raises(ConfigError) as raised:
        load(EXAMPLE)

    lines = EXAMPLE.read_text(encoding="utf-8").splitlines()
    expected = [number for number, line in enumerate(lines, start=1) if "example.org" in line.partition("#  ")[0]]
    assert [problem.line for problem in raised.value.problems] == expected
    assert {problem.what for problem in raised.value.problems} == {"is an example"}


@pytest.mark.parametrize("text", ["@a:example.org", "https://matrix.example.com/", "a@muc.example.net", "tea.example"])
def test_reserved_domains_are_examples(text: str) -> None:
    assert is_example(text)


@pytest.mark.parametrize("text", ["CHANGEME", "change-me", "<your server>", "...", " fill_this "])
def test_placeholders_are_examples(text: str) -> None:
    assert is_example(text)


@pytest.mark.parametrize(
    "text", ["@a:example.org.uk", "my-example.org", "example@tea.party", "a.examples", "own-network"]
)
def test_what_only_looks_alike_is_no_example(text: str) -> None:
    assert not is_example(text)


# What `init` writes

MATRIX = MatrixAnswers(
    homeserver="https://tea.party", user='@b"\\ö:tea.party', login="access_token", room='#a"b\\: #ü:tea.party'
)
XMPP = XmppAnswers(jid="bridge.tea.party", login="component", room="tea@muc.tea.party")


@pytest.mark.parametrize("matrix, xmpp", [(MATRIX, None), (None, XMPP)], ids=["matrix", "xmpp"])
@pytest.mark.parametrize("is_member", [False, True], ids=["sequencer", "member"])
def test_what_is_rendered_is_what_was_answered(
    tmp_path: Path, matrix: MatrixAnswers | None, xmpp: XmppAnswers | None, *, is_member: bool
) -> None:
    side = matrix or xmpp
    assert side is not None
    room = side.room.replace(" ", "")

    text = render(
        Answers(
            name="tea",
            matrix=None if matrix is None else MatrixAnswers(matrix.homeserver, matrix.user, matrix.login, room),
            xmpp=xmpp,
            home=side.account,
            sequencer=True,
            member=side.account if is_member else None,
            database="odd 'name'.db",
            key="x.key",
        )
    )

    config = written(tmp_path, text)
    assert config.store.path == tmp_path / "odd 'name'.db"
    [account] = config.accounts.values()
    assert account.identity in {MATRIX.user, XMPP.jid}
    assert account.login.tag == side.login
    assert [one.room for one in config.rooms["tea"].sides] == [room]
    assert config.rooms["tea"].sequencer
    assert (config.rooms["tea"].member is not None) == is_member


def test_two_sides_are_relayed(tmp_path: Path) -> None:
    answers = Answers("chess", MATRIX, XMPP, home="muc", sequencer=False, member=None, database="x.db", key="x.key")

    text = render(answers).replace(": #ü", ":ü")

    room = written(tmp_path, text).rooms["chess"]
    assert (room.relay, room.sequencer, room.member) == (True, False, None)
    assert room.home_side.room == "tea@muc.tea.party"


def test_a_group_is_named_where_it_was_told(tmp_path: Path) -> None:
    answers = Answers(
        "tea", None, XMPP, home="muc", sequencer=True, member=None, database="x.db", key="x.key", group="12" * 16
    )

    assert written(tmp_path, render(answers)).rooms["tea"].group_id == b"\x12" * 16
    assert "group:" not in render(replace(answers, group=None))


def test_rendered_text_is_commented() -> None:
    answers = Answers("tea", MATRIX, XMPP, home="hs", sequencer=True, member="muc", database="x.db", key="x.key")

    text = render(answers)

    assert text.count("#") > 10
    assert list(yaml.safe_load(text)) == ["store", "accounts", "rooms", "health", "log"]


def test_examples_are_named_beside_what_else_is_wrong(tmp_path: Path) -> None:
    text = (
        EXAMPLE.read_text(encoding="utf-8").replace("format: auto", "format: loud").replace("relay: true ", "relay: 1 ")
    )

    found = problems(tmp_path, own_values(text).replace("@carol:tea.party", "@carol:example.org"))

    assert [line.partition(": ")[2].partition(";")[0] for line in found] == [
        "accounts.hs-person.user is an example",
        "rooms.tea.relay is neither true nor false",
        "log.format is none of its values",
    ]
