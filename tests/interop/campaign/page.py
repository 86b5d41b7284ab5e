"""The page of results: Markdown from a campaign's JSON, and from nothing else."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from tests.interop.campaign.judging import Verdict
from tests.interop.campaign.tables import title_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any

__all__ = ["page"]

MARKS = {
    Verdict.PASSED: "✓",
    Verdict.FAILED: "✗",
    Verdict.KNOWN: "!",
    Verdict.NOT_OFFERED: "-",
}

HEAD = """\
# Interoperability

<!-- Made by `{command}`. Do not edit: run it again. -->

mls-bridge plays every scenario with other implementations of RFC 9420, live: each is a program of its own, and all that
passes between them is MLS messages. Every member has to come to the same epoch authenticator and the same exported
secret, by its own account, after every Commit.

- **Scripts** are those of the MLS working group's test runner, and some of ours. Each peer plays each actor in turn and
  ours the rest, and the reverse; in every cipher suite that both have, with handshakes as PublicMessages and as
  PrivateMessages. Among themselves, two programs of ours play every assignment for up to five actors, else 64.
- **Walks** are groups of three implementations, with several members each, and {steps} random steps: Commits with any
  mixture of proposals, by value and by reference, external joins, messages late and out of order, Commits given up.
"""

REPEAT = """\
## Repeat it

```sh
make interop                                             # everything: builds the peers, then runs for a long time
.venv/bin/python -m tests.interop --quick                # the short version
.venv/bin/python -m tests.interop --peer openmls --script commit/add --suite 1
```

The command says what is missing to build the peers: Rust (cargo) for OpenMLS and mls-rs, Node.js (npm) for ts-mls.
"""


def page(document: Mapping[str, Any]) -> str:
    """Return the page for a campaign's JSON document."""
    steps = max((int(cell["script"].partition("/")[2]) for cell in document["cells"] if _is_walk(cell)), default=200)
    parts = [
        HEAD.format(command=document["command"], steps=steps),
        _versions(document),
        _summary(document),
        _known("Deviations", "What a peer does otherwise than the RFC asks for.", "deviation", document),
        _known(
            "Gaps", "What a peer does not offer. Scenarios that need it are not counted as failures.", "gap", document
        ),
        _failures(document),
        _details(document),
        REPEAT,
    ]
    return "\n".join(part for part in parts if part)


def _is_walk(cell: Mapping[str, Any]) -> bool:
    return bool(cell["script"].startswith("walk/"))


def _versions(document: Mapping[str, Any]) -> str:
    rows = [(f"`{name}`", _cell(seat["name"]), _ranges(seat["suites"])) for name, seat in document["seats"].items()]
    rows += [(f"`{name}`", _cell(f"not here: {why}"), "") for name, why in document["absent"].items()]
    lines = _table(("seat", "implementation", "cipher suites"), rows)
    ran = (
        f"Run on {document['date']} in {_duration(document['seconds'])}, seed {document['seed']}"
        f"{', the short version' if document['quick'] else ''}; Python {document['python']}, "
        f"cryptography {document['cryptography']}, {document['platform']}."
    )
    if document["played"] < document["planned"]:
        ran += (
            f" In that time, {document['played']:,} of {document['planned']:,} scenarios were played: "
            "the longest first, which are the walks, and the others in random order."
        )
    return f"## Who took part\n\n{lines}\n\n{ran}\n"


def _summary(document: Mapping[str, Any]) -> str:
    """Return one line for each company."""
    by_company: defaultdict[tuple[bool, tuple[str, ...]], list[Mapping[str, Any]]] = defaultdict(list)
    for cell in document["cells"]:
        by_company[_is_walk(cell), tuple(cell["peers"])].append(cell)
    rows = []
    for (is_walk, peers), cells in sorted(
        by_company.items(), key=lambda item: (item[0][0], len(item[0][1]), item[0][1])
    ):
        suites = sorted({cell["suite"] for cell in cells})
        counts = [str(sum(cell[verdict] for cell in cells)) for verdict in Verdict]
        rows.append(("walks" if is_walk else "scripts", _company(peers), _ranges(suites), *counts))
    head = ("what", "ours and", "suites", *Verdict)
    return f"## Results\n\n{_table(head, rows)}\n"


def _company(peers: Sequence[str]) -> str:
    return ", ".join(peers) or "themselves"


def _known(heading: str, about: str, kind: str, document: Mapping[str, Any]) -> str:
    entries = [entry for entry in document["known"] if entry["kind"] == kind]
    if not entries:
        return f"## {heading}\n\nNone.\n"
    parts = [f"## {heading}\n\n{about}\n"]
    for entry in sorted(entries, key=lambda entry: (entry["peer"], entry["what"])):
        seen = f"{entry['times']} times, in suites {_ranges(entry['shown_with_suites'])}"
        parts += [
            f"- **{entry['peer']} {entry['version']}**: {entry['what']}",
            f"  - Where: {entry['where']}",
            *([f"  - Seen: {seen}, in `{'`, `'.join(entry['shown_in'])}`"] if entry["times"] else []),
            f"  - Reproduction: {entry['reproduction']}",
            *([f"  - Walks do without: {', '.join(entry['avoided'])}"] if entry["avoided"] else []),
        ]
    return "\n".join(parts) + "\n"


def _failures(document: Mapping[str, Any]) -> str:
    failures = [item for item in document["not_passed"] if item["verdict"] == Verdict.FAILED]
    lines = [f"- {_cell(item['task'])}: {_cell(item['reason'])}" for item in failures]
    lines += [f"- stale: {_cell(item['entry']['what'])} {_cell(item['why'])}" for item in document["stale"]]
    lines += [f"- {peer} lacks suites {_ranges(suites)}" for peer, suites in document["missing_suites"].items()]
    return "## Failures\n\n" + "\n".join(lines) + "\n" if lines else ""


def _details(document: Mapping[str, Any]) -> str:
    """Return a table for each company: scripts by suites."""
    names = {name: seat["name"] for name, seat in document["seats"].items()}
    by_company: defaultdict[tuple[str, ...], list[Mapping[str, Any]]] = defaultdict(list)
    for cell in document["cells"]:
        by_company[tuple(cell["peers"])].append(cell)
    legend = ", ".join(f"{mark} {verdict}" for verdict, mark in MARKS.items())
    parts = [f"## Every scenario\n\nHow many times, both forms of handshakes together: {legend}.\n"]
    for peers, cells in sorted(by_company.items(), key=lambda item: (len(item[0]), item[0])):
        suites = sorted({cell["suite"] for cell in cells})
        rows = [
            (f"`{script}`", *(_counts(cells, script, suite) for suite in suites))
            for script in sorted({cell["script"] for cell in cells})
        ]
        parts.append(f"### {title_of(peers, names)}\n\n{_table(('scenario', *map(str, suites)), rows)}\n")
    return "\n".join(parts)


def _counts(cells: Iterable[Mapping[str, Any]], script: str, suite: int) -> str:
    inside = [cell for cell in cells if cell["script"] == script and cell["suite"] == suite]
    counted = ((mark, sum(cell[verdict] for cell in inside)) for verdict, mark in MARKS.items())
    return " ".join(f"{mark} {count}" for mark, count in counted if count)


# Markdown


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(text: str) -> str:
    """Return somebody else's text as it can stand in a table or a list."""
    one_line = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    for special in "\\`|<>*_[]":
        one_line = one_line.replace(special, f"\\{special}")
    return one_line


def _ranges(numbers: Sequence[int]) -> str:
    """Return increasing numbers as `1-3, 7`."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ", ".join(f"{run[0]}-{run[-1]}" if len(run) > 1 else f"{run[0]}" for run in runs)


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
