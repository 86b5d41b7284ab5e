//! JSON lines: one call in, one answer out, in order.

use crate::clock::Clock;
use crate::failure::Failure;
use crate::peer::Peer;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::Value;
use std::any::Any;
use std::io::{self, BufRead, Read, Write};
use std::panic::{catch_unwind, AssertUnwindSafe};

/// A tree of 10,000 members has a tenth of it.
const LONGEST_LINE: u64 = 64 << 20;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Call<'a> {
    #[serde(default)]
    id: Value,
    #[serde(default)]
    rpc: String,
    #[serde(borrow)]
    request: Option<&'a RawValue>,
}

#[derive(Serialize)]
struct Answer {
    id: Value,
    #[serde(flatten)]
    outcome: Outcome,
    ns: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum Outcome {
    Response(Box<RawValue>),
    Error(Failure),
}

/// Answers calls until the input ends.
pub fn serve(mut input: impl BufRead, mut output: impl Write) -> io::Result<()> {
    let mut peer = Peer::default();
    let mut line = Vec::new();
    while read_line(&mut input, &mut line)? {
        let answer = answer(&mut peer, &line);
        serde_json::to_writer(&mut output, &answer)?;
        output.write_all(b"\n")?;
        output.flush()?;
    }
    Ok(())
}

/// Reads a line, or as much of it as is allowed, which `answer` then refuses; false at the end of the input.
fn read_line(input: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<bool> {
    line.clear();
    if input.by_ref().take(LONGEST_LINE).read_until(b'\n', line)? == 0 {
        return Ok(false);
    }
    if is_too_long(line) {
        input.skip_until(b'\n')?;
    }
    Ok(true)
}

fn is_too_long(line: &[u8]) -> bool {
    line.len() as u64 == LONGEST_LINE && !line.ends_with(b"\n")
}

fn answer(peer: &mut Peer, line: &[u8]) -> Answer {
    if is_too_long(line) {
        return unreadable(format!("a line of more than {LONGEST_LINE} bytes"));
    }
    let call: Call = match serde_json::from_slice(line) {
        Ok(call) => call,
        Err(error) => return unreadable(format!("not a call: {error}")),
    };
    let request = call.request.map_or("{}", RawValue::get);
    let mut clock = Clock::default();
    match survive(|| peer.answer(&call.rpc, request, &mut clock)) {
        Ok(response) => Answer { id: call.id, outcome: Outcome::Response(response), ns: clock.nanoseconds() },
        Err(failure) => Answer { id: call.id, outcome: Outcome::Error(failure), ns: 0 },
    }
}

/// A panic of the library ends the call and nothing else.
fn survive<T>(call: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
    catch_unwind(AssertUnwindSafe(call))
        .unwrap_or_else(|panic| Err(Failure::internal(format!("panic: {}", text_of(panic.as_ref())))))
}

fn unreadable(message: String) -> Answer {
    Answer { id: Value::Null, outcome: Outcome::Error(Failure::invalid(message)), ns: 0 }
}

fn text_of(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("without a message")
}

#[cfg(test)]
mod tests {
    use super::survive;
    use crate::failure::{Code, Failure};

    #[test]
    fn a_panic_is_an_internal_error() {
        let failure = survive::<()>(|| panic!("no {}", 1)).unwrap_err();
        assert_eq!((failure.code, failure.message.as_str()), (Code::Internal, "panic: no 1"));
    }

    #[test]
    fn a_refusal_stays_one() {
        let failure = survive::<()>(|| Err(Failure::refused("no"))).unwrap_err();
        assert_eq!(failure.code, Code::FailedPrecondition);
    }
}
