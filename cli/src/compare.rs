//! `mlc compare`: runs laid over one another.

use crate::{Exit, output};
use mlc_runtime::compare::{Run, compare as beside};
use std::path::{Path, PathBuf};

/// Rows as text, columns aligned.
fn table(headers: &[String], rows: &[Vec<String>]) -> String {
    let lines = || std::iter::once(headers).chain(rows.iter().map(Vec::as_slice));
    let width = |i: usize| lines().map(|l| l[i].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..headers.len()).map(width).collect();
    let line = |l: &[String]| {
        let cells = l.iter().zip(&widths).map(|(c, w)| format!("{c:<w$}"));
        let text = cells.collect::<Vec<_>>().join("  ");
        format!("{}\n", text.trim_end())
    };
    lines().map(line).collect()
}

pub fn compare(folders: &[PathBuf], out: &Path) -> Exit {
    let runs: Result<Vec<Run>, _> = folders.iter().map(|f| Run::read(f)).collect();
    let runs = match runs {
        Ok(runs) => runs,
        Err(e) => {
            complain!("error: {e}");
            return Exit::Environment;
        }
    };
    let comparison = beside(&runs);
    output::text(&table(&comparison.headers, &comparison.rows));
    match comparison.report.write(out) {
        Ok(()) => {
            say!("curves in {}", out.display());
            Exit::Done
        }
        Err(e) => {
            complain!("error: cannot write `{}`: {e}", out.display());
            Exit::Environment
        }
    }
}
