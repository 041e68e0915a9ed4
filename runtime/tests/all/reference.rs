//! Special functions against a table of reference values (`tests/reference/special.csv`, made by `make.py` with mpmath), in
//! both element types. The bounds are read from the operations' documentation, so that it says what holds:
//! "Error at most 2 ulp in f32 and 1 in f64." or, where the function has zeros that no ulp can follow, "Error at most 2 ulp
//! of max(|y|, 1) in f32 and 1 in f64."

use super::operations::run_compiled;
use mlc_compiler::interp::Tensor;
use mlc_compiler::ir::{Attr, DType, Graph, Type};
use mlc_compiler::ops::{Kernel, OPS, OpDef};
use std::collections::BTreeMap;

/// Arguments, the value rounded to f64, and what is missing from it.
type Point = (Vec<f64>, f64, f64);

fn table() -> BTreeMap<&'static str, Vec<Point>> {
    let mut all: BTreeMap<&str, Vec<Point>> = BTreeMap::new();
    for line in include_str!("../reference/special.csv").lines() {
        let parts: Vec<&str> = line.split(',').collect();
        let number = |t: &str| t.parse::<f64>().unwrap();
        let args = parts[1].split(' ').map(number).collect();
        let point = (args, number(parts[2]), number(parts[3]));
        all.entry(parts[0]).or_default().push(point);
    }
    all
}

/// The unit in the last place of a number of the type.
pub(super) fn ulp(x: f64, dtype: DType) -> f64 {
    let (digits, least) = match dtype {
        DType::F32 => (23, -126),
        _ => (52, -1022),
    };
    let exponent = (x.abs().to_bits() >> 52) as i32 - 1023;
    // In two steps: the power's inverse may be no number of the type.
    let power = exponent.max(least) - digits;
    2f64.powi(power / 2) * 2f64.powi(power - power / 2)
}

fn values_of(def: &'static OpDef, points: &[Vec<f64>], dtype: DType) -> Vec<f64> {
    let mut g = Graph::new();
    let arity = points[0].len();
    let ty = Type::new(dtype, vec![points.len()]);
    let xs: Vec<_> = (0..arity)
        .map(|i| g.input(format!("x{i}"), ty.clone()))
        .collect();
    let y = g.add(def, Attr::None, &xs);
    g.outputs.push(("y".into(), y));
    let inputs: Vec<Tensor> = (0..arity)
        .map(|i| Tensor::new(ty.clone(), points.iter().map(|p| p[i]).collect()))
        .collect();
    run_compiled(&g, &inputs)[0].values()
}

/// The worst error over the points, in ulps of the value or of `floor`, and where it is.
fn worst(def: &'static OpDef, points: &[Point], dtype: DType, floor: f64) -> (f64, String) {
    let args: Vec<Vec<f64>> = points.iter().map(|p| p.0.clone()).collect();
    let values = values_of(def, &args, dtype);
    let (largest, least) = match dtype {
        DType::F32 => (f64::from(f32::MAX), f64::from(f32::MIN_POSITIVE)),
        _ => (f64::MAX, f64::MIN_POSITIVE),
    };
    let mut out = (0.0, String::new());
    for ((args, exact, rest), y) in points.iter().zip(values) {
        let error = if exact.abs() > largest * (1.0 - 1e-6) {
            // Beyond the type, or so near its end that rounding may be.
            if y.is_nan() || y.abs() < largest * (1.0 - 1e-5) {
                f64::INFINITY
            } else {
                0.0
            }
        } else if exact.abs() < least && floor == 0.0 {
            // Below the normal numbers results may be flushed to zero.
            if y.abs() <= least { 0.0 } else { f64::INFINITY }
        } else {
            ((y - exact) - rest).abs() / ulp(exact.abs().max(floor), dtype)
        };
        if error > out.0 || error.is_nan() {
            out = (
                if error.is_nan() { f64::INFINITY } else { error },
                format!("{} of {args:?} is {exact:e}, not {y:e}", def.name),
            );
        }
    }
    out
}

/// The bounds that a row's documentation states, for f32 and f64, and the floor.
pub(super) fn stated(def: &OpDef) -> Option<(f64, f64, f64)> {
    let text = def.doc.split("Error at most ").nth(1)?;
    let number = |t: &str| t.trim_end_matches(['.', ',', ')']).parse::<f64>().unwrap();
    let words: Vec<&str> = text.split_whitespace().collect();
    let floor = text
        .split("max(|y|, ")
        .nth(1)
        .map_or(0.0, |t| number(t.split(')').next().unwrap()));
    let after = |w: &str| {
        words
            .iter()
            .rposition(|x| x.trim_end_matches('.') == w)
            .unwrap()
    };
    let f64_bound = number(words[after("f64") - 2]);
    Some((number(words[0]), f64_bound, floor))
}

#[test]
fn errors_are_within_the_stated_bounds() {
    let table = table();
    let mut wrong = String::new();
    for (name, points) in &table {
        let def = *OPS.iter().find(|d| d.name == *name).unwrap();
        let (f32_bound, f64_bound, floor) = stated(def).unwrap_or((0.0, 0.0, 0.0));
        for (dtype, bound) in [(DType::F32, f32_bound), (DType::F64, f64_bound)] {
            let (error, at) = worst(def, points, dtype, floor);
            if error > bound {
                wrong += &format!("{name} {dtype:?}: {error:.3} ulp, stated {bound}: {at}\n");
            }
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

#[test]
fn every_function_with_a_kernel_of_its_own_has_a_table_and_a_bound() {
    let (table, kernels) = (table(), mlc_runtime::kernels::names());
    for def in OPS {
        let kernel = format!("mlc_{}_f32", def.name);
        if matches!(def.kernel, Kernel::Map(_)) && kernels.contains(&kernel.as_str()) {
            assert!(
                table.contains_key(def.name),
                "`{}` has no reference values",
                def.name
            );
            assert!(stated(def).is_some(), "`{}` states no bound", def.name);
        }
    }
}

#[test]
fn the_page_lists_the_bounds() {
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/functions.md");
    let text = std::fs::read_to_string(&file).unwrap();
    let head = "| function | f32 | f64 | of |\n| --- | --- | --- | --- |\n";
    let (before, after) = text.split_once(head).unwrap();
    let after = after.split_once("\n\n").unwrap().1;
    let mut rows: Vec<String> = OPS
        .iter()
        .filter_map(|d| {
            let (single, double, floor) = stated(d)?;
            let of = match floor {
                0.0 => "the value".to_string(),
                floor => format!("the value, or of {floor} if that is larger"),
            };
            // What stands for a derivative has no name in the language.
            let named = !d.name.contains("_by_");
            named.then(|| format!("| `{}` | {single} | {double} | {of} |", d.name))
        })
        .collect();
    rows.sort_by_key(|r| r.split('`').nth(1).map(str::to_string));
    let wanted = format!("{before}{head}{}\n\n{after}", rows.join("\n"));
    if std::env::var("INSTA_UPDATE").as_deref() == Ok("always") {
        std::fs::write(&file, &wanted).unwrap();
    }
    assert_eq!(std::fs::read_to_string(&file).unwrap(), wanted);
}

#[test]
fn limits_are_kept() {
    let (inf, nan) = (f64::INFINITY, f64::NAN);
    let cases: &[(&str, &[f64], f64)] = &[
        ("erfinv", &[1.0], inf),
        ("erfinv", &[-1.0], -inf),
        ("erfinv", &[1.5], nan),
        ("erfinv", &[-inf], nan),
        ("erfinv", &[inf], nan),
        ("erfinv", &[-0.0], -0.0),
        ("tan", &[-0.0], -0.0),
        ("tan", &[inf], nan),
        ("atan", &[-inf], -std::f64::consts::FRAC_PI_2),
        ("asin", &[1.5], nan),
        ("acosh", &[0.5], nan),
        ("acosh", &[-1e7], nan),
        ("asinh", &[-inf], -inf),
        ("acosh", &[inf], inf),
        ("asin", &[-0.0], -0.0),
        ("acos", &[1.0], 0.0),
        ("sinh", &[-inf], -inf),
        ("sinh", &[-0.0], -0.0),
        ("cosh", &[-inf], inf),
        ("atan2", &[inf, nan], nan),
        ("atan2", &[nan, inf], nan),
        ("atan2", &[inf, -inf], 0.75 * std::f64::consts::PI),
        ("erf", &[inf], 1.0),
        ("erf", &[-inf], -1.0),
        ("erf", &[-0.0], -0.0),
        ("erf", &[nan], nan),
        ("lgamma", &[0.0], inf),
        ("lgamma", &[1.0], 0.0),
        ("lgamma", &[2.0], 0.0),
        ("lgamma", &[inf], inf),
        ("lgamma", &[nan], nan),
        ("digamma", &[-1.0], nan),
        ("digamma", &[inf], inf),
        ("trigamma", &[inf], 0.0),
        ("trigamma", &[0.0], inf),
        ("sin", &[inf], nan),
        ("sin", &[-0.0], -0.0),
        ("cos", &[nan], nan),
        ("atanh", &[-1.0], -inf),
        ("atan2", &[-0.0, -1.0], -std::f64::consts::PI),
        ("atan2", &[0.0, -0.0], std::f64::consts::PI),
        ("exp2", &[-inf], 0.0),
        ("log2", &[0.0], -inf),
        ("erfc", &[-inf], 2.0),
        ("erfcx", &[inf], 0.0),
        ("erfcx", &[-inf], inf),
        ("ndtr", &[-inf], 0.0),
        ("ndtr", &[inf], 1.0),
        ("log_ndtr", &[-inf], -inf),
        ("log_ndtr", &[inf], -0.0),
        ("log_ndtr", &[nan], nan),
        ("ndtr", &[nan], nan),
        ("erfc", &[nan], nan),
        ("erfcx", &[nan], nan),
        ("ndtri", &[nan], nan),
        ("ndtri", &[0.0], -inf),
        ("ndtri", &[1.0], inf),
        ("ndtri", &[-0.1], nan),
        ("ndtri", &[1.1], nan),
        ("i0e", &[0.0], 1.0),
        ("i0e", &[-inf], 0.0),
        ("i1e", &[-0.0], -0.0),
        ("polygamma", &[1.0, 0.0], inf),
        ("polygamma", &[2.0, 0.0], nan),
        ("polygamma", &[2.0, inf], -0.0),
        ("logaddexp", &[-inf, -inf], -inf),
        ("logaddexp", &[inf, -inf], inf),
        ("logaddexp", &[nan, 1.0], nan),
        ("lbeta", &[0.0, 2.0], inf),
        ("lbeta", &[-1.0, 2.0], nan),
        ("gammainc", &[2.0, 0.0], 0.0),
        ("gammainc", &[2.0, inf], 1.0),
        ("gammainc", &[0.0, 1.0], nan),
        ("gammainc", &[1.0, -1.0], nan),
        ("gammaincc", &[2.0, inf], 0.0),
        ("gammainc_by_x", &[1.0, 0.0], 1.0),
        ("gammainc_by_x", &[0.5, 0.0], inf),
        ("betainc", &[2.0, 3.0, 0.0], 0.0),
        ("betainc", &[2.0, 3.0, 1.0], 1.0),
        ("betainc", &[2.0, 3.0, 1.5], nan),
        ("betainc_by_x", &[1.0, 3.0, 0.0], 3.0),
    ];
    for (name, args, limit) in cases {
        let def = *OPS.iter().find(|d| d.name == *name).unwrap();
        for dtype in [DType::F32, DType::F64] {
            let y = values_of(def, &[args.to_vec()], dtype)[0];
            let limit = if dtype == DType::F32 {
                f64::from(*limit as f32)
            } else {
                *limit
            };
            let same = y.to_bits() == limit.to_bits() || y.is_nan() && limit.is_nan();
            assert!(same, "{name} of {args:?} in {dtype:?} is {y}, not {limit}");
        }
    }
}
