//! The dataflow graph: typed SSA over tensors.
//!
//! Invariants (guard: `verify::verify`):
//! - An operand is older than its user: operand ids are smaller, so id order is a topological order.
//! - A node's type is what its operation's shape rule gives for its operands' types.
//! - A guard is a boolean tensor. A rule that builds on behalf of a guarded node passes its guard on.
//! - A rule that builds on behalf of a strict node builds strict nodes.
//! - Nothing has effects: equal operation, attribute, operands, guard and strictness mean the same value, so nodes are
//!   unique (hash-consed), but for loops, which are equal only if they share their body. Random numbers are a function of
//!   their key; bindings carry a number of their own.

pub mod fingerprint;
pub mod graph;
pub mod print;
pub mod region;
pub mod types;
pub mod verify;

pub use graph::{Graph, Node, Origin, Value};
pub use region::{Call, Loop, Owned};
pub use types::{Attr, Contract, DType, Literal, Shape, Type};
