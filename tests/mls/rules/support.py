"""How a test proves a rule: it breaks the rule on purpose, and sees that very rule named in the error.

A test is marked with the rule that it breaks, bears the rule's name, and takes no arguments. So it can be run
again with the rule switched off, and must fail then: see `test_every_rule.py`.
"""

from __future__ import annotations

from collections import defaultdict
from contextlib import contextmanager
from typing import TYPE_CHECKING
from unittest import mock

import pytest

from mls.errors import RuleError
from mls.rules import Rule

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["PROOFS", "breaks", "refused", "switched_off"]

PROOFS: defaultdict[str, list[Callable[[], None]]] = defaultdict(list)
"""The tests that break each rule, by the rule's name."""


def breaks(rule: Rule) -> Callable[[Callable[[], None]], Callable[[], None]]:
    """Mark a test as one that breaks `rule`. Its name is `test_` and the rule's, perhaps with `__` and a variant."""

    def mark(test: Callable[[], None]) -> Callable[[], None]:
        assert test.__name__.split("__")[0] == f"test_{rule.name}", test.__name__
        PROOFS[rule.name].append(test)
        return test

    return mark


@contextmanager
def refused(rule: Rule) -> Iterator[None]:
    """Expect that what happens inside is refused, and because of `rule`."""
    with pytest.raises(rule.error) as caught:
        yield
    assert isinstance(caught.value, RuleError)
    assert caught.value.rule is rule, f"{caught.value.rule.name} instead of {rule.name}"


@contextmanager
def switched_off(rule: Rule) -> Iterator[None]:
    """Make one rule hold always, whatever is checked."""
    require, fail = Rule.require, Rule.fail

    def lenient_require(self: Rule, holds: bool, detail: str = "") -> None:  # noqa: FBT001 - the method's own
        if self is not rule:
            require(self, holds, detail)

    def lenient_fail(self: Rule, detail: str = "", **facts: int) -> None:
        if self is not rule:
            fail(self, detail, **facts)

    with mock.patch.object(Rule, "require", lenient_require), mock.patch.object(Rule, "fail", lenient_fail):
        yield
