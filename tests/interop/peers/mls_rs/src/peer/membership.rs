//! Becoming a member.

use super::{wire, Member, Peer};
use crate::clock::Clock;
use crate::config::{provider, Actor};
use crate::encoding::Bytes;
use crate::failure::Failure;
use crate::messages::{
    CreateGroupRequest, CreateGroupResponse, CreateKeyPackageRequest, CreateKeyPackageResponse, ExternalJoinRequest,
    ExternalJoinResponse, JoinGroupRequest, StateResponse,
};
use mls_rs::extension::built_in::RatchetTreeExt;
use mls_rs::group::ExportedTree;
use mls_rs::psk::{ExternalPskId, PreSharedKey};
use mls_rs::time::MlsTime;
use mls_rs::{CipherSuite, ExtensionList, MlsMessage};

impl Peer {
    pub fn create_group(
        &mut self,
        request: CreateGroupRequest,
        clock: &mut Clock,
    ) -> Result<CreateGroupResponse, Failure> {
        let actor = self.actor(&request.identity, wire::suite(request.cipher_suite)?)?;
        actor.rules.encrypt_handshake(request.encrypt_handshake);
        let no_extensions = ExtensionList::new;
        let group = clock.time(|| {
            actor.client.create_group_with_id(
                request.group_id.0,
                no_extensions(),
                no_extensions(),
                Some(MlsTime::now()),
            )
        })?;
        let state_id = self.keep(Member::new(actor, group))?.state_id;
        Ok(CreateGroupResponse { state_id })
    }

    pub fn create_key_package(
        &mut self,
        request: CreateKeyPackageRequest,
        clock: &mut Clock,
    ) -> Result<CreateKeyPackageResponse, Failure> {
        let actor = self.actor(&request.identity, wire::suite(request.cipher_suite)?)?;
        let no_extensions = ExtensionList::new;
        let key_package = clock.time(|| {
            actor
                .client
                .generate_key_package_message(no_extensions(), no_extensions(), Some(MlsTime::now()))?
                .to_bytes()
        })?;
        let (transaction_id, keys) = self.begin_transaction(actor)?;
        Ok(CreateKeyPackageResponse {
            transaction_id,
            key_package: key_package.into(),
            init_priv: keys.init,
            encryption_priv: keys.encryption,
            signature_priv: keys.signature,
        })
    }

    pub fn join_group(&mut self, request: JoinGroupRequest, clock: &mut Clock) -> Result<StateResponse, Failure> {
        let actor = self.transaction(request.transaction_id)?;
        actor.rules.encrypt_handshake(request.encrypt_handshake);
        let (group, _) = clock.time(|| {
            let welcome = wire::message(&request.welcome)?;
            let tree = wire::external_tree(&request.ratchet_tree)?;
            Ok::<_, Failure>(actor.client.join_group(tree, &welcome, Some(MlsTime::now()))?)
        })?;
        let actor = self.end_transaction(request.transaction_id)?;
        self.keep(Member::new(actor, group))
    }

    pub fn external_join(
        &mut self,
        request: ExternalJoinRequest,
        clock: &mut Clock,
    ) -> Result<ExternalJoinResponse, Failure> {
        let info = clock.time(|| wire::message(&request.group_info))?;
        let suite = wire::suite_of(&info)?;
        let actor = self.actor(&request.identity, suite)?;
        actor.rules.encrypt_handshake(request.encrypt_handshake);
        let mut builder = actor.client.external_commit_builder()?.commit_time(MlsTime::now());
        for psk in &request.psks {
            let id = ExternalPskId::new(psk.psk_id.to_vec());
            actor.client.secret_store().insert(id.clone(), PreSharedKey::new(psk.psk_secret.to_vec()));
            builder = builder.with_external_psk(id);
        }
        let (group, commit) = clock.time(|| {
            let tree = wire::external_tree(&request.ratchet_tree)?;
            if request.remove_prior {
                builder = builder.with_removal(prior_leaf(&info, tree.as_ref(), &request.identity)?);
            }
            if let Some(tree) = tree {
                builder = builder.with_tree_data(tree);
            }
            let (group, commit) = builder.build(info)?;
            Ok::<_, Failure>((group, commit.to_bytes()?))
        })?;
        let StateResponse { state_id, epoch_authenticator } = self.keep(Member::new(actor, group))?;
        Ok(ExternalJoinResponse { state_id, commit: commit.into(), epoch_authenticator })
    }

    /// A client of its own, under the name's signature key.
    pub(super) fn actor(&mut self, identity: &[u8], suite: CipherSuite) -> Result<Actor, Failure> {
        provider(suite)?;
        Ok(Actor::new(self.signers.signer(identity, suite)?, suite))
    }

    /// Keeps a client that waits for its Welcome, and tells the private keys of its KeyPackage.
    pub(super) fn begin_transaction(&mut self, actor: Actor) -> Result<(u32, PrivateKeys), Failure> {
        // A client has only one KeyPackage here.
        let (_, stored) = actor
            .client
            .key_package_store()
            .key_packages()
            .pop()
            .ok_or_else(|| Failure::internal("the KeyPackage was not stored"))?;
        let keys = PrivateKeys {
            init: stored.init_key.to_vec().into(),
            encryption: stored.leaf_node_key.to_vec().into(),
            signature: actor.signer.private_key().into(),
        };
        let transaction_id = self.new_id();
        self.transactions.insert(transaction_id, actor);
        Ok((transaction_id, keys))
    }

    pub(super) fn transaction(&self, transaction_id: u32) -> Result<&Actor, Failure> {
        self.transactions.get(&transaction_id).ok_or_else(|| Failure::not_found("transaction", transaction_id))
    }

    pub(super) fn end_transaction(&mut self, transaction_id: u32) -> Result<Actor, Failure> {
        self.transactions.remove(&transaction_id).ok_or_else(|| Failure::not_found("transaction", transaction_id))
    }
}

/// Of a KeyPackage: the one to its init_key, the one to its leaf's encryption_key, and the one that signed it.
pub(super) struct PrivateKeys {
    pub init: Bytes,
    pub encryption: Bytes,
    pub signature: Bytes,
}

/// The leaf of a former self, by its name.
fn prior_leaf(info: &MlsMessage, tree: Option<&ExportedTree>, identity: &[u8]) -> Result<u32, Failure> {
    let inside = match (tree, info.as_group_info()) {
        (None, Some(info)) => info.extensions().get_as::<RatchetTreeExt>()?,
        _ => None,
    };
    let tree = tree.or(inside.as_ref().map(RatchetTreeExt::tree_data));
    let tree = tree.ok_or_else(|| Failure::invalid("remove_prior without a ratchet tree"))?;
    let prior = tree.roster().members_iter().find(|member| {
        member.signing_identity.credential.as_basic().is_some_and(|basic| basic.identifier() == identity)
    });
    prior.map(|member| member.index).ok_or_else(|| Failure::invalid("remove_prior, but no member has this identity"))
}
