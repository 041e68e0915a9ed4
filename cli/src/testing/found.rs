//! The pipelines below folders that have tests.

use std::io;
use std::path::{Path, PathBuf};

/// What there is to test.
#[derive(Default)]
pub struct Found {
    /// Pipelines with tests, and their texts.
    pub files: Vec<(PathBuf, String)>,
    /// Golden values without a pipeline.
    pub orphans: Vec<PathBuf>,
}

/// The files named, and those below the folders named, in the order of their names. Links to folders, hidden folders, and what
/// runs leave are not gone into.
///
/// # Errors
/// What cannot be read, and why.
pub fn find(paths: &[PathBuf]) -> Result<Found, (PathBuf, io::Error)> {
    let mut found = Found::default();
    for path in paths {
        if path.is_dir() {
            folder(path, &mut found).map_err(|e| (path.clone(), e))?;
        } else {
            let text = std::fs::read_to_string(path).map_err(|e| (path.clone(), e))?;
            found.files.push((path.clone(), text));
        }
    }
    Ok(found)
}

fn has_tests(text: &str) -> bool {
    text.lines().any(|l| l.starts_with("test \""))
}

fn folder(path: &Path, found: &mut Found) -> io::Result<()> {
    let entries: io::Result<Vec<_>> = std::fs::read_dir(path)?.collect();
    let mut entries = entries?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let (path, name) = (entry.path(), entry.file_name());
        let name = name.to_string_lossy();
        let kind = entry.file_type()?;
        if kind.is_dir() {
            if !name.starts_with('.') && name != "runs" && name != "target" {
                folder(&path, found)?;
            }
        } else if name.ends_with(".ml") {
            // A file that is no text is no pipeline.
            let Ok(text) = std::fs::read_to_string(&path) else {
                continue;
            };
            if has_tests(&text) {
                found.files.push((path, text));
            }
        } else if name.ends_with(".ml.snap") && !path.with_extension("").exists() {
            found.orphans.push(path);
        }
    }
    Ok(())
}
