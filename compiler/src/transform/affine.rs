//! Are results affine in some nodes, the sources? Reads a graph and changes nothing.
//!
//! 3 * e1 - e2 * x   =>   affine in e1 and e2          log(e1), e1 * e1   =>   not
//!
//! A source has a number; those of one number are not independent of one another (leaves of one `expect`). A product of
//! sources with different numbers is affine in each. The bodies of loops are walked as well: what an iteration itself makes
//! and what earlier ones made are different draws, so their product is affine, too.

use crate::ir::{Attr, Graph, Loop, Node, Value};
use crate::ops;
use mlc_grammar::span::Span;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::rc::Rc;

/// What a node is to the question.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// An operation like any other.
    Plain,
    /// What results should be affine in.
    Source(u32),
    /// What hides the sources that it depends on.
    Cut,
}

/// A use of a source that is not affine.
#[derive(Clone, Debug)]
pub struct Bent {
    pub op: &'static str,
    /// The use.
    pub at: Span,
    /// The source.
    pub source: Span,
    /// A product of two factors that both depend on the source, rather than a function of it.
    pub product: bool,
}

/// A source, and whether an earlier iteration of the loop around made it; where it stands.
type Reached = BTreeMap<(u32, bool), Span>;

/// Sources that a value depends on; most have none.
type Reach = Rc<Reached>;

/// The numbers of the sources that each result depends on. `cuts` are nodes that count as known, whatever they depend on.
///
/// # Errors
/// The first use, in the order in which nodes were made, that is not affine.
pub fn affine(
    g: &Graph,
    results: &[Value],
    cuts: &[Value],
    role: &dyn Fn(&Node) -> Role,
) -> Result<Vec<BTreeSet<u32>>, Bent> {
    let mut walk = Walk {
        role,
        none: Reach::default(),
    };
    let cuts: HashSet<Value> = cuts.iter().copied().collect();
    let reached = walk.graph(g, results, &cuts, &[])?;
    Ok(reached
        .into_iter()
        .map(|r| r.keys().map(|k| k.0).collect())
        .collect())
}

struct Walk<'a> {
    role: &'a dyn Fn(&Node) -> Role,
    none: Reach,
}

impl Walk<'_> {
    /// What results depend on, given what a body's inputs do.
    fn graph(
        &mut self,
        g: &Graph,
        results: &[Value],
        cuts: &HashSet<Value>,
        inputs: &[Reach],
    ) -> Result<Vec<Reach>, Bent> {
        let mut found: HashMap<Value, Reach> = HashMap::new();
        let mut parts: HashMap<Value, Vec<Reach>> = HashMap::new();
        for v in above(g, results, cuts) {
            let node = g.node(v);
            let role = (self.role)(node);
            if role == Role::Cut || cuts.contains(&v) {
                continue;
            }
            let operands = g.operands(v);
            let of = |o: &Value| found.get(o).unwrap_or(&self.none).clone();
            let mut reach = match &node.attr {
                Attr::Input(i, _) => inputs.get(*i as usize).unwrap_or(&self.none).clone(),
                Attr::Loop(l) => {
                    let reaches: Vec<Reach> = operands.iter().map(of).collect();
                    let results = self.over_loop(node, l, &reaches)?;
                    parts.insert(v, results);
                    continue;
                }
                Attr::Call(c) => {
                    let results = operands[c.args..c.args + c.results].iter().map(of);
                    parts.insert(v, results.collect());
                    continue;
                }
                Attr::Part(k, _) => parts[&operands[0]][*k as usize].clone(),
                _ => {
                    let reaches: Vec<Reach> = operands.iter().map(of).collect();
                    through(node, &reaches)?
                }
            };
            if let Role::Source(number) = role {
                Rc::make_mut(&mut reach).insert((number, false), node.origin.span);
            }
            if !reach.is_empty() {
                found.insert(v, reach);
            }
        }
        Ok(results
            .iter()
            .map(|r| found.get(r).unwrap_or(&self.none).clone())
            .collect())
    }

    /// What a loop's parts depend on, given what its operands do.
    fn over_loop(&mut self, node: &Node, l: &Loop, operands: &[Reach]) -> Result<Vec<Reach>, Bent> {
        if let (true, Some(source)) = (l.bounded, operands.first().and_then(|o| first(o))) {
            return Err(bent(node, source));
        }
        let mut inputs = vec![self.none.clone()];
        inputs.extend_from_slice(&operands[l.first()..]);
        // Sources that only this loop's body holds: what an iteration hands on to the next is of an earlier draw.
        let mut own = BTreeSet::new();
        self.sources(&l.body, &mut own);
        for o in operands {
            o.keys().for_each(|k| {
                own.remove(&k.0);
            });
        }
        let wanted: Vec<Value> = l.body.outputs.iter().map(|o| o.1).collect();
        loop {
            let out = self.graph(&l.body, &wanted, &HashSet::new(), &inputs)?;
            let mut grown = false;
            for c in 0..l.carries {
                let carry = Rc::make_mut(&mut inputs[1 + c]);
                for (&(number, past), &span) in out[c].iter() {
                    let key = (number, past || own.contains(&number));
                    grown |= carry.insert(key, span).is_none();
                }
            }
            if grown {
                continue;
            }
            if let (true, Some(source)) = (l.bounded, out.get(l.parts()).and_then(|o| first(o))) {
                return Err(bent(node, source));
            }
            return Ok((0..l.parts())
                .map(|k| {
                    let mut all: Reached = match k < l.carries {
                        true => (*inputs[1 + k]).clone(),
                        false => (*out[k]).clone(),
                    };
                    // Outside, an iteration's draws are all the loop's.
                    for number in &own {
                        if let Some(span) = all.remove(&(*number, true)) {
                            all.insert((*number, false), span);
                        }
                    }
                    Rc::new(all)
                })
                .collect());
        }
    }

    fn sources(&self, g: &Graph, found: &mut BTreeSet<u32>) {
        for v in g.values() {
            let node = g.node(v);
            if let Role::Source(number) = (self.role)(node) {
                found.insert(number);
            }
            if let Attr::Loop(l) = &node.attr {
                self.sources(&l.body, found);
            }
        }
    }
}

/// What results depend on, oldest first; not through cuts.
pub fn above(g: &Graph, results: &[Value], cuts: &HashSet<Value>) -> Vec<Value> {
    let Some(last) = results.iter().max() else {
        return vec![];
    };
    let mut needed = vec![false; last.0 as usize + 1];
    results.iter().for_each(|r| needed[r.0 as usize] = true);
    for i in (0..needed.len()).rev() {
        let v = Value(i as u32);
        if needed[i] && !cuts.contains(&v) {
            for o in g.operands(v) {
                needed[o.0 as usize] = true;
            }
        }
    }
    (0..needed.len())
        .filter(|&i| needed[i])
        .map(|i| Value(i as u32))
        .collect()
}

/// What an operation's result depends on, if it is affine in what its operands depend on.
fn through(node: &Node, operands: &[Reach]) -> Result<Reach, Bent> {
    let mut reached = operands.iter().filter(|o| !o.is_empty());
    let Some(only) = reached.next() else {
        return Ok(Reach::default());
    };
    let linear = ops::linear_in(node.def);
    for (i, o) in operands.iter().enumerate() {
        if let (false, Some(source)) = (linear.holds(i) && node.ty.dtype.is_real(), first(o)) {
            return Err(bent(node, source));
        }
    }
    if matches!(linear, ops::LinearIn::Each) {
        let shared = operands[0]
            .iter()
            .find(|(k, _)| operands[1].contains_key(k));
        if let Some((_, &source)) = shared {
            return Err(Bent {
                product: true,
                ..bent(node, source)
            });
        }
    }
    let mut all = only.clone();
    for more in reached {
        Rc::make_mut(&mut all).extend(more.iter().map(|(&k, &s)| (k, s)));
    }
    Ok(all)
}

fn first(r: &Reached) -> Option<Span> {
    r.values().next().copied()
}

fn bent(node: &Node, source: Span) -> Bent {
    Bent {
        op: node.def.name,
        at: node.origin.span,
        source,
        product: false,
    }
}
