"""The interface itself: as the working group's, as its own .proto files, and with every call answered."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from bridge.interop import mls_client_pb2, mls_extras_pb2
from bridge.interop.service import CALLS, SERVICES
from tests.bridge.interop.official import official_proto
from tests.vectors.official import FetchError

if TYPE_CHECKING:
    from google.protobuf.descriptor import Descriptor, ServiceDescriptor

ROOT = Path(__file__).parents[3]
INTERFACE = Path("bridge") / "interop"


def compile_proto(*arguments: str, at: Path = ROOT) -> None:
    """Run the protobuf compiler."""
    subprocess.run([sys.executable, "-m", "grpc_tools.protoc", *arguments], check=True, cwd=at, timeout=60)


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> ServiceDescriptor:
    """The working group's `MLSClient`."""
    try:
        path = official_proto()
    except (FetchError, OSError) as error:
        pytest.skip(f"the working group's mls_client.proto cannot be had: {error}")
    compiled = tmp_path_factory.mktemp("official") / "descriptors"
    compile_proto(f"--descriptor_set_out={compiled}", f"--proto_path={path.parent}", path.name)
    pool = descriptor_pool.DescriptorPool()
    for file in descriptor_pb2.FileDescriptorSet.FromString(compiled.read_bytes()).file:
        pool.Add(file)
    return pool.FindServiceByName("mls_client.MLSClient")


def methods(service: ServiceDescriptor) -> list[tuple[str, str, str, bool, bool]]:
    """Everything by which a call is made."""
    return sorted(
        (
            method.name,
            method.input_type.full_name,
            method.output_type.full_name,
            method.client_streaming,
            method.server_streaming,
        )
        for method in service.methods
    )


def messages(service: ServiceDescriptor) -> dict[str, list[tuple[object, ...]]]:
    """Every message that the service's calls reach, each with everything of its fields that the wire shows."""
    found: dict[str, list[tuple[object, ...]]] = {}
    waiting: list[Descriptor] = [kind for method in service.methods for kind in (method.input_type, method.output_type)]
    while waiting:
        message = waiting.pop()
        if message.full_name in found:
            continue
        found[message.full_name] = sorted(
            (
                field.number,
                field.name,
                field.json_name,
                field.type,
                field.is_repeated,
                field.is_packed,
                field.message_type and field.message_type.full_name,
            )
            for field in message.fields
        )
        waiting += [field.message_type for field in message.fields if field.message_type]
    return found


def test_it_is_the_working_groups(theirs: ServiceDescriptor) -> None:
    ours = mls_client_pb2.DESCRIPTOR.services_by_name["MLSClient"]

    assert ours.full_name == theirs.full_name
    assert methods(ours) == methods(theirs)
    assert len(methods(ours)) == 34
    assert messages(ours) == messages(theirs)
    assert len(messages(ours)) > 50


def test_the_comparison_sees_a_field_of_another_number(theirs: ServiceDescriptor) -> None:
    file = descriptor_pb2.FileDescriptorProto()
    mls_client_pb2.DESCRIPTOR.CopyToProto(file)
    request = next(message for message in file.message_type if message.name == "HandleBranchRequest")
    request.field[3].number = 14
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    changed = pool.FindServiceByName("mls_client.MLSClient")

    assert methods(changed) == methods(theirs)
    assert messages(changed) != messages(theirs)


@pytest.mark.parametrize("name", ["mls_client", "mls_extras"])
def test_the_generated_code_is_that_of_the_proto_files(name: str, tmp_path: Path) -> None:
    compile_proto(
        "--proto_path=.", f"--python_out={tmp_path}", f"--pyi_out={tmp_path}", str(INTERFACE / f"{name}.proto")
    )

    for suffix in ("_pb2.py", "_pb2.pyi"):
        path = INTERFACE / f"{name}{suffix}"
        assert (tmp_path / path).read_bytes() == (ROOT / path).read_bytes(), "run make proto"


def test_every_call_is_answered() -> None:
    declared = {method.name: method for service in SERVICES for method in service.methods}

    assert set(CALLS) == set(declared)
    assert len(declared) == 36
    for name, method in declared.items():
        assert CALLS[name].request is message_factory.GetMessageClass(method.input_type)


def test_no_service_is_left_out() -> None:
    files = (mls_client_pb2.DESCRIPTOR, mls_extras_pb2.DESCRIPTOR)

    assert list(SERVICES) == [service for file in files for service in file.services_by_name.values()]
