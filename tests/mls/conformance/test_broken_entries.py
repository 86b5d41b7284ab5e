"""Entries that are not what they should be fail, and say where and why. Nothing that JSON can say is more than that."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mls.conformance import FORMATS, Failure, Result, run
from mls.crypto.suite import cipher_suite
from mls.tree.math import NodeIndex
from mls.tree.ratchet_tree import RatchetTree
from mls.wire.tree import ParentNode, RatchetTreeExtension
from tests.mls.conformance.changes import replaced
from tests.mls.conformance.examples import example

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.mls.conformance.changes import Path

NOTHING = object()
"""Instead of a value: the field is not there."""


def run_one(name: str, entry: object) -> Result:
    [result] = run(name, [entry], random.Random(1).randbytes)
    return result


def failure_of(name: str, path: Path, wrong: object) -> Failure | None:
    """What running a format's example comes to with something else at one place."""
    entry = replaced(example(name), path, wrong)
    return run_one(name, _without_nothing(entry)).failure


def _without_nothing(value: object) -> object:
    match value:
        case dict():
            return {key: _without_nothing(item) for key, item in value.items() if item is not NOTHING}
        case list():
            return [_without_nothing(item) for item in value]
        case _:
            return value


@pytest.mark.parametrize(
    "name, path, wrong, check, error",
    [
        ("deserialization", ("length",), NOTHING, "length", "is missing"),
        ("deserialization", ("length",), None, "length", "should be an integer, is null"),
        ("deserialization", ("length",), True, "length", "should be an integer, is a boolean"),
        ("deserialization", ("length",), 1.0, "length", "should be an integer, is a number"),
        ("deserialization", ("length",), "1", "length", "should be an integer, is a string"),
        ("deserialization", ("length",), -1, "length", "should be an unsigned integer of 32 bits"),
        ("deserialization", ("length",), 1 << 32, "length", "should be an unsigned integer of 32 bits"),
        ("deserialization", ("vlbytes_header",), 0, "vlbytes_header", "should be a string of hex digits, is a number"),
        ("deserialization", ("vlbytes_header",), "000", "vlbytes_header", "has an odd number of hex digits: 3"),
        ("deserialization", ("vlbytes_header",), "0 00", "vlbytes_header", "has characters that are not hex digits"),
        ("deserialization", ("vlbytes_header",), "\u0660\u0660", "vlbytes_header", "has characters that are not hex"),
        ("deserialization", ("vlbytes_header",), "", "vlbytes_header", "the vector header is truncated"),
        ("deserialization", ("vlbytes_header",), "4001", "vlbytes_header", "a vector's length takes as few bytes"),
        ("psk_secret", ("psks",), {}, "psks", "should be an array, is an object"),
        ("psk_secret", ("psks", 1), [], "psks[1]", "should be an object, is an array"),
        ("psk_secret", ("psks", 1, "psk_nonce"), "0", "psks[1].psk_nonce", "has an odd number"),
        ("psk_secret", ("cipher_suite",), 8, "cipher_suite", "cipher suite 8 is not supported"),
        ("psk_secret", ("cipher_suite",), 1 << 16, "cipher_suite", "should be an unsigned integer of 16 bits"),
        ("psk_secret", ("cipher_suite",), "1", "cipher_suite", "should be an integer, is a string"),
        ("crypto-basics", ("ref_hash", "label"), 1, "ref_hash.label", "should be a string, is a number"),
        ("crypto-basics", ("ref_hash", "label"), "\ud800", "ref_hash.label", "is not valid Unicode"),
        ("crypto-basics", ("ref_hash",), NOTHING, "ref_hash", "is missing"),
        ("crypto-basics", ("sign_with_label", "priv"), "", "sign_with_label.priv", "not a private signature key"),
        ("crypto-basics", ("encrypt_with_label", "pub"), "04", "encrypt_with_label.pub", "not an uncompressed point"),
        ("secret-tree", ("leaves",), [], "leaves", "is empty"),
        ("secret-tree", ("leaves", 0, 0, "generation"), (1 << 32) - 1, "leaves[0][0]", "a message skips no more"),
        ("key-schedule", ("epochs",), [], "epochs", "is empty"),
        ("key-schedule", ("epochs", 1, "exporter", "length"), 1 << 16, "epochs[1].exporter", "cannot derive 65536"),
        ("tree-math", ("n_leaves",), 0, "n_leaves", "is not a power of two"),
        ("tree-math", ("n_leaves",), 7, "n_leaves", "is not a power of two"),
        ("tree-math", ("n_leaves",), 1 << 31, "n_nodes", "the engine has 4294967295, the vector 15"),
        (
            "tree-operations",
            ("tree_before",),
            "00",
            "tree_before",
            "a ratchet_tree's last node is a leaf that is not blank",
        ),
        ("tree-operations", ("tree_before",), "0001", "tree_before", "1 bytes follow"),
        ("tree-operations", ("proposal",), "000300000063", "proposal.removed", "is not a member"),
        ("tree-operations", ("proposal",), "000600", "proposal", "is a ExternalInit, not an Add, Update or Remove"),
        ("treekem", ("update_paths",), [], "update_paths", "is empty"),
        ("treekem", ("update_paths", 0, "sender"), 99, "update_paths[0].sender", "leaf 99 is blank, or outside"),
        ("treekem", ("leaves_private",), [], "leaves_private", "does not have the keys of leaves [0"),
        ("treekem", ("leaves_private", 1, "index"), 0, "leaves_private[1].index", "leaf 0 stands here twice"),
        ("treekem", ("leaves_private", 0, "path_secrets", 0, "node"), 99, "leaves_private[0]", "is not above the leaf"),
        ("messages", ("mls_welcome",), "", "mls_welcome", "a MLSMessage is truncated"),
        ("passive-client", ("ratchet_tree",), "ff", "ratchet_tree", "a vector's length does not start with"),
        ("passive-client", ("epochs", 0, "commit"), "", "epochs[0].commit", "a MLSMessage is truncated"),
        ("passive-client", ("init_priv",), "00" * 32, "init_priv", "the engine has"),
        ("passive-client", ("encryption_priv",), "", "encryption_priv", "not an HPKE private key of cipher suite 1"),
    ],
)
def test_failure_says_where_and_why(name: str, path: Path, wrong: object, check: str, error: str) -> None:
    failure = failure_of(name, path, wrong)

    assert failure is not None
    assert failure.check.startswith(check)
    assert error in failure.error


def test_a_field_that_nothing_would_check_fails() -> None:
    entry = {**example("deserialization"), "value": 1}

    assert run_one("deserialization", entry).failure == Failure("value", "is not a field of this format")


@pytest.mark.parametrize("entry", [None, 1, "x", [], True])
def test_an_entry_that_is_no_object_fails(entry: object) -> None:
    result = run_one("psk_secret", entry)

    assert result.failure is not None
    assert result.failure.check == ""
    assert result.failure.error.startswith("should be an object, is ")
    assert result.suite is None


def test_a_failure_names_the_suite_that_the_entry_names() -> None:
    unsupported = run_one("psk_secret", {**example("psk_secret"), "cipher_suite": 77})

    assert unsupported.suite == 77
    assert unsupported.failure is not None


def test_a_message_in_the_place_of_another_fails() -> None:
    entry = example("messages")
    swapped = {**entry, "public_message_commit": entry["public_message_proposal"]}
    failure = run_one("messages", swapped).failure
    assert failure == Failure("public_message_commit", "its content is of type PROPOSAL, not COMMIT")

    swapped = {**entry, "mls_welcome": entry["mls_group_info"]}
    failure = run_one("messages", swapped).failure
    assert failure == Failure("mls_welcome", "is a GroupInfo, not a Welcome")


def test_a_private_key_of_somebody_else_fails() -> None:
    """Where a format tells a client's private keys, they must be its own, whether they are used or not."""
    ours, other = example("passive-client"), example("key-schedule")["initial_init_secret"]

    for name in ("signature_priv", "encryption_priv", "init_priv"):
        failure = run_one("passive-client", {**ours, name: other}).failure
        assert failure is not None
        assert failure.check == name


def test_a_tree_with_a_leaf_signed_for_another_group_fails() -> None:
    failure = failure_of("tree-validation", ("group_id",), "00")

    assert failure is not None
    assert failure.check == "tree"
    assert "leaf_signature_is_valid" in failure.error


def test_a_tree_with_a_wrong_parent_hash_fails_though_its_hashes_are_right() -> None:
    entry = example("tree-validation")
    nodes = list(RatchetTreeExtension.decode(bytes.fromhex(str(entry["tree"]))).nodes)
    top, above = next((index, node) for index, node in enumerate(nodes) if isinstance(node, ParentNode))
    nodes[top] = above.replace(parent_hash=b"another one")
    extension = RatchetTreeExtension(tuple(nodes))
    tree = RatchetTree.from_extension(cipher_suite(1), extension, max_members=100)
    hashes = [tree.tree_hash(NodeIndex(index)).hex() for index in range(2 * tree.leaf_count - 1)]
    forged = {**entry, "cipher_suite": 1, "tree": extension.encode().hex(), "tree_hashes": hashes}

    failure = run_one("tree-validation", forged).failure

    assert failure is not None
    assert failure.check == "tree"
    assert "tree_is_parent_hash_valid" in failure.error


# Anything at all


def places(value: object, path: Path = ()) -> Iterator[Path]:
    yield path
    match value:
        case dict():
            for key, item in value.items():
                yield from places(item, (*path, key))
        case list():
            for position, item in enumerate(value):
                yield from places(item, (*path, position))
        case _:
            pass


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(0, 1 << 32)
    | st.floats(allow_nan=False)
    | st.text(max_size=8)
    | st.binary(max_size=70).map(bytes.hex)
)
JSON = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner))
WITH_BYTES = sorted(FORMATS.keys() - {"tree-math"})


@settings(max_examples=100)
@given(st.data())
def test_whatever_an_entry_holds_the_answer_is_a_result(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(FORMATS)))
    path = data.draw(st.sampled_from(list(places(example(name)))))
    entry = replaced(example(name), path, data.draw(JSON))

    result = run_one(name, entry)

    assert result.entry == 0
    assert result.failure is None or result.failure.error


@settings(max_examples=200)
@given(st.data())
def test_whatever_the_bytes_of_a_field_are_the_answer_is_a_result(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(WITH_BYTES))
    original = example(name)
    path = data.draw(st.sampled_from([path for path in places(original) if is_hex(value_at(original, path))]))
    digits = bytearray.fromhex(str(value_at(original, path)))
    start = data.draw(st.integers(0, len(digits)))
    digits[start : start + data.draw(st.integers(0, 40))] = data.draw(st.binary(max_size=40))

    result = run_one(name, replaced(original, path, digits.hex()))

    assert result.failure is None or result.failure.error


def is_hex(value: object) -> bool:
    return isinstance(value, str) and set(value) <= set("0123456789abcdef") and len(value) % 2 == 0


def value_at(value: object, path: Path) -> object:
    for step in path:
        match value, step:
            case dict(), str():
                value = value[step]
            case list(), int():
                value = value[step]
            case _:
                raise AssertionError(path)
    return value
