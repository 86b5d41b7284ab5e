//! Using a group: what it shows of itself, application messages, and the PSKs that its members share.

use openmls::prelude::{ContentType, OpenMlsProvider as _, ProcessedMessageContent};
use serde_json::{json, Value};
use tls_codec::Serialize as _;

use crate::answers::{refused, Failure, Outcome};
use crate::clock::Clock;
use crate::fields::Bytes;
use crate::messages::{encode, protocol_message};
use crate::peer::Peer;
use crate::requests::{Export, GroupInfo, OfState, Protect, StorePsk, Unprotect};

impl Peer {
    pub fn group_info(&mut self, request: GroupInfo, clock: &mut Clock) -> Outcome<Value> {
        let member = self.member(request.state_id)?;
        let (group, client) = (&member.group, &member.client);
        let (group_info, ratchet_tree) = clock.time(|| {
            let crypto = client.provider.crypto();
            let group_info = group.export_group_info(crypto, &client.signer, !request.external_tree);
            let group_info = encode(&group_info.map_err(refused)?)?;
            let tree = request.external_tree.then(|| group.export_ratchet_tree().tls_serialize_detached());
            Outcome::Ok((group_info, tree.transpose().map_err(refused)?))
        })?;
        Ok(json!({
            "group_info": Bytes(group_info),
            "ratchet_tree": Bytes(ratchet_tree.unwrap_or_default()),
        }))
    }

    pub fn state_auth(&mut self, request: OfState) -> Outcome<Value> {
        Ok(json!({"state_auth_secret": self.member(request.state_id)?.epoch_authenticator()}))
    }

    pub fn export(&mut self, request: Export, clock: &mut Clock) -> Outcome<Value> {
        let member = self.member(request.state_id)?;
        let length = request.key_length as usize;
        let crypto = member.client.provider.crypto();
        let secret = clock
            .time(|| member.group.export_secret(crypto, &request.label, &request.context, length))
            .map_err(refused)?;
        Ok(json!({"exported_secret": Bytes(secret)}))
    }

    pub fn protect(&mut self, request: Protect, clock: &mut Clock) -> Outcome<Value> {
        let member = self.member(request.state_id)?;
        let (group, client) = (&mut member.group, &member.client);
        let ciphertext = clock.time(|| {
            group.set_aad(request.authenticated_data.0);
            let message = group.create_message(&client.provider, &client.signer, &request.plaintext);
            encode(&message.map_err(refused)?)
        })?;
        Ok(json!({"ciphertext": Bytes(ciphertext)}))
    }

    pub fn unprotect(&mut self, request: Unprotect, clock: &mut Clock) -> Outcome<Value> {
        let member = self.member(request.state_id)?;
        let (group, client) = (&mut member.group, &member.client);
        let processed = clock.time(|| {
            let message = protocol_message(&request.ciphertext)?;
            // A handshake message must not spend its key here: its place is HandleCommit.
            if message.content_type() != ContentType::Application {
                return Err(Failure::bad_request("the message is not an application message"));
            }
            group.process_message(&client.provider, message).map_err(refused)
        })?;
        let authenticated_data = Bytes(processed.aad().to_vec());
        match processed.into_content() {
            ProcessedMessageContent::ApplicationMessage(message) => Ok(json!({
                "authenticated_data": authenticated_data,
                "plaintext": Bytes(message.into_bytes()),
            })),
            ProcessedMessageContent::OwnPrivateMessage => {
                Err(Failure::not_now("the message is this member's own (OwnPrivateMessage)"))
            }
            other => Err(Failure::not_now(format!("not an application message: {other:?}"))),
        }
    }

    pub fn store_psk(&mut self, request: StorePsk, clock: &mut Clock) -> Outcome<Value> {
        let client = self.client(request.state_or_transaction_id)?;
        clock.time(|| client.store_psk(&request.psk_id, &request.psk_secret))?;
        Ok(json!({}))
    }
}
