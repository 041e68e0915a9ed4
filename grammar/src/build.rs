//! From pest's pairs to the syntax tree.
//!
//! Pairs come from a piece of the blanked text, which starts at byte `base` of the file; bytes keep their places, so a
//! pair's range plus `base` is a place in the file. Names and strings are read from the pairs, doc comments (which are
//! blank in the piece) from the file's own text.
//!
//! Does not: resolve names, or check anything that needs to know what a name stands for.

mod expr;
mod item;
mod stmt;

use crate::ast::{Name, Pattern, PatternKind, TypeExpr, TypeKind};
use crate::diag::Report;
use crate::doc::doc_before;
use crate::parse::Rule;
use crate::span::{FileId, Span};
use pest::iterators::{Pair, Pairs};

type Node<'i> = Pair<'i, Rule>;

/// The highest tree that is built: an operator, a suffix, a sign and a bracket are a level each. What walks the tree by
/// recursion needs stack for this many levels, and no more.
pub const MAX_HEIGHT: usize = 2000;

/// Builds trees and collects what is wrong with them beyond the grammar.
pub(crate) struct Builder<'a> {
    file: FileId,
    text: &'a str,
    base: usize,
    height: usize,
    pub(crate) reports: Vec<Report>,
}

impl<'a> Builder<'a> {
    /// A builder for the piece of `text` that starts at `base`.
    pub(crate) fn new(file: FileId, text: &'a str, base: usize) -> Self {
        Self {
            file,
            text,
            base,
            height: 0,
            reports: Vec::new(),
        }
    }

    /// Where a pair stands, without the white space that pest counts in at its end.
    fn span(&self, pair: &Node) -> Span {
        let start = self.base + pair.as_span().start();
        let len = pair
            .as_str()
            .trim_end_matches([' ', '\t', '\r', '\n'])
            .len();
        Span::new(self.file, start, start + len)
    }

    fn name(&self, pair: &Node) -> Name {
        let span = self.span(pair);
        Name {
            text: pair.as_str().to_string(),
            span,
        }
    }

    fn names(&self, pair: Node) -> Vec<Name> {
        pair.into_inner()
            .filter(|p| is_name(p.as_rule()))
            .map(|p| self.name(&p))
            .collect()
    }

    /// The `///` lines directly above a place.
    fn doc(&self, span: Span) -> Option<String> {
        doc_before(self.text, span.start as usize)
    }

    fn error(&mut self, title: &str, span: Span, label: &str, hint: &str) {
        self.reports
            .push(Report::new("E0001", title).label(span, label).hint(hint));
    }

    /// Runs `build` if `levels` more levels fit; otherwise reports it, once for the piece.
    fn deeper<T>(
        &mut self,
        levels: usize,
        span: Span,
        build: impl FnOnce(&mut Self) -> T,
    ) -> Option<T> {
        if self.height + levels > MAX_HEIGHT {
            if !self.reports.iter().any(|r| r.code == "E0002") {
                self.reports.push(too_deep(span));
            }
            return None;
        }
        self.height += levels;
        let built = build(self);
        self.height -= levels;
        Some(built)
    }

    fn pattern(&mut self, pair: Node) -> Pattern {
        let span = self.span(&pair);
        let inner = only(pair);
        let kind = match inner.as_rule() {
            Rule::wild => PatternKind::Wild,
            Rule::name => PatternKind::Name(inner.as_str().to_string()),
            Rule::pat_tuple => {
                PatternKind::Tuple(inner.into_inner().map(|p| self.pattern(p)).collect())
            }
            Rule::pat_record => {
                PatternKind::Record(inner.into_inner().map(|p| self.pattern_field(p)).collect())
            }
            r => unexpected(r, "a pattern"),
        };
        Pattern { kind, span }
    }

    /// `a: p`, or `a`, which is `a: a`.
    fn pattern_field(&mut self, pair: Node) -> (Name, Pattern) {
        let mut parts = Parts::new(pair);
        let name = self.name(&parts.need(Rule::name));
        let pattern = match parts.take(Rule::pattern) {
            Some(p) => self.pattern(p),
            None => Pattern {
                kind: PatternKind::Name(name.text.clone()),
                span: name.span,
            },
        };
        (name, pattern)
    }

    fn ty(&mut self, pair: Node) -> TypeExpr {
        let span = self.span(&pair);
        let mut parts = Parts::new(only(pair));
        let kind = match parts.rule {
            Rule::ty_named => {
                let name = self.name(&parts.need(Rule::name));
                TypeKind::Named(name, parts.rest().map(|p| self.expr(p)).collect())
            }
            Rule::ty_tuple => TypeKind::Tuple(parts.rest().map(|p| self.ty(p)).collect()),
            Rule::ty_record => {
                let mut fields = Vec::new();
                while let Some(name) = parts.take(Rule::name) {
                    let name = self.name(&name);
                    fields.push((name, self.ty(parts.need(Rule::ty))));
                }
                TypeKind::Record(fields)
            }
            r => unexpected(r, "a type"),
        };
        TypeExpr { kind, span }
    }
}

/// The report for what [`MAX_HEIGHT`] refuses.
pub(crate) fn too_deep(span: Span) -> Report {
    Report::new("E0002", "this is nested too deeply")
        .label(
            span,
            "too many operators, calls or brackets in one expression",
        )
        .hint("name a part with `let`")
}

fn is_name(rule: Rule) -> bool {
    matches!(rule, Rule::name | Rule::field)
}

/// Words that say nothing beyond the rule they stand in.
fn is_word(rule: Rule) -> bool {
    matches!(
        rule,
        Rule::k_let
            | Rule::k_fn
            | Rule::w_model
            | Rule::w_net
            | Rule::w_param
            | Rule::w_state
            | Rule::w_data
            | Rule::w_dist
            | Rule::w_estimator
            | Rule::w_optimizer
            | Rule::w_stage
            | Rule::k_use
            | Rule::k_for
            | Rule::k_in
            | Rule::k_scan
            | Rule::k_next
            | Rule::k_yield
            | Rule::k_if
            | Rule::k_else
            | Rule::k_expect
            | Rule::k_given
            | Rule::k_via
            | Rule::w_as
            | Rule::w_on
            | Rule::w_with
            | Rule::w_where
            | Rule::w_order
            | Rule::w_train
            | Rule::w_after
            | Rule::w_test
            | Rule::w_precision
            | Rule::w_while
            | Rule::w_strict
            | Rule::w_with_key
            | Rule::w_set
            | Rule::w_update
            | Rule::w_by
            | Rule::w_over
            | Rule::w_except
            | Rule::w_using
            | Rule::w_minimize
            | Rule::w_every
            | Rule::w_log
            | Rule::w_assert
            | Rule::w_snapshot
            | Rule::w_diagnostics
            | Rule::w_graph
            | Rule::w_tol
            | Rule::w_verdict
            | Rule::w_stop
            | Rule::w_when
            | Rule::w_keep
            | Rule::w_skip
            | Rule::w_nan
            | Rule::w_max
            | Rule::w_factor
            | Rule::w_tap
    )
}

/// The children of a pair in order, without the words.
struct Parts<'i> {
    rule: Rule,
    rest: std::iter::Peekable<Pairs<'i, Rule>>,
}

impl<'i> Parts<'i> {
    fn new(pair: Node<'i>) -> Self {
        Self {
            rule: pair.as_rule(),
            rest: pair.into_inner().peekable(),
        }
    }

    fn peek(&mut self) -> Option<Rule> {
        while self.rest.next_if(|p| is_word(p.as_rule())).is_some() {}
        self.rest.peek().map(Pair::as_rule)
    }

    /// The next child if it is of this rule.
    fn take(&mut self, rule: Rule) -> Option<Node<'i>> {
        if self.peek() == Some(rule) {
            self.rest.next()
        } else {
            None
        }
    }

    /// The next child, which the grammar puts there.
    fn need(&mut self, rule: Rule) -> Node<'i> {
        match self.take(rule) {
            Some(pair) => pair,
            None => panic!(
                "internal error: the grammar's `{:?}` lacks `{rule:?}`",
                self.rule
            ),
        }
    }

    /// The next child, of whatever rule.
    fn any(&mut self) -> Node<'i> {
        self.peek();
        match self.rest.next() {
            Some(pair) => pair,
            None => panic!(
                "internal error: the grammar's `{:?}` is too short",
                self.rule
            ),
        }
    }

    fn rest(self) -> impl Iterator<Item = Node<'i>> {
        self.rest.filter(|p| !is_word(p.as_rule()))
    }
}

/// The one child of a pair.
fn only(pair: Node) -> Node {
    Parts::new(pair).any()
}

/// A rule where the grammar never puts it.
fn unexpected(rule: Rule, place: &str) -> ! {
    panic!("internal error: the grammar gave `{rule:?}` for {place}")
}
