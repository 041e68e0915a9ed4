//! Distributions of several elements, and of several lanes: their members are made of those of one.

use super::conditions::{has, holds_dists};
use super::is_sum;
use crate::ir::Value;
use crate::lower::call::Given;
use crate::lower::leaves::{leaves, map_leaves};
use crate::lower::session::{R, Session};
use crate::lower::value::{DistVal, Val};
use mlc_grammar::diag::Report;
use mlc_grammar::span::Span;
use std::rc::Rc;

impl Session {
    /// The shape of the elements that members speak of: that of the arguments where a draw has it, too. A draw of a categorical, say,
    /// is one number whatever its arguments.
    pub(super) fn elements_of_draws(
        &mut self,
        d: &Rc<DistVal>,
        span: Span,
    ) -> R<Option<Vec<usize>>> {
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
    pub(super) fn elements(&self, d: &DistVal) -> Option<Vec<usize>> {
        if d.args.iter().any(|(_, v)| holds_dists(v)) {
            return Some(vec![]);
        }
        self.own_elements(d)
    }

    pub(super) fn own_elements(&self, d: &DistVal) -> Option<Vec<usize>> {
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
    pub(in crate::lower) fn element_shape(&mut self, d: &Rc<DistVal>, span: Span) -> R<Val> {
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
        Box::new(
            self.err("E0303", title, span)
                .hint("arguments have one shape, or are numbers; rows are gone over with `for`"),
        )
    }

    /// Distributions of one family as one of several lanes; a list of them, where they are of several.
    pub(in crate::lower) fn stack_dists(&mut self, items: &[Val], span: Span) -> R<Val> {
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
    pub(super) fn member_of_lanes(
        &mut self,
        d: &Rc<DistVal>,
        n: usize,
        name: &str,
        args: Vec<Given>,
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
    pub(super) fn for_elements(
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
    pub(super) fn points_of_elements(
        &mut self,
        v: &Val,
        shape: &[usize],
        d: &DistVal,
        span: Span,
    ) -> R<Val> {
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
    pub(super) fn weak_derivatives(
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
