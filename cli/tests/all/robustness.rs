//! Whatever text is given, the compiler ends in time and without a panic: every pipeline of the repository, mutated.
//!
//! Mutants are made from a fixed seed. `MLC_MUTANTS=20000` runs the long form.

use super::Rng;
use mlc_compiler::FileId;
use mlc_compiler::diag::render;
use mlc_compiler::lower::LowerOptions;
use mlc_runtime::driver::{Pipeline, RunOptions};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Duration;

/// A mutant that takes longer than this has no bound. Generous: machines differ, and the worst take a hundredth of it.
const PATIENCE: Duration = Duration::from_secs(60);

fn pipelines(dir: &Path, found: &mut Vec<PathBuf>) {
    let mut entries: Vec<PathBuf> = std::fs::read_dir(dir)
        .unwrap()
        .map(|e| e.unwrap().path())
        .collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            pipelines(&path, found);
        } else if path.extension().is_some_and(|e| e == "ml") {
            found.push(path);
        }
    }
}

/// All pipelines and modules of the repository.
pub fn all_pipelines() -> Vec<PathBuf> {
    let mut found = Vec::new();
    for part in ["examples", "stdlib", "cli/tests", "grammar/tests"] {
        pipelines(&super::root().join(part), &mut found);
    }
    found
}

/// Words, numbers, white space and single marks.
fn pieces(text: &str) -> Vec<String> {
    let kind = |c: char| match c {
        c if c.is_alphanumeric() || c == '_' || c == '.' => 0,
        ' ' => 1,
        '\n' => 2,
        _ => 3,
    };
    let mut out: Vec<String> = Vec::new();
    let mut last = 9;
    for c in text.chars() {
        let k = kind(c);
        match out.last_mut() {
            Some(piece) if k == last && k < 2 => piece.push(c),
            _ => out.push(c.to_string()),
        }
        last = k;
    }
    out
}

/// What is put into texts besides pieces of other texts.
const INSERTS: &[&str] = &[
    "(",
    ")",
    "{",
    "}",
    "[",
    "]",
    ",",
    ";",
    ":",
    "=",
    "-",
    "+",
    "*",
    "/",
    "^",
    "@",
    "|",
    "..",
    ".",
    "~",
    "\"",
    "//",
    "\n",
    "0",
    "1",
    "-1",
    "99999999999",
    "9223372036854775807",
    "9999999999999999999999",
    "1e308",
    "1e-320",
    "1e999",
    "0.0",
    " let ",
    " fn ",
    " for ",
    " if ",
    " else ",
    " in ",
    " scan ",
    " expect ",
    " given ",
    " via ",
    " not ",
    " and ",
    " over ",
    " using ",
    " use ",
    " none ",
    " true ",
    "real",
    "int[0]",
    "zeros(0)",
    "zeros(3)",
    "rand(2)",
    "shape(",
    "grad(",
    "sum(",
    "inf",
    "nan",
    "_",
    "é",
    "\u{0}",
    "\t",
    "\r",
    "'",
    "%",
    "**",
    "&&",
    "||",
    "!",
    "->",
    "T[n]",
    "n + 1",
    "[]",
    "{}",
    "()",
];

fn mutant(texts: &[String], random: &mut Rng) -> Vec<u8> {
    let mut parts = pieces(&texts[random.below(texts.len())]);
    let donor = pieces(&texts[random.below(texts.len())]);
    for _ in 0..=random.below(4) {
        let at = random.below(parts.len());
        match random.below(7) {
            0 if !parts.is_empty() => {
                parts.remove(at);
            }
            1 if !parts.is_empty() => {
                let n = 1 + random.below(12);
                let run = parts[at..(at + n).min(parts.len())].to_vec();
                let to = random.below(parts.len());
                parts.splice(to..to, run);
            }
            2 if !parts.is_empty() => {
                let other = random.below(parts.len());
                parts.swap(at, other);
            }
            3 if !parts.is_empty() => parts[at] = INSERTS[random.below(INSERTS.len())].to_string(),
            4 if !donor.is_empty() => {
                let from = random.below(donor.len());
                let n = 1 + random.below(20);
                let run = donor[from..(from + n).min(donor.len())].to_vec();
                parts.splice(at..at, run);
            }
            5 if !parts.is_empty() => {
                let n = 1 + random.below(30);
                parts.drain(at..(at + n).min(parts.len()));
            }
            _ => parts.insert(at, INSERTS[random.below(INSERTS.len())].to_string()),
        }
    }
    let mut bytes = parts.concat().into_bytes();
    if random.below(8) == 0 && !bytes.is_empty() {
        let at = random.below(bytes.len());
        bytes[at] = random.next() as u8;
    }
    bytes
}

/// Does all that `check` and `fmt` do, and throws the answer away.
fn inspect(bytes: Vec<u8>, dir: &Path) {
    let Ok(text) = mlc_compiler::decode(FileId(0), bytes) else {
        return;
    };
    let _ = mlc_compiler::format(&text);
    let (mut pipeline, opened) = Pipeline::open(
        &dir.join("mutant.ml"),
        &text,
        LowerOptions::default(),
        RunOptions::default(),
    );
    let s = &mut pipeline.session;
    let mut reports = opened.err().map_or(vec![], |f| f.reports);
    for i in 0..s.stages().len() {
        reports.extend(s.lower_stage(i).err().map_or(vec![], |f| f.reports));
    }
    for i in 0..s.tests().len() {
        reports.extend(s.lower_test(i).err().map_or(vec![], |f| f.reports));
    }
    reports.extend(s.check_definitions());
    reports.truncate(20);
    let _ = render(&reports, s.sources(), false);
}

#[test]
fn mutants_end_without_a_panic() {
    let count: usize = std::env::var("MLC_MUTANTS").map_or(400, |n| n.parse().unwrap());
    let texts: Vec<String> = all_pipelines()
        .iter()
        .filter_map(|p| String::from_utf8(std::fs::read(p).unwrap()).ok())
        .collect();
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().to_path_buf();
    let (give, jobs) = mpsc::channel::<Vec<u8>>();
    let (done, ended) = mpsc::channel::<bool>();
    // As deep a stack as the command's.
    let worker = std::thread::Builder::new()
        .stack_size(512 << 20)
        .spawn(move || {
            for bytes in jobs {
                let dir = root.clone();
                let result =
                    std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| inspect(bytes, &dir)));
                done.send(result.is_ok()).unwrap();
            }
        });
    let mut random = Rng(20_261_124);
    for i in 0..count {
        let bytes = mutant(&texts, &mut random);
        let shown = String::from_utf8_lossy(&bytes).into_owned();
        give.send(bytes).unwrap();
        match ended.recv_timeout(PATIENCE) {
            Ok(true) => {}
            Ok(false) => panic!("mutant {i} makes the compiler panic:\n{shown}"),
            Err(e) => panic!("mutant {i} does not end ({e}):\n{shown}"),
        }
    }
    drop(give);
    worker.unwrap().join().unwrap();
}
