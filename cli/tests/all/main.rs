//! The tests of the command, as a user runs it.

mod bursts;
mod cache;
mod commands;
mod distributions;
mod docs;
mod editors;
mod equal_bits;
mod errors;
mod exports;
#[cfg(unix)]
mod faults;
mod goldens;
#[cfg(unix)]
mod nan;
mod nets;
mod objectives;
mod on_disk;
mod optimizers;
mod papers;
mod profile;
mod programs;
mod prompt;
mod results;
#[cfg(unix)]
mod resume;
mod robustness;
mod sweeps;
mod terminal;
mod unbiased;
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

/// What a command that goes well prints.
fn stdout(args: &[&str]) -> String {
    let out = mlc().args(args).output().unwrap();
    let text = String::from_utf8(out.stderr).unwrap();
    assert!(out.status.success(), "{args:?}: {text}");
    String::from_utf8(out.stdout).unwrap()
}

/// splitmix64 (Steele, Lea and Flood 2014).
struct Rng(u64);

impl Rng {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n.max(1) as u64) as usize
    }
}

/// A report without its table of times, which no two runs share.
fn timeless(report: &[u8]) -> Vec<u8> {
    let text = std::str::from_utf8(report).unwrap();
    let start = text.find("<section>\n<h2>times</h2>").unwrap();
    let end = start + text[start..].find("</section>").unwrap();
    [&text[..start], &text[end..]].concat().into_bytes()
}

/// A page of the documents is what it should be; `INSTA_UPDATE=always` writes it so first.
#[track_caller]
fn page_is(document: &str, wanted: &str) {
    let file = root().join(document);
    if std::env::var("INSTA_UPDATE").as_deref() == Ok("always") {
        std::fs::write(&file, wanted).unwrap();
    }
    assert_eq!(std::fs::read_to_string(&file).unwrap(), wanted);
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}
