//! All that this program holds, by number, and which call is answered where.

use std::collections::HashMap;

use openmls::prelude::Ciphersuite;
use openmls_basic_credential::SignatureKeyPair;
use serde_json::{json, Value};

use crate::answers::{Failure, Outcome};
use crate::client::Client;
use crate::clock::Clock;
use crate::fields::read;
use crate::member::Member;
use crate::provider::SUITES;
use crate::requests::{Nothing, OfState};
use crate::unoffered;

const NAME: &str = "OpenMLS 0.9.2 (RustCrypto 0.6.0)";

/// States, transactions and signers share one sequence of numbers, so that `StorePSK` can tell them apart.
#[derive(Default)]
pub struct Peer {
    last_id: u32,
    members: HashMap<u32, Member>,
    joiners: HashMap<u32, Client>,
    signers: HashMap<u32, ExternalSigner>,
}

/// Somebody outside of groups whose proposals they accept.
pub struct ExternalSigner {
    pub suite: Ciphersuite,
    pub keys: SignatureKeyPair,
}

impl Peer {
    pub fn answer(&mut self, rpc: &str, request: Value, clock: &mut Clock) -> Outcome<Value> {
        match rpc {
            "Name" => read(request).map(|Nothing {}| json!({"name": NAME})),
            "SupportedCiphersuites" => read(request).map(|Nothing {}| json!({"ciphersuites": SUITES.map(u16::from)})),

            "CreateGroup" => self.create_group(read(request)?, clock),
            "CreateKeyPackage" => self.create_key_package(read(request)?, clock),
            "JoinGroup" => self.join_group(read(request)?, clock),
            "ExternalJoin" => self.external_join(read(request)?, clock),

            "GroupInfo" => self.group_info(read(request)?, clock),
            "StateAuth" => self.state_auth(read(request)?),
            "Export" => self.export(read(request)?, clock),
            "Protect" => self.protect(read(request)?, clock),
            "Unprotect" => self.unprotect(read(request)?, clock),
            "StorePSK" => self.store_psk(read(request)?, clock),
            "Free" => self.free(read(request)?),

            "AddProposal" => self.add_proposal(read(request)?, clock),
            "UpdateProposal" => self.update_proposal(read(request)?, clock),
            "RemoveProposal" => self.remove_proposal(read(request)?, clock),
            "SelfRemoveProposal" => self.self_remove_proposal(read(request)?, clock),
            "ExternalPSKProposal" => self.external_psk_proposal(read(request)?, clock),
            "ResumptionPSKProposal" => self.resumption_psk_proposal(read(request)?, clock),
            "GroupContextExtensionsProposal" => self.group_context_extensions_proposal(read(request)?, clock),
            "AddExternalSigner" => self.add_external_signer(read(request)?, clock),

            "Commit" => self.commit(read(request)?, clock),
            "HandleCommit" => self.handle_commit(read(request)?, clock),
            "HandlePendingCommit" => self.handle_pending_commit(read(request)?, clock),
            "DiscardPendingCommit" => self.discard_pending_commit(read(request)?, clock),

            "NewMemberAddProposal" => self.new_member_add_proposal(read(request)?, clock),
            "CreateExternalSigner" => self.create_external_signer(read(request)?, clock),
            "ExternalSignerProposal" => self.external_signer_proposal(read(request)?, clock),

            _ => Err(unoffered::call(rpc)),
        }
    }

    pub fn member(&mut self, state_id: u32) -> Outcome<&mut Member> {
        self.members.get_mut(&state_id).ok_or_else(|| Failure::unknown("state", state_id))
    }

    pub fn members(&self) -> impl Iterator<Item = &Member> {
        self.members.values()
    }

    pub fn joiner(&mut self, transaction_id: u32) -> Outcome<&mut Client> {
        self.joiners.get_mut(&transaction_id).ok_or_else(|| Failure::unknown("transaction", transaction_id))
    }

    pub fn signer(&self, signer_id: u32) -> Outcome<&ExternalSigner> {
        self.signers.get(&signer_id).ok_or_else(|| Failure::unknown("signer", signer_id))
    }

    pub fn keep_member(&mut self, member: Member) -> u32 {
        let id = self.next_id();
        self.members.insert(id, member);
        id
    }

    pub fn keep_joiner(&mut self, client: Client) -> u32 {
        let id = self.next_id();
        self.joiners.insert(id, client);
        id
    }

    pub fn keep_signer(&mut self, signer: ExternalSigner) -> u32 {
        let id = self.next_id();
        self.signers.insert(id, signer);
        id
    }

    /// A KeyPackage is good for one group.
    pub fn drop_joiner(&mut self, transaction_id: u32) {
        self.joiners.remove(&transaction_id);
    }

    /// Who has this number: a member's client, or one that still waits for its Welcome.
    pub fn client(&self, id: u32) -> Outcome<&Client> {
        let member = self.members.get(&id).map(|member| &member.client);
        member.or_else(|| self.joiners.get(&id)).ok_or_else(|| Failure::unknown("state or transaction", id))
    }

    fn free(&mut self, request: OfState) -> Outcome<Value> {
        let freed = self.members.remove(&request.state_id);
        freed.map(|_| json!({})).ok_or_else(|| Failure::unknown("state", request.state_id))
    }

    fn next_id(&mut self) -> u32 {
        self.last_id += 1;
        self.last_id
    }
}
