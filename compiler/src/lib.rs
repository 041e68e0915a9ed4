//! From the syntax tree to machine code.
//!
//! The layers, each of which may only use those before it (guard: the layer test): `diag`; `ir` and `ops`, the graph and
//! the table of its operations, which know each other; `transform`, graph to graph; `interp`, the reference interpreter;
//! `codegen`, schedule and machine code; `program`, what is handed to the runtime; `stdlib`, the embedded texts; `lower`,
//! syntax tree to programs.

pub mod codegen;
pub mod diag;
pub mod interp;
pub mod ir;
pub mod lower;
pub mod ops;
pub mod program;
pub mod progress;
pub mod stdlib;
pub mod transform;

pub use mlc_grammar::diag::Report;
pub use mlc_grammar::span::{FileId, Span};
pub use mlc_grammar::{decode, format};
