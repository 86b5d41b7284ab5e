//! A group as it looks from outside: verified, but without its secrets.

use openmls::group::ProposalStore;
use openmls::prelude::{OpenMlsProvider as _, PublicGroup};

use crate::answers::{refused, Failure, Outcome};
use crate::messages;
use crate::provider::Provider;

pub fn look_into(group_info: &[u8], ratchet_tree: &[u8]) -> Outcome<PublicGroup> {
    let provider = Provider::default();
    let group_info = messages::group_info(group_info)?;
    let within = group_info.extensions().ratchet_tree().map(|extension| extension.ratchet_tree().clone());
    let tree = match within {
        Some(tree) => tree,
        None => messages::ratchet_tree(ratchet_tree)?
            .ok_or_else(|| Failure::bad_request("the ratchet tree is neither in the GroupInfo nor beside it"))?,
    };
    PublicGroup::from_external(provider.crypto(), provider.storage(), tree, group_info, ProposalStore::new())
        .map(|(group, _)| group)
        .map_err(refused)
}
