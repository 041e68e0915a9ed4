//! The syntax tree, as the text says it: nothing is resolved, nothing has a type.
//!
//! Invariant: every node's span lies inside its parent's. `PartialEq` on spans is by position, so
//! trees are compared after [`crate::strip`] sets all spans to zero.

use crate::span::Span;
use serde::{Deserialize, Serialize};

/// A name where it stands.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Name {
    pub text: String,
    pub span: Span,
}

/// A whole file.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct File {
    pub items: Vec<Item>,
}

/// A definition, or a stage or a test.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Item {
    pub kind: ItemKind,
    pub span: Span,
    /// The text of the `///` lines directly above, without the slashes, lines joined by `\n`.
    pub doc: Option<String>,
}

impl Item {
    /// The names that it defines.
    pub fn names(&self) -> Vec<&str> {
        fn one(n: &Name) -> Vec<&str> {
            vec![&n.text]
        }
        match &self.kind {
            ItemKind::Data { name, .. } => one(name),
            ItemKind::Def(Def::Let { pattern, .. }) => {
                let mut names = Vec::new();
                pattern.names(&mut names);
                names
            }
            ItemKind::Def(Def::Fn(f)) => one(&f.name),
            ItemKind::Def(Def::Model(m)) => one(&m.name),
            ItemKind::Def(
                Def::NetUse { name, .. } | Def::Param { name, .. } | Def::State { name, .. },
            ) => one(name),
            ItemKind::Def(Def::Net(n)) => one(&n.name),
            ItemKind::Dist(d) => one(&d.name),
            ItemKind::Estimator(e) => one(&e.name),
            ItemKind::Optimizer(o) => one(&o.name),
            ItemKind::Stage(s) => one(&s.name),
            _ => Vec::new(),
        }
    }
}

impl Pattern {
    /// Adds the names that it binds.
    fn names<'p>(&'p self, names: &mut Vec<&'p str>) {
        match &self.kind {
            PatternKind::Name(name) => names.push(name),
            PatternKind::Wild => {}
            PatternKind::Tuple(parts) => parts.iter().for_each(|p| p.names(names)),
            PatternKind::Record(parts) => parts.iter().for_each(|p| p.1.names(names)),
        }
    }
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum ItemKind {
    /// `use std.dist.{normal, bernoulli}`, `use std.nn.mlp`, `use std.dist as d`
    Use(Use),
    /// `precision f64`
    Precision(Name),
    /// `data digits = idx("file")`
    Data {
        name: Name,
        value: Expr,
    },
    /// Also `param`, `net`, `state`, `fn`, `model`, ...: everything that may also stand in a block.
    Def(Def),
    Dist(Dist),
    Estimator(Estimator),
    Optimizer(Optimizer),
    Stage(Stage),
    /// `test "name" { ... }`
    Test {
        name: String,
        name_span: Span,
        body: Block,
    },
    /// What could not be parsed; an error was reported for it.
    Hole,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Use {
    /// `std`, `dist`, ... up to the braces or the last name.
    pub path: Vec<Name>,
    /// Names in braces; empty when the last name of the path is what is used.
    pub names: Vec<Name>,
    /// `as d`
    pub alias: Option<Name>,
}

/// Definitions that stand at the top of a file or in a block.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum Def {
    /// `let pattern = e`, `let x: real[n] = e`
    Let {
        pattern: Pattern,
        ty: Option<TypeExpr>,
        value: Expr,
    },
    /// `fn f(x, y: real[n] = 0.0) -> real[n] = e`, or `{ block }`, `with vjp(dy) { .. }`
    Fn(Function),
    /// `model p(args) { .. }`, or `model g = auto.full_rank(m)`
    Model(Model),
    /// `net encode = mlp([784, 10])`, `net m[5] = ..`, `net layer[l] = ..`
    NetUse {
        name: Name,
        index: Option<Expr>,
        value: Expr,
    },
    /// `net mlp(sizes, act = relu)(x: real[sizes[0]]) { .. }`
    Net(NetDef),
    /// `param w: real[3, 4] = e`, `param s in positive = 0.1`, `param layer[l] = e`
    Param {
        name: Name,
        index: Option<Expr>,
        ty: Option<TypeExpr>,
        support: Option<Expr>,
        value: Expr,
    },
    /// `state m = e`
    State {
        name: Name,
        ty: Option<TypeExpr>,
        value: Expr,
    },
}

/// One formal argument: `x`, `x: real[n]`, `x = 1.0`, `x: real[n] in positive = 1.0`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Arg {
    pub name: Name,
    pub ty: Option<TypeExpr>,
    /// `in positive`
    pub support: Option<Expr>,
    pub default: Option<Expr>,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Function {
    pub name: Name,
    pub args: Vec<Arg>,
    pub result: Option<TypeExpr>,
    pub body: Body,
    /// `with vjp(dy) { .. }`, `with jvp(dx) { .. }`
    pub rules: Vec<DerivativeRule>,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct DerivativeRule {
    /// `vjp` or `jvp`
    pub kind: Name,
    pub args: Vec<Name>,
    pub body: Block,
}

/// `= e` or `{ .. }`
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum Body {
    Expr(Expr),
    Block(Block),
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Model {
    pub name: Name,
    pub kind: ModelKind,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum ModelKind {
    /// `model p(args) -> T { .. }`
    Block {
        args: Vec<Arg>,
        result: Option<TypeExpr>,
        body: Block,
    },
    /// `model g = e`
    Value(Expr),
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct NetDef {
    pub name: Name,
    /// Compile-time arguments.
    pub statics: Vec<Arg>,
    /// Run-time arguments.
    pub args: Vec<Arg>,
    pub result: Option<TypeExpr>,
    pub body: Body,
}

/// `dist normal(mu, sigma in positive) on real { members }`
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Dist {
    pub name: Name,
    pub args: Vec<Arg>,
    pub support: Expr,
    pub members: Vec<Member>,
}

/// `logpdf(x) = e`, `sample() { .. }`, `cdf(x) where has(base, cdf) = e`
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Member {
    pub name: Name,
    pub args: Vec<Arg>,
    /// `where` conditions: a member is there only if all hold.
    pub conditions: Vec<Expr>,
    pub body: Body,
    pub doc: Option<String>,
    pub span: Span,
}

/// `biased estimator st(d, k, t = 1.0) where smooth(k), order 1 { .. }`
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Estimator {
    pub name: Name,
    pub biased: bool,
    pub args: Vec<Arg>,
    /// `where` conditions, in order: `smooth(k)`, `finite(d)`.
    pub conditions: Vec<Expr>,
    /// `order e`
    pub order: Option<Expr>,
    pub body: Block,
}

/// `optimizer adam(lr: schedule = 1e-3) for p, g { .. }`, `for all p, g, f { .. }`, `transform clip(norm) for all p, g { .. }`
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Optimizer {
    /// Does the body give a new gradient, and not a new parameter?
    pub transform: bool,
    pub name: Name,
    pub args: Vec<Arg>,
    /// `for all`: the body runs once on the whole record, not on each leaf.
    pub all: bool,
    /// `p`, `g` and, if given, `f`.
    pub binders: Vec<Name>,
    pub body: Block,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Stage {
    pub name: Name,
    /// `stage fit(lr) = ..`
    pub args: Vec<Arg>,
    pub kind: StageKind,
    /// `after a, fit(1e-2)`
    pub after: Vec<Expr>,
    pub body: Block,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum StageKind {
    /// `train b in source for 10 epochs`; both parts before `for` may be absent.
    Train {
        pattern: Option<Pattern>,
        source: Option<Expr>,
        count: Expr,
        unit: Unit,
    },
    Report,
    Compute,
}

/// What a training loop counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Unit {
    Steps,
    Epochs,
    Rows,
}

/// `{ statements }`. The value is that of the last statement, if it has one.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Block {
    pub stmts: Vec<Stmt>,
    pub span: Span,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Stmt {
    pub kind: StmtKind,
    pub span: Span,
    pub doc: Option<String>,
}

/// What a `snapshot` keeps.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum Snapshot {
    /// `snapshot e`, `snapshot e, tol: 1e-3`
    Values { value: Expr, tol: Option<Expr> },
    /// `snapshot graph e`
    Graph(Expr),
    /// `snapshot diagnostics { .. }`
    Diagnostics(Block),
}

impl Snapshot {
    /// Its expressions, those of a block of mistakes left out.
    pub fn exprs(&self) -> impl Iterator<Item = &Expr> {
        let (value, tol) = match self {
            Self::Values { value, tol } => (Some(value), tol.as_ref()),
            Self::Graph(e) => (Some(e), None),
            Self::Diagnostics(_) => (None, None),
        };
        value.into_iter().chain(tol)
    }
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum StmtKind {
    Def(Def),
    Expr(Expr),
    /// `z ~ d via e`; the name may be a path with indices only in later forms.
    Site {
        name: Name,
        dist: Expr,
        via: Option<Via>,
    },
    /// `next h = e`, `next (a, b) = e`
    Next {
        pattern: Pattern,
        value: Expr,
    },
    /// `yield e`
    Yield(Expr),
    /// `tap n = e`
    Tap {
        name: Name,
        value: Expr,
    },
    /// `factor e`
    Factor(Expr),
    /// `set s = e`, `set m[i] = e`, `set s.x = e`
    Set {
        target: Expr,
        value: Expr,
    },
    /// `update A by g using opt`
    Update {
        over: Vec<Over>,
        by: Expr,
        using: Option<Expr>,
    },
    /// `minimize e over A, B except A.x using opt`; `over a using o1, b using o2`
    Optimize {
        maximize: bool,
        value: Expr,
        over: Vec<Over>,
        using: Option<Expr>,
    },
    /// `every 100 steps { .. }`
    Every {
        count: Expr,
        unit: Unit,
        body: Block,
    },
    /// `log loss`, `log a = e, b = f`
    Log(Vec<(Option<Name>, Expr)>),
    /// `assert e`
    Assert(Expr),
    /// `snapshot e` and its kin
    Snapshot(Snapshot),
    /// `verdict e`
    Verdict(Expr),
    /// `stop when e`
    StopWhen(Expr),
    /// `keep lowest e`, `keep highest e`
    Keep {
        lowest: bool,
        value: Expr,
    },
    /// `skip nan`, `skip nan, max: n`
    SkipNan(Option<Expr>),
    /// A report's or `every` block's output, or a `compute` stage's: `export e, to: "f.csv"`, `image e`, `plot e, title: "loss"`, `table e`, `text e`, `checkpoint`
    Output {
        kind: Name,
        args: Vec<CallArg>,
    },
    /// What could not be parsed; an error was reported for it.
    Hole,
}

/// `via e`, `via biased e`
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Via {
    pub biased: bool,
    pub value: Expr,
}

/// One target of `over`: `encode.layer[0] except .., using o1`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Over {
    pub target: Expr,
    pub except: Vec<Expr>,
    /// Only in grouped form: `over a using o1, b using o2`.
    pub using: Option<Expr>,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Pattern {
    pub kind: PatternKind,
    pub span: Span,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum PatternKind {
    Name(String),
    /// `_`
    Wild,
    /// `(a, b)`
    Tuple(Vec<Pattern>),
    /// `{a, b: c}`
    Record(Vec<(Name, Pattern)>),
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Expr {
    pub kind: ExprKind,
    pub span: Span,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum ExprKind {
    Int(i64),
    Real(f64),
    Bool(bool),
    Str(String),
    Name(String),
    /// `(a, b)`, `()`; `(a)` is `a` itself wrapped in [`ExprKind::Paren`].
    Tuple(Vec<Expr>),
    /// Kept so that formatting keeps the parentheses a user wrote.
    Paren(Box<Expr>),
    /// `[a, b]`
    List(Vec<Expr>),
    /// `{x, a: e, ..r}` in order.
    Record(Vec<RecordPart>),
    Unary(UnaryOp, Box<Expr>),
    Binary(BinaryOp, Box<Expr>, Box<Expr>),
    /// `a..b`
    Range(Box<Expr>, Box<Expr>),
    /// `f(a, name: b)`
    Call(Box<Expr>, Vec<CallArg>),
    /// `x[i, a..b, .., a..b:2]`
    Index(Box<Expr>, Vec<IndexArg>),
    /// `r.x`
    Field(Box<Expr>, Name),
    /// `t.{a, b}`
    Project(Box<Expr>, Vec<Name>),
    /// `t.except{a, b}`
    Except(Box<Expr>, Vec<Name>),
    /// `|x, y| e`
    Lambda(Vec<Pattern>, Box<Expr>),
    /// `if c { a } else { b }`; the last arm may be missing only for compile-time effects.
    If(Box<Expr>, Block, Option<Box<Else>>),
    For(Box<For>),
    Scan(Box<Scan>),
    /// `expect { .. }`
    Expect(Block),
    /// `strict { .. }`
    Strict(Block),
    /// `m given {x: v}`
    Given(Box<Expr>, Box<Expr>),
    /// `with_key(c) e`
    WithKey(Box<Expr>, Box<Expr>),
    /// `.z`, `.h.w`
    Address(Vec<Name>),
    /// What could not be parsed; an error was reported for it.
    Hole,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum Else {
    Block(Block),
    /// `else if ..`: always [`ExprKind::If`].
    If(Expr),
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum RecordPart {
    /// `{x}`
    Pun(Name),
    /// `{a: e}`
    Field(Name, Expr),
    /// `{..r}`
    Spread(Expr),
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct CallArg {
    pub name: Option<Name>,
    pub value: Expr,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum IndexArg {
    At(Expr),
    /// `a..b`, `a..`, `..b`, `..`, each with an optional `: step`
    Slice {
        start: Option<Expr>,
        stop: Option<Expr>,
        step: Option<Expr>,
        span: Span,
    },
}

/// `for x in xs, y in ys, of: n { body }`
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct For {
    pub generators: Vec<(Pattern, Expr)>,
    pub options: Vec<(Name, Expr)>,
    pub body: Block,
}

/// `scan (c = init, ..) for x in xs, checkpoint: 8 { .. }`, `scan (c = ..) while cond, max: n { .. }`
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Scan {
    pub carries: Vec<(Pattern, Expr)>,
    pub kind: ScanKind,
    pub options: Vec<(Name, Expr)>,
    pub body: Block,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum ScanKind {
    For(Vec<(Pattern, Expr)>),
    While(Expr),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum UnaryOp {
    Neg,
    Not,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum BinaryOp {
    Add,
    Sub,
    Mul,
    Div,
    /// `@`
    MatMul,
    /// `^`, right associative, above unary minus
    Pow,
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
    And,
    Or,
    /// `|>`
    Pipe,
}

/// `real[n, d]`, `int`, `{x: real[n]}`, `(real, int)`, `schedule`
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct TypeExpr {
    pub kind: TypeKind,
    pub span: Span,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum TypeKind {
    /// A name, with dimensions if it is a tensor: `real[n, 2 * d]`.
    Named(Name, Vec<Expr>),
    Tuple(Vec<TypeExpr>),
    Record(Vec<(Name, TypeExpr)>),
}
