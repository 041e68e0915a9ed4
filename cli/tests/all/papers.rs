//! What the papers' pipelines brought to the library, and the page that lists them.

use super::{root, stdout};

/// In small, all are run by what must pass before a change lands.
#[test]
fn what_papers_brought_to_the_library_holds() {
    let said = stdout(&["test", "--ci", "cli/tests/papers"]);
    assert!(
        said.lines().last().unwrap().ends_with(" pipelines"),
        "{said}"
    );
}

#[test]
fn the_papers_are_listed_with_what_is_shown_and_what_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let page = dir.path().join("papers.md");
    let said = stdout(&["papers", "--page", page.to_str().unwrap()]);
    let pipelines = std::fs::read_dir(root().join("examples/papers")).unwrap();
    let pipelines: Vec<_> = pipelines
        .map(|e| e.unwrap().path())
        .filter(|p| p.extension().is_some_and(|e| e == "ml"))
        .collect();
    assert!(pipelines.len() >= 22);
    for path in &pipelines {
        let id = path.file_stem().unwrap().to_str().unwrap();
        assert!(said.contains(id), "{id}");
        let text = std::fs::read_to_string(path).unwrap();
        for field in ["Paper", "Claim", "Shown", "Not shown", "Takes", "Vary"] {
            let begins = format!("// {field}: ");
            assert!(
                text.lines().any(|l| l.starts_with(&begins)),
                "{id}: {field}"
            );
        }
    }
    assert!(!said.contains("not run"), "{said}");
    let written = std::fs::read_to_string(page).unwrap();
    let kept = std::fs::read_to_string(root().join("docs/papers.md")).unwrap();
    assert!(
        written == kept,
        "docs/papers.md is not what `mlc papers --page docs/papers.md` writes"
    );
}
