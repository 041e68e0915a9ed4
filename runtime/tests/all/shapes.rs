//! The rows of the operation table at shapes drawn at random, and what their shape rules refuse.
//!
//! Extents are 0, 1, small ones, and ones that are no multiple of any vector. The seed is fixed.

use super::operations::{Words, assert_close, cases, graph, run_compiled, tensors};
use mlc_compiler::interp::eval;
use mlc_compiler::ir::{Attr, DType, Graph, Type, Value};
use mlc_compiler::ops::{Case, Domain, Kernel, Linalg, Monoid, OPS, OpDef, Scalar, View};
use std::panic::{AssertUnwindSafe, catch_unwind};

const EXTENTS: &[usize] = &[0, 1, 2, 3, 17, 33, 65, 130];
const MOST: usize = 5_000;

fn extent(words: &mut Words) -> usize {
    EXTENTS[words.next() as usize % EXTENTS.len()]
}

/// A shape of a rank with few enough elements.
fn shape(rank: usize, words: &mut Words) -> Vec<usize> {
    loop {
        let s: Vec<usize> = (0..rank).map(|_| extent(words)).collect();
        if s.iter().product::<usize>() <= MOST {
            return s;
        }
    }
}

fn rank(words: &mut Words) -> usize {
    words.next() as usize % 4
}

/// The case at another shape, with the same axes.
fn resized(def: &OpDef, case: &Case, words: &mut Words) -> Case {
    let mut c = case.clone();
    let old: Vec<Vec<usize>> = case.operands.iter().map(|o| o.0.shape.clone()).collect();
    let mut set = |k: usize, s: &[usize]| c.operands[k].0.shape = s.to_vec();
    match (def.kernel, &case.attr) {
        (Kernel::Map(_), _) => {
            let r = rank(words);
            let s = shape(r, words);
            (0..old.len()).for_each(|k| set(k, &s));
        }
        (Kernel::View(View::Reshape), _) => {
            let r = rank(words);
            let s = shape(r, words);
            set(0, &s);
            let mut to = vec![s.iter().product()];
            to.insert(words.next() as usize % 2, 1);
            c.attr = Attr::Shape(to);
        }
        (Kernel::View(View::Broadcast), Attr::Broadcast { shape: to, axes }) => {
            let to = shape(to.len(), words);
            let from: Vec<usize> = axes.iter().map(|&a| to[a]).collect();
            set(0, &from);
            let axes = axes.clone();
            c.attr = Attr::Broadcast { shape: to, axes };
        }
        (Kernel::View(View::Slice), Attr::Slice { step, .. }) => {
            let s = shape(old[0].len(), words);
            set(0, &s);
            c.attr = Attr::Slice {
                start: s.iter().map(|n| n / 5).collect(),
                stop: s.iter().map(|n| n - n / 7).collect(),
                step: step.clone(),
            };
        }
        (Kernel::Contract, Attr::Contract(p)) => loop {
            let (l, mut r) = (shape(old[0].len(), words), shape(old[1].len(), words));
            for &(i, j) in p.batch.iter().chain(&p.sum) {
                r[j] = l[i];
            }
            let all = l.iter().chain(&r).map(|&n| n.max(1)).product::<usize>();
            if all <= 40 * MOST {
                set(0, &l);
                set(1, &r);
                break;
            }
        },
        (Kernel::Concat, Attr::Axis(axis)) => {
            let s = shape(old[0].len(), words);
            for k in 0..old.len() {
                let mut one = s.clone();
                one[*axis] = extent(words);
                set(k, &one);
            }
        }
        (Kernel::Gather, Attr::Axis(axis)) => {
            let mut s = shape(old[0].len(), words);
            s[*axis] = s[*axis].max(1);
            let count = shape(old[1].len(), words);
            set(0, &s);
            set(1, &count);
            // Some indices lie outside.
            c.operands[1].1 = Domain::Below(s[*axis] + 2);
        }
        (Kernel::ScatterAdd, Attr::Scatter { axis, .. }) => {
            let mut s = shape(old[0].len(), words);
            let count = shape(old[1].len(), words);
            if let Some(&n) = count.first() {
                s[*axis] = n;
            }
            let to = extent(words).max(1);
            set(0, &s);
            set(1, &count);
            c.operands[1].1 = Domain::Below(to + 2);
            c.attr = Attr::Scatter {
                axis: *axis,
                extent: to,
            };
        }
        (Kernel::Draw, Attr::Draw { site, .. }) => {
            let r = rank(words);
            let shape = shape(r, words);
            c.attr = Attr::Draw { site: *site, shape };
        }
        (Kernel::Iota, Attr::Iota { shape: s, axis }) => {
            let shape = shape(s.len(), words);
            c.attr = Attr::Iota { shape, axis: *axis };
        }
        (Kernel::ArgMax, Attr::Axis(axis)) => {
            let mut s = shape(old[0].len(), words);
            s[*axis] = s[*axis].max(1);
            set(0, &s);
        }
        (Kernel::Linalg(what), _) => {
            let batch = old[0].len() - 2;
            let mut side = || extent(words).min(40);
            let (mut m, mut n) = (side(), side());
            match what {
                Linalg::Svd => {}
                Linalg::Qr => (m, n) = (m.max(n), m.min(n)),
                _ => n = m,
            }
            let columns = side();
            let mut s = old[0][..batch].to_vec();
            s.extend([m, n]);
            set(0, &s);
            if old.len() == 2 {
                s[batch + 1] = columns;
                set(1, &s);
            }
        }
        (
            Kernel::Reduce(_)
            | Kernel::Cumulate(_)
            | Kernel::ArgSort
            | Kernel::Pad
            | Kernel::View(View::Transpose | View::Flip),
            _,
        ) => {
            let s = shape(old[0].len(), words);
            set(0, &s);
        }
        _ => {}
    }
    c
}

/// The case with reals of another precision.
fn with_reals(case: &Case, to: DType) -> Case {
    let mut c = case.clone();
    for (ty, _) in &mut c.operands {
        if ty.dtype.is_real() {
            ty.dtype = to;
        }
    }
    if let Attr::DType(d) = &mut c.attr
        && d.is_real()
    {
        *d = to;
    }
    c
}

/// How far machine code and interpreter may be apart: sums are taken in another order.
fn tolerance(def: &OpDef, dtype: DType) -> f64 {
    let many = matches!(
        def.kernel,
        Kernel::Contract
            | Kernel::ScatterAdd
            | Kernel::Reduce(Monoid::Sum | Monoid::Prod)
            | Kernel::Cumulate(Monoid::Sum | Monoid::Prod)
    );
    if let Kernel::Linalg(_) = def.kernel {
        return if dtype == DType::F32 { 4e-6 } else { 1e-10 };
    }
    // Special functions are computed in two ways, of which the interpreter's is the cruder one.
    if let Kernel::Map(_) = def.kernel {
        return if dtype == DType::F32 { 2e-5 } else { 1e-8 };
    }
    match (dtype, many) {
        (DType::F32, true) => 2e-4,
        (DType::F32, false) => 4e-6,
        _ => 1e-10,
    }
}

#[test]
fn machine_code_agrees_with_the_interpreter_at_random_shapes() {
    let mut words = Words(2024);
    // A stream of its own, so that the other rows' shapes do not hang on how many matrices there are.
    let mut matrices = Words(2025);
    let mut n = 0;
    for (def, i, case) in cases() {
        // The interpreter takes milliseconds for an element of a special function; `reference` runs their kernels on
        // thousands.
        let special = matches!(def.kernel, Kernel::Map(Scalar::Special(_)));
        for round in 0..if special { 1 } else { 4 } {
            let stream = match def.kernel {
                Kernel::Linalg(_) => &mut matrices,
                _ => &mut words,
            };
            let at = if special {
                case.clone()
            } else {
                resized(def, &case, stream)
            };
            for real in [DType::F32, DType::F64] {
                let c = with_reals(&at, real);
                let types: Vec<&Type> = c.operands.iter().map(|o| &o.0).collect();
                if let Err(why) = (def.shape)(&c.attr, &types) {
                    panic!("{} case {i}: {c:?}: {why}", def.name);
                }
                let (g, _, _) = graph(def, &c);
                let inputs = tensors(&c, 31 + i as u64 + round);
                let slow = eval(&g, &inputs);
                let fast = run_compiled(&g, &inputs);
                let what = format!("{} case {i}: {c:?}", def.name);
                assert_close(&fast[0], &slow[0], tolerance(def, real), &what);
                n += 1;
            }
        }
    }
    assert!(n > 1000, "only {n} cases");
}

/// Operand lists that differ from a case's in one operand.
fn wrong(case: &Case) -> Vec<Vec<Type>> {
    let right: Vec<Type> = case.operands.iter().map(|o| o.0.clone()).collect();
    let mut out = vec![];
    for k in 0..right.len() {
        for d in [DType::F32, DType::F64, DType::I32, DType::Bool] {
            let mut t = right.clone();
            t[k].dtype = d;
            out.push(t);
        }
        let mut longer = right.clone();
        longer[k].shape.push(7);
        out.push(longer);
        let mut other = right.clone();
        other[k].shape.iter_mut().for_each(|n| *n += 1);
        out.push(other);
        let mut scalar = right.clone();
        scalar[k].shape.clear();
        out.push(scalar);
        let mut fewer = right.clone();
        fewer.remove(k);
        out.push(fewer);
    }
    out
}

#[test]
fn shape_rules_refuse_and_never_panic() {
    for def in OPS {
        let mut refused = 0;
        let all = (def.cases)();
        let takes = all.iter().any(|c| !c.operands.is_empty());
        for case in all {
            for types in wrong(&case) {
                let mut g = Graph::new();
                let xs: Vec<Value> = types.iter().map(|t| g.input("x", t.clone())).collect();
                let what = format!("{} of {types:?} with {:?}", def.name, case.attr);
                let tried = catch_unwind(AssertUnwindSafe(|| {
                    g.try_add(def, case.attr.clone(), &xs).is_err()
                }));
                match tried {
                    Ok(err) => refused += usize::from(err),
                    Err(_) => panic!("{what} panics"),
                }
            }
        }
        assert!(
            refused > 0 || !takes || anything(def),
            "{} refuses nothing",
            def.name
        );
    }
}

/// Operations of one operand of any type and shape.
fn anything(def: &OpDef) -> bool {
    matches!(def.name, "bind" | "stop" | "opaque" | "cast")
}
