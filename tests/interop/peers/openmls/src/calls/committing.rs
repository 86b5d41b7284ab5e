//! Commits: making them, following them, and what becomes of one's own.

use openmls::group::GroupContext;
use openmls::prelude::{
    Extensions, KeyPackage, LeafNodeIndex, MlsMessageOut, OpenMlsProvider as _, ProcessedMessageContent, ProposalType,
    ProtocolVersion,
};
use openmls::schedule::PreSharedKeyId;
use serde_json::{json, Value};
use tls_codec::Serialize as _;

use super::proposing::resumption_psk;
use crate::answers::{refused, Failure, Outcome};
use crate::clock::Clock;
use crate::fields::Bytes;
use crate::member::Member;
use crate::messages::{self, encode, protocol_message};
use crate::peer::Peer;
use crate::requests::{Commit, HandleCommit, OfState, ProposalDescription};
use crate::unoffered;

impl Peer {
    pub fn commit(&mut self, request: Commit, clock: &mut Clock) -> Outcome<Value> {
        let member = self.member(request.state_id)?;
        if member.group.pending_commit().is_some() {
            return Err(Failure::not_now("a Commit is pending already"));
        }
        let made =
            clock.time(|| member.with_proposals(&request.by_reference, |member| make_commit(member, &request)))?;
        Ok(json!({
            "commit": Bytes(made.commit),
            "welcome": Bytes(made.welcome),
            "ratchet_tree": Bytes(made.ratchet_tree),
        }))
    }

    pub fn handle_commit(&mut self, request: HandleCommit, clock: &mut Clock) -> Outcome<Value> {
        let member = self.member(request.state_id)?;
        clock.time(|| member.with_proposals(&request.proposal, |member| follow(member, &request.commit)))?;
        Ok(entered(request.state_id, member))
    }

    pub fn handle_pending_commit(&mut self, request: OfState, clock: &mut Clock) -> Outcome<Value> {
        let member = self.member(request.state_id)?;
        clock.time(|| member.enter_pending())?;
        Ok(entered(request.state_id, member))
    }

    pub fn discard_pending_commit(&mut self, request: OfState, clock: &mut Clock) -> Outcome<Value> {
        let member = self.member(request.state_id)?;
        clock.time(|| member.discard_pending())?;
        Ok(json!({}))
    }
}

struct Made {
    commit: Vec<u8>,
    welcome: Vec<u8>,
    ratchet_tree: Vec<u8>,
}

fn make_commit(member: &mut Member, request: &Commit) -> Outcome<Made> {
    // OpenMLS would leave it out, and say nothing.
    if member.group.pending_proposals().any(|queued| queued.proposal().proposal_type() == ProposalType::Reinit) {
        return Err(unoffered::call("ReInitCommit"));
    }
    let by_value = read_proposals(member, &request.by_value)?;
    let Member { group, client, .. } = member;
    let (provider, signer) = (&client.provider, &client.signer);
    // OpenMLS hashes the PSKs of its builder before those of its queue (commit_builder.rs:490), but lists them after
    // those (commit_builder.rs:728): with both in one Commit nobody can follow it. In the queue they stay in order.
    for psk in by_value.psks {
        group.propose_pre_shared_key_by_value(provider, signer, psk).map_err(refused)?;
    }
    let mut builder = group.commit_builder().force_self_update(request.force_path);
    builder = builder.propose_adds(by_value.adds).propose_removals(by_value.removals);
    for extensions in by_value.extensions {
        builder = builder.propose_group_context_extensions(extensions).map_err(refused)?;
    }
    let bundle = builder
        .load_psks(provider.storage())
        .map_err(refused)?
        .use_ratchet_tree_extension(!request.external_tree)
        // The Welcome has its own; one to publish was not asked for.
        .create_group_info(false)
        .build(provider.rand(), provider.crypto(), signer, |_| true)
        .map_err(refused)?
        .stage_commit(provider)
        .map_err(refused)?;
    let (commit, welcome, _) = bundle.into_contents();
    let welcome = welcome.map(|welcome| encode(&MlsMessageOut::from_welcome(welcome, ProtocolVersion::Mls10)));
    let ratchet_tree = request.external_tree.then(|| tree_to_come(member)).transpose()?;
    Ok(Made {
        commit: encode(&commit)?,
        welcome: welcome.transpose()?.unwrap_or_default(),
        ratchet_tree: ratchet_tree.unwrap_or_default(),
    })
}

/// The tree as the pending Commit makes it.
fn tree_to_come(member: &Member) -> Outcome<Vec<u8>> {
    let group = &member.group;
    let pending = group.pending_commit().ok_or_else(|| Failure::internal("the Commit is not pending"))?;
    let tree = pending.export_ratchet_tree(member.client.provider.crypto(), group.export_ratchet_tree());
    let tree = tree.map_err(refused)?.ok_or_else(|| Failure::internal("the Commit has no tree"))?;
    tree.tls_serialize_detached().map_err(refused)
}

/// Proposals by value, by type, as OpenMLS takes them.
#[derive(Default)]
struct ByValue {
    adds: Vec<KeyPackage>,
    removals: Vec<LeafNodeIndex>,
    psks: Vec<PreSharedKeyId>,
    extensions: Vec<Extensions<GroupContext>>,
}

fn read_proposals(member: &Member, descriptions: &[ProposalDescription]) -> Outcome<ByValue> {
    let Member { group, client, .. } = member;
    let mut read = ByValue::default();
    for description in descriptions {
        match &*description.proposal_type {
            b"add" => read.adds.push(messages::key_package(&client.provider, &description.key_package)?),
            b"remove" => read.removals.push(member.leaf_of(&description.removed_id)?),
            b"externalPSK" => read.psks.push(client.external_psk(&description.psk_id)?),
            b"resumptionPSK" => read.psks.push(resumption_psk(group, client, description.epoch_id.0)?),
            b"groupContextExtensions" => read.extensions.push(messages::group_extensions(&description.extensions)?),
            other => {
                let name = String::from_utf8_lossy(other);
                return Err(Failure::bad_request(format!("there is no proposal {name:?} to commit by value")));
            }
        }
    }
    Ok(read)
}

fn follow(member: &mut Member, commit: &[u8]) -> Outcome<()> {
    let Member { group, client, .. } = &mut *member;
    let processed = group.process_message(&client.provider, protocol_message(commit)?).map_err(refused)?;
    match processed.into_content() {
        ProcessedMessageContent::StagedCommitMessage(staged) => member.enter(*staged),
        ProcessedMessageContent::OwnPendingCommit => member.enter_pending(),
        ProcessedMessageContent::OwnPrivateMessage => Err(Failure::not_now(
            "the Commit is this member's own, and encrypted (OwnPrivateMessage): HandlePendingCommit is for it",
        )),
        _ => Err(Failure::bad_request("the message is not a Commit")),
    }
}

fn entered(state_id: u32, member: &Member) -> Value {
    json!({"state_id": state_id, "epoch_authenticator": member.epoch_authenticator()})
}
