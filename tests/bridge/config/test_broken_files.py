"""Files that hold no configuration: they are described, and harm nobody."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.config import ConfigError, load
from bridge.config.documents import parse
from tests.bridge.config.files import GOOD, problems


def test_duplicate_keys_are_all_refused(tmp_path: Path) -> None:
    text = GOOD.replace("    home: hs\n", "    home: hs\n    home: muc\n") + "store: {}\n"

    assert problems(tmp_path, text) == [
        "line 20: rooms.tea.home is there twice; keep one; the first is in line 19",
        "line 22: store is there twice; keep one; the first is in line 1",
    ]


def test_aliases_are_refused_however_much_they_stand_for(tmp_path: Path) -> None:
    laughs = "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12))

    found = problems(tmp_path, laughs)

    assert "line 2: a1[0] is an alias (*); write the value out" in found


BROKEN = {
    "empty": (b"", "the file is empty; `mls-bridge init` writes one"),
    "comments": (b"# nothing\n", "the file is empty; `mls-bridge init` writes one"),
    "text": (b"hello", "line 1: the file is not a mapping; write keys and values"),
    "tabs": (b"store:\n\tpath: x\n", "line 2: the file is not valid YAML: found character '\\t' that cannot start any"),
    "unclosed": (
        b'store: {path: "x}\n',
        "the file is not valid YAML: found unexpected end of stream; look at this line",
    ),
    "two documents": (b"a: 1\n---\nb: 1\n", "line 2: the file is not valid YAML: but found another document"),
    "control": (b"store: \x07\n", "the file is not valid YAML: special characters are not allowed"),
    "not Unicode": (b"\xff\xfe\xff", "the file is not text in UTF-8; is it the right file?"),
    "deep": (b"[" * 100_000, "the file is nested too deeply; nothing here needs that"),
    "huge": (b"#" * ((1 << 20) + 1), "the file is larger than 1 MiB; is it the right file?"),
    "python": (b"store: !!python/object/apply:os.system [x]\n", "line 1: store is not a mapping"),
    "odd keys": (b"1: 2\n? [a]\n: 3\nnull: 4\n", "line 1: the file has a key that is not text; put it in quotes"),
    "anchor": (b"&a a: 1\n<<: {b: 1}\n", "line 2: the file has a key that is not text; put it in quotes"),
}


@pytest.mark.parametrize("data, expected", BROKEN.values(), ids=BROKEN)
def test_broken_files_are_described(tmp_path: Path, data: bytes, expected: str) -> None:
    path = tmp_path / "bridge.yaml"
    path.write_bytes(data)

    with pytest.raises(ConfigError) as raised:
        load(path)

    assert expected in str(raised.value)


def test_files_that_are_none_are_described(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to("loop")

    for name, expected in {
        "missing": "is not there; `mls-bridge init` writes one; --config names another",
        ".": "is not a regular file",
        "pipe": "is not a regular file",
        "loop": "cannot be read: Too many levels of symbolic links",
        "nul\0": "cannot be read: that is not a name of a file",
    }.items():
        with pytest.raises(ConfigError) as raised:
            load(tmp_path / name)
        assert expected in str(raised.value)


def test_names_from_the_file_cannot_steer_the_terminal(tmp_path: Path) -> None:
    found = problems(tmp_path, GOOD.replace("  tea:", '  "\\e[2J":'))

    assert found[0].startswith("line 15: rooms.\\x1b[2J is not a usable name")


@given(st.text(max_size=200))
def test_any_text_is_read_or_described(text: str) -> None:
    document = parse(text)

    for problem in document.problems:
        assert str(problem).isprintable()
