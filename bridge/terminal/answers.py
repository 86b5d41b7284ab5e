"""What is answered to a person's request, as lines for a terminal."""

from __future__ import annotations

from typing import Final, assert_never

from rich.text import Text

from bridge.content import harmless_line
from bridge.conversation import (
    Add,
    Confirm,
    Join,
    Leave,
    MemberShown,
    MembersListed,
    NumbersShown,
    Remove,
    Request,
    Resync,
    StatusShown,
    Verification,
)
from bridge.terminal.commands import HELP
from bridge.terminal.digits import show_digits
from bridge.terminal.layout import Layout
from bridge.terminal.painting import MARKS, Painter

__all__ = ["paint_answer", "paint_done", "paint_help"]

MAX_WORD: Final = 60

WORDS: Final = {
    Verification.COMPARED: "digits compared",
    Verification.FIRST_USE: "the key that was first seen",
    Verification.NETWORK: "their network's word",
    Verification.BRIDGE: "the bridge's word alone",
}


def paint_answer(answer: NumbersShown | MembersListed | StatusShown, painter: Painter, width: int) -> list[Text]:
    """Return the lines to print."""
    match answer:
        case NumbersShown():
            painter.people.see(answer.account, answer.name)
            return painter.comparison(answer.account, answer.digits, width)
        case MembersListed():
            return _members(answer, painter, width)
        case StatusShown():
            return _status(answer, width)
        case _:
            assert_never(answer)


def paint_done(request: Request, painter: Painter, width: int) -> list[Text]:
    """Return what to say where the answer is no more than that it is done, or begun."""
    style = "green" if isinstance(request, Confirm) else "dim"
    return painter.notice(_done(request, painter), width, style=style)


def _done(request: Request, painter: Painter) -> str:
    match request:
        case Add(account):
            said = f"Adding {painter.people.full_label(account)}..."
        case Remove(account):
            said = f"Removing {painter.people.full_label(account)}..."
        case Confirm(account):
            said = f"Compared and equal: {painter.people.full_label(account)}"
        case Join():
            said = "You ask to be let in."
        case Resync():
            said = "The group's state is taken anew from the others."
        case Leave():
            said = "You leave the group."
        case _:
            said = "Done."
    return said


def paint_help(width: int) -> list[Text]:
    """Return the commands, and what the signs before names mean."""
    layout = Layout(width)
    lines = [line for command, meaning in HELP for line in layout.notice("", f"{command}: {meaning}", style="")]
    for verification in (Verification.COMPARED, Verification.BRIDGE):
        lines += layout.notice("", f"{MARKS[verification]} before a name: {WORDS[verification]}", style="")
    return lines


def _members(answer: MembersListed, painter: Painter, width: int) -> list[Text]:
    for member in answer.members:
        painter.people.see(member.account, member.name)
    layout = Layout(width)
    return [line for member in answer.members for line in layout.notice("", _member(member, painter), style="")]


def _member(member: MemberShown, painter: Painter) -> str:
    device = harmless_line(member.device, limit=MAX_WORD)
    rights = ", ".join(harmless_line(right, limit=MAX_WORD) for right in member.rights)
    words = "this is you" if member.is_self else WORDS[member.verified]
    mark = " " if member.is_self else MARKS[member.verified]
    may = f"; may {rights}" if rights else ""
    return f"{mark} {painter.people.full_label(member.account)} {device}: {words}{may}"


def _status(answer: StatusShown, width: int) -> list[Text]:
    layout = Layout(width)
    links = ", ".join(f"{harmless_line(link.network, limit=20)} {link.state.value}" for link in answer.connections)
    rows = [
        f"Epoch {answer.epoch:,}, members: {answer.members:,}",
        f"Weakest member: {WORDS[answer.verified]}",
        f"Connections: {links or 'none'}",
        f"Own messages not delivered yet: {answer.waiting:,}",
    ]
    lines = [line for row in rows for line in layout.notice("", row, style="")]
    if answer.held:
        held = harmless_line(answer.held, limit=300)
        lines += layout.notice("", f"Nothing is sent now: {held}", sign="!!", style="bold red")
    lines += layout.notice("", "The same digits for everybody in this epoch:", style="")
    return [*lines, *layout.behind(Text("   "), show_digits(answer.digits), style="bold")]
