"""The shortest story that still fails."""

from __future__ import annotations

from tests.simulation.shrinking import shrink
from tests.simulation.story import Story, What
from tests.simulation.telling import tell


def test_what_the_failure_does_not_need_is_left_out() -> None:
    story = next(one for one in map(tell, range(100)) if _fails(one) and len(one.scene.people) > 3)
    short = shrink(story, _fails)
    assert [action.what for action in short.actions] == [What.KILL, What.SAY]
    assert len(short.scene.people) == 2


def test_a_budget_ends_it() -> None:
    story = next(one for one in map(tell, range(100)) if _fails(one))
    asked: list[Story] = []

    def fails(one: Story) -> bool:
        asked.append(one)
        return _fails(one)

    assert _fails(shrink(story, fails, budget=5))
    assert len(asked) == 5


def _fails(story: Story) -> bool:
    """Whether somebody says something after somebody's death."""
    kinds = [action.what for action in story.actions]
    return What.KILL in kinds and What.SAY in kinds[kinds.index(What.KILL) :]
