//! The choices that mls-rs asks its application for while it makes a Commit, made call by call.

use mls_rs::client_builder::PaddingMode;
use mls_rs::group::{GroupContext, Roster};
use mls_rs::mls_rules::{
    CommitDirection, CommitOptions, CommitSource, EncryptionOptions, ProposalBundle, ProposalRef, ProposalSource,
};
use mls_rs::MlsRules;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Shared by all groups of one actor: a subgroup goes on in the form of handshake that its parent had.
#[derive(Clone)]
pub struct Rules(Arc<Mutex<Choices>>);

/// What the next Commit is to be.
#[derive(Clone, Default)]
pub struct CommitChoices {
    pub force_path: bool,
    pub external_tree: bool,
    /// The proposals that it commits by reference. mls-rs would take all that it has seen.
    pub by_reference: Vec<ProposalRef>,
}

struct Choices {
    encrypt_handshake: bool,
    commit: CommitChoices,
}

impl Rules {
    pub fn new() -> Self {
        Self(Arc::new(Mutex::new(Choices { encrypt_handshake: false, commit: CommitChoices::default() })))
    }

    pub fn encrypt_handshake(&self, encrypt: bool) {
        self.choices().encrypt_handshake = encrypt;
    }

    pub fn next_commit(&self, commit: CommitChoices) {
        self.choices().commit = commit;
    }

    fn choices(&self) -> MutexGuard<'_, Choices> {
        // A panic while it was held cannot have left anything half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl MlsRules for Rules {
    type Error = Infallible;

    fn filter_proposals(
        &self,
        direction: CommitDirection,
        _source: CommitSource,
        _roster: &Roster,
        _context: &GroupContext,
        mut proposals: ProposalBundle,
    ) -> Result<ProposalBundle, Infallible> {
        if direction == CommitDirection::Send {
            let choices = self.choices();
            proposals.retain(|proposal| match &proposal.source {
                ProposalSource::ByReference(reference) => {
                    Ok::<_, Infallible>(choices.commit.by_reference.contains(reference))
                }
                ProposalSource::ByValue | ProposalSource::Local => Ok(true),
            })?;
        }
        Ok(proposals)
    }

    fn commit_options(&self, _: &Roster, _: &GroupContext, _: &ProposalBundle) -> Result<CommitOptions, Infallible> {
        let choices = self.choices();
        Ok(CommitOptions::new()
            .with_path_required(choices.commit.force_path)
            .with_ratchet_tree_extension(!choices.commit.external_tree))
    }

    fn encryption_options(&self, _: &Roster, _: &GroupContext) -> Result<EncryptionOptions, Infallible> {
        // Without padding, sizes can be compared with those of other implementations.
        Ok(EncryptionOptions::new(self.choices().encrypt_handshake, PaddingMode::None))
    }
}
