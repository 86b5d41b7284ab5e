"""What everybody was told, posted and encrypted: what properties are checked against. Watches, and changes nothing."""

from __future__ import annotations

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import structlog

import mls
from bridge.content import MessageId
from bridge.conversation import MessageArrived, Request, Told
from bridge.member.role import MemberRole
from bridge.protocol.code_points import EnvelopeKind
from bridge.protocol.envelope import Envelope, open_envelope
from bridge.protocol.errors import ProtocolError
from bridge.protocol.identity import Identity, identity_of_credential
from mls.crypto.aead import Aead
from tests.simulation.life import LIFE
from tests.simulation.replacing import replaced
from transports.memory import MemoryRoom

if TYPE_CHECKING:
    from bridge.member.state import Session
    from tests.simulation.programs import MemberProgram
    from transports.room import Account

__all__ = ["Encryption", "Epoch", "Watch", "Wish", "text_number", "watching"]

_FOLDER: Final = re.compile(r"\S*mls-bridge-simulation-[^/]*/")
"""What is another one in each run."""

_TEXT: Final = re.compile(rb"message (\d+) of this story")


def text_number(number: int) -> str:
    """Return a text that nothing else contains."""
    return f"message {number:06d} of this story"


@dataclass(frozen=True, slots=True)
class Epoch:
    """What two members of one epoch must agree on."""

    authenticator: bytes
    roster: frozenset[tuple[Identity, bytes]]
    """Identities and signature keys."""

    @property
    def accounts(self) -> frozenset[str]:
        """Who is in it."""
        return frozenset(identity.account for identity, _ in self.roster)


@dataclass(frozen=True, slots=True)
class Encryption:
    """One time that a text was encrypted."""

    text: str
    sender: str
    group_id: bytes
    epoch: int
    accounts: frozenset[str]
    """Who could read it."""
    ciphertext: bytes
    """A hash of the MLSMessage."""


@dataclass(frozen=True, slots=True)
class Wish:
    """Something that a member's program has promised its person to do."""

    at: int
    by: str
    request: Request
    subject: Account | None


@dataclass
class Watch:
    """One run's observations."""

    now: Callable[[], int] = lambda: 0
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    violations: list[tuple[str, str]] = field(default_factory=list)
    """Names of properties, and what contradicts them."""
    epochs: dict[tuple[bytes, int], Epoch] = field(default_factory=dict)
    first_in: dict[tuple[bytes, int], str] = field(default_factory=dict)
    entered: dict[str, list[tuple[int, bytes, int]]] = field(default_factory=lambda: defaultdict(list))
    """When each member entered which epoch."""
    said: dict[str, tuple[str, MessageId]] = field(default_factory=dict)
    """Texts: who said them, and under which id."""
    encryptions: dict[str, list[Encryption]] = field(default_factory=lambda: defaultdict(list))
    posted: set[bytes] = field(default_factory=set)
    """Hashes of the MLSMessages that stood in some room."""
    taken_out: set[bytes] = field(default_factory=set)
    """Which of them were redacted."""
    arrived: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    """How often each member was told each text."""
    told: dict[str, list[Told]] = field(default_factory=lambda: defaultdict(list))
    wishes: list[Wish] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    """The trace."""
    _unsettled: dict[str, tuple[tuple[bytes, int], Epoch]] = field(default_factory=dict)
    _last: dict[str, int] = field(default_factory=dict)
    _keys: dict[bytes, tuple[bytes, bytes]] = field(default_factory=dict)
    _reused: dict[bytes, set[bytes]] = field(default_factory=dict)
    _bodies: list[bytes] = field(default_factory=list)
    _trace: Any = field(default_factory=hashlib.sha256)

    def note(self, line: str) -> None:
        """Write a line into the trace."""
        line = f"{self.now() / 1000:10.3f} {line}"
        self.lines.append(line)
        self._trace.update(line.encode() + b"\n")

    @property
    def trace_hash(self) -> str:
        """What two runs of one seed have in common: everything that was noted, in its order."""
        return str(self._trace.hexdigest())

    def count(self, kind: str, what: str) -> None:
        """Count something for the coverage."""
        self.counts[kind, what] += 1

    def violated(self, name: str, what: str) -> None:
        """Note that a property does not hold. The same is noted once."""
        if (name, what) not in self.violations:
            what = _FOLDER.sub("", what)
            self.violations.append((name, what))
            self.note(f"VIOLATION of {name}: {what}")

    def program_failed(self, name: str, error: Exception) -> None:
        """Note that a program has ended, and nobody wanted it."""
        self.violated("programs run", f"{name} ended: {type(error).__name__}: {error}")

    def opened(self, program: MemberProgram, role: MemberRole) -> None:
        """Note that a member's program runs, with what its store holds."""
        self.session(program.name, role.session)

    def session(self, name: str, session: Session) -> None:
        """Look at what a member has stored."""
        group = session.group
        if group is None or group.status is not mls.Status.ACTIVE:
            return
        key = group.group_id, group.epoch
        roster = frozenset((identity, signature_key) for _, identity, signature_key in session.members())
        epoch = Epoch(group.epoch_authenticator, roster)
        if session.standing.unsettled is not None:
            self._unsettled[name] = key, epoch  # it may turn out never to have been
            return
        history = self.entered[name]
        if history and history[-1][1:] == key:
            return
        if name in self._unsettled and self._unsettled[name][0] == (group.group_id, group.epoch - 1):
            passed, was = self._unsettled.pop(name)  # it was final, and is over already
            history.append((self.now(), *passed))
            self.epochs.setdefault(passed, was)
        history.append((self.now(), *key))
        known = self.epochs.setdefault(key, epoch)
        self.first_in.setdefault(key, name)
        self.note(f"{name} enters epoch {group.epoch} ({len(roster)} members) {epoch.authenticator.hex()[:8]}")
        if known != epoch:
            other = self.first_in[key]
            self.violated("one history", f"{name} and {other} are in different epochs {group.epoch}")

    def hear(self, name: str, told: Told) -> bool:
        """Take what a member was told; returns whether it is new."""
        if told.position is not None:
            if told.position <= self._last.get(name, -1):
                self.count("happening", "told again")
                return False
            self._last[name] = told.position
        self.told[name].append(told)
        self.count("happening", type(told.what).__name__)
        self.note(f"{name} is told {_short(told.what)}")
        if isinstance(told.what, MessageArrived):
            self.arrived[name][told.what.text] += 1
            if self.arrived[name][told.what.text] > 1:
                self.violated("delivered once", f"{name} was told twice: {told.what.text}")
        return True

    def last_told(self, name: str) -> int:
        """Return the position of what a member was told last."""
        return self._last.get(name, -1)

    def knows_no_better(self, name: str, arrived: Counter[str], last: int) -> None:
        """Take note that a member's program has forgotten what it told after this."""
        self.arrived[name] = arrived
        self._last[name] = last

    def encrypted(self, state: mls.GroupState, content: bytes, message: bytes) -> None:
        """Note that a text was encrypted."""
        found = _TEXT.search(content)
        if found is None:
            return
        accounts = frozenset(str(identity_of_credential(leaf.credential).account) for _, leaf in state.members())
        life = LIFE.get(None)
        sender = "" if life is None else life.name
        text = found[0].decode()
        made = Encryption(text, sender, state.group_id, state.epoch, accounts, hashlib.sha256(message).digest())
        self.encryptions[text].append(made)

    def seen_in_room(self, account: str, envelope: bytes) -> None:
        """Note that an envelope stands in a room."""
        self._bodies.append(envelope)
        if _TEXT.search(envelope) is not None:
            self.violated("ciphertext alone", f"{account} posted a text that is not encrypted")
        try:
            opened = open_envelope(envelope)
        except ProtocolError:
            return
        self.count("posted", _kind_of(opened))
        if opened.kind == EnvelopeKind.APPLICATION:
            self.posted.add(hashlib.sha256(opened.body).digest())

    def redacted(self, envelope: bytes) -> None:
        """Note that an envelope was taken out of a room: a room may do that to what people say."""
        with suppress(ProtocolError):
            opened = open_envelope(envelope)
            if opened.kind == EnvelopeKind.APPLICATION:
                self.taken_out.add(hashlib.sha256(opened.body).digest())
            self.count("redacted", _kind_of(opened))

    def sealed_with(self, key: bytes, nonce: bytes, ciphertext: bytes) -> None:
        """Note that something was encrypted."""
        known = self._keys.setdefault(key, (nonce, ciphertext))
        if known[1] != ciphertext:
            self._reused.setdefault(key, {known[1]}).add(ciphertext)

    def check_keys(self) -> None:
        """Hold what was encrypted against what was posted: a step that was undone may use its key again."""
        for ciphertexts in self._reused.values():
            out = [one for one in sorted(ciphertexts) if any(one in body for body in self._bodies)]
            if len(out) > 1:
                self.violated("keys once", f"{len(out)} ciphertexts of one key were posted")

    def logged(self, event: dict[str, Any]) -> None:
        """Take a line of a program's log."""
        level, what = str(event.get("level")), str(event.get("event"))
        life = LIFE.get(None)
        name = "?" if life is None else life.name
        self.count(f"log {level}", what)
        if event.get("exc_info") and life is not None and not life.disk.is_dead and not life.disk.is_full:
            error = event["exc_info"]
            shown = f"{type(error).__name__}: {error}" if isinstance(error, BaseException) else _current_error()
            self.violated("no fault of ours", f"{name}: {what}: {shown}")
        reason = _FOLDER.sub("", str(event.get("reason", "")))
        self.note(f"{name} logs {what} {reason}")


def _kind_of(opened: Envelope) -> str:
    known = opened.kind in EnvelopeKind.__members__.values()
    return EnvelopeKind(opened.kind).name.lower() if known else "of no known kind"


def _current_error() -> str:
    import sys  # noqa: PLC0415 - for this alone
    import traceback  # noqa: PLC0415 - the same

    error = sys.exc_info()[1]
    if error is None:
        return ""
    last = traceback.extract_tb(error.__traceback__)[-3:]
    where = " <- ".join(f"{frame.filename.rsplit('/', 1)[-1]}:{frame.lineno}" for frame in reversed(last))
    return f"{type(error).__name__}: {error} at {where}"


def _short(what: object) -> str:
    text = str(what)
    return re.sub(r"b'[^']*'", "b..", text)[:160]


@contextmanager
def watching(watch: Watch) -> Iterator[None]:
    """Watch everything that happens within this block, in all programs."""
    seal, protect, finish, post = Aead.seal, mls.protect, MemberRole._finish, MemoryRoom.post_envelope

    def watched_seal(self: Aead, key: bytes | bytearray, nonce: bytes, plaintext: bytes, aad: bytes) -> bytes:
        ciphertext = seal(self, key, nonce, plaintext, aad)
        watch.sealed_with(bytes(key), nonce, ciphertext)
        return ciphertext

    def watched_protect(state: mls.GroupState, environment: mls.Environment, data: bytes, **options: Any) -> Any:  # noqa: ANN401
        made = protect(state, environment, data, **options)
        watch.encrypted(state, data, made.output.encode())
        return made

    async def watched_finish(self: MemberRole, *arguments: Any) -> Any:  # noqa: ANN401
        after = await finish(self, *arguments)

        def take_over() -> None:
            after()
            watch.session(LIFE.get().name, self.session)

        return take_over

    def watched_post(self: MemoryRoom, account: Account, envelope: bytes, **options: Any) -> str:  # noqa: ANN401
        number = post(self, account, envelope, **options)
        watch.seen_in_room(account, envelope)
        return number

    configuration = structlog.get_config()
    structlog.configure(
        processors=[structlog.processors.add_log_level, _Tap(watch)],
        wrapper_class=structlog.make_filtering_bound_logger(20),
        logger_factory=structlog.ReturnLoggerFactory(),
        cache_logger_on_first_use=False,
    )
    looking_on = (
        replaced(Aead, seal=watched_seal),
        replaced(mls, protect=watched_protect),
        replaced(MemberRole, _finish=watched_finish),
        replaced(MemoryRoom, post_envelope=watched_post),
    )
    with ExitStack() as stack:
        for one in looking_on:
            stack.enter_context(one)
        try:
            yield
        finally:
            structlog.configure(**configuration)


class _Tap:
    """Takes log lines, and hands none on."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch

    def __call__(self, _logger: object, _method: str, event: structlog.typing.EventDict) -> str:
        self._watch.logged(dict(event))
        return ""
