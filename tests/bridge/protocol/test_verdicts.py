"""Whose word a verdict or a notice is: nothing of it can be changed, or said in another's name."""

from __future__ import annotations

import pytest

import mls
from bridge.protocol.code_points import EnvelopeKind
from bridge.protocol.envelope import Envelope, envelope
from bridge.protocol.errors import ProtocolError
from bridge.protocol.verdicts import (
    MAX_SUBJECTS,
    VERDICTS,
    RemoveNotice,
    notice_envelope,
    notice_is_signed,
    open_notice,
    open_verdict,
    verdict_envelope,
    verdict_is_signed,
)
from mls.crypto.signature import Ed25519, SignaturePrivateKey

SUITE = mls.cipher_suite(1)
KEY = SignaturePrivateKey(Ed25519(), bytes(range(32)))
OTHER = SignaturePrivateKey(Ed25519(), bytes(range(1, 33)))
GROUP, COMMIT = b"tea", bytes([9]) * 32


def verdict(kind: EnvelopeKind = EnvelopeKind.ACK, *, attempt: int = 0) -> Envelope:
    return verdict_envelope(SUITE, KEY, kind, group_id=GROUP, commit=COMMIT, epoch=8, leaf=3, attempt=attempt)


@pytest.mark.parametrize("kind", sorted(VERDICTS))
def test_a_verdict_is_its_signers(kind: EnvelopeKind) -> None:
    sealed = verdict(kind)
    opened = open_verdict(sealed)
    assert (opened.commit, opened.epoch, opened.leaf, opened.attempt) == (COMMIT, 8, 3, 0)
    assert verdict_is_signed(SUITE, KEY.public_key, sealed, opened)
    assert not verdict_is_signed(SUITE, OTHER.public_key, sealed, opened)


@pytest.mark.parametrize("changed", [{"commit": bytes(32)}, {"epoch": 9}, {"leaf": 4}, {"attempt": 1}], ids=str)
def test_nothing_of_a_verdict_can_be_changed(changed: dict[str, object]) -> None:
    opened = open_verdict(verdict()).replace(**changed)
    assert not verdict_is_signed(SUITE, KEY.public_key, verdict(), opened)


def test_a_verdict_stays_of_its_kind_and_group() -> None:
    opened = open_verdict(verdict())
    for kind, group_id in ((EnvelopeKind.NACK, GROUP), (EnvelopeKind.CLOSE, GROUP), (EnvelopeKind.ACK, b"coffee")):
        assert not verdict_is_signed(SUITE, KEY.public_key, envelope(kind, group_id, opened), opened)


def test_what_is_said_again_is_another_envelope() -> None:
    """A sequencer seals nothing twice: what counts only later would never count."""
    first, same, second = (verdict(EnvelopeKind.CLOSE, attempt=attempt) for attempt in (0, 0, 1))
    assert first.identity == same.identity
    assert first.identity != second.identity


def test_other_kinds_are_no_verdicts() -> None:
    for kind in set(EnvelopeKind) - VERDICTS:
        with pytest.raises(ProtocolError, match="is no verdict"):
            open_verdict(envelope(kind, GROUP, open_verdict(verdict())))
    with pytest.raises(ProtocolError, match="not a Verdict"):
        open_verdict(envelope(EnvelopeKind.ACK, GROUP, b"short"))


def notice(*subjects: int, attempt: int = 0) -> Envelope:
    return notice_envelope(SUITE, KEY, group_id=GROUP, epoch=8, leaf=3, subjects=subjects, attempt=attempt)


@pytest.mark.parametrize("changed", [{"epoch": 9}, {"leaf": 4}, {"attempt": 1}, {"subjects": (1,)}], ids=str)
def test_nothing_of_a_notice_can_be_changed(changed: dict[str, object]) -> None:
    sealed = notice(1, 5)
    opened = open_notice(sealed)
    assert notice_is_signed(SUITE, KEY.public_key, sealed, opened)
    assert not notice_is_signed(SUITE, OTHER.public_key, sealed, opened)
    assert not notice_is_signed(SUITE, KEY.public_key, sealed, opened.replace(**changed))
    assert not notice_is_signed(SUITE, KEY.public_key, envelope(EnvelopeKind.REMOVE_NOTICE, b"coffee", opened), opened)


def test_a_notice_names_only_so_many() -> None:
    assert len(open_notice(notice(*range(MAX_SUBJECTS))).subjects) == MAX_SUBJECTS
    too_many = RemoveNotice(8, 3, 0, tuple(range(MAX_SUBJECTS + 1)), b"")
    with pytest.raises(ProtocolError, match="a notice of 65 removals"):
        open_notice(envelope(EnvelopeKind.REMOVE_NOTICE, GROUP, too_many))
    assert notice(1).identity != notice(1, attempt=1).identity
