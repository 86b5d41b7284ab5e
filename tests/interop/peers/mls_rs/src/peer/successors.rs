//! Groups that come out of a group: reinitialized, and branched (RFC 9420, section 11).

use super::{wire, Member, Peer, Reinit};
use crate::clock::Clock;
use crate::config::{Actor, Config};
use crate::encoding::Bytes;
use crate::failure::Failure;
use crate::messages::{
    CreateBranchRequest, CreateSubgroupResponse, HandleBranchRequest, HandleCommitRequest, HandlePendingCommitRequest,
    HandleReInitCommitResponse, HandleReInitWelcomeRequest, ReInitWelcomeRequest, StateResponse,
};
use crate::rules::CommitChoices;
use mls_rs::error::MlsError;
use mls_rs::group::{CommitEffect, CommitMessageDescription};
use mls_rs::time::MlsTime;
use mls_rs::{ExtensionList, Group, MlsMessage};

impl Peer {
    pub fn handle_pending_reinit_commit(
        &mut self,
        request: HandlePendingCommitRequest,
        clock: &mut Clock,
    ) -> Result<HandleReInitCommitResponse, Failure> {
        let member = self.member(request.state_id)?;
        let description = clock.time(|| member.apply_pending_commit())?;
        self.prepare_reinit(request.state_id, description, clock)
    }

    pub fn handle_reinit_commit(
        &mut self,
        request: HandleCommitRequest,
        clock: &mut Clock,
    ) -> Result<HandleReInitCommitResponse, Failure> {
        let member = self.member(request.state_id)?;
        let description = clock.time(|| member.follow(&request))?;
        self.prepare_reinit(request.state_id, description, clock)
    }

    pub fn reinit_welcome(
        &mut self,
        request: ReInitWelcomeRequest,
        clock: &mut Clock,
    ) -> Result<CreateSubgroupResponse, Failure> {
        self.reinit(request.reinit_id)?;
        let key_packages = clock.time(|| messages(&request.key_package))?;
        let Reinit { actor, client } = self.end_reinit(request.reinit_id)?;
        let create = || client.commit(key_packages, ExtensionList::new(), Some(MlsTime::now()));
        self.create_subgroup(actor, request.force_path, request.external_tree, clock, create)
    }

    pub fn handle_reinit_welcome(
        &mut self,
        request: HandleReInitWelcomeRequest,
        clock: &mut Clock,
    ) -> Result<StateResponse, Failure> {
        self.reinit(request.reinit_id)?;
        let welcome = clock.time(|| wire::message(&request.welcome))?;
        let tree = clock.time(|| wire::external_tree(&request.ratchet_tree))?;
        let Reinit { actor, client } = self.end_reinit(request.reinit_id)?;
        let (group, _) = clock.time(|| client.join(&welcome, tree, Some(MlsTime::now())))?;
        self.keep(Member::new(actor, group))
    }

    pub fn create_branch(
        &mut self,
        request: CreateBranchRequest,
        clock: &mut Clock,
    ) -> Result<CreateSubgroupResponse, Failure> {
        let member = self.member(request.state_id)?;
        if wire::extensions(&request.extensions)? != *member.group.context().extensions() {
            return Err(Failure::unimplemented(
                "Group::branch takes the parent's GroupContext extensions, and no others (mls-rs 0.57.0, \
                 src/group/resumption.rs:53)",
            ));
        }
        let key_packages = clock.time(|| messages(&request.key_packages))?;
        let actor = member.actor.clone();
        let parent = member.group.clone();
        let create = || parent.branch(request.group_id.0, key_packages, Some(MlsTime::now()));
        self.create_subgroup(actor, request.force_path, request.external_tree, clock, create)
    }

    pub fn handle_branch(&mut self, request: HandleBranchRequest, clock: &mut Clock) -> Result<StateResponse, Failure> {
        // mls-rs looks for the KeyPackage's private keys in the store of the member, not in that of a client.
        let key_packages = self.transaction(request.transaction_id)?.client.key_package_store().key_packages();
        let member = self.member(request.state_id)?;
        for (id, key_package) in key_packages {
            member.actor.client.key_package_store().insert(id, key_package);
        }
        let (group, _) = clock.time(|| {
            let welcome = wire::message(&request.welcome)?;
            let tree = wire::external_tree(&request.ratchet_tree)?;
            Ok::<_, Failure>(member.group.join_subgroup(&welcome, tree, Some(MlsTime::now()))?)
        })?;
        let actor = member.actor.clone();
        self.end_transaction(request.transaction_id)?;
        self.keep(Member::new(actor, group))
    }

    /// Makes a member ready for the new group. The old state stays, to be read.
    fn prepare_reinit(
        &mut self,
        state_id: u32,
        description: CommitMessageDescription,
        clock: &mut Clock,
    ) -> Result<HandleReInitCommitResponse, Failure> {
        let CommitEffect::ReInit(reinit) = description.effect else {
            return Err(Failure::refused("the Commit is in effect, but there is no ReInit in it"));
        };
        let member = self.members.get(&state_id).ok_or_else(|| Failure::not_found("state", state_id))?;
        let epoch_authenticator = member.epoch_authenticator()?;
        let signer = self.signers.signer(&member.actor.signer.name, reinit.proposal.new_cipher_suite())?;
        let actor = Actor { signer: signer.clone(), ..member.actor.clone() };
        let group = member.group.clone();
        let (client, key_package) = clock.time(|| {
            let client = group.get_reinit_client(Some(signer.key), Some(signer.identity))?;
            let key_package = client.generate_key_package(Some(MlsTime::now()))?.to_bytes()?;
            Ok::<_, Failure>((client, key_package))
        })?;
        let reinit_id = self.new_id();
        self.reinits.insert(reinit_id, Reinit { actor, client });
        Ok(HandleReInitCommitResponse { reinit_id, key_package: key_package.into(), epoch_authenticator })
    }

    fn reinit(&self, reinit_id: u32) -> Result<&Reinit, Failure> {
        self.reinits.get(&reinit_id).ok_or_else(|| Failure::not_found("reinit", reinit_id))
    }

    /// mls-rs gives a reinitialization one attempt: what fails is over.
    fn end_reinit(&mut self, reinit_id: u32) -> Result<Reinit, Failure> {
        self.reinits.remove(&reinit_id).ok_or_else(|| Failure::not_found("reinit", reinit_id))
    }

    fn create_subgroup(
        &mut self,
        actor: Actor,
        force_path: bool,
        external_tree: bool,
        clock: &mut Clock,
        create: impl FnOnce() -> Result<(Group<Config>, Vec<MlsMessage>), MlsError>,
    ) -> Result<CreateSubgroupResponse, Failure> {
        actor.rules.next_commit(CommitChoices { force_path, external_tree, by_reference: Vec::new() });
        let (group, welcome, ratchet_tree) = clock.time(|| {
            let (group, welcomes) = create()?;
            let welcome = wire::welcome(&welcomes)?;
            let tree = if external_tree { group.export_tree().to_bytes()?.into() } else { Bytes::default() };
            Ok::<_, Failure>((group, welcome, tree))
        })?;
        let StateResponse { state_id, epoch_authenticator } = self.keep(Member::new(actor, group))?;
        Ok(CreateSubgroupResponse { state_id, welcome, ratchet_tree, epoch_authenticator })
    }
}

fn messages(list: &[Bytes]) -> Result<Vec<MlsMessage>, Failure> {
    list.iter().map(|bytes| wire::message(bytes)).collect()
}
