// Proposals, as the library has them, from what requests say.
import { bytesToBase64 } from "ts-mls"
import { invalid } from "./errors.mjs"
import { decodeKeyPackage, readExtensions } from "./messages.mjs"
import { suiteName } from "./suites.mjs"

export const add = (keyPackage) => ({ proposalType: "add", add: { keyPackage: decodeKeyPackage(keyPackage) } })

export const remove = (identity, tree) => ({ proposalType: "remove", remove: { removed: leafOf(identity, tree) } })

export const externalPsk = (pskId, cs) => psk({ psktype: "external", pskId }, cs)

export const resumptionPsk = (pskEpoch, pskGroupId, cs) =>
  psk({ psktype: "resumption", usage: "application", pskGroupId, pskEpoch }, cs)

export const groupContextExtensions = (extensions) => ({
  proposalType: "group_context_extensions",
  groupContextExtensions: { extensions },
})

export const reinit = (groupId, suite, extensions) => ({
  proposalType: "reinit",
  reinit: { groupId, version: "mls10", cipherSuite: suiteName(suite), extensions: readExtensions(extensions) },
})

// Returns the proposal of a ProposalDescription, for a group with this context and ratchet tree.
export function described(description, groupContext, tree, cs) {
  const type = Buffer.from(description.proposal_type).toString("latin1")
  switch (type) {
    case "add":
      return add(description.key_package)
    case "remove":
      return remove(description.removed_id, tree)
    case "externalPSK":
      return externalPsk(description.psk_id, cs)
    case "resumptionPSK":
      return resumptionPsk(description.epoch_id, groupContext.groupId, cs)
    case "groupContextExtensions":
      return groupContextExtensions(readExtensions(description.extensions))
    case "reinit":
      return reinit(description.group_id, description.cipher_suite, description.extensions)
    default:
      throw invalid(`there is no proposal type ${JSON.stringify(type)}`)
  }
}

// Returns the index of the first leaf with a basic credential of this identity, or undefined.
export function findLeaf(identity, tree) {
  const wanted = bytesToBase64(identity)
  const matches = ({ credentialType, identity: found }) => credentialType === "basic" && bytesToBase64(found) === wanted
  const node = tree.findIndex((found) => found?.nodeType === "leaf" && matches(found.leaf.credential))
  return node < 0 ? undefined : node / 2 // leaves are the nodes with even indices (RFC 9420, appendix C)
}

function leafOf(identity, tree) {
  const leaf = findLeaf(identity, tree)
  if (leaf === undefined) throw invalid(`nobody in the group is ${JSON.stringify(Buffer.from(identity).toString())}`)
  return leaf
}

function psk(id, cs) {
  const preSharedKeyId = { ...id, pskNonce: cs.rng.randomBytes(cs.kdf.size) }
  return { proposalType: "psk", psk: { preSharedKeyId } }
}
