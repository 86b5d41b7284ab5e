//! Two crypto providers as one, by cipher suite.
//!
//! AWS-LC is the fast one, and has post-quantum suites; it lacks curve448, which OpenSSL has.

use mls_rs::crypto::{
    HpkeCiphertext, HpkeContextR, HpkeContextS, HpkePsk, HpkePublicKey, HpkeSecretKey, SignaturePublicKey,
    SignatureSecretKey,
};
use mls_rs::error::{AnyError, IntoAnyError};
use mls_rs::{CipherSuite, CipherSuiteProvider, CryptoProvider};
use mls_rs_crypto_awslc::{AwsLcCipherSuite, AwsLcCryptoProvider};
use mls_rs_crypto_openssl::OpensslCryptoProvider;
use zeroize::Zeroizing;

/// A provider, and the suites that it runs here.
pub struct Provider {
    pub name: &'static str,
    pub package: &'static str,
    pub suites: &'static [CipherSuite],
}

const AWS_LC: Provider = Provider {
    name: "AWS-LC",
    package: "mls-rs-crypto-awslc",
    suites: &[
        CipherSuite::CURVE25519_AES128,
        CipherSuite::P256_AES128,
        CipherSuite::CURVE25519_CHACHA,
        CipherSuite::P521_AES256,
        CipherSuite::P384_AES256,
        ML_KEM_512,
        ML_KEM_768,
        ML_KEM_1024,
        X_WING,
    ],
};

const OPENSSL: Provider = Provider {
    name: "OpenSSL",
    package: "mls-rs-crypto-openssl",
    suites: &[CipherSuite::CURVE448_AES256, CipherSuite::CURVE448_CHACHA],
};

pub const PROVIDERS: [Provider; 2] = [AWS_LC, OPENSSL];

// mls-rs-core names them only if a feature is on that mls-rs does not pass on.
const ML_KEM_512: CipherSuite = CipherSuite::new(65001);
const ML_KEM_768: CipherSuite = CipherSuite::new(65002);
const ML_KEM_1024: CipherSuite = CipherSuite::new(65003);
const X_WING: CipherSuite = CipherSuite::new(65100);

#[derive(Clone)]
pub struct Crypto;

impl CryptoProvider for Crypto {
    type CipherSuiteProvider = Suite;

    fn supported_cipher_suites(&self) -> Vec<CipherSuite> {
        PROVIDERS.iter().flat_map(|provider| provider.suites).copied().collect()
    }

    fn cipher_suite_provider(&self, suite: CipherSuite) -> Option<Suite> {
        if AWS_LC.suites.contains(&suite) {
            AwsLcCryptoProvider::new().cipher_suite_provider(suite).map(Suite::AwsLc)
        } else if OPENSSL.suites.contains(&suite) {
            OpensslCryptoProvider::new().cipher_suite_provider(suite).map(Suite::OpenSsl)
        } else {
            None
        }
    }
}

type OpenSslCipherSuite = <OpensslCryptoProvider as CryptoProvider>::CipherSuiteProvider;

#[derive(Clone)]
pub enum Suite {
    AwsLc(AwsLcCipherSuite),
    OpenSsl(OpenSslCipherSuite),
}

pub enum SenderContext {
    AwsLc(<AwsLcCipherSuite as CipherSuiteProvider>::HpkeContextS),
    OpenSsl(<OpenSslCipherSuite as CipherSuiteProvider>::HpkeContextS),
}

pub enum ReceiverContext {
    AwsLc(<AwsLcCipherSuite as CipherSuiteProvider>::HpkeContextR),
    OpenSsl(<OpenSslCipherSuite as CipherSuiteProvider>::HpkeContextR),
}

/// The error of whichever provider it was.
#[derive(Debug)]
pub struct CryptoError(AnyError);

impl IntoAnyError for CryptoError {
    fn into_dyn_error(self) -> Result<Box<dyn std::error::Error + Send + Sync>, Self> {
        Ok(Box::new(self.0))
    }
}

fn any(error: impl IntoAnyError) -> CryptoError {
    CryptoError(error.into_any_error())
}

type Outcome<T> = Result<T, CryptoError>;

/// The same expression for whichever of the two it is.
macro_rules! each {
    ($value:expr, $inner:ident => $expression:expr) => {
        match $value {
            Self::AwsLc($inner) => $expression,
            Self::OpenSsl($inner) => $expression,
        }
    };
}

/// The same call to whichever of the two it is.
macro_rules! ask {
    ($value:expr, $call:ident($($argument:expr),*)) => {
        each!($value, inner => inner.$call($($argument),*).map_err(any))
    };
}

impl CipherSuiteProvider for Suite {
    type Error = CryptoError;
    type HpkeContextS = SenderContext;
    type HpkeContextR = ReceiverContext;

    fn cipher_suite(&self) -> CipherSuite {
        each!(self, inner => inner.cipher_suite())
    }

    fn hash(&self, data: &[u8]) -> Outcome<Vec<u8>> {
        ask!(self, hash(data))
    }

    fn mac(&self, key: &[u8], data: &[u8]) -> Outcome<Vec<u8>> {
        ask!(self, mac(key, data))
    }

    fn aead_seal(&self, key: &[u8], data: &[u8], aad: Option<&[u8]>, nonce: &[u8]) -> Outcome<Vec<u8>> {
        ask!(self, aead_seal(key, data, aad, nonce))
    }

    fn aead_open(&self, key: &[u8], data: &[u8], aad: Option<&[u8]>, nonce: &[u8]) -> Outcome<Zeroizing<Vec<u8>>> {
        ask!(self, aead_open(key, data, aad, nonce))
    }

    fn aead_key_size(&self) -> usize {
        each!(self, inner => inner.aead_key_size())
    }

    fn aead_nonce_size(&self) -> usize {
        each!(self, inner => inner.aead_nonce_size())
    }

    fn kdf_extract(&self, salt: &[u8], ikm: &[u8]) -> Outcome<Zeroizing<Vec<u8>>> {
        ask!(self, kdf_extract(salt, ikm))
    }

    fn kdf_expand(&self, prk: &[u8], info: &[u8], len: usize) -> Outcome<Zeroizing<Vec<u8>>> {
        ask!(self, kdf_expand(prk, info, len))
    }

    fn kdf_extract_size(&self) -> usize {
        each!(self, inner => inner.kdf_extract_size())
    }

    fn hpke_seal(&self, key: &HpkePublicKey, info: &[u8], aad: Option<&[u8]>, pt: &[u8]) -> Outcome<HpkeCiphertext> {
        ask!(self, hpke_seal(key, info, aad, pt))
    }

    fn hpke_seal_psk(
        &self,
        key: &HpkePublicKey,
        info: &[u8],
        aad: Option<&[u8]>,
        pt: &[u8],
        psk: HpkePsk<'_>,
    ) -> Outcome<HpkeCiphertext> {
        ask!(self, hpke_seal_psk(key, info, aad, pt, psk))
    }

    fn hpke_open(
        &self,
        ciphertext: &HpkeCiphertext,
        secret: &HpkeSecretKey,
        public: &HpkePublicKey,
        info: &[u8],
        aad: Option<&[u8]>,
    ) -> Outcome<Zeroizing<Vec<u8>>> {
        ask!(self, hpke_open(ciphertext, secret, public, info, aad))
    }

    fn hpke_open_psk(
        &self,
        ciphertext: &HpkeCiphertext,
        secret: &HpkeSecretKey,
        public: &HpkePublicKey,
        info: &[u8],
        aad: Option<&[u8]>,
        psk: HpkePsk<'_>,
    ) -> Outcome<Zeroizing<Vec<u8>>> {
        ask!(self, hpke_open_psk(ciphertext, secret, public, info, aad, psk))
    }

    fn hpke_setup_s(&self, key: &HpkePublicKey, info: &[u8]) -> Outcome<(Vec<u8>, SenderContext)> {
        match self {
            Self::AwsLc(inner) => inner
                .hpke_setup_s(key, info)
                .map(|(kem_output, context)| (kem_output, SenderContext::AwsLc(context)))
                .map_err(any),
            Self::OpenSsl(inner) => inner
                .hpke_setup_s(key, info)
                .map(|(kem_output, context)| (kem_output, SenderContext::OpenSsl(context)))
                .map_err(any),
        }
    }

    fn hpke_setup_r(
        &self,
        kem_output: &[u8],
        secret: &HpkeSecretKey,
        public: &HpkePublicKey,
        info: &[u8],
    ) -> Outcome<ReceiverContext> {
        match self {
            Self::AwsLc(inner) => {
                inner.hpke_setup_r(kem_output, secret, public, info).map(ReceiverContext::AwsLc).map_err(any)
            }
            Self::OpenSsl(inner) => {
                inner.hpke_setup_r(kem_output, secret, public, info).map(ReceiverContext::OpenSsl).map_err(any)
            }
        }
    }

    fn kem_derive(&self, ikm: &[u8]) -> Outcome<(HpkeSecretKey, HpkePublicKey)> {
        ask!(self, kem_derive(ikm))
    }

    fn kem_generate(&self) -> Outcome<(HpkeSecretKey, HpkePublicKey)> {
        ask!(self, kem_generate())
    }

    fn kem_public_key_validate(&self, key: &HpkePublicKey) -> Outcome<()> {
        ask!(self, kem_public_key_validate(key))
    }

    fn random_bytes(&self, out: &mut [u8]) -> Outcome<()> {
        each!(self, inner => CipherSuiteProvider::random_bytes(inner, out).map_err(any))
    }

    fn signature_key_generate(&self) -> Outcome<(SignatureSecretKey, SignaturePublicKey)> {
        ask!(self, signature_key_generate())
    }

    fn signature_key_derive_public(&self, secret: &SignatureSecretKey) -> Outcome<SignaturePublicKey> {
        ask!(self, signature_key_derive_public(secret))
    }

    fn sign(&self, secret: &SignatureSecretKey, data: &[u8]) -> Outcome<Vec<u8>> {
        ask!(self, sign(secret, data))
    }

    fn verify(&self, public: &SignaturePublicKey, signature: &[u8], data: &[u8]) -> Outcome<()> {
        ask!(self, verify(public, signature, data))
    }
}

impl HpkeContextS for SenderContext {
    type Error = CryptoError;

    fn seal(&mut self, aad: Option<&[u8]>, data: &[u8]) -> Outcome<Vec<u8>> {
        ask!(self, seal(aad, data))
    }

    fn export(&self, exporter_context: &[u8], len: usize) -> Outcome<Zeroizing<Vec<u8>>> {
        ask!(self, export(exporter_context, len))
    }
}

impl HpkeContextR for ReceiverContext {
    type Error = CryptoError;

    fn open(&mut self, aad: Option<&[u8]>, ciphertext: &[u8]) -> Outcome<Zeroizing<Vec<u8>>> {
        ask!(self, open(aad, ciphertext))
    }

    fn export(&self, exporter_context: &[u8], len: usize) -> Outcome<Zeroizing<Vec<u8>>> {
        ask!(self, export(exporter_context, len))
    }
}
