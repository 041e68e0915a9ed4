//! Which members a distribution has.

use crate::lower::session::{R, Session};
use crate::lower::value::{DistVal, Env, Val};
use mlc_grammar::ast::{self, Expr, ExprKind, Member, UnaryOp};
use mlc_grammar::span::Span;

/// Conditions that stand for members, and the members.
pub(in crate::lower) fn needs(condition: &str) -> Option<&'static [&'static str]> {
    Some(match condition {
        "scored" => &["logpdf"],
        "reparameterised" => &["transform", "noise"],
        "finite" => &["support"],
        "measure_valued" => &["mvd"],
        _ => return None,
    })
}

/// A member with this name whose conditions hold.
pub(super) fn member(d: &DistVal, name: &str) -> Option<&'static Member> {
    d.def
        .def
        .members
        .iter()
        .find(|m| m.name.text == name && m.conditions.iter().all(|c| holds(d, c)))
}

/// Has a value, or each of a list, a member?
pub(super) fn has(v: Option<&Val>, name: &str) -> bool {
    match v {
        // A plain draw can be made of a draw as a function of noise.
        Some(Val::Dist(d)) if name == "sample" => ["sample", "transform"]
            .iter()
            .any(|m| Session::has_member(d, m)),
        Some(Val::Dist(d)) => Session::has_member(d, name),
        Some(Val::List(items)) => items.iter().all(|v| has(Some(v), name)),
        _ => false,
    }
}

/// Is a draw of it, or of each of a list, one number, as far as its arguments tell?
pub(super) fn is_single(v: Option<&Val>) -> bool {
    match v {
        Some(Val::Dist(d)) => d.single,
        Some(Val::List(items)) => items.iter().all(|v| is_single(Some(v))),
        _ => false,
    }
}

/// Does a condition of a member hold for the arguments? Those that are not understood do not; `make_dist` refuses them.
pub(super) fn holds(d: &DistVal, c: &Expr) -> bool {
    let argument = |e: &Expr| match &e.kind {
        ExprKind::Name(n) => d.args.iter().find(|a| *a.0 == **n).map(|a| &a.1),
        _ => None,
    };
    match &c.kind {
        ExprKind::Paren(e) => holds(d, e),
        ExprKind::Unary(UnaryOp::Not, e) => !holds(d, e),
        ExprKind::Call(f, args) => match (&f.kind, args.as_slice()) {
            (ExprKind::Name(f), [x]) if f == "provided" => {
                !matches!(argument(&x.value), None | Some(Val::Missing))
            }
            (ExprKind::Name(f), [x]) if f == "single" => is_single(argument(&x.value)),
            (ExprKind::Name(f), [x, m]) if f == "has" => match &m.value.kind {
                ExprKind::Name(m) => has(argument(&x.value), m),
                _ => false,
            },
            (ExprKind::Name(f), [x]) => {
                needs(f).is_some_and(|all| all.iter().all(|m| has(argument(&x.value), m)))
            }
            _ => false,
        },
        _ => false,
    }
}

/// Is it of a form that `holds` understands?
pub(super) fn is_condition(c: &Expr) -> bool {
    match &c.kind {
        ExprKind::Paren(e) | ExprKind::Unary(UnaryOp::Not, e) => is_condition(e),
        ExprKind::Call(f, args) => match &f.kind {
            ExprKind::Name(f) if f == "has" => args.len() == 2,
            ExprKind::Name(f) => {
                args.len() == 1
                    && (matches!(f.as_str(), "provided" | "single") || needs(f).is_some())
            }
            _ => false,
        },
        _ => false,
    }
}

pub(super) fn holds_dists(v: &Val) -> bool {
    match v {
        Val::List(items) => !items.is_empty() && items.iter().all(holds_dists),
        v => matches!(v, Val::Dist(_)),
    }
}

impl Session {
    /// `has(d, cdf)`: does a distribution, or each of a list, have a member? Known at compile time.
    pub(in crate::lower) fn eval_has(
        &mut self,
        args: &'static [ast::CallArg],
        env: &Env,
        span: Span,
    ) -> R<Val> {
        let wrong = |s: &Self, title: String| Err(Box::new(s.err("E0201", title, span)));
        let [d, m] = args else {
            let title = "`has` takes a distribution and the name of a member".to_string();
            return wrong(self, title);
        };
        let ExprKind::Name(m) = &m.value.kind else {
            return wrong(self, "`has` takes the name of a member".to_string());
        };
        let v = self.eval(&d.value, env)?;
        if !holds_dists(&v) {
            let title = format!("`has` asks a distribution, not {}", v.kind());
            return wrong(self, title);
        }
        Ok(Val::Bool(has(Some(&v), m)))
    }

    pub(in crate::lower) fn has_member(d: &DistVal, name: &str) -> bool {
        member(d, name).is_some()
    }
}
