// Everything that requests name by an id. All ids come from one sequence, so that no two things share one: StorePSK
// takes the id of a state or of a transaction, and cannot say which.
import { notFound } from "./errors.mjs"

const entries = new Map()
let last = 0

// Keeps a thing of a kind ("state", "transaction", "reinit", "signer") and returns its id.
export function keep(kind, thing) {
  last += 1
  entries.set(last, { kind, thing })
  return last
}

// Returns the thing of one of `kinds` that an id stands for.
export function find(id, ...kinds) {
  const entry = entries.get(id)
  if (entry === undefined || !kinds.includes(entry.kind)) throw notFound(`there is no ${kinds.join(" or ")} ${id}`)
  return entry.thing
}

export function forget(id, kind) {
  find(id, kind)
  entries.delete(id)
}
