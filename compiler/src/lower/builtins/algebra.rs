//! Linear algebra: factorisations and solves.

use super::Entry;

pub const TABLE: &[Entry] = &[];
