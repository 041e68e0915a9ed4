//! What commands do that goes well.

use super::{mlc, stdout};
use serde_json::Value;

#[test]
fn the_tests_of_the_examples_pass() {
    for name in ["linear", "cone", "logistic"] {
        stdout(&[
            "test",
            &format!("examples/{name}.ml"),
            "--set",
            "small=true",
        ]);
    }
}

/// The pipelines of `examples/tour`, in small where they train long.
#[test]
fn the_tour_holds() {
    let dir = super::root().join("examples/tour");
    let mut count = 0;
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|e| e != "ml") {
            continue;
        }
        count += 1;
        let name = path.to_str().unwrap();
        let mut args = vec!["test", name];
        if std::fs::read_to_string(name).unwrap().contains("let small") {
            args.extend(["--set", "small=true"]);
        }
        stdout(&args);
        stdout(&["fmt", "--check", name]);
    }
    assert!(count >= 10);
}

/// Guides for any model, and the six posteriors with their reference moments. Seeds are fixed; draws are so many that what
/// is asserted lies at least five standard errors off.
#[test]
fn the_guides_hold() {
    for folder in ["cli/tests/guides", "examples/pvi/posteriordb"] {
        for entry in std::fs::read_dir(super::root().join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|e| e == "ml") {
                let name = path.to_str().unwrap();
                stdout(&["test", name]);
                stdout(&["fmt", "--check", name]);
            }
        }
    }
}

/// Four decimals of a small number would be four zeros; without batches there are no epochs.
#[test]
fn what_a_run_logs_can_be_read() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("run");
    let out = out.to_str().unwrap();
    let text = stdout(&["run", "examples/tour/summation.ml", "--out", out]);
    assert!(text.contains("steep [-1023.0000, 1.0000"), "{text}");
    assert!(text.contains("harmonic [-1.502e-4, 9.985e-6"), "{text}");
    let text = stdout(&[
        "run",
        "examples/tour/transformer.ml",
        "--set",
        "small=true",
        "--out",
        out,
    ]);
    assert!(text.contains("fit  step 20  accuracy"), "{text}");
}

#[cfg(unix)]
#[test]
fn a_reader_that_goes_away_ends_the_command_quietly() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let out = std::process::Command::new(assert_cmd::cargo::cargo_bin("mlc"))
        .arg("doc")
        .stdout(writer)
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap()
        .wait_with_output()
        .unwrap();
    assert_eq!(String::from_utf8(out.stderr).unwrap(), "");
    assert_eq!(out.status.code(), None);
}

/// Every pipeline of `tests/pipelines`, compiled and by the interpreter.
#[test]
fn the_pipelines_of_the_tests_hold() {
    let dir = super::root().join("cli/tests/pipelines");
    let mut names: Vec<_> = std::fs::read_dir(dir)
        .unwrap()
        .map(|e| e.unwrap().path())
        .filter(|p| p.extension().is_some_and(|e| e == "ml"))
        .collect();
    names.sort();
    assert!(names.len() >= 10);
    for name in &names {
        let name = name.to_str().unwrap();
        stdout(&["test", name, "--seed", "1"]);
        let text = std::fs::read_to_string(name).unwrap();
        if !text.contains("// slow by the interpreter") {
            stdout(&["test", name, "--interpret"]);
        }
    }
}

/// Applications of a stage run where something needs them, once, under their own names; one that meets NaN says so and ends.
#[test]
fn applications_run_where_they_are_needed() {
    let dir = tempfile::tempdir().unwrap();
    let (out, file) = (dir.path().join("run"), dir.path().join("p.ml"));
    std::fs::write(
        &file,
        "use std.optim.sgd
param w = 0.0
stage fit(lr) = train for 99 steps {
  minimize exp(w * w - w) over w using sgd(lr: lr)
  log loss = exp(w * w - w)
}
stage other(lr) = train for 2 steps { set w = w + lr }
let unused = fit(0.5).w
stage plain = train for 1 steps { set w = 7.0 }
stage sweep = compute { log ends = for lr in [0.1, 1e3] { fit(lr).log.loss[-1] }, again = fit(0.1).w }
",
    )
    .unwrap();
    let (file, out_text) = (file.to_str().unwrap(), out.to_str().unwrap());
    let checked = mlc().args(["check", file]).output().unwrap();
    let said = String::from_utf8(checked.stderr).unwrap();
    assert!(checked.status.success(), "{said}");
    assert!(said.contains("nothing applies the stage `other`"), "{said}");
    let ran = mlc()
        .args(["run", file, "--out", out_text])
        .output()
        .unwrap();
    let text = String::from_utf8(ran.stdout).unwrap();
    assert!(ran.status.success(), "{text}");
    assert!(text.contains("fit(lr: 1000.0)  ends at step"), "{text}");
    assert!(text.contains("NaN]"), "{text}");
    let metrics = std::fs::read_to_string(out.join("metrics.jsonl")).unwrap();
    let of = |stage: &str| metrics.lines().filter(|l| l.contains(stage)).count();
    assert_eq!(of("\"fit(lr: 0.1)\""), 99, "{metrics}");
    assert!(of("\"fit(lr: 1000.0)\"") < 99);
    assert_eq!(of("lr: 0.5") + of("other"), 0);
}

/// A checkpoint holds parameters, states of any type, and what optimizers keep, by address.
#[test]
fn checkpoints_hold_states_and_what_optimizers_keep() {
    let dir = tempfile::tempdir().unwrap();
    let (out, file) = (dir.path().join("run"), dir.path().join("p.ml"));
    std::fs::write(
        &file,
        "use std.nn.dense\nuse std.optim.{adam, sgd, lookahead, clip_norm}\n\
         net n = dense(2, 1)\nstate copy = n\nstate memory = {z: zeros_int(3), seen: false}\nparam s in positive = 0.5\n\
         stage fit = train for 4 steps {\n  state c = 0\n  set c = c + 1\n\
           minimize s * n([1.0, 2.0])[0]^2 over n using clip_norm(1.0) |> lookahead(adam(lr: 0.1)), s using sgd(lr: 0.1)\n\
           set copy = n\n  set memory = {z: memory.z + 1, seen: true}\n\
           every 2 steps {\n    checkpoint\n    table n.params, title: \"parameters\"\n  }\n}\n",
    )
    .unwrap();
    stdout(&[
        "run",
        file.to_str().unwrap(),
        "--out",
        out.to_str().unwrap(),
    ]);
    let read = |name: &str| {
        let bytes = std::fs::read(out.join(name)).unwrap();
        let n = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
        let header: Value = serde_json::from_slice(&bytes[8..8 + n]).unwrap();
        let mut names: Vec<String> = header.as_object().unwrap().keys().cloned().collect();
        names.retain(|n| n != "__metadata__");
        names.sort();
        names
    };
    let expected = [
        "copy.b",
        "copy.w",
        "fit.c",
        "fit.lookahead.slow.n.b",
        "fit.lookahead.slow.n.w",
        "fit.n.b.lookahead.inner.adam.m",
        "fit.n.b.lookahead.inner.adam.v",
        "fit.n.w.lookahead.inner.adam.m",
        "fit.n.w.lookahead.inner.adam.v",
        "memory.seen",
        "memory.z",
        "n.b",
        "n.w",
        "s",
    ];
    assert_eq!(read("final.safetensors"), expected);
    assert_eq!(read("fit-2.safetensors"), expected);
    let report = std::fs::read_to_string(out.join("report.html")).unwrap();
    assert!(report.contains("parameters, step 2") && report.contains("parameters, step 4"));
}

#[test]
fn a_run_leaves_its_folder() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("run");
    let text = stdout(&[
        "run",
        "examples/linear.ml",
        "--json",
        "--out",
        out.to_str().unwrap(),
    ]);
    let lines: Vec<Value> = text
        .lines()
        .map(|l| serde_json::from_str(l).unwrap())
        .collect();
    let logs: Vec<&Value> = lines
        .iter()
        .filter(|l| l["event"] == "log" && l["stage"] == "fit")
        .collect();
    assert_eq!(logs.len(), 500);
    assert_eq!(logs[499]["step"], 500);
    assert!(logs[499]["values"]["objective"].as_f64().unwrap() < 0.01);
    let compiled = lines
        .iter()
        .find(|l| l["event"] == "compiled" && l["stage"] == "fit")
        .unwrap();
    assert!(compiled["nodes"].as_u64().unwrap() > 10 && compiled["kernels"].as_u64().unwrap() > 1);
    let done = lines.last().unwrap();
    assert_eq!(
        (&done["event"], &done["ok"]),
        (&"done".into(), &true.into())
    );
    for file in ["metrics.jsonl", "final.safetensors", "report.html"] {
        assert!(
            std::fs::metadata(out.join(file)).unwrap().len() > 0,
            "{file}"
        );
    }
}

fn metrics(args: &[&str]) -> String {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("run");
    let mut all = vec![
        "run",
        "examples/cone.ml",
        "--set",
        "small=true",
        "--out",
        out.to_str().unwrap(),
    ];
    all.extend(args);
    stdout(&all);
    std::fs::read_to_string(out.join("metrics.jsonl")).unwrap()
}

#[test]
fn a_seed_gives_the_same_bits_whatever_the_threads() {
    let one = metrics(&["--seed", "3", "--threads", "1"]);
    assert_eq!(one, metrics(&["--seed", "3", "--threads", "2"]));
    assert_ne!(one, metrics(&["--seed", "4"]));
}

fn last_objective(text: &str) -> f64 {
    let lines: Vec<Value> = text
        .lines()
        .map(|l| serde_json::from_str(l).unwrap())
        .collect();
    let of = |l: &Value| l["values"]["objective"].as_f64();
    lines.iter().rev().find_map(of).unwrap()
}

#[test]
fn machine_code_interpreter_and_unoptimised_program_agree() {
    let fast = last_objective(&metrics(&[]));
    let slow = last_objective(&metrics(&["--interpret"]));
    let plain = last_objective(&metrics(&[
        "--disable-pass",
        "simplify",
        "--disable-pass",
        "fold_constants",
    ]));
    assert!((fast - slow).abs() < 1e-2 * fast.abs(), "{fast} and {slow}");
    assert!(
        (fast - plain).abs() < 1e-2 * fast.abs(),
        "{fast} and {plain}"
    );
}

#[test]
fn the_graph_of_the_cone_is_as_it_was() {
    insta::assert_snapshot!(stdout(&["ir", "examples/cone.ml", "--stage", "fit"]));
}

/// Every stage of compilation, on sources of a few lines.
#[test]
fn stages_of_compilation_are_as_they_were() {
    for name in ["estimate", "gradients", "repeated", "rows"] {
        let file = format!("cli/tests/stages/{name}.ml");
        for form in ["--raw", "", "--units"] {
            let mut args = vec!["ir", &file];
            args.extend(Some(form).filter(|f| !f.is_empty()));
            let what = if form.is_empty() {
                "optimised"
            } else {
                &form[2..]
            };
            insta::assert_snapshot!(format!("{name}_{what}"), stdout(&args));
        }
    }
}

/// What is large and read by several products along its rows passes all of them, panel by panel.
#[test]
fn rows_that_several_products_read_are_read_once() {
    let file = "cli/tests/stages/panels.ml";
    for stage in ["fit", "scales"] {
        let units = stdout(&["ir", file, "--stage", stage, "--units"]);
        let chains = units.lines().filter(|l| l.starts_with("panels of"));
        assert_eq!(chains.count(), 1, "{units}");
        insta::assert_snapshot!(format!("panels_{stage}_units"), units);
    }
}

/// However it is written, a function of rows and its gradient are one loop nest.
#[test]
fn functions_of_rows_are_one_loop_nest() {
    let file = "cli/tests/stages/softmax.ml";
    for stage in ["library", "quotient", "logarithm", "norm"] {
        let units = stdout(&["ir", file, "--stage", stage, "--units"]);
        let nests = units.lines().filter(|l| l.contains(" 96 x 64"));
        assert_eq!(nests.count(), 1, "{units}");
        insta::assert_snapshot!(format!("rows_{stage}_units"), units);
    }
}

#[test]
fn the_library_is_documented() {
    assert!(stdout(&["doc"]).contains("std.optim.adam"));
    insta::assert_snapshot!("doc_elbo", stdout(&["doc", "elbo"]));
    insta::assert_snapshot!("doc_estimators", stdout(&["doc", "std.estimators"]));
    let out = mlc().args(["doc", "nonsense"]).output().unwrap();
    assert_eq!(out.status.code(), Some(2));
}

#[test]
fn graphs_are_drawn() {
    assert!(stdout(&["graph", "examples/linear.ml"]).starts_with("digraph"));
    assert!(stdout(&["graph", "examples/linear.ml", "--format", "svg"]).contains("<svg"));
}

#[test]
fn every_pipeline_is_formatted() {
    for path in super::robustness::all_pipelines() {
        // The snippets of the design keep its columns of comments.
        if path.components().any(|c| c.as_os_str() == "snippets") {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        // What does not parse cannot be formatted.
        if let Ok(formatted) = mlc_compiler::format(&text) {
            assert_eq!(formatted, text, "{} is not formatted", path.display());
        }
    }
    stdout(&["fmt", "--check", "examples/vae_mnist.ml"]);
}

#[test]
fn what_is_built_in_is_documented() {
    assert!(stdout(&["doc", "scatter_add"]).contains("scatter_add(x, at: i, values: v, axis: 0)"));
    assert!(stdout(&["doc", "builtins"]).contains("builtins.exp\n    The exponential"));
}

#[test]
fn values_and_functions_are_as_the_reference_says() {
    stdout(&["test", "cli/tests/pipelines/values.ml"]);
}

/// Rust knows no distribution, estimator, objective or optimizer by name.
#[test]
fn the_compiler_knows_no_name_of_the_library() {
    let root = super::root();
    let names = [
        "bernoulli",
        "categorical",
        "adam",
        "momentum",
        "iwelbo",
        "reinforce",
        "glorot",
    ];
    let mut folders = vec![root.join("compiler/src"), root.join("runtime/src")];
    while let Some(folder) = folders.pop() {
        for f in std::fs::read_dir(folder).unwrap() {
            let path = f.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap().to_lowercase();
            for n in names {
                assert!(
                    !text.contains(&format!("\"{n}\"")),
                    "`{n}` in {}",
                    path.display()
                );
            }
        }
    }
}

/// How gradients pass through a coin and a normal of one `expect`, in words and as JSON.
#[test]
fn gradients_are_explained() {
    let words = stdout(&["explain-gradient", "cli/tests/stages/estimate.ml"]);
    insta::assert_snapshot!("explained_gradient", words);
    let json = stdout(&["explain-gradient", "cli/tests/stages/estimate.ml", "--json"]);
    let first: serde_json::Value = serde_json::from_str(json.lines().next().unwrap()).unwrap();
    assert_eq!(first["site"], "b");
    assert_eq!(first["estimator"], "reinforce");
}

/// The variance of the gradient at each site: exact strategies have the least, and the site's own comes first.
#[test]
fn variances_are_measured() {
    let file = "cli/tests/stages/estimate.ml";
    let json = stdout(&["variance", file, "--draws", "400", "--json"]);
    let rows: Vec<serde_json::Value> = json
        .lines()
        .map(|l| serde_json::from_str(l).unwrap())
        .collect();
    let of = |site: &str, name: &str| {
        let found = rows
            .iter()
            .find(|r| r["site"] == site && r["estimator"] == name);
        found.unwrap()["variance"].as_f64().unwrap()
    };
    assert_eq!(rows[0]["written"], true);
    assert!(of("b", "enumerate") < of("b", "reinforce"));
    assert!(of("b", "mvd") > 0.0);
    let table = stdout(&["variance", file, "--draws", "40"]);
    assert!(table.contains("(as written)") && table.contains(" *"));
    let none = stdout(&["variance", "cli/tests/stages/rows.ml"]);
    assert_eq!(none, "no stage that trains has an `expect` with sites\n");
}

/// The step of each stage is timed, and what it computes and moves is counted.
#[test]
fn steps_are_timed() {
    let file = "cli/tests/stages/estimate.ml";
    let quick = ["--seconds", "0", "--samples", "3"];
    let json = stdout(&[&["bench", file, "--json"][..], &quick].concat());
    let row: serde_json::Value = serde_json::from_str(json.lines().next().unwrap()).unwrap();
    assert_eq!(row["workload"], "estimate");
    assert_eq!(row["samples"], 3);
    for what in [
        "median_ns",
        "min_ns",
        "compile_ms",
        "flops",
        "bytes_moved",
        "copy_bandwidth",
    ] {
        assert!(row[what].as_f64().unwrap() > 0.0, "{what}");
    }
    assert!(row["min_ns"].as_f64() <= row["median_ns"].as_f64());
    let words = stdout(
        &[
            &["bench", "examples/logistic.ml", "--set", "small=true"][..],
            &quick,
        ]
        .concat(),
    );
    assert!(words.contains("of the copy bandwidth") && words.contains("machine-code"));
}

/// `via auto` takes an estimator by its measured variance, says so, and takes the same one each time.
#[test]
fn strategies_are_chosen() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    let args = ["run", "cli/tests/stages/auto.ml", "--json", "--out"];
    let run = || {
        let text = stdout(&[&args[..], &[out.to_str().unwrap()]].concat());
        let chosen = text.lines().filter(|l| l.contains("\"strategy\""));
        chosen.map(String::from).collect::<Vec<String>>()
    };
    let first = run();
    assert_eq!(first.len(), 2);
    assert!(
        first
            .iter()
            .any(|l| l.contains("\"site\":\"z\"") && l.contains("reparam"))
    );
    assert!(
        !first
            .iter()
            .any(|l| l.contains("\"estimator\":\"reinforce\""))
    );
    assert_eq!(first, run());
}

/// Words of the language are told of like functions are, each named in the reference.
#[test]
fn words_are_documented() {
    assert!(stdout(&["doc", "csv"]).contains("In `data`: a record of columns"));
    let page = std::fs::read_to_string(super::root().join("docs/language.md")).unwrap();
    let listed = stdout(&["doc", "language"]);
    let words = listed.lines().filter(|l| l.starts_with("language."));
    assert!(words.count() > 30);
    for word in ["scan", "with_key", "strict", "expect", "stage", "export"] {
        assert!(listed.contains(word) && page.contains(word), "{word}");
    }
}
