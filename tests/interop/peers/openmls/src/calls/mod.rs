//! The calls, as methods of `Peer`, by what they are about.

mod committing;
mod joining;
mod outside;
mod proposing;
mod using;
