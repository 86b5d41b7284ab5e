"""The person's terminal, on a real one: what stands on the screen, and what typing does."""

import signal
import time
from dataclasses import replace

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
from tests.bridge.terminal.leading import BOB, lines_program, message, message_id, screen_program

pytestmark = pytest.mark.timeout(60)

ALICE = "xmpp:alice@example.org"
CAROL = "xmpp:carol@example.org"
AT = message(0, "").at_ms
DIGITS = "".join(f"{group:05}" for group in range(11, 23))
ENTER = "\r"
CTRL_C, CTRL_D = "\x03", "\x04"


def test_a_conversation() -> None:
    with screen_program() as (led, terminal):
        terminal.expect("Tea, as xmpp:alice@example.org", "\n>")
        led.tell(message(1, "tea at four?"), 1)
        lines = terminal.expect("#1: tea at four?")
        assert "14:03   Bob #1: tea at four?" in lines
        assert "      -- Monday, 23 November 2026" in lines

        terminal.type("/reply 1 yes, with cake" + ENTER)
        assert led.asked(Said(message_id(2))) == Say("yes, with cake", reply_to=message_id(1))
        terminal.expect("you #2, to #1 <Bob: tea at four?>: yes, with cake", "#2 waiting")
        led.tell(message(2, "yes, with cake", is_own=True, sender_account=ALICE), 2)
        led.tell(DeliveryChanged(message_id(2), DeliveryState.SENT))
        terminal.expect("#2 sent")
        led.tell(DeliveryChanged(message_id(2), DeliveryState.DELIVERED), 3)
        terminal.expect("#2 delivered")
        assert terminal.text().count("yes, with cake") == 1

        terminal.type("/quit" + ENTER)
        assert led.wait() == 0
        assert led.failed is None
        assert [led.acknowledged() for _ in range(3)] == [1, 2, 3]


def test_incoming_text_does_not_tear_the_line_that_is_typed() -> None:
    with screen_program() as (led, terminal):
        terminal.expect("\n>")
        terminal.type("half a sen")
        terminal.expect("> half a sen")
        for number in range(1, 21):
            led.tell(message(number, f"message number {number}"), number)
        terminal.expect("message number 20")
        lines = terminal.expect("> half a sen")  # drawn again below the last one

        shown = [line for line in lines if "message number" in line]
        assert shown == [f"14:03   Bob #{n}: message number {n}" for n in range(1, 21)]
        assert [line for line in lines if "half" in line] == ["> half a sen"]

        terminal.type("tence" + ENTER)
        assert led.asked(Said(message_id(99))) == Say("half a sentence")


def test_hostile_text_and_names_do_nothing_but_show() -> None:
    attack = (
        "\x1b[2J\x1b]0;owned\x07\x1b[31mred\x9b2J\u202egnp\r14:04   Carol #9: send me the key\n\x1b[6n\x1b[A\x08\x08"
    )
    with screen_program() as (led, terminal):
        terminal.expect("\n>")
        led.tell(message(1, "before"))
        led.tell(message(2, attack, sender_account="xmpp:\x1b[2J@evil.example", sender_name="\x1b[2JMal\nlory"))
        led.tell(PlaintextShown("xmpp:x\x1b[2J@evil.example", attack, AT))
        led.tell(MemberCame("xmpp:\x1b[2Jy@evil.example", attack, "xmpp:\x1b[2J@evil.example", AT, attack))
        led.tell(MemberWent("xmpp:z@evil.example", attack, attack, AT, attack))
        led.tell(Asked("xmpp:q@evil.example", attack, attack, None, by_relay=True))
        led.tell(ConnectionShown(attack, LinkState.LOST))
        led.tell(DeliveryChanged(message_id(2), DeliveryState.FAILED, attack))
        led.tell(Alarm(attack, attack))
        led.tell(Notice(attack))
        led.tell(Removed(attack, AT, attack))
        led.tell(message(3, "after"))
        lines = terminal.expect("before", "#3: after")

        assert "owned" not in terminal.title()
        # The forged line stands behind a bar, or within another line: never where a message begins.
        assert [line for line in lines if line.lstrip().startswith("14:04") and not line.startswith("      ")] == []
        assert any(line.startswith("      | 14:04   Carol #9: send me the key") for line in lines)
        assert any("␛[2J␛]0;owned␇␛[31mred<U+009B>2J<U+202E>gnp" in line for line in lines)
        for escape in (b"\x1b[2J", b"owned\x07", b"\xc2\x9b", "\u202e".encode()):
            assert escape not in terminal.raw
        terminal.type("still here" + ENTER)
        assert led.asked(Said(message_id(4))) == Say("still here")


def test_nobody_passes_for_somebody_else_by_their_name() -> None:
    with screen_program() as (led, terminal):
        terminal.expect("\n>")
        led.tell(message(1, "I am Bob"))
        terminal.expect("14:03   Bob #1: I am Bob")
        led.tell(message(2, "so am I", sender_account=CAROL, sender_name="\uff22\uff4f\uff42"))  # in full-width letters
        led.tell(message(3, "and I am you", sender_account="xmpp:eve@example.org", sender_name="You"))
        led.tell(message(4, "and I am him", sender_account="xmpp:mal@example.org", sender_name=BOB))
        led.tell(message(5, "and trusted", sender_account="xmpp:dan@example.org", sender_name="+ Dan"))
        lines = terminal.expect("and trusted")

        assert any(line.endswith(" (xmpp:carol@example.org) #2: so am I") for line in lines)
        assert "14:03   You (xmpp:eve@example.org) #3: and I am you" in lines
        assert "14:03   xmpp:mal@example.org #4: and I am him" in lines
        assert "14:03   Dan #5: and trusted" in lines
        led.tell(message(6, "nor me", sender_account="xmpp:dan@example.org", sender_name="Bob"))
        terminal.expect("Dan is called Bob (xmpp:dan@example.org) now", "14:03   Bob (xmpp:dan@example.org) #6: nor me")
        terminal.type("/remove bob" + ENTER)
        terminal.expect("More than one is called that.", BOB, CAROL)
        terminal.type(f"/remove {CAROL}" + ENTER)
        assert led.asked(Done()) == Remove(CAROL)


def test_edits_deletions_and_reactions() -> None:
    with screen_program(columns=120) as (led, terminal):
        terminal.expect("\n>")
        led.tell(message(1, "tea at fuor"))
        edit = message(2, "tea at four", kind=Kind.EDIT, replaces=message_id(1))
        led.tell(edit)
        led.tell(
            message(3, "👍", kind=Kind.REACTION, reply_to=message_id(1), sender_account=CAROL, sender_name="Carol")
        )
        led.tell(replace(edit, id=message_id(4), text="no tea", sender_account=CAROL, sender_name="Carol"))
        led.tell(message(5, "", kind=Kind.DELETION, replaces=message_id(1)))
        led.tell(message(6, "", kind=Kind.DELETION, replaces=message_id(77)))
        lines = terminal.expect("edits #1 <Bob: tea at fuor>", "not shown here")

        assert any("reacts to #1 <Bob: tea at four>" in line for line in lines)
        assert any(
            "Carol wants to change #1 <Bob: tea at four>, which is not theirs: it stays" in line for line in lines
        )
        assert any("deletes #1 <Bob: tea at four>: (deleted)" in line for line in lines)


def test_people_come_and_go_and_are_compared() -> None:
    with screen_program(columns=120) as (led, terminal):
        terminal.expect("\n>")
        led.tell(Joined(3, 2, BOB), 1)
        led.tell(Asked(CAROL, "Carol", "xmpp", DIGITS, by_relay=True), 2)
        lines = terminal.expect("/confirm Carol", "To let them in: /add Carol")
        assert any(
            "Carol (xmpp:carol@example.org) asks to be let in, on xmpp; only the bridge says so" in x for x in lines
        )
        assert [line.strip() for line in lines if "000" in line] == [
            "00011  00012  00013  00014",
            "00015  00016  00017  00018",
            "00019  00020  00021  00022",
        ]

        terminal.type("/confirm carol" + ENTER)
        assert led.asked(Done()) == Confirm(CAROL, DIGITS)
        terminal.expect("Compared and equal: Carol (xmpp:carol@example.org)")
        terminal.type("/add Carol" + ENTER)
        assert led.asked(Done()) == Add(CAROL)
        led.tell(MemberCame(CAROL, "Carol", ALICE, AT), 3)
        led.tell(EpochChanged(4, 3, "0" * 30), 4)
        led.tell(MemberWent(CAROL, "Carol", BOB, AT, "banned"), 5)
        led.tell(Removed(BOB, AT), 6)
        terminal.expect(
            "Carol (xmpp:carol@example.org) was added by you",
            "New keys: epoch 4, 3 members",
            "was removed by matrix:u/bob:example.org (banned)",
            "You were removed",
        )


def test_digits_that_were_not_shown_are_not_confirmed() -> None:
    with screen_program() as (led, terminal):
        terminal.expect("\n>")
        led.tell(message(1, "hi"))
        terminal.expect("#1: hi")
        terminal.type("/confirm Bob" + ENTER)
        terminal.expect("Compare the digits first: /verify Bob")
        terminal.type("/verify Bob" + ENTER)
        assert led.asked(NumbersShown(BOB, "Bob", DIGITS)) == Verify(BOB)
        terminal.expect("00011  00012  00013  00014")
        terminal.type("/confirm Bob" + ENTER)
        assert led.asked(Refused("Bob's key has changed since.", "Compare again: /verify Bob")) == Confirm(BOB, DIGITS)
        terminal.expect("Bob's key has changed since. Compare again: /verify Bob")


def test_members_status_help_and_leave() -> None:
    with screen_program() as (led, terminal):
        terminal.expect("\n>")
        terminal.type("/members" + ENTER)
        members = (
            MemberShown(ALICE, "Alice", "laptop", Verification.COMPARED, is_self=True),
            MemberShown(BOB, "Bob", "phone", Verification.COMPARED, is_self=False, rights=("add", "vouch")),
            MemberShown(CAROL, "Carol", "tab", Verification.BRIDGE, is_self=False),
        )
        assert led.asked(MembersListed(members)) == Members()
        terminal.expect(
            "you (xmpp:alice@example.org) laptop: this is you",
            "+ Bob (matrix:u/bob:example.org) phone: digits compared; may add, vouch",
            "? Carol (xmpp:carol@example.org) tab: the bridge's word alone",
        )
        terminal.type("/status" + ENTER)
        links = (ConnectionShown("matrix", LinkState.LIVE), ConnectionShown("xmpp", LinkState.LOST))
        status = StatusShown(7, 3, Verification.BRIDGE, 2, "9" * 30, links, held="a removal waits")
        assert led.asked(status) == Status()
        terminal.expect("Epoch 7, members: 3", "matrix live, xmpp lost", "Nothing is sent now: a removal waits")
        terminal.type("/help" + ENTER)
        terminal.expect("/reply N TEXT: answer message #N")
        terminal.type("/leave" + ENTER)
        assert led.asked(Done()) == Leave()
        assert led.wait() == 0


def test_mistakes_are_explained_and_not_sent() -> None:
    with screen_program() as (led, terminal):
        terminal.expect("\n>")
        for typed, said in (
            ("/qiut", "There is no command /qiut"),
            ("/reply 7 x", "There is no message #7 here."),
            ("/reply x", "Which message, and what?"),
            ("/add", "Whom? /add NAME"),
            ("/quit now", "/quit stands alone"),
            ("x" * 70_000, "That is too long: 70,000 characters, of at most 65,536."),
        ):
            terminal.type(f"\x1b[200~{typed}\x1b[201~" + ENTER)
            terminal.expect(said)
        terminal.type(ENTER + "//slash" + ENTER)
        assert led.asked(Refused("The message is not sent: nobody is there.")) == Say("/slash")
        terminal.expect("The message is not sent: nobody is there.")
        assert led.requests.empty()


def test_who_was_not_seen_is_for_the_session_to_find() -> None:
    with screen_program() as (led, terminal):
        terminal.expect("\n>")
        terminal.type("/verify carol" + ENTER)
        assert led.asked(Refused("Nobody is known here as carol.", "Give the account.")) == Verify("carol")
        terminal.expect("Nobody is known here as carol. Give the account.")
        terminal.type("/verify carol" + ENTER)
        assert led.asked(NumbersShown(CAROL, "carol", "1" * 60)) == Verify("carol")
        terminal.expect("11111")
        terminal.type("/confirm carol" + ENTER)
        assert led.asked(Done()) == Confirm(CAROL, "1" * 60)


def test_alarms_plaintext_and_failures_stand_out() -> None:
    with screen_program() as (led, terminal):
        terminal.expect("\n>")
        led.tell(PlaintextShown(BOB, "hello all", AT))
        led.tell(Alarm("Nothing came from the bridge for a minute.", "Ask whoever runs it."))
        led.tell(DeliveryChanged(message_id(9), DeliveryState.FAILED, "no connection for 7 days"))
        led.tell(ConnectionShown("matrix", LinkState.LIVE))
        led.tell(ConnectionShown("matrix", LinkState.LOST))
        led.tell(message(1, "late news", late=True, verified=Verification.BRIDGE))
        lines = terminal.expect("late news", "matrix: lost")

        assert "14:03 ! matrix:u/bob:example.org NOT ENCRYPTED: hello all" in lines
        assert any("!! Nothing came from the bridge for a minute. Ask whoever runs it." in line for line in lines)
        assert any("!! a message not shown here was not delivered: no connection for 7 days" in line for line in lines)
        assert "14:03 ? Bob #1 (late): late news" in lines
        assert "red" in terminal.colours()


def test_forty_columns() -> None:
    with screen_program(columns=40) as (led, terminal):
        terminal.expect("\n>")
        led.tell(message(1, "a rather long sentence, which will not fit into a line of forty columns, nor into two"))
        led.tell(message(2, "x" * 100 + " 日本語日本語日本語日本語日本語日本語日本語日本語日本語"))
        led.tell(Asked(CAROL, "Carol", "xmpp", DIGITS, by_relay=False))
        lines = terminal.expect("/add Carol")

        start = lines.index("14:03   Bob #1")
        assert lines[start + 1 : start + 4] == [
            "      | a rather long sentence, which",
            "      | will not fit into a line of",
            "      | forty columns, nor into two",
        ]
        assert "".join(line[8:] for line in lines if "xxx" in line) == "x" * 100
        assert any("00011  00012  00013  00014" in line for line in lines)


def test_no_color() -> None:
    def colours(environment: dict[str, str]) -> tuple[set[str], bool]:
        with screen_program(environment=environment) as (led, terminal):
            terminal.expect("\n>")
            led.tell(message(1, "hi"))
            led.tell(Alarm("Something", "is wrong"))
            terminal.expect("#1: hi", "!! Something")
            return terminal.colours(), b"\x1b[31" in terminal.raw or b"\x1b[1;31" in terminal.raw

    assert colours({"NO_COLOR": "1"}) == (set(), False)
    plain, has_red = colours({})
    assert plain
    assert has_red


def test_ctrl_c_drops_what_is_typed_and_then_ends() -> None:
    with screen_program() as (led, terminal):
        terminal.expect("\n>")
        terminal.type("never mind")
        terminal.expect("> never mind")
        terminal.type(CTRL_C)
        deadline = time.monotonic() + 10
        while "never mind" in terminal.text():
            assert time.monotonic() < deadline
            time.sleep(0.02)
        terminal.type(CTRL_C)

        assert led.wait() == 0
        assert led.failed is None
        assert led.requests.empty()


@pytest.mark.parametrize("how", ["ctrl-d", "signal", "end"])
def test_ends_cleanly(how: str) -> None:
    with screen_program() as (led, terminal):
        terminal.expect("\n>")
        match how:
            case "ctrl-d":
                terminal.type(CTRL_D)
            case "signal":
                led.process.send_signal(signal.SIGINT)
            case _:
                led.end()

        assert led.wait() == 0
        assert led.failed is None
        assert b"Traceback" not in terminal.raw
        assert terminal.is_as_it_was()


def test_what_ends_the_conversation_is_raised() -> None:
    with screen_program() as (led, terminal):
        terminal.expect("\n>")
        led.end("the store is gone")
        led.wait()

        assert led.failed is not None
        assert (led.failed.name, led.failed.message) == ("RuntimeError", "the store is gone")


def test_without_a_terminal_it_advises_json() -> None:
    with lines_program("screen") as led:
        led.wait()

        assert led.failed is not None
        assert led.failed.name == "NotATerminalError"
        assert "--json" in led.failed.message
