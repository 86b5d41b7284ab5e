//! From a request's fields to the library's types.

use crate::encoding::Bytes;
use crate::failure::Failure;
use crate::messages;
use mls_rs::group::ExportedTree;
use mls_rs::{CipherSuite, Extension, ExtensionList, MlsMessage};

pub fn message(bytes: &[u8]) -> Result<MlsMessage, Failure> {
    Ok(MlsMessage::from_bytes(bytes)?)
}

/// A ratchet tree that does not travel inside the message; none if it does.
pub fn external_tree(bytes: &[u8]) -> Result<Option<ExportedTree<'static>>, Failure> {
    if bytes.is_empty() {
        return Ok(None);
    }
    Ok(Some(ExportedTree::from_bytes(bytes)?))
}

/// The cipher suite of a GroupInfo's group.
pub fn suite_of(group_info: &MlsMessage) -> Result<CipherSuite, Failure> {
    match group_info.as_group_info() {
        Some(info) => Ok(info.group_context().cipher_suite),
        None => Err(Failure::refused("group_info is not a GroupInfo")),
    }
}

pub fn suite(number: u32) -> Result<CipherSuite, Failure> {
    Ok(CipherSuite::new(uint16(number, "cipher_suite")?))
}

pub fn extensions(list: &[messages::Extension]) -> Result<ExtensionList, Failure> {
    list.iter()
        .map(|extension| {
            let extension_type = uint16(extension.extension_type, "extension_type")?;
            Ok(Extension::new(extension_type.into(), extension.extension_data.to_vec()))
        })
        .collect()
}

/// The only message of a list that is empty if there is nobody to welcome.
pub fn welcome(messages: &[MlsMessage]) -> Result<Bytes, Failure> {
    match messages {
        [] => Ok(Bytes::default()),
        [message] => Ok(message.to_bytes()?.into()),
        _ => Err(Failure::internal("more than one Welcome")),
    }
}

fn uint16(number: u32, field: &str) -> Result<u16, Failure> {
    u16::try_from(number).map_err(|_| Failure::invalid(format!("{field} {number} is not a uint16")))
}
