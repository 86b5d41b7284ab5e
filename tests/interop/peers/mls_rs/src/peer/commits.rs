//! Commits: made, pending, and received.

use super::change::Change;
use super::{wire, Member, Peer};
use crate::clock::Clock;
use crate::config::Config;
use crate::encoding::Bytes;
use crate::failure::Failure;
use crate::messages::{
    CommitRequest, CommitResponse, DiscardPendingCommitRequest, EmptyResponse, HandleCommitRequest,
    HandlePendingCommitRequest, ProposalDescription, StateResponse,
};
use crate::rules::CommitChoices;
use mls_rs::error::MlsError;
use mls_rs::group::{CommitBuilder, CommitMessageDescription, CommitOutput, ReceivedMessage};
use mls_rs::mls_rules::{ProposalRef, ProposalSource};
use mls_rs::time::MlsTime;
use mls_rs::ProtocolVersion;

impl Peer {
    /// Also `ReInitCommit`: a ReInit is committed like any other proposal.
    pub fn commit(&mut self, request: CommitRequest, clock: &mut Clock) -> Result<CommitResponse, Failure> {
        let member = self.member(request.state_id)?;
        clock.time(|| member.commit(&request))
    }

    pub fn handle_pending_commit(
        &mut self,
        request: HandlePendingCommitRequest,
        clock: &mut Clock,
    ) -> Result<StateResponse, Failure> {
        let state_id = request.state_id;
        let member = self.member(state_id)?;
        clock.time(|| member.apply_pending_commit())?;
        Ok(StateResponse { state_id, epoch_authenticator: member.epoch_authenticator()? })
    }

    pub fn handle_commit(&mut self, request: HandleCommitRequest, clock: &mut Clock) -> Result<StateResponse, Failure> {
        let state_id = request.state_id;
        let member = self.member(state_id)?;
        clock.time(|| member.follow(&request))?;
        Ok(StateResponse { state_id, epoch_authenticator: member.epoch_authenticator()? })
    }

    pub fn discard_pending_commit(
        &mut self,
        request: DiscardPendingCommitRequest,
        clock: &mut Clock,
    ) -> Result<EmptyResponse, Failure> {
        let group = &mut self.member(request.state_id)?.group;
        if !group.has_pending_commit() {
            return Err(Failure::refused("no pending Commit"));
        }
        clock.time(|| group.clear_pending_commit());
        Ok(EmptyResponse {})
    }
}

impl Member {
    fn commit(&mut self, request: &CommitRequest) -> Result<CommitResponse, Failure> {
        let by_reference = request
            .by_reference
            .iter()
            .map(|proposal| self.receive_proposal(proposal))
            .collect::<Result<Vec<_>, _>>()?;
        let by_value =
            request.by_value.iter().map(|description| self.change(description)).collect::<Result<Vec<_>, _>>()?;
        self.actor.rules.next_commit(CommitChoices {
            force_path: request.force_path,
            external_tree: request.external_tree,
            by_reference: by_reference.clone(),
        });
        let builder = self.group.commit_builder().commit_time(MlsTime::now());
        let output = by_value.into_iter().try_fold(builder, put)?.build()?;
        if let Some(dropped) = dropped(&output, &by_reference) {
            self.group.clear_pending_commit();
            return Err(dropped);
        }
        let ratchet_tree = match output.ratchet_tree {
            Some(tree) => tree.to_bytes()?.into(),
            None => Bytes::default(),
        };
        Ok(CommitResponse {
            commit: output.commit_message.to_bytes()?.into(),
            welcome: wire::welcome(&output.welcome_messages)?,
            ratchet_tree,
        })
    }

    pub(super) fn apply_pending_commit(&mut self) -> Result<CommitMessageDescription, Failure> {
        let description = self.group.apply_pending_commit()?;
        self.proposals.clear();
        Ok(description)
    }

    pub(super) fn follow(&mut self, request: &HandleCommitRequest) -> Result<CommitMessageDescription, Failure> {
        for proposal in &request.proposal {
            self.receive_proposal(proposal)?;
        }
        match self.receive(&request.commit)? {
            ReceivedMessage::Commit(description) => {
                self.proposals.clear();
                Ok(description)
            }
            _ => Err(Failure::refused("not a Commit")),
        }
    }

    fn receive_proposal(&mut self, proposal: &[u8]) -> Result<ProposalRef, Failure> {
        if let Some(reference) = self.proposals.get(proposal) {
            return Ok(reference.clone());
        }
        match self.receive(proposal)? {
            ReceivedMessage::Proposal(description) => {
                self.proposals.insert(proposal.to_vec(), description.proposal_ref.clone());
                Ok(description.proposal_ref)
            }
            _ => Err(Failure::refused("not a proposal")),
        }
    }

    fn receive(&mut self, message: &[u8]) -> Result<ReceivedMessage, Failure> {
        Ok(self.group.process_incoming_message_with_time(wire::message(message)?, MlsTime::now())?)
    }

    fn change(&self, description: &ProposalDescription) -> Result<Change, Failure> {
        Change::read(description, |identity| self.index_of(identity))
    }
}

fn put(builder: CommitBuilder<Config>, change: Change) -> Result<CommitBuilder<Config>, MlsError> {
    match change {
        Change::Add(key_package) => builder.add_member(*key_package),
        Change::Remove(index) => builder.remove_member(index),
        Change::ExternalPsk(id) => builder.add_external_psk(id),
        Change::ResumptionPsk(epoch) => builder.add_resumption_psk(epoch),
        Change::GroupContextExtensions(extensions) => builder.set_group_context_ext(extensions),
        Change::ReInit { group_id, suite, extensions } => {
            builder.reinit(Some(group_id), ProtocolVersion::MLS_10, suite, extensions)
        }
    }
}

/// mls-rs leaves out, without a word, a proposal that it finds invalid; here that is a refusal of the whole.
fn dropped(output: &CommitOutput, wanted: &[ProposalRef]) -> Option<Failure> {
    let dropped = output.unused_proposals.iter().find(|unused| match &unused.source {
        ProposalSource::ByReference(reference) => wanted.contains(reference),
        ProposalSource::ByValue | ProposalSource::Local => false,
    })?;
    let kind = dropped.proposal.proposal_type();
    Some(Failure::refused(format!("mls-rs finds a proposal of type {kind:?} invalid in this Commit")))
}
