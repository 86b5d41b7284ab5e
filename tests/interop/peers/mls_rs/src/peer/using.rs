//! Using a group.

use super::{wire, Peer};
use crate::clock::Clock;
use crate::encoding::Bytes;
use crate::failure::Failure;
use crate::messages::{
    EmptyResponse, ExportRequest, ExportResponse, GroupInfoRequest, GroupInfoResponse, ProtectRequest, ProtectResponse,
    StateAuthRequest, StateAuthResponse, StorePSKRequest, UnprotectRequest, UnprotectResponse,
};
use mls_rs::group::ReceivedMessage;
use mls_rs::psk::{ExternalPskId, PreSharedKey};
use mls_rs::time::MlsTime;

impl Peer {
    pub fn group_info(&mut self, request: GroupInfoRequest, clock: &mut Clock) -> Result<GroupInfoResponse, Failure> {
        let group = &self.member(request.state_id)?.group;
        let external_tree = request.external_tree;
        let (group_info, ratchet_tree) = clock.time(|| {
            let info = group.group_info_message_allowing_ext_commit(!external_tree)?.to_bytes()?;
            let tree = if external_tree { group.export_tree().to_bytes()? } else { Vec::new() };
            Ok::<_, Failure>((info, tree))
        })?;
        Ok(GroupInfoResponse { group_info: group_info.into(), ratchet_tree: ratchet_tree.into() })
    }

    pub fn state_auth(&mut self, request: StateAuthRequest, clock: &mut Clock) -> Result<StateAuthResponse, Failure> {
        let member = self.member(request.state_id)?;
        let state_auth_secret = clock.time(|| member.epoch_authenticator())?;
        Ok(StateAuthResponse { state_auth_secret })
    }

    pub fn export(&mut self, request: ExportRequest, clock: &mut Clock) -> Result<ExportResponse, Failure> {
        let group = &self.member(request.state_id)?.group;
        // The length that ExpandWithLabel puts into its input is a uint16 (RFC 9420, section 8).
        let length = u16::try_from(request.key_length).map_err(|_| Failure::invalid("key_length is not a uint16"))?;
        let secret = clock.time(|| group.export_secret(request.label.as_bytes(), &request.context, length.into()))?;
        Ok(ExportResponse { exported_secret: secret.as_bytes().to_vec().into() })
    }

    pub fn protect(&mut self, request: ProtectRequest, clock: &mut Clock) -> Result<ProtectResponse, Failure> {
        let group = &mut self.member(request.state_id)?.group;
        let ciphertext = clock
            .time(|| group.encrypt_application_message(&request.plaintext, request.authenticated_data.0)?.to_bytes())?;
        Ok(ProtectResponse { ciphertext: ciphertext.into() })
    }

    pub fn unprotect(&mut self, request: UnprotectRequest, clock: &mut Clock) -> Result<UnprotectResponse, Failure> {
        let group = &mut self.member(request.state_id)?.group;
        let received = clock.time(|| {
            let message = wire::message(&request.ciphertext)?;
            if message.wire_format() != mls_rs::WireFormat::PrivateMessage {
                return Err(Failure::refused("not a PrivateMessage"));
            }
            Ok(group.process_incoming_message_with_time(message, MlsTime::now())?)
        })?;
        match received {
            ReceivedMessage::ApplicationMessage(message) => Ok(UnprotectResponse {
                plaintext: message.data().to_vec().into(),
                authenticated_data: message.authenticated_data.into(),
            }),
            _ => Err(Failure::refused("not an application message")),
        }
    }

    pub fn store_psk(&mut self, request: StorePSKRequest, _: &mut Clock) -> Result<EmptyResponse, Failure> {
        let StorePSKRequest { state_or_transaction_id: id, psk_id: Bytes(psk_id), psk_secret: Bytes(psk) } = request;
        let actor = match self.members.get(&id) {
            Some(member) => &member.actor,
            None => self.transactions.get(&id).ok_or_else(|| Failure::not_found("state or transaction", id))?,
        };
        actor.client.secret_store().insert(ExternalPskId::new(psk_id), PreSharedKey::new(psk));
        Ok(EmptyResponse {})
    }
}
