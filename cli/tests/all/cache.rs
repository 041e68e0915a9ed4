//! Results of stages kept from run to run.

use super::root;
use assert_cmd::Command;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

const PIPELINE: &str = "use std.optim.{adam, sgd}
data table = csv(\"table.csv\")
data other = csv(\"other.csv\")
param w = 0.5
param v = 1.0
state n = 2
fn loss(b) = mean(for (x, y) in (b.x, b.y) { (w * x - y)^2 })

// Batches in an order of their own, pictures, checkpoints.
stage fit = train b in table.shuffle().batch(4) for 12 epochs {
  minimize loss(b) over w using adam(lr: 0.02)
  log now = loss(b), noise = mean(randn(3))
  every 4 epochs {
    log whole = loss(table)
    table w, title: \"numbers\"
    checkpoint
  }
}
// Reads no data; ends early.
stage apart = train for 200 steps {
  minimize (v - 3.0)^2 over v using sgd(lr: 0.1)
  stop when abs(v - 3.0) < 0.01
}
// Batches that grow.
stage grows = train b in other.batch(size: n) for 3 epochs after fit {
  set n = min(n + 1, 4)
  set w = w + 0.1 * mean(b.z)
  log rows = len(b.z)
}
stage try(rate) = train for 30 steps { minimize exp(v * v - v) over v using sgd(lr: rate) }
stage sums = compute after grows { log w = w, v = apart.v, steps = len(apart.log.objective) }
stage tried = compute { log ends = for r in [0.1, 1e3] { try(r).v } }
stage look = report after sums {
  plot fit.log.now, title: \"curve\"
  table w, title: \"end\"
}
";

struct Place {
    dir: tempfile::TempDir,
}

impl Place {
    fn new(text: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let place = Self { dir };
        place.write("p.ml", text);
        let row = |i: usize| format!("{},{}\n", i as f64 / 8.0, (i * i % 7) as f64 / 4.0);
        let rows: String = (0..18).map(row).collect();
        place.write("table.csv", &format!("x,y\n{rows}"));
        place.write("other.csv", "z\n1.0\n2.0\n0.5\n-1.0\n3.0\n1.5\n0.25\n");
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    fn edit(&self, name: &str, from: &str, to: &str) {
        let text = fs::read_to_string(self.path(name)).unwrap();
        assert!(text.contains(from));
        self.write(name, &text.replace(from, to));
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut c = Command::new(assert_cmd::cargo::cargo_bin!("mlc"));
        c.current_dir(self.dir.path()).args(args);
        c.env("MLC_CACHE", self.path("cache"))
            .env("MLC_CACHE_MS", "0");
        c
    }

    /// What it says, on stdout and on stderr.
    fn says(&self, args: &[&str]) -> (String, String) {
        let out = self.command(args).output().unwrap();
        let text = |b: Vec<u8>| String::from_utf8(b).unwrap();
        let (said, complained) = (text(out.stdout), text(out.stderr));
        assert!(out.status.success(), "{args:?}: {complained}");
        (said, complained)
    }

    /// Runs, and says which stages were told again, in order.
    fn run(&self, out: &str, more: &[&str]) -> Vec<String> {
        let mut args = vec!["run", "p.ml", "--out", out, "--json"];
        args.extend(more);
        reused(&self.says(&args).0)
    }

    /// What a run that keeps nothing leaves.
    fn plain(&self, more: &[&str]) -> BTreeMap<String, Vec<u8>> {
        let mut args = vec!["run", "p.ml", "--out", "plain"];
        args.extend(more);
        let done = self.command(&args).env("MLC_CACHE", "off").status_ok();
        assert!(done);
        let files = self.files("plain");
        fs::remove_dir_all(self.path("plain")).unwrap();
        files
    }

    fn files(&self, out: &str) -> BTreeMap<String, Vec<u8>> {
        let entries = fs::read_dir(self.path(out)).unwrap();
        let read = |p: PathBuf| {
            let name = p.file_name().unwrap().to_str().unwrap().to_string();
            let mut bytes = fs::read(p).unwrap();
            if name == "report.html" {
                bytes = super::timeless(&bytes);
            }
            (name, bytes)
        };
        entries.map(|e| read(e.unwrap().path())).collect()
    }

    /// Each stage, what would happen to it and why.
    fn plan(&self, more: &[&str]) -> Vec<String> {
        let mut args = vec!["plan", "p.ml", "--json"];
        args.extend(more);
        let lines = self.says(&args).0;
        let line = |l: &str| {
            let v: Value = serde_json::from_str(l).unwrap();
            let text = |k: &str| v[k].as_str().unwrap().to_string();
            format!("{} {} {}", text("stage"), text("will"), text("why"))
        };
        lines.lines().map(line).collect()
    }

    fn entries(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.path("cache")).unwrap();
        let mut paths: Vec<_> = entries.map(|e| e.unwrap().path()).collect();
        paths.retain(|p| p.extension().is_some_and(|e| e == "stage"));
        paths
    }
}

trait StatusOk {
    fn status_ok(&mut self) -> bool;
}

impl StatusOk for Command {
    fn status_ok(&mut self) -> bool {
        self.output().unwrap().status.success()
    }
}

fn reused(lines: &str) -> Vec<String> {
    let values = lines.lines().map(|l| serde_json::from_str(l).unwrap());
    values
        .filter(|v: &Value| v["event"] == "reused")
        .map(|v| v["stage"].as_str().unwrap().to_string())
        .collect()
}

/// Files equal but for the report's source, where the pipeline was edited meanwhile.
#[track_caller]
fn same(a: &BTreeMap<String, Vec<u8>>, b: &BTreeMap<String, Vec<u8>>) {
    let names = |m: &BTreeMap<String, Vec<u8>>| m.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(a), names(b));
    for (name, bytes) in a {
        assert!(*bytes == b[name], "{name} differs");
    }
}

const ALL: [&str; 8] = [
    "fit",
    "apart",
    "grows",
    "sums",
    "try(rate: 0.1)",
    "try(rate: 1000.0)",
    "tried",
    "look",
];

#[test]
fn what_is_told_again_is_a_run_to_the_bit() {
    let place = Place::new(PIPELINE);
    let plain = place.plain(&[]);
    assert!(
        plain.contains_key("fit-20.safetensors"),
        "{:?}",
        plain.keys()
    );
    assert_eq!(place.run("first", &[]), Vec::<String>::new());
    same(&plain, &place.files("first"));
    assert_eq!(place.run("second", &[]), ALL);
    same(&plain, &place.files("second"));
    assert_eq!(place.run("fresh", &["--fresh"]), Vec::<String>::new());
    same(&plain, &place.files("fresh"));
    // What is logged is seen again, and so is what failed.
    let (said, _) = place.says(&["run", "p.ml", "--out", "third"]);
    assert!(said.contains("fit  kept from a run"), "{said}");
    assert!(said.contains("fit  epoch 4 step 20  whole"), "{said}");
    assert!(said.contains("try(rate: 1000.0)  ends at step"), "{said}");
    // Some stages, and what they need.
    assert_eq!(
        place.run("some", &["sums"]),
        ["fit", "grows", "apart", "sums"]
    );
}

#[test]
fn an_edit_redoes_what_it_reaches() {
    let place = Place::new(PIPELINE);
    let mut n = 0;
    let mut check = |place: &Place, again: &[&str], more: &[&str]| {
        n += 1;
        let out = format!("run-{n}");
        let reused = place.run(&out, more);
        let ran: Vec<&str> = ALL
            .into_iter()
            .filter(|s| !reused.iter().any(|r| r == s))
            .collect();
        assert_eq!(ran, again, "run {n}");
        same(&place.plain(more), &place.files(&out));
    };
    check(&place, &ALL, &[]);
    // Words.
    place.edit("p.ml", "// Reads no data; ends early.", "// Ends.");
    check(&place, &[], &[]);
    // A stage by itself: what reads it runs too, and what follows from that only if it differs.
    place.edit("p.ml", "< 0.01", "< 0.02");
    check(&place, &["apart", "sums"], &[]);
    // A function that two stages use, of which one logs the same as before.
    place.edit("p.ml", "(w * x - y)^2", "(w * x - y - 0.0)^2 + 0.0");
    let out = place.run("zero", &[]);
    assert!(!out.contains(&"fit".to_string()));
    assert!(out.contains(&"apart".to_string()));
    // Data of one stage.
    place.edit("other.csv", "3.0", "3.5");
    check(&place, &["grows", "sums", "look"], &[]);
    place.edit("table.csv", "0.25,1\n", "0.25,1.5\n");
    check(&place, &["fit", "grows", "sums", "look"], &[]);
    // A first value.
    place.edit("p.ml", "param v = 1.0", "param v = 1.5");
    check(
        &place,
        &[
            "apart",
            "sums",
            "try(rate: 0.1)",
            "try(rate: 1000.0)",
            "tried",
        ],
        &[],
    );
    // The seed, where something draws.
    check(&place, &["fit", "grows", "sums", "look"], &["--seed", "9"]);
    check(&place, &[], &["--seed", "9"]);
    check(&place, &[], &[]);
    // How it is computed.
    check(&place, &ALL, &["--disable-pass", "fold_constants"]);
}

#[test]
fn a_plan_says_what_would_run_and_why() {
    let place = Place::new(PIPELINE);
    let all = |what: &str| ALL.map(|s| format!("{s} {what}")).to_vec();
    let first = place.plan(&[]);
    assert_eq!(first[0], "fit run never");
    assert_eq!(first.len(), ALL.len(), "{first:?}");
    // How often an application logs is known when it has run.
    assert_eq!(first[6], "tried depends stage");
    place.run("a", &[]);
    assert_eq!(place.plan(&[]), all("reuse kept"));
    assert_eq!(place.plan(&["--fresh"]), all("run fresh"));
    place.edit("p.ml", "lr: 0.02", "lr: 0.03");
    let plan = place.plan(&[]);
    let has = |plan: &[String], line: &str| {
        assert!(plan.iter().any(|l| l == line), "{line}: {plan:?}");
    };
    for line in [
        "fit run code",
        "apart reuse kept",
        "grows depends stage",
        "tried reuse kept",
    ] {
        has(&plan, line);
    }
    place.run("b", &[]);
    place.edit("table.csv", "0.25,1\n", "0.25,1.5\n");
    has(&place.plan(&["fit"]), "fit run data");
    assert_eq!(place.plan(&["fit"]).len(), 1);
    place.edit("table.csv", "0.25,1.5\n", "0.25,1\n");
    has(&place.plan(&["--seed", "4"]), "fit run seed");
    place.edit("p.ml", "param v = 1.0", "param v = 1.5");
    has(&place.plan(&[]), "apart run values");
    place.edit("p.ml", "param v = 1.5", "param v = 1.0");
    // Nothing is kept, but what was left is known.
    place.says(&["cache", "prune", "--all"]);
    assert_eq!(place.plan(&[]), all("run gone"));
    let short = place
        .command(&["plan", "p.ml", "fit"])
        .env("MLC_CACHE_MS", "1000000")
        .output()
        .unwrap();
    let said = String::from_utf8(short.stdout).unwrap();
    assert!(said.contains("too short to be kept"), "{said}");
    let unknown = place.command(&["plan", "p.ml", "fitt"]).output().unwrap();
    assert_eq!(unknown.status.code(), Some(2));
    // A plan runs nothing and leaves nothing.
    assert!(place.entries().is_empty());
}

#[test]
fn what_is_damaged_is_told_of_and_computed_anew() {
    let place = Place::new(PIPELINE);
    let plain = place.plain(&[]);
    place.run("first", &[]);
    for path in place.entries() {
        let mut bytes = fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 4;
        fs::write(&path, bytes).unwrap();
    }
    let checked = place.command(&["cache", "check"]).output().unwrap();
    assert_eq!(checked.status.code(), Some(4));
    assert!(place.plan(&[])[0].contains("fit run damaged"));
    let (said, complained) = place.says(&["run", "p.ml", "--json", "--out", "second"]);
    assert_eq!(reused(&said), Vec::<String>::new());
    assert_eq!(complained.matches("is damaged").count(), ALL.len());
    same(&plain, &place.files("second"));
    assert_eq!(place.run("third", &[]), ALL);
    assert!(place.command(&["cache", "check"]).status_ok());
}

/// Killed at any moment, runs leave nothing that misleads the next.
#[test]
fn killed_runs_leave_nothing_wrong() {
    let place = Place::new(&PIPELINE.replace("12 epochs", "400 epochs"));
    let plain = place.plain(&[]);
    let start = |place: &Place| {
        std::process::Command::new(assert_cmd::cargo::cargo_bin!("mlc"))
            .current_dir(place.dir.path())
            .args(["run", "p.ml", "--out", "killed"])
            .env("MLC_CACHE", place.path("cache"))
            .env("MLC_CACHE_MS", "0")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap()
    };
    for n in 0..20 {
        let mut run = start(&place);
        std::thread::sleep(Duration::from_millis(25 + n * 37 % 400));
        // SIGKILL, where there is one.
        run.kill().unwrap();
        run.wait().unwrap();
        assert!(place.command(&["cache", "check"]).status_ok());
        if n % 5 == 4 && place.path("cache").exists() {
            place.says(&["cache", "prune", "--all"]);
        }
    }
    place.run("whole", &[]);
    same(&plain, &place.files("whole"));
}

#[test]
fn runs_at_the_same_time_do_not_disturb_one_another() {
    let place = Place::new(PIPELINE);
    let plain = place.plain(&[]);
    for round in 0..3 {
        let outs: Vec<String> = (0..4).map(|i| format!("{round}-{i}")).collect();
        std::thread::scope(|s| {
            for out in &outs {
                s.spawn(|| place.run(out, &[]));
            }
            if round > 0 {
                s.spawn(|| place.says(&["cache", "prune", "--all"]));
            }
        });
        outs.iter().for_each(|o| same(&plain, &place.files(o)));
        assert!(place.command(&["cache", "check"]).status_ok());
    }
}

#[test]
fn a_folder_that_cannot_be_used_is_told_of_once() {
    let place = Place::new(PIPELINE);
    place.write("file", "");
    let run = |cache: &Path| {
        let mut c = place.command(&["run", "p.ml", "--out", "out"]);
        let out = c.env("MLC_CACHE", cache).output().unwrap();
        assert!(out.status.success());
        String::from_utf8(out.stderr).unwrap()
    };
    let said = run(&place.path("file/below"));
    assert_eq!(said.matches("cannot be").count(), 1, "{said}");
    same(&place.plain(&[]), &place.files("out"));
}

#[test]
fn what_is_kept_can_be_listed_and_removed() {
    let place = Place::new(PIPELINE);
    let empty = place.says(&["cache", "list"]).0;
    assert!(empty.starts_with("0 results"), "{empty}");
    place.run("out", &[]);
    let list = place.says(&["cache", "list"]).0;
    assert_eq!(list.lines().count(), ALL.len() + 1, "{list}");
    assert!(list.contains("try(rate: 0.1)  p.ml"), "{list}");
    let json = place.says(&["cache", "list", "--json"]).0;
    let first: Value = serde_json::from_str(json.lines().next().unwrap()).unwrap();
    assert_eq!(first["pipeline"], "p.ml");
    assert!(place.says(&["cache", "prune"]).0.contains("removed 0"));
    let to = place.says(&["cache", "prune", "--to", "0"]).0;
    assert!(to.contains(&format!("removed {}", ALL.len())), "{to}");
    let off = place
        .command(&["cache", "list"])
        .env("MLC_CACHE", "off")
        .output()
        .unwrap();
    assert_eq!(off.status.code(), Some(3));
    // The tests of a pipeline use what is kept, too.
    place.edit(
        "p.ml",
        "data table",
        "test \"t\" { assert fit.w != 0.5 }\ndata table",
    );
    let said = place.command(&["test", "p.ml"]).output().unwrap();
    assert!(said.status.success());
    assert_eq!(place.entries().len(), 1);
    assert!(root().exists());
}

/// A sweep is compiled once: its applications differ in numbers and in the keys of their draws. One that fails is a value.
#[test]
fn a_sweep_compiles_one_program() {
    let text = "use std.optim.adam
param w = zeros(40)
fn loss(p) = mean(for (x, i) in (p, 0..40) { (x - real(i) / 40.0)^2 })
stage fit(lr, wide = 1.0) = train for 30 steps {
  let noise = scan (c = 0.0) for i in 0..3 { next c = c * lr + 0.01 * mean(randn(4)) }
  minimize loss(w + noise) + exp(wide * sum(w * w)) * 1e-3 over w using adam(lr: lr)
}
stage sweep = compute {
  log ends = for r in [1e-4, 1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.3, 1.5] { loss(fit(r).w) }
}
stage one = compute { log end = loss(fit(0.01).w) }
stage wild = compute { log end = for s in [0.5, 1e30] { loss(fit(0.1, wide: s).w) } }
";
    let place = Place::new(text);
    let compiled = |stages: &[&str]| {
        let mut args = vec!["run", "p.ml", "--fresh", "--json", "--out", "out"];
        args.extend(stages);
        let lines = place.says(&args).0;
        let all = lines
            .lines()
            .map(|l| serde_json::from_str::<Value>(l).unwrap());
        let stages = all.filter(|v| v["event"] == "compiled");
        let stages = stages.map(|v| v["stage"].as_str().unwrap().to_string());
        (stages.collect::<Vec<_>>(), lines)
    };
    let (stages, swept) = compiled(&["sweep"]);
    let steps = |all: &[String]| all.iter().filter(|s| s.ends_with(')')).count();
    assert_eq!(steps(&stages), 1, "{stages:?}");
    // What an application leaves does not depend on what ran before it.
    let logs = |lines: &str| {
        let of = lines
            .lines()
            .filter(|l| l.contains("\"fit(lr: 0.01, ") && l.contains("log"));
        of.filter(|l| !l.contains("compiled"))
            .map(str::to_string)
            .collect::<Vec<_>>()
    };
    let (_, alone) = compiled(&["one"]);
    assert_eq!(logs(&alone).len(), 30);
    assert_eq!(logs(&alone), logs(&swept));
    let (stages, lines) = compiled(&["wild"]);
    assert_eq!(steps(&stages), 1, "{stages:?}");
    assert!(lines.contains("\"failed\""), "{lines}");
    // And by the interpreter it is the same but for rounding.
    let (said, _) = place.says(&["run", "p.ml", "one", "--interpret", "--out", "slow"]);
    let number = |text: &str| -> f64 {
        let line = text.lines().find(|l| l.starts_with("one  end")).unwrap();
        line.split([':', ' ', '}'])
            .filter_map(|w| w.parse::<f64>().ok())
            .next_back()
            .unwrap()
    };
    let fast = place.says(&["run", "p.ml", "one", "--out", "fast"]).0;
    assert!(
        (number(&said) - number(&fast)).abs() < 1e-4,
        "{said} {fast}"
    );
}
