// A client with a published KeyPackage, before it is in the group.
import { bytesToBase64 } from "ts-mls"

export class Transaction {
  psks = new Map() // external ones, by base64 of their ids

  constructor(cs, { publicPackage, privatePackage }) {
    this.cs = cs
    this.publicPackage = publicPackage
    this.privatePackage = privatePackage
  }

  // As the responses have them.
  get privateKeys() {
    const { initPrivateKey, hpkePrivateKey, signaturePrivateKey } = this.privatePackage
    return { init_priv: initPrivateKey, encryption_priv: hpkePrivateKey, signature_priv: signaturePrivateKey }
  }

  // How the library looks up PSKs.
  pskIndex() {
    return { findPsk: (id) => (id.psktype === "external" ? this.psks.get(bytesToBase64(id.pskId)) : undefined) }
  }
}
