// One request line in, one answer out. Whatever happens in between, there is an answer.
import { calls } from "./calls/index.mjs"
import { explain, invalid } from "./errors.mjs"
import { readObject, writeObject } from "./fields.mjs"
import { requests } from "./requests.mjs"

// Returns the answer to one line. `ns` is how long the call took from bytes to bytes: JSON and base64 are not in it.
export async function answer(line) {
  let id = null
  try {
    const asked = parse(line)
    id = asked.id
    const call = Object.hasOwn(calls, asked.rpc) ? calls[asked.rpc] : undefined
    if (call === undefined) throw invalid(`there is no call ${JSON.stringify(asked.rpc)}`)
    const request = readObject(requests[asked.rpc], asked.request ?? {}, "request")
    const start = process.hrtime.bigint()
    const response = await call(request)
    const ns = process.hrtime.bigint() - start
    return { id, response: writeObject(response), ns: Number(ns) }
  } catch (error) {
    return refuse(id, error)
  }
}

export function refuse(id, error) {
  return { id, error: explain(error), ns: 0 }
}

function parse(line) {
  let asked
  try {
    asked = JSON.parse(line)
  } catch (error) {
    throw invalid(`the line is not JSON: ${error.message}`)
  }
  if (!Number.isSafeInteger(asked?.id)) throw invalid("the line is not an object with an integer 'id'")
  return asked
}
