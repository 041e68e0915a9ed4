//! The distributions of the library: what each declares is checked against the rest of it, and the page lists them all.

use super::{mlc, root};
use mlc_grammar::ast::{Dist, File, ItemKind};
use std::path::PathBuf;

fn files(folder: &str) -> Vec<PathBuf> {
    let mut found: Vec<_> = std::fs::read_dir(root().join(folder))
        .unwrap()
        .map(|e| e.unwrap().path())
        .filter(|p| p.extension().is_some_and(|e| e == "ml"))
        .collect();
    found.sort();
    found
}

/// The pipelines that check them: a row for each.
#[test]
fn the_distributions_hold_together() {
    let tests = files("cli/tests/distributions");
    assert!(tests.len() >= 6);
    for file in &tests {
        let out = mlc().arg("test").arg(file).output().unwrap();
        let said = String::from_utf8(out.stdout).unwrap() + &String::from_utf8(out.stderr).unwrap();
        let only_functions = file.ends_with("checks.ml");
        assert!(out.status.success() || only_functions, "{said}");
    }
}

fn parsed() -> Vec<File> {
    let parse = |path: PathBuf| {
        let text = std::fs::read_to_string(path).unwrap();
        let (file, reports) = mlc_grammar::parse(mlc_grammar::span::FileId(0), &text);
        assert!(reports.is_empty());
        file
    };
    files("stdlib/dist").into_iter().map(parse).collect()
}

#[test]
fn every_distribution_is_checked() {
    let texts: String = files("cli/tests/distributions")
        .iter()
        .map(|p| std::fs::read_to_string(p).unwrap())
        .collect();
    let mut count = 0;
    for item in parsed().iter().flat_map(|f| &f.items) {
        if let ItemKind::Dist(d) = &item.kind {
            count += 1;
            let call = format!("{}(", d.name.text);
            assert!(texts.contains(&call), "`{}` has no row", d.name.text);
        }
    }
    assert!(count >= 40, "{count}");
}

/// Members that have a meaning to the rest of the library, in the order of the page.
const MEMBERS: &[&str] = &[
    "logpdf",
    "sample",
    "noise",
    "transform",
    "support",
    "mvd",
    "cdf",
    "quantile",
    "mean",
    "variance",
    "entropy",
    "kl",
];

fn members(d: &Dist) -> String {
    let known = MEMBERS.iter().filter_map(|name| {
        let m = d.members.iter().find(|m| m.name.text == **name)?;
        let mark = if m.conditions.is_empty() { "" } else { "*" };
        Some(format!("`{name}`{mark}"))
    });
    known.collect::<Vec<_>>().join(" ")
}

fn page() -> String {
    let mut rows = Vec::new();
    for entry in mlc_compiler::stdlib::entries() {
        if entry.module != "std.dist" || !entry.signature.starts_with("dist ") {
            continue;
        }
        let all = parsed();
        let d = all
            .iter()
            .flat_map(|f| &f.items)
            .find_map(|i| match &i.kind {
                ItemKind::Dist(d) if d.name.text == entry.name => Some(d.clone()),
                _ => None,
            });
        let text: String = entry
            .signature
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ");
        let (call, on) = text["dist ".len()..].rsplit_once(" on ").unwrap();
        let call = call.replace("( ", "(").replace(" )", ")");
        let about = entry.about.replace('\n', " ").replace('|', "\\|");
        rows.push(format!(
            "| `{call}` | `{on}` | {about} | {} |",
            members(&d.unwrap())
        ));
    }
    rows.sort();
    rows.join("\n")
}

#[test]
fn the_page_lists_the_distributions() {
    let file = root().join("docs/distributions.md");
    let text = std::fs::read_to_string(&file).unwrap();
    let head = "| distribution | support | what | members |\n| --- | --- | --- | --- |\n";
    let (before, after) = text.split_once(head).unwrap();
    let after = after.split_once("\n\n").unwrap().1;
    let wanted = format!("{before}{head}{}\n\n{after}", page());
    super::page_is("docs/distributions.md", &wanted);
}
