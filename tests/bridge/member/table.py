"""A table that members sit at: rooms as lists, a relay that copies, a sequencer that seals; steps and time by hand."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from random import Random as Generator

import mls
from bridge.conversation import Answer, Happening, Request
from bridge.member import joining, receiving, requests
from bridge.member.environment import capabilities
from bridge.member.settings import MemberSettings
from bridge.member.state import Session
from bridge.member.step import Post, Step
from bridge.protocol.bodies import Hello, LogPosition
from bridge.protocol.code_points import SEALED_KINDS, EnvelopeKind
from bridge.protocol.envelope import Envelope, envelope
from bridge.protocol.identity import Identity
from bridge.protocol.seal import SealContent, SealEntry, sign_seal, start_of_log
from mls.crypto.signature import Ed25519, SignaturePrivateKey
from transports.room import Account, EnvelopeSeen, Origin, RoomAddress, RoomEvent

MATRIX = RoomAddress("matrix:roomid/tea:one")
XMPP = RoomAddress("xmpp:tea@muc.two")
RELAYS = {MATRIX: Account("matrix:u/bridge:one"), XMPP: Account("xmpp:bridge@two")}
START = 1_800_000_000_000


@dataclass
class Seat:
    """One member, and what it was told."""

    session: Session
    told: list[Happening] = field(default_factory=list)
    deaf: bool = False
    """Whether it misses what happens: it gets everything later, in order."""
    missed: list[RoomEvent] = field(default_factory=list)

    def heard(self, kind: type[Happening]) -> list[Happening]:
        return [item for item in self.told if isinstance(item, kind)]


class Table:
    """Rooms on two networks, linked; or a single one. Everything that is posted goes round until all is quiet."""

    def __init__(self, seed: int = 1, *, rooms: tuple[RoomAddress, ...] = (MATRIX, XMPP)) -> None:
        self.random = Generator(seed).randbytes
        self.now = START
        self.rooms = rooms
        self.key = SignaturePrivateKey(Ed25519(), self.random(32))
        self.seats: dict[str, Seat] = {}
        self.posted: list[tuple[RoomAddress, Account, Envelope]] = []
        self.queue: deque[tuple[RoomAddress, Account, Envelope]] = deque()
        self.position: LogPosition | None = None
        self.drop: Callable[[RoomAddress, Envelope], bool] = lambda _room, _sealed: False
        self.is_sealing = True
        self.sealed: set[bytes] = set()
        self._events = 0

    def sit_down(self, name: str, room: RoomAddress = MATRIX, **settings: object) -> Seat:
        """Let somebody in: `alice` becomes `matrix:u/alice:one` or `xmpp:alice@two`."""
        account = Account(f"matrix:u/{name}:one" if room == MATRIX else f"xmpp:{name}@two")
        chosen = replace(MemberSettings(), **settings)  # type: ignore[arg-type]
        client = capabilities(mls.Client.basic(Identity(account, chosen.device).encode(), self.random))
        seat = Seat(Session(account, room, chosen, client))
        self.seats[name] = seat
        return seat

    def hello(self) -> None:
        """Let the bridge introduce itself in each room."""
        body = Hello(b"mls-bridge", tuple(room.encode() for room in self.rooms), self.key.public_key, 1 << 20)
        self.post(self.rooms[0], RELAYS[self.rooms[0]], envelope(EnvelopeKind.HELLO, b"", body))
        self.run()

    def ask(self, name: str) -> None:
        with self.step(self.seats[name]) as step:
            joining.ask(step)
        self.run()

    def do(self, name: str, request: Request) -> Answer:
        seat = self.seats[name]
        step = Step(seat.session, self.now, self.random)
        given = requests.answer(step, request, ())
        self.finish(seat, step)
        self.run()
        return given

    def pass_time(self, milliseconds: int) -> None:
        """Let time pass, and everyone do what is due."""
        self.now += milliseconds
        for seat in self.seats.values():
            if not seat.deaf:
                self.wake(seat)
        self.run()

    def wake(self, seat: Seat) -> None:
        step = Step(seat.session, self.now, self.random)
        receiving.do_what_is_due(step)
        self.finish(seat, step)

    def post(self, room: RoomAddress, sender: Account, sealed: Envelope) -> None:
        self.queue.append((room, sender, sealed))

    def run(self) -> None:
        """Deliver until nothing is under way."""
        while self.queue:
            room, sender, sealed = self.queue.popleft()
            self.posted.append((room, sender, sealed))
            self._deliver(room, sender, sealed)
            for other in self.rooms:
                if other != room and not self.drop(other, sealed):
                    self._deliver(other, RELAYS[other], sealed)
            if self.is_sealing and sealed.kind in SEALED_KINDS and sealed.identity not in self.sealed:
                self.seal(sealed)

    def seal(self, *sealed: Envelope) -> None:
        """Give envelopes their place in the order."""
        self.sealed |= {item.identity for item in sealed}
        group_id = sealed[0].group_id
        before = self.position or start_of_log(group_id, self.key.public_key, 0)
        entries = tuple(SealEntry(item.identity, b"") for item in sealed)
        content = SealContent(group_id, before.term, before.seq + 1, before.seal_hash, entries, self.now)
        self.position = content.position
        body = sign_seal(content, self.key)
        self.post(self.rooms[0], RELAYS[self.rooms[0]], envelope(EnvelopeKind.SEAL, group_id, body))

    def listen(self, name: str) -> None:
        """Give somebody who was deaf what was missed."""
        seat = self.seats[name]
        seat.deaf = False
        missed, seat.missed = seat.missed, []
        for event in missed:
            self.take(seat, event)
        self.run()

    def take(self, seat: Seat, event: RoomEvent) -> None:
        if seat.deaf:
            seat.missed.append(event)
            return
        step = Step(seat.session, self.now, self.random)
        receiving.take_event(step, event)
        receiving.do_what_is_due(step)
        self.finish(seat, step)

    def finish(self, seat: Seat, step: Step) -> None:
        seat.session = step.session
        mls.wipe(step.spent)
        seat.told += step.told
        for post in step.posts:
            self._post(seat, post)

    def _post(self, seat: Seat, post: Post) -> None:
        self.post(seat.session.room, seat.session.account, post.envelope)

    def _deliver(self, room: RoomAddress, sender: Account, sealed: Envelope) -> None:
        origin = self.origin(room, sender)
        for seat in list(self.seats.values()):
            if seat.session.room == room:
                own = sealed.identity.hex()[:40] if seat.session.account == sender else None
                self.take(seat, EnvelopeSeen(origin, sealed.encode(), transaction=own))

    def origin(self, room: RoomAddress, sender: Account) -> Origin:
        """Return where the next event of a room comes from."""
        self._events += 1
        return Origin(room, f"event-{self._events}", sender, self.now)

    def step(self, seat: Seat) -> _Hand:
        return _Hand(self, seat)

    def epochs(self) -> set[tuple[int, bytes]]:
        """Return each active member's epoch and authenticator: one, where all agree."""
        return {
            (seat.session.group.epoch, seat.session.group.epoch_authenticator)
            for seat in self.seats.values()
            if seat.session.group is not None and seat.session.is_active
        }

    def envelopes(self, kind: EnvelopeKind) -> Iterator[Envelope]:
        return (sealed for _, _, sealed in self.posted if sealed.kind == kind)


class _Hand:
    """A step made by hand."""

    def __init__(self, table: Table, seat: Seat) -> None:
        self._table = table
        self._seat = seat
        self._step = Step(seat.session, table.now, table.random)

    def __enter__(self) -> Step:
        return self._step

    def __exit__(self, *_: object) -> None:
        self._table.finish(self._seat, self._step)
