//! A peer for tests of interoperability: mls-rs, played by JSON lines on stdin and stdout.
//!
//! The calls are those of the MLS working group's `MLSClient` interface. One program plays several clients.

mod clock;
mod config;
mod crypto;
mod encoding;
mod failure;
mod messages;
mod name;
mod peer;
mod pipe;
mod rules;

use std::io::{stdin, stdout};

fn main() -> std::io::Result<()> {
    pipe::serve(stdin().lock(), stdout().lock())
}
