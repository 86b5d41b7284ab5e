"""What the declarations have in common: nesting has an end, and each vector's elements take up room."""

from __future__ import annotations

import pkgutil
from graphlib import TopologicalSorter
from importlib import resources

from mls.codec import Struct
from mls.codec.selects import Conditional, UnionType
from mls.codec.types import Integer, Nested, Vector, WireType
from mls.wire.framing import FramedContent
from mls.wire.message import MLSMessage
from tests.mls.codec.grammar import contained, depth, fewest_bytes, parts, wire_structs
from tests.mls.codec.support import every_struct

DEPTH_OF_A_MESSAGE = 9
"""MLSMessage, PublicMessage, FramedContent, Commit, Add, KeyPackage, LeafNode, X509Credential, Certificate."""


def test_every_struct_is_found() -> None:
    declared = {
        module.name: resources.files("mls.wire").joinpath(f"{module.name}.py").read_text("utf-8").count("\n@struct(")
        for module in pkgutil.iter_modules([str(resources.files("mls.wire"))])
    }
    found = dict.fromkeys(declared, 0)
    for kind in wire_structs():
        package, _, name = kind.__module__.rpartition(".")
        if package == "mls.wire":
            found[name] += 1
    assert sum(declared.values()) > 50
    assert found == declared


def test_no_struct_contains_itself() -> None:
    TopologicalSorter({kind: contained(kind) for kind in wire_structs()}).prepare()


def test_nesting_is_bounded() -> None:
    """The decoder's recursion is the grammar's depth: no input can make it any deeper."""
    assert depth(MLSMessage) == DEPTH_OF_A_MESSAGE
    assert depth(MLSMessage) == 2 + depth(FramedContent)
    assert max(map(depth, wire_structs())) < 20


@every_struct
def test_an_element_takes_up_room(kind: type[Struct]) -> None:
    for part in all_parts(kind):
        if isinstance(part, Vector):
            assert fewest_bytes(part.element) > 0, "a vector of nothing would never end"


@every_struct
def test_a_union_can_be_told_apart(kind: type[Struct]) -> None:
    for part in all_parts(kind):
        if isinstance(part, UnionType):
            tags = [tag for tag, _ in part.cases]
            assert len(set(tags)) == len(tags)
            assert all(0 <= tag < 256**part.size for tag in tags)
            structs = [inner.struct for inner in parts(part) if isinstance(inner, Nested)]
            assert len(set(structs)) == len(structs), "a struct under two tags would not know its own"
            if part.unknown is not None:
                assert part.unknown.wire_fields[0].type == Integer(part.size)


@every_struct
def test_a_condition_looks_back(kind: type[Struct]) -> None:
    earlier: set[str] = set()
    for field in kind.wire_fields:
        if isinstance(field.type, Conditional):
            assert field.type.when.field in earlier
        earlier.add(field.name)


def all_parts(kind: type[Struct]) -> list[WireType]:
    return [part for field in kind.wire_fields for part in parts(field.type)]
