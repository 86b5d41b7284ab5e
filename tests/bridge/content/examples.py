"""The example messages of the draft, and strategies for messages of one's own."""

from __future__ import annotations

import json
from pathlib import Path
from types import MappingProxyType
from typing import Final

from cbor2 import CBORSimpleValue, CBORTag
from hypothesis import strategies as st

from bridge.content import (
    Expiration,
    ExternalPart,
    MessageId,
    MimiContent,
    MultiPart,
    NestedPart,
    NullPart,
    PartSemantics,
    SinglePart,
    Stamp,
)

__all__ = ["DIRECTORY", "MESSAGE_IDS", "STAMP", "contents", "example"]

DIRECTORY: Final = Path(__file__).parents[2] / "vectors" / "mimi_content"
MESSAGE_IDS: Final[dict[str, str]] = json.loads((DIRECTORY / "message_ids.json").read_text(encoding="ascii"))

STAMP: Final = Stamp(bytes(range(16)), "mimi://example.com/u/alice-smith", "mimi://example.com/r/engineering_team")


def example(name: str) -> bytes:
    return (DIRECTORY / f"{name}.cbor").read_bytes()


texts = st.text(st.characters(codec="utf-8"), max_size=20)
dispositions = st.integers(0, 255)
message_ids = st.binary(min_size=31, max_size=31).map(lambda rest: MessageId(b"\x01" + rest))

singles = st.builds(SinglePart, dispositions, texts, st.binary(max_size=20), texts)
externals = st.builds(
    ExternalPart,
    disposition=dispositions,
    content_type=texts,
    url=texts,
    expires=st.integers(0, 2**32 - 1),
    size=st.integers(0, 2**64 - 1),
    enc_alg=st.integers(0, 2**16 - 1),
    key=st.binary(max_size=16),
    nonce=st.binary(max_size=12),
    aad=st.binary(max_size=4),
    hash_alg=st.integers(0, 255),
    content_hash=st.binary(max_size=32),
    description=texts,
    filename=texts,
    language=texts,
)
leaves: st.SearchStrategy[NestedPart] = st.one_of(st.builds(NullPart, dispositions, texts), singles, externals)


def _around(parts: st.SearchStrategy[NestedPart]) -> st.SearchStrategy[NestedPart]:
    lists = st.lists(parts, min_size=2, max_size=3).map(tuple)
    return leaves | st.builds(MultiPart, dispositions, st.sampled_from(PartSemantics), lists, texts)


simple = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**64), 2**64 - 1),
    st.floats(),
    texts,
    st.binary(max_size=10),
    st.just(CBORSimpleValue(23)),
    st.builds(CBORTag, st.integers(0, 2**64 - 1).filter(lambda tag: tag not in {2, 3}), st.integers(0, 9)),
)
keys = st.integers(-(2**53) + 1, 2**53 - 1) | texts | st.binary(max_size=5)
values = (
    simple | st.lists(simple, max_size=3).map(tuple) | st.dictionaries(keys, simple, max_size=3).map(MappingProxyType)
)
names = st.integers(-(2**53) + 1, 2**53 - 1).filter(lambda key: key not in {0, 1, 2}) | texts.filter(bool)
extensions = st.builds(
    lambda known, others: MappingProxyType({**known, **others}),
    st.dictionaries(st.sampled_from([1, 2]), texts),
    st.dictionaries(names, values, max_size=3),
)

contents = st.builds(
    MimiContent,
    salt=st.binary(min_size=16, max_size=16),
    extensions=extensions,
    body=_around(_around(leaves)),
    replaces=st.none() | message_ids,
    topic_id=st.binary(max_size=20),
    expires=st.none() | st.builds(Expiration, st.booleans(), st.integers(0, 2**32 - 1)),
    in_reply_to=st.none() | message_ids,
)
