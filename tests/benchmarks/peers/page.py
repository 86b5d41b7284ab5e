"""The page of results, in Markdown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.benchmarks.peers import figures
from tests.benchmarks.peers.implementations import OURS
from tests.benchmarks.peers.reach import judge, ratio
from tests.benchmarks.peers.reading import read

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from tests.benchmarks.peers.document import Case, Document, SuiteResults, Weights

__all__ = ["write_page"]

HEAD = """\
# Speed beside other implementations

<!-- Written by a command: make bench-peers BENCH_ARGS="--page docs/benchmarks.md --chart docs/benchmarks.svg" -->

Our engine, in Python, beside two native implementations of MLS and one in JavaScript: the same operations in the same
groups with the same messages, on one machine in one run. What encryption costs on real servers stands in
[latency.md](latency.md).
"""

METHOD = """\
## How it is measured

* Each implementation, ours too, is a program of its own that answers calls on its standard input
  (`tests/interop/peers`), and says with each answer how long its library took: from the bytes of the input to the
  bytes of the output, decoding and encoding included; neither JSON nor the pipe.
* Each is in a group of its own, always as the last member. Our engine plays the others: for all implementations the
  same members with the same tree. Who adds gets the same KeyPackages, fresh ones in each round. So all messages have
  the same sizes, but for what each writes into its own leaf, and padding.
* They take turns, round by round, so that a machine that drifts slows all alike. The first round does not count. What
  is over soon is asked for several times in a row, without waiting for the answers, and each row begins with some work
  that does not count, so that no program is measured while it wakes up. It still reads a request before and writes an
  answer after each call: that leaves the processor's caches colder than the closed loop of `make bench` does.
* What an implementation has made is given to our engine once; what it has computed (the epoch authenticator, the text
  of a message) is compared each time. Nothing here is fast because it is wrong.
* **Cold**: no member has committed, and a path is encrypted to every other member by itself. **Warm**: every member
  has. **add**: all others in one Commit, with a path, from their KeyPackages to the Commit and the Welcome with the
  tree. **join**: by such a Welcome. **update**: a Commit of fresh keys, made. **process**: somebody else's such
  Commit, followed. **remove**: a Commit that removes the first member of a warm group, made. **protect**, **open**:
  100 bytes, in the middle of an epoch.
* **Floor**: the bare calls of `cryptography` and libsodium that no implementation on top of them could avoid, on one
  thread (`tests/benchmarks/floors.py`).

## What is not alike

* Our engine verifies many signatures at once on all cores (add, join); the others use one. One thread is what all
  else runs on.
* OpenMLS writes a member's group to its storage in every step, and has no way not to: here to a map in memory, as
  JSON, with up to five past epochs. Its times grow with the group because of that, in protect and open, too. The
  others leave storing to their caller, and here nobody stores.
* OpenMLS computes with RustCrypto, mls-rs with AWS-LC (which has assembly for the curves), ts-mls with WebCrypto and
  @noble, ours with OpenSSL, and libsodium for verifying Ed25519.
* ts-mls cannot be told to make a path that is not needed: its add is without one, which is less work.
* create: mls-rs is given a signature key that is there already; the others make one.
* Our application messages are padded to a power of two; those that others open are ours. mls-rs and OpenMLS pad
  nothing here, ts-mls as it does by default.
"""

VERDICTS = {True: "yes", None: ""}


def write_page(document: Document, chart: str) -> str:
    """Return the page; `chart` is where the chart lies, as seen from the page, if there is one."""
    return "\n".join([HEAD, *_body(document, chart), METHOD])


def _body(document: Document, chart: str) -> Iterator[str]:
    if chart:
        yield f"![Time by members of the group: a panel for each operation]({chart})\n"
    yield "## What it says\n"
    yield from (f"* {text}" for text in read(document))
    yield ""
    for results in document.suites:
        yield f"## Cipher suite {results.name}\n"
        yield (
            "Medians, with the quartiles below. The columns with a ÷ give our median as a multiple of the other one: "
            "below 1, ours is faster.\n"
        )
        yield from _times(document, results)
        yield from _remarks(results)
    yield "## Bytes on the wire\n"
    yield "What each has made: for add, the Commit and the Welcome with the tree.\n"
    for results in document.suites:
        yield from _wire(document, results)
    if document.memory:
        yield "## Peak memory\n"
        yield (
            "Of the whole program (`VmHWM`): when it has only said its name; as a member that has joined, followed a "
            "Commit, made one, sent a message and read one; as the creator who has added all others. Cipher suite "
            f"{document.memory[0].suite}.\n"
        )
        yield from _memory(document)
    yield "## On what, and how to repeat it\n"
    yield from _circumstances(document)


# Tables


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]], *, left: int = 1) -> Iterator[str]:
    yield f"| {' | '.join(heads)} |"
    yield f"|{'|'.join('---' if column < left else '--:' for column in range(len(heads)))}|"
    for row in rows:
        yield f"| {' | '.join(row)} |"
    yield ""


def _times(document: Document, results: SuiteResults) -> Iterator[str]:
    others = [name for name in document.versions if name != OURS]
    heads = ["operation", "members", *document.versions, "floor", *(f"÷ {name}" for name in others), "÷ floor", "reach"]
    rows = (
        [
            case.operation,
            f"{case.members:,}",
            *(_time(case, name) for name in document.versions),
            figures.time(case.floor.median),
            *(figures.ratio(ratio(case, name)) for name in others),
            figures.ratio(case.samples[OURS].time.median / case.floor.median if OURS in case.samples else None),
            _reach(case, document),
        ]
        for case in results.cases
    )
    return _table(heads, rows)


def _time(case: Case, name: str) -> str:
    if name not in case.samples:
        return "missing"
    found = case.samples[name].time
    quartiles = figures.times(found.lower_quartile, found.upper_quartile)
    median = figures.time(found.median)
    return f"{f'**{median}**' if name == OURS else median}<br><sub>{quartiles}</sub>"


def _reach(case: Case, document: Document) -> str:
    verdict = judge(case, document.kinds)
    return VERDICTS.get(verdict.is_met, "no: " + ", ".join(verdict.misses))


def _remarks(results: SuiteResults) -> Iterator[str]:
    for case in results.cases:
        for name, why in case.missing.items():
            yield f"* {name} is missing in {case.operation} at {case.members:,}: `{why.replace('`', chr(39))}`"
    notes = {(name, case.operation, sample.note) for case in results.cases for name, sample in case.samples.items()}
    for name, operation, note in sorted(notes):
        if note:
            yield f"* {name}, {operation}: {note}."
    yield ""


def _wire(document: Document, results: SuiteResults) -> Iterator[str]:
    cases = [case for case in results.cases if any(sample.wire for sample in case.samples.values())]
    made = [case for case in cases if case.operation in {"add", "update-cold", "update-warm", "remove", "protect"}]
    rows = ([case.operation, f"{case.members:,}", *(_bytes(case, name) for name in document.versions)] for case in made)
    return _table([f"suite {results.suite}", "members", *document.versions], rows)


def _bytes(case: Case, name: str) -> str:
    return " + ".join(f"{size:,}" for size in case.samples[name].wire.values()) if name in case.samples else "missing"


def _memory(document: Document) -> Iterator[str]:
    rows = (
        [f"{weights.members:,}", *(_peak(weights, name) for name in document.versions)] for weights in document.memory
    )
    return _table(["members", *document.versions], rows, left=0)


def _peak(weights: Weights, name: str) -> str:
    if name not in weights.peaks:
        return "missing"
    peak = weights.peaks[name]
    return " / ".join(figures.size(count) for count in (peak.started, peak.member, peak.creator))


def _circumstances(document: Document) -> Iterator[str]:
    rows = [*document.versions.items(), *document.machine.items(), ("date", document.date)]
    rows += [(name, f"missing: {why.splitlines()[0]}") for name, why in document.missing.items()]
    yield from _table(["", ""], rows, left=2)
    minutes = document.seconds / 60
    yield "```sh\nmake bench-peers\n```\n"
    yield (
        f"builds what is missing, measures all of this ({minutes:.0f} min here), prints it, and writes it as JSON to "
        "`build/benchmarks-peers.json`. `make bench-peers BENCH_ARGS=--help` tells how to measure less of it.\n"
    )
