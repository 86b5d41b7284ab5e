"""From what programs have seen to the stages of a message's way."""

from __future__ import annotations

import pytest

from tests.benchmarks.servers.timeline import Journey, Party, Tour, Witness, journey_of
from tests.benchmarks.servers.watching import Mark, Span

MS = 1_000_000


def _witnesses(sequencer_at: int | None = 65) -> dict[str, Witness]:
    """Two messages, `aa` at 0 ms and `bb` at 1,000 ms, each 10 ms more at every step; one database transaction each."""
    alice, bridge, carol = [], [], []
    for begin, envelope in ((0, "aa"), (1_000, "bb")):

        def mark(at: int, where: str, what: str, envelope: str = envelope, begin: int = begin) -> Mark:
            return Mark((begin + at) * MS, where, what, envelope)

        alice += [mark(10, "alice member", "committed", ""), mark(20, "alice matrix", "handed over")]
        alice += [mark(200, "alice matrix", "told"), mark(210, "alice matrix", "stored")]  # it comes back to her, too
        bridge += [mark(40, "bridge matrix", "told"), mark(50, "bridge matrix", "stored")]
        if sequencer_at is not None:
            bridge.append(mark(sequencer_at, "bridge sequencer matrix", "committed"))
        bridge += [mark(75, "bridge relay matrix", "committed"), mark(80, "bridge xmpp", "handed over")]
        carol += [mark(110, "carol xmpp", "told"), mark(120, "carol xmpp", "stored")]
        carol.append(mark(140, "carol member", "committed", ""))
    commits = [Span((begin + 74) * MS, 4 * MS) for begin in (0, 1_000)]
    rounds = [(begin + at) * MS for begin in (0, 1_000) for at in (71, 73, 78, 300)]
    return {
        "alice": Witness(alice, [], []),
        "bridge": Witness(bridge, commits, rounds),
        "carol": Witness(carol, [], []),
    }


def _journey(witnesses: dict[str, Witness]) -> Journey:
    tours = [Tour("alice", "carol", begin * MS, (begin + 141) * MS, (begin + 400) * MS, 2 * MS) for begin in (0, 1_000)]
    return journey_of(tours, "Matrix", "XMPP", witnesses)


def test_the_stages_make_the_whole_way() -> None:
    journey = _journey(_witnesses())
    assert [stage.took.median for stage in journey.stages] == [10, 10, 20, 10, 15, 10, 5, 30, 10, 20, 1]
    assert [stage.party for stage in journey.stages if stage.took.median >= 20] == ["server", "server", "receiver"]
    assert journey.total.median == 141
    assert journey.ours.median == 141 - 20 - 30
    assert journey.commit.median == 2
    assert journey.sequencer_first == 1


@pytest.mark.parametrize("sequencer_at", [None, 79])
def test_a_sequencer_that_is_not_before_the_relay_takes_none_of_its_time(sequencer_at: int | None) -> None:
    journey = _journey(_witnesses(sequencer_at))
    assert [stage.took.median for stage in journey.stages[3:7]] == [10, 0, 25, 5]
    assert journey.sequencer_first == 0


def test_the_database_s_share_is_that_of_the_party_and_the_stage() -> None:
    journey = _journey(_witnesses())
    assert [stage.in_database for stage in journey.stages] == [0, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0]
    work = {each.party: each for each in journey.work}
    assert (work[Party.BRIDGE].transactions, work[Party.BRIDGE].rounds) == (1, 4)
    assert (work[Party.BRIDGE].transactions_on_the_way, work[Party.BRIDGE].rounds_on_the_way) == (1, 3)
    assert (work[Party.SENDER].transactions, work[Party.RECEIVER].rounds) == (0, 0)


def test_what_nobody_has_seen_is_said() -> None:
    witnesses = _witnesses()
    witnesses["carol"] = Witness([], [], [])
    with pytest.raises(LookupError, match="nothing was told by carol xmpp"):
        _journey(witnesses)
