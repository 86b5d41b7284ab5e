// The fields of each call's request: bridge/interop/mls_client.proto and mls_extras.proto, in short.
import { bool, bytes, message, repeated, text, uint32, uint64 } from "./fields.mjs"

const extensions = repeated(message({ extension_type: uint32, extension_data: bytes }))
const psks = repeated(message({ psk_id: bytes, psk_secret: bytes }))
const state = { state_id: uint32 }
const handleCommit = { state_id: uint32, proposal: repeated(bytes), commit: bytes }

const description = {
  proposal_type: bytes,
  key_package: bytes,
  removed_id: bytes,
  psk_id: bytes,
  epoch_id: uint64,
  extensions,
  group_id: bytes,
  cipher_suite: uint32,
}

const commit = {
  state_id: uint32,
  by_reference: repeated(bytes),
  by_value: repeated(message(description)),
  force_path: bool,
  external_tree: bool,
}

export const requests = {
  Name: {},
  SupportedCiphersuites: {},

  CreateGroup: { group_id: bytes, cipher_suite: uint32, encrypt_handshake: bool, identity: bytes },
  CreateKeyPackage: { cipher_suite: uint32, identity: bytes },
  JoinGroup: { transaction_id: uint32, welcome: bytes, encrypt_handshake: bool, identity: bytes, ratchet_tree: bytes },
  ExternalJoin: {
    group_info: bytes,
    ratchet_tree: bytes,
    encrypt_handshake: bool,
    identity: bytes,
    remove_prior: bool,
    psks,
  },

  GroupInfo: { state_id: uint32, external_tree: bool },
  StateAuth: state,
  Export: { state_id: uint32, label: text, context: bytes, key_length: uint32 },
  Protect: { state_id: uint32, authenticated_data: bytes, plaintext: bytes },
  Unprotect: { state_id: uint32, ciphertext: bytes },
  StorePSK: { state_or_transaction_id: uint32, psk_id: bytes, psk_secret: bytes },
  Free: state,

  AddProposal: { state_id: uint32, key_package: bytes },
  UpdateProposal: state,
  RemoveProposal: { state_id: uint32, removed_id: bytes },
  ExternalPSKProposal: { state_id: uint32, psk_id: bytes },
  ResumptionPSKProposal: { state_id: uint32, epoch_id: uint64 },
  GroupContextExtensionsProposal: { state_id: uint32, extensions },
  ReInitProposal: { state_id: uint32, cipher_suite: uint32, group_id: bytes, extensions },
  SelfRemoveProposal: state,

  Commit: commit,
  HandleCommit: handleCommit,
  HandlePendingCommit: state,
  DiscardPendingCommit: state,

  ReInitCommit: commit,
  HandlePendingReInitCommit: state,
  HandleReInitCommit: handleCommit,
  ReInitWelcome: { reinit_id: uint32, key_package: repeated(bytes), force_path: bool, external_tree: bool },
  HandleReInitWelcome: { reinit_id: uint32, welcome: bytes, ratchet_tree: bytes },

  CreateBranch: {
    state_id: uint32,
    group_id: bytes,
    extensions,
    key_packages: repeated(bytes),
    force_path: bool,
    external_tree: bool,
  },
  HandleBranch: { state_id: uint32, transaction_id: uint32, welcome: bytes, ratchet_tree: bytes },

  NewMemberAddProposal: { group_info: bytes, identity: bytes },
  CreateExternalSigner: { cipher_suite: uint32, identity: bytes },
  AddExternalSigner: { state_id: uint32, external_sender: bytes },
  ExternalSignerProposal: {
    signer_id: uint32,
    signer_index: uint32,
    group_info: bytes,
    ratchet_tree: bytes,
    description: message(description),
  },
}
