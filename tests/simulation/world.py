"""The world that a story is played in: rooms, accounts, programs, and the weather."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from contextvars import copy_context
from pathlib import Path
from typing import Any, Final

from bridge.config import Config
from bridge.config.accounts import Account as AccountSettings
from bridge.config.accounts import MatrixAccount
from bridge.conversation import (
    Join,
    Leave,
    Remove,
    Request,
    RequestRefusedError,
    Said,
    Say,
    Told,
)
from bridge.member.settings import MemberSettings
from bridge.protocol.code_points import Mode
from tests.simulation.clock import START, WorldClock
from tests.simulation.faults import disturb_archive, forge_seal, lie_about_a_key, post_junk
from tests.simulation.life import Life
from tests.simulation.old_databases import OldDatabase
from tests.simulation.people import decide
from tests.simulation.programs import BridgeProgram, MemberProgram, Program
from tests.simulation.seeding import stream
from tests.simulation.spoiling import Spoiler
from tests.simulation.story import BRIDGE, Action, Person, Place, Story, What
from tests.simulation.watching import Watch, Wish, text_number
from transports.errors import TransportError
from transports.memory import Delay, MemoryNetwork, MemoryRoom, RoomKind, RoomRules
from transports.room import Account, Network, RoomAddress

__all__ = ["MATRIX", "MUC", "World"]

MATRIX: Final = RoomAddress("matrix:roomid/tea:one")
MUC: Final = RoomAddress("xmpp:tea@muc.three")

_BRIDGES: Final = {MATRIX: Account("matrix:u/bridge:one"), MUC: Account("xmpp:bridge@three")}
_STRANGER: Final = {MATRIX: Account("matrix:u/stranger:one"), MUC: Account("xmpp:stranger@three")}
"""Who posts junk: in the room, and in no group."""

_LOOKS_EVERY: Final = 5_000
"""Milliseconds between two looks at whether all has come to rest."""

_CALM: Final = 40
"""How many looks must find nothing new: longer than any clock was set back, and any pause between two attempts."""

_HEALS_WITHIN: Final = 900_000
"""Milliseconds that everything has to come to rest, once nothing disturbs it any more."""


class World:
    """One story's. `play` plays it."""

    def __init__(self, story: Story, folder: Path, watch: Watch) -> None:
        self.story = story
        self.folder = folder
        self.watch = watch
        self.clock = WorldClock(asyncio.get_running_loop())
        watch.now = lambda: self.clock.now() - START
        self.network = MemoryNetwork(clock=self.clock, random=stream(story.seed, "network"))
        self.rooms: dict[RoomAddress, MemoryRoom] = {}
        self.members: dict[str, MemberProgram] = {}
        self.bridge: BridgeProgram | None = None
        self.left: set[str] = set()
        """Who has asked to leave, or was removed, and has not asked to come back."""
        self.put_back: set[str] = set()
        """Whose database is put back, once each: what they did meanwhile, they will not know of."""
        self.uncertain: set[str] = set()
        """Of whom somebody may have wanted that they go."""
        self.spoiler = Spoiler(watch)
        self.is_healing = False
        self._context = copy_context()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._due: list[tuple[int, Callable[[], Awaitable[None] | None]]] = []
        self._texts = 0
        self._set_up()

    # What programs ask.

    def account_of(self, settings: AccountSettings) -> Account:
        """Return the account that the bridge's configuration means."""
        return _BRIDGES[MATRIX if isinstance(settings, MatrixAccount) else MUC]

    def program(self, name: str) -> Program | None:
        """Return a program by its name."""
        return self.bridge if name == BRIDGE else self.members.get(name)

    def member_of(self, account: str) -> MemberProgram | None:
        """Return the program of an account."""
        return next((one for one in self.members.values() if one.account == account), None)

    def told(self, program: MemberProgram, told: Told) -> None:
        """Take what a member was told."""
        if self.watch.hear(program.name, told):
            decide(self, program, told.what)

    def died(self, program: Program, life: Life) -> None:
        """Bury a program, and start it again after a while."""
        self.watch.note(f"{program.name} dies")
        self.watch.count("fault", "death")
        self.spawn(self._bury(program, life))

    def spawn(self, work: Awaitable[None]) -> None:
        """Do something besides."""

        async def run() -> None:
            await work

        # Not as a part of the program that happens to run: people outlive it.
        task = asyncio.get_running_loop().create_task(run(), context=self._context.copy())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def pause(self, milliseconds: int) -> None:
        """Let some time pass."""
        await self.clock.sleep_until(self.clock.now() + milliseconds)

    # The story.

    async def play(self) -> None:
        """Play all of the story, then end all faults, and let everything come to rest."""
        if self.bridge is not None:
            self.bridge.start()
        for action in self.story.actions:
            await self._wait_until(START + action.at)
            self.watch.note(f"STORY {action}")
            self.watch.count("action", action.what.value)
            await self._act(action)
        await self._heal()
        await self._come_to_rest()

    async def stop(self) -> None:
        """End all programs."""
        for program in [*self.members.values(), *([self.bridge] if self.bridge else [])]:
            await program.stop()
        for task in sorted(self._tasks, key=hash):
            task.cancel()

    async def _wait_until(self, at: int) -> None:
        """Let time pass; do what is due on the way."""
        while self._due and self._due[0][0] <= at:
            when, undo = self._due.pop(0)
            await self.clock.sleep_until(when)
            if (work := undo()) is not None:
                await work
        await self.clock.sleep_until(at)

    def _later(self, after: int, undo: Callable[[], Awaitable[None] | None]) -> None:
        self._due.append((self.clock.now() + after, undo))
        self._due.sort(key=lambda one: one[0])

    async def _act(self, action: Action) -> None:  # noqa: C901, PLR0912 - one line for each kind
        what, amount = action.what, action.amount
        program, member = self.program(action.who), self.members.get(action.who)
        match what:
            case What.COME if member is not None:
                member.start()
            case What.SAY if member is not None:
                self._texts += 1
                self.spawn(self._say(member, text_number(self._texts)))
            case What.REMOVE if member is not None and (other := self.members.get(action.other)) is not None:
                self.spawn(self._wish(member, Remove(other.account), other))
            case What.LEAVE if member is not None:
                self.spawn(self._wish(member, Leave(), member))
            case What.RETURN if member is not None and member.name in self.left:
                self.left.discard(member.name)
                self.spawn(self._return(member))
            case What.STOP if program is not None and (life := program.life) is not None and not life.is_over:
                self.spawn(program.stop())
                self._later(amount, lambda: self._start_after(program, life))
            case What.KILL if program is not None:
                program.kill()
            case What.KILL_AT_WRITE if program is not None:
                program.dies_at(amount)
            case What.FILL_DISK if program is not None and program.lives:
                program.fill_disk()
                self._later(amount, lambda: self._clear(program))
            case What.DISCONNECT if program is not None:
                self._set_connection(program, self.network.disconnect)
                self._later(amount, lambda: self._set_connection(program, self.network.reconnect))
            case What.LOSE_ANSWERS if program is not None:
                self._set_connection(program, self.network.lose_answers)
                self._later(amount, lambda: self._set_connection(program, self.network.reconnect))
            case What.PART if self._is_federated:
                self.rooms[MATRIX].cut("one", "two")
                self._later(amount, lambda: self.rooms[MATRIX].heal("one", "two"))
            case What.REDACT | What.TRIM | What.REPEAT:
                if redacted := disturb_archive(self._room(amount), what, amount):
                    self.watch.redacted(redacted)
            case What.JUNK | What.FORGE_SEAL | What.LIE:
                self._attack(what, amount)
            case What.PUT_BACK if member is not None and member.is_running and member.name not in self.put_back:
                self.put_back.add(member.name)
                old = OldDatabase.of(member, self.watch)
                self._later(amount, lambda: self._put_back(old))
            case What.SPOIL:
                self.spoiler.wanted = amount
            case What.SET_CLOCK if program is not None:
                program.clock.ahead += amount
            case _:
                self.watch.count("action", "not possible")

    # What people do.

    async def _say(self, member: MemberProgram, text: str) -> None:
        try:
            answer = await member.ask(Say(text))
        except RequestRefusedError as error:
            self.watch.count("request refused", error.what[:60])
            return
        if isinstance(answer, Said):
            self.watch.said[text] = (member.name, answer.id)
            self.watch.note(f"{member.name} has said {text}")

    async def _wish(self, member: MemberProgram, request: Request, subject: MemberProgram) -> None:
        try:
            answer = await member.ask(request)
        except RequestRefusedError as error:
            self.watch.count("request refused", error.what[:60])
            return
        if answer is None:  # the program died over it: before it was stored, or after
            self.uncertain.add(subject.name)
        else:
            self.left.add(subject.name)
            self.watch.wishes.append(Wish(self.watch.now(), member.name, request, subject.account))
            self.watch.note(f"{member.name} wishes {request}")

    async def _return(self, member: MemberProgram) -> None:
        """Ask to be let in again, once one is out."""
        while not self.is_healing or self.watch.now() < self.story.end + _HEALS_WITHIN // 2:
            if member.name in self.left:
                return
            room = member.room
            session = room.role.session if room is not None and room.role.has_started else None
            if session is not None and session.group is not None and not session.is_active:
                with suppress(RequestRefusedError):
                    if await member.ask(Join()) is not None:
                        return
            await self.pause(2_000)

    # Faults.

    def _room(self, number: int) -> MemoryRoom:
        return self.rooms[sorted(self.rooms)[number % len(self.rooms)]]

    def _attack(self, what: What, amount: int) -> None:
        room, random = self._room(amount), stream(self.story.seed, what, self.watch.now())
        stranger = _STRANGER[room.address]
        with suppress(TransportError):
            match what:
                case What.JUNK:
                    post_junk(room, stranger, amount, random)
                case What.FORGE_SEAL:
                    forge_seal(room, stranger, random)
                case _:
                    liar = stranger if self.bridge is None else _BRIDGES[room.address]
                    lie_about_a_key(room, liar, amount, random, now=self.clock.now())

    def _clear(self, program: Program) -> None:
        program.clear_disk()
        if not program.is_running:
            program.start()

    def _put_back(self, old: OldDatabase) -> None:
        self.watch.count("fault", "an old database")
        old.put_back()

    def _set_connection(self, program: Program, change: Callable[[Account], None]) -> None:
        for account in program.accounts:
            change(account)

    async def _start_after(self, program: Program, life: Life) -> None:
        """Start a program again, once it has come to its end: that may take longer than it was to be away."""
        await program.end_of(life)
        program.start()

    async def _bury(self, program: Program, life: Life) -> None:
        await life.end_tasks()
        await self.pause(500)
        program.start()

    # How it ends.

    async def _heal(self) -> None:
        """End every fault."""
        self.watch.note("all faults end")
        due, self._due = self._due, []
        for _, undo in due:
            if (work := undo()) is not None:
                await work
        self.is_healing = True
        self.spoiler.wanted = 0
        programs = [one for one in (*self.members.values(), self.bridge) if one is not None and one.lives]
        for program in programs:
            if program.life is not None:
                program.life.disk.dies_in = None
            self._set_connection(program, self.network.reconnect)
        await self.pause(1_000)
        for program in programs:
            program.start()

    async def _come_to_rest(self) -> None:
        """Wait until nothing happens any more."""
        limit = self.clock.now() + _HEALS_WITHIN
        quiet = 0
        before: object = None
        while self.clock.now() < limit and quiet < _CALM:
            await self.pause(_LOOKS_EVERY)
            now = [len(room.events()) for room in self.rooms.values()], len(self.watch.epochs)
            quiet = quiet + 1 if now == before else 0
            before = now

    # How it begins.

    @property
    def _is_federated(self) -> bool:
        return self.story.scene.place in {Place.FEDERATED, Place.LINKED_FEDERATED}

    def _set_up(self) -> None:
        scene = self.story.scene
        place = scene.place
        addresses = {
            Place.LINKED: [MATRIX, MUC],
            Place.LINKED_FEDERATED: [MATRIX, MUC],
            Place.FEDERATED: [MATRIX],
            Place.MUC: [MUC],
            Place.ROOM: [MUC],
        }[place]
        for person in scene.people:
            self.network.add_account(person.account, server=person.server)
        for address in addresses:
            is_matrix = address is MATRIX
            bridge = [] if place is Place.ROOM else [_BRIDGES[address]]
            network = Network.MATRIX if is_matrix else Network.XMPP
            inside = [person.account for person in scene.people if person.network is network]
            servers = ("one", "two") if self._is_federated and is_matrix else ("one",)
            for account in bridge:
                self.network.add_account(account, server="one")
            self.rooms[address] = self.network.create_room(
                address,
                name="!tea:one" if is_matrix else "tea@muc.three",
                kind=RoomKind.MATRIX if is_matrix else RoomKind.MUC,
                rules=RoomRules(
                    posting=Delay(1, scene.posting),
                    federation=Delay(10, scene.federation),
                    federation_overtakes=scene.overtakes,
                    gap_events=scene.gap_events,
                ),
                servers=servers,
                members=[*bridge, *inside, _STRANGER[address]],
            )
        if place is not Place.ROOM:
            self.bridge = BridgeProgram(self, BRIDGE, _config(addresses), [_BRIDGES[one] for one in addresses])
        for number, person in enumerate(scene.people):
            self.members[person.name] = self._member(person, is_founder=number == 0)

    def _member(self, person: Person, *, is_founder: bool) -> MemberProgram:
        scene = self.story.scene
        settings = MemberSettings(
            create=is_founder,
            mode=Mode.ROOM if scene.place is Place.ROOM else Mode.SEALED,
            stagger=scene.stagger,
            update_messages=scene.update_messages,
        )
        room = MATRIX if person.network is Network.MATRIX else MUC
        return MemberProgram(self, person.name, person.account, room, settings)


def _config(addresses: list[RoomAddress]) -> Config:
    """Return what a bridge of these rooms has for a configuration; the first is its home."""
    login = {"password": {"file": "password"}}
    accounts = {
        MATRIX: ("hs", "!tea:one", {"network": "matrix", "homeserver": "http://localhost:1", "user": "@bridge:one"}),
        MUC: ("muc", "tea@muc.three", {"network": "xmpp", "jid": "bridge@three"}),
    }
    used = [accounts[address] for address in addresses]
    return Config.model_validate(
        {
            "store": {"path": "bridge.db", "key": {"file": "key"}},
            "health": {"listen": None},
            "accounts": {name: {**settings, "login": login} for name, _, settings in used},
            "rooms": {
                "tea": {
                    "sides": [{"account": name, "room": room} for name, room, _ in used],
                    "home": used[0][0],
                    "relay": len(used) > 1,
                    "sequencer": True,
                }
            },
        }
    )
