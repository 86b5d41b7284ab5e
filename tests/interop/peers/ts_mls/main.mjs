// The ts-mls seat of the interoperability tests: reads requests from standard input, a JSON object a line, and writes
// the answers to standard output. See README.md.
import { answer, refuse } from "./pipe.mjs"
import { invalid } from "./errors.mjs"
import { lines, TooLong } from "./lines.mjs"

// Promises that the library starts and drops when it fails early. The call that started them has its answer already.
process.on("unhandledRejection", (reason) => console.error("a promise of the library failed, unheard:", reason))

// The other side is gone: nobody is left to answer.
process.stdout.on("error", () => process.exit(0))

async function write(reply) {
  if (!process.stdout.write(`${JSON.stringify(reply)}\n`)) {
    await new Promise((resolve) => process.stdout.once("drain", resolve))
  }
}

for await (const line of lines(process.stdin)) {
  await write(line instanceof TooLong ? refuse(null, invalid(line.message)) : await answer(line))
}
