//! Values that are not finite: where they come from, and steps that are skipped for them.

use super::resume::Folder;

/// Runs a pipeline that meets a value which is not finite; what it says of it, without the drawing.
fn said(text: &str) -> String {
    let folder = Folder::new(text);
    let complained = folder.fails(1, &["run", "p.ml", "--out", "out"]);
    assert!(folder.path("out/before-nan.safetensors").exists());
    folder.fails(1, &["run", "p.ml", "--out", "slow", "--interpret"]);
    complained
}

#[track_caller]
fn names(text: &str, what: &[&str]) {
    let complained = said(text);
    for w in what {
        assert!(complained.contains(w), "{w}: {complained}");
    }
}

#[test]
fn the_operation_is_named_with_its_lane() {
    names(
        "use std.optim.sgd
let x = linspace(1.0, 3.0, 3)
param w = 0.4
stage fit = train for 50 steps {
  minimize mean(for a in x { log(1.5 - a * w) }) over w using sgd(lr: 0.1)
}
",
        &[
            "`objective` is not a number at step",
            "`log` is the first that gives what is not a number, element [1] of `real[3]`",
            "`log` is given `1.5 - a * w`, `real[3]`: from ",
            "is of the lane 1 of the `for` at p.ml:5:17",
        ],
    );
}

/// What stands in the library is told of at the user's place, and belongs to the user's site.
#[test]
fn a_site_is_named() {
    names(
        "use std.dist.normal
use std.optim.sgd
param s = 0.3
model noise(s) { for i in 0..3 { x ~ normal(0.0, s) } }
stage fit = train for 50 steps {
  minimize -logdensity(noise(s), {x: [0.1, -0.2, 0.3]}) over s using sgd(lr: 0.1)
}
",
        &["E0610", "belongs to the site `x`", "stands at std/"],
    );
}

#[test]
fn an_iteration_of_a_loop_is_named() {
    names(
        "use std.optim.sgd
param w = 1.5
stage fit = train for 5 steps {
  let end = scan (c = w) for i in 0..6 { next c = sqrt(c - 0.7) }
  minimize end over w using sgd(lr: 0.0)
}
",
        &[
            "`sqrt` is the first that gives what is not a number",
            "is in the iteration 2 of its `scan`",
        ],
    );
}

/// The value is finite and its derivative is not.
#[test]
fn a_derivative_is_named_at_what_it_is_of() {
    names(
        "use std.optim.sgd
param w = 0.0
stage fit = train for 5 steps { minimize sqrt(w * w) over w using sgd(lr: 0.1) }
",
        &["`w` is not a number at step 1", "in the derivative of this"],
    );
}

/// An infinity that becomes no number is told of, too.
#[test]
fn an_infinity_before_it_is_named() {
    names(
        "use std.optim.sgd
param w = 1.0
stage fit = train for 50 steps {
  let big = exp(w)
  minimize big - (big + w) - w * w over w using sgd(lr: 0.5)
}
",
        &[
            "`objective` is not a number",
            "`exp` before it gives what is infinite",
        ],
    );
}

const SKIPPING: &str = "use std.optim.adam
let table = {x: stack([1.0, 4.0, 0.0, 9.0])}
param w = 1.0
stage fit = train b in table.shuffle().batch(1) for 50 epochs {
  minimize sum((w - b.x)^2) over w using adam(lr: 0.1)
  log loss = sum((w - b.x)^2) + 0.0 / sum(b.x)
  skip nan, max: 3
}
test \"steps\" {
  assert len(fit.log.loss) == 150
}
";

#[test]
fn told_to_a_stage_skips_steps_and_counts_them() {
    let folder = Folder::new(SKIPPING);
    let (said, _) = folder.run(&["--out", "out"]);
    assert!(said.contains("skipped 50"), "{said}");
    let metrics = String::from_utf8(folder.read("out/metrics.jsonl")).unwrap();
    assert_eq!(metrics.matches("\"skipped\"").count(), 50);
    assert_eq!(metrics.matches("\"loss\"").count(), 150);
    let tested = folder.command(&["test", "p.ml"]).output().unwrap();
    assert!(tested.status.success());
    // A run that only skips ends.
    folder.edit("p.ml", "[1.0, 4.0, 0.0, 9.0]", "[0.0, 0.0, 0.0, 0.0]");
    let complained = folder.fails(1, &["run", "p.ml", "--out", "none"]);
    assert!(complained.contains("at step 4 of `fit`"), "{complained}");
    assert!(
        complained.contains("3 steps in a row were skipped before this one"),
        "{complained}"
    );
}

#[test]
fn a_step_is_replayed_on_request() {
    let folder = Folder::new(
        "use std.optim.sgd
param w = 0.4
stage before = compute { log w = w }
stage fit = train for 50 steps { minimize log(1.5 - 3.0 * w) over w using sgd(lr: 0.02) }
stage short = train for 3 steps { minimize w * w over w using sgd(lr: 0.1) }
",
    );
    let out = folder
        .command(&["replay", "p.ml", "--step", "1"])
        .output()
        .unwrap();
    let said = String::from_utf8(out.stdout).unwrap();
    assert!(out.status.success(), "{said}");
    assert!(said.starts_with("step 1 of fit"), "{said}");
    assert!(said.contains("objective  real  -1.20397"), "{said}");
    assert!(said.contains("w  real  0.6  |  0.6"), "{said}");
    let complained = folder.fails(1, &["run", "p.ml", "--out", "out"]);
    let step = complained.split("at step ").nth(1).unwrap();
    let step = step.split(' ').next().unwrap();
    let replayed = folder.fails(1, &["replay", "p.ml", "--step", step, "--stage", "fit"]);
    assert!(
        replayed.contains("E0610") && replayed.contains("`log`"),
        "{replayed}"
    );
    let late = folder.fails(3, &["replay", "p.ml", "--step", "9", "--stage", "short"]);
    assert!(late.contains("`short` has no step 9"), "{late}");
    let none = folder.fails(2, &["replay", "p.ml", "--step", "9", "--stage", "before"]);
    assert!(none.contains("`before` has no steps"), "{none}");
}
