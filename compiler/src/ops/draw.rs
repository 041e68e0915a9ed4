//! Random bits from a counter-based generator.

use super::rules::{bad_attr, no_cases, sized};
use super::{Ad, Arity, Batch, Kernel, Lane, OpDef};
use crate::ir::{Attr, DType, Graph, Value};

/// 32 random bits in each element: a pure function of (seed, site, counters, index). The counters are the step, or a vector
/// of the step and the iterations of the loops around the site, or several such vectors: then, each has a row of words of its own
/// along the first axis. A third operand, `int[2]`, is added to the site: its low and high half.
pub static RANDOM_BITS: OpDef = OpDef {
    name: "random_bits",
    doc: "Random 32-bit words, a function of seed, site, counters (step, iterations of loops) and index (Philox 4x32-10).",
    arity: Arity::AtLeast(2),
    shape: |attr, types| match (attr, types) {
        (Attr::Draw { shape, .. }, [seed, step, site @ ..])
            if seed.dtype == DType::I32
                && seed.shape == [2]
                && step.dtype == DType::I32
                && (step.rank() <= 1
                    || step.rank() == 2 && shape.first() == step.shape.first())
                && site.len() <= 1
                && site.iter().all(|s| s == seed) =>
        {
            sized(DType::I32, shape.clone())
        }
        (other, _) => bad_attr("random_bits", other),
    },
    kernel: Kernel::Draw,
    ad: Ad::Zero,
    batch: Batch::Custom(batch),
    cases: no_cases,
};

/// Lanes draw their own words: the index runs over the new axis too. If counters differ between lanes, a lane's words are those that
/// it has alone. The seed is the same for all.
fn batch(g: &mut Graph, v: Value, lanes: &[Lane], n: usize) -> Value {
    let mut operands: Vec<Value> = lanes.iter().map(|l| l.value).collect();
    if lanes[1].batched {
        let each = g.ty(operands[1]).len() / n;
        operands[1] = g.reshape(operands[1], vec![n, each]);
    }
    match g.node(v).attr.clone() {
        Attr::Draw { site, shape } => {
            let shape = std::iter::once(n).chain(shape).collect();
            g.add(&RANDOM_BITS, Attr::Draw { site, shape }, &operands)
        }
        _ => v,
    }
}
