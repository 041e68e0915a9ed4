//! Several runs beside one another: what each logged, by stage and name.

use crate::report::{Report, Series};
use serde_json::Value;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

/// A run's metrics could not be read.
#[derive(Debug, thiserror::Error)]
pub enum CompareError {
    /// The file cannot be read.
    #[error("cannot read `{}`: {source}", path.display())]
    Read { path: PathBuf, source: io::Error },
    /// A line is not what a run writes.
    #[error("`{}`, line {line}: not a line of metrics", path.display())]
    Line { path: PathBuf, line: usize },
}

/// What a run logged.
#[derive(Clone, Debug)]
pub struct Run {
    /// Its folder's name.
    pub name: String,
    /// Points (step, value) of each number that was logged, by `stage` and name, in the order of its log.
    series: BTreeMap<(String, String), Vec<(f64, f64)>>,
}

/// A metric's number; what is a list or no number is none.
fn number(v: &Value) -> Option<f64> {
    match v {
        Value::Number(n) => n.as_f64(),
        Value::Bool(b) => Some(f64::from(u8::from(*b))),
        Value::String(s) => s.parse().ok(),
        _ => None,
    }
}

impl Run {
    /// Reads the metrics of a run, from its folder or from the file itself. The last line may be half written.
    ///
    /// # Errors
    /// See [`CompareError`].
    pub fn read(path: &Path) -> Result<Self, CompareError> {
        let (file, named) = match path.is_dir() {
            true => (path.join("metrics.jsonl"), path),
            false => (path.to_path_buf(), path.parent().unwrap_or(path)),
        };
        let text = std::fs::read_to_string(&file).map_err(|source| CompareError::Read {
            path: file.clone(),
            source,
        })?;
        let name = named.file_name().unwrap_or(named.as_os_str());
        let mut run = Self {
            name: name.to_string_lossy().into_owned(),
            series: BTreeMap::new(),
        };
        let whole = text.rfind('\n').map_or(0, |end| end + 1);
        for (i, line) in text[..whole].lines().enumerate() {
            run.line(line).ok_or_else(|| CompareError::Line {
                path: file.clone(),
                line: i + 1,
            })?;
        }
        Ok(run)
    }

    fn line(&mut self, line: &str) -> Option<()> {
        let v: Value = serde_json::from_str(line).ok()?;
        let stage = v.get("stage")?.as_str()?;
        let step = v.get("step")?.as_f64()?;
        for (name, value) in v.get("values")?.as_object()? {
            if let Some(x) = number(value) {
                let key = (stage.to_string(), name.clone());
                self.series.entry(key).or_default().push((step, x));
            }
        }
        Some(())
    }
}

/// Names that tell runs apart: folders of one name get a number.
fn distinct(runs: &[Run]) -> Vec<String> {
    let count = |name: &str| runs.iter().filter(|r| r.name == name).count();
    let named = |(i, r): (usize, &Run)| match count(&r.name) {
        1 => r.name.clone(),
        _ => format!("{} ({})", r.name, i + 1),
    };
    runs.iter().enumerate().map(named).collect()
}

/// What runs are compared by.
pub struct Comparison {
    /// `stage: name`, the runs.
    pub headers: Vec<String>,
    /// For each number that some run logged, its last value in each.
    pub rows: Vec<Vec<String>>,
    pub report: Report,
}

/// Lays the runs over one another.
pub fn compare(runs: &[Run]) -> Comparison {
    let names = distinct(runs);
    let keys: std::collections::BTreeSet<_> = runs.iter().flat_map(|r| r.series.keys()).collect();
    let mut headers = vec!["last value of".to_string()];
    headers.extend(names.iter().cloned());
    let mut rows = Vec::new();
    for (stage, name) in &keys {
        let key = (stage.clone(), name.clone());
        let last = |r: &Run| {
            let points = r.series.get(&key).map(Vec::as_slice);
            points
                .and_then(<[_]>::last)
                .map_or(String::new(), |p| p.1.to_string())
        };
        let mut row = vec![format!("{stage}: {name}")];
        row.extend(runs.iter().map(last));
        rows.push(row);
    }
    let mut report = Report::new("runs compared");
    report.fact("runs", &names.join(", "));
    report.table("where they ended", &headers, &rows);
    for (stage, name) in keys {
        let key = (stage.clone(), name.clone());
        let lines: Vec<Series> = runs
            .iter()
            .zip(&names)
            .filter_map(|(r, n)| {
                let points = r.series.get(&key)?.clone();
                (points.len() > 1).then(|| Series {
                    name: n.clone(),
                    points,
                })
            })
            .collect();
        if !lines.is_empty() {
            report.line_plot(&format!("{stage}: {name}"), "step", name, lines);
        }
    }
    Comparison {
        headers,
        rows,
        report,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(dir: &Path, name: &str, text: &str) -> Run {
        let folder = dir.join(name);
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("metrics.jsonl"), text).unwrap();
        Run::read(&folder).unwrap()
    }

    fn line(step: usize, loss: &str) -> String {
        format!(
            "{{\"stage\":\"fit\",\"step\":{step},\"epoch\":0,\"values\":{{\"loss\":{loss},\"w\":[1,2]}}}}\n"
        )
    }

    #[test]
    fn runs_lie_over_one_another() {
        let dir = tempfile::tempdir().unwrap();
        let a = run(dir.path(), "a", &[line(1, "2.5"), line(2, "1.5")].concat());
        let b = run(
            &dir.path().join("x"),
            "a",
            &[line(1, "\"nan\""), line(2, "0.5"), line(3, "0.25")].concat(),
        );
        let c = compare(&[a, b]);
        assert_eq!(c.headers, ["last value of", "a (1)", "a (2)"]);
        assert_eq!(c.rows, [["fit: loss", "1.5", "0.25"]]);
        let html = c.report.render();
        assert!(html.contains("fit: loss") && html.contains("a (2)"));
    }

    #[test]
    fn half_a_line_at_the_end_is_left_out_and_nonsense_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let whole = line(1, "2.5");
        let a = run(dir.path(), "a", &format!("{whole}{{\"stage\":"));
        assert_eq!(compare(&[a]).rows.len(), 1);
        let folder = dir.path().join("b");
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join("metrics.jsonl"), format!("{whole}what\n")).unwrap();
        assert!(matches!(
            Run::read(&folder),
            Err(CompareError::Line { line: 2, .. })
        ));
        assert!(matches!(
            Run::read(&dir.path().join("none")),
            Err(CompareError::Read { .. })
        ));
    }
}
