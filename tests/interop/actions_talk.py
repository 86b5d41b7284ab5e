"""What members do with a group's keys: send, read, export."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.interop import mls_client_pb2 as pb
from tests.interop.parts import Product
from tests.interop.seats import Code, SeatError
from tests.interop.stage import Fault

if TYPE_CHECKING:
    from tests.interop import scripts
    from tests.interop.parts import Actor
    from tests.interop.stage import Stage

__all__ = ["agree", "cannot_unprotect", "protect", "talk", "unprotect"]


def protect(stage: Stage, step: scripts.Protect) -> None:
    sent = step.authenticated_data.encode(), step.plaintext.encode()
    stage.leave(step.actor, Product.CIPHERTEXT, _protect(stage, step.actor, *sent))
    stage.sent[stage.step] = sent


def unprotect(stage: Stage, step: scripts.Unprotect) -> None:
    _unprotect(stage, step.actor, stage.left(step.ciphertext, Product.CIPHERTEXT), *stage.sent[step.ciphertext])


def talk(stage: Stage, step: scripts.Talk) -> None:
    for sender in step.members:
        authenticated_data = f"{sender} at step {stage.step}".encode()
        # Empty, short and longer than what anybody pads to.
        plaintext = stage.random.randbytes(stage.random.choice((0, 1, 100, 1000)))
        ciphertext = _protect(stage, sender, authenticated_data, plaintext)
        for reader in step.members:
            if reader != sender:
                _unprotect(stage, reader, ciphertext, authenticated_data, plaintext)


def cannot_unprotect(stage: Stage, step: scripts.CannotUnprotect) -> None:
    request = pb.UnprotectRequest(
        state_id=stage.state(step.actor), ciphertext=stage.left(step.ciphertext, Product.CIPHERTEXT)
    )
    seat = stage.seat(step.actor)
    try:
        stage.attempt(step.actor, "Unprotect", request, pb.UnprotectResponse)
    except SeatError as error:
        if error.code is not Code.FAILED_PRECONDITION:
            raise Fault(f"{step.actor} ({seat}), Unprotect of what it must not open: {error}", seat) from error
    else:
        raise Fault(f"{step.actor} ({seat}) opens what it must not be able to open", seat)


def agree(stage: Stage, step: scripts.Agree) -> None:
    exported = {actor: stage.export(actor, step.label, step.context, step.length) for actor in step.members}
    stage.compare(f"secret exported for {step.label!r}", exported)
    authenticators = {
        actor: stage.call(
            actor, "StateAuth", pb.StateAuthRequest(state_id=stage.state(actor)), pb.StateAuthResponse
        ).state_auth_secret
        for actor in step.members
    }
    stage.compare("epoch authenticator", authenticators)


def _protect(stage: Stage, sender: Actor, authenticated_data: bytes, plaintext: bytes) -> bytes:
    request = pb.ProtectRequest(
        state_id=stage.state(sender), authenticated_data=authenticated_data, plaintext=plaintext
    )
    return stage.call(sender, "Protect", request, pb.ProtectResponse).ciphertext


def _unprotect(stage: Stage, reader: Actor, ciphertext: bytes, authenticated_data: bytes, plaintext: bytes) -> None:
    request = pb.UnprotectRequest(state_id=stage.state(reader), ciphertext=ciphertext)
    response = stage.call(reader, "Unprotect", request, pb.UnprotectResponse)
    for what, found, expected in (
        ("plaintext", response.plaintext, plaintext),
        ("authenticated data", response.authenticated_data, authenticated_data),
    ):
        if found != expected:
            seat = stage.seat(reader)
            raise Fault(f"{reader} ({seat}) reads other {what}: {found[:50]!r} instead of {expected[:50]!r}", seat)
