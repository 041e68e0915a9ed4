//! Sites in the body of a `scan`. The body is not repeated, so the rest of the block cannot be put in there: an estimator
//! that uses it once makes `w * rest + c` of it, and what it draws is the site's value. The weights and additions are rows of
//! the loop. All of them together are again a weight and an addition, which the rest is given when the block ends:
//!
//! w[0] * (w[1] * (.. rest ..) + c[1]) + c[0]   =>   weight * rest + addition
//!
//! For the score function the weight is the product of exp(tangent(log p)), right at every order (Foerster et al. 2018).

use super::conditions::{Uses, demands_smooth, has_mark, rough_in_body, rough_use};
use super::explain::Estimated;
use crate::ir::{Attr, DType, Literal, Node, Type, Value};
use crate::lower::leaves::{leaves, map_leaves};
use crate::lower::models::Site;
use crate::lower::session::{R, Session};
use crate::lower::value::{Continuation, EstimatorVal, Val};
use crate::ops;
use crate::transform::affine::{Role, above, affine};
use crate::transform::loops::part;
use crate::transform::shares::{Share, split};
use crate::transform::substitute::substitute;
use mlc_grammar::span::Span;
use std::collections::HashSet;
use std::rc::Rc;

/// What the sites of a loop make of the rest of the block, and what is still to be checked of each.
#[derive(Clone)]
pub struct Factor {
    /// The node that tells its age.
    pub at: Value,
    /// The weight and the addition; none if the estimator only draws.
    pub terms: Option<(Value, Value)>,
    pub sites: Vec<LoopSite>,
}

/// A site of a loop.
#[derive(Clone)]
pub struct LoopSite {
    site: Site,
    estimator: Rc<EstimatorVal>,
    /// The binding in the body that is its value.
    mark: u32,
}

impl Factor {
    /// The weight and the addition.
    pub fn terms(&self) -> impl Iterator<Item = Value> {
        self.terms.into_iter().flat_map(|(w, c)| [w, c])
    }

    /// All nodes that it holds.
    pub fn nodes(&self) -> impl Iterator<Item = Value> {
        std::iter::once(self.at).chain(self.terms())
    }
}

impl Session {
    /// A `scan .. while` has no rows, so its sites may not weigh what follows.
    pub(in crate::lower) fn no_terms(&self, mark: usize) -> R<()> {
        let factors = self.expects.last().map_or(&[][..], |e| &e.factors[mark..]);
        match factors.iter().find(|f| f.terms.is_some()) {
            None => Ok(()),
            Some(f) => {
                let s = &f.sites[0];
                let name = &s.estimator.def.def.name.text;
                let title = format!(
                    "`{name}` at `{}`, which is in a `scan .. while`",
                    s.site.name
                );
                Err(Box::new(self.err("E0416", title, s.site.span).hint(
                    "a loop that ends by a condition has no derivative; go over a range: `scan .. for i in 0..n`",
                )))
            }
        }
    }

    /// The loop `token` has the terms of the factors from `mark` on as rows, from its part `at` on.
    pub(in crate::lower) fn loop_factors(&mut self, mark: usize, token: Value, at: &mut usize) {
        let Some(frame) = self.expects.last_mut() else {
            return;
        };
        let mut made = frame.factors.split_off(mark);
        for f in &mut made {
            f.at = token;
            if f.terms.is_some() {
                let g = &mut self.ctx.graph;
                let (w, c) = (part(g, token, *at), part(g, token, *at + 1));
                *at += 2;
                f.terms = Some((w, c));
            }
        }
        self.keep_joined(made);
    }

    /// Factors from `mark` on are those of one lane; `full` has them for all, from `at` on.
    pub(in crate::lower) fn join_factors(&mut self, mark: usize, full: &[Value], at: &mut usize) {
        let Some(frame) = self.expects.last_mut() else {
            return;
        };
        let mut made = frame.factors.split_off(mark);
        for f in &mut made {
            f.at = full[*at];
            *at += 1;
            if f.terms.is_some() {
                f.terms = Some((full[*at], full[*at + 1]));
                *at += 2;
            }
        }
        self.keep_joined(made);
    }

    /// Factors of a region, each lane's or iteration's terms one after another: first those of one lane together, in the
    /// order of the sites, then all lanes.
    fn keep_joined(&mut self, made: Vec<Factor>) {
        let Some(last) = made.last() else { return };
        let at = last.at;
        let sites = made.iter().flat_map(|f| f.sites.clone()).collect();
        let mut terms: Option<(Value, Value)> = None;
        for (w, c) in made.iter().filter_map(|f| f.terms) {
            let g = &mut self.ctx.graph;
            terms = Some(match terms {
                // w * (w' * rest + c') + c
                Some((before, c_before)) => {
                    let later = g.mul(before, c);
                    (g.mul(before, w), g.add2(c_before, later))
                }
                None => (w, c),
            });
        }
        let terms = terms.map(|t| self.join_terms(t));
        if let Some(frame) = self.expects.last_mut() {
            frame.factors.push(Factor { at, terms, sites });
        }
    }

    /// The value of a site in a loop's body.
    pub(super) fn site_in_loop(&mut self, site: &Site) -> R<Val> {
        let rough = self
            .expects
            .last()
            .is_some_and(|e| e.rough.contains(&site.span));
        let estimator = self.strategy(site, &site.dist.clone(), None, rough)?;
        let (id, made, used) = self.made_in_loop(site, &estimator)?;
        let Some(k) = used else {
            return Err(self.not_in_loop(site, &estimator));
        };
        self.check_continuation(&estimator, site, id, &[made])?;
        let x = self.ctx.graph.operands(k)[0];
        self.ctx.fresh += 1;
        let mark = self.ctx.fresh;
        let value = self.ctx.graph.add(&ops::BIND, Attr::Id(mark), &[x]);
        let terms = (made != k).then(|| {
            let g = &mut self.ctx.graph;
            let (zero, one) = (g.constant_like(0.0, made), g.constant_like(1.0, made));
            let c = substitute(g, &[(k, zero)], &[made], None)[0];
            let at_one = substitute(g, &[(k, one)], &[made], None)[0];
            (g.sub(at_one, c), c)
        });
        let factor = Factor {
            at: value,
            terms,
            sites: vec![LoopSite {
                site: site.clone(),
                estimator,
                mark,
            }],
        };
        let frame = self.expects.last_mut().expect("the caller checked");
        frame.factors.push(factor);
        Ok(Val::Tensor(value))
    }

    /// What an estimator makes of the rest, with the number of its continuation, and the use of that, if there is one and
    /// derivatives of every order are right.
    fn made_in_loop(
        &mut self,
        site: &Site,
        e: &Rc<EstimatorVal>,
    ) -> R<(u32, Value, Option<Value>)> {
        self.ctx.fresh += 1;
        let id = self.ctx.fresh;
        let scalar = Type::scalar(self.real);
        let stand_in = self.ctx.graph.fill(Literal::Real(0.0), scalar.clone());
        let k = Rc::new(Continuation {
            id,
            site_type: self.ctx.graph.ty(site.node).clone(),
            result: Val::Tensor(stand_in),
            shares: vec![Some(scalar.clone())],
        });
        let (dist, order) = self.ordered_dist(e, &site.dist.clone(), site.span)?;
        let mut args = vec![(None, Val::Dist(dist)), (None, Val::Continuation(k))];
        args.extend(e.args.iter().map(|(n, v)| (Some(n.clone()), v.clone())));
        let made = self.with_frame_key(&site.name, site.span, site.key, |s| {
            let v = s.run_estimator(e, args, site.span)?;
            s.force(&v, site.span)
        })?;
        let found = self.continuations(id, &[made]);
        let used_once = found.len() == 1
            && self.ctx.graph.ty(found[0]).rank() == 0
            && *self.ctx.graph.ty(made) == scalar
            && order != Some(1);
        Ok((id, made, used_once.then(|| found[0])))
    }

    fn not_in_loop(&mut self, site: &Site, e: &Rc<EstimatorVal>) -> Box<mlc_grammar::diag::Report> {
        let name = &e.def.def.name.text;
        let title = format!("`{name}` at `{}`, which is in a `scan`", site.name);
        let mut fits = self.valid_at(site, &site.dist.clone(), None, false);
        let all = self.library_estimators(site.span).unwrap_or_default();
        fits.retain(|name| {
            let e = all.iter().find(|e| e.0 == *name).map(|e| e.1.clone());
            e.is_some_and(|e| matches!(self.made_in_loop(site, &e), Ok((_, _, Some(_)))))
        });
        let r = self.err("E0416", title, site.span).hint(
            "an estimator that uses the rest of the `expect` more than once needs it repeated: write `unroll: true` on the `scan`",
        );
        Box::new(match fits.len() {
            0 => r,
            _ => r.hint(format!(
                "valid in the loop: {}",
                crate::lower::resolve::listed(&fits)
            )),
        })
    }

    /// Weights and additions of all lanes or iterations, in order, as one: their leading axis goes away.
    pub(in crate::lower) fn join_terms(&mut self, (w, c): (Value, Value)) -> (Value, Value) {
        let g = &mut self.ctx.graph;
        let n = g.ty(w).shape[0];
        let weight = g.add(&ops::PROD, Attr::Axes(vec![0]), &[w]);
        if n == 0 {
            let addition = g.sum(c, vec![0]);
            return (weight, addition);
        }
        // The i-th addition is multiplied by the weights before it.
        let running = g.add(&ops::CUMPROD, Attr::Axis(0), &[w]);
        let before = g.slice_axis(running, 0, 0, n - 1);
        let first = g.slice_axis(w, 0, 0, 1);
        let one = g.constant_like(1.0, first);
        let before = g.add(&ops::CONCAT, Attr::Axis(0), &[one, before]);
        let terms = g.mul(c, before);
        let addition = g.sum(terms, vec![0]);
        (weight, addition)
    }

    /// Gives the result what the sites of a loop make of it; or a site that needs another estimator.
    pub(super) fn apply_factor(&mut self, f: &Factor, result: Val) -> R<Result<Val, Span>> {
        let results = leaves(&result);
        let tokens = self.tokens(f, &results);
        for s in &f.sites {
            if !demands_smooth(&s.estimator) {
                continue;
            }
            if let Some(found) = self.rough_after_loop(s.mark, &tokens, &results) {
                if s.site.via.is_none() {
                    return Ok(Err(s.site.span));
                }
                return Err(self.rough_in_loop(&s.site, &s.estimator, found));
            }
        }
        let Some((w, c)) = f.terms else {
            return Ok(Ok(result));
        };
        let shares = split(&mut self.ctx.graph, &tokens, &results);
        for s in &f.sites {
            let (mut of, mut rest) = (vec![], vec![]);
            for share in &shares {
                if let Share::Whole { rest: r, of: o } = share {
                    of.push(*o);
                    rest.extend(*r);
                }
            }
            // Only those that use the rest once; which of them do is known when they are tried.
            let valid = if self.options.explain {
                self.valid_at(&s.site, &s.site.dist.clone(), None, false)
            } else {
                vec![]
            };
            let how = Estimated {
                valid,
                lanes: "a loop: the weight is carried along".into(),
                uses: 1,
                by_value: 0,
                of,
                rest,
            };
            self.explain(&s.site, &s.estimator, how);
        }
        let mut next = shares.into_iter();
        let span = f.sites.first().map_or(Span::default(), |s| s.site.span);
        self.ctx.graph.origin = self.placed(span);
        Ok(Ok(map_leaves(&result, &mut |t| {
            let g = &mut self.ctx.graph;
            let (rest, of) = match next.next() {
                Some(Share::Whole { rest, of }) => (rest, of),
                _ => return t,
            };
            if !matches!(g.ty(of).dtype, DType::F32 | DType::F64) {
                return t;
            }
            let shape = g.ty(of).shape.clone();
            let (w, c) = (g.lead(w, &shape), g.lead(c, &shape));
            let weighted = g.mul(of, w);
            let new = g.add2(weighted, c);
            match rest {
                Some(r) => g.add2(r, new),
                None => new,
            }
        })))
    }

    /// The loops whose bodies hold the factor's sites.
    fn tokens(&self, f: &Factor, results: &[Value]) -> Vec<Value> {
        let g = &self.ctx.graph;
        let mut all = above(g, results, &HashSet::new());
        all.retain(|v| match &g.node(*v).attr {
            Attr::Loop(l) => f.sites.iter().any(|s| has_mark(&l.body, s.mark)),
            _ => false,
        });
        all
    }

    /// A discontinuous use of a value drawn in a loop: in the loop, or behind it.
    fn rough_after_loop(
        &self,
        mark: u32,
        tokens: &[Value],
        results: &[Value],
    ) -> Option<(&'static str, Span)> {
        let g = &self.ctx.graph;
        let mut of = vec![];
        for &token in tokens {
            let Attr::Loop(l) = &g.node(token).attr else {
                continue;
            };
            let from = vec![false; l.body.inputs.len() - 1];
            let (rough, parts) = rough_in_body(l, &from, Some(mark));
            if rough.is_some() {
                return rough;
            }
            of.extend(g.values().filter(|v| match g.node(*v).attr {
                Attr::Part(k, _) => g.operands(*v)[0] == token && parts[k as usize],
                _ => false,
            }));
        }
        rough_use(
            g,
            &Uses {
                of,
                results: results.to_vec(),
            },
        )
    }

    /// The nodes that stand for a continuation, of all that the values are made of.
    pub(super) fn continuations(&self, id: u32, values: &[Value]) -> Vec<Value> {
        let g = &self.ctx.graph;
        let mut all = above(g, values, &HashSet::new());
        all.retain(|v| matches!(g.node(*v).attr, Attr::Continue(of, ..) if of == id));
        all
    }

    /// An unbiased estimator uses its continuation affinely: the mean of a product of two draws, or of another function of
    /// one, is not that of the means. `id` is the continuation's number.
    pub(super) fn check_continuation(
        &self,
        e: &Rc<EstimatorVal>,
        site: &Site,
        id: u32,
        made: &[Value],
    ) -> R<()> {
        let def = e.def.def;
        if def.biased {
            return Ok(());
        }
        let role = |node: &Node| match node.attr {
            Attr::Continue(of, ..) if of == id => Role::Source(id),
            _ => Role::Plain,
        };
        match affine(&self.ctx.graph, made, &[], &role) {
            Ok(_) => Ok(()),
            Err(bent) => {
                let name = &def.name.text;
                let title = format!("`{name}` uses its continuation otherwise than affinely");
                let label = format!("`{}` of what `k` gives", bent.op);
                Err(Box::new(
                    self.err_at("E0417", title, bent.at, label)
                        .label(site.span, format!("`{name}` stands here"))
                        .hint(format!(
                            "sums of `k(..)` and multiples by what does not depend on it are unbiased; otherwise declare `biased estimator {name}`"
                        )),
                ))
            }
        }
    }
}
