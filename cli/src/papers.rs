//! `mlc papers`: the papers whose methods are pipelines, by the headers of the pipelines and how their tests last ended.

use crate::Exit;
use crate::testing::tested;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// What the comment at a pipeline's top says.
struct Header {
    id: String,
    /// By name: `Paper`, `Claim`, `Shown`, `Not shown`, `Takes`, `Vary`.
    fields: BTreeMap<String, String>,
}

impl Header {
    fn field(&self, name: &str) -> &str {
        self.fields.get(name).map_or("", String::as_str)
    }
}

/// How the tests of a pipeline ended.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
struct Ended {
    passed: usize,
    tests: usize,
    seconds: f64,
}

impl Ended {
    fn words(&self) -> String {
        let (passed, tests) = (self.passed, self.tests);
        if passed == tests {
            format!("holds ({tests} tests)")
        } else {
            format!("{passed} of {tests} tests hold")
        }
    }
}

/// The fields of a header: each begins with its name and a colon, and goes on in lines that are indented.
fn header(id: &str, text: &str) -> Header {
    let mut fields: BTreeMap<String, String> = BTreeMap::new();
    let mut last: Option<String> = None;
    for line in text.lines() {
        let Some(line) = line.strip_prefix("//") else {
            break;
        };
        match (line.strip_prefix("   "), &last) {
            (Some(more), Some(name)) => {
                if let Some(field) = fields.get_mut(name) {
                    field.push(' ');
                    field.push_str(more.trim());
                }
            }
            _ => {
                if let Some((name, value)) = line.trim().split_once(": ") {
                    fields.insert(name.to_string(), value.to_string());
                    last = Some(name.to_string());
                }
            }
        }
    }
    Header {
        id: id.to_string(),
        fields,
    }
}

/// The pipelines of a folder that have a header, by name.
fn headers(folder: &Path) -> std::io::Result<Vec<Header>> {
    let mut files: Vec<PathBuf> = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|e| e == "ml") {
            files.push(path);
        }
    }
    files.sort();
    let mut found = Vec::new();
    for file in files {
        let id = file.file_stem().map(|s| s.to_string_lossy().into_owned());
        let header = header(&id.unwrap_or_default(), &std::fs::read_to_string(&file)?);
        if header.fields.contains_key("Paper") {
            found.push(header);
        }
    }
    Ok(found)
}

type Results = BTreeMap<String, Ended>;

fn results_file(folder: &Path) -> PathBuf {
    folder.join("results.json")
}

fn results(folder: &Path) -> Results {
    let text = std::fs::read(results_file(folder)).unwrap_or_default();
    serde_json::from_slice(&text).unwrap_or_default()
}

/// Runs the tests of each pipeline in full, one after another, and keeps how they ended beside them.
fn run(folder: &Path, headers: &[Header]) -> std::io::Result<Results> {
    let mut results = results(folder);
    results.retain(|id, _| headers.iter().any(|h| h.id == *id));
    for h in headers {
        let start = Instant::now();
        let file = folder.join(&h.id).with_extension("ml");
        let (_, suite, _) = tested(&file, |command| {
            command.arg("--fresh");
        })?;
        let ended = Ended {
            passed: suite.passed(),
            tests: suite.len(),
            seconds: (start.elapsed().as_secs_f64() * 10.0).round() / 10.0,
        };
        say!("{:<28} {} in {} s", h.id, ended.words(), ended.seconds);
        results.insert(h.id.clone(), ended);
    }
    let text = serde_json::to_string_pretty(&results)? + "\n";
    std::fs::write(results_file(folder), text)?;
    Ok(results)
}

fn status(results: &Results, h: &Header) -> String {
    let ended = results.get(&h.id);
    ended.map_or("not run".to_string(), Ended::words)
}

/// The table of all papers, as a page below `docs/`.
fn page(folder: &Path, headers: &[Header], results: &Results) -> String {
    let cell = |text: &str| text.replace('|', "\\|");
    let mut text = String::from(
        "# Papers\n\nMethods of papers as pipelines, each in the paper's notation on small data, with tests that hold what is shown. \
         This page is made of\nthe pipelines' headers and of how their tests last ended: `mlc papers --run --page docs/papers.md`.\n\n\
         | pipeline | paper | claim | tests, in full |\n| --- | --- | --- | --- |\n",
    );
    let folder = folder.display();
    for h in headers {
        let seconds = results
            .get(&h.id)
            .map_or(String::new(), |e| format!(", {:.0} s", e.seconds.ceil()));
        let _ = writeln!(
            text,
            "| [{id}](../{folder}/{id}.ml) | {} | {} | {}{seconds} |",
            cell(h.field("Paper")),
            cell(h.field("Claim")),
            status(results, h),
            id = h.id,
        );
    }
    for h in headers {
        let _ = writeln!(
            text,
            "\n## {}\n\n{}\n\nShown: {}",
            h.id,
            h.field("Paper"),
            h.field("Shown")
        );
        let _ = writeln!(text, "\nNot shown: {}", h.field("Not shown"));
    }
    text
}

pub fn papers(folder: &Path, again: bool, out: Option<&Path>) -> Exit {
    let failed = |what: &Path, e: std::io::Error| {
        complain!("error: `{}`: {e}", what.display());
        Exit::Environment
    };
    let headers = match headers(folder) {
        Ok(headers) if headers.is_empty() => {
            complain!(
                "error: no pipeline in `{}` begins with `// Paper: ..`",
                folder.display()
            );
            return Exit::Misuse;
        }
        Ok(headers) => headers,
        Err(e) => return failed(folder, e),
    };
    let results = match again {
        false => results(folder),
        true => match run(folder, &headers) {
            Ok(results) => results,
            Err(e) => return failed(folder, e),
        },
    };
    if !again {
        for h in &headers {
            say!(
                "{:<28} {}\n{:<28} {}",
                h.id,
                status(&results, h),
                "",
                h.field("Claim")
            );
        }
    }
    if let Some(out) = out
        && let Err(e) = std::fs::write(out, page(folder, &headers, &results))
    {
        return failed(out, e);
    }
    let all = results.values().all(|e| e.passed == e.tests);
    if again && !all {
        Exit::Failed
    } else {
        Exit::Done
    }
}
