//! Golden values: what the `snapshot`s of a pipeline's tests were when they were last accepted, kept beside the pipeline.
//!
//! The file is text, for review: a line `test "name"`, below it for each snapshot its expression, and below that its tensors, each
//! with the name of its part, its type, and its elements in row-major order; or the lines of a text, each after a bar.

use crate::tensor::HostTensor;
use mlc_compiler::Report;
use mlc_compiler::ir::DType;
use mlc_compiler::program::{Kept, Snapshot, TestProgram};
use similar::{ChangeTag, TextDiff};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A tensor as it is kept.
#[derive(Clone, PartialEq, Debug)]
struct Part {
    part: String,
    ty: String,
    values: Vec<f64>,
}

/// One `snapshot` as it was accepted.
#[derive(Clone, PartialEq, Debug)]
struct Entry {
    text: String,
    parts: Vec<Part>,
    lines: Vec<String>,
}

/// A `snapshot` whose value is not the one accepted.
#[derive(Debug)]
pub struct Change {
    pub test: String,
    pub report: Report,
    /// What differs, a line each: `-` before, `+` now.
    pub diff: Vec<String>,
    /// Its place among the test's snapshots.
    index: usize,
    /// Was none accepted before?
    new: bool,
    now: Entry,
}

impl Change {
    /// Was no value of this snapshot accepted before?
    pub fn is_new(&self) -> bool {
        self.new
    }
}

/// The golden values of a pipeline, by test.
#[derive(Default, Debug)]
pub struct Golden {
    path: PathBuf,
    tests: BTreeMap<String, Vec<Entry>>,
    /// Tests that ran, with the number of their snapshots.
    ran: BTreeMap<String, usize>,
}

/// Where the golden values of a pipeline are: `vae.ml.snap` for `vae.ml`.
pub fn golden_path(pipeline: &Path) -> PathBuf {
    let mut name = pipeline.as_os_str().to_os_string();
    name.push(".snap");
    PathBuf::from(name)
}

impl Golden {
    /// Reads the golden values of a pipeline; without a file there are none.
    ///
    /// # Errors
    /// If there is a file that cannot be read, or that was not written by [`Golden::save`].
    pub fn load(pipeline: &Path) -> Result<Self, String> {
        let path = golden_path(pipeline);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(e) => return Err(format!("cannot read `{}`: {e}", path.display())),
        };
        let tests = parse(&text).map_err(|line| {
            format!(
                "`{}`, line {line}: not a line of golden values; remove the file and accept anew",
                path.display()
            )
        })?;
        Ok(Self {
            path,
            tests,
            ran: BTreeMap::new(),
        })
    }

    /// Compares what a test's snapshots are now with what was accepted.
    pub fn compare(&mut self, test: &TestProgram, outputs: &[HostTensor]) -> Vec<Change> {
        self.ran.insert(test.name.clone(), test.snapshots.len());
        let known = self.tests.get(&test.name);
        let mut changes = Vec::new();
        for (index, s) in test.snapshots.iter().enumerate() {
            let now = entry(s, outputs);
            let old = known.and_then(|k| k.get(index));
            let (title, label) = match old {
                None => ("a snapshot was never accepted", "a new value".to_string()),
                Some(old) => match difference(old, &now, tol_of(s)) {
                    None => continue,
                    Some(why) => ("a snapshot differs", why),
                },
            };
            let diff = diff(old, &now, tol_of(s));
            let title = format!("in the test \"{}\", {title}", test.name);
            let mut report = Report::new("E0618", title).label(s.span, label);
            if now.lines.is_empty() {
                if let Some(old) = old {
                    report = report.note(format!("accepted: {}", shown(&old.parts)));
                }
                report = report.note(format!("now: {}", shown(&now.parts)));
            } else {
                report = diff.iter().fold(report, |r, line| r.note(line.clone()));
            }
            report = report.hint("if it is right, `mlc test FILE --accept` or `--review` keeps it");
            changes.push(Change {
                test: test.name.clone(),
                report,
                diff,
                index,
                new: old.is_none(),
                now,
            });
        }
        changes
    }

    /// Takes what one snapshot is now. Those before it in its test are known.
    pub fn take(&mut self, change: &Change) {
        let entries = self.tests.entry(change.test.clone()).or_default();
        if change.index < entries.len() {
            entries[change.index] = change.now.clone();
        } else {
            entries.push(change.now.clone());
        }
    }

    /// Takes what a test's snapshots are now.
    pub fn accept(&mut self, test: &TestProgram, outputs: &[HostTensor]) {
        self.ran.insert(test.name.clone(), test.snapshots.len());
        let entries: Vec<Entry> = test.snapshots.iter().map(|s| entry(s, outputs)).collect();
        if entries.is_empty() {
            self.tests.remove(&test.name);
        } else {
            self.tests.insert(test.name.clone(), entries);
        }
    }

    /// Entries that no snapshot of the pipeline has any more, in words. `tests`: the names of all its tests.
    pub fn stale(&self, tests: &[String]) -> Vec<String> {
        let mut out = Vec::new();
        for (name, entries) in &self.tests {
            if !tests.contains(name) {
                out.push(format!("there is no test \"{name}\""));
            } else if let Some(&n) = self.ran.get(name)
                && n < entries.len()
            {
                out.push(format!(
                    "the test \"{name}\" has {n} snapshots, and {} are kept",
                    entries.len()
                ));
            }
        }
        out
    }

    /// Writes the file, without entries of tests that are not among `tests`; without any entry there is no file.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn save(&mut self, tests: &[String]) -> Result<(), String> {
        self.tests.retain(|name, _| tests.contains(name));
        let failed = |e: std::io::Error| format!("cannot write `{}`: {e}", self.path.display());
        if self.tests.is_empty() {
            return match std::fs::remove_file(&self.path) {
                Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(failed(e)),
                _ => Ok(()),
            };
        }
        crate::checkpoint::write_atomically(&self.path, self.text().as_bytes())
            .map_err(|e| format!("cannot write `{}`: {e}", self.path.display()))
    }

    fn text(&self) -> String {
        let mut text = String::from("// Golden values; `mlc test FILE --accept` writes them.\n");
        for (name, entries) in &self.tests {
            text += &format!("\ntest {}\n", serde_json::Value::from(name.as_str()));
            for e in entries {
                text += &format!("  snapshot {}\n", e.text);
                for k in &e.parts {
                    text += &format!("    {} {}:", k.part, k.ty.replace(' ', ""));
                    for v in &k.values {
                        text += &format!(" {v:?}");
                    }
                    text.push('\n');
                }
                for line in &e.lines {
                    text += format!("    | {line}").trim_end();
                    text.push('\n');
                }
            }
        }
        text
    }
}

/// The tests of a file's text, or the number of the first line that is wrong.
fn parse(text: &str) -> Result<BTreeMap<String, Vec<Entry>>, usize> {
    let mut tests: BTreeMap<String, Vec<Entry>> = BTreeMap::new();
    let mut current: Option<String> = None;
    for (i, line) in text.lines().enumerate() {
        let wrong = i + 1;
        if line.trim().is_empty() || line.starts_with("//") {
            continue;
        }
        if let Some(name) = line.strip_prefix("test ") {
            let name: String = serde_json::from_str(name).map_err(|_| wrong)?;
            tests.insert(name.clone(), Vec::new());
            current = Some(name);
            continue;
        }
        let entries = current
            .as_ref()
            .and_then(|n| tests.get_mut(n))
            .ok_or(wrong)?;
        if let Some(text) = line.strip_prefix("  snapshot ") {
            entries.push(Entry {
                text: text.to_string(),
                parts: Vec::new(),
                lines: Vec::new(),
            });
            continue;
        }
        if let Some(line) = line.strip_prefix("    |") {
            let line = line.strip_prefix(' ').unwrap_or(line).to_string();
            entries.last_mut().ok_or(wrong)?.lines.push(line);
            continue;
        }
        let (head, numbers) = line.split_once(':').ok_or(wrong)?;
        let (part, ty) = head.trim().split_once(' ').ok_or(wrong)?;
        let values: Result<Vec<f64>, _> = numbers.split_whitespace().map(str::parse).collect();
        entries.last_mut().ok_or(wrong)?.parts.push(Part {
            part: part.to_string(),
            ty: ty.to_string(),
            values: values.map_err(|_| wrong)?,
        });
    }
    Ok(tests)
}

fn entry(s: &Snapshot, outputs: &[HostTensor]) -> Entry {
    let part = |(part, output): &(String, usize)| {
        let t = &outputs[*output];
        let ty = mlc_compiler::ir::Type::new(t.dtype(), t.shape().to_vec());
        // The shortest decimal that is the same f32.
        let exact = |x: f64| match t.dtype() {
            DType::F32 => (x as f32).to_string().parse().unwrap_or(x),
            _ => x,
        };
        Part {
            part: part.clone(),
            ty: ty.to_string().replace(' ', ""),
            values: t.to_f64_vec().into_iter().map(exact).collect(),
        }
    };
    let (parts, lines) = match &s.kept {
        Kept::Values { parts, .. } => (parts.iter().map(part).collect(), vec![]),
        Kept::Text(text) => (vec![], text.lines().map(|l| l.trim_end().into()).collect()),
    };
    Entry {
        text: s.text.split_whitespace().collect::<Vec<_>>().join(" "),
        parts,
        lines,
    }
}

/// The tolerance that a snapshot states.
fn tol_of(s: &Snapshot) -> Option<f64> {
    match &s.kept {
        Kept::Values { tol, .. } => *tol,
        Kept::Text(_) => None,
    }
}

/// How far a value may be from the one accepted, relative to it where it is larger than 1: machines differ in the order of sums.
fn tolerance(ty: &str) -> f64 {
    match ty.split('[').next() {
        Some("real") => 1e-5,
        Some("f64") => 1e-10,
        _ => 0.0,
    }
}

/// Is a value the one accepted? `most`: how far it may be, relative to it where it is larger than 1.
fn same(x: f64, y: f64, most: f64) -> bool {
    x == y || x.is_nan() && y.is_nan() || (x - y).abs() <= most * x.abs().max(1.0)
}

fn most_of(part: &Part, tol: Option<f64>) -> f64 {
    match part.ty.split('[').next() {
        Some("int" | "bool") => 0.0,
        _ => tol.unwrap_or_else(|| tolerance(&part.ty)),
    }
}

/// The names and types of a snapshot's parts.
fn form(e: &Entry) -> Vec<String> {
    let one = |k: &Part| format!("{} {}", k.part, k.ty);
    e.parts.iter().map(one).collect()
}

/// A part and a place in it, in words: nothing of what there is only one of.
fn place(part: &Part, i: usize) -> String {
    let mut words = Vec::new();
    if part.part != "value" {
        words.push(format!("in `{}`", part.part));
    }
    if part.values.len() > 1 {
        words.push(format!("at element {i}"));
    }
    words.join(" ")
}

/// The elements that differ: the part, the place in it, before, now.
fn differing<'e>(
    old: &'e Entry,
    now: &'e Entry,
    tol: Option<f64>,
) -> impl Iterator<Item = (&'e Part, usize, f64, f64)> {
    let parts = old.parts.iter().zip(&now.parts);
    parts.flat_map(move |(a, b)| {
        let most = most_of(a, tol);
        let values = a.values.iter().zip(&b.values).enumerate();
        let different = values.filter(move |(_, (x, y))| !same(**x, **y, most));
        different.map(move |(i, (x, y))| (a, i, *x, *y))
    })
}

/// Why two snapshots are not the same, in words.
fn difference(old: &Entry, now: &Entry, tol: Option<f64>) -> Option<String> {
    if old.lines != now.lines {
        return Some("its text is another".to_string());
    }
    let (before, after) = (form(old), form(now));
    if before != after {
        let (before, after) = (before.join(", "), after.join(", "));
        return Some(format!("was {before}, is {after}"));
    }
    let (part, i, x, y) = differing(old, now, tol).next()?;
    let place = place(part, i);
    let gap = if place.is_empty() { "" } else { " " };
    Some(format!("was {x}{gap}{place}, is {y}"))
}

/// What differs, a line each; the first of what is long.
fn diff(old: Option<&Entry>, now: &Entry, tol: Option<f64>) -> Vec<String> {
    const MOST: usize = 40;
    let mut lines: Vec<String> = match old {
        Some(old) if old.lines.is_empty() && form(old) == form(now) => differing(old, now, tol)
            .flat_map(|(part, i, x, y)| {
                let place = place(part, i);
                [format!("- {x}  {place}"), format!("+ {y}  {place}")]
            })
            .map(|l| l.trim_end().to_string())
            .collect(),
        _ => {
            let (before, after) = (old.map(written).unwrap_or_default(), written(now));
            let (before, after) = (before.join("\n"), after.join("\n"));
            let changes = TextDiff::from_lines(&before, &after);
            let line = |c: similar::Change<&str>| {
                let sign = match c.tag() {
                    ChangeTag::Delete => "-",
                    ChangeTag::Insert => "+",
                    ChangeTag::Equal => " ",
                };
                format!("{sign} {}", c.value().trim_end())
            };
            changes.iter_all_changes().map(line).collect()
        }
    };
    if lines.len() > MOST {
        let more = lines.len() - MOST;
        lines.truncate(MOST);
        lines.push(format!("  .. ({more} lines more)"));
    }
    lines
}

/// An entry as lines: those of its text, or a part each.
fn written(e: &Entry) -> Vec<String> {
    let parts = e.parts.iter().map(|k| shown(std::slice::from_ref(k)));
    e.lines.iter().cloned().chain(parts).collect()
}

/// A snapshot's parts in a line, cut where they are long.
fn shown(parts: &[Part]) -> String {
    let one = |k: &Part| {
        let mut values: Vec<String> = k.values.iter().take(8).map(ToString::to_string).collect();
        if k.values.len() > 8 {
            values.push(format!(".. ({} in all)", k.values.len()));
        }
        let name = if k.part == "value" {
            String::new()
        } else {
            format!("{} = ", k.part)
        };
        match values.as_slice() {
            [one] if !k.ty.contains('[') => format!("{name}{one}"),
            _ => format!("{name}[{}]", values.join(", ")),
        }
    };
    parts.iter().map(one).collect::<Vec<_>>().join("; ")
}
