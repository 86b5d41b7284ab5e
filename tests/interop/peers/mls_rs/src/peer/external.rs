//! Proposals from outside (RFC 9420, section 12.1.8).

use super::change::Change;
use super::{wire, Peer};
use crate::clock::Clock;
use crate::config::{provider, Signer};
use crate::crypto::Crypto;
use crate::failure::Failure;
use crate::messages::{
    AddExternalSignerRequest, CreateExternalSignerRequest, CreateExternalSignerResponse, ExternalSignerProposalRequest,
    NewMemberAddProposalRequest, NewMemberAddProposalResponse, ProposalResponse,
};
use mls_rs::extension::built_in::ExternalSendersExt;
use mls_rs::external_client::ExternalClient;
use mls_rs::identity::basic::{BasicCredential, BasicIdentityProvider};
use mls_rs::identity::SigningIdentity;
use mls_rs::mls_rs_codec::{MlsDecode, MlsEncode};
use mls_rs::time::MlsTime;
use mls_rs::{ExtensionList, ProtocolVersion};

const NO_DATA: Vec<u8> = Vec::new();

impl Peer {
    pub fn new_member_add_proposal(
        &mut self,
        request: NewMemberAddProposalRequest,
        clock: &mut Clock,
    ) -> Result<NewMemberAddProposalResponse, Failure> {
        let info = clock.time(|| wire::message(&request.group_info))?;
        let suite = wire::suite_of(&info)?;
        let actor = self.actor(&request.identity, suite)?;
        let no_extensions = ExtensionList::new;
        let proposal = clock.time(|| {
            let now = Some(MlsTime::now());
            let client = &actor.client;
            client.external_add_proposal(&info, None, NO_DATA, no_extensions(), no_extensions(), now)?.to_bytes()
        })?;
        let (transaction_id, keys) = self.begin_transaction(actor)?;
        Ok(NewMemberAddProposalResponse {
            transaction_id,
            proposal: proposal.into(),
            init_priv: keys.init,
            encryption_priv: keys.encryption,
            signature_priv: keys.signature,
        })
    }

    pub fn create_external_signer(
        &mut self,
        request: CreateExternalSignerRequest,
        clock: &mut Clock,
    ) -> Result<CreateExternalSignerResponse, Failure> {
        let suite = provider(wire::suite(request.cipher_suite)?)?;
        let signer = clock.time(|| Signer::generate(&request.identity, &suite))?;
        // ExternalSender and mls-rs's SigningIdentity have the same fields.
        let external_sender = signer.identity.mls_encode_to_vec()?;
        let signer_id = self.new_id();
        self.external_signers.insert(signer_id, signer);
        Ok(CreateExternalSignerResponse { signer_id, external_sender: external_sender.into() })
    }

    pub fn add_external_signer(
        &mut self,
        request: AddExternalSignerRequest,
        clock: &mut Clock,
    ) -> Result<ProposalResponse, Failure> {
        self.propose(request.state_id, clock, |group| {
            let sender = SigningIdentity::mls_decode_exhaustive(&request.external_sender)?;
            let mut extensions = group.context().extensions().clone();
            let senders = extensions.get_as::<ExternalSendersExt>()?;
            let mut senders = senders.map_or_else(Vec::new, |senders| senders.allowed_senders);
            senders.push(sender);
            extensions.set_from(ExternalSendersExt::new(senders))?;
            Ok(group.propose_group_context_extensions(extensions, NO_DATA)?)
        })
    }

    pub fn external_signer_proposal(
        &mut self,
        request: ExternalSignerProposalRequest,
        clock: &mut Clock,
    ) -> Result<ProposalResponse, Failure> {
        let signer_id = request.signer_id;
        let signer = self.external_signers.get(&signer_id).ok_or_else(|| Failure::not_found("signer", signer_id))?;
        let client = ExternalClient::builder()
            .identity_provider(BasicIdentityProvider::new())
            .crypto_provider(Crypto)
            .signer(signer.key.clone(), signer.identity.clone())
            .build();
        let proposal = clock.time(|| {
            let info = wire::message(&request.group_info)?;
            let tree = wire::external_tree(&request.ratchet_tree)?;
            let mut group = client.observe_group(info, tree, Some(MlsTime::now()))?;
            let senders = group.group_context().extensions().get_as::<ExternalSendersExt>()?;
            check_index(request.signer_index, senders.as_ref(), signer)?;
            let change = Change::read(&request.description, |removed| {
                let credential = BasicCredential::new(removed.to_vec()).into_credential();
                let identity = SigningIdentity::new(credential, Vec::new().into());
                Ok(group.get_member_with_identity(&identity)?.index)
            })?;
            let proposal = match change {
                Change::Add(key_package) => group.propose_add(*key_package, NO_DATA),
                Change::Remove(index) => group.propose_remove(index, NO_DATA),
                Change::ExternalPsk(id) => group.propose_external_psk(id, NO_DATA),
                Change::ResumptionPsk(epoch) => group.propose_resumption_psk(epoch, NO_DATA),
                Change::GroupContextExtensions(extensions) => {
                    group.propose_group_context_extensions(extensions, NO_DATA)
                }
                Change::ReInit { group_id, suite, extensions } => {
                    group.propose_reinit(Some(group_id), ProtocolVersion::MLS_10, suite, extensions, NO_DATA)
                }
            };
            Ok::<_, Failure>(proposal?.to_bytes()?)
        })?;
        Ok(ProposalResponse { proposal: proposal.into() })
    }
}

/// mls-rs looks for the signer among the external senders itself: it cannot be told another index.
fn check_index(index: u32, senders: Option<&ExternalSendersExt>, signer: &Signer) -> Result<(), Failure> {
    let found =
        senders.and_then(|senders| senders.allowed_senders.iter().position(|sender| *sender == signer.identity));
    match found {
        Some(found) if index != 0 && found != index as usize => {
            Err(Failure::invalid(format!("signer_index is {index}, but this signer is external sender {found}")))
        }
        // Without an index, or in a group that does not know the signer, mls-rs has the word.
        _ => Ok(()),
    }
}
