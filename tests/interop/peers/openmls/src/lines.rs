//! Lines of bounded length.

use std::io::{self, BufRead, Read};

/// A group of 10,000 members, with its tree in base64, has room here.
const LONGEST: u64 = 1 << 28;

pub enum Line {
    Whole(Vec<u8>),
    TooLong,
}

pub struct Lines<R>(R);

impl<R: BufRead> Lines<R> {
    pub fn new(input: R) -> Self {
        Self(input)
    }

    /// The next line that is not blank, or `None` at the end.
    pub fn next(&mut self) -> io::Result<Option<Line>> {
        loop {
            let mut line = Vec::new();
            (&mut self.0).take(LONGEST).read_until(b'\n', &mut line)?;
            if line.is_empty() {
                return Ok(None);
            }
            if line.len() as u64 == LONGEST && line.last() != Some(&b'\n') {
                self.0.skip_until(b'\n')?;
                return Ok(Some(Line::TooLong));
            }
            if !line.trim_ascii().is_empty() {
                return Ok(Some(Line::Whole(line)));
            }
        }
    }
}
