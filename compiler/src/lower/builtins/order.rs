//! Order: sorting, ranks, the largest elements.

use super::Entry;

pub const TABLE: &[Entry] = &[];
