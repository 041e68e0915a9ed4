//! Functions with some arguments given: `let f = g(b: 2.0)` is the function of the rest.

use super::call::Given;
use super::session::{R, Session};
use super::value::{Closure, Code, Partial, Val};
use mlc_grammar::ast::{Arg, Function};
use mlc_grammar::diag::Report;
use mlc_grammar::span::Span;
use std::rc::Rc;

/// Is a call one that gives some arguments by name and leaves others open? All that is given must have a name of the function's,
/// once; one that needs a value must be missing.
pub(super) fn leaves_a_rest(formal: &[Arg], args: &[Given]) -> bool {
    let given = |n: &str| args.iter().filter(|(g, _)| g.as_deref() == Some(n)).count();
    !args.is_empty()
        && args.iter().all(|(n, _)| {
            n.as_deref()
                .is_some_and(|n| formal.iter().any(|a| a.name.text == n) && given(n) == 1)
        })
        && formal
            .iter()
            .any(|a| a.default.is_none() && given(&a.name.text) == 0)
}

/// The user's function behind a partial application.
fn function(p: &Partial) -> Option<(&Rc<Closure>, &'static Function)> {
    match &p.of {
        Val::Fn(c) => match c.code {
            Code::Fn(f) => Some((c, f)),
            Code::Lambda(..) => None,
        },
        _ => None,
    }
}

impl Session {
    /// Calls a function some of whose arguments were given before. What comes by position fills the open arguments in order;
    /// what comes by name may also replace what was given.
    pub(super) fn apply_rest(&mut self, p: &Rc<Partial>, args: Vec<Given>, span: Span) -> R<Val> {
        let mut all: Vec<Given> = Vec::new();
        match function(p) {
            None => all = args,
            Some((c, f)) => {
                let mut open = f
                    .args
                    .iter()
                    .map(|a| a.name.text.as_str())
                    .filter(|n| !p.given.iter().any(|(g, _)| &**g == *n));
                let count = args.iter().filter(|(n, _)| n.is_none()).count();
                for (n, v) in args {
                    match (n, open.next()) {
                        (Some(n), _) => all.push((Some(n), v)),
                        (None, Some(n)) => all.push((Some(super::session::rc(n)), v)),
                        (None, None) => {
                            let title = format!(
                                "`{}` takes {} more arguments, and {count} are given",
                                c.name,
                                f.args.len() - p.given.len()
                            );
                            return Err(Box::new(
                                self.err("E0201", title, span)
                                    .label(p.span, "the others are given here"),
                            ));
                        }
                    }
                }
            }
        }
        for (n, v) in &p.given {
            if !all.iter().any(|(given, _)| given.as_deref() == Some(&**n)) {
                all.push((Some(n.clone()), v.clone()));
            }
        }
        self.apply(&p.of, all, span)
    }

    /// What to say where a function that lacks arguments stands for a value.
    pub(super) fn lacks_arguments(&self, p: &Partial, span: Span) -> Option<Box<Report>> {
        let (c, f) = function(p)?;
        let missing: Vec<String> = f
            .args
            .iter()
            .filter(|a| a.default.is_none() && !p.given.iter().any(|(n, _)| **n == a.name.text))
            .map(|a| a.name.text.clone())
            .collect();
        let names = super::resolve::listed(&missing);
        let first = missing.first()?;
        let title = format!("`{}` still needs {names}", c.name);
        let mut r = self
            .err_at("E0201", title, span, "a value is needed here")
            .hint(format!("give all arguments: `{}(.., {first}: ..)`", c.name));
        if p.span != span {
            r = r.label(p.span, "only some arguments are given here");
        }
        Some(Box::new(r.label(f.name.span, "declared here")))
    }
}
