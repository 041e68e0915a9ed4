//! Runs that end early, and go on.

use super::Rng;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// Batches in an order of their own, pictures, checkpoints; batches that grow, and the best of what they left; a stage that
/// ends by itself; one of several applications, one of which fails.
const PIPELINE: &str = "use std.optim.{adam, sgd}
let rate = 0.02
data table = csv(\"table.csv\")
param w = 0.5
param v = 1.0
state n = 2
fn loss(b) = mean(for (x, y) in (b.x, b.y) { (w * x - y)^2 })
stage fit = train b in table.shuffle().batch(4) for 60 epochs {
  minimize loss(b) over w using adam(lr: rate)
  log now = loss(b), noise = mean(randn(3))
  every 20 epochs {
    log whole = loss(table)
    table w, title: \"numbers\"
    checkpoint
  }
}
stage grows = train b in table.shuffle().batch(size: n) for 40 epochs after fit {
  set n = min(n + 1, 8)
  set w = w + 0.001 * mean(b.x)
  log rows = len(b.x)
  keep lowest loss(b)
}
stage apart = train for 500 steps {
  minimize (v - 3.0)^2 over v using sgd(lr: 0.005)
  stop when abs(v - 3.0) < 0.1
}
stage try(lr) = train for 60 steps { minimize exp(v * v - v) over v using sgd(lr: lr) }
stage sums = compute after grows { log w = w, v = apart.v, steps = len(apart.log.objective) }
stage tried = compute { log ends = for r in [0.1, 1e3] { try(r).v } }
stage look = report after sums {
  plot fit.log.now, title: \"curve\"
  table w, title: \"end\"
}
";

/// Some seconds of short steps.
pub const LONG: &str = "use std.optim.adam
let rate = 0.02
data table = csv(\"table.csv\")
param w = 0.5
stage before = compute { log first = w }
stage fit = train b in table.shuffle().batch(4) for 12000 epochs {
  minimize mean(for (x, y) in (b.x, b.y) { (w * x - y)^2 }) over w using adam(lr: rate)
}
";

/// A folder with pipelines and data.
pub struct Folder {
    dir: tempfile::TempDir,
}

impl Folder {
    pub fn new(text: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let folder = Self { dir };
        folder.write("p.ml", text);
        let row = |i: usize| format!("{},{}\n", i as f64 / 8.0, (i * i % 7) as f64 / 4.0);
        let rows: String = (0..18).map(row).collect();
        folder.write("table.csv", &format!("x,y\n{rows}"));
        folder
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    pub fn read(&self, name: &str) -> Vec<u8> {
        let path = self.path(name);
        fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
    }

    /// Swaps words of a file.
    pub fn edit(&self, name: &str, from: &str, to: &str) {
        let text = fs::read_to_string(self.path(name)).unwrap();
        assert!(text.contains(from), "{from}");
        self.write(name, &text.replace(from, to));
    }

    /// The command, which keeps nothing for other runs.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut c = Command::new(assert_cmd::cargo::cargo_bin!("mlc"));
        c.current_dir(self.dir.path()).args(args);
        c.env("MLC_CACHE", "off");
        c
    }

    /// Runs a pipeline that goes well. What it says on stdout, and on stderr.
    #[track_caller]
    pub fn run(&self, args: &[&str]) -> (String, String) {
        let out = self.command(&[&["run", "p.ml"], args].concat()).output();
        let (code, said, complained) = told(&out.unwrap());
        assert_eq!(code, Some(0), "{args:?}: {complained}");
        (said, complained)
    }

    /// Runs a pipeline that ends with this exit code. What it says on stderr.
    #[track_caller]
    pub fn fails(&self, code: i32, args: &[&str]) -> String {
        let out = self.command(args).output().unwrap();
        let (ended, said, complained) = told(&out);
        assert_eq!(ended, Some(code), "{args:?}: {said}{complained}");
        complained
    }

    pub fn start(&self, args: &[&str]) -> Child {
        let mut c = self.command(&[&["run", "p.ml"], args].concat());
        c.stdout(Stdio::null()).stderr(Stdio::piped());
        c.spawn().unwrap()
    }

    /// Starts a run of the long pipeline and waits until it has logged some steps.
    pub fn start_long(&self, out: &str, more: &[&str]) -> Child {
        let child = self.start(&[&["--out", out], more].concat());
        let metrics = self.path(out).join("metrics.jsonl");
        let start = Instant::now();
        while fs::metadata(&metrics).map_or(0, |m| m.len()) < 40_000 {
            assert!(
                start.elapsed() < Duration::from_secs(60),
                "nothing is logged"
            );
            std::thread::sleep(Duration::from_millis(1));
        }
        child
    }

    /// Runs the long pipeline until a signal ends it. What it says on stderr.
    pub fn interrupt(&self, out: &str, more: &[&str], signal: i32) -> String {
        let child = self.start_long(out, more);
        send(&child, signal);
        let (code, _, complained) = told(&child.wait_with_output().unwrap());
        assert_eq!(code, Some(130), "{complained}");
        complained
    }

    /// The checkpoints of the stage that trains, the latest first.
    pub fn checkpoints(&self, out: &str) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.path(out).join("checkpoints")).unwrap();
        let mut found: Vec<(u64, PathBuf)> = entries
            .filter_map(|e| {
                let path = e.unwrap().path();
                let stem = path.file_stem()?.to_str()?.to_string();
                Some((stem.rsplit('-').next()?.parse().ok()?, path))
            })
            .collect();
        found.sort();
        found.into_iter().rev().map(|f| f.1).collect()
    }

    /// The run left what another left, to the bit, and nothing else.
    #[track_caller]
    pub fn same(&self, a: &str, b: &str) {
        let names = |out: &str| {
            let entries = fs::read_dir(self.path(out)).unwrap();
            let names = entries.map(|e| e.unwrap().file_name().into_string().unwrap());
            let mut names: Vec<String> = names.filter(|n| n != "interrupted.safetensors").collect();
            names.sort();
            names
        };
        assert_eq!(names(a), names(b));
        for name in names(a) {
            let [a, b] = [a, b].map(|out| {
                let bytes = self.read(&format!("{out}/{name}"));
                match name.as_str() {
                    "report.html" => super::timeless(&bytes),
                    _ => bytes,
                }
            });
            assert!(a == b, "{name} differs");
        }
    }
}

pub fn told(out: &Output) -> (Option<i32>, String, String) {
    let text = |b: &[u8]| String::from_utf8_lossy(b).into_owned();
    (out.status.code(), text(&out.stdout), text(&out.stderr))
}

pub fn send(child: &Child, signal: i32) {
    // SAFETY: sends a signal to a process that we started and have not waited for.
    let sent = unsafe { libc::kill(child.id() as libc::pid_t, signal) };
    assert_eq!(sent, 0);
}

/// Killed at twenty random moments of a run that saves after every fifth step, so that most of them fall into a save, a run
/// goes on to the bits of one that was never killed. The moments are random words of the seed 5, scaled to what a run takes.
#[test]
fn killed_at_any_moment_a_run_goes_on_to_the_same_bits() {
    let folder = Folder::new(PIPELINE);
    folder.run(&["--out", "whole"]);
    let start = Instant::now();
    folder.run(&["--out", "saving", "--checkpoint", "5"]);
    let took = start.elapsed();
    folder.same("whole", "saving");
    let mut rng = Rng(5);
    let mut resumes = false;
    for _ in 0..20 {
        let place = if resumes { "--resume" } else { "--out" };
        let mut run = folder.start(&[place, "killed", "--checkpoint", "5"]);
        std::thread::sleep(took.mul_f64(rng.below(1000) as f64 / 1000.0));
        // SIGKILL.
        run.kill().unwrap();
        run.wait().unwrap();
        let started = fs::read_to_string(folder.path("killed/run.json"));
        resumes = started.is_ok();
        if started.is_ok_and(|s| s.contains("\"finished\": true")) {
            // It may have been killed before it removed what it needs no more.
            let _ = fs::remove_dir_all(folder.path("killed/checkpoints"));
            folder.same("whole", "killed");
            fs::remove_dir_all(folder.path("killed")).unwrap();
            resumes = false;
        }
    }
    let place = if resumes { "--resume" } else { "--out" };
    folder.run(&[place, "killed", "--checkpoint", "5"]);
    folder.same("whole", "killed");
}

#[test]
fn a_signal_lets_the_step_end_and_the_run_goes_on_later() {
    let folder = Folder::new(LONG);
    folder.run(&["--out", "whole"]);
    for (out, signal) in [("int", libc::SIGINT), ("term", libc::SIGTERM)] {
        let complained = folder.interrupt(out, &[], signal);
        assert!(
            complained.contains(&format!("`--resume {out}`")),
            "{complained}"
        );
        assert!(folder.path(out).join("interrupted.safetensors").exists());
        let before = folder.read(&format!("{out}/metrics.jsonl"));
        let (said, _) = folder.run(&["--resume", out]);
        assert!(said.contains("fit  goes on after step "), "{said}");
        assert!(
            folder
                .read(&format!("{out}/metrics.jsonl"))
                .starts_with(&before)
        );
        folder.same("whole", out);
    }
    // The newest of its own folders, if none is named.
    let mut own = folder.start(&[]);
    let runs = folder.path("runs/p");
    while !runs.exists() || fs::read_dir(&runs).unwrap().count() == 0 {
        std::thread::sleep(Duration::from_millis(1));
    }
    std::thread::sleep(Duration::from_millis(50));
    own.kill().unwrap();
    own.wait().unwrap();
    let (said, _) = folder.run(&["--resume"]);
    assert!(said.contains("see runs/p/"), "{said}");
    let complained = folder.fails(3, &["run", "p.ml", "--resume"]);
    assert!(
        complained.contains("there is no unfinished run under `runs/p`"),
        "{complained}"
    );
}

#[test]
fn a_second_signal_ends_a_run_at_once() {
    let folder = Folder::new(LONG);
    let child = folder.start_long("out", &[]);
    // The second comes while the first is being obeyed, or after.
    send(&child, libc::SIGINT);
    send(&child, libc::SIGTERM);
    let out = child.wait_with_output().unwrap();
    assert_eq!(out.status.code(), Some(130));
    folder.run(&["--resume", "out"]);
}

#[test]
fn of_damaged_checkpoints_the_one_before_is_used() {
    let folder = Folder::new(LONG);
    folder.run(&["--out", "whole"]);
    folder.interrupt("out", &["--checkpoint", "100"], libc::SIGINT);
    let damage = |path: &Path, at: usize| {
        let mut bytes = fs::read(path).unwrap();
        let at = bytes.len() * at / 10;
        bytes[at] ^= 4;
        fs::write(path, bytes).unwrap();
    };
    let found = folder.checkpoints("out");
    assert_eq!(found.len(), 2, "{found:?}");
    fs::create_dir(folder.path("kept")).unwrap();
    let copy = |from: &Path, to: &Path| {
        fs::create_dir_all(to).unwrap();
        for e in fs::read_dir(from).unwrap() {
            let path = e.unwrap().path();
            if path.is_file() {
                fs::copy(&path, to.join(path.file_name().unwrap())).unwrap();
            }
        }
    };
    copy(&folder.path("out"), &folder.path("kept"));
    copy(
        &folder.path("out/checkpoints"),
        &folder.path("kept/checkpoints"),
    );
    // In its tensors.
    damage(&found[0], 8);
    let (said, complained) = folder.run(&["--resume", "out"]);
    assert_eq!(
        complained.matches("cannot be used").count(),
        1,
        "{complained}"
    );
    assert!(complained.contains("its checksum is wrong"), "{complained}");
    let step = found[1].file_stem().unwrap().to_str().unwrap();
    let step = step.rsplit('-').next().unwrap();
    assert!(
        said.contains(&format!("goes on after step {step}\n")),
        "{said}"
    );
    folder.same("whole", "out");
    // Both: one in its header, one cut short.
    let found = folder.checkpoints("kept");
    damage(&found[0], 0);
    let bytes = fs::read(&found[1]).unwrap();
    fs::write(&found[1], &bytes[..bytes.len() / 2]).unwrap();
    let (said, complained) = folder.run(&["--resume", "kept"]);
    assert_eq!(
        complained.matches("cannot be used").count(),
        2,
        "{complained}"
    );
    assert!(!said.contains("goes on after"), "{said}");
    folder.same("whole", "kept");
}

#[test]
fn a_run_is_resumed_as_it_was_started_or_not_at_all() {
    let folder = Folder::new(LONG);
    folder.write("other.ml", LONG);
    folder.interrupt("out", &["--set", "rate=0.03", "--seed", "7"], libc::SIGINT);
    let before = folder.read("out/metrics.jsonl");
    let same = ["--resume", "out", "--set", "rate=0.03", "--seed", "7"];
    let refused = |file: &str, args: &[&str], why: &str| {
        let complained = folder.fails(3, &[&["run", file], args].concat());
        assert!(complained.contains(why), "{args:?}: {complained}");
        assert!(folder.read("out/metrics.jsonl").starts_with(&before));
    };
    refused(
        "p.ml",
        &["--resume", "out", "--set", "rate=0.03"],
        "`--seed 7`, and is resumed with 0",
    );
    refused(
        "p.ml",
        &["--resume", "out", "--seed", "7"],
        "with `--set rate=0.03`, and is resumed without",
    );
    refused(
        "p.ml",
        &[&same[..], &["before"]].concat(),
        "for all stages, and is resumed for `before`",
    );
    refused(
        "other.ml",
        &same,
        "is of the pipeline `p.ml`, not of `other.ml`",
    );
    refused(
        "p.ml",
        &[&same[..], &["--disable-pass", "fold_constants"]].concat(),
        "another `mlc`",
    );
    refused(
        "p.ml",
        &["--resume", "nowhere"],
        "`nowhere` is not the folder of a run",
    );
    folder.edit("p.ml", "w * x - y", "w * x + y");
    refused(
        "p.ml",
        &same,
        "`p.ml` is not what it was when the run in `out` started",
    );
    folder.edit("p.ml", "w * x + y", "w * x - y");
    // Checkpoints of another run.
    folder.interrupt(
        "second",
        &["--set", "rate=0.03", "--seed", "8"],
        libc::SIGINT,
    );
    let mine = folder.checkpoints("out").remove(0);
    let bytes = fs::read(&mine).unwrap();
    fs::copy(folder.checkpoints("second").remove(0), &mine).unwrap();
    refused(
        "p.ml",
        &same,
        "does not fit the stage `fit` of this run: it is of another seed",
    );
    fs::write(&mine, bytes).unwrap();
    folder.run(&same);
    refused("p.ml", &same, "has finished, so there is nothing to resume");
    folder.run(&["--out", "whole", "--set", "rate=0.03", "--seed", "7"]);
    folder.same("whole", "out");
}
