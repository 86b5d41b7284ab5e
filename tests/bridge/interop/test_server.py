"""The program as a shell sees it, and the server's limits."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import grpc
import pytest
from grpc import StatusCode
from typer.testing import CliRunner

from bridge.cli import app
from bridge.interop import mls_client_pb2 as pb
from bridge.interop import server as server_module
from bridge.interop.host import Host
from bridge.interop.server import Server
from bridge.interop.service import MAX_MESSAGE, Service
from tests.bridge.interop.driving import Actor, Connection, failing, serving

SECONDS = 30


STUCK_CLOCK = """
import time, types
import bridge.interop.host
def stuck():
    print("asked", flush=True)
    time.sleep(600)
bridge.interop.host.time = types.SimpleNamespace(time=stuck)
"""


SIGNALS_ITSELF = """
import signal, sys, threading
def wait():
    sys.stdin.readline()
    signal.pthread_kill(threading.get_ident(), signal.SIGTERM)
threading.Thread(target=wait).start()
"""


def command(code: str, *arguments: str) -> list[str]:
    """Return how to start the program; `code` runs before it, in the same process."""
    start = f"{code}\nimport sys; sys.argv[0] = 'mls-bridge'\nfrom bridge.cli import main; main()"
    return [sys.executable, "-c", start, *arguments]


@contextmanager
def program(*arguments: str, code: str = "") -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Start `mls-bridge interop`; yield it, and the address that it says."""
    pipe, whole = subprocess.PIPE, command(code, "interop", *arguments)
    with subprocess.Popen(whole, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line.startswith("listening on "), line
            yield process, line.removeprefix("listening on ").strip()
        finally:
            process.kill()


def run(*arguments: str, code: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the program to its end."""
    return subprocess.run(
        command(code, *arguments),
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
        env={**os.environ, **environment},
    )


def named(address: str) -> str:
    connection = Connection(address)
    try:
        return connection.call("Name", pb.NameRequest(), pb.NameResponse).name
    finally:
        connection.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_serves_on_loopback_until_it_is_told_to_end(number: signal.Signals) -> None:
    with program("--port", "0") as (process, address):
        host, _, port = address.rpartition(":")
        assert host == "127.0.0.1"
        assert int(port) > 0
        assert named(address).startswith("mls-bridge")
        start = time.monotonic()
        process.send_signal(number)
        output, errors = process.communicate(timeout=SECONDS)

    assert process.returncode == 0
    assert time.monotonic() - start < 5
    assert (output, errors) == ("", "")


def test_a_signal_may_reach_any_thread() -> None:
    """The system chooses one; the main thread has to end the program then, though nothing has interrupted it."""
    with program("--port", "0", code=SIGNALS_ITSELF) as (process, _):
        process.communicate("now\n", timeout=SECONDS)

    assert process.returncode == 0


def test_it_ends_in_the_middle_of_a_long_call() -> None:
    with program("--port", "0", code=STUCK_CLOCK) as (process, address):
        connection = Connection(address)
        caller = threading.Thread(target=expect_end, args=[connection])
        caller.start()
        assert process.stdout is not None
        assert process.stdout.readline() == "asked\n"
        start = time.monotonic()
        process.terminate()
        process.wait(SECONDS)
        elapsed = time.monotonic() - start
        caller.join(SECONDS)
        connection.close()

    assert process.returncode == 0
    assert elapsed < 5


def expect_end(connection: Connection) -> None:
    """Make a call that its server does not live to answer."""
    with pytest.raises(grpc.RpcError) as caught:
        Actor(connection, "alice").create_group()
    assert caught.value.code() in {StatusCode.CANCELLED, StatusCode.UNAVAILABLE}


def test_it_serves_on_the_address_it_is_given() -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError as error:
        pytest.skip(f"this machine has no second loopback address: {error}")
    with program("--port", "0", "--host", "::1") as (_, address):
        assert address.startswith("[::1]:")
        assert named(address)


def test_a_port_in_use_is_said() -> None:
    server = Server(Service(Host()), "127.0.0.1", 0)
    server.start()
    done = CliRunner().invoke(app, ["interop", "--port", str(server.port)])
    assert server.stop()

    assert done.exit_code == 1
    assert done.output.startswith(f"cannot listen on {server.address}: ")


@pytest.mark.parametrize(
    "arguments, option",
    [
        ([], "--port"),
        (["--port", "1", "--pipe"], "--port"),
        (["--port", "65536"], "--port"),
        (["--port", "-1"], "--port"),
        (["--port", "0", "--host", ""], "--host"),  # gRPC would take that for every address of this machine
    ],
)
def test_wrong_usage(arguments: list[str], option: str) -> None:
    done = CliRunner().invoke(app, ["interop", *arguments], env={"NO_COLOR": "1", "TERM": "dumb", "COLUMNS": "120"})

    assert done.exit_code == 2
    assert option in done.output


@pytest.mark.parametrize(
    "module, package, arguments",
    [
        ("grpc", "grpcio", ["--port", "0"]),
        ("google", "protobuf", ["--port", "0"]),
        ("google.protobuf", "protobuf", ["--pipe"]),
    ],
)
def test_what_is_not_installed_is_said(module: str, package: str, arguments: list[str]) -> None:
    done = run("interop", *arguments, code=f"import sys; sys.modules[{module!r}] = None")

    assert done.returncode == 1
    assert done.stderr == f"{package} is not installed: pip install 'mls-bridge[interop]'\n"


def test_other_commands_do_not_load_it() -> None:
    code = """
import atexit, sys
def tell():
    loaded = {name.partition(".")[0] for name in sys.modules}
    print(sorted(loaded & {"grpc", "google"}))
atexit.register(tell)
"""
    done = run("--version", code=code)

    assert done.returncode == 0
    assert done.stdout.endswith("[]\n")


def test_a_call_that_no_service_has() -> None:
    with serving() as connection, failing(StatusCode.UNIMPLEMENTED):
        connection.raw("/mls_client.MLSClient/NoSuchCall", b"")


def test_a_request_can_be_large_but_not_larger() -> None:
    with serving() as connection:
        request = pb.StorePSKRequest(state_or_transaction_id=1, psk_secret=bytes(MAX_MESSAGE - 100))
        with failing(StatusCode.NOT_FOUND):
            connection.call("StorePSK", request, pb.StorePSKResponse)
        request = pb.StorePSKRequest(state_or_transaction_id=1, psk_secret=bytes(MAX_MESSAGE))
        with failing(StatusCode.RESOURCE_EXHAUSTED, "larger"):
            connection.call("StorePSK", request, pb.StorePSKResponse)
        assert connection.call("Name", pb.NameRequest(), pb.NameResponse).name


class Clock:
    """A clock that says when it was asked, and answers when it is told."""

    def __init__(self) -> None:
        self.asked, self.go_on = threading.Event(), threading.Event()

    def __call__(self) -> int:
        self.asked.set()
        assert self.go_on.wait(SECONDS)
        return 1_000_000_000


def test_calls_that_wait_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "MAX_WAITING", 1)
    clock = Clock()
    with serving(Host(clock=clock)) as connection:
        blocked = threading.Thread(target=Actor(connection, "alice").create_group)
        blocked.start()
        assert clock.asked.wait(SECONDS)
        with failing(StatusCode.RESOURCE_EXHAUSTED):
            connection.call("Name", pb.NameRequest(), pb.NameResponse)
        clock.go_on.set()
        blocked.join(SECONDS)
        assert connection.call("Name", pb.NameRequest(), pb.NameResponse).name


def test_a_server_says_whether_it_has_come_to_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "GRACE", 0.05)
    clock = Clock()
    server = Server(Service(Host(clock=clock)), "127.0.0.1", 0)
    server.start()
    connection = Connection(server.address)
    caller = threading.Thread(target=expect_end, args=[connection])
    caller.start()
    assert clock.asked.wait(SECONDS)

    assert not server.stop()
    clock.go_on.set()
    caller.join(SECONDS)
    connection.close()
