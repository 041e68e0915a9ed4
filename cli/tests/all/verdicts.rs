//! What a run says of a fit, and what it ends with.

use super::mlc;
use serde_json::Value;

const PIPELINE: &str = "
use std.dist.normal
use std.diagnostics.fitted

model p() { z ~ normal(0.0, 1.0) }

model q(s) { z ~ normal(0.0, s) }

let narrow = false

stage fit = compute { verdict fitted(p(), q(if narrow { 0.2 } else { 1.0 })) }
";

/// Exit code, lines on stdout, and stderr of a run.
fn run(args: &[&str]) -> (i32, Vec<String>, String) {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("v.ml");
    std::fs::write(&file, PIPELINE).unwrap();
    let out = mlc()
        .args(["run", file.to_str().unwrap(), "--out"])
        .arg(dir.path().join("run"))
        .args(args)
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let lines = text(out.stdout).lines().map(String::from).collect();
    (out.status.code().unwrap(), lines, text(out.stderr))
}

#[test]
fn a_verdict_is_said_in_words() {
    let (code, lines, _) = run(&[]);
    assert_eq!(code, 0);
    assert!(
        lines.contains(&"fit  verdict: good".to_string()),
        "{lines:?}"
    );
    let (code, lines, _) = run(&["--set", "narrow=true"]);
    assert_eq!(code, 0);
    assert!(
        lines.contains(&"fit  verdict: do not use".to_string()),
        "{lines:?}"
    );
}

#[test]
fn a_strict_run_ends_with_the_verdict() {
    assert_eq!(run(&["--strict-fit"]).0, 0);
    let (code, _, errors) = run(&["--strict-fit", "--set", "narrow=true"]);
    assert_eq!(code, 5);
    assert!(
        errors.contains("the verdict on fit: do not use"),
        "{errors}"
    );
}

#[test]
fn a_verdict_is_an_event() {
    let (code, lines, _) = run(&["--json", "--strict-fit", "--set", "narrow=true"]);
    assert_eq!(code, 5);
    let events: Vec<Value> = lines
        .iter()
        .map(|l| serde_json::from_str(l).unwrap())
        .collect();
    let of = |kind: &str| events.iter().find(|e| e["event"] == kind).unwrap();
    let logged = &of("log")["values"];
    assert_eq!(logged["good"], false);
    assert!(logged["khat"].as_f64().unwrap() > 0.7);
    assert!(logged["elbo_se"].as_f64().unwrap() > 0.0);
    assert_eq!(of("verdict")["good"], false);
    assert_eq!(of("verdict")["words"], "do not use");
    assert_eq!(of("done")["ok"], false);
}
