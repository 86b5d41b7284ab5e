//! A proposal as it is described: to be put into a Commit by value, or to be made by an external signer.

use super::wire;
use crate::failure::Failure;
use crate::messages::ProposalDescription;
use mls_rs::psk::ExternalPskId;
use mls_rs::{CipherSuite, ExtensionList, MlsMessage};

pub enum Change {
    Add(Box<MlsMessage>),
    Remove(u32),
    ExternalPsk(ExternalPskId),
    ResumptionPsk(u64),
    GroupContextExtensions(ExtensionList),
    ReInit { group_id: Vec<u8>, suite: CipherSuite, extensions: ExtensionList },
}

impl Change {
    /// `index_of` finds a member of the group by its identity.
    pub fn read(
        description: &ProposalDescription,
        index_of: impl FnOnce(&[u8]) -> Result<u32, Failure>,
    ) -> Result<Self, Failure> {
        Ok(match &*description.proposal_type {
            b"add" => Self::Add(Box::new(wire::message(&description.key_package)?)),
            b"remove" => Self::Remove(index_of(&description.removed_id)?),
            b"externalPSK" => Self::ExternalPsk(ExternalPskId::new(description.psk_id.to_vec())),
            b"resumptionPSK" => Self::ResumptionPsk(description.epoch_id.0),
            b"groupContextExtensions" => Self::GroupContextExtensions(wire::extensions(&description.extensions)?),
            b"reinit" => Self::ReInit {
                group_id: description.group_id.to_vec(),
                suite: wire::suite(description.cipher_suite)?,
                extensions: wire::extensions(&description.extensions)?,
            },
            other => {
                let name = String::from_utf8_lossy(other);
                return Err(Failure::invalid(format!("unknown proposal_type {name:?}")));
            }
        })
    }
}
