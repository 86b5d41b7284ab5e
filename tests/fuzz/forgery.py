"""What a member can forge, at the choice of a fuzzer's bytes: everything but other members' keys."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, TypeVar

from mls.codec import Struct
from mls.errors import MlsError
from mls.registry import WireFormat
from mls.tree.math import NodeIndex
from mls.wire.commit import Commit, ProposalRef, UpdatePath, UpdatePathNode
from mls.wire.framing import (
    ApplicationData,
    External,
    Member,
    NewMemberCommit,
    NewMemberProposal,
    PublicMessage,
)
from mls.wire.leaf_node import LeafNode
from mls.wire.proposals import Add, Update
from tests.fuzz.scene import FORMATS, scene
from tests.mls.codec.mutations import damaged, varied
from tests.mls.rules import forging

if TYPE_CHECKING:
    from mls.crypto.signature import SignaturePrivateKey
    from mls.group.environment import Environment
    from mls.tree.ratchet_tree import RatchetTree
    from mls.wire.framing import AnyContent, AnySender
    from mls.wire.key_package import KeyPackage
    from mls.wire.message import MLSMessage
    from mls.wire.proposals import AnyProposal
    from mls.wire.tree import AnyNode, RatchetTreeExtension
    from tests.fuzz.choices import Choices
    from tests.mls.rules.forging import Alteration

__all__ = ["forged_group_info", "forged_message", "forged_welcome"]

Value = TypeVar("Value", bound=Struct)
Thing = TypeVar("Thing")


def changed(value: Value, choices: Choices) -> Value:
    """Return `value` changed in one to three places."""
    for _ in range(choices.randint(1, 3)):
        value = varied(value, choices)
    return value


def sometimes(choices: Choices) -> Alteration[Value]:
    """Return, now and then, an alteration: most parts of a forgery must be right."""
    return (lambda value: changed(value, choices)) if choices.random() < 0.3 else forging.unchanged


def rarely(choices: Choices, usual: Thing, *others: Thing) -> Thing:
    """Return what is usual, or now and then, something else."""
    return choices.choice(others) if choices.random() < 0.1 else usual


# Messages


@cache
def contents() -> tuple[AnyContent, ...]:
    """Return what the scene's members say openly, and something that is never said so."""
    openly = [message.message for message in scene().messages]
    found = [message.content.content for message in openly if isinstance(message, PublicMessage)]
    return (ApplicationData(b"hello"), *found)


def forged_message(choices: Choices, environment: Environment) -> MLSMessage:
    """Return a message by the insider, or one that it puts into another's mouth."""
    insider = scene().insider
    content = choices.choice(contents())
    if choices.random() < 0.3:
        content = changed(content, choices)
    if isinstance(content, Commit) and choices.random() < 0.6:
        forged = _commit_in_earnest(choices, environment, content)
        if forged is not None:
            return forged
    if choices.random() < 0.8:
        content = resigned_content(content)
    wire_format = choices.choice(FORMATS)
    sender, key = _author(choices)
    message = forging.signed(
        insider,
        content,
        wire_format=wire_format,
        sender=sender,
        key=key,
        epoch=rarely(choices, insider.epoch, insider.epoch - 1, insider.epoch + 1),
        authenticated_data=choices.choice((b"", b"", b"seen by all")),
    )
    if choices.random() < 0.1:
        message = changed(message, choices)
    if wire_format == WireFormat.PUBLIC_MESSAGE:
        return forging.public(insider, message)
    if choices.random() < 0.5:
        return forging.private(insider, message)
    return forging.private(
        insider,
        message,
        leaf=choices.choice((None, None, None, 0, 2, 3, 7, 8, 2**32 - 1)),
        generation=choices.choice((None, None, None, 0, 1, 3, 1000, 1500, 2**32 - 1)),
        padding=choices.choice((b"", bytes(70), b"\x00\x01")),
        plaintext=_damage(choices),
        sender_data=_damage(choices),
    )


def _damage(choices: Choices) -> Alteration[bytes]:
    return (lambda data: damaged(data, choices)) if choices.random() < 0.3 else forging.unchanged


def _author(choices: Choices) -> tuple[AnySender, SignaturePrivateKey | None]:
    """Return who a message says that it is from, and who signs it: mostly the same."""
    world = scene().world
    watcher, newcomer = (world.client(name).signature_key for name in ("watcher", "newcomer"))
    honest: tuple[AnySender, SignaturePrivateKey | None] = (Member(scene().insider.own_leaf), None)
    others: list[tuple[AnySender, SignaturePrivateKey | None]] = [
        (External(0), watcher),
        (NewMemberProposal(), newcomer),
        (NewMemberCommit(), newcomer),
        (Member(0), None),
        (Member(99), None),
        (External(7), watcher),
        (External(0), None),
        (honest[0], newcomer),
    ]
    return choices.choice(others) if choices.random() < 0.4 else honest


def _commit_in_earnest(choices: Choices, environment: Environment, content: Commit) -> MLSMessage | None:
    """Return a Commit whose keys and confirmation tag follow from what is altered, `None` if nothing can follow."""
    insider = scene().insider
    proposals = [resigned_proposal(item) for item in content.proposals if not isinstance(item, ProposalRef)]
    nodes = _changed_nodes(choices) if choices.random() < 0.3 else forging.unchanged
    keys = _other_keys(choices, environment) if choices.random() < 0.2 else forging.unchanged
    altered = forging.Path(
        first_secret=rarely(choices, None, b"", bytes(32)),
        public_keys=keys,
        leaf=sometimes(choices),
        key=rarely(choices, None, scene().world.client("erin").signature_key),
        signed_leaf=sometimes(choices),
        nodes=nodes,
    )
    try:
        forged = forging.forged_commit(
            insider,
            environment,
            *proposals,
            path=rarely(choices, altered, forging.Path(), None),
            wire_format=choices.choice(FORMATS),
        )
    except MlsError:
        return None
    return forged.sent_by(insider)


def _changed_nodes(choices: Choices) -> Alteration[tuple[UpdatePathNode, ...]]:
    leaf = scene().insider.public.tree.leaf(scene().insider.own_leaf)
    assert leaf is not None
    return lambda nodes: changed(UpdatePath(leaf, nodes), choices).nodes


def _other_keys(choices: Choices, environment: Environment) -> Alteration[list[bytes]]:
    """Return an alteration of a path's public keys: one has nothing to do with the secrets, or is no key at all."""
    suite = scene().insider.suite

    def alter(keys: list[bytes]) -> list[bytes]:
        position = choices.randrange(len(keys))
        fresh = suite.generate_hpke_key(environment.random).public_key
        other = choices.choice((fresh, bytes(len(fresh)), damaged(fresh, choices)))
        return [other if index == position else key for index, key in enumerate(keys)]

    return alter


# Signatures inside


@cache
def _keys() -> dict[bytes, SignaturePrivateKey]:
    """Return the signature keys that a forger may have, by public key: all, so that more gets past the signatures."""
    return {client.signature_key.public_key: client.signature_key for client in scene().world.clients.values()}


def resigned_content(content: AnyContent) -> AnyContent:
    """Return the content with all signatures inside of it made anew."""
    match content:
        case ApplicationData():
            return content
        case Commit(proposals=proposals, path=path):
            made = tuple(item if isinstance(item, ProposalRef) else resigned_proposal(item) for item in proposals)
            return Commit(made, None if path is None else path.replace(leaf_node=resigned_leaf(path.leaf_node)))
        case proposal:
            return resigned_proposal(proposal)


def resigned_proposal(proposal: AnyProposal) -> AnyProposal:
    """Return the proposal with all signatures inside of it made anew."""
    match proposal:
        case Add(key_package=key_package):
            return Add(resigned_key_package(key_package))
        case Update(leaf_node=leaf):
            return Update(resigned_leaf(leaf))
        case other:
            return other


def resigned_leaf(leaf: LeafNode, index: int | None = None) -> LeafNode:
    """Return a leaf with a true signature, if anybody's key is in it; its place is the insider's, or as told."""
    key = _keys().get(leaf.signature_key)
    if key is None:
        return leaf
    insider = scene().insider
    place = insider.own_leaf if index is None else index
    return forging.resigned(insider.suite, leaf, key, group_id=insider.group_id, index=place)


def resigned_key_package(key_package: KeyPackage) -> KeyPackage:
    """Return a KeyPackage with true signatures, if anybody's key is in it."""
    leaf = resigned_leaf(key_package.leaf_node)
    key = _keys().get(leaf.signature_key)
    if key is None:
        return key_package
    unsigned = key_package.replace(leaf_node=leaf, signature=b"")
    signature = scene().insider.suite.sign_with_label(key, "KeyPackageTBS", unsigned.to_be_signed())
    return unsigned.replace(signature=signature)


# Ways in


def forged_welcome(choices: Choices, environment: Environment) -> MLSMessage:
    """Return a Welcome by the insider, into a group that may be anything. Raises `MlsError` where it cannot be made."""
    insider, bundle = scene().insider, scene().bundles[0]
    tree = _changed_tree(choices, forging.with_leaf(insider.public.tree, bundle))
    return forging.forged_welcome(
        insider,
        bundle,
        environment,
        tree=tree,
        ratchet_tree=_other_extension(choices, tree),
        context=sometimes(choices),
        secrets=sometimes(choices),
        info=sometimes(choices),
        signed_info=sometimes(choices),
        welcome=sometimes(choices),
        key=rarely(choices, None, *_keys().values()),
    )


def forged_group_info(choices: Choices, environment: Environment) -> MLSMessage:
    """Return a GroupInfo by the insider, of a group that may be anything. Raises `MlsError` where it cannot be made."""
    del environment  # nothing random is in it
    insider = scene().insider
    tree = _changed_tree(choices, insider.public.tree)
    return forging.forged_group_info(
        insider,
        tree=tree,
        ratchet_tree=_other_extension(choices, tree),
        context=sometimes(choices),
        info=sometimes(choices),
        signed_info=sometimes(choices),
        key=rarely(choices, None, *_keys().values()),
    )


def _changed_tree(choices: Choices, tree: RatchetTree) -> RatchetTree:
    """Return the tree with, now and then, some nodes blanked or altered, leaves signed anew."""
    nodes: dict[int, AnyNode | None] = {}
    for _ in range(choices.choice((0, 0, 0, 1, 1, 2))):
        index = choices.randrange(2 * tree.leaf_count - 1)
        node = tree.node(NodeIndex(index))
        if node is None or choices.random() < 0.2:
            nodes[index] = None
        else:
            other = changed(node, choices)
            nodes[index] = resigned_leaf(other, index // 2) if isinstance(other, LeafNode) else other
    return forging.changed_tree(tree, nodes)


def _other_extension(choices: Choices, tree: RatchetTree) -> RatchetTreeExtension | None:
    """Return, now and then, an extension that is not the tree's."""
    return changed(tree.to_extension(), choices) if choices.random() < 0.1 else None
