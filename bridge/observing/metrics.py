"""What is counted, for Prometheus. Labels are fixed words and names of the configuration, never identifiers."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_1_0_0

from transports.room import ConnectionState

__all__ = ["CONTENT_TYPE", "Metrics"]

CONTENT_TYPE = CONTENT_TYPE_PLAIN_1_0_0
"""The media type of `Metrics.exposition`."""

PREFIX = "mls_bridge"

SEAL_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
"""60 s without a seal is an alarm."""

STORE_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5)


class Metrics:
    """The metrics of one process, in a registry of their own: two in one process, as in tests, do not meet."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        by_room = ["room", "network", "role"]
        self.messages_in = self._counter("messages_in", "Envelopes that a role has taken from a room.", by_room)
        self.messages_out = self._counter(
            "messages_out", "Envelopes posted that a room has shown.", ["room", "network"]
        )
        self.relayed = self._counter("relayed", "Envelopes copied to the other sides.", ["room", "network"])
        self.claims = self._counter("claims", "Joins and leaves told to the other sides.", ["room", "network"])
        self.refused = self._counter(
            "refused", "What was not taken, not copied or not to be posted, by reason.", ["room", "reason"]
        )
        self.seals = self._counter("seals", "Seals made.", ["room"])
        self.reconnects = self._counter("reconnects", "Connections made again after a loss.", ["account"])
        self.outbox = self._gauge("outbox_rows", "Envelopes for rooms that have not shown them yet.", ["account"])
        self.epoch = self._gauge("epoch", "The group's epoch, where this process is a member.", ["room"])
        self.seal_delay = self._histogram(
            "seal_delay_seconds", "From a handshake's arrival to its seal's, in the home room.", ["room"], SEAL_SECONDS
        )
        self.store_transaction = self._histogram(
            "store_transaction_seconds",
            "Transactions of the database, without waiting for their turn.",
            [],
            STORE_SECONDS,
        )
        self._transport_state = self._gauge(
            "transport_state", "1 for the state that an account's connection is in.", ["account", "state"]
        )

    def set_transport_state(self, account: str, state: ConnectionState) -> None:
        """Say which state an account's connection is in."""
        for one in ConnectionState:
            self._transport_state.labels(account, one.value).set(one is state)

    def exposition(self) -> bytes:
        """Return all of it as Prometheus reads it."""
        return generate_latest(self.registry)

    def _counter(self, name: str, documentation: str, labels: list[str]) -> Counter:
        return Counter(name, documentation, labels, namespace=PREFIX, registry=self.registry)

    def _gauge(self, name: str, documentation: str, labels: list[str]) -> Gauge:
        return Gauge(name, documentation, labels, namespace=PREFIX, registry=self.registry)

    def _histogram(self, name: str, documentation: str, labels: list[str], buckets: tuple[float, ...]) -> Histogram:
        return Histogram(name, documentation, labels, namespace=PREFIX, registry=self.registry, buckets=buckets)
