//! May an estimator stand at a site? And which one does, where none is named?

use crate::ir::{Attr, Graph, Loop, Value};
use crate::lower::models::Site;
use crate::lower::session::{R, Session};
use crate::lower::value::{DistVal, EstimatorVal, Val};
use crate::ops::{self, Ad, Kernel, Scalar};
use mlc_grammar::ast::{self, ExprKind};
use mlc_grammar::diag::Report;
use mlc_grammar::span::Span;
use std::collections::HashSet;
use std::rc::Rc;

/// What is used of a site, and where.
pub struct Uses {
    /// The site's value, or the loop that it is drawn in.
    pub of: Vec<Value>,
    pub results: Vec<Value>,
}

impl Session {
    /// The estimator that the site names, or the first of the library that is valid there; refused where it is not valid.
    /// Without `uses`, how the value is used is not known yet.
    pub(super) fn strategy(
        &mut self,
        site: &Site,
        d: &Rc<DistVal>,
        uses: Option<&Uses>,
        rough: bool,
    ) -> R<Rc<EstimatorVal>> {
        if !self.options.strategies.is_empty() {
            let place = self.sources.place(site.span);
            let set = self.options.strategies.iter().find(|s| s.0 == place);
            if let Some((_, name)) = set.cloned() {
                let all = self.library_estimators(site.span)?;
                if let Some((_, e)) = all.into_iter().find(|e| e.0 == name) {
                    self.check_conditions(site, &e, d, uses, rough, true)?;
                    return Ok(e);
                }
            }
        }
        let Some((e, marked)) = site.via.clone() else {
            return self.default_estimator(site, d, uses, rough);
        };
        if is_chosen(&e) {
            let place = self.sources.place(site.span);
            if !self.to_choose.contains(&place) {
                self.to_choose.push(place);
            }
            return self.default_estimator(site, d, uses, rough);
        }
        self.check_conditions(site, &e, d, uses, rough, true)?;
        let def = e.def.def;
        let biased = def.biased || e.args.iter().any(|(_, v)| is_biased(v));
        if biased && !marked {
            let title = format!("`{}` is biased", def.name.text);
            let r = self
                .err("E0408", title, site.span)
                .hint(format!("say so: `via biased {}`", def.name.text));
            return Err(Box::new(self.list_valid(r, site, d, uses, rough)));
        }
        Ok(e)
    }

    /// The first unbiased estimator of the library, in its own order, that is valid at the site and needs no more arguments.
    fn default_estimator(
        &mut self,
        site: &Site,
        d: &Rc<DistVal>,
        uses: Option<&Uses>,
        rough: bool,
    ) -> R<Rc<EstimatorVal>> {
        // A score of a support that may move is right where no derivative goes there, and refused where one does.
        let mut missing_ends = None;
        for (_, e) in self.library_estimators(site.span)? {
            if !self.may_default(site, &e, d, uses, rough) {
                continue;
            }
            if !self.may_miss_ends(&e, d) {
                return Ok(e);
            }
            missing_ends.get_or_insert(e);
        }
        if let Some(e) = missing_ends {
            return Ok(e);
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

    pub(super) fn library_estimators(&mut self, span: Span) -> R<Vec<(String, Rc<EstimatorVal>)>> {
        let tree = self.tree(self.estimators);
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

    /// Do the estimator's `where` conditions hold at the site? `rough`: its value is known to be used discontinuously, in the
    /// loop that it is drawn in.
    fn check_conditions(
        &mut self,
        site: &Site,
        e: &Rc<EstimatorVal>,
        d: &Rc<DistVal>,
        uses: Option<&Uses>,
        rough: bool,
        explain: bool,
    ) -> R<()> {
        let name = &e.def.def.name.text;
        let dist = &d.def.def.name.text;
        for c in &e.def.def.conditions {
            let condition = match &c.kind {
                ExprKind::Call(f, _) => &f.kind,
                other => other,
            };
            let need: &[&str] = match condition {
                // `d.member`: whatever an estimator needs by name.
                ExprKind::Field(_, member) => &[member.text.as_str()],
                ExprKind::Name(condition) => match condition.as_str() {
                    "smooth" => {
                        let found = uses.and_then(|u| rough_use(&self.ctx.graph, u));
                        if found.is_some() || rough {
                            let mut r = self.rough_report(name, site, found);
                            if explain {
                                r = self.list_valid(r, site, d, uses, rough);
                            }
                            return Err(Box::new(r));
                        }
                        continue;
                    }
                    "scored" => &["logpdf"],
                    "chosen" => continue,
                    "reparameterised" => &["transform", "noise"],
                    "finite" => &["support", "logpdf"],
                    "measure_valued" => &["mvd"],
                    other => {
                        let title = format!("there is no condition `{other}`");
                        return Err(Box::new(self.err("E0413", title, c.span)));
                    }
                },
                _ => {
                    let title = "a condition is `smooth(k)`, `d.member`, or the like";
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
                        r = self.list_valid(r, site, d, uses, rough);
                    }
                    return Err(Box::new(r));
                }
            }
        }
        // What it is made of stands at the site, too.
        for (_, v) in e.args.clone() {
            if let Val::Estimator(inner) = v {
                self.check_conditions(site, &inner, d, uses, rough, explain)?;
            }
        }
        Ok(())
    }

    fn rough_report(&self, name: &str, site: &Site, found: Option<(&str, Span)>) -> Report {
        let title = format!(
            "`{name}` at `{}`, whose value is used discontinuously",
            site.name
        );
        let r = self.err_at("E0420", title, site.span, "this sample");
        match found {
            Some((op, at)) => r.label(at, format!("`{op}` has no derivative here")),
            None => r,
        }
    }

    /// The error for a site of a loop, once it is known how its value is used.
    pub(super) fn rough_in_loop(
        &mut self,
        site: &Site,
        e: &Rc<EstimatorVal>,
        found: (&'static str, Span),
    ) -> Box<Report> {
        let r = self.rough_report(&e.def.def.name.text, site, Some(found));
        Box::new(self.list_valid(r, site, &site.dist.clone(), None, true))
    }

    fn list_valid(
        &mut self,
        r: Report,
        site: &Site,
        d: &Rc<DistVal>,
        uses: Option<&Uses>,
        rough: bool,
    ) -> Report {
        let valid = self.valid_at(site, d, uses, rough);
        match valid.len() {
            0 => r,
            _ => r.hint(format!(
                "valid at this site: {}",
                crate::lower::resolve::listed(&valid)
            )),
        }
    }

    /// The unbiased estimators of the library that are valid at the site and need no more arguments, whatever is
    /// differentiated.
    pub(super) fn valid_at(
        &mut self,
        site: &Site,
        d: &Rc<DistVal>,
        uses: Option<&Uses>,
        rough: bool,
    ) -> Vec<String> {
        let mut all = self.library_estimators(site.span).unwrap_or_default();
        all.retain(|(_, e)| self.may_default(site, e, d, uses, rough) && !self.may_miss_ends(e, d));
        all.into_iter().map(|(name, _)| name).collect()
    }

    /// May the estimator stand at a site that names none?
    fn may_default(
        &mut self,
        site: &Site,
        e: &Rc<EstimatorVal>,
        d: &Rc<DistVal>,
        uses: Option<&Uses>,
        rough: bool,
    ) -> bool {
        let def = e.def.def;
        let complete = def.args.iter().skip(2).all(|a| a.default.is_some());
        !def.biased
            && complete
            && !is_chosen(e)
            && self
                .check_conditions(site, e, d, uses, rough, false)
                .is_ok()
    }
}

/// Is it an estimator that is biased, or made of one that is?
fn is_biased(v: &Val) -> bool {
    match v {
        Val::Estimator(e) => e.def.def.biased || e.args.iter().any(|(_, v)| is_biased(v)),
        _ => false,
    }
}

/// Does the estimator stand for the one that measuring finds best?
fn is_chosen(e: &EstimatorVal) -> bool {
    e.def.def.conditions.iter().any(|c| match &c.kind {
        ExprKind::Call(f, _) => matches!(&f.kind, ExprKind::Name(n) if n == "chosen"),
        _ => false,
    })
}

/// Must the value be used smoothly?
pub fn demands_smooth(e: &EstimatorVal) -> bool {
    let own = e.def.def.conditions.iter().any(|c| match &c.kind {
        ExprKind::Call(f, _) => matches!(&f.kind, ExprKind::Name(n) if n == "smooth"),
        _ => false,
    });
    own || e.args.iter().any(|(_, v)| match v {
        Val::Estimator(inner) => demands_smooth(inner),
        _ => false,
    })
}

/// Is what the node is made of none of an estimator's business?
fn hides(g: &Graph, v: Value) -> bool {
    g.is(v, &ops::SMOOTH) || ends(g, v)
}

/// Does no derivative by what the node is made of go on from there?
fn ends(g: &Graph, v: Value) -> bool {
    g.is(v, &ops::STOP) || g.is(v, &ops::OPAQUE)
}

/// Does nothing pass the node that could be differentiated, though something real comes in?
fn is_rough(g: &Graph, v: Value, through_real: bool) -> bool {
    let node = g.node(v);
    let identity = node.def.kernel == Kernel::Map(Scalar::Identity);
    let stands_in = node.def.kernel == Kernel::Leaf;
    let whole = node.def.kernel == Kernel::Map(Scalar::Cast) && !node.ty.dtype.is_real();
    let flat = whole || matches!(node.def.ad, Ad::Zero | Ad::Refused(_));
    through_real && !identity && !stands_in && flat
}

/// A use on the way to the results through which nothing can be differentiated.
pub fn rough_use(g: &Graph, uses: &Uses) -> Option<(&'static str, Span)> {
    let (first, last) = (uses.of.iter().min()?, uses.results.iter().max()?);
    // Only what the results depend on counts, and not what somebody takes responsibility for. What a draw downstream owes to
    // the site is its own estimator's business: it stands behind a `stop`.
    let mut used: HashSet<Value> = uses.results.iter().copied().collect();
    for i in (first.0..=last.0).rev() {
        if used.contains(&Value(i)) && !hides(g, Value(i)) {
            used.extend(g.operands(Value(i)));
        }
    }
    let mut reached: HashSet<Value> = uses.of.iter().copied().collect();
    for i in first.0..=last.0 {
        let v = Value(i);
        let operands = g.operands(v);
        let from: Vec<bool> = operands.iter().map(|o| reached.contains(o)).collect();
        if reached.contains(&v) || !from.contains(&true) || ends(g, v) {
            continue;
        }
        reached.insert(v);
        if !used.contains(&v) {
            continue;
        }
        let found = match &g.node(v).attr {
            Attr::Loop(l) => rough_in_body(l, &from[l.first()..], None).0,
            _ => {
                let real = |o: &Value| reached.contains(o) && g.ty(*o).dtype.is_real();
                let node = g.node(v);
                is_rough(g, v, operands.iter().any(real))
                    .then_some((node.def.name, node.origin.span))
            }
        };
        if found.is_some() {
            return found;
        }
    }
    None
}

/// A use in a loop's body, of the operands that are marked in `from` (without whether it begins) and of the binding `mark`
/// in it, and which of the loop's parts they reach.
pub fn rough_in_body(
    l: &Loop,
    from: &[bool],
    mark: Option<u32>,
) -> (Option<(&'static str, Span)>, Vec<bool>) {
    let g = &l.body;
    let mut reached: HashSet<Value> = g.inputs[1..]
        .iter()
        .zip(from)
        .filter(|(_, r)| **r)
        .map(|(i, _)| i.value)
        .collect();
    let live = crate::ir::print::live(g);
    let mut used: HashSet<Value> = g.outputs.iter().map(|o| o.1).collect();
    for &v in live.iter().rev() {
        if used.contains(&v) && !hides(g, v) {
            used.extend(g.operands(v));
        }
    }
    // What reaches a carry reaches what the next iteration makes of it.
    loop {
        let mut rough = None;
        for &v in &live {
            let node = g.node(v);
            if mark.is_some_and(|m| node.attr == Attr::Id(m)) {
                reached.insert(v);
            }
            let operands = g.operands(v);
            let from: Vec<bool> = operands.iter().map(|o| reached.contains(o)).collect();
            let inner = match &node.attr {
                Attr::Loop(inner) => {
                    let own = mark.filter(|m| has_mark(&inner.body, *m));
                    (own.is_some() || from.contains(&true))
                        .then(|| rough_in_body(inner, &from[inner.first()..], own).0)
                }
                _ => None,
            };
            if ends(g, v) || !from.contains(&true) && inner.is_none() {
                continue;
            }
            reached.insert(v);
            let real = |o: &Value| reached.contains(o) && g.ty(*o).dtype.is_real();
            let found = match inner {
                Some(found) => found,
                None => (used.contains(&v) && is_rough(g, v, operands.iter().any(real)))
                    .then_some((node.def.name, node.origin.span)),
            };
            rough = rough.or(found);
        }
        let carries = l.carries.min(g.outputs.len());
        let mut grown = false;
        for c in 0..carries {
            if reached.contains(&g.outputs[c].1) {
                grown |= reached.insert(g.inputs[1 + c].value);
            }
        }
        if !grown {
            let parts = (0..l.parts())
                .map(|k| reached.contains(&g.outputs[k].1))
                .collect();
            return (rough, parts);
        }
    }
}

/// Does the body hold the binding, in itself or in a loop of it?
pub fn has_mark(g: &Graph, mark: u32) -> bool {
    crate::ir::print::live(g)
        .into_iter()
        .any(|v| match &g.node(v).attr {
            Attr::Loop(l) => has_mark(&l.body, mark),
            attr => *attr == Attr::Id(mark),
        })
}
