//! Gives a region a leading axis: what depends on a lane, or draws in it, is rebuilt for all lanes at once.
//!
//! lane x: real[3]; y = w @ x   =>   X: real[n, 3]; Y = X contracted with w
//!
//! Does not: loop. Every operation has a batching rule in the table.

use crate::ir::{Attr, Graph, Type, Value};
use crate::ops;
use crate::ops::{Batch, Kernel, Lane};
use mlc_grammar::span::Span;
use std::collections::HashMap;

/// A tensor of all lanes would have more elements than an int can number.
#[derive(Debug)]
pub struct TooLarge {
    /// What makes it.
    pub span: Span,
    /// A lane's type.
    pub lane: Type,
}

/// Batches the region that began when the graph had `mark` nodes. `lanes` maps stand-ins to tensors with the new axis
/// first. Gives for each result its batched form, or itself where all lanes agree.
///
/// # Errors
/// If a tensor of all lanes would be too large.
pub fn batch(
    g: &mut Graph,
    mark: usize,
    lanes: &[(Value, Value)],
    results: &[Value],
    n: usize,
) -> Result<Vec<Lane>, TooLarge> {
    let Some(&last) = results.iter().max() else {
        return Ok(vec![]);
    };
    let base = mark as u32;
    if last.0 < base {
        return Ok(results
            .iter()
            .map(|&value| Lane {
                value,
                batched: false,
            })
            .collect());
    }
    let count = (last.0 - base + 1) as usize;
    // Which nodes the results need, and which of those differ between lanes.
    let mut needed = vec![false; count];
    results
        .iter()
        .filter(|r| r.0 >= base)
        .for_each(|r| needed[(r.0 - base) as usize] = true);
    for i in (0..count).rev() {
        if needed[i] {
            let v = Value(base + i as u32);
            let mut from = g.operands(v);
            from.extend(g.node(v).guard);
            for o in from.into_iter().filter(|o| o.0 >= base) {
                needed[(o.0 - base) as usize] = true;
            }
        }
    }
    let mut done: HashMap<Value, Value> = lanes.iter().copied().collect();
    let (old_span, old_guard, old_strict) = (g.span, g.guard.take(), g.strict);
    for (i, needed) in needed.into_iter().enumerate() {
        let v = Value(base + i as u32);
        if !needed || done.contains_key(&v) {
            continue;
        }
        let node = g.node(v).clone();
        let operands = g.operands(v);
        let own = node.def.kernel == Kernel::Draw || matches!(node.attr, Attr::Site(..));
        let guarded = node.guard.is_some_and(|c| done.contains_key(&c));
        if !own && !guarded && !operands.iter().any(|o| done.contains_key(o)) {
            continue;
        }
        let lane = |o: &Value| match done.get(o) {
            Some(&value) => Lane {
                value,
                batched: true,
            },
            None => Lane {
                value: *o,
                batched: false,
            },
        };
        let args: Vec<Lane> = operands.iter().map(lane).collect();
        for v in std::iter::once(&v).chain(&operands) {
            let ty = g.ty(*v);
            if args.iter().any(|a| a.value == *v && a.batched) {
                continue;
            }
            if ty.len().saturating_mul(n) > i32::MAX as usize {
                let (span, lane) = (node.span, ty.clone());
                (g.span, g.guard, g.strict) = (old_span, old_guard, old_strict);
                return Err(TooLarge { span, lane });
            }
        }
        let guard = node.guard.map(|c| lane(&c));
        (g.span, g.strict) = (node.span, node.strict);
        g.guard = None;
        let guard = guard.map(|c| {
            if c.batched {
                c.value
            } else {
                g.trail(c.value, n)
            }
        });
        let new = match node.def.batch {
            Batch::Pointwise => {
                let xs = all_batched(g, &args, n);
                g.guard = guard;
                g.add(node.def, node.attr.clone(), &xs)
            }
            Batch::Shift(attr) => {
                let xs = all_batched(g, &args, n);
                g.guard = guard;
                g.add(node.def, attr(&node.attr, n), &xs)
            }
            Batch::Custom(rule) => {
                g.guard = guard;
                rule(g, v, &args, n)
            }
        };
        done.insert(v, new);
    }
    (g.span, g.guard, g.strict) = (old_span, old_guard, old_strict);
    Ok(results
        .iter()
        .map(|r| match done.get(r) {
            Some(&value) => Lane {
                value,
                batched: true,
            },
            None => Lane {
                value: *r,
                batched: false,
            },
        })
        .collect())
}

fn all_batched(g: &mut Graph, args: &[Lane], n: usize) -> Vec<Value> {
    args.iter()
        .map(|a| {
            if a.batched {
                a.value
            } else {
                g.trail(a.value, n)
            }
        })
        .collect()
}

/// Is the node a stand-in for a lane?
pub fn is_lane(g: &Graph, v: Value) -> bool {
    g.is(v, &ops::LANE)
}
