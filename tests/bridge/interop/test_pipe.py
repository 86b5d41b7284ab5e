"""The interface as JSON lines."""

from __future__ import annotations

import base64
import io
import json
import subprocess
import sys
from typing import Any

import pytest

from bridge.interop import pipe
from bridge.interop.host import Host
from bridge.interop.service import Service

GROUP = {"group_id": base64.b64encode(b"the group").decode(), "cipher_suite": 1, "identity": "YQ=="}


def answers(*lines: bytes) -> list[dict[str, Any]]:
    """What a program that was just started answers to these lines."""
    source, sink = io.BytesIO(b"".join(line + b"\n" for line in lines)), io.BytesIO()
    pipe.answer_lines(source, sink, Service(Host()))
    return [json.loads(line) for line in sink.getvalue().splitlines()]


def asking(*calls: tuple[str, dict[str, object]]) -> list[dict[str, Any]]:
    """What a program that was just started answers to these calls."""
    return answers(
        *(
            json.dumps({"id": number, "rpc": name, "request": request}).encode()
            for number, (name, request) in enumerate(calls)
        )
    )


def test_calls_are_answered_in_order() -> None:
    made, committed, entered = asking(
        ("CreateGroup", GROUP), ("Commit", {"state_id": 1}), ("HandlePendingCommit", {"state_id": 1})
    )

    assert made["response"] == {"state_id": 1}
    assert base64.b64decode(committed["response"]["commit"])
    assert set(entered["response"]) == {"state_id", "epoch_authenticator"}
    assert [answer["id"] for answer in (made, committed, entered)] == [0, 1, 2]
    assert all(0 < answer["ns"] < 10**10 for answer in (made, committed, entered))


def test_both_forms_of_64_bit_numbers_and_null_fields() -> None:
    _, *proposed = asking(
        ("CreateGroup", GROUP),
        ("ResumptionPSKProposal", {"state_id": 1, "epoch_id": "0"}),
        ("ResumptionPSKProposal", {"state_id": 1, "epoch_id": 0}),
        ("UpdateProposal", {"state_id": 1}),
        ("GroupInfo", {"state_id": 1, "external_tree": None}),
    )

    assert all("response" in answer for answer in proposed)


def test_an_empty_request_can_be_left_out() -> None:
    named, again = answers(b'{"id": "a", "rpc": "Name"}', b'{"rpc": "Name", "request": null}')

    assert named["response"]["name"].startswith("mls-bridge")
    assert named["id"] == "a"
    assert again["id"] is None


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"garbage",
        b"{",
        b"\xff\xfe",
        b"[" * 100_000,
        b"9" * 10_000,
        b"[]",
        b"null",
        b'"Name"',
        b'{"id": [1], "rpc": "Name"}',
        b'{"id": 1.5, "rpc": "Name"}',
        b'{"id": NaN, "rpc": "Name"}',
    ],
    ids=range(12),
)
def test_a_line_that_is_no_call_has_an_answer_without_an_id(line: bytes) -> None:
    refused, following = answers(line, b'{"id": 2, "rpc": "Name"}')

    assert refused["id"] is None
    assert refused["error"]["code"] == "INVALID_ARGUMENT"
    assert refused["ns"] == 0
    assert following["id"] == 2
    assert "response" in following


@pytest.mark.parametrize(
    "request_, word",
    [
        ({"no_such_field": 1}, "no_such_field"),
        ({"identity": "not base64!"}, "identity"),
        ({"identity": 7}, "identity"),
        ({"identity": {"deep": ["er"]}}, "identity"),
        ({"cipher_suite": -1}, "cipher_suite"),
        ({"cipher_suite": 1 << 32}, "cipher_suite"),
        ({"cipher_suite": "one"}, "cipher_suite"),
        ({"cipher_suite": [1]}, "cipher_suite"),
        ({"encrypt_handshake": "yes"}, "encrypt_handshake"),
        ([1], "request"),
        ("CreateGroup", "request"),
        (0, "request"),
    ],
    ids=range(12),
)
def test_a_malformed_request_is_refused(request_: object, word: str) -> None:
    (refused,) = answers(json.dumps({"id": 1, "rpc": "CreateGroup", "request": request_}).encode())

    assert refused["id"] == 1
    assert refused["error"]["code"] == "INVALID_ARGUMENT"
    assert word in refused["error"]["message"]


@pytest.mark.parametrize("name", ["", "createGroup", "MLSClient.Name", None, 7, {}])
def test_there_is_no_such_call(name: object) -> None:
    (refused,) = answers(json.dumps({"id": 1, "rpc": name}).encode())

    assert refused["error"]["code"] == "UNIMPLEMENTED"


def test_a_call_that_fails_says_why() -> None:
    (refused,) = asking(("Protect", {"state_id": 7}))

    assert refused == {"id": 0, "error": {"code": "NOT_FOUND", "message": "no state has the id 7"}, "ns": 0}


def test_a_line_that_is_too_long_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipe, "MAX_LINE", 100)
    *refused, named = answers(b"x" * 99, b"x" * 100, b"x" * 1000, b'{"id": 4, "rpc": "Name"}')

    assert [answer["error"]["code"] for answer in refused] == ["INVALID_ARGUMENT"] * 3
    assert ["100 bytes" in answer["error"]["message"] for answer in refused] == [False, True, True]
    assert named["id"] == 4


def test_a_last_line_without_an_end_is_answered() -> None:
    sink = io.BytesIO()
    pipe.answer_lines(io.BytesIO(b'{"id": 1, "rpc": "Name"}'), sink, Service(Host()))

    assert json.loads(sink.getvalue())["id"] == 1


def test_the_command() -> None:
    lines = b'{"id": 1, "rpc": "SupportedCiphersuites"}\nnonsense\n'
    command = [sys.executable, "-m", "bridge.cli", "interop", "--pipe", "--experimental"]
    done = subprocess.run(command, input=lines, capture_output=True, check=True, timeout=60)
    offered, refused = (json.loads(line) for line in done.stdout.splitlines())

    assert offered["response"]["ciphersuites"][:7] == [1, 2, 3, 4, 5, 6, 7]
    assert refused["error"]["code"] == "INVALID_ARGUMENT"
    assert done.stderr == b""
