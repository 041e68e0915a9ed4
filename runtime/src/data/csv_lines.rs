//! Finds the line of a CSV record, for messages.
//!
//! The reader counts a line when it meets its `\n`, which for `\r\n` endings and for blank lines is
//! only after the next record was begun, so its own count can be too small. Counting from the offset
//! is exact, and is done only once something is wrong.

use std::io::{BufRead, BufReader};
use std::path::Path;

use super::source::Source;

/// The line, from 1, of the record that is read from offset `byte` on: the ends of lines before its
/// first character are skipped. If the file cannot be read again the count stops early.
pub(super) fn line_of_record(path: &Path, byte: u64) -> u64 {
    let Ok(source) = Source::open(path) else {
        return 1;
    };
    let mut reader = BufReader::new(source);
    let mut line = 1;
    let mut offset = 0;
    loop {
        let Ok(buffer) = reader.fill_buf() else {
            return line;
        };
        if buffer.is_empty() {
            return line;
        }
        for &c in buffer {
            if offset >= byte && !matches!(c, b'\n' | b'\r') {
                return line;
            }
            line += u64::from(c == b'\n');
            offset += 1;
        }
        let n = buffer.len();
        reader.consume(n);
    }
}
