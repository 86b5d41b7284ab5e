"""Every line and branch of the generated decoders and encoders, run and counted: a program for a process of its own.

``python -m tests.mls.codec.generated_code DIRECTORY`` has each struct's source compiled from a file in DIRECTORY,
where coverage can see it, drives it with the corpus, and prints what was left out.

The sources are compiled when the engine is imported, so the compiler is met before: the engine's own `__init__`,
which would import everything at once, is stepped over. `MAX_ELEMENTS`, which is written into each source, becomes
a number that the corpus exceeds; `test_limits` has the real one.
"""

from __future__ import annotations

import builtins
import importlib
import itertools
import json
import sys
from importlib.util import find_spec
from pathlib import Path
from types import CodeType, ModuleType
from typing import TYPE_CHECKING, Any

import coverage

if TYPE_CHECKING:
    from mls.codec import Struct

__all__ = ["main"]

FEW_ELEMENTS = 2


def main(directory: Path) -> int:
    """Print what was counted, and each line and branch that was left out; return 1 if there are any, else 0."""
    measured = coverage.Coverage(data_file=None, branch=True, config_file=False, include=[str(directory / "*")])
    measured.start()
    compile_from_files(directory)
    kinds = drive()
    measured.stop()
    strangers = [kind.__name__ for kind in kinds if Path(kind.decode_at.__code__.co_filename).parent != directory]
    gaps, counted = found_by(measured, directory)
    gaps += [f"{name} was not compiled from a file" for name in strangers]
    sys.stdout.write("\n".join([*gaps, f"{counted}, {len(gaps)} gaps\n"]))
    return 1 if gaps else 0


def compile_from_files(directory: Path) -> None:
    """Have what the codec compiles from now on compiled from files."""
    spec = find_spec("mls")
    assert spec is not None
    engine = ModuleType("mls")
    engine.__path__ = list(spec.submodule_search_locations or ())
    sys.modules["mls"] = engine
    numbers = itertools.count()

    def compile_file(source: str, name: str, mode: str) -> CodeType:
        plain = "".join(character if character.isalnum() else "_" for character in name).strip("_")
        path = directory / f"{plain}_{next(numbers)}.py"
        path.write_text(source, encoding="utf-8")
        code = builtins.compile(source, str(path), mode)
        assert isinstance(code, CodeType)
        return code

    def exec_file(source: str, names: dict[str, Any]) -> None:
        exec(compile_file(source, "union", "exec"), names)  # noqa: S102 - the codec's own source, as the codec does

    words: Any = importlib.import_module("mls.codec.types")
    words.MAX_ELEMENTS = FEW_ELEMENTS
    selects: Any = importlib.import_module("mls.codec.selects")
    selects.exec = exec_file
    compiler: Any = sys.modules["mls.codec.struct"]
    compiler.compile = compile_file


def drive() -> tuple[type[Struct], ...]:
    """Decode and encode the corpus of every struct, and all its neighbours."""
    from mls.errors import DecodeError  # noqa: PLC0415 - only now, with the compiler in place
    from tests.mls.codec.corpus import examples  # noqa: PLC0415
    from tests.mls.codec.grammar import wire_structs  # noqa: PLC0415
    from tests.mls.codec.reference import joined, pieces, spoiled  # noqa: PLC0415

    for kind in wire_structs():
        for value in examples(kind):
            encoding = joined(pieces(value))
            assert value.encode() == value.encode() == encoding
            for data in (encoding, *spoiled(pieces(value))):
                try:
                    kind.decode(data)
                except DecodeError:
                    continue
    return wire_structs()


def found_by(measured: coverage.Coverage, directory: Path) -> tuple[list[str], str]:
    """Return each line and branch that was left out, and how much was counted."""
    output = directory / "report.json"
    measured.json_report(outfile=str(output))
    files = json.loads(output.read_text(encoding="utf-8"))["files"]
    gaps = []
    for path, found in files.items():
        name, lines = Path(path).name, Path(path).read_text(encoding="utf-8").splitlines()
        gaps += [f"{name}:{line} never runs: {lines[line - 1].strip()}" for line in found["missing_lines"]]
        gaps += [
            f"{name}:{start} never goes on to {end}: {lines[start - 1].strip()}"
            for start, end in found["missing_branches"]
        ]
    branches = sum(found["summary"]["num_branches"] for found in files.values())
    return gaps, f"{len(files)} sources, {branches} branches"


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).resolve()))
