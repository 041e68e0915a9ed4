//! The standard library's texts, embedded.

use mlc_grammar::diag::Report;
use mlc_grammar::span::FileId;
use mlc_grammar::{ast, packed};
use std::sync::OnceLock;

/// A file: its name, its text, and the tree of that, packed, if there is one.
type LibraryFile = (&'static str, &'static str, &'static [u8]);

/// In the order of the names: what `build.rs` finds.
const FILES: &[LibraryFile] = include!(concat!(env!("OUT_DIR"), "/library.rs"));

static REPLACED: OnceLock<Vec<LibraryFile>> = OnceLock::new();

/// Takes these files, by name, in the place of the embedded ones, for the rest of the process, if nothing was read before: work
/// on the library needs no rebuild.
pub fn replace(mut files: Vec<(String, String)>) {
    files.sort();
    let kept = |(name, text): (String, String)| -> LibraryFile { (name.leak(), text.leak(), &[]) };
    REPLACED.get_or_init(|| files.into_iter().map(kept).collect());
}

fn files() -> &'static [LibraryFile] {
    REPLACED.get().map_or(FILES, Vec::as_slice)
}

/// Is it the text of a file that was embedded?
pub fn is_embedded(text: &str) -> bool {
    FILES.iter().any(|f| f.1 == text)
}

/// The tree of a text of the library, item by item, if it was parsed when the compiler was built.
pub fn packed(text: &str) -> Option<Vec<packed::Packed<'static>>> {
    let known = FILES.iter().find(|f| f.1 == text)?;
    packed::items(known.2)
}

/// The tree of a text, and what is wrong with it. A text of the library was parsed when the compiler was built.
pub fn parse(file: FileId, text: &str) -> (ast::File, Vec<Report>) {
    let known = FILES.iter().find(|f| f.1 == text);
    match known.and_then(|f| packed::unpack(file, f.2)) {
        Some(tree) => (tree, Vec::new()),
        None => mlc_grammar::parse(file, text),
    }
}

/// The text of `std.a.b`, named `a/b`.
pub fn text(name: &str) -> Option<&'static str> {
    files().iter().find(|f| f.0 == name).map(|f| f.1)
}

/// What a file's names belong to: its folder, if it lies in one, or itself.
fn module_of(file: &'static str) -> &'static str {
    file.split_once('/').map_or(file, |(folder, _)| folder)
}

/// The names of all modules. A folder is one module, made of its files.
pub fn names() -> impl Iterator<Item = &'static str> {
    let mut last = "";
    files().iter().filter_map(move |f| {
        let name = module_of(f.0);
        let new = name != last;
        last = name;
        new.then_some(name)
    })
}

/// The folder of a name, if there is one.
pub fn folder(name: &str) -> Option<&'static str> {
    files()
        .iter()
        .filter_map(|f| f.0.split_once('/'))
        .find(|f| f.0 == name)
        .map(|f| f.0)
}

/// The names that a text defines at its top and that others may use. Found by the beginnings of lines, since a file that is not
/// needed is not parsed.
fn defined(text: &'static str) -> impl Iterator<Item = &'static str> {
    text.lines().filter_map(|line| {
        let mut words = line.splitn(2, ' ');
        let word = words.next()?;
        if !matches!(
            word,
            "dist" | "estimator" | "fn" | "let" | "net" | "model" | "optimizer" | "transform"
        ) {
            return None;
        }
        let rest = words.next()?;
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_')?;
        Some(&rest[..end]).filter(|name| !name.is_empty() && !name.starts_with('_'))
    })
}

/// The file of a folder that defines a name.
pub fn file_with(folder: &str, name: &str) -> Option<&'static str> {
    files()
        .iter()
        .find(|f| f.0.contains('/') && module_of(f.0) == folder && defined(f.1).any(|n| n == name))
        .map(|f| f.0)
}

/// All names of a folder's files.
pub fn folder_names(folder: &str) -> Vec<String> {
    let files = files().iter().filter(|f| module_of(f.0) == folder);
    files.flat_map(|f| defined(f.1).map(String::from)).collect()
}

/// A definition of the library, as `mlc doc` shows it.
pub struct Entry {
    /// `std.a.b`
    pub module: String,
    pub name: String,
    /// Its text up to the body.
    pub signature: String,
    /// Its `///` lines.
    pub about: String,
}

/// A definition's text up to the `=` or `{` outside brackets that begins its body.
fn signature(text: &str) -> &str {
    let mut depth = 0;
    for (i, c) in text.char_indices() {
        match c {
            '(' | '[' => depth += 1,
            ')' | ']' => depth -= 1,
            '=' | '{' if depth == 0 => return text[..i].trim_end(),
            _ => {}
        }
    }
    text.trim_end()
}

/// The module that `mlc doc` shows what is built in under.
pub const BUILT_IN: &str = "builtins";

/// The module that words of the language are listed under.
pub const LANGUAGE: &str = "language";

/// What is built in, then all definitions of the library, module by module.
pub fn entries() -> Vec<Entry> {
    let mut out: Vec<Entry> = crate::lower::DOCS
        .iter()
        .map(|d| Entry {
            module: BUILT_IN.to_string(),
            name: d.name.to_string(),
            signature: d.signature.to_string(),
            about: d.about.to_string(),
        })
        .collect();
    // Some words are functions as well, and known as such.
    let words = crate::lower::WORDS
        .iter()
        .filter(|w| !crate::lower::DOCS.iter().any(|d| d.name == w.0));
    out.extend(words.map(|(name, signature, about)| Entry {
        module: LANGUAGE.to_string(),
        name: name.to_string(),
        signature: signature.to_string(),
        about: about.to_string(),
    }));
    for (name, text, _) in files() {
        let (file, _) = parse(FileId(0), text);
        for item in &file.items {
            let names = crate::lower::item_names(item);
            let (Some(first), Some(about)) = (names.first(), &item.doc) else {
                continue;
            };
            // Private names are no part of what the module offers.
            if first.text.starts_with('_') {
                continue;
            }
            let range = item.span.start as usize..item.span.end as usize;
            out.push(Entry {
                module: format!("std.{}", module_of(name)),
                name: first.text.clone(),
                signature: signature(&text[range]).to_string(),
                about: about.clone(),
            });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_trees_that_are_embedded_are_those_of_the_texts() {
        for (name, text, tree) in FILES {
            assert!(!tree.is_empty(), "{name} does not parse");
            let parsed = mlc_grammar::parse(FileId(7), text);
            assert_eq!(parse(FileId(7), text), parsed, "{name}");
            for (item, packed) in parsed.0.items.iter().zip(packed(text).unwrap()) {
                let names = crate::lower::item_names(item).into_iter();
                assert_eq!(
                    packed.names,
                    names.map(|n| n.text.as_str()).collect::<Vec<_>>()
                );
            }
        }
    }

    /// What the beginnings of lines tell is what the parser finds, and no two files of a folder define the same name.
    #[test]
    fn the_names_of_files_are_found_without_parsing() {
        let mut seen = std::collections::BTreeSet::new();
        for (name, text, _) in files().iter().filter(|f| f.0.contains('/')) {
            let (file, reports) = mlc_grammar::parse(FileId(0), text);
            assert!(reports.is_empty(), "{name}: {reports:?}");
            let parsed: Vec<String> = file
                .items
                .iter()
                .flat_map(crate::lower::item_names)
                .map(|n| n.text.clone())
                .filter(|n| !n.starts_with('_'))
                .collect();
            assert_eq!(parsed, defined(text).collect::<Vec<_>>(), "{name}");
            for n in defined(text) {
                assert!(seen.insert((module_of(name), n)), "{n} is defined twice");
                assert!(
                    text_of_file(module_of(name), n).is_none(),
                    "{n} is a file, too"
                );
            }
        }
    }

    fn text_of_file(folder: &str, name: &str) -> Option<&'static str> {
        text(&format!("{folder}/{name}"))
    }
}
