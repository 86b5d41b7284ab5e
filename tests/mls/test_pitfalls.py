"""What other implementations got wrong, from their advisories, changelogs and logs: messages and keys.

`tests/mls/test_pitfalls_of_groups.py` and `tests/mls/test_pitfalls_of_trees.py` have the rest.
"""

from __future__ import annotations

import hmac
from unittest import mock

import pytest

from mls import rules
from mls.codec import encode_opaque
from mls.crypto.secret import Secret
from mls.errors import DecodeError, UsageError
from mls.group.committing import CommitOptions, commit
from mls.group.external import join_externally
from mls.group.group_info import group_info
from mls.group.joining import join
from mls.group.leaf_changes import LeafChanges
from mls.group.messaging import external_proposal, propose, protect
from mls.group.processing import process
from mls.group.received import ApplicationMessage, ProposalReceived
from mls.registry import MLS10, ExtensionType, WireFormat
from mls.wire.commit import Commit
from mls.wire.credentials import BasicCredential
from mls.wire.extensions import (
    Extension,
    ExternalSender,
    ExternalSenders,
    RequiredCapabilities,
    pack_extension,
)
from mls.wire.framing import Member
from mls.wire.proposals import Add, GroupContextExtensions, ReInit, Remove
from mls.wire.welcome import GroupInfo, GroupSecrets, PathSecret
from tests.mls.rules.doors import assert_goes_on, refused_by
from tests.mls.rules.forging import (
    Alteration,
    forged_commit,
    forged_group_info,
    forged_key_package,
    forged_welcome,
    private,
    public,
    signed,
)
from tests.mls.rules.forging_groups import (
    outsider_refuses,
    proposals_are_refused,
    update_to_all,
)
from tests.mls.rules.support import refused
from tests.mls.stored import MemoryStore, reload
from tests.mls.world import World, fingerprint

# Tags


CLIPPED: list[Alteration[bytes]] = [lambda _: b"", lambda tag: tag[:1], lambda tag: tag[:-1], lambda tag: tag + b"\0"]
"""Each takes a tag for one that a comparison up to the shorter of the two lengths would take for it, or too long."""


def test_tag_compare_without_length_check() -> None:
    """OpenMLS, GHSA-8x3w-qj7j-gqhf."""
    world = World.of("a", "b")
    for clip in CLIPPED:
        state = world.states["a"]
        forged = forged_commit(state, world.environment, wire_format=WireFormat.PUBLIC_MESSAGE).message
        refused_by(world, "b", rules.MEMBERSHIP_TAG_IS_VALID, public(state, forged, membership_tag=clip))
    for clip in CLIPPED:
        state = world.states["a"]
        forged = forged_commit(state, world.environment).message
        clipped = forged.replace(confirmation_tag=clip(forged.confirmation_tag or b""))
        refused_by(world, "b", rules.CONFIRMATION_TAG_IS_VALID, private(state, clipped))


def test_tag_compare_without_length_check__in_a_group_info() -> None:
    """The same, for whoever joins."""
    world = World.of("a", "b")
    bundle = world.key_package("c")
    for clip in CLIPPED:

        def with_clipped_tag(info: GroupInfo, clip: Alteration[bytes] = clip) -> GroupInfo:
            return info.replace(confirmation_tag=clip(info.confirmation_tag))

        welcome = forged_welcome(world.states["a"], bundle, world.environment, info=with_clipped_tag)
        with refused(rules.CONFIRMATION_TAG_IS_VALID):
            join(world.environment, welcome, [bundle])


def test_constant_time_tags() -> None:
    """mls-rs, #320: as far as it can be tested, that each tag goes through the one comparison that takes its time."""
    world = World.of("a", "b")
    options = CommitOptions(wire_format=WireFormat.PUBLIC_MESSAGE)
    made = commit(world.states["a"], world.environment, now=world.now, options=options)
    with mock.patch.object(hmac, "compare_digest", wraps=hmac.compare_digest) as compare:
        process(world.states["b"], world.environment, made.output.message, now=world.now)
    sent = made.output.message.message
    compared = {bytes(value) for call in compare.call_args_list for value in call.args}
    assert {sent.membership_tag, sent.confirmation_tag} <= compared  # type: ignore[union-attr]  # a PublicMessage


# Keys


def test_secret_tree_not_persisted_after_decrypt() -> None:
    """OpenMLS, GHSA-qr9h-x63w-vqfm: what was read once cannot be read again, whatever kind of message it was."""
    world = World.of("a", "b", "c")
    store = MemoryStore()
    store.save(None, world.states["b"])
    said = world.adopt("a", protect(world.states["a"], world.environment, b"once"))
    proposed = world.adopt("c", propose(world.states["c"], world.environment, Remove(0)))
    for message in (said, proposed):
        before = world.states["b"]
        made = process(before, world.environment, message, now=world.now)
        store.save(before, made.state)
        world.adopt("b", made)
        world.states["b"] = store.load()
        with refused(rules.MESSAGE_KEY_IS_UNUSED):
            process(world.states["b"], world.environment, message, now=world.now)


def test_secret_tree_not_persisted_after_decrypt__of_a_past_epoch() -> None:
    """The same, for a message that is late."""
    world = World.of("a", "b")
    late = world.adopt("a", protect(world.states["a"], world.environment, b"once"))
    world.commit("b")
    assert isinstance(world.process("b", late), ApplicationMessage)
    for state in (world.states["b"], reload(world.states["b"])):
        with refused(rules.MESSAGE_KEY_IS_UNUSED):
            process(state, world.environment, late, now=world.now)


def test_own_commit_applied_twice_after_restart() -> None:
    """A Commit that was made before a restart takes effect after it, and once."""
    world = World.of("a", "b")
    message = world.adopt("a", commit(world.states["a"], world.environment, now=world.now)).message
    world.states["a"] = reload(world.states["a"])
    world.deliver(message)
    world.states["a"] = reload(world.states["a"])
    refused_by(world, "a", rules.COMMIT_EPOCH_IS_CURRENT, message)


def secrets_of(world: World, name: str) -> set[bytes]:
    state = world.states[name]
    keys = [state.signature_key.secret, *(update.signature_key.secret for update in state.own_updates)]
    return {bytes(secret.value) for secret in (*state.secrets(), *keys)}


def shows(thing: object, secret: bytes) -> bool:
    text = f"{thing!r} {thing}"
    return secret.hex() in text or repr(secret)[2:-1] in text


def test_secrets_in_debug_output() -> None:
    """OpenMLS: nothing that a caller holds shows a secret when it is printed."""
    world = World.of("a", "b", "c")
    psk = Secret(b"a very secret key that is shared")
    world.set(psks={b"psk": psk})
    bundle = world.key_package("d")
    update_to_all(world, "a")
    made = commit(world.states["b"], world.environment, now=world.now, proposals=[Add(bundle.key_package)])
    world.adopt("b", made)
    secrets = secrets_of(world, "a") | secrets_of(world, "b") | {bytes(psk.value)}
    secrets |= {bytes(key.secret.value) for key in (bundle.init_key, bundle.encryption_key)}
    joiner = GroupSecrets(b"a joiner's secret, thirty-two by", PathSecret(b"a path secret of thirty-two byte"), ())
    secrets |= {joiner.joiner_secret, b"a path secret of thirty-two byte"}
    shown: list[object] = [world.environment, world.client("a"), bundle, made, joiner]
    for state in (world.states["a"], world.states["b"]):
        shown += [state, state.epoch_secrets, state.messages, state.private_tree, state.signature_key]
        shown += [state.own_updates, state.pending, state.past, state.resumption_keys, *state.secrets()]
    assert all(shows([secret], secret) and shows(secret.hex(), secret) for secret in secrets)
    assert not [type(thing) for thing in shown for secret in secrets if shows(thing, secret)]


# Bytes


def test_off_by_one_prefix_at_0x3fff() -> None:
    """OpenMLS: the longest vector with a two-byte header, and the shortest with four."""
    world = World.of("a", "b")
    for size, header in ((0x3FFF, b"\x7f\xff"), (0x4000, b"\x80\x00\x40\x00")):
        data = bytes(size - 1) + b"!"
        made = protect(world.states["a"], world.environment, b"", authenticated_data=data)
        message = world.adopt("a", made).encode()
        assert header + data in message
        received = world.process("b", message)
        assert isinstance(received, ApplicationMessage)
        assert received.authenticated_data == data
    data = bytes(0x3FFE) + b"!"
    message = protect(world.states["a"], world.environment, b"", authenticated_data=data).output.encode()
    refused_by(
        world, "b", rules.VECTOR_LENGTH_IS_MINIMAL, message.replace(b"\x7f\xff" + data, b"\x80\0\x3f\xff" + data)
    )


def followed(extension: Extension) -> Extension:
    """Return the extension with one byte more in its data."""
    return extension.replace(extension_data=extension.extension_data + b"\x00")


def test_trailing_bytes_ignored_in_extensions() -> None:
    """OpenMLS: an extension's data is one struct and nothing else."""
    world = World.of("a", "b")
    author, before = world.states["a"], fingerprint(world.states["b"])
    for extension in (pack_extension(RequiredCapabilities((), (), ())), pack_extension(ExternalSenders(()))):
        body = Commit((GroupContextExtensions((followed(extension),)),), None)
        message = private(author, signed(author, body, wire_format=WireFormat.PRIVATE_MESSAGE))
        with pytest.raises(DecodeError):
            process(world.states["b"], world.environment, message, now=world.now)
        assert fingerprint(world.states["b"]) == before
    for position in range(2):  # the tree, the external key

        def with_more(info: GroupInfo, position: int = position) -> GroupInfo:
            changed = list(info.extensions)
            changed[position] = followed(changed[position])
            return info.replace(extensions=tuple(changed))

        with pytest.raises(DecodeError):
            join_externally(world.client("c"), world.environment, forged_group_info(author, info=with_more))
    assert_goes_on(world, "b")


def test_nested_external_pub_length() -> None:
    """ts-mls, #449: the key is a vector within the extension's data."""
    world = World.of("a", "b")
    info = group_info(world.states["a"]).message
    assert isinstance(info, GroupInfo)
    data = next(item.extension_data for item in info.extensions if item.extension_type == ExtensionType.EXTERNAL_PUB)
    assert (len(data), data[0]) == (33, 32)

    def with_bare_key(info: GroupInfo) -> GroupInfo:
        return info.replace(extensions=(info.extensions[0], Extension(ExtensionType.EXTERNAL_PUB, data[1:])))

    with pytest.raises(DecodeError):
        join_externally(world.client("c"), world.environment, forged_group_info(world.states["a"], info=with_bare_key))


def test_external_senders() -> None:
    """ts-mls, #476: the extension is a vector of senders, not one of them."""
    suite = World().suite
    keys = [suite.load_signature_key(bytes([number]) * 32) for number in (1, 2)]
    senders = [ExternalSender(key.public_key, BasicCredential(b"server")) for key in keys]
    data = encode_opaque(b"".join(sender.encode() for sender in senders))
    world = World.of("a", "b", extensions=(Extension(ExtensionType.EXTERNAL_SENDERS, data),))
    context = world.states["a"].public.context
    taken = process(
        world.states["b"], world.environment, external_proposal(context, 1, keys[1], Remove(0)), now=world.now
    )
    assert isinstance(taken.output, ProposalReceived)
    beyond = external_proposal(context, 2, keys[1], Remove(0))
    refused_by(world, "b", rules.EXTERNAL_SENDER_IS_LISTED, beyond)
    bare = Extension(ExtensionType.EXTERNAL_SENDERS, senders[0].encode())
    with pytest.raises(DecodeError):
        commit(world.states["a"], world.environment, now=world.now, proposals=[GroupContextExtensions((bare,))])


def test_version_check() -> None:
    """mls-rs, #323: a version stands in four places, and another one is refused in each."""
    world = World.of("a", "b")
    said = protect(world.states["a"], world.environment, b"").output.encode()
    assert said[:2] == b"\x00\x01"
    with pytest.raises(DecodeError):
        process(world.states["b"], world.environment, b"\x00\x02" + said[2:], now=world.now)
    info = group_info(world.states["a"]).encode()
    assert info[4:6] == b"\x00\x01"  # behind the MLSMessage's own version and wire format
    with pytest.raises(DecodeError):
        join_externally(world.client("c"), world.environment, info[:4] + b"\x00\x02" + info[6:])
    for version in (0, MLS10 + 1):
        forged = forged_key_package(world.key_package("c"), version=version)
        proposals_are_refused(world, rules.KEY_PACKAGE_VERSION_MATCHES, Add(forged.key_package))
    proposals_are_refused(world, rules.REINIT_VERSION_IS_NOT_LOWER, ReInit(b"next", 0, 1, ()))


# Signers


def test_group_info_signed_by_old_signer_after_key_rotation() -> None:
    """OpenMLS: the GroupInfo is of the new epoch, where its signer has the new key."""
    world = World.of("a", "b")
    bundle, old_key = world.key_package("c"), world.states["a"].signature_key
    new_key = world.suite.generate_signature_key(world.environment.random)
    options = CommitOptions(leaf_changes=LeafChanges(signature_key=new_key))
    world.commit("a", Add(bundle.key_package), joiners=[("c", bundle)], options=options)
    assert world.states["a"].signature_key is new_key
    stale = forged_group_info(world.states["a"], key=old_key)
    outsider_refuses(world, "d", rules.GROUP_INFO_SIGNATURE_IS_VALID, stale)
    join_externally(world.client("d"), world.environment, group_info(world.states["a"]))


def test_pathless_commit_dropping_a_new_signer() -> None:
    """OpenMLS: without a path there is no leaf to bring a new key, so the caller must hear of it."""
    world = World.of("a", "b")
    new_key = world.suite.generate_signature_key(world.environment.random)
    options = CommitOptions(with_path=False, leaf_changes=LeafChanges(signature_key=new_key))
    add = Add(world.key_package("c").key_package)
    with pytest.raises(UsageError):
        commit(world.states["a"], world.environment, now=world.now, proposals=[add], options=options)


def test_update_with_a_new_signer() -> None:
    """The key of an Update counts from the Commit on that takes it up, and not before."""
    world = World.of("a", "b")
    old_key = world.states["a"].signature_key
    new_key = world.suite.generate_signature_key(world.environment.random)
    update_to_all(world, "a", LeafChanges(signature_key=new_key))
    assert world.states["a"].signature_key is old_key
    world.commit("b")
    assert world.states["a"].signature_key is new_key
    assert_goes_on(world, "a")


def test_wrong_credential_for_past_epoch_sender() -> None:
    """OpenMLS (0.7.2), mls-rs (#361): whoever has the sender's leaf now, the message is by who had it then."""
    world = World.of("a", "b", "c")
    late = world.adopt("b", protect(world.states["b"], world.environment, b"goodbye"))
    bundle = world.key_package("d")
    world.commit("a", Remove(1), Add(bundle.key_package), joiners=[("d", bundle)])
    assert world.leaf("d") == 1
    for name in ("a", "c"):
        received = world.process(name, late)
        assert isinstance(received, ApplicationMessage)
        assert (received.sender, received.sender_leaf.credential) == (1, BasicCredential(b"b"))
    del world.states["b"]
    world.deliver(world.adopt("d", protect(world.states["d"], world.environment, b"hello")), to=["a", "c"])
    # Nor can "b" speak as "d": the leaf's new key is not its own.
    forged = signed(world.states["a"], Remove(2), sender=Member(1), key=world.client("b").signature_key)
    refused_by(world, "c", rules.MESSAGE_SIGNATURE_IS_VALID, public(world.states["a"], forged))
