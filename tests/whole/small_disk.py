"""The program on a disk that is nearly full: `python -m tests.whole.small_disk PAGES run -c CONFIG`.

SQLite refuses the page that is one too many (`max_page_count`) as it refuses to write on a full disk.
"""

from __future__ import annotations

import sys
from pathlib import Path

from bridge.cli import main
from bridge.store.database import Database

if __name__ == "__main__":
    pages = int(sys.argv.pop(1))
    open_without_limit = Database.open

    async def open_with_limit(path: Path, *, max_page_count: int | None = None) -> Database:
        return await open_without_limit(path, max_page_count=max_page_count or pages)

    Database.open = open_with_limit  # type: ignore[method-assign]
    main()
