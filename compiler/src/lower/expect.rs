//! `expect`, and the estimators that its sites are given.

use super::eval::mix;
use super::leaves::{leaves, map_leaves};
use super::models::{ExpectFrame, Site};
use super::session::{R, Session};
use super::value::{Continuation, DistVal, Env, EstimatorVal, Val};
use crate::ir::{Attr, Loop, Value};
use crate::ops::{self, Ad, Batch, Kernel, Scalar};
use crate::transform::substitute::substitute;
use mlc_grammar::ast::{self, ExprKind};
use mlc_grammar::diag::Report;
use mlc_grammar::span::Span;
use std::rc::Rc;

impl Session {
    /// A site of an `expect`: a node that stands for the draw until its estimator is put in.
    pub(super) fn new_site(
        &mut self,
        site: &Rc<str>,
        d: &Rc<DistVal>,
        via: Option<(Rc<EstimatorVal>, bool)>,
        span: Span,
    ) -> R<Val> {
        if self
            .expects
            .last()
            .is_some_and(|e| self.counters.len() > e.loops)
        {
            let title = format!("the site `{site}` of an `expect` is in a `scan`");
            return Err(Box::new(self.err("E0416", title, span).hint(
                "write `unroll: true` on the `scan`: its body is repeated, and each site has its own estimator",
            )));
        }
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
        self.expects.push(ExpectFrame {
            sites: vec![],
            loops: self.counters.len(),
        });
        let mark = self.ctx.graph.len();
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
        Ok(self.estimate(&result, mark, span))
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
            if let (Attr::Loop(l), true) = (&node.attr, used[v.0 as usize]) {
                let operands = g.operands(*v);
                let reached = operands.iter().map(|o| from.contains(o)).collect();
                rough = rough_in_loop(l, reached);
                if rough.is_some() {
                    break;
                }
                continue;
            }
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
}

/// A use of a loop's operands in its body through which nothing can be differentiated. `reached`: by operand, whether it
/// matters.
fn rough_in_loop(l: &Loop, mut reached: Vec<bool>) -> Option<(&'static str, Span)> {
    reached.drain(..l.first());
    // What reaches one carry may reach all in later iterations.
    if reached.iter().any(|r| *r) {
        reached[..l.carries].iter_mut().for_each(|r| *r = true);
    }
    let g = &l.body;
    let mut marked: std::collections::HashSet<Value> = g.inputs[1..]
        .iter()
        .zip(&reached)
        .filter(|(_, r)| **r)
        .map(|(i, _)| i.value)
        .collect();
    for v in crate::ir::print::live(g) {
        let node = g.node(v);
        let from: Vec<Value> = g
            .operands(v)
            .into_iter()
            .filter(|o| marked.contains(o))
            .collect();
        if from.is_empty() {
            continue;
        }
        marked.insert(v);
        if let Attr::Loop(inner) = &node.attr {
            let reached = g.operands(v).iter().map(|o| from.contains(o)).collect();
            if let Some(found) = rough_in_loop(inner, reached) {
                return Some(found);
            }
            continue;
        }
        let through_real = from.iter().any(|o| g.ty(*o).dtype.is_real());
        let identity = node.def.kernel == Kernel::Map(Scalar::Identity);
        if through_real && !identity && matches!(node.def.ad, Ad::Zero | Ad::Refused(_)) {
            return Some((node.def.name, node.span));
        }
    }
    None
}
