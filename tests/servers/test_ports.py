"""Ports that nobody else takes."""

from __future__ import annotations

import socket
import subprocess
import sys

import pytest

from bridge.servers import ports
from bridge.servers.errors import ServerError
from bridge.servers.ports import LOOPBACK, Port

OTHER = """
from bridge.servers import ports
ports.FIRST = ports.LAST = {number}
ports.Port()
"""


def test_no_other_process_gets_it_even_while_nobody_listens() -> None:
    port = Port()
    try:
        assert "there is no free port" in in_another_process(port.number)
    finally:
        port.release()
        port.release()
    assert not in_another_process(port.number)


def test_one_that_somebody_listens_on_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server((LOOPBACK, 0)) as listener:
        taken = listener.getsockname()[1]
        monkeypatch.setattr(ports, "FIRST", taken)
        monkeypatch.setattr(ports, "LAST", taken)
        with pytest.raises(ServerError, match="there is no free port"):
            Port()


def test_they_differ() -> None:
    several = [Port() for _ in range(50)]
    assert len({int(port) for port in several}) == 50
    for port in several:
        port.release()


def in_another_process(number: int) -> str:
    program = [sys.executable, "-c", OTHER.format(number=number)]
    return subprocess.run(program, capture_output=True, text=True, timeout=30, check=False).stderr
