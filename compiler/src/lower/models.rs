//! Models and the handlers they run under; the sites of models and of `expect`.
//!
//! A model is a block with sites, or a pair of functions that draw and score (`generative`). Either runs for a trace: drawn, or
//! given in part or whole.

use super::expect::Factor;
use super::leaves::map_leaves;
use super::session::{R, Session, rc};
use super::value::{DistVal, Env, EstimatorVal, ModelVal, Val};
use crate::ir::{Attr, DType, Value};
use crate::ops::{self};
use mlc_grammar::ast::{self, Expr};
use mlc_grammar::span::Span;
use std::collections::HashSet;
use std::rc::Rc;

mod addresses;
mod branches;
mod chains;
mod covers;
mod exact;
mod exchange;
mod families;
mod forms;
mod functions;
mod items;
mod lift;
mod run;
mod sites;
mod subsample;
mod sums;

pub(super) use addresses::{drop_fields, look, merge, only, place};
pub(super) use branches::Marks;
pub(super) use covers::Origin;
pub(super) use forms::SiteForm;
pub(super) use lift::{InPlace, Lifted};
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
    /// Are divergences to count in the place of log densities, where a value's own distribution has them?
    analytic: bool,
    /// Sites that are drawn from something else, in this model.
    exchanged: Vec<(Rc<Vec<Rc<str>>>, Val)>,
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
    /// All from this one on.
    From(usize),
    /// So many at a time, each for one of the plate within; those left over are none of its.
    Blocks(usize),
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
        self.marks.site(self.ctx.graph.origin.span, &name.text);
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
                let all = self.strategy_of_all.clone();
                let strategy = match via {
                    _ if all.is_some() => all.map(|e| (e, false)),
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

    /// `sample(m)`: (trace, log density); with `strategy: e` all sites have this estimator.
    pub(super) fn sample_model(&mut self, m: &Val, strategy: Option<Val>, span: Span) -> R<Val> {
        let via = match strategy {
            None => None,
            Some(Val::Estimator(e)) => Some(e),
            Some(other) => {
                let title = format!("`strategy` takes an estimator, not {}", other.kind());
                return Err(Box::new(self.err("E0407", title, span)));
            }
        };
        match m {
            Val::Model(m) => {
                let around = self.strategy_of_all.clone();
                self.strategy_of_all = via.or(around.clone());
                let run = self.run_model(m, None, How::default(), span);
                self.strategy_of_all = around;
                let run = run?;
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

    /// `logdensity(m, trace)`; with `sum:` the sites at these addresses are summed over, with `analytic: true` divergences count
    /// where there are any.
    pub(super) fn score_model(
        &mut self,
        m: &Val,
        trace: &Val,
        sums: Vec<Vec<Rc<str>>>,
        analytic: bool,
        span: Span,
    ) -> R<Val> {
        match (m, trace) {
            (Val::Model(m), Val::Record(_)) => {
                let how = How {
                    sums,
                    analytic,
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
