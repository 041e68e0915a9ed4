//! What the units of a program cost, by count: operations on numbers, and bytes read and written.
//!
//! Bytes are those of the buffers that a unit reads and writes, each once: the least that must move if nothing is in a cache.

use super::element::native;
use super::plan::{Plan, Unit, access, root};
use crate::ir::{Attr, Graph, Value, print};
use crate::ops::{Kernel, Scalar, Special};
use std::collections::BTreeSet;
use std::ops::AddAssign;

/// Operations and bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Cost {
    /// Additions, multiplications and other operations on one element; of a function such as `exp`, [`NATIVE`].
    pub flops: f64,
    /// Those of matrix products among them.
    pub products: f64,
    pub bytes: f64,
}

/// What a function such as `exp` counts for.
pub const NATIVE: f64 = 10.0;

/// What one random word counts for.
const WORD: f64 = 20.0;

/// What a random word takes, as [`weight`].
pub const WORD_WEIGHT: usize = 16;

/// What an operation on one element takes against an addition: time in a loop over wide vectors, by measurement. Used to decide
/// what is worth dividing among threads.
///
/// `docs/results/costs.py` fits chains of calls, each of which waits for the one before; these are half of that, as what calls
/// take that do not wait for one another.
pub fn weight(f: Scalar) -> usize {
    use Special as S;
    match f {
        Scalar::Div | Scalar::Sqrt | Scalar::Mod => 8,
        Scalar::Special(S::Exp2 | S::Atan | S::Cosh) => 20,
        Scalar::Exp | Scalar::Expm1 | Scalar::Erf => 25,
        Scalar::Special(S::Atan2 | S::Sinh | S::Log2) => 25,
        Scalar::Log
        | Scalar::Log1p
        | Scalar::Sin
        | Scalar::Cos
        | Scalar::Tanh
        | Scalar::Sigmoid => 40,
        Scalar::Special(S::Tan | S::Asin | S::Acos | S::Acosh | S::Atanh) => 40,
        Scalar::Special(S::Erfc | S::Erfcx | S::Ndtr) => 40,
        Scalar::Softplus | Scalar::Erfinv => 50,
        Scalar::Special(S::Asinh | S::Logaddexp) => 50,
        Scalar::Pow | Scalar::Lgamma | Scalar::Digamma | Scalar::Trigamma => 100,
        Scalar::Special(S::LogNdtr | S::Ndtri | S::I0e | S::I1e) => 100,
        Scalar::Special(S::Lbeta) => 150,
        // One element after the other, by series.
        Scalar::Special(S::Gammainc | S::Gammaincc) => 6_000,
        Scalar::Special(S::Betainc) => 12_000,
        Scalar::Special(S::Polygamma) => 15_000,
        f if native(f).is_some() => 500,
        _ => 1,
    }
}

impl AddAssign for Cost {
    fn add_assign(&mut self, o: Self) {
        self.flops += o.flops;
        self.products += o.products;
        self.bytes += o.bytes;
    }
}

impl Cost {
    fn times(self, n: f64) -> Self {
        Self {
            flops: self.flops * n,
            products: self.products * n,
            bytes: self.bytes * n,
        }
    }
}

/// The cost of one run of a graph, whose lanes and sites are gone.
pub fn cost(g: &Graph) -> Cost {
    let plan = super::plan::plan(g, &print::live(g));
    let mut all = Cost::default();
    for unit in &plan.units {
        all += of_unit(g, unit, &plan);
    }
    all
}

/// The cost of one unit.
pub fn of_unit(g: &Graph, unit: &Unit, plan: &Plan) -> Cost {
    if let Attr::Loop(l) = &g.node(unit.nodes[0]).attr {
        return cost(&l.body).times(l.count as f64);
    }
    let mut c = Cost::default();
    for &v in &unit.nodes {
        let (flops, products) = operations(g, v);
        c.flops += flops + products;
        c.products += products;
    }
    c.bytes = bytes(g, unit, plan);
    c
}

/// Operations of a node, and those of them that are of a matrix product.
pub(super) fn operations(g: &Graph, v: Value) -> (f64, f64) {
    let len = g.ty(v).len() as f64;
    let operand = |i: usize| g.ty(g.operands(v)[i]).len() as f64;
    match (g.node(v).def.kernel, &g.node(v).attr) {
        (Kernel::Map(f), _) => (if native(f).is_some() { NATIVE } else { 1.0 } * len, 0.0),
        (Kernel::Contract, Attr::Contract(c)) => {
            let summed = c.summed(&g.ty(g.operands(v)[0]).shape);
            (0.0, 2.0 * len * summed as f64)
        }
        (Kernel::Draw, _) => (WORD * len, 0.0),
        (Kernel::Reduce(_) | Kernel::Cumulate(_) | Kernel::ArgMax | Kernel::ScatterAdd, _) => {
            (operand(0), 0.0)
        }
        (Kernel::ArgSort, _) => (operand(0) * operand(0).max(2.0).log2(), 0.0),
        // A factorisation or solve of matrices of n rows takes about n^3 operations.
        (Kernel::Linalg(_), _) => {
            let shape = &g.ty(g.operands(v)[0]).shape;
            let n = shape.last().copied().unwrap_or(1) as f64;
            (operand(0) * n, 0.0)
        }
        _ => (0.0, 0.0),
    }
}

/// Bytes of the buffers that a unit reads and writes.
fn bytes(g: &Graph, unit: &Unit, plan: &Plan) -> f64 {
    let mut read: BTreeSet<Value> = BTreeSet::new();
    let mut moved = 0;
    let members: BTreeSet<Value> = unit.nodes.iter().copied().collect();
    for &v in &unit.nodes {
        for o in g.operands(v) {
            let source = root(g, access(g, o).source);
            let inside = members.contains(&o) || members.contains(&source);
            if !inside && g.literal(source).is_none() {
                read.insert(source);
            }
        }
        let call = !unit.fused && unit.panels.is_none();
        let mut passing = unit.panels.iter().flat_map(|p| &p.passing);
        let passes = passing.any(|p| p.value == v);
        if (call || plan.kept[v.0 as usize]) && !passes {
            moved += g.ty(v).bytes();
        }
    }
    // Of a table only the rows that are asked for are read.
    let rows_only = matches!(
        g.node(unit.nodes[0]).def.kernel,
        Kernel::Gather | Kernel::View(_)
    );
    for v in read {
        let whole = g.ty(v).bytes();
        moved += if rows_only {
            whole.min(g.ty(unit.nodes[0]).bytes())
        } else {
            whole
        };
    }
    moved as f64
}
