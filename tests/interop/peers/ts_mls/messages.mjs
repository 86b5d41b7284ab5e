// MLS messages and structs between bytes and the library's objects.
import { decodeMlsMessage, defaultExtensionTypes, encodeMlsMessage } from "ts-mls"
import { decodeRatchetTree, encodeRatchetTree } from "ts-mls/ratchetTree.js"
import { CodecError } from "ts-mls/mlsError.js"
import { invalid } from "./errors.mjs"

const EXTENSION_NAMES = new Map(Object.entries(defaultExtensionTypes).map(([name, type]) => [type, name]))

// Decodes all of `data` with one of the library's decoders, which give `[value, length]`, undefined, or throw.
export function decodeAll(decoder, data, what) {
  let decoded
  try {
    decoded = decoder(data, 0)
  } catch (error) {
    if (error instanceof CodecError) throw invalid(`${what} does not decode: ${error.message}`)
    throw error
  }
  if (decoded === undefined) throw invalid(`${what} does not decode`)
  const [value, length] = decoded
  if (length !== data.length) throw invalid(`${data.length - length} bytes follow the ${what}`)
  return value
}

function decodeMessage(data, wireformat) {
  const message = decodeAll(decodeMlsMessage, data, "MLSMessage")
  if (message.wireformat !== wireformat) throw invalid(`the MLSMessage is a ${message.wireformat}, not ${wireformat}`)
  return message
}

export const decodeKeyPackage = (data) => decodeMessage(data, "mls_key_package").keyPackage
export const decodeWelcome = (data) => decodeMessage(data, "mls_welcome").welcome
export const decodeGroupInfo = (data) => decodeMessage(data, "mls_group_info").groupInfo

// Decodes a PublicMessage or PrivateMessage that carries a "proposal", "commit" or "application".
export function decodeFramed(data, contentType) {
  const message = decodeAll(decodeMlsMessage, data, "MLSMessage")
  const found = message.publicMessage?.content.contentType ?? message.privateMessage?.contentType ?? message.wireformat
  if (found !== contentType) throw invalid(`the MLSMessage carries a ${found}, not a ${contentType}`)
  return message
}

export const encodeMessage = encodeMlsMessage
const wrap = (content) => encodeMessage({ version: "mls10", ...content })
export const encodeKeyPackage = (keyPackage) => wrap({ wireformat: "mls_key_package", keyPackage })
export const encodeGroupInfo = (groupInfo) => wrap({ wireformat: "mls_group_info", groupInfo })
export const encodePublicMessage = (publicMessage) => wrap({ wireformat: "mls_public_message", publicMessage })
export const encodePrivateMessage = (privateMessage) => wrap({ wireformat: "mls_private_message", privateMessage })
// The Welcome of a Commit, which has none if it adds nobody.
export const encodeWelcome = (welcome) =>
  welcome === undefined ? new Uint8Array() : wrap({ wireformat: "mls_welcome", welcome })

// A ratchet tree beside a message: none, if it is empty, since then it travels inside.
export const decodeTree = (data) => (data.length === 0 ? undefined : decodeAll(decodeRatchetTree, data, "ratchet_tree"))
export const encodeTreeIf = (wanted, tree) => (wanted ? encodeRatchetTree(tree) : new Uint8Array())

// The library names the extension types of RFC 9420, has numbers for others, and takes the data as it is.
export const readExtensions = (extensions) =>
  extensions.map(({ extension_type: type, extension_data: extensionData }) => {
    if (type > 0xffff) throw invalid(`${type} is not an extension type`)
    return { extensionType: EXTENSION_NAMES.get(type) ?? type, extensionData }
  })
