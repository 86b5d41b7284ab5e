// Proposals from outside (RFC 9420, section 12.1.8).
import { decodeExternalSender, encodeExternalSender, proposeAddExternal, proposeExternal } from "ts-mls"
import { ratchetTreeFromExtension } from "ts-mls/groupInfo.js"
import { decodeAll, decodeGroupInfo, decodeTree, encodeMessage } from "../messages.mjs"
import { described, groupContextExtensions } from "../proposals.mjs"
import { find, keep } from "../registry.mjs"
import { keyPackage, signatureKeyPair, suite, suiteName } from "../suites.mjs"
import { Transaction } from "../transaction.mjs"
import { propose } from "./proposing.mjs"

export async function NewMemberAddProposal({ group_info, identity }) {
  const groupInfo = decodeGroupInfo(group_info)
  const cs = await suite(groupInfo.groupContext.cipherSuite)
  const transaction = new Transaction(cs, await keyPackage(cs, identity))
  const { publicPackage, privatePackage } = transaction
  const proposal = encodeMessage(await proposeAddExternal(groupInfo, publicPackage, privatePackage, cs))
  return { transaction_id: keep("transaction", transaction), proposal, ...transaction.privateKeys }
}

export async function CreateExternalSigner({ cipher_suite, identity }) {
  const cs = await suite(suiteName(cipher_suite))
  const { signKey, publicKey } = await signatureKeyPair(cs)
  const credential = { credentialType: "basic", identity }
  return {
    signer_id: keep("signer", { cs, signKey, publicKey }),
    external_sender: encodeExternalSender({ signaturePublicKey: publicKey, credential }),
  }
}

// In the form of the library, in which each extension external_senders has one ExternalSender (externalSender.js:9,
// publicMessage.js:66). RFC 9420 has one extension with a vector of them (section 12.1.8.1).
export async function AddExternalSigner({ state_id, external_sender }) {
  const member = find(state_id, "state")
  decodeAll(decodeExternalSender, external_sender, "ExternalSender")
  const added = { extensionType: "external_senders", extensionData: external_sender }
  return propose(member, groupContextExtensions([...member.state.groupContext.extensions, added]))
}

// The library finds the signer's index by its key.
export async function ExternalSignerProposal({ signer_id, group_info, ratchet_tree, description }) {
  const { cs, signKey, publicKey } = find(signer_id, "signer")
  const groupInfo = decodeGroupInfo(group_info)
  const tree = ratchetTreeFromExtension(groupInfo) ?? decodeTree(ratchet_tree) ?? []
  const proposal = described(description, groupInfo.groupContext, tree, cs)
  return { proposal: encodeMessage(await proposeExternal(groupInfo, proposal, publicKey, signKey, cs)) }
}
