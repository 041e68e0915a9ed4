//! Files for other programs.

use super::mlc;

/// With ArviZ from PyPI at hand (`MLC_PYTHON` may name another Python that has it), what is exported is loaded by it; without
/// it, only that the files are there is seen.
#[test]
fn what_is_exported_is_what_other_programs_read() {
    let dir = tempfile::tempdir().unwrap();
    let pipeline = "cli/tests/arviz/posterior.ml";
    let out = dir.path().to_str().unwrap();
    for again in [false, true] {
        let before = std::fs::read(dir.path().join("all.npz"));
        mlc()
            .args(["run", pipeline, "--out", out])
            .assert()
            .success();
        // A seed gives the same bytes.
        if again {
            assert_eq!(
                before.unwrap(),
                std::fs::read(dir.path().join("all.npz")).unwrap()
            );
        }
    }
    let text = std::fs::read_to_string(dir.path().join("posterior.csv")).unwrap();
    assert_eq!(text.lines().count(), 501);
    let text = std::fs::read_to_string(dir.path().join("inference.json")).unwrap();
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(json["posterior"]["mu"][0].as_array().unwrap().len(), 500);
    let python = std::env::var("MLC_PYTHON").unwrap_or_else(|_| "python3".to_string());
    let script = super::root().join("cli/tests/arviz/check.py");
    let Ok(said) = std::process::Command::new(python)
        .arg(script)
        .arg(out)
        .output()
    else {
        return;
    };
    let code = said.status.code();
    assert!(
        matches!(code, Some(0 | 77)),
        "{}",
        String::from_utf8_lossy(&said.stderr)
    );
}

/// A guide and a net that one pipeline trained and exported draw and score in another, which has none of the data.
#[test]
fn a_trained_guide_needs_no_data() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().to_str().unwrap();
    mlc()
        .args(["run", "cli/tests/fits/train.ml", "--out", out])
        .assert()
        .success();
    let fits = super::root().join("cli/tests/fits");
    for file in ["line.ml", "use.ml"] {
        std::fs::copy(fits.join(file), dir.path().join(file)).unwrap();
    }
    let test = |name: &str, text: &str| {
        let file = dir.path().join(name);
        std::fs::write(&file, text).unwrap();
        let said = mlc().arg("test").arg(file).output().unwrap();
        (
            said.status.success(),
            String::from_utf8_lossy(&said.stderr).into_owned(),
        )
    };
    let text = std::fs::read_to_string(fits.join("use.ml")).unwrap();
    let (good, said) = test("use.ml", &text);
    assert!(good, "{said}");
    // Of another structure.
    let (good, said) = test("fewer.ml", &text.replace("[.slope, .noise]", "[.slope]"));
    assert!(!good && said.contains("E0529"), "{said}");
    let (good, said) = test("other.ml", &text.replace("full_rank", "low_rank"));
    assert!(!good && said.contains("E0504"), "{said}");
    let (good, said) = test("nothing.ml", &text.replace("\"fit.s", "\"fits.s"));
    assert!(!good && said.contains("E0500"), "{said}");
}
