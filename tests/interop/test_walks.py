"""Random walks: planned within the rules, always alike, and able to fail."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.interop import parts, scripts
from tests.interop.campaign.crew import Crew, Program
from tests.interop.campaign.running import run
from tests.interop.campaign.tasks import WalkTask
from tests.interop.stage import Result
from tests.interop.walks.changing import LARGEST, SMALLEST
from tests.interop.walks.features import EVERYTHING, Feature, Offer
from tests.interop.walks.offers import examples, offer_of
from tests.interop.walks.planning import plan

if TYPE_CHECKING:
    from tests.interop.campaign.judging import Record
    from tests.interop.walks.walk import Walk

ROOT = Path(__file__).parents[2]

OURS = Program((sys.executable, "-m", "bridge.cli", "interop", "--port", "0"), serves_grpc=True, directory=ROOT)

SEATS = ("ours", "first", "second")
SEEDS = range(30)

every_seed = pytest.mark.parametrize("seed", SEEDS)


def liar(rpc: str, field: str) -> Program:
    command = (sys.executable, "-m", "tests.interop.wrong.liar", "pipe", rpc, field)
    return Program(command, serves_grpc=False, directory=ROOT)


def planned(seed: int, lacking: frozenset[Feature] = frozenset()) -> Walk:
    return plan(seed, {"ours": EVERYTHING, "first": EVERYTHING.without(lacking), "second": EVERYTHING})


# Plans


@every_seed
def test_a_seed_always_makes_the_same_walk(seed: int) -> None:
    assert planned(seed) == planned(seed)
    assert planned(seed) != planned(seed + 1)


@every_seed
def test_a_group_has_all_seats_and_never_too_few_or_too_many_members(seed: int) -> None:
    walk = planned(seed)
    assert len(walk.told) == len(walk.ends) == 200
    agreeing = [step for step in walk.script.steps if isinstance(step, scripts.Agree)]
    assert len(agreeing) == 200, "after each step, everybody is asked"
    for step in agreeing:
        assert SMALLEST <= len(step.members) <= LARGEST
        assert len(set(step.members)) == len(step.members)
        assert {walk.casting[member] for member in step.members} == set(SEATS)


def test_walks_have_every_kind_of_step() -> None:
    kinds = Counter(type(step) for seed in SEEDS for step in planned(seed).script.steps)
    expected = {
        scripts.AddExternalSigner,
        scripts.AddProposal,
        scripts.CannotUnprotect,
        scripts.DiscardPendingCommit,
        scripts.ExternalJoin,
        scripts.ExternalPSKProposal,
        scripts.ExternalSignerProposal,
        scripts.FullCommit,
        scripts.GroupContextExtensionsProposal,
        scripts.NewMemberAddProposal,
        scripts.Protect,
        scripts.RemoveProposal,
        scripts.ResumptionPSKProposal,
        scripts.SelfRemoveProposal,
        scripts.Unprotect,
        scripts.UpdateProposal,
    }
    assert expected <= kinds.keys()
    joins = [step for seed in SEEDS for step in planned(seed).script.steps if isinstance(step, scripts.ExternalJoin)]
    assert {(join.remove_prior, bool(join.psks), join.external_tree) for join in joins} == {
        (prior, psk, tree) for prior in (False, True) for psk in (False, True) for tree in (False, True)
    }
    by_value = {
        type(proposal)
        for seed in SEEDS
        for step in planned(seed).script.steps
        if isinstance(step, scripts.FullCommit)
        for proposal in step.by_value
    }
    assert by_value == {
        parts.AddByValue,
        parts.RemoveByValue,
        parts.ExternalPSKByValue,
        parts.ResumptionPSKByValue,
        parts.GroupContextExtensionsByValue,
    }


def test_messages_are_opened_late_and_out_of_order() -> None:
    late, overtaken = 0, 0
    for seed in SEEDS:
        opened: dict[str, int] = {}
        epoch_of: dict[int, int] = {}
        epoch = 0
        for number, step in enumerate(planned(seed).script.steps):
            match step:
                case scripts.FullCommit() | scripts.ExternalJoin():
                    epoch += 1
                case scripts.Protect():
                    epoch_of[number] = epoch
                case scripts.Unprotect(actor=actor, ciphertext=ciphertext):
                    assert epoch - epoch_of[ciphertext] <= 5
                    late += epoch > epoch_of[ciphertext]
                    overtaken += ciphertext < opened.get(actor, 0)
                    opened[actor] = max(opened.get(actor, 0), ciphertext)
                case _:
                    pass
    assert late > 100
    assert overtaken > 100


NEEDED = {
    scripts.AddExternalSigner: Feature.EXTERNAL_SIGNER,
    scripts.DiscardPendingCommit: Feature.DISCARD,
    scripts.NewMemberAddProposal: Feature.NEW_MEMBER_ADD,
    scripts.SelfRemoveProposal: Feature.SELF_REMOVE,
    scripts.UpdateProposal: Feature.UPDATE,
    scripts.ExternalJoin: Feature.EXTERNAL_JOIN,
}


@pytest.mark.parametrize("kind, feature", NEEDED.items())
def test_what_somebody_does_not_follow_nobody_does(kind: type[scripts.Step], feature: Feature) -> None:
    lacking = frozenset({feature, Feature.RESYNC})
    for seed in SEEDS:
        assert not any(isinstance(step, kind) for step in planned(seed, lacking).script.steps)


def test_what_somebody_does_not_do_others_do() -> None:
    offers = {
        "ours": EVERYTHING,
        "first": Offer(EVERYTHING.acts - {Feature.UPDATE}, EVERYTHING.follows),
        "second": EVERYTHING,
    }
    updating = {
        walk.casting[step.actor]
        for walk in (plan(seed, offers) for seed in SEEDS)
        for step in walk.script.steps
        if isinstance(step, scripts.UpdateProposal)
    }
    assert updating == {"ours", "second"}


def test_who_cannot_join_any_tree_is_there_from_the_beginning() -> None:
    for seed in SEEDS:
        first, *later = (
            step
            for step in planned(seed, frozenset({Feature.LATE_JOIN})).script.steps
            if isinstance(step, scripts.FullCommit)
        )
        assert not any(joiner.startswith("first") for commit in later for joiner in commit.joiners)
        assert any(name.startswith("first") for name in (first.actor, *first.joiners))


def test_nothing_is_offered_beyond_what_everybody_has_to_have() -> None:
    nothing = Offer(frozenset(), frozenset())
    walk = plan(1, {"ours": nothing, "first": nothing})
    kinds = {type(step) for step in walk.script.steps}
    assert kinds == {
        scripts.Agree,
        scripts.CannotUnprotect,
        scripts.CreateGroup,
        scripts.CreateKeyPackage,
        scripts.FullCommit,
        scripts.Protect,
        scripts.Unprotect,
    }


def test_a_prefix_is_a_walk() -> None:
    walk = planned(3)
    prefix = walk.prefix(7)
    assert prefix.script.steps == walk.script.steps[: walk.ends[6]]
    assert prefix.told == walk.told[:7]
    assert walk.step_of(walk.ends[6]) == 7
    assert walk.step_of(walk.ends[6] - 1) == 6


def test_a_shorter_walk_is_the_beginning_of_a_longer_one() -> None:
    walk = plan(3, dict.fromkeys(SEATS, EVERYTHING), 7)
    assert walk.script.steps == planned(3).prefix(7).script.steps
    assert walk.told == planned(3).told[:7]


# Walks


def walked(seats: dict[str, Program], *, steps: int = 12, seed: int = 1) -> Record:
    task = WalkTask(tuple(seats), suite=1, encrypt_handshake=False, seed=seed, steps=steps)
    (record,) = run([task], seats, lambda _peer, _suite: frozenset(), jobs=1)
    return record


def test_three_programs_of_ours_walk_together() -> None:
    record = walked(dict.fromkeys(SEATS, OURS), steps=25)
    assert record.outcome.result is Result.PASSED, record.outcome.reason
    assert record.steps == ()


@pytest.mark.parametrize(
    "rpc, field",
    [
        ("HandleCommit", "epoch_authenticator"),
        ("StateAuth", "state_auth_secret"),
        ("Export", "exported_secret"),
        ("Protect", "ciphertext"),
        ("Unprotect", "plaintext"),
        ("Commit", "commit"),
    ],
)
def test_a_walk_with_a_liar_fails_and_says_where(rpc: str, field: str) -> None:
    record = walked({"ours": OURS, "first": OURS, "second": liar(rpc, field)}, steps=12)
    assert record.outcome.result is Result.FAILED
    number = len(record.steps)
    assert record.outcome.reason.startswith(f"walk step {number} of 12 (seed 1: {record.steps[-1]}), step ")
    assert record.steps == plan(1, dict.fromkeys(("ours", "first", "second"), EVERYTHING), 12).told[:number]
    assert record.outcome.transcript


# Offers


def test_every_feature_has_an_example() -> None:
    assert examples().keys() == set(Feature)
    for script in examples().values():
        assert {"alice", "bob"} <= set(script.actors)


def test_ours_offers_everything() -> None:
    with Crew({"ours": OURS, "first": OURS}) as crew:
        assert offer_of(crew.seat("first"), crew.seat("ours"), 1) == EVERYTHING
