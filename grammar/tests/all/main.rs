//! The tests of the grammar, in one binary.

mod errors;
mod properties;
mod snippets;
mod trees;
