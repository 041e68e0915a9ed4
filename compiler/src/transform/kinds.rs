//! Do logarithms of estimates err to one side? Reads a graph and changes nothing.
//!
//! The logarithm w of an estimate errs downward where exp(w) is unbiased for a density, and upward where exp(-w) is for its
//! reciprocal. A sum of terms that err to one side does so, too, and exp of it is unbiased:
//!
//! w1 - w2, exp(w1) for a density and exp(-w2) for a reciprocal   =>   errs downward
//! w1 - w2, both for a density   =>   refused
//!
//! Followed through sums and multiples by known numbers. Other functions are asked what they are given, and no further: f(w)
//! of one side has a bound by Jensen's inequality where f is convex or concave. Loops are not looked into.

use super::affine::above;
use crate::ir::{Attr, Graph, Node, Value};
use crate::ops::{self, Kernel, Scalar};
use mlc_grammar::span::Span;
use std::collections::{BTreeMap, HashMap, HashSet};

/// What is unbiased of a log weight w.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// exp(w), for the density.
    Density,
    /// exp(-w), for its reciprocal.
    Reciprocal,
}

impl Kind {
    /// The attribute of the mark of the log weight with this number.
    pub fn attr(self, number: u32) -> Attr {
        Attr::Id(number * 2 + u32::from(self == Kind::Reciprocal))
    }

    fn of(id: u32) -> Self {
        match id % 2 {
            0 => Kind::Density,
            _ => Kind::Reciprocal,
        }
    }
}

/// A log weight in a sum.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Term {
    pub kind: Kind,
    pub at: Span,
    /// Does it stand there with the sign plus, with minus?
    plus: bool,
    minus: bool,
}

impl Term {
    /// Does it err downward? None if it stands on both sides, as in a difference from a mean.
    fn down(&self) -> Option<bool> {
        match (self.plus, self.minus) {
            (true, false) => Some(self.kind == Kind::Density),
            (false, true) => Some(self.kind == Kind::Reciprocal),
            _ => None,
        }
    }
}

/// The log weights that a sum is made of, by number.
pub type Terms = BTreeMap<u32, Term>;

/// Two log weights that err to different sides, and where they meet.
#[derive(Debug)]
pub struct Clash {
    pub first: Term,
    pub second: Term,
    pub at: Span,
}

/// The log weights that each result is a sum of. `known` are those of estimates, by their numbers.
///
/// # Errors
/// The first two that err to different sides and are added.
pub fn kinds(
    g: &Graph,
    results: &[Value],
    known: &HashMap<u32, Terms>,
) -> Result<Vec<Terms>, Clash> {
    let mut found: HashMap<Value, Terms> = HashMap::new();
    for v in above(g, results, &HashSet::new()) {
        let node = g.node(v);
        let terms = match &node.attr {
            Attr::Id(id) if node.def.name == ops::LOG_ESTIMATE.name => {
                let term = Term {
                    kind: Kind::of(*id),
                    at: node.origin.span,
                    plus: true,
                    minus: false,
                };
                Terms::from([(*id, term)])
            }
            Attr::Id(id) if node.def.name == ops::ESTIMATE.name => {
                known.get(id).cloned().unwrap_or_default()
            }
            _ => through(g, node, &g.operands(v), &found)?,
        };
        if !terms.is_empty() {
            found.insert(v, terms);
        }
    }
    let mut all = Vec::new();
    for r in results {
        let terms = found.remove(r).unwrap_or_default();
        one_side(&terms, g.node(*r).origin.span)?;
        found.insert(*r, terms.clone());
        all.push(terms);
    }
    Ok(all)
}

/// The terms of a node that is made of others.
fn through(
    g: &Graph,
    node: &Node,
    operands: &[Value],
    found: &HashMap<Value, Terms>,
) -> Result<Terms, Clash> {
    let mut all = Terms::new();
    if !operands.iter().any(|o| found.contains_key(o)) || blocks(node) {
        return Ok(all);
    }
    for (i, o) in operands.iter().enumerate() {
        let Some(terms) = found.get(o) else { continue };
        match sign(g, node, operands, i) {
            Some(positive) => add(&mut all, terms, positive),
            None => one_side(terms, node.origin.span)?,
        }
    }
    Ok(all)
}

/// What has no derivative, or is taken for known.
fn blocks(node: &Node) -> bool {
    [&ops::STOP, &ops::TANGENT, &ops::PLUG_IN]
        .iter()
        .any(|d| d.name == node.def.name)
}

/// The sign with which operand `i` is added, if it is: true for plus.
fn sign(g: &Graph, node: &Node, operands: &[Value], i: usize) -> Option<bool> {
    let name = node.def.name;
    if name == ops::NEG.name {
        return Some(false);
    }
    if name == ops::SUB.name {
        return Some(i == 0);
    }
    let positive = |v: Value| match g.literal(v)?.as_f64() {
        x if x > 0.0 => Some(true),
        x if x < 0.0 => Some(false),
        _ => None,
    };
    match ops::linear_in(node.def) {
        ops::LinearIn::All => Some(true),
        ops::LinearIn::Only(list) if list.contains(&i) => match node.def.kernel {
            Kernel::Map(Scalar::Div) => positive(operands[1]),
            Kernel::Map(_) => Some(true),
            _ => None,
        },
        ops::LinearIn::Each => positive(operands[1 - i]),
        _ => None,
    }
}

fn add(all: &mut Terms, terms: &Terms, positive: bool) {
    for (number, t) in terms {
        let (plus, minus) = match positive {
            true => (t.plus, t.minus),
            false => (t.minus, t.plus),
        };
        let sum = all.entry(*number).or_insert(Term {
            plus: false,
            minus: false,
            ..*t
        });
        sum.plus |= plus;
        sum.minus |= minus;
    }
}

fn one_side(terms: &Terms, at: Span) -> Result<(), Clash> {
    let side = |down: bool| terms.values().find(|t| t.down() == Some(down));
    match (side(true), side(false)) {
        (Some(&a), Some(&b)) => {
            let (first, second) = match a.at.start <= b.at.start {
                true => (a, b),
                false => (b, a),
            };
            Err(Clash { first, second, at })
        }
        _ => Ok(()),
    }
}
