//! A member of a group: its client, the group's state, and the proposals that it has seen in this epoch.

use std::collections::HashMap;

use openmls::prelude::{
    Credential, LeafNodeIndex, MlsGroup, MlsMessageOut, OpenMlsProvider as _, ProcessedMessageContent, QueuedProposal,
    StagedCommit,
};

use crate::answers::{refused, Failure, Outcome};
use crate::client::Client;
use crate::clock::Clock;
use crate::fields::Bytes;
use crate::messages::{basic, encode, protocol_message};

/// Proposals wait here, by their messages' bytes, and not in the group: a group of OpenMLS with proposals in its queue
/// sends no application data, and commits to all of them. Each Commit names its own, so each queues its own. And one's
/// own PrivateMessages cannot be opened again, so one's own proposals must be remembered.
pub struct Member {
    pub client: Client,
    pub group: MlsGroup,
    proposals: HashMap<Vec<u8>, QueuedProposal>,
}

impl Member {
    pub fn new(client: Client, group: MlsGroup) -> Self {
        Self { client, group, proposals: HashMap::new() }
    }

    pub fn epoch_authenticator(&self) -> Bytes {
        // After its own removal a member knows the secrets of the past only.
        if self.group.is_active() {
            Bytes(self.group.epoch_authenticator().as_slice().to_vec())
        } else {
            Bytes::default()
        }
    }

    pub fn leaf_of(&self, identity: &[u8]) -> Outcome<LeafNodeIndex> {
        let wanted: Credential = basic(identity);
        let found = self.group.members().find(|member| member.credential == wanted);
        found.map(|member| member.index).ok_or_else(|| Failure::not_now("no member has this identity"))
    }

    /// Make a proposal, remember it, and give its message.
    pub fn propose(
        &mut self,
        clock: &mut Clock,
        make: impl FnOnce(&mut MlsGroup, &Client) -> Outcome<MlsMessageOut>,
    ) -> Outcome<Bytes> {
        let Self { client, group, .. } = self;
        let made = clock.time(|| encode(&make(group, client)?));
        let queued = self.group.pending_proposals().last().cloned();
        self.clear_queue()?;
        let message = made?;
        let queued = queued.ok_or_else(|| Failure::internal("OpenMLS did not queue its own proposal"))?;
        self.proposals.insert(message.clone(), queued);
        Ok(Bytes(message))
    }

    /// Do `work` with exactly these proposals in the group's queue, in this order, and leave the queue empty.
    pub fn with_proposals<T>(&mut self, messages: &[Bytes], work: impl FnOnce(&mut Self) -> Outcome<T>) -> Outcome<T> {
        let done = self.queue(messages).and_then(|()| work(self));
        self.clear_queue()?;
        done
    }

    fn queue(&mut self, messages: &[Bytes]) -> Outcome<()> {
        for message in messages {
            let proposal = match self.proposals.get(&message.0) {
                Some(known) => known.clone(),
                None => self.receive_proposal(message)?,
            };
            // Queued twice, a PSK would also be hashed twice into the PSK secret.
            let reference = proposal.proposal_reference_ref();
            if self.group.pending_proposals().any(|queued| queued.proposal_reference_ref() == reference) {
                continue;
            }
            self.group.store_pending_proposal(self.client.provider.storage(), proposal).map_err(refused)?;
        }
        Ok(())
    }

    fn receive_proposal(&mut self, message: &Bytes) -> Outcome<QueuedProposal> {
        let processed =
            self.group.process_message(&self.client.provider, protocol_message(message)?).map_err(refused)?;
        match processed.into_content() {
            ProcessedMessageContent::ProposalMessage(proposal)
            | ProcessedMessageContent::ExternalJoinProposalMessage(proposal) => {
                self.proposals.insert(message.to_vec(), (*proposal).clone());
                Ok(*proposal)
            }
            _ => Err(Failure::bad_request("a message among the proposals is none")),
        }
    }

    fn clear_queue(&mut self) -> Outcome<()> {
        self.group.clear_pending_proposals(self.client.provider.storage()).map_err(refused)
    }

    /// Enter the epoch of somebody else's Commit.
    pub fn enter(&mut self, commit: StagedCommit) -> Outcome<()> {
        self.group.merge_staged_commit(&self.client.provider, commit).map_err(refused)?;
        self.proposals.clear();
        Ok(())
    }

    /// Enter the epoch of the Commit that is pending here.
    pub fn enter_pending(&mut self) -> Outcome<()> {
        self.require_pending()?;
        self.group.merge_pending_commit(&self.client.provider).map_err(refused)?;
        self.proposals.clear();
        Ok(())
    }

    pub fn discard_pending(&mut self) -> Outcome<()> {
        self.require_pending()?;
        self.group.clear_pending_commit(self.client.provider.storage()).map_err(refused)
    }

    fn require_pending(&self) -> Outcome<()> {
        // OpenMLS itself would do nothing, and say that all is well.
        self.group.pending_commit().map(|_| ()).ok_or_else(|| Failure::not_now("no Commit is pending"))
    }
}
