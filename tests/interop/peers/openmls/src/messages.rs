//! From bytes to the library's types, and back.

use openmls::group::GroupContext;
use openmls::messages::group_info::VerifiableGroupInfo;
use openmls::prelude::{
    BasicCredential, Credential, Extension, Extensions, KeyPackage, MlsMessageBodyIn, MlsMessageIn, MlsMessageOut,
    OpenMlsProvider as _, ProtocolMessage, ProtocolVersion, RatchetTreeIn, Welcome,
};
use tls_codec::{Deserialize as _, Serialize as _};

use crate::answers::{refused, Failure, Outcome};
use crate::provider::Provider;
use crate::requests;

pub fn encode(message: &MlsMessageOut) -> Outcome<Vec<u8>> {
    message.tls_serialize_detached().map_err(refused)
}

pub fn protocol_message(bytes: &[u8]) -> Outcome<ProtocolMessage> {
    match body(bytes)? {
        MlsMessageBodyIn::PublicMessage(message) => Ok(message.into()),
        MlsMessageBodyIn::PrivateMessage(message) => Ok(message.into()),
        _ => Err(Failure::bad_request("the MLSMessage is neither a PublicMessage nor a PrivateMessage")),
    }
}

pub fn welcome(bytes: &[u8]) -> Outcome<Welcome> {
    match body(bytes)? {
        MlsMessageBodyIn::Welcome(welcome) => Ok(welcome),
        _ => Err(Failure::bad_request("the MLSMessage is not a Welcome")),
    }
}

pub fn group_info(bytes: &[u8]) -> Outcome<VerifiableGroupInfo> {
    match body(bytes)? {
        MlsMessageBodyIn::GroupInfo(group_info) => Ok(group_info),
        _ => Err(Failure::bad_request("the MLSMessage is not a GroupInfo")),
    }
}

pub fn key_package(provider: &Provider, bytes: &[u8]) -> Outcome<KeyPackage> {
    match body(bytes)? {
        MlsMessageBodyIn::KeyPackage(key_package) => {
            key_package.validate(provider.crypto(), ProtocolVersion::Mls10).map_err(refused)
        }
        _ => Err(Failure::bad_request("the MLSMessage is not a KeyPackage")),
    }
}

/// The tree that travels beside a message; without bytes it is in the message.
pub fn ratchet_tree(bytes: &[u8]) -> Outcome<Option<RatchetTreeIn>> {
    if bytes.is_empty() {
        return Ok(None);
    }
    let tree = RatchetTreeIn::tls_deserialize_exact(bytes);
    tree.map(Some).map_err(|e| Failure::not_now(format!("the ratchet tree does not decode: {e} ({e:?})")))
}

/// Extensions of the group: the library reads those it knows, and takes others as they are.
pub fn group_extensions(given: &[requests::Extension]) -> Outcome<Extensions<GroupContext>> {
    let extensions = given.iter().map(extension).collect::<Outcome<_>>()?;
    Extensions::from_vec(extensions).map_err(refused)
}

fn extension(given: &requests::Extension) -> Outcome<Extension> {
    let data = tls_codec::VLBytes::new(given.extension_data.to_vec());
    let bytes = (given.extension_type, data).tls_serialize_detached().map_err(refused)?;
    let number = given.extension_type;
    Extension::tls_deserialize_exact(bytes)
        .map_err(|e| Failure::not_now(format!("the extension of type {number} does not decode: {e} ({e:?})")))
}

pub fn basic(identity: &[u8]) -> Credential {
    BasicCredential::new(identity.to_vec()).into()
}

fn body(bytes: &[u8]) -> Outcome<MlsMessageBodyIn> {
    let message = MlsMessageIn::tls_deserialize_exact(bytes);
    let message = message.map_err(|e| Failure::not_now(format!("the MLSMessage does not decode: {e} ({e:?})")))?;
    Ok(message.extract())
}
