//! The requests of `mls_client.proto` and `mls_extras.proto` that OpenMLS has an answer to.

use serde::Deserialize;

use crate::fields::{Bytes, Number64};

/// A proto3 message: every field has a default, none is unknown.
macro_rules! message {
    ($name:ident { $($field:ident: $kind:ty),* $(,)? }) => {
        #[derive(Debug, Default, Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct $name { $(pub $field: $kind),* }
    };
}

message!(Nothing {});
message!(OfState { state_id: u32 });

message!(PreSharedKey { psk_id: Bytes, psk_secret: Bytes });
message!(Extension { extension_type: u16, extension_data: Bytes });
message!(ProposalDescription {
    proposal_type: Bytes,
    key_package: Bytes,
    removed_id: Bytes,
    psk_id: Bytes,
    epoch_id: Number64,
    extensions: Vec<Extension>,
    group_id: Bytes,
    cipher_suite: u32,
});

message!(CreateGroup { group_id: Bytes, cipher_suite: u32, encrypt_handshake: bool, identity: Bytes });
message!(CreateKeyPackage { cipher_suite: u32, identity: Bytes });
message!(JoinGroup {
    transaction_id: u32,
    welcome: Bytes,
    encrypt_handshake: bool,
    identity: Bytes,
    ratchet_tree: Bytes,
});
message!(ExternalJoin {
    group_info: Bytes,
    ratchet_tree: Bytes,
    encrypt_handshake: bool,
    identity: Bytes,
    remove_prior: bool,
    psks: Vec<PreSharedKey>,
});

message!(GroupInfo { state_id: u32, external_tree: bool });
message!(Export { state_id: u32, label: String, context: Bytes, key_length: u32 });
message!(Protect { state_id: u32, authenticated_data: Bytes, plaintext: Bytes });
message!(Unprotect { state_id: u32, ciphertext: Bytes });
message!(StorePsk { state_or_transaction_id: u32, psk_id: Bytes, psk_secret: Bytes });

message!(AddProposal { state_id: u32, key_package: Bytes });
message!(RemoveProposal { state_id: u32, removed_id: Bytes });
message!(ExternalPskProposal { state_id: u32, psk_id: Bytes });
message!(ResumptionPskProposal { state_id: u32, epoch_id: Number64 });
message!(GroupContextExtensionsProposal { state_id: u32, extensions: Vec<Extension> });
message!(AddExternalSigner { state_id: u32, external_sender: Bytes });

message!(Commit {
    state_id: u32,
    by_reference: Vec<Bytes>,
    by_value: Vec<ProposalDescription>,
    force_path: bool,
    external_tree: bool,
});
message!(HandleCommit { state_id: u32, proposal: Vec<Bytes>, commit: Bytes });

message!(NewMemberAddProposal { group_info: Bytes, identity: Bytes });
message!(CreateExternalSigner { cipher_suite: u32, identity: Bytes });
message!(ExternalSignerProposal {
    signer_id: u32,
    signer_index: u32,
    group_info: Bytes,
    ratchet_tree: Bytes,
    description: ProposalDescription,
});
