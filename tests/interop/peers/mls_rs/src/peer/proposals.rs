//! Proposals by a member.

use super::{wire, Peer};
use crate::clock::Clock;
use crate::config::Config;
use crate::failure::Failure;
use crate::messages::{
    AddProposalRequest, ExternalPSKProposalRequest, GroupContextExtensionsProposalRequest, ProposalResponse,
    ReInitProposalRequest, RemoveProposalRequest, ResumptionPSKProposalRequest, SelfRemoveProposalRequest,
    UpdateProposalRequest,
};
use mls_rs::psk::ExternalPskId;
use mls_rs::{Group, MlsMessage, ProtocolVersion};

/// Every proposal here is without authenticated data.
const NO_DATA: Vec<u8> = Vec::new();

impl Peer {
    pub fn add_proposal(
        &mut self,
        request: AddProposalRequest,
        clock: &mut Clock,
    ) -> Result<ProposalResponse, Failure> {
        self.propose(request.state_id, clock, |group| {
            Ok(group.propose_add(wire::message(&request.key_package)?, NO_DATA)?)
        })
    }

    pub fn update_proposal(
        &mut self,
        request: UpdateProposalRequest,
        clock: &mut Clock,
    ) -> Result<ProposalResponse, Failure> {
        self.propose(request.state_id, clock, |group| Ok(group.propose_update(NO_DATA)?))
    }

    pub fn remove_proposal(
        &mut self,
        request: RemoveProposalRequest,
        clock: &mut Clock,
    ) -> Result<ProposalResponse, Failure> {
        self.propose(request.state_id, clock, |group| {
            let index = group.member_with_identity(&request.removed_id)?.index;
            Ok(group.propose_remove(index, NO_DATA)?)
        })
    }

    pub fn external_psk_proposal(
        &mut self,
        request: ExternalPSKProposalRequest,
        clock: &mut Clock,
    ) -> Result<ProposalResponse, Failure> {
        self.propose(request.state_id, clock, |group| {
            Ok(group.propose_external_psk(ExternalPskId::new(request.psk_id.0), NO_DATA)?)
        })
    }

    pub fn resumption_psk_proposal(
        &mut self,
        request: ResumptionPSKProposalRequest,
        clock: &mut Clock,
    ) -> Result<ProposalResponse, Failure> {
        self.propose(request.state_id, clock, |group| Ok(group.propose_resumption_psk(request.epoch_id.0, NO_DATA)?))
    }

    pub fn group_context_extensions_proposal(
        &mut self,
        request: GroupContextExtensionsProposalRequest,
        clock: &mut Clock,
    ) -> Result<ProposalResponse, Failure> {
        let extensions = wire::extensions(&request.extensions)?;
        self.propose(request.state_id, clock, |group| Ok(group.propose_group_context_extensions(extensions, NO_DATA)?))
    }

    pub fn reinit_proposal(
        &mut self,
        request: ReInitProposalRequest,
        clock: &mut Clock,
    ) -> Result<ProposalResponse, Failure> {
        let suite = wire::suite(request.cipher_suite)?;
        let extensions = wire::extensions(&request.extensions)?;
        let group_id = Some(request.group_id.0);
        self.propose(request.state_id, clock, |group| {
            Ok(group.propose_reinit(group_id, ProtocolVersion::MLS_10, suite, extensions, NO_DATA)?)
        })
    }

    pub fn self_remove_proposal(
        &mut self,
        request: SelfRemoveProposalRequest,
        _: &mut Clock,
    ) -> Result<ProposalResponse, Failure> {
        self.member(request.state_id)?;
        Err(Failure::unimplemented(
            "mls-rs has SelfRemove as proposal type 0xF003 (mls-rs-core 0.27.0, src/group/proposal_type.rs:59), not as \
             0x000A; its custom proposals cannot stand in, for they write a length before their body (mls-rs 0.57.0, \
             src/group/proposal.rs:311), and SelfRemove's body is nothing at all",
        ))
    }

    /// Lets a member make a proposal; mls-rs remembers it as made, and recognises it when it comes back.
    pub(super) fn propose(
        &mut self,
        state_id: u32,
        clock: &mut Clock,
        make: impl FnOnce(&mut Group<Config>) -> Result<MlsMessage, Failure>,
    ) -> Result<ProposalResponse, Failure> {
        let group = &mut self.member(state_id)?.group;
        let proposal = clock.time(|| Ok::<_, Failure>(make(group)?.to_bytes()?))?;
        Ok(ProposalResponse { proposal: proposal.into() })
    }
}
