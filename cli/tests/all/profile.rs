//! Profiles: what they say, that timed code computes the same, and that arenas are as small as they can be, about.

use super::{mlc, root, stdout};
use fancy_regex::Regex;
use mlc_compiler::codegen::{
    self, CodegenError, Footprint, Form, Natives, PADDING, compile, compile_clocked,
};
use mlc_compiler::ir::Graph;
use mlc_compiler::lower::LowerOptions;
use mlc_compiler::program::{Program, StageProgram};
use mlc_compiler::transform::optimise;
use mlc_runtime::driver::{Engine, EngineOptions, Memo, Pipeline, RunOptions};
use mlc_runtime::kernels::{Clock, address, natives};
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::Path;

/// Loops in loops, a nest of several parts, products, draws, and one output that is another's part.
const PIPELINE: &str = "
let n = 300

stage fit = compute {
  let x = for i in 0..n { for j in 0..n { sin(real(i * j)) } }
  let y = x @ x
  let (_, z) = scan (a = ones(5)) for _ in 0..7 {
    let (_, b) = scan (c = 1.0) for _ in 0..3 {
      next c = c * 0.5 + sum(a)
      yield c
    }
    next a = a * sum(b) / (1.0 + sum(a * a))
    yield b
  }
  log y = sum(y, axis: 0), z = z[1], u = randn(3), top = max(exp(-x))
}
";

fn opened(path: &Path, text: &str, sets: &[(String, String)]) -> Pipeline {
    let lower = LowerOptions {
        sets: sets.to_vec(),
        ..LowerOptions::default()
    };
    let (pipeline, result) = Pipeline::open(path, text, lower, RunOptions::default());
    if let Err(f) = result {
        panic!("{}: {:?}", path.display(), f.reports);
    }
    pipeline
}

#[test]
fn timed_code_computes_the_same_and_no_other_calls_a_clock() {
    let mut pipeline = opened(Path::new("p.ml"), PIPELINE, &[]);
    let Ok(StageProgram::Compute(program)) = pipeline.session.lower_stage(0) else {
        panic!("the stage does not compute");
    };
    let g = optimise(program.graph.clone(), &[]);
    let no_clock = Natives {
        address: |name| address(name).filter(|_| !name.starts_with("mlc_clock")),
        ..natives()
    };
    let kernels = compile(&g, no_clock).unwrap().kernels;
    let refused: Result<_, CodegenError> = compile_clocked(&g, no_clock, 0);
    assert!(refused.err().unwrap().to_string().contains("mlc_clock"));

    let options = EngineOptions::default();
    let mut clock = Clock::new();
    let mut plain = Engine::new((*program).clone(), &options, &Memo::default(), false)
        .unwrap_or_else(|_| panic!());
    let (mut timed, units) =
        Engine::clocked(*program, &options, [false; 2], &clock).unwrap_or_else(|_| panic!());
    assert_eq!(units.len(), kernels);
    let seed = std::rc::Rc::new(mlc_runtime::tensor::HostTensor::from_i32(&[2], &[5, 0]));
    let step = std::rc::Rc::new(mlc_runtime::tensor::HostTensor::from_i32(&[], &[0]));
    let inputs: Vec<_> = { plain.program.sources.iter() }
        .map(|s| match s {
            mlc_compiler::program::Source::Seed => seed.clone(),
            _ => step.clone(),
        })
        .collect();
    clock.begin(units.len(), true);
    let (a, b) = (plain.run(&inputs), timed.run(&inputs));
    assert_eq!(a.len(), b.len());
    for (a, b) in a.iter().zip(&b) {
        assert_eq!(a.bytes(), b.bytes());
    }
    // Each unit ran once, those in loops once an iteration.
    let spent = clock.spent().to_vec();
    let mut outer = vec![1; units.len()];
    for (i, unit) in units.iter().enumerate().rev() {
        assert_eq!(spent[i].runs, outer[i], "{unit:?}");
        if let Form::Loop { count, body } = &unit.form {
            body.clone()
                .for_each(|b| outer[b] = outer[i] * *count as u64);
        }
    }
    assert!(outer.contains(&21));
    let seen: BTreeSet<usize> = clock.spans().iter().map(|s| s.unit).collect();
    assert_eq!(seen.len(), units.len());
}

/// A profile, and the trace that it wrote.
fn profiled(args: &[&str]) -> (String, Value) {
    let dir = tempfile::tempdir().unwrap();
    let trace = dir.path().join("trace.json");
    let to = ["--steps", "5", "--trace", trace.to_str().unwrap()];
    let text = stdout(&[&["profile"], args, &to].concat());
    let text = text.replace(trace.to_str().unwrap(), "trace.json");
    let trace = std::fs::read_to_string(trace).unwrap();
    (text, serde_json::from_str(&trace).unwrap())
}

/// Columns and last lines; numbers, and what they decide, are left out.
#[test]
fn a_profile_is_a_table() {
    let (text, _) = profiled(&["examples/cone.ml", "--set", "small=true"]);
    let row = Regex::new(
        r"^ +[\d.]+ +[\d.]+ +[\d.]+ +[\d.]+ +[\d.]+ +[\d.]+  (\d+ % (memory|compute) +)?\S.*  cone.ml:\d+( \+\d+)?  .+$",
    );
    let row = row.unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let header = lines
        .iter()
        .position(|l| l.contains("GFLOP/s  of"))
        .unwrap();
    let rows = lines[header + 1..].iter().take_while(|l| !l.is_empty());
    let rows: Vec<&&str> = rows.filter(|l| !l.starts_with("  and ")).collect();
    assert!(rows.len() >= 3, "{text}");
    for r in &rows {
        assert!(row.is_match(r).unwrap(), "{r}");
    }
    let first = |l: &str| {
        l.split_whitespace()
            .next()
            .and_then(|w| w.parse::<f64>().ok())
    };
    assert!(rows.windows(2).all(|w| first(w[0]) >= first(w[1])));
    assert!(rows.iter().any(|r| r.contains("nest 1 x 64")));
    let shape = lines.iter().filter(|l| !rows.iter().any(|r| r == l));
    let shape: Vec<&str> = shape
        .filter(|l| !l.starts_with("  and "))
        .copied()
        .collect();
    let number = Regex::new(r"[+-]?\d+(\.\d+)?( (ns|us|ms|B|kB|MB)\b)?").unwrap();
    insta::assert_snapshot!("profile", number.replace_all(&shape.join("\n"), "#"));
}

/// The keys of objects, and what they hold, without the values.
fn schema(v: &Value, at: &str, found: &mut BTreeSet<String>) {
    match v {
        Value::Object(o) => o
            .iter()
            .for_each(|(k, v)| schema(v, &format!("{at}.{k}"), found)),
        Value::Array(a) => a.iter().for_each(|v| schema(v, &format!("{at}[]"), found)),
        other => {
            let kind = match other {
                Value::Number(_) => "number",
                Value::String(_) => "text",
                Value::Null => "null",
                _ => "bool",
            };
            found.insert(format!("{at}: {kind}"));
        }
    }
}

#[test]
fn a_profile_is_an_object() {
    let (text, trace) = profiled(&["examples/tour/kalman.ml", "--json", "--threads", "2"]);
    let profile: Value = serde_json::from_str(&text).unwrap();
    let mut found = BTreeSet::new();
    schema(&profile, "", &mut found);
    // Too short for its time to be seen, a kernel has no share of the roofline.
    found.remove(".kernels[].roofline: null");
    let found: Vec<String> = found.into_iter().collect();
    insta::assert_snapshot!("profile_json", found.join("\n"));

    let number = |v: &Value| v.as_f64().unwrap();
    assert_eq!(profile["steps"], 5);
    assert!(number(&profile["together_ns"]) <= number(&profile["clocked_ns"]));
    assert!(number(&profile["bytes_alive"]) <= number(&profile["bytes_planned"]));
    let kernels = profile["kernels"].as_array().unwrap();
    let outermost: Vec<&Value> = kernels.iter().filter(|k| k["loop"].is_null()).collect();
    let sum: f64 = outermost.iter().map(|k| number(&k["median_ns"])).sum();
    assert!((sum / number(&profile["sum_ns"]) - 1.0).abs() < 1e-6);
    let named = |k: &&Value| k["sources"][0]["file"] == "examples/tour/kalman.ml";
    assert!(kernels.iter().filter(named).count() > kernels.len() / 2);
    // A filter forward and its derivative backward, in sixty iterations each.
    let loops: Vec<&&Value> = outermost.iter().filter(|k| k["kind"] == "loop").collect();
    assert_eq!(loops.len(), 2);
    for l in loops {
        assert_eq!(l["count"], 60);
        let body: Vec<&Value> = kernels.iter().filter(|k| k["loop"] == l["unit"]).collect();
        assert!(body.len() > 3 && body.iter().all(|k| k["runs"] == 60.0));
    }
    assert_trace(&trace, &profile, outermost.len());
}

/// One complete event for each kernel and step, inside of the step's.
fn assert_trace(trace: &Value, profile: &Value, outermost: usize) {
    let events = trace["traceEvents"].as_array().unwrap();
    let of = |category: &str| -> Vec<&Value> {
        events.iter().filter(|e| e["cat"] == category).collect()
    };
    let at = |e: &Value| {
        let start = e["ts"].as_f64().unwrap();
        (start, start + e["dur"].as_f64().unwrap())
    };
    let steps = of("step");
    assert_eq!(steps.len(), 3);
    for (n, step) in steps.iter().enumerate() {
        let kernels = of("kernel");
        let own = kernels.iter().filter(|k| k["args"]["step"] == n + 1);
        let own: Vec<&&Value> = own.collect();
        let units: BTreeSet<u64> = own
            .iter()
            .map(|k| k["args"]["unit"].as_u64().unwrap())
            .collect();
        assert_eq!((own.len(), units.len()), (outermost, outermost));
        let (start, end) = at(step);
        let mut sum = 0.0;
        for k in own {
            let (from, to) = at(k);
            // Microseconds as `f64` have a billionth to spare.
            assert!(start <= from + 1e-3 && to <= end + 1e-3);
            sum += to - from;
        }
        assert!(sum <= end - start + 1e-3);
    }
    let kernels = profile["kernels"].as_array().unwrap().len();
    assert!(of("iteration").len() > kernels - outermost);
    assert!(of("pass").iter().any(|p| p["name"] == "machine-code"));
    for e in events {
        assert!(e["ph"] == "X" || e["ph"] == "M");
        assert!(e["pid"].is_u64() && e["tid"].is_u64() && e["name"].is_string());
    }
    let tracks = events.iter().filter(|e| e["name"] == "thread_name");
    let named: BTreeSet<u64> = tracks.map(|t| t["tid"].as_u64().unwrap()).collect();
    let used = events.iter().map(|e| e["tid"].as_u64().unwrap());
    assert!(used.collect::<BTreeSet<u64>>().is_subset(&named));
}

#[test]
fn what_cannot_be_profiled_is_said() {
    let said = |args: &[&str]| {
        let out = mlc().arg("profile").args(args).output().unwrap();
        let text = String::from_utf8(out.stderr).unwrap();
        (out.status.code().unwrap(), text)
    };
    let (code, text) = said(&["examples/vae_mnist.ml", "look"]);
    assert!(code == 1 && text.contains("E0620"), "{text}");
    let (code, text) = said(&["examples/linear.ml", "nothing"]);
    assert!(
        code == 2 && text.contains("there is no stage `nothing`"),
        "{text}"
    );
    let (code, text) = said(&["examples/linear.ml", "--interpret"]);
    assert!(code == 2 && text.contains("no kernels"), "{text}");
}

/// The programs of a stage.
fn programs(stage: StageProgram) -> Vec<Program> {
    match stage {
        StageProgram::Train(plan) => {
            let mut all = vec![plan.step];
            all.extend(plan.start);
            all.extend(plan.remainder);
            all.extend(plan.verdict);
            all.extend(plan.every.into_iter().map(|e| e.program));
            all
        }
        StageProgram::Compute(p) => vec![*p],
        StageProgram::Report(items) => items.into_iter().map(|i| i.program).collect(),
    }
}

/// A fifth above what must be alive at once, and what buffers are padded by.
fn is_near(f: &Footprint) -> bool {
    f.arena_bytes as f64 <= 1.2 * f.alive_bytes as f64 + (PADDING * (f.buffers + 1)) as f64
}

fn footprints(g: &Graph) -> Vec<Footprint> {
    codegen::footprints(g, natives())
}

#[test]
fn arenas_are_near_what_is_alive_at_once() {
    let found = super::programs::deep(|| {
        let mut found: Vec<(String, Footprint)> = Vec::new();
        for folder in ["", "tour", "pvi", "papers", "pipelines"] {
            for entry in std::fs::read_dir(root().join("examples").join(folder)).unwrap() {
                let path = entry.unwrap().path();
                if path.extension().is_none_or(|e| e != "ml") {
                    continue;
                }
                let text = std::fs::read_to_string(&path).unwrap();
                let small = ("small".to_string(), "true".to_string());
                let sets = if text.contains("let small") {
                    vec![small]
                } else {
                    vec![]
                };
                let mut pipeline = opened(&path, &text, &sets);
                for stage in 0..pipeline.session.stages().len() {
                    let Ok(lowered) = pipeline.session.lower_stage(stage) else {
                        // It needs to know what another one logs.
                        continue;
                    };
                    for program in programs(lowered) {
                        let name = format!("{} {}", path.display(), program.name);
                        let g = optimise(program.graph, &[]);
                        found.extend(footprints(&g).into_iter().map(|f| (name.clone(), f)));
                    }
                }
            }
        }
        found
    });
    assert!(
        found.len() > 150,
        "{} programs and bodies of loops",
        found.len()
    );
    let far: Vec<_> = found.iter().filter(|(_, f)| !is_near(f)).collect();
    assert!(far.is_empty(), "{far:#?}");
}
