//! What commands do that goes well.

use super::mlc;
use serde_json::Value;

fn stdout(args: &[&str]) -> String {
    let out = mlc().args(args).output().unwrap();
    let text = String::from_utf8(out.stderr).unwrap();
    assert!(out.status.success(), "{args:?}: {text}");
    String::from_utf8(out.stdout).unwrap()
}

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
    assert!(names.len() > 10);
    for name in &names {
        let name = name.to_str().unwrap();
        stdout(&["test", name, "--seed", "1"]);
        let text = std::fs::read_to_string(name).unwrap();
        if !text.contains("// slow by the interpreter") {
            stdout(&["test", name, "--interpret"]);
        }
    }
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
    for name in ["estimate", "gradients", "rows"] {
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
fn the_prompt_evaluates() {
    let lines = "1 + 2\nlet x = [1.0, 2.0, 3.0]\nsum(x * x)\n:type x\nfn f(a) = a * a\nf(3.0)\nnonsense\n:grad sum(x ^ 2), x\n:quit\n";
    let out = mlc().arg("repl").write_stdin(lines).output().unwrap();
    let said = format!(
        "{}---\n{}",
        String::from_utf8(out.stdout).unwrap(),
        String::from_utf8(out.stderr).unwrap()
    );
    insta::assert_snapshot!(said);
}

#[test]
fn examples_and_library_are_formatted() {
    for folder in ["examples", "stdlib", "cli/tests/pipelines"] {
        for f in std::fs::read_dir(super::root().join(folder)).unwrap() {
            let path = f.unwrap().path();
            if path.extension().is_some_and(|e| e == "ml") {
                stdout(&["fmt", "--check", path.to_str().unwrap()]);
            }
        }
    }
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
