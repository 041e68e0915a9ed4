//! From the syntax tree to graphs, by evaluating it at compile time: functions are applied, shapes become numbers, models
//! run under handlers, and what is left, the tensor operations, is traced into a graph.
//!
//! - `for` is a region: its body is traced once for a stand-in lane, then batched. Derivatives inside it are taken before.
//! - `expect` is a region: its sites are nodes, removed last to first by their estimators when the block ends.
//! - Slots are read when needed and written by updates; what was read before stays what it was.

mod access;
mod after;
mod applications;
mod arith;
mod assertions;
mod axes;
mod batches;
mod builtin_docs;
mod builtins;
mod call;
mod control;
mod ctx;
mod derivatives;
mod dists;
mod einsum;
mod estimates;
mod eval;
mod expect;
mod exports;
mod habits;
mod index;
mod items;
mod leaves;
mod limits;
mod made;
mod models;
mod modules;
mod net_states;
mod nets;
mod optimizer_values;
mod optimizers;
mod order;
mod partial;
mod places;
mod provenance;
mod readers;
mod repl;
mod resolve;
mod rules;
mod scan;
mod scope;
mod session;
mod slots;
mod statements;
mod supports;
mod tables;
mod taps;
mod tensors;
mod traced_loop;
mod train;
mod types;
mod updates;
mod value;
mod verdicts;
mod word_docs;

pub(crate) use builtin_docs::DOCS;
pub use expect::SiteExplained;
pub use provenance::{Met, told_range};
pub use repl::{ExprProgram, ReplResult, ValueShape};
pub(crate) use resolve::item_names;
pub use session::{FOLLOWS, Failure, LowerOptions, Session};
pub use updates::GRADIENT;
pub(crate) use word_docs::WORDS;
