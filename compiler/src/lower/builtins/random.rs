//! Random draws other than `rand`.

use super::Entry;

pub const TABLE: &[Entry] = &[];
