"""The same bytes, however somebody has them at hand."""

from __future__ import annotations

import base64
import json

import pytest

from bridge.inspecting import MAX_INPUT, Attempt, NotUnderstoodError
from bridge.protocol.code_points import MAX_ENVELOPE, EnvelopeKind
from tests.bridge.inspecting.samples import as_matrix_event, as_stanza, found, samples

DATA = samples().envelopes[EnvelopeKind.APPLICATION].encode()
URL_SAFE = base64.urlsafe_b64encode(DATA)


def refused(given: bytes) -> Attempt:
    with pytest.raises(NotUnderstoodError) as error:
        found(given)
    [attempt] = error.value.attempts
    return attempt


@pytest.mark.parametrize(
    "given, carried_as",
    [
        (DATA, ("raw",)),
        (DATA.hex().encode(), ("hex",)),
        (b"0x" + DATA.hex().upper().encode() + b"\n", ("hex",)),
        (DATA.hex(":").encode(), ("hex",)),
        (DATA.hex(" ", 16).encode(), ("hex",)),
        (base64.b64encode(DATA), ("base64",)),
        (base64.b64encode(DATA).rstrip(b"="), ("base64",)),
        (URL_SAFE, ("base64",)),
        (URL_SAFE.rstrip(b"="), ("base64",)),
        (base64.encodebytes(DATA), ("base64",)),
        (b"\xef\xbb\xbf" + base64.b64encode(DATA), ("base64",)),
        (as_matrix_event(DATA), ("matrix event", "base64")),
        (json.dumps(json.loads(as_matrix_event(DATA))["content"]).encode(), ("matrix event", "base64")),
        (as_stanza(DATA), ("xmpp stanza", "base64")),
    ],
)
def test_every_wrapping_is_found_out(given: bytes, carried_as: tuple[str, ...]) -> None:
    finding = found(given)
    assert (finding.taken_for, finding.carried_as, finding.size) == ("envelope", carried_as, len(DATA))


def test_an_element_alone_is_enough() -> None:
    element = b"<envelope xmlns='mls-bridge:envelope:1' v='1'>%s<note room='x'>ABC</note></envelope>"
    assert found(element % base64.b64encode(DATA)).size == len(DATA)


def test_hex_that_is_nothing_is_tried_as_base64() -> None:
    # What decodes from base64 here, the identity of somebody, is written with hex digits alone.
    with pytest.raises(NotUnderstoodError) as error:
        found(b"abcdef01")
    assert {attempt.carried_as for attempt in error.value.attempts} == {("hex",), ("base64",)}


@pytest.mark.parametrize(
    "given, why, offset",
    [
        (b"", "nothing is there", None),
        (b" \n", "nothing is there", None),
        (b"hello, world", "text that is neither hex nor base64, nor a Matrix event or an XMPP stanza", 5),
        ("é".encode(), "text that is neither hex nor base64, nor a Matrix event or an XMPP stanza", 0),
        (b'{"content": }', "not JSON: Expecting value", 12),
        (b'{"content": {"data": 1}}', "JSON without the content.data of an event of type mls-bridge.envelope.v1", None),
        (b'{"content": {"data": "!"}}', "the data of this matrix event are not base64", None),
        (b'{"a": ' * 200_000, "JSON or XML of 1199999 characters, where 1048576 are allowed", None),
        (b'{"a": ' + b"[" * 100_000, "JSON that nobody sends", None),
        (b'{"a": ' + b"1" * 5000 + b"}", "JSON that nobody sends", None),
        (b"<message>", "not XML: no element found", 9),
        (b"<message/>", "no envelope elements of mls-bridge:envelope:1 in this XML", None),
        (b"<a>" * 65, "elements more than 64 deep in each other", 192),
        (b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", "a document type, which XMPP does not have", 12),
        (b"<envelope xmlns='mls-bridge:envelope:1'>!</envelope>", "the data of this xmpp stanza are not base64", None),
        (bytes(MAX_ENVELOPE + 1), "4194305 bytes, where 4194304 are allowed", None),
        (b"a" * (MAX_INPUT + 1), f"more than {MAX_INPUT} bytes", None),
    ],
    ids=range(17),
)
def test_what_holds_no_bytes_is_refused_with_the_place(given: bytes, why: str, offset: int | None) -> None:
    assert refused(given) == Attempt("input", (), why, offset)


def test_two_envelopes_in_one_stanza_are_none() -> None:
    one = b"<envelope xmlns='mls-bridge:envelope:1'>AA</envelope>"
    assert "2 envelope elements" in refused(b"<message>" + one + one + b"</message>").why
