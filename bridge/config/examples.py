"""Values that only stand for others. A program that ran with them would talk to somebody else's server."""

from __future__ import annotations

import re

from bridge.config.documents import Document
from bridge.config.problems import Problem

__all__ = ["example_problems", "is_example"]

EXAMPLE = re.compile(
    r"""
    (^|[^a-z0-9-]) example \. (com|net|org) ($|[^a-z0-9.-])   # kept free for examples (RFC 2606, section 3)
    | [a-z0-9-] \. example ($|[:/])                           # the same (section 2)
    | ^ (change|replace|fill) [ _-]? (me|this|in) $
    | ^ < .* > $
    | ^ \.{3} $
    """,
    re.IGNORECASE | re.VERBOSE,
)

FILES = frozenset({"file", "ca_file", "path"})


def is_example(text: str) -> bool:
    """Whether a text stands for what somebody has to fill in."""
    return EXAMPLE.search(text.strip()) is not None


def example_problems(document: Document) -> list[Problem]:
    """Return a problem for each value that was left as an example. Files may be called anything."""
    return [
        Problem(path, document.line(path), "is an example", "write your own")
        for path, text in document.scalars()
        if path[-1:] and path[-1] not in FILES and is_example(text)
    ]
