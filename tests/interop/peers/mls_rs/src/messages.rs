//! The messages of `mls_client.proto` and `mls_extras.proto`, field by field.

use crate::encoding::{null_is_default, Bytes, Uint64};
use serde::{Deserialize, Serialize};

macro_rules! requests {
    ($($name:ident { $($field:ident: $type:ty),* $(,)? })*) => {$(
        #[derive(Debug, Default, Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct $name {
            $(#[serde(deserialize_with = "null_is_default")] pub $field: $type),*
        }
    )*};
}

macro_rules! responses {
    ($($name:ident { $($field:ident: $type:ty),* $(,)? })*) => {$(
        #[derive(Debug, Default, Serialize)]
        pub struct $name {
            $(pub $field: $type),*
        }
    )*};
}

requests! {
    // Parts of several messages
    PreSharedKey { psk_id: Bytes, psk_secret: Bytes }
    Extension { extension_type: u32, extension_data: Bytes }
    ProposalDescription {
        proposal_type: Bytes,
        key_package: Bytes,
        removed_id: Bytes,
        psk_id: Bytes,
        epoch_id: Uint64,
        extensions: Vec<Extension>,
        group_id: Bytes,
        cipher_suite: u32,
    }

    // Who answers
    NameRequest {}
    SupportedCiphersuitesRequest {}

    // Becoming a member
    CreateGroupRequest { group_id: Bytes, cipher_suite: u32, encrypt_handshake: bool, identity: Bytes }
    CreateKeyPackageRequest { cipher_suite: u32, identity: Bytes }
    JoinGroupRequest {
        transaction_id: u32,
        welcome: Bytes,
        encrypt_handshake: bool,
        identity: Bytes,
        ratchet_tree: Bytes,
    }
    ExternalJoinRequest {
        group_info: Bytes,
        ratchet_tree: Bytes,
        encrypt_handshake: bool,
        identity: Bytes,
        remove_prior: bool,
        psks: Vec<PreSharedKey>,
    }

    // Using a group
    GroupInfoRequest { state_id: u32, external_tree: bool }
    StateAuthRequest { state_id: u32 }
    ExportRequest { state_id: u32, label: String, context: Bytes, key_length: u32 }
    ProtectRequest { state_id: u32, authenticated_data: Bytes, plaintext: Bytes }
    UnprotectRequest { state_id: u32, ciphertext: Bytes }
    StorePSKRequest { state_or_transaction_id: u32, psk_id: Bytes, psk_secret: Bytes }

    // Proposals by a member
    AddProposalRequest { state_id: u32, key_package: Bytes }
    UpdateProposalRequest { state_id: u32 }
    RemoveProposalRequest { state_id: u32, removed_id: Bytes }
    ExternalPSKProposalRequest { state_id: u32, psk_id: Bytes }
    ResumptionPSKProposalRequest { state_id: u32, epoch_id: Uint64 }
    GroupContextExtensionsProposalRequest { state_id: u32, extensions: Vec<Extension> }
    SelfRemoveProposalRequest { state_id: u32 }

    // Commits
    CommitRequest {
        state_id: u32,
        by_reference: Vec<Bytes>,
        by_value: Vec<ProposalDescription>,
        force_path: bool,
        external_tree: bool,
    }
    HandleCommitRequest { state_id: u32, proposal: Vec<Bytes>, commit: Bytes }
    HandlePendingCommitRequest { state_id: u32 }
    DiscardPendingCommitRequest { state_id: u32 }

    // Reinitialization
    ReInitProposalRequest { state_id: u32, cipher_suite: u32, group_id: Bytes, extensions: Vec<Extension> }
    ReInitWelcomeRequest { reinit_id: u32, key_package: Vec<Bytes>, force_path: bool, external_tree: bool }
    HandleReInitWelcomeRequest { reinit_id: u32, welcome: Bytes, ratchet_tree: Bytes }

    // Branching
    CreateBranchRequest {
        state_id: u32,
        group_id: Bytes,
        extensions: Vec<Extension>,
        key_packages: Vec<Bytes>,
        force_path: bool,
        external_tree: bool,
    }
    HandleBranchRequest { state_id: u32, transaction_id: u32, welcome: Bytes, ratchet_tree: Bytes }

    // Proposals from outside
    NewMemberAddProposalRequest { group_info: Bytes, identity: Bytes }
    CreateExternalSignerRequest { cipher_suite: u32, identity: Bytes }
    AddExternalSignerRequest { state_id: u32, external_sender: Bytes }
    ExternalSignerProposalRequest {
        signer_id: u32,
        signer_index: u32,
        group_info: Bytes,
        ratchet_tree: Bytes,
        description: ProposalDescription,
    }

    // Forgetting a state
    FreeRequest { state_id: u32 }
}

responses! {
    NameResponse { name: String }
    SupportedCiphersuitesResponse { ciphersuites: Vec<u16> }
    CreateGroupResponse { state_id: u32 }
    CreateKeyPackageResponse {
        transaction_id: u32,
        key_package: Bytes,
        init_priv: Bytes,
        encryption_priv: Bytes,
        signature_priv: Bytes,
    }
    // `JoinGroupResponse`, `HandleBranchResponse` and `HandleCommitResponse`: the same fields.
    StateResponse { state_id: u32, epoch_authenticator: Bytes }
    ExternalJoinResponse { state_id: u32, commit: Bytes, epoch_authenticator: Bytes }
    GroupInfoResponse { group_info: Bytes, ratchet_tree: Bytes }
    StateAuthResponse { state_auth_secret: Bytes }
    ExportResponse { exported_secret: Bytes }
    ProtectResponse { ciphertext: Bytes }
    UnprotectResponse { authenticated_data: Bytes, plaintext: Bytes }
    ProposalResponse { proposal: Bytes }
    CommitResponse { commit: Bytes, welcome: Bytes, ratchet_tree: Bytes }
    HandleReInitCommitResponse { reinit_id: u32, key_package: Bytes, epoch_authenticator: Bytes }
    CreateSubgroupResponse { state_id: u32, welcome: Bytes, ratchet_tree: Bytes, epoch_authenticator: Bytes }
    NewMemberAddProposalResponse {
        transaction_id: u32,
        proposal: Bytes,
        init_priv: Bytes,
        encryption_priv: Bytes,
        signature_priv: Bytes,
    }
    CreateExternalSignerResponse { signer_id: u32, external_sender: Bytes }
    // `StorePSKResponse`, `DiscardPendingCommitResponse` and `FreeResponse`.
    EmptyResponse {}
}
