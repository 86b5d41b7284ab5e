//! The time that a call spends in the library: MLS, with its encodings, but neither JSON nor base64.

use std::time::{Duration, Instant};

#[derive(Default)]
pub struct Clock(Duration);

impl Clock {
    /// Do `work` on the clock. A call may do so in several pieces.
    pub fn time<T>(&mut self, work: impl FnOnce() -> T) -> T {
        let start = Instant::now();
        let done = work();
        self.0 += start.elapsed();
        done
    }

    pub fn nanoseconds(&self) -> u64 {
        u64::try_from(self.0.as_nanos()).unwrap_or(u64::MAX)
    }
}
