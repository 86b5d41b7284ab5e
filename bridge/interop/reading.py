"""Reading what a request carries: MLSMessages, trees, extensions, and members by their identity."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, TypeVar

from bridge.interop import mls_client_pb2 as pb
from bridge.interop.errors import CallError, Code, explain, invalid
from mls import MlsError, MLSMessage
from mls.group.group_info import ratchet_tree_of
from mls.wire.credentials import BasicCredential
from mls.wire.extensions import Extension
from mls.wire.key_package import KeyPackage
from mls.wire.leaf_node import LeafNode
from mls.wire.tree import RatchetTreeExtension
from mls.wire.welcome import GroupInfo

__all__ = ["read_extensions", "read_leaf", "read_message", "read_tree", "read_tree_leaf"]

MAX_SHOWN: Final = 64
"""How many bytes of an identity an error quotes."""

Body = TypeVar("Body", GroupInfo, KeyPackage)


def read_message(data: bytes, kind: type[Body], field: str) -> Body:
    """Return the body of an MLSMessage of that kind. Raises `CallError` for anything else; `field` says where."""
    try:
        body = MLSMessage.decode(data).message
    except MlsError as error:
        raise explain(error, where=f"{field}: ") from error
    if not isinstance(body, kind):
        raise invalid(f"{field}: a {type(body).__name__} is not a {kind.__name__}")
    return body


def read_tree(data: bytes) -> RatchetTreeExtension | None:
    """Return the tree that comes beside a message, `None` if there is none. Raises `CallError`."""
    if not data:
        return None
    try:
        return RatchetTreeExtension.decode(data)
    except MlsError as error:
        raise explain(error, where="ratchet_tree: ") from error


def read_extensions(extensions: Iterable[pb.Extension]) -> tuple[Extension, ...]:
    """Return extensions as the engine has them. Raises `CallError` for a type that is none."""
    read = []
    for extension in extensions:
        if extension.extension_type > 0xFFFF:
            raise invalid(f"{extension.extension_type} is not the number of an extension type: it has 16 bits")
        read.append(Extension(extension.extension_type, extension.extension_data))
    return tuple(read)


def read_leaf(identity: bytes, members: Iterable[tuple[int, LeafNode]]) -> int:
    """Return the leaf of the member with that identity. Raises `CallError` if there is none, or more than one."""
    credential = BasicCredential(identity)
    leaves = [index for index, leaf in members if leaf.credential == credential]
    if len(leaves) != 1:
        shown = f"{identity[:MAX_SHOWN]!r}{'...' if len(identity) > MAX_SHOWN else ''}"
        seen = f"leaves {leaves} have" if leaves else "no member has"
        raise CallError(Code.INVALID_ARGUMENT, f"{seen} the identity {shown}")
    return leaves[0]


def read_tree_leaf(identity: bytes, info: GroupInfo, given: RatchetTreeExtension | None) -> int:
    """Return the leaf of the member with that identity, in the tree of a GroupInfo or beside it.

    The tree is not checked here: whoever acts on the answer does. Raises `CallError`, and `RuleError` without a tree.
    """
    nodes = ratchet_tree_of(info, given).nodes
    return read_leaf(identity, ((index, node) for index, node in enumerate(nodes[::2]) if isinstance(node, LeafNode)))
