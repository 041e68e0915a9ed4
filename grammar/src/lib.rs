//! The mlc grammar: syntax tree, parser with recovery, and formatter.

pub mod ast;
pub mod diag;
pub mod span;
