"""What a person types, as what they mean. A line that begins with `/` is a command; `//` says a line with a slash."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from bridge.content import MAX_TEXT, harmless_line
from bridge.conversation import Add, Confirm, Join, Leave, Members, Quit, Remove, Request, Resync, Say, Status, Verify
from bridge.terminal.people import AmbiguousNameError, People
from bridge.terminal.transcript import Transcript

__all__ = ["HELP", "CommandError", "Help", "Typed", "read"]

HELP: Final = (
    ("TEXT", "say it; a line that begins with / is said with //"),
    ("/reply N TEXT", "answer message #N"),
    ("/members", "who is here, and what vouches for them"),
    ("/verify NAME", "show the digits to compare with them"),
    ("/confirm NAME", "you compared the digits, and they are equal"),
    ("/add NAME", "let somebody in who asked"),
    ("/remove NAME", "remove somebody"),
    ("/status", "epoch, digits, connections, what waits"),
    ("/join", "ask to be let in, again"),
    ("/resync", "take the group's state anew from the others; what was said meanwhile may be lost"),
    ("/leave", "leave the group for good"),
    ("/quit", "close this window; you stay in the group"),
)


@dataclass(frozen=True, slots=True)
class Help:
    """Show the commands."""


Typed: TypeAlias = Request | Quit | Help


class CommandError(Exception):
    """The line means nothing; says what to type instead."""


def read(line: str, people: People, transcript: Transcript, digits: Mapping[str, str]) -> Typed | None:
    """Return what the line means, `None` for an empty one. Raises `CommandError`.

    `digits` are those that were shown to the person, by account: nobody confirms what they have not seen.
    """
    text = line.strip()
    if not text:
        return None
    if not text.startswith("/"):
        return _say(text)
    if text.startswith("//"):
        return _say(text[1:])
    word, _, rest = text[1:].partition(" ")
    return _command(word.lower(), rest.strip(), people, transcript, digits)


ALONE: Final[Mapping[str, Callable[[], Request | Quit | Help]]] = {
    "help": Help,
    "join": Join,
    "leave": Leave,
    "members": Members,
    "quit": Quit,
    "resync": Resync,
    "status": Status,
}

WITH_A_PERSON: Final[Mapping[str, Callable[[str], Request]]] = {"add": Add, "remove": Remove, "verify": Verify}


def _command(
    word: str, rest: str, people: People, transcript: Transcript, digits: Mapping[str, str]
) -> Request | Quit | Help:
    if word in ALONE:
        if rest:
            raise CommandError(f"/{word} stands alone: nothing follows it.")
        return ALONE[word]()
    if word in WITH_A_PERSON:
        return WITH_A_PERSON[word](_person(word, rest, people))
    if word == "reply":
        return _reply(rest, transcript)
    if word == "confirm":
        return _confirm(_person(word, rest, people), people, digits)
    raise CommandError(f"There is no command /{harmless_line(word, limit=20)}. See /help; to say it, begin with //")


def _say(text: str) -> Say:
    if len(text) > MAX_TEXT:
        raise CommandError(f"That is too long: {len(text):,} characters, of at most {MAX_TEXT:,}.")
    return Say(text)


def _reply(rest: str, transcript: Transcript) -> Say:
    number, _, text = rest.partition(" ")
    digits = number.removeprefix("#")
    if not (digits.isascii() and digits.isdecimal() and len(digits) < 10 and text.strip()):
        raise CommandError("Which message, and what? /reply N TEXT, as in: /reply 12 yes, at noon")
    line = transcript.numbered(int(digits))
    if line is None:
        raise CommandError(f"There is no message #{int(digits)} here.")
    return Say(_say(text.strip()).text, reply_to=line.id)


def _person(command: str, typed: str, people: People) -> str:
    if not typed:
        raise CommandError(f"Whom? /{command} NAME")
    try:
        return people.find(typed)
    except AmbiguousNameError as error:
        raise CommandError(str(error)) from error


def _confirm(account: str, people: People, digits: Mapping[str, str]) -> Confirm:
    if account not in digits:
        raise CommandError(f"Compare the digits first: /verify {people.reference(account)}")
    return Confirm(account, digits[account])
