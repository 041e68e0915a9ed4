//! Distributions and their members.

mod conditions;
mod elements;

use super::session::{R, Session};
use super::value::{DistVal, Env, Scoped, Val};
use conditions::{has, holds, holds_dists, is_condition, is_single, member};
use mlc_grammar::ast::{self, Body, ExprKind, Member};
use mlc_grammar::span::Span;
use std::rc::Rc;

/// The members of distributions of several elements that describe the whole: the sum over the elements.
fn is_sum(member: &str) -> bool {
    matches!(member, "logpdf" | "entropy" | "kl")
}

impl Session {
    /// A distribution from its arguments, each within its support as far as that is known at compile time.
    pub(super) fn make_dist(
        &mut self,
        def: Rc<Scoped<ast::Dist>>,
        args: Vec<(Rc<str>, Val)>,
        span: Span,
    ) -> R<Val> {
        for c in def.def.members.iter().flat_map(|m| &m.conditions) {
            if !is_condition(c) {
                let text = self.sources.text(c.span).to_string();
                let title = format!("a member cannot depend on `{text}`");
                return Err(Box::new(self.err("E0413", title, c.span)));
            }
        }
        for (formal, (_, v)) in def.def.args.iter().zip(&args) {
            self.check_argument(&def, formal, v, &args, span)?;
        }
        let mut settled = Vec::new();
        for (n, v) in args {
            let v = match v {
                Val::List(_) if holds_dists(&v) => v,
                Val::Slot(_) | Val::Log(..) | Val::List(_) => Val::Tensor(self.force(&v, span)?),
                v => v,
            };
            settled.push((n, v));
        }
        let mut d = DistVal {
            def,
            args: settled,
            plates: vec![],
            single: false,
        };
        d.single = self.own_elements(&d).is_some_and(|s| s.is_empty())
            && d.args
                .iter()
                .all(|(_, v)| !holds_dists(v) || is_single(Some(v)));
        Ok(Val::Dist(Rc::new(d)))
    }

    /// Is a number, or each of a list of numbers, that is known at compile time within the support of the argument?
    fn check_argument(
        &mut self,
        def: &Rc<Scoped<ast::Dist>>,
        formal: &'static ast::Arg,
        v: &Val,
        args: &[(Rc<str>, Val)],
        span: Span,
    ) -> R<()> {
        let Some(support) = &formal.support else {
            return Ok(());
        };
        // Supports of vectors, `ordered(k)` for instance, are no matter of single numbers.
        if formal.ty.is_some() && !matches!(support.kind, ExprKind::Name(_)) {
            return Ok(());
        }
        let x = match v {
            Val::Int(i) => *i as f64,
            Val::Real(x) => *x,
            Val::List(items) => {
                for v in items.iter() {
                    self.check_argument(def, formal, v, args, span)?;
                }
                return Ok(());
            }
            _ => return Ok(()),
        };
        let name = self.sources.text(support.span).trim().to_string();
        let fine = match name.as_str() {
            // A parameter may lie at the ends.
            "unit" => (0.0..=1.0).contains(&x),
            _ => {
                let env = def.env.child();
                args.iter().for_each(|(n, v)| env.bind(n, v.clone()));
                let set = self.eval(support, &env)?;
                match set.field("holds") {
                    Some(f) => {
                        let held = self.apply(&f, vec![(None, Val::Real(x))], span)?;
                        !matches!(held, Val::Bool(false))
                    }
                    None => true,
                }
            }
        };
        if fine {
            return Ok(());
        }
        let title = format!(
            "`{}` of `{}` must be {}, and is {x}",
            formal.name.text,
            def.def.name.text,
            super::resolve::support_words(&name)
        );
        Err(Box::new(
            self.err("E0401", title, span)
                .label(formal.name.span, "declared here"),
        ))
    }

    /// The distribution that a name stands for in a type.
    pub(super) fn dist_named(
        &mut self,
        name: &str,
        env: &Env,
        span: Span,
    ) -> Option<Rc<Scoped<ast::Dist>>> {
        if let Some(Val::DistDef(d)) = env.get(name) {
            return Some(d);
        }
        // An argument may have the name of a family, as that of `beta` has.
        match self.item(env.0.module, name, span)?.ok()? {
            Val::DistDef(d) => Some(d),
            _ => None,
        }
    }

    /// Where a distribution's members are evaluated.
    pub(super) fn member_env(&mut self, d: &Rc<DistVal>, span: Span) -> R<Env> {
        let env = d.def.env.child();
        for (n, v) in &d.args {
            env.bind(n, v.clone());
        }
        env.bind("self", Val::Dist(d.clone()));
        // Sizes in the arguments' types are known to members.
        for (a, (_, v)) in d.def.def.args.iter().zip(&d.args) {
            if let (Some(ty), false) = (&a.ty, matches!(v, Val::Missing)) {
                self.check_type(v.clone(), ty, &env, span)?;
            }
        }
        Ok(env)
    }

    /// `d.on`: the support, a record of functions.
    pub(super) fn on(&mut self, d: &Rc<DistVal>, span: Span) -> R<Val> {
        let env = self.member_env(d, span)?;
        match self.eval(&d.def.def.support, &env)? {
            Val::Builtin("real") => {
                let library = self.support_library;
                self.item(library, "reals", span).unwrap_or(Ok(Val::Unit))
            }
            v => Ok(v),
        }
    }

    /// `d.name(args)`: a declared member, or `sample()` by default.
    pub(super) fn call_member(
        &mut self,
        d: &Rc<DistVal>,
        name: &str,
        args: Vec<super::call::Given>,
        span: Span,
    ) -> R<Val> {
        if let Some((&n, _)) = d.plates.split_first() {
            return self.member_of_lanes(d, n, name, args, span);
        }
        if let Some(m) = member(d, name) {
            let env = self.member_env(d, span)?;
            let label = format!("{}.{name}", d.def.def.name.text);
            // What a divergence is taken to may have the longer shape.
            let mut shape = Some(vec![]);
            if matches!(
                name,
                "entropy" | "kl" | "mean" | "variance" | "support" | "mvd"
            ) {
                shape = self.elements_of_draws(d, span)?;
            }
            for (_, v) in &args {
                if let (Val::Dist(q), Some(own), "kl") = (v, &shape, name)
                    && own.is_empty()
                {
                    shape = self.elements_of_draws(q, span)?;
                }
            }
            let v = self.in_frame(&label, span, |s| {
                let inner = env.child();
                s.bind_args(&label, &m.args, args, &inner, span)?;
                match &m.body {
                    Body::Expr(e) => s.eval(e, &inner),
                    Body::Block(b) => s.eval_block(b, &inner),
                }
            })?;
            return match name {
                "logpdf" => self.sum_all(&v, span),
                "sample" => self.opaque(&v, span),
                "entropy" | "kl" => {
                    let v = self.for_elements(&v, shape, d, span)?;
                    self.sum_all(&v, span)
                }
                "mean" | "variance" => self.for_elements(&v, shape, d, span),
                "support" => self.points_of_elements(&v, &shape.unwrap_or_default(), d, span),
                "mvd" => self.weak_derivatives(v, &shape.unwrap_or_default(), d, span),
                _ => Ok(v),
            };
        }
        if name == "sample" && Self::has_member(d, "transform") && Self::has_member(d, "noise") {
            let e = self.call_member(d, "noise", vec![], span)?;
            let v = self.call_member(d, "transform", vec![(None, e)], span)?;
            return self.opaque(&v, span);
        }
        let dist = &d.def.def.name.text;
        let mut known: Vec<String> = d
            .def
            .def
            .members
            .iter()
            .map(|m| m.name.text.clone())
            .filter(|n| Self::has_member(d, n))
            .collect();
        if !known.iter().any(|k| k == "sample") && has(Some(&Val::Dist(d.clone())), "sample") {
            known.push("sample".into());
        }
        let hint = format!("it has {}", super::resolve::listed(&known));
        let named = |m: &&Member| m.name.text == name;
        let lacking = d.def.def.members.iter().find(named);
        let unmet = lacking.and_then(|m| m.conditions.iter().find(|c| !holds(d, c)));
        let r = match unmet {
            Some(c) => self
                .err("E0402", format!("this `{dist}` has no `{name}`"), span)
                .label(c.span, "it would need this"),
            None => self
                .err("E0402", format!("`{dist}` declares no `{name}`"), span)
                .label(d.def.def.name.span, "declared here"),
        };
        Err(Box::new(r.hint(hint)))
    }
}
