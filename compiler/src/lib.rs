//! From the syntax tree to machine code.
//!
//! The layers, each of which may only use those above it in this list (guard: the layer test):
//! `diag`, `ir` and `ops` (the graph and the table of its operations), `transform` (graph to graph), `interp` (the reference
//! interpreter), `codegen` (schedule and machine code), `lower` (syntax tree to graph).

pub mod ir;
pub mod ops;
pub mod program;
