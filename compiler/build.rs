//! Lists the standard library: every `.ml` file below `stdlib/`, in the order of their names, as a table of names, texts and
//! syntax trees. A file that does not parse has none, and is told of where it is used.

use mlc_grammar::span::FileId;
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// The files of a folder, those of its folders included.
fn collect(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("the library is beside the compiler") {
        let path = entry.expect("a readable folder").path();
        if path.is_dir() {
            collect(&path, found);
        } else if path.extension().is_some_and(|e| e == "ml") {
            found.push(path);
        }
    }
}

fn main() {
    let here = std::env::var("CARGO_MANIFEST_DIR").expect("cargo says where the crate is");
    let library = Path::new(&here)
        .parent()
        .expect("a crate of the workspace")
        .join("stdlib");
    println!("cargo::rerun-if-changed={}", library.display());
    let mut files = Vec::new();
    collect(&library, &mut files);
    files.sort();
    let out = std::env::var("OUT_DIR").expect("cargo says where to write");
    let out = Path::new(&out);
    let mut table = String::from("&[\n");
    for (i, path) in files.iter().enumerate() {
        let inside = path.strip_prefix(&library).expect("found below it");
        let name = inside.with_extension("");
        let name = name.components().map(|c| c.as_os_str().to_string_lossy());
        let name = name.collect::<Vec<_>>().join("/");
        let text = std::fs::read_to_string(path).expect("a readable file");
        let tree = match mlc_grammar::parse(FileId(0), &text) {
            (tree, reports) if reports.is_empty() => mlc_grammar::packed::pack(&tree),
            _ => Vec::new(),
        };
        let packed = out.join(format!("{i}.tree"));
        std::fs::write(&packed, tree).expect("a writable folder");
        writeln!(
            table,
            "    ({name:?}, include_str!({path:?}), include_bytes!({packed:?})),"
        )
        .expect("strings take all");
    }
    table.push_str("]\n");
    std::fs::write(out.join("library.rs"), table).expect("a writable folder");
}
