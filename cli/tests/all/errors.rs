//! One small wrong pipeline for each diagnostic; what `mlc` says of it is a snapshot.

use super::mlc;

/// Runs a command in the folder of the wrong pipelines; its messages and exit code.
fn said(args: &[&str]) -> String {
    let out = mlc()
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/errors"))
        .args(args)
        .output()
        .unwrap();
    let text = String::from_utf8(out.stderr).unwrap();
    assert!(!text.contains("panicked"), "{args:?}: {text}");
    format!("exit {}\n{text}", out.status.code().unwrap())
}

#[test]
fn wrong_pipelines_are_explained() {
    insta::glob!("../errors", "*.ml", |path| {
        let name = path.file_name().unwrap().to_str().unwrap();
        let command = match name {
            "failing_test.ml" => vec!["test", name],
            "not_a_number.ml" => vec!["run", name, "--out", "../../../target/tmp/not_a_number"],
            _ => vec!["check", name],
        };
        insta::assert_snapshot!(said(&command));
    });
}

fn check_text(bytes: &[u8]) -> (i32, String) {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("p.ml");
    std::fs::write(&file, bytes).unwrap();
    let out = mlc().arg("check").arg(&file).output().unwrap();
    (
        out.status.code().unwrap(),
        String::from_utf8(out.stderr).unwrap(),
    )
}

#[test]
fn deep_nesting_is_refused() {
    let text = format!("let a = {}1{}", "(".repeat(100_000), ")".repeat(100_000));
    let (code, said) = check_text(text.as_bytes());
    assert_eq!(code, 1);
    assert!(said.contains("[E0002]"), "{}", &said[..said.len().min(400)]);
}

#[test]
fn a_long_line_ends() {
    let text = format!("let a = [{}1]", "1, ".repeat(3_500_000));
    let (code, said) = check_text(text.as_bytes());
    assert!(code == 0 || code == 1, "{code}");
    assert!(!said.contains("panicked"));
}

#[test]
fn bytes_that_are_no_text_are_refused() {
    let (code, said) = check_text(b"let a = \xff\xfe");
    assert_eq!(code, 1);
    assert!(said.contains("[E0005]"), "{said}");
}

#[test]
fn an_empty_file_has_no_mistakes() {
    assert_eq!(check_text(b"").0, 0);
}

#[test]
fn a_missing_pipeline_is_the_environments_fault() {
    let out = mlc().args(["run", "no_such_pipeline.ml"]).output().unwrap();
    assert_eq!(out.status.code(), Some(3));
}

#[test]
fn misuse_is_told_apart() {
    assert_eq!(
        mlc().arg("no-such-command").output().unwrap().status.code(),
        Some(2)
    );
    let out = mlc()
        .args(["run", "examples/linear.ml", "--set", "nonsense"])
        .output()
        .unwrap();
    assert_eq!(out.status.code(), Some(2));
}

#[test]
fn a_folder_that_cannot_be_made_is_the_environments_fault() {
    let out = mlc()
        .args(["run", "examples/linear.ml", "--out", "/proc/no/such"])
        .output()
        .unwrap();
    assert_eq!(out.status.code(), Some(3));
}
