//! Optimizers and transformations of gradients: how their bodies run, and where their states live.
//!
//! An optimizer that moves parameters in a step keeps its states in slots, whose first values a program of the stage computes when
//! the stage starts. `o.start(p)` and `o.step(p, g, s)` keep them in a record instead, which the user carries along.

use super::call::Given;
use super::session::{R, Session, rc};
use super::value::{Env, Named, Objective, OptimizerVal, Val};
use crate::ir::{DType, Literal, Type};
use crate::program::SlotKind;
use mlc_grammar::ast;
use mlc_grammar::span::Span;
use std::rc::Rc;

/// An optimizer that is running.
pub struct OptimizerRun {
    /// The optimizers that run, outermost first.
    names: Vec<String>,
    /// The leaf of the parameters that they run on; empty for those that take all at once.
    leaf: Vec<Rc<str>>,
    /// The parameters as the stage starts, of the form of those that the innermost runs on: what first values see.
    first: Val,
    home: Home,
    step: Val,
    /// Tells apart what two statements of a stage do to one parameter; ends the names of the outermost optimizers.
    suffix: String,
    /// What the innermost body calls its parameters.
    binder: String,
    /// The states of the innermost body: name in the body, and where it is kept.
    declared: Vec<(String, String)>,
}

/// Where states are kept.
enum Home {
    /// In slots whose names begin with the stage's.
    Slots(String),
    /// In a record; with `true`, states that are not there yet get their first values.
    Record(Val, bool),
}

impl Session {
    /// The arguments of an optimizer: an optimizer that can run.
    pub(super) fn apply_optimizer(
        &mut self,
        o: &Rc<OptimizerVal>,
        args: Vec<Given>,
        span: Span,
    ) -> R<Val> {
        if o.applied {
            return self.call_inner(o, args, span);
        }
        let inner = o.def.env.child();
        let def = o.def.def;
        self.bind_args(&def.name.text, &def.args, args, &inner, span)?;
        let mut bound: Named = Vec::new();
        for a in &def.args {
            let v = match inner.get(&a.name.text).unwrap_or(Val::Missing) {
                Val::Optimizer(inner) => {
                    let inner = self.with_arguments(&inner, span)?;
                    let label = Some(rc(&a.name.text));
                    Val::Optimizer(Rc::new(OptimizerVal {
                        label,
                        ..(*inner).clone()
                    }))
                }
                v => v,
            };
            bound.push((rc(&a.name.text), v));
        }
        Ok(Val::Optimizer(Rc::new(OptimizerVal {
            args: bound,
            applied: true,
            ..(**o).clone()
        })))
    }

    /// The optimizer itself, or with the defaults of its arguments if none were given.
    pub(super) fn with_arguments(
        &mut self,
        o: &Rc<OptimizerVal>,
        span: Span,
    ) -> R<Rc<OptimizerVal>> {
        if o.applied {
            return Ok(o.clone());
        }
        match self.apply_optimizer(o, vec![], span)? {
            Val::Optimizer(o) => Ok(o),
            _ => Ok(o.clone()),
        }
    }

    /// `a |> b`: the gradient that `a` gives is what `b` takes.
    pub(super) fn chain_optimizers(&mut self, a: &Val, b: &Val, span: Span) -> R<Val> {
        let (Val::Optimizer(a), Val::Optimizer(b)) = (a, b) else {
            let (other, kind) = if matches!(a, Val::Optimizer(_)) {
                (b, a)
            } else {
                (a, b)
            };
            let title = format!("{} and {} make no chain", kind.kind(), other.kind());
            return Err(Box::new(self.err("E0641", title, span).hint(
                "a chain is made of transformations of the gradient and ends in an optimizer: `clip_norm(1.0) |> sgd(lr: 0.1)`",
            )));
        };
        let (a, b) = (self.with_arguments(a, span)?, self.with_arguments(b, span)?);
        if !a.def.def.transform {
            let title = format!(
                "`{}` moves the parameters, so nothing can follow it in a chain",
                a.def.def.name.text
            );
            return Err(Box::new(self.err("E0641", title, span).hint(
                "put the transformations of the gradient first, the optimizer last",
            )));
        }
        let mut before = a.before.clone();
        before.push(Rc::new(OptimizerVal {
            before: vec![],
            ..(*a).clone()
        }));
        before.extend(b.before.iter().cloned());
        Ok(Val::Optimizer(Rc::new(OptimizerVal {
            before,
            ..(*b).clone()
        })))
    }

    /// Moves parameters that live in slots: `p` holds their values, `first` the slots, of one form.
    pub(super) fn run_in_step(
        &mut self,
        o: &Rc<OptimizerVal>,
        (stage, suffix): (&str, &str),
        (p, first): (&Val, &Val),
        g: &Val,
        objective: Option<Objective>,
        span: Span,
    ) -> R<Val> {
        let step = Val::Tensor(self.ctx.step_counter(true));
        let run = OptimizerRun {
            names: vec![],
            leaf: vec![],
            first: first.clone(),
            home: Home::Slots(stage.to_string()),
            step,
            suffix: suffix.to_string(),
            binder: String::new(),
            declared: vec![],
        };
        let f = objective.map(|o| Val::Objective(Rc::new(o)));
        let outer = self.optimizer.replace(run);
        let result = self.run_chain(o, p, g, f.as_ref(), span);
        self.optimizer = outer;
        result
    }

    /// `inner(p, g)` in the body of another optimizer.
    fn call_inner(&mut self, o: &Rc<OptimizerVal>, args: Vec<Given>, span: Span) -> R<Val> {
        let name = &o.def.def.name.text;
        let (p, g, f) = match args.as_slice() {
            [(None, p), (None, g)] => (p.clone(), g.clone(), None),
            [(None, p), (None, g), (None, f)] => (p.clone(), g.clone(), Some(f.clone())),
            _ => {
                let title = format!(
                    "`{name}` has its arguments; what is called now takes parameters and a gradient"
                );
                return Err(Box::new(
                    self.err("E0201", title, span).hint("write `inner(p, g)`"),
                ));
            }
        };
        if self.optimizer.is_none() {
            let title = format!(
                "`{name}(p, g)` is called outside an optimizer, where it has no place for its states"
            );
            return Err(Box::new(
                self.err("E0642", title, span)
                    .hint("make the states with `let s = o.start(p)`, and write `let (p, s) = o.step(p, g, s)`"),
            ));
        }
        let fits = self
            .optimizer
            .as_ref()
            .is_some_and(|run| same_form(&run.first, &p));
        if !fits || !same_form(&p, &g) {
            return Err(self.forms_differ(name, span));
        }
        self.run_chain(o, &p, &g, f.as_ref(), span)
    }

    /// The transformations before, then the optimizer itself.
    fn run_chain(
        &mut self,
        o: &Rc<OptimizerVal>,
        p: &Val,
        g: &Val,
        f: Option<&Val>,
        span: Span,
    ) -> R<Val> {
        let o = self.with_arguments(o, span)?;
        let mut g = g.clone();
        let mut names: Vec<String> = Vec::new();
        let links: Vec<Rc<OptimizerVal>> = o.before.iter().chain([&o]).cloned().collect();
        for (i, link) in links.into_iter().enumerate() {
            let link = self.with_arguments(&link, span)?;
            let base = link.def.def.name.text.clone();
            let nth = names.iter().filter(|n| **n == base).count();
            names.push(base.clone());
            let mut name = if nth == 0 {
                base
            } else {
                format!("{base}{}", nth + 1)
            };
            if let Some(label) = &o.label {
                name = format!("{label}.{name}");
            }
            if let Some(run) = &self.optimizer
                && run.names.is_empty()
            {
                name += &run.suffix;
            }
            let last = i == o.before.len();
            let result = self.run_rule(&link, &name, p, &g, f, span)?;
            if last {
                return Ok(result);
            }
            g = result;
        }
        Ok(g)
    }

    fn run_rule(
        &mut self,
        o: &Rc<OptimizerVal>,
        name: &str,
        p: &Val,
        g: &Val,
        f: Option<&Val>,
        span: Span,
    ) -> R<Val> {
        if let (false, Val::Record(fields)) = (o.def.def.all, p) {
            let mut out = Vec::new();
            for (n, v) in fields.iter() {
                let part = self.one_leaf(
                    n,
                    &|s| (v.clone(), g.field(n), s.field(n)),
                    o,
                    name,
                    f,
                    span,
                )?;
                out.push((n.clone(), part));
            }
            return Ok(Val::record(out));
        }
        if let (false, Val::Tuple(items)) = (o.def.def.all, p) {
            let item = |v: &Val, i: usize| match v {
                Val::Tuple(x) => x.get(i).cloned(),
                _ => None,
            };
            let mut out = Vec::new();
            for (i, v) in items.iter().enumerate() {
                let n = rc(&i.to_string());
                out.push(self.one_leaf(
                    &n,
                    &|s| (v.clone(), item(g, i), item(s, i)),
                    o,
                    name,
                    f,
                    span,
                )?);
            }
            return Ok(Val::tuple(out));
        }
        self.run_body(o, name, p, g, f, span)
    }

    #[allow(
        clippy::type_complexity,
        reason = "the parts of the parameter, the gradient and the first value"
    )]
    fn one_leaf(
        &mut self,
        field: &Rc<str>,
        parts: &dyn Fn(&Val) -> (Val, Option<Val>, Option<Val>),
        o: &Rc<OptimizerVal>,
        name: &str,
        f: Option<&Val>,
        span: Span,
    ) -> R<Val> {
        let Some(run) = &mut self.optimizer else {
            return Ok(Val::Unit);
        };
        let (p, g, first) = parts(&run.first);
        let (Some(g), Some(first)) = (g, first) else {
            return Err(self.forms_differ(name, span));
        };
        let Some(run) = &mut self.optimizer else {
            return Ok(Val::Unit);
        };
        let whole = std::mem::replace(&mut run.first, first);
        run.leaf.push(field.clone());
        let result = self.run_rule(o, name, &p, &g, f, span);
        if let Some(run) = &mut self.optimizer {
            run.leaf.pop();
            run.first = whole;
        }
        result
    }

    fn forms_differ(&self, name: &str, span: Span) -> Box<mlc_grammar::diag::Report> {
        let title = format!("`{name}` is given parameters and a gradient of different forms");
        Box::new(
            self.err("E0305", title, span)
                .hint("both have the form of what the optimizer around it moves"),
        )
    }

    fn run_body(
        &mut self,
        o: &Rc<OptimizerVal>,
        name: &str,
        p: &Val,
        g: &Val,
        f: Option<&Val>,
        span: Span,
    ) -> R<Val> {
        let def = o.def.def;
        let env = o.def.env.child();
        for (n, v) in &o.args {
            env.bind(n, v.clone());
        }
        let env = env.child();
        for (binder, v) in def.binders.iter().zip([Some(p), Some(g), f]) {
            match v {
                Some(v) => env.bind(&binder.text, v.clone()),
                None => {
                    let title = format!(
                        "`{}` asks for the objective, and here is only a gradient",
                        def.name.text
                    );
                    return Err(Box::new(
                        self.err("E0643", title, span)
                            .label(binder.span, "the objective")
                            .hint("write `minimize e over p using ..`, or give a function: `o.step(p, g, s, f: |q| ..)`"),
                    ));
                }
            }
        }
        if let Some(extra) = def.binders.get(3) {
            let title =
                "an optimizer is given a parameter, a gradient and the objective, and no more";
            return Err(Box::new(self.err("E0204", title, extra.span)));
        }
        let Some(run) = &mut self.optimizer else {
            return Ok(Val::Unit);
        };
        env.bind("step", run.step.clone());
        run.names.push(name.to_string());
        let own = def
            .binders
            .first()
            .map_or(String::new(), |p| p.text.clone());
        let binder = std::mem::replace(&mut run.binder, own);
        let declared = std::mem::take(&mut run.declared);
        let path = run.path();
        let label = if path.is_empty() { name } else { &path };
        let result = self.in_frame(label, span, |s| {
            s.top = true;
            let v = s.eval_block(&def.body, &env);
            s.top = false;
            v
        });
        if let Some(run) = &mut self.optimizer {
            run.names.pop();
            run.binder = binder;
            run.declared = declared;
        }
        let new = self.force_leaves(&result?, span)?;
        if !same_form(p, &new) {
            let title = format!(
                "`{}` gives a value of another form than its parameters",
                def.name.text
            );
            return Err(Box::new(
                self.err("E0305", title, span)
                    .hint("an optimizer gives new parameters, a transformation a new gradient: each of the form it is given"),
            ));
        }
        self.zip_leaves(p, &new, &mut |s, old, new| {
            let (old, new) = (s.force(old, span)?, s.force(new, span)?);
            let (want, have) = (s.ctx.graph.ty(old).clone(), s.ctx.graph.ty(new).clone());
            if want != have {
                let what = if def.transform {
                    "the gradient of a"
                } else {
                    "the"
                };
                let title = format!("`{}` gives a `{have}` for {what} `{want}`", def.name.text);
                return Err(Box::new(s.err("E0612", title, span)));
            }
            Ok(Val::Unit)
        })?;
        Ok(new)
    }

    /// `state m = e` in an optimizer.
    pub(super) fn optimizer_state(
        &mut self,
        name: &'static ast::Name,
        ty: Option<&'static ast::TypeExpr>,
        value: &'static ast::Expr,
        env: &Env,
    ) -> R<()> {
        let Some(run) = &mut self.optimizer else {
            return Ok(());
        };
        let path = format!("{}.{}", run.path(), name.text);
        run.declared.push((name.text.clone(), path.clone()));
        match &run.home {
            Home::Slots(stage) => {
                let (binder, first) = (run.binder.clone(), run.first.clone());
                let path = format!("{stage}.{path}");
                let v = match self.state_values.get(&path) {
                    Some(v) => v.clone(),
                    None => {
                        // A first value sees the parameters as the stage starts, under the name that the optimizer has for them.
                        let inner = env.child();
                        inner.bind(&binder, first);
                        let v =
                            self.first_value(&path, ty, value, &inner, &SlotKind::State, None)?;
                        self.state_values.insert(path, v.clone());
                        v
                    }
                };
                env.bind(&name.text, v);
            }
            Home::Record(record, starting) => {
                let v = match get_path(record, &path) {
                    Some(v) => v,
                    None if *starting => {
                        let v = self.eval(value, env)?;
                        let v = match ty {
                            Some(ty) => self.check_type(v, ty, env, value.span)?,
                            None => v,
                        };
                        let v = self.force_leaves(&v, value.span)?;
                        if let Some(OptimizerRun {
                            home: Home::Record(record, _),
                            ..
                        }) = &mut self.optimizer
                        {
                            *record = set_path(record, &path, v.clone());
                        }
                        v
                    }
                    None => {
                        let title = format!("the states given have no `{path}`");
                        return Err(Box::new(
                            self.err("E0644", title, name.span)
                                .hint("states are made by the same optimizer for the same parameters: `let s = o.start(p)`"),
                        ));
                    }
                };
                env.bind(&name.text, v);
            }
        }
        Ok(())
    }

    /// Is the name a state of a running optimizer that is kept in a record?
    pub(super) fn is_value_state(&self, name: &str) -> bool {
        match &self.optimizer {
            Some(OptimizerRun {
                home: Home::Record(..),
                declared,
                ..
            }) => declared.iter().any(|d| d.0 == name),
            _ => false,
        }
    }

    pub(super) fn assign_value_state(&mut self, name: &str, v: Val, env: &Env) {
        if let Some(OptimizerRun {
            home: Home::Record(record, _),
            declared,
            ..
        }) = &mut self.optimizer
            && let Some((_, path)) = declared.iter().find(|d| d.0 == name)
        {
            *record = set_path(record, path, v.clone());
            env.assign(name, v);
        }
    }

    /// `o.start(p)` and `o.step(p, g, s)`.
    pub(super) fn optimizer_method(
        &mut self,
        o: &Rc<OptimizerVal>,
        method: &str,
        args: Vec<Given>,
        span: Span,
    ) -> R<Val> {
        let o = self.with_arguments(o, span)?;
        let objective = match args.iter().position(|a| a.0.as_deref() == Some("f")) {
            Some(i) => Some(args[i].1.clone()),
            None => None,
        };
        let given: Vec<&Given> = args
            .iter()
            .filter(|a| a.0.as_deref() != Some("f"))
            .collect();
        let name = o.def.def.name.text.clone();
        let wrong = |s: &Self, usage: &str| {
            let title = format!("`{method}` of an optimizer is called as `{usage}`");
            Box::new(s.err("E0201", title, span))
        };
        let (p, g, home, step) = match (method, given.as_slice()) {
            ("start", [(None, p)]) => {
                let p = self.optimized(p, span)?;
                let g =
                    super::leaves::map_leaves(&p, &mut |t| self.ctx.graph.constant_like(0.0, t));
                let zero = self
                    .ctx
                    .graph
                    .fill(Literal::Int(0), Type::scalar(DType::I32));
                let home = Home::Record(Val::record(vec![(rc("step"), Val::Tensor(zero))]), true);
                (p, g, home, Val::Tensor(zero))
            }
            ("start", _) => return Err(wrong(self, "o.start(p)")),
            ("step", [(None, p), (None, g), (None, s)]) => {
                let (p, g) = (self.optimized(p, span)?, self.optimized(g, span)?);
                let s = self.force_leaves(s, span)?;
                let Some(step) = s.field("step") else {
                    let title = format!(
                        "the states of `{name}` are a record with a field `step`, not {}",
                        s.kind()
                    );
                    return Err(Box::new(
                        self.err("E0644", title, span)
                            .hint("states are made by `let s = o.start(p)`"),
                    ));
                };
                (p, g, Home::Record(s, false), step)
            }
            ("step", _) => return Err(wrong(self, "o.step(p, g, s)")),
            _ => {
                let title = format!("an optimizer has no method `{method}`");
                return Err(Box::new(
                    self.err("E0206", title, span)
                        .hint("it has `start(p)` and `step(p, g, s)`"),
                ));
            }
        };
        let starting = matches!(home, Home::Record(_, true));
        let run = OptimizerRun {
            names: vec![],
            leaf: vec![],
            first: p.clone(),
            home,
            step: step.clone(),
            suffix: String::new(),
            binder: String::new(),
            declared: vec![],
        };
        let f = match objective {
            Some(f) => Some(f),
            None if starting => Some(Val::Objective(Rc::new(Objective {
                value: None,
                at: vec![],
                form: Val::Unit,
            }))),
            None => None,
        };
        let outer = self.optimizer.replace(run);
        let result = self.run_chain(&o, &p, &g, f.as_ref(), span);
        let run = std::mem::replace(&mut self.optimizer, outer);
        let new = result?;
        let Some(OptimizerRun {
            home: Home::Record(states, _),
            ..
        }) = run
        else {
            return Ok(new);
        };
        if starting {
            return Ok(states);
        }
        let t = self.force(&step, span)?;
        let one = self.ctx.graph.constant_like(1.0, t);
        let next = self.ctx.graph.add2(t, one);
        Ok(Val::tuple(vec![
            new,
            set_path(&states, "step", Val::Tensor(next)),
        ]))
    }

    /// Parameters or a gradient as a record of tensors, or one tensor.
    fn optimized(&mut self, v: &Val, span: Span) -> R<Val> {
        match v {
            Val::Net(n) | Val::Nets(n, _) => {
                let p = self.net_params(n, span)?;
                self.force_leaves(&p, span)
            }
            Val::Int(i) => self.force_leaves(&Val::Real(*i as f64), span),
            Val::List(_) => Ok(Val::Tensor(self.force(v, span)?)),
            v => self.force_leaves(v, span),
        }
    }

    /// The objective of a step at other parameters.
    pub(super) fn call_objective(
        &mut self,
        f: &Rc<Objective>,
        args: &[Given],
        span: Span,
    ) -> R<Val> {
        let [(None, q)] = args else {
            return Err(Box::new(self.err(
                "E0201",
                "the objective takes the parameters",
                span,
            )));
        };
        let Some(value) = f.value else {
            return Ok(Val::Tensor(self.literal(&Val::Real(0.0), self.real, &[])));
        };
        let q = self.force_leaves(q, span)?;
        let mut pairs = Vec::new();
        let mut at = f.at.iter();
        self.zip_leaves(&f.form, &q, &mut |s, _, new| {
            let (Some(&old), Val::Tensor(new)) = (at.next(), new) else {
                return Err(s.forms_differ("f", span));
            };
            let (want, have) = (s.ctx.graph.ty(old).clone(), s.ctx.graph.ty(*new).clone());
            if want != have {
                let title = format!(
                    "the objective is asked for at a `{have}` where the parameter is a `{want}`"
                );
                return Err(Box::new(s.err("E0303", title, span)));
            }
            pairs.push((old, *new));
            Ok(Val::Unit)
        })?;
        let moved =
            crate::transform::substitute::substitute(&mut self.ctx.graph, &pairs, &[value], None);
        Ok(Val::Tensor(moved[0]))
    }
}

impl OptimizerRun {
    /// Where the states of the innermost optimizer are kept, below the stage.
    fn path(&self) -> String {
        let parts: Vec<&str> = self
            .leaf
            .iter()
            .map(|s| &**s)
            .chain(self.names.iter().map(String::as_str))
            .collect();
        parts.join(".")
    }
}

/// Do two values have the same fields, as far as they are records?
fn same_form(a: &Val, b: &Val) -> bool {
    match (a, b) {
        (Val::Record(x), Val::Record(y)) => {
            x.len() == y.len()
                && x.iter()
                    .zip(y.iter())
                    .all(|(p, q)| p.0 == q.0 && same_form(&p.1, &q.1))
        }
        (Val::Tuple(x), Val::Tuple(y)) => {
            x.len() == y.len() && x.iter().zip(y.iter()).all(|(p, q)| same_form(p, q))
        }
        (Val::Record(_) | Val::Tuple(_), _) | (_, Val::Record(_) | Val::Tuple(_)) => false,
        _ => true,
    }
}

/// What lies under a path such as `w.adam.m` in nested records.
fn get_path(v: &Val, path: &str) -> Option<Val> {
    match path.split_once('.') {
        None => v.field(path),
        Some((head, rest)) => get_path(&v.field(head)?, rest),
    }
}

/// Nested records with a new value under a path; what is there keeps its place.
fn set_path(v: &Val, path: &str, new: Val) -> Val {
    let mut fields = match v {
        Val::Record(fields) => fields.to_vec(),
        _ => vec![],
    };
    let (head, rest) = match path.split_once('.') {
        Some((head, rest)) => (head, Some(rest)),
        None => (path, None),
    };
    let at = fields.iter().position(|f| &*f.0 == head);
    let old = at.map_or(Val::Unit, |i| fields[i].1.clone());
    let inner = match rest {
        Some(rest) => set_path(&old, rest, new),
        None => new,
    };
    match at {
        Some(i) => fields[i].1 = inner,
        None => fields.push((rc(head), inner)),
    }
    Val::record(fields)
}
