"""`python -m tests.mls.rfc PATH`: hold the table of requirements against a copy of the RFC's text.

Prints the text's digest and counts as `requirements.toml` records them, and then in what table and text differ.
"""

import hashlib
import sys
from pathlib import Path

from tests.mls.rfc.table import differences, load
from tests.mls.rfc.text import count_by_section


def main(path: str) -> int:
    """Print what is found; return 0 where table and text agree, 1 where they do not."""
    text = Path(path).read_bytes()
    counts = count_by_section(text.decode("utf-8"))
    lines = [f'sha256 = "{hashlib.sha256(text).hexdigest()}"', f"total = {sum(counts.values())}", "", "[counts]"]
    lines += [f'"{section}" = {count}' for section, count in counts.items()]
    found = list(differences(load(), text))
    lines += ["", *(found or ["# The table agrees with the text."])]
    sys.stdout.write("\n".join(lines) + "\n")
    return 1 if found else 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m tests.mls.rfc PATH_TO_rfc9420.md")
    sys.exit(main(sys.argv[1]))
