//! Golden values: what the `snapshot`s of a pipeline's tests were when they were last accepted, kept beside the pipeline.
//!
//! The file is text, for review: a line `test "name"`, below it for each snapshot its expression, and below that its tensors, each
//! with the name of its part, its type, and its elements in row-major order.

use crate::tensor::HostTensor;
use mlc_compiler::Report;
use mlc_compiler::ir::DType;
use mlc_compiler::program::{Snapshot, TestProgram};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A tensor as it is kept.
#[derive(Clone, PartialEq, Debug)]
struct Kept {
    part: String,
    ty: String,
    values: Vec<f64>,
}

/// One `snapshot` as it was accepted.
#[derive(Clone, PartialEq, Debug)]
struct Entry {
    text: String,
    parts: Vec<Kept>,
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
    pub fn compare(&mut self, test: &TestProgram, outputs: &[HostTensor]) -> Vec<Report> {
        self.ran.insert(test.name.clone(), test.snapshots.len());
        let known = self.tests.get(&test.name);
        let mut reports = Vec::new();
        for (i, s) in test.snapshots.iter().enumerate() {
            let now = entry(s, outputs);
            let r = match known.and_then(|k| k.get(i)) {
                None => Report::new(
                    "E0618",
                    format!(
                        "in the test \"{}\", a snapshot was never accepted",
                        test.name
                    ),
                )
                .label(s.span, "a new value")
                .note(format!("it is {}", shown(&now.parts)))
                .hint("if it is right, `mlc test FILE --accept` keeps it"),
                Some(old) => match difference(old, &now) {
                    None => continue,
                    Some(why) => Report::new(
                        "E0618",
                        format!("in the test \"{}\", a snapshot differs", test.name),
                    )
                    .label(s.span, why)
                    .note(format!("accepted: {}", shown(&old.parts)))
                    .note(format!("now: {}", shown(&now.parts)))
                    .hint("if the new value is right, `mlc test FILE --accept` keeps it"),
                },
            };
            reports.push(r);
        }
        reports
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
            });
            continue;
        }
        let (head, numbers) = line.split_once(':').ok_or(wrong)?;
        let (part, ty) = head.trim().split_once(' ').ok_or(wrong)?;
        let values: Result<Vec<f64>, _> = numbers.split_whitespace().map(str::parse).collect();
        entries.last_mut().ok_or(wrong)?.parts.push(Kept {
            part: part.to_string(),
            ty: ty.to_string(),
            values: values.map_err(|_| wrong)?,
        });
    }
    Ok(tests)
}

fn entry(s: &Snapshot, outputs: &[HostTensor]) -> Entry {
    let parts = s.parts.iter().map(|(part, output)| {
        let t = &outputs[*output];
        let ty = mlc_compiler::ir::Type::new(t.dtype(), t.shape().to_vec());
        // The shortest decimal that is the same f32.
        let exact = |x: f64| match t.dtype() {
            DType::F32 => (x as f32).to_string().parse().unwrap_or(x),
            _ => x,
        };
        Kept {
            part: part.clone(),
            ty: ty.to_string().replace(' ', ""),
            values: t.to_f64_vec().into_iter().map(exact).collect(),
        }
    });
    Entry {
        text: s.text.split_whitespace().collect::<Vec<_>>().join(" "),
        parts: parts.collect(),
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

/// Why two snapshots are not the same, in words.
fn difference(old: &Entry, now: &Entry) -> Option<String> {
    let names = |e: &Entry| {
        e.parts
            .iter()
            .map(|k| format!("{} {}", k.part, k.ty))
            .collect::<Vec<_>>()
    };
    let (before, after) = (names(old), names(now));
    if before != after {
        return Some(format!(
            "was {}, is {}",
            before.join(", "),
            after.join(", ")
        ));
    }
    for (a, b) in old.parts.iter().zip(&now.parts) {
        let most = tolerance(&a.ty);
        for (i, (x, y)) in a.values.iter().zip(&b.values).enumerate() {
            let same =
                x == y || x.is_nan() && y.is_nan() || (x - y).abs() <= most * x.abs().max(1.0);
            if !same {
                let place = if a.values.len() == 1 {
                    String::new()
                } else {
                    format!(" at element {i}")
                };
                let part = if a.part == "value" {
                    String::new()
                } else {
                    format!(" in `{}`", a.part)
                };
                return Some(format!("was {x}{part}{place}, is {y}"));
            }
        }
    }
    None
}

/// A snapshot's parts in a line, cut where they are long.
fn shown(parts: &[Kept]) -> String {
    let one = |k: &Kept| {
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
