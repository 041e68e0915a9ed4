//! The graph itself: append-only, hash-consed, on a petgraph digraph.

use super::types::{Attr, DType, Literal, Type};
use crate::ops::{self, Kernel, Monoid, OpDef};
use mlc_grammar::span::Span;
use petgraph::graph::{DiGraph, NodeIndex};
use petgraph::visit::EdgeRef;
use rustc_hash::FxHasher;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hash, Hasher};

/// A node of a [`Graph`]. Ids grow in creation order; an operand's id is smaller than its user's.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Value(pub u32);

impl Value {
    fn index(self) -> NodeIndex {
        NodeIndex::new(self.0 as usize)
    }
}

/// Where a node comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Origin {
    /// The source.
    pub span: Span,
    /// The innermost source outside of the library that was being evaluated.
    pub place: Span,
    /// Was it built by a rule of differentiation, for an operation that comes from there?
    pub derived: bool,
}

impl Origin {
    /// What is built for the derivative of what comes from here.
    pub fn derived(self) -> Self {
        Self {
            derived: true,
            ..self
        }
    }
}

/// A primitive operation applied to operands (which are the node's incoming edges).
#[derive(Clone, Debug)]
pub struct Node {
    pub def: &'static OpDef,
    pub attr: Attr,
    pub ty: Type,
    /// Where the node came from; the earliest, when equal nodes were merged.
    pub origin: Origin,
    /// Where false, the node's value is not used, and no derivative may pass through it.
    pub guard: Option<Value>,
    /// Built inside `strict { .. }`: sums and products run in index order, one after another.
    pub strict: bool,
}

impl Node {
    /// Is the node a sum or product of reals that may not be reassociated?
    pub fn in_order(&self) -> bool {
        let folds = matches!(
            self.def.kernel,
            Kernel::Contract | Kernel::Reduce(Monoid::Sum | Monoid::Prod)
        );
        self.strict && folds && self.ty.dtype.is_real()
    }
}

/// What makes a node unique. Operations are compared by name, which the table keeps unique.
struct Key<'k> {
    op: &'static str,
    attr: &'k Attr,
    operands: &'k [Value],
    guard: Option<Value>,
    strict: bool,
}

impl Key<'_> {
    fn hash(&self) -> u64 {
        let mut state = FxHasher::default();
        self.op.hash(&mut state);
        match self.attr {
            // A table is compared in full but hashed by a sample, so that adding one stays cheap.
            Attr::Table(bits, ty) => {
                ty.hash(&mut state);
                bits.iter().take(16).for_each(|b| b.hash(&mut state));
            }
            attr => attr.hash(&mut state),
        }
        self.operands.hash(&mut state);
        self.guard.hash(&mut state);
        self.strict.hash(&mut state);
        state.finish()
    }
}

/// The nodes by the hashes of their keys, which are not kept a second time: a node has what they are compared by. Of those with one
/// hash, each but the first stands at the next number that was free.
#[derive(Clone, Default)]
struct Unique(HashMap<u64, Value, BuildHasherDefault<FxHasher>>);

impl Unique {
    /// The node of which `is` holds, if there is one; and the number at which it stands, or at which it is to be put.
    fn find(&self, hash: u64, is: impl Fn(Value) -> bool) -> (Option<Value>, u64) {
        let mut at = hash;
        while let Some(&v) = self.0.get(&at) {
            if is(v) {
                return (Some(v), at);
            }
            at = at.wrapping_add(1);
        }
        (None, at)
    }
}

/// A named input of a graph.
#[derive(Clone, Debug)]
pub struct Input {
    pub name: String,
    pub value: Value,
}

/// Typed SSA over tensors. See the module's invariants.
#[derive(Clone, Default)]
pub struct Graph {
    // An edge runs from operand to user and carries the operand's position.
    digraph: DiGraph<Node, u32>,
    unique: Unique,
    /// In the order a compiled function takes them.
    pub inputs: Vec<Input>,
    /// In the order a compiled function gives them.
    pub outputs: Vec<(String, Value)>,
    /// Where nodes added from here on come from.
    pub origin: Origin,
    /// The condition under which nodes added from here on are used.
    pub guard: Option<Value>,
    /// Is each draw a node of its own, though another has the same key? So it must be while regions are traced: a draw that stood
    /// before a `for` would not get lanes of its own in it.
    pub own_draws: bool,
    /// Whether nodes added from here on are strict. A rule that builds on behalf of a strict node sets it.
    pub strict: bool,
}

impl Graph {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn len(&self) -> usize {
        self.digraph.node_count()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn node(&self, v: Value) -> &Node {
        &self.digraph[v.index()]
    }

    pub fn ty(&self, v: Value) -> &Type {
        &self.node(v).ty
    }

    /// All nodes, oldest first: a topological order.
    pub fn values(&self) -> impl DoubleEndedIterator<Item = Value> + use<> {
        (0..self.len() as u32).map(Value)
    }

    /// Operands in order.
    pub fn operands(&self, v: Value) -> Vec<Value> {
        let mut edges: Vec<(u32, Value)> = self
            .digraph
            .edges_directed(v.index(), petgraph::Incoming)
            .map(|e| (*e.weight(), Value(e.source().index() as u32)))
            .collect();
        edges.sort_unstable_by_key(|e| e.0);
        edges.into_iter().map(|e| e.1).collect()
    }

    /// Nodes that have `v` as an operand, with repetition when it is so twice. Guards do not count.
    pub fn users(&self, v: Value) -> Vec<Value> {
        self.digraph
            .neighbors(v.index())
            .map(|n| Value(n.index() as u32))
            .collect()
    }

    /// The petgraph digraph, for algorithms and DOT output.
    pub fn digraph(&self) -> &DiGraph<Node, u32> {
        &self.digraph
    }

    /// Is `v` made by the operation `def`?
    pub fn is(&self, v: Value, def: &'static OpDef) -> bool {
        self.node(v).def.name == def.name
    }

    /// The literal in every element of `v`, if it is a `fill`.
    pub fn literal(&self, v: Value) -> Option<Literal> {
        match &self.node(v).attr {
            Attr::Fill(lit, _) => Some(*lit),
            _ => None,
        }
    }

    /// Adds a node, or finds the equal one there is. The operands' types must fit the operation's shape rule.
    ///
    /// # Errors
    /// What the shape rule says of the operands, in words for a user.
    pub fn try_add(
        &mut self,
        def: &'static OpDef,
        attr: Attr,
        operands: &[Value],
    ) -> Result<Value, String> {
        let leaf = ops::is_leaf(def);
        let guard = if leaf { None } else { self.guard };
        let strict = self.strict && !leaf;
        let key = Key {
            op: def.name,
            attr: &attr,
            operands,
            guard,
            strict,
        };
        let own = self.own_draws && matches!(attr, Attr::Draw { .. });
        let (known, place) = self.unique.find(key.hash(), |v| self.has_key(v, &key));
        if let (Some(v), false) = (known, own) {
            return Ok(v);
        }
        let (fits, wanted) = match def.arity {
            ops::Arity::Exactly(n) => (operands.len() == n, n),
            ops::Arity::AtLeast(n) => (operands.len() >= n, n),
        };
        if !fits {
            let have = operands.len();
            return Err(format!(
                "`{}` takes {wanted} operands, not {have}",
                def.name
            ));
        }
        let types: Vec<&Type> = operands.iter().map(|&o| self.ty(o)).collect();
        let ty = (def.shape)(&attr, &types)?;
        let node = Node {
            def,
            attr,
            ty,
            origin: self.origin,
            guard,
            strict,
        };
        let index = self.digraph.add_node(node);
        let v = Value(index.index() as u32);
        for (port, o) in operands.iter().enumerate() {
            self.digraph.add_edge(o.index(), index, port as u32);
        }
        self.unique.0.insert(place, v);
        Ok(v)
    }

    fn has_key(&self, v: Value, key: &Key) -> bool {
        let node = self.node(v);
        let plain = node.def.name == key.op
            && (node.guard, node.strict) == (key.guard, key.strict)
            && node.attr == *key.attr;
        plain && self.operands(v) == key.operands
    }

    /// [`Self::try_add`] where the caller has made sure that the shapes fit.
    pub fn add(&mut self, def: &'static OpDef, attr: Attr, operands: &[Value]) -> Value {
        match self.try_add(def, attr, operands) {
            Ok(v) => v,
            Err(why) => panic!(
                "internal error: `{}` built with wrong shapes: {why}",
                def.name
            ),
        }
    }

    /// Appends a named input.
    pub fn input(&mut self, name: impl Into<String>, ty: Type) -> Value {
        let position = self.inputs.len() as u32;
        let value = self.add(&ops::INPUT, Attr::Input(position, ty), &[]);
        self.inputs.push(Input {
            name: name.into(),
            value,
        });
        value
    }

    /// One literal in every element of a tensor of type `ty`.
    pub fn fill(&mut self, literal: Literal, ty: Type) -> Value {
        self.add(&ops::FILL, Attr::Fill(literal, ty), &[])
    }

    /// A real, int or bool constant of the element type and shape of `like`.
    pub fn constant_like(&mut self, x: f64, like: Value) -> Value {
        let ty = self.ty(like).clone();
        let literal = match ty.dtype {
            DType::F32 | DType::F64 => Literal::Real(x),
            DType::I32 => Literal::Int(x as i64),
            DType::Bool => Literal::Bool(x != 0.0),
        };
        self.fill(literal, ty)
    }

    /// Runs `f` with the guard set to `guard`, for derivative rules that build on behalf of a guarded node.
    pub fn with_guard<R>(&mut self, guard: Option<Value>, f: impl FnOnce(&mut Self) -> R) -> R {
        let old = std::mem::replace(&mut self.guard, guard);
        let result = f(self);
        self.guard = old;
        result
    }
}
