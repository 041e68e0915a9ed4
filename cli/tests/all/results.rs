//! What runs leave, laid over one another, and for other tools.

use super::{mlc, stdout};

const PIPELINE: &str = "use std.optim.sgd
let rate = 0.1
param w = 1.0
stage fit = train for 5 steps {
  minimize w^2 over w using sgd(lr: rate)
  log loss = w^2
  every 5 steps { histogram randn([500]), title: \"draws\" }
}
";

#[test]
fn runs_are_compared_and_recorded() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_string();
    std::fs::write(path("p.ml"), PIPELINE).unwrap();
    stdout(&[
        "run",
        &path("p.ml"),
        "--out",
        &path("slow"),
        "--tensorboard",
        "--gradient-norms",
    ]);
    let logged = std::fs::read_to_string(path("slow/metrics.jsonl")).unwrap();
    let first: serde_json::Value = serde_json::from_str(logged.lines().next().unwrap()).unwrap();
    // The gradient of w^2 at 1.
    assert_eq!(first["values"]["gradient_norm"], 2.0);
    stdout(&[
        "run",
        &path("p.ml"),
        "--out",
        &path("fast"),
        "--set",
        "rate=0.4",
    ]);
    let page = path("both.html");
    let said = stdout(&["compare", &path("slow"), &path("fast"), "--out", &page]);
    let rows: Vec<&str> = said.lines().collect();
    assert!(
        rows[0].starts_with("last value of") && rows[0].ends_with("fast"),
        "{said}"
    );
    let loss = rows.iter().find(|r| r.starts_with("fit: loss")).unwrap();
    assert!(loss.contains("0.1073741"), "{said}");
    let html = std::fs::read_to_string(page).unwrap();
    assert!(html.contains("fit: loss") && html.contains("<svg"));
    let report = std::fs::read_to_string(path("slow/report.html")).unwrap();
    for part in ["draws", "density", "<h2>times</h2>", "processor", "seed"] {
        assert!(report.contains(part), "{part}");
    }
    let events = std::fs::read_dir(path("slow")).unwrap();
    let names = events.map(|e| e.unwrap().file_name().to_string_lossy().into_owned());
    let events: Vec<String> = names
        .filter(|n| n.starts_with("events.out.tfevents."))
        .collect();
    assert_eq!(events.len(), 1);
    let bytes = std::fs::read(path("slow").to_string() + "/" + &events[0]).unwrap();
    let tags = bytes.windows(8).filter(|w| w == b"fit/loss").count();
    assert_eq!(tags, 5);
    let out = mlc().args(["compare", &path("none")]).output().unwrap();
    assert_eq!(out.status.code(), Some(3));
}
