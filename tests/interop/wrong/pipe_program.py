"""Speaks the pipe protocol wrongly: `python pipe_program.py WAY...`, a way for each request, the last for the rest.

Imports the standard library alone, so that it starts at once.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path


def answer(number: int, **fields: object) -> str:
    return json.dumps({"id": number, **fields})


GOOD = {"response": {"name": "good"}, "ns": 5}


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def spawn_and_hang(pid_file: str) -> None:
    """Have a child that does not end by itself, and hang."""
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    Path(pid_file).write_text(str(child.pid), encoding="ascii")
    time.sleep(600)


def ignore_signals_and_hang() -> None:
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    time.sleep(600)


def die(number: int) -> None:
    sys.stderr.write(f"cannot answer request {number}\n")
    sys.exit(3)


def die_in_the_middle() -> None:
    sys.stdout.write('{"id": 1, "respo')
    sys.stdout.flush()
    os.kill(os.getpid(), signal.SIGKILL)


def complain(number: int) -> None:
    """Write more to standard error than any pipe holds, and then answer."""
    sys.stderr.write("trouble!\n" * 100_000)
    sys.stderr.flush()
    say(answer(number, **GOOD))


def drip() -> None:
    """Send a line that never ends, slowly enough that each byte comes in time."""
    while True:
        sys.stdout.write("x")
        sys.stdout.flush()
        time.sleep(0.05)


def flood() -> None:
    """Send a line that never ends, as fast as it goes."""
    while True:
        sys.stdout.write("x" * (1 << 20))


def close_output() -> None:
    os.close(1)
    time.sleep(600)


def act(way: str, number: int) -> None:
    lines = {
        "good": answer(number, **GOOD),
        "not JSON": "hello",
        "not UTF-8": "\udcff",
        "empty line": "",
        "array": f"[{number}]",
        "deep": "[" * 100_000,
        "wrong id": answer(number + 1, **GOOD),
        "no id": json.dumps(GOOD),
        "null id": json.dumps({"id": None, **GOOD}),
        "true id": json.dumps({"id": True, **GOOD}),
        "id in a string": json.dumps({"id": str(number), **GOOD}),
        "no response": answer(number, ns=5),
        "both": answer(number, **GOOD, error={"code": "INTERNAL", "message": "what?"}),
        "more": answer(number, **GOOD, more=1),
        "no ns": answer(number, response={}),
        "negative ns": answer(number, response={}, ns=-1),
        "true ns": answer(number, response={}, ns=True),
        "fractional ns": answer(number, response={}, ns=1.5),
        "infinite ns": f'{{"id": {number}, "response": {{}}, "ns": Infinity}}',
        "huge ns": f'{{"id": {number}, "response": {{}}, "ns": {"9" * 10_000}}}',
        "response is a list": answer(number, response=[], ns=5),
        "name is a number": answer(number, response={"name": 7}, ns=5),
        "unknown field": answer(number, response={"surname": "x"}, ns=5),
        "error is a string": answer(number, error="oh no", ns=0),
        "unknown code": answer(number, error={"code": "OH_NO", "message": "oh no"}, ns=0),
        "code of ours": answer(number, error={"code": "TIMEOUT", "message": "oh no"}, ns=0),
        "error without message": answer(number, error={"code": "INTERNAL"}, ns=0),
        "unimplemented": answer(number, error={"code": "UNIMPLEMENTED", "message": "no such thing"}, ns=0),
        "refused": answer(number, error={"code": "FAILED_PRECONDITION", "message": "no"}, ns=0),
        "long reason": answer(number, error={"code": "INTERNAL", "message": "x" * 1_000_000}, ns=0),
        "two answers": answer(number, **GOOD) + "\n" + answer(number, **GOOD),
    }
    match way:
        case "hang":
            time.sleep(600)
        case "hang stubbornly":
            ignore_signals_and_hang()
        case "die":
            die(number)
        case "die in the middle":
            die_in_the_middle()
        case "complain":
            complain(number)
        case "drip":
            drip()
        case "flood":
            flood()
        case "close output":
            close_output()
        case "not UTF-8":
            sys.stdout.buffer.write(b'{"id": \xff}\n')
            sys.stdout.flush()
        case _:
            say(lines[way])


def main(ways: list[str]) -> None:
    match ways:
        case ["do not read"]:
            time.sleep(600)
        case ["answer early"]:
            say(answer(1, **GOOD))
            time.sleep(600)
        case ["spawn", pid_file]:
            spawn_and_hang(pid_file)
        case _:
            for number, _ in enumerate(sys.stdin, start=1):
                act(ways[min(number, len(ways)) - 1], number)


if __name__ == "__main__":
    main(sys.argv[1:])
