//! Special functions.

use super::Entry;

pub const TABLE: &[Entry] = &[];
