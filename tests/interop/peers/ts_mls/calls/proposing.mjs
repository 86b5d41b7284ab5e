// Proposals by a member.
import { createProposal } from "ts-mls"
import { getOwnLeafNode } from "ts-mls/clientState.js"
import { signWithLabel } from "ts-mls/crypto/signature.js"
import { encodeLeafNodeTBS } from "ts-mls/leafNode.js"
import { unimplemented } from "../errors.mjs"
import { encodeMessage, readExtensions } from "../messages.mjs"
import * as proposals from "../proposals.mjs"
import { find } from "../registry.mjs"

const NO_SELF_REMOVE =
  "ts-mls has no SelfRemove. Its custom proposals cannot stand for one: their content is opaque<V> " +
  "(proposal.js:47), where SelfRemove has none, and Commits pass over them (clientState.js:430)"

export async function AddProposal({ state_id, key_package }) {
  return propose(find(state_id, "state"), proposals.add(key_package))
}

export async function UpdateProposal({ state_id }) {
  const member = find(state_id, "state")
  const { leafNode, privateKey } = await newLeaf(member)
  const proposal = { proposalType: "update", update: { leafNode } }
  const response = await propose(member, proposal)
  member.rememberUpdate(proposal, privateKey)
  return response
}

export async function RemoveProposal({ state_id, removed_id }) {
  const member = find(state_id, "state")
  return propose(member, proposals.remove(removed_id, member.state.ratchetTree))
}

export async function ExternalPSKProposal({ state_id, psk_id }) {
  const member = find(state_id, "state")
  return propose(member, proposals.externalPsk(psk_id, member.cs))
}

export async function ResumptionPSKProposal({ state_id, epoch_id }) {
  const member = find(state_id, "state")
  return propose(member, proposals.resumptionPsk(epoch_id, member.state.groupContext.groupId, member.cs))
}

export async function GroupContextExtensionsProposal({ state_id, extensions }) {
  return propose(find(state_id, "state"), proposals.groupContextExtensions(readExtensions(extensions)))
}

export async function ReInitProposal({ state_id, cipher_suite, group_id, extensions }) {
  return propose(find(state_id, "state"), proposals.reinit(group_id, cipher_suite, extensions))
}

export async function SelfRemoveProposal({ state_id }) {
  find(state_id, "state")
  throw unimplemented(NO_SELF_REMOVE)
}

// Makes the message that carries a proposal. The member will recognise it.
export async function propose(member, proposal) {
  const result = await createProposal(member.state, member.wireAsPublicMessage, proposal, member.cs)
  const data = encodeMessage(result.message)
  member.remember(data, result.newState)
  return { proposal: data }
}

// Makes this member's leaf with a new encryption key. The library has all the parts, but nothing that joins them.
async function newLeaf({ state, cs }) {
  const { signaturePublicKey, credential, capabilities, extensions } = getOwnLeafNode(state)
  const keys = await cs.hpke.generateKeyPair()
  const content = {
    leafNodeSource: "update",
    hpkePublicKey: await cs.hpke.exportPublicKey(keys.publicKey),
    signaturePublicKey,
    credential,
    capabilities,
    extensions,
  }
  const { groupId } = state.groupContext
  const signed = encodeLeafNodeTBS({ ...content, groupId, leafIndex: state.privatePath.leafIndex })
  const signature = await signWithLabel(state.signaturePrivateKey, "LeafNodeTBS", signed, cs.signature)
  return { leafNode: { ...content, signature }, privateKey: await cs.hpke.exportPrivateKey(keys.privateKey) }
}
