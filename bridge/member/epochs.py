"""Showing people where the group is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.conversation import EpochChanged
from bridge.protocol.numbers import group_number

if TYPE_CHECKING:
    from bridge.member.step import Step

__all__ = ["tell_epoch"]


def tell_epoch(step: Step) -> None:
    """Show the group's new epoch."""
    group = step.group
    number = group_number(group.group_id, group.epoch, group.epoch_authenticator)
    step.tell(EpochChanged(group.epoch, group.public.tree.member_count, number))
