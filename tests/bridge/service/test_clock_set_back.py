"""A clock that is set back by hours: what waits for a minute goes on waiting for a minute."""

from __future__ import annotations

from bridge.conversation import Say
from bridge.member import committing
from bridge.member.memory import IntentKind
from bridge.service.waiting import Pause
from tests.bridge.member.test_groups import texts, three

HOUR = 3_600_000


class Wall:
    """The time of day, set by hand."""

    def __init__(self) -> None:
        self.time = 100 * HOUR

    def now(self) -> int:
        return self.time

    async def sleep_until(self, at: int) -> None:
        self.time = max(self.time, at)


def test_a_pause_stays_as_long_as_it_was() -> None:
    wall = Wall()
    pause = Pause(wall)
    pause.begin(60_000)
    wall.time += 20_000
    assert pause.left == 40_000
    wall.time -= 5 * HOUR
    assert pause.left == 60_000
    wall.time += 60_000
    assert pause.left == 0
    assert pause.ends_at == wall.time


def test_a_pause_that_was_not_begun_is_over() -> None:
    assert Pause(Wall()).left == 0


def test_a_wish_that_is_due_at_a_time_far_off_is_committed() -> None:
    table = three()
    with table.step(table.seats["bob"]) as step:
        committing.want(step, IntentKind.UPDATE)
        assert step.session.memory.intents
    table.now -= 5 * HOUR
    table.wake(table.seats["bob"])
    table.run()
    assert not table.seats["bob"].session.memory.intents
    table.do("alice", Say("after"))
    assert texts(table, "bob")[-1] == "after"
