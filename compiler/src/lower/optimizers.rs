//! Optimizers and transformations of gradients: how their bodies run, and where their states live.
//!
//! An optimizer that moves parameters in a step keeps its states in slots, whose first values a program of the stage computes when
//! the stage starts. `o.start(p)` and `o.step(p, g, s)` keep them in a record instead, which the user carries along.

use super::call::Given;
use super::session::{R, Session, rc};
use super::value::{Named, Objective, OptimizerVal, Val};
use mlc_grammar::span::Span;
use std::rc::Rc;

/// An optimizer that is running.
pub struct OptimizerRun {
    /// The optimizers that run, outermost first.
    pub(super) names: Vec<String>,
    /// The leaf of the parameters that they run on; empty for those that take all at once.
    pub(super) leaf: Vec<Rc<str>>,
    /// The parameters as the stage starts, of the form of those that the innermost runs on: what first values see.
    pub(super) first: Val,
    pub(super) home: Home,
    pub(super) step: Val,
    /// The objective as a function of all parameters, where there is one.
    pub(super) objective: Option<Val>,
    /// Tells apart what two statements of a stage do to one parameter; ends the names of the outermost optimizers.
    pub(super) suffix: String,
    /// What the innermost body calls its parameters.
    pub(super) binder: String,
    /// The states of the innermost body: name in the body, and where it is kept.
    pub(super) declared: Vec<(String, String)>,
}

/// Where states are kept.
pub(super) enum Home {
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
        let f = objective.map(|o| Val::Objective(Rc::new(o)));
        let run = OptimizerRun {
            names: vec![],
            leaf: vec![],
            first: first.clone(),
            home: Home::Slots(stage.to_string()),
            step,
            objective: f.clone(),
            suffix: suffix.to_string(),
            binder: String::new(),
            declared: vec![],
        };
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
        let Some(run) = self.optimizer.as_ref() else {
            return Ok(Val::Unit);
        };
        if !same_form(&run.first, &p) || !same_form(&p, &g) {
            return Err(self.forms_differ(name, span));
        }
        // What runs on all parameters has the objective that is optimised, if it is given no other.
        let f = f.or_else(|| run.objective.clone().filter(|_| run.leaf.is_empty()));
        self.run_chain(o, &p, &g, f.as_ref(), span)
    }

    /// The transformations before, then the optimizer itself.
    pub(super) fn run_chain(
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

    pub(super) fn forms_differ(&self, name: &str, span: Span) -> Box<mlc_grammar::diag::Report> {
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
                    let outer = self.optimizer.as_ref();
                    let alone = outer.is_some_and(|r| r.objective.is_some());
                    let hint = if alone {
                        "the optimizer around it runs on each tensor alone, and the objective is one of all parameters: define it with `for all p, g`"
                    } else {
                        "write `minimize e over p using ..`, or give a function: `o.step(p, g, s, f: |q| ..)`"
                    };
                    return Err(Box::new(
                        self.err("E0643", title, span)
                            .label(binder.span, "the objective")
                            .hint(hint),
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
}

impl OptimizerRun {
    /// Where the states of the innermost optimizer are kept, below the stage.
    pub(super) fn path(&self) -> String {
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
