//! Lists the standard library: every `.ml` file below `stdlib/`, in the order of their names, as a table of names and texts.

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
    let mut table = String::from("&[\n");
    for path in &files {
        let inside = path.strip_prefix(&library).expect("found below it");
        let name = inside.with_extension("");
        let name = name.components().map(|c| c.as_os_str().to_string_lossy());
        let name = name.collect::<Vec<_>>().join("/");
        writeln!(table, "    ({name:?}, include_str!({path:?})),").expect("strings take all");
    }
    table.push_str("]\n");
    let out = std::env::var("OUT_DIR").expect("cargo says where to write");
    std::fs::write(Path::new(&out).join("library.rs"), table).expect("a writable folder");
}
