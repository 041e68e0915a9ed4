//! Whole pipelines give the same bits however they are computed: by one thread, with other vectors, with or without computing
//! nodes together. Where they may differ, they do not differ much.

use super::{mlc, root};
use serde_json::Value;

/// How the results of a pipeline may differ from those of machine code as it is.
struct Pipeline {
    file: &'static str,
    /// Loop nests, and chains with products of several widths, add up in another order than what is computed alone.
    nests_reorder: bool,
    /// Matrix products round otherwise where nothing fuses multiplication and addition.
    has_products: bool,
}

const fn pipeline(file: &'static str, nests_reorder: bool, has_products: bool) -> Pipeline {
    Pipeline {
        file,
        nests_reorder,
        has_products,
    }
}

const PIPELINES: &[Pipeline] = &[
    pipeline("examples/cone.ml", false, false),
    pipeline("examples/linear.ml", false, false),
    pipeline("examples/logistic.ml", false, false),
    pipeline("examples/pvi/coin.ml", false, false),
    pipeline("examples/pvi/cone.ml", true, false),
    pipeline("examples/pipelines/diabetes.ml", false, true),
    pipeline("cli/tests/stages/panels.ml", true, false),
    pipeline("examples/tour/gp.ml", false, false),
    pipeline("examples/tour/implicit_ridge.ml", false, true),
    pipeline("examples/tour/newton.ml", false, true),
    pipeline("examples/tour/pca.ml", false, true),
    pipeline("examples/tour/transformer.ml", false, true),
];

/// What a run logs and leaves. Nothing if this machine has not the vectors that are asked for.
fn results(file: &str, args: &[&str], vector: &str) -> Option<[Vec<u8>; 2]> {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("run");
    let text = std::fs::read_to_string(root().join(file)).unwrap();
    let mut c = mlc();
    c.env("MLC_VECTOR", vector);
    c.args(["run", file, "--fresh", "--out", out.to_str().unwrap()]);
    if text.contains("let small") {
        c.args(["--set", "small=true"]);
    }
    let run = c.args(args).output().unwrap();
    let said = String::from_utf8_lossy(&run.stderr);
    if said.contains("this machine has no") {
        return None;
    }
    assert!(run.status.success(), "{file} {args:?} {vector}: {said}");
    Some(["metrics.jsonl", "final.safetensors"].map(|f| std::fs::read(out.join(f)).unwrap()))
}

/// The last numbers of each stage and name.
fn last_values(metrics: &[u8]) -> Vec<(String, f64)> {
    let mut last = std::collections::BTreeMap::new();
    for line in std::str::from_utf8(metrics).unwrap().lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        for (name, x) in line["values"].as_object().into_iter().flatten() {
            let place = format!("{} {name}", line["stage"]);
            x.as_f64().map(|x| last.insert(place, x));
        }
    }
    last.into_iter().collect()
}

/// The same bits, or the same to `tolerance`, relative to what is at least one.
#[track_caller]
fn agree(what: &str, a: &[Vec<u8>; 2], b: &[Vec<u8>; 2], tolerance: f64) {
    if tolerance == 0.0 {
        assert!(a == b, "{what}: other bits");
        return;
    }
    let (a, b) = (last_values(&a[0]), last_values(&b[0]));
    assert_eq!(a.len(), b.len(), "{what}");
    assert!(!a.is_empty(), "{what}: nothing is logged");
    for ((name, x), (_, y)) in a.iter().zip(&b) {
        let size = x.abs().max(1.0);
        assert!(
            (x - y).abs() <= tolerance * size,
            "{what}, {name}: {x}, {y}"
        );
    }
}

/// Of what is reassociated: noise of 1e-7 that some hundred steps carry on.
const REASSOCIATED: f64 = 1e-2;

#[test]
fn pipelines_have_the_same_bits_in_every_way() {
    for p in PIPELINES {
        let file = p.file;
        let plain = results(file, &[], "").unwrap();
        let check = |what: &str, other: Option<[Vec<u8>; 2]>, reassociates: bool| {
            let tolerance = if reassociates { REASSOCIATED } else { 0.0 };
            if let Some(other) = other {
                agree(&format!("{file}, {what}"), &plain, &other, tolerance);
            }
        };
        let one = results(file, &["--threads", "1"], "");
        check("one thread", one, false);
        check("avx2", results(file, &[], "avx2"), false);
        check("portable", results(file, &[], "portable"), p.has_products);
        let unfused = results(file, &["--disable-pass", "fuse"], "");
        check("unfused", unfused, p.nests_reorder);
        let unhoisted = results(file, &["--disable-pass", "hoist"], "");
        check("unhoisted", unhoisted, false);
        let step_by_step = results(file, &["--disable-pass", "ahead"], "");
        check("nothing ahead", step_by_step, false);
    }
}
