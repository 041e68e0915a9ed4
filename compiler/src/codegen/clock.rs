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
use crate::ops::Linalg;
use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};

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

/// The native kernels of a program that is timed: those of the runtime, with notes on which are called.
pub(super) struct Clocked<'n> {
    pub clock: usize,
    natives: &'n dyn Natives,
    /// Asked for since the present unit began.
    asked: Mutex<Vec<String>>,
    /// By unit.
    called: Mutex<Vec<Vec<String>>>,
}

impl<'n> Clocked<'n> {
    pub fn new(natives: &'n dyn Natives, clock: usize) -> Self {
        Self {
            clock,
            natives,
            asked: Mutex::default(),
            called: Mutex::default(),
        }
    }

    pub fn begin_unit(&self) {
        lock(&self.asked).clear();
    }

    pub fn end_unit(&self) {
        let mut asked = std::mem::take(&mut *lock(&self.asked));
        asked.retain(|name| !name.starts_with("mlc_clock_"));
        asked.sort_unstable();
        asked.dedup();
        lock(&self.called).push(asked);
    }

    /// All units of a graph, by number.
    pub fn facts(self, g: &Graph) -> Vec<UnitFacts> {
        let kind = [self.natives.wide(), self.natives.fuses()];
        let mut called = self
            .called
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        let mut all = Vec::new();
        facts(g, kind, &mut called, &mut all);
        all
    }
}

fn lock<T>(m: &Mutex<T>) -> MutexGuard<'_, T> {
    m.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Natives for Clocked<'_> {
    fn address(&self, name: &str) -> Option<*const u8> {
        lock(&self.asked).push(name.to_string());
        self.natives.address(name)
    }

    fn wide(&self) -> bool {
        self.natives.wide()
    }

    fn fuses(&self) -> bool {
        self.natives.fuses()
    }

    fn linalg_scratch(&self, what: Linalg, m: usize, n: usize, k: usize) -> usize {
        self.natives.linalg_scratch(what, m, n, k)
    }
}

/// Adds the units of a graph, those of the bodies of its loops first. `called`: what each calls. Gives the numbers of its own.
fn facts(
    g: &Graph,
    [wide, fuses]: [bool; 2],
    called: &mut [Vec<String>],
    all: &mut Vec<UnitFacts>,
) -> Range<usize> {
    let plan = plan::plan_as(g, &print::live(g), fuses);
    let mut bodies: Vec<Option<(usize, Range<usize>)>> = Vec::new();
    for unit in &plan.units {
        bodies
            .push(loop_of(g, unit).map(|l| (l.count, facts(&l.body, [wide, fuses], called, all))));
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
            let nest = Nest::new(g, unit, &plan.kept, wide);
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
