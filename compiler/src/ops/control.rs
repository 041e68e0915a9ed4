//! Nodes that own a graph, and their results.
//!
//! A loop or call has several results; the node itself is a token without elements, and `part` nodes are the results. The
//! token counts as real, so that what derivatives pass through a loop is found like everything else.

use super::rules::{Rule, bad_attr, no_cases};
use super::{Ad, Arity, Batch, Kernel, OpDef};
use crate::ir::{Attr, Call, DType, Loop, Type};

fn token() -> Type {
    Type::new(DType::F32, vec![0])
}

/// Do the operands fit the body's inputs, and its outputs its carries?
fn loop_fits(l: &Loop, types: &[&Type]) -> Result<(), String> {
    let first = l.first();
    let inputs = &l.body.inputs;
    if types.len() + 1 != inputs.len() + first {
        return Err(format!(
            "a loop of {} inputs has {} operands",
            inputs.len(),
            types.len()
        ));
    }
    if l.bounded && *types[0] != Type::scalar(DType::Bool) {
        return Err(format!(
            "whether a loop begins is one truth value, not `{}`",
            types[0]
        ));
    }
    for (i, have) in types[first..].iter().enumerate() {
        let want = l.body.ty(inputs[i + 1].value);
        let sliced = (l.carries..l.carries + l.slices).contains(&i);
        let fits = if sliced {
            have.dtype == want.dtype
                && have.shape.split_first() == Some((&l.count, want.shape.as_slice()))
        } else {
            *have == want
        };
        if !fits {
            return Err(format!(
                "input {} of a loop is `{want}`, not `{have}`",
                i + 1
            ));
        }
    }
    let outputs = l.parts() + first;
    if l.body.outputs.len() != outputs || ![0, l.carries].contains(&l.saved) {
        return Err(format!(
            "a loop of {outputs} results has {}",
            l.body.outputs.len()
        ));
    }
    for i in 0..l.carries {
        let (have, want) = (
            l.body.ty(l.body.outputs[i].1),
            l.body.ty(inputs[i + 1].value),
        );
        if have != want {
            return Err(format!(
                "a carry of a loop is `{want}`, and becomes `{have}`"
            ));
        }
    }
    Ok(())
}

fn call_fits(c: &Call, types: &[&Type]) -> Result<(), String> {
    let own = c.args + c.results;
    if types.len() < own + c.vjp_captured || types[..own].iter().any(|t| !t.dtype.is_real()) {
        return Err(format!(
            "a call of `{}` with {} operands",
            c.name,
            types.len()
        ));
    }
    Ok(())
}

/// A sequential loop: a token whose parts are the results.
pub static LOOP: OpDef = OpDef {
    name: "loop",
    doc: "Runs its body again and again; its parts are the last carries and the stacked rows.",
    arity: Arity::AtLeast(0),
    shape: |attr, types| match attr {
        Attr::Loop(l) => loop_fits(l, types).map(|()| token()),
        other => bad_attr("loop", other),
    },
    kernel: Kernel::Loop,
    ad: Ad::Region,
    batch: Batch::Region,
    cases: no_cases,
};

/// What a function with its own derivative gives: a token whose parts are the results.
pub static CALL: OpDef = OpDef {
    name: "call",
    doc: "Results of a function that states its own derivative.",
    arity: Arity::AtLeast(1),
    shape: |attr, types| match attr {
        Attr::Call(c) => call_fits(c, types).map(|()| token()),
        other => bad_attr("call", other),
    },
    kernel: Kernel::Call,
    ad: Ad::Region,
    batch: Batch::Region,
    cases: no_cases,
};

/// One result of a loop or call.
pub static PART: OpDef = OpDef {
    name: "part",
    doc: "One result of a loop or call.",
    arity: Arity::Exactly(1),
    shape: |attr, types| -> Rule {
        match (attr, types) {
            (Attr::Part(_, ty), [t]) if **t == token() => Ok(ty.clone()),
            (other, _) => bad_attr("part", other),
        }
    },
    kernel: Kernel::Part,
    ad: Ad::Region,
    batch: Batch::Region,
    cases: no_cases,
};
