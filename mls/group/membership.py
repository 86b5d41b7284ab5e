"""Adding and removing members: the Commits that a program makes most often, in one call."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mls.errors import UsageError
from mls.group.committing import CommitOptions, CommitOutput, commit
from mls.group.processing import decode_message
from mls.wire.key_package import KeyPackage
from mls.wire.message import MLSMessage
from mls.wire.proposals import Add, Remove

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mls.group.environment import Environment
    from mls.group.state import GroupState, Transition

__all__ = ["add", "remove"]


def add(
    state: GroupState,
    environment: Environment,
    key_packages: Iterable[bytes | MLSMessage | KeyPackage],
    *,
    now: int,
    options: CommitOptions = CommitOptions(),  # noqa: B008 - immutable
) -> Transition[CommitOutput]:
    """Commit the addition of clients, each given by a KeyPackage that it has published.

    The members must see the output's message first; when it has come back through `process`, the result there
    has the Welcome for those who are added. Raises as `commit` does, and `DecodeError`.
    """
    adds = [Add(_key_package(item, environment)) for item in key_packages]
    return commit(state, environment, now=now, proposals=adds, options=options)


def remove(
    state: GroupState,
    environment: Environment,
    leaves: Iterable[int],
    *,
    now: int,
    options: CommitOptions = CommitOptions(),  # noqa: B008 - immutable
) -> Transition[CommitOutput]:
    """Commit the removal of members, each given by its leaf. Raises as `commit` does. To go oneself: `leave`."""
    return commit(state, environment, now=now, proposals=[Remove(leaf) for leaf in leaves], options=options)


def _key_package(item: bytes | MLSMessage | KeyPackage, environment: Environment) -> KeyPackage:
    if isinstance(item, KeyPackage):
        return item
    message = item if isinstance(item, MLSMessage) else decode_message(item, environment)
    if not isinstance(message.message, KeyPackage):
        msg = f"a {type(message.message).__name__} is not a KeyPackage"
        raise UsageError(msg)
    return message.message
