"""What the tests of the interface share: one server for a module, and a group."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.bridge.interop.driving import Actor, Connection, everybody, serving

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def connection() -> Iterator[Connection]:
    """A server in this process, over a real connection."""
    with serving() as connected:
        yield connected


@pytest.fixture(params=[False, True], ids=["public", "private"])
def trio(request: pytest.FixtureRequest, connection: Connection) -> list[Actor]:
    """Alice, Bob and Carol, in one group."""
    return everybody(connection, "alice", "bob", "carol", encrypt=request.param)
