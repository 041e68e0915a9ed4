//! Pieces of tensors: padding, rolling, repeating, scattering.

use super::Entry;

pub const TABLE: &[Entry] = &[];
