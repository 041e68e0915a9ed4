//! The code of the language's documents parses.

use mlc_grammar::span::FileId;
use std::path::{Path, PathBuf};

/// Every snippet, with its file name.
pub fn all() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/snippets");
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|f| f.unwrap().path())
        .collect();
    paths.sort();
    let name = |p: &Path| p.file_name().unwrap().to_string_lossy().into_owned();
    paths
        .iter()
        .map(|p| (name(p), std::fs::read_to_string(p).unwrap()))
        .collect()
}

#[test]
fn every_snippet_parses() {
    for (name, text) in all() {
        let (entries, reports) = mlc_grammar::parse_repl(FileId::default(), &text);
        assert!(reports.is_empty(), "{name}: {reports:#?}");
        assert!(!entries.is_empty(), "{name}");
    }
}
