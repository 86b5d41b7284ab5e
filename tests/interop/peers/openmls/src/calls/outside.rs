//! Proposals from outside of the group: by one who wants to join, and by senders that the group has listed.

use openmls::extensions::{ExternalSender, SenderExtensionIndex};
use openmls::prelude::{ExternalProposal, JoinProposal, MlsMessageOut, PublicGroup};
use openmls_basic_credential::SignatureKeyPair;
use openmls_memory_storage::MemoryStorage;
use serde_json::{json, Value};
use tls_codec::Serialize as _;

use crate::answers::{refused, Failure, Outcome};
use crate::client::Client;
use crate::clock::Clock;
use crate::fields::Bytes;
use crate::messages::{self, basic, encode};
use crate::outsider::look_into;
use crate::peer::{ExternalSigner, Peer};
use crate::provider::Provider;
use crate::requests::{CreateExternalSigner, ExternalSignerProposal, NewMemberAddProposal, ProposalDescription};
use crate::{settings, unoffered};

impl Peer {
    pub fn new_member_add_proposal(&mut self, request: NewMemberAddProposal, clock: &mut Clock) -> Outcome<Value> {
        let (client, bundle, proposal) = clock.time(|| {
            let group = messages::group_info(&request.group_info)?;
            let suite = settings::suite(u16::from(group.ciphersuite()).into())?;
            let client = Client::new(suite, &request.identity)?;
            let bundle = client.key_package()?;
            let (key_package, group_id) = (bundle.key_package().clone(), group.group_id().clone());
            let made = JoinProposal::new::<MemoryStorage>(key_package, group_id, group.epoch(), &client.signer);
            let proposal = encode(&made.map_err(refused)?)?;
            Outcome::Ok((client, bundle, proposal))
        })?;
        let mut answer = self.keep_with_keys(client, &bundle)?;
        answer["proposal"] = json!(Bytes(proposal));
        Ok(answer)
    }

    pub fn create_external_signer(&mut self, request: CreateExternalSigner, clock: &mut Clock) -> Outcome<Value> {
        let suite = settings::suite(request.cipher_suite)?;
        let (keys, external_sender) = clock.time(|| {
            let keys = SignatureKeyPair::new(suite.signature_algorithm()).map_err(refused)?;
            let sender = ExternalSender::new(keys.public().into(), basic(&request.identity));
            let sender = sender.tls_serialize_detached().map_err(refused)?;
            Outcome::Ok((keys, sender))
        })?;
        let signer_id = self.keep_signer(ExternalSigner { suite, keys });
        Ok(json!({"signer_id": signer_id, "external_sender": Bytes(external_sender)}))
    }

    pub fn external_signer_proposal(&mut self, request: ExternalSignerProposal, clock: &mut Clock) -> Outcome<Value> {
        let signer = self.signer(request.signer_id)?;
        let index = SenderExtensionIndex::new(request.signer_index);
        let proposal = clock.time(|| {
            let group = look_into(&request.group_info, &request.ratchet_tree)?;
            if group.ciphersuite() != signer.suite {
                return Err(Failure::bad_request("the signer's key is for another cipher suite"));
            }
            encode(&proposal(&group, &signer.keys, index, &request.description)?)
        })?;
        Ok(json!({"proposal": Bytes(proposal)}))
    }
}

fn proposal(
    group: &PublicGroup,
    keys: &SignatureKeyPair,
    index: SenderExtensionIndex,
    description: &ProposalDescription,
) -> Outcome<MlsMessageOut> {
    let (group_id, epoch) = (group.group_id().clone(), group.group_context().epoch());
    match &*description.proposal_type {
        b"add" => {
            let key_package = messages::key_package(&Provider::default(), &description.key_package)?;
            ExternalProposal::new_add::<Provider>(key_package, group_id, epoch, keys, index).map_err(refused)
        }
        b"remove" => {
            let removed = basic(&description.removed_id);
            let removed = group.members().find(|member| member.credential == removed);
            let removed = removed.ok_or_else(|| Failure::not_now("no member has this identity"))?.index;
            ExternalProposal::new_remove::<Provider>(removed, group_id, epoch, keys, index).map_err(refused)
        }
        b"groupContextExtensions" => {
            let extensions = messages::group_extensions(&description.extensions)?;
            ExternalProposal::new_group_context_extensions::<Provider>(extensions, group_id, epoch, keys, index)
                .map_err(refused)
        }
        b"externalPSK" | b"resumptionPSK" | b"reinit" => {
            Err(unoffered::external_proposal(&String::from_utf8_lossy(&description.proposal_type)))
        }
        other => Err(Failure::bad_request(format!("there is no proposal {:?}", String::from_utf8_lossy(other)))),
    }
}
