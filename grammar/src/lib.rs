//! The mlc grammar: syntax tree, parser with recovery, and formatter.
//!
//! A text goes through three steps. `newline` blanks comments and writes `;` where a newline ends a statement, byte for
//! byte; `mlc.pest` says what a statement is; `build` makes the tree of [`ast`]. Brackets are checked before anything
//! recursive looks at the text, and a piece that does not parse becomes a hole and a [`diag::Report`], so that one run
//! shows several mistakes.
//!
//! Does not: resolve names, know types, read files, or print to a terminal.

pub mod ast;
mod build;
pub mod diag;
mod doc;
mod format;
mod habits;
mod newline;
pub mod packed;
mod parse;
pub mod span;

pub use format::format;
pub use newline::{Token, TokenKind, is_complete, tokens};
pub use parse::{ReplEntry, decode, deep_stack, parse, parse_expr, parse_repl};
