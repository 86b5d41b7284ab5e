"""Each happening as lines for a terminal: who, when, what, and what vouches for it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, tzinfo
from typing import Final, TypeAlias, assert_never

from rich.text import Text

from bridge.content import Kind, MessageId, harmless_line
from bridge.conversation import (
    Alarm,
    Asked,
    ConnectionShown,
    DeliveryChanged,
    DeliveryState,
    EpochChanged,
    Happening,
    Joined,
    LinkState,
    MemberCame,
    MemberWent,
    MessageArrived,
    Notice,
    PlaintextShown,
    Removed,
    RoomShown,
    Say,
    Verification,
)
from bridge.terminal.digits import show_digits
from bridge.terminal.layout import Layout, local_time
from bridge.terminal.people import People
from bridge.terminal.transcript import Authorship, Transcript

__all__ = ["MARKS", "Painter"]

MARKS: Final = {
    Verification.COMPARED: "+",
    Verification.FIRST_USE: " ",
    Verification.NETWORK: " ",
    Verification.BRIDGE: "?",
}
"""The sign before a name. No name begins with one."""

MAX_NOTICE: Final = 500
MAX_REASON: Final = 200
MAX_TRACKED: Final = 100
MAX_QUOTE: Final = 30

NEVER_SEEN: Final = "a message not shown here"

Lines: TypeAlias = list[Text]


class Painter:
    """Turns happenings into lines, and remembers what later ones refer to."""

    def __init__(self, room: RoomShown, *, now_ms: Callable[[], int], zone: tzinfo | None) -> None:
        self.people = People(room.account)
        self.transcript = Transcript()
        self.digits: dict[str, str] = {}
        """What was shown to be compared, by account."""
        self._room = room
        self._now_ms = now_ms
        self._zone = zone
        self._day: date | None = None
        self._deliveries: dict[MessageId, DeliveryState] = {}
        self._links: dict[str, LinkState] = {}

    def paint(self, what: Happening, width: int) -> Lines:
        """Return the lines to print; none where only the bar at the bottom changes."""
        layout = Layout(width)
        match what:
            case MessageArrived():
                return self._message(what, layout)
            case PlaintextShown():
                return self._plaintext(what, layout)
            case DeliveryChanged():
                return self._delivery(what, layout)
            case MemberCame() | MemberWent() | Joined() | Removed() | Asked():
                return self._membership(what, layout)
            case EpochChanged() | Alarm() | Notice() | ConnectionShown():
                return self._program(what, layout)
            case _:
                assert_never(what)

    def said(self, id_: MessageId, request: Say, width: int) -> Lines:
        """Return the lines of a message of one's own, which is on its way."""
        if self.transcript.knows(id_):
            return []
        self._track(id_, DeliveryState.WAITING)
        own = MessageArrived(
            id=id_,
            sender_account=self._room.account,
            sender_name=self._room.own_name,
            at_ms=self._now_ms(),
            text=request.text,
            markdown=request.markdown,
            kind=Kind.MESSAGE,
            reply_to=request.reply_to,
            replaces=None,
            is_own=True,
            verified=Verification.COMPARED,
            late=False,
        )
        return self._message(own, Layout(width))

    def notice(self, text: str, width: int, *, sign: str = "--", style: str = "dim") -> Lines:
        """Return what the program itself has to say."""
        return Layout(width).notice(self._clock(self._now_ms()), text, sign=sign, style=style)

    def bar(self) -> str:
        """Return the line at the bottom: how the connections stand, and what is on its way."""
        links = [f"{network} {state.value}" for network, state in sorted(self._links.items())]
        waiting = [
            f"#{line.number} {state.value}"
            for id_, state in self._deliveries.items()
            if (line := self.transcript.line(id_)) is not None
        ]
        return "  ".join([*links, *waiting[-3:]]) or harmless_line(self._room.name or self._room.room, limit=80)

    # --- Messages -----------------------------------------------------------------------------------------------------

    def _message(self, message: MessageArrived, layout: Layout) -> Lines:
        if message.is_own and self.transcript.knows(message.id):
            return []
        renamed = self._renamed(message, layout)
        match message.kind:
            case Kind.MESSAGE:
                lines = self._new(message, layout)
            case Kind.REACTION:
                lines = self._reaction(message, layout)
            case Kind.EDIT | Kind.DELETION:
                lines = self._replacing(message, layout)
            case _:
                assert_never(message.kind)
        return [*self._new_day(message.at_ms, layout), *renamed, *lines]

    def _renamed(self, message: MessageArrived, layout: Layout) -> Lines:
        """Return that the sender goes by another name than before, if so: nobody changes it unseen."""
        before = self.people.see(message.sender_account, message.sender_name)
        if before is None:
            return []
        text = f"{before} is called {self.people.full_label(message.sender_account)} now"
        return layout.notice(self._clock(message.at_ms), text, style="yellow")

    def _new(self, message: MessageArrived, layout: Layout) -> Lines:
        line = self.transcript.remember(message.id, message.sender_account, message.text)
        head = self._head(message).append(f" #{line.number}", style="dim")
        if message.reply_to is not None:
            head.append(f", to {self._quote(message.reply_to)}", style="dim")
        if message.late:
            head.append(" (late)", style="yellow")
        return layout.message(head, message.text)

    def _reaction(self, message: MessageArrived, layout: Layout) -> Lines:
        line = self.transcript.remember(message.id, message.sender_account, message.text)
        target = NEVER_SEEN if message.reply_to is None else self._quote(message.reply_to)
        return layout.message(
            self._head(message).append(f" #{line.number} reacts to {target}", style="dim"), message.text
        )

    def _replacing(self, message: MessageArrived, layout: Layout) -> Lines:
        """Return an edit or a deletion as what it is: not the author's, it changes nothing, and that is said."""
        target = NEVER_SEEN if message.replaces is None else self._quote(message.replaces)
        verb = "edits" if message.kind is Kind.EDIT else "deletes"
        head = self._head(message)
        if self.transcript.authorship(message) is Authorship.OTHER:
            head.append(f" wants to change {target}, which is not theirs: it stays", style="red")
            return layout.message(head, message.text) if message.text else [head]
        head.append(f" {verb} {target}", style="dim")
        if message.replaces is not None:
            self.transcript.rewrite(message.replaces, message.text or "(deleted)")
        return layout.message(head, message.text) if message.kind is Kind.EDIT else layout.message(head, "(deleted)")

    def _plaintext(self, what: PlaintextShown, layout: Layout) -> Lines:
        head = Text.assemble(
            (f"{self._clock(what.at_ms)} ", "dim"),
            ("! ", "bold red"),
            self.people.label(what.account),
            (" NOT ENCRYPTED", "bold red"),
        )
        return [*self._new_day(what.at_ms, layout), *layout.message(head, what.text, style="red")]

    def _delivery(self, what: DeliveryChanged, layout: Layout) -> Lines:
        if what.state is not DeliveryState.FAILED:
            self._track(what.id, what.state)
            return []
        self._deliveries.pop(what.id, None)
        reason = harmless_line(what.reason, limit=MAX_REASON)
        text = f"{self._quote(what.id)} was not delivered{': ' if reason else ''}{reason}"
        return layout.notice(self._clock(self._now_ms()), text, sign="!!", style="bold red")

    def _track(self, id_: MessageId, state: DeliveryState) -> None:
        """Keep how far a message is. What is delivered shows until something else is on its way."""
        for other in [key for key, shown in self._deliveries.items() if shown is DeliveryState.DELIVERED]:
            del self._deliveries[other]
        self._deliveries.setdefault(id_, state)
        if state is not DeliveryState.WAITING:
            self._deliveries[id_] = state
        while len(self._deliveries) > MAX_TRACKED:
            del self._deliveries[next(iter(self._deliveries))]

    # --- People -------------------------------------------------------------------------------------------------------

    def _membership(self, what: MemberCame | MemberWent | Joined | Removed | Asked, layout: Layout) -> Lines:
        match what:
            case MemberCame():
                self.people.see(what.account, what.name)
                return self._change(f"{self.people.full_label(what.account)} was added", what.by, what, layout)
            case MemberWent() if what.by == what.account:
                return self._change(f"{self.people.full_label(what.account)} left", "", what, layout)
            case MemberWent():
                return self._change(f"{self.people.full_label(what.account)} was removed", what.by, what, layout)
            case Removed():
                return self._change("You were removed: nothing that follows can be read", what.by, what, layout)
            case Joined():
                text = f"You are in: {_members(what.members)}, epoch {what.epoch}"
                by = f", let in by {self.people.label(what.by)}" if what.by != self._room.account else ""
                return layout.notice(self._clock(self._now_ms()), text + by, style="green")
            case Asked():
                return self._asked(what, layout)
            case _:
                assert_never(what)

    def _change(self, text: str, by: str, what: MemberCame | MemberWent | Removed, layout: Layout) -> Lines:
        author = f" by {self.people.label(by)}" if by else ""
        why = f" ({harmless_line(what.why, limit=MAX_REASON)})" if what.why else ""
        lines = layout.notice(self._clock(what.at_ms), f"{text}{author}{why}", style="yellow")
        return [*self._new_day(what.at_ms, layout), *lines]

    def _asked(self, what: Asked, layout: Layout) -> Lines:
        self.people.see(what.account, what.name)
        at = self._clock(self._now_ms())
        network = harmless_line(what.network, limit=20)
        claim = "; only the bridge says so" if what.by_relay else ""
        lines = layout.notice(
            at, f"{self.people.full_label(what.account)} asks to be let in, on {network}{claim}.", style="bold yellow"
        )
        name = self.people.reference(what.account)
        if what.digits is not None:
            lines += self.comparison(what.account, what.digits, layout.width)
        return [*lines, *layout.notice("", f"To let them in: /add {name}", style="yellow")]

    def comparison(self, account: str, digits: str, width: int) -> Lines:
        """Return the digits to compare with somebody, and how."""
        self.digits[account] = digits
        layout = Layout(width)
        name = self.people.reference(account)
        return [
            *layout.notice("", "Compare these digits with theirs, over a call or face to face:", style="yellow"),
            *layout.behind(Text("   "), show_digits(digits), style="bold"),
            *layout.notice("", f"If all are equal: /confirm {name}", style="yellow"),
        ]

    # --- The program --------------------------------------------------------------------------------------------------

    def _program(self, what: EpochChanged | Alarm | Notice | ConnectionShown, layout: Layout) -> Lines:
        at = self._clock(self._now_ms())
        match what:
            case EpochChanged():
                return layout.notice(at, f"New keys: epoch {what.epoch}, {_members(what.members)}")
            case Alarm():
                text = f"{harmless_line(what.what, limit=MAX_NOTICE)} {harmless_line(what.next_step, limit=MAX_NOTICE)}"
                return layout.notice(at, text.rstrip(), sign="!!", style="bold red")
            case Notice():
                return layout.notice(at, harmless_line(what.text, limit=MAX_NOTICE))
            case ConnectionShown():
                network = harmless_line(what.network, limit=20)
                before = self._links.get(network)
                self._links[network] = what.state
                if LinkState.LOST not in {before, what.state} or before is what.state:
                    return []
                return layout.notice(at, f"{network}: {what.state.value.replace('-', ' ')}", style="yellow")
            case _:
                assert_never(what)

    # --- Pieces -------------------------------------------------------------------------------------------------------

    def _head(self, message: MessageArrived) -> Text:
        mark = " " if message.is_own else MARKS[message.verified]
        account = message.sender_account
        return Text.assemble(
            (f"{self._clock(message.at_ms)} ", "dim"),
            (f"{mark} ", "bold green" if mark == "+" else "bold yellow"),
            (self.people.label(account), "bold" if message.is_own else self.people.colour(account)),
        )

    def _quote(self, id_: MessageId) -> str:
        line = self.transcript.line(id_)
        if line is None:
            return NEVER_SEEN
        return f"#{line.number} <{self.people.label(line.account)}: {harmless_line(line.excerpt, limit=MAX_QUOTE)}>"

    def _clock(self, at_ms: int) -> str:
        return f"{local_time(at_ms, self._zone):%H:%M}"

    def _new_day(self, at_ms: int, layout: Layout) -> Lines:
        day = local_time(at_ms, self._zone).date()
        if day == self._day:
            return []
        self._day = day
        return layout.notice("", f"{day:%A}, {day.day} {day:%B} {day.year}")


def _members(count: int) -> str:
    return "1 member" if count == 1 else f"{count:,} members"
