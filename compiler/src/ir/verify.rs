//! Checks a graph's invariants; they are listed in the parent module.

use super::{Attr, Graph};
use crate::ir::DType;
use crate::ops::Arity;

/// # Errors
/// The first invariant that does not hold, with the node.
pub fn verify(g: &Graph) -> Result<(), String> {
    for v in g.values() {
        let node = g.node(v);
        let operands = g.operands(v);
        let name = node.def.name;
        let fits = match node.def.arity {
            Arity::Exactly(n) => operands.len() == n,
            Arity::AtLeast(n) => operands.len() >= n,
        };
        if !fits {
            return Err(format!("{v:?} `{name}` has {} operands", operands.len()));
        }
        if operands.iter().chain(&node.guard).any(|o| *o >= v) {
            return Err(format!("{v:?} `{name}` uses a node that is not older"));
        }
        let types: Vec<_> = operands.iter().map(|&o| g.ty(o)).collect();
        match (node.def.shape)(&node.attr, &types) {
            Ok(ty) if ty == node.ty => {}
            Ok(ty) => {
                return Err(format!(
                    "{v:?} `{name}` has type {} instead of {ty}",
                    node.ty
                ));
            }
            Err(why) => return Err(format!("{v:?} `{name}`: {why}")),
        }
        if let Some(c) = node.guard {
            let t = g.ty(c);
            if t.dtype != DType::Bool {
                return Err(format!("{v:?} `{name}` has a guard of type {t}"));
            }
        }
        if let Attr::Input(i, _) = &node.attr
            && g.inputs
                .get(*i as usize)
                .is_none_or(|input| input.value != v)
        {
            return Err(format!("{v:?} is not the input it says it is"));
        }
    }
    match g.outputs.iter().find(|o| o.1.0 as usize >= g.len()) {
        Some(o) => Err(format!("the output `{}` is no node", o.0)),
        None => Ok(()),
    }
}
