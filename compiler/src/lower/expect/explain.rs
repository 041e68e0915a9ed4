//! What was made of each site of an `expect`, in words: for `mlc explain-gradient`.

use crate::ir::{Graph, Value};
use crate::lower::models::Site;
use crate::lower::session::Session;
use crate::lower::value::{EstimatorVal, Val};
use crate::ops::{Kernel, LinearIn, Monoid, Scalar, linear_in};
use mlc_grammar::span::Span;
use std::collections::HashSet;
use std::rc::Rc;

/// One site, and how gradients pass through it.
#[derive(Clone, Debug)]
pub struct SiteExplained {
    pub site: String,
    /// `file:line:column` of the site.
    pub place: String,
    pub distribution: String,
    pub estimator: String,
    /// Did the site name none?
    pub by_default: bool,
    /// What the estimator gives, as the library or the pipeline writes it; `k(..)` is the rest.
    pub formula: String,
    /// How lanes of the plates around the site are estimated.
    pub lanes: String,
    /// How often the rest stands in the estimate, and how many of these only by value.
    pub uses: usize,
    pub by_value: usize,
    /// Terms of the rest that the site has a part in: what they are, and where.
    pub terms: Vec<(String, String)>,
    /// Estimators of the library that are valid there and need no arguments.
    pub valid: Vec<String>,
    /// Terms that the site cannot influence: no score multiplies them.
    pub dropped: usize,
}

impl Session {
    /// From now on, keeps what is made of each site, and gives the gradients of a step; or no longer does.
    pub fn keep_explanations(&mut self, keep: bool) {
        self.options.explain = keep;
        self.explained.clear();
    }

    /// Places of the sites lowered since the last call whose estimator is to be chosen by measuring.
    pub fn take_to_choose(&mut self) -> Vec<String> {
        std::mem::take(&mut self.to_choose)
    }

    /// Strategies that take the place of those that sites have, by the place of the site.
    pub fn set_strategies(&mut self, strategies: Vec<(String, String)>) {
        self.options.strategies = strategies;
    }

    /// What was kept since the last call.
    pub fn take_explanations(&mut self) -> Vec<SiteExplained> {
        std::mem::take(&mut self.explained)
    }

    pub(super) fn explain(&mut self, site: &Site, e: &Rc<EstimatorVal>, how: Estimated) {
        if !self.options.explain {
            return;
        }
        let g = &self.ctx.graph;
        let mut terms = vec![];
        let mut seen = HashSet::new();
        for of in &how.of {
            each_term(g, *of, &mut |v| {
                let at = g.node(v).origin.span;
                if seen.insert(at) {
                    terms.push(at);
                }
            });
        }
        let terms = terms
            .into_iter()
            .map(|at| (self.snippet(at), self.sources.place(at)))
            .collect();
        let mut dropped = 0;
        for rest in &how.rest {
            each_term(g, *rest, &mut |_| dropped += 1);
        }
        let explained = SiteExplained {
            site: site.name.to_string(),
            place: self.sources.place(site.span),
            distribution: site.dist.def.def.name.text.clone(),
            estimator: described(e),
            by_default: site.via.is_none(),
            formula: self.snippet(e.def.def.body.span),
            lanes: how.lanes,
            uses: how.uses,
            by_value: how.by_value,
            terms,
            dropped,
            valid: how.valid,
        };
        self.explained.push(explained);
    }

    /// A piece of the text on one line, without comments.
    fn snippet(&self, at: Span) -> String {
        let lines: Vec<&str> = self
            .sources
            .text(at)
            .lines()
            .map(|l| l.split("//").next().unwrap_or("").trim())
            .filter(|l| !l.is_empty())
            .collect();
        let text = lines.join("; ").replace("{;", "{").replace("; }", " }");
        let inner = text
            .strip_prefix('{')
            .and_then(|t| t.strip_suffix('}'))
            .map_or(text.as_str(), str::trim);
        inner.to_string()
    }
}

/// What happened at a site.
pub struct Estimated {
    pub lanes: String,
    pub uses: usize,
    pub by_value: usize,
    pub valid: Vec<String>,
    /// What depends on the site, and what does not.
    pub of: Vec<Value>,
    pub rest: Vec<Value>,
}

/// An estimator with its arguments: `average(n: 8, inner: reinforce)`.
fn described(e: &EstimatorVal) -> String {
    let args: Vec<String> = e
        .args
        .iter()
        .map(|(n, v)| {
            let v = match v {
                Val::Estimator(inner) => described(inner),
                Val::Int(i) => i.to_string(),
                Val::Real(x) => x.to_string(),
                Val::Bool(b) => b.to_string(),
                Val::Fn(f) => f.name.to_string(),
                _ => "..".into(),
            };
            format!("{n}: {v}")
        })
        .collect();
    let name = &e.def.def.name.text;
    if args.is_empty() {
        name.clone()
    } else {
        format!("{name}({})", args.join(", "))
    }
}

/// The terms that a value is the sum of.
fn each_term(g: &Graph, v: Value, visit: &mut dyn FnMut(Value)) {
    let node = g.node(v);
    let xs = g.operands(v);
    match node.def.kernel {
        Kernel::Map(Scalar::Add | Scalar::Sub) => {
            each_term(g, xs[0], visit);
            each_term(g, xs[1], visit);
        }
        Kernel::Map(Scalar::Neg | Scalar::Identity) | Kernel::Reduce(Monoid::Sum) => {
            each_term(g, xs[0], visit);
        }
        Kernel::View(_) if linear_in(node.def) == LinearIn::All => each_term(g, xs[0], visit),
        Kernel::Fill => {}
        _ => visit(v),
    }
}
