//! Functions that state their own derivative: `fn f(x) = e with vjp(dy) { .. }`.
//!
//! The rule is traced where the function is called, for stand-ins of the arguments, the results and their cotangents (or the
//! arguments' tangents), and cut out of the graph; the call becomes a node that owns it. See `transform/calls.rs`.

use super::leaves::{leaves, map_leaves};
use super::session::{R, Session};
use super::value::{Closure, Env, Val};
use crate::ir::{Attr, Call, Graph, Owned, Type, Value};
use crate::ops;
use crate::transform::loops::part;
use crate::transform::region::{Cut, cut};
use mlc_grammar::ast::{DerivativeRule, Function};
use mlc_grammar::span::Span;
use std::rc::Rc;

/// An argument that derivatives may be taken by: its name and its value, whose real leaves are bindings of their own.
struct Open {
    name: &'static str,
    value: Val,
}

impl Session {
    /// Calls a function with rules; its arguments are bound in `env`.
    pub(super) fn call_with_rules(
        &mut self,
        c: &Rc<Closure>,
        f: &'static Function,
        env: &Env,
        span: Span,
        body: impl FnOnce(&mut Self, &Env) -> R<Val>,
    ) -> R<Val> {
        let mut open = Vec::new();
        for a in &f.args {
            let Some(v) = env.get(&a.name.text) else {
                continue;
            };
            let Some(value) = self.opened(&v, span)? else {
                continue;
            };
            env.bind(&a.name.text, value.clone());
            open.push(Open {
                name: &a.name.text,
                value,
            });
        }
        let result = body(self, env)?;
        let result = match result {
            list @ Val::List(_) => Val::Tensor(self.force(&list, span)?),
            v => self.force_leaves(&v, span)?,
        };
        let results: Vec<Value> = self.real_leaves(&result);
        let args: Vec<Value> = open
            .iter()
            .flat_map(|o| self.real_leaves(&o.value))
            .collect();
        if args.is_empty() || results.is_empty() {
            return Ok(result);
        }
        let mut call = Call {
            name: c.name.to_string(),
            args: args.len(),
            results: results.len(),
            vjp: None,
            jvp: None,
            vjp_captured: 0,
        };
        let mut operands = args;
        operands.extend(&results);
        let mut forward = vec![];
        for rule in &f.rules {
            let Cut { body, captured } = if rule.kind.text == "vjp" {
                self.trace_vjp(c, f, rule, &open, &result, env)?
            } else {
                self.trace_jvp(c, f, rule, &open, &result, env)?
            };
            let place = if rule.kind.text == "vjp" {
                call.vjp_captured = captured.len();
                operands.extend(captured);
                &mut call.vjp
            } else {
                forward = captured;
                &mut call.jvp
            };
            let twice: Option<Graph> = place.replace(body);
            if twice.is_some() {
                let title = format!("`{}` states its `{}` twice", c.name, rule.kind.text);
                return Err(Box::new(self.err("E0440", title, rule.kind.span)));
            }
        }
        operands.extend(forward);
        self.ctx.graph.origin = self.placed(span);
        let token = self.op(&ops::CALL, Attr::Call(Owned::new(call)), &operands, span)?;
        let mut k = 0;
        Ok(map_leaves(&result, &mut |t| {
            if !self.ctx.graph.ty(t).dtype.is_real() {
                return t;
            }
            k += 1;
            part(&mut self.ctx.graph, token, k - 1)
        }))
    }

    fn real_leaves(&self, v: &Val) -> Vec<Value> {
        let real = |t: &Value| self.ctx.graph.ty(*t).dtype.is_real();
        leaves(v).into_iter().filter(real).collect()
    }

    /// An argument with its real leaves bound, or nothing if it has none.
    fn opened(&mut self, v: &Val, span: Span) -> R<Option<Val>> {
        let v = match v {
            Val::Tensor(_) | Val::Slot(_) | Val::Log(..) => Val::Tensor(self.force(v, span)?),
            Val::Tuple(_) | Val::Record(_) => self.force_leaves(v, span)?,
            Val::List(items)
                if items
                    .iter()
                    .all(|i| matches!(i, Val::Real(_) | Val::Tensor(_) | Val::Slot(_))) =>
            {
                Val::Tensor(self.force(v, span)?)
            }
            _ => return Ok(None),
        };
        if self.real_leaves(&v).is_empty() {
            return Ok(None);
        }
        Ok(Some(map_leaves(&v, &mut |t| {
            if self.ctx.graph.ty(t).dtype.is_real() {
                self.ctx.bind(t)
            } else {
                t
            }
        })))
    }

    /// A value with a stand-in for each real leaf.
    fn held(&mut self, v: &Val, what: &'static str, out: &mut Vec<(Value, &str)>) -> Val {
        map_leaves(v, &mut |t| {
            let ty = self.ctx.graph.ty(t).clone();
            if !ty.dtype.is_real() {
                return t;
            }
            let lane = self.ctx.lane(ty);
            out.push((lane, what));
            lane
        })
    }

    /// Binds a rule's name; if some `wrt:` mentions it, as a binding of its own.
    fn bind_rule_name(&mut self, env: &Env, name: &str, v: Val, span: Span) -> R<()> {
        let v = if self.modules[env.0.module].wrt.contains(name) {
            self.bind_leaves(v, span)?
        } else {
            v
        };
        env.bind(name, v);
        Ok(())
    }

    /// A rule's scope: the function's arguments and result as stand-ins.
    fn rule_scope(
        &mut self,
        open: &[Open],
        env: &Env,
        span: Span,
        stand_ins: &mut Vec<(Value, &str)>,
    ) -> R<Env> {
        let scope = env.child();
        for o in open {
            let held = self.held(&o.value, "argument", stand_ins);
            self.bind_rule_name(&scope, o.name, held, span)?;
        }
        Ok(scope)
    }

    fn trace_vjp(
        &mut self,
        c: &Rc<Closure>,
        f: &'static Function,
        rule: &'static DerivativeRule,
        open: &[Open],
        result: &Val,
        env: &Env,
    ) -> R<Cut> {
        let span = rule.kind.span;
        let mark = self.ctx.graph.len();
        let mut stand_ins = Vec::new();
        let scope = self.rule_scope(open, env, span, &mut stand_ins)?;
        let y = self.held(result, "result", &mut stand_ins);
        let dy = self.held(result, "cotangent", &mut stand_ins);
        match rule.args.as_slice() {
            [d] => self.bind_rule_name(&scope, &d.text, dy, span)?,
            [d, r] => {
                self.bind_rule_name(&scope, &d.text, dy, span)?;
                self.bind_rule_name(&scope, &r.text, y, span)?;
            }
            _ => {
                let title = format!("the `vjp` of `{}` has one or two names", c.name);
                return Err(Box::new(self.err("E0440", title, span).hint(
                    "write `with vjp(dy) { .. }`, or `with vjp(dy, y) { .. }` to use the result `y`",
                )));
            }
        }
        let v = self.in_frame("vjp", span, |s| s.eval_block(&rule.body, &scope))?;
        let given: Vec<Val> = match (&v, open) {
            (Val::Record(fields), _)
                if fields.iter().any(|f| open.iter().any(|o| o.name == &*f.0)) =>
            {
                let mut out = Vec::new();
                for o in open {
                    match v.field(o.name) {
                        Some(v) => out.push(v),
                        None => {
                            return Err(self.rule_form(
                                c,
                                rule,
                                open,
                                &format!("`{}` has none", o.name),
                            ));
                        }
                    }
                }
                if let Some(extra) = fields.iter().find(|f| env.get(&f.0).is_none()) {
                    return Err(self.rule_form(
                        c,
                        rule,
                        open,
                        &format!("`{}` is no argument of reals", extra.0),
                    ));
                }
                out
            }
            (_, [o]) if !matches!(v, Val::Tuple(_)) || matches!(o.value, Val::Tuple(_)) => vec![v],
            (Val::Tuple(items), _) if items.len() == open.len() => items.to_vec(),
            // One for each argument, those without derivatives too.
            (Val::Tuple(items), _) if items.len() == f.args.len() => {
                let each = f.args.iter().zip(items.iter());
                each.filter(|(a, _)| open.iter().any(|o| o.name == a.name.text))
                    .map(|(_, v)| v.clone())
                    .collect()
            }
            _ => return Err(self.rule_form(c, rule, open, "it gives another number of values")),
        };
        let mut results = Vec::new();
        for (v, o) in given.iter().zip(open) {
            results.extend(self.rule_leaves(c, rule, v, &o.value, o.name)?);
        }
        Ok(cut(&self.ctx.graph, mark, &stand_ins, &results))
    }

    /// The names of a `jvp` go by those of the arguments, `dx` for `x`: which of them are reals of the run differs from call to
    /// call, and the tangent of one that is not is 0. One more name is the result.
    fn trace_jvp(
        &mut self,
        c: &Rc<Closure>,
        f: &'static Function,
        rule: &'static DerivativeRule,
        open: &[Open],
        result: &Val,
        env: &Env,
    ) -> R<Cut> {
        let span = rule.kind.span;
        let mark = self.ctx.graph.len();
        let mut stand_ins = Vec::new();
        let scope = self.rule_scope(open, env, span, &mut stand_ins)?;
        let y = self.held(result, "result", &mut stand_ins);
        let of = |name: &str| {
            let arg = name.strip_prefix('d')?;
            f.args.iter().find(|a| a.name.text == arg)
        };
        for o in open {
            let tangent = format!("d{}", o.name);
            if !rule.args.iter().any(|n| n.text == tangent) {
                let why = format!("it has no name `{tangent}` for the tangent of `{}`", o.name);
                return Err(self.rule_form(c, rule, open, &why));
            }
            let d = self.held(&o.value, "tangent", &mut stand_ins);
            self.bind_rule_name(&scope, &tangent, d, span)?;
        }
        let mut others = Vec::new();
        for name in &rule.args {
            match of(&name.text) {
                Some(a) if open.iter().any(|o| o.name == a.name.text) => {}
                Some(_) => scope.bind(&name.text, Val::Real(0.0)),
                None => others.push(&name.text),
            }
        }
        match others.as_slice() {
            [] => {}
            [r] => self.bind_rule_name(&scope, r, y, span)?,
            [a, b, ..] => {
                let why = format!("`{a}` and `{b}` are tangents of no argument");
                return Err(self.rule_form(c, rule, open, &why));
            }
        }
        let v = self.in_frame("jvp", span, |s| s.eval_block(&rule.body, &scope))?;
        let results = self.rule_leaves(c, rule, &v, result, "the result")?;
        Ok(cut(&self.ctx.graph, mark, &stand_ins, &results))
    }

    fn rule_form(
        &self,
        c: &Rc<Closure>,
        rule: &DerivativeRule,
        open: &[Open],
        why: &str,
    ) -> Box<mlc_grammar::diag::Report> {
        let names: Vec<String> = open.iter().map(|o| o.name.to_string()).collect();
        let listed = super::resolve::listed(&names);
        let title = format!(
            "the `{}` of `{}` does not fit: {why}",
            rule.kind.text, c.name
        );
        let fields: Vec<String> = names.iter().map(|n| format!("{n}: ..")).collect();
        let hint = if rule.kind.text == "vjp" {
            format!(
                "its value is the cotangent of each argument of reals ({listed}): one value, a tuple in their order, or a record `{{{}}}`",
                fields.join(", ")
            )
        } else {
            format!(
                "it has a name for the tangent of each argument of reals ({listed}), `dx` for `x`, and perhaps one more for the result"
            )
        };
        Box::new(self.err("E0440", title, rule.kind.span).hint(hint))
    }

    /// The real leaves of what a rule gives, which must have the types of `like`'s. A number stands for all elements.
    fn rule_leaves(
        &mut self,
        c: &Rc<Closure>,
        rule: &'static DerivativeRule,
        v: &Val,
        like: &Val,
        what: &str,
    ) -> R<Vec<Value>> {
        let span = rule.kind.span;
        let want: Vec<Type> = self
            .real_leaves(like)
            .iter()
            .map(|t| self.ctx.graph.ty(*t).clone())
            .collect();
        if let Val::Int(_) | Val::Real(_) = v {
            return Ok(want
                .iter()
                .map(|ty| self.literal(v, ty.dtype, &ty.shape))
                .collect());
        }
        let v = match v {
            list @ Val::List(_) => Val::Tensor(self.force(list, span)?),
            v => self.force_leaves(v, span)?,
        };
        let have = self.real_leaves(&v);
        let types: Vec<Type> = have.iter().map(|t| self.ctx.graph.ty(*t).clone()).collect();
        if types != want {
            let words = |t: &[Type]| {
                let parts: Vec<String> = t.iter().map(|t| format!("`{t}`")).collect();
                if parts.is_empty() {
                    "nothing".to_string()
                } else {
                    parts.join(", ")
                }
            };
            let title = format!(
                "the `{}` of `{}` gives {} for {what}, which is {}",
                rule.kind.text,
                c.name,
                words(&types),
                words(&want)
            );
            return Err(Box::new(self.err("E0440", title, span).hint(
                "a cotangent or tangent has the type of what it belongs to; a number stands for all elements",
            )));
        }
        Ok(have)
    }
}
