"""Commits that are good for some members and not for others, by an author that all would take for an honest one."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from mls.group import committing
from mls.tree.treekem import encrypt_path

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from mls.crypto.random import Random
    from mls.tree.treekem import FreshPath
    from mls.wire.commit import UpdatePath

__all__ = ["spoiled", "spoiling"]


def spoiled(path: UpdatePath, positions: Collection[int]) -> UpdatePath:
    """Return a path with garbage for the members below some of its nodes."""
    nodes = list(path.nodes)
    for position in positions:
        sealed = nodes[position].encrypted_path_secret
        garbage = tuple(item.replace(ciphertext=bytes(len(item.ciphertext))) for item in sealed)
        nodes[position] = nodes[position].replace(encrypted_path_secret=garbage)
    return path.replace(nodes=tuple(nodes))


@contextmanager
def spoiling(*positions: int) -> Iterator[None]:
    """Let the Commits that are made now carry garbage for the members below some nodes of the path, 0 the lowest."""

    def spoil(fresh: FreshPath, context: bytes, excluded: Collection[int], random: Random) -> UpdatePath:
        return spoiled(encrypt_path(fresh, context, excluded, random), positions)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(committing, "encrypt_path", spoil)
        yield
