//! Golden values, tests of several pipelines at once, and projects as `mlc new` makes them.

use super::mlc;
use std::path::Path;

/// `mlc test`, without what the machine that runs this says of itself.
fn test(args: &[&str], input: &str) -> (i32, String) {
    let mut command = mlc();
    command.env_remove("CI").arg("test").args(args);
    let out = command.write_stdin(input).output().unwrap();
    let text = [out.stdout, out.stderr].concat();
    (out.status.code().unwrap(), String::from_utf8(text).unwrap())
}

#[test]
fn snapshots_are_kept_when_accepted_and_only_then() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("p.ml");
    let kept = dir.path().join("p.ml.snap");
    let test = |args: &[&str]| test(&[&[file.to_str().unwrap()], args].concat(), "");
    let write = |text: &str| std::fs::write(&file, text).unwrap();
    write("test \"a\" { snapshot sum(ones(3)) }\ntest \"b\" { snapshot {x: 1.0} }\n");
    let (code, said) = test(&[]);
    assert_eq!(code, 4);
    assert!(said.contains("[E0618]") && !kept.exists(), "{said}");
    assert_eq!(test(&["--accept"]).0, 0);
    assert_eq!(test(&[]).0, 0);
    write("test \"a\" { snapshot sum(ones(4)) }\ntest \"b\" { snapshot {x: 1.0} }\n");
    let before = std::fs::read(&kept).unwrap();
    let (code, said) = test(&[]);
    assert_eq!(code, 4);
    assert!(said.contains("was 3, is 4"), "{said}");
    assert_eq!(std::fs::read(&kept).unwrap(), before);
    // One test more accepted, the others stay as they are.
    assert_eq!(test(&["--accept", "--filter", "a"]).0, 0);
    assert_eq!(test(&[]).0, 0);
    write("test \"a\" { snapshot sum(ones(4)) }\n");
    let (code, said) = test(&[]);
    assert_eq!(code, 4);
    assert!(
        said.contains("STALE") && said.contains("no test \"b\""),
        "{said}"
    );
    assert_eq!(test(&["--accept"]).0, 0);
    assert_eq!(test(&[]).0, 0);
    std::fs::write(&kept, "nonsense").unwrap();
    assert_eq!(test(&[]).0, 3);
}

const KINDS: &str = r#"param w = [1.0, 2.0]

fn curved(x) = sum(x * x)

test "kinds" {
  snapshot w[0] / 3.0, tol: 0.1
  snapshot graph grad(curved(w), wrt: w)
  snapshot diagnostics { [1.0, 2.0] + [1.0, 2.0, 3.0] }
}
"#;

#[test]
fn snapshots_keep_values_graphs_and_diagnostics() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("p.ml");
    let path = file.to_str().unwrap();
    let write = |text: &str| std::fs::write(&file, text).unwrap();
    write(KINDS);
    assert_eq!(test(&[path, "--accept"], "").0, 0);
    let kept = std::fs::read_to_string(dir.path().join("p.ml.snap")).unwrap();
    insta::assert_snapshot!("kinds_of_snapshots", kept);
    // Within the tolerance nothing differs, beyond it the value does.
    write(&KINDS.replace("/ 3.0", "/ 2.8"));
    assert_eq!(test(&[path], "").0, 0);
    write(&KINDS.replace("/ 3.0", "/ 2.0"));
    let (code, said) = test(&[path], "");
    assert!(code == 4 && said.contains("is 0.5"), "{said}");
    write(
        &KINDS
            .replace("x * x", "x * x * x")
            .replace("3.0] }", "4.0] }"),
    );
    let (code, said) = test(&[path], "");
    assert_eq!(code, 4);
    assert!(said.contains("its text is another"), "{said}");
    write(&KINDS.replace("0.1", "-0.1"));
    let (code, said) = test(&[path], "");
    assert!(code == 1 && said.contains("[E0619]"), "{said}");
}

#[test]
fn a_review_keeps_what_is_accepted_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("p.ml");
    let path = file.to_str().unwrap();
    let write = |a: f64, b: f64| {
        let text = format!("test \"a\" {{ snapshot {a:?} }}\ntest \"b\" {{ snapshot {b:?} }}\n");
        std::fs::write(&file, text).unwrap();
    };
    write(1.0, 2.0);
    assert_eq!(test(&[path, "--review"], "what\na\ns\n").0, 4);
    let (code, said) = test(&[path], "");
    assert!(code == 4 && said.contains("1 of 2 tests passed"), "{said}");
    assert_eq!(test(&[path, "--review"], "A\n").0, 0);
    assert_eq!(test(&[path], "").0, 0);
    write(1.5, 2.5);
    let (code, said) = test(&[path, "--review"], "q\n");
    assert!(
        code == 4 && said.contains("- 1") && said.contains("+ 1.5"),
        "{said}"
    );
    assert_eq!(test(&[path, "--review"], "s\na\n").0, 4);
    let (_, said) = test(&[path], "");
    assert!(
        said.contains("FAILED  a") && said.contains("ok      b"),
        "{said}"
    );
}

#[test]
fn where_nothing_may_be_written_nothing_is() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("p.ml");
    std::fs::write(&file, "test \"a\" { snapshot 1.0 }\n").unwrap();
    let path = file.to_str().unwrap();
    assert_eq!(test(&[path, "--ci", "--accept"], "").0, 2);
    assert_eq!(test(&[path, "--ci", "--review"], "").0, 2);
    assert_eq!(test(&[path, "--ci"], "").0, 4);
    let out = mlc()
        .env("CI", "true")
        .args(["test", path, "--accept"])
        .output();
    assert_eq!(out.unwrap().status.code(), Some(2));
    assert!(!dir.path().join("p.ml.snap").exists());
}

/// A folder with a pipeline that passes, one that fails, one that is wrong, one without tests, and golden values of none.
fn several(dir: &Path) {
    let write = |name: &str, text: &str| std::fs::write(dir.join(name), text).unwrap();
    std::fs::create_dir(dir.join("below")).unwrap();
    write(
        "below/good.ml",
        "let n = 1\ntest \"one\" { assert n > 0 }\ntest \"two\" { assert n > 0 }\n",
    );
    write("false.ml", "test \"not so\" { assert 1 > 2 }\n");
    write("none.ml", "let a = 1\n");
    write("gone.ml.snap", "");
}

#[test]
fn folders_are_tested_all_at_once() {
    let dir = tempfile::tempdir().unwrap();
    several(dir.path());
    let folder = dir.path().to_str().unwrap();
    let xml = dir.path().join("tests.xml");
    let junit = xml.to_str().unwrap();
    let (code, said) = test(&[folder, "--junit", junit, "--jobs", "2"], "");
    assert_eq!(code, 4, "{said}");
    assert!(
        said.contains("2 of 3 tests passed, in 2 pipelines"),
        "{said}"
    );
    assert!(
        said.contains("STALE") && said.contains("gone.ml.snap"),
        "{said}"
    );
    let text = std::fs::read_to_string(&xml).unwrap();
    assert!(
        text.contains("<testsuites")
            && text.contains("tests=\"3\"")
            && text.contains("failures=\"1\""),
        "{text}"
    );
    assert!(text.contains("E0900"), "{text}");
    // A `--set` goes to the pipelines that have it.
    let good = dir.path().join("below");
    assert_eq!(test(&[good.to_str().unwrap(), "--set", "n=0"], "").0, 4);
    let (code, said) = test(&[folder, "--set", "m=0"], "");
    assert!(code == 2 && said.contains("let m"), "{said}");
    // A pipeline that is wrong outweighs a test that fails, and hides none.
    std::fs::write(dir.path().join("wrong.ml"), "test \"a\" { assert x }\n").unwrap();
    let (code, said) = test(&[folder], "");
    assert!(code == 1 && said.contains("2 of 4 tests passed"), "{said}");
    assert_eq!(
        test(&[dir.path().join("nothing").to_str().unwrap()], "").0,
        3
    );
    let empty = tempfile::tempdir().unwrap();
    assert_eq!(test(&[empty.path().to_str().unwrap()], "").0, 2);
}

#[test]
fn a_new_project_runs_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("growth");
    let new = |folder: &Path| {
        let out = mlc().arg("new").arg(folder).output().unwrap();
        out.status.code().unwrap()
    };
    assert_eq!(new(&folder), 0);
    assert_eq!(new(&folder), 2, "what is there stays");
    let readme = std::fs::read_to_string(folder.join("README.md")).unwrap();
    assert!(readme.starts_with("# growth\n"), "{readme}");
    // As its own build machine would, with the command on the path.
    let bin = assert_cmd::cargo::cargo_bin!("mlc");
    let path = std::env::var("PATH").unwrap();
    let path = format!("{}:{path}", bin.parent().unwrap().display());
    let mut ci = assert_cmd::Command::new("bash");
    ci.arg(folder.join(".ci/run"))
        .env("PATH", path)
        .env("MLC_CACHE", "off");
    ci.assert().success();
    assert!(folder.join("tests.xml").exists());
    let files = [
        "pipeline.ml",
        "pipeline.ml.snap",
        "data/growth.csv",
        ".gitignore",
    ];
    for file in files {
        let text = std::fs::read_to_string(folder.join(file)).unwrap();
        assert!(!text.contains("{{"), "{file}");
    }
}
