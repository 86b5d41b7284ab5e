"""Whatever comes in, a call ends with an answer or with a status and a reason: never with a bug of ours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from grpc import StatusCode
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.interop import errors, host
from bridge.interop import mls_client_pb2 as pb
from bridge.interop.errors import CallError, Code, explain
from bridge.interop.host import Host, answering
from bridge.interop.registry import Entry, Registry
from bridge.interop.service import CALLS, SERVICES, Service
from mls import InternalError, UsageError, rules
from tests.bridge.interop.driving import (
    NO_SUCH_ID,
    PATHS,
    Actor,
    Connection,
    add,
    described,
    everybody,
    failing,
    serving,
    talk,
)

if TYPE_CHECKING:
    from google.protobuf.descriptor import Descriptor


@dataclass
class Stage:
    """A service in the middle of things, to which one can go back; its ids; and messages that mean something to it."""

    service: Service
    registry: Registry
    entries: dict[int, Entry]
    messages: list[bytes]

    def reset(self) -> None:
        self.registry._entries = dict(self.entries)

    def call(self, name: str, request: Message) -> Message | CallError:
        try:
            return self.service.prepare(name, lambda message: message.CopyFrom(request))()
        except CallError as error:
            return error


@pytest.fixture(scope="module")
def stage() -> Stage:
    place = Host()
    with serving(place) as connection:
        alice, bob = everybody(connection, "alice", "bob", encrypt=False)
        carol, dave = Actor(connection, "carol"), Actor(connection, "dave", suite=2)
        for actor in (alice, bob):
            actor.store_psk(b"tea", b"T" * 32)
        dave.create_group(b"another group")
        signer = connection.call(
            "CreateExternalSigner",
            pb.CreateExternalSignerRequest(cipher_suite=1, identity=b"ds"),
            pb.CreateExternalSignerResponse,
        )
        reinit = pb.ReInitProposalRequest(state_id=dave.state_id, cipher_suite=3, group_id=b"the next group")
        closing = dave.commit(by_reference=[dave.propose("ReInitProposal", reinit)], name="ReInitCommit")
        pending = pb.HandlePendingCommitRequest(state_id=dave.state_id)
        closed = connection.call("HandlePendingReInitCommit", pending, pb.HandleReInitCommitResponse)
        update = bob.propose("UpdateProposal", pb.UpdateProposalRequest(state_id=bob.state_id))
        made = alice.commit(add(carol), by_reference=[update], external_tree=True)
        beside, inside = alice.group_info(external_tree=True), alice.group_info()
        messages = [
            carol.key_package(),
            update,
            made.commit,
            made.welcome,
            made.ratchet_tree,
            beside.group_info,
            beside.ratchet_tree,
            inside.group_info,
            signer.external_sender,
            closing.commit,
            closed.key_package,
            bob.propose("RemoveProposal", pb.RemoveProposalRequest(state_id=bob.state_id, removed_id=b"alice")),
            Actor(connection, "alice", state_id=alice.state_id).protect(b"hello"),
        ]
    return Stage(Service(place), place.registry, dict(place.registry._entries), messages)


def fields_of(kind: Descriptor, stage: Stage) -> st.SearchStrategy[Message]:
    """Return requests with anything in their fields, and often something that fits."""

    def values(field: FieldDescriptor) -> st.SearchStrategy[object]:
        match field.type:
            case FieldDescriptor.TYPE_BOOL:
                return st.booleans()
            case FieldDescriptor.TYPE_STRING:
                return st.text(max_size=20)
            case FieldDescriptor.TYPE_BYTES:
                words = [b"alice", b"bob", b"tea", b"add", b"remove", b"externalPSK", b"resumptionPSK", b"reinit"]
                whole = st.sampled_from([*stage.messages, *words, b"groupContextExtensions", b"", b"\0\0\0", b"\0"])
                return (
                    whole | st.binary(max_size=64) | st.builds(damaged, whole, st.floats(0, 1), st.binary(max_size=2))
                )
            case FieldDescriptor.TYPE_MESSAGE if field.message_type is not None:
                return fields_of(field.message_type, stage)
            case _:
                bits = 64 if field.type == FieldDescriptor.TYPE_UINT64 else 32
                return st.integers(0, 12) | st.sampled_from([*stage.entries, 99, 0x10000, NO_SUCH_ID, (1 << bits) - 1])

    def build(drawn: dict[str, object]) -> Message:
        return GetMessageClass(kind)(**{name: value for name, value in drawn.items() if value is not None})

    return st.fixed_dictionaries(
        {
            field.name: st.lists(values(field), max_size=3) if field.is_repeated else st.none() | values(field)
            for field in kind.fields
        }
    ).map(build)


def damaged(data: bytes, where: float, instead: bytes) -> bytes:
    """Return a message with one byte changed, or left out, or more put in."""
    position = int(len(data) * where)
    return data[:position] + instead + data[position + 1 :]


@pytest.mark.parametrize("name", sorted(CALLS))
def test_no_request_finds_a_bug(stage: Stage, capsys: pytest.CaptureFixture[str], name: str) -> None:
    method = next(method for service in SERVICES for method in service.methods if method.name == name)

    @settings(max_examples=60)
    @given(request=fields_of(method.input_type, stage))
    def check(request: Message) -> None:
        stage.reset()
        outcome = stage.call(name, request)
        if isinstance(outcome, CallError):
            assert outcome.code is not Code.INTERNAL, outcome.reason
            assert outcome.reason
            assert stage.registry._entries == stage.entries  # a call that fails has changed nothing
        else:
            assert isinstance(outcome, GetMessageClass(method.output_type))

    check()
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("name", sorted(CALLS))
def test_bytes_that_are_no_request(connection: Connection, name: str) -> None:
    for data in (b"\xff", b"\x0a\xff\xff\xff\xff\x0f", b"\x0b" * 200):
        with failing(StatusCode.INVALID_ARGUMENT, f"the request is not what {name} takes"):
            connection.raw(PATHS[name], data)


@pytest.mark.parametrize(
    "name", sorted(set(CALLS) - {"Name", "SupportedCiphersuites", "CreateGroup", "CreateKeyPackage", "Free"})
)
def test_an_empty_request_names_what_is_missing(connection: Connection, name: str) -> None:
    code = StatusCode.NOT_FOUND
    match name:
        case "ExternalJoin" | "NewMemberAddProposal":
            code, word = StatusCode.INVALID_ARGUMENT, "group_info"
        case "AddProposal":
            code, word = StatusCode.INVALID_ARGUMENT, "key_package"
        case "AddExternalSigner":
            code, word = StatusCode.INVALID_ARGUMENT, "external_sender"
        case "CreateExternalSigner":
            code, word = StatusCode.UNIMPLEMENTED, "cipher suite 0"
        case _:
            word = "has the id 0"

    with failing(code, word):
        connection.raw(PATHS[name], b"")


@pytest.mark.parametrize("name", ["CreateGroup", "CreateKeyPackage", "CreateExternalSigner"])
def test_suites_that_are_none(connection: Connection, name: str) -> None:
    kind = CALLS[name].request
    for suite in (0, 8, 0x4D, 0xFFFF):
        with failing(StatusCode.UNIMPLEMENTED, f"cipher suite {suite} is not offered"):
            connection.raw(PATHS[name], kind(cipher_suite=suite).SerializeToString())
    for suite in (0x10000, 0x10001, (1 << 32) - 1):
        with failing(StatusCode.INVALID_ARGUMENT, f"{suite} is not the number of a cipher suite"):
            connection.raw(PATHS[name], kind(cipher_suite=suite).SerializeToString())


def test_huge_fields(connection: Connection) -> None:
    alice, bob = everybody(connection, "alice", "bob")
    huge = b"\1" * (20 << 20)

    with failing(StatusCode.INVALID_ARGUMENT, "DecodeError"):
        alice.handle(huge)
    with failing(StatusCode.INVALID_ARGUMENT, "proposal[0]", "DecodeError"):
        alice.handle(b"", [huge])
    with failing(StatusCode.INVALID_ARGUMENT, "DecodeError"):
        alice.unprotect(huge)
    with failing(StatusCode.INVALID_ARGUMENT, "key_package", "DecodeError"):
        alice.commit(described("add", key_package=huge))
    with failing(StatusCode.FAILED_PRECONDITION, rules.PSK_IS_AVAILABLE, "..."):
        alice.commit(described("externalPSK", psk_id=huge))
    talk(alice, bob)


def test_messages_of_the_wrong_kind(connection: Connection) -> None:
    alice, bob = everybody(connection, "alice", "bob")
    info = alice.group_info().group_info
    bob.key_package()

    with failing(StatusCode.FAILED_PRECONDITION, "UsageError", "a GroupInfo is not a Welcome"):
        bob.join(info)
    with failing(StatusCode.INVALID_ARGUMENT, "ratchet_tree", "DecodeError"):
        bob.join(info, b"garbage")
    with failing(StatusCode.INVALID_ARGUMENT, "by_value[0]", "a GroupInfo is not a KeyPackage"):
        alice.commit(described("add", key_package=info))
    with failing(StatusCode.FAILED_PRECONDITION, "UsageError", "a GroupInfo is not a message within a group"):
        alice.unprotect(info)


def test_a_bug_of_ours_is_an_internal_error_and_its_traceback_stays_here(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(_host: Host, _request: pb.NameRequest) -> pb.NameResponse:
        raise ZeroDivisionError("one over nothing")

    monkeypatch.setitem(CALLS, "Name", answering(pb.NameRequest, broken))
    with serving() as connection, failing(StatusCode.INTERNAL, "a bug of mls-bridge: ZeroDivisionError: one over"):
        connection.call("Name", pb.NameRequest(), pb.NameResponse)

    assert "Traceback" in capsys.readouterr().err


def test_a_contradiction_in_the_engine_is_a_bug_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert explain(InternalError("two and two")).code is Code.INTERNAL
    assert "two and two" in capsys.readouterr().err
    assert explain(UsageError("not now")).code is Code.FAILED_PRECONDITION
    assert capsys.readouterr().err == ""


def test_a_reason_is_short() -> None:
    error = CallError(Code.INTERNAL, "x" * 10_000)

    assert error.reason == "x" * errors.MAX_REASON + "..."
    assert len(explain(error, where="y" * 10_000).reason) == len(error.reason)


def test_a_call_takes_its_own_request_alone() -> None:
    with pytest.raises(TypeError, match="a FreeRequest came for a NameRequest"):
        CALLS["Name"].answer(host.Host(), pb.FreeRequest())
