"""The shortest story that still fails in the same way."""

from __future__ import annotations

from collections.abc import Callable

from tests.simulation.story import Story

__all__ = ["shrink"]


def shrink(story: Story, fails: Callable[[Story], bool], *, budget: int = 200) -> Story:
    """Leave out what the failure does not need: people, then actions, in ever smaller pieces.

    `fails` plays a story; it is asked `budget` times at the most.
    """
    left = budget

    def still(shorter: Story) -> bool:
        nonlocal left
        left -= 1
        return left >= 0 and fails(shorter)

    for person in reversed(story.scene.people[1:]):
        shorter = story.without({person.name})
        if len(shorter.scene.people) > 1 and still(shorter):
            story = shorter
    size = max(1, len(story.actions) // 2)
    while True:
        story, has_shrunk = _without_pieces(story, size, still)
        if size == 1 and (not has_shrunk or left <= 0):
            return story
        size = max(1, size // 2)


def _without_pieces(story: Story, size: int, still: Callable[[Story], bool]) -> tuple[Story, bool]:
    """Try to leave out each stretch of so many actions, the last ones first."""
    has_shrunk = False
    start = len(story.actions)
    while start > 0:
        start = max(0, start - size)
        shorter = story.only((*story.actions[:start], *story.actions[start + size :]))
        if shorter.actions != story.actions and still(shorter):
            story, has_shrunk = shorter, True
    return story, has_shrunk
