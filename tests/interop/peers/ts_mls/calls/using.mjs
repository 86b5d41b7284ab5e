// Using a group.
import {
  bytesToBase64,
  createApplicationMessage,
  createGroupInfoWithExternalPub,
  createGroupInfoWithExternalPubAndRatchetTree,
  mlsExporter,
} from "ts-mls"
import { invalid } from "../errors.mjs"
import { encodeGroupInfo, encodePrivateMessage, encodeTreeIf } from "../messages.mjs"
import { find, forget } from "../registry.mjs"

export async function GroupInfo({ state_id, external_tree }) {
  const { state, cs } = find(state_id, "state")
  const create = external_tree ? createGroupInfoWithExternalPub : createGroupInfoWithExternalPubAndRatchetTree
  return {
    group_info: encodeGroupInfo(await create(state, [], cs)),
    ratchet_tree: encodeTreeIf(external_tree, state.ratchetTree),
  }
}

export async function StateAuth({ state_id }) {
  return { state_auth_secret: find(state_id, "state").epochAuthenticator }
}

export async function Export({ state_id, label, context, key_length }) {
  const { state, cs } = find(state_id, "state")
  if (key_length > 0xffff) throw invalid("key_length is not a uint16, as KDFLabel has it (RFC 9420, section 8)")
  return { exported_secret: await mlsExporter(state.keySchedule.exporterSecret, label, context, key_length, cs) }
}

export async function Protect({ state_id, authenticated_data, plaintext }) {
  const member = find(state_id, "state")
  const result = await createApplicationMessage(member.state, plaintext, member.cs, authenticated_data)
  member.state = result.newState
  return { ciphertext: encodePrivateMessage(result.privateMessage) }
}

export async function Unprotect({ state_id, ciphertext }) {
  return find(state_id, "state").open(ciphertext)
}

export async function StorePSK({ state_or_transaction_id, psk_id, psk_secret }) {
  find(state_or_transaction_id, "state", "transaction").psks.set(bytesToBase64(psk_id), psk_secret)
  return {}
}

export async function Free({ state_id }) {
  forget(state_id, "state")
  return {}
}
