//! How long the library itself has worked on a call.

use std::time::{Duration, Instant};

/// Adds up the parts of a call that are the library's: decoding and encoding of MLS messages, and what lies between.
#[derive(Default)]
pub struct Clock {
    spent: Duration,
}

impl Clock {
    pub fn time<T>(&mut self, work: impl FnOnce() -> T) -> T {
        let start = Instant::now();
        let result = work();
        self.spent += start.elapsed();
        result
    }

    pub fn nanoseconds(&self) -> u64 {
        u64::try_from(self.spent.as_nanos()).unwrap_or(u64::MAX)
    }
}
