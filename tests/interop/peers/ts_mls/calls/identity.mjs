// Who answers.
import { readFile } from "node:fs/promises"
import { runningSuites } from "../suites.mjs"

export async function Name() {
  const versions = await Promise.all(["ts-mls", "@hpke/core", "@noble/curves"].map(installed))
  const [library, ...crypto] = versions
  return { name: `${library} (WebCrypto of Node.js ${process.versions.node}, ${crypto.join(", ")})` }
}

export async function SupportedCiphersuites() {
  return { ciphersuites: await runningSuites() }
}

async function installed(name) {
  const description = await readFile(new URL(`../node_modules/${name}/package.json`, import.meta.url), "utf8")
  return `${name} ${JSON.parse(description).version}`
}
