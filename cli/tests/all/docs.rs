//! The examples of the documents run, and what the documents name exists.

use super::{mlc, root};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Short tutorials, made of what the pipelines of papers brought to the library.
const AREAS: [&str; 6] = [
    "docs/scores.md",
    "docs/energies.md",
    "docs/bilevel.md",
    "docs/transport.md",
    "docs/schedules.md",
    "docs/estimators.md",
];

/// A block of code in a document: its first line there, its language, and its text.
struct Block {
    line: usize,
    language: String,
    text: String,
}

fn blocks(document: &str) -> Vec<Block> {
    let mut found = Vec::new();
    let mut open: Option<Block> = None;
    for (i, line) in document.lines().enumerate() {
        match (open.take(), line.strip_prefix("```")) {
            (Some(block), Some(_)) => found.push(block),
            (Some(mut block), None) => {
                block.text += line;
                block.text.push('\n');
                open = Some(block);
            }
            (None, Some(language)) => {
                open = Some(Block {
                    line: i + 2,
                    language: language.trim().to_string(),
                    text: String::new(),
                });
            }
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "a block of code is not closed");
    found
}

/// What is wrong with an example, if anything. One that begins with `// error E0303` fails with that code; any other has
/// no mistakes, is formatted, and its tests pass.
fn trouble(block: &Block, dir: &Path) -> Option<String> {
    let file = dir.join(format!("line{}.ml", block.line));
    std::fs::write(&file, &block.text).unwrap();
    let run = |args: &[&str]| {
        let out = mlc().args(args).arg(&file).output().unwrap();
        let text = String::from_utf8(out.stderr).unwrap();
        (out.status.code(), text)
    };
    if let Some(rest) = block.text.strip_prefix("// error ") {
        let code = rest.split_whitespace().next().unwrap_or_default();
        let (exit, text) = run(&["check"]);
        let told = exit == Some(1) && text.contains(&format!("[{code}]"));
        return (!told).then(|| format!("{code} is not what is said:\n{text}"));
    }
    let tests = block.text.lines().any(|l| l.starts_with("test \""));
    let commands: &[&[&str]] = match tests {
        true => &[&["test"], &["fmt", "--check"]],
        false => &[&["check"], &["fmt", "--check"]],
    };
    commands.iter().find_map(|c| {
        let (exit, text) = run(c);
        (exit != Some(0)).then(|| format!("{}: {text}", c.join(" ")))
    })
}

/// A document without its blocks and spans of code.
fn outside_code(document: &str) -> String {
    let mut inside = false;
    let lines = document.lines().filter(|l| {
        let fence = l.starts_with("```");
        inside ^= fence;
        !inside && !fence
    });
    let text = lines.collect::<Vec<_>>().join("\n");
    text.split('`').step_by(2).collect()
}

fn examples_run(document: &str, at_least: usize) {
    let text = std::fs::read_to_string(root().join(document)).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let mut blocks = blocks(&text);
    blocks.retain(|b| b.language == "ml");
    assert!(blocks.len() >= at_least, "{document} has {}", blocks.len());
    let wrong: Vec<String> = blocks
        .iter()
        .filter_map(|b| {
            Some(format!(
                "{document}:{}: {}",
                b.line,
                trouble(b, dir.path())?
            ))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_examples_of_the_language_run() {
    examples_run("docs/language.md", 50);
}

#[test]
fn the_examples_of_the_distributions_run() {
    examples_run("docs/distributions.md", 5);
}

#[test]
fn the_examples_of_the_guides_run() {
    examples_run("docs/guides.md", 4);
}

#[test]
fn the_examples_of_the_nets_run() {
    examples_run("docs/nets.md", 1);
}

#[test]
fn the_examples_of_the_optimizers_run() {
    examples_run("docs/optimizers.md", 2);
}

#[test]
fn the_examples_of_the_areas_run() {
    for area in AREAS {
        examples_run(area, 2);
    }
}

#[test]
fn the_examples_of_data_run() {
    examples_run("docs/data.md", 3);
}

#[test]
fn the_examples_of_the_first_page_run() {
    examples_run("README.md", 2);
}

/// Links from one section to another, and from one document to another, lead somewhere.
/// Has a document a heading that an anchor names?
fn has_anchor(document: &Path, anchor: &str) -> bool {
    let text = std::fs::read_to_string(document).unwrap();
    let titles = text.lines().filter_map(|l| l.strip_prefix("## "));
    let mut names = titles.map(|title| {
        let kept = title
            .chars()
            .filter(|c| c.is_alphanumeric() || " -".contains(*c));
        kept.collect::<String>().to_lowercase().replace(' ', "-")
    });
    names.any(|name| name == anchor)
}

#[test]
fn links_lead_somewhere() {
    for document in [
        "README.md",
        "ARCHITECTURE.md",
        "docs/language.md",
        "docs/distributions.md",
        "docs/guides.md",
        "docs/nets.md",
        "docs/optimizers.md",
        "docs/data.md",
        "docs/cli.md",
        "docs/profiling.md",
    ]
    .into_iter()
    .chain(AREAS)
    {
        let path = root().join(document);
        let text = std::fs::read_to_string(&path).unwrap();
        let prose = outside_code(&text);
        for (_, rest) in prose
            .match_indices("](")
            .map(|(i, _)| prose.split_at(i + 2))
        {
            let target = rest.split(')').next().unwrap_or_default();
            let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
            let linked = match file {
                "" => path.clone(),
                file => path.parent().unwrap().join(file),
            };
            let found = target.starts_with("http")
                || linked.exists() && (anchor.is_empty() || has_anchor(&linked, anchor));
            assert!(found, "{document} links to `{target}`");
        }
    }
}

/// The Rust files of a folder and of those in it, with their texts.
fn sources(folder: &Path, found: &mut Vec<(PathBuf, String)>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.ends_with("target") {
            sources(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            found.push((path, text));
        }
    }
}

/// Folders and files, and the tests that guard the invariants.
#[test]
fn what_the_architecture_names_exists() {
    let text = std::fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let mut files = Vec::new();
    for part in ["grammar", "compiler", "runtime", "cli"] {
        sources(&root().join(part), &mut files);
    }
    let spans = || text.split('`').skip(1).step_by(2);
    for path in spans().filter(|s| s.ends_with(".rs")) {
        let known = files.iter().any(|(f, _)| f.ends_with(path));
        assert!(known, "there is no file `{path}`");
    }
    for folder in spans().filter(|s| s.ends_with('/')) {
        let known = ["", "compiler/src", "compiler/src/codegen"]
            .iter()
            .any(|base| root().join(base).join(folder).is_dir());
        assert!(known, "there is no folder `{folder}`");
    }
    let (_, invariants) = text.split_once("## Invariants").unwrap();
    let tests = invariants.split('`').skip(1).step_by(2);
    for test in tests.filter(|s| s.contains('_')) {
        let declared = format!("fn {test}(");
        let known = files.iter().any(|(_, t)| t.contains(&declared));
        assert!(known, "there is no test `{test}`");
    }
}

/// What the architecture says that each part never knows.
#[test]
fn the_layers_keep_apart() {
    let never = [
        (
            "grammar/src",
            vec!["mlc_compiler", "mlc_runtime", "std::fs"],
        ),
        (
            "compiler/src",
            vec!["mlc_runtime", "std::fs", "std::env", "std::io", "println!"],
        ),
        ("runtime/src", vec!["mlc_grammar::", "println!"]),
    ];
    for (folder, words) in never {
        let mut files = Vec::new();
        sources(&root().join(folder), &mut files);
        assert!(!files.is_empty());
        for (path, text) in files {
            for word in &words {
                assert!(!text.contains(word), "`{word}` in {}", path.display());
            }
        }
    }
}

/// Long options in a text.
fn options(text: &str) -> BTreeSet<String> {
    let word = |rest: &str| {
        let end = rest.find(|c: char| !c.is_ascii_lowercase() && c != '-');
        rest[..end.unwrap_or(rest.len())].to_string()
    };
    let all = text.match_indices("--").map(|(i, _)| word(&text[i + 2..]));
    all.filter(|w| w.starts_with(|c: char| c.is_ascii_lowercase()))
        .collect()
}

/// The page of the command has each command and option, and no other.
#[test]
fn the_page_of_the_command_is_whole() {
    let page = std::fs::read_to_string(root().join("docs/cli.md")).unwrap();
    let help = |args: &[&str]| {
        let out = mlc().args(args).arg("--help").output().unwrap();
        String::from_utf8(out.stdout).unwrap()
    };
    let text = help(&[]);
    let (_, commands) = text.split_once("Commands:\n").unwrap();
    let commands: Vec<&str> = commands
        .lines()
        .take_while(|l| !l.is_empty())
        .filter_map(|l| l.split_whitespace().next())
        .filter(|c| *c != "help")
        .collect();
    let mut known = BTreeSet::new();
    for c in &commands {
        assert!(page.contains(&format!("| `mlc {c} ")), "`mlc {c}`");
        known.extend(options(&help(&[c])));
    }
    for c in ["list", "check", "prune"] {
        known.extend(options(&help(&["cache", c])));
    }
    let mut told = options(&page);
    told.insert("help".to_string());
    assert_eq!(known, told);
    assert!(commands.len() >= 9);
}
