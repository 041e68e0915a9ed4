//! An estimator is run on nodes that stand for the rest of the block at a value of the site (`continue`), and then the rest
//! is put in their place:
//!
//! - What does not depend on the site is left out of what the estimator is given.
//! - Where the lanes of a plate around the site meet in sums only, the estimator runs for each lane with that lane's share:
//!   enumerating a plate costs its size, not its power set, and a score multiplies no other lane's costs.
//! - Where lanes meet otherwise, an estimator that uses the rest once is given all lanes at once; for another one the lanes
//!   become sites of their own, taken one after another with the others held.
//! - Where an estimator opens a `for`, what is drawn downstream is drawn anew in each of its lanes.

use super::conditions::Uses;
use super::explain::Estimated;
use crate::ir::{Attr, DType, Type, Value};
use crate::lower::eval::mix;
use crate::lower::leaves::{leaves, map_leaves};
use crate::lower::models::Site;
use crate::lower::session::{R, Session};
use crate::lower::value::{Continuation, DistVal, EstimatorVal, Val};
use crate::ops;
use crate::transform::batch::batch;
use crate::transform::shares::{Share, by_lanes, lanes_back, lanes_first, split};
use crate::transform::substitute::substitute;
use crate::transform::vanish::{differentiated, values_only};
use mlc_grammar::diag::Report;
use mlc_grammar::span::Span;
use std::collections::{HashMap, HashSet};
use std::rc::Rc;

/// An `expect` may not grow the graph by more nodes than this.
const MAX_GROWTH: usize = 300_000;

/// One leaf of the result.
struct Leaf {
    result: Value,
    /// What does not depend on the site.
    rest: Option<Value>,
    /// What does, the lanes' axis first where there are lanes; none if nothing does.
    of: Option<Value>,
    /// By plate whose lanes are apart: where its axis stands in the result, `None` where it is summed over.
    at: Vec<Option<usize>>,
}

/// The result as its leaves owe it to a site.
struct Rest {
    leaves: Vec<Leaf>,
    /// Axes of the site whose lanes are apart, and their extents.
    apart: Vec<usize>,
    extents: Vec<usize>,
}

impl Rest {
    fn lanes(&self) -> usize {
        self.extents.iter().product()
    }

    /// For a user; `mixed`: plates whose lanes are not apart.
    fn lanes_in_words(&self, mixed: usize) -> String {
        match (self.apart.len(), mixed) {
            (0, 0) => "one value".into(),
            (0, _) => "lanes that meet otherwise than in sums, all at once".into(),
            (_, 0) => format!("{} lanes, each with its own share", self.lanes()),
            _ => format!(
                "{} lanes, each with its own share, and others all at once",
                self.lanes()
            ),
        }
    }
}

impl Session {
    /// Puts the site's estimator in the place of the site. `started`: nodes when the block ended.
    pub(super) fn estimate_site(
        &mut self,
        site: &Site,
        result: Val,
        started: usize,
        span: Span,
    ) -> R<Val> {
        let dist = self.current_dist(site);
        let uses = Uses {
            of: vec![site.node],
            results: leaves(&result),
        };
        let estimator = self.strategy(site, &dist, Some(&uses), false)?;
        let plates = dist.plates.len();
        let rest = self.rest_of(site, plates, &uses.results);
        if rest.leaves.iter().all(|l| l.of.is_none()) {
            return Ok(result);
        }
        let mixed: Vec<usize> = (0..plates).filter(|p| !rest.apart.contains(p)).collect();
        let run = self.run_on_lanes(site, &dist, &estimator, &rest, &result, span);
        let (made, id, order) = match (run, mixed.first()) {
            (Ok(run), _) => run,
            // What goes over a support, say, takes one value at a time.
            (Err(_), Some(&axis)) => {
                return self.lane_after_lane(site, axis, result, started, span);
            }
            (Err(r), None) => return Err(r),
        };
        let values: Vec<Value> = made
            .iter()
            .zip(&rest.leaves)
            .filter(|(_, l)| l.of.is_some())
            .map(|(v, _)| *v)
            .collect();
        let ks = self.continuations(id, &values);
        self.check_continuation(&estimator, site, id, &values)?;
        let xs: HashSet<Value> = ks.iter().map(|k| self.ctx.graph.operands(*k)[0]).collect();
        let wide = ks.iter().any(|k| self.anonymous(*k, &rest) > 0);
        if (xs.len() > 1 || wide) && !mixed.is_empty() {
            return self.lane_after_lane(site, mixed[0], result, started, span);
        }
        // Of an estimator of order 1, what only multiplies a tangent is never differentiated.
        let differentiated = match order {
            Some(1) => differentiated(&self.ctx.graph, &made, &ks),
            _ => ks.iter().copied().collect(),
        };
        if self.options.explain {
            let how = Estimated {
                valid: self.valid_at(site, &dist, Some(&uses), false),
                lanes: rest.lanes_in_words(mixed.len()),
                uses: xs.len(),
                by_value: ks.len() - differentiated.len(),
                of: rest.leaves.iter().filter_map(|l| l.of).collect(),
                rest: rest.leaves.iter().filter_map(|l| l.rest).collect(),
            };
            self.explain(site, &estimator, how);
        }
        if let (None, Some(x)) = (order, self.only_value(&ks, &values, &rest)) {
            let x = self.as_site(site, &rest, x);
            let at_x = substitute(&mut self.ctx.graph, &[(site.node, x)], &uses.results, None);
            let mut next = at_x.iter();
            return Ok(map_leaves(&result, &mut |t| *next.next().unwrap_or(&t)));
        }
        let made = self.put_in(site, &rest, &ks, made, &differentiated, &estimator, started)?;
        Ok(self.assemble(&rest, &result, &made))
    }

    /// The value at which an estimator continues, if it does nothing else: then the result at that value is its estimate, and need
    /// not be taken apart.
    fn only_value(&self, ks: &[Value], values: &[Value], rest: &Rest) -> Option<Value> {
        let x = self.ctx.graph.operands(*ks.first()?)[0];
        let plain = values.iter().all(|v| ks.contains(v))
            && ks
                .iter()
                .all(|k| self.ctx.graph.operands(*k)[0] == x && self.anonymous(*k, rest) == 0);
        plain.then_some(x)
    }

    /// The site's distribution on the operands that its node has by now, its plates among its own.
    pub(in crate::lower) fn current_dist(&self, site: &Site) -> Rc<DistVal> {
        let operands = self.ctx.graph.operands(site.node);
        let mut next = operands.iter();
        let args = site
            .dist
            .args
            .iter()
            .map(|(n, v)| {
                let v = map_leaves(v, &mut |t| *next.next().unwrap_or(&t));
                (n.clone(), v)
            })
            .collect();
        let mut plates = site.plates.clone();
        plates.extend(&site.dist.plates);
        Rc::new(DistVal {
            args,
            plates,
            ..(*site.dist).clone()
        })
    }

    fn rest_of(&mut self, site: &Site, plates: usize, results: &[Value]) -> Rest {
        let g = &mut self.ctx.graph;
        let mut found: Vec<Leaf> = results
            .iter()
            .map(|&r| Leaf {
                result: r,
                rest: None,
                of: Some(r),
                at: vec![],
            })
            .collect();
        let mut apart = vec![];
        for axis in 0..plates {
            let values: Vec<Value> = found.iter().filter_map(|l| l.of).collect();
            let Some(shares) = by_lanes(g, site.node, axis, &values) else {
                continue;
            };
            apart.push(axis);
            let mut next = shares.into_iter();
            for leaf in found.iter_mut().filter(|l| l.of.is_some()) {
                match next.next() {
                    Some(Share::Summed { rest, of }) => {
                        leaf.add_rest(g, rest);
                        leaf.at.iter_mut().flatten().for_each(|a| *a += 1);
                        leaf.of = Some(of);
                        leaf.at.push(None);
                    }
                    Some(Share::Aligned(p)) => leaf.at.push(Some(p)),
                    _ => {
                        leaf.rest = None;
                        leaf.of = None;
                    }
                }
            }
        }
        let values: Vec<Value> = found.iter().filter_map(|l| l.of).collect();
        let shares = split(g, &[site.node], &values);
        let mut next = shares.into_iter();
        for leaf in found.iter_mut().filter(|l| l.of.is_some()) {
            match next.next() {
                Some(Share::Whole { rest, of }) => {
                    leaf.add_rest(g, rest);
                    leaf.of = Some(of);
                }
                _ => {
                    leaf.rest = None;
                    leaf.of = None;
                }
            }
        }
        let extents: Vec<usize> = apart.iter().map(|a| g.ty(site.node).shape[*a]).collect();
        for leaf in &mut found {
            if let Some(of) = leaf.of {
                leaf.of = Some(flatten_lanes(g, of, leaf, &extents));
            }
        }
        Rest {
            leaves: found,
            apart,
            extents,
        }
    }

    /// Runs the estimator on nodes that stand for the rest, for a lane where there are lanes. Gives a value for each leaf, the
    /// lanes' axis first.
    fn run_on_lanes(
        &mut self,
        site: &Site,
        dist: &Rc<DistVal>,
        estimator: &Rc<EstimatorVal>,
        rest: &Rest,
        result: &Val,
        span: Span,
    ) -> R<(Vec<Value>, u32, Option<u32>)> {
        let (dist, order) = self.ordered_dist(estimator, dist, site.span)?;
        self.ctx.fresh += 1;
        let id = self.ctx.fresh;
        let n_apart = rest.apart.len();
        let lane_type = |ty: &Type| match n_apart {
            0 => ty.clone(),
            _ => Type::new(ty.dtype, ty.shape[1..].to_vec()),
        };
        let site_type = self.ctx.graph.ty(site.node).clone();
        let k = Rc::new(Continuation {
            id,
            site_type: Type::new(site_type.dtype, without(&site_type.shape, &rest.apart)),
            result: result.clone(),
            shares: rest
                .leaves
                .iter()
                .map(|l| l.of.map(|v| lane_type(self.ctx.graph.ty(v))))
                .collect(),
        });
        let lane_plates = without(&dist.plates, &rest.apart);
        let run = |s: &mut Self, args: Vec<(Rc<str>, Val)>| {
            let d = Rc::new(DistVal {
                args,
                plates: lane_plates.clone(),
                ..(*dist).clone()
            });
            let mut args = vec![(None, Val::Dist(d)), (None, Val::Continuation(k.clone()))];
            args.extend(
                estimator
                    .args
                    .iter()
                    .map(|(n, v)| (Some(n.clone()), v.clone())),
            );
            s.with_frame_key(&site.name, site.span, site.key, |s| {
                let v = s.run_estimator(estimator, args, span)?;
                s.force_leaves(&v, span)
            })
        };
        let made = if n_apart == 0 {
            run(self, dist.args.clone())?
        } else {
            // All lanes on one axis.
            let lanes = rest.lanes();
            let mut columns = vec![];
            for (_, v) in &dist.args {
                for t in leaves(v) {
                    let g = &mut self.ctx.graph;
                    let first = lanes_first(g, t, &rest.apart);
                    let mut shape = vec![lanes];
                    shape.extend(&g.ty(first).shape[n_apart..]);
                    columns.push(Val::Tensor(g.reshape(first, shape)));
                }
            }
            let source = if columns.is_empty() {
                Val::tuple(vec![Val::Range(0, lanes as i64)])
            } else {
                Val::tuple(columns)
            };
            self.over_lanes(&source, site.span, span, &mut |s, lane| {
                let mut next = leaves(&lane).into_iter();
                let args = dist
                    .args
                    .iter()
                    .map(|(n, v)| {
                        let v = map_leaves(v, &mut |t| next.next().unwrap_or(t));
                        (n.clone(), v)
                    })
                    .collect();
                run(s, args)
            })?
        };
        let made = self.force_leaves(&made, span)?;
        let values = leaves(&made);
        if values.len() != rest.leaves.len() {
            let title = format!(
                "`{}` gives something else than the `expect` does",
                estimator.def.def.name.text
            );
            return Err(Box::new(self.err("E0414", title, span).hint(
                "an estimator's value has the form of what `k(..)` gives: a multiple or a sum of such",
            )));
        }
        for (v, l) in values.iter().zip(&rest.leaves) {
            let Some(of) = l.of else { continue };
            let (have, want) = (self.ctx.graph.ty(*v), self.ctx.graph.ty(of));
            if have != want {
                let title = format!(
                    "`{}` gives a `{have}` where the `expect` has a `{want}`",
                    estimator.def.def.name.text
                );
                return Err(Box::new(self.err("E0414", title, site.span)));
            }
        }
        Ok((values, id, order))
    }

    /// The distribution with parameters that count derivatives, if the estimator's order is limited; and the order.
    pub(super) fn ordered_dist(
        &mut self,
        e: &Rc<EstimatorVal>,
        d: &Rc<DistVal>,
        span: Span,
    ) -> R<(Rc<DistVal>, Option<u32>)> {
        // An order is the same for all lanes.
        let one = Rc::new(DistVal {
            plates: vec![],
            ..(**d).clone()
        });
        // What is said of it is said at the site.
        let origin = self.placed(span);
        let old = std::mem::replace(&mut self.ctx.graph.origin, origin);
        let d = self.with_still_ends(e, d.clone());
        self.ctx.graph.origin = old;
        let Some(order) = self.order_of(e, &one)? else {
            return Ok((d, None));
        };
        let args = d
            .args
            .iter()
            .map(|(n, v)| {
                let v = map_leaves(v, &mut |t| {
                    let g = &mut self.ctx.graph;
                    if g.ty(t).dtype.is_real() {
                        g.add(&ops::ORDERED, Attr::Order(order), &[t])
                    } else {
                        t
                    }
                });
                (n.clone(), v)
            })
            .collect();
        let d = DistVal {
            args,
            ..(*d).clone()
        };
        Ok((Rc::new(d), Some(order)))
    }

    /// How often the estimator may be differentiated, where that is limited: the least of its own order and of those that it
    /// is made of.
    fn order_of(&mut self, e: &Rc<EstimatorVal>, d: &Rc<DistVal>) -> R<Option<u32>> {
        let def = e.def.def;
        let mut found: Option<u32> = None;
        if let Some(expr) = &def.order {
            let env = e.def.env.child();
            let mut args = vec![(None, Val::Dist(d.clone())), (None, Val::Unit)];
            args.extend(e.args.iter().map(|(n, v)| (Some(n.clone()), v.clone())));
            self.bind_args(&def.name.text, &def.args, args, &env, expr.span)?;
            let mut v = self.eval(expr, &env)?;
            if let Val::Method(m) = &v
                && let Val::Dist(d) = &m.0
            {
                let (d, member) = (d.clone(), m.1.clone());
                v = self.call_member(&d, &member, vec![], expr.span)?;
            }
            found = match v {
                Val::Int(n) if n >= 1 => Some(u32::try_from(n).unwrap_or(u32::MAX)),
                Val::Real(x) if x == f64::INFINITY => None,
                Val::Real(x) if x >= 1.0 => Some(x as u32),
                other => {
                    let title = format!("an order is a number from 1 on, not {}", other.kind());
                    return Err(Box::new(self.err("E0418", title, expr.span)));
                }
            };
        }
        for (_, v) in e.args.clone() {
            if let Val::Estimator(inner) = v
                && let Some(n) = self.order_of(&inner, d)?
            {
                found = Some(found.map_or(n, |m| m.min(n)));
            }
        }
        Ok(found)
    }

    /// How many lanes axes the estimator gave a continuation.
    fn anonymous(&self, k: Value, rest: &Rest) -> usize {
        let Attr::Continue(_, leaf, _) = &self.ctx.graph.node(k).attr else {
            return 0;
        };
        let of = rest.leaves[*leaf as usize].of;
        self.ctx.graph.ty(k).rank() - of.map_or(0, |v| self.ctx.graph.ty(v).rank())
    }

    /// The estimate with the rest in the place of the nodes that stand for it; of those not `differentiated`, its value only.
    #[allow(clippy::too_many_arguments)]
    fn put_in(
        &mut self,
        site: &Site,
        rest: &Rest,
        ks: &[Value],
        made: Vec<Value>,
        differentiated: &HashSet<Value>,
        estimator: &Rc<EstimatorVal>,
        started: usize,
    ) -> R<Vec<Value>> {
        let full: Vec<Value> = rest.leaves.iter().filter_map(|l| l.of).collect();
        let plain = if differentiated.len() < ks.len() {
            values_only(&mut self.ctx.graph, &full)
        } else {
            vec![]
        };
        let mut known: HashMap<(Value, bool), Vec<Value>> = HashMap::new();
        let mut pairs = vec![];
        for &k in ks {
            let only_value = !differentiated.contains(&k);
            let x = self.ctx.graph.operands(k)[0];
            let found = match known.get(&(x, only_value)) {
                Some(found) => found.clone(),
                None => {
                    let results = if only_value { &plain } else { &full };
                    let key = mix(site.key.wrapping_add(known.len() as u64), "again");
                    let more = self.anonymous(k, rest);
                    let found = self.rest_at(site, rest, x, more, results, key)?;
                    known.insert((x, only_value), found.clone());
                    found
                }
            };
            let Attr::Continue(_, leaf, _) = &self.ctx.graph.node(k).attr else {
                continue;
            };
            let at = rest.leaves[..*leaf as usize]
                .iter()
                .filter(|l| l.of.is_some())
                .count();
            pairs.push((k, found[at]));
            if self.ctx.graph.len() - started > MAX_GROWTH {
                return Err(self.too_many(site, estimator, ks.len()));
            }
        }
        Ok(substitute(&mut self.ctx.graph, &pairs, &made, None))
    }

    fn too_many(&self, site: &Site, e: &Rc<EstimatorVal>, uses: usize) -> Box<Report> {
        let title = format!(
            "the estimators of this `expect` repeat it too often: `{}` uses the rest {uses} times at `{}`",
            e.def.def.name.text, site.name
        );
        Box::new(self.err("E0419", title, site.span).hint(
            "sites whose values meet other than in sums are repeated for each other's values; use an estimator that uses the rest once (`reparam`, `reinforce`) at some of them",
        ))
    }

    /// The rest at values of the site: `x` has the lanes' axis, `more` axes of lanes that the estimator opened, and the site's.
    fn rest_at(
        &mut self,
        site: &Site,
        rest: &Rest,
        x: Value,
        more: usize,
        results: &[Value],
        key: u64,
    ) -> R<Vec<Value>> {
        let lanes = usize::from(!rest.apart.is_empty());
        let shape = self.ctx.graph.ty(x).shape.clone();
        let own: Vec<usize> = shape[lanes..lanes + more].to_vec();
        let count: usize = own.iter().product();
        if more == 0 {
            let value = self.as_site(site, rest, x);
            return Ok(substitute(
                &mut self.ctx.graph,
                &[(site.node, value)],
                results,
                None,
            ));
        }
        let mark = self.ctx.graph.len();
        let mut one = shape.clone();
        one.drain(lanes..lanes + more);
        let dtype = self.ctx.graph.ty(x).dtype;
        let lane = self.ctx.lane(Type::new(dtype, one.clone()));
        let value = self.as_site(site, rest, lane);
        let new = substitute(
            &mut self.ctx.graph,
            &[(site.node, value)],
            results,
            Some(key),
        );
        let g = &mut self.ctx.graph;
        // The estimator's lanes first, on one axis.
        let front: Vec<usize> = (lanes..lanes + more).collect();
        let first = lanes_first(g, x, &front);
        let mut all = vec![count];
        all.extend(&one);
        let first = g.reshape(first, all);
        let batched = batch(g, mark, &[(lane, first)], &new, count).map_err(|e| {
            let title = format!("{count} lanes of a `{}` have too many elements", e.lane);
            Box::new(
                self.err_at("E0314", title, e.span, "made for every lane")
                    .hint("let the estimator open fewer lanes, or use one that opens none"),
            )
        })?;
        let g = &mut self.ctx.graph;
        Ok(batched
            .into_iter()
            .map(|l| {
                let v = l.with_axis(g, count);
                let v = if lanes == 1 {
                    let rank = g.ty(v).rank();
                    let perm = [1, 0].into_iter().chain(2..rank).collect();
                    g.transpose(v, perm)
                } else {
                    v
                };
                let mut shape = g.ty(v).shape.clone();
                shape.splice(lanes..=lanes, own.iter().copied());
                g.reshape(v, shape)
            })
            .collect())
    }

    /// A value, the lanes' axis first, with the axes that the site has.
    fn as_site(&mut self, site: &Site, rest: &Rest, x: Value) -> Value {
        if rest.apart.is_empty() {
            return x;
        }
        let g = &mut self.ctx.graph;
        let mut shape = rest.extents.clone();
        shape.extend(&g.ty(x).shape[1..]);
        let x = g.reshape(x, shape);
        let x = lanes_back(g, x, &rest.apart);
        debug_assert_eq!(g.ty(x), g.ty(site.node));
        x
    }

    /// The result from the leaves' estimates: lanes are summed, or put where they stood, and what did not depend is added.
    fn assemble(&mut self, rest: &Rest, result: &Val, made: &[Value]) -> Val {
        let mut next = made.iter().zip(&rest.leaves);
        map_leaves(result, &mut |t| {
            let Some((&v, leaf)) = next.next() else {
                return t;
            };
            if leaf.of.is_none() {
                return leaf.result;
            }
            let g = &mut self.ctx.graph;
            let mut v = v;
            if !rest.apart.is_empty() {
                let mut shape = rest.extents.clone();
                shape.extend(&g.ty(v).shape[1..]);
                v = g.reshape(v, shape);
                let summed: Vec<usize> = (0..leaf.at.len())
                    .filter(|i| leaf.at[*i].is_none())
                    .collect();
                v = g.sum(v, summed);
                let kept: Vec<usize> = leaf.at.iter().flatten().copied().collect();
                v = lanes_back(g, v, &kept);
            }
            match leaf.rest {
                Some(r) => g.add2(r, v),
                None => v,
            }
        })
    }

    /// Lanes that mix, under an estimator that uses the rest more than once: each lane of the plate is a site of its own.
    fn lane_after_lane(
        &mut self,
        site: &Site,
        axis: usize,
        result: Val,
        started: usize,
        span: Span,
    ) -> R<Val> {
        let ty = self.ctx.graph.ty(site.node).clone();
        let n = ty.shape[axis];
        let operands = self.ctx.graph.operands(site.node);
        let lane_type = Type::new(ty.dtype, without(&ty.shape, &[axis]));
        let mut plates = site.plates.clone();
        plates.extend(&site.dist.plates);
        plates.remove(axis);
        let mut sites = vec![];
        let mut rows = vec![];
        for i in 0..n {
            let args: Vec<Value> = operands
                .iter()
                .map(|&o| {
                    let row = self.ctx.graph.slice_axis(o, axis, i, i + 1);
                    let shape = without(&self.ctx.graph.ty(o).shape, &[axis]);
                    self.ctx.graph.reshape(row, shape)
                })
                .collect();
            self.ctx.fresh += 1;
            let attr = Attr::Site(self.ctx.fresh, lane_type.clone());
            let node = self.ctx.graph.add(&ops::SITE, attr, &args);
            let mut wide = lane_type.shape.clone();
            wide.insert(axis, 1);
            rows.push(self.ctx.graph.reshape(node, wide));
            let dist = DistVal {
                plates: vec![],
                ..(*site.dist).clone()
            };
            sites.push(Site {
                node,
                plates: plates.clone(),
                dist: Rc::new(dist),
                key: mix(site.key.wrapping_add(i as u64), "lane"),
                ..site.clone()
            });
        }
        let g = &mut self.ctx.graph;
        let all = if rows.is_empty() {
            g.constant_like(0.0, site.node)
        } else {
            g.add(&ops::CONCAT, Attr::Axis(axis), &rows)
        };
        let old = leaves(&result);
        let mut new = substitute(g, &[(site.node, all)], &old, None).into_iter();
        let mut result = map_leaves(&result, &mut |t| new.next().unwrap_or(t));
        for site in sites.iter().rev() {
            result = self.estimate_site(site, result, started, span)?;
        }
        Ok(result)
    }

    /// `k(x)`: nodes that stand for the rest of the `expect` at this value of the site.
    pub(in crate::lower) fn continue_with(
        &mut self,
        k: &Rc<Continuation>,
        x: &Val,
        span: Span,
    ) -> R<Val> {
        let x = match x {
            Val::Int(i) => Val::Real(*i as f64),
            v => v.clone(),
        };
        let t = self.force(&x, span)?;
        let have = self.ctx.graph.ty(t).clone();
        if have != k.site_type {
            let title = format!("the continuation takes a `{}`, not a `{have}`", k.site_type);
            let mut r = self.err("E0414", title, span);
            if have.rank() == 0 && k.site_type.rank() > 0 {
                r = r.hint("a distribution with tensors for parameters is one site; for a site with a value for each element go over them: `for p in ps { z ~ d(p) via .. }`");
            }
            return Err(Box::new(r));
        }
        let mut i = 0;
        Ok(map_leaves(&k.result, &mut |old| {
            i += 1;
            let g = &mut self.ctx.graph;
            match &k.shares[i - 1] {
                Some(ty) => {
                    let attr = Attr::Continue(k.id, i as u32 - 1, ty.clone());
                    g.add(&ops::CONTINUE, attr, &[t])
                }
                // Nothing depends on the site here: what the estimator makes of it is not looked at.
                None => match g.ty(old).dtype {
                    DType::F32 | DType::F64 => g.constant_like(0.0, old),
                    _ => old,
                },
            }
        }))
    }
}

impl Leaf {
    /// Adds what does not depend on the site. Axes of lanes are summed over; where the result has them it has them already.
    fn add_rest(&mut self, g: &mut crate::ir::Graph, more: Option<Value>) {
        let Some(more) = more else { return };
        // Leading axes are those of plates that were summed over before.
        let summed = self.at.iter().filter(|a| a.is_none()).count();
        let more = g.sum(more, (0..summed).collect());
        self.rest = Some(match self.rest {
            Some(r) => g.add2(r, more),
            None => more,
        });
    }
}

/// A share with all axes of lanes on one leading axis.
fn flatten_lanes(g: &mut crate::ir::Graph, of: Value, leaf: &mut Leaf, extents: &[usize]) -> Value {
    if extents.is_empty() {
        return of;
    }
    // Axes that are summed over stand first, the last one outermost; those that the result has are counted behind them.
    let summed = leaf.at.iter().filter(|a| a.is_none()).count();
    let mut outer = summed;
    let at: Vec<usize> = leaf
        .at
        .iter()
        .map(|a| match a {
            Some(p) => *p,
            None => {
                outer -= 1;
                outer
            }
        })
        .collect();
    let v = lanes_first(g, of, &at);
    let mut shape = vec![extents.iter().product()];
    shape.extend(&g.ty(v).shape[extents.len()..]);
    // Positions in the result itself.
    leaf.at.iter_mut().flatten().for_each(|p| *p -= summed);
    g.reshape(v, shape)
}

/// A shape without some of its axes.
fn without(shape: &[usize], axes: &[usize]) -> Vec<usize> {
    (0..shape.len())
        .filter(|a| !axes.contains(a))
        .map(|a| shape[a])
        .collect()
}
