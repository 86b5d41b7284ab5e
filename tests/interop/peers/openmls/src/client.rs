//! A client: an identity with its signature key, and a store that nobody else sees.

use openmls::prelude::{
    Ciphersuite, CredentialWithKey, KeyPackage, KeyPackageBundle, OpenMlsProvider as _, OpenMlsRand as _,
};
use openmls::schedule::{ExternalPsk, PreSharedKeyId, Psk};
use openmls_basic_credential::SignatureKeyPair;
use serde::Deserialize;

use crate::answers::{refused, Outcome};
use crate::messages::basic;
use crate::provider::Provider;
use crate::settings::capabilities;

pub struct Client {
    pub suite: Ciphersuite,
    pub provider: Provider,
    pub signer: SignatureKeyPair,
    pub identity: Vec<u8>,
}

/// The private keys of a KeyPackage, for whoever makes test vectors of it.
pub struct PrivateKeys {
    pub init: Vec<u8>,
    pub encryption: Vec<u8>,
    pub signature: Vec<u8>,
}

impl Client {
    /// A client with a fresh signature key.
    pub fn new(suite: Ciphersuite, identity: &[u8]) -> Outcome<Self> {
        let signer = SignatureKeyPair::new(suite.signature_algorithm()).map_err(refused)?;
        Ok(Self::with_signer(suite, identity, signer))
    }

    pub fn with_signer(suite: Ciphersuite, identity: &[u8], signer: SignatureKeyPair) -> Self {
        Self { suite, provider: Provider::default(), signer, identity: identity.to_vec() }
    }

    /// The same client, to try something on that may fail.
    pub fn fork(&self) -> Self {
        let (signer, identity) = (self.signer.clone(), self.identity.clone());
        Self { suite: self.suite, provider: self.provider.fork(), signer, identity }
    }

    pub fn credential(&self) -> CredentialWithKey {
        CredentialWithKey { credential: basic(&self.identity), signature_key: self.signer.public().into() }
    }

    pub fn key_package(&self) -> Outcome<KeyPackageBundle> {
        KeyPackage::builder()
            .leaf_node_capabilities(capabilities())
            .build(self.suite, &self.provider, &self.signer, self.credential())
            .map_err(refused)
    }

    pub fn private_keys(&self, bundle: &KeyPackageBundle) -> Outcome<PrivateKeys> {
        let encryption = encryption_key(bundle)?;
        let (init, signature) = (bundle.init_private_key().to_vec(), self.signer.private().to_vec());
        Ok(PrivateKeys { init, encryption, signature })
    }

    pub fn store_psk(&self, psk_id: &[u8], secret: &[u8]) -> Outcome<()> {
        self.external_psk(psk_id)?.store(&self.provider, secret).map_err(refused)
    }

    /// An external PSK to propose, with a nonce of its own.
    pub fn external_psk(&self, psk_id: &[u8]) -> Outcome<PreSharedKeyId> {
        let psk = Psk::External(ExternalPsk::new(psk_id.to_vec()));
        PreSharedKeyId::new(self.suite, self.provider.rand(), psk).map_err(refused)
    }

    pub fn nonce(&self) -> Outcome<Vec<u8>> {
        self.provider.rand().random_vec(self.suite.hash_length()).map_err(refused)
    }
}

/// The leaf's private key. OpenMLS shows it to its own tests only; it is in what the bundle is stored as.
fn encryption_key(bundle: &KeyPackageBundle) -> Outcome<Vec<u8>> {
    #[derive(Deserialize)]
    struct Stored {
        private_encryption_key: StoredKey,
    }
    #[derive(Deserialize)]
    struct StoredKey {
        key: openmls::prelude::HpkePrivateKey,
    }
    let stored: Stored = serde_json::to_value(bundle).and_then(serde_json::from_value).map_err(refused)?;
    Ok(stored.private_encryption_key.key.to_vec())
}
