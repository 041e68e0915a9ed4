//! Sums of products with named indices.

use super::Entry;

pub const TABLE: &[Entry] = &[];
