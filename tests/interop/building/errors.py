"""Why a peer is not there."""

from __future__ import annotations

__all__ = ["BuildError", "UnavailableError"]


class BuildError(Exception):
    """A peer cannot be built. Says why, and what helps."""


class UnavailableError(BuildError):
    """This machine cannot build it, whatever the sources are like: a tool is missing or too old, or the network is."""
