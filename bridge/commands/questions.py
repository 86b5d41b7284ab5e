"""Questions to a person at a terminal, each of which an option may have answered already."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from getpass import getpass
from typing import TypeVar

import typer

from bridge.config.examples import is_example

__all__ = ["Check", "Questions"]

Check = Callable[[str], str | None]
"""Says what is wrong with an answer, `None` if nothing is."""

Choice = TypeVar("Choice", bound=StrEnum)


class Questions:
    """Asks, or answers by itself if nobody shall be asked. Raises `EOFError` where the answers end."""

    def __init__(self, *, is_asking: bool) -> None:
        self._is_asking = is_asking

    def text(
        self, question: str, given: str | None, *, example: str, suggestion: str | None = None, check: Check
    ) -> str:
        """Return a text that passes the check. Where nobody is asked, the suggestion, or the example."""
        if given is not None:
            problem = _problem(given, check)
            if problem is not None:
                raise typer.BadParameter(f"{given!r} {problem}")
            return given
        if not self._is_asking:
            return example if suggestion is None else suggestion
        hint = f"such as {example}" if suggestion is None else f"Enter for {suggestion}"
        while True:
            answer = input(f"{question} ({hint}): ").strip() or suggestion or ""
            problem = _problem(answer, check) or ("is an example" if is_example(answer) else None)
            if problem is None:
                return answer
            typer.echo(f"  That {problem}.")

    def choice(self, question: str, choices: type[Choice], given: Choice | None, default: Choice) -> Choice:
        """Return one of several. Where nobody is asked, the default."""
        if given is not None:
            return given
        if not self._is_asking:
            return default
        names = [choice.value for choice in choices]
        while True:
            answer = input(f"{question}: {', '.join(names)} (Enter for {default.value}): ").strip().lower()
            if not answer:
                return default
            if answer in names:
                return choices(answer)
            typer.echo(f"  That is none of {', '.join(names)}.")

    def secret(self, question: str) -> str | None:
        """Return a secret that is not shown while it is typed; `None` if there is none, or nobody is asked."""
        if not self._is_asking:
            return None
        while True:
            answer = getpass(f"{question} (not shown; Enter to write it into its file later): ")
            if not answer or answer.isprintable():
                return answer or None
            typer.echo("  That has control characters in it.")


def _problem(answer: str, check: Check) -> str | None:
    if not answer.isprintable():
        return "has control characters in it"
    return check(answer)
