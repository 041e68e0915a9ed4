//! The tests of the command, as a user runs it.

mod cache;
mod commands;
mod distributions;
mod docs;
mod editors;
mod errors;
mod exports;
mod programs;
mod robustness;
mod verdicts;

use assert_cmd::Command;
use std::path::PathBuf;

/// The command, run in the repository's root. It keeps nothing, so that every test runs what it tests.
fn mlc() -> Command {
    let mut c = Command::new(assert_cmd::cargo::cargo_bin!("mlc"));
    c.env("MLC_CACHE", "off");
    c.current_dir(root());
    c
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}
