"""Content in both directions: strict, bounded, and never anything but a `ContentError`."""

from dataclasses import replace
from types import MappingProxyType

import cbor2
import pytest
from hypothesis import example as tried
from hypothesis import given
from hypothesis import strategies as st

from bridge.content import (
    MAX_SIZE,
    ContentError,
    Disposition,
    ExtensionValue,
    MessageId,
    MimiContent,
    MultiPart,
    NestedPart,
    NullPart,
    PartSemantics,
    SinglePart,
    decode,
    encode,
    text,
)
from tests.bridge.content.examples import MESSAGE_IDS, STAMP, contents, example

ORIGINAL = example("original")
PLAIN = SinglePart(Disposition.RENDER, "text/plain", b"x")


def body_of(part: NestedPart) -> MimiContent:
    return replace(text("", STAMP), body=part)


def nested(levels: int) -> NestedPart:
    part: NestedPart = PLAIN
    for _ in range(levels - 1):
        part = MultiPart(Disposition.RENDER, PartSemantics.PROCESS_ALL, (PLAIN, part))
    return part


def with_extension(encoded: bytes) -> bytes:
    """The original with an extension -1 whose value is `encoded`."""
    at = ORIGINAL.index(b"\x85\x01\x60")
    return ORIGINAL[:at].replace(b"\xa2\x01\x78", b"\xa3\x01\x78", 1) + b"\x20" + encoded + ORIGINAL[at:]


# --- There and back ---------------------------------------------------------------------------------------------------


@given(contents)
def test_whatever_is_encoded_decodes_to_the_same(content: MimiContent) -> None:
    encoded = encode(content)
    again = decode(encoded)

    assert encode(again) == encoded
    assert repr(again.body) == repr(content.body)
    assert (again.salt, again.replaces, again.topic_id) == (content.salt, content.replaces, content.topic_id)
    assert (again.expires, again.in_reply_to) == (content.expires, content.in_reply_to)
    assert again.extensions.keys() == content.extensions.keys()


@given(st.binary(max_size=300))
@tried(b"")
@tried(b"\xc0\x60")
@tried(b"\xd8\x1c\x81\xd8\x1d\x00")
@tried(b"\x87" * 5000)
@tried(b"\x9b" + b"\xff" * 8)
@tried(b"\xbb\x00\x00\x00\x00\xff\xff\xff\xff")
@tried(b"\xa1\xa0\x00")
def test_any_bytes_are_refused_as_content(data: bytes) -> None:
    with pytest.raises(ContentError):
        decode(data)


@given(st.data())
def test_changed_bytes_are_refused_or_mean_themselves(data: st.DataObject) -> None:
    original = bytearray(example(data.draw(st.sampled_from(sorted(MESSAGE_IDS)))))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(original) - 1))
        original[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=9))
    changed = bytes(original)

    try:
        content = decode(changed)
    except ContentError:
        return
    assert encode(content) == changed


@given(st.binary(max_size=60))
def test_any_extension_is_refused_or_kept(value: bytes) -> None:
    data = with_extension(value)

    try:
        content = decode(data)
    except ContentError:
        return
    assert encode(content) == data


# --- The one encoding -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value",
    [
        "00",
        "3bffffffffffffffff",
        "f6",
        "f7",  # undefined
        "f8ff",
        "f93c00",  # 1.0
        "f97e00",  # the one NaN
        "fa7f7fffff",
        "fb3ff199999999999a",  # 1.1
        "d82072687474703a2f2f6578616d706c652e636f6d",  # 32("http://example.com")
        "c11a514b67b0",  # a date, kept as what it is
        "d81c80",  # what would be shared
        "c249010000000000000000",  # 2^64
        "a40001190100022003617a04",  # keys by their encodings: 0, 256, -1, "z"
        "81c18100",  # with the map: four levels
    ],
)
def test_an_extension_may_be_any_cbor(value: str) -> None:
    data = with_extension(bytes.fromhex(value))

    assert encode(decode(data)) == data


@pytest.mark.parametrize(
    "value, why",
    [
        ("1800", "one deterministic encoding"),  # 0 in two bytes
        ("5800", "one deterministic encoding"),
        ("9f00ff", "not CBOR"),  # an array of indefinite length
        ("5f4100ff", "not CBOR"),
        ("a2200019010001", "one deterministic encoding"),  # keys in the order of RFC 7049: -1, 256
        ("a200000001", "not CBOR"),  # a key twice
        ("fa3f800000", "one deterministic encoding"),  # 1.0 in four bytes
        ("fb7ff8000000000001", "one deterministic encoding"),  # another NaN
        ("c24101", "fits into an ordinary one"),  # 1 as a big number
        ("a1f500", "a key of a map"),  # true as a key
        ("a1f93c0000", "a key of a map"),
        ("a11b002000000000000000", "a key of a map"),  # 2^53
        ("62c328", "not CBOR"),  # not UTF-8
        ("63eda080", "not CBOR"),  # half of a character
        ("8181818100", "nested more than 4 deep"),
        ("c1c1c1c100", "nested more than 4 deep"),
        ("0000", "one deterministic encoding"),  # bytes behind it
    ],
)
def test_no_other_encoding_is_taken(value: str, why: str) -> None:
    with pytest.raises(ContentError, match=why):
        decode(with_extension(bytes.fromhex(value)))


def test_keys_are_in_the_order_of_rfc_8949_and_not_of_rfc_7049() -> None:
    keys: dict[int | str, ExtensionValue] = {"z": 0, -1: 0, 1000: 0}
    content = replace(text("", STAMP), extensions=MappingProxyType(keys))

    assert list(decode(encode(content)).extensions) == [1000, -1, "z"]
    assert list(cbor2.loads(cbor2.dumps(keys, canonical=True))) == [-1, "z", 1000]


@pytest.mark.parametrize("name", MESSAGE_IDS)
def test_every_truncation_and_every_byte_more_is_refused(name: str) -> None:
    data = example(name)

    for size in range(len(data)):
        with pytest.raises(ContentError):
            decode(data[:size])
    with pytest.raises(ContentError, match="bytes behind it"):
        decode(data + b"\x00")


# --- Rules and limits -------------------------------------------------------------------------------------------------


def array(*fields: object) -> bytes:
    return cbor2.dumps(list(fields))


SALT, EXTENSIONS, BODY = bytes(16), {1: "a", 2: "b"}, [1, "", 1, "text/plain", b"x"]


@pytest.mark.parametrize(
    "data, where, what",
    [
        (cbor2.dumps({}), "content", "not an array"),
        (array(SALT), "content", "an array of 1, not of 7"),
        (array(b"", None, b"", None, None, {}, BODY), "salt", "0 bytes, not 16"),
        (array("", None, b"", None, None, {}, BODY), "salt", "not bytes"),
        (array(SALT, b"\x01", b"", None, None, {}, BODY), "replaces", "1 bytes, not 32"),
        (array(SALT, None, b"", None, b"\x02" * 32, {}, BODY), "inReplyTo", "unknown hash algorithm 2"),
        (array(SALT, None, bytes(4097), None, None, {}, BODY), "topicId", "more than 4096 bytes"),
        (array(SALT, None, b"", [1, 2], None, {}, BODY), "expires", "not an array of a truth value and a time"),
        (array(SALT, None, b"", [True, True], None, {}, BODY), "expires", "not a number"),
        (array(SALT, None, b"", [True, 1 << 32], None, {}, BODY), "expires", "not a number of 32 bits"),
        (array(SALT, None, b"", None, None, [], BODY), "extensions", "not a map"),
        (array(SALT, None, b"", None, None, {1: 1}, BODY), "extensions[1]", "not text"),
        (array(SALT, None, b"", None, None, {0: 1}, BODY), "extensions[0]", "neither a number other than 0 nor a name"),
        (array(SALT, None, b"", None, None, {b"": 1}, BODY), "extensions", "a key of bytes"),
        (
            array(SALT, None, b"", None, None, {"": 1}, BODY),
            "extensions['']",
            "a name of no bytes, or of more than 255",
        ),
        (array(SALT, None, b"", None, None, {}, 7), "body", "not an array"),
        (array(SALT, None, b"", None, None, {}, [1, ""]), "body", "an array of 2, which is no part"),
        (array(SALT, None, b"", None, None, {}, [256, "", 0]), "body.disposition", "not a number of 8 bits"),
        (array(SALT, None, b"", None, None, {}, [1, b"", 0]), "body.language", "not text"),
        (
            array(SALT, None, b"", None, None, {}, [1, "", 0, 0]),
            "body",
            "cardinality 0 with 1 fields, which is no part",
        ),
        (array(SALT, None, b"", None, None, {}, [1, "", 4]), "body", "cardinality 4 with 0 fields, which is no part"),
        (array(SALT, None, b"", None, None, {}, [1, "", 1, "t", "x"]), "body.content", "not bytes"),
        (array(SALT, None, b"", None, None, {}, [1, "", 3, 3, [BODY, BODY]]), "body.partSemantics", "unknown: 3"),
        (array(SALT, None, b"", None, None, {}, [1, "", 3, 0, [BODY]]), "body", "fewer than 2 parts"),
        (
            array(SALT, None, b"", None, None, {}, [1, "", 3, 0, [BODY, [1, "", True]]]),
            "body.parts[1].cardinality",
            "not a number",
        ),
    ],
)
def test_says_what_is_wrong_and_where(data: bytes, where: str, what: str) -> None:
    with pytest.raises(ContentError) as caught:
        decode(data)

    assert (caught.value.where, caught.value.what) == (where, what)
    assert str(caught.value) == f"{where}: {what}"


def test_four_levels_of_parts_and_no_more() -> None:
    assert decode(encode(body_of(nested(4)))) == body_of(nested(4))
    with pytest.raises(ContentError, match="nested more than 4 deep"):
        encode(body_of(nested(5)))
    with pytest.raises(ContentError, match="nested more than 4 deep"):
        decode(cbor2.dumps([SALT, None, b"", None, None, {}, deep(5)]))


def deep(levels: int) -> list[object]:
    return BODY if levels == 1 else [1, "", 3, 2, [BODY, deep(levels - 1)]]


def test_1024_parts_and_no_more() -> None:
    most = MultiPart(Disposition.RENDER, PartSemantics.PROCESS_ALL, (NullPart(0),) * 1023)

    assert decode(encode(body_of(most))).body == most
    with pytest.raises(ContentError, match="more than 1024 parts"):
        encode(body_of(replace(most, parts=(*most.parts, PLAIN))))


def test_content_is_bounded() -> None:
    room = MAX_SIZE - len(encode(body_of(replace(PLAIN, content=bytes(1 << 16))))) + (1 << 16)

    assert len(encode(body_of(replace(PLAIN, content=bytes(room))))) == MAX_SIZE
    with pytest.raises(ContentError, match="more than"):
        encode(body_of(replace(PLAIN, content=bytes(room + 1))))
    with pytest.raises(ContentError, match="more than"):
        decode(bytes(MAX_SIZE + 1))


@pytest.mark.timeout(10)
@pytest.mark.parametrize("value", ["80", "a0", "c100", "40"])
def test_values_are_counted(value: str) -> None:
    def extension(count: int) -> bytes:
        return with_extension(b"\x9a" + count.to_bytes(4) + bytes.fromhex(value) * count)

    with pytest.raises(ContentError, match="more than 32768 values"):
        decode(extension((MAX_SIZE - 300) // len(bytes.fromhex(value))))


def test_what_cannot_be_written_is_refused() -> None:
    with pytest.raises(ContentError, match="salt: 3 bytes, not 16"):
        encode(replace(text("", STAMP), salt=b"abc"))
    with pytest.raises(ContentError, match="content: cannot be written as CBOR"):
        encode(body_of(replace(PLAIN, language="\ud800")))
    with pytest.raises(ContentError, match="not Unicode text"):
        encode(replace(text("", STAMP), extensions=MappingProxyType({"\ud800": 1})))
    with pytest.raises(ContentError, match="replaces: unknown hash algorithm 0"):
        encode(replace(text("", STAMP), replaces=MessageId(bytes(32))))
    with pytest.raises(ContentError, match="more than 64 bits"):
        encode(replace(text("", STAMP), extensions=MappingProxyType({7: 1 << 64})))
