"""A member whose database came out of a backup: it has its key, knows its group, and is not in it.

Such a member comes back into the group that it was in, and founds no other: people would be split between two. Where
the configuration names another group, that one counts.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from bridge.member.settings import MemberSettings
    from bridge.member.storing import Names
    from bridge.store.member import MemberTransaction

__all__ = ["bound", "remember"]

_SPACE: Final = "restored"


async def remember(tx: MemberTransaction, names: Names, group_id: bytes) -> None:
    """Keep which group a member was in when it was backed up."""
    await tx.records.put(_SPACE, names.key, group_id)


async def bound(tx: MemberTransaction, names: Names, settings: MemberSettings) -> MemberSettings:
    """Return the settings of a member that is in no group: bound to the one that it was in, if it was restored."""
    group_id = await tx.records.get(_SPACE, names.key)
    if group_id is None or settings.group_id not in {b"", group_id}:
        return settings
    return replace(settings, create=False, group_id=group_id)
