//! What must hold of every row of the operation table, on every case that the row names.
//!
//! A case is made into a graph of one operation on inputs; random inputs have fixed seeds.

use mlc_compiler::codegen::{Natives, compile};
use mlc_compiler::interp::{Tensor, eval};
use mlc_compiler::ir::{DType, Graph, Type, Value, verify};
use mlc_compiler::ops::{Ad, Case, Domain, Kernel, OPS, OpDef, Scalar};
use mlc_compiler::transform::batch::batch;
use mlc_compiler::transform::differentiate::{jvp, vjp};
use mlc_runtime::kernels;

/// Numbers that look random, from a seed.
pub(super) struct Words(pub u64);

impl Words {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        let x = self.0;
        (x ^ (x >> 29)).wrapping_mul(0xbf58476d1ce4e5b9) >> 11
    }

    fn unit(&mut self) -> f64 {
        (self.next() as f64 + 0.5) / (1u64 << 53) as f64
    }
}

fn round(x: f64, dtype: DType) -> f64 {
    if dtype == DType::F32 {
        f64::from(x as f32)
    } else {
        x
    }
}

pub(super) fn values(ty: &Type, domain: Domain, words: &mut Words) -> Vec<f64> {
    let n = ty.len();
    match domain {
        Domain::Between(a, b) => (0..n)
            .map(|_| round(a + (b - a) * words.unit(), ty.dtype))
            .collect(),
        Domain::Below(k) => (0..n)
            .map(|_| (words.next() % k.max(1) as u64) as f64)
            .collect(),
        Domain::Distinct => {
            let mut v: Vec<f64> = (0..n)
                .map(|i| round(0.37 * i as f64 - 1.0, ty.dtype))
                .collect();
            for i in (1..n).rev() {
                v.swap(i, (words.next() % (i as u64 + 1)) as usize);
            }
            v
        }
        Domain::Dominant | Domain::PositiveDefinite | Domain::Spread => matrices(ty, domain, words),
    }
}

/// Matrices in the last two axes: a diagonal, and off it elements that sum to less along a row or column.
fn matrices(ty: &Type, domain: Domain, words: &mut Words) -> Vec<f64> {
    let (m, n) = (ty.shape[ty.rank() - 2], ty.shape[ty.rank() - 1]);
    let most = m.max(n) as f64;
    let prime = if m.max(n) > 17 { 131 } else { 17 };
    (0..ty.len())
        .map(|at| {
            let (i, j) = (at / n % m, at % n);
            let off = (2.0 * words.unit() - 1.0) / most;
            let positive = words.unit() < 0.5;
            let x = match domain {
                Domain::Dominant if i == j => off + if positive { 2.0 } else { -2.0 },
                Domain::PositiveDefinite if i == j => off + 2.0,
                // Elements that the diagonal does not order, so that a sort has work to do.
                Domain::Spread if i == j => 0.5 * off + 1.5 * ((3 * i + 1) % prime + 1) as f64,
                Domain::Spread => 0.5 * off,
                _ => off,
            };
            round(x, ty.dtype)
        })
        .collect()
}

pub(super) fn tensors(case: &Case, seed: u64) -> Vec<Tensor> {
    let mut words = Words(seed);
    let mut out = Vec::new();
    for (k, (ty, domain)) in case.operands.iter().enumerate() {
        let mut v = values(ty, *domain, &mut words);
        if *domain == Domain::Distinct {
            // Distinct from the other operands' elements as well.
            v.iter_mut()
                .for_each(|x| *x = round(*x + 0.11 * k as f64, ty.dtype));
        }
        out.push(Tensor::new(ty.clone(), v));
    }
    out
}

/// The operation on inputs, as the only output.
pub(super) fn graph(def: &'static OpDef, case: &Case) -> (Graph, Vec<Value>, Value) {
    let mut g = Graph::new();
    let inputs: Vec<Value> = case
        .operands
        .iter()
        .enumerate()
        .map(|(i, (ty, _))| g.input(format!("x{i}"), ty.clone()))
        .collect();
    let y = g.add(def, case.attr.clone(), &inputs);
    g.outputs.push(("y".into(), y));
    (g, inputs, y)
}

pub(super) fn cases() -> Vec<(&'static OpDef, usize, Case)> {
    let of = |def: &'static OpDef| {
        (def.cases)()
            .into_iter()
            .enumerate()
            .map(move |(i, c)| (def, i, c))
    };
    OPS.iter().copied().flat_map(of).collect()
}

pub(super) fn bytes(t: &Tensor) -> Vec<u8> {
    let v = t.values();
    let mut out: Vec<u8> = match t.ty.dtype {
        DType::F32 => v.iter().flat_map(|x| (*x as f32).to_ne_bytes()).collect(),
        DType::F64 => v.iter().flat_map(|x| x.to_ne_bytes()).collect(),
        DType::I32 => v.iter().flat_map(|x| (*x as i32).to_ne_bytes()).collect(),
        DType::Bool => v.iter().map(|x| u8::from(*x != 0.0)).collect(),
    };
    out.resize(out.len().div_ceil(64) * 64 + 64, 0);
    out
}

#[repr(C, align(64))]
#[derive(Clone, Copy)]
pub(super) struct Line(pub [u8; 64]);

/// Bytes that start on 64.
fn aligned(bytes: &[u8]) -> Vec<Line> {
    let mut lines = vec![Line([0; 64]); bytes.len().div_ceil(64) + 1];
    for (l, c) in lines.iter_mut().zip(bytes.chunks(64)) {
        l.0[..c.len()].copy_from_slice(c);
    }
    lines
}

pub(super) fn run_compiled(g: &Graph, inputs: &[Tensor]) -> Vec<Tensor> {
    run_with(g, kernels::natives(), inputs)
}

pub(super) fn run_with(g: &Graph, natives: Natives, inputs: &[Tensor]) -> Vec<Tensor> {
    let c = compile(g, natives).unwrap();
    let ins: Vec<Vec<Line>> = inputs.iter().map(|t| aligned(&bytes(t))).collect();
    let types: Vec<Type> = g.outputs.iter().map(|o| g.ty(o.1).clone()).collect();
    let mut outs: Vec<Vec<Line>> = types
        .iter()
        .map(|t| aligned(&vec![0; t.bytes() + 64]))
        .collect();
    let mut arena = aligned(&vec![0; c.arena_bytes]);
    let sources: Vec<*const u8> = ins.iter().map(|b| b.as_ptr().cast()).collect();
    let targets: Vec<*mut u8> = outs.iter_mut().map(|b| b.as_mut_ptr().cast()).collect();
    // SAFETY: one buffer for each input and output, of its type, aligned and padded; the arena is as large as asked for.
    unsafe { c.call(&sources, &targets, arena.as_mut_ptr().cast()) };
    types
        .iter()
        .zip(&outs)
        .map(|(ty, b)| from_bytes(ty, b))
        .collect()
}

fn from_bytes(ty: &Type, lines: &[Line]) -> Tensor {
    let b: Vec<u8> = lines.iter().flat_map(|l| l.0).collect();
    let values = (0..ty.len())
        .map(|i| match ty.dtype {
            DType::F32 => f64::from(f32::from_ne_bytes(b[4 * i..4 * i + 4].try_into().unwrap())),
            DType::F64 => f64::from_ne_bytes(b[8 * i..8 * i + 8].try_into().unwrap()),
            DType::I32 => f64::from(i32::from_ne_bytes(b[4 * i..4 * i + 4].try_into().unwrap())),
            DType::Bool => f64::from(b[i]),
        })
        .collect();
    Tensor::new(ty.clone(), values)
}

fn close(a: f64, b: f64, tol: f64) -> bool {
    a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() <= tol * (1.0 + a.abs().max(b.abs()))
}

pub(super) fn assert_close(a: &Tensor, b: &Tensor, tol: f64, what: &str) {
    assert_eq!(a.ty, b.ty, "{what}");
    for (i, (x, y)) in a.values().into_iter().zip(b.values()).enumerate() {
        assert!(close(x, y, tol), "{what}: element {i}: {x} and {y}");
    }
}

#[test]
fn every_case_verifies_and_machine_code_agrees_with_the_interpreter() {
    let mut n = 0;
    for (def, i, case) in cases() {
        let (g, _, _) = graph(def, &case);
        verify::verify(&g).unwrap();
        let inputs = tensors(&case, 7 + i as u64);
        let slow = eval(&g, &inputs);
        let fast = run_compiled(&g, &inputs);
        let tol = if slow[0].ty.dtype == DType::F32 {
            2e-6
        } else {
            1e-11
        };
        assert_close(&fast[0], &slow[0], tol, &format!("{} case {i}", def.name));
        n += 1;
    }
    assert!(n > 100, "only {n} cases");
}

/// Does the operation have a derivative at all?
fn smooth(def: &OpDef, case: &Case) -> bool {
    let real = case.operands.iter().any(|o| o.0.dtype == DType::F64);
    real && !matches!(def.ad, Ad::Zero | Ad::Refused(_))
}

/// Operations whose derivative is not that of their value, by design.
fn blocks_or_replaces(def: &OpDef) -> bool {
    matches!(def.name, "stop" | "tangent")
}

/// Sum of the products of all elements.
fn dot(a: &Tensor, b: &Tensor) -> f64 {
    a.values().iter().zip(b.values()).map(|(x, y)| x * y).sum()
}

fn real_inputs(case: &Case, inputs: &[Value]) -> Vec<(usize, Value)> {
    inputs
        .iter()
        .copied()
        .enumerate()
        .filter(|(i, _)| case.operands[*i].0.dtype == DType::F64)
        .collect()
}

/// The pullback of the case's operation at an input cotangent, one output for each real input.
fn pullback(def: &'static OpDef, case: &Case) -> (Graph, Vec<Value>, Value) {
    let (mut g, inputs, y) = graph(def, case);
    let ty = g.ty(y).clone();
    let ct = g.input("cotangent", ty);
    let wrt: Vec<Value> = real_inputs(case, &inputs)
        .into_iter()
        .map(|w| w.1)
        .collect();
    let back = vjp(&mut g, &[(y, ct)], &wrt).unwrap();
    g.outputs.clear();
    for (i, (b, w)) in back.into_iter().zip(&wrt).enumerate() {
        let b = b.unwrap_or_else(|| g.constant_like(0.0, *w));
        g.outputs.push((format!("d{i}"), b));
    }
    (g, inputs, y)
}

fn check_derivative(def: &'static OpDef, i: usize, case: &Case) {
    let (g, _, y) = pullback(def, case);
    let ty = g.ty(y).clone();
    if ty.dtype != DType::F64 || ty.is_empty() {
        return;
    }
    let mut inputs = tensors(case, 11 + i as u64);
    let mut words = Words(3);
    let ct = Tensor::new(
        ty.clone(),
        values(&ty, Domain::Between(-1.0, 1.0), &mut words),
    );
    let (forward, _, _) = graph(def, case);
    let mut with = inputs.clone();
    with.push(ct.clone());
    let back = eval(&g, &with);
    let wrt: Vec<usize> = (0..case.operands.len())
        .filter(|&k| case.operands[k].0.dtype == DType::F64)
        .collect();
    for (d, k) in back.iter().zip(wrt) {
        let along = Tensor::new(
            inputs[k].ty.clone(),
            values(&inputs[k].ty, Domain::Between(-1.0, 1.0), &mut words),
        );
        let h = 1e-6;
        let at = inputs[k].clone();
        let mut side = |s: f64| {
            let moved = at
                .values()
                .iter()
                .zip(along.values())
                .map(|(x, v)| x + s * h * v)
                .collect();
            inputs[k] = Tensor::new(at.ty.clone(), moved);
            dot(&eval(&forward, &inputs)[0], &ct)
        };
        let numeric = (side(1.0) - side(-1.0)) / (2.0 * h);
        inputs[k] = at;
        let exact = dot(d, &along);
        assert!(
            close(numeric, exact, 2e-6),
            "{} case {i} operand {k}: {exact}, by differences {numeric}",
            def.name
        );
    }
}

#[test]
fn reverse_derivatives_agree_with_finite_differences() {
    for (def, i, case) in cases() {
        if smooth(def, &case) && !blocks_or_replaces(def) {
            check_derivative(def, i, &case);
        }
    }
}

#[test]
fn forward_and_reverse_derivatives_are_transposes() {
    for (def, i, case) in cases() {
        if !smooth(def, &case) {
            continue;
        }
        let (mut g, inputs, y) = graph(def, &case);
        let ty = g.ty(y).clone();
        if ty.dtype != DType::F64 {
            continue;
        }
        let wrt = real_inputs(&case, &inputs);
        let tangents: Vec<(Value, Value)> = wrt
            .iter()
            .map(|(_, w)| {
                (
                    *w,
                    g.input(
                        "tangent",
                        case.operands[inputs.iter().position(|x| x == w).unwrap()]
                            .0
                            .clone(),
                    ),
                )
            })
            .collect();
        let out = jvp(&mut g, &[y], &tangents).unwrap()[0];
        let out = out.unwrap_or_else(|| g.constant_like(0.0, y));
        g.outputs = vec![("dy".into(), out)];
        let at = tensors(&case, 5 + i as u64);
        let mut words = Words(9);
        let along: Vec<Tensor> = wrt
            .iter()
            .map(|(k, _)| {
                let ty = &case.operands[*k].0;
                Tensor::new(
                    ty.clone(),
                    values(ty, Domain::Between(-1.0, 1.0), &mut words),
                )
            })
            .collect();
        let mut forward_inputs = at.clone();
        forward_inputs.extend(along.iter().cloned());
        let dy = &eval(&g, &forward_inputs)[0];
        let ct = Tensor::new(
            ty.clone(),
            values(&ty, Domain::Between(-1.0, 1.0), &mut words),
        );
        let (back, _, _) = pullback(def, &case);
        let mut back_inputs = at;
        back_inputs.push(ct.clone());
        let dx = eval(&back, &back_inputs);
        let left = dot(dy, &ct);
        let right: f64 = dx.iter().zip(&along).map(|(d, v)| dot(d, v)).sum();
        assert!(
            close(left, right, 1e-9),
            "{} case {i}: {left} and {right}",
            def.name
        );
    }
}

#[test]
fn second_derivatives_agree_with_differences_of_the_first() {
    for (def, i, case) in cases() {
        if !smooth(def, &case) || blocks_or_replaces(def) {
            continue;
        }
        let (g, inputs, y) = pullback(def, &case);
        if g.ty(y).dtype != DType::F64 || g.ty(y).is_empty() {
            continue;
        }
        let wrt = real_inputs(&case, &inputs);
        let mut words = Words(21);
        // The pullback's outputs, weighted and summed, are differentiated once more.
        let mut second = g.clone();
        let outs: Vec<Value> = second.outputs.iter().map(|o| o.1).collect();
        let cts: Vec<(Value, Value)> = outs
            .iter()
            .map(|o| {
                let ty = second.ty(*o).clone();
                (*o, second.input("weight", ty))
            })
            .collect();
        let vars: Vec<Value> = wrt.iter().map(|w| w.1).collect();
        let back = match vjp(&mut second, &cts, &vars) {
            Ok(b) => b,
            Err(refusal) => {
                // The derivatives that the table does not have, and says so.
                assert!(
                    refusal.op.contains("inc_by_"),
                    "{} case {i}: {}",
                    def.name,
                    refusal.sentence
                );
                continue;
            }
        };
        second.outputs.clear();
        for (b, w) in back.into_iter().zip(&vars) {
            let b = b.unwrap_or_else(|| second.constant_like(0.0, *w));
            second.outputs.push(("d".into(), b));
        }
        let mut at = tensors(&case, 13 + i as u64);
        let ct_ty = g.ty(y).clone();
        at.push(Tensor::new(
            ct_ty.clone(),
            values(&ct_ty, Domain::Between(-1.0, 1.0), &mut words),
        ));
        let weights: Vec<Tensor> = outs
            .iter()
            .map(|o| {
                Tensor::new(
                    g.ty(*o).clone(),
                    values(g.ty(*o), Domain::Between(-1.0, 1.0), &mut words),
                )
            })
            .collect();
        let mut inputs2 = at.clone();
        inputs2.extend(weights.iter().cloned());
        let exact = eval(&second, &inputs2);
        for (d, (k, _)) in exact.iter().zip(&wrt) {
            let along = Tensor::new(
                at[*k].ty.clone(),
                values(&at[*k].ty, Domain::Between(-1.0, 1.0), &mut words),
            );
            let h = 1e-6;
            let origin = at[*k].clone();
            let mut side = |s: f64| {
                let moved = origin
                    .values()
                    .iter()
                    .zip(along.values())
                    .map(|(x, v)| x + s * h * v)
                    .collect();
                at[*k] = Tensor::new(origin.ty.clone(), moved);
                eval(&g, &at)
                    .iter()
                    .zip(&weights)
                    .map(|(o, w)| dot(o, w))
                    .sum::<f64>()
            };
            let numeric = (side(1.0) - side(-1.0)) / (2.0 * h);
            at[*k] = origin;
            let exact = dot(d, &along);
            assert!(
                close(numeric, exact, 1e-5),
                "{} case {i} operand {k}: {exact}, by differences {numeric}",
                def.name
            );
        }
    }
}

#[test]
fn a_batch_is_a_loop_over_its_lanes() {
    const LANES: usize = 3;
    for (def, i, case) in cases() {
        if case.operands.is_empty() {
            continue;
        }
        // The interpreter takes milliseconds for an element of a special function.
        let special = matches!(def.kernel, Kernel::Map(Scalar::Special(_)));
        if special && case.operands[0].0.len() > 1 {
            continue;
        }
        // Every choice of operands that have the new axis.
        for mask in 1..1u32 << case.operands.len().min(3) {
            let mut g = Graph::new();
            let mut full = Vec::new();
            for (k, (ty, _)) in case.operands.iter().enumerate() {
                let mut ty = ty.clone();
                if mask >> k & 1 == 1 {
                    ty.shape.insert(0, LANES);
                }
                full.push(g.input(format!("x{k}"), ty));
            }
            let mark = g.len();
            let mut lanes = Vec::new();
            let mut operands = Vec::new();
            for (k, (ty, _)) in case.operands.iter().enumerate() {
                if mask >> k & 1 == 1 {
                    let attr = mlc_compiler::ir::Attr::Placeholder(k as u32, ty.clone());
                    let lane = g.add(&mlc_compiler::ops::LANE, attr, &[]);
                    lanes.push((lane, full[k]));
                    operands.push(lane);
                } else {
                    operands.push(full[k]);
                }
            }
            let y = g.add(def, case.attr.clone(), &operands);
            let out = batch(&mut g, mark, &lanes, &[y], LANES).unwrap()[0];
            assert!(out.batched, "{} case {i}", def.name);
            g.outputs.push(("y".into(), out.value));
            let mut per_lane: Vec<Vec<Tensor>> =
                (0..LANES as u64).map(|l| tensors(&case, 17 + l)).collect();
            let mut inputs = Vec::new();
            for (k, (ty, _)) in case.operands.iter().enumerate() {
                if mask >> k & 1 == 1 {
                    let mut whole = ty.clone();
                    whole.shape.insert(0, LANES);
                    inputs.push(Tensor::new(
                        whole,
                        per_lane.iter().flat_map(|l| l[k].values()).collect(),
                    ));
                } else {
                    let same = per_lane[0][k].clone();
                    per_lane.iter_mut().for_each(|l| l[k] = same.clone());
                    inputs.push(same);
                }
            }
            let all = &eval(&g, &inputs)[0];
            let (single, _, _) = graph(def, &case);
            let looped: Vec<f64> = per_lane
                .iter()
                .flat_map(|l| eval(&single, l)[0].values())
                .collect();
            for (a, b) in all.values().into_iter().zip(looped) {
                assert!(
                    close(a, b, 1e-6),
                    "{} case {i} mask {mask}: {a} and {b}",
                    def.name
                );
            }
        }
    }
}
