// Groups that come after a group: by ReInit (RFC 9420, section 11.2) and by branching (section 11.3).
//
// The library's own reinitCreateNewGroup and branchGroup put the ratchet tree into no Welcome, and branchGroup takes no
// extensions (ts-mls resumption.js:27 and 62). So new groups are made of the parts that these two are made of.
import { createGroup, joinGroupFromBranch, joinGroupFromReinit, makePskIndex } from "ts-mls"
import { makeResumptionPsk } from "ts-mls/resumption.js"
import { refused } from "../errors.mjs"
import { clientConfig, Member } from "../member.mjs"
import {
  decodeTree,
  decodeWelcome,
  encodeKeyPackage,
  encodeTreeIf,
  encodeWelcome,
  readExtensions,
} from "../messages.mjs"
import { add } from "../proposals.mjs"
import { find, forget, keep } from "../registry.mjs"
import { keyPackage, suite } from "../suites.mjs"
import { Commit, committed, pending } from "./commits.mjs"
import { entered } from "./joining.mjs"

export const ReInitCommit = Commit

export async function HandlePendingReInitCommit({ state_id }) {
  const member = find(state_id, "state")
  return suspended(member, pending(member))
}

export async function HandleReInitCommit({ state_id, proposal, commit }) {
  const member = find(state_id, "state")
  return suspended(member, await member.stateAfter(commit, proposal))
}

export async function ReInitWelcome({ reinit_id, key_package, force_path, external_tree }) {
  const { member, cs, bundle } = find(reinit_id, "reinit")
  const { groupId, extensions } = member.state.groupActiveState.reinit
  const response = await newGroup(member, { usage: "reinit", cs, bundle, groupId, extensions }, key_package, {
    forcePath: force_path,
    externalTree: external_tree,
  })
  forget(reinit_id, "reinit")
  return response
}

export async function HandleReInitWelcome({ reinit_id, welcome, ratchet_tree }) {
  const { member, cs, bundle } = find(reinit_id, "reinit")
  const state = await joinGroupFromReinit(
    member.state,
    decodeWelcome(welcome),
    bundle.publicPackage,
    bundle.privatePackage,
    decodeTree(ratchet_tree),
  )
  forget(reinit_id, "reinit")
  return entered(new Member(state, cs, member.settings))
}

export async function CreateBranch({ state_id, group_id, extensions, key_packages, force_path, external_tree }) {
  const member = find(state_id, "state")
  const { cs } = member
  const group = {
    usage: "branch",
    cs,
    bundle: await keyPackage(cs, member.identity),
    groupId: group_id,
    extensions: readExtensions(extensions),
  }
  return newGroup(member, group, key_packages, { forcePath: force_path, externalTree: external_tree })
}

export async function HandleBranch({ state_id, transaction_id, welcome, ratchet_tree }) {
  const member = find(state_id, "state")
  const { publicPackage, privatePackage, cs } = find(transaction_id, "transaction")
  const state = await joinGroupFromBranch(
    member.state,
    decodeWelcome(welcome),
    publicPackage,
    privatePackage,
    decodeTree(ratchet_tree),
    cs,
  )
  forget(transaction_id, "transaction")
  return entered(new Member(state, cs, member.settings))
}

// The group is at its end: makes what this member needs for the next one.
async function suspended(member, state) {
  if (state.groupActiveState.kind !== "suspendedPendingReinit") throw refused("the Commit does not reinitialize")
  const cs = await suite(state.groupActiveState.reinit.cipherSuite)
  const bundle = await keyPackage(cs, member.identity)
  member.enter(state)
  return {
    reinit_id: keep("reinit", { member, cs, bundle }),
    key_package: encodeKeyPackage(bundle.publicPackage),
    epoch_authenticator: member.epochAuthenticator,
  }
}

// Makes a group with all of `keyPackages` that goes on from the member's group.
async function newGroup(member, { usage, cs, bundle, groupId, extensions }, keyPackages, { forcePath, externalTree }) {
  const { publicPackage, privatePackage } = bundle
  const state = await createGroup(groupId, publicPackage, privatePackage, extensions, cs, clientConfig)
  const psk = { proposalType: "psk", psk: { preSharedKeyId: makeResumptionPsk(member.state, usage, cs).id } }
  const { wireAsPublicMessage } = member
  const { welcome, newState } = await committed(state, makePskIndex(member.state, {}), { cs, wireAsPublicMessage }, {
    extraProposals: [...keyPackages.map(add), psk],
    forcePath,
    externalTree,
  })
  return {
    ...entered(new Member(newState, cs, member.settings)),
    welcome: encodeWelcome(welcome),
    ratchet_tree: encodeTreeIf(externalTree, newState.ratchetTree),
  }
}
