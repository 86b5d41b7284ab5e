"""Trees, drawn."""

from __future__ import annotations

from textwrap import dedent

import pytest

import mls
from bridge.inspecting import Kind, NotUnderstoodError
from bridge.inspecting.drawing import draw
from bridge.inspecting.explanation import Drawing
from mls.registry import ExtensionType
from mls.tree.math import LeafIndex, NodeIndex
from mls.wire.extensions import Extension
from mls.wire.tree import ParentNode, RatchetTreeExtension
from tests.bridge.inspecting.samples import found, group_of, json_of, people, samples, text_of


def tree_of(state: mls.GroupState) -> bytes:
    return state.public.tree.to_extension().encode()


def drawing(tree: bytes) -> str:
    value = next(field.value for field in found(tree, Kind.TREE).explanation.fields if field.name == "nodes")
    assert isinstance(value, Drawing)
    return "\n".join(value.lines)


def golden(text: str) -> str:
    return dedent(text).strip("\n").rstrip()


def test_a_member_alone() -> None:
    assert drawing(tree_of(group_of(people(1)))) == "[0] leaf 0: xmpp:user0@example.net (phone)"


def test_blank_nodes_and_empty_branches() -> None:
    assert drawing(tree_of(group_of(people(6), removed=(2, 3)))) == golden("""
        [7] parent, key 76e4fbd7
        |-- [3] blank, resolution 1
        |   |-- [1] parent, key 5c144660
        |   |   |-- [0] leaf 0: xmpp:user0@example.net (phone)
        |   |   `-- [2] leaf 1: matrix:u/user1:example.org (phone)
        |   `-- [5] blank, and nobody below: leaves 2 to 3
        `-- [11] blank, resolution 2
            |-- [9] blank, resolution 2
            |   |-- [8] leaf 4: xmpp:user4@example.net (phone)
            |   `-- [10] leaf 5: matrix:u/user5:example.org (phone)
            `-- [13] blank, and nobody below: leaves 6 to 7
    """)


def test_unmerged_leaves() -> None:
    edit = group_of(people(4)).public.tree.edit()
    edit.set_parent(NodeIndex(5), ParentNode(b"\xab" * 32, b"", (3,)))
    edit.set_parent(NodeIndex(3), ParentNode(b"\xcd" * 32, b"", (1, 3)))
    edit.remove_leaf(LeafIndex(0))
    edit.set_parent(NodeIndex(3), ParentNode(b"\xcd" * 32, b"", (1, 3)))
    tree = edit.freeze().to_extension().encode()
    assert drawing(tree) == golden("""
        [3] parent, key cdcdcdcd, unmerged: leaves 1, 3
        |-- [1] blank, resolution 1
        |   |-- [0] leaf 0: blank
        |   `-- [2] leaf 1: matrix:u/user1:example.org (phone)
        `-- [5] parent, key abababab, unmerged: leaf 3
            |-- [4] leaf 2: xmpp:user2@example.net (phone)
            `-- [6] leaf 3: matrix:u/user3:example.org (phone)
    """)
    assert json_of(tree)["root_resolution"] == 3


@pytest.mark.parametrize("count, removed", [(1, ()), (3, ()), (9, (1, 4, 5)), (33, (32,))])
def test_resolutions_are_the_engines(count: int, removed: tuple[int, ...]) -> None:
    tree = group_of(people(count), removed=removed).public.tree
    nodes = json_of(tree.to_extension().encode())["nodes"]
    assert isinstance(nodes, dict)
    items = nodes["items"]
    assert isinstance(items, list)
    assert len(items) == 2 * tree.leaf_count - 1
    for index, node in enumerate(items):
        assert isinstance(node, dict)
        assert (node["node"], node["resolution"]) == (index, len(tree.resolution(NodeIndex(index))))


def test_a_large_tree_is_summarised() -> None:
    told = json_of(tree_of(group_of(people(70), removed=(2, 3))))
    assert (told["leaves"], told["members"], "nodes" in told) == (128, 68, False)
    levels, members = told["levels"], told["first_members"]
    assert isinstance(levels, dict)
    assert isinstance(members, dict)
    assert levels["total"] == 8
    assert members["total"] == 68
    text = text_of(found(tree_of(group_of(people(70), removed=(2, 3)))))
    assert "level 0: 128 nodes, 60 blank, 0 unmerged leaves, resolutions 0 to 1" in text
    assert "and 4 more" in text


def test_a_tree_is_found_bare_in_its_extension_and_in_a_group_info() -> None:
    info = samples().group_info
    bare = json_of(samples().tree)
    assert json_of(info.encode(), Kind.TREE) == bare
    assert json_of(info.message.encode(), Kind.TREE) == bare
    assert json_of(Extension(ExtensionType.RATCHET_TREE, samples().tree).encode()) == bare


@pytest.mark.parametrize(
    "nodes, rule",
    [
        ((), "tree_last_node_is_not_blank"),
        ((0, None), "tree_last_node_is_not_blank"),
        ((0, 0, 0), "tree_nodes_alternate"),
        ((1, 1, 0), "tree_nodes_alternate"),
    ],
)
def test_what_is_no_tree_is_refused(nodes: tuple[int | None, ...], rule: str) -> None:
    given = RatchetTreeExtension.decode(samples().tree).nodes
    tree = RatchetTreeExtension(tuple(None if index is None else given[index] for index in nodes))
    with pytest.raises(NotUnderstoodError, match=rule):
        found(tree.encode(), Kind.TREE)


def test_a_tree_that_breaks_a_rule_is_drawn_all_the_same() -> None:
    given = RatchetTreeExtension.decode(samples().tree).nodes
    finding = found(RatchetTreeExtension((given[0], given[1], given[0])).encode())
    assert "encryption_key_is_unique" in finding.problems[0]
    assert "`-- [2] leaf 1: matrix:u/alice:example.org (laptop)" in text_of(finding)


def test_a_long_list_of_unmerged_leaves_is_cut() -> None:
    node = ParentNode(bytes(32), b"", tuple(range(40)))
    assert draw([None, node, None], [0, 41, 0])[0].endswith("14, 15 and 24 more")
