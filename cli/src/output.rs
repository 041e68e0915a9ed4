//! What commands print.
//!
//! A full disk, or whatever else takes no text, costs no result: the command goes on, and its exit code says that something was not
//! printed.

use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};

/// A line on stdout.
macro_rules! say {
    ($($part:tt)*) => { $crate::output::text(&format!("{}\n", format_args!($($part)*))) };
}

/// A line on stderr.
macro_rules! complain {
    ($($part:tt)*) => { $crate::output::complaint(&format!("{}\n", format_args!($($part)*))) };
}

/// Whether something that was to be on stdout is not.
static LOST: AtomicBool = AtomicBool::new(false);

/// Writes to stdout, as long as that can be written to.
pub fn bytes(text: &[u8]) {
    check(io::stdout().write_all(text));
}

/// Sees that all that was printed is where it goes to.
pub fn flush() {
    check(io::stdout().flush());
}

/// Was something not printed?
pub fn is_lost() -> bool {
    LOST.load(Ordering::Relaxed)
}

fn check(written: io::Result<()>) {
    match written {
        Ok(()) => {}
        // Whoever reads may have seen enough.
        Err(e) if e.kind() == io::ErrorKind::BrokenPipe => {}
        Err(e) => {
            if !LOST.swap(true, Ordering::Relaxed) {
                complain!("error: cannot print to stdout: {e}");
            }
        }
    }
}

pub fn text(text: &str) {
    bytes(text.as_bytes());
}

/// Text on stderr. What that does not take cannot be told anywhere.
pub fn complaint(text: &str) {
    let _ = io::stderr().write_all(text.as_bytes());
}
