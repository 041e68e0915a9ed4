//! Random bits from a counter-based generator.

use super::rules::{bad_attr, no_cases, sized};
use super::{Ad, Arity, Batch, Kernel, Lane, OpDef};
use crate::ir::{Attr, DType, Graph, Value};

/// 32 random bits in each element: a pure function of (seed, site, counters, index). The counters are the step, or a vector
/// of the step and the iterations of the loops around the site. A third operand, `int[2]`, is added to the site: its low and
/// high half.
pub static RANDOM_BITS: OpDef = OpDef {
    name: "random_bits",
    doc: "Random 32-bit words, a function of seed, site, counters (step, iterations of loops) and index (Philox 4x32-10).",
    arity: Arity::AtLeast(2),
    shape: |attr, types| match (attr, types) {
        (Attr::Draw { shape, .. }, [seed, step, site @ ..])
            if seed.dtype == DType::I32
                && seed.shape == [2]
                && step.dtype == DType::I32
                && step.rank() <= 1
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

/// Lanes draw their own words: the index runs over the new axis too. Seed and step are the same for all lanes.
fn batch(g: &mut Graph, v: Value, lanes: &[Lane], n: usize) -> Value {
    let operands: Vec<Value> = lanes.iter().map(|l| l.value).collect();
    match g.node(v).attr.clone() {
        Attr::Draw { site, shape } => {
            let shape = std::iter::once(n).chain(shape).collect();
            g.add(&RANDOM_BITS, Attr::Draw { site, shape }, &operands)
        }
        _ => v,
    }
}
