// What a call that fails answers: the name of a gRPC status, and a reason that a person can act on.
//
// INVALID_ARGUMENT     the request is malformed, or what it carries does not decode
// NOT_FOUND            an id stands for nothing here, or for something of another kind
// UNIMPLEMENTED        ts-mls does not offer it
// FAILED_PRECONDITION  ts-mls refused
// INTERNAL             a bug, of ts-mls or of this program
import { InternalError } from "ts-mls/mlsError.js"

const LONGEST_REASON = 1000 // characters: a reason can quote what came in

export class CallError extends Error {
  constructor(code, reason) {
    super(reason)
    this.code = code
  }
}

export const invalid = (reason) => new CallError("INVALID_ARGUMENT", reason)
export const notFound = (reason) => new CallError("NOT_FOUND", reason)
export const unimplemented = (reason) => new CallError("UNIMPLEMENTED", reason)
export const refused = (reason) => new CallError("FAILED_PRECONDITION", reason)

// A refusal is an MlsError, or an Error or DOMException of the crypto libraries. These here are thrown by mistakes.
const MISTAKES = [InternalError, TypeError, RangeError, ReferenceError, SyntaxError]

// Returns `{code, message}` for whatever was thrown.
export function explain(error) {
  if (error instanceof CallError) return { code: error.code, message: shortened(error.message) }
  if (!(error instanceof Error)) return { code: "INTERNAL", message: shortened(String(error)) }
  const code = MISTAKES.some((kind) => error instanceof kind) ? "INTERNAL" : "FAILED_PRECONDITION"
  return { code, message: shortened(`${error.name}: ${error.message}${whereThrown(error)}`) }
}

// The nearest place in the library: ", at updatePath.js:43".
function whereThrown(error) {
  const place = /node_modules\/(?:ts-mls\/dist\/src\/)?([^\s()]+:\d+):\d+/.exec(error.stack ?? "")
  return place === null ? "" : `, at ${place[1]}`
}

function shortened(reason) {
  return reason.length <= LONGEST_REASON ? reason : `${reason.slice(0, LONGEST_REASON)}...`
}
