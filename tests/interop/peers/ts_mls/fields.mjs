// The fields of requests and responses: protobuf's JSON mapping, read strictly, with the field names of the .proto
// files. Bytes are Uint8Arrays on the inside, uint64 is a bigint.
import { invalid } from "./errors.mjs"

// A kind of field: what stands for an absent one, and how JSON is read.
export const bytes = { absent: () => new Uint8Array(), read: readBytes }
export const text = { absent: () => "", read: readText }
export const bool = { absent: () => false, read: readBool }
export const uint32 = { absent: () => 0, read: readUint32 }
export const uint64 = { absent: () => 0n, read: readUint64 }
export const repeated = (kind) => ({
  absent: () => [],
  read: (json, where) => {
    if (!Array.isArray(json)) throw invalid(`${where} is not an array`)
    return json.map((item, index) => kind.read(item, `${where}[${index}]`))
  },
})
export const message = (fields) => ({
  absent: () => readObject(fields, {}, ""),
  read: (json, where) => readObject(fields, json, where),
})

// Reads a JSON object into one that has every one of `fields`.
export function readObject(fields, json, where) {
  if (typeof json !== "object" || json === null || Array.isArray(json)) throw invalid(`${where} is not an object`)
  for (const name of Object.keys(json)) {
    if (!Object.hasOwn(fields, name)) throw invalid(`${where} has no field ${JSON.stringify(name)}`)
  }
  return Object.fromEntries(
    Object.entries(fields).map(([name, kind]) => {
      const value = Object.hasOwn(json, name) ? json[name] : null
      return [name, value === null ? kind.absent() : kind.read(value, `${where}.${name}`)]
    }),
  )
}

// Returns a response as JSON has it. Responses have bytes, strings, numbers, and arrays of numbers only.
export function writeObject(response) {
  return Object.fromEntries(
    Object.entries(response).map(([name, value]) => [
      name,
      value instanceof Uint8Array ? asBuffer(value).toString("base64") : value,
    ]),
  )
}

function asBuffer(data) {
  return Buffer.from(data.buffer, data.byteOffset, data.byteLength)
}

function readBytes(json, where) {
  if (typeof json !== "string") throw invalid(`${where} is not a string of base64`)
  const data = Buffer.from(json, "base64")
  // Buffer skips over what is not base64: only what comes out the same was.
  if (data.toString("base64") !== json) throw invalid(`${where} is not standard base64 with padding`)
  // A copy of its own, since Buffers share memory and the library reads `.buffer` in places.
  return new Uint8Array(data)
}

function readText(json, where) {
  if (typeof json !== "string") throw invalid(`${where} is not a string`)
  return json
}

function readBool(json, where) {
  if (typeof json !== "boolean") throw invalid(`${where} is not true or false`)
  return json
}

function readUint32(json, where) {
  if (!Number.isInteger(json) || json < 0 || json > 0xffffffff) throw invalid(`${where} is not a uint32`)
  return json
}

function readUint64(json, where) {
  const known = typeof json === "string" ? /^[0-9]{1,20}$/.test(json) : Number.isSafeInteger(json) && json >= 0
  const value = known ? BigInt(json) : -1n
  if (value !== BigInt.asUintN(64, value)) throw invalid(`${where} is not a uint64`)
  return value
}
