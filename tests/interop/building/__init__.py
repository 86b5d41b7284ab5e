"""Building the peers: pinned and locked, once for each state of their sources, and kept outside the checkout."""

from tests.interop.building.building import CACHE_VARIABLE, Built, build, cache_directory
from tests.interop.building.errors import BuildError, UnavailableError
from tests.interop.building.peers import PEERS, Peer

__all__ = ["CACHE_VARIABLE", "PEERS", "BuildError", "Built", "Peer", "UnavailableError", "build", "cache_directory"]
