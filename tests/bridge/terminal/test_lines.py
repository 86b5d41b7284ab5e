"""`chat --json` over real pipes: every line as the schema has it, whatever comes in."""

import json
from collections.abc import Iterator
from importlib import resources
from typing import Any

import jsonschema
import pytest

from bridge.content import Kind
from bridge.conversation import (
    Add,
    Alarm,
    Asked,
    Confirm,
    ConnectionShown,
    DeliveryChanged,
    DeliveryState,
    Done,
    EpochChanged,
    Happening,
    Joined,
    Leave,
    LinkState,
    MemberCame,
    Members,
    MemberShown,
    MembersListed,
    MemberWent,
    Notice,
    NumbersShown,
    PlaintextShown,
    Remove,
    Removed,
    Said,
    Say,
    Status,
    StatusShown,
    Verification,
    Verify,
)
from tests.bridge.terminal.channel import Refused
from tests.bridge.terminal.leading import BOB, Led, lines_program, message, message_id

pytestmark = pytest.mark.timeout(60)

SCHEMA = json.loads(resources.files("bridge.terminal").joinpath("lines.schema.json").read_text(encoding="utf-8"))
WRITTEN = jsonschema.Draft202012Validator(SCHEMA)
REQUEST = jsonschema.Draft202012Validator({**SCHEMA, "oneOf": [{"$ref": "#/$defs/request"}]})

AT = message(0, "").at_ms
CAROL = "xmpp:carol@example.org"


class Bot:
    """What a program does: writes requests, reads lines, and holds each of both against the schema."""

    def __init__(self, led: Led) -> None:
        assert led.process.stdin is not None
        assert led.process.stdout is not None
        self._stdin = led.process.stdin
        self._stdout = led.process.stdout
        self._lines = self._read()

    def ask(self, **fields: Any) -> None:  # noqa: ANN401 - any fields, and types are named "type"
        REQUEST.validate(fields)
        self.write(json.dumps(fields).encode() + b"\n")

    def write(self, data: bytes) -> None:
        while data:
            data = data[self._stdin.write(data) or 0 :]

    def close(self) -> None:
        self._stdin.close()

    def line(self) -> dict[str, Any]:
        line = next(self._lines)
        assert line.isascii()
        fields = json.loads(line)
        WRITTEN.validate(fields)
        assert isinstance(fields, dict)
        return fields

    def rest(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self._lines]

    def _read(self) -> Iterator[bytes]:
        begun = b""
        while data := self._stdout.read(1 << 16):
            *ended, begun = (begun + data).split(b"\n")
            yield from ended
        assert begun == b""


def test_a_conversation() -> None:
    with lines_program() as led:
        bot = Bot(led)
        assert bot.line() == {
            "type": "hello",
            "version": 1,
            "room": "xmpp:tea@muc.example.org",
            "room_name": "Tea",
            "account": "xmpp:alice@example.org",
            "name": "Alice",
        }
        led.tell(message(1, "tea at four?\nor at five?"), 7)
        assert bot.line() == {
            "type": "message",
            "id": message_id(1).hex(),
            "at": "2026-11-23T14:03:09.120Z",
            "account": BOB,
            "name": "Bob",
            "kind": "message",
            "text": "tea at four?\nor at five?",
            "markdown": False,
            "reply_to": None,
            "replaces": None,
            "by_author": None,
            "own": False,
            "verified": "network",
            "late": False,
            "position": 7,
        }
        bot.ask(type="say", id="a", text="at four 🫖", markdown=True, reply_to=message_id(1).hex())
        assert led.asked(Said(message_id(2))) == Say("at four 🫖", markdown=True, reply_to=message_id(1))
        assert bot.line() == {"type": "ok", "request": "a", "id": message_id(2).hex()}

        bot.ask(type="ack", position=7)
        assert bot.line() == {"type": "ok", "request": None}
        assert led.acknowledged() == 7

        bot.ask(type="quit", id=-1)
        assert bot.line() == {"type": "ok", "request": -1}
        assert led.wait() == 0
        assert led.failed is None
        assert bot.rest() == []


@pytest.mark.parametrize(
    "what, expected",
    [
        (
            DeliveryChanged(message_id(1), DeliveryState.FAILED, "why"),
            {"type": "delivery", "id": message_id(1).hex(), "state": "failed", "reason": "why"},
        ),
        (
            MemberCame(CAROL, "Carol", BOB, AT, "asked"),
            {"type": "member_came", "account": CAROL, "name": "Carol", "by": BOB, "why": "asked"},
        ),
        (MemberWent(CAROL, "Carol", BOB, AT), {"type": "member_went", "why": ""}),
        (
            Asked(CAROL, "Carol", "xmpp", "1" * 60, by_relay=True),
            {"type": "asked", "network": "xmpp", "digits": "1" * 60, "by_relay": True},
        ),
        (Asked(CAROL, "Carol", "xmpp", None, by_relay=False), {"digits": None}),
        (PlaintextShown(BOB, "open", AT), {"type": "plaintext", "text": "open", "at": "2026-11-23T14:03:09.120Z"}),
        (EpochChanged(4, 3, "0" * 30), {"type": "epoch", "epoch": 4, "members": 3, "digits": "0" * 30}),
        (Joined(3, 2, BOB), {"type": "joined", "epoch": 3, "members": 2, "by": BOB}),
        (Removed(BOB, 0, "banned"), {"type": "removed", "at": "1970-01-01T00:00:00.000Z", "why": "banned"}),
        (Alarm("what", "then"), {"type": "alarm", "what": "what", "next_step": "then"}),
        (Notice("so"), {"type": "notice", "text": "so"}),
        (ConnectionShown("xmpp", LinkState.CATCHING_UP), {"type": "connection", "state": "catching-up"}),
    ],
    ids=range(12),
)
def test_every_happening_is_as_the_schema_has_it(what: Happening, expected: dict[str, object]) -> None:
    with lines_program() as led:
        bot = Bot(led)
        bot.line()
        led.tell(what, 3)
        led.tell(what)
        kept, passing = bot.line(), bot.line()

        assert expected.items() <= kept.items()
        assert (kept.pop("position"), passing.pop("position")) == (3, None)
        assert kept == passing


def test_every_request_reaches_the_session_and_is_answered() -> None:
    member = MemberShown(BOB, "Bob", "phone", Verification.COMPARED, is_self=False, rights=("add",))
    link = ConnectionShown("matrix", LinkState.LIVE)
    status = StatusShown(7, 3, Verification.BRIDGE, 2, "9" * 30, (link,), held="")
    with lines_program() as led:
        bot = Bot(led)
        bot.line()
        bot.ask(type="add", account=CAROL)
        assert led.asked(Done()) == Add(CAROL)
        assert bot.line() == {"type": "ok", "request": None}
        bot.ask(type="remove", account=CAROL, id=2)
        assert led.asked(Done()) == Remove(CAROL)
        assert bot.line() == {"type": "ok", "request": 2}
        bot.ask(type="verify", account=BOB)
        assert led.asked(NumbersShown(BOB, "Bob", "5" * 60)) == Verify(BOB)
        assert bot.line() == {"type": "ok", "request": None, "account": BOB, "name": "Bob", "digits": "5" * 60}
        bot.ask(type="confirm", account=BOB, digits="5" * 60)
        assert led.asked(Refused("Bob's key has changed.", "Compare again.")) == Confirm(BOB, "5" * 60)
        assert bot.line() == {
            "type": "error",
            "request": None,
            "line": 4,
            "what": "Bob's key has changed.",
            "next_step": "Compare again.",
        }
        bot.ask(type="members")
        assert led.asked(MembersListed((member,))) == Members()
        assert bot.line()["members"] == [
            {
                "account": BOB,
                "name": "Bob",
                "device": "phone",
                "verified": "compared",
                "own": False,
                "rights": ["add"],
            }
        ]
        bot.ask(type="status")
        assert led.asked(status) == Status()
        assert bot.line() == {
            "type": "ok",
            "request": None,
            "epoch": 7,
            "members": 3,
            "verified": "bridge",
            "waiting": 2,
            "digits": "9" * 30,
            "connections": [{"network": "matrix", "state": "live"}],
            "held": "",
        }
        bot.ask(type="leave", id="bye")
        assert led.asked(Done()) == Leave()
        assert bot.line() == {"type": "ok", "request": "bye"}
        assert led.wait() == 0


@pytest.mark.parametrize(
    "line, what",
    [
        (b"hello", "the line is not JSON in UTF-8"),
        (b"\xff\xfe", "the line is not JSON in UTF-8"),
        (b"[" * 100_000, "the line is not JSON in UTF-8"),
        (b"9" * 5000, "the line is not JSON in UTF-8"),
        (b"[1]", "the line is not a JSON object"),
        (b"{}", "type: not one of say, add, remove, verify, confirm, members, status, ack, join, resync, leave, quit"),
        (b'{"type":["say"]}', "type: not one of"),
        (b'{"type":"say"}', "text: not text of 1 to 65,536 characters"),
        (b'{"type":"say","text":""}', "text: not text of 1 to 65,536 characters"),
        (b'{"type":"say","text":"' + b"x" * 65_537 + b'"}', "text: not text of 1 to 65,536 characters"),
        (b'{"type":"say","text":"\\ud800"}', "text: half a character, which is no Unicode text"),
        (b'{"type":"say","text":"x","markdown":1}', "markdown: neither true nor false"),
        (b'{"type":"say","text":"x","reply_to":"01"}', "reply_to: not a message id of 64 hexadecimal digits"),
        (b'{"type":"say","text":"x","reply_to":"' + b"z" * 64 + b'"}', "reply_to: not a message id in hexadecimal"),
        (b'{"type":"say","text":"x","replyto":null}', "replyto: say has no such field"),
        (b'{"type":"add","account":7}', "account: not text of 1 to 3,000 characters"),
        (b'{"type":"ack","position":true}', "position: not a number from 0 to 2^53 - 1"),
        (b'{"type":"ack","position":-1}', "position: not a number from 0 to 2^53 - 1"),
        (b'{"type":"ack"}', "position: not a number from 0 to 2^53 - 1"),
        (b'{"type":"quit","id":1.5}', "id: neither text of at most 200 characters nor a number of at most 53 bits"),
        (b'{"type":"quit","now":1}', "now: quit has no such field"),
        (b"x" * (1 << 20) + b"x", "the line has more than 1,048,576 bytes"),
        (b"x" * (3 << 20), "the line has more than 1,048,576 bytes"),
    ],
    ids=range(23),
)
def test_a_malformed_line_is_answered_and_does_no_harm(line: bytes, what: str) -> None:
    with lines_program() as led:
        bot = Bot(led)
        bot.line()
        bot.write(b"\n \n" + line + b"\r\n")
        answer = bot.line()

        assert answer["type"] == "error"
        assert answer["line"] == 3
        assert answer["what"].startswith(what)
        bot.ask(type="status", id="after")
        assert led.asked(Refused("not now")) == Status()
        assert bot.line()["request"] == "after"


def test_the_schema_refuses_what_the_program_refuses() -> None:
    for fields in ({"type": "say"}, {"type": "say", "text": ""}, {"type": "quit", "now": 1}, {"type": "ack"}, {}):
        assert not REQUEST.is_valid(fields)


def test_an_error_bears_the_id_of_its_request() -> None:
    with lines_program() as led:
        bot = Bot(led)
        bot.line()
        bot.write(b'{"type":"say","id":"mine"}\n')

        assert bot.line()["request"] == "mine"


def test_hostile_text_stays_one_line_of_ascii() -> None:
    hostile = '\x1b[2J\r\n\u2028\u202e\x00\ud800{"type":"alarm"}'
    with lines_program() as led:
        bot = Bot(led)
        bot.line()
        led.tell(message(1, hostile, sender_name=hostile, sender_account=hostile))
        led.tell(Notice("after"))

        line = bot.line()
        assert (line["text"], line["name"], line["account"]) == (hostile, hostile, hostile)
        assert bot.line()["text"] == "after"


@pytest.mark.parametrize("at_ms", [-1, 1 << 80, -(1 << 80), 253_402_300_800_000])
def test_any_time_is_some_time(at_ms: int) -> None:
    with lines_program() as led:
        bot = Bot(led)
        bot.line()
        led.tell(message(1, "x", at_ms=at_ms))

        assert bot.line()["type"] == "message"


def test_says_whether_an_edit_is_its_authors() -> None:
    with lines_program() as led:
        bot = Bot(led)
        bot.line()
        led.tell(message(1, "mine"))
        led.tell(message(2, "still mine", kind=Kind.EDIT, replaces=message_id(1)))
        led.tell(message(3, "not mine", kind=Kind.EDIT, replaces=message_id(1), sender_account=CAROL))
        led.tell(message(4, "", kind=Kind.DELETION, replaces=message_id(9)))

        assert [bot.line()["by_author"] for _ in range(4)] == [None, True, False, None]


def test_ends_with_its_input_and_answers_the_last_line_without_an_end() -> None:
    with lines_program() as led:
        bot = Bot(led)
        bot.line()
        bot.write(b'{"type":"status","id":5}')
        bot.close()
        assert led.asked(Refused("not now")) == Status()

        assert bot.line()["request"] == 5
        assert led.wait() == 0
        assert led.failed is None
        assert bot.rest() == []


def test_ends_with_the_conversation() -> None:
    with lines_program() as led:
        bot = Bot(led)
        bot.line()
        led.end()

        assert led.wait() == 0
        assert bot.rest() == []


def test_what_ends_the_conversation_is_raised() -> None:
    with lines_program() as led:
        bot = Bot(led)
        bot.line()
        led.end("the store is gone")
        led.wait()

        assert led.failed is not None
        assert (led.failed.name, led.failed.message) == ("RuntimeError", "the store is gone")


def test_nobody_reads_any_more() -> None:
    with lines_program() as led:
        Bot(led).line()
        assert led.process.stdout is not None
        led.process.stdout.close()
        led.tell(Notice("to nobody"))
        led.wait()

        assert led.failed is not None
        assert led.failed.name == "BrokenPipeError"


def test_a_reader_that_stands_still_keeps_nobody_from_ending() -> None:
    with lines_program() as led:
        bot = Bot(led)
        bot.line()
        for number in range(200):
            led.tell(message(number, "x" * 5000))
        bot.ask(type="status")
        assert led.asked(Refused("not now")) == Status()
        led.end()
        led.process.terminate()

        assert led.process.wait(10) == -15
