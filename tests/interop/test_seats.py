"""Seats whose programs die, hang and talk nonsense: an error in time, and no process left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bridge.interop import mls_client_pb2 as pb
from tests.interop.seats import Code, GrpcSeat, PipeSeat, SeatError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.interop.seats import Seat

ROOT = Path(__file__).parents[2]
PIPE_PROGRAM = str(Path(__file__).with_name("wrong") / "pipe_program.py")

SHORT = 0.5
"""In seconds: the limit for a call that gets no answer."""

SLACK = 10
"""In seconds: how much later than its limit a call may come back on a busy machine."""


def pipe(*ways: str, seconds: float = 60) -> PipeSeat:
    return PipeSeat.start("wrong", [sys.executable, "-I", PIPE_PROGRAM, *ways], seconds=seconds)


def grpc(way: str, *, seconds: float = 60, start_seconds: float = 60) -> GrpcSeat:
    command = [sys.executable, "-m", "tests.interop.wrong.grpc_program", way]
    return GrpcSeat.start("wrong", command, seconds=seconds, start_seconds=start_seconds, directory=ROOT)


def ask(seat: Seat) -> str:
    return seat.call("Name", pb.NameRequest(), pb.NameResponse).name


def ask_in_vain(seat: Seat) -> SeatError:
    with pytest.raises(SeatError) as error_info:
        ask(seat)
    return error_info.value


def is_running(pid: int) -> bool:
    """Whether a process is there that is not only waiting for somebody to notice its end."""
    with suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0] != "Z"
    return False


def processes_of(parent: int) -> set[int]:
    found = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(FileNotFoundError, ProcessLookupError):
                fields = (entry / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
                if int(fields[1]) == parent:
                    found.add(int(entry.name))
    return found


@pytest.fixture(autouse=True)
def _no_process_left_behind() -> Iterator[None]:
    before = processes_of(os.getpid())
    yield
    assert processes_of(os.getpid()) <= before


@pytest.fixture
def seats() -> Iterator[Callable[[Seat], Seat]]:
    """Closes at the end what is handed to it."""
    started: list[Seat] = []

    def keep(seat: Seat) -> Seat:
        started.append(seat)
        return seat

    yield keep
    for seat in started:
        seat.close()


# --- Over a pipe ---


def test_a_pipe_carries_requests_and_answers(seats: Callable[[Seat], Seat]) -> None:
    seat = pipe("good")
    seats(seat)

    assert [ask(seat) for _ in range(3)] == ["good"] * 3
    assert seat.last_ns == 5


def test_ours_answers_over_a_pipe(seats: Callable[[Seat], Seat]) -> None:
    seat = PipeSeat.start("ours", [sys.executable, "-m", "bridge.cli", "interop", "--pipe"], directory=ROOT)
    seats(seat)
    request = pb.CreateKeyPackageRequest(cipher_suite=1, identity=b"\x00\xff")

    assert "mls-bridge" in ask(seat)
    assert seat.call("CreateKeyPackage", request, pb.CreateKeyPackageResponse).key_package.startswith(
        b"\x00\x01\x00\x05"
    )
    assert seat.last_ns > 0


@pytest.mark.parametrize(
    "way, reason",
    [
        ("not JSON", "not JSON (Expecting value: line 1 column 1 (char 0)): hello"),
        ("not UTF-8", "not JSON"),
        ("empty line", "not JSON"),
        ("array", "neither a response nor an error: [1]"),
        ("deep", "not JSON"),
        ("wrong id", "an answer to request 2 instead of 1"),
        ("no id", "neither a response nor an error"),
        ("null id", "neither a response nor an error"),
        ("true id", "an answer to request True instead of 1"),
        ("id in a string", "neither a response nor an error"),
        ("no response", "neither a response nor an error"),
        ("both", "neither a response nor an error"),
        ("more", "neither a response nor an error"),
        ("no ns", "neither a response nor an error"),
        ("negative ns", "neither a response nor an error"),
        ("true ns", "neither a response nor an error"),
        ("fractional ns", "neither a response nor an error"),
        ("infinite ns", "neither a response nor an error"),
        ("huge ns", "not JSON"),
        ("response is a list", "neither a response nor an error"),
        ("name is a number", "not a NameResponse: Failed to parse name field"),
        ("unknown field", "not a NameResponse"),
        ("error is a string", "neither a response nor an error"),
        ("unknown code", "neither a response nor an error"),
        ("code of ours", "neither a response nor an error"),
        ("error without message", "neither a response nor an error"),
    ],
)
def test_nonsense_on_a_pipe_is_named(seats: Callable[[Seat], Seat], way: str, reason: str) -> None:
    seat = seats(pipe(way))

    error = ask_in_vain(seat)

    assert error.code is Code.NONSENSE
    assert reason in error.message


def test_after_nonsense_a_pipe_is_closed(seats: Callable[[Seat], Seat]) -> None:
    seat = seats(pipe("not JSON", "good"))
    ask_in_vain(seat)

    assert str(ask_in_vain(seat)).startswith("DIED: given up after NONSENSE: not JSON")


@pytest.mark.parametrize("way, code", [("unimplemented", Code.UNIMPLEMENTED), ("refused", Code.FAILED_PRECONDITION)])
def test_a_pipe_goes_on_after_what_is_refused(seats: Callable[[Seat], Seat], way: str, code: Code) -> None:
    seat = seats(pipe(way, "good"))

    assert ask_in_vain(seat).code is code
    assert ask(seat) == "good"


def test_an_answer_too_many_is_taken_for_nothing_else(seats: Callable[[Seat], Seat]) -> None:
    seat = seats(pipe("two answers", "good"))
    ask(seat)

    assert ask_in_vain(seat).message.startswith("an answer before the end of the request: ")


def test_a_long_reason_is_cut(seats: Callable[[Seat], Seat]) -> None:
    assert 3000 < len(ask_in_vain(seats(pipe("long reason"))).message) < 5000


def test_a_line_without_an_end_is_given_up(seats: Callable[[Seat], Seat]) -> None:
    error = ask_in_vain(seats(pipe("flood")))

    assert error.code is Code.NONSENSE
    assert error.message.startswith("a line of more than 67108864 bytes: xxx")


@pytest.mark.parametrize("way", ["hang", "hang stubbornly", "drip", "do not read"])
def test_a_pipe_that_does_not_answer_is_given_up_in_time(seats: Callable[[Seat], Seat], way: str) -> None:
    seat = seats(pipe(way, seconds=SHORT))
    begun = time.monotonic()

    error = ask_in_vain(seat)

    assert error.code is Code.TIMEOUT
    assert error.message == "no answer within 0.5 s"
    assert SHORT <= time.monotonic() - begun < SHORT + SLACK


def test_a_request_that_nobody_reads_is_given_up_in_time(seats: Callable[[Seat], Seat]) -> None:
    seat = seats(pipe("do not read", seconds=SHORT))
    large = pb.UnprotectRequest(ciphertext=bytes(1 << 20))

    with pytest.raises(SeatError, match="no answer") as error_info:
        seat.call("Unprotect", large, pb.UnprotectResponse)

    assert error_info.value.code is Code.TIMEOUT


def test_an_answer_before_the_end_of_the_request_is_nonsense(seats: Callable[[Seat], Seat]) -> None:
    seat = seats(pipe("answer early"))

    with pytest.raises(SeatError, match="an answer before the end of the request"):
        seat.call("Unprotect", pb.UnprotectRequest(ciphertext=bytes(1 << 20)), pb.UnprotectResponse)


def test_a_pipe_that_dies_leaves_its_last_words(seats: Callable[[Seat], Seat]) -> None:
    seat = seats(pipe("good", "die"))
    ask(seat)

    error = ask_in_vain(seat)

    assert error.code is Code.DIED
    assert error.message == "exited with 3; its last words: cannot answer request 2"


def test_a_pipe_that_dies_in_the_middle_of_an_answer_has_died(seats: Callable[[Seat], Seat]) -> None:
    error = ask_in_vain(seats(pipe("die in the middle")))

    assert error.code is Code.DIED
    assert error.message.startswith("was ended by signal 9")


def test_a_closed_output_is_an_end(seats: Callable[[Seat], Seat]) -> None:
    error = ask_in_vain(seats(pipe("close output")))

    assert error.code is Code.DIED
    assert error.message.startswith("is still running")


def test_a_program_that_complains_does_not_get_stuck(seats: Callable[[Seat], Seat]) -> None:
    seat = seats(pipe("complain"))

    assert [ask(seat), ask(seat)] == ["good", "good"]


def test_what_a_program_has_started_ends_with_it(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    seat = pipe("spawn", str(pid_file))
    while not (pid_file.exists() and pid_file.read_text(encoding="ascii")):
        time.sleep(0.01)
    child = int(pid_file.read_text(encoding="ascii"))
    assert is_running(child)

    seat.close()

    limit = time.monotonic() + SLACK
    while is_running(child) and time.monotonic() < limit:
        time.sleep(0.01)
    assert not is_running(child)


def test_a_program_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SeatError, match="does not start") as error_info:
        PipeSeat.start("wrong", [str(tmp_path / "nothing")])

    assert error_info.value.code is Code.DIED


def test_a_seat_can_be_closed_twice_and_answers_no_more() -> None:
    for seat in (pipe("good"), grpc("refused")):
        seat.close()
        seat.close()

        assert ask_in_vain(seat).code is Code.DIED


# --- Over gRPC ---


@pytest.mark.parametrize(
    "way, code, reason",
    [
        ("garbage", Code.NONSENSE, "not a NameResponse"),
        ("other type", Code.NONSENSE, "not a NameResponse"),
        ("unknown status", Code.NONSENSE, "DATA_LOSS: lost"),
        ("unavailable", Code.NONSENSE, "UNAVAILABLE: out to lunch"),
        ("fail", Code.NONSENSE, "UNKNOWN: Exception calling application: a bug"),
        ("huge", Code.RESOURCE_EXHAUSTED, "larger than max"),
        ("refused", Code.FAILED_PRECONDITION, "no"),
        ("die", Code.DIED, "exited with 7; its last words: listening on 127.0.0.1:"),
        ("something else", Code.NONSENSE, "UNAVAILABLE"),
    ],
)
def test_a_bad_answer_over_grpc_is_named(seats: Callable[[Seat], Seat], way: str, code: Code, reason: str) -> None:
    error = ask_in_vain(seats(grpc(way)))

    assert error.code is code
    assert reason in error.message


def test_a_server_that_does_not_answer_is_given_up_in_time(seats: Callable[[Seat], Seat]) -> None:
    seat = seats(grpc("hang", seconds=SHORT))
    begun = time.monotonic()

    assert str(ask_in_vain(seat)) == "TIMEOUT: no answer within 0.5 s"
    assert SHORT <= time.monotonic() - begun < SHORT + SLACK


def test_a_server_that_does_not_start_is_given_up_in_time() -> None:
    begun = time.monotonic()

    with pytest.raises(SeatError, match=r"does not say within 0\.5 s where it serves") as error_info:
        grpc("silent", start_seconds=SHORT)

    assert error_info.value.code is Code.TIMEOUT
    assert time.monotonic() - begun < SHORT + SLACK


def test_a_server_ends_with_whoever_started_it() -> None:
    starter = """
import os, signal, sys
from tests.interop.seats import GrpcSeat
seat = GrpcSeat.start("ours", [sys.executable, "-m", "tests.interop.wrong.grpc_program", "refused"])
print(seat._program._process.pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run([sys.executable, "-c", starter], cwd=ROOT, stdout=subprocess.PIPE, check=False, timeout=60)
    server = int(done.stdout)

    assert done.returncode == -signal.SIGKILL
    limit = time.monotonic() + SLACK
    while is_running(server) and time.monotonic() < limit:
        time.sleep(0.01)
    assert not is_running(server)


def test_a_server_that_ends_at_once_leaves_its_last_words() -> None:
    with pytest.raises(SeatError, match="exited with 1; its last words: no such thing here") as error_info:
        grpc("stillborn")

    assert error_info.value.code is Code.DIED
