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
fn ulp(x: f64, dtype: DType) -> f64 {
    let (digits, least) = match dtype {
        DType::F32 => (23, -126),
        _ => (52, -1022),
    };
    let exponent = (x.abs().to_bits() >> 52) as i32 - 1023;
    2f64.powi(exponent.max(least) - digits)
}

/// The worst error over the points, in ulps of the value or of `floor`, and where it is.
fn worst(def: &'static OpDef, points: &[Point], dtype: DType, floor: f64) -> (f64, String) {
    let mut g = Graph::new();
    let arity = points[0].0.len();
    let ty = Type::new(dtype, vec![points.len()]);
    let xs: Vec<_> = (0..arity)
        .map(|i| g.input(format!("x{i}"), ty.clone()))
        .collect();
    let y = g.add(def, Attr::None, &xs);
    g.outputs.push(("y".into(), y));
    let inputs: Vec<Tensor> = (0..arity)
        .map(|i| Tensor::new(ty.clone(), points.iter().map(|p| p.0[i]).collect()))
        .collect();
    let (largest, least) = match dtype {
        DType::F32 => (f64::from(f32::MAX), f64::from(f32::MIN_POSITIVE)),
        _ => (f64::MAX, f64::MIN_POSITIVE),
    };
    let mut out = (0.0, String::new());
    for ((args, exact, rest), y) in points.iter().zip(run_compiled(&g, &inputs)[0].values()) {
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
fn stated(def: &OpDef) -> Option<(f64, f64, f64)> {
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
