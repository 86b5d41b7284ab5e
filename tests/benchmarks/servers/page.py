"""The page of results, in Markdown."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, Final

from tests.benchmarks.servers.reach import rates, reaches
from tests.benchmarks.servers.tables import FLOWS, middle, spread
from tests.benchmarks.servers.timeline import Party

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from tests.benchmarks.servers.document import Document
    from tests.benchmarks.servers.throughput import Flow, Throughput
    from tests.benchmarks.servers.timeline import Journey

__all__ = ["write_page"]

HEAD: Final = """\
# Speed on real servers

<!-- Written by a command: make bench-servers -->

What encryption costs people: the time from saying something until somebody else is shown it, how many messages go
through the bridge, and how fast a member catches up who was away. On a real Synapse and a real Prosody, beside bare
clients and a bare relay that do the same in clear, on one machine in one run. How fast the engine is by itself stands
in [benchmarks.md](benchmarks.md).
"""

METHOD: Final = """\
## How it is measured

* Servers, the bridge, the bare relay, people and bare clients all run on this one machine and share its cores. Servers
  are as `make demo` installs them, without rate limits; all connections are on the loopback, without TLS. Databases lie
  on its disk, and each commit waits for it.
* The bridge is `mls-bridge run`: relay and sequencer in one process. People are members by the library
  (`bridge.library`), each with a database of its own. Bare clients post and read with as little as the networks ask
  for, and keep nothing; the bare relay is a process of its own that copies between two bare clients.
* **Latency**: about 90 letters, one message at a time, from the call that says it until the other one's program has
  it. Ours and in clear take turns, round by round and in turned order, with a pause until what follows is over. The
  first rounds do not count. *Our part* is the difference of the two medians; *by round* has the quartiles of the
  differences of neighbours, which a machine that drifts does not touch.
* **Stages**: both people and the bridge are watched by wrappers around their transports, their roles and their stores,
  which note the time of the system's monotonic clock. A stage ends when the next begins, so that all of them make the
  whole way. A server's stage has in it the client libraries at both ends of its connections: our HTTP and XML, too.
  *Rounds* are calls that the database's thread was sent. *In its database* is time in transactions, with what is
  computed within them; the least that can be committed is one row, in SQLite set up as ours.
* **Throughput**: bare clients flood one room and count in the other. All flows carry envelopes of the same size, that
  of an application message of 100 letters, and the bare relay adds a note as long as ours does. Without any relay each
  server is flooded alone, in rooms of its own. The source alone: the same flood, shown to somebody else in the room.
  The target alone: from one client that keeps the order, which on Matrix means one after the other. *Posted*: until the
  source's server had all of it; *arrived*: until the last one was shown. *Synapse busy*: its CPU while they arrived, as
  a part of one core, and it can use no more than one. The flows take turns; the first round does not count.
* **Catching up**: a member writes while another is away. *Fetched*: from logging in until all that the room holds is in
  the store. *Read*: from opening the database again until the last message was decrypted, told and acknowledged, one by
  one. Written, fetched and read by our own program; the server has its part in the first two.
"""

_VERDICTS: Final = {True: "yes", False: "**no**"}


def write_page(document: Document) -> str:
    """Return the page."""
    return "\n".join([HEAD, *_body(document), METHOD])


def _body(document: Document) -> Iterator[str]:
    yield "## What shall be reached\n"
    rows = ([each.what, each.wanted, each.measured, _VERDICTS[each.is_reached]] for each in reaches(document))
    yield from _table(["what", "reach", "measured", "reached"], rows, left=4)
    if document.latency:
        yield "## From said to shown\n"
        yield "Milliseconds: medians, with the quartiles.\n"
        yield from _latency(document)
    if document.stages:
        yield "## Where the milliseconds go\n"
        yield from (line for journey in document.stages for line in _stages(journey))
        yield from _work(document.stages)
    if document.throughput:
        yield "## Messages a second\n"
        yield from (line for each in document.throughput for line in _throughput(each))
    if document.catch_up:
        yield "## Catching up\n"
        yield "Messages a second.\n"
        yield from _catch_up(document)
    yield "## On what, and how to repeat it\n"
    yield from _circumstances(document)


def _latency(document: Document) -> Iterator[str]:
    rows = (
        [each.name, spread(each.ours), spread(each.bare), f"**{each.part:.1f}**", spread(each.paired)]
        for each in document.latency
    )
    return _table(["way", "ours", "in clear", "our part", "by round"], rows)


def _stages(journey: Journey) -> Iterator[str]:
    servers = sum(stage.took.median for stage in journey.stages if stage.party is Party.SERVER)
    yield f"### {journey.name}\n"
    yield (
        f"{journey.messages} messages, {journey.total.median:.1f} ms in the median: the servers' stages take "
        f"{servers:.1f} ms of it, ours {journey.ours.median:.1f} ms. The least that can be committed took the disk "
        f"{journey.commit.median:.2f} ms between two messages ({journey.commit.lower_quartile:.2f} .. "
        f"{journey.commit.upper_quartile:.2f}).\n"
    )
    rows = (
        [
            stage.party.value,
            stage.name,
            f"{stage.took.median:.2f}",
            f"{stage.took.lower_quartile:.2f} .. {stage.took.upper_quartile:.2f}",
            "" if stage.party is Party.SERVER else f"{stage.in_database:.2f}",
        ]
        for stage in journey.stages
    )
    yield from _table(["whose", "until it is", "ms", "quartiles", "in its database"], rows, left=2)
    yield f"{_SEQUENCER[journey.sequencer_first > 0].format(journey.sequencer_first)}\n"


_SEQUENCER: Final = {
    False: "The sequencer is not on the way: it looks at the home room alone, which is the one on Matrix.",
    True: "The sequencer looks at all that comes into the home room, and seals none of this. Both roles' steps wait "
    "for the same database; in {:.0%} of the messages the sequencer's came first.",
}


def _work(journeys: Sequence[Journey]) -> Iterator[str]:
    yield "### What a message costs each database\n"
    yield "Medians: in all, what follows once the message has gone on included, and what the message waits for.\n"
    rows = (
        [
            journey.name,
            work.party.value,
            f"{work.transactions:g}",
            f"{work.rounds:g}",
            f"{work.transactions_on_the_way:g}",
            f"{work.rounds_on_the_way:g}",
        ]
        for journey in journeys
        for work in journey.work
    )
    heads = ["way", "whose", "transactions", "rounds", "transactions waited for", "rounds waited for"]
    yield from _table(heads, rows, left=2)


def _throughput(found: Throughput) -> Iterator[str]:
    rate = rates(found)
    yield f"### {found.name}\n"
    yield (
        f"{found.messages} messages to a flood, {len(found.flows['relay'].arrived)} floods; a message has "
        f"{found.bytes['source']} bytes at the source, {found.bytes['target']} at the target. Medians, with the least "
        f"and the greatest. Our relay reaches {rate['relay'] / rate['bare_relay']:.0%} of the bare one, and "
        f"{rate['relay'] / rate['alone']:.0%} of what the slower server takes alone.\n"
    )
    rows = (
        [FLOWS[name], middle(flow.posted), middle(flow.arrived), *_cpu(name, flow)]
        for name, flow in found.flows.items()
    )
    heads = [
        "through",
        "posted",
        "arrived",
        "relay's CPU, ms",
        "Synapse's CPU, ms",
        "Prosody's CPU, ms",
        "Synapse busy",
    ]
    yield from _table(heads, rows)


def _cpu(name: str, flow: Flow) -> Iterator[str]:
    """Yield the milliseconds of CPU to a message, and how much of one core the homeserver used meanwhile."""
    for process in (name, "Synapse", "Prosody"):
        yield f"{statistics.median(flow.cpu[process]):.1f}" if process in flow.cpu else ""
    busy = statistics.median(flow.cpu["Synapse"]) * statistics.median(flow.arrived) / 1000
    yield f"{busy:.0%}"


def _catch_up(document: Document) -> Iterator[str]:
    rows = (
        [each.network, f"{each.messages:,}"]
        + [f"{each.messages / took:,.0f}" for took in (each.writing, each.fetching, each.reading, each.reading_cpu)]
        for each in document.catch_up
    )
    return _table(["network", "messages", "written", "fetched", "read", "read, to a second of CPU"], rows)


def _circumstances(document: Document) -> Iterator[str]:
    rows = [*document.machine.items(), ("date", document.date)]
    yield from _table(["", ""], rows, left=2)
    yield "```sh\nmake bench-servers\n```\n"
    yield (
        f"measures all of this ({document.seconds / 60:.0f} min here), prints it, writes this page, and as JSON "
        "`build/benchmarks-servers.json`. `make bench` measures less of it; `make bench-servers BENCH_ARGS=--help` "
        "tells how to choose.\n"
    )


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]], *, left: int = 1) -> Iterator[str]:
    yield f"| {' | '.join(heads)} |"
    yield f"|{'|'.join('---' if column < left else '--:' for column in range(len(heads)))}|"
    for row in rows:
        yield f"| {' | '.join(row)} |"
    yield ""
