//! Does what a guide draws lie where the model expects it, and can it reach all of that?

use crate::ir::Value;
use crate::lower::session::{R, Session};
use crate::lower::value::{DistVal, Val};
use mlc_grammar::diag::Label;
use mlc_grammar::span::Span;
use std::rc::Rc;

/// The distribution that a site drew a value from.
#[derive(Clone)]
pub struct Origin {
    dist: Rc<DistVal>,
    /// The site.
    span: Span,
}

/// A support, as far as it is known at compile time.
enum Set {
    /// All between two numbers.
    Between(f64, f64),
    /// A name that stands for itself.
    Named(String),
    Unknown,
}

impl Session {
    /// Remembers where a drawn value comes from.
    pub(super) fn note_origin(&mut self, v: &Val, d: &Rc<DistVal>, span: Span) {
        if let Val::Tensor(t) = v {
            let origin = Origin {
                dist: d.clone(),
                span,
            };
            self.ctx.origins.insert(*t, origin);
        }
    }

    /// A value that takes another's place, batched or cut out, comes from where that came from.
    pub(in crate::lower) fn same_origin(&mut self, old: Value, new: Value) {
        if let Some(o) = self.ctx.origins.get(&old).cloned() {
            self.ctx.origins.entry(new).or_insert(o);
        }
    }

    /// The value of a scored site was drawn elsewhere: from a distribution of the same support?
    pub(super) fn check_covers(
        &mut self,
        site: &str,
        v: &Val,
        d: &Rc<DistVal>,
        span: Span,
    ) -> R<()> {
        let Val::Tensor(t) = v else { return Ok(()) };
        let Some(origin) = self.ctx.origins.get(t).cloned() else {
            return Ok(());
        };
        let drawn = self.set_of(&origin.dist);
        let wanted = self.set_of(d);
        let finite = |d: &DistVal| Self::has_member(d, "support");
        let why = match (&drawn, &wanted) {
            (Set::Between(a, b), Set::Between(c, e)) => {
                if a < c || b > e {
                    Some("draws values outside")
                } else if a > c || b < e {
                    Some("does not reach all of")
                } else {
                    None
                }
            }
            (Set::Named(a), Set::Named(b)) if a != b => Some("does not cover"),
            (Set::Named(_), Set::Between(..)) | (Set::Between(..), Set::Named(_)) => {
                Some("does not cover")
            }
            _ => None,
        };
        let why = match why {
            None if finite(&origin.dist) != finite(d)
                && !matches!((&drawn, &wanted), (Set::Unknown, _) | (_, Set::Unknown)) =>
            {
                Some("does not cover")
            }
            other => other,
        };
        let Some(why) = why else { return Ok(()) };
        let words = |s: &Self, d: &DistVal| {
            let kind = if finite(d) { "finite, on" } else { "on" };
            let on = s.sources.text(d.def.def.support.span).to_string();
            format!("`{}`, {kind} `{on}`", d.def.def.name.text)
        };
        let title = format!("the guide's `{site}` {why} the support of the model's");
        let mut r = self.err_at(
            "E0456",
            title,
            span,
            format!("scored by {}", words(self, d)),
        );
        r.labels.push(Label {
            span: origin.span,
            text: format!("drawn from {}", words(self, &origin.dist)),
        });
        Err(Box::new(r.hint(
            "give the guide a distribution with the support of the model's site",
        )))
    }

    fn set_of(&mut self, d: &Rc<DistVal>) -> Set {
        let text = self.sources.text(d.def.def.support.span).to_string();
        match self.support_of(d) {
            Val::Builtin("real") => Set::Between(f64::NEG_INFINITY, f64::INFINITY),
            v @ Val::Record(_) => match (v.field("low"), v.field("high")) {
                (Some(low), Some(high)) => match (number(&low), number(&high)) {
                    (Some(low), Some(high)) => Set::Between(low, high),
                    _ => Set::Unknown,
                },
                _ => named(&text),
            },
            _ => named(&text),
        }
    }
}

fn number(v: &Val) -> Option<f64> {
    match v {
        Val::Int(i) => Some(*i as f64),
        Val::Real(x) => Some(*x),
        _ => None,
    }
}

/// `simplex` of `simplex(k)`: sizes are compared elsewhere. What another distribution decides is not known.
fn named(text: &str) -> Set {
    let head = text.split('(').next().unwrap_or(text).trim();
    if head.contains('.') {
        Set::Unknown
    } else {
        Set::Named(head.to_string())
    }
}
