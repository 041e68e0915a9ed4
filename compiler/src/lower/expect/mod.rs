//! `expect`, and the estimators that its sites are given.
//!
//! A site is a node of its own until the block ends. Then sites are taken last to first, and each gives way to what its
//! estimator makes of the rest of the block:
//!
//! - `conditions.rs`: may the estimator stand there? Which one does, where none is named?
//! - `continuation.rs`: the estimator is run on nodes that stand for the rest of the block, which is then put in.
//! - `ends.rs`: what moves a support is not differentiated by through a score.
//! - `explain.rs`: what was made of each site, in words.
//! - `looped.rs`: sites in the body of a `scan`, whose estimators are affine in the rest.

mod conditions;
mod continuation;
mod ends;
mod explain;
mod looped;

pub use explain::SiteExplained;
pub use looped::Factor;

use super::eval::mix;
use super::leaves::leaves;
use super::models::{ExpectFrame, Site};
use super::session::{R, Session};
use super::value::{DistVal, Env, EstimatorVal, Val};
use crate::ir::{Attr, Value};
use crate::ops;
use mlc_grammar::ast;
use mlc_grammar::span::Span;
use std::rc::Rc;

/// An estimator, and whether the use says that it is biased.
pub type Strategy = (Rc<EstimatorVal>, bool);

/// What an `expect` is rid of, by the age of its node.
enum Item {
    Site(Site),
    Factor(Factor),
}

impl Session {
    /// A site of an `expect`: a node that stands for the draw until its estimator is put in.
    pub(super) fn new_site(
        &mut self,
        site: &Rc<str>,
        d: &Rc<DistVal>,
        via: Option<Strategy>,
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
        let site = Site {
            name: site.clone(),
            node,
            dist: d.clone(),
            plates: vec![],
            via,
            span,
            key,
        };
        let frame = self.expects.last_mut().expect("the caller checked");
        if self.counters.len() > frame.loops {
            return self.site_in_loop(&site);
        }
        frame.sites.push(site);
        Ok(Val::Tensor(node))
    }

    /// `expect { .. }`: runs the block, then removes its sites, last to first, each by its estimator.
    pub(super) fn eval_expect(
        &mut self,
        block: &'static ast::Block,
        env: &Env,
        span: Span,
    ) -> R<Val> {
        let frames = self.frames.clone();
        let mark = self.ctx.graph.len();
        let collected = self.collected_so_far();
        let mut rough: Vec<Span> = vec![];
        loop {
            let (result, frame) = self.run_expect(block, env, span, &rough)?;
            let sites = frame.sites.iter().map(|s| s.node);
            let sites: Vec<Value> = sites.chain(frame.factors.iter().map(|f| f.at)).collect();
            self.check_collected(&collected, &sites, span)?;
            // Estimators multiply it by what has no sign, so it is looked at before.
            let terms = self.check_kinds(&leaves(&result), span, "the mean of this")?;
            match self.without_sites(result, frame, span)? {
                Ok(v) => return Ok(self.estimate(&v, terms, mark, span)),
                // A site of a loop was given an estimator that is not valid there, as is known only now.
                Err(site) => {
                    rough.push(site);
                    self.forget_collected(&collected);
                    self.frames.clone_from(&frames);
                }
            }
        }
    }

    fn run_expect(
        &mut self,
        block: &'static ast::Block,
        env: &Env,
        span: Span,
        rough: &[Span],
    ) -> R<(Val, ExpectFrame)> {
        self.expects.push(ExpectFrame {
            loops: self.counters.len(),
            rough: rough.to_vec(),
            ..ExpectFrame::default()
        });
        // Sites of the block itself belong to no model that happens to be running.
        let opened: Vec<bool> = self.handlers.iter().map(|h| h.open).collect();
        self.handlers.iter_mut().for_each(|h| h.open = false);
        let result = self.in_frame("expect", Span::default(), |s| s.eval_block(block, env));
        for (h, open) in self.handlers.iter_mut().zip(opened) {
            h.open = open;
        }
        let frame = self.expects.pop().expect("pushed above");
        let result = self.force_leaves(&result?, span)?;
        Ok((result, frame))
    }

    /// The result without the sites; or the site of a loop that needs another estimator.
    fn without_sites(
        &mut self,
        mut result: Val,
        frame: ExpectFrame,
        span: Span,
    ) -> R<Result<Val, Span>> {
        let started = self.ctx.graph.len();
        let sites = frame.sites.into_iter().map(|s| (s.node, Item::Site(s)));
        let factors = frame.factors.into_iter().map(|f| (f.at, Item::Factor(f)));
        let mut items: Vec<(Value, Item)> = sites.chain(factors).collect();
        // What something is made of is older than it, so descending ids are "last to first".
        items.sort_by_key(|i| std::cmp::Reverse(i.0));
        for (_, item) in &items {
            match item {
                Item::Site(site) => result = self.estimate_site(site, result, started, span)?,
                Item::Factor(f) => match self.apply_factor(f, result)? {
                    Ok(v) => result = v,
                    Err(site) => return Ok(Err(site)),
                },
            }
        }
        Ok(Ok(result))
    }

    /// Runs an estimator's body. Its draws are draws, whatever expectation or model is open around it.
    pub(super) fn run_estimator(
        &mut self,
        e: &Rc<EstimatorVal>,
        args: Vec<super::call::Given>,
        span: Span,
    ) -> R<Val> {
        let env = e.def.env.child();
        let def = e.def.def;
        self.bind_args(&def.name.text, &def.args, args, &env, span)?;
        let expects = std::mem::take(&mut self.expects);
        let handlers = std::mem::take(&mut self.handlers);
        let result = self.eval_block(&def.body, &env);
        self.handlers = handlers;
        self.expects = expects;
        result
    }
}
