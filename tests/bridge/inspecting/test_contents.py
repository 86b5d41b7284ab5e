"""What stands inside messages: every proposal, extension and credential."""

from __future__ import annotations

import pytest

from bridge.protocol.authenticated_data import AuthenticatedData, LastCommit
from bridge.protocol.code_points import ORDER_EXTENSION
from mls.registry import MLS10, ExtensionType, ResumptionPSKUsage
from mls.wire.commit import Commit, ProposalRef
from mls.wire.credentials import AnyCredential, BasicCredential, Certificate, UnknownCredential, X509Credential
from mls.wire.extensions import (
    ApplicationId,
    Extension,
    ExternalSender,
    ExternalSenders,
    last_resort,
    pack_extension,
)
from mls.wire.framing import (
    AnyContent,
    AnySender,
    ApplicationData,
    External,
    FramedContent,
    NewMemberCommit,
    NewMemberProposal,
    PublicMessage,
)
from mls.wire.key_package import KeyPackage
from mls.wire.leaf_node import UpdateSource
from mls.wire.message import wrap
from mls.wire.proposals import (
    Add,
    AnyProposal,
    ExternalInit,
    GroupContextExtensions,
    PreSharedKey,
    ReInit,
    UnknownProposal,
    Update,
)
from mls.wire.psk import ExternalPSK, PreSharedKeyID, ResumptionPSK
from tests.bridge.inspecting.samples import ALICE, found, samples, text_of


def package() -> KeyPackage:
    message = samples().key_package.message
    assert isinstance(message, KeyPackage)
    return message


def public(content: AnyContent, sender: AnySender = External(7), data: bytes = b"") -> bytes:  # noqa: B008 - immutable
    """A PublicMessage that nobody has signed: what it says is told all the same."""
    tag = b"tag" if isinstance(content, Commit) else None
    return wrap(PublicMessage(FramedContent(b"tea", 3, sender, data, content), b"", tag, None)).encode()


def as_lines(data: bytes) -> list[str]:
    return [line.strip() for line in text_of(found(data)).splitlines()]


@pytest.mark.parametrize(
    "proposal, lines",
    [
        (Add(package()), ["Proposal add: adds a device", "account: xmpp:carol@example.net"]),
        (
            Update(package().leaf_node.replace(leaf_node_source=UpdateSource())),
            ["Proposal update: gives the sender's device new keys", "source: update (2)"],
        ),
        (
            PreSharedKey(PreSharedKeyID(ExternalPSK(b"\1\2"), b"\3")),
            ["psk: External PSK", "id: 0102 (2 bytes)", "nonce: 03 (1 byte)"],
        ),
        (
            PreSharedKey(PreSharedKeyID(ResumptionPSK(ResumptionPSKUsage.REINIT, b"tea", 9), b"")),
            ["psk: Resumption PSK", "usage: reinit (2)", "epoch: 9", "nonce: empty"],
        ),
        (
            ReInit(b"\xaa", MLS10, 0x1234, ()),
            ["group id: aa (1 byte)", "cipher suite: 4660 (0x1234), which is not known"],
        ),
        (ExternalInit(b"\5"), ["kem output: 05 (1 byte)"]),
        (GroupContextExtensions((last_resort(),)), ["extension type: last_resort (10)"]),
        (UnknownProposal(0xF123, b""), ["proposal type: for private use (61731)", "data: empty"]),
        (UnknownProposal(0x4A4A, b""), ["proposal type: GREASE (19018)"]),
    ],
)
def test_each_proposal_is_explained(proposal: AnyProposal, lines: list[str]) -> None:
    alone = as_lines(public(proposal))
    committed = as_lines(public(Commit((proposal, ProposalRef(b"\xee")), None)))
    for line in lines:
        assert any(shown.endswith(line) for shown in alone), line
        assert any(shown.endswith(line) for shown in committed), line
    assert "2. Proposal by reference: sent before, by somebody" in committed
    assert "path: none: it gives no new keys to the tree" in committed


@pytest.mark.parametrize(
    "sender, lines",
    [
        (External(7), ["sender type: external (2)", "index: 7"]),
        (NewMemberProposal(), ["sender type: new_member_proposal (3)"]),
        (NewMemberCommit(), ["sender type: new_member_commit (4)"]),
    ],
)
def test_each_sender_is_explained(sender: AnySender, lines: list[str]) -> None:
    assert set(lines) <= set(as_lines(public(ApplicationData(b"hi"), sender)))


def test_authenticated_data_is_this_protocols_or_bytes() -> None:
    own = AuthenticatedData(LastCommit(b"\xab" * 32)).encode()
    assert "last commit: abababababababab... (32 bytes)" in as_lines(public(ApplicationData(b""), data=own))
    assert "authenticated data: 68656c6c6f (5 bytes)" in as_lines(public(ApplicationData(b""), data=b"hello"))


@pytest.mark.parametrize(
    "extension, lines",
    [
        (
            pack_extension(ApplicationId(b"me")),
            ["1. Extension application_id: a name that nobody vouches for", "id: me"],
        ),
        (
            pack_extension(ExternalSenders((ExternalSender(b"\1", BasicCredential(ALICE.encode())),))),
            ["senders: 1", "1. External sender", "account: matrix:u/alice:example.org"],
        ),
        (Extension(0xABCD, b"\1"), ["1. Extension", "extension type: 43981 (0xabcd), which is not known"]),
    ],
)
def test_each_extension_is_explained(extension: Extension, lines: list[str]) -> None:
    assert set(lines) <= set(as_lines(public(GroupContextExtensions((extension,)))))


@pytest.mark.parametrize(
    "extension, problem",
    [
        (
            Extension(ExtensionType.LAST_RESORT, b"x"),
            "extension last_resort: 1 bytes where there is nothing to say (at byte 0)",
        ),
        (
            Extension(ExtensionType.APPLICATION_ID, b"\5"),
            "extension application_id: a vector of 5 bytes is truncated (at byte 1)",
        ),
        (
            Extension(ORDER_EXTENSION, b"\2"),
            (
                "extension order, of mls-bridge: a malformed order extension:"
                " the order extension's version is 2, not 1 (at byte 0)"
            ),
        ),
    ],
)
def test_a_malformed_extension_is_a_problem(extension: Extension, problem: str) -> None:
    assert found(public(GroupContextExtensions((extension,)))).problems == (problem,)


@pytest.mark.parametrize(
    "credential, lines",
    [
        (
            BasicCredential(b"Alice"),
            ["identity: Alice", "not of this protocol: an identity that is not [account URI, device id]"],
        ),
        (BasicCredential(b"\xff\0"), ["identity: ff00 (2 bytes)"]),
        (X509Credential((Certificate(b"abc"), Certificate(b"d"))), ["certificates: 2", "certificates bytes: 4"]),
        (UnknownCredential(0xF00F, b"\7"), ["credential: for private use (61455)", "data: 07 (1 byte)"]),
    ],
)
def test_each_credential_is_explained(credential: AnyCredential, lines: list[str]) -> None:
    leaf = package().leaf_node.replace(credential=credential)
    assert set(lines) <= set(as_lines(wrap(package().replace(leaf_node=leaf)).encode()))


def test_a_suite_that_is_not_known_leaves_signatures_unchecked() -> None:
    finding = found(wrap(package().replace(cipher_suite=0x7777)).encode())
    assert finding.problems == ()
    assert "  signature check: not checked: a cipher suite that is not known" in text_of(finding).splitlines()


def test_a_time_beyond_all_calendars_is_no_harm() -> None:
    source = package().leaf_node.leaf_node_source
    lifetime = source.lifetime.replace(not_after=(1 << 64) - 1)  # type: ignore[union-attr]
    leaf = package().leaf_node.replace(leaf_node_source=source.replace(lifetime=lifetime))
    shown = text_of(found(wrap(package().replace(leaf_node=leaf)).encode()))
    assert "not after: 18446744073709551615000 ms after 1970: beyond all calendars" in shown
