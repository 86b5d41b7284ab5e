// All calls, by name. Each takes a request with all fields, and returns the fields of a response.
import * as commits from "./commits.mjs"
import * as identity from "./identity.mjs"
import * as joining from "./joining.mjs"
import * as outside from "./outside.mjs"
import * as proposing from "./proposing.mjs"
import * as successors from "./successors.mjs"
import * as using from "./using.mjs"

export const calls = { ...identity, ...joining, ...using, ...proposing, ...commits, ...successors, ...outside }
