"""What makes a script fail: answers that do not agree, seats that break down, and time that runs out."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import pytest

from bridge.interop import mls_client_pb2 as pb
from bridge.interop.errors import CallError
from bridge.interop.host import Host
from bridge.interop.service import Service
from tests.interop.interpreter import Outcome, Result, play
from tests.interop.library import all_scripts
from tests.interop.parsing import ScriptError, parse
from tests.interop.seats import Code, GrpcSeat, PipeSeat, SeatError
from tests.interop.wrong.liar import Liar, emptied

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from google.protobuf.message import Message

    from tests.interop.scripts import Script
    from tests.interop.seats import Seat

ROOT = Path(__file__).parents[2]
PIPE_PROGRAM = str(Path(__file__).with_name("wrong") / "pipe_program.py")
SCRIPTS = {script.name: script for script in all_scripts()}

SLACK = 10
"""In seconds: how much later than its limit a script may come to its end on a busy machine."""

M = TypeVar("M", bound="Message")


class Here:
    """A seat in this process, with the calls that it was asked."""

    def __init__(self, name: str, service: Service | None = None) -> None:
        self.name = name
        self.calls: list[tuple[str, Message]] = []
        self._service = service or Service(Host())

    def call(self, rpc: str, request: Message, answer: type[M]) -> M:
        self.calls.append((rpc, request))
        make = self._service.prepare(rpc, lambda message: message.ParseFromString(request.SerializeToString()))
        try:
            return answer.FromString(make().SerializeToString())
        except CallError as error:
            raise SeatError(Code(error.code), error.reason) from error

    def close(self) -> None:
        pass


def lying(rpc: str, field: str, **how: Callable[[bytes], bytes]) -> Here:
    return Here("liar", Liar(rpc, field, **how))


def played(script: Script, *seats: Seat, seed: int = 0, seconds: float = 60) -> Outcome:
    """Play a script whose actors take the seats in turn."""
    casting = {actor: seats[index % len(seats)] for index, actor in enumerate(script.actors)}
    return play(script, casting, suite=1, encrypt_handshake=True, seed=seed, seconds=seconds)


def script(*steps: object) -> Script:
    return parse("file", json.dumps({"scripts": {"name": steps}}).encode())[0]


@pytest.fixture
def keep() -> Iterator[Callable[[Seat], Seat]]:
    """Closes at the end what is handed to it."""
    seats: list[Seat] = []

    def note(seat: Seat) -> Seat:
        seats.append(seat)
        return seat

    yield note
    for seat in seats:
        seat.close()


# --- Disagreement ---


@pytest.mark.parametrize(
    "name, rpc, field, reason",
    [
        ("commit/empty", "JoinGroup", "epoch_authenticator", "step 0: epoch authenticator: alice (ours): "),
        ("commit/empty", "HandleCommit", "epoch_authenticator", "step 1: epoch authenticator: alice (ours): "),
        ("commit/empty", "Export", "exported_secret", "step 0: exported secret: alice (ours): "),
        ("external_join/normal", "ExternalJoin", "epoch_authenticator", "step 1: epoch authenticator: bob (liar): "),
        ("exporting/in_many_ways", "StateAuth", "state_auth_secret", "step 1: epoch authenticator: "),
        ("branch/base", "HandleBranch", "epoch_authenticator", "step 1: epoch authenticator: "),
        (
            "reinit/change_group_id",
            "HandlePendingReInitCommit",
            "epoch_authenticator",
            "epoch authenticator of the group",
        ),
        ("reinit/change_group_id", "HandleReInitCommit", "epoch_authenticator", "epoch authenticator of the group"),
        ("reinit/change_group_id", "HandleReInitWelcome", "epoch_authenticator", "step 1: epoch authenticator: "),
    ],
)
def test_a_disagreement_fails(name: str, rpc: str, field: str, reason: str) -> None:
    outcome = played(SCRIPTS[name], Here("ours"), lying(rpc, field))

    assert outcome.result is Result.FAILED
    assert reason in outcome.reason


def test_a_wrong_authenticator_of_the_committer_fails() -> None:
    outcome = played(SCRIPTS["commit/empty"], lying("HandlePendingCommit", "epoch_authenticator"), Here("ours"))

    assert outcome.result is Result.FAILED
    assert outcome.reason.startswith("step 0: epoch authenticator: alice (liar): ")


@pytest.mark.parametrize("rpc, field", [("JoinGroup", "epoch_authenticator"), ("Export", "exported_secret")])
def test_of_three_seats_the_one_that_disagrees_is_at_fault(rpc: str, field: str) -> None:
    outcome = played(SCRIPTS["racing/lost_race"], Here("ours"), Here("other"), lying(rpc, field))

    assert outcome.result is Result.FAILED
    assert outcome.at_fault == "liar"


@pytest.mark.parametrize(
    "rpc, field, reason",
    [
        ("JoinGroup", "epoch_authenticator", "step 0: bob (liar) says no epoch authenticator"),
        ("Export", "exported_secret", "step 0: bob (liar) exports 0 bytes instead of 32"),
    ],
)
def test_a_missing_answer_fails(rpc: str, field: str, reason: str) -> None:
    outcome = played(SCRIPTS["commit/empty"], Here("ours"), lying(rpc, field, lie=emptied))

    assert (outcome.result, outcome.at_fault, outcome.reason) == (Result.FAILED, "liar", reason)


@pytest.mark.parametrize(
    "field, reason",
    [
        ("plaintext", "step 4: bob (liar) reads other plaintext: b'hello world 0' instead of b'hello world 1'"),
        ("authenticated_data", "step 4: bob (liar) reads other authenticated data: b'btw0' instead of b'btw1'"),
    ],
)
def test_a_message_read_wrongly_fails(field: str, reason: str) -> None:
    outcome = played(SCRIPTS["application/in_order"], Here("ours"), lying("Unprotect", field))

    assert (outcome.result, outcome.at_fault, outcome.reason) == (Result.FAILED, "liar", reason)


def test_what_everybody_reads_is_compared_when_all_talk() -> None:
    talk = script(
        {"action": "createGroup", "actor": "alice", "members": ["bob"]}, {"action": "talk", "members": ["alice", "bob"]}
    )

    assert played(talk, Here("ours"), Here("other")).result is Result.PASSED
    assert played(talk, Here("ours"), lying("Unprotect", "authenticated_data")).at_fault == "liar"


def test_a_message_that_cannot_be_read_names_who_cannot_read_it() -> None:
    outcome = played(SCRIPTS["application/in_order"], lying("Protect", "ciphertext"), Here("ours"))

    assert (outcome.result, outcome.at_fault) == (Result.FAILED, "ours")
    assert outcome.reason.startswith("step 4: bob (ours), Unprotect: FAILED_PRECONDITION: ")
    assert [call.rpc for call in outcome.transcript[-4:]] == ["Protect", "Protect", "Protect", "Unprotect"]


@pytest.mark.parametrize("rpc, field", [("Commit", "commit"), ("CreateKeyPackage", "key_package")])
def test_an_empty_product_fails(rpc: str, field: str) -> None:
    outcome = played(SCRIPTS["welcome_join/no_path_secret"], *(lying(rpc, field, lie=emptied),))

    assert (outcome.result, outcome.at_fault) == (Result.FAILED, "liar")
    assert "has made an empty" in outcome.reason


def test_opening_what_must_not_open_fails() -> None:
    twice = script(
        {"action": "createGroup", "actor": "alice", "members": ["bob"]},
        {"action": "protect", "actor": "alice", "plaintext": "once"},
        {"action": "cannotUnprotect", "actor": "bob", "ciphertext": 1},
    )

    outcome = played(twice, Here("ours"), Here("other"))

    assert (outcome.result, outcome.at_fault) == (Result.FAILED, "other")
    assert outcome.reason == "step 2: bob (other) opens what it must not be able to open"


def test_not_opening_for_another_reason_fails_too(keep: Callable[[Seat], Seat]) -> None:
    removed = SCRIPTS["talking/replayed"]
    broken = keep(PipeSeat.start("wrong", [sys.executable, "-I", PIPE_PROGRAM, "die"]))

    class Breaking(Here):
        """Ours, until a message comes for the second time."""

        def call(self, rpc: str, request: Message, answer: type[M]) -> M:
            seen = any(earlier == (rpc, request) for earlier in self.calls)
            return (
                broken.call(rpc, request, answer) if seen and rpc == "Unprotect" else super().call(rpc, request, answer)
            )

    outcome = played(removed, Here("ours"), Breaking("wrong"))

    assert (outcome.result, outcome.at_fault) == (Result.FAILED, "wrong")
    assert outcome.reason.startswith("step 3: bob (wrong), Unprotect of what it must not open: DIED: ")


@pytest.mark.parametrize("channel", ["pipe", "grpc"])
def test_a_liar_in_a_program_of_its_own_is_found(keep: Callable[[Seat], Seat], channel: str) -> None:
    command = [sys.executable, "-m", "tests.interop.wrong.liar", channel, "Unprotect", "plaintext"]
    start = PipeSeat.start if channel == "pipe" else GrpcSeat.start
    outcome = played(SCRIPTS["application/in_order"], Here("ours"), keep(start("liar", command, directory=ROOT)))

    assert (outcome.result, outcome.at_fault) == (Result.FAILED, "liar")
    assert "reads other plaintext" in outcome.reason


# --- Break-downs ---


@pytest.mark.parametrize(
    "ways, reason",
    [
        (["die"], "step 0: bob (wrong), CreateKeyPackage: DIED: exited with 3"),
        (["hang"], "step 0: bob (wrong), CreateKeyPackage: TIMEOUT: no answer within 0.5 s"),
        (["not JSON"], "step 0: bob (wrong), CreateKeyPackage: NONSENSE: not JSON"),
        (["good"], "step 0: bob (wrong), CreateKeyPackage: NONSENSE: not a CreateKeyPackageResponse"),
        (["refused"], "step 0: bob (wrong), CreateKeyPackage: FAILED_PRECONDITION: no"),
    ],
)
def test_a_seat_that_breaks_down_fails_its_script_alone(
    keep: Callable[[Seat], Seat], ways: list[str], reason: str
) -> None:
    ours = Here("ours")
    seconds = 0.5 if ways == ["hang"] else 60
    wrong = keep(PipeSeat.start("wrong", [sys.executable, "-I", PIPE_PROGRAM, *ways], seconds=seconds))
    begun = time.monotonic()

    outcome = played(SCRIPTS["commit/empty"], ours, wrong)

    assert time.monotonic() - begun < SLACK
    assert (outcome.result, outcome.at_fault) == (Result.FAILED, "wrong")
    assert outcome.reason.startswith(reason)
    assert [(call.seat, call.rpc) for call in outcome.transcript] == [
        ("ours", "CreateGroup"),
        ("wrong", "CreateKeyPackage"),
    ]
    assert outcome.transcript[0].response == {"state_id": 1}
    assert outcome.transcript[0].error is None
    assert outcome.transcript[1].response is None
    assert outcome.reason.endswith(f"CreateKeyPackage: {outcome.transcript[1].error}")
    assert played(SCRIPTS["commit/empty"], ours, Here("other")).result is Result.PASSED


def test_what_is_not_offered_is_no_failure(keep: Callable[[Seat], Seat]) -> None:
    lacking = keep(PipeSeat.start("lacking", [sys.executable, "-I", PIPE_PROGRAM, "unimplemented"]))

    outcome = played(SCRIPTS["commit/empty"], Here("ours"), lacking)

    assert (outcome.result, outcome.at_fault) == (Result.NOT_OFFERED, "lacking")
    assert outcome.reason == "step 0: bob (lacking), CreateKeyPackage: UNIMPLEMENTED: no such thing"


def test_nobody_leaves_by_self_remove_where_one_seat_has_it_not() -> None:
    class Older(Here):
        def call(self, rpc: str, request: Message, answer: type[M]) -> M:
            if rpc == "SelfRemoveProposal":
                raise SeatError(Code.UNIMPLEMENTED, "too new")
            return super().call(rpc, request, answer)

    outcome = played(SCRIPTS["leaving/by_self_remove"], Older("older"), Here("ours"))

    assert (outcome.result, outcome.at_fault) == (Result.NOT_OFFERED, "older")
    assert "SelfRemoveProposal: UNIMPLEMENTED: too new" in outcome.reason
    assert played(SCRIPTS["leaving/by_self_remove"], Here("other"), Here("ours")).result is Result.PASSED


def test_without_a_second_suite_a_change_of_suites_is_not_offered() -> None:
    class Single(Here):
        def call(self, rpc: str, request: Message, answer: type[M]) -> M:
            response = super().call(rpc, request, answer)
            if isinstance(response, pb.SupportedCiphersuitesResponse):
                response.ciphersuites[:] = [1, 0xF007]
            return response

    outcome = played(SCRIPTS["reinit/change_ciphersuite"], Here("ours"), Single("single"))

    assert outcome.result is Result.NOT_OFFERED
    assert outcome.reason == "step 1: the seats have no second cipher suite in common"


def test_a_script_ends_when_its_time_is_over() -> None:
    begun = time.monotonic()

    outcome = played(SCRIPTS["big/thirty_by_one_commit"], Here("ours"), Here("other"), seconds=0.05)

    assert time.monotonic() - begun < SLACK
    assert outcome.result is Result.FAILED
    assert outcome.reason.partition(": ")[2].startswith("not done within 0.05 s, after ")
    assert outcome.at_fault in {"ours", "other"}


# --- Order ---


def test_the_same_seed_asks_the_same() -> None:
    def asked(seed: int) -> list[tuple[str, Message]]:
        seat = Here("ours")
        assert played(SCRIPTS["commit/external_psk"], seat, seed=seed).result is Result.PASSED
        return [(rpc, request) for rpc, request in seat.calls if rpc in {"CreateGroup", "StorePSK"}]

    assert asked(1) == asked(1) != asked(2)


@pytest.mark.parametrize(
    "name", ["commit/add", "branch/base", "reinit/change_ciphersuite", "external_join/removing_prior"]
)
def test_all_states_are_freed(name: str) -> None:
    seat = Here("ours")

    played(SCRIPTS[name], seat)

    used = {request.state_id for _, request in seat.calls if "state_id" in request.DESCRIPTOR.fields_by_name}  # type: ignore[attr-defined]  # as asked
    assert used
    for state in used:
        with pytest.raises(SeatError, match="NOT_FOUND"):
            seat.call("StateAuth", pb.StateAuthRequest(state_id=state), pb.StateAuthResponse)


@pytest.mark.parametrize(
    "steps, reason",
    [
        ([{"action": "handlePendingCommit", "actor": "alice"}], "step 0: alice has no Commit pending"),
        ([{"action": "updateProposal", "actor": "alice"}], "step 0: alice is in no group"),
        ([{"action": "installExternalPSK", "clients": ["alice"]}], "step 0: alice has made no key package"),
        (
            [
                {"action": "createGroup", "actor": "alice"},
                {
                    "action": "externalSignerProposal",
                    "actor": "ds",
                    "member": "alice",
                    "description": {"proposalType": "remove", "removed": "alice"},
                },
            ],
            "step 1: ds is no external signer",
        ),
        (
            [{"action": "reinit", "committer": "alice", "welcomer": "alice"}],
            "step 0: nobody proposes to reinitialize",
        ),
    ],
)
def test_a_script_that_makes_no_sense_is_an_error(steps: list[object], reason: str) -> None:
    with pytest.raises(ScriptError, match=reason):
        played(script(*steps), Here("ours"))


def test_an_actor_without_a_seat_is_an_error() -> None:
    with pytest.raises(ScriptError, match="step 0: nobody plays alice"):
        play(SCRIPTS["commit/empty"], {}, suite=1, encrypt_handshake=True, seed=0, seconds=1)
