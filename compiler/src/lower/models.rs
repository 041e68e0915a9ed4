//! Models and the handlers they run under; the sites of models and of `expect`.
//!
//! A model is a block with sites, or a pair of functions that draw and score (`generative`). Either runs for a trace: drawn, or
//! given in part or whole.

use super::expect::Factor;
use super::leaves::{leaves, map_leaves};
use super::session::{R, Session, rc};
use super::value::{DistVal, Env, EstimatorVal, ModelCode, ModelDef, ModelVal, Val};
use crate::ir::{Attr, DType, Value};
use crate::ops::{self};
use mlc_grammar::ast::{self, Expr};
use mlc_grammar::diag::Report;
use mlc_grammar::span::Span;
use std::collections::HashSet;
use std::rc::Rc;

mod addresses;
mod branches;
mod chains;
mod covers;
mod forms;
mod functions;
mod items;
mod sums;

pub(super) use addresses::{drop_fields, look, merge, only, place};
pub(super) use covers::Origin;
pub(super) use forms::SiteForm;
pub(super) use sums::Summed;

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
    how: How,
    /// Names of `given` and of `how.sums` that were met.
    met: HashSet<Rc<str>>,
}

/// What a run of a model is for, besides its trace.
#[derive(Clone, Default)]
struct How {
    /// The address of the model below the one that was asked for, with a dot behind it.
    path: String,
    /// Addresses of sites to be summed over, in this model.
    sums: Vec<Vec<Rc<str>>>,
    /// Where a description of each site is wanted: those so far.
    forms: Option<Vec<SiteForm>>,
}

/// A `for` or `scan` whose body runs.
pub struct Plate {
    /// Entries of a value that is given for all lanes.
    pub lanes: usize,
    pub lane: Lane,
    /// Stand-ins made inside the body, and what holds their lanes.
    pub values: Vec<(Value, Value)>,
}

/// Which lane of a plate a body runs for.
#[derive(Clone, Copy)]
pub enum Lane {
    /// All, by stand-ins.
    All,
    /// All but the first.
    Rest,
    /// One.
    One(usize),
}

impl Plate {
    pub fn new(lanes: usize, lane: Lane) -> Self {
        Self {
            lanes,
            lane,
            values: Vec::new(),
        }
    }
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
        let given = at.and_then(|h| self.given_value(h, site));
        let summed = given.is_none() && at.is_some_and(|h| self.is_summed(h, site));
        let v = if let (true, Some(h)) = (summed, at) {
            self.handlers[h].met.insert(site.clone());
            self.new_summed(h, site, d, span)?
        } else if let Some(v) = &given {
            if let Val::Record(_) = v {
                let path = self.site_path(at, site);
                let title = format!("`{path}` is given a record, and is a site with one value");
                return Err(Box::new(self.err("E0459", title, span)));
            }
            self.plate_lane(site, v, at, span)?
        } else if let Some(trace) = at.and_then(|h| self.handlers[h].scored.clone()) {
            let Some(v) = trace.field(site) else {
                return Err(self.missing_address(site, at, trace, span));
            };
            let path = self.site_path(at, site);
            self.check_covers(&path, &v, d, span)?;
            self.plate_lane(site, &v, at, span)?
        } else {
            // Where only the forms of sites are asked for, what cannot be drawn may say where it starts.
            let shown = at.is_some_and(|h| self.handlers[h].how.forms.is_some())
                && !Self::has_member(d, "sample")
                && !Self::has_member(d, "transform")
                && Self::has_member(d, "start");
            let v = if shown {
                let v = self.call_member(d, "start", vec![], span)?;
                Val::Tensor(self.force(&v, span)?)
            } else if self.expects.is_empty() {
                let key = self.frame().next_key(site);
                self.with_frame_key(site, span, key, |s| {
                    s.call_member(d, "sample", vec![], span)
                })?
            } else {
                self.new_site(site, d, via, span)?
            };
            self.note_origin(&v, d, span);
            v
        };
        if let Some(h) = at {
            self.note_form(h, site, d, span)?;
            let key = self.frame().next_key("logpdf");
            let lp = self
                .with_frame_key("logpdf", Span::default(), key, |s| {
                    s.call_member(d, "logpdf", vec![(None, v.clone())], dist_span)
                })
                .map_err(|r| Box::new(r.note(format!("while scoring the site `{site}`"))))?;
            let lp = self.force(&lp, dist_span)?;
            self.handlers[h].log_weights.push(lp);
            // A conditioned site is part of the model, not of what it draws.
            if given.is_none() && !summed {
                self.handlers[h].trace.push((site.clone(), v.clone()));
            }
        }
        Ok(v)
    }

    /// What `given` says of a site, which counts as met.
    fn given_value(&mut self, handler: usize, site: &Rc<str>) -> Option<Val> {
        let h = &mut self.handlers[handler];
        let (_, v) = h.given.iter().find(|g| g.0 == *site)?;
        h.met.insert(site.clone());
        Some(v.clone())
    }

    /// A site's address from the model that was asked for.
    fn site_path(&self, handler: Option<usize>, site: &str) -> String {
        let path = handler.map_or("", |h| &self.handlers[h].how.path);
        format!("{path}{site}")
    }

    /// This lane's part of a value that is given for all lanes of the plates around a site.
    fn plate_lane(&mut self, site: &str, v: &Val, handler: Option<usize>, span: Span) -> R<Val> {
        let mut v = self.force_leaves(v, span)?;
        let first = handler.map_or(0, |h| self.handlers[h].plates);
        for plate in first..self.plates.len() {
            let (n, lane) = (self.plates[plate].lanes, self.plates[plate].lane);
            for t in leaves(&v) {
                let ty = self.ctx.graph.ty(t);
                if ty.shape.first() != Some(&n) {
                    let path = self.site_path(handler, site);
                    let title = format!(
                        "the plate around `{path}` has {n} lanes, and its value is a `{ty}`"
                    );
                    return Err(Box::new(
                        self.err("E0415", title, span)
                            .hint("a value for a site in a plate has one entry for each lane"),
                    ));
                }
            }
            let mut failed = None;
            v = map_leaves(&v, &mut |t| {
                let ty = self.ctx.graph.ty(t).clone();
                let rest = ty.shape[1..].to_vec();
                if let Lane::One(i) = lane {
                    return match self.slice_axis(t, 0, i, i + 1, 1, span) {
                        Ok(row) => self.ctx.graph.reshape(row, rest),
                        Err(r) => {
                            failed.get_or_insert(r);
                            t
                        }
                    };
                }
                let full = match lane {
                    Lane::Rest => match self.slice_axis(t, 0, 1, n, 1, span) {
                        Ok(rows) => rows,
                        Err(r) => {
                            failed.get_or_insert(r);
                            t
                        }
                    },
                    _ => t,
                };
                let lane = self.ctx.lane(crate::ir::Type::new(ty.dtype, rest));
                self.plates[plate].values.push((lane, full));
                lane
            });
            if let Some(r) = failed {
                return Err(r);
            }
        }
        Ok(v)
    }

    fn missing_address(
        &self,
        site: &str,
        handler: Option<usize>,
        trace: Val,
        span: Span,
    ) -> Box<Report> {
        let known: Vec<String> = match &trace {
            Val::Record(f) => f.iter().map(|f| f.0.to_string()).collect(),
            _ => vec![],
        };
        let path = self.site_path(handler, site);
        let given = path
            .rsplit('.')
            .fold("..".to_string(), |inner, name| match inner.as_str() {
                ".." => format!("{{{name}: ..}}"),
                _ => format!("{{{name}: {inner}}}"),
            });
        let mut r = self.err_at(
            "E0410",
            format!("the trace has no value for the site `{path}`"),
            span,
            "this site is scored",
        );
        r = match super::resolve::nearest(site, &known) {
            Some(near) => r.hint(format!(
                "the guide draws `{near}`: use the same name on both sides"
            )),
            None if known.is_empty() => r.hint(format!(
                "draw `{path}` in the guide, or condition on it: `given {given}`"
            )),
            None => r.hint(format!(
                "the guide draws {}; draw `{site}` too, or condition on it: `given {given}`",
                super::resolve::listed(&known)
            )),
        };
        Box::new(r)
    }

    fn eval_submodel(&mut self, site: &Rc<str>, m: &Rc<ModelVal>, span: Span) -> R<Val> {
        let at = self.handlers.iter().rposition(|h| h.open);
        let mut m = m.clone();
        let mut given = false;
        let mut how = How {
            path: format!("{}.", self.site_path(at, site)),
            ..How::default()
        };
        let mut scored = None;
        if let Some(h) = at {
            match self.given_value(h, site) {
                Some(Val::Record(fields)) => {
                    given = true;
                    let all = Val::Record(fields);
                    let Val::Record(fields) = self.plate_lane(site, &all, at, span)? else {
                        return Err(self.follows(span));
                    };
                    m = Rc::new(m.conditioned(&fields));
                }
                Some(other) => {
                    let path = self.site_path(at, site);
                    let title = format!("`{path}` is a model, and is given {}", other.kind());
                    return Err(Box::new(self.err("E0459", title, span).hint(format!(
                        "give values to its sites by name: `{{{site}: {{x: ..}}}}`"
                    ))));
                }
                None => {}
            }
            how.sums = self.handlers[h]
                .how
                .sums
                .iter()
                .filter(|a| a.len() > 1 && a[0] == *site)
                .map(|a| a[1..].to_vec())
                .collect();
            if !how.sums.is_empty() {
                self.handlers[h].met.insert(site.clone());
            }
            how.forms = self.handlers[h].how.forms.is_some().then(Vec::new);
            if let Some(trace) = self.handlers[h].scored.clone() {
                let part = match trace.field(site) {
                    Some(v) => v,
                    // A model without open sites draws nothing.
                    None if given || !how.sums.is_empty() => Val::record(vec![]),
                    None => return Err(self.missing_address(site, at, trace, span)),
                };
                scored = Some(self.plate_lane(site, &part, at, span)?);
            }
        }
        let closes = given || !how.sums.is_empty();
        let run = self.run_model(&m, scored, how, span)?;
        if let Some(h) = at {
            let empty = matches!(&run.trace, Val::Record(f) if f.is_empty());
            if !(closes && empty) {
                self.handlers[h].trace.push((site.clone(), run.trace));
            }
            self.handlers[h].log_weights.extend(run.log_weights);
            if let (Some(mine), Some(more)) = (&mut self.handlers[h].how.forms, run.forms) {
                mine.extend(more.into_iter().map(|f| f.under(site)));
            }
        }
        Ok(run.value)
    }

    /// Runs a model: its value, its trace and the terms of the trace's log density.
    fn run_model(&mut self, m: &Rc<ModelVal>, scored: Option<Val>, how: How, span: Span) -> R<Run> {
        match &m.code {
            ModelCode::Block(def, env) => self.run_block(m, &def.clone(), env, scored, how, span),
            ModelCode::Functions(g) => self.run_functions(m, &g.clone(), scored, how, span),
        }
    }

    fn run_block(
        &mut self,
        m: &Rc<ModelVal>,
        def: &Rc<ModelDef>,
        env: &Env,
        scored: Option<Val>,
        how: How,
        span: Span,
    ) -> R<Run> {
        let expected = scored.clone();
        let plates = self.plates.len();
        let summed = self.summed.len();
        let top = how.path.is_empty();
        self.handlers.push(Handler {
            plates,
            trace: vec![],
            log_weights: vec![],
            given: m.given.clone(),
            scored,
            open: true,
            how,
            met: HashSet::new(),
        });
        let name = def.name.clone();
        let marks = self.site_marks();
        let marks: Vec<(usize, usize)> = marks[..marks.len() - 1]
            .iter()
            .copied()
            .chain([(0, 0)])
            .collect();
        let mut result = self.in_frame(&name, span, |s| s.eval_block(def.body, env));
        // Sites of a model within a model may still be used outside it.
        if top {
            result = result.and_then(|v| self.close_sums(summed, &marks, v, span));
        }
        let mut h = self.handlers.pop().expect("pushed above");
        let value = result?;
        for (n, _) in &m.given {
            if !h.met.contains(n) {
                let path = format!("{}{n}", h.how.path);
                let title = format!("`given` names `{path}`, which is no site of `{name}`");
                return Err(Box::new(self.err("E0411", title, m.span)));
            }
        }
        for a in &h.how.sums {
            if !h.met.contains(&a[0]) {
                let path = format!("{}{}", h.how.path, a.join("."));
                let title = format!("`.{path}` is to be summed, and is no open site of `{name}`");
                return Err(Box::new(self.err("E0463", title, m.span)));
            }
        }
        if let Some(Val::Record(fields)) = expected {
            for (n, _) in fields.iter() {
                if !h.trace.iter().any(|t| t.0 == *n) {
                    let path = format!("{}{n}", h.how.path);
                    let title =
                        format!("the trace has `{path}`, which is no open site of `{name}`");
                    return Err(Box::new(self.err("E0412", title, span).hint(format!(
                        "remove `{n}` from the guide, or give the model a site of that name"
                    ))));
                }
            }
        }
        Ok(Run {
            value,
            trace: Val::record(h.trace),
            log_weights: h.log_weights,
            forms: h.how.forms.take(),
        })
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
                let run = self.run_model(m, None, How::default(), span)?;
                let lp = self.total(&run.log_weights);
                Ok(Val::tuple(vec![run.trace, lp]))
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

    /// `logdensity(m, trace)`; with `sum:` the sites at these addresses are summed over.
    pub(super) fn score_model(
        &mut self,
        m: &Val,
        trace: &Val,
        sums: Vec<Vec<Rc<str>>>,
        span: Span,
    ) -> R<Val> {
        match (m, trace) {
            (Val::Model(m), Val::Record(_)) => {
                let how = How {
                    sums,
                    ..How::default()
                };
                let run = self.run_model(m, Some(trace.clone()), how, span)?;
                Ok(self.total(&run.log_weights))
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
                let fields = fields.clone();
                Ok(Val::Model(Rc::new(m.conditioned(&fields))))
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

/// What a run of a model gives.
struct Run {
    value: Val,
    trace: Val,
    log_weights: Vec<Value>,
    forms: Option<Vec<SiteForm>>,
}

impl ModelVal {
    /// The model with more of its sites observed; of nested records, those inside.
    fn conditioned(&self, fields: &[(Rc<str>, Val)]) -> ModelVal {
        let mut m = self.clone();
        for (n, v) in fields {
            match m.given.iter_mut().find(|g| g.0 == *n) {
                Some(old) => old.1 = addresses::overlaid(&old.1, v),
                None => m.given.push((n.clone(), v.clone())),
            }
        }
        m
    }
}
