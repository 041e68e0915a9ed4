//! Derivatives of loops: loops again, so that they have derivatives themselves.
//!
//! Forward: a loop over the tangents, which reads the carries that the loop found on entry to each iteration (its saved
//! rows). Reverse: a loop from the last index to the first, which computes each iteration anew from its saved carries and
//! pulls the cotangents back through it. What is stored is one carry for each iteration; `checkpoint: k` makes a loop a loop
//! of loops, of which only every k-th carry is stored.
//!
//! Does not: differentiate a loop whose length is decided as it runs.

use super::differentiate::{Refusal, jvp, vjp};
use super::region::inline;
use crate::ir::{Attr, Graph, Loop, Owned, Value};
use crate::ops;

/// The loop that a node is.
pub fn loop_of(g: &Graph, v: Value) -> Option<Owned<Loop>> {
    match &g.node(v).attr {
        Attr::Loop(l) => Some(l.clone()),
        _ => None,
    }
}

/// One result of a loop or call.
pub fn part(g: &mut Graph, token: Value, k: usize) -> Value {
    let ty = match &g.node(token).attr {
        Attr::Loop(l) if k < l.carries => l.body.ty(l.body.outputs[k].1).clone(),
        Attr::Loop(l) => {
            let mut ty = l.body.ty(l.body.outputs[k].1).clone();
            ty.shape.insert(0, l.count);
            ty
        }
        Attr::Call(c) => {
            let result = g.operands(token)[c.args + k];
            g.ty(result).clone()
        }
        other => panic!("internal error: a part of {other:?}"),
    };
    g.add(&ops::PART, Attr::Part(k as u32, ty), &[token])
}

/// Adds a loop, whose rows are followed by its carries as each iteration finds them.
pub fn add_loop(g: &mut Graph, mut l: Loop, operands: &[Value]) -> Value {
    for i in 0..l.carries {
        let v = l.body.inputs[1 + i].value;
        let at = l.carries + l.rows + i;
        l.body.outputs.insert(at, (format!("entry{i}"), v));
    }
    l.rows += l.carries;
    l.saved = l.carries;
    g.add(&ops::LOOP, Attr::Loop(Owned::new(l)), operands)
}

fn refuse(g: &Graph, v: Value) -> Refusal {
    Refusal {
        op: "loop",
        sentence: "a `scan .. while` has no derivative: give it a fixed number of iterations with `for`, or state a derivative (see `std.implicit`)".into(),
        span: g.node(v).origin.span,
    }
}

/// Where things are in a loop and its operands.
struct Shape {
    first: usize,
    carries: usize,
    slices: usize,
    /// Positions of the real carries.
    real: Vec<usize>,
    /// Positions among all parts of the real rows.
    real_rows: Vec<usize>,
}

impl Shape {
    fn new(l: &Loop) -> Self {
        let real = |i: &usize| l.body.ty(l.body.outputs[*i].1).dtype.is_real();
        Self {
            first: l.first(),
            carries: l.carries,
            slices: l.slices,
            real: (0..l.carries).filter(real).collect(),
            real_rows: (l.carries..l.parts()).filter(real).collect(),
        }
    }

    /// A part's place among the parts of the loop over tangents.
    fn tangent_part(&self, part: usize) -> Option<usize> {
        if part < self.carries {
            return self.real.iter().position(|&r| r == part);
        }
        let at = self.real_rows.iter().position(|&r| r == part)?;
        Some(self.real.len() + at)
    }
}

fn zeros(g: &mut Graph, like: Value) -> Value {
    g.constant_like(0.0, like)
}

/// A body begun: its index, and further inputs as they are asked for.
struct Body {
    g: Graph,
    operands: Vec<Value>,
}

impl Body {
    fn new(like: &Loop, strict: bool) -> Self {
        let mut g = Graph::new();
        g.strict = strict;
        let ty = like.body.ty(like.body.inputs[0].value).clone();
        g.input("index", ty);
        Self {
            g,
            operands: vec![],
        }
    }

    /// An input of the type that the body of `l` has for its value `like`, given the operand.
    fn input(&mut self, name: &str, l: &Graph, like: Value, operand: Value) -> Value {
        self.operands.push(operand);
        self.g.input(name, l.ty(like).clone())
    }
}

/// What an iteration of the loop reads: carries on entry, slices, captured values; their inputs come after those that the
/// body has already.
fn iteration(
    g: &mut Graph,
    v: Value,
    l: &Loop,
    s: &Shape,
    body: &mut Body,
) -> (Vec<Value>, Vec<Value>) {
    let operands = g.operands(v);
    let entry = l.parts() - l.carries;
    let mut carries = Vec::new();
    for i in 0..l.carries {
        let saved = part(g, v, entry + i);
        carries.push(body.input("entry", &l.body, l.body.inputs[1 + i].value, saved));
    }
    let mut slices = Vec::new();
    for i in 0..s.slices {
        let at = s.carries + i;
        slices.push(body.input(
            "slice",
            &l.body,
            l.body.inputs[1 + at].value,
            operands[s.first + at],
        ));
    }
    (carries, slices)
}

/// The token of the loop over tangents. `tangents`: by operand.
///
/// # Errors
/// If the loop, or an operation in it, has no derivative.
pub fn forward(
    g: &mut Graph,
    v: Value,
    tangents: &[Option<Value>],
) -> Result<Option<Value>, Refusal> {
    let Some(l) = loop_of(g, v) else {
        return Ok(None);
    };
    if l.bounded || l.saved == 0 {
        return Err(refuse(g, v));
    }
    let s = Shape::new(&l);
    let operands = g.operands(v);
    let mut b = Body::new(&l, g.strict);
    let mut pairs = Vec::new();
    let mut tangent_carries = Vec::new();
    for &i in &s.real {
        let t = match tangents[i] {
            Some(t) => t,
            None => zeros(g, operands[i]),
        };
        tangent_carries.push(b.input("tangent", &l.body, l.body.inputs[1 + i].value, t));
    }
    let (carries, slices) = iteration(g, v, &l, &s, &mut b);
    pairs.extend(
        s.real
            .iter()
            .zip(&tangent_carries)
            .map(|(&i, &t)| (carries[i], t)),
    );
    let mut n_slices = carries.len() + slices.len();
    for (i, &slice) in slices.iter().enumerate() {
        let at = s.carries + i;
        if let Some(t) = tangents[at] {
            let t = b.input("tangent", &l.body, l.body.inputs[1 + at].value, t);
            pairs.push((slice, t));
            n_slices += 1;
        }
    }
    let mut captured = Vec::new();
    for at in s.carries + s.slices..operands.len() {
        let like = l.body.inputs[1 + at].value;
        let x = b.input("captured", &l.body, like, operands[at]);
        captured.push(x);
        if let Some(t) = tangents[at] {
            let t = b.input("tangent", &l.body, like, t);
            pairs.push((x, t));
        }
    }
    let inputs: Vec<Value> = std::iter::once(b.g.inputs[0].value)
        .chain(carries)
        .chain(slices)
        .chain(captured)
        .collect();
    let outs = inline(&mut b.g, &l.body, &inputs);
    let wanted: Vec<Value> = s
        .real
        .iter()
        .chain(&s.real_rows)
        .map(|&i| outs[i])
        .collect();
    let found = jvp(&mut b.g, &wanted, &pairs)?;
    for (o, t) in wanted.iter().zip(found) {
        let t = t.unwrap_or_else(|| b.g.constant_like(0.0, *o));
        b.g.outputs.push(("tangent".into(), t));
    }
    let l = Loop {
        carries: s.real.len(),
        slices: n_slices,
        rows: s.real_rows.len(),
        saved: 0,
        count: l.count,
        reverse: l.reverse,
        bounded: false,
        body: super::region::copy(&b.g, &Attr::clone),
    };
    Ok(Some(add_loop(g, l, &b.operands)))
}

/// The tangent of a part, given that of its loop.
pub fn forward_part(g: &mut Graph, v: Value, token: Value) -> Option<Value> {
    let (Attr::Part(k, _), of) = (g.node(v).attr.clone(), g.operands(v)[0]) else {
        return None;
    };
    let k = match loop_of(g, of) {
        Some(l) => Shape::new(&l).tangent_part(k as usize)?,
        None => return None,
    };
    Some(part(g, token, k))
}

/// Cotangents of the operands, given those of the parts. `wanted`: the operands that a derivative is asked of.
///
/// # Errors
/// If the loop, or an operation in it, has no derivative.
pub fn reverse(
    g: &mut Graph,
    v: Value,
    cotangents: &[(usize, Value)],
    wanted: &[bool],
) -> Result<Vec<Option<Value>>, Refusal> {
    let operands = g.operands(v);
    let mut found = vec![None; operands.len()];
    let Some(l) = loop_of(g, v) else {
        return Ok(found);
    };
    if l.bounded || l.saved == 0 {
        return Err(refuse(g, v));
    }
    let s = Shape::new(&l);
    let of_part = |k: usize| cotangents.iter().find(|c| c.0 == k).map(|c| c.1);
    let mut b = Body::new(&l, g.strict);
    // Carries: cotangents of the carries, and sums of those of what is captured.
    let mut ct_carries = Vec::new();
    for &i in &s.real {
        let ct = match of_part(i) {
            Some(ct) => ct,
            None => zeros(g, operands[i]),
        };
        ct_carries.push(b.input("cotangent", &l.body, l.body.inputs[1 + i].value, ct));
    }
    let summed: Vec<usize> = (s.carries + s.slices..operands.len())
        .filter(|&i| wanted[i] && g.ty(operands[i]).dtype.is_real())
        .collect();
    let mut sums = Vec::new();
    for &at in &summed {
        let zero = zeros(g, operands[at]);
        sums.push(b.input("sum", &l.body, l.body.inputs[1 + at].value, zero));
    }
    let n_carries = ct_carries.len() + sums.len();
    let (carries, slices) = iteration(g, v, &l, &s, &mut b);
    let mut n_slices = carries.len() + slices.len();
    let mut ct_rows = Vec::new();
    for &k in &s.real_rows {
        if let Some(ct) = of_part(k) {
            let ct = b.input("cotangent", &l.body, l.body.outputs[k].1, ct);
            ct_rows.push((k, ct));
            n_slices += 1;
        }
    }
    let mut captured = Vec::new();
    for (at, &operand) in operands.iter().enumerate().skip(s.carries + s.slices) {
        let like = l.body.inputs[1 + at].value;
        captured.push(b.input("captured", &l.body, like, operand));
    }
    let inputs: Vec<Value> = std::iter::once(b.g.inputs[0].value)
        .chain(carries.iter().copied())
        .chain(slices.iter().copied())
        .chain(captured.iter().copied())
        .collect();
    let outs = inline(&mut b.g, &l.body, &inputs);
    let mut seeds: Vec<(Value, Value)> = s
        .real
        .iter()
        .zip(&ct_carries)
        .map(|(&i, &ct)| (outs[i], ct))
        .collect();
    seeds.extend(ct_rows.iter().map(|&(k, ct)| (outs[k], ct)));
    let sliced: Vec<usize> = (0..s.slices)
        .filter(|&i| {
            let at = s.carries + i;
            wanted[at] && g.ty(operands[at]).dtype.is_real()
        })
        .collect();
    let mut wrt: Vec<Value> = s.real.iter().map(|&i| carries[i]).collect();
    wrt.extend(summed.iter().map(|at| captured[at - s.carries - s.slices]));
    wrt.extend(sliced.iter().map(|&i| slices[i]));
    let back = vjp(&mut b.g, &seeds, &wrt)?;
    for (i, (ct, w)) in back.into_iter().zip(&wrt).enumerate() {
        let before = i
            .checked_sub(s.real.len())
            .and_then(|j| sums.get(j))
            .copied();
        let out = match (ct, before) {
            (Some(ct), Some(sum)) => b.g.add2(sum, ct),
            (Some(ct), None) => ct,
            (None, Some(sum)) => sum,
            (None, None) => b.g.constant_like(0.0, *w),
        };
        b.g.outputs.push(("cotangent".into(), out));
    }
    let new = Loop {
        carries: n_carries,
        slices: n_slices,
        rows: sliced.len(),
        saved: 0,
        count: l.count,
        reverse: !l.reverse,
        bounded: false,
        body: super::region::copy(&b.g, &Attr::clone),
    };
    let token = add_loop(g, new, &b.operands);
    for (k, &i) in s.real.iter().enumerate() {
        found[i] = Some(part(g, token, k));
    }
    for (k, &at) in summed.iter().enumerate() {
        found[at] = Some(part(g, token, s.real.len() + k));
    }
    for (k, &i) in sliced.iter().enumerate() {
        found[s.carries + i] = Some(part(g, token, n_carries + k));
    }
    Ok(found)
}
