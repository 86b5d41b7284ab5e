//! Becoming a member: of a new group, by a Welcome, by an external Commit.

use openmls::prelude::{
    Ciphersuite, GroupId, KeyPackageBundle, LeafNodeParameters, MlsGroup, MlsMessageOut, OpenMlsProvider as _,
    PreSharedKeyProposal, StagedWelcome,
};
use serde_json::{json, Value};

use crate::answers::{refused, Failure, Outcome};
use crate::client::Client;
use crate::clock::Clock;
use crate::fields::Bytes;
use crate::member::Member;
use crate::messages::{self, basic, encode};
use crate::peer::Peer;
use crate::requests::{CreateGroup, CreateKeyPackage, ExternalJoin, JoinGroup};
use crate::{settings, unoffered};

impl Peer {
    pub fn create_group(&mut self, request: CreateGroup, clock: &mut Clock) -> Outcome<Value> {
        let suite = settings::suite(request.cipher_suite)?;
        let config = settings::to_create(suite, request.encrypt_handshake);
        let member = clock.time(|| {
            let client = Client::new(suite, &request.identity)?;
            let (id, credential) = (GroupId::from_slice(&request.group_id), client.credential());
            MlsGroup::new_with_group_id(&client.provider, &client.signer, &config, id, credential)
                .map(|group| Member::new(client, group))
                .map_err(refused)
        })?;
        Ok(json!({"state_id": self.keep_member(member)}))
    }

    pub fn create_key_package(&mut self, request: CreateKeyPackage, clock: &mut Clock) -> Outcome<Value> {
        let suite = settings::suite(request.cipher_suite)?;
        let (client, bundle, message) = clock.time(|| {
            let client = Client::new(suite, &request.identity)?;
            let bundle = client.key_package()?;
            let message = encode(&MlsMessageOut::from(bundle.key_package().clone()))?;
            Outcome::Ok((client, bundle, message))
        })?;
        let mut answer = self.keep_with_keys(client, &bundle)?;
        answer["key_package"] = json!(Bytes(message));
        Ok(answer)
    }

    /// Keep a client that has a KeyPackage out; the answer says under which number, and with which private keys.
    pub fn keep_with_keys(&mut self, client: Client, bundle: &KeyPackageBundle) -> Outcome<Value> {
        let keys = client.private_keys(bundle)?;
        Ok(json!({
            "transaction_id": self.keep_joiner(client),
            "init_priv": Bytes(keys.init),
            "encryption_priv": Bytes(keys.encryption),
            "signature_priv": Bytes(keys.signature),
        }))
    }

    pub fn join_group(&mut self, request: JoinGroup, clock: &mut Clock) -> Outcome<Value> {
        let waiting = self.joiner(request.transaction_id)?;
        if !request.identity.is_empty() && *request.identity != waiting.identity {
            return Err(Failure::bad_request("the transaction's KeyPackage is of another identity"));
        }
        // OpenMLS deletes the KeyPackage's keys before it knows whether the Welcome is any good.
        let client = waiting.fork();
        let config = settings::to_join(request.encrypt_handshake);
        let group = clock.time(|| {
            let welcome = messages::welcome(&request.welcome)?;
            let mut joining = StagedWelcome::build_from_welcome(&client.provider, &config, welcome).map_err(refused)?;
            if let Some(tree) = messages::ratchet_tree(&request.ratchet_tree)? {
                joining = joining.with_ratchet_tree(tree);
            }
            joining.build().map_err(refused)?.into_group(&client.provider).map_err(refused)
        })?;
        self.drop_joiner(request.transaction_id);
        Ok(self.joined(Member::new(client, group)))
    }

    pub fn external_join(&mut self, request: ExternalJoin, clock: &mut Clock) -> Outcome<Value> {
        let suite = messages::group_info(&request.group_info)?.ciphersuite();
        let suite = settings::suite(u16::from(suite).into())?;
        let client = if request.remove_prior {
            self.returning(suite, &request)?
        } else {
            Client::new(suite, &request.identity)?
        };
        for psk in &request.psks {
            client.store_psk(&psk.psk_id, &psk.psk_secret)?;
        }
        let (member, commit) = clock.time(|| join_by_commit(client, &request))?;
        let mut answer = self.joined(member);
        answer["commit"] = json!(Bytes(commit));
        Ok(answer)
    }

    /// The client that has been in the group before, with its old signature key: OpenMLS knows it by nothing else.
    fn returning(&self, suite: Ciphersuite, request: &ExternalJoin) -> Outcome<Client> {
        let group = crate::outsider::look_into(&request.group_info, &request.ratchet_tree)?;
        let mine = basic(&request.identity);
        let prior = group.members().find(|member| member.credential == mine);
        let prior = prior.ok_or_else(|| Failure::not_now("no member has this identity"))?;
        let mut held = self.members().map(|member| &member.client.signer);
        let signer = held.find(|signer| signer.public() == prior.signature_key);
        let signer = signer.ok_or_else(unoffered::removing_prior)?.clone();
        Ok(Client::with_signer(suite, &request.identity, signer))
    }

    fn joined(&mut self, member: Member) -> Value {
        let epoch_authenticator = member.epoch_authenticator();
        json!({"state_id": self.keep_member(member), "epoch_authenticator": epoch_authenticator})
    }
}

fn join_by_commit(client: Client, request: &ExternalJoin) -> Outcome<(Member, Vec<u8>)> {
    let Client { provider, signer, .. } = &client;
    let psks = request.psks.iter().map(|psk| client.external_psk(&psk.psk_id).map(PreSharedKeyProposal::new));
    let psks = psks.collect::<Outcome<Vec<_>>>()?;
    let leaf = LeafNodeParameters::builder().with_capabilities(settings::capabilities()).build();
    let mut joining = MlsGroup::external_commit_builder().with_config(settings::to_join(request.encrypt_handshake));
    if let Some(tree) = messages::ratchet_tree(&request.ratchet_tree)? {
        joining = joining.with_ratchet_tree(tree);
    }
    let group_info = messages::group_info(&request.group_info)?;
    let (group, bundle) = joining
        .build_group(provider, group_info, client.credential())
        .map_err(refused)?
        .leaf_node_parameters(leaf)
        .add_psk_proposals(psks)
        .load_psks(provider.storage())
        .map_err(refused)?
        .create_group_info(false)
        .build(provider.rand(), provider.crypto(), signer, |_| true)
        .map_err(refused)?
        .finalize(provider)
        .map_err(refused)?;
    let commit = encode(bundle.commit())?;
    Ok((Member::new(client, group), commit))
}
