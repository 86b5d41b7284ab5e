// Lines of a stream, of bounded length. (node:readline also ends lines at U+2028, which JSON strings may contain.)

const LIMIT = 64 * 1024 * 1024 // bytes. The tree of 1,000 members takes less than one hundredth.
const NEWLINE = 0x0a

// What comes in place of a line that is longer than the limit, and was thrown away.
export class TooLong {
  message = `the line is longer than ${LIMIT} bytes`
}

// Yields each line as a string, without its end, and `TooLong` for those that are.
export async function* lines(stream) {
  let parts = []
  let length = 0
  const end = () => {
    const line = length > LIMIT ? new TooLong() : Buffer.concat(parts).toString("utf8")
    parts = []
    length = 0
    return line
  }
  const take = (part) => {
    length += part.length
    if (length > LIMIT) parts = []
    else parts.push(part)
  }
  for await (const chunk of stream) {
    let start = 0
    for (let at = chunk.indexOf(NEWLINE); at >= 0; at = chunk.indexOf(NEWLINE, start)) {
      take(chunk.subarray(start, at))
      start = at + 1
      yield end()
    }
    if (start < chunk.length) take(chunk.subarray(start))
  }
  if (length > 0) yield end()
}
