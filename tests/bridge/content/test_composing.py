"""What people do, as content that any MIMI client reads."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.content import (
    Disposition,
    Kind,
    MessageId,
    NullPart,
    SinglePart,
    Stamp,
    decode,
    delete,
    edit,
    encode,
    message_id,
    reaction,
    render,
    text,
)
from tests.bridge.content.examples import MESSAGE_IDS, STAMP, example

ORIGINAL = MessageId(bytes.fromhex(MESSAGE_IDS["original"]))
REPLY = MessageId(bytes.fromhex(MESSAGE_IDS["reply"]))


def stamp_of(name: str) -> Stamp:
    content = decode(example(name))
    assert content.sender_uri is not None
    assert content.room_uri is not None
    return Stamp(content.salt, content.sender_uri, content.room_uri)


def test_writes_the_drafts_examples_byte_for_byte() -> None:
    written = {
        "original": text(
            "Hi everyone, we just shipped release 2.0. __Good  work__!", stamp_of("original"), markdown=True
        ),
        "reply": text("Right on! _Congratulations_ 'all!", stamp_of("reply"), markdown=True, reply_to=ORIGINAL),
        "edit": edit(
            "Right on! _Congratulations_ y'all!",
            stamp_of("edit"),
            replaces=REPLY,
            markdown=True,
            reply_to=ORIGINAL,
        ),
        "delete": delete(stamp_of("delete"), replaces=REPLY, reply_to=ORIGINAL),
        "reaction": reaction("❤", stamp_of("reaction"), to=ORIGINAL),
    }

    for name, content in written.items():
        assert encode(content) == example(name), name


def test_plain_text_bears_its_stamp_and_topic() -> None:
    content = text("tea?", STAMP, topic=b"tea")

    assert (content.salt, content.sender_uri, content.room_uri) == (STAMP.salt, STAMP.sender_uri, STAMP.room_uri)
    assert content.topic_id == b"tea"
    assert content.body == SinglePart(Disposition.RENDER, "text/plain;charset=utf-8", b"tea?")


def test_deletion_has_no_body() -> None:
    assert delete(STAMP, replaces=REPLY).body == NullPart(Disposition.RENDER)


@given(st.text(), st.booleans())
def test_any_text_can_be_sent(body: str, markdown: bool) -> None:  # noqa: FBT001 - drawn by position
    content = decode(encode(text(body, STAMP, markdown=markdown)))

    assert render(content).kind is Kind.MESSAGE


def test_same_words_with_another_salt_are_another_message() -> None:
    def id_of(salt: bytes) -> MessageId:
        stamp = Stamp(salt, "a", "b")
        return message_id(encode(text("x", stamp)), sender_uri="a", room_uri="b", salt=salt)

    assert id_of(bytes(16)) == id_of(bytes(16))
    assert id_of(bytes(16)) != id_of(bytes(15) + b"\x01")


@pytest.mark.parametrize(
    "typed, written",
    [
        ("<b>bold</b>", "&lt;b>bold&lt;/b>"),
        ("<!-- hidden -->", "&lt;!-- hidden -->"),
        ("<?php ?>", "&lt;?php ?>"),
        ("1 < 2 and 3 <4", "1 < 2 and 3 <4"),
        ("<https://example.org/a>", "<https://example.org/a>"),
        ("<alice@example.org>", "<alice@example.org>"),
        ("`<b>` and ``a ` <i>``", "`<b>` and ``a ` <i>``"),
        ("```\n<b>\n```\n<b>", "```\n<b>\n```\n&lt;b>"),
        ("```<b>``", "```&lt;b>``"),
        ("unclosed ` <b>", "unclosed ` &lt;b>"),
    ],
)
def test_no_html_leaves_in_markdown(typed: str, written: str) -> None:
    body = text(typed, STAMP, markdown=True).body

    assert isinstance(body, SinglePart)
    assert body.content.decode() == written


def test_plain_text_is_left_as_it_is() -> None:
    body = text("<b>", STAMP).body

    assert isinstance(body, SinglePart)
    assert body.content == b"<b>"


@pytest.mark.timeout(10)
@pytest.mark.parametrize("piece", ["`", "`a``", "<", "<a", "<a:", "` `` ```"])
def test_escaping_takes_no_more_than_its_time(piece: str) -> None:
    text(piece * (65_536 // len(piece)), STAMP, markdown=True)
