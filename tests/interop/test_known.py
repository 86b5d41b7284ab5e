"""The list of what is known: read strictly, and every entry held to what it says."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from mls import EXPERIMENTAL_CIPHER_SUITES
from tests.interop.building import PEERS
from tests.interop.campaign.judging import Record, Verdict, judge, stale
from tests.interop.interpreter import Outcome
from tests.interop.known import Entry, Kind, Known, KnownError, read
from tests.interop.library import all_scripts
from tests.interop.stage import Result
from tests.interop.walks.features import Feature

if TYPE_CHECKING:
    from pathlib import Path

ENTRY = Entry(
    peer="openmls",
    version="0.9.2",
    kind=Kind.DEVIATION,
    scripts=("commit/*", "branch/base"),
    suites=(1, 2),
    reason="tag is (wrong|short)",
    what="It is wrong.",
    where="RFC 9420, section 1",
    reproduction="Look.",
    avoided=(Feature.RESYNC,),
)
KNOWN = Known((ENTRY,), {"openmls": (1, 2)}, {"openmls": (77,)})

RECORD = Record("a task", "commit/add", ("openmls",), 1, "public", Outcome(Result.PASSED, 3), 0.1)
FAILURE = Outcome(Result.FAILED, 3, "step 2: the tag is wrong", "openmls")
REFUSAL = Outcome(Result.NOT_OFFERED, 3, "step 2: the tag is wrong, so nobody offers it", "openmls")

TEXT = """
[suites]
openmls = [1, 2]
[experimental]
openmls = [77]
[[known]]
peer = "openmls"
version = "0.9.2"
kind = "deviation"
scripts = ["commit/*", "branch/base"]
suites = [1, 2]
reason = 'tag is (wrong|short)'
what = "It is wrong."
where = "RFC 9420, section 1"
reproduction = "Look."
avoided = ["external join that removes the former self"]
"""


def test_the_list_of_the_project_is_in_order() -> None:
    known = read()
    names = [script.name for script in all_scripts()] + ["walk/200"]
    for entry in known.entries:
        assert entry.peer in PEERS
        assert entry.scripts or entry.avoided, "it would never be seen"
        for pattern in entry.scripts:
            assert any(entry.is_about({entry.peer}, name, 1, pattern) for name in names), f"{pattern} is no script"
    assert set(known.suites) == set(known.experimental) == set(PEERS)
    for numbers in known.experimental.values():
        assert set(numbers) <= EXPERIMENTAL_CIPHER_SUITES.keys()


def test_an_entry_is_read(tmp_path: Path) -> None:
    path = tmp_path / "known.toml"
    path.write_text(TEXT, encoding="utf-8")
    assert read(path) == KNOWN


@pytest.mark.parametrize(
    "right, wrong, message",
    [
        ("[suites]", "[suits]", "must have tables 'suites' and 'experimental'"),
        ("[suites]", "[suites", "cannot be read"),
        ("[1, 2]\n[exp", "1\n[exp", "suites of openmls: no array of numbers"),
        ("[77]", "77", "experimental suites of openmls: no array of numbers"),
        ('what = "It is wrong."\n', "", "missing: what"),
        ('what = "It is wrong."', 'what = ""', "what is no text, or empty"),
        ('what = "It', 'whom = "Me"\nwhat = "It', "unknown or missing: whom"),
        ('"deviation"', '"habit"', "'habit' is not a valid Kind"),
        ("(wrong|short)", "(wrong", "unterminated subpattern"),
        ('["commit/*", "branch/base"]', '"commit/*"', "scripts is no array"),
        ('["external join that removes the former self"]', '["walking"]', "'walking' is not a valid Feature"),
    ],
)
def test_a_malformed_list_is_refused(right: str, wrong: str, message: str, tmp_path: Path) -> None:
    assert right in TEXT
    path = tmp_path / "known.toml"
    path.write_text(TEXT.replace(right, wrong), encoding="utf-8")
    with pytest.raises(KnownError, match=message):
        read(path)


def test_a_missing_list_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(KnownError, match="cannot be read"):
        read(tmp_path / "nothing")


# Judgements


def test_what_passes_has_passed() -> None:
    assert judge(RECORD, KNOWN).verdict is Verdict.PASSED


def test_an_entry_explains_a_failure() -> None:
    judgement = judge(replace(RECORD, outcome=FAILURE), KNOWN)
    assert (judgement.verdict, judgement.entry) == (Verdict.KNOWN, ENTRY)


@pytest.mark.parametrize(
    "record",
    [
        replace(RECORD, outcome=replace(FAILURE, reason="step 2: no answer")),
        replace(RECORD, outcome=FAILURE, script="reinit/add"),
        replace(RECORD, outcome=FAILURE, suite=3),
        replace(RECORD, outcome=FAILURE, partners=("mls-rs",)),
        replace(RECORD, outcome=FAILURE, partners=()),
    ],
)
def test_an_entry_explains_nothing_else(record: Record) -> None:
    judgement = judge(record, KNOWN)
    assert (judgement.verdict, judgement.entry) == (Verdict.FAILED, None)


def test_what_is_not_offered_has_to_be_on_the_list() -> None:
    judgement = judge(replace(RECORD, outcome=REFUSAL), KNOWN)
    assert judgement.verdict is Verdict.FAILED, "a deviation explains no gap"
    assert judgement.reason.startswith("not offered, and not on the list of what is known")
    gap = Known((replace(ENTRY, kind=Kind.GAP),), {}, {})
    assert judge(replace(RECORD, outcome=REFUSAL), gap).verdict is Verdict.NOT_OFFERED


@pytest.mark.parametrize("seat", ["ours", "ours too"])
def test_ours_has_to_offer_everything(seat: str) -> None:
    gap = Known((replace(ENTRY, kind=Kind.GAP),), {}, {})
    judgement = judge(replace(RECORD, outcome=replace(REFUSAL, at_fault=seat)), gap)
    assert judgement.verdict is Verdict.FAILED


# Staleness


def test_an_entry_that_shows_in_each_of_its_patterns_is_not_stale() -> None:
    records = [replace(RECORD, outcome=FAILURE, script=script) for script in ("commit/add", "branch/base")]
    assert stale([judge(record, KNOWN) for record in [*records, RECORD]], KNOWN) == []


def test_a_pattern_that_shows_nothing_is_stale() -> None:
    records = [replace(RECORD, outcome=FAILURE), replace(RECORD, script="branch/base")]
    ((entry, why),) = stale([judge(record, KNOWN) for record in records], KNOWN)
    assert entry is ENTRY
    assert why == "branch/base does not show it any more, in 1 scenarios"


def test_what_was_not_tried_is_not_stale() -> None:
    untried = [replace(RECORD, suite=3), replace(RECORD, partners=("mls-rs",)), replace(RECORD, script="reinit/a")]
    assert stale([judge(record, KNOWN) for record in untried], KNOWN) == []


@pytest.mark.parametrize("name", ["OpenMLS 0.9.2 (RustCrypto 0.6.0)", "OpenMLS 0.9.2"])
def test_an_entry_about_this_version_is_not_stale(name: str) -> None:
    assert KNOWN.outdated({"openmls": name, "ts-mls": "ts-mls 1"}) == []


@pytest.mark.parametrize("name", ["OpenMLS 0.9.21 (RustCrypto 0.6.0)", "OpenMLS", "OpenMLS 10.9.2"])
def test_an_entry_about_another_version_is_stale(name: str) -> None:
    ((entry, why),) = KNOWN.outdated({"openmls": name})
    assert entry is ENTRY
    assert why == f"is about version 0.9.2, and this is {name}: look again"


def test_a_suite_that_is_gone_is_missed() -> None:
    assert KNOWN.missing_suites({"openmls": (1, 2, 3)}) == {}
    assert KNOWN.missing_suites({"openmls": (2, 3)}) == {"openmls": [1]}
    assert KNOWN.missing_suites({"mls-rs": ()}) == {}, "who is not there is not missed here"


def test_walks_avoid_what_would_end_them() -> None:
    assert KNOWN.avoided("openmls", 1) == {Feature.RESYNC}
    assert KNOWN.avoided("openmls", 3) == frozenset()
    assert KNOWN.avoided("mls-rs", 1) == frozenset()
