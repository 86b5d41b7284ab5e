"""A script as it runs: who sits where, who is in which state, what the steps have left, and who agrees with whom."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, TypeVar

from bridge.interop import mls_client_pb2 as pb
from tests.interop.agreement import difference, odd_one_out
from tests.interop.parsing import ScriptError
from tests.interop.parts import Product
from tests.interop.seats import BROKEN, Code, SeatError
from tests.interop.transcript import Transcript

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from random import Random

    from google.protobuf.message import Message

    from tests.interop.parts import Actor
    from tests.interop.seats import Seat

__all__ = ["Fault", "Result", "Stage"]

EXPORTED = 32
"""In bytes: the length of the secret that all members export after each Commit."""

STANDARD = frozenset(range(1, 8))
"""The suites of RFC 9420. Code points beyond them mean one thing here and another there."""

M = TypeVar("M", bound="Message")


class Result(StrEnum):
    """What came of a script."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_OFFERED = "not offered"


class Fault(Exception):  # noqa: N818 - whose fault it is, not an error of ours
    """The script cannot go on."""

    def __init__(self, reason: str, at_fault: str | None, result: Result = Result.FAILED) -> None:
        super().__init__(reason)
        self.reason = reason
        self.at_fault = at_fault
        self.result = result


@dataclass
class _Epoch:
    """An epoch, and what those who have come into it say that it is."""

    authenticators: dict[Actor, bytes] = field(default_factory=dict)
    exported: dict[Actor, bytes] = field(default_factory=dict)


class Stage:
    """The state of a script that runs. One script, one stage."""

    def __init__(
        self, casting: Mapping[Actor, Seat], *, suite: int, encrypt_handshake: bool, random: Random, seconds: float
    ) -> None:
        self.suite = suite
        """Of what is created from now on: a reinitialization changes it."""
        self.encrypt_handshake = encrypt_handshake
        self.random = random
        self.step = 0
        self.group_id = b""
        self.transcript = Transcript()
        self.transactions: dict[Actor, int] = {}
        self.signers: dict[Actor, int] = {}
        """The id of each external signer; its position here is its index in the group's list of external senders."""
        self.pending: dict[Actor, int] = {}
        """The step at which each actor has made the Commit that it has pending."""
        self.sent: dict[int, tuple[bytes, bytes]] = {}
        """The authenticated data and the plaintext that somebody protected at a step."""
        self._casting = casting
        self._seconds = seconds
        self._deadline = time.monotonic() + seconds
        self._states: dict[Actor, int] = {}
        self._products: dict[tuple[int, Product], bytes] = {}
        self._psks: dict[int, pb.PreSharedKey] = {}
        self._welcomes: dict[int, tuple[bytes, bytes]] = {}
        self._epochs: dict[int, _Epoch] = {}
        self._unsettled: set[int] = set()
        self._used: dict[tuple[str, int], Seat] = {}
        self._broken: set[str] = set()
        self._spent: dict[str, float] = {}

    # --- Calls ---

    def seat(self, actor: Actor) -> str:
        return self._cast(actor).name

    def call(self, actor: Actor, rpc: str, request: Message, answer: type[M]) -> M:
        """Ask the seat of an actor. Raises `Fault`."""
        try:
            return self.attempt(actor, rpc, request, answer)
        except SeatError as error:
            result = Result.NOT_OFFERED if error.code is Code.UNIMPLEMENTED else Result.FAILED
            seat = self.seat(actor)
            raise Fault(f"{actor} ({seat}), {rpc}: {error}", seat, result) from error

    def attempt(self, actor: Actor, rpc: str, request: Message, answer: type[M]) -> M:
        """Ask the seat of an actor. Raises `SeatError`; `Fault` if the script's time is over."""
        if time.monotonic() > self._deadline:
            slowest = max(self._spent, key=lambda name: self._spent[name], default=None)
            spent = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in sorted(self._spent.items()))
            calls = self.transcript.count
            raise Fault(f"not done within {self._seconds:g} s, after {calls} calls ({spent})", slowest)
        seat = self._cast(actor)
        begun = time.monotonic()
        outcome: M | SeatError | None = None
        try:
            outcome = seat.call(rpc, request, answer)
        except SeatError as error:
            outcome = error
            if error.code in BROKEN:
                self._broken.add(seat.name)
            raise
        else:
            return outcome
        finally:
            seconds = time.monotonic() - begun
            self._spent[seat.name] = self._spent.get(seat.name, 0) + seconds
            if outcome is not None:
                self.transcript.note(self.step, actor, seat.name, rpc, request, outcome, seconds)

    def one_of_each_seat(self) -> list[Actor]:
        """Return an actor for each seat that takes part."""
        return list({seat.name: actor for actor, seat in self._casting.items()}.values())

    def _cast(self, actor: Actor) -> Seat:
        if actor not in self._casting:
            raise ScriptError(f"step {self.step}: nobody plays {actor}")
        return self._casting[actor]

    # --- States ---

    def state(self, actor: Actor) -> int:
        """The id of an actor's current state."""
        if actor not in self._states:
            raise ScriptError(f"step {self.step}: {actor} is in no group")
        return self._states[actor]

    def transaction(self, actor: Actor) -> int:
        """The id that came with the key package that an actor has made last."""
        if actor not in self.transactions:
            raise ScriptError(f"step {self.step}: {actor} has made no key package")
        return self.transactions[actor]

    def has_state(self, actor: Actor) -> bool:
        return actor in self._states

    def enter(self, actor: Actor, state: int, authenticator: bytes | None = None, *, epoch: int | None = None) -> None:
        """Note an actor's new state. Unless it is alone, it says the authenticator of the epoch that a step began."""
        seat = self._cast(actor)
        self._states[actor] = state
        self._used[seat.name, state] = seat
        if authenticator is not None:
            number = self.step if epoch is None else epoch
            self._epochs.setdefault(number, _Epoch()).authenticators[actor] = authenticator
            self._unsettled.add(number)

    def free(self) -> None:
        """Let the seats forget every state of this script, as far as they still answer."""
        for (name, state), seat in self._used.items():
            if name not in self._broken:
                try:
                    seat.call("Free", pb.FreeRequest(state_id=state), pb.FreeResponse)
                except SeatError as error:
                    # Which of the older states are there still is the seat's own business.
                    if error.code in BROKEN:
                        self._broken.add(name)

    # --- Products of steps ---

    def leave(self, actor: Actor, product: Product, data: bytes) -> None:
        """Keep what an actor has made in the current step. Raises `Fault`."""
        if not data:
            seat = self.seat(actor)
            raise Fault(f"{actor} ({seat}) has made an empty {product.value}", seat)
        self._products[self.step, product] = data

    def left(self, step: int, product: Product) -> bytes:
        return self._products[step, product]

    def all_left(self, steps: Iterable[int], product: Product) -> list[bytes]:
        return [self.left(step, product) for step in steps]

    def leave_welcome(self, welcome: bytes, ratchet_tree: bytes) -> None:
        self._welcomes[self.step] = welcome, ratchet_tree

    def left_welcome(self, step: int) -> tuple[bytes, bytes]:
        """The Welcome of the Commit that a step has made, and its tree if that is not in it."""
        return self._welcomes.get(step, (b"", b""))

    def leave_psk(self, psk_id: bytes, secret: bytes) -> None:
        self._products[self.step, Product.PSK] = psk_id
        self._psks[self.step] = pb.PreSharedKey(psk_id=psk_id, psk_secret=secret)

    def left_psk(self, step: int) -> pb.PreSharedKey:
        return self._psks[step]

    # --- Successors ---

    def next_group_id(self, *, changed: bool) -> bytes:
        """The id of the group that this one is to become by reinitialization."""
        return self.group_id + b"++" if changed else self.group_id

    def change_suite(self) -> None:
        """Choose another suite that all seats have. Raises `Fault` if there is none."""
        supported = set(STANDARD)
        for actor in self.one_of_each_seat():
            request = pb.SupportedCiphersuitesRequest()
            supported &= set(
                self.call(actor, "SupportedCiphersuites", request, pb.SupportedCiphersuitesResponse).ciphersuites
            )
        others = sorted(supported - {self.suite})
        if not others:
            raise Fault("the seats have no second cipher suite in common", None, Result.NOT_OFFERED)
        self.suite = self.random.choice(others)

    # --- Agreement ---

    def settle(self) -> None:
        """Compare all those who are in one epoch, if somebody has come into it. Raises `Fault`."""
        for number in self._unsettled:
            epoch = self._epochs[number]
            self.compare("epoch authenticator", epoch.authenticators)
            for actor in [actor for actor in epoch.authenticators if actor not in epoch.exported]:
                epoch.exported[actor] = self.export(actor, "interop", number.to_bytes(4), EXPORTED)
            self.compare("exported secret", epoch.exported)
        self._unsettled.clear()

    def export(self, actor: Actor, label: str, context: bytes, length: int) -> bytes:
        """Return what an actor exports. Raises `Fault`, for a secret of another length, too."""
        request = pb.ExportRequest(state_id=self.state(actor), label=label, context=context, key_length=length)
        exported = self.call(actor, "Export", request, pb.ExportResponse).exported_secret
        if len(exported) != length:
            seat = self.seat(actor)
            raise Fault(f"{actor} ({seat}) exports {len(exported)} bytes instead of {length}", seat)
        return exported

    def compare(self, what: str, values: Mapping[Actor, bytes]) -> None:
        """Demand that all have the same, and have something. Raises `Fault`."""
        seats = {actor: self.seat(actor) for actor in values}
        for actor, value in values.items():
            if not value:
                raise Fault(f"{actor} ({seats[actor]}) says no {what}", seats[actor])
        differing = difference(values, seats)
        if differing is not None:
            raise Fault(f"{what}: {differing}", odd_one_out(values, seats))
