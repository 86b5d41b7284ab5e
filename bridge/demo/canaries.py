"""Looking for what must not be there: plaintext and keys in files and in a process's memory.

A search that finds nothing proves nothing, unless the same search finds the same things where they are: so whoever
uses this looks through a member too.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

__all__ = ["Finding", "forms_of", "search_file", "search_files", "search_memory"]

Finding = tuple[str, str]
"""What was found, and where."""

_CHUNK = 8 << 20


def forms_of(secret: bytes) -> dict[str, bytes]:
    """Return how a secret could be written: as it is, in hex, base64 (in each of its alignments), UTF-16."""
    forms = {"raw": secret, "hex": secret.hex().encode(), "HEX": secret.hex().upper().encode()}
    for shift in range(3):
        encoded = base64.b64encode(bytes(shift) + secret)
        # Only the characters that no neighbouring byte has a part in.
        inner = encoded[(shift * 8 + 5) // 6 : (shift + len(secret)) * 8 // 6]
        forms[f"base64 at {shift}"] = inner
        forms[f"base64url at {shift}"] = inner.replace(b"+", b"-").replace(b"/", b"_")
    if secret.isascii():
        forms["UTF-16LE"] = secret.decode().encode("utf-16-le")
        forms["UTF-16BE"] = secret.decode().encode("utf-16-be")
    return forms


def search_files(paths: Iterable[Path], secrets: dict[str, bytes]) -> list[Finding]:
    """Search files, and all files under folders."""
    found: list[Finding] = []
    for path in paths:
        files = sorted(item for item in path.rglob("*") if item.is_file()) if path.is_dir() else [path]
        for file in files:
            found += search_file(file, secrets)
    return found


def search_file(path: Path, secrets: dict[str, bytes]) -> list[Finding]:
    """Search one file; one that is gone holds nothing."""
    try:
        with path.open("rb") as file:
            return _search(iter(lambda: file.read(_CHUNK), b""), secrets, str(path))
    except FileNotFoundError:
        return []


def search_memory(pid: int, secrets: dict[str, bytes]) -> list[Finding]:
    """Search all memory that a process can write to (Linux). Raises `OSError` where that is not allowed."""
    found: list[Finding] = []
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
        for start, end in _writable(pid):
            found += _search(_read(memory.fileno(), start, end), secrets, f"memory of process {pid}")
    return sorted(set(found))


def _writable(pid: int) -> Iterator[tuple[int, int]]:
    for line in Path(f"/proc/{pid}/maps").read_text(encoding="utf-8", errors="replace").splitlines():
        fields = line.split()
        if fields[1].startswith("rw") and not (len(fields) > 5 and fields[5] in {"[vvar]", "[vsyscall]"}):
            start, end = fields[0].split("-")
            yield int(start, 16), int(end, 16)


def _read(descriptor: int, start: int, end: int) -> Iterator[bytes]:
    while start < end:
        try:
            chunk = os.pread(descriptor, min(_CHUNK, end - start), start)
        except OSError:  # a mapping that is gone by now, or that cannot be read
            return
        if not chunk:
            return
        yield chunk
        start += len(chunk)


def _search(chunks: Iterator[bytes], secrets: dict[str, bytes], where: str) -> list[Finding]:
    needles = [
        (name, form, needle) for name, secret in secrets.items() for form, needle in forms_of(secret).items() if needle
    ]
    overlap = max((len(needle) for *_, needle in needles), default=1) - 1
    found: set[Finding] = set()
    tail = b""
    for chunk in chunks:
        window = tail + chunk
        found |= {(f"{name} ({form})", where) for name, form, needle in needles if needle in window}
        tail = window[-overlap:] if overlap else b""
    return sorted(found)
