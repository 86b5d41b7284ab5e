"""Proposals and extensions of a script as messages of the interface."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from bridge.interop import mls_client_pb2 as pb
from tests.interop import parts
from tests.interop.parts import Product

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.interop.parts import Description
    from tests.interop.stage import Stage

__all__ = ["description", "extensions"]


def description(stage: Stage, proposal: Description) -> pb.ProposalDescription:
    """Return a proposal by value as the interface has it. A ReInit may change the suite of what comes later."""
    match proposal:
        case parts.AddByValue():
            key_package = stage.left(proposal.key_package, Product.KEY_PACKAGE)
            return pb.ProposalDescription(proposal_type=b"add", key_package=key_package)
        case parts.RemoveByValue():
            return pb.ProposalDescription(proposal_type=b"remove", removed_id=proposal.removed.encode())
        case parts.ExternalPSKByValue():
            psk_id = stage.left(proposal.psk_id, Product.PSK)
            return pb.ProposalDescription(proposal_type=b"externalPSK", psk_id=psk_id)
        case parts.ResumptionPSKByValue():
            return pb.ProposalDescription(proposal_type=b"resumptionPSK", epoch_id=proposal.epoch_id)
        case parts.GroupContextExtensionsByValue():
            return pb.ProposalDescription(
                proposal_type=b"groupContextExtensions", extensions=extensions(proposal.extensions)
            )
        case parts.ReInitByValue():
            if proposal.change_cipher_suite:
                stage.change_suite()
            return pb.ProposalDescription(
                proposal_type=b"reinit",
                extensions=extensions(proposal.extensions),
                group_id=stage.next_group_id(changed=proposal.change_group_id),
                cipher_suite=stage.suite,
            )
        case _:
            assert_never(proposal)


def extensions(listed: Iterable[parts.Extension]) -> list[pb.Extension]:
    """Return extensions as the interface has them."""
    return [pb.Extension(extension_type=one.extension_type, extension_data=one.extension_data) for one in listed]
