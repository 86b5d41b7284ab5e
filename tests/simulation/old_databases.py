"""An old copy of a member's database, that somebody puts back."""

from __future__ import annotations

import sqlite3
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from tests.simulation.programs import MemberProgram
from tests.simulation.watching import Watch

__all__ = ["OldDatabase"]


@dataclass(frozen=True, slots=True)
class OldDatabase:
    """A copy, and what its program had told its person by then: of what it tells twice, it knows no better."""

    member: MemberProgram
    watch: Watch
    copy: Path
    arrived: Counter[str]
    last: int

    @classmethod
    def of(cls, member: MemberProgram, watch: Watch) -> OldDatabase:
        """Copy what is committed."""
        copy = member.folder / "yesterday"
        copy.unlink(missing_ok=True)
        with sqlite3.connect(member.database) as source, sqlite3.connect(copy) as target:
            source.backup(target)
        source.close()
        target.close()
        return cls(member, watch, copy, Counter(watch.arrived[member.name]), watch.last_told(member.name))

    def put_back(self) -> None:
        """End the program, and start it with the copy."""
        life = self.member.life
        self.member.kill()
        if life is not None:
            life.disk.release()
        for ending in ("-wal", "-shm", ""):
            Path(f"{self.member.database}{ending}").unlink(missing_ok=True)
        self.copy.rename(self.member.database)
        self.watch.knows_no_better(self.member.name, self.arrived, self.last)
