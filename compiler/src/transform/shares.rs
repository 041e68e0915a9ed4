//! What a result owes to a site: the part that depends on it, and, of a site in a plate, the share of each lane.
//!
//! a + b(x)   =>   a, and b(x) alone          sum over i of b(x[i])   =>   b(x[i]), lane by lane
//!
//! So an estimator multiplies no cost that its site cannot influence (Rao-Blackwellisation: Ranganath, Gerrish and Blei 2014,
//! section 3.1, here by dependence). Does not: look into loops; what passes one counts as a whole.

use super::batch::batch;
use crate::ir::{Attr, Contract, Graph, Literal, Value};
use crate::ops::{self, Batch, Kernel, LinearIn, Monoid, Scalar, View, linear_in};
use std::collections::{HashMap, HashSet};

/// What one result owes.
#[derive(Clone, Debug, PartialEq)]
pub enum Share {
    /// Nothing.
    None,
    /// The result is `rest + of`; only `of` depends.
    Whole { rest: Option<Value>, of: Value },
    /// The result is `rest` and the sum of `of` over its leading axis: an entry for each lane, which depends on that lane.
    Summed { rest: Option<Value>, of: Value },
    /// Each entry of the result along this axis depends on that lane only.
    Aligned(usize),
}

/// Splits results into what depends on the roots and what does not.
pub fn split(g: &mut Graph, roots: &[Value], results: &[Value]) -> Vec<Share> {
    let mut walk = Walk::new(None);
    for &r in roots {
        walk.states.insert(r, State::Sum { rest: None, of: r });
    }
    walk.run(g, roots, results);
    results
        .iter()
        .map(|r| match walk.states.get(r) {
            Some(State::Sum { rest, of }) => Share::Whole {
                rest: *rest,
                of: *of,
            },
            _ => Share::None,
        })
        .collect()
}

/// The shares of the lanes along an axis of a site; `None` where lanes meet otherwise than in sums.
pub fn by_lanes(g: &mut Graph, site: Value, axis: usize, results: &[Value]) -> Option<Vec<Share>> {
    let n = g.ty(site).shape[axis];
    let mut walk = Walk::new(Some(n));
    walk.states.insert(site, State::Aligned(axis));
    if !walk.run(g, &[site], results) {
        return None;
    }
    Some(
        results
            .iter()
            .map(|r| match walk.states.get(r) {
                Some(State::Sum { rest, of }) => Share::Summed {
                    rest: *rest,
                    of: *of,
                },
                Some(State::Aligned(p)) => Share::Aligned(*p),
                None => Share::None,
            })
            .collect(),
    )
}

/// What the results need, of the nodes not older than `first`.
fn needed(g: &Graph, first: Value, results: &[Value]) -> HashSet<Value> {
    let mut found: HashSet<Value> = results.iter().copied().collect();
    let Some(last) = results.iter().max() else {
        return found;
    };
    for i in (first.0..=last.0).rev() {
        let v = Value(i);
        if found.contains(&v) {
            found.extend(g.operands(v));
            found.extend(g.node(v).guard);
        }
    }
    found
}

/// The operands in which a node is linear together, if those marked are among them.
fn linear(g: &Graph, v: Value, from: &[bool]) -> Option<Vec<bool>> {
    let n = from.len();
    let marked: Vec<usize> = (0..n).filter(|&i| from[i]).collect();
    let found: Vec<bool> = match linear_in(g.node(v).def) {
        LinearIn::Each if marked.len() > 1 => return None,
        LinearIn::Each => from.to_vec(),
        holds => (0..n).map(|i| holds.holds(i)).collect(),
    };
    let operands = g.operands(v);
    let real = |x: Value| g.ty(x).dtype.is_real();
    let fits = marked.iter().all(|&i| found[i] && real(operands[i]));
    (fits && real(v)).then_some(found)
}

#[derive(Clone, Copy)]
enum State {
    Aligned(usize),
    /// With lanes, `of` has their axis first.
    Sum {
        rest: Option<Value>,
        of: Value,
    },
}

struct Walk {
    /// How many lanes, where they are told apart.
    lanes: Option<usize>,
    states: HashMap<Value, State>,
}

impl Walk {
    fn new(lanes: Option<usize>) -> Self {
        Self {
            lanes,
            states: HashMap::new(),
        }
    }

    /// Finds the state of all that the results need; `false` where lanes mix.
    fn run(&mut self, g: &mut Graph, roots: &[Value], results: &[Value]) -> bool {
        let (Some(&first), Some(&last)) = (roots.iter().min(), results.iter().max()) else {
            return true;
        };
        let needed = needed(g, first, results);
        let (span, guard, strict) = (g.origin, g.guard.take(), g.strict);
        let mut apart = true;
        for i in first.0..=last.0 {
            let v = Value(i);
            if !needed.contains(&v) || self.states.contains_key(&v) {
                continue;
            }
            let node = g.node(v);
            let on_guard = node.guard.and_then(|c| self.states.get(&c).copied());
            let xs = g.operands(v);
            if on_guard.is_none() && !xs.iter().any(|x| self.states.contains_key(x)) {
                continue;
            }
            (g.origin, g.strict) = (node.origin, node.strict);
            match self.state(g, v, &xs, on_guard) {
                Some(s) => {
                    self.states.insert(v, s);
                }
                None => {
                    apart = false;
                    break;
                }
            }
        }
        (g.origin, g.guard, g.strict) = (span, guard, strict);
        apart
    }

    fn state(
        &self,
        g: &mut Graph,
        v: Value,
        xs: &[Value],
        on_guard: Option<State>,
    ) -> Option<State> {
        let whole = State::Sum { rest: None, of: v };
        let states: Vec<Option<State>> = xs.iter().map(|x| self.states.get(x).copied()).collect();
        let summed = states
            .iter()
            .flatten()
            .any(|s| matches!(s, State::Sum { .. }));
        let aligned = states
            .iter()
            .flatten()
            .any(|s| matches!(s, State::Aligned(_)));
        if self.lanes.is_none() {
            if on_guard.is_some() {
                return Some(whole);
            }
            return Some(self.linear_state(g, v, xs, &states).unwrap_or(whole));
        }
        match (on_guard, summed, aligned) {
            (None, true, false) => self.linear_state(g, v, xs, &states),
            (Some(State::Sum { .. }), ..) | (_, true, _) => None,
            (guard, false, _) => {
                let found = aligned_state(g, v, xs, &states)?;
                match (guard, found) {
                    (None, s) => Some(s),
                    (Some(State::Aligned(q)), State::Aligned(p)) if p == q => Some(found),
                    _ => None,
                }
            }
        }
    }

    /// A linear node of sums is a sum.
    fn linear_state(
        &self,
        g: &mut Graph,
        v: Value,
        xs: &[Value],
        states: &[Option<State>],
    ) -> Option<State> {
        let from: Vec<bool> = states.iter().map(Option::is_some).collect();
        let together = linear(g, v, &from)?;
        let parts: Vec<Option<(Option<Value>, Value)>> = states
            .iter()
            .map(|s| match s {
                Some(State::Sum { rest, of }) => Some((*rest, *of)),
                _ => None,
            })
            .collect();
        let unchanged = self.lanes.is_none()
            && parts
                .iter()
                .zip(xs)
                .all(|(p, x)| p.is_none_or(|(rest, of)| rest.is_none() && of == *x));
        let adds = |i: usize| together[i] && !from[i] && !is_zero(g, xs[i]);
        let others = (0..xs.len()).any(adds);
        if unchanged && !others {
            return Some(State::Sum { rest: None, of: v });
        }
        let rests: Vec<Option<Value>> = (0..xs.len())
            .map(|i| match &parts[i] {
                Some((rest, _)) => *rest,
                None => adds(i).then_some(xs[i]),
            })
            .collect();
        let of: Vec<Option<Value>> = parts.iter().map(|p| p.map(|p| p.1)).collect();
        let of = self.apply(g, v, xs, &together, &of, self.lanes)?;
        let rest = if rests.iter().any(Option::is_some) {
            Some(self.apply(g, v, xs, &together, &rests, None)?)
        } else {
            None
        };
        Some(State::Sum { rest, of })
    }

    /// The node on other values of the operands in which it is linear: zero where there is none.
    fn apply(
        &self,
        g: &mut Graph,
        v: Value,
        xs: &[Value],
        together: &[bool],
        values: &[Option<Value>],
        lanes: Option<usize>,
    ) -> Option<Value> {
        let node = g.node(v).clone();
        match (node.def.kernel, values) {
            (Kernel::Map(Scalar::Add), [Some(x), None] | [None, Some(x)]) => return Some(*x),
            (Kernel::Map(Scalar::Sub), [Some(x), None]) => return Some(*x),
            (Kernel::Map(Scalar::Sub), [None, Some(x)]) => return Some(g.neg(*x)),
            _ => {}
        }
        let guard = node.guard;
        let Some(n) = lanes else {
            let operands: Vec<Value> = (0..xs.len())
                .map(|i| match values[i] {
                    Some(x) => x,
                    None if together[i] => g.constant_like(0.0, xs[i]),
                    None => xs[i],
                })
                .collect();
            return Some(g.with_guard(guard, |g| g.add(node.def, node.attr.clone(), &operands)));
        };
        let mark = g.len();
        let mut stand_ins = Vec::new();
        let operands: Vec<Value> = (0..xs.len())
            .map(|i| match values[i] {
                Some(x) => {
                    let attr = Attr::Placeholder(u32::MAX - g.len() as u32, g.ty(xs[i]).clone());
                    let lane = g.add(&ops::LANE, attr, &[]);
                    stand_ins.push((lane, x));
                    lane
                }
                None if together[i] => g.constant_like(0.0, xs[i]),
                None => xs[i],
            })
            .collect();
        let one = g.with_guard(guard, |g| g.add(node.def, node.attr.clone(), &operands));
        let all = batch(g, mark, &stand_ins, &[one], n).ok()?;
        Some(all[0].value)
    }
}

/// A node of which the operands that depend on the site have an entry for each lane.
fn aligned_state(g: &mut Graph, v: Value, xs: &[Value], states: &[Option<State>]) -> Option<State> {
    let at: Vec<Option<usize>> = states
        .iter()
        .map(|s| match s {
            Some(State::Aligned(p)) => Some(*p),
            _ => None,
        })
        .collect();
    let node = g.node(v).clone();
    // Most operations: the axis of all operands that have it.
    let p = at.iter().flatten().copied().next()?;
    let same = at.iter().flatten().all(|q| *q == p);
    let aligned = |q: usize| Some(State::Aligned(q));
    match (node.def.kernel, &node.attr) {
        (Kernel::Map(_), _) if matches!(node.def.batch, Batch::Pointwise | Batch::Custom(_)) => {
            same.then_some(State::Aligned(p))
        }
        (Kernel::Reduce(monoid), Attr::Axes(axes)) => {
            if !axes.contains(&p) {
                return aligned(p - axes.iter().filter(|a| **a < p).count());
            }
            if monoid != Monoid::Sum || !node.ty.dtype.is_real() {
                return None;
            }
            let rank = g.ty(xs[0]).rank();
            let perm: Vec<usize> = std::iter::once(p)
                .chain((0..rank).filter(|a| *a != p))
                .collect();
            let front = g.transpose(xs[0], perm);
            let others = axes
                .iter()
                .filter(|a| **a != p)
                .map(|a| if *a < p { a + 1 } else { *a })
                .collect();
            let of = g.sum(front, others);
            Some(State::Sum { rest: None, of })
        }
        (Kernel::View(View::Reshape), Attr::Shape(shape)) => {
            let old = &g.ty(xs[0]).shape;
            let before: usize = old[..p].iter().product();
            let mut product = 1;
            for (q, d) in shape.iter().enumerate() {
                if product == before && *d == old[p] {
                    return aligned(q);
                }
                product *= d;
            }
            None
        }
        (Kernel::View(View::Transpose), Attr::Perm(perm)) => {
            aligned(perm.iter().position(|a| *a == p)?)
        }
        (Kernel::View(View::Broadcast), Attr::Broadcast { axes, .. }) => aligned(axes[p]),
        (Kernel::View(View::Slice), Attr::Slice { start, stop, step }) => {
            let whole = start[p] == 0 && stop[p] == g.ty(xs[0]).shape[p] && step[p] == 1;
            whole.then_some(State::Aligned(p))
        }
        (Kernel::View(View::Flip), Attr::Axes(axes)) => {
            (!axes.contains(&p)).then_some(State::Aligned(p))
        }
        (Kernel::Pad, Attr::Pad { low, high, between }) => {
            let whole = low[p] == 0 && high[p] == 0 && between[p] == 0;
            whole.then_some(State::Aligned(p))
        }
        (Kernel::Concat, Attr::Axis(a)) => (same && *a != p).then_some(State::Aligned(p)),
        (Kernel::Contract, Attr::Contract(c)) => contracted(g, xs, c, &at),
        (Kernel::Cumulate(_) | Kernel::ArgSort, Attr::Axis(a)) => {
            (*a != p).then_some(State::Aligned(p))
        }
        (Kernel::ArgMax, Attr::Axis(a)) if *a != p => aligned(p - usize::from(*a < p)),
        // Operand 0 at indices that are the same for all lanes.
        (Kernel::Gather, Attr::Axis(a)) if at[1].is_none() && *a != p => aligned(p),
        _ => None,
    }
}

/// Products: lanes stay apart along a batch or free axis, and meet in a sum along a contracted one.
fn contracted(g: &mut Graph, xs: &[Value], c: &Contract, at: &[Option<usize>]) -> Option<State> {
    let pairs: Vec<(usize, usize)> = c.batch.clone();
    let batch_of = |side: usize, p: usize| {
        pairs
            .iter()
            .position(|pair| if side == 0 { pair.0 == p } else { pair.1 == p })
    };
    let (side, p) = match (at[0], at[1]) {
        (Some(p), Some(q)) => {
            let both = batch_of(0, p)?;
            return (batch_of(1, q) == Some(both)).then_some(State::Aligned(both));
        }
        (Some(p), None) => (0, p),
        (None, Some(q)) => (1, q),
        (None, None) => return None,
    };
    if let Some(i) = batch_of(side, p) {
        return Some(State::Aligned(i));
    }
    let own = |pair: &(usize, usize)| if side == 0 { pair.0 } else { pair.1 };
    if let Some(i) = c.sum.iter().position(|pair| own(pair) == p) {
        let mut sum = c.sum.clone();
        let lanes = sum.remove(i);
        let mut batch = c.batch.clone();
        batch.insert(0, lanes);
        let of = g.contract(xs[0], xs[1], batch, sum);
        return Some(State::Sum { rest: None, of });
    }
    // Free axes: those of the left operand, then those of the right.
    let bound = |side: usize, a: usize| {
        c.batch
            .iter()
            .chain(&c.sum)
            .any(|pair| if side == 0 { pair.0 == a } else { pair.1 == a })
    };
    let free_before = |side: usize, a: usize| (0..a).filter(|b| !bound(side, *b)).count();
    let left = free_before(0, g.ty(xs[0]).rank());
    Some(State::Aligned(
        c.batch.len() + if side == 0 { 0 } else { left } + free_before(side, p),
    ))
}

fn is_zero(g: &Graph, v: Value) -> bool {
    matches!(g.literal(v), Some(Literal::Real(x)) if x == 0.0)
}

/// A share with the axes of lanes first.
pub fn lanes_first(g: &mut Graph, v: Value, at: &[usize]) -> Value {
    let rank = g.ty(v).rank();
    let perm: Vec<usize> = at
        .iter()
        .copied()
        .chain((0..rank).filter(|a| !at.contains(a)))
        .collect();
    g.transpose(v, perm)
}

/// The transpose of [`lanes_first`].
pub fn lanes_back(g: &mut Graph, v: Value, at: &[usize]) -> Value {
    let rank = g.ty(v).rank();
    let mut perm = vec![0; rank];
    let mut next = at.len();
    for (axis, place) in perm.iter_mut().enumerate() {
        *place = match at.iter().position(|a| *a == axis) {
            Some(i) => i,
            None => {
                next += 1;
                next - 1
            }
        };
    }
    g.transpose(v, perm)
}
