//! Values that are not finite, told of: which operation made them first, where it stands, and what it was given.

use super::session::Session;
use crate::interp::trace::{Cause, Operand, Range};
use crate::ir::Origin;
use mlc_grammar::diag::Report;
use mlc_grammar::span::Span;

/// A stage met a value that is not finite.
pub struct Met<'a> {
    pub stage: &'a str,
    pub step: usize,
    /// What was not finite: a logged value, or a parameter.
    pub name: &'a str,
    /// The file with the values before the step.
    pub saved: Option<String>,
    /// So many steps in a row were skipped for it.
    pub skipped: Option<usize>,
    /// Where it comes from, if it is known.
    pub causes: &'a [Cause],
}

/// What of the source the graph remembers nothing of.
#[derive(Default)]
pub struct Marks {
    /// The lanes of each `for`.
    lanes: Vec<(Span, usize)>,
    /// The statement of each site, and its name.
    sites: Vec<(Span, String)>,
}

impl Marks {
    pub fn lanes(&mut self, span: Span, n: usize) {
        if !self.lanes.contains(&(span, n)) {
            self.lanes.push((span, n));
        }
    }

    pub fn site(&mut self, span: Span, name: &str) {
        if !self.sites.iter().any(|s| s.0 == span) {
            self.sites.push((span, name.to_string()));
        }
    }
}

fn within(inner: Span, outer: Span) -> bool {
    inner.file == outer.file && outer.start <= inner.start && inner.end <= outer.end
}

impl Session {
    /// Where nodes come from that are built for some source.
    pub(super) fn placed(&self, span: Span) -> Origin {
        let library = self.sources.name(span.file).starts_with("std/");
        Origin {
            span,
            place: match library {
                true => self.ctx.graph.origin.place,
                false => span,
            },
            derived: false,
        }
    }

    /// E0620: a report, whose items are programs of their own.
    pub fn no_step(&self, stage: usize) -> Report {
        let info = &self.stages()[stage];
        let (name, kind) = (&info.name, info.kind);
        let title = format!("`{name}` has no step: it is a `{kind}` stage");
        let r = Report::new("E0620", title).label(info.span.start_only(), "this stage");
        let others = self.stages().iter().filter(|s| s.kind != kind);
        let others: Vec<String> = others.map(|s| format!("`{}`", s.name)).collect();
        match others.is_empty() {
            true => r,
            false => r.hint(format!("profile one that has: {}", others.join(", "))),
        }
    }

    /// E0610.
    pub fn not_finite(&self, met: &Met) -> Report {
        let infinite = met.causes.first().is_some_and(|c| c.value.is_infinite());
        let what = if infinite { "infinite" } else { "not a number" };
        let (name, step, stage) = (met.name, met.step, met.stage);
        let title = match step {
            0 => format!("`{name}` is {what} in `{stage}`"),
            _ => format!("`{name}` is {what} at step {step} of `{stage}`"),
        };
        let mut r = Report::new("E0610", title);
        for (nth, cause) in met.causes.iter().enumerate() {
            r = self.explain_cause(r, cause, nth);
        }
        let info = self.stages().iter().find(|s| s.name == met.stage);
        if let (true, Some(info)) = (r.labels.is_empty(), info) {
            r = r.label(info.span.start_only(), "in this stage");
        }
        if met.causes.is_empty() {
            r = r.note("the reference interpreter, from the same values, gets a finite one; it differs in the last bits");
        }
        if let Some(n) = met.skipped {
            r = r.note(format!("{n} steps in a row were skipped before this one"));
        }
        if let Some(path) = &met.saved {
            r = r.note(format!("the values before this step are in `{path}`"));
        }
        r.hint("lower the learning rate, or look for a log, a division or a square root that leaves its domain")
    }

    fn explain_cause(&self, mut r: Report, cause: &Cause, nth: usize) -> Report {
        let what = match cause.value {
            x if x.is_nan() => "not a number",
            _ => "infinite",
        };
        let element = match cause.index.as_slice() {
            [] => String::new(),
            index => format!(", element {index:?} of `{}`", cause.ty),
        };
        let Some(op) = cause.op else {
            let name = cause.name.as_deref().unwrap_or("an input");
            return r.note(format!("`{name}` was {what} before the step{element}"));
        };
        let of = if cause.origin.derived {
            format!("`{op}`, in the derivative of this,")
        } else {
            format!("`{op}`")
        };
        let first = if nth == 0 {
            "is the first that"
        } else {
            "before it"
        };
        let text = format!("{of} {first} gives what is {what}{element}");
        let (span, place) = (cause.origin.span, cause.origin.place);
        r = match place == Span::default() {
            true => r.label(span, text),
            false => r.label(place, text),
        };
        if place != span && place != Span::default() {
            let (at, code) = (self.sources.place(span), self.excerpt(span));
            let code = code.map_or(String::new(), |c| format!(": `{c}`"));
            r = r.note(format!("`{op}` stands at {at}{code}"));
        }
        for o in cause.operands.iter().filter(|o| !o.constant) {
            r = r.note(self.told_operand(o, op));
        }
        let place = if place == Span::default() {
            span
        } else {
            place
        };
        if let Some(site) = self.site_around(place) {
            r = r.note(format!("`{op}` belongs to the site `{site}`"));
        }
        for (lane, at) in self.lanes_of(cause, place) {
            let at = self.sources.place(at);
            r = r.note(format!("`{op}` is of the lane {lane} of the `for` at {at}"));
        }
        if !cause.iterations.is_empty() {
            let all: Vec<String> = cause.iterations.iter().map(usize::to_string).collect();
            let all = all.join(", ");
            r = r.note(format!("`{op}` is in the iteration {all} of its `scan`"));
        }
        r
    }

    fn told_operand(&self, o: &Operand, op: &str) -> String {
        let name = o.name.clone().or_else(|| self.excerpt(o.origin.span));
        let name = name.map_or(String::new(), |n| format!(" `{n}`"));
        let here = match o.here {
            Some(x) if o.range.count > 1 => format!(", {} there", real(x)),
            _ => String::new(),
        };
        let values = told_range(&o.range);
        format!("`{op}` is given{name}, `{}`: {values}{here}", o.ty)
    }

    /// Source that is short enough to stand in a line.
    fn excerpt(&self, span: Span) -> Option<String> {
        let text = self.sources.text(span);
        (!text.is_empty() && text.len() <= 60 && !text.contains('\n')).then(|| text.to_string())
    }

    fn site_around(&self, place: Span) -> Option<&str> {
        let around = self.marks.sites.iter().filter(|s| within(place, s.0));
        around
            .min_by_key(|s| s.0.end - s.0.start)
            .map(|s| s.1.as_str())
    }

    /// The lanes that an element is of: the first of its indices that fit the numbers of lanes of the loops around it, the
    /// outermost first. What does not depend on the lane of a loop has no index for it.
    fn lanes_of(&self, cause: &Cause, place: Span) -> Vec<(usize, Span)> {
        let mut around: Vec<(Span, usize)> = self.marks.lanes.clone();
        around.retain(|l| within(place, l.0));
        around.sort_by_key(|l| std::cmp::Reverse(l.0.end - l.0.start));
        let fits = |some: &[(Span, usize)]| {
            let lanes = some.iter().map(|l| &l.1);
            some.len() <= cause.ty.shape.len() && lanes.eq(&cause.ty.shape[..some.len()])
        };
        let n = around.len();
        let some = (1..=n)
            .rev()
            .flat_map(|len| (0..=n - len).map(move |k| (k, k + len)));
        let fitting = some.map(|(k, end)| &around[k..end]).find(|s| fits(s));
        let with_index = fitting.unwrap_or(&[]).iter().zip(&cause.index);
        with_index.map(|(l, i)| (*i, l.0)).collect()
    }
}

/// Some digits of a number.
fn real(x: f64) -> String {
    let size = x.abs();
    if x == 0.0 || !x.is_finite() || (1e-3..1e6).contains(&size) {
        format!("{}", (x * 1e6).round() / 1e6)
    } else {
        format!("{x:.4e}")
    }
}

/// What values there are, in words.
pub fn told_range(r: &Range) -> String {
    let mut text = match r.finite {
        Some((low, high)) if low == high => real(low),
        Some((low, high)) => format!("from {} to {}", real(low), real(high)),
        None => "nothing finite".to_string(),
    };
    for (n, what) in [(r.nans, "not a number"), (r.infinite, "infinite")] {
        if n > 0 {
            text += &format!(", {n} of {} {what}", r.count);
        }
    }
    text
}
