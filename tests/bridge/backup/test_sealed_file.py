"""The file of a backup: what was written is read, and nothing else is."""

from __future__ import annotations

import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.backup import sealed_file
from bridge.backup.errors import (
    BackupError,
    DamagedBackupError,
    NewerBackupError,
    NotABackupError,
    WrongPassphraseError,
)
from bridge.backup.sealed_file import SealedReader, SealedWriter

WORDS = "four words of tea"
FRAMES = [b"first", b"", b"third" * 100]
HEAD = 75


def written(frames: list[bytes] = FRAMES) -> bytes:
    file = io.BytesIO()
    writer = SealedWriter(file, WORDS, cost=10)
    for number, frame in enumerate(frames, 1):
        writer.write(frame, is_last=number == len(frames))
    return file.getvalue()


def read(data: bytes, passphrase: str = WORDS) -> list[bytes]:
    return list(SealedReader(io.BytesIO(data), passphrase, where="tea.backup").frames())


def test_what_was_written_is_read() -> None:
    assert read(written()) == FRAMES


def test_two_files_of_the_same_have_nothing_in_common_but_the_head() -> None:
    one, other = written(), written()
    assert one[11:] != other[11:]
    assert b"third" not in one


def test_another_passphrase_opens_nothing() -> None:
    with pytest.raises(WrongPassphraseError, match="does not open it"):
        read(written(), WORDS + "!")


def test_every_byte_counts() -> None:
    data = written([b"a", b"b"])
    for position in range(len(data)):
        changed = bytearray(data)
        changed[position] ^= 1
        with pytest.raises(BackupError):
            read(bytes(changed))


def test_a_file_that_is_cut_short_anywhere_is_refused() -> None:
    data = written()
    for size in range(len(data)):
        with pytest.raises((DamagedBackupError, NotABackupError)):
            read(data[:size])


def test_a_whole_number_of_frames_is_not_enough() -> None:
    data = written()
    first = HEAD + 4 + int.from_bytes(data[HEAD : HEAD + 4], "big")
    with pytest.raises(DamagedBackupError, match="its end is missing"):
        read(data[:first])


def test_frames_keep_their_places() -> None:
    data = written([b"one", b"two", b"end"])
    frame = 4 + 3 + 16
    swapped = data[:HEAD] + data[HEAD + frame : HEAD + 2 * frame] + data[HEAD : HEAD + frame] + data[HEAD + 2 * frame :]
    with pytest.raises(DamagedBackupError, match="was changed"):
        read(swapped)


def test_nothing_may_follow_the_end() -> None:
    with pytest.raises(DamagedBackupError, match="something follows"):
        read(written() + b"x")


def test_a_newer_version_is_refused_before_anything_is_tried() -> None:
    data = written()
    with pytest.raises(NewerBackupError, match="version 2, and this program reads up to version 1"):
        read(data[:8] + (2).to_bytes(2, "big") + data[10:])


@pytest.mark.parametrize("cost", [0, 9, 19, 31, 255])
def test_the_file_does_not_choose_how_much_memory_it_takes(cost: int) -> None:
    data = written()
    with pytest.raises(DamagedBackupError, match="its head"):
        read(data[:10] + bytes([cost]) + data[11:])


def test_a_frame_of_gigabytes_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    data = written()
    monkeypatch.setattr(sealed_file, "MAX_FRAME", 64)
    with pytest.raises(DamagedBackupError):
        read(data)
    with pytest.raises(DamagedBackupError):
        read(data[:HEAD] + b"\xff\xff\xff\xff" + data[HEAD + 4 :])


@given(st.binary(max_size=400))
@settings(max_examples=200, deadline=None)
def test_any_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(BackupError):
        read(data)
    with pytest.raises(BackupError):
        read(written()[:HEAD] + data)
