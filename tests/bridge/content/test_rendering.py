"""What a person gets to see of any message: harmless, bounded, and with a name for whatever cannot be shown."""

from dataclasses import replace

import pytest
from hypothesis import given

from bridge.content import (
    MAX_TEXT,
    Disposition,
    ExternalPart,
    Kind,
    MessageId,
    MimiContent,
    MultiPart,
    NestedPart,
    NullPart,
    PartSemantics,
    SinglePart,
    encode,
    harmless,
    reaction,
    render,
    text,
)
from tests.bridge.content.examples import STAMP, contents

SOME_ID = MessageId(b"\x01" + bytes(31))

PLAIN = SinglePart(Disposition.RENDER, "text/plain", b"plain")
MARKDOWN = SinglePart(Disposition.RENDER, "text/markdown;variant=GFM-MIMI", b"*marked*")
HTML = SinglePart(Disposition.RENDER, "text/html", b"<b>")
IMAGE = SinglePart(Disposition.INLINE, "image/png", bytes(1500))


def shown(part: NestedPart) -> str:
    return render(message(part)).text


def message(part: NestedPart) -> MimiContent:
    return replace(text("", STAMP), body=part)


def multi(semantics: PartSemantics, *parts: NestedPart) -> MultiPart:
    return MultiPart(Disposition.RENDER, semantics, parts)


def choose(*parts: NestedPart) -> MultiPart:
    return multi(PartSemantics.CHOOSE_ONE, *parts)


def together(*parts: NestedPart) -> MultiPart:
    return multi(PartSemantics.SINGLE_UNIT, *parts)


def each(*parts: NestedPart) -> MultiPart:
    return multi(PartSemantics.PROCESS_ALL, *parts)


@given(contents)
def test_every_content_can_be_shown(content: MimiContent) -> None:
    rendered = render(content)

    assert harmless(rendered.text) == rendered.text
    assert len(rendered.text) <= MAX_TEXT
    assert (rendered.in_reply_to, rendered.replaces) == (content.in_reply_to, content.replaces)


@pytest.mark.parametrize(
    "part, text_shown",
    [
        (choose(HTML, PLAIN, MARKDOWN), "plain"),
        (choose(MARKDOWN, PLAIN), "*marked*"),
        (choose(HTML, IMAGE), "[text/html, 3 bytes: cannot be shown here]"),
        (choose(choose(HTML, IMAGE), choose(IMAGE, PLAIN)), "plain"),
        (each(PLAIN, IMAGE), "plain\n[image/png, 1.5 kB: cannot be shown here]"),
        (each(PLAIN, choose(HTML, MARKDOWN)), "plain\n*marked*"),
        (each(PLAIN, each(PLAIN, PLAIN, PLAIN)), "plain\n[3 more parts inside]"),
        (together(PLAIN, MARKDOWN), "plain\n*marked*"),
        (together(PLAIN, IMAGE), "[2 parts that belong together: cannot be shown here]"),
        (choose(together(PLAIN, IMAGE), MARKDOWN), "*marked*"),
        (each(*[PLAIN] * 30), "\n".join(["plain"] * 20 + ["[10 more parts]"])),
        (NullPart(Disposition.RENDER), "[nothing]"),
        (replace(PLAIN, disposition=200), "plain"),
    ],
)
def test_chooses_and_names_parts(part: NestedPart, text_shown: str) -> None:
    assert shown(part) == text_shown


@pytest.mark.parametrize("spelling", ["text/plain", "TEXT/Plain; charset=UTF-8", 'text/plain ;charset="utf-8"'])
def test_media_types_are_read_however_they_are_spelled(spelling: str) -> None:
    assert shown(replace(PLAIN, content_type=spelling)) == "plain"


def test_text_in_another_encoding_is_named() -> None:
    assert shown(replace(PLAIN, content_type="text/plain;charset=utf-7")).startswith(
        "[text/plain;charset=utf-7, 5 bytes"
    )


def test_markdown_is_told_apart() -> None:
    assert render(message(MARKDOWN)).markdown
    assert not render(message(PLAIN)).markdown
    assert not render(message(each(MARKDOWN, PLAIN))).markdown


@pytest.mark.parametrize(
    "content_type, content, filename",
    [
        ("text/plain", b"\x1b[2J\x1b]0;x\x07", ""),
        ("text/plain", "\u202etxt.exe".encode(), ""),
        ("text/\x1b[2J", b"", ""),
        ("text/plain", b"\xff\xfe\x9b", ""),
        ("a/b", b"", "\x1b[31m\nfake line"),
    ],
)
def test_hostile_content_does_nothing(content_type: str, content: bytes, filename: str) -> None:
    single = shown(SinglePart(Disposition.RENDER, content_type, content))
    external = shown(external_part(content_type, filename, "https://example.org/\x1b[2J\n\u202e"))

    for text_shown in (single, external):
        assert not set(text_shown) & set("\x1b\x07\x9b\r\u202e")
    assert external.count("\n") == 1


def external_part(content_type: str, filename: str, url: str) -> ExternalPart:
    return ExternalPart(
        disposition=Disposition.ATTACHMENT,
        content_type=content_type,
        url=url,
        expires=0,
        size=0,
        enc_alg=0,
        key=b"",
        nonce=b"",
        aad=b"",
        hash_alg=0,
        content_hash=b"",
        description="",
        filename=filename,
    )


def test_the_key_of_an_attachment_is_not_shown() -> None:
    part = replace(external_part("a/b", "f", "https://x"), enc_alg=1, key=b"0123456789abcdef")

    assert shown(part) == "[f, a/b (encrypted)]\nhttps://x"
    assert "0123" not in repr(part)


def test_very_long_text_is_cut_with_a_note() -> None:
    long = shown(replace(PLAIN, content=b"x" * (MAX_TEXT + 1)))

    assert len(long) == MAX_TEXT
    assert long.endswith("x\n[cut here, after 65,536 characters]")
    assert shown(replace(PLAIN, content=b"x" * MAX_TEXT)) == "x" * MAX_TEXT


def test_a_message_passed_on_is_shown_one_level_deep() -> None:
    def passed_on(content: MimiContent) -> MimiContent:
        return message(SinglePart(Disposition.RENDER, "application/mimi-content", encode(content)))

    once = passed_on(message(PLAIN))

    assert render(once).text == "[a message passed on]\nplain"
    assert render(passed_on(once)).text.startswith("[a message passed on]\n[application/mimi-content, ")
    broken = message(SinglePart(Disposition.RENDER, "application/mimi-content", b"\xff"))
    assert render(broken).text == "[a message passed on, which cannot be read]"


def test_reactions_are_short_and_on_one_line() -> None:
    rendered = render(reaction("👍\n14:03 bob: yes" + "x" * 100, STAMP, to=SOME_ID))

    assert rendered.kind is Kind.REACTION
    assert len(rendered.text) <= 40
    assert "\n" not in rendered.text


def test_a_reaction_to_nothing_is_a_message() -> None:
    assert render(message(replace(PLAIN, disposition=Disposition.REACTION))).kind is Kind.MESSAGE
