"""The demonstration's story: three people compare a number, talk, reply; one is removed, and can read no more."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table

from bridge.demo.people import DemoError, Person
from bridge.demo.proving import Proof, prove
from bridge.demo.stage import Stage
from bridge.protocol.code_points import EnvelopeKind
from bridge.protocol.envelope import open_envelope
from bridge.terminal.digits import show_digits
from transports.carriers import MATRIX_EVENT_TYPE

__all__ = ["play", "show_how_to_join"]


@dataclass
class _Lines:
    """What is said. A random word in each, so that finding it anywhere means that it leaked there."""

    question: str
    answer: str
    aside: str
    secret: str

    @classmethod
    def fresh(cls) -> _Lines:
        word = secrets.token_hex(6)
        return cls(
            f"Tea on Sunday at four? My number is {word}1.",
            f"Gladly. I bring the **cake**, for {word}2.",
            f"I am in, too: {word}3.",
            f"A surprise for Bob, then: {word}4.",
        )

    @property
    def all(self) -> list[str]:
        return [self.question, self.answer, self.aside, self.secret]


async def play(stage: Stage, console: Console) -> bool:
    """Play the story, and prove what it shows. Returns whether all of it held."""
    alice, bob, carol = (stage.people[name] for name in ("alice", "bob", "carol"))
    lines = _Lines.fresh()

    def say(text: str) -> None:
        console.print(f"[dim]·[/] {escape(text)}")

    await _let_in(alice, bob, carol, console, say)
    await _talk(alice, bob, carol, lines, say)
    ciphertexts = await _remove(stage, lines, say)
    proof = await prove(stage, lines.all, carol, say)
    console.print(_what_they_see(stage, lines, proof))
    return _conclude(proof, ciphertexts, console)


async def _let_in(alice: Person, bob: Person, carol: Person, console: Console, say: Callable[[str], None]) -> None:
    await alice.until_told("joined")
    say("Alice has founded the room's group; the bridge seals its order")
    await bob.until_told("joined")
    say("Bob asked, and is in: his own homeserver shows that it was he who asked")
    asked = await alice.until_told("asked", account="xmpp:carol@localhost")
    say("Carol asks from XMPP. Only the bridge says that it is she: Alice and Carol compare a number, on the phone")
    seen_by_carol = await carol.ask_until_granted("verify", account="matrix:u/alice:localhost")
    console.print(_numbers(asked["digits"], seen_by_carol["digits"]))
    if asked["digits"] != seen_by_carol["digits"]:
        raise DemoError("the numbers differ: somebody stands between Alice and Carol")
    await alice.ask("confirm", account="xmpp:carol@localhost", digits=asked["digits"])
    await carol.until_told("joined")
    say("The numbers are equal; Alice lets Carol in")


async def _talk(alice: Person, bob: Person, carol: Person, lines: _Lines, say: Callable[[str], None]) -> None:
    await alice.ask("say", text=lines.question)
    question = await carol.until_told("message", text=lines.question)
    await bob.until_told("message", text=lines.question)
    say("Alice says something on Matrix: Bob reads it there, Carol on XMPP")
    await carol.ask("say", text=lines.answer, markdown=True, reply_to=question["id"])
    await alice.until_told("message", text=lines.answer, reply_to=question["id"])
    await bob.until_told("message", text=lines.answer)
    await bob.ask("say", text=lines.aside)
    await carol.until_told("message", text=lines.aside)
    await alice.until_told("message", text=lines.aside)
    say("Carol replies, Bob answers: both networks, both ways")


async def _remove(stage: Stage, lines: _Lines, say: Callable[[str], None]) -> int:
    """Remove Bob, and say one more thing. Returns how many ciphertexts of it Bob got from his homeserver."""
    alice, bob, carol = (stage.people[name] for name in ("alice", "bob", "carol"))
    await alice.ask("remove", account="matrix:u/bob:localhost")
    await bob.until_told("removed")
    before = await _ciphertexts(stage)
    await alice.ask("say", text=lines.secret)
    await carol.until_told("message", text=lines.secret)
    got = await _ciphertexts(stage) - before
    if lines.secret in bob.texts:
        raise DemoError("Bob could read on after his removal")
    if not got:
        raise DemoError("Bob's homeserver gave him no ciphertext: that he reads nothing would prove nothing")
    say(f"Alice removes Bob. He is still in the room, gets {got} later ciphertext, and can read none")
    return got


async def _ciphertexts(stage: Stage) -> int:
    """Return how many application messages Bob's homeserver hands out to him."""
    events = await stage.eye.newest(stage.matrix_room)
    return sum(_is_message(event) for event in events)


def _is_message(event: dict[str, Any]) -> bool:
    data = event.get("content", {}).get("data", "") if event.get("type") == MATRIX_EVENT_TYPE else ""
    if not data:
        return False
    return open_envelope(base64.b64decode(data + "=" * (-len(data) % 4))).kind == EnvelopeKind.APPLICATION


def _numbers(alices: str, carols: str) -> Table:
    table = Table(title="What they compare", title_justify="left")
    table.add_column("Alice sees")
    table.add_column("Carol sees")
    table.add_row("\n".join(show_digits(alices)), "\n".join(show_digits(carols)))
    return table


def _what_they_see(stage: Stage, lines: _Lines, proof: Proof) -> Table:
    """Put what each person can read beside what everybody else holds."""
    table = Table(title="Who can read what", title_justify="left", show_lines=True)
    table.add_column("")
    table.add_column("reads")
    for name, person in stage.people.items():
        said = {"alice": [lines.question, lines.secret], "bob": [lines.aside], "carol": [lines.answer]}[name]
        heard = [text for text in lines.all if text in said or text in person.texts]
        table.add_row(name.capitalize(), "\n".join(escape(text) for text in heard))
    for place, found in proof.places.items():
        what = "ciphertext only" if not found else "[red]" + escape(", ".join(name for name, _ in found)) + "[/]"
        table.add_row(place, what)
    return table


def _conclude(proof: Proof, ciphertexts: int, console: Console) -> bool:
    control = (
        f"the same search finds {len({name.split(' (')[0] for name, _ in proof.member})} of them in Carol's memory"
    )
    if proof.holds:
        text = (
            f"Proven: {proof.words} sentences and {proof.secrets} keys, searched for in every usual form in both "
            f"servers' files and the bridge's memory, database and logs, are nowhere; {control}; and Bob, removed, "
            f"got {ciphertexts} ciphertext that he cannot read."
        )
        console.print(Panel(text, border_style="green"))
        return True
    leaks = [f"{name} in {where}" for found in proof.places.values() for name, where in found]
    text = "Not proven: " + ("; ".join(leaks) if leaks else f"the search is blind: {control}")
    console.print(Panel(escape(text), border_style="red"))
    return False


def show_how_to_join(stage: Stage, program: str, console: Console) -> None:
    """Print how to look around while it all runs."""
    console.print(
        "It all goes on running. To talk yourself, in place of somebody (stop them first, or take Bob, who is out):"
    )
    for name, person in stage.people.items():
        config = Path(stage.folder / name / "mls-bridge.yaml")
        console.print(f"  kill {person.pid}; {program} chat --config {config}", soft_wrap=True, highlight=False)
    console.print(f"  the bridge: process {stage.bridge.pid}, log {stage.bridge.log}", soft_wrap=True, highlight=False)
    console.print(f"  Synapse: process {stage.synapse.pid}; Prosody: process {stage.prosody.pid}")
    console.print(f"  all files: {stage.folder}", soft_wrap=True, highlight=False)
    console.print("Ctrl-C ends everything.")
