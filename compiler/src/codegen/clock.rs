//! Programs whose units are timed.
//!
//! before: units, one after another. after: the same units, and between them calls of a clock, by its address:
//! - `mlc_clock_start(clock)` where the function of a program, or of a loop's body, begins;
//! - `mlc_clock_loop(clock, n)` before unit `n`, which is a loop: the next starts are those of its iterations;
//! - `mlc_clock_unit(clock, n)` behind unit `n`.
//!
//! So the time between two calls belongs to one unit, and times of units add up to that of the program. The units of a loop's body
//! have numbers before its own. Does not: change what is computed, or the code of programs that are not asked to be timed.

use super::cost::{Cost, of_unit, operations};
use super::emit::loops::loop_of;
use super::nest::Nest;
use super::{Natives, plan};
use crate::ir::{Graph, Origin, Value, print};
use std::cell::RefCell;
use std::ops::Range;

/// What a unit is.
#[derive(Clone, Debug, PartialEq)]
pub enum Form {
    /// A nest of loops over rows and columns, by tiles in phases, by parts on threads.
    Nest {
        rows: usize,
        columns: usize,
        phases: usize,
        parts: usize,
    },
    /// Nests and products that go along so many rows, a panel of them after another, by parts on threads.
    Panels {
        rows: usize,
        panel: usize,
        parts: usize,
    },
    /// Calls of native kernels.
    Call { natives: Vec<String> },
    /// A loop: at most so many iterations, and the numbers of its body's units.
    Loop { count: usize, body: Range<usize> },
}

/// A unit, told from outside.
#[derive(Clone, Debug)]
pub struct UnitFacts {
    pub form: Form,
    /// The names of its operations, oldest first.
    pub operations: Vec<&'static str>,
    /// The types of the first node's operands, and its own.
    pub types: (Vec<String>, String),
    /// Of one run; of a loop, if it makes all iterations.
    pub cost: Cost,
    /// Where its nodes come from, each with its share of the work.
    pub origins: Vec<(Origin, f64)>,
}

/// What is noted of a program that is timed while its code is written.
pub(super) struct Clocked {
    /// The address of the clock.
    pub clock: usize,
    /// By unit: which native kernels it calls.
    called: RefCell<Vec<Vec<String>>>,
}

impl Clocked {
    pub fn new(clock: usize) -> Self {
        Self {
            clock,
            called: RefCell::default(),
        }
    }

    /// A unit is written, and asked for these native kernels.
    pub fn end_unit(&self, mut asked: Vec<String>) {
        asked.retain(|name| !name.starts_with("mlc_clock_"));
        asked.sort_unstable();
        asked.dedup();
        self.called.borrow_mut().push(asked);
    }

    /// All units of a graph, by number.
    pub fn facts(self, g: &Graph, natives: Natives) -> Vec<UnitFacts> {
        let mut called = self.called.into_inner();
        let mut all = Vec::new();
        facts(g, natives, &mut called, &mut all);
        all
    }
}

/// Adds the units of a graph, those of the bodies of its loops first. `called`: what each calls. Gives the numbers of its own.
fn facts(
    g: &Graph,
    natives: Natives,
    called: &mut [Vec<String>],
    all: &mut Vec<UnitFacts>,
) -> Range<usize> {
    let plan = plan::plan_as(g, &print::live(g), natives.fuses);
    let mut bodies: Vec<Option<(usize, Range<usize>)>> = Vec::new();
    for unit in &plan.units {
        bodies.push(loop_of(g, unit).map(|l| (l.count, facts(&l.body, natives, called, all))));
    }
    let first = all.len();
    for (unit, body) in plan.units.iter().zip(bodies) {
        let v = unit.nodes[0];
        let form = if let Some((count, body)) = body {
            Form::Loop { count, body }
        } else if let Some(panels) = &unit.panels {
            Form::Panels {
                rows: panels.rows,
                panel: panels.panel,
                parts: panels.parts(),
            }
        } else if unit.fused {
            let nest = Nest::new(g, unit, &plan.kept, natives.wide);
            Form::Nest {
                rows: nest.rows,
                columns: nest.columns,
                phases: nest.phases,
                parts: nest.parts,
            }
        } else {
            let natives = called.get_mut(all.len()).map(std::mem::take);
            Form::Call {
                natives: natives.unwrap_or_default(),
            }
        };
        let types = g.operands(v).into_iter().map(|o| g.ty(o).to_string());
        all.push(UnitFacts {
            form,
            operations: unit.nodes.iter().map(|n| g.node(*n).def.name).collect(),
            types: (types.collect(), g.ty(v).to_string()),
            cost: of_unit(g, unit, &plan),
            origins: origins(g, &unit.nodes),
        });
    }
    first..all.len()
}

/// Where the nodes of a unit, and those of the body of a loop, come from, with the work of each.
fn origins(g: &Graph, nodes: &[Value]) -> Vec<(Origin, f64)> {
    nodes
        .iter()
        .map(|&n| {
            let (flops, products) = operations(g, n);
            // Moving an element counts, too: a copy has no operations.
            (g.node(n).origin, flops + products + g.ty(n).len() as f64)
        })
        .collect()
}
