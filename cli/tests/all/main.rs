//! The tests of the command, as a user runs it.

mod commands;
mod distributions;
mod docs;
mod editors;
mod errors;
mod programs;
mod robustness;
mod verdicts;

use assert_cmd::Command;
use std::path::PathBuf;

/// The command, run in the repository's root.
fn mlc() -> Command {
    let mut c = Command::new(assert_cmd::cargo::cargo_bin!("mlc"));
    c.current_dir(root());
    c
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}
