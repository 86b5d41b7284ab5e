"""The table of requirements is complete, and what it names is there.

The RFC's text is not ours to keep here. Where a copy is at hand, the table is held against it as well: one that the
environment variable MLS_RFC_TEXT names, or `../shared/rfc9420.md`, or `.cache/rfc9420.md`. Everywhere else it is the
recorded digest and counts that bind the table to the text.
"""

import ast
import hashlib
import os
import re
import sys
from collections import Counter
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from mls.rules import RULES
from tests.mls.rfc import text
from tests.mls.rfc.__main__ import main
from tests.mls.rfc.table import Requirement, Table, differences, load

ROOT = Path(__file__).parents[3]
TABLE = load()

EXAMPLE = """\
# Before the text MUST not count
--- middle
# First
It MUST be so; it MUST NOT be otherwise,
and MUST
NOT be REQUIRED. MUSTARD is no keyword.

## Below
* one item that SHALL be
* another, which SHALL NOT
~~~
# a comment MUST count, but is no heading
~~~
# Second
## Below
### Below that
Nothing at all.
--- back
# Appendix
It MUST count.
"""


def copy_of_the_text() -> Path | None:
    """Where a copy of the RFC's text is at hand, if it is."""
    named = os.environ.get("MLS_RFC_TEXT")
    if named:
        return Path(named)
    places = (ROOT.parent / "shared" / "rfc9420.md", ROOT / ".cache" / "rfc9420.md")
    return next((place for place in places if place.is_file()), None)


def test_the_table_is_the_one_that_was_counted() -> None:
    assert re.fullmatch(r"[0-9a-f]{64}", TABLE.sha256)
    assert "1a441b8af19f2dd6dc0b7301a9c788bb8985090f" in TABLE.source
    assert dict(TABLE.counts) == Counter(item.section for item in TABLE.requirements)
    assert TABLE.total == sum(TABLE.counts.values()) == len(TABLE.requirements)

    path = copy_of_the_text()
    if path is None:
        sys.stdout.write("without the RFC's text: held against the recorded counts alone\n")
    else:
        sys.stdout.write(f"held against {path}\n")
        assert list(differences(TABLE, path.read_bytes())) == []


@pytest.mark.parametrize("section", TABLE.counts)
def test_ordinals_go_from_1_to_the_recorded_count(section: str) -> None:
    ordinals = [item.ordinal for item in TABLE.requirements if item.section == section]

    assert ordinals == list(range(1, TABLE.counts[section] + 1))


def test_each_requirement_is_proven_or_says_why_not() -> None:
    for item in TABLE.requirements:
        where = f"{item.section}, {item.ordinal}"
        assert item.keyword in {"MUST", "MUST NOT", "SHALL", "SHALL NOT", "REQUIRED"}, where
        assert re.fullmatch(r"[0-9a-f]{12}", item.sentence), where
        assert item.says, where
        assert bool(item.rules or item.tests) != bool(item.none), where


def test_each_list_item_is_proven_or_says_why_not() -> None:
    for item in TABLE.list_items:
        assert item.item, item
        assert bool(item.rules) != bool(item.none), item


def test_each_rule_that_is_named_exists() -> None:
    assert set(TABLE.sections_of_rules()) | set(TABLE.own_rules) <= set(RULES)


@pytest.mark.parametrize("name", sorted(RULES))
def test_each_rule_is_asked_for(name: str) -> None:
    sections = TABLE.sections_of_rules().get(name, set())

    assert bool(sections) != bool(TABLE.own_rules.get(name)), f"{name} is in no list, or in both"
    if sections:
        assert RULES[name].section in sections, f"{name} claims section {RULES[name].section}"


@cache
def functions_of(path: Path) -> frozenset[str]:
    """The names of the test functions that a module defines."""
    body = ast.parse(path.read_text(encoding="utf-8")).body
    return frozenset(node.name for node in body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"))


@pytest.mark.parametrize("named", sorted({test for item in TABLE.requirements for test in item.tests}))
def test_each_test_that_is_named_exists(named: str) -> None:
    path, _, function = named.partition("::")

    assert path.startswith("tests/mls/")
    assert function in functions_of(ROOT / path)


# How the text is read


def test_sections_are_numbered_as_the_rfc_numbers_them() -> None:
    assert [number for number, _ in text.sections(EXAMPLE)] == ["1", "1.1", "2", "2.1", "2.1.1", "A"]


def test_each_keyword_is_counted_once() -> None:
    found = [(item.section, item.ordinal, item.keyword) for item in text.occurrences(EXAMPLE)]

    assert found == [
        ("1", 1, "MUST"),
        ("1", 2, "MUST NOT"),
        ("1", 3, "MUST NOT"),
        ("1", 4, "REQUIRED"),
        ("1.1", 1, "SHALL"),
        ("1.1", 2, "SHALL NOT"),
        ("1.1", 3, "MUST"),
        ("A", 1, "MUST"),
    ]
    assert text.count_by_section(EXAMPLE) == {"1": 4, "1.1": 3, "A": 1}


def test_a_sentence_is_the_same_however_its_lines_are_broken() -> None:
    broken = EXAMPLE.replace("MUST be so; it", "MUST\nbe so;\n  it")

    assert list(text.occurrences(broken)) == list(text.occurrences(EXAMPLE))
    sentences = [item.sentence for item in text.occurrences(EXAMPLE)]
    assert sentences[:3] == ["It MUST be so;", *["it MUST NOT be otherwise, and MUST NOT be REQUIRED."] * 2]


# How the table is held against the text


def table_of_example() -> Table:
    found = list(text.occurrences(EXAMPLE))
    requirements = tuple(Requirement(item.section, item.ordinal, item.keyword, item.digest, "says") for item in found)
    digest = hashlib.sha256(EXAMPLE.encode()).hexdigest()
    return Table("an example", digest, len(found), text.count_by_section(EXAMPLE), requirements, (), {})


def test_a_right_table_does_not_differ() -> None:
    assert list(differences(table_of_example(), EXAMPLE.encode())) == []


def test_another_text_differs() -> None:
    other = EXAMPLE.replace("It MUST be so", "It SHALL be so").replace("It MUST count.", "It counts.")

    found = list(differences(table_of_example(), other.encode()))

    assert len(found) == 4
    assert found[0].startswith(f"the text has SHA-256 {hashlib.sha256(other.encode()).hexdigest()}")
    assert found[1] == "section A has 0 keywords, the table says 1"
    assert found[2].startswith("1, 1: SHALL ")
    assert found[3] == "A, 1: the text has no such keyword"


def test_an_entry_that_is_missing_differs() -> None:
    table = table_of_example()
    counts = {"1": 4, "1.1": 3}

    found = list(differences(replace(table, requirements=table.requirements[:-1], counts=counts), EXAMPLE.encode()))

    assert found[0] == "section A has 1 keywords, the table says 0"
    assert found[1].startswith("A, 1: MUST ")
    assert len(found) == 2


def test_the_program_says_what_differs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "rfc9420.md"
    path.write_text(EXAMPLE, encoding="utf-8")

    assert main(str(path)) == 1
    printed = capsys.readouterr().out
    assert 'total = 8\n\n[counts]\n"1" = 4\n"1.1" = 3\n"A" = 1\n' in printed
    assert "section 13.4 has 0 keywords, the table says 10" in printed
