//! What an expression is worth while lowering: compile-time values, with traced tensors as leaves.

use crate::ir::{DType, Type, Value};
use crate::program::SlotId;
use mlc_grammar::ast;
use mlc_grammar::span::Span;
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

/// A value of the evaluator. Cheap to clone.
#[derive(Clone)]
pub enum Val {
    Unit,
    /// What could not be evaluated, which was told of.
    Failed,
    /// An argument that was left out and has no default (`= none`).
    Missing,
    /// A compile-time number; becomes real where a real is needed.
    Int(i64),
    Real(f64),
    Bool(bool),
    Str(Rc<str>),
    /// A node of the graph being built.
    Tensor(Value),
    /// A tensor kept by the runtime; reading it makes it an input of the graph being built.
    Slot(SlotId),
    /// All entries of a finished stage's log.
    Log(usize, Rc<str>),
    Tuple(Rc<Vec<Val>>),
    List(Rc<Vec<Val>>),
    Record(Rc<Vec<(Rc<str>, Val)>>),
    Range(i64, i64),
    Fn(Rc<Closure>),
    Builtin(&'static str),
    /// A function with some arguments already given by name.
    Partial(Rc<Partial>),
    /// What a type variable stands for: `T(x)` converts to it.
    DType(DType),
    /// `x.method` before its call.
    Method(Rc<(Val, Rc<str>)>),
    DistDef(Rc<Scoped<ast::Dist>>),
    Dist(Rc<DistVal>),
    ModelDef(Rc<ModelDef>),
    Model(Rc<ModelVal>),
    /// `.h.w`: where a site stands in a trace.
    Address(Rc<Vec<Rc<str>>>),
    /// What depends on a site of this address that was summed over, and is no value any more.
    SummedOut(Rc<str>),
    NetDef(Rc<Scoped<ast::NetDef>>),
    /// A net's code with its compile-time arguments: what stands right of `net`.
    NetCtor(Rc<NetCtor>),
    Net(Rc<NetVal>),
    /// `net layer[l] = ..`: members by index.
    NetStack(Rc<Vec<(i64, Val)>>),
    /// `net m[5] = ..` at the top of a file: nets of one form, their parameters stacked on a leading axis.
    Nets(Rc<NetVal>, usize),
    Estimator(Rc<EstimatorVal>),
    Optimizer(Rc<OptimizerVal>),
    /// A step's objective as a function of the parameters, with the step's draws.
    Objective(Rc<Objective>),
    /// The rest of an `expect` after a site.
    Continuation(Rc<Continuation>),
    Source(Rc<BatchSource>),
    Stage(usize),
    /// A stage with arguments, not applied.
    StageDef(usize),
    StageLogs(usize),
    /// Pictures for a report, and how many stand in a row.
    Grid(Rc<(Val, usize)>),
    Module(usize),
}

/// Values by name, in order.
pub type Named = Vec<(Rc<str>, Val)>;

/// A definition with the place it was made in.
pub struct Scoped<T: 'static> {
    pub def: &'static T,
    pub env: Env,
}

/// A function with some of its arguments given, by name.
pub struct Partial {
    pub of: Val,
    pub given: Named,
    /// The call that gave them.
    pub span: Span,
}

/// A user's function.
pub struct Closure {
    pub name: Rc<str>,
    pub code: Code,
    pub env: Env,
}

#[derive(Clone, Copy)]
pub enum Code {
    Fn(&'static ast::Function),
    Lambda(&'static [ast::Pattern], &'static ast::Expr),
}

/// A distribution with its arguments. Each entry of `plates` is a leading axis of every tensor among the arguments.
#[derive(Clone)]
pub struct DistVal {
    pub def: Rc<Scoped<ast::Dist>>,
    pub args: Vec<(Rc<str>, Val)>,
    pub plates: Vec<usize>,
    /// Is a draw one number, as far as the arguments tell?
    pub single: bool,
}

pub struct ModelDef {
    pub name: Rc<str>,
    pub args: &'static [ast::Arg],
    pub body: &'static ast::Block,
    pub env: Env,
}

/// A model applied to arguments, perhaps conditioned.
#[derive(Clone)]
pub struct ModelVal {
    pub code: ModelCode,
    /// Values of sites by name; of models within the model, records of them.
    pub given: Vec<(Rc<str>, Val)>,
    pub span: Span,
    /// Sites that are drawn from something else: a function of the distribution by address, as `exchange` is given it.
    pub exchanged: Vec<(Rc<Vec<Rc<str>>>, Val)>,
    /// Parameters that are sites of it.
    pub lifted: Vec<super::models::Lifted>,
    /// Where it keeps parameters, if it has any.
    pub made: Option<Rc<super::made::Made>>,
}

#[derive(Clone)]
pub enum ModelCode {
    /// A `model` with its arguments bound.
    Block(Rc<ModelDef>, Env),
    Functions(Rc<Generative>),
}

/// A model made of functions: see `generative`.
pub struct Generative {
    /// What it is called in messages.
    pub name: Rc<str>,
    /// `|| (trace, log weight)`
    pub sample: Option<Val>,
    /// `|trace| log weight`
    pub density: Option<Val>,
    /// As `sites(m)` gives them.
    pub sites: Option<Val>,
    /// Are the log densities exact, rather than logarithms of estimates?
    pub exact: bool,
}

pub struct NetCtor {
    pub def: Rc<Scoped<ast::NetDef>>,
    /// Compile-time arguments, bound.
    pub env: Env,
}

/// A net: code, and the path its parameters are kept under.
#[derive(Clone)]
pub struct NetVal {
    pub ctor: Rc<NetCtor>,
    pub path: Rc<str>,
    pub stopped: bool,
    /// `n.with(r)`: parameters in place of the kept ones, by path below this net.
    pub with: Option<Val>,
    /// States in place of the kept ones.
    pub states: Option<Val>,
    /// How many nets share the parameters' leading axis.
    pub stack: Option<usize>,
}

pub struct EstimatorVal {
    pub def: Rc<Scoped<ast::Estimator>>,
    pub args: Vec<(Rc<str>, Val)>,
}

/// An optimizer, or a transformation of the gradient.
#[derive(Clone)]
pub struct OptimizerVal {
    pub def: Rc<Scoped<ast::Optimizer>>,
    pub args: Vec<(Rc<str>, Val)>,
    /// Have the arguments been given?
    pub applied: bool,
    /// What transforms the gradient before, in order: `a |> b |> self`.
    pub before: Vec<Rc<OptimizerVal>>,
    /// The name of the argument of another optimizer that it is.
    pub label: Option<Rc<str>>,
}

/// An objective of a step, to be asked for at other parameters.
pub struct Objective {
    /// To be descended; absent where only first values are asked for.
    pub value: Option<Value>,
    /// The nodes that the parameters are in it.
    pub at: Vec<Value>,
    /// The record of them.
    pub form: Val,
}

/// The part of an `expect` downstream of a site, for an estimator.
pub struct Continuation {
    /// What marks the nodes that stand for it.
    pub id: u32,
    pub site_type: Type,
    /// The form of its value.
    pub result: Val,
    /// By leaf: the type of what depends on the site; none if nothing does.
    pub shares: Vec<Option<Type>>,
}

/// A table with a way to make batches of it.
#[derive(Clone)]
pub struct BatchSource {
    pub table: Val,
    pub shuffle: bool,
    pub batch: Option<usize>,
    /// The size of a batch as an expression that is evaluated between steps, and where.
    pub size: Option<(&'static ast::Expr, Env)>,
    pub drop_last: bool,
}

impl BatchSource {
    /// All rows at once, in order.
    pub fn whole(table: Val) -> Self {
        Self {
            table,
            shuffle: false,
            batch: None,
            size: None,
            drop_last: false,
        }
    }
}

/// Names in scope, innermost first.
#[derive(Clone)]
pub struct Env(pub Rc<Scope>);

pub struct Scope {
    pub vars: RefCell<HashMap<String, Val>>,
    pub parent: Option<Env>,
    /// The module whose top-level names are visible here.
    pub module: usize,
}

impl Env {
    pub fn module(module: usize) -> Self {
        Env(Rc::new(Scope {
            vars: RefCell::default(),
            parent: None,
            module,
        }))
    }

    pub fn child(&self) -> Self {
        Env(Rc::new(Scope {
            vars: RefCell::default(),
            parent: Some(self.clone()),
            module: self.0.module,
        }))
    }

    pub fn bind(&self, name: &str, val: Val) {
        self.0.vars.borrow_mut().insert(name.to_string(), val);
    }

    pub fn get(&self, name: &str) -> Option<Val> {
        let mut env = Some(self);
        while let Some(Env(scope)) = env {
            if let Some(v) = scope.vars.borrow().get(name) {
                return Some(v.clone());
            }
            env = scope.parent.as_ref();
        }
        None
    }

    /// Gives a name a new value in the scope that binds it.
    pub fn assign(&self, name: &str, val: Val) {
        let mut env = Some(self);
        while let Some(Env(scope)) = env {
            if let Some(old) = scope.vars.borrow_mut().get_mut(name) {
                *old = val;
                return;
            }
            env = scope.parent.as_ref();
        }
    }

    /// All names bound here and outwards.
    pub fn names(&self) -> Vec<String> {
        let mut names = Vec::new();
        let mut env = Some(self);
        while let Some(Env(scope)) = env {
            names.extend(scope.vars.borrow().keys().cloned());
            env = scope.parent.as_ref();
        }
        names
    }
}

impl Val {
    pub fn record(fields: Vec<(Rc<str>, Val)>) -> Val {
        Val::Record(Rc::new(fields))
    }

    pub fn tuple(items: Vec<Val>) -> Val {
        Val::Tuple(Rc::new(items))
    }

    pub fn list(items: Vec<Val>) -> Val {
        Val::List(Rc::new(items))
    }

    /// A field of a record.
    pub fn field(&self, name: &str) -> Option<Val> {
        match self {
            Val::Record(fields) => fields
                .iter()
                .find(|(n, _)| &**n == name)
                .map(|(_, v)| v.clone()),
            _ => None,
        }
    }

    /// What a user calls this kind of value.
    pub fn kind(&self) -> &'static str {
        match self {
            Val::Unit => "nothing",
            Val::Failed => "what could not be evaluated",
            Val::Missing => "a missing argument",
            Val::Int(_) => "an integer",
            Val::Real(_) => "a real number",
            Val::Bool(_) => "a truth value",
            Val::Str(_) => "a string",
            Val::Tensor(_) | Val::Slot(_) | Val::Log(..) => "a tensor",
            Val::Tuple(_) => "a tuple",
            Val::List(_) => "a list",
            Val::Record(_) => "a record",
            Val::Range(..) => "a range",
            Val::Fn(_) | Val::Builtin(_) | Val::Partial(_) | Val::Method(_) => "a function",
            Val::DType(_) => "a type",
            Val::DistDef(_) => "a distribution without its arguments",
            Val::Dist(_) => "a distribution",
            Val::ModelDef(_) => "a model without its arguments",
            Val::Model(_) => "a model",
            Val::Address(_) => "an address",
            Val::SummedOut(_) => "a value that was summed over",
            Val::NetDef(_) => "a net definition",
            Val::NetCtor(_) => "a net that is not declared",
            Val::Net(_) => "a net",
            Val::NetStack(_) | Val::Nets(..) => "a stack of nets",
            Val::Estimator(_) => "an estimator",
            Val::Optimizer(o) if o.def.def.transform => "a transformation of the gradient",
            Val::Optimizer(_) => "an optimizer",
            Val::Objective(_) => "an objective",
            Val::Continuation(_) => "a continuation",
            Val::Source(_) => "a source of batches",
            Val::Stage(_) => "a stage",
            Val::StageDef(_) => "a stage without its arguments",
            Val::StageLogs(_) => "a stage's logs",
            Val::Grid(_) => "a grid of pictures",
            Val::Module(_) => "a module",
        }
    }
}

/// The element type a compile-time number has in a graph, given the pipeline's real type.
pub fn static_dtype(val: &Val, real: DType) -> Option<DType> {
    match val {
        Val::Int(_) => Some(DType::I32),
        Val::Real(_) => Some(real),
        Val::Bool(_) => Some(DType::Bool),
        _ => None,
    }
}
