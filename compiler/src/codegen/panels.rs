//! Chains of units that go along the same rows, block of rows by block of rows: a panel is in the first-level cache from the first
//! of them to the last.
//!
//! before: s = X @ w; r = f(s, y); v = sum over i of r[i] X[i, ..]      X comes from memory twice
//! after: for each stretch of rows, on any thread: for each panel of it: rows of s, of r, and their multiples added to the
//! stretch's own v; then the v of the stretches are added up, from the first to the last
//!
//! Keeps: what each element is computed from, and in which order. Stretches are those in which a product that is computed alone is
//! summed, so this changes no bit of it; reductions in nests are summed by stretches, too.
//! Does not: form chains of products of two matrices, which reckon for longer than they wait for memory.

use super::plan::Unit;

/// Numbers of a matrix in one stretch of its rows, about: fewer cost more to hand out than they bring.
const STRETCH: usize = 1 << 15;

/// Stretches at most; and how many are enough, where rows are few and long.
const MAX_STRETCHES: usize = 16;
const MIN_STRETCHES: usize = 8;

/// Rows of a stretch, at least: their multiples are added to one row of sums.
const LEAST: usize = 64;

/// Bytes of a panel: what the first-level cache holds besides the rest.
const PANEL: usize = 1 << 15;

/// Rows of a panel: at least a vector, so that nests end where vectors do.
const ROWS: [usize; 2] = [16, 256];

/// Rows of a panel, if each has so many bytes.
pub(super) fn rows_of_panel(bytes: usize) -> usize {
    let rows = (PANEL / bytes.max(1)).clamp(ROWS[0], ROWS[1]);
    1 << rows.ilog2()
}

/// In stretches of how many rows a product is summed by which `k` rows, of `n` numbers of so many bytes each, become one. `None`
/// if the rows are so few and long that they are divided by columns.
pub fn stretch(k: usize, n: usize, bytes: usize) -> Option<usize> {
    let wanted = (n * k / STRETCH).clamp(1, MAX_STRETCHES);
    let parts = wanted.min(k / LEAST).max(1);
    let rows = k.div_ceil(parts).max(1);
    let enough = parts == wanted || parts >= MIN_STRETCHES;
    enough.then(|| rows.next_multiple_of(rows_of_panel(n * bytes)))
}

/// A chain.
#[derive(Debug)]
pub struct Panels {
    /// Loop nests and products, in their order.
    pub links: Vec<Unit>,
    /// What the links have in common.
    pub rows: usize,
    /// Rows of a panel.
    pub panel: usize,
    /// Rows of a stretch: whole panels.
    pub stretch: usize,
}

impl Panels {
    /// Stretches: parts that any threads may run in any order.
    pub fn parts(&self) -> usize {
        self.rows.div_ceil(self.stretch)
    }
}
