"""The parent of one server: it sees to it that the server never outlives the program that wanted it.

Run as a program of its own, `python -I -S supervisor.py COMMAND...`, with a pipe as standard input. It writes the
server's process id as a line to standard output, and ends when the server does, with its status. Bytes on standard
input are orders:

    t       send the server SIGTERM
    k       send the server and its children SIGKILL
    (end)   the same: whoever wanted the server has ended, be it by SIGKILL

A death signal asked for by the server itself (PR_SET_PDEATHSIG) would not do in place of this pipe: the kernel sends it
when the *thread* that started the server ends, and `asyncio.to_thread` gives no word on when that is.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
import subprocess
import sys

__all__ = ["main"]

PR_SET_PDEATHSIG = 1


def main(command: list[str]) -> int:
    """Run the command until it ends, or until nobody wants it any more. Returns its status, as a shell would."""
    woken, wakes = os.pipe()
    os.set_blocking(wakes, False)
    signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
    signal.set_wakeup_fd(wakes)
    try:
        # This process has one thread, so running Python code between fork and exec is safe.
        server = subprocess.Popen(  # noqa: S603 - the command is the caller's
            command,
            stdin=subprocess.DEVNULL,
            stdout=sys.stderr,
            process_group=0,
            preexec_fn=_die_with_parent,  # noqa: PLW1509 - see above
        )
    except OSError as error:
        sys.stderr.write(f"{command[0]}: {error.strerror}\n")
        return 127
    os.write(sys.stdout.fileno(), f"{server.pid}\n".encode())
    wanted = True
    while server.poll() is None:
        ready, _, _ = select.select([woken, 0] if wanted else [woken], [], [])
        if woken in ready:
            os.read(woken, 64)
        if 0 in ready:
            order = os.read(0, 1)
            wanted = bool(order)
            if order == b"t":
                server.terminate()
            else:
                _kill_all(server.pid)
    _kill_all(server.pid)
    status = server.returncode
    return status if status >= 0 else 128 - status


def _kill_all(group: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)


def _die_with_parent() -> None:
    """For the case that this process itself is killed. Linux alone has it."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
