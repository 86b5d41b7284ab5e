//! Proposals by members.

use openmls::extensions::ExternalSender;
use openmls::group::OutgoingWireFormatPolicy;
use openmls::prelude::{Extension, LeafNodeParameters, MlsGroup, MlsMessageOut, OpenMlsProvider as _};
use openmls::schedule::psk::ResumptionPskUsage;
use openmls::schedule::PreSharedKeyId;
use serde_json::{json, Value};
use tls_codec::Deserialize as _;

use crate::answers::{refused, Failure, Outcome};
use crate::client::Client;
use crate::clock::Clock;
use crate::fields::Bytes;
use crate::messages;
use crate::peer::Peer;
use crate::requests::{
    AddExternalSigner, AddProposal, ExternalPskProposal, GroupContextExtensionsProposal, OfState, RemoveProposal,
    ResumptionPskProposal,
};
use crate::settings;

impl Peer {
    pub fn add_proposal(&mut self, request: AddProposal, clock: &mut Clock) -> Outcome<Value> {
        let member = self.member(request.state_id)?;
        answer(member.propose(clock, |group, client| {
            let key_package = messages::key_package(&client.provider, &request.key_package)?;
            let made = group.propose_add_member(&client.provider, &client.signer, &key_package);
            made.map(message).map_err(refused)
        }))
    }

    pub fn update_proposal(&mut self, request: OfState, clock: &mut Clock) -> Outcome<Value> {
        let member = self.member(request.state_id)?;
        answer(member.propose(clock, |group, client| {
            let leaf = LeafNodeParameters::default();
            let made = group.propose_self_update(&client.provider, &client.signer, leaf);
            made.map(message).map_err(refused)
        }))
    }

    pub fn remove_proposal(&mut self, request: RemoveProposal, clock: &mut Clock) -> Outcome<Value> {
        let member = self.member(request.state_id)?;
        let removed = member.leaf_of(&request.removed_id)?;
        answer(member.propose(clock, |group, client| {
            if removed == group.own_leaf_index() {
                return group.leave_group(&client.provider, &client.signer).map_err(refused);
            }
            let made = group.propose_remove_member(&client.provider, &client.signer, removed);
            made.map(message).map_err(refused)
        }))
    }

    pub fn self_remove_proposal(&mut self, request: OfState, clock: &mut Clock) -> Outcome<Value> {
        let member = self.member(request.state_id)?;
        answer(member.propose(clock, self_remove))
    }

    pub fn external_psk_proposal(&mut self, request: ExternalPskProposal, clock: &mut Clock) -> Outcome<Value> {
        let member = self.member(request.state_id)?;
        answer(member.propose(clock, |group, client| {
            let psk = client.external_psk(&request.psk_id)?;
            let made = group.propose_pre_shared_key(&client.provider, &client.signer, psk);
            made.map(message).map_err(refused)
        }))
    }

    pub fn resumption_psk_proposal(&mut self, request: ResumptionPskProposal, clock: &mut Clock) -> Outcome<Value> {
        let member = self.member(request.state_id)?;
        answer(member.propose(clock, |group, client| {
            let psk = resumption_psk(group, client, request.epoch_id.0)?;
            let made = group.propose_pre_shared_key(&client.provider, &client.signer, psk);
            made.map(message).map_err(refused)
        }))
    }

    pub fn group_context_extensions_proposal(
        &mut self,
        request: GroupContextExtensionsProposal,
        clock: &mut Clock,
    ) -> Outcome<Value> {
        let member = self.member(request.state_id)?;
        answer(member.propose(clock, |group, client| {
            let extensions = messages::group_extensions(&request.extensions)?;
            let made = group.propose_group_context_extensions(&client.provider, extensions, &client.signer);
            made.map(message).map_err(refused)
        }))
    }

    pub fn add_external_signer(&mut self, request: AddExternalSigner, clock: &mut Clock) -> Outcome<Value> {
        let member = self.member(request.state_id)?;
        answer(member.propose(clock, |group, client| {
            let added = ExternalSender::tls_deserialize_exact(&*request.external_sender)
                .map_err(|e| Failure::not_now(format!("the ExternalSender does not decode: {e} ({e:?})")))?;
            let mut extensions = group.extensions().clone();
            let mut senders = extensions.external_senders().cloned().unwrap_or_default();
            senders.push(added);
            extensions.add_or_replace(Extension::ExternalSenders(senders)).map_err(refused)?;
            let made = group.propose_group_context_extensions(&client.provider, extensions, &client.signer);
            made.map(message).map_err(refused)
        }))
    }
}

/// A PSK of this group's own past, with a nonce of its own.
pub fn resumption_psk(group: &MlsGroup, client: &Client, epoch: u64) -> Outcome<PreSharedKeyId> {
    let group_id = group.group_id().clone();
    Ok(PreSharedKeyId::resumption(ResumptionPskUsage::Application, group_id, epoch.into(), client.nonce()?))
}

/// A SelfRemove goes out as a PublicMessage whatever else does (draft-ietf-mls-extensions); OpenMLS wants to hear so.
fn self_remove(group: &mut MlsGroup, client: &Client) -> Outcome<MlsMessageOut> {
    let storage = client.provider.storage();
    let usual = group.configuration().clone();
    let encrypted = usual.wire_format_policy().outgoing() == OutgoingWireFormatPolicy::AlwaysCiphertext;
    if encrypted {
        group.set_configuration(storage, &settings::to_join(false)).map_err(refused)?;
    }
    let made = group.leave_group_via_self_remove(&client.provider, &client.signer).map_err(refused);
    if encrypted {
        group.set_configuration(storage, &usual).map_err(refused)?;
    }
    made
}

fn message<Reference>(made: (MlsMessageOut, Reference)) -> MlsMessageOut {
    made.0
}

fn answer(proposal: Outcome<Bytes>) -> Outcome<Value> {
    proposal.map(|proposal| json!({"proposal": proposal}))
}
