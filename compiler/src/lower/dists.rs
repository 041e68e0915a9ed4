//! Distributions and their members.

use super::leaves::{leaves, map_leaves};
use super::session::{R, Session};
use super::value::{DistVal, Env, Scoped, Val};
use crate::ir::Value;
use mlc_grammar::ast::{self, Body, Expr, ExprKind, Member, UnaryOp};
use mlc_grammar::diag::Report;
use mlc_grammar::span::Span;
use std::rc::Rc;

/// Conditions that stand for members, and the members.
pub(super) fn needs(condition: &str) -> Option<&'static [&'static str]> {
    Some(match condition {
        "scored" => &["logpdf"],
        "reparameterised" => &["transform", "noise"],
        "finite" => &["support"],
        "measure_valued" => &["mvd"],
        _ => return None,
    })
}

/// The members of distributions of several elements that describe the whole: the sum over the elements.
fn is_sum(member: &str) -> bool {
    matches!(member, "logpdf" | "entropy" | "kl")
}

/// A member with this name whose conditions hold.
fn member(d: &DistVal, name: &str) -> Option<&'static Member> {
    d.def
        .def
        .members
        .iter()
        .find(|m| m.name.text == name && m.conditions.iter().all(|c| holds(d, c)))
}

/// Has a value, or each of a list, a member?
fn has(v: Option<&Val>, name: &str) -> bool {
    match v {
        // A plain draw can be made of a draw as a function of noise.
        Some(Val::Dist(d)) if name == "sample" => {
            ["sample", "transform"].iter().any(|m| Session::has_member(d, m))
        }
        Some(Val::Dist(d)) => Session::has_member(d, name),
        Some(Val::List(items)) => items.iter().all(|v| has(Some(v), name)),
        _ => false,
    }
}

/// Is a draw of it, or of each of a list, one number, as far as its arguments tell?
fn is_single(v: Option<&Val>) -> bool {
    match v {
        Some(Val::Dist(d)) => d.single,
        Some(Val::List(items)) => items.iter().all(|v| is_single(Some(v))),
        _ => false,
    }
}

/// Does a condition of a member hold for the arguments? Those that are not understood do not; `make_dist` refuses them.
fn holds(d: &DistVal, c: &Expr) -> bool {
    let argument = |e: &Expr| match &e.kind {
        ExprKind::Name(n) => d.args.iter().find(|a| *a.0 == **n).map(|a| &a.1),
        _ => None,
    };
    match &c.kind {
        ExprKind::Paren(e) => holds(d, e),
        ExprKind::Unary(UnaryOp::Not, e) => !holds(d, e),
        ExprKind::Call(f, args) => match (&f.kind, args.as_slice()) {
            (ExprKind::Name(f), [x]) if f == "provided" => {
                !matches!(argument(&x.value), None | Some(Val::Missing))
            }
            (ExprKind::Name(f), [x]) if f == "single" => is_single(argument(&x.value)),
            (ExprKind::Name(f), [x, m]) if f == "has" => match &m.value.kind {
                ExprKind::Name(m) => has(argument(&x.value), m),
                _ => false,
            },
            (ExprKind::Name(f), [x]) => {
                needs(f).is_some_and(|all| all.iter().all(|m| has(argument(&x.value), m)))
            }
            _ => false,
        },
        _ => false,
    }
}

/// Is it of a form that `holds` understands?
fn is_condition(c: &Expr) -> bool {
    match &c.kind {
        ExprKind::Paren(e) | ExprKind::Unary(UnaryOp::Not, e) => is_condition(e),
        ExprKind::Call(f, args) => match &f.kind {
            ExprKind::Name(f) if f == "has" => args.len() == 2,
            ExprKind::Name(f) => {
                args.len() == 1 && (matches!(f.as_str(), "provided" | "single") || needs(f).is_some())
            }
            _ => false,
        },
        _ => false,
    }
}

fn holds_dists(v: &Val) -> bool {
    match v {
        Val::List(items) => !items.is_empty() && items.iter().all(holds_dists),
        v => matches!(v, Val::Dist(_)),
    }
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
            && d.args.iter().all(|(_, v)| !holds_dists(v) || is_single(Some(v)));
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

    /// `has(d, cdf)`: does a distribution, or each of a list, have a member? Known at compile time.
    pub(super) fn eval_has(
        &mut self,
        args: &'static [ast::CallArg],
        env: &Env,
        span: Span,
    ) -> R<Val> {
        let wrong = |s: &Self, title: String| Err(Box::new(s.err("E0201", title, span)));
        let [d, m] = args else {
            let title = "`has` takes a distribution and the name of a member".to_string();
            return wrong(self, title);
        };
        let ExprKind::Name(m) = &m.value.kind else {
            return wrong(self, "`has` takes the name of a member".to_string());
        };
        let v = self.eval(&d.value, env)?;
        if !holds_dists(&v) {
            let title = format!("`has` asks a distribution, not {}", v.kind());
            return wrong(self, title);
        }
        Ok(Val::Bool(has(Some(&v), m)))
    }

    pub(super) fn has_member(d: &DistVal, name: &str) -> bool {
        member(d, name).is_some()
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

    /// The shape of the elements that members speak of: that of the arguments where a draw has it, too. A draw of a categorical, say,
    /// is one number whatever its arguments.
    fn elements_of_draws(&mut self, d: &Rc<DistVal>, span: Span) -> R<Option<Vec<usize>>> {
        let shape = self.elements(d);
        let drawn = has(Some(&Val::Dist(d.clone())), "sample");
        if shape.as_ref().is_none_or(|s| s.is_empty()) || !drawn {
            return Ok(shape);
        }
        // A draw that nothing uses: it shows the type.
        let x = self.with_frame_key("elements", span, 0, |s| {
            s.call_member(d, "sample", vec![], span)
        })?;
        let alike = match x {
            Val::Tensor(t) => Some(&self.ctx.graph.ty(t).shape) == shape.as_ref(),
            _ => false,
        };
        Ok(if alike { shape } else { Some(vec![]) })
    }

    /// The common shape of the arguments without a declared one. Numbers among them count for every element.
    /// Where distributions are among the arguments, those have the elements, and members are about the whole already.
    fn elements(&self, d: &DistVal) -> Option<Vec<usize>> {
        if d.args.iter().any(|(_, v)| holds_dists(v)) {
            return Some(vec![]);
        }
        self.own_elements(d)
    }

    fn own_elements(&self, d: &DistVal) -> Option<Vec<usize>> {
        let mut shape: Vec<usize> = vec![];
        for (formal, (_, v)) in d.def.def.args.iter().zip(&d.args) {
            let Val::Tensor(t) = v else { continue };
            let own = &self.ctx.graph.ty(*t).shape;
            if formal.ty.is_some() || own.is_empty() {
                continue;
            }
            if !shape.is_empty() && shape != *own {
                return None;
            }
            shape = own.clone();
        }
        Some(shape)
    }

    /// `d.shape`
    pub(super) fn element_shape(&mut self, d: &Rc<DistVal>, span: Span) -> R<Val> {
        match self.elements(d) {
            Some(shape) => Ok(Val::list(
                shape.into_iter().map(|n| Val::Int(n as i64)).collect(),
            )),
            None => Err(self.shapes_differ(d, span)),
        }
    }

    fn shapes_differ(&self, d: &DistVal, span: Span) -> Box<Report> {
        let mut parts = Vec::new();
        for (formal, (n, v)) in d.def.def.args.iter().zip(&d.args) {
            if let (Val::Tensor(t), None) = (v, &formal.ty) {
                parts.push(format!("`{n}` is `{}`", self.ctx.graph.ty(*t)));
            }
        }
        let title = format!(
            "the arguments of `{}` have different shapes: {}",
            d.def.def.name.text,
            parts.join(", ")
        );
        Box::new(self.err("E0303", title, span).hint(
            "arguments have one shape, or are numbers; rows are gone over with `for`",
        ))
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
            if matches!(name, "entropy" | "kl" | "mean" | "variance" | "support" | "mvd") {
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

    /// Distributions of one family as one of several lanes; a list of them, where they are of several.
    pub(super) fn stack_dists(&mut self, items: &[Val], span: Span) -> R<Val> {
        let mut all = Vec::new();
        for v in items {
            match v {
                Val::Dist(d) => all.push(d.clone()),
                other => {
                    let title = format!("expected a distribution, found {}", other.kind());
                    return Err(Box::new(self.err("E0200", title, span)));
                }
            }
        }
        let first = all[0].clone();
        let alike = |d: &Rc<DistVal>| {
            std::ptr::eq(d.def.def, first.def.def)
                && d.plates == first.plates
                // Functions and nets may differ.
                && !d.args.iter().any(|a| matches!(a.1, Val::Fn(_) | Val::Net(_) | Val::Builtin(_) | Val::Partial(_)))
                && d.args.iter().zip(&first.args).all(|(a, b)| {
                    matches!(a.1, Val::Missing) == matches!(b.1, Val::Missing)
                })
        };
        if !all.iter().all(alike) {
            return Ok(Val::list(items.to_vec()));
        }
        let mut args = Vec::new();
        for (i, (name, v)) in first.args.iter().enumerate() {
            let column: Vec<Val> = all.iter().map(|d| d.args[i].1.clone()).collect();
            let v = match v {
                Val::Missing => v.clone(),
                // The leading axis belongs to the distribution around.
                Val::Dist(_) => match self.stack_vals(&column, span)? {
                    Val::Dist(inner) => {
                        let mut inner = (*inner).clone();
                        inner.plates.remove(0);
                        Val::Dist(Rc::new(inner))
                    }
                    _ => return Ok(Val::list(items.to_vec())),
                },
                _ => self.stack_vals(&column, span)?,
            };
            args.push((name.clone(), v));
        }
        let mut plates = first.plates.clone();
        plates.insert(0, all.len());
        Ok(Val::Dist(Rc::new(DistVal {
            def: first.def.clone(),
            args,
            plates,
            single: first.single,
        })))
    }

    /// One call of a member for each lane of a plate: sums add up, the rest is stacked.
    fn member_of_lanes(
        &mut self,
        d: &Rc<DistVal>,
        n: usize,
        name: &str,
        args: Vec<super::call::Given>,
        span: Span,
    ) -> R<Val> {
        let own = Val::Dist(d.clone());
        let mut given = Vec::new();
        for (_, v) in &args {
            given.push(self.force_leaves(v, span)?);
        }
        // Numbers and distributions without lanes are the same for all.
        let is_laned = |s: &Self, v: &Val| match v {
            Val::Dist(q) => !q.plates.is_empty(),
            v => leaves(v).iter().all(|t| s.ctx.graph.ty(*t).rank() > 0),
        };
        let laned: Vec<bool> = given.iter().map(|v| is_laned(self, v)).collect();
        let mut columns: Vec<Value> = leaves(&own);
        for (v, _) in given.iter().zip(&laned).filter(|(_, l)| **l) {
            columns.extend(leaves(v));
        }
        let source = if columns.is_empty() {
            Val::tuple(vec![Val::Range(0, n as i64)])
        } else {
            Val::tuple(columns.into_iter().map(Val::Tensor).collect())
        };
        let names: Vec<Option<Rc<str>>> = args.iter().map(|a| a.0.clone()).collect();
        let stacked = self.over_lanes(&source, span, span, &mut |s, lane| {
            let Val::Tuple(items) = lane else {
                return Ok(Val::Unit);
            };
            let mut items = items.iter();
            let mut take = |v: &Val| {
                let v = map_leaves(v, &mut |t| match items.next() {
                    Some(Val::Tensor(lane)) => *lane,
                    _ => t,
                });
                match v {
                    Val::Dist(d) => {
                        let mut d = (*d).clone();
                        d.plates.remove(0);
                        Val::Dist(Rc::new(d))
                    }
                    v => v,
                }
            };
            let Val::Dist(dist) = take(&own) else {
                return Ok(Val::Unit);
            };
            let call_args = names
                .iter()
                .zip(given.iter().zip(&laned))
                .map(|(n, (v, l))| (n.clone(), if *l { take(v) } else { v.clone() }))
                .collect();
            s.call_member(&dist, name, call_args, span)
        })?;
        if is_sum(name) {
            self.sum_all(&stacked, span)
        } else {
            Ok(stacked)
        }
    }

    /// A number that is the same for all elements, for each of them.
    fn for_elements(
        &mut self,
        v: &Val,
        shape: Option<Vec<usize>>,
        d: &DistVal,
        span: Span,
    ) -> R<Val> {
        let Some(shape) = shape else {
            return Err(self.shapes_differ(d, span));
        };
        let t = self.force(v, span)?;
        if shape.is_empty() || self.ctx.graph.ty(t).rank() > 0 {
            return Ok(Val::Tensor(t));
        }
        Ok(Val::Tensor(self.splat(t, &shape)))
    }

    /// The points of a distribution of several elements: all combinations of those of one.
    fn points_of_elements(&mut self, v: &Val, shape: &[usize], d: &DistVal, span: Span) -> R<Val> {
        let t = self.force(v, span)?;
        let found = self.ctx.graph.ty(t).shape.clone();
        if shape.is_empty() || found.len() != 1 {
            return Ok(Val::Tensor(t));
        }
        let elements: usize = shape.iter().product();
        let rows = (found[0] as f64).powf(elements as f64);
        if rows * elements as f64 > f64::from(1 << 22) {
            let title = format!(
                "the support of `{}` of {elements} elements has {}^{elements} points",
                d.def.def.name.text, found[0]
            );
            return Err(Box::new(self.err("E0444", title, span).hint(
                "let each element be a site of its own, in a `for`, or take an estimator that does not enumerate",
            )));
        }
        let sizes = Val::list(shape.iter().map(|n| Val::Int(*n as i64)).collect());
        self.library_call("combinations", vec![Val::Tensor(t), sizes], span)
    }

    /// Weak derivatives by single parameters. Those that are declared element by element become one for each element, the others
    /// held at a draw.
    fn weak_derivatives(
        &mut self,
        v: Val,
        shape: &[usize],
        d: &Rc<DistVal>,
        span: Span,
    ) -> R<Val> {
        let wrong = |s: &Self| {
            let title = format!(
                "`mvd` of `{}` gives no list of `(theta, c, plus, minus)`",
                d.def.def.name.text
            );
            Box::new(s.err("E0445", title, span))
        };
        let Val::List(entries) = &v else {
            return Err(wrong(self));
        };
        let mut draw = None;
        let mut out = Vec::new();
        for entry in entries.iter() {
            let Val::Tuple(parts) = entry else {
                return Err(wrong(self));
            };
            let [theta, c, plus, minus] = parts.as_slice() else {
                return Err(wrong(self));
            };
            let (t, w) = (self.force(theta, span)?, self.force(c, span)?);
            let rank = |s: &Self, t: Value| s.ctx.graph.ty(t).rank();
            if rank(self, t) == 0 && rank(self, w) == 0 && shape.is_empty() {
                out.push(entry.clone());
                continue;
            }
            if draw.is_none() {
                draw = Some(self.call_member(d, "sample", vec![], span)?);
            }
            let x = draw.clone().unwrap_or(Val::Unit);
            let args = vec![theta.clone(), c.clone(), plus.clone(), minus.clone(), x];
            match self.library_call("by_element", args, span)? {
                Val::List(items) => out.extend(items.iter().cloned()),
                _ => return Err(wrong(self)),
            }
        }
        Ok(Val::list(out))
    }

    /// Calls a function of `std.elements`, which says in the language what members of several elements are.
    fn library_call(&mut self, name: &str, args: Vec<Val>, span: Span) -> R<Val> {
        let f = self.elements_function(name, span)?;
        self.apply(&f, args.into_iter().map(|v| (None, v)).collect(), span)
    }
}
