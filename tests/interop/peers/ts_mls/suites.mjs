// The cipher suites of ts-mls by their numbers, and keys for them.
import { p256, p384, p521 } from "@noble/curves/nist.js"
import {
  ciphersuites,
  defaultCapabilities,
  generateKeyPackageWithKey,
  getCiphersuiteFromName,
  getCiphersuiteImpl,
} from "ts-mls"
import { DependencyError } from "ts-mls/mlsError.js"
import { unimplemented } from "./errors.mjs"

const NAMES = new Map(Object.entries(ciphersuites).map(([name, number]) => [number, name]))
const DAY = 24n * 60n * 60n // in seconds

const built = new Map()

// Returns the library's name of a suite.
export function suiteName(number) {
  const name = NAMES.get(number)
  if (name === undefined) throw noSuite(number)
  return name
}

// Returns the implementation of the suite with a name of the library's, which is made once.
export async function suite(name) {
  if (!Object.hasOwn(ciphersuites, name)) throw noSuite(name) // from a message: the number of one it does not have
  if (!built.has(name)) built.set(name, await getCiphersuiteImpl(getCiphersuiteFromName(name)))
  return built.get(name)
}

function noSuite(number) {
  return unimplemented(`ts-mls has no cipher suite ${number} (crypto/ciphersuite.js:6)`)
}

// Returns the numbers of the suites that run here: for some, the library needs packages that are optional.
export async function runningSuites() {
  const running = []
  for (const [number, name] of NAMES) {
    try {
      await suite(name)
      running.push(number)
    } catch (error) {
      if (!(error instanceof DependencyError)) throw error
    }
  }
  return running
}

const NIST_CURVES = { P256: p256, P384: p384, P521: p521 }

// Makes a signature key pair. The library's own `keygen` gives the public keys of the NIST curves in compressed form,
// where RFC 9420 has them uncompressed (section 5.1.1), so that nobody else would accept them.
export async function signatureKeyPair(cs) {
  const pair = await cs.signature.keygen()
  const curve = NIST_CURVES[getCiphersuiteFromName(cs.name).signature]
  return curve === undefined ? pair : { ...pair, publicKey: curve.getPublicKey(pair.signKey, false) }
}

// Makes a KeyPackage: `{publicPackage, privatePackage}`. The library's default lifetime is all of time, which others
// refuse: the total lifetime that is acceptable is to be limited (RFC 9420, section 7.2).
export async function keyPackage(cs, identity) {
  const now = BigInt(Math.floor(Date.now() / 1000))
  const lifetime = { notBefore: now - DAY, notAfter: now + 30n * DAY }
  const credential = { credentialType: "basic", identity }
  return generateKeyPackageWithKey(credential, defaultCapabilities(), lifetime, [], await signatureKeyPair(cs), cs)
}
