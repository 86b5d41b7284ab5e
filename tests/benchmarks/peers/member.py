"""The calls of the interface that are measured, as the doings of one client in one group, with their times."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Self

from bridge.interop import mls_client_pb2 as pb
from bridge.interop import mls_extras_pb2 as extras
from tests.benchmarks.groups import GROUP_ID
from tests.benchmarks.peers.rows import Call

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.benchmarks.peers.rows import RowSeat

__all__ = ["Invitation", "Made", "Member"]


class Made(NamedTuple):
    """A Commit on the wire, and the Welcome if somebody is added."""

    commit: bytes
    welcome: bytes
    ns: int


class Invitation:
    """A client that has published a KeyPackage. All methods raise `SeatError`."""

    def __init__(self, seat: RowSeat, suite: int, identity: bytes) -> None:
        self._seat = seat
        self._identity = identity
        request = pb.CreateKeyPackageRequest(cipher_suite=suite, identity=identity)
        made = seat.call("CreateKeyPackage", request, pb.CreateKeyPackageResponse)
        self._transaction = made.transaction_id
        self.key_package = made.key_package

    def join(self, welcome: bytes) -> tuple[Member, bytes, int]:
        """Join by a Welcome; return the member, its epoch authenticator, and the time."""
        request = pb.JoinGroupRequest(
            transaction_id=self._transaction, welcome=welcome, encrypt_handshake=True, identity=self._identity
        )
        ((joined, ns),) = self._seat.call_row("JoinGroup", [request], pb.JoinGroupResponse)
        return Member(self._seat, joined.state_id), joined.epoch_authenticator, ns


class Member:
    """A client in a group, which sends its handshakes as PrivateMessages. All methods raise `SeatError`."""

    def __init__(self, seat: RowSeat, state: int) -> None:
        self._seat = seat
        self._state = state

    @classmethod
    def create(cls, seat: RowSeat, suite: int, identity: bytes, count: int = 1) -> list[tuple[Self, int]]:
        """Create groups of one, so many in a row; return their members, and the times."""
        request = pb.CreateGroupRequest(
            group_id=GROUP_ID, cipher_suite=suite, encrypt_handshake=True, identity=identity
        )
        created = seat.call_row("CreateGroup", [request] * count, pb.CreateGroupResponse)
        return [(cls(seat, answer.state_id), ns) for answer, ns in created]

    def commit(self, *, added: Sequence[bytes] = (), removed: bytes = b"", force_path: bool = True) -> Made:
        """Make a Commit, with a path unless that is left to the library, and leave it pending."""
        (made,) = self._seat.call_row(
            "Commit", [self._commit(added, removed, force_path=force_path)], pb.CommitResponse
        )
        return Made(made.answer.commit, made.answer.welcome, made.ns)

    def commit_and_discard(self, count: int, *, removed: bytes = b"") -> list[Made]:
        """Make Commits with a path, so many in a row, and give each one up before the next."""
        requests = [self._commit((), removed, force_path=True)] * count
        made = self._seat.call_row("Commit", requests, pb.CommitResponse, after_each=self._discard())
        return [Made(answer.commit, answer.welcome, ns) for answer, ns in made]

    def accept(self) -> bytes:
        """Put the pending Commit into effect; return the epoch authenticator."""
        request = pb.HandlePendingCommitRequest(state_id=self._state)
        entered = self._seat.call("HandlePendingCommit", request, pb.HandleCommitResponse)
        return self._enter(entered)

    def follow(self, commit: bytes) -> tuple[bytes, int]:
        """Follow somebody's Commit; return the epoch authenticator, and the time."""
        request = pb.HandleCommitRequest(state_id=self._state, commit=commit)
        ((entered, ns),) = self._seat.call_row("HandleCommit", [request], pb.HandleCommitResponse)
        return self._enter(entered), ns

    def protect(self, data: bytes, count: int = 1) -> list[tuple[bytes, int]]:
        """Send application messages, so many in a row; return them, and the times."""
        sent = self._seat.call_row("Protect", [self._protect(data)] * count, pb.ProtectResponse)
        return [(answer.ciphertext, ns) for answer, ns in sent]

    def open(self, messages: Sequence[bytes]) -> list[tuple[bytes, int]]:
        """Receive application messages in a row; return what they say, and the times."""
        requests = [pb.UnprotectRequest(state_id=self._state, ciphertext=message) for message in messages]
        opened = self._seat.call_row("Unprotect", requests, pb.UnprotectResponse)
        return [(answer.plaintext, ns) for answer, ns in opened]

    def warm_up(self, data: bytes) -> list[Call]:
        """Return the making of a Commit, which is given up, and of a message, as calls to begin rows with."""
        commit = Call("Commit", self._commit((), b"", force_path=True), pb.CommitResponse)
        return [commit, self._discard(), Call("Protect", self._protect(data), pb.ProtectResponse)]

    def free(self) -> None:
        """Have the state forgotten."""
        self._seat.call("Free", pb.FreeRequest(state_id=self._state), pb.FreeResponse)

    def _enter(self, entered: pb.HandleCommitResponse) -> bytes:
        """Go on in the next epoch. Some programs keep the old state beside it: it would pile up."""
        if entered.state_id != self._state:
            self.free()
            self._state = entered.state_id
        return entered.epoch_authenticator

    def _commit(self, added: Sequence[bytes], removed: bytes, *, force_path: bool) -> pb.CommitRequest:
        proposals = [pb.ProposalDescription(proposal_type=b"add", key_package=item) for item in added]
        if removed:
            proposals.append(pb.ProposalDescription(proposal_type=b"remove", removed_id=removed))
        return pb.CommitRequest(state_id=self._state, by_value=proposals, force_path=force_path)

    def _discard(self) -> Call:
        request = extras.DiscardPendingCommitRequest(state_id=self._state)
        return Call("DiscardPendingCommit", request, extras.DiscardPendingCommitResponse)

    def _protect(self, data: bytes) -> pb.ProtectRequest:
        return pb.ProtectRequest(state_id=self._state, plaintext=data)
