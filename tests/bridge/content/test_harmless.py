"""Text of others does nothing on a terminal but show."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.content import harmless, harmless_line

HOSTILE = st.text(
    st.sampled_from(
        "\x00\x07\x08\x1b\x7f\x85\x9b\x9d\r\n\t\u202e\u2066\u200b\u200d\u2028\ufeff\u0301\U000e0041\ud800[]m2J;a "
    )
)


@pytest.mark.parametrize(
    "text, shown",
    [
        ("\x1b[2J\x1b[31mred", "␛[2J␛[31mred"),
        ("\x1b]0;title\x07", "␛]0;title␇"),
        ("\x1b]8;;https://evil.example\x1b\\click", "␛]8;;https://evil.example␛\\click"),
        ("\x9b2J", "<U+009B>2J"),
        ("a\bb\x7fc\x00", "a␈b␡c␀"),
        ("over\rwritten", "over\nwritten"),
        ("one\r\ntwo\u2028three\u2029four\x85five", "one\ntwo\nthree\nfour\nfive"),
        ("\x0b\x0c", "␋␌"),
        ("evil\u202egpj.exe", "evil<U+202E>gpj.exe"),
        ("\u2066a\u2069", "<U+2066>a<U+2069>"),
        ("a\u200bb\ufeffc\u2060d\u00ade", "a<U+200B>b<U+FEFF>c<U+2060>d<U+00AD>e"),
        ("hi\U000e0068\U000e0069", "hi<U+E0068><U+E0069>"),
        ("half \ud800", "half \ufffd"),
    ],
)
def test_what_acts_or_hides_is_shown(text: str, shown: str) -> None:
    assert harmless(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "plain, with a tab\tand\ntwo lines",
        "Grüße, 日本語, здравствуйте",
        "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",  # Persian, with a joiner that is part of the spelling
        "עברית\u200f!",
        "👩🏽\u200d⚕\ufe0f",  # five characters, one sign
        "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",  # the flag of England
        "क\u094dष",
        "e\u0301",
    ],
)
def test_what_people_write_is_left_as_it_is(text: str) -> None:
    assert harmless(text) == text


def test_marks_do_not_pile_up() -> None:
    assert harmless("a" + "\u0301" * 100 + "b") == "a" + "\u0301" * 8 + "b"
    assert harmless("e\u0301" * 100) == "e\u0301" * 100


@given(st.text() | HOSTILE)
def test_nothing_that_acts_is_left(text: str) -> None:
    shown = harmless(text)

    assert not [c for c in shown if unicodedata.category(c) in {"Cc", "Cs", "Zl", "Zp"} and c not in "\n\t"]
    assert not set(shown) & {chr(c) for c in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))}
    shown.encode()


@given(st.text() | HOSTILE)
def test_making_harmless_again_changes_nothing(text: str) -> None:
    assert harmless(harmless(text)) == harmless(text)


@given(st.text() | HOSTILE, st.integers(1, 30))
def test_a_name_is_one_short_line(text: str, limit: int) -> None:
    line = harmless_line(text, limit=limit)

    assert len(line) <= limit
    assert not set(line) & set("\n\t\r")
    assert harmless_line(line, limit=limit) == line


@pytest.mark.timeout(10)
def test_takes_no_more_than_its_time() -> None:
    for piece in ("\u0301", "\x1b", "a\u0301", "\U0001f3f4\U000e0067", "\r"):
        harmless(piece * 300_000)
