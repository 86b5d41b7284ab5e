"""`mls-bridge init`: asks what there is to know, and writes a configuration."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

import typer

from bridge.commands.configured import DEFAULT_CONFIG, ConfigOption
from bridge.commands.questions import Check, Questions
from bridge.config.accounts import MatrixAccount, XmppAccount
from bridge.config.examples import is_example
from bridge.config.rooms import Room, room_problem
from bridge.config.secrets import new_key, write_secret
from bridge.config.sections import Section, field_problem, name_problem
from bridge.config.writing import Answers, MatrixAnswers, XmppAnswers, render

__all__ = ["run"]

EXIT_FAILED = 1


class Networks(StrEnum):
    """Which networks the room is on."""

    BOTH = "both"
    MATRIX = "matrix"
    XMPP = "xmpp"


class MatrixLoginKind(StrEnum):
    """How to log in to a homeserver."""

    APPSERVICE = "appservice"
    PASSWORD = "password"
    ACCESS_TOKEN = "access_token"


class XmppLoginKind(StrEnum):
    """How to log in to an XMPP server."""

    COMPONENT = "component"
    PASSWORD = "password"


class MemberSide(StrEnum):
    """Whether this process is a member, and by which account."""

    NONE = "none"
    MATRIX = "matrix"
    XMPP = "xmpp"


@dataclass(frozen=True, slots=True)
class _GivenMatrix:
    """What options say of the Matrix side."""

    user: str | None
    homeserver: str | None
    login: MatrixLoginKind | None
    room: str | None


@dataclass(frozen=True, slots=True)
class _GivenXmpp:
    """What options say of the XMPP side."""

    jid: str | None
    login: XmppLoginKind | None
    room: str | None
    server: tuple[str, int] | None


@dataclass(frozen=True, slots=True)
class _GivenRoles:
    """What options say of the room, and of what this process is in it."""

    name: str | None
    member: MemberSide | None
    sequencer: bool | None
    group: str | None


def run(
    *,
    config: ConfigOption = DEFAULT_CONFIG,
    defaults: Annotated[
        bool, typer.Option("--defaults", help="Ask nothing: what no option tells is left as an example, to be edited.")
    ] = False,
    networks: Annotated[Networks | None, typer.Option(help="Which networks the room is on.")] = None,
    name: Annotated[str | None, typer.Option(help="What to call the room here.")] = None,
    matrix_user: Annotated[str | None, typer.Option(metavar="@USER:SERVER", help="The account on Matrix.")] = None,
    matrix_homeserver: Annotated[str | None, typer.Option(metavar="URL", help="Its homeserver.")] = None,
    matrix_login: Annotated[MatrixLoginKind | None, typer.Option(help="How it logs in.")] = None,
    matrix_room: Annotated[str | None, typer.Option(metavar="#ROOM:SERVER", help="The room on Matrix.")] = None,
    xmpp_jid: Annotated[
        str | None, typer.Option(metavar="USER@SERVER", help="The account, or component, on XMPP.")
    ] = None,
    xmpp_login: Annotated[XmppLoginKind | None, typer.Option(help="How it logs in.")] = None,
    xmpp_room: Annotated[str | None, typer.Option(metavar="ROOM@SERVER", help="The room on XMPP.")] = None,
    xmpp_server: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="Where the XMPP server listens, if DNS does not say it.")
    ] = None,
    member: Annotated[
        MemberSide | None, typer.Option(help="Whether this process is a member too, and so can read the room.")
    ] = None,
    sequencer: Annotated[
        bool | None,
        typer.Option(
            help="Whether this process signs the order, as one process of each group does.",
            show_default="yes for a bridge, no for a person",
        ),
    ] = None,
    group: Annotated[
        str | None,
        typer.Option(
            metavar="HEX", help="The id of the room's group, if it is to be no other: `openssl rand -hex 16`."
        ),
    ] = None,
) -> None:
    """Ask what there is to know, and write a commented configuration.

    Beside it come the key of the database, and the passwords that you enter, each in a file of its own that only you
    can read. Nothing that is there already is overwritten.

    Each question has an option that answers it; `--defaults` asks nothing at all.

    Exit codes: 0 written, 1 it could not be written, 2 wrong usage, 130 interrupted (nothing is written).
    """
    if not defaults and not sys.stdin.isatty():
        raise typer.BadParameter("there is nobody to ask: add --defaults", param_hint="standard input")
    if config.suffix not in {".yaml", ".yml"}:
        raise typer.BadParameter("its name shall end in .yaml", param_hint="--config")
    questions = Questions(is_asking=not defaults)
    given_matrix = _GivenMatrix(matrix_user, matrix_homeserver, matrix_login, matrix_room)
    given_xmpp = _GivenXmpp(xmpp_jid, xmpp_login, xmpp_room, None if xmpp_server is None else _address(xmpp_server))
    given_roles = _GivenRoles(name, member, sequencer, group)
    _require_absent(config, config.with_suffix(".key"), config.with_suffix(".db"))
    try:
        chosen = questions.choice("Which networks is the room on", Networks, networks, Networks.BOTH)
        matrix = None if chosen is Networks.XMPP else _ask_matrix(questions, given_matrix)
        xmpp = None if chosen is Networks.MATRIX else _ask_xmpp(questions, given_xmpp)
        answers = _ask_roles(questions, config, (matrix, xmpp), given_roles)
        wanted = _secret_files(config.parent, answers)
        _require_absent(*wanted)
        entered = {path: questions.secret(question) for path, question in wanted.items()}
    except EOFError:
        typer.echo("\nThe answers end here: nothing is written.", err=True)
        raise typer.Exit(EXIT_FAILED) from None
    secrets = {config.with_suffix(".key"): new_key(), **{path: text for path, text in entered.items() if text}}
    _write(config, render(answers), secrets)
    _say_what_is_next(config, answers, [config, *secrets], [path for path, text in entered.items() if not text])


# Questions


def _ask_matrix(questions: Questions, given: _GivenMatrix) -> MatrixAnswers:
    user = questions.text(
        "The account on Matrix", given.user, example="@bridge:example.org", check=_field(MatrixAccount, "user")
    )
    homeserver = questions.text(
        "Its homeserver",
        given.homeserver,
        example="https://matrix.example.org",
        suggestion=f"https://{user.partition(':')[2]}",
        check=_field(MatrixAccount, "homeserver"),
    )
    login = questions.choice(
        "How it logs in; an appservice has no rate limit, and the server's admin must add it",
        MatrixLoginKind,
        given.login,
        MatrixLoginKind.APPSERVICE,
    )
    room = questions.text("The room on Matrix", given.room, example="#tea:example.org", check=_room("matrix"))
    return MatrixAnswers(homeserver=homeserver, user=user, login=login.value, room=room)


def _ask_xmpp(questions: Questions, given: _GivenXmpp) -> XmppAnswers:
    login = questions.choice(
        "How to log in on XMPP; a component has no traffic shaper, and the server's admin must add it",
        XmppLoginKind,
        given.login,
        XmppLoginKind.COMPONENT,
    )
    is_component = login is XmppLoginKind.COMPONENT
    jid = questions.text(
        "The component's address on XMPP" if is_component else "The account on XMPP",
        given.jid,
        example="bridge.example.org" if is_component else "bridge@example.org",
        check=_jid(is_component=is_component),
    )
    room = questions.text("The room on XMPP", given.room, example="tea@muc.example.org", check=_room("xmpp"))
    return XmppAnswers(jid=jid, login=login.value, room=room, server=given.server)


def _ask_roles(
    questions: Questions,
    config: Path,
    sides: tuple[MatrixAnswers | None, XmppAnswers | None],
    given: _GivenRoles,
) -> Answers:
    matrix, xmpp = sides
    accounts = {
        side: answers.account
        for side, answers in ((MemberSide.MATRIX, matrix), (MemberSide.XMPP, xmpp))
        if answers is not None
    }
    chosen = questions.choice(
        "Is this process a member too, which holds keys and can read the room",
        MemberSide,
        given.member,
        MemberSide.NONE,
    )
    if chosen is not MemberSide.NONE and chosen not in accounts:
        raise typer.BadParameter(f"the room is not on {chosen.value}", param_hint="--member")
    # Who brings a member alone is a person, and the order of their room is signed by its bridge.
    is_bridge = len(accounts) > 1 or chosen is MemberSide.NONE
    sequencer = is_bridge if given.sequencer is None else given.sequencer
    if given.group is not None and (problem := field_problem(Room, "group", given.group)) is not None:
        raise typer.BadParameter(problem, param_hint="--group")
    if not sequencer and len(accounts) == 1 and chosen is MemberSide.NONE:
        raise typer.BadParameter("there is nothing else that it could do", param_hint="--no-sequencer")
    return Answers(
        name=questions.text(
            "What to call the room here", given.name, example="tea", suggestion="tea", check=name_problem
        ),
        matrix=matrix,
        xmpp=xmpp,
        home=next(iter(accounts.values())),
        sequencer=sequencer,
        member=accounts.get(chosen),
        database=config.with_suffix(".db").name,
        key=config.with_suffix(".key").name,
        group=given.group,
    )


def _field(section: type[Section], name: str) -> Check:
    return lambda answer: field_problem(section, name, answer)


def _room(network: Literal["matrix", "xmpp"]) -> Check:
    def check(answer: str) -> str | None:
        problem = room_problem(network, answer)
        return None if problem is None else problem.message()

    return check


def _jid(*, is_component: bool) -> Check:
    def check(answer: str) -> str | None:
        if not is_component and "@" not in answer:
            return "has no name before the server; write it like bridge@example.org"
        return field_problem(XmppAccount, "jid", answer)

    return check


def _address(given: str) -> tuple[str, int]:
    host, _, port = given.rpartition(":")
    if not host or not given.isprintable() or any(map(str.isspace, given)) or not re.fullmatch("[0-9]{1,5}", port):
        raise typer.BadParameter(f"{given!r} is no address; write it like 127.0.0.1:5222", param_hint="--xmpp-server")
    return host, int(port)


# Files


def _secret_files(directory: Path, answers: Answers) -> dict[Path, str]:
    """Return the secrets that a person knows, by the file that each goes into, with the words to ask for it."""
    return {
        directory / f"{side.account}.{side.login}": f"The {side.login.replace('_', ' ')} of {who}"
        for side, who in _sides(answers)
        if side.login in {"password", "access_token"}
    }


def _sides(answers: Answers) -> list[tuple[MatrixAnswers | XmppAnswers, str]]:
    sides: list[tuple[MatrixAnswers | XmppAnswers, str]] = []
    if answers.matrix is not None:
        sides.append((answers.matrix, answers.matrix.user))
    if answers.xmpp is not None:
        sides.append((answers.xmpp, answers.xmpp.jid))
    return sides


def _require_absent(*paths: Path) -> None:
    for path in paths:
        if path.is_symlink() or path.exists():
            typer.echo(f"{path} is there already, and nothing is overwritten. Name another file: --config", err=True)
            raise typer.Exit(EXIT_FAILED)


def _write(config: Path, text: str, secrets: Mapping[Path, str]) -> None:
    """Write all of it, or nothing."""
    written: list[Path] = []
    try:
        for path, secret in secrets.items():
            write_secret(path, secret)
            written.append(path)
        with config.open("x", encoding="utf-8") as file:
            written.append(config)
            file.write(text)
    except BaseException as error:
        for path in written:
            path.unlink(missing_ok=True)
        if not isinstance(error, OSError):
            raise
        typer.echo(f"{error.filename or config} cannot be written: {error.strerror}. Nothing is left behind.", err=True)
        raise typer.Exit(EXIT_FAILED) from None


def _say_what_is_next(config: Path, answers: Answers, written: Iterable[Path], missing: Iterable[Path]) -> None:
    option = "" if config == DEFAULT_CONFIG else f" --config {shlex.quote(str(config))}"
    typer.echo(f"\nWritten: {', '.join(map(str, written))}\n\nWhat is next:")
    steps = []
    if any(is_example(text) for side, who in _sides(answers) for text in (who, side.room)):
        steps.append(f"Edit {config}: some of its values are examples.")
    steps += [f"Write the secret into {path}, in one line, and `chmod 600 {path}`." for path in missing]
    if any(side.login in {"appservice", "component"} for side, _ in _sides(answers)):
        steps.append(f"mls-bridge registration{option}   makes what the servers need, and says where it goes.")
    steps.append(f"mls-bridge check{option}   logs in, joins, and measures.")
    if answers.member is None or answers.sequencer:
        steps.append(f"mls-bridge run{option}")
    else:
        steps.append(f"mls-bridge chat{option}   talks; with --create, who is the first in the room founds its group.")
    for number, step in enumerate(steps, start=1):
        typer.echo(f"  {number}. {step}")
