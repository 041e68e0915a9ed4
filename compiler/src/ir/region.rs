//! Graphs that a node owns: the body of a loop, and the derivative of a function that states its own.

use super::Graph;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// Something that a node owns, compared by identity: two loops are one node only if they share their body.
#[derive(Debug)]
pub struct Owned<T>(pub Arc<T>);

impl<T> Owned<T> {
    pub fn new(x: T) -> Self {
        Self(Arc::new(x))
    }
}

impl<T> Clone for Owned<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> PartialEq for Owned<T> {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl<T> Eq for Owned<T> {}

impl<T> Hash for Owned<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Arc::as_ptr(&self.0).hash(state);
    }
}

impl<T> std::ops::Deref for Owned<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

/// A sequential loop.
///
/// The node's operands: with `bounded`, whether to begin (one truth value); the carries' first values; the slices' stacks
/// (`count` on the leading axis); what the body captures.
///
/// The body's inputs: the index (int), the carries, the slices, what is captured. Its outputs: the carries' next values,
/// the rows, and with `bounded` whether to go on.
///
/// The node's parts: the carries' last values, then the stacked rows. The last `saved` rows are the carries as an iteration
/// found them: what a reverse derivative starts from. Rows that nothing reads are dropped before code is made.
#[derive(Clone)]
pub struct Loop {
    pub body: Graph,
    pub carries: usize,
    pub slices: usize,
    pub rows: usize,
    /// How many of the rows are carries on entry: 0 or all of them.
    pub saved: usize,
    /// Iterations, or at most so many.
    pub count: usize,
    /// From the last index to the first.
    pub reverse: bool,
    /// Ends when the body says so (`scan .. while`).
    pub bounded: bool,
}

impl Loop {
    /// Position of the first carry among the node's operands.
    pub fn first(&self) -> usize {
        usize::from(self.bounded)
    }

    /// What is captured.
    pub fn captured(&self) -> usize {
        self.body.inputs.len() - 1 - self.carries - self.slices
    }

    /// Parts of the node.
    pub fn parts(&self) -> usize {
        self.carries + self.rows
    }
}

impl std::fmt::Debug for Loop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "Loop({} times, {} carries, {} slices, {} rows)",
            self.count, self.carries, self.slices, self.rows
        )
    }
}

/// The value of a function that states its own derivative.
///
/// The node's operands: the arguments, the results, what the reverse rule captures, what the forward rule captures. Its
/// parts are the results. The reverse rule's inputs: arguments, results, the results' cotangents, what it captures; its
/// outputs: the arguments' cotangents. The forward rule's inputs: arguments, results, the arguments' tangents, captured; its
/// outputs: the results' tangents. Arguments and results are reals.
#[derive(Clone)]
pub struct Call {
    pub name: String,
    pub args: usize,
    pub results: usize,
    pub vjp: Option<Graph>,
    pub jvp: Option<Graph>,
    /// How many operands the reverse rule captures.
    pub vjp_captured: usize,
}

impl std::fmt::Debug for Call {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Call({})", self.name)
    }
}
