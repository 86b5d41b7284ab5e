"""The draft's own example messages: their bytes, their ids, and what they say."""

import hashlib

import pytest

from bridge.content import (
    Disposition,
    ExternalPart,
    Kind,
    MultiPart,
    NullPart,
    PartSemantics,
    SinglePart,
    decode,
    encode,
    message_id,
    render,
)
from tests.bridge.content.examples import DIRECTORY, MESSAGE_IDS, example
from tests.vectors.official import read_sums


def test_examples_are_those_of_the_draft() -> None:
    sums = read_sums(DIRECTORY / "SHA256SUMS")

    assert {path.name for path in DIRECTORY.glob("*.cbor")} == sums.keys() == {f"{name}.cbor" for name in MESSAGE_IDS}
    assert len(sums) == 14
    for name, digest in sums.items():
        assert hashlib.sha256((DIRECTORY / name).read_bytes()).hexdigest() == digest


@pytest.mark.parametrize("name", MESSAGE_IDS)
def test_decodes_and_encodes_to_the_same_bytes(name: str) -> None:
    assert encode(decode(example(name))) == example(name)


@pytest.mark.parametrize("name", MESSAGE_IDS)
def test_has_the_id_that_the_draft_gives(name: str) -> None:
    content = decode(example(name))

    assert content.sender_uri is not None
    assert content.room_uri is not None
    id_ = message_id(example(name), sender_uri=content.sender_uri, room_uri=content.room_uri, salt=content.salt)
    assert id_.hex() == MESSAGE_IDS[name]


def test_id_depends_on_sender_room_bytes_and_salt() -> None:
    def id_of(sender: str = "a", room: str = "bc", encoded: bytes = b"1", salt: bytes = b"2") -> bytes:
        return message_id(encoded, sender_uri=sender, room_uri=room, salt=salt)

    ids = {id_of(), id_of(sender="ab", room="c"), id_of(room="b"), id_of(encoded=b"12", salt=b""), id_of(encoded=b"0")}

    # The boundary between message and salt alone is not hashed: the salt has a fixed size.
    assert len(ids) == 4
    assert id_of(encoded=b"12", salt=b"") == id_of()


def test_reads_every_field_of_an_attachment() -> None:
    body = decode(example("attachment")).body

    assert body == ExternalPart(
        disposition=Disposition.ATTACHMENT,
        content_type="video/mp4",
        url="https://example.com/storage/8ksB4bSrrRE.mp4",
        expires=0,
        size=708234961,
        enc_alg=1,
        key=bytes.fromhex("21399320958a6f4c745dde670d95e0d8"),
        nonce=bytes.fromhex("c86cf2c33f21527d1dd76f5b"),
        aad=b"",
        hash_alg=1,
        content_hash=bytes.fromhex("9ab17a8cf0890baaae7ee016c7312fcc080ba46498389458ee44f0276e783163"),
        description="2 hours of key signing video",
        filename="bigfile.mp4",
        language="en",
    )
    assert "21399320" not in repr(body)
    assert "x99" not in repr(body)


def test_reads_parts_inside_of_parts() -> None:
    body = decode(example("multipart-3")).body

    assert isinstance(body, MultiPart)
    assert body.semantics is PartSemantics.CHOOSE_ONE
    with_gif = body.parts[0]
    assert isinstance(with_gif, MultiPart)
    assert with_gif.semantics is PartSemantics.PROCESS_ALL
    gif = with_gif.parts[1]
    assert isinstance(gif, SinglePart)
    assert (gif.disposition, gif.content_type, len(gif.content)) == (Disposition.INLINE, "image/gif", 16)


def test_reads_what_surrounds_the_body() -> None:
    deletion, expiring = decode(example("delete")), decode(example("expiring"))

    assert isinstance(deletion.body, NullPart)
    assert deletion.replaces is not None
    assert deletion.replaces.hex() == MESSAGE_IDS["reply"]
    assert deletion.in_reply_to is not None
    assert deletion.in_reply_to.hex() == MESSAGE_IDS["original"]
    assert expiring.expires is not None
    assert (expiring.expires.is_relative, expiring.expires.time) == (False, 1644390004)
    assert decode(example("conferencing")).topic_id == b"Foo 118"


@pytest.mark.parametrize(
    "name, kind, markdown, text",
    [
        ("original", Kind.MESSAGE, True, "Hi everyone, we just shipped release 2.0. __Good  work__!"),
        ("reply", Kind.MESSAGE, True, "Right on! _Congratulations_ 'all!"),
        ("edit", Kind.EDIT, True, "Right on! _Congratulations_ y'all!"),
        ("delete", Kind.DELETION, False, ""),
        ("unlike", Kind.DELETION, False, ""),
        ("reaction", Kind.REACTION, False, "❤"),
        ("multipart-1", Kind.MESSAGE, True, "# Welcome!"),
        ("multipart-2", Kind.MESSAGE, False, "❤\n🥳\n🤞"),
        ("mention-html", Kind.MESSAGE, False, "[text/html;charset=utf-8, 106 bytes: cannot be shown here]"),
        ("conferencing", Kind.MESSAGE, False, "[a link: Join the Foo 118 conference]\nhttps://example.com/join/12345"),
        (
            "attachment",
            Kind.MESSAGE,
            False,
            (
                "[bigfile.mp4, video/mp4, 708.2 MB (encrypted): 2 hours of key signing video]\n"
                "https://example.com/storage/8ksB4bSrrRE.mp4"
            ),
        ),
    ],
)
def test_shows_what_it_says(name: str, kind: Kind, markdown: bool, text: str) -> None:  # noqa: FBT001 - a table's column
    rendered = render(decode(example(name)))

    assert (rendered.kind, rendered.markdown, rendered.text) == (kind, markdown, text)
