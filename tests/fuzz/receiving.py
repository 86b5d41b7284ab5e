"""Targets for what comes in: `process`, `join` and `join_externally`, given damaged messages and forged ones.

A damaged message is stopped by the first tag or signature. A forged one is by a member, who signs, tags and
encrypts whatever it likes with its real keys: the input's bytes choose what.
"""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING

from mls.errors import InternalError, MlsError
from mls.group.committing import commit
from mls.group.external import join_externally
from mls.group.joining import join
from mls.group.processing import process
from mls.group.received import Committed
from mls.group.state import Status
from tests.fuzz.choices import Choices
from tests.fuzz.forgery import forged_group_info, forged_message, forged_welcome
from tests.fuzz.scene import scene
from tests.fuzz.target import Prepared, Target
from tests.mls.world import fingerprint

if TYPE_CHECKING:
    from collections.abc import Callable

    from mls.group.environment import Environment
    from mls.group.received import Received
    from mls.group.state import GroupState, Transition
    from mls.wire.message import MLSMessage

__all__ = ["RECEIVERS"]

PARAGRAPHS = [Random(number).randbytes(160) for number in range(40)]
"""Seeds where the bytes are choices: one is as good as another."""


def fresh_environment() -> Environment:
    """Return the scene's environment with randomness that starts anew, so that the same bytes always do the same."""
    return replace(scene().world.environment, random=Random(0).randbytes)


class Receiver:
    """A member whom messages are tried on, and who must be none the worse for it."""

    def __init__(self, state: GroupState) -> None:
        self.state = state
        self._fingerprint = fingerprint(state)

    def receive(self, message: bytes | MLSMessage) -> Transition[Received] | None:
        """Return what a message does, `None` if it is refused."""
        transition = self._attempt(self.state, message)
        assert fingerprint(self.state) == self._fingerprint, "a message changed the state that it was given to"
        if transition is not None and transition.state is not self.state:
            self._check(transition, message)
        return transition

    def _check(self, transition: Transition[Received], message: bytes | MLSMessage) -> None:
        after = transition.state
        assert after.revision == self.state.revision + 1
        kept = {id(secret) for secret in after.secrets()}
        assert not any(id(secret) in kept for secret in transition.spent), "what is spent is still there"
        again = self._attempt(after, message)
        assert again is None or again.state is after, "a message was taken twice"
        if isinstance(transition.output, Committed) and after.status is Status.ACTIVE:
            commit(after, fresh_environment(), now=scene().world.now)

    @staticmethod
    def _attempt(state: GroupState, message: bytes | MLSMessage) -> Transition[Received] | None:
        try:
            return process(state, fresh_environment(), message, now=scene().world.now)
        except InternalError:
            raise
        except MlsError:
            return None


def _process() -> Prepared:
    receivers = [Receiver(state) for state in scene().victims]

    def attack(data: bytes) -> None:
        for receiver in receivers:
            receiver.receive(data)

    return Prepared(attack, [message.encode() for message in scene().messages])


def _process_forged() -> Prepared:
    victims, witness = [Receiver(state) for state in scene().victims], Receiver(scene().witness)

    def attack(data: bytes) -> None:
        choices = Choices(data)
        message = forged_message(choices, fresh_environment()).encode()
        results = [victim.receive(message) for victim in victims]
        other = witness.receive(message)
        if results[0] is not None and other is not None:
            _check_agreement(results[0], other)

    return Prepared(attack, PARAGRAPHS)


def _check_agreement(one: Transition[Received], other: Transition[Received]) -> None:
    """Check that two members who took the same Commit are in the same epoch, unless it removed one of them."""
    assert type(one.output) is type(other.output)
    first, second = one.output, other.output
    if isinstance(first, Committed) and isinstance(second, Committed):
        assert first.changes == second.changes
        if not first.removed_us and not second.removed_us:
            assert one.state.public.context == other.state.public.context
            assert one.state.epoch_authenticator == other.state.epoch_authenticator


def _attempt_to_join(attempt: Callable[[Environment], object]) -> None:
    try:
        attempt(fresh_environment())
    except InternalError:
        raise
    except MlsError:
        pass


def _join() -> Prepared:
    tree = scene().world.states["alice"].public.tree.to_extension()

    def attack(data: bytes) -> None:
        _attempt_to_join(lambda environment: join(environment, data, scene().bundles, tree=tree))

    return Prepared(attack, [welcome.encode() for welcome in scene().welcomes])


def _join_forged() -> Prepared:
    def attack(data: bytes) -> None:
        def attempt(environment: Environment) -> object:
            welcome = forged_welcome(Choices(data), environment)
            return join(environment, welcome.encode(), scene().bundles)

        _attempt_to_join(attempt)

    return Prepared(attack, PARAGRAPHS)


def _external_join() -> Prepared:
    client, tree = scene().world.client("newcomer"), scene().insider.public.tree.to_extension()

    def attack(data: bytes) -> None:
        _attempt_to_join(lambda environment: join_externally(client, environment, data, tree=tree))

    return Prepared(attack, [info.encode() for info in scene().group_infos])


def _external_join_forged() -> Prepared:
    client = scene().world.client("newcomer")

    def attack(data: bytes) -> None:
        def attempt(environment: Environment) -> object:
            info = forged_group_info(Choices(data), environment)
            return join_externally(client, environment, info.encode())

        _attempt_to_join(attempt)

    return Prepared(attack, PARAGRAPHS)


RECEIVERS = [
    Target("process", "giving damaged messages to members", _process, weight=10),
    Target("process-forged", "giving members what one of them has forged", _process_forged, weight=40),
    Target("join", "joining by damaged Welcomes", _join),
    Target("join-forged", "joining by Welcomes that a member has forged", _join_forged, weight=8),
    Target("external-join", "joining by damaged GroupInfos", _external_join),
    Target("external-join-forged", "joining by GroupInfos that a member has forged", _external_join_forged, weight=8),
]
