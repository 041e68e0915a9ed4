//! A diagnostic as data. Rendering it for a terminal is the compiler's `diag` module.

use crate::span::Span;

/// One thing a user must change, with where and how.
#[derive(Clone, PartialEq, Debug)]
pub struct Report {
    /// `E0001`: stable, never reused.
    pub code: &'static str,
    /// Lower case, no full stop.
    pub title: String,
    /// The first is the main place; the others say what it clashes with.
    pub labels: Vec<Label>,
    /// What to write instead, in the user's syntax.
    pub hints: Vec<String>,
    /// The call chain and other background.
    pub notes: Vec<String>,
}

#[derive(Clone, PartialEq, Debug)]
pub struct Label {
    pub span: Span,
    pub text: String,
}

impl Report {
    pub fn new(code: &'static str, title: impl Into<String>) -> Self {
        Self {
            code,
            title: title.into(),
            labels: Vec::new(),
            hints: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// Are the two about the same thing at the same place, however it was reached?
    pub fn same_mistake(&self, other: &Self) -> bool {
        let place = |r: &Self| r.labels.first().map(|l| l.span);
        self.code == other.code && self.title == other.title && place(self) == place(other)
    }

    pub fn label(mut self, span: Span, text: impl Into<String>) -> Self {
        self.labels.push(Label {
            span,
            text: text.into(),
        });
        self
    }

    pub fn hint(mut self, text: impl Into<String>) -> Self {
        self.hints.push(text.into());
        self
    }

    pub fn note(mut self, text: impl Into<String>) -> Self {
        self.notes.push(text.into());
        self
    }
}
