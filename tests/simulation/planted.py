"""Faults planted on purpose, one at a time: a simulator that does not find them proves nothing.

Each replaces one function of the order, the store, the session or the relay, and is to be caught by a named property.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import bridge.order.log
import mls
from bridge.member import committing, ordering, people, returning, talking
from bridge.member.standing import Place
from bridge.member.step import Step
from bridge.order.fair_queue import QueueStep
from bridge.order.log import Log
from bridge.order.sequencer_step import Step as SequencerStep
from bridge.protocol.bodies import LogPosition
from bridge.protocol.code_points import EnvelopeKind
from bridge.protocol.envelope import identity_of, open_envelope
from bridge.relay.relay import _Step as RelayStep
from bridge.service import stepping
from bridge.service.account import AccountRunner
from bridge.service.publishing import Publisher
from mls.wire.message import MLSMessage
from tests.simulation.replacing import replaced
from transports.room import EnvelopeSeen

if TYPE_CHECKING:
    from bridge.member.state import Held
    from bridge.protocol.envelope import Envelope
    from bridge.protocol.seal import SealContent
    from transports.room import Batch, RoomEvent

__all__ = ["FAULTS", "PlantedFault"]


@dataclass(frozen=True, slots=True)
class PlantedFault:
    """One fault."""

    name: str
    plant: Callable[[], AbstractContextManager[None]]
    caught_by: tuple[str, ...]
    """Properties, any of which shows it."""


def _apply_own_commit_early() -> AbstractContextManager[None]:
    post = committing._post_handshake

    def posted(step: Step, body: Any) -> None:  # noqa: ANN401 - a Handshake
        post(step, body)
        data = step.posts[-1].envelope
        ordering.apply(step, data.encode(), Place(data.identity, LogPosition(0, 0, data.identity), 0))

    return replaced(committing, _post_handshake=posted)


def _apply_what_comes_first() -> AbstractContextManager[None]:
    hold = Step.hold

    def held(self: Step, identity: bytes, one: Held) -> None:
        hold(self, identity, one)
        if one.kind == EnvelopeKind.HANDSHAKE and self.session.is_active:
            ordering.apply(self, one.envelope, Place(identity, LogPosition(0, 0, identity), 0))

    return replaced(Step, hold=held)


def _skip_the_seal_check() -> AbstractContextManager[None]:
    return replaced(bridge.order.log, check_seal=lambda _seal, _key: None)


def _no_gap_check() -> AbstractContextManager[None]:
    def next_seal(self: Log) -> SealContent | None:
        return self.ahead[0] if self.ahead else None

    def settled(log: Log) -> Log:
        while (seal := log.next_seal) is not None and log.taken >= len(seal.entries):
            log = log.replace(position=seal.position, taken=0, ahead=log.ahead[1:])
        return log

    @contextmanager
    def planted() -> Iterator[None]:
        with replaced(Log, next_seal=property(next_seal)), replaced(bridge.order.log, _settled=settled):
            yield

    return planted()


def _drop_the_intent() -> AbstractContextManager[None]:
    def prune(step: Step) -> None:
        step.remember(intents=())

    return replaced(committing, prune=prune)


def _use_a_generation_twice() -> AbstractContextManager[None]:
    take = Step.take

    def taken(self: Step, transition: Any) -> Any:  # noqa: ANN401 - of any output
        output = transition.output
        if isinstance(output, MLSMessage) and self.session.group is not None and not transition.state.pending:
            return output
        return take(self, transition)

    return replaced(Step, take=taken)


def _add_on_the_relays_word() -> AbstractContextManager[None]:
    return replaced(people, is_vouched_for=lambda _session, _person: True)


def _forget_early_messages() -> AbstractContextManager[None]:
    take = talking.take_application

    def taken(step: Step, sealed: Envelope, held: Held) -> None:
        before = step.session
        take(step, sealed, held)
        if len(step.session.held) > len(before.held) and before.group is not None:
            step.session = before

    return replaced(talking, take_application=taken)


def _lose_the_outbox_at_a_failed_attempt() -> AbstractContextManager[None]:
    attempted = Publisher.attempted

    def lost(self: Publisher, stored: Any, reason: str) -> None:  # noqa: ANN401 - a StoredOutboxEntry
        attempted(self, stored, reason)
        self._books.failed.add(stored.id)
        for lane in self._lanes.values():
            lane.reflected(stored.entry.transaction)

    return replaced(Publisher, attempted=lost)


def _store_the_cursor_before_the_events() -> AbstractContextManager[None]:
    take = AccountRunner._take

    async def taken(self: AccountRunner, batch: Batch) -> None:
        async with self._store.transaction() as tx:
            await tx.cursors.put(self.account, batch.cursor)
        await take(self, batch)

    return replaced(AccountRunner, _take=taken)


def _store_the_position_before_the_step() -> AbstractContextManager[None]:
    take = stepping.Stepper._take

    async def taken(self: stepping.Stepper) -> bool:
        async with self._store.transaction() as tx:
            events, _ = await tx.events.after(self.consumer.account, self.consumer.room, self.position or 0, 100)
            if events:
                await tx.positions.put(self.consumer.name, events[-1].position)
        return await take(self)

    return replaced(stepping.Stepper, _take=taken)


def _a_sequencer_that_withholds() -> AbstractContextManager[None]:
    hand_in = SequencerStep._hand_in

    async def handed_in(self: SequencerStep, event: EnvelopeSeen, opened: Envelope) -> None:
        if opened.kind != EnvelopeKind.HANDSHAKE or opened.identity[0] % 3:
            await hand_in(self, event, opened)

    return replaced(SequencerStep, _hand_in=handed_in)


def _a_queue_in_memory_alone() -> AbstractContextManager[None]:
    async def save(self: QueueStep, now: int) -> None:
        """Write nothing."""

    return replaced(QueueStep, save=save)


def _a_relay_that_loses_seals() -> AbstractContextManager[None]:
    take = RelayStep.take

    async def taken(self: RelayStep, event: RoomEvent, max_envelope: int) -> None:
        if isinstance(event, EnvelopeSeen) and event.envelope and _is_third_seal(event.envelope):
            return
        await take(self, event, max_envelope)

    return replaced(RelayStep, take=taken)


def _skip_a_commit_that_failed_on_a_secret() -> AbstractContextManager[None]:
    def without(_step: Step, _body: Any, _message: Any, _place: Any, error: Exception) -> str:  # noqa: ANN401
        return str(error)

    return replaced(ordering, _without=without)


def _accept_a_stale_group_info() -> AbstractContextManager[None]:
    """Of whatever epoch: the own Commit counts once it has its place, and nobody is asked."""

    def tells(step: Step, _coming: mls.GroupState, data: bytes) -> bool:
        own = step.session.recovery.returning
        return own is not None and identity_of(data) == own.commit

    @contextmanager
    def planted() -> Iterator[None]:
        with replaced(returning, _tells=tells), replaced(returning, _require_fresh=lambda *_: None):
            yield

    return planted()


def _keep_the_commit_that_led_out() -> AbstractContextManager[None]:
    leave_behind = mls.leave_behind

    def left(before: mls.GroupState, after: mls.GroupState) -> mls.GroupState:
        return leave_behind(before, after).with_changes({"pending": before.pending})

    return replaced(mls, leave_behind=left)


def _is_third_seal(data: bytes) -> bool:
    opened = open_envelope(data)
    return opened.kind == EnvelopeKind.SEAL and opened.identity[0] % 3 == 0


_STUCK: Final = ("nobody is stuck", "convergence", "everybody is in", "intents kept")
_LOST: Final = ("delivered", *_STUCK)

FAULTS: Final[Sequence[PlantedFault]] = (
    PlantedFault("apply own Commit early", _apply_own_commit_early, ("one history", *_STUCK)),
    PlantedFault("apply what comes first", _apply_what_comes_first, ("one history", *_STUCK)),
    PlantedFault("skip the seal check", _skip_the_seal_check, ("one history", *_STUCK)),
    PlantedFault("no gap check", _no_gap_check, ("one history", *_STUCK)),
    PlantedFault("drop the intent", _drop_the_intent, ("intents kept", "everybody is in")),
    PlantedFault("use a generation twice", _use_a_generation_twice, ("keys once",)),
    PlantedFault("add on the relay's word", _add_on_the_relays_word, ("real people alone",)),
    PlantedFault("forget early messages", _forget_early_messages, ("delivered",)),
    PlantedFault("lose the outbox at a failed attempt", _lose_the_outbox_at_a_failed_attempt, _LOST),
    PlantedFault("store the cursor before the events", _store_the_cursor_before_the_events, _LOST),
    PlantedFault("store the position before the step", _store_the_position_before_the_step, _LOST),
    PlantedFault("a sequencer that withholds", _a_sequencer_that_withholds, _STUCK),
    PlantedFault("a queue in memory alone", _a_queue_in_memory_alone, _STUCK),
    PlantedFault("a relay that loses seals", _a_relay_that_loses_seals, _STUCK),
    PlantedFault("skip a Commit that failed on a secret", _skip_a_commit_that_failed_on_a_secret, _STUCK),
    PlantedFault("accept a stale GroupInfo", _accept_a_stale_group_info, ("one history", *_STUCK)),
    PlantedFault("keep the Commit that led out", _keep_the_commit_that_led_out, ("no fault of ours", "keys once")),
)
