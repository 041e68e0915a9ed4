//! The optimizers, transforms and schedules of the library: each is tested in the language, and the page lists them all.

use super::{mlc, root};
use mlc_compiler::stdlib::{Entry, entries};
use std::path::PathBuf;

fn files() -> Vec<PathBuf> {
    let mut found: Vec<_> = std::fs::read_dir(root().join("cli/tests/optimizers"))
        .unwrap()
        .map(|e| e.unwrap().path())
        .filter(|p| p.extension().is_some_and(|e| e == "ml"))
        .collect();
    found.sort();
    found
}

fn text_of(name: &str) -> String {
    std::fs::read_to_string(root().join("cli/tests/optimizers").join(name)).unwrap()
}

/// Steps against numbers, convergence, equalities, and what stages read of them.
#[test]
fn the_optimizers_do_what_they_say() {
    let tests = files();
    assert!(tests.len() >= 4);
    for file in &tests {
        let out = mlc().arg("test").arg(file).output().unwrap();
        let said = String::from_utf8(out.stdout).unwrap() + &String::from_utf8(out.stderr).unwrap();
        assert!(out.status.success(), "{said}");
    }
}

fn of_module(module: &str) -> Vec<Entry> {
    entries()
        .into_iter()
        .filter(|e| e.module == module)
        .collect()
}

fn moves(e: &Entry) -> bool {
    e.signature.starts_with("optimizer ") || e.signature.starts_with("transform ")
}

/// Is it called in a text?
fn called(text: &str, name: &str) -> bool {
    let call = format!("{name}(");
    text.match_indices(&call).any(|(i, _)| {
        let before = text[..i].chars().next_back();
        !before.is_some_and(|c| c.is_ascii_alphanumeric() || c == '_')
    })
}

#[test]
fn every_optimizer_and_schedule_is_tested() {
    let (steps, goals) = (text_of("steps.ml"), text_of("convergence.ml"));
    let all: String = files()
        .iter()
        .map(|p| std::fs::read_to_string(p).unwrap())
        .collect();
    let mut count = 0;
    for e in of_module("std.optim") {
        if moves(&e) {
            count += 1;
            assert!(called(&steps, &e.name), "`{}` has no steps", e.name);
            assert!(called(&goals, &e.name), "`{}` goes nowhere", e.name);
        }
        assert!(called(&all, &e.name), "`{}` is not tested", e.name);
    }
    assert!(count >= 45, "{count}");
    let schedules = of_module("std.schedules");
    assert!(schedules.len() >= 15);
    for e in schedules {
        assert!(called(&all, &e.name), "`{}` is not tested", e.name);
    }
}

fn in_one_line(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ").replace("( ", "(").replace(" )", ")")
}

/// The rows of a table: what is called, what it takes where that differs, and what it is.
fn rows(found: &[&Entry], takes: bool) -> String {
    let mut rows: Vec<String> = found
        .iter()
        .map(|e| {
            let text = in_one_line(&e.signature).replace('|', "\\|");
            let text = text.split_once(' ').unwrap().1;
            let about = e.about.replace('\n', " ").replace('|', "\\|");
            if !takes {
                return format!("| `{text}` | {about} |");
            }
            let (call, binders) = text.rsplit_once(" for ").unwrap();
            let each = match binders {
                "p, g" => "a tensor",
                "all p, g" => "all",
                "all p, g, f" => "all, the objective",
                other => panic!("{other}"),
            };
            format!("| `{call}` | {each} | {about} |")
        })
        .collect();
    rows.sort();
    rows.join("\n")
}

#[test]
fn the_page_lists_the_optimizers() {
    let file = root().join("docs/optimizers.md");
    let text = std::fs::read_to_string(&file).unwrap();
    let (optim, schedules) = (of_module("std.optim"), of_module("std.schedules"));
    let kind = |word: &str| -> Vec<&Entry> {
        let found = optim.iter().filter(|e| e.signature.starts_with(word));
        found.collect()
    };
    let tables = [
        ("optimizer", rows(&kind("optimizer "), true)),
        ("transform", rows(&kind("transform "), true)),
        ("function", rows(&kind("fn "), false)),
        (
            "schedule",
            rows(&schedules.iter().collect::<Vec<_>>(), false),
        ),
    ];
    let mut wanted = text.clone();
    for (title, rows) in tables {
        let head = if matches!(title, "optimizer" | "transform") {
            format!("| {title} | on | what |\n| --- | --- | --- |\n")
        } else {
            format!("| {title} | what |\n| --- | --- |\n")
        };
        let (before, after) = wanted.split_once(&head).unwrap();
        let after = after.split_once("\n\n").unwrap().1;
        wanted = format!("{before}{head}{rows}\n\n{after}");
    }
    super::page_is("docs/optimizers.md", &wanted);
}
