//! Clones the part of a graph downstream of some nodes, with other values in their place.

use crate::ir::{Attr, Graph, Value};
use crate::ops::Kernel;
use std::collections::HashMap;

/// The results with each `from` replaced. With `rekey`, what is drawn downstream (nodes younger than the first replaced
/// one) is drawn anew, from streams that the number names.
pub fn substitute(
    g: &mut Graph,
    from: &[(Value, Value)],
    results: &[Value],
    rekey: Option<u64>,
) -> Vec<Value> {
    let (Some(&first), Some(&last)) = (from.iter().map(|f| &f.0).min(), results.iter().max())
    else {
        return results.to_vec();
    };
    let mut done: HashMap<Value, Value> = from.iter().copied().collect();
    // Only what the results need is cloned.
    let mut needed: std::collections::HashSet<Value> = results.iter().copied().collect();
    for i in (first.0..=last.0).rev() {
        let v = Value(i);
        if needed.contains(&v) && !done.contains_key(&v) {
            let mut operands = g.operands(v);
            operands.extend(g.node(v).guard);
            needed.extend(operands.into_iter().filter(|o| *o >= first));
        }
    }
    let (old_span, old_guard, old_strict) = (g.origin, g.guard.take(), g.strict);
    for i in first.0..=last.0 {
        let v = Value(i);
        if !needed.contains(&v) || done.contains_key(&v) {
            continue;
        }
        let node = g.node(v).clone();
        let operands = g.operands(v);
        let redrawn = rekey.filter(|_| match &node.attr {
            Attr::Loop(l) => super::region::draws(&l.body),
            _ => node.def.kernel == Kernel::Draw,
        });
        let moved = operands
            .iter()
            .chain(&node.guard)
            .any(|o| done.contains_key(o));
        if redrawn.is_none() && !moved {
            continue;
        }
        let xs: Vec<Value> = operands.iter().map(|o| *done.get(o).unwrap_or(o)).collect();
        let attr = match redrawn {
            Some(key) => super::region::redrawn(&node.attr, key),
            None => node.attr,
        };
        (g.origin, g.strict) = (node.origin, node.strict);
        g.guard = node.guard.map(|c| *done.get(&c).unwrap_or(&c));
        let new = g.add(node.def, attr, &xs);
        done.insert(v, new);
    }
    (g.origin, g.guard, g.strict) = (old_span, old_guard, old_strict);
    results.iter().map(|r| *done.get(r).unwrap_or(r)).collect()
}
