"""Real servers for tests: each starts when the first test of a worker asks for it, and stops after the worker's last.

They are shared: a test uses accounts and rooms of its own, and leaves a server that it has restarted or killed running.
One that needs other settings starts its own from `synapse_installation` and its like. Where a server cannot be had,
tests that need it are skipped; with `CI` set they fail.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import TypeVar

import pytest

from bridge.servers import Ejabberd, Prosody, ServerUnavailableError, Synapse, SynapseServer, XmppServer

__all__ = [
    "COMPONENTS",
    "ejabberd",
    "ejabberd_installation",
    "ejabberd_with_default_limits",
    "or_skipped",
    "prosody",
    "prosody_installation",
    "prosody_with_default_limits",
    "synapse",
    "synapse_installation",
    "synapse_pair",
    "synapse_with_default_limits",
]

COMPONENTS = {"bridge.localhost": "the secret of the bridge", "other.localhost": "the secret of the other"}

Installation = TypeVar("Installation")


@pytest.fixture(scope="session")
def synapse_installation() -> Synapse:
    """Synapse, to start servers from."""
    return or_skipped(Synapse.install)


@pytest.fixture(scope="session")
def synapse(synapse_installation: Synapse, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SynapseServer]:
    """A Synapse without rate limits."""
    with synapse_installation.start(tmp_path_factory.mktemp("synapse")) as server:
        yield server


@pytest.fixture(scope="session")
def synapse_with_default_limits(
    synapse_installation: Synapse, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SynapseServer]:
    """A Synapse with its own rate limits: of logins too, five and then one in five minutes."""
    with synapse_installation.start(tmp_path_factory.mktemp("synapse-limits"), rate_limits=True) as server:
        yield server


@pytest.fixture(scope="session")
def synapse_pair(
    synapse_installation: Synapse, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[SynapseServer, SynapseServer]]:
    """Two Synapses that federate."""
    with synapse_installation.start_pair(tmp_path_factory.mktemp("synapse-pair")) as servers:
        yield servers


@pytest.fixture(scope="session")
def prosody_installation() -> Prosody:
    """Prosody, to start servers from."""
    return or_skipped(Prosody.install)


@pytest.fixture(scope="session")
def prosody(prosody_installation: Prosody, tmp_path_factory: pytest.TempPathFactory) -> Iterator[XmppServer]:
    """A Prosody without limits on bandwidth or encryption, with hosts for components."""
    with prosody_installation.start(tmp_path_factory.mktemp("prosody"), components=COMPONENTS) as server:
        yield server


@pytest.fixture(scope="session")
def prosody_with_default_limits(
    prosody_installation: Prosody, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[XmppServer]:
    """A Prosody with the limits on bandwidth that Debian's configuration has."""
    folder = tmp_path_factory.mktemp("prosody-limits")
    with prosody_installation.start(folder, components=COMPONENTS, limits=True) as server:
        yield server


@pytest.fixture(scope="session")
def ejabberd_installation() -> Ejabberd:
    """ejabberd, to start servers from."""
    return or_skipped(Ejabberd.install)


@pytest.fixture(scope="session")
def ejabberd(ejabberd_installation: Ejabberd, tmp_path_factory: pytest.TempPathFactory) -> Iterator[XmppServer]:
    """An ejabberd without limits on bandwidth or encryption, with hosts for components."""
    with ejabberd_installation.start(tmp_path_factory.mktemp("ejabberd"), components=COMPONENTS) as server:
        yield server


@pytest.fixture(scope="session")
def ejabberd_with_default_limits(
    ejabberd_installation: Ejabberd, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[XmppServer]:
    """An ejabberd with the limits on bandwidth that its example configuration has."""
    folder = tmp_path_factory.mktemp("ejabberd-limits")
    with ejabberd_installation.start(folder, components=COMPONENTS, limits=True) as server:
        yield server


def or_skipped(install: Callable[[], Installation]) -> Installation:
    """Return what is installed; where it cannot be had, end the test."""
    try:
        return install()
    except ServerUnavailableError as error:
        if os.environ.get("CI"):
            pytest.fail(str(error))
        pytest.skip(str(error))
