//! Chains of units that go along the same rows, block of rows by block of rows: a panel is in the cache from the first of them to the
//! last.
//!
//! before: s = X @ w; r = f(s, y); v = sum over i of r[i] X[i, ..]      X comes from memory twice
//! after: for each stretch of rows, on any thread: for each panel of it: rows of s, of r, and their multiples added to the
//! stretch's own v; then the v of the stretches are added up, from the first to the last
//!
//! Keeps: what each element is computed from, and in which order. Stretches are those in which a product that is computed alone is
//! summed, so this changes no bit of it; reductions in nests are summed by stretches, too.
//!
//! before: H = X @ W + b; Y = f(H); Z = Y @ V; and U' = g(U, X @ Y)
//! after: for each panel of rows: those of X @ W, of H, of Y, of Z; and for each panel of U, those of the product and of U'
//!
//! Of products of two matrices each element is what it is without a chain. The one of which each panel needs all is first put in the
//! order in which it is read, once for all threads. What only links read has no buffer, but a panel in each thread's memory.

use super::plan::Unit;
use crate::ir::Value;

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

/// Bytes of a panel of products of two matrices: what the second-level cache holds besides these.
const MATRICES_PANEL: usize = 1 << 18;

/// Rows of a stretch of products of two matrices, at least: with fewer, tiles are read too often for what they are used.
pub(super) const LEAST_ROWS: usize = 32;

/// What borders of panels are multiples of: vectors of a number a row must end there; or else rows of the highest tile.
pub(super) const GRAIN: usize = ROWS[0];
pub const TILE: usize = 14;

/// Rows of the result below which a right operand with contiguous rows is read where it lies.
pub const PACKED_ROWS: usize = 144;

/// Bytes, at most, of the matrices that the panels of a chain need all of: with its panels they must stay in the second-level cache.
pub(super) const WHOLE: usize = 3 << 18;

/// Multiplications of products of matrices in one stretch, at least.
const MATRICES_WORK: usize = 1 << 20;

/// Rows of a panel of a chain of products of two matrices, of which a row has so many bytes, and how it is divided, if all take so many
/// multiplications. `grain`: what borders are multiples of. `None` if it is too short to be divided.
pub(super) fn of_matrices(
    rows: usize,
    bytes: usize,
    work: usize,
    grain: usize,
) -> Option<(usize, Stretches)> {
    let parts = (work / MATRICES_WORK)
        .min(MAX_STRETCHES)
        .min(rows / LEAST_ROWS);
    if parts < 2 {
        return None;
    }
    let parts = parts - parts % 2;
    let least = if grain == TILE { TILE } else { LEAST_ROWS };
    let most = (MATRICES_PANEL / bytes.max(1)).clamp(least, ROWS[1]);
    let longest = rows.div_ceil(parts).next_multiple_of(grain);
    let panel = longest.div_ceil(longest.div_ceil(most));
    Some((
        panel.next_multiple_of(grain),
        Stretches::Even { parts, grain },
    ))
}

/// How the rows of a chain are divided.
#[derive(Clone, Copy, Debug)]
pub enum Stretches {
    /// Into stretches of so many rows.
    Of(usize),
    /// Into so many, as even as can be where borders are multiples of `grain`.
    Even { parts: usize, grain: usize },
}

/// Bytes of what passes from link to link, at most: it must stay in the second-level cache.
const ROOM: usize = 1 << 19;

/// A value of which there is one panel at a time.
#[derive(Clone, Copy, Debug)]
pub struct Passing {
    pub value: Value,
    /// Where the panel is in a thread's memory, in bytes.
    pub offset: usize,
    /// Bytes of a row.
    pub row: usize,
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
    /// What only links of the chain read, row by row: of it there is one panel, in memory that each thread keeps for this.
    pub passing: Vec<Passing>,
    pub stretches: Stretches,
}

impl Panels {
    /// Bytes of a thread's memory that the panels take.
    pub fn room(&self) -> usize {
        let last = self.passing.last();
        last.map_or(0, |p| p.offset + self.bytes_of_panel(p.row))
    }

    /// Bytes of a panel: vector loops may write behind its end.
    fn bytes_of_panel(&self, row: usize) -> usize {
        (self.panel * row).next_multiple_of(64) + 64
    }

    /// Has a value of so many bytes a row pass, if there is room.
    pub(super) fn pass(&mut self, value: Value, row: usize) {
        let offset = self.room();
        if offset + self.bytes_of_panel(row) <= ROOM {
            self.passing.push(Passing { value, offset, row });
        }
    }

    /// Stretches: parts that any threads may run in any order.
    pub fn parts(&self) -> usize {
        match self.stretches {
            Stretches::Of(rows) => self.rows.div_ceil(rows),
            Stretches::Even { parts, .. } => parts,
        }
    }
}
