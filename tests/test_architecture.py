"""What the import contracts in pyproject.toml cannot say: they list what is forbidden, this says what is allowed."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ENGINE_MAY_IMPORT = sys.stdlib_module_names | {"cryptography", "mls", "nacl"}


def imported_packages(source: str) -> Iterator[str]:
    """The top-level name of every package that a module imports absolutely, wherever in the module it does so."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import(names=names):
                yield from (alias.name.partition(".")[0] for alias in names)
            case ast.ImportFrom(module=str(module), level=0):
                yield module.partition(".")[0]
            case _:
                pass


def test_engine_imports_only_the_standard_library_and_cryptographic_libraries() -> None:
    modules = sorted((ROOT / "mls").rglob("*.py"))
    strangers = [
        f"{path.relative_to(ROOT)} imports {package}"
        for path in modules
        for package in imported_packages(path.read_text(encoding="utf-8"))
        if package not in ENGINE_MAY_IMPORT
    ]

    assert modules
    assert strangers == []


@pytest.mark.parametrize(
    "source, packages",
    [
        ("import rich.table, os", ["rich", "os"]),
        ("from rich.table import Table", ["rich"]),
        ("def later():\n    import rich", ["rich"]),
        ("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import rich", ["typing", "rich"]),
        ("from . import codec\nfrom .codec import decode", []),
    ],
)
def test_imports_are_found_wherever_they_stand(source: str, packages: list[str]) -> None:
    assert list(imported_packages(source)) == packages
