//! Nets, losses and metrics of the library: each is tested, and the page lists them all.

use super::{root, stdout};
use mlc_compiler::stdlib::entries;

const MODULES: &[&str] = &["std.nn", "std.losses", "std.metrics"];

fn pipelines() -> Vec<String> {
    let mut found: Vec<_> = std::fs::read_dir(root().join("cli/tests/nets"))
        .unwrap()
        .map(|e| e.unwrap().path())
        .filter(|p| p.extension().is_some_and(|e| e == "ml"))
        .map(|p| p.to_str().unwrap().to_string())
        .collect();
    found.sort();
    found
}

/// Compiled and by the interpreter. What is random has a fixed seed, and lies five standard errors off if it is wrong.
#[test]
fn the_nets_losses_and_metrics_hold() {
    let files = pipelines();
    assert!(files.len() >= 2);
    for file in &files {
        stdout(&["test", file, "--seed", "1"]);
        stdout(&["fmt", "--check", file]);
        let text = std::fs::read_to_string(file).unwrap();
        if !text.contains("// slow by the interpreter") {
            stdout(&["test", file, "--interpret", "--seed", "1"]);
        }
    }
}

/// Is `name(` in a text, other than at the end of a longer name?
fn is_called(text: &str, name: &str) -> bool {
    let call = format!("{name}(");
    text.match_indices(&call).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        before.is_none_or(|c| !c.is_alphanumeric() && c != '_' && c != '.')
    })
}

#[test]
fn every_net_loss_and_metric_is_tested() {
    let texts = pipelines()
        .iter()
        .map(|p| std::fs::read_to_string(p).unwrap())
        .collect::<String>();
    let mut count = 0;
    for e in entries() {
        if MODULES.contains(&e.module.as_str()) {
            count += 1;
            assert!(is_called(&texts, &e.name), "`{}` has no test", e.name);
        }
    }
    assert!(count >= 50, "{count}");
}

/// The rows of a module, in the library's order.
fn rows(module: &str) -> String {
    let row = |e: mlc_compiler::stdlib::Entry| {
        let text: String = e.signature.split_whitespace().collect::<Vec<_>>().join(" ");
        let call = text.split_once(' ').unwrap().1;
        let call = call.replace("( ", "(").replace(", )", ")");
        let about = e.about.replace('\n', " ").replace('|', "\\|");
        format!("| `{call}` | {about} |\n")
    };
    let of_module = entries().into_iter().filter(|e| e.module == module);
    of_module.map(row).collect()
}

/// `INSTA_UPDATE=always` writes it anew.
#[test]
fn the_page_lists_nets_losses_and_metrics() {
    let file = root().join("docs/nets.md");
    let mut wanted = std::fs::read_to_string(&file).unwrap();
    for module in MODULES {
        let head = format!("| `{module}` | what |\n| --- | --- |\n");
        let (before, after) = wanted.split_once(&head).unwrap();
        let after = after.trim_start_matches(|c| c != '#');
        wanted = format!("{before}{head}{}\n{after}", rows(module));
    }
    let wanted = format!("{}\n", wanted.trim_end());
    super::page_is("docs/nets.md", &wanted);
}

/// Parameters and running statistics of a net, in another pipeline.
#[test]
fn an_exported_net_has_its_states() {
    let dir = tempfile::tempdir().unwrap();
    let kept = root().join("cli/tests/nets/kept");
    let (train, out) = (kept.join("train.ml"), dir.path().to_str().unwrap());
    stdout(&["run", train.to_str().unwrap(), "--out", out]);
    let file = dir.path().join("use.ml");
    std::fs::copy(kept.join("use.ml"), &file).unwrap();
    stdout(&["test", file.to_str().unwrap()]);
}
