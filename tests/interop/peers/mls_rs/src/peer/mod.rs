//! The calls, and what lives from one to the next.

mod change;
mod commits;
mod external;
mod membership;
mod proposals;
mod successors;
mod using;
mod wire;

use crate::clock::Clock;
use crate::config::{Actor, Config, Signer, Signers};
use crate::crypto::Crypto;
use crate::encoding::Bytes;
use crate::failure::Failure;
use crate::messages::{EmptyResponse, FreeRequest, NameRequest, NameResponse};
use crate::messages::{StateResponse, SupportedCiphersuitesRequest, SupportedCiphersuitesResponse};
use crate::name::name;
use mls_rs::group::ReinitClient;
use mls_rs::mls_rules::ProposalRef;
use mls_rs::{CryptoProvider, Group};
use serde::de::DeserializeOwned;
use serde::Serialize;
use serde_json::value::{to_raw_value, RawValue};
use std::collections::HashMap;

/// A client in a group. mls-rs changes a group in place, and so a state keeps its id.
struct Member {
    actor: Actor,
    group: Group<Config>,
    /// Those of this epoch that were received, by their bytes: a PrivateMessage opens once, but may be shown again.
    proposals: HashMap<Vec<u8>, ProposalRef>,
}

/// A client between the old group and the new one.
struct Reinit {
    actor: Actor,
    client: ReinitClient<Config>,
}

/// Every client, by the id of what it is in. No two ids are equal, of whatever kind.
#[derive(Default)]
pub struct Peer {
    last_id: u32,
    signers: Signers,
    members: HashMap<u32, Member>,
    transactions: HashMap<u32, Actor>,
    reinits: HashMap<u32, Reinit>,
    external_signers: HashMap<u32, Signer>,
}

macro_rules! route {
    ($peer:ident, $rpc:ident, $request:ident, $clock:ident, { $($name:literal => $method:ident),* $(,)? }) => {
        match $rpc {
            $($name => run($request, |request| $peer.$method(request, $clock)),)*
            _ => Err(Failure::unimplemented(format!("no call named {:?}", $rpc))),
        }
    };
}

impl Peer {
    pub fn answer(&mut self, rpc: &str, request: &str, clock: &mut Clock) -> Result<Box<RawValue>, Failure> {
        route!(self, rpc, request, clock, {
            "Name" => name,
            "SupportedCiphersuites" => supported_ciphersuites,
            "CreateGroup" => create_group,
            "CreateKeyPackage" => create_key_package,
            "JoinGroup" => join_group,
            "ExternalJoin" => external_join,
            "GroupInfo" => group_info,
            "StateAuth" => state_auth,
            "Export" => export,
            "Protect" => protect,
            "Unprotect" => unprotect,
            "StorePSK" => store_psk,
            "AddProposal" => add_proposal,
            "UpdateProposal" => update_proposal,
            "RemoveProposal" => remove_proposal,
            "ExternalPSKProposal" => external_psk_proposal,
            "ResumptionPSKProposal" => resumption_psk_proposal,
            "GroupContextExtensionsProposal" => group_context_extensions_proposal,
            "SelfRemoveProposal" => self_remove_proposal,
            "Commit" => commit,
            "HandleCommit" => handle_commit,
            "HandlePendingCommit" => handle_pending_commit,
            "DiscardPendingCommit" => discard_pending_commit,
            "ReInitProposal" => reinit_proposal,
            "ReInitCommit" => commit,
            "HandlePendingReInitCommit" => handle_pending_reinit_commit,
            "HandleReInitCommit" => handle_reinit_commit,
            "ReInitWelcome" => reinit_welcome,
            "HandleReInitWelcome" => handle_reinit_welcome,
            "CreateBranch" => create_branch,
            "HandleBranch" => handle_branch,
            "NewMemberAddProposal" => new_member_add_proposal,
            "CreateExternalSigner" => create_external_signer,
            "AddExternalSigner" => add_external_signer,
            "ExternalSignerProposal" => external_signer_proposal,
            "Free" => free,
        })
    }

    fn name(&mut self, _: NameRequest, _: &mut Clock) -> Result<NameResponse, Failure> {
        Ok(NameResponse { name: name() })
    }

    fn supported_ciphersuites(
        &mut self,
        _: SupportedCiphersuitesRequest,
        _: &mut Clock,
    ) -> Result<SupportedCiphersuitesResponse, Failure> {
        let mut ciphersuites: Vec<u16> =
            Crypto.supported_cipher_suites().iter().map(|suite| suite.raw_value()).collect();
        ciphersuites.sort_unstable();
        Ok(SupportedCiphersuitesResponse { ciphersuites })
    }

    fn free(&mut self, request: FreeRequest, _: &mut Clock) -> Result<EmptyResponse, Failure> {
        self.members.remove(&request.state_id).ok_or_else(|| Failure::not_found("state", request.state_id))?;
        Ok(EmptyResponse {})
    }

    fn new_id(&mut self) -> u32 {
        self.last_id += 1;
        self.last_id
    }

    fn member(&mut self, state_id: u32) -> Result<&mut Member, Failure> {
        self.members.get_mut(&state_id).ok_or_else(|| Failure::not_found("state", state_id))
    }

    /// Keeps a new state, and says how the group is there.
    fn keep(&mut self, member: Member) -> Result<StateResponse, Failure> {
        let epoch_authenticator = member.epoch_authenticator()?;
        let state_id = self.new_id();
        self.members.insert(state_id, member);
        Ok(StateResponse { state_id, epoch_authenticator })
    }
}

impl Member {
    fn new(actor: Actor, group: Group<Config>) -> Self {
        Self { actor, group, proposals: HashMap::new() }
    }

    fn epoch_authenticator(&self) -> Result<Bytes, Failure> {
        Ok(self.group.epoch_authenticator()?.as_bytes().to_vec().into())
    }

    fn index_of(&self, identity: &[u8]) -> Result<u32, Failure> {
        Ok(self.group.member_with_identity(identity)?.index)
    }
}

fn run<Request: DeserializeOwned, Response: Serialize>(
    request: &str,
    call: impl FnOnce(Request) -> Result<Response, Failure>,
) -> Result<Box<RawValue>, Failure> {
    // serde would take an array for the fields in their order.
    if !request.starts_with('{') && request != "null" {
        return Err(Failure::invalid("bad request: not a JSON object"));
    }
    let request = serde_json::from_str(request).map_err(|error| Failure::invalid(format!("bad request: {error}")))?;
    to_raw_value(&call(request)?).map_err(|error| Failure::internal(format!("no JSON for the response: {error}")))
}
