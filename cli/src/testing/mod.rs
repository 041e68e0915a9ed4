//! `mlc test`: one pipeline in this process; several, each in a process of its own, at the same time.

mod found;
mod junit;
mod one;
mod review;

use crate::options::TestArgs;
use crate::{Exit, output};
use found::Found;
use serde::{Deserialize, Serialize};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex};

/// How a test ended, as the processes tell one another.
#[derive(Serialize, Deserialize, Clone, Copy, PartialEq, Eq, Debug)]
enum Outcome {
    Passed,
    Failed,
    /// It could not be run.
    Broken,
}

#[derive(Serialize, Deserialize, Clone, Debug)]
struct Case {
    name: String,
    outcome: Outcome,
    seconds: f64,
    /// What is said of it, without colours.
    text: String,
}

/// The tests of one pipeline.
#[derive(Serialize, Deserialize, Clone, Debug)]
pub struct Suite {
    file: PathBuf,
    cases: Vec<Case>,
    /// Golden values that no snapshot has any more, in words.
    stale: Vec<String>,
}

impl Suite {
    pub fn len(&self) -> usize {
        self.cases.len()
    }

    pub fn passed(&self) -> usize {
        let passed = |c: &&Case| c.outcome == Outcome::Passed;
        self.cases.iter().filter(passed).count()
    }
}

/// Is this a machine that only looks? By `--ci`, or by the variable that such machines set.
fn only_looks(args: &TestArgs) -> bool {
    let told = std::env::var("CI").is_ok_and(|v| !v.is_empty() && v != "false" && v != "0");
    args.ci || told
}

pub fn test(args: &TestArgs) -> Exit {
    if (args.accept || args.review) && only_looks(args) {
        complain!("error: with `--ci`, or where `CI` is set, no golden value is written");
        return Exit::Misuse;
    }
    let here = [PathBuf::from(".")];
    let paths = if args.paths.is_empty() {
        &here[..]
    } else {
        &args.paths
    };
    if let [file] = paths
        && !file.is_dir()
    {
        return one::test(file, args);
    }
    if args.review {
        complain!("error: `--review` is for one pipeline: `mlc test FILE --review`");
        return Exit::Misuse;
    }
    match found::find(paths) {
        Ok(found) => several(&found, args),
        Err((path, e)) => {
            complain!("error: cannot read `{}`: {e}", path.display());
            Exit::Environment
        }
    }
}

/// The `--set`s that a file has a `let` for.
fn sets_of<'a>(text: &str, args: &'a TestArgs) -> Vec<&'a (String, String)> {
    let defines = |name: &str| {
        let rest = |l: &str| {
            let after = l.strip_prefix("let ")?.strip_prefix(name)?;
            Some(after.trim_start().starts_with('='))
        };
        text.lines().any(|l| rest(l) == Some(true))
    };
    args.sets.iter().filter(|s| defines(&s.0)).collect()
}

fn several(found: &Found, args: &TestArgs) -> Exit {
    if found.files.is_empty() {
        complain!("error: there is no pipeline with a test");
        return Exit::Misuse;
    }
    let nowhere = |s: &&(String, String)| {
        let has = |f: &(PathBuf, String)| sets_of(&f.1, args).iter().any(|k| k.0 == s.0);
        !found.files.iter().any(has)
    };
    if let Some((name, _)) = args.sets.iter().find(nowhere) {
        complain!("error: no pipeline has a `let {name}` at its top");
        return Exit::Misuse;
    }
    let done = match run_all(found, args) {
        Ok(done) => done,
        Err(e) => {
            complain!("error: cannot start a process: {e}");
            return Exit::Environment;
        }
    };
    let mut exit = if found.orphans.is_empty() {
        Exit::Done
    } else {
        Exit::Failed
    };
    for orphan in &found.orphans {
        say!(
            "STALE   {}: there is no pipeline beside it",
            orphan.display()
        );
    }
    let (mut passed, mut all) = (0, 0);
    for (_, suite, code) in &done {
        passed += suite.passed();
        all += suite.cases.len();
        exit = worse(exit, *code);
    }
    say!(
        "{passed} of {all} tests passed, in {} pipelines",
        done.len()
    );
    let suites: Vec<Suite> = done.into_iter().map(|d| d.1).collect();
    junit::written(args.junit.as_deref(), &suites, exit)
}

/// The exit of several commands: that of the first kind that went wrong, a failed test last.
fn worse(exit: Exit, code: Option<i32>) -> Exit {
    let now = match code {
        Some(0) => Exit::Done,
        Some(1) => Exit::Pipeline,
        Some(2) => Exit::Misuse,
        Some(3) => Exit::Environment,
        Some(4) => Exit::Failed,
        Some(130) => Exit::Interrupted,
        _ => Exit::Internal,
    };
    match (exit, now) {
        (Exit::Done | Exit::Failed, now) if now != Exit::Done => now,
        (exit, _) => exit,
    }
}

/// What a process said, how its tests ended, and its exit code.
pub type Done = (Output, Suite, Option<i32>);

/// Runs each file's tests, as many at once as `--jobs` says, and shows what they say in the order of the files.
fn run_all(found: &Found, args: &TestArgs) -> std::io::Result<Vec<Done>> {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let jobs = args.jobs.unwrap_or(cores).clamp(1, found.files.len());
    let next = AtomicUsize::new(0);
    let results: Mutex<Vec<Option<std::io::Result<Done>>>> =
        Mutex::new(found.files.iter().map(|_| None).collect());
    let changed = Condvar::new();
    std::thread::scope(|scope| {
        for _ in 0..jobs {
            scope.spawn(|| {
                loop {
                    let i = next.fetch_add(1, Ordering::Relaxed);
                    let Some((file, text)) = found.files.get(i) else {
                        return;
                    };
                    let done = run_one(file, text, args);
                    lock(&results)[i] = Some(done);
                    changed.notify_all();
                }
            });
        }
        let mut out = Vec::new();
        for i in 0..found.files.len() {
            let mut all = lock(&results);
            let done = loop {
                match all[i].take() {
                    Some(done) => break done,
                    None => all = changed.wait(all).unwrap_or_else(|e| e.into_inner()),
                }
            };
            drop(all);
            let done = done?;
            say!("{}", found.files[i].0.display());
            output::bytes(&done.0.stdout);
            let _ = std::io::stderr().write_all(&done.0.stderr);
            out.push(done);
        }
        Ok(out)
    })
}

fn lock<T>(m: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    m.lock().unwrap_or_else(|e| e.into_inner())
}

/// The tests of a file, in a process of their own, with the options that `more` adds.
///
/// # Errors
/// If the process cannot be started.
pub fn tested(file: &Path, more: impl FnOnce(&mut Command)) -> std::io::Result<Done> {
    let results = tempfile::NamedTempFile::new()?;
    let mut command = Command::new(std::env::current_exe()?);
    command
        .arg("test")
        .arg(file)
        .arg("--results")
        .arg(results.path());
    more(&mut command);
    let output = command.stdin(Stdio::null()).output()?;
    let told = std::fs::read(results.path())?;
    let suite = serde_json::from_slice(&told).unwrap_or_else(|_| Suite::broken(file, &output));
    let code = output.status.code();
    Ok((output, suite, code))
}

/// The tests of one of several files.
fn run_one(file: &Path, text: &str, args: &TestArgs) -> std::io::Result<Done> {
    tested(file, |command| hand_on(command, text, args))
}

/// Gives a process the options of this one.
fn hand_on(command: &mut Command, text: &str, args: &TestArgs) {
    for (name, value) in sets_of(text, args) {
        command.arg("--set").arg(format!("{name}={value}"));
    }
    for (given, flag) in [
        (args.allow_outside, "--allow-outside"),
        (args.accept, "--accept"),
        (args.ci, "--ci"),
        (args.run.fresh, "--fresh"),
        (args.run.interpret, "--interpret"),
    ] {
        if given {
            command.arg(flag);
        }
    }
    if let Some(filter) = &args.filter {
        command.arg("--filter").arg(filter);
    }
    for pass in &args.run.disable_pass {
        command.arg("--disable-pass").arg(pass);
    }
    if let Some(mb) = args.run.max_memory {
        command.arg("--max-memory").arg(mb.to_string());
    }
    // The cores are taken by other pipelines.
    let threads = args.run.threads.unwrap_or(1);
    command.arg("--threads").arg(threads.to_string());
    command.arg("--seed").arg(args.run.seed.to_string());
}

impl Suite {
    /// A pipeline that could not be tested.
    fn broken(file: &Path, output: &Output) -> Self {
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        let (name, outcome, seconds) = ("the pipeline".to_string(), Outcome::Broken, 0.0);
        let case = Case {
            name,
            outcome,
            seconds,
            text,
        };
        Self {
            file: file.to_path_buf(),
            cases: vec![case],
            stale: vec![],
        }
    }
}
