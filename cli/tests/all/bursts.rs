//! Many steps of a stage that follow one another without anything between them end as they do one by one.

use super::resume::Folder;

/// Draws, has states, keeps the best of its versions, logs reals and integers, and runs a block now and then.
const NOISY: &str = "use std.optim.adam
param w = zeros(3)
param b = 0.5
state n = 0
stage fit = train for 3000 steps {
  let x = randn(3)
  let loss = sum((w - x)^2) + (b - sum(x))^2
  minimize loss over w, b using adam(lr: 0.01)
  set n = n + 1
  log loss, n = n
  every 700 steps { log w }
  keep lowest loss
}
";

#[test]
fn interruptions_change_nothing() {
    let folder = Folder::new(NOISY);
    folder.run(&["--out", "whole", "--checkpoint", "never"]);
    folder.run(&["--out", "often", "--checkpoint", "37"]);
    for file in ["metrics.jsonl", "final.safetensors"] {
        let [whole, often] = ["whole", "often"].map(|f| folder.read(&format!("{f}/{file}")));
        assert!(whole == often, "{file}");
    }
    let lines = String::from_utf8(folder.read("whole/metrics.jsonl")).unwrap();
    assert_eq!(lines.lines().count(), 3004);
    assert!(lines.contains("\"step\":3000,\"epoch\":2999,"));
}

/// The last step becomes NaN with the number of steps done.
const FAILS: &str = "use std.optim.sgd
let last = 4000
param w = 0.0
stage fit = train for last steps {
  minimize (w - 1.0)^2 + 0.0 * log(2500.5 - real(step)) over w using sgd(lr: 0.001)
}
";

#[test]
fn the_step_that_fails_is_found_and_leaves_what_was_before_it() {
    let folder = Folder::new(FAILS);
    let complained = folder.fails(1, &["run", "p.ml", "--out", "out"]);
    assert!(complained.contains("at step 2502"), "{complained}");
    let lines = String::from_utf8(folder.read("out/metrics.jsonl")).unwrap();
    assert_eq!(lines.lines().count(), 2501);
    folder.run(&["--out", "short", "--set", "last=2501"]);
    let before = folder.read("out/before-nan.safetensors");
    assert!(before == folder.read("short/final.safetensors"));
}

/// A parameter of many elements is looked at by the step itself.
#[test]
fn an_element_of_a_large_parameter_is_found() {
    let text = "use std.optim.sgd
param small = zeros(3)
param large = zeros(10000)
let at = linspace(0.0, 9999.0, 10000)
stage fit = train for 300 steps {
  let g = 3e38 * real(step == 150) * real(at == 7777.0)
  update large by 100.0 * g using sgd(lr: 1.0)
  update small by zeros(3) using sgd(lr: 1.0)
  log nothing = 0.0
}
";
    let folder = Folder::new(text);
    let complained = folder.fails(1, &["run", "p.ml", "--out", "out"]);
    assert!(complained.contains("`large`"), "{complained}");
    assert!(complained.contains("at step 151"), "{complained}");
    let interpreted = folder.fails(1, &["run", "p.ml", "--out", "slow", "--interpret"]);
    assert!(interpreted.contains("at step 151"), "{interpreted}");
}

#[test]
fn a_step_is_skipped_among_others() {
    let text = FAILS.replace("2500.5 - real(step)", "abs(real(step) - 2500.0)");
    let folder = Folder::new(&text.replace("(lr: 0.001)\n", "(lr: 0.001)\n  skip nan\n"));
    folder.run(&["--out", "out"]);
    let lines = String::from_utf8(folder.read("out/metrics.jsonl")).unwrap();
    let lines: Vec<&str> = lines.lines().collect();
    assert_eq!(lines.len(), 4000);
    assert!(lines[2500].contains("\"step\":2501,") && lines[2500].contains("\"skipped\":1"));
    assert!(lines[2501].contains("\"step\":2502,") && lines[2501].contains("\"objective\""));
}
