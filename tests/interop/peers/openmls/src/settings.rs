//! How groups and leaves are set up: whatever the library can do, it is allowed to.

use openmls::prelude::{
    Capabilities, Ciphersuite, MlsGroupCreateConfig, MlsGroupJoinConfig, ProposalType, SenderRatchetConfiguration,
    WireFormatPolicy, MIXED_CIPHERTEXT_WIRE_FORMAT_POLICY, MIXED_PLAINTEXT_WIRE_FORMAT_POLICY,
};

use crate::answers::{Failure, Outcome};
use crate::provider::SUITES;

/// Application messages of this many past epochs still open. More would only grow what OpenMLS stores with each one.
const PAST_EPOCHS: usize = 5;

/// So many epochs' resumption PSKs are kept. It is what OpenMLS keeps, whatever is asked, after creating a group
/// (group/mls_group/builder.rs:168) or joining by external Commit (commit_builder/external_commits.rs:305).
const RESUMPTION_PSKS: usize = 32;

/// Keys of this many skipped messages of a sender are kept, and so far may a sender run ahead.
const SKIPPED_KEYS: u32 = 100;
const RUN_AHEAD: u32 = 10_000;

pub fn suite(number: u32) -> Outcome<Ciphersuite> {
    SUITES.into_iter().find(|suite| u32::from(u16::from(*suite)) == number).ok_or_else(|| {
        Failure::unimplemented(format!(
            "OpenMLS's RustCrypto provider has no cipher suite {number} (openmls_rust_crypto 0.6.0, provider.rs:92)"
        ))
    })
}

/// Handshakes go out in one form; both come in.
pub fn wire_format(encrypt_handshake: bool) -> WireFormatPolicy {
    if encrypt_handshake {
        MIXED_CIPHERTEXT_WIRE_FORMAT_POLICY
    } else {
        MIXED_PLAINTEXT_WIRE_FORMAT_POLICY
    }
}

pub fn capabilities() -> Capabilities {
    Capabilities::builder().ciphersuites(SUITES.to_vec()).proposals(vec![ProposalType::SelfRemove]).build()
}

pub fn to_join(encrypt_handshake: bool) -> MlsGroupJoinConfig {
    MlsGroupJoinConfig::builder()
        .wire_format_policy(wire_format(encrypt_handshake))
        .max_past_epochs(PAST_EPOCHS)
        .number_of_resumption_psks(RESUMPTION_PSKS)
        .sender_ratchet_configuration(ratchets())
        .use_ratchet_tree_extension(true)
        .build()
}

pub fn to_create(suite: Ciphersuite, encrypt_handshake: bool) -> MlsGroupCreateConfig {
    MlsGroupCreateConfig::builder()
        .ciphersuite(suite)
        .capabilities(capabilities())
        .wire_format_policy(wire_format(encrypt_handshake))
        .max_past_epochs(PAST_EPOCHS)
        .number_of_resumption_psks(RESUMPTION_PSKS)
        .sender_ratchet_configuration(ratchets())
        .use_ratchet_tree_extension(true)
        .build()
}

fn ratchets() -> SenderRatchetConfiguration {
    SenderRatchetConfiguration::new(SKIPPED_KEYS, RUN_AHEAD)
}
