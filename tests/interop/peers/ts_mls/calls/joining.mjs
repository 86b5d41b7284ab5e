// Becoming a member.
import { createGroup, joinGroup, joinGroupExternal } from "ts-mls"
import { ratchetTreeFromExtension } from "ts-mls/groupInfo.js"
import { refused, unimplemented } from "../errors.mjs"
import { clientConfig, Member } from "../member.mjs"
import { decodeGroupInfo, decodeTree, decodeWelcome, encodeKeyPackage, encodePublicMessage } from "../messages.mjs"
import { findLeaf } from "../proposals.mjs"
import { find, forget, keep } from "../registry.mjs"
import { keyPackage, suite, suiteName } from "../suites.mjs"
import { Transaction } from "../transaction.mjs"

const NO_PSKS =
  "joinGroupExternal takes no PSKs: it commits an ExternalInit, at most a Remove, and has a psk_secret of zeros " +
  "(ts-mls createCommit.js:235)"

export async function CreateGroup({ group_id, cipher_suite, encrypt_handshake, identity }) {
  const cs = await suite(suiteName(cipher_suite))
  const { publicPackage, privatePackage } = await keyPackage(cs, identity)
  const state = await createGroup(group_id, publicPackage, privatePackage, [], cs, clientConfig)
  return { state_id: keep("state", new Member(state, cs, { wireAsPublicMessage: !encrypt_handshake })) }
}

export async function CreateKeyPackage({ cipher_suite, identity }) {
  const cs = await suite(suiteName(cipher_suite))
  const transaction = new Transaction(cs, await keyPackage(cs, identity))
  return {
    transaction_id: keep("transaction", transaction),
    key_package: encodeKeyPackage(transaction.publicPackage),
    ...transaction.privateKeys,
  }
}

export async function JoinGroup({ transaction_id, welcome, encrypt_handshake, ratchet_tree }) {
  const transaction = find(transaction_id, "transaction")
  const { publicPackage, privatePackage, cs, psks } = transaction
  const state = await joinGroup(
    decodeWelcome(welcome),
    publicPackage,
    privatePackage,
    transaction.pskIndex(),
    cs,
    decodeTree(ratchet_tree),
    undefined,
    clientConfig,
  )
  forget(transaction_id, "transaction")
  return entered(new Member(state, cs, { wireAsPublicMessage: !encrypt_handshake, psks }))
}

export async function ExternalJoin({ group_info, ratchet_tree, encrypt_handshake, identity, remove_prior, psks }) {
  if (psks.length > 0) throw unimplemented(NO_PSKS)
  const groupInfo = decodeGroupInfo(group_info)
  const tree = decodeTree(ratchet_tree)
  if (remove_prior) mustBeThere(identity, ratchetTreeFromExtension(groupInfo) ?? tree ?? [])
  const cs = await suite(groupInfo.groupContext.cipherSuite)
  const { publicPackage, privatePackage } = await keyPackage(cs, identity)
  const { publicMessage, newState } = await joinGroupExternal(
    groupInfo,
    publicPackage,
    privatePackage,
    remove_prior,
    cs,
    tree,
    sameIdentityIsSameClient,
  )
  const member = new Member(newState, cs, { wireAsPublicMessage: !encrypt_handshake })
  return { ...entered(member), commit: encodePublicMessage(publicMessage) }
}

export function entered(member) {
  return { state_id: keep("state", member), epoch_authenticator: member.epochAuthenticator }
}

// By default, the library compares signature keys. One who comes back comes with a new one.
const sameIdentityIsSameClient = {
  ...clientConfig,
  keyPackageEqualityConfig: {
    ...clientConfig.keyPackageEqualityConfig,
    compareKeyPackageToLeafNode: ({ leafNode }, leaf) =>
      Buffer.compare(leafNode.credential.identity, leaf.credential.identity ?? new Uint8Array()) === 0,
  },
}

// The library does not look whether it has found the prior leaf (ts-mls createCommit.js:212).
function mustBeThere(identity, tree) {
  if (findLeaf(identity, tree) === undefined) throw refused("there is no prior leaf to remove")
}
