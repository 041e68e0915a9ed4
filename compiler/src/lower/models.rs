//! Distributions, models and their handlers, `expect` and its sites.

use super::eval::mix;
use super::leaves::{leaves, map_leaves};
use super::session::{R, Session, rc};
use super::value::{Continuation, DistVal, Env, EstimatorVal, ModelVal, Scoped, Val};
use crate::ir::{Attr, DType, Value};
use crate::ops::{self, Ad, Batch, Kernel, Scalar};
use crate::transform::substitute::substitute;
use mlc_grammar::ast::{self, Body, Expr, ExprKind};
use mlc_grammar::diag::Report;
use mlc_grammar::span::Span;
use std::rc::Rc;

/// A model being run. Where `scored` holds a trace, sites take their values from it; otherwise they are drawn.
pub struct Handler {
    pub trace: Vec<(Rc<str>, Val)>,
    /// Scalars whose sum is the log density of the trace.
    pub log_weights: Vec<Value>,
    given: Vec<(Rc<str>, Val)>,
    scored: Option<Val>,
    /// Is the model's own body running (and not, say, an expression of its caller)?
    pub open: bool,
    /// Plates open where the model was called: those inside are the model's own.
    plates: usize,
}

/// A `for` whose body runs for a stand-in lane.
pub struct Plate {
    pub lanes: usize,
    /// Stand-ins made inside the body, and what holds their lanes.
    pub values: Vec<(Value, Value)>,
}

/// An `expect` being evaluated.
#[derive(Default)]
pub struct ExpectFrame {
    pub sites: Vec<Site>,
}

/// A site of an `expect`, until the estimate pass removes it.
#[derive(Clone)]
pub struct Site {
    pub name: Rc<str>,
    /// The `site` node; its operands are the tensors among the distribution's arguments.
    pub node: Value,
    dist: Rc<DistVal>,
    /// Extents of the plates the site is in, outermost first.
    pub plates: Vec<usize>,
    via: Option<(Rc<EstimatorVal>, bool)>,
    span: Span,
    key: u64,
}

impl Session {
    /// A distribution from its arguments, each within its support as far as that is known at compile time.
    pub(super) fn make_dist(
        &mut self,
        def: Rc<Scoped<ast::Dist>>,
        args: Vec<(Rc<str>, Val)>,
        span: Span,
    ) -> R<Val> {
        let mut settled = Vec::new();
        for (n, v) in args {
            let v = match v {
                Val::Slot(_) | Val::Log(..) | Val::List(_) => Val::Tensor(self.force(&v, span)?),
                v => v,
            };
            settled.push((n, v));
        }
        for (formal, (_, v)) in def.def.args.iter().zip(&settled) {
            let Some(support) = &formal.support else {
                continue;
            };
            let name = self.sources.text(support.span).to_string();
            let x = match v {
                Val::Int(i) => *i as f64,
                Val::Real(x) => *x,
                _ => continue,
            };
            let fine = match name.as_str() {
                "positive" => x > 0.0,
                "unit" => (0.0..=1.0).contains(&x),
                _ => true,
            };
            if !fine {
                let title = format!(
                    "`{}` of `{}` must be {}, and is {x}",
                    formal.name.text,
                    def.def.name.text,
                    super::resolve::support_words(&name)
                );
                return Err(Box::new(
                    self.err("E0401", title, span)
                        .label(formal.name.span, "declared here"),
                ));
            }
        }
        Ok(Val::Dist(Rc::new(DistVal {
            def,
            args: settled,
            plates: vec![],
        })))
    }

    fn has_member(d: &DistVal, name: &str) -> bool {
        d.def.def.members.iter().any(|m| m.name.text == name)
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
            // One member call per lane of the plate: log densities add up, the rest is stacked.
            let mut columns: Vec<Val> = d.args.iter().map(|(_, v)| v.clone()).collect();
            let n_args = columns.len();
            for (_, v) in &args {
                columns.push(self.force_leaves(v, span)?);
            }
            let inner = DistVal {
                plates: d.plates[1..].to_vec(),
                ..(**d).clone()
            };
            let lanes: Vec<Val> = columns
                .iter()
                .map(|v| {
                    if leaves(v).is_empty() {
                        Val::Unit
                    } else {
                        v.clone()
                    }
                })
                .filter(|v| !matches!(v, Val::Unit))
                .collect();
            let source = if lanes.is_empty() {
                Val::tuple(vec![Val::Range(0, n as i64)])
            } else {
                Val::tuple(lanes)
            };
            let names: Vec<Option<Rc<str>>> = args.iter().map(|a| a.0.clone()).collect();
            let stacked = self.over_lanes(&source, span, span, &mut |s, lane| {
                let Val::Tuple(items) = lane else {
                    return Ok(Val::Unit);
                };
                let mut items = items.iter();
                let mut take = |v: &Val| {
                    if leaves(v).is_empty() {
                        v.clone()
                    } else {
                        items.next().cloned().unwrap_or(Val::Unit)
                    }
                };
                let dist_args = d.args.iter().map(|(n, v)| (n.clone(), take(v))).collect();
                let call_args = names
                    .iter()
                    .zip(&columns[n_args..])
                    .map(|(n, v)| (n.clone(), take(v)))
                    .collect();
                let lane_dist = Rc::new(DistVal {
                    args: dist_args,
                    ..inner.clone()
                });
                s.call_member(&lane_dist, name, call_args, span)
            })?;
            return if name == "logpdf" {
                self.sum_all(&stacked, span)
            } else {
                Ok(stacked)
            };
        }
        if let Some(m) = d.def.def.members.iter().find(|m| m.name.text == name) {
            let env = d.def.env.child();
            for (n, v) in &d.args {
                env.bind(n, v.clone());
            }
            env.bind("self", Val::Dist(d.clone()));
            let label = format!("{}.{name}", d.def.def.name.text);
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
            .collect();
        known.push("sample".into());
        Err(Box::new(
            self.err("E0402", format!("`{dist}` declares no `{name}`"), span)
                .label(d.def.def.name.span, "declared here")
                .hint(format!("it has {}", super::resolve::listed(&known))),
        ))
    }

    /// The sum of all elements: a site's log density.
    pub(super) fn sum_all(&mut self, v: &Val, span: Span) -> R<Val> {
        let t = self.force(v, span)?;
        let rank = self.ctx.graph.ty(t).rank();
        if rank == 0 {
            return Ok(Val::Tensor(t));
        }
        Ok(Val::Tensor(self.op(
            &ops::SUM,
            Attr::Axes((0..rank).collect()),
            &[t],
            span,
        )?))
    }

    /// Marks a plain draw: a derivative that reaches its parameters is refused.
    fn opaque(&mut self, v: &Val, span: Span) -> R<Val> {
        let v = self.force_leaves(v, span)?;
        Ok(map_leaves(&v, &mut |t| {
            if self.ctx.graph.ty(t).dtype.is_real() {
                self.ctx.graph.add(&ops::OPAQUE, Attr::None, &[t])
            } else {
                t
            }
        }))
    }

    /// `z ~ d via e`
    pub(super) fn eval_site(
        &mut self,
        name: &'static ast::Name,
        dist: &'static Expr,
        via: Option<&'static ast::Via>,
        env: &Env,
    ) -> R<Val> {
        let open = self.handlers.last().is_some_and(|h| h.open);
        if !open && self.expects.is_empty() {
            return Err(Box::new(
                self.err(
                    "E0403",
                    "`~` stands only in a model or an `expect`",
                    name.span,
                )
                .hint("elsewhere, write `d.sample()` for a draw"),
            ));
        }
        let value = self.eval(dist, env)?;
        let site = rc(&name.text);
        if open
            && self
                .handlers
                .last()
                .is_some_and(|h| h.trace.iter().any(|t| t.0 == site))
        {
            let title = format!("the address `{}` is used twice", name.text);
            return Err(Box::new(self.err("E0406", title, name.span)));
        }
        let v = match &value {
            Val::Model(m) => self.eval_submodel(&site, m, name.span)?,
            Val::Dist(d) => {
                let strategy = match via {
                    Some(v) => match self.eval(&v.value, env)? {
                        Val::Estimator(e) => Some((e, v.biased)),
                        other => {
                            let title = format!("`via` takes an estimator, not {}", other.kind());
                            return Err(Box::new(self.err("E0407", title, v.value.span)));
                        }
                    },
                    None => None,
                };
                self.eval_dist_site(&site, d, strategy, name.span, dist.span)?
            }
            other => {
                let title = format!(
                    "`~` draws from a distribution or a model, not {}",
                    other.kind()
                );
                return Err(Box::new(self.err("E0404", title, dist.span)));
            }
        };
        env.bind(&name.text, v.clone());
        Ok(v)
    }

    fn eval_dist_site(
        &mut self,
        site: &Rc<str>,
        d: &Rc<DistVal>,
        via: Option<(Rc<EstimatorVal>, bool)>,
        span: Span,
        dist_span: Span,
    ) -> R<Val> {
        let at = self.handlers.iter().rposition(|h| h.open);
        let fixed = match at {
            Some(h) => {
                let h = &self.handlers[h];
                match h.given.iter().find(|g| g.0 == *site) {
                    Some((_, v)) => Some(v.clone()),
                    None => match &h.scored {
                        Some(trace) => match trace.field(site) {
                            Some(v) => Some(v),
                            None => return Err(self.missing_address(site, trace.clone(), span)),
                        },
                        None => None,
                    },
                }
            }
            None => None,
        };
        let v = match &fixed {
            Some(v) => self.plate_lane(site, v, at, span)?,
            None if !self.expects.is_empty() => self.new_site(site, d, via, span)?,
            None => {
                let key = self.frame().next_key(site);
                self.with_frame_key(site, span, key, |s| {
                    s.call_member(d, "sample", vec![], span)
                })?
            }
        };
        if let Some(h) = at {
            let key = self.frame().next_key("logpdf");
            let lp = self
                .with_frame_key("logpdf", Span::default(), key, |s| {
                    s.call_member(d, "logpdf", vec![(None, v.clone())], dist_span)
                })
                .map_err(|r| Box::new(r.note(format!("while scoring the site `{site}`"))))?;
            let lp = self.force(&lp, dist_span)?;
            self.handlers[h].log_weights.push(lp);
            // A conditioned site is part of the model, not of what it draws.
            if !self.handlers[h].given.iter().any(|g| g.0 == *site) {
                self.handlers[h].trace.push((site.clone(), v.clone()));
            }
        }
        Ok(v)
    }

    /// This lane's part of a value that is given for all lanes of the plates around a site.
    fn plate_lane(&mut self, site: &str, v: &Val, handler: Option<usize>, span: Span) -> R<Val> {
        let mut v = self.force_leaves(v, span)?;
        let first = handler.map_or(0, |h| self.handlers[h].plates);
        for plate in first..self.plates.len() {
            let n = self.plates[plate].lanes;
            for t in leaves(&v) {
                let ty = self.ctx.graph.ty(t);
                if ty.shape.first() != Some(&n) {
                    let title = format!(
                        "the plate around `{site}` has {n} lanes, and its value is a `{ty}`"
                    );
                    return Err(Box::new(
                        self.err("E0415", title, span)
                            .hint("a value for a site in a plate has one entry for each lane"),
                    ));
                }
            }
            v = map_leaves(&v, &mut |t| {
                let ty = self.ctx.graph.ty(t).clone();
                let lane = self
                    .ctx
                    .lane(crate::ir::Type::new(ty.dtype, ty.shape[1..].to_vec()));
                self.plates[plate].values.push((lane, t));
                lane
            });
        }
        Ok(v)
    }

    fn missing_address(&self, site: &str, trace: Val, span: Span) -> Box<Report> {
        let known: Vec<String> = match &trace {
            Val::Record(f) => f.iter().map(|f| f.0.to_string()).collect(),
            _ => vec![],
        };
        let mut r = self.err_at(
            "E0410",
            format!("the trace has no value for the site `{site}`"),
            span,
            "this site is scored",
        );
        r = match super::resolve::nearest(site, &known) {
            Some(near) => r.hint(format!(
                "the guide draws `{near}`: use the same name on both sides"
            )),
            None if known.is_empty() => r.hint(format!(
                "draw `{site}` in the guide, or condition on it: `given {{{site}: ..}}`"
            )),
            None => r.hint(format!(
                "the guide draws {}; draw `{site}` too, or condition on it: `given {{{site}: ..}}`",
                super::resolve::listed(&known)
            )),
        };
        Box::new(r)
    }

    fn eval_submodel(&mut self, site: &Rc<str>, m: &Rc<ModelVal>, span: Span) -> R<Val> {
        let at = self.handlers.iter().rposition(|h| h.open);
        let scored = match at.and_then(|h| self.handlers[h].scored.clone()) {
            Some(t) => match t.field(site) {
                Some(v) => Some(v),
                None => return Err(self.missing_address(site, t, span)),
            },
            None => None,
        };
        let (value, trace, weights) = self.run_model(m, scored, span)?;
        if let Some(h) = at {
            self.handlers[h].trace.push((site.clone(), trace));
            self.handlers[h].log_weights.extend(weights);
        }
        Ok(value)
    }

    /// Runs a model: its value, its trace and the terms of the trace's log density.
    fn run_model(
        &mut self,
        m: &Rc<ModelVal>,
        scored: Option<Val>,
        span: Span,
    ) -> R<(Val, Val, Vec<Value>)> {
        let expected = scored.clone();
        let plates = self.plates.len();
        self.handlers.push(Handler {
            plates,
            trace: vec![],
            log_weights: vec![],
            given: m.given.clone(),
            scored,
            open: true,
        });
        let name = m.def.name.clone();
        let result = self.in_frame(&name, span, |s| s.eval_block(m.def.body, &m.env));
        let h = self.handlers.pop().expect("pushed above");
        let value = result?;
        for (n, _) in &m.given {
            let used = m.def.body.stmts.iter().any(|s| mentions_site(s, n));
            if !used {
                let title = format!("`given` names `{n}`, which is no site of `{name}`");
                return Err(Box::new(self.err("E0411", title, m.span)));
            }
        }
        if let Some(Val::Record(fields)) = expected {
            for (n, _) in fields.iter() {
                if !h.trace.iter().any(|t| t.0 == *n) {
                    let title = format!("the trace has `{n}`, which is no open site of `{name}`");
                    return Err(Box::new(self.err("E0412", title, span).hint(format!(
                        "remove `{n}` from the guide, or give the model a site of that name"
                    ))));
                }
            }
        }
        Ok((value, Val::record(h.trace), h.log_weights))
    }

    fn total(&mut self, weights: &[Value]) -> Val {
        let mut sum: Option<Value> = None;
        for &w in weights {
            sum = Some(match sum {
                Some(s) => self.ctx.graph.add(&ops::ADD, Attr::None, &[s, w]),
                None => w,
            });
        }
        sum.map_or(Val::Real(0.0), Val::Tensor)
    }

    /// `sample(m)`: (trace, log density)
    pub(super) fn sample_model(&mut self, m: &Val, span: Span) -> R<Val> {
        match m {
            Val::Model(m) => {
                let (_, trace, weights) = self.run_model(m, None, span)?;
                let lp = self.total(&weights);
                Ok(Val::tuple(vec![trace, lp]))
            }
            other => {
                let title = format!("`sample` takes a model, not {}", other.kind());
                let mut r = self.err("E0404", title, span);
                if matches!(other, Val::Dist(_)) {
                    r = r.hint("for a distribution, write `d.sample()`");
                }
                Err(Box::new(r))
            }
        }
    }

    /// `logdensity(m, trace)`
    pub(super) fn score_model(&mut self, m: &Val, trace: &Val, span: Span) -> R<Val> {
        match (m, trace) {
            (Val::Model(m), Val::Record(_)) => {
                let (_, _, weights) = self.run_model(m, Some(trace.clone()), span)?;
                Ok(self.total(&weights))
            }
            (Val::Model(_), other) => {
                let title = format!("a trace is a record, not {}", other.kind());
                Err(Box::new(self.err("E0404", title, span)))
            }
            (other, _) => {
                let title = format!("`logdensity` takes a model, not {}", other.kind());
                Err(Box::new(self.err("E0404", title, span)))
            }
        }
    }

    pub(super) fn eval_factor(&mut self, e: &'static Expr, env: &Env) -> R<()> {
        let v = self.eval(e, env)?;
        let w = self.force(&v, e.span)?;
        match self.handlers.iter().rposition(|h| h.open) {
            Some(h) => {
                self.handlers[h].log_weights.push(w);
                Ok(())
            }
            None => Err(Box::new(self.err(
                "E0403",
                "`factor` stands only in a model",
                e.span,
            ))),
        }
    }

    pub(super) fn eval_given(&mut self, m: &'static Expr, r: &'static Expr, env: &Env) -> R<Val> {
        let model = self.eval(m, env)?;
        let values = self.eval(r, env)?;
        match (&model, &values) {
            (Val::Model(m), Val::Record(fields)) => {
                let mut m = (**m).clone();
                for (n, v) in fields.iter() {
                    m.given.retain(|g| g.0 != *n);
                    m.given.push((n.clone(), v.clone()));
                }
                Ok(Val::Model(Rc::new(m)))
            }
            (Val::Model(_), other) => {
                let title = format!("`given` takes a record of values, not {}", other.kind());
                Err(Box::new(self.err("E0404", title, r.span)))
            }
            (other, _) => {
                let title = format!("`given` conditions a model, not {}", other.kind());
                Err(Box::new(self.err("E0404", title, m.span)))
            }
        }
    }

    /// A site of an `expect`: a node that stands for the draw until its estimator is put in.
    fn new_site(
        &mut self,
        site: &Rc<str>,
        d: &Rc<DistVal>,
        via: Option<(Rc<EstimatorVal>, bool)>,
        span: Span,
    ) -> R<Val> {
        let key = self.frame().next_key(site);
        // A draw that nothing uses: it shows the site's type.
        let probe = self.with_frame_key(site, span, mix(key, "probe"), |s| {
            s.call_member(d, "sample", vec![], span)
        })?;
        let probe = self.force(&probe, span)?;
        let ty = self.ctx.graph.ty(probe).clone();
        let operands: Vec<Value> = d.args.iter().flat_map(|(_, v)| leaves(v)).collect();
        self.ctx.fresh += 1;
        let attr = Attr::Site(self.ctx.fresh, ty);
        let node = self.op(&ops::SITE, attr, &operands, span)?;
        let frame = self.expects.last_mut().expect("the caller checked");
        frame.sites.push(Site {
            name: site.clone(),
            node,
            dist: d.clone(),
            plates: vec![],
            via,
            span,
            key,
        });
        Ok(Val::Tensor(node))
    }

    /// `expect { .. }`: runs the block, then removes its sites, last to first, each by its estimator.
    pub(super) fn eval_expect(
        &mut self,
        block: &'static ast::Block,
        env: &Env,
        span: Span,
    ) -> R<Val> {
        self.expects.push(ExpectFrame::default());
        // Sites of the block itself belong to no model that happens to be running.
        let opened: Vec<bool> = self.handlers.iter().map(|h| h.open).collect();
        self.handlers.iter_mut().for_each(|h| h.open = false);
        let result = self.in_frame("expect", Span::default(), |s| s.eval_block(block, env));
        for (h, open) in self.handlers.iter_mut().zip(opened) {
            h.open = open;
        }
        let frame = self.expects.pop().expect("pushed above");
        let mut result = self.force_leaves(&result?, span)?;
        let before = self
            .options
            .record_estimates
            .then(|| self.region_text(&result));
        let mut sites = frame.sites;
        // A site's operands are older than it, so descending ids are "last to first".
        sites.sort_by_key(|s| std::cmp::Reverse(s.node));
        for site in &sites {
            result = self.estimate_site(site, result, span)?;
        }
        if let Some(before) = before {
            let after = self.region_text(&result);
            let place = self.sources.place(span);
            self.estimates
                .push(format!("expect at {place}, before\n{before}after\n{after}"));
        }
        Ok(result)
    }

    fn region_text(&self, result: &Val) -> String {
        let mut g = self.ctx.graph.clone();
        g.outputs = leaves(result)
            .into_iter()
            .map(|v| ("value".to_string(), v))
            .collect();
        crate::ir::print::print(&g)
    }

    /// Puts the site's estimator in the place of the site.
    fn estimate_site(&mut self, site: &Site, result: Val, span: Span) -> R<Val> {
        let operands = self.ctx.graph.operands(site.node);
        let mut next = operands.iter();
        let args = site
            .dist
            .args
            .iter()
            .map(|(n, v)| {
                (
                    n.clone(),
                    map_leaves(v, &mut |t| *next.next().unwrap_or(&t)),
                )
            })
            .collect();
        let mut plates = site.plates.clone();
        plates.extend(&site.dist.plates);
        let dist = Rc::new(DistVal {
            args,
            plates,
            ..(*site.dist).clone()
        });
        let ty = self.ctx.graph.ty(site.node).clone();
        let k = Rc::new(Continuation {
            site: site.node,
            site_type: ty,
            result,
            depth: self.depth,
        });
        let (estimator, marked) = match &site.via {
            Some((e, marked)) => {
                self.check_conditions(site, e, &dist, &k, true)?;
                (e.clone(), *marked)
            }
            None => (self.default_estimator(site, &dist, &k)?, false),
        };
        let def = estimator.def.def;
        if def.biased && !marked {
            let title = format!("`{}` is biased", def.name.text);
            return Err(Box::new(
                self.err("E0408", title, site.span)
                    .hint(format!("say so: `via biased {}`", def.name.text)),
            ));
        }
        let mut args = vec![(None, Val::Dist(dist)), (None, Val::Continuation(k))];
        args.extend(
            estimator
                .args
                .iter()
                .map(|(n, v)| (Some(n.clone()), v.clone())),
        );
        let key = site.key;
        let v = self.with_frame_key(&site.name, site.span, key, |s| {
            s.run_estimator(&estimator, args, span)
        })?;
        self.force_leaves(&v, span)
    }

    pub(super) fn run_estimator(
        &mut self,
        e: &Rc<EstimatorVal>,
        args: Vec<super::call::Given>,
        span: Span,
    ) -> R<Val> {
        let env = e.def.env.child();
        let def = e.def.def;
        self.bind_args(&def.name.text, &def.args, args, &env, span)?;
        // Draws of an estimator are draws, whatever expectation or model is open around it.
        let expects = std::mem::take(&mut self.expects);
        let handlers = std::mem::take(&mut self.handlers);
        let result = self.eval_block(&def.body, &env);
        self.handlers = handlers;
        self.expects = expects;
        result
    }

    /// The first unbiased estimator of the library, in its own order, that is valid at the site and needs no more arguments.
    fn default_estimator(
        &mut self,
        site: &Site,
        d: &Rc<DistVal>,
        k: &Rc<Continuation>,
    ) -> R<Rc<EstimatorVal>> {
        for (name, e) in self.library_estimators(site.span)? {
            let def = e.def.def;
            let complete = def.args.iter().skip(2).all(|a| a.default.is_some());
            if !def.biased && complete && self.check_conditions(site, &e, d, k, false).is_ok() {
                let _ = name;
                return Ok(e);
            }
        }
        Err(Box::new(self.err(
            "E0409",
            format!(
                "no estimator of the library is valid at the site `{}`",
                site.name
            ),
            site.span,
        )
        .hint("give the distribution a `logpdf`, or `noise` and `transform`, or name another estimator with `via`")))
    }

    fn library_estimators(&mut self, span: Span) -> R<Vec<(String, Rc<EstimatorVal>)>> {
        let tree = self.modules[self.estimators].tree;
        let mut out = Vec::new();
        for item in &tree.items {
            if let ast::ItemKind::Estimator(def) = &item.kind
                && let Some(v) = self.item(self.estimators, &def.name.text, span)
                && let Val::Estimator(e) = v?
            {
                out.push((def.name.text.clone(), e));
            }
        }
        Ok(out)
    }

    /// Do the estimator's `where` conditions hold at the site?
    fn check_conditions(
        &mut self,
        site: &Site,
        e: &Rc<EstimatorVal>,
        d: &Rc<DistVal>,
        k: &Rc<Continuation>,
        explain: bool,
    ) -> R<()> {
        let name = &e.def.def.name.text;
        let dist = &d.def.def.name.text;
        for c in &e.def.def.conditions {
            let ExprKind::Call(f, _) = &c.kind else {
                continue;
            };
            let ExprKind::Name(condition) = &f.kind else {
                continue;
            };
            let need: &[&str] = match condition.as_str() {
                "smooth" => {
                    if let Some((op, at)) = self.rough_use(k) {
                        let mut r = self
                            .err_at(
                                "E0420",
                                format!(
                                    "`{name}` at `{}`, whose value is used discontinuously",
                                    site.name
                                ),
                                site.span,
                                "this sample",
                            )
                            .label(at, format!("`{op}` has no derivative here"));
                        if explain {
                            r = self.list_valid(r, site, d, k);
                        }
                        return Err(Box::new(r));
                    }
                    continue;
                }
                "scored" => &["logpdf"],
                "reparameterised" => &["transform", "noise"],
                "finite" => &["support"],
                "measure_valued" => &["mvd"],
                other => {
                    let title = format!("there is no condition `{other}`");
                    return Err(Box::new(self.err("E0413", title, c.span)));
                }
            };
            for member in need {
                if !Self::has_member(d, member) {
                    let title =
                        format!("`{name}` needs `{member}`, which `{dist}` does not declare");
                    let mut r = self.err_at(
                        "E0421",
                        title,
                        site.span,
                        format!("`{}` is drawn here", site.name),
                    );
                    if explain {
                        r = self.list_valid(r, site, d, k);
                    }
                    return Err(Box::new(r));
                }
            }
            if condition == "finite" && !site.plates.is_empty() {
                return Err(self.unsupported("enumeration inside a plate", site.span));
            }
        }
        Ok(())
    }

    fn list_valid(
        &mut self,
        r: Report,
        site: &Site,
        d: &Rc<DistVal>,
        k: &Rc<Continuation>,
    ) -> Report {
        let all = self.library_estimators(site.span).unwrap_or_default();
        let mut valid = Vec::new();
        for (name, e) in all {
            if self.check_conditions(site, &e, d, k, false).is_ok() {
                valid.push(name);
            }
        }
        match valid.len() {
            0 => r,
            _ => r.hint(format!(
                "valid at this site: {}",
                super::resolve::listed(&valid)
            )),
        }
    }

    /// A use of the site's value on the way to the result through which nothing can be differentiated.
    fn rough_use(&self, k: &Continuation) -> Option<(&'static str, Span)> {
        let g = &self.ctx.graph;
        let results = leaves(&k.result);
        let last = results.iter().max()?;
        let mut reached = vec![false; last.0 as usize + 1];
        *reached.get_mut(k.site.0 as usize)? = true;
        let mut rough = None;
        let mut cone = Vec::new();
        for i in k.site.0 + 1..=last.0 {
            let v = Value(i);
            let from: Vec<Value> = g
                .operands(v)
                .into_iter()
                .filter(|o| reached.get(o.0 as usize) == Some(&true))
                .collect();
            if from.is_empty() {
                continue;
            }
            reached[i as usize] = true;
            cone.push((v, from));
        }
        // Only what the result depends on counts.
        let mut used = vec![false; last.0 as usize + 1];
        results.iter().for_each(|r| used[r.0 as usize] = true);
        for (v, _) in cone.iter().rev() {
            if used[v.0 as usize] {
                g.operands(*v)
                    .iter()
                    .for_each(|o| used[o.0 as usize] = true);
            }
        }
        for (v, from) in &cone {
            let node = g.node(*v);
            let through_real = from.iter().any(|o| g.ty(*o).dtype.is_real());
            let stop = node.def.kernel == Kernel::Map(Scalar::Identity);
            if used[v.0 as usize]
                && through_real
                && !stop
                && matches!(node.def.ad, Ad::Zero | Ad::Refused(_))
                && !matches!(node.def.batch, Batch::Custom(_) if node.def.kernel == Kernel::Leaf)
            {
                rough = Some((node.def.name, node.span));
                break;
            }
        }
        rough
    }

    /// `k(x)`: the rest of the `expect` with the site's value replaced.
    pub(super) fn continue_with(&mut self, k: &Rc<Continuation>, x: &Val, span: Span) -> R<Val> {
        let x = match x {
            Val::Int(i) => Val::Real(*i as f64),
            v => v.clone(),
        };
        let mut t = self.force(&x, span)?;
        let have = self.ctx.graph.ty(t).clone();
        if have.rank() == 0 && k.site_type.rank() > 0 {
            t = self.splat(t, &k.site_type.shape.clone());
        }
        let have = self.ctx.graph.ty(t).clone();
        if have != k.site_type {
            let title = format!("the continuation takes a `{}`, not a `{have}`", k.site_type);
            return Err(Box::new(self.err("E0414", title, span)));
        }
        let results = leaves(&k.result);
        // In lanes of a `for` that the estimator opens, what is drawn downstream is drawn anew.
        let rekey = (self.depth > k.depth).then_some(self.frames.last().map_or(0, |f| f.key));
        let new = substitute(&mut self.ctx.graph, &[(k.site, t)], &results, rekey);
        let mut next = new.into_iter();
        Ok(map_leaves(&k.result, &mut |old| next.next().unwrap_or(old)))
    }

    /// A leaf as a real tensor of the pipeline's precision; used by casts.
    pub(super) fn cast(&mut self, x: Value, dtype: DType) -> Value {
        if self.ctx.graph.ty(x).dtype == dtype {
            return x;
        }
        self.ctx.graph.add(&ops::CAST, Attr::DType(dtype), &[x])
    }
}

/// Does the statement, or one inside it, hold a site of this name?
fn mentions_site(stmt: &ast::Stmt, name: &str) -> bool {
    let mut found = false;
    super::resolve::each_stmt(std::slice::from_ref(stmt), &mut |s| {
        if let ast::StmtKind::Site { name: n, .. } = &s.kind {
            found |= n.text == name;
        }
    });
    found
}
