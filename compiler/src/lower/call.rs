//! Calls: arguments, their types and dimensions.

use super::eval::mix;
use super::partial::leaves_a_rest;
use super::session::{R, Session, rc};
use super::value::{Closure, Code, Env, EstimatorVal, ModelCode, ModelVal, NetCtor, Partial, Val};
use mlc_grammar::ast::{self, Arg, CallArg, Expr, ExprKind};
use mlc_grammar::span::Span;
use std::rc::Rc;

/// An argument as given: its name, if any, and its value.
pub type Given = (Option<Rc<str>>, Val);

impl Session {
    pub(super) fn eval_call(
        &mut self,
        e: &'static Expr,
        f: &'static Expr,
        args: &'static [CallArg],
        env: &Env,
    ) -> R<Val> {
        // Derivatives and tests of what was given look at their arguments' text.
        if let ExprKind::Name(name) = &f.kind
            && env.get(name).is_none()
        {
            match name.as_str() {
                "grad" | "value_and_grad" | "jvp" | "vjp" | "hvp" | "jacobian" | "hessian"
                | "laplacian" => {
                    return self.eval_derivative(name, args, env, e.span);
                }
                "taps" => return self.eval_taps(args, env, e.span),
                "nexts" => return self.eval_nexts(args, env, e.span),
                "einsum" => return self.eval_einsum(args, env, e.span),
                "has" => return self.eval_has(args, env, e.span),
                "provided" => {
                    let v = match args {
                        [a] => self.eval(&a.value, env)?,
                        _ => {
                            return Err(Box::new(self.err(
                                "E0201",
                                "`provided` takes one argument",
                                e.span,
                            )));
                        }
                    };
                    return Ok(Val::Bool(!matches!(v, Val::Missing)));
                }
                _ => {}
            }
        }
        let callee = self.eval(f, env)?;
        if let Some(source) = self.sized_batches(&callee, args, env)? {
            return Ok(source);
        }
        let mut values = Vec::with_capacity(args.len());
        for a in args {
            values.push((
                a.name.as_ref().map(|n| rc(&n.text)),
                self.eval(&a.value, env)?,
            ));
        }
        self.ctx.graph.origin = self.placed(e.span);
        self.apply(&callee, values, e.span)
    }

    /// Calls a value.
    pub(super) fn apply(&mut self, f: &Val, args: Vec<Given>, span: Span) -> R<Val> {
        match f {
            Val::Fn(c) => self.call_fn(c, args, span),
            Val::Builtin(name) => self.call_builtin(name, args, span),
            Val::Partial(p) => self.apply_rest(p, args, span),
            Val::DType(d) => self.cast_to(*d, args, span),
            Val::StageDef(t) => self.apply_stage(*t, args, span),
            Val::Method(m) => self.call_method(&m.0, &m.1, args, span),
            Val::DistDef(d) => {
                let formal = &d.def.args;
                let inner = d.env.child();
                self.bind_args(&d.def.name.text, formal, args, &inner, span)?;
                let args = formal
                    .iter()
                    .map(|a| {
                        (
                            rc(&a.name.text),
                            inner.get(&a.name.text).unwrap_or(Val::Missing),
                        )
                    })
                    .collect();
                self.make_dist(d.clone(), args, span)
            }
            Val::ModelDef(m) => {
                let inner = m.env.child();
                self.bind_args(&m.name, m.args, args, &inner, span)?;
                Ok(Val::Model(Rc::new(ModelVal {
                    code: ModelCode::Block(m.clone(), inner),
                    given: vec![],
                    span,
                    exchanged: vec![],
                    lifted: vec![],
                    made: None,
                })))
            }
            Val::NetDef(n) => {
                let inner = n.env.child();
                self.bind_args(&n.def.name.text, &n.def.statics, args, &inner, span)?;
                Ok(Val::NetCtor(Rc::new(NetCtor {
                    def: n.clone(),
                    env: inner,
                })))
            }
            Val::NetCtor(c) => {
                let name = &c.def.def.name.text;
                Err(Box::new(
                    self.err(
                        "E0108",
                        format!("`{name}(..)` makes parameters, so it must be declared"),
                        span,
                    )
                    .hint(format!("write `net n = {name}(..)` first, then call `n`")),
                ))
            }
            Val::Net(n) => self.call_net(n, args, span),
            Val::Estimator(e) => {
                // After the fixed arguments `(d, k)`, further ones are given by name and make a value.
                let mut bound = e.args.clone();
                let named = args.iter().all(|(n, _)| n.is_some());
                if named {
                    for (n, v) in args {
                        let n = n.expect("checked above");
                        if !e.def.def.args.iter().skip(2).any(|a| a.name.text == *n) {
                            let title = format!("`{}` has no argument `{n}`", e.def.def.name.text);
                            return Err(Box::new(self.err("E0202", title, span)));
                        }
                        bound.retain(|(b, _)| *b != n);
                        bound.push((n, v));
                    }
                    return Ok(Val::Estimator(Rc::new(EstimatorVal {
                        def: e.def.clone(),
                        args: bound,
                    })));
                }
                let mut all = args;
                all.extend(bound.into_iter().map(|(n, v)| (Some(n), v)));
                self.run_estimator(e, all, span)
            }
            Val::Optimizer(o) => self.apply_optimizer(o, args, span),
            Val::Objective(f) => self.call_objective(f, &args, span),
            Val::Continuation(c) => match args.as_slice() {
                [(None, x)] => self.continue_with(c, x, span),
                _ => Err(Box::new(self.err(
                    "E0201",
                    "a continuation takes the site's value",
                    span,
                ))),
            },
            // A number is a constant schedule.
            Val::Int(_) | Val::Real(_) => {
                let title = format!("{} is not a function", f.kind());
                Err(Box::new(self.err_at("E0203", title, span, "called here")))
            }
            other => {
                let mut r = self.err_at(
                    "E0203",
                    format!("{} is not a function", other.kind()),
                    span,
                    "called here",
                );
                if matches!(other, Val::Nets(..)) {
                    r = r.hint("call one of them, `m[0](x)`, or all: `for net in m { net(x) }`");
                }
                if matches!(other, Val::Model(_)) {
                    r = r.hint("a model has its arguments already; where a function is needed that gives one, write `|t| m`");
                }
                if matches!(other, Val::Tensor(_) | Val::Slot(_)) {
                    r = r.hint("to multiply, write `*`; to index, write `x[i]`");
                }
                Err(Box::new(r))
            }
        }
    }

    fn call_fn(&mut self, c: &Rc<Closure>, args: Vec<Given>, span: Span) -> R<Val> {
        let inner = c.env.child();
        match c.code {
            Code::Fn(f) => {
                if leaves_a_rest(&f.args, &args) {
                    let args = args.into_iter().filter_map(|(n, v)| Some((n?, v)));
                    return Ok(Val::Partial(Rc::new(Partial {
                        of: Val::Fn(c.clone()),
                        given: args.collect(),
                        span,
                    })));
                }
                let body = |s: &mut Self, env: &Env| {
                    let v = match &f.body {
                        ast::Body::Expr(e) => s.eval(e, env)?,
                        ast::Body::Block(b) => s.eval_block(b, env)?,
                    };
                    match &f.result {
                        Some(ty) => s.check_type(v, ty, env, span),
                        None => Ok(v),
                    }
                };
                self.in_frame(&c.name, span, |s| {
                    s.bind_args(&c.name, &f.args, args, &inner, span)?;
                    if f.rules.is_empty() {
                        body(s, &inner)
                    } else {
                        s.call_with_rules(c, f, &inner, span, body)
                    }
                })
            }
            Code::Lambda(patterns, body) => {
                if patterns.len() != args.len() {
                    let title = format!(
                        "the function takes {} arguments, not {}",
                        patterns.len(),
                        args.len()
                    );
                    return Err(Box::new(self.err("E0201", title, span)));
                }
                self.in_frame("|..|", span, |s| {
                    for (p, (_, v)) in patterns.iter().zip(args) {
                        s.bind_pattern(p, v, &inner)?;
                    }
                    s.eval(body, &inner)
                })
            }
        }
    }

    /// Binds formal arguments to what was given, by position and by name, checking types; binds dimension names too.
    pub(super) fn bind_args(
        &mut self,
        name: &str,
        formal: &'static [Arg],
        args: Vec<Given>,
        env: &Env,
        span: Span,
    ) -> R<()> {
        let mut values: Vec<Option<Val>> = vec![None; formal.len()];
        let mut next = 0;
        for (given, v) in args {
            let at = match &given {
                Some(n) => match formal.iter().position(|a| a.name.text == **n) {
                    Some(at) => at,
                    None => {
                        let known: Vec<String> =
                            formal.iter().map(|a| a.name.text.clone()).collect();
                        let mut r =
                            self.err("E0202", format!("`{name}` has no argument `{n}`"), span);
                        r = match super::resolve::nearest(n, &known) {
                            Some(near) => r.hint(format!("did you mean `{near}`?")),
                            None => r.hint(format!(
                                "its arguments are {}",
                                super::resolve::listed(&known)
                            )),
                        };
                        return Err(Box::new(r));
                    }
                },
                None => {
                    next += 1;
                    next - 1
                }
            };
            if at >= formal.len() {
                let title = format!("`{name}` takes {} arguments; more are given", formal.len());
                return Err(Box::new(self.err("E0201", title, span)));
            }
            if values[at].is_some() {
                let title = format!("`{}` is given twice", formal[at].name.text);
                return Err(Box::new(self.err("E0201", title, span)));
            }
            values[at] = Some(v);
        }
        for (arg, v) in formal.iter().zip(values) {
            let v = match (v, &arg.default) {
                (Some(v), _) => v,
                (None, Some(d)) if matches!(&d.kind, ExprKind::Name(n) if n == "none") => {
                    Val::Missing
                }
                (None, Some(d)) => self.eval(d, env)?,
                (None, None) => {
                    let title = format!("`{name}` needs its argument `{}`", arg.name.text);
                    return Err(Box::new(
                        self.err_at("E0201", title, span, "missing here")
                            .label(arg.name.span, "declared here"),
                    ));
                }
            };
            let v = match &arg.ty {
                Some(ty) if !matches!(v, Val::Missing) => {
                    self.check_type(v, ty, env, span).map_err(|mut r| {
                        r.labels.push(mlc_grammar::diag::Label {
                            span: arg.name.span,
                            text: format!("`{}` of `{name}` is declared here", arg.name.text),
                        });
                        r
                    })?
                }
                _ => v,
            };
            let v = if self.modules[env.0.module].wrt.contains(&arg.name.text) {
                self.bind_leaves(v, arg.name.span)?
            } else {
                v
            };
            env.bind(&arg.name.text, v);
        }
        Ok(())
    }

    /// The value of a member of a distribution or a method of a value.
    fn call_method(&mut self, on: &Val, name: &str, args: Vec<Given>, span: Span) -> R<Val> {
        match on {
            Val::Dist(d) => self.call_member(d, name, args, span),
            Val::Record(_) | Val::Slot(_) | Val::Source(_) => {
                self.call_source_method(on, name, args, span)
            }
            Val::Optimizer(o) => self.optimizer_method(o, name, args, span),
            Val::Net(n) if name == "with" && args.len() == 1 => {
                // Of a net that was never called, the parameters may not be known yet.
                if n.with.is_some() || !self.slots_below(&n.path).is_empty() {
                    let own = self.net_params(n, span)?;
                    self.check_given(&own, &args[0].1, "", span)?;
                }
                let mut n = (**n).clone();
                n.with = Some(args[0].1.clone());
                Ok(Val::Net(Rc::new(n)))
            }
            Val::Model(m) if name == "with" && args.len() == 1 => match m.made.clone() {
                Some(made) => self.model_with(m, &made, args[0].1.clone(), span),
                None => Ok(on.clone()),
            },
            other => {
                let title = format!("{} has no method `{name}`", other.kind());
                Err(Box::new(self.err("E0206", title, span)))
            }
        }
    }

    /// The random stream of the next draw here.
    pub(super) fn draw_key(&mut self) -> u64 {
        let key = self.frame().next_key("draw");
        mix(key, &self.ctx.name.clone())
    }
}
