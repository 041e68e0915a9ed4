//! Functions that state their own derivative.
//!
//! y = call f(x; y0)   =>   the cotangent of x is what f's rule makes of that of y; nothing passes through y0's own making
//!
//! Once derivatives are taken, a call's parts are the results that it was given.

use super::differentiate::{Refusal, vjp};
use super::loops::part;
use super::region::inline;
use crate::ir::{Attr, Call, Graph, Owned, Value};
use crate::ops::Kernel;
use std::collections::HashMap;

fn call_of(g: &Graph, v: Value) -> Option<Owned<Call>> {
    match &g.node(v).attr {
        Attr::Call(c) => Some(c.clone()),
        _ => None,
    }
}

fn refuse(g: &Graph, v: Value, c: &Call, sentence: &str) -> Refusal {
    Refusal {
        op: "call",
        sentence: format!("`{}` {sentence}", c.name),
        span: g.node(v).origin.span,
    }
}

/// Values that a rule is given: arguments and results, then `more`, then what it captures. The results are the call's parts,
/// so that a derivative of the rule does not pass through their own making either.
fn rule_inputs(
    g: &mut Graph,
    v: Value,
    c: &Call,
    more: &[Value],
    captured: &[Value],
) -> Vec<Value> {
    let mut inputs = g.operands(v)[..c.args].to_vec();
    inputs.extend((0..c.results).map(|k| part(g, v, k)));
    inputs.extend(more);
    inputs.extend(captured);
    inputs
}

/// Cotangents of the operands, given those of the results.
///
/// # Errors
/// If the function states no derivative that could be used.
pub fn reverse(
    g: &mut Graph,
    v: Value,
    cotangents: &[(usize, Value)],
) -> Result<Vec<Option<Value>>, Refusal> {
    let operands = g.operands(v);
    let mut found = vec![None; operands.len()];
    let Some(c) = call_of(g, v) else {
        return Ok(found);
    };
    let own = c.args + c.results;
    let mut cts = Vec::new();
    for k in 0..c.results {
        let ct = cotangents.iter().find(|x| x.0 == k).map(|x| x.1);
        cts.push(match ct {
            Some(ct) => ct,
            None => g.constant_like(0.0, operands[c.args + k]),
        });
    }
    let back = match (&c.vjp, &c.jvp) {
        (Some(rule), _) => {
            let captured = &operands[own..own + c.vjp_captured];
            let inputs = rule_inputs(g, v, &c, &cts, captured);
            inline(g, rule, &inputs).into_iter().map(Some).collect()
        }
        // The forward rule is linear in the tangents: its transpose is the reverse rule.
        (None, Some(rule)) => {
            let captured = &operands[own + c.vjp_captured..];
            let tangents: Vec<Value> = (0..c.args)
                .map(|i| {
                    let zero = g.constant_like(0.0, operands[i]);
                    bound(g, zero)
                })
                .collect();
            let inputs = rule_inputs(g, v, &c, &tangents, captured);
            let outs = inline(g, rule, &inputs);
            let seeds: Vec<(Value, Value)> = outs.into_iter().zip(cts).collect();
            vjp(g, &seeds, &tangents)?
        }
        (None, None) => return Err(refuse(g, v, &c, "states no derivative")),
    };
    for (i, ct) in back.into_iter().enumerate() {
        found[i] = ct;
    }
    Ok(found)
}

/// A node of its own for a constant, so that a derivative can be taken by it.
fn bound(g: &mut Graph, x: Value) -> Value {
    let id = Attr::Id(u32::MAX - g.len() as u32);
    g.add(&crate::ops::BIND, id, &[x])
}

/// The results' tangents, given those of the operands.
///
/// # Errors
/// If the function states only a reverse derivative.
pub fn forward(
    g: &mut Graph,
    v: Value,
    tangents: &[Option<Value>],
) -> Result<Vec<Option<Value>>, Refusal> {
    let operands = g.operands(v);
    let Some(c) = call_of(g, v) else {
        return Ok(vec![]);
    };
    let Some(rule) = &c.jvp else {
        return Err(refuse(
            g,
            v,
            &c,
            "states only `with vjp`, and a forward derivative passes it: state `with jvp` too, or use `grad`",
        ));
    };
    let mut ts = Vec::new();
    for (i, t) in tangents[..c.args].iter().enumerate() {
        ts.push(match t {
            Some(t) => *t,
            None => g.constant_like(0.0, operands[i]),
        });
    }
    let captured = &operands[c.args + c.results + c.vjp_captured..];
    let inputs = rule_inputs(g, v, &c, &ts, captured);
    Ok(inline(g, rule, &inputs).into_iter().map(Some).collect())
}

/// The graph with the parts of calls replaced by the results they stand for.
pub fn replace(old: Graph) -> Graph {
    if !old.values().any(|v| has_call(&old, v)) {
        return old;
    }
    let mut g = Graph::new();
    let mut map: HashMap<Value, Value> = HashMap::new();
    for v in crate::ir::print::live(&old) {
        let node = old.node(v);
        let operands = old.operands(v);
        let new = match &node.attr {
            Attr::Input(i, ty) => g.input(old.inputs[*i as usize].name.clone(), ty.clone()),
            // The token: nothing refers to it any more.
            Attr::Call(_) => continue,
            Attr::Part(k, _) if old.node(operands[0]).def.kernel == Kernel::Call => {
                let c = call_of(&old, operands[0]).expect("its kernel says so");
                map[&old.operands(operands[0])[c.args + *k as usize]]
            }
            attr => {
                let xs: Vec<Value> = operands.iter().map(|o| map[o]).collect();
                (g.origin, g.strict) = (node.origin, node.strict);
                let attr = match attr {
                    Attr::Loop(l) => Attr::Loop(Owned::new(crate::ir::Loop {
                        body: replace(l.body.clone()),
                        ..(*l.0).clone()
                    })),
                    attr => attr.clone(),
                };
                g.add(node.def, attr, &xs)
            }
        };
        map.insert(v, new);
    }
    g.outputs = old
        .outputs
        .iter()
        .map(|(n, v)| (n.clone(), map[v]))
        .collect();
    g
}

fn has_call(g: &Graph, v: Value) -> bool {
    match &g.node(v).attr {
        Attr::Call(_) => true,
        Attr::Loop(l) => l.body.values().any(|v| has_call(&l.body, v)),
        _ => false,
    }
}
