//! How the operands of a contraction lie in memory.

use crate::ir::{Attr, Contract, Graph, Shape, Value};
use crate::ops::Kernel;

/// Row-major strides, in elements.
pub fn strides(shape: &[usize]) -> Vec<i64> {
    let mut out = vec![1; shape.len()];
    for i in (0..shape.len().saturating_sub(1)).rev() {
        out[i] = out[i + 1] * shape[i + 1] as i64;
    }
    out
}

/// Extent and stride of several axes taken as one, if their elements are evenly spaced.
fn merged(shape: &[usize], strides: &[i64], axes: &[usize]) -> Option<(usize, i64)> {
    let long: Vec<usize> = axes.iter().copied().filter(|&a| shape[a] != 1).collect();
    let Some(&last) = long.last() else {
        return Some((1, 1));
    };
    let mut extent = shape[last];
    for pair in long.windows(2).rev() {
        if strides[pair[0]] != strides[pair[1]] * shape[pair[1]] as i64 {
            return None;
        }
        extent *= shape[pair[0]];
    }
    Some((extent, strides[last]))
}

/// One operand of a matrix product: the axes that are batched, free and summed.
pub struct Side {
    pub shape: Shape,
    pub batch: Vec<usize>,
    pub free: Vec<usize>,
    pub sum: Vec<usize>,
}

impl Side {
    fn new(shape: &[usize], batch: Vec<usize>, sum: Vec<usize>) -> Self {
        let free = (0..shape.len())
            .filter(|a| !batch.contains(a) && !sum.contains(a))
            .collect();
        Self {
            shape: shape.to_vec(),
            batch,
            free,
            sum,
        }
    }

    pub fn extent(&self, axes: &[usize]) -> usize {
        axes.iter().map(|&a| self.shape[a]).product()
    }

    /// Strides of the first `split` batched axes, of the others, of the free and of the summed ones, if each is even.
    pub fn strides(&self, split: usize) -> Option<[i64; 4]> {
        let s = strides(&self.shape);
        let one = |axes: &[usize]| merged(&self.shape, &s, axes).map(|m| m.1);
        let (outer, inner) = self.batch.split_at(split);
        Some([one(outer)?, one(inner)?, one(&self.free)?, one(&self.sum)?])
    }

    /// The same once the axes are in order.
    pub fn strides_in_order(&self, split: usize) -> [i64; 4] {
        let (free, sum) = (self.extent(&self.free), self.extent(&self.sum));
        let inner = self.extent(&self.batch[split..]);
        [inner * free * sum, free * sum, sum, 1].map(|n| n as i64)
    }

    /// The axes in the order batch, free, summed.
    pub fn order(&self) -> Vec<usize> {
        self.batch
            .iter()
            .chain(&self.free)
            .chain(&self.sum)
            .copied()
            .collect()
    }
}

pub fn sides(g: &Graph, v: Value) -> Option<[Side; 2]> {
    let Attr::Contract(Contract { batch, sum }) = &g.node(v).attr else {
        return None;
    };
    let o = g.operands(v);
    let left = |p: &[(usize, usize)]| p.iter().map(|x| x.0).collect();
    let right = |p: &[(usize, usize)]| p.iter().map(|x| x.1).collect();
    Some([
        Side::new(&g.ty(o[0]).shape, left(batch), left(sum)),
        Side::new(&g.ty(o[1]).shape, right(batch), right(sum)),
    ])
}

/// How many of the batched axes are best taken as one and the others as another, so that the fewest operands are copied.
pub fn split(both: &[Side; 2]) -> usize {
    let copied = |split: &usize| {
        let uneven = |s: &&Side| s.strides(*split).is_none();
        both.iter().filter(uneven).count()
    };
    (0..=both[0].batch.len()).min_by_key(copied).unwrap_or(0)
}

/// A product of two matrices whose operands need not be put in order: `out[m, n] = x[m, k] @ y[k, n]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Matrices {
    pub x: Value,
    pub y: Value,
    pub m: usize,
    pub n: usize,
    pub k: usize,
    /// From one row to the next and from one column to the next, in numbers: of `x` and of `y`.
    pub strides: [[i64; 2]; 2],
}

impl Matrices {
    /// Whether the rows of `x` follow one another, each contiguous.
    pub fn has_rows(&self) -> bool {
        let [row, column] = self.strides[0];
        column == 1 && row == self.k as i64
    }
}

/// The matrices of a contraction, if it is such a product.
pub fn matrices(g: &Graph, v: Value) -> Option<Matrices> {
    let node = g.node(v);
    if node.def.kernel != Kernel::Contract || node.in_order() || node.ty.is_empty() {
        return None;
    }
    let both = sides(g, v)?;
    if !both[0].batch.is_empty() {
        return None;
    }
    let [x, y] = [&both[0], &both[1]];
    let ([_, _, row, x_column], [_, _, column, y_row]) = (x.strides(0)?, y.strides(0)?);
    let operands = g.operands(v);
    let k = x.extent(&x.sum);
    (k > 0).then_some(Matrices {
        x: operands[0],
        y: operands[1],
        m: x.extent(&x.free),
        n: y.extent(&y.free),
        k,
        strides: [[row, x_column], [y_row, column]],
    })
}
