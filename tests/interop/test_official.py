"""Where the official scripts are found. How files are fetched, `tests/vectors/test_official.py` shows."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from typing import TYPE_CHECKING

from tests.interop import official
from tests.vectors.official import COMMIT, FetchError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import pytest


def test_the_environment_variable_names_the_directory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MLS_INTEROP_CONFIGS", str(tmp_path))

    assert official.official_configs.__wrapped__() == tmp_path


def test_the_scripts_are_found_beside_a_directory_above(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("MLS_INTEROP_CONFIGS", raising=False)
    monkeypatch.setattr(official, "ROOT", tmp_path / "somewhere" / "project")
    (tmp_path / "shared" / "mls-interop" / "configs").mkdir(parents=True)

    assert official.official_configs.__wrapped__() == tmp_path / "shared" / "mls-interop" / "configs"


def test_without_any_they_are_fetched_from_the_commit_of_the_vectors(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked: list[tuple[str, Mapping[str, str], Path]] = []

    def fetch(source: str, sums: Mapping[str, str], directory: Path) -> Path:
        asked.append((source, sums, directory))
        raise FetchError

    monkeypatch.delenv("MLS_INTEROP_CONFIGS", raising=False)
    monkeypatch.setattr(official, "ROOT", tmp_path / "project")
    monkeypatch.setattr(official, "fetch", fetch)

    with suppress(FetchError):
        official.official_configs.__wrapped__()

    ((source, sums, directory),) = asked
    assert source == f"https://raw.githubusercontent.com/mlswg/mls-implementations/{COMMIT}/interop/configs/"
    assert sums == official.SUMS
    assert directory == tmp_path / "project" / ".cache" / "mls-interop" / COMMIT


def test_the_scripts_at_hand_are_the_official_ones() -> None:
    directory = official.official_configs()
    found = {name: hashlib.sha256((directory / name).read_bytes()).hexdigest() for name in official.SUMS}

    assert len(found) == 8
    assert found == official.SUMS
