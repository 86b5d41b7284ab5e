//! How mls-rs is set up, and whom it plays.

use crate::crypto::{Crypto, Suite};
use crate::failure::Failure;
use crate::rules::Rules;
use mls_rs::client_builder::{BaseConfig, WithCryptoProvider, WithIdentityProvider, WithMlsRules};
use mls_rs::crypto::SignatureSecretKey;
use mls_rs::error::IntoAnyError;
use mls_rs::identity::basic::{BasicCredential, BasicIdentityProvider};
use mls_rs::identity::SigningIdentity;
use mls_rs::{CipherSuite, CipherSuiteProvider, Client, CryptoProvider};
use std::collections::HashMap;

pub type Config =
    WithMlsRules<Rules, WithCryptoProvider<Crypto, WithIdentityProvider<BasicIdentityProvider, BaseConfig>>>;

/// A client with its own stores, of key packages, PSKs and past epochs.
///
/// What mls-rs keeps in memory it keeps until it is told to write it to the store, which never happens here: so every
/// past epoch of a group stays usable, for late messages and as a resumption PSK.
#[derive(Clone)]
pub struct Actor {
    pub client: Client<Config>,
    pub rules: Rules,
    pub signer: Signer,
}

impl Actor {
    pub fn new(signer: Signer, suite: CipherSuite) -> Self {
        let rules = Rules::new();
        let client = Client::builder()
            .identity_provider(BasicIdentityProvider::new())
            .crypto_provider(Crypto)
            .mls_rules(rules.clone())
            .signing_identity(signer.identity.clone(), signer.key.clone(), suite)
            .build();
        Self { client, rules, signer }
    }
}

#[derive(Clone)]
pub struct Signer {
    pub name: Vec<u8>,
    pub identity: SigningIdentity,
    pub key: SignatureSecretKey,
}

impl Signer {
    pub fn generate(name: &[u8], suite: &Suite) -> Result<Self, Failure> {
        let (key, public) = suite
            .signature_key_generate()
            .map_err(|error| Failure::refused(format!("no signature key: {}", error.into_any_error())))?;
        let credential = BasicCredential::new(name.to_vec()).into_credential();
        Ok(Self { name: name.to_vec(), identity: SigningIdentity::new(credential, public), key })
    }

    /// The private key as RFC 9420's test vectors have it: mls-rs keeps an Ed25519 seed with its public key behind it.
    pub fn private_key(&self) -> Vec<u8> {
        self.key.strip_suffix(&*self.identity.signature_key).unwrap_or(&self.key).to_vec()
    }
}

/// One signature key for each name and suite.
///
/// mls-rs lets a member join a subgroup with the signature key that it has in the parent alone
/// (`Group::join_subgroup`), so a KeyPackage that is made before anybody says what for must have that one already.
#[derive(Default)]
pub struct Signers(HashMap<(Vec<u8>, u16), Signer>);

impl Signers {
    pub fn signer(&mut self, name: &[u8], suite: CipherSuite) -> Result<Signer, Failure> {
        let key = (name.to_vec(), suite.raw_value());
        if let Some(signer) = self.0.get(&key) {
            return Ok(signer.clone());
        }
        let signer = Signer::generate(name, &provider(suite)?)?;
        self.0.insert(key, signer.clone());
        Ok(signer)
    }
}

pub fn provider(suite: CipherSuite) -> Result<Suite, Failure> {
    Crypto
        .cipher_suite_provider(suite)
        .ok_or_else(|| Failure::unimplemented(format!("no crypto provider runs cipher suite {}", suite.raw_value())))
}
