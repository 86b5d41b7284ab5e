//! OpenMLS as a peer: it answers the calls of `mls_client.proto`, one JSON line for each, until standard input ends.

mod answers;
mod calls;
mod client;
mod clock;
mod fields;
mod lines;
mod member;
mod messages;
mod outsider;
mod peer;
mod provider;
mod requests;
mod settings;
mod unoffered;

use std::any::Any;
use std::io::{self, Write};
use std::panic::{catch_unwind, AssertUnwindSafe};

use serde::Deserialize;
use serde_json::{Map, Value};

use answers::{Failure, Outcome};
use clock::Clock;
use lines::{Line, Lines};
use peer::Peer;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Call {
    rpc: String,
    #[serde(default)]
    request: Value,
}

fn main() -> io::Result<()> {
    let mut peer = Peer::default();
    let mut lines = Lines::new(io::stdin().lock());
    let mut output = io::stdout().lock();
    while let Some(line) = lines.next()? {
        serde_json::to_writer(&mut output, &answer(&mut peer, line))?;
        output.write_all(b"\n")?;
        output.flush()?;
    }
    Ok(())
}

fn answer(peer: &mut Peer, line: Line) -> Value {
    let mut call = match read(line) {
        Ok(call) => call,
        Err(failure) => return answers::line(&Value::Null, Err(failure), 0),
    };
    let id = call.remove("id").unwrap_or_default();
    let mut clock = Clock::default();
    let answered = catch_unwind(AssertUnwindSafe(|| {
        let Call { rpc, request, .. } = fields::read(call.into())?;
        peer.answer(&rpc, request, &mut clock)
    }));
    let outcome = answered.unwrap_or_else(|panic| Err(Failure::internal(words(&*panic))));
    answers::line(&id, outcome, clock.nanoseconds())
}

/// A JSON object: whatever else is wrong with it, its `id` can be answered to.
fn read(line: Line) -> Outcome<Map<String, Value>> {
    let Line::Whole(bytes) = line else {
        return Err(Failure::bad_request("the line is too long"));
    };
    match serde_json::from_slice(&bytes) {
        Ok(Value::Object(call)) => Ok(call),
        Ok(_) => Err(Failure::bad_request("the line is not a JSON object")),
        Err(e) => Err(Failure::bad_request(format!("the line is not JSON: {e}"))),
    }
}

fn words(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    format!("panic: {}", text.unwrap_or("without words"))
}
