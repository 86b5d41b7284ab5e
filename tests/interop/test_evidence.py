"""What a failure is told with: the last calls, cut to a size, and who differs from whom."""

import hashlib
from random import Random

from bridge.interop import mls_client_pb2 as pb
from tests.interop.agreement import difference, odd_one_out
from tests.interop.parts import Actor
from tests.interop.seats import Code, SeatError
from tests.interop.transcript import Transcript


def test_a_transcript_is_bounded_and_cuts_long_bytes() -> None:
    transcript = Transcript()
    for number in range(1000):
        request = pb.HandleCommitRequest(state_id=number, proposal=[b"\x01\x02", bytes(100_000)])
        transcript.note(7, "alice", "ours", "HandleCommit", request, SeatError(Code.INTERNAL, "why"), 0.5)

    calls = transcript.calls()

    assert transcript.count == 1000
    assert [call.number for call in calls] == list(range(700, 1000))
    assert calls[-1].request["state_id"] == 999
    shown = calls[-1].request["proposal"]
    assert isinstance(shown, list)
    assert shown[0] == "0102"
    assert shown[1] == f"100000 bytes, SHA-256 {hashlib.sha256(bytes(100_000)).hexdigest()}: {'00' * 16}..."
    assert calls[-1].error == "INTERNAL: why"


def test_a_transcript_cuts_long_lists_and_texts() -> None:
    transcript = Transcript()
    suites = pb.SupportedCiphersuitesResponse(ciphersuites=range(100_000))
    transcript.note(0, "alice", "ours", "SupportedCiphersuites", pb.NameRequest(), suites, 0.5)
    transcript.note(0, "alice", "ours", "Name", pb.NameRequest(), pb.NameResponse(name="x" * 1_000_000), 0.5)

    first, second = transcript.calls()

    assert first.response == {"ciphersuites": [*range(50), "99950 more"]}
    assert second.response is not None
    assert len(str(second.response["name"])) < 5000


def test_who_is_the_odd_one_out() -> None:
    alice, bob, charlie, diana = map(Actor, ("alice", "bob", "charlie", "diana"))
    seats = {alice: "a", bob: "b", charlie: "c", diana: "a"}

    assert odd_one_out({alice: b"1", bob: b"1", charlie: b"2"}, seats) == "c"
    assert odd_one_out({alice: b"1", bob: b"2", diana: b"1"}, seats) is None
    assert odd_one_out({alice: b"1", bob: b"2", charlie: b"3"}, seats) is None
    assert odd_one_out({alice: b"1", bob: b"1", diana: b"2"}, seats) == "a"
    assert difference({alice: b"1", bob: b"1"}, seats) is None
    assert difference({alice: b"1", bob: b"2"}, seats) == "alice (a): 31; bob (b): 32"


def test_a_difference_among_many_is_told_in_few_words() -> None:
    actors = [Actor(f"actor{number}") for number in range(100)]
    values = {actor: Random(0).randbytes(32) if actor != actors[50] else b"x" for actor in actors}

    told = difference(values, dict.fromkeys(actors, "ours"))

    assert told is not None
    assert "actor3 (ours) and 95 more: cd072cd8be6f9f62ac4c09c28206e7e3" in told
    assert told.endswith("; actor50 (ours): 78")
