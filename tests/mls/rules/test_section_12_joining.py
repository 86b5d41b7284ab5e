"""Section 12.4.3: joining, by a Welcome and by an external Commit."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from mls import rules
from mls.crypto.secret import Secret
from mls.crypto.suite import CIPHER_SUITES
from mls.group.external import join_externally
from mls.group.group_info import group_info
from mls.group.joining import join
from mls.registry import MLS10, ResumptionPSKUsage
from mls.wire.credentials import UnknownCredential
from mls.wire.extensions import ExternalPub, ExternalSender, ExternalSenders, pack_extension
from mls.wire.proposals import Add, ReInit
from mls.wire.welcome import PathSecret, Welcome
from tests.mls.rules.doors import refused_by
from tests.mls.rules.forging import (
    forged_external_commit,
    forged_group_info,
    forged_welcome,
    with_leaf,
)
from tests.mls.rules.forging_groups import (
    UNKNOWN_TYPE,
    KnowsNames,
    external_psk,
    newcomer_refuses,
    outsider_refuses,
    propose_to_all,
    resumption_psk,
    successor,
    welcome_to,
)
from tests.mls.rules.support import breaks, refused
from tests.mls.world import GROUP_ID, World

if TYPE_CHECKING:
    from mls.wire.message import MLSMessage
    from mls.wire.welcome import GroupInfo, GroupSecrets


def body(message: MLSMessage) -> Welcome:
    assert isinstance(message.message, Welcome)
    return message.message


# The Welcome


@breaks(rules.WELCOME_IS_FOR_US)
def test_welcome_is_for_us() -> None:
    world = World.of("a", "b")
    welcome = welcome_to(world, world.key_package("c"))
    newcomer_refuses(world, welcome, world.key_package("d"), rules.WELCOME_IS_FOR_US)


@breaks(rules.WELCOME_SUITE_MATCHES)
def test_welcome_suite_matches() -> None:
    world = World.of("a", "b")
    bundle = world.key_package("c")

    def for_another_suite(welcome: Welcome) -> Welcome:
        return welcome.replace(cipher_suite=3)

    forged = forged_welcome(world.states["a"], bundle, world.environment, welcome=for_another_suite)
    newcomer_refuses(world, forged, bundle, rules.WELCOME_SUITE_MATCHES)


@breaks(rules.GROUP_SECRETS_DECRYPT)
def test_group_secrets_decrypt() -> None:
    world = World.of("a", "b")
    bundle = world.key_package("c")
    entry = body(welcome_to(world, world.key_package("d"))).secrets[0]

    def for_somebody_else(welcome: Welcome) -> Welcome:
        return welcome.replace(secrets=(entry.replace(new_member=bundle.reference),))

    forged = forged_welcome(world.states["a"], bundle, world.environment, welcome=for_somebody_else)
    newcomer_refuses(world, forged, bundle, rules.GROUP_SECRETS_DECRYPT)


@breaks(rules.GROUP_SECRETS_DECRYPT)
def test_group_secrets_decrypt__for_another_group_info() -> None:
    world = World.of("a", "b")
    bundle = world.key_package("c")
    other = body(welcome_to(world, world.key_package("d"))).encrypted_group_info

    def with_another_group_info(welcome: Welcome) -> Welcome:
        return welcome.replace(encrypted_group_info=other)

    forged = forged_welcome(world.states["a"], bundle, world.environment, welcome=with_another_group_info)
    newcomer_refuses(world, forged, bundle, rules.GROUP_SECRETS_DECRYPT)


@breaks(rules.GROUP_INFO_DECRYPTS)
def test_group_info_decrypts() -> None:
    world = World.of("a", "b")
    bundle = world.key_package("c")

    def of_another_epoch(secrets: GroupSecrets) -> GroupSecrets:
        return secrets.replace(joiner_secret=bytes(32))

    forged = forged_welcome(world.states["a"], bundle, world.environment, secrets=of_another_epoch)
    newcomer_refuses(world, forged, bundle, rules.GROUP_INFO_DECRYPTS)


@breaks(rules.GROUP_INFO_DECRYPTS)
def test_group_info_decrypts__with_the_same_psk() -> None:
    world = World.of("a", "b")
    world.set(psks={b"psk": Secret(b"a key that all have")})
    bundle = world.key_package("c")
    welcome = welcome_to(world, bundle, external_psk(world))
    mistaken = replace(world.environment, psks={b"psk": Secret(b"another one")})
    with refused(rules.GROUP_INFO_DECRYPTS):
        join(mistaken, welcome, [bundle])
    assert join(world.environment, welcome, [bundle]).state.epoch == world.states["a"].epoch + 1


# The GroupInfo


@breaks(rules.GROUP_INFO_SUITE_MATCHES)
def test_group_info_suite_matches() -> None:
    world = World.of("a", "b")
    bundle = world.key_package("c")
    forged = forged_welcome(
        world.states["a"], bundle, world.environment, context=lambda context: context.replace(cipher_suite=3)
    )
    newcomer_refuses(world, forged, bundle, rules.GROUP_INFO_SUITE_MATCHES)


@breaks(rules.GROUP_INFO_SUITE_MATCHES)
def test_group_info_suite_matches__for_an_external_commit() -> None:
    world = World.of("a", "b")
    world.clients["c"] = replace(world.client("c"), suite=CIPHER_SUITES[3])
    outsider_refuses(world, "c", rules.GROUP_INFO_SUITE_MATCHES, group_info(world.states["a"]))


@breaks(rules.GROUP_INFO_SIGNER_IS_A_MEMBER)
def test_group_info_signer_is_a_member() -> None:
    world = World.of("a", "b", "c", "d", "e")
    bundle = world.key_package("f")
    for nobody in (6, 8):  # a blank leaf, and one outside the tree

        def signed_by_nobody(info: GroupInfo, signer: int = nobody) -> GroupInfo:
            return info.replace(signer=signer)

        info = forged_group_info(world.states["a"], info=signed_by_nobody)
        outsider_refuses(world, "outsider", rules.GROUP_INFO_SIGNER_IS_A_MEMBER, info)
        forged = forged_welcome(world.states["a"], bundle, world.environment, info=signed_by_nobody)
        with refused(rules.GROUP_INFO_SIGNER_IS_A_MEMBER):
            join(world.environment, forged, [bundle])


@breaks(rules.GROUP_INFO_SIGNATURE_IS_VALID)
def test_group_info_signature_is_valid() -> None:
    world = World.of("a", "b")
    bundle, key = world.key_package("c"), world.client("b").signature_key
    forged = forged_welcome(world.states["a"], bundle, world.environment, key=key)
    newcomer_refuses(world, forged, bundle, rules.GROUP_INFO_SIGNATURE_IS_VALID)


@breaks(rules.GROUP_INFO_SIGNATURE_IS_VALID)
def test_group_info_signature_is_valid__for_an_external_commit() -> None:
    world = World.of("a", "b")
    key = world.suite.derive_key_pair(bytes(32)).public_key

    def with_another_key(info: GroupInfo) -> GroupInfo:
        return info.replace(extensions=(info.extensions[0], pack_extension(ExternalPub(key))))

    info = forged_group_info(world.states["a"], signed_info=with_another_key)
    outsider_refuses(world, "c", rules.GROUP_INFO_SIGNATURE_IS_VALID, info)


@breaks(rules.GROUP_ID_IS_NEW)
def test_group_id_is_new() -> None:
    world = World.of("a", "b")
    bundle = world.key_package("c")
    welcome = welcome_to(world, bundle)
    newcomer_refuses(world, welcome, bundle, rules.GROUP_ID_IS_NEW, groups=[b"another group", GROUP_ID])


@breaks(rules.GROUP_ID_IS_NEW)
def test_group_id_is_new__for_an_external_commit() -> None:
    world = World.of("a", "b")
    info = group_info(world.states["a"])
    with refused(rules.GROUP_ID_IS_NEW):
        join_externally(world.client("c"), world.environment, info, groups=[b"another group", GROUP_ID])
    world.deliver(join_externally(world.client("c"), world.environment, info, groups=[b"another group"]).output.message)


@breaks(rules.CREDENTIAL_IS_VALID)
def test_credential_is_valid__of_an_external_sender_in_a_joined_group() -> None:
    world = World()
    key = world.suite.load_signature_key(bytes(31) + b"s")
    server = ExternalSender(key.public_key, UnknownCredential(UNKNOWN_TYPE, b"server"))
    world.found("a", extensions=(pack_extension(ExternalSenders((server,))),))
    bundle = world.key_package("b")
    welcome, info = welcome_to(world, bundle), group_info(world.states["a"])
    world.set(authentication=KnowsNames())
    outsider_refuses(world, "c", rules.CREDENTIAL_IS_VALID, info)
    with refused(rules.CREDENTIAL_IS_VALID):
        join(world.environment, welcome.encode(), [bundle])


@breaks(rules.EXTERNAL_PUB_IS_AVAILABLE)
def test_external_pub_is_available() -> None:
    world = World.of("a", "b")
    without = group_info(world.states["a"], external_join=False)
    outsider_refuses(world, "c", rules.EXTERNAL_PUB_IS_AVAILABLE, without)


@breaks(rules.EXTERNAL_PUB_IS_AVAILABLE)
def test_external_pub_is_available__malformed() -> None:
    world = World.of("a", "b")
    for key in (b"", bytes(31), bytes(32)):  # the last one is a point of small order

        def with_bad_key(info: GroupInfo, key: bytes = key) -> GroupInfo:
            return info.replace(extensions=(info.extensions[0], pack_extension(ExternalPub(key))))

        info = forged_group_info(world.states["a"], info=with_bad_key)
        outsider_refuses(world, "c", rules.EXTERNAL_PUB_IS_AVAILABLE, info)


# The newcomer's own place


@breaks(rules.OWN_LEAF_IS_IN_THE_TREE)
def test_own_leaf_is_in_the_tree() -> None:
    world = World.of("a", "b")
    bundle, other = world.key_package("c"), world.key_package("c")
    tree = with_leaf(world.states["a"].public.tree, other)  # the same client by another KeyPackage
    forged = forged_welcome(world.states["a"], bundle, world.environment, tree=tree)
    newcomer_refuses(world, forged, bundle, rules.OWN_LEAF_IS_IN_THE_TREE)


@breaks(rules.OWN_LEAF_IS_IN_THE_TREE)
def test_own_leaf_is_in_the_tree__at_all() -> None:
    world = World.of("a", "b")
    bundle = world.key_package("c")
    forged = forged_welcome(world.states["a"], bundle, world.environment, tree=world.states["a"].public.tree)
    newcomer_refuses(world, forged, bundle, rules.OWN_LEAF_IS_IN_THE_TREE)


@breaks(rules.WELCOME_PATH_SECRET_MATCHES)
def test_welcome_path_secret_matches() -> None:
    world = World.of("a", "b", "c")
    world.commit("a")
    bundle = world.key_package("d")

    def of_another_path(secrets: GroupSecrets) -> GroupSecrets:
        return secrets.replace(path_secret=PathSecret(bytes(32)))

    forged = forged_welcome(world.states["a"], bundle, world.environment, secrets=of_another_path)
    newcomer_refuses(world, forged, bundle, rules.WELCOME_PATH_SECRET_MATCHES)


@breaks(rules.WELCOME_PATH_SECRET_MATCHES)
def test_welcome_path_secret_matches__by_oneself() -> None:
    world = World.of("a", "b", "c")
    bundle = world.key_package("d")

    def with_path_secret(secrets: GroupSecrets) -> GroupSecrets:
        return secrets.replace(path_secret=PathSecret(bytes(32)))

    forged = forged_welcome(
        world.states["a"],
        bundle,
        world.environment,
        secrets=with_path_secret,
        info=lambda info: info.replace(signer=3),
        key=bundle.signature_key,
    )
    newcomer_refuses(world, forged, bundle, rules.WELCOME_PATH_SECRET_MATCHES)


# Groups that follow on others


@breaks(rules.SPECIAL_PSK_STANDS_ALONE)
def test_special_psk_stands_alone() -> None:
    world = World.of("a", "b")
    usage, bundle = ResumptionPSKUsage.BRANCH, world.key_package("b")
    psks = [resumption_psk(world, usage, world.states["a"]) for _ in range(2)]
    welcome = successor(world, world.client("a"), Add(bundle.key_package), *psks, usage=usage, group_id=b"branch")
    with refused(rules.SPECIAL_PSK_STANDS_ALONE):
        join(world.environment, welcome, [bundle], previous=world.states["b"])


@breaks(rules.JOINED_EPOCH_IS_1)
def test_joined_epoch_is_1() -> None:
    world = World.of("a", "b")
    usage, bundle = ResumptionPSKUsage.BRANCH, world.key_package("b")
    psk = resumption_psk(world, usage, world.states["a"])
    for epoch in (1, 2):
        welcome = successor(
            world,
            world.client("a"),
            Add(bundle.key_package),
            psk,
            usage=usage,
            group_id=b"branch",
            first_epoch=epoch,
        )
        if epoch == 1:
            join(world.environment, welcome, [bundle], previous=world.states["b"])
        else:
            with refused(rules.JOINED_EPOCH_IS_1):
                join(world.environment, welcome, [bundle], previous=world.states["b"])


@breaks(rules.OLD_GROUP_IS_AVAILABLE)
def test_old_group_is_available() -> None:
    world = World.of("a", "b")
    usage, bundle = ResumptionPSKUsage.BRANCH, world.key_package("b")
    psk = resumption_psk(world, usage, world.states["a"])
    welcome = successor(world, world.client("a"), Add(bundle.key_package), psk, usage=usage, group_id=b"branch")
    kept = world.states["b"].epoch_secrets.resumption_psk
    remembering = replace(world.environment, resumption_keys=lambda group_id, epoch: kept)  # noqa: ARG005
    other = World.of("b", "c", seed=2)
    other_group = replace(
        other.states["b"],
        public=replace(other.states["b"].public, context=other.states["b"].public.context.replace(group_id=b"other")),
    )
    for previous in (None, other_group):
        with refused(rules.OLD_GROUP_IS_AVAILABLE):
            join(remembering, welcome, [bundle], previous=previous)
    join(world.environment, welcome, [bundle], previous=world.states["b"])


@breaks(rules.WELCOME_CONTINUES_THE_OLD_GROUP)
def test_welcome_continues_the_old_group() -> None:
    world = World.of("a", "b")
    world.commit("a", ReInit(b"next", MLS10, world.suite_number, ()))
    bundle = world.key_package("b")
    welcome = welcome_to(World.of("a", seed=2), bundle)
    with refused(rules.WELCOME_CONTINUES_THE_OLD_GROUP):
        join(world.environment, welcome, [bundle], previous=world.states["b"])


@breaks(rules.REINIT_WAS_COMMITTED)
def test_reinit_was_committed() -> None:
    world = World.of("a", "b")
    usage, bundle = ResumptionPSKUsage.REINIT, world.key_package("b")
    psk = resumption_psk(world, usage, world.states["a"])
    welcome = successor(world, world.client("a"), Add(bundle.key_package), psk, usage=usage, group_id=b"next")
    with refused(rules.REINIT_WAS_COMMITTED):
        join(world.environment, welcome, [bundle], previous=world.states["b"])


@breaks(rules.REINIT_WAS_COMMITTED)
def test_reinit_was_committed__in_the_last_epoch() -> None:
    world = World.of("a", "b")
    usage, bundle = ResumptionPSKUsage.REINIT, world.key_package("b")
    psk = resumption_psk(world, usage, world.states["a"])  # of the epoch before
    welcome = successor(world, world.client("a"), Add(bundle.key_package), psk, usage=usage, group_id=b"next")
    world.commit("a", ReInit(b"next", MLS10, world.suite_number, ()))
    with refused(rules.REINIT_WAS_COMMITTED):
        join(world.environment, welcome, [bundle], previous=world.states["b"])


# External Commits, from the members' side


@breaks(rules.EXTERNAL_COMMIT_HAS_A_PATH)
def test_external_commit_has_a_path() -> None:
    world = World.of("a", "b")
    state = world.states["a"]
    forged = forged_external_commit(state, world.client("c"), world.environment, path=None)
    refused_by(world, "b", rules.EXTERNAL_COMMIT_HAS_A_PATH, forged.sent_by(state))


@breaks(rules.EXTERNAL_COMMIT_HAS_NO_REFERENCES)
def test_external_commit_has_no_references() -> None:
    world = World.of("a", "b")
    world.set(psks={b"psk": Secret(b"a key that all have")})
    proposed = propose_to_all(world, "b", external_psk(world))
    state = world.states["a"]
    forged = forged_external_commit(state, world.client("c"), world.environment, proposed)
    refused_by(world, "b", rules.EXTERNAL_COMMIT_HAS_NO_REFERENCES, forged.sent_by(state))
