//! Applications of a stage: their seeds, and what the report says of them.

use super::mlc;

const PIPELINE: &str = r#"
use std.optim.sgd

param w = randn([4])
state kept = rand([])

stage fit(lr, seed) = train for 3 steps {
  minimize sum(w * w) over w using sgd(lr: lr)
  log loss = sum(w * w), first = w[0], kept = kept
}

stage plain = train for 1 steps {
  minimize sum(w * w) over w using sgd(lr: 0.0)
  log first = w[0]
}

let all = for lr in [0.01, 0.1] { for s in list(0..3) { fit(lr, seed: s).log.first[0] } }
let states = for s in list(0..2) { fit(0.1, seed: s).log.kept[-1] }

test "first values by seed" {
  // The first logged value is after one step: the same for one seed but for the learning rate.
  assert close(all[0] / 0.98, all[1] / 0.8, 1e-6)
  assert all[0, 0] != all[0, 1] and all[0, 1] != all[0, 2] and all[0, 0] != all[0, 2]
  assert states[0] != states[1]
  assert plain.log.first[0] != all[0, 0] / 0.98
}

stage end = compute { log all = all }
"#;

#[test]
fn seeds_draw_first_values_anew_and_the_report_shows_the_sweep() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sweep.ml");
    std::fs::write(&file, PIPELINE).unwrap();
    let run = |args: &[&str]| {
        let out = mlc()
            .args(args)
            .arg(&file)
            .env("MLC_CACHE", folder.path().join("cache"))
            .env("MLC_CACHE_MS", "0")
            .output()
            .unwrap();
        let text = String::from_utf8(out.stderr).unwrap();
        assert!(out.status.success(), "{args:?}: {text}");
        text + &String::from_utf8(out.stdout).unwrap()
    };
    run(&["test"]);
    let report = |name: &str| {
        let out = folder.path().join(name);
        let said = run(&["run", "--out", out.to_str().unwrap()]);
        (
            said,
            std::fs::read_to_string(out.join("report.html")).unwrap(),
        )
    };
    let (_, first) = report("first");
    assert!(first.contains("fit: what it was applied to"));
    assert!(first.contains("<th scope=\"col\" class=\"number\">lr</th>"));
    assert!(first.contains("fit: arguments and results"));
    assert!(first.contains("the least kept"));
    // What is told again is shown again.
    let (said, second) = report("second");
    assert!(
        said.contains("fit(lr: 0.1, seed: 2)  kept from a run"),
        "{said}"
    );
    let timeless = |report: &str| super::timeless(report.as_bytes());
    assert!(timeless(&first) == timeless(&second));
}
