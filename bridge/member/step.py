"""A step of a member: from one session to the next, with everything that is to be written, posted and told.

Functions of this package take a `Step` and change nothing else. Whoever runs them stores the outcome in one
transaction (`bridge.member.storing`), and only then takes over the session, wipes what is spent and tells people.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeVar

import mls
from bridge.conversation import Verification
from bridge.member.environment import environment
from bridge.member.standing import firm
from bridge.protocol.authenticated_data import AuthenticatedData, LastCommit, SealHead
from bridge.protocol.code_points import Mode
from bridge.protocol.envelope import Envelope

if TYPE_CHECKING:
    from bridge.conversation import Happening
    from bridge.member.state import Held, Person, Session
    from bridge.order.supplying import Asked
    from bridge.protocol.seal import Seal
    from mls.crypto.random import Random
    from transports.room import Account

__all__ = ["Post", "Step"]

Output = TypeVar("Output")

_RANK = {level: rank for rank, level in enumerate(Verification)}
"""What vouches for a key, weakest first."""


@dataclass(frozen=True, slots=True)
class Post:
    """An envelope for the room."""

    envelope: Envelope
    purpose: str
    """For logs and figures: the kind of thing that it is."""
    fallback: str | None = None
    again: int = 0
    """How often it was posted before."""

    @property
    def transaction(self) -> str:
        """By what its server knows it from everything else that this account posts."""
        name = self.envelope.identity.hex()[:40]
        return f"{name}-{self.again}" if self.again else name


@dataclass(slots=True)
class Step:
    """One step, while it is made."""

    session: Session
    now: int
    """Milliseconds since 1970."""
    random: Random
    posts: list[Post] = field(default_factory=list)
    told: list[Happening] = field(default_factory=list)
    spent: list[mls.Secret] = field(default_factory=list)
    begins_anew: bool = False
    """Whether the group's state does not follow on the stored one: this member founded the group, or joined."""
    recorded: list[tuple[Account, bytes, Verification]] = field(default_factory=list)
    kept_seals: list[Seal] = field(default_factory=list)
    """Seals that were taken in: they are kept for those who miss them."""
    kept: dict[bytes, bytes] = field(default_factory=dict)
    """The same of the envelopes that the order has named, by identity."""
    is_to_be_compared: bool = False
    """Whether somebody waits for this member to compare numbers."""
    supplied: list[Asked] = field(default_factory=list)
    """What is to be answered out of what is kept."""

    @property
    def seconds(self) -> int:
        """The engine's time: seconds since 1970."""
        return self.now // 1000

    @property
    def environment(self) -> mls.Environment:
        """What the engine consults, under the group's own limits."""
        settings = self.session.settings
        retention = settings.retention if self.session.group is None else self.session.order.retention
        return environment(self.random, retention, settings.padding)

    @property
    def group(self) -> mls.GroupState:
        """The group's state. Only for who is in one."""
        if self.session.group is None:
            msg = "this member is in no group"
            raise mls.InternalError(msg)
        return self.session.group

    def take(self, transition: mls.Transition[Output]) -> Output:
        """Go on in the transition's state, and let its output go out with this step."""
        self.session = replace(self.session, group=transition.state)
        self.spent.extend(transition.spent)
        return transition.output

    def leave(self, made: mls.Transition[mls.Committed]) -> None:
        """Go on in the state after a Commit, and keep what leads back."""
        left = mls.leave_behind(self.group, made.state)
        self.session = replace(self.session, group=made.state, left=left)
        self.spent.extend(mls.spent_unless_kept(made.spent, left))

    def come_back(self) -> None:
        """Go back to the state before the last Commit. Only where what leads back is kept."""
        if self.session.left is None:
            msg = "there is no way back"
            raise mls.InternalError(msg)
        self.take(mls.come_back(self.group, self.session.left))
        self.session = replace(self.session, left=None)

    def forget_left(self) -> None:
        """Forget what leads back."""
        if self.session.left is not None:
            self.spent.extend(mls.forget(self.group, self.session.left))
            self.session = replace(self.session, left=None)

    def forget_coming(self) -> None:
        """Forget an external Commit of one's own that nobody has taken up."""
        if self.session.coming is not None:
            self.spent.extend(self.session.coming.secrets())
            self.session = replace(self.session, coming=None)

    def begin_anew(self, made: mls.Transition[Output]) -> Output:
        """Go on in a group whose state does not follow on the one before: founded, or joined."""
        for gone in (self.session.group, self.session.left, self.session.coming):
            if gone is not None:
                self.spent.extend(gone.secrets())
        self.session = replace(self.session, left=None, coming=None, standing=firm())
        self.recover(returning=None, behind_since=0, pending=())
        self.begins_anew = True
        return self.take(made)

    def stand(self, **changes: object) -> None:
        """Change how firmly the epoch stands."""
        self.session = replace(self.session, standing=self.session.standing.replace(**changes))

    def recover(self, **changes: object) -> None:
        """Change what is kept on the way back."""
        self.session = replace(self.session, recovery=self.session.recovery.replace(**changes))

    def remember(self, **changes: object) -> None:
        """Change what is small."""
        self.session = replace(self.session, memory=self.session.memory.replace(**changes))

    def flag(self, **changes: object) -> None:
        """Change small facts."""
        self.remember(flags=self.session.memory.flags.replace(**changes))

    def hold(self, identity: bytes, held: Held) -> None:
        """Keep an envelope for later, behind all that is kept."""
        if identity not in self.session.held:
            last = next(reversed(self.session.held.values()), None)
            placed = held.replace(place=0 if last is None else last.place + 1)
            self.session = replace(self.session, held={**self.session.held, identity: placed})

    def release(self, *identities: bytes) -> None:
        """Forget kept envelopes."""
        gone = set(identities)
        if gone & self.session.held.keys():
            kept = {identity: held for identity, held in self.session.held.items() if identity not in gone}
            self.session = replace(self.session, held=kept)

    def know(self, person: Person) -> None:
        """Put somebody into the directory."""
        self.session = replace(self.session, people={**self.session.people, person.identity: person})

    def trust(self, account: Account, key: bytes, how: Verification) -> None:
        """Record what vouches for a key; nothing where something as strong is recorded already."""
        known = self.session.trust.get((account, key))
        if known is None or _RANK[how] > _RANK[known]:
            self.session = replace(self.session, trust={**self.session.trust, (account, key): how})
            self.recorded.append((account, key, how))

    def post(self, envelope: Envelope, purpose: str, *, fallback: str | None = None, again: int = 0) -> None:
        """Put an envelope into the outbox. `again`: how often it was posted before."""
        self.posts.append(Post(envelope, purpose, fallback, again))

    def tell(self, happening: Happening) -> None:
        """Let people know."""
        self.told.append(happening)

    @property
    def authenticated_data(self) -> bytes:
        """What every message of this member says in the clear: how far it knows the log."""
        memory = self.session.memory
        if self.session.order.mode is Mode.ROOM or memory.log is None:
            return AuthenticatedData(LastCommit(memory.last_commit)).encode()
        return AuthenticatedData(SealHead(memory.log.position)).encode()
