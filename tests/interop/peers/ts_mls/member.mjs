// One client in one group: the library's state, and what the library leaves to its caller.
import { bytesToBase64, defaultKeyRetentionConfig, processPrivateMessage, processPublicMessage } from "ts-mls"
import { defaultClientConfig } from "ts-mls/clientConfig.js"
import { getOwnLeafNode } from "ts-mls/clientState.js"
import { updateLeafKey } from "ts-mls/privateKeyPath.js"
import { refused } from "./errors.mjs"
import { decodeFramed } from "./messages.mjs"

export const clientConfig = {
  ...defaultClientConfig,
  keyRetentionConfig: { ...defaultKeyRetentionConfig, retainKeysForEpochs: 5 },
}

// The library's states are immutable. A member's own one changes when a call succeeds, and its id stays.
export class Member {
  state
  cs // the cipher suite's implementation
  wireAsPublicMessage // the form of handshake messages, as the library calls it
  psks // external ones, by base64 of their ids
  pending // the state after this member's own Commit, until it is known to count
  #resumption = new Map() // resumption PSKs by epoch
  #proposals = new Map() // of this epoch, by base64 of the message: [reference, the library's record]
  #updates = [] // this member's own Update proposals of this epoch: {proposal, privateKey}

  constructor(state, cs, { wireAsPublicMessage, psks }) {
    this.cs = cs
    this.wireAsPublicMessage = wireAsPublicMessage
    this.psks = new Map(psks)
    this.enter(state)
  }

  get identity() {
    return getOwnLeafNode(this.state).credential.identity
  }

  get epochAuthenticator() {
    return this.state.keySchedule.epochAuthenticator
  }

  // What a successor of this group takes over.
  get settings() {
    const { wireAsPublicMessage, psks } = this
    return { wireAsPublicMessage, psks }
  }

  // The next epoch, or the first one.
  enter(state) {
    this.state = { ...state, clientConfig }
    this.pending = undefined
    this.#proposals.clear()
    this.#updates = []
    this.#resumption.set(state.groupContext.epoch, state.keySchedule.resumptionPsk)
  }

  // How the library looks up PSKs.
  pskIndex() {
    const groupId = bytesToBase64(this.state.groupContext.groupId)
    return {
      findPsk: (id) => {
        if (id.psktype === "external") return this.psks.get(bytesToBase64(id.pskId))
        return bytesToBase64(id.pskGroupId) === groupId ? this.#resumption.get(id.pskEpoch) : undefined
      },
    }
  }

  // Keeps a proposal by the bytes of its message: the library opens another's PrivateMessage once, and its own never.
  remember(data, newState) {
    const [record] = Object.entries(newState.unappliedProposals)
    this.#proposals.set(bytesToBase64(data), record)
    this.state = { ...newState, unappliedProposals: {} }
  }

  rememberUpdate(proposal, privateKey) {
    this.#updates.push({ proposal, privateKey })
  }

  // Returns the state in which just these proposals wait for a Commit: the library commits all that wait.
  async stateWith(proposals) {
    const waiting = []
    for (const data of proposals) {
      const key = bytesToBase64(data)
      if (!this.#proposals.has(key)) {
        const { newState } = await this.#process(this.state, decodeFramed(data, "proposal"))
        this.remember(data, newState)
      }
      waiting.push(this.#proposals.get(key))
    }
    return { ...this.state, unappliedProposals: Object.fromEntries(waiting) }
  }

  // Processes another's Commit, and returns the state after it.
  async stateAfter(commit, proposals) {
    const message = decodeFramed(commit, "commit")
    const state = await this.stateWith(proposals)
    let update
    const { newState } = await this.#process(state, message, (incoming) => {
      update = this.#updates.find((own) => incoming.proposals.some(({ proposal }) => proposal === own.proposal))
      return update === undefined ? "accept" : "reject"
    })
    if (update === undefined) return newState
    // It covers an Update of this member's: the path is encrypted to the new key, which the library leaves to us.
    const updated = { ...state, privatePath: updateLeafKey(state.privatePath, update.privateKey) }
    return (await this.#process(updated, message)).newState
  }

  // Opens an application message.
  async open(ciphertext) {
    const message = decodeFramed(ciphertext, "application")
    if (message.privateMessage === undefined) throw refused("application data came as a PublicMessage")
    const result = await this.#process(this.state, message)
    this.state = result.newState
    return { plaintext: result.message, authenticated_data: message.privateMessage.authenticatedData }
  }

  // Not by the library's `processMessage`: for that one, a Commit in a PrivateMessage has no PSKs
  // (ts-mls processMessages.js:239).
  #process(state, message, callback) {
    return message.wireformat === "mls_public_message"
      ? processPublicMessage(state, message.publicMessage, this.pskIndex(), this.cs, callback)
      : processPrivateMessage(state, message.privateMessage, this.pskIndex(), this.cs, callback)
  }
}
