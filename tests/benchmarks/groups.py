"""The groups that are measured, in two conditions.

A *cold* group is one whose creator has added everybody in one Commit. Nobody else has committed, so nearly all
parent nodes are blank, and a path is encrypted to nearly every member by itself. It is made by the engine's own
doors: create, commit, join.

A *warm* group is one in which everybody has committed once: no parent with members on both sides is blank, and a
path takes a ciphertext for each level. Thousands of Commits that thousands of members process would take hours,
so a warm tree is made of what those Commits do to the tree alone: each leaf in turn draws a path, encrypted to
nobody. Two members, with the private keys that the group would have told them, then start an epoch on it. The
tree passes the checks of one who joins, and a Commit goes from one of the two to the other before anything is
measured.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mls.crypto.random import system_random
from mls.crypto.suite import CIPHER_SUITES
from mls.group.authentication import UnsafeTrustEveryone
from mls.group.committing import commit
from mls.group.creation import Client, KeyPackageBundle, create_group, create_key_package, default_capabilities
from mls.group.environment import Environment
from mls.group.epoch import first_state, initial_state
from mls.group.joining import join
from mls.group.processing import process
from mls.group.tree_validation import check_tree
from mls.registry import MLS10
from mls.tree import math
from mls.tree.private_tree import PrivateTree
from mls.tree.ratchet_tree import RatchetTree
from mls.tree.treekem import new_path
from mls.wire.credentials import BasicCredential
from mls.wire.group_context import GroupContext
from mls.wire.key_package import KeyPackage
from mls.wire.leaf_node import Lifetime
from mls.wire.message import MLSMessage
from mls.wire.proposals import Add

if TYPE_CHECKING:
    from collections.abc import Callable

    from mls.crypto.kem import HPKEPrivateKey
    from mls.crypto.suite import CipherSuite
    from mls.group.state import GroupState
    from mls.tree.math import LeafIndex, NodeIndex

__all__ = [
    "ENVIRONMENT",
    "GROUP_ID",
    "LIFETIME",
    "NOW",
    "ColdGroup",
    "Groups",
    "Pair",
    "add_all",
    "new_client",
    "new_creator",
    "new_key_package",
]

GROUP_ID = bytes(32)
NOW = 1_800_000_000
LIFETIME = Lifetime(NOW - 3600, NOW + 90 * 24 * 3600)

ENVIRONMENT = Environment(UnsafeTrustEveryone(), random=system_random)
"""Defaults throughout. The system's randomness, because with any other the engine seals more slowly."""


@dataclass(frozen=True)
class Pair:
    """Two members of one epoch. `reader` is in the other half of the tree, as half of the members are (n > 2)."""

    author: GroupState
    reader: GroupState


@dataclass(frozen=True)
class ColdGroup:
    """How a group came to be, from its creator's first epoch to the members of the second."""

    creator: GroupState
    """Alone, before the Commit that adds the others."""
    key_packages: list[bytes]
    """Of the others, as published."""
    commit: bytes
    welcome: bytes
    joiner: KeyPackageBundle
    """The private half of the last KeyPackage."""
    joined: GroupState
    """The state of whom that KeyPackage is of."""
    pair: Pair
    """The second leaf, who has never committed, and the last one (or the creator, where there are two)."""


class Groups:
    """The groups of one cipher suite, each made when it is first asked for."""

    def __init__(self, suite: int, say: Callable[[str], None]) -> None:
        """`say` is told of what takes long."""
        self.suite = CIPHER_SUITES[suite]
        self._say = say
        self._cold: dict[int, ColdGroup] = {}
        self._warm: dict[int, Pair] = {}

    def cold(self, members: int) -> ColdGroup:
        """Return the cold group of that size, two or more."""
        if members not in self._cold:
            self._say(f"making a cold group of {members:,}")
            self._cold[members] = _cold_group(self.suite, members)
        return self._cold[members]

    def warm(self, members: int) -> Pair:
        """Return two members of the warm group of that size, two or more."""
        if members not in self._warm:
            self._say(f"making a warm group of {members:,}")
            self._warm[members] = _warm_pair(self.suite, members)
        return self._warm[members]


def new_client(suite: CipherSuite, number: int) -> Client:
    """Return a client with a basic credential of some 30 bytes, as an account's address with a device would be."""
    identity = f"member-{number:05}@chat.example/phone".encode()
    key = suite.generate_signature_key(system_random)
    return Client(suite, BasicCredential(identity), key, default_capabilities([suite.number], system_random))


def new_creator(client: Client) -> GroupState:
    """Return a new group with its creator alone."""
    return create_group(client, ENVIRONMENT, group_id=GROUP_ID, lifetime=LIFETIME).state


def new_key_package(client: Client) -> KeyPackageBundle:
    """Return a fresh KeyPackage with its private keys."""
    return create_key_package(client, ENVIRONMENT, lifetime=LIFETIME)


def add_all(creator: GroupState, key_packages: list[bytes]) -> tuple[GroupState, bytes, bytes]:
    """Add whoever the KeyPackages are of: the creator's state with the Commit pending, the Commit, the Welcome."""
    proposals = [Add(_key_package(data)) for data in key_packages]
    made = commit(creator, ENVIRONMENT, now=NOW, proposals=proposals)
    welcome = made.output.pending.welcome
    assert welcome is not None
    return made.state, made.output.message.encode(), welcome.encode()


def _key_package(data: bytes) -> KeyPackage:
    key_package = MLSMessage.decode(data).message
    assert isinstance(key_package, KeyPackage)
    return key_package


def _cold_group(suite: CipherSuite, members: int) -> ColdGroup:
    creator = new_creator(new_client(suite, 0))
    bundles = [new_key_package(new_client(suite, number)) for number in range(1, members)]
    key_packages = [bundle.message.encode() for bundle in bundles]
    committed, message, welcome = add_all(creator, key_packages)
    joined = join(ENVIRONMENT, welcome, [bundles[-1]]).state
    if members == 2:
        pair = Pair(author=joined, reader=process(committed, ENVIRONMENT, message, now=NOW).state)
    else:
        pair = Pair(author=join(ENVIRONMENT, welcome, [bundles[0]]).state, reader=joined)
    return ColdGroup(creator, key_packages, message, welcome, bundles[-1], joined, _proven(pair))


def _warm_pair(suite: CipherSuite, members: int) -> Pair:
    clients = [new_client(suite, number) for number in range(members)]
    author, reader = math.LeafIndex(1), math.LeafIndex(0 if members == 2 else members - 1)
    known: dict[LeafIndex, dict[NodeIndex, HPKEPrivateKey]] = {author: {}, reader: {}}
    tree = _tree_of(suite, clients)
    for index, client in enumerate(clients):
        leaf_index = math.LeafIndex(index)
        leaf = tree.leaf(index)
        assert leaf is not None
        fresh = new_path(
            tree, leaf_index, leaf, group_id=GROUP_ID, signature_key=client.signature_key, random=system_random
        )
        tree = fresh.tree
        tree.tree_hash()  # as each new epoch does, so that the next path finds the hashes of what it leaves alone
        for member, keys in known.items():
            keys |= {node: key for node, key in fresh.private_keys.items() if math.is_ancestor(node, member)}
    context = GroupContext(MLS10, suite.number, GROUP_ID, members, tree.tree_hash(), os.urandom(suite.Nh), ())
    check_tree(tree, context, ENVIRONMENT)
    secret = os.urandom(suite.Nh)
    states = [
        first_state(initial_state(context, tree, secret), PrivateTree(leaf, keys), clients[leaf].signature_key)
        for leaf, keys in known.items()
    ]
    return _proven(Pair(*states))


def _tree_of(suite: CipherSuite, clients: list[Client]) -> RatchetTree:
    """Return a tree of leaves alone."""
    leaves = [client.sign_leaf(suite.generate_hpke_key(system_random), LIFETIME) for client in clients]
    edit = RatchetTree.single(suite, leaves[0]).edit()
    for leaf in leaves[1:]:
        edit.add_leaf(leaf)
    tree = edit.freeze()
    tree.tree_hash()
    return tree


def _proven(pair: Pair) -> Pair:
    """Return the two after a Commit of the author has led both of them to the same epoch."""
    made = commit(pair.author, ENVIRONMENT, now=NOW)
    message = made.output.message.encode()
    author = process(made.state, ENVIRONMENT, message, now=NOW).state
    reader = process(pair.reader, ENVIRONMENT, message, now=NOW).state
    assert author.epoch == reader.epoch == pair.author.epoch + 1
    assert author.epoch_authenticator == reader.epoch_authenticator
    return pair
