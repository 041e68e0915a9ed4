//! Distributions and their members.

use super::leaves::leaves;
use super::session::{R, Session};
use super::value::{DistVal, Scoped, Val};
use mlc_grammar::ast::{self, Body};
use mlc_grammar::span::Span;
use std::rc::Rc;

impl Session {
    /// A distribution from its arguments, each within its support as far as that is known at compile time.
    pub(super) fn make_dist(
        &mut self,
        def: Rc<Scoped<ast::Dist>>,
        args: Vec<(Rc<str>, Val)>,
        span: Span,
    ) -> R<Val> {
        let mut settled = Vec::new();
        for (n, v) in args {
            let v = match v {
                Val::Slot(_) | Val::Log(..) | Val::List(_) => Val::Tensor(self.force(&v, span)?),
                v => v,
            };
            settled.push((n, v));
        }
        for (formal, (_, v)) in def.def.args.iter().zip(&settled) {
            let Some(support) = &formal.support else {
                continue;
            };
            let name = self.sources.text(support.span).to_string();
            let x = match v {
                Val::Int(i) => *i as f64,
                Val::Real(x) => *x,
                _ => continue,
            };
            let fine = match name.as_str() {
                "positive" => x > 0.0,
                "unit" => (0.0..=1.0).contains(&x),
                _ => true,
            };
            if !fine {
                let title = format!(
                    "`{}` of `{}` must be {}, and is {x}",
                    formal.name.text,
                    def.def.name.text,
                    super::resolve::support_words(&name)
                );
                return Err(Box::new(
                    self.err("E0401", title, span)
                        .label(formal.name.span, "declared here"),
                ));
            }
        }
        Ok(Val::Dist(Rc::new(DistVal {
            def,
            args: settled,
            plates: vec![],
        })))
    }

    pub(super) fn has_member(d: &DistVal, name: &str) -> bool {
        d.def.def.members.iter().any(|m| m.name.text == name)
    }

    /// `d.name(args)`: a declared member, or `sample()` by default.
    pub(super) fn call_member(
        &mut self,
        d: &Rc<DistVal>,
        name: &str,
        args: Vec<super::call::Given>,
        span: Span,
    ) -> R<Val> {
        if let Some((&n, _)) = d.plates.split_first() {
            // One member call per lane of the plate: log densities add up, the rest is stacked.
            let mut columns: Vec<Val> = d.args.iter().map(|(_, v)| v.clone()).collect();
            let n_args = columns.len();
            for (_, v) in &args {
                columns.push(self.force_leaves(v, span)?);
            }
            let inner = DistVal {
                plates: d.plates[1..].to_vec(),
                ..(**d).clone()
            };
            let lanes: Vec<Val> = columns
                .iter()
                .map(|v| {
                    if leaves(v).is_empty() {
                        Val::Unit
                    } else {
                        v.clone()
                    }
                })
                .filter(|v| !matches!(v, Val::Unit))
                .collect();
            let source = if lanes.is_empty() {
                Val::tuple(vec![Val::Range(0, n as i64)])
            } else {
                Val::tuple(lanes)
            };
            let names: Vec<Option<Rc<str>>> = args.iter().map(|a| a.0.clone()).collect();
            let stacked = self.over_lanes(&source, span, span, &mut |s, lane| {
                let Val::Tuple(items) = lane else {
                    return Ok(Val::Unit);
                };
                let mut items = items.iter();
                let mut take = |v: &Val| {
                    if leaves(v).is_empty() {
                        v.clone()
                    } else {
                        items.next().cloned().unwrap_or(Val::Unit)
                    }
                };
                let dist_args = d.args.iter().map(|(n, v)| (n.clone(), take(v))).collect();
                let call_args = names
                    .iter()
                    .zip(&columns[n_args..])
                    .map(|(n, v)| (n.clone(), take(v)))
                    .collect();
                let lane_dist = Rc::new(DistVal {
                    args: dist_args,
                    ..inner.clone()
                });
                s.call_member(&lane_dist, name, call_args, span)
            })?;
            return if name == "logpdf" {
                self.sum_all(&stacked, span)
            } else {
                Ok(stacked)
            };
        }
        if let Some(m) = d.def.def.members.iter().find(|m| m.name.text == name) {
            let env = d.def.env.child();
            for (n, v) in &d.args {
                env.bind(n, v.clone());
            }
            env.bind("self", Val::Dist(d.clone()));
            let label = format!("{}.{name}", d.def.def.name.text);
            let v = self.in_frame(&label, span, |s| {
                let inner = env.child();
                s.bind_args(&label, &m.args, args, &inner, span)?;
                match &m.body {
                    Body::Expr(e) => s.eval(e, &inner),
                    Body::Block(b) => s.eval_block(b, &inner),
                }
            })?;
            return match name {
                "logpdf" => self.sum_all(&v, span),
                "sample" => self.opaque(&v, span),
                _ => Ok(v),
            };
        }
        if name == "sample" && Self::has_member(d, "transform") && Self::has_member(d, "noise") {
            let e = self.call_member(d, "noise", vec![], span)?;
            let v = self.call_member(d, "transform", vec![(None, e)], span)?;
            return self.opaque(&v, span);
        }
        let dist = &d.def.def.name.text;
        let mut known: Vec<String> = d
            .def
            .def
            .members
            .iter()
            .map(|m| m.name.text.clone())
            .collect();
        known.push("sample".into());
        Err(Box::new(
            self.err("E0402", format!("`{dist}` declares no `{name}`"), span)
                .label(d.def.def.name.span, "declared here")
                .hint(format!("it has {}", super::resolve::listed(&known))),
        ))
    }
}
