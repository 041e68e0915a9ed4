//! Distributions, models and their handlers, `expect` and its sites.

use super::expect::Factor;
use super::leaves::{leaves, map_leaves};
use super::session::{R, Session, rc};
use super::value::{DistVal, Env, EstimatorVal, ModelVal, Val};
use crate::ir::{Attr, DType, Value};
use crate::ops::{self};
use mlc_grammar::ast::{self, Expr};
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
    /// What sites in loops make of the rest.
    pub factors: Vec<Factor>,
    /// Sites in loops whose values are known to be used discontinuously.
    pub rough: Vec<Span>,
    /// Loops open where it stands.
    pub loops: usize,
}

/// A site of an `expect`, until the estimate pass removes it.
#[derive(Clone)]
pub struct Site {
    pub name: Rc<str>,
    /// The `site` node; its operands are the tensors among the distribution's arguments.
    pub node: Value,
    pub dist: Rc<DistVal>,
    /// Extents of the plates the site is in, outermost first.
    pub plates: Vec<usize>,
    pub via: Option<(Rc<EstimatorVal>, bool)>,
    pub span: Span,
    pub key: u64,
}

impl Session {
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
    pub(super) fn opaque(&mut self, v: &Val, span: Span) -> R<Val> {
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
