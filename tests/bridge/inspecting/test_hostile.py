"""Any bytes: explained or refused, in bounded time, and nothing of them steers a terminal."""

from __future__ import annotations

import json
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import mls
from bridge.inspecting import Kind, NotUnderstoodError, failure_as_json, finding_as_json
from bridge.protocol.bodies import Hello
from bridge.protocol.code_points import EnvelopeKind
from bridge.protocol.envelope import envelope
from mls.codec import encode_opaque
from mls.wire.message import wrap
from mls.wire.tree import RatchetTreeExtension
from mls.wire.welcome import GroupInfo
from tests.bridge.inspecting.samples import KEY, LIFETIME, as_matrix_event, as_stanza, found, samples, text_of

ESCAPES = "\x1b]0;owned\x07\x1b[2J\r\n\u202eevil\u2066"

REAL = (
    *(sealed.encode() for sealed in samples().envelopes.values()),
    *samples().fragments,
    samples().key_package.encode(),
    samples().welcome.encode(),
    samples().public_commit.encode(),
    samples().self_remove.encode(),
    samples().group_info.encode(),
    samples().tree,
    samples().order.encode(),
)

PUBLIC_COMMIT_HEAD = b"\0\1\0\1" + b"\0" + bytes(8) + b"\4" + b"\0" + b"\3"


def look_at(data: bytes, kind: Kind) -> None:
    """Whatever it is, it is explained or refused, and both can be shown."""
    told = shown(data, kind)
    assert told
    assert is_harmless(told)


def shown(data: bytes, kind: Kind = Kind.AUTO) -> str:
    """What is printed: the explanation, or why there is none."""
    try:
        finding = found(data, kind, sequencer_key=KEY.public_key)
    except NotUnderstoodError as error:
        return json.dumps(failure_as_json(error))
    json.dumps(finding_as_json(finding))
    return text_of(finding, full=True)


def is_harmless(text: str) -> bool:
    return all(char == "\n" or unicodedata.category(char) != "Cc" for char in text) and "\u202e" not in text


@given(data=st.binary(max_size=200), kind=st.sampled_from(Kind))
@example(data=b"\x82", kind=Kind.IDENTITY)
def test_any_bytes(data: bytes, kind: Kind) -> None:
    look_at(data, kind)


@given(text=st.text(max_size=200), kind=st.sampled_from(Kind))
def test_any_text(text: str, kind: Kind) -> None:
    look_at(text.encode(), kind)


@given(st.data())
def test_real_bytes_with_a_change(data: st.DataObject) -> None:
    whole = bytearray(data.draw(st.sampled_from(REAL)))
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(whole) - 1))
        whole[place] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(whole)) | st.just(len(whole)))
    look_at(bytes(whole[:cut]), data.draw(st.sampled_from(Kind)))


@given(st.data())
def test_real_carriers_with_a_change(data: st.DataObject) -> None:
    sealed = data.draw(st.sampled_from(list(samples().envelopes.values()))).encode()
    whole = bytearray(data.draw(st.sampled_from((as_matrix_event, as_stanza)))(sealed))
    place = data.draw(st.integers(0, len(whole) - 1))
    whole[place] = data.draw(st.integers(0, 255))
    look_at(bytes(whole), Kind.AUTO)


def test_names_do_not_steer_a_terminal() -> None:
    env = mls.Environment(mls.UnsafeTrustEveryone())
    client = mls.Client.basic(ESCAPES.encode(), env.random)
    package = mls.create_key_package(client, env, lifetime=LIFETIME)
    state = mls.create(client, env, group_id=ESCAPES.encode(), lifetime=LIFETIME).state
    hello = envelope(EnvelopeKind.HELLO, b"", Hello(ESCAPES.encode(), (ESCAPES.encode(),), b"", 0))
    for data in (package.message.encode(), mls.group_info(state).encode(), hello.encode()):
        text = text_of(found(data), full=True)
        assert is_harmless(text)
        assert "owned" not in text or "\u241b" in text
    assert "owned" in text_of(found(hello.encode()))


def test_what_is_very_wide_is_cut() -> None:
    hello = envelope(EnvelopeKind.HELLO, b"", Hello(b"a" * 4_000_000, (b"", b"x"), b"", 0))
    assert max(map(len, text_of(found(hello.encode())).splitlines())) < 500


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "data",
    [
        bytes(1 << 24),
        b"\xff" * (1 << 24),
        b"a" * (1 << 24),
        b"A" * (1 << 22),
        PUBLIC_COMMIT_HEAD + encode_opaque(b"\1\0\x0a" * (1 << 17)) + bytes(3),
        PUBLIC_COMMIT_HEAD + encode_opaque((b"\1\0\7" + encode_opaque(b"\x0a\x0a\0" * 20)) * 10_000) + bytes(3),
    ],
    ids=["zeros", "ones", "hex", "base64", "proposals", "extensions"],
)
def test_large_input_is_answered_briefly(data: bytes) -> None:
    assert len(shown(data)) < 1_000_000


@pytest.mark.timeout(60)
def test_a_wide_blank_tree_is_summarised() -> None:
    nodes = RatchetTreeExtension.decode(samples().tree).nodes
    wide = RatchetTreeExtension((nodes[0], *[None] * ((1 << 17) - 3), nodes[2])).encode()
    assert "leaves: 65536" in text_of(found(wide))


def test_many_trees_in_a_group_info_are_not_all_drawn() -> None:
    info = samples().group_info.message
    assert isinstance(info, GroupInfo)
    many = wrap(info.replace(extensions=info.extensions[:1] * 200))
    text = text_of(found(many.encode()))
    assert "and 136 more" in text
