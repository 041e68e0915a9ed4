//! Event files as TensorBoard reads them: records of a length, its checksum, a protocol buffer, and that one's checksum.
//!
//! Formats: `tensorflow/core/lib/io/record_writer.cc` (records), `tensorflow/core/util/event.proto` and
//! `tensorflow/core/framework/summary.proto` (the fields numbered below).

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// A file that scalars are appended to.
#[derive(Debug)]
pub struct EventFile {
    file: File,
}

fn varint(out: &mut Vec<u8>, mut n: u64) {
    while n >= 0x80 {
        out.push(n as u8 | 0x80);
        n >>= 7;
    }
    out.push(n as u8);
}

/// A field of bytes.
fn bytes(out: &mut Vec<u8>, field: u8, value: &[u8]) {
    out.push(field << 3 | 2);
    varint(out, value.len() as u64);
    out.extend(value);
}

/// `Event`: 1 wall time, 2 step.
fn event(time: f64, step: u64) -> Vec<u8> {
    let mut out = vec![1 << 3 | 1];
    out.extend(time.to_le_bytes());
    out.push(2 << 3);
    varint(&mut out, step);
    out
}

/// `Event` with 5 `Summary`: 1 `Value`s: 1 tag, 2 simple value.
fn scalars(time: f64, step: u64, values: &[(String, f32)]) -> Vec<u8> {
    let mut summary = Vec::new();
    for (tag, x) in values {
        let mut value = Vec::new();
        bytes(&mut value, 1, tag.as_bytes());
        value.push(2 << 3 | 5);
        value.extend(x.to_le_bytes());
        bytes(&mut summary, 1, &value);
    }
    let mut out = event(time, step);
    bytes(&mut out, 5, &summary);
    out
}

/// A checksum as records hold it: CRC-32C, rotated, and moved by a constant.
fn masked(data: &[u8]) -> u32 {
    crc32c::crc32c(data)
        .rotate_right(15)
        .wrapping_add(0xa282_ead8)
}

fn record(data: &[u8]) -> Vec<u8> {
    let length = (data.len() as u64).to_le_bytes();
    let mut out = length.to_vec();
    out.extend(masked(&length).to_le_bytes());
    out.extend(data);
    out.extend(masked(data).to_le_bytes());
    out
}

fn now() -> f64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0.0, |d| d.as_secs_f64())
}

impl EventFile {
    /// Begins a file in a folder, named as TensorBoard looks for it.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn create(folder: &Path) -> io::Result<(Self, PathBuf)> {
        let name = format!(
            "events.out.tfevents.{:010}.mlc.{}",
            now() as u64,
            std::process::id()
        );
        let path = folder.join(name);
        let mut events = Self {
            file: File::create(&path)?,
        };
        let mut version = event(now(), 0);
        bytes(&mut version, 3, b"brain.Event:2");
        events.file.write_all(&record(&version))?;
        Ok((events, path))
    }

    /// Appends numbers by their names.
    ///
    /// # Errors
    /// If they cannot be written.
    pub fn scalars(&mut self, step: u64, values: &[(String, f32)]) -> io::Result<()> {
        self.file.write_all(&record(&scalars(now(), step, values)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_what_the_format_says() {
        // CRC-32C of "123456789" is 0xe3069283 (RFC 3720, appendix B.4, and Koopman's tables).
        assert_eq!(crc32c::crc32c(b"123456789"), 0xe306_9283);
        let data = scalars(1.5, 300, &[("fit/loss".to_string(), 0.25)]);
        let mut expected = vec![0x09];
        expected.extend(1.5f64.to_le_bytes());
        expected.extend([0x10, 0xac, 0x02]);
        expected.extend([0x2a, 17, 0x0a, 15, 0x0a, 8]);
        expected.extend(b"fit/loss");
        expected.push(0x15);
        expected.extend(0.25f32.to_le_bytes());
        assert_eq!(data, expected);
        let r = record(&data);
        assert_eq!(r.len(), data.len() + 16);
        assert_eq!(r[..8], (data.len() as u64).to_le_bytes());
        assert_eq!(r[12..12 + data.len()], data);
    }
}
