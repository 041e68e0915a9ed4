//! Derivatives, reverse and forward, from the same cells of the operation table.
//!
//! y = sin(a * b), by a   =>   cos(a * b) * b
//!
//! Rules build primitives, so what comes out can be differentiated again. Only nodes between `wrt` and the outputs are
//! visited. The derivative by a `wrt` node counts all paths from it, those through other `wrt` nodes included.
//! Guards: where a guard is false nothing passes a node, so that a pole of the side not taken leaves no NaN.

use crate::ir::{Attr, Graph, Value};
use crate::ops::{Ad, Batch, Kernel, Wrt};
use mlc_grammar::span::Span;
use std::collections::{HashMap, HashSet};

/// A derivative that does not exist.
#[derive(Clone, Debug)]
pub struct Refusal {
    pub op: &'static str,
    /// For the user.
    pub sentence: String,
    pub span: Span,
}

/// Nodes through which a derivative may pass: that depend on `wrt` and on which an output depends, oldest first. What a
/// `stop` hides is not among them, so that it may be something without derivatives; nor are extremes that cancel.
fn cone(g: &Graph, outputs: &[Value], wrt: &[Value]) -> Vec<Value> {
    let nodes = between(g, outputs, wrt, &HashSet::new());
    let free = super::cancel::cancelling(g, &nodes, outputs, wrt);
    if free.is_empty() {
        return nodes;
    }
    between(g, outputs, wrt, &free)
}

/// The same, but for what depends on `wrt` only by the nodes `closed`.
fn between(g: &Graph, outputs: &[Value], wrt: &[Value], closed: &HashSet<Value>) -> Vec<Value> {
    let (Some(&first), Some(&last)) = (wrt.iter().min(), outputs.iter().max()) else {
        return vec![];
    };
    if last < first {
        return vec![];
    }
    let at = |v: Value| (v.0 - first.0) as usize;
    let n = at(last) + 1;
    let mut depends = vec![false; n];
    for &w in wrt.iter().filter(|&&w| w <= last) {
        depends[at(w)] = true;
    }
    for i in 0..n {
        let v = Value(first.0 + i as u32);
        let passes = !matches!(g.node(v).def.ad, Ad::Zero) && !closed.contains(&v);
        if !depends[i] && passes && g.ty(v).dtype.is_real() {
            depends[i] = g.operands(v).iter().any(|&o| o >= first && depends[at(o)]);
        }
    }
    let mut used = vec![false; n];
    outputs
        .iter()
        .filter(|&&o| o >= first)
        .for_each(|&o| used[at(o)] = depends[at(o)]);
    for i in (0..n).rev() {
        if used[i] {
            for o in g.operands(Value(first.0 + i as u32)) {
                if o >= first && depends[at(o)] {
                    used[at(o)] = true;
                }
            }
        }
    }
    (0..n)
        .filter(|&i| used[i])
        .map(|i| Value(first.0 + i as u32))
        .collect()
}

/// Those of `nodes` whose tangent an output needs: of a call its arguments', not those of what its results are made by.
fn needed(g: &Graph, nodes: &[Value], outputs: &[Value]) -> HashSet<Value> {
    let mut found: HashSet<Value> = outputs.iter().copied().collect();
    for &v in nodes.iter().rev() {
        if !found.contains(&v) {
            continue;
        }
        let operands = g.operands(v);
        let passed = match &g.node(v).attr {
            Attr::Call(c) => &operands[..c.args],
            _ => &operands[..],
        };
        found.extend(passed);
    }
    found
}

/// The guard that holds for what passes a node's operands, too: one condition, or one for each lane of all operands.
fn operand_guard(g: &Graph, v: Value) -> Option<Value> {
    let node = g.node(v);
    let by_lanes = matches!(node.def.batch, Batch::Pointwise | Batch::Shift(_));
    node.guard.filter(|c| by_lanes || g.ty(*c).rank() == 0)
}

/// A call whose results depend on something that is no argument of it: its own derivative says nothing of that.
fn captures(
    g: &Graph,
    nodes: &[Value],
    inside: &HashSet<Value>,
    targets: &HashSet<Value>,
) -> Option<Refusal> {
    for &v in nodes {
        let Attr::Call(c) = &g.node(v).attr else {
            continue;
        };
        let operands = g.operands(v);
        let mut args: HashSet<Value> = operands[..c.args].iter().copied().collect();
        // In lanes an argument that is the same for all is repeated, while the body may use it as it was.
        for &a in &operands[..c.args] {
            let mut x = a;
            while let (Attr::Broadcast { .. }, [of]) = (&g.node(x).attr, &*g.operands(x)) {
                x = *of;
                args.insert(x);
            }
        }
        let mut seen: HashSet<Value> = HashSet::new();
        let mut next: Vec<Value> = operands[c.args..c.args + c.results].to_vec();
        while let Some(x) = next.pop() {
            // Nothing passes an operation without derivatives; what is differentiated by may be a leaf.
            let blocked = matches!(g.node(x).def.ad, Ad::Zero) && !targets.contains(&x);
            if args.contains(&x) || !inside.contains(&x) || !seen.insert(x) || blocked {
                continue;
            }
            if targets.contains(&x) {
                return Some(Refusal {
                    op: "call",
                    sentence: format!(
                        "`{}` states its own derivative, which says nothing of what is differentiated by: the function captures it; make it an argument, or `stop` it",
                        c.name
                    ),
                    span: g.node(v).origin.span,
                });
            }
            next.extend(g.operands(x));
        }
    }
    None
}

fn accumulate(g: &mut Graph, sums: &mut HashMap<Value, Value>, v: Value, ct: Value) {
    let sum = match sums.get(&v) {
        Some(&old) => g.add2(old, ct),
        None => ct,
    };
    sums.insert(v, sum);
}

/// `x` where the guard holds, else 0. The guard's shape is a prefix of the guarded node's; `x` may have another shape, if
/// it starts with the same axes.
fn masked(g: &mut Graph, guard: Option<Value>, x: Value) -> Value {
    let Some(guard) = guard else { return x };
    let (gs, xs) = (g.ty(guard).shape.clone(), g.ty(x).shape.clone());
    if !xs.starts_with(&gs) {
        return x;
    }
    let c = g.lead(guard, &xs);
    let zero = g.constant_like(0.0, x);
    g.select(c, x, zero)
}

/// Reverse mode: cotangents of `wrt`, given the outputs' cotangents. `None` where the outputs do not depend on it.
///
/// # Errors
/// An operation on the way that has no derivative.
pub fn vjp(
    g: &mut Graph,
    outputs: &[(Value, Value)],
    wrt: &[Value],
) -> Result<Vec<Option<Value>>, Refusal> {
    let outs: Vec<Value> = outputs.iter().map(|o| o.0).collect();
    let nodes = cone(g, &outs, wrt);
    let inside: HashSet<Value> = nodes.iter().copied().collect();
    let targets: HashSet<Value> = wrt.iter().copied().collect();
    let mut cts: HashMap<Value, Value> = HashMap::new();
    let (old_span, old_guard, old_strict) = (g.origin, g.guard.take(), g.strict);
    for &(o, ct) in outputs {
        if inside.contains(&o) {
            accumulate(g, &mut cts, o, ct);
        }
    }
    let mut refusal = captures(g, &nodes, &inside, &targets);
    // By loop or call: cotangents of its parts.
    let mut parts: HashMap<Value, Vec<(usize, Value)>> = HashMap::new();
    for &v in nodes.iter().rev() {
        if refusal.is_some() {
            break;
        }
        if !g.operands(v).iter().any(|x| inside.contains(x)) {
            continue;
        }
        let node = g.node(v).clone();
        // A derivative is strict where it is asked for in a strict block, and where what it is of is strict.
        (g.origin, g.strict) = (node.origin.derived(), node.strict || old_strict);
        let xs = g.operands(v);
        if matches!(node.def.kernel, Kernel::Loop | Kernel::Call) {
            let Some(cts_of_parts) = parts.get(&v) else {
                continue;
            };
            let found = if node.def.kernel == Kernel::Loop {
                let wanted: Vec<bool> = xs.iter().map(|x| inside.contains(x)).collect();
                super::loops::reverse(g, v, cts_of_parts, &wanted)
            } else {
                super::calls::reverse(g, v, cts_of_parts)
            };
            match found {
                Ok(found) => {
                    for (x, c) in xs.iter().zip(found) {
                        if let (Some(c), true) = (c, inside.contains(x)) {
                            let guard = operand_guard(g, v);
                            let c = masked(g, guard, c);
                            accumulate(g, &mut cts, *x, c);
                        }
                    }
                }
                Err(r) => refusal = Some(r),
            }
            continue;
        }
        let Some(&ct) = cts.get(&v) else { continue };
        if let Attr::Part(k, _) = node.attr {
            let ct = masked(g, node.guard, ct);
            let of = parts.entry(xs[0]).or_default();
            match of.iter_mut().find(|p| p.0 == k as usize) {
                Some(p) => p.1 = g.add2(p.1, ct),
                None => of.push((k as usize, ct)),
            }
            continue;
        }
        let ct = masked(g, node.guard, ct);
        let found: Vec<Option<Value>> = match node.def.ad {
            Ad::Pointwise(partials) => {
                let needed: Vec<bool> = xs.iter().map(|x| inside.contains(x)).collect();
                let ps = partials(g, &xs, v);
                ps.into_iter()
                    .zip(needed)
                    .map(|(p, needed)| {
                        if needed {
                            p.map(|p| g.mul(ct, p))
                        } else {
                            None
                        }
                    })
                    .collect()
            }
            Ad::Linear { transpose, .. } => transpose(g, v, &xs, ct),
            Ad::Bilinear { left, right } => {
                let l = inside.contains(&xs[0]).then(|| left(g, v, &xs, ct));
                let r = inside.contains(&xs[1]).then(|| right(g, v, &xs, ct));
                vec![l, r]
            }
            Ad::Custom { vjp, .. } => vjp(g, v, &xs, ct),
            Ad::Zero | Ad::Region => vec![None; xs.len()],
            Ad::Refused(why) => {
                refusal = Some(Refusal {
                    op: node.def.name,
                    sentence: why.to_string(),
                    span: node.origin.span,
                });
                break;
            }
        };
        // What passes the rule may be zero times infinity: zero again.
        let guard = operand_guard(g, v);
        for (x, c) in xs.iter().zip(found) {
            if let (Some(c), true) = (c, inside.contains(x)) {
                let c = masked(g, guard, c);
                accumulate(g, &mut cts, *x, c);
            }
        }
    }
    (g.origin, g.guard, g.strict) = (old_span, old_guard, old_strict);
    match refusal {
        Some(r) => Err(r),
        None => Ok(wrt.iter().map(|w| cts.get(w).copied()).collect()),
    }
}

/// The gradient of a scalar; zeros where it does not depend on a `wrt`.
///
/// # Errors
/// As [`vjp`].
pub fn grad(g: &mut Graph, y: Value, wrt: &[Value]) -> Result<Vec<Value>, Refusal> {
    let one = g.constant_like(1.0, y);
    let found = vjp(g, &[(y, one)], wrt)?;
    Ok(found
        .into_iter()
        .zip(wrt)
        .map(|(d, &w)| d.unwrap_or_else(|| g.constant_like(0.0, w)))
        .collect())
}

/// Forward mode: tangents of the outputs, given those of `wrt`. `None` where an output does not depend on any.
///
/// # Errors
/// As [`vjp`].
pub fn jvp(
    g: &mut Graph,
    outputs: &[Value],
    wrt: &[(Value, Value)],
) -> Result<Vec<Option<Value>>, Refusal> {
    let points: Vec<Value> = wrt.iter().map(|w| w.0).collect();
    let nodes = cone(g, outputs, &points);
    let mut tangents: HashMap<Value, Value> = wrt.iter().copied().collect();
    let (old_span, old_guard, old_strict) = (g.origin, g.guard.take(), g.strict);
    let inside: HashSet<Value> = nodes.iter().copied().collect();
    let targets: HashSet<Value> = points.iter().copied().collect();
    let mut refusal = captures(g, &nodes, &inside, &targets);
    let needed = needed(g, &nodes, outputs);
    // By call: tangents of its results.
    let mut parts: HashMap<Value, Vec<Option<Value>>> = HashMap::new();
    for &v in nodes.iter().filter(|v| needed.contains(v)) {
        if refusal.is_some() {
            break;
        }
        let node = g.node(v).clone();
        // A derivative is strict where it is asked for in a strict block, and where what it is of is strict.
        (g.origin, g.strict) = (node.origin.derived(), node.strict || old_strict);
        let xs = g.operands(v);
        if let Attr::Part(k, _) = node.attr {
            let t = match (parts.get(&xs[0]), tangents.get(&xs[0])) {
                (Some(results), _) => results.get(k as usize).copied().flatten(),
                (None, Some(&token)) => super::loops::forward_part(g, v, token),
                (None, None) => None,
            };
            if let Some(t) = t {
                let t = masked(g, node.guard, t);
                tangents.insert(v, t);
            }
            continue;
        }
        let guard = operand_guard(g, v);
        let ts: Vec<Option<Value>> = xs
            .iter()
            .map(|x| tangents.get(x).copied().map(|t| masked(g, guard, t)))
            .collect();
        if ts.iter().all(Option::is_none) {
            continue;
        }
        let add = |g: &mut Graph, sum: Option<Value>, t: Value| {
            Some(match sum {
                Some(s) => g.add2(s, t),
                None => t,
            })
        };
        let tangent = match node.def.ad {
            Ad::Pointwise(partials) => {
                let mut sum = None;
                for (p, t) in partials(g, &xs, v).into_iter().zip(&ts) {
                    if let (Some(p), Some(t)) = (p, t) {
                        let d = g.mul(*t, p);
                        sum = add(g, sum, d);
                    }
                }
                sum
            }
            Ad::Linear { wrt, .. } => {
                let linear = |i: usize| match wrt {
                    Wrt::All => true,
                    Wrt::Only(list) => list.contains(&i),
                };
                if (0..xs.len()).any(|i| linear(i) && ts[i].is_some()) {
                    let operands: Vec<Value> = (0..xs.len())
                        .map(|i| match (linear(i), ts[i]) {
                            (true, Some(t)) => t,
                            (true, None) => g.constant_like(0.0, xs[i]),
                            (false, _) => xs[i],
                        })
                        .collect();
                    Some(g.add(node.def, node.attr.clone(), &operands))
                } else {
                    None
                }
            }
            Ad::Bilinear { .. } => {
                let mut sum = None;
                if let Some(t) = ts[0] {
                    let d = g.add(node.def, node.attr.clone(), &[t, xs[1]]);
                    sum = add(g, sum, d);
                }
                if let Some(t) = ts[1] {
                    let d = g.add(node.def, node.attr.clone(), &[xs[0], t]);
                    sum = add(g, sum, d);
                }
                sum
            }
            Ad::Custom { jvp, .. } => jvp(g, v, &xs, &ts),
            Ad::Zero => None,
            Ad::Region if node.def.kernel == Kernel::Call => {
                match super::calls::forward(g, v, &ts) {
                    Ok(results) => {
                        parts.insert(v, results);
                    }
                    Err(r) => refusal = Some(r),
                }
                None
            }
            Ad::Region => {
                // Tangents of the loop's carries, slices and captured values; whether it begins has none.
                match super::loops::forward(g, v, &ts) {
                    Ok(token) => token,
                    Err(r) => {
                        refusal = Some(r);
                        None
                    }
                }
            }
            Ad::Refused(why) => {
                refusal = Some(Refusal {
                    op: node.def.name,
                    sentence: why.to_string(),
                    span: node.origin.span,
                });
                break;
            }
        };
        if let Some(t) = tangent {
            // A loop is no tensor; its parts are masked.
            let t = match node.def.ad {
                Ad::Region => t,
                _ => masked(g, node.guard, t),
            };
            let t = match tangents.get(&v) {
                Some(&given) => g.add2(given, t),
                None => t,
            };
            tangents.insert(v, t);
        }
    }
    (g.origin, g.guard, g.strict) = (old_span, old_guard, old_strict);
    match refusal {
        Some(r) => Err(r),
        None => Ok(outputs.iter().map(|o| tangents.get(o).copied()).collect()),
    }
}
