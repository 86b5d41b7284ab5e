"""What RFC 9420 asks of those who make new groups, seen from what comes out. See test_duties.py."""

from __future__ import annotations

from mls.crypto.secret import Secret
from mls.group.creation import create_group
from mls.group.joining import join
from mls.group.processing import process
from mls.group.successors import branch, reinitialize
from mls.registry import MLS10, ResumptionPSKUsage
from mls.schedule.transcript import interim_transcript_hash
from mls.wire.extensions import Extension
from mls.wire.proposals import ReInit
from mls.wire.psk import ResumptionPSK
from tests.mls.rfc.support import secrets_for
from tests.mls.world import GROUP_ID, LIFETIME, World


def test_a_new_group_begins_as_the_rfc_says() -> None:
    world = World()
    drawn: list[bytes] = []
    draw = world.environment.random

    def noting(size: int) -> bytes:
        drawn.append(draw(size))
        return drawn[-1]

    world.set(random=noting)
    extension = Extension(1, b"of the creator's choosing")
    state = create_group(
        world.client("a"), world.environment, group_id=GROUP_ID, lifetime=LIFETIME, extensions=(extension,)
    ).state
    suite, context = world.suite, state.public.context

    assert (context.version, context.cipher_suite, context.group_id, context.epoch) == (MLS10, 1, GROUP_ID, 0)
    assert context.extensions == (extension,)
    assert context.confirmed_transcript_hash == b""
    assert (state.public.tree.leaf_count, state.public.tree.member_count) == (1, 1)
    assert context.tree_hash == state.public.tree.tree_hash()
    epoch_secret = drawn[-1]
    assert len(epoch_secret) == suite.Nh
    assert state.epoch_secrets.init_secret.value == suite.derive_secret(epoch_secret, "init")
    tag = suite.mac(Secret(suite.derive_secret(epoch_secret, "confirm")), b"")
    assert state.public.confirmation_tag == tag
    assert state.public.interim_transcript_hash == interim_transcript_hash(suite, b"", tag)


# Sections 11.2 and 11.3: groups that follow on others


def test_a_reinitialized_group_is_linked_to_the_old_one() -> None:
    world = World.of("a", "b", "c")
    extension = Extension(1, b"new")
    world.commit("a", ReInit(b"the next group", MLS10, 1, (extension,)))
    old = dict(world.states)
    bundles = {name: world.key_package(name) for name in "ac"}

    # Any member may do it: here one who did not commit the ReInit.
    made = reinitialize(
        old["b"],
        world.client("b"),
        world.environment,
        [bundle.key_package for bundle in bundles.values()],
        lifetime=LIFETIME,
        now=world.now,
    )
    new = {"b": process(made.state, world.environment, made.output.message, now=world.now).state}
    welcome = made.output.pending.welcome
    assert welcome is not None
    for name, bundle in bundles.items():
        [psk] = secrets_for(bundle, welcome).psks
        assert psk.psk == ResumptionPSK(ResumptionPSKUsage.REINIT, GROUP_ID, old[name].epoch)
        assert len(psk.psk_nonce) == world.suite.Nh
        new[name] = join(world.environment, welcome, [bundle], previous=old[name]).state

    for state in new.values():
        context = state.public.context
        assert (context.group_id, context.version, context.cipher_suite) == (b"the next group", MLS10, 1)
        assert context.extensions == (extension,)
        assert context.epoch == 1
        assert {leaf.credential for _, leaf in state.members()} == {leaf.credential for _, leaf in old["a"].members()}
    assert len({state.epoch_authenticator for state in new.values()}) == 1


def test_the_psk_of_a_branch_has_a_fresh_nonce() -> None:
    world = World.of("a", "b", "c")
    nonces = set()
    for number in range(3):
        bundle = world.key_package("b")
        made = branch(
            world.states["a"],
            world.client("a"),
            world.environment,
            [bundle.key_package],
            group_id=b"branch %d" % number,
            lifetime=LIFETIME,
            now=world.now,
        )
        [psk] = secrets_for(bundle, made.output.pending.welcome).psks
        assert psk.psk == ResumptionPSK(ResumptionPSKUsage.BRANCH, GROUP_ID, world.states["a"].epoch)
        assert len(psk.psk_nonce) == world.suite.Nh
        nonces.add(psk.psk_nonce)

    assert len(nonces) == 3
