// Commits by members.
import { createCommit } from "ts-mls"
import { getOwnLeafNode } from "ts-mls/clientState.js"
import { refused, unimplemented } from "../errors.mjs"
import { encodeMessage, encodeTreeIf, encodeWelcome } from "../messages.mjs"
import { described } from "../proposals.mjs"
import { find } from "../registry.mjs"

const NO_FORCED_PATH =
  "createCommit has no option for a path that is not needed: it makes one for an Update, a Remove, and a Commit " +
  "without proposals (ts-mls clientState.js:460, createCommit.js:41)"

export async function Commit({ state_id, by_reference, by_value, force_path, external_tree }) {
  const member = find(state_id, "state")
  const { groupContext, ratchetTree } = member.state
  const extraProposals = by_value.map((proposal) => described(proposal, groupContext, ratchetTree, member.cs))
  const state = await member.stateWith(by_reference)
  const { commit, welcome, newState } = await committed(state, member.pskIndex(), member, {
    extraProposals,
    forcePath: force_path,
    externalTree: external_tree,
  })
  member.pending = newState
  return {
    commit: encodeMessage(commit),
    welcome: encodeWelcome(welcome),
    ratchet_tree: encodeTreeIf(external_tree, newState.ratchetTree),
  }
}

export async function HandleCommit({ state_id, proposal, commit }) {
  const member = find(state_id, "state")
  member.enter(await member.stateAfter(commit, proposal))
  return nowAt(state_id, member)
}

export async function HandlePendingCommit({ state_id }) {
  const member = find(state_id, "state")
  member.enter(pending(member))
  return nowAt(state_id, member)
}

export async function DiscardPendingCommit({ state_id }) {
  const member = find(state_id, "state")
  pending(member)
  member.pending = undefined
  return {}
}

export function pending(member) {
  if (member.pending === undefined) throw refused("there is no pending Commit")
  return member.pending
}

// Has the library commit all that waits in a state, and `extraProposals`.
export async function committed(state, pskIndex, { cs, wireAsPublicMessage }, options) {
  const { extraProposals, forcePath, externalTree } = options
  const result = await createCommit(
    { state, pskIndex, cipherSuite: cs },
    { wireAsPublicMessage, extraProposals, ratchetTreeExtension: !externalTree },
  )
  // A path brings a new leaf; without one, it is the very same object.
  if (forcePath && getOwnLeafNode(state) === getOwnLeafNode(result.newState)) throw unimplemented(NO_FORCED_PATH)
  return result
}

// Who was removed knows nothing of the new epoch: there is no authenticator to agree on.
function nowAt(state_id, member) {
  const removed = member.state.groupActiveState.kind === "removedFromGroup"
  return { state_id, epoch_authenticator: removed ? new Uint8Array() : member.epochAuthenticator }
}
