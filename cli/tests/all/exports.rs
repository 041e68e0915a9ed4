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
