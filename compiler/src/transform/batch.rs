//! Gives a region a leading axis: what depends on a lane, or draws in it, is rebuilt for all lanes at once.
//!
//! lane x: real[3]; y = w @ x   =>   X: real[n, 3]; Y = X contracted with w
//!
//! Does not: loop. Every operation has a batching rule in the table.

use crate::ir::{Attr, Call, DType, Graph, Loop, Owned, Type, Value};
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
    let mut regions: HashMap<Value, Region> = HashMap::new();
    let (old_span, old_guard, old_strict) = (g.origin, g.guard.take(), g.strict);
    for (i, needed) in needed.into_iter().enumerate() {
        let v = Value(base + i as u32);
        if !needed || done.contains_key(&v) {
            continue;
        }
        let node = g.node(v).clone();
        let operands = g.operands(v);
        let own = match &node.attr {
            Attr::Site(..) => true,
            Attr::Loop(l) => super::region::draws(&l.body),
            Attr::Part(..) => regions.contains_key(&operands[0]),
            // What stands for something of all lanes differs between them even where its operand does not.
            _ if node.def.kernel == Kernel::Leaf => !operands.is_empty(),
            _ => node.def.kernel == Kernel::Draw,
        };
        let guarded = node.guard.is_some_and(|c| done.contains_key(&c));
        let batched = |o: &Value| done.contains_key(o);
        if !own && !guarded && !operands.iter().any(batched) {
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
        let mut args: Vec<Lane> = operands.iter().map(lane).collect();
        // A product leaves an operand without lanes as it is.
        let repeated = match node.def.kernel {
            Kernel::Contract => &operands[..0],
            _ => &operands[..],
        };
        for v in std::iter::once(&v).chain(repeated) {
            let ty = g.ty(*v);
            if args.iter().any(|a| a.value == *v && a.batched) {
                continue;
            }
            if ty.len().saturating_mul(n) > i32::MAX as usize {
                let (span, lane) = (node.origin.span, ty.clone());
                (g.origin, g.guard, g.strict) = (old_span, old_guard, old_strict);
                return Err(TooLarge { span, lane });
            }
        }
        let guard = node.guard.map(|c| lane(&c));
        (g.origin, g.strict) = (node.origin, node.strict);
        g.guard = None;
        let guard = guard.map(|c| c.with_axis(g, n));
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
            Batch::Custom(rule) if matches!(node.def.kernel, Kernel::Map(_) | Kernel::Leaf) => {
                g.guard = guard;
                rule(g, v, &args, n)
            }
            // See Note [Guards of lanes].
            Batch::Custom(rule) => {
                // Rules look for the axis among the operands; where only the guard has it, they are given it.
                if !own && !args.iter().any(|a| a.batched) {
                    args = all_batched(g, &args, n)
                        .into_iter()
                        .map(|value| Lane {
                            value,
                            batched: true,
                        })
                        .collect();
                }
                let args = match guard {
                    Some(c) if node.def.kernel == Kernel::Contract => silenced(g, c, &args),
                    _ => args,
                };
                let new = rule(g, v, &args, n);
                guarded_copy(g, new, guard)
            }
            Batch::Region => {
                let made = match &node.attr {
                    Attr::Loop(l) => batch_loop(g, l, &args, n),
                    Attr::Call(c) => batch_call(g, c, &args, n),
                    _ => Ok(None),
                };
                match made {
                    Ok(Some(region)) => {
                        regions.insert(v, region);
                        continue;
                    }
                    Ok(None) => {
                        let new = batch_part(g, &node.attr, &regions[&operands[0]], n);
                        guarded_copy(g, new, guard)
                    }
                    Err(e) => {
                        (g.origin, g.guard, g.strict) = (old_span, old_guard, old_strict);
                        return Err(e);
                    }
                }
            }
        };
        g.guard = None;
        done.insert(v, new);
    }
    (g.origin, g.guard, g.strict) = (old_span, old_guard, old_strict);
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

// Note [Guards of lanes]
//
// A guard of all lanes has the lanes' axis. Where it is false, what derivatives pass is set to zero, before and after the
// node's own rule, and that goes by axes: the guard's axis must be the node's first. Rules that are not element by element
// build nodes whose axes stand elsewhere, or take operands without lanes; these nodes have no guard, and the result is
// copied by a node that has it. What a product makes of lanes that are not taken would be zero times what may be infinite,
// so its operands are zero there.

/// Lanes that are not taken are zero.
fn silenced(g: &mut Graph, guard: Value, args: &[Lane]) -> Vec<Lane> {
    args.iter()
        .map(|a| {
            if !a.batched {
                return *a;
            }
            let shape = g.ty(a.value).shape.clone();
            let c = g.lead(guard, &shape);
            let zero = g.constant_like(0.0, a.value);
            Lane {
                value: g.select(c, a.value, zero),
                batched: true,
            }
        })
        .collect()
}

/// The same value, through which derivatives pass only where the guard holds.
fn guarded_copy(g: &mut Graph, v: Value, guard: Option<Value>) -> Value {
    if guard.is_none() {
        return v;
    }
    let shape = g.ty(v).shape.clone();
    g.with_guard(guard, |g| g.add(&ops::RESHAPE, Attr::Shape(shape), &[v]))
}

/// A loop or call that was given the axis: the new token, and how each of its parts has the axis.
struct Region {
    token: Value,
    parts: Vec<Axis>,
}

#[derive(Clone, Copy, PartialEq)]
enum Axis {
    /// Not at all: the same for all lanes.
    None,
    /// First.
    First,
    /// Behind the axis of the iterations.
    Second,
}

/// Moves the lanes' axis behind or before that of the iterations.
fn swap(g: &mut Graph, v: Value) -> Value {
    let rank = g.ty(v).rank();
    let perm: Vec<usize> = [1, 0].into_iter().chain(2..rank).collect();
    g.transpose(v, perm)
}

/// A loop of all lanes at once. A carry has the axis if its first value has it or an iteration gives it.
fn batch_loop(
    g: &mut Graph,
    l: &Loop,
    args: &[Lane],
    n: usize,
) -> Result<Option<Region>, TooLarge> {
    if l.bounded {
        return batch_bounded(g, l, args, n);
    }
    let mut flags: Vec<bool> = std::iter::once(false)
        .chain(args.iter().map(|a| a.batched))
        .collect();
    let (mut body, outs) = settle(l, &mut flags, n)?;
    let carried: Vec<bool> = flags[1..=l.carries].to_vec();
    super::region::repeat_outputs(&mut body, &outs[..l.carries], &carried, n);
    let operands = loop_operands(g, l, args, &flags[1..], n);
    let parts = (0..l.parts())
        .map(
            |k| match (outs[k] || k < l.carries && carried[k], k < l.carries) {
                (false, _) => Axis::None,
                (true, true) => Axis::First,
                (true, false) => Axis::Second,
            },
        )
        .collect();
    let new = Loop { body, ..l.clone() };
    let token = g.add(&ops::LOOP, Attr::Loop(Owned::new(new)), &operands);
    Ok(Some(Region { token, parts }))
}

/// Batches the body until the carries that come in with the axis are those that go out with it.
fn settle(l: &Loop, flags: &mut [bool], n: usize) -> Result<(Graph, Vec<bool>), TooLarge> {
    loop {
        let (body, outs) = super::region::batch_body(&l.body, flags, n)?;
        let grown: Vec<usize> = (0..l.carries)
            .filter(|&c| outs[c] && !flags[1 + c])
            .collect();
        if grown.is_empty() {
            return Ok((body, outs));
        }
        grown.into_iter().for_each(|c| flags[1 + c] = true);
    }
}

/// Operands of the loop of all lanes (but for whether it begins).
fn loop_operands(g: &mut Graph, l: &Loop, args: &[Lane], flags: &[bool], n: usize) -> Vec<Value> {
    let mut operands = Vec::new();
    for (i, a) in args.iter().enumerate() {
        let sliced = (l.carries..l.carries + l.slices).contains(&i);
        operands.push(match (a.batched, sliced) {
            (true, true) => swap(g, a.value),
            (false, false) if flags[i] => g.trail(a.value, n),
            _ => a.value,
        });
    }
    operands
}

/// A loop that each lane ends when it is done: it runs on while any lane does, and lanes that are done keep their carries.
fn batch_bounded(
    g: &mut Graph,
    l: &Loop,
    args: &[Lane],
    n: usize,
) -> Result<Option<Region>, TooLarge> {
    let mut flags: Vec<bool> = std::iter::once(false)
        .chain(args[1..].iter().map(|a| a.batched))
        .collect();
    let (_, outs) = settle(l, &mut flags, n)?;
    let lanes_differ = args[0].batched || outs[l.parts()];
    if lanes_differ {
        flags[1..=l.carries].iter_mut().for_each(|f| *f = true);
    }
    let (mut body, mut outs) = settle(l, &mut flags, n)?;
    let carried: Vec<bool> = flags[1..=l.carries].to_vec();
    super::region::repeat_outputs(&mut body, &outs[..l.carries], &carried, n);
    let mut operands = loop_operands(g, l, &args[1..], &flags[1..], n);
    let parts = carried
        .iter()
        .map(|&c| if c { Axis::First } else { Axis::None })
        .collect();
    if !lanes_differ {
        operands.insert(0, args[0].value);
        let new = Loop { body, ..l.clone() };
        let token = g.add(&ops::LOOP, Attr::Loop(Owned::new(new)), &operands);
        return Ok(Some(Region { token, parts }));
    }
    // Whether each lane goes on becomes a carry of its own.
    let on_type = Type::new(DType::Bool, vec![n]);
    let mut wide = Graph::new();
    let mut inputs = Vec::new();
    for (i, input) in body.inputs.iter().enumerate() {
        inputs.push(wide.input(input.name.clone(), body.ty(input.value).clone()));
        if i == 0 {
            wide.input("on", on_type.clone());
        }
    }
    let on = wide.inputs[1].value;
    let results = super::region::inline(&mut wide, &body, &inputs);
    outs.truncate(l.parts() + 1);
    let mut go = results[l.parts()];
    if !outs[l.parts()] {
        go = wide.trail(go, n);
    }
    let go = wide.binary(&ops::AND, on, go);
    wide.outputs.push(("on".into(), go));
    for c in 0..l.carries {
        let (old, new) = (inputs[1 + c], results[c]);
        let shape = wide.ty(new).shape.clone();
        let choose = wide.lead(on, &shape);
        let kept = wide.select(choose, new, old);
        wide.outputs.push((format!("out{c}"), kept));
    }
    let any = wide.add(&ops::ANY, Attr::Axes(vec![0]), &[go]);
    wide.outputs.push(("go".into(), any));
    let start = args[0].with_axis(g, n);
    let begins = g.add(&ops::ANY, Attr::Axes(vec![0]), &[start]);
    operands.splice(0..0, [begins, start]);
    let new = Loop {
        body: wide,
        carries: l.carries + 1,
        ..l.clone()
    };
    let token = g.add(&ops::LOOP, Attr::Loop(Owned::new(new)), &operands);
    // The first carry is new: the others have moved by one.
    Ok(Some(Region {
        token,
        parts: std::iter::once(Axis::First).chain(parts).collect(),
    }))
}

/// Results and arguments of all lanes, with rules for all lanes.
fn batch_call(
    g: &mut Graph,
    c: &Call,
    args: &[Lane],
    n: usize,
) -> Result<Option<Region>, TooLarge> {
    let own = c.args + c.results;
    let mut operands = all_batched(g, &args[..own], n);
    operands.extend(args[own..].iter().map(|a| a.value));
    let rule = |body: &Option<Graph>, more: usize, captured: &[Lane], outputs: usize| {
        let Some(body) = body else {
            return Ok(None);
        };
        let mut flags = vec![true; own + more];
        flags.extend(captured.iter().map(|a| a.batched));
        let (mut body, outs) = super::region::batch_body(body, &flags, n)?;
        super::region::repeat_outputs(&mut body, &outs, &vec![true; outputs], n);
        Ok(Some(body))
    };
    let split = own + c.vjp_captured;
    let new = Call {
        vjp: rule(&c.vjp, c.results, &args[own..split], c.args)?,
        jvp: rule(&c.jvp, c.args, &args[split..], c.results)?,
        ..c.clone()
    };
    let token = g.add(&ops::CALL, Attr::Call(Owned::new(new)), &operands);
    Ok(Some(Region {
        token,
        parts: vec![Axis::First; c.results],
    }))
}

/// A part of a loop or call of all lanes, the lanes' axis first.
fn batch_part(g: &mut Graph, attr: &Attr, region: &Region, n: usize) -> Value {
    let Attr::Part(k, _) = attr else {
        panic!("internal error: a part with {attr:?}")
    };
    // A bounded loop may have been given a carry before the others.
    let moved = match &g.node(region.token).attr {
        Attr::Loop(l) if l.bounded && region.parts.len() > 1 => {
            usize::from(l.body.inputs[1].name == "on")
        }
        _ => 0,
    };
    let at = *k as usize + moved;
    let v = super::loops::part(g, region.token, at);
    match region.parts[at] {
        Axis::First => v,
        Axis::Second => swap(g, v),
        Axis::None => g.trail(v, n),
    }
}

fn all_batched(g: &mut Graph, args: &[Lane], n: usize) -> Vec<Value> {
    args.iter().map(|a| a.with_axis(g, n)).collect()
}

/// Is the node a stand-in for a lane?
pub fn is_lane(g: &Graph, v: Value) -> bool {
    g.is(v, &ops::LANE)
}
