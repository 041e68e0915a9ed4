//! Diagnostics as a person reads them.

pub mod codes;

use ariadne::{Color, Config, IndexType, Label, ReportKind, Source};
use mlc_grammar::diag::Report;
use mlc_grammar::span::{FileId, Span};
use std::ops::Range;

/// The texts of a compilation.
#[derive(Clone, Default)]
pub struct Sources {
    files: Vec<(String, String)>,
}

impl Sources {
    /// Adds a text under the name it is shown by.
    pub fn add(&mut self, name: &str, text: &str) -> FileId {
        self.files.push((name.to_string(), text.to_string()));
        FileId((self.files.len() - 1) as u16)
    }

    /// All texts, by the names they are shown by, in the order in which they came.
    pub fn files(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files.iter().map(|f| (f.0.as_str(), f.1.as_str()))
    }

    /// A file's name.
    pub fn name(&self, file: FileId) -> &str {
        self.files.get(file.0 as usize).map_or("?", |f| &f.0)
    }

    /// A file's whole text.
    pub fn file_text(&self, file: FileId) -> &str {
        self.files.get(file.0 as usize).map_or("", |f| &f.1)
    }

    /// The text of a span.
    pub fn text(&self, span: Span) -> &str {
        self.file_text(span.file)
            .get(span.start as usize..span.end as usize)
            .unwrap_or("")
    }

    /// The number of the line where a span begins, counted from 1, and its text.
    pub fn line(&self, span: Span) -> (usize, &str) {
        let text = self.file_text(span.file);
        let before = text.get(..span.start as usize).unwrap_or("");
        let number = before.matches('\n').count();
        (number + 1, text.lines().nth(number).unwrap_or(""))
    }

    /// `file:line:column`, counted from 1, columns in characters.
    pub fn place(&self, span: Span) -> String {
        let before = self
            .file_text(span.file)
            .get(..span.start as usize)
            .unwrap_or("");
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
        format!("{}:{line}:{column}", self.name(span.file))
    }
}

/// A span made safe for rendering: inside its text and on character boundaries.
fn boundaries(text: &str, span: Span) -> Range<usize> {
    let mut start = (span.start as usize).min(text.len());
    let mut end = (span.end as usize).clamp(start, text.len());
    while !text.is_char_boundary(start) {
        start -= 1;
    }
    while !text.is_char_boundary(end) {
        end += 1;
    }
    start..end
}

/// A line longer than this is not shown: it would fill the terminal.
const MAX_LINE: usize = 2000;

/// Renders reports with labelled excerpts.
pub fn render(reports: &[Report], sources: &Sources, colour: bool) -> String {
    let mut out = Vec::new();
    for r in reports {
        render_one(r, sources, colour, &mut out);
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// A report's hints, or the general one of its code where it has none.
pub fn hints_of(r: &Report) -> Vec<&str> {
    let general = if r.hints.is_empty() {
        codes::find(r.code).map(|c| c.hint)
    } else {
        None
    };
    r.hints.iter().map(String::as_str).chain(general).collect()
}

fn render_one(r: &Report, sources: &Sources, colour: bool, out: &mut Vec<u8>) {
    let hints = hints_of(r);
    let huge = r.labels.iter().any(|l| {
        let text = sources.file_text(l.span.file);
        let at = boundaries(text, l.span);
        let line_start = text[..at.start].rfind('\n').map_or(0, |i| i + 1);
        let line_end = text[at.start..]
            .find('\n')
            .map_or(text.len(), |i| at.start + i);
        line_end - line_start > MAX_LINE
    });
    if r.labels.is_empty() || huge {
        // Without an excerpt: what and where in words.
        let mut text = format!("[{}] Error: {}\n", r.code, r.title);
        for l in &r.labels {
            text += &format!("  {}: {}\n", sources.place(l.span), l.text);
        }
        for n in &r.notes {
            text += &format!("  Note: {n}\n");
        }
        for h in &hints {
            text += &format!("  Help: {h}\n");
        }
        out.extend(text.as_bytes());
        return;
    }
    let main = &r.labels[0];
    let id = |f: FileId| sources.name(f).to_string();
    let main_range = boundaries(sources.file_text(main.span.file), main.span);
    let mut b = ariadne::Report::build(ReportKind::Error, (id(main.span.file), main_range))
        .with_config(
            Config::default()
                .with_color(colour)
                .with_index_type(IndexType::Byte),
        )
        .with_code(r.code)
        .with_message(&r.title);
    // In the order of the text, so that labels of one file make one excerpt; the main label's file first.
    let mut labels: Vec<(usize, &mlc_grammar::diag::Label)> = r.labels.iter().enumerate().collect();
    labels.sort_by_key(|(_, l)| (l.span.file != main.span.file, l.span.file.0, l.span.start));
    for (i, l) in labels {
        let range = boundaries(sources.file_text(l.span.file), l.span);
        let color = if i == 0 { Color::Red } else { Color::Blue };
        b = b.with_label(
            Label::new((id(l.span.file), range))
                .with_message(&l.text)
                .with_color(color),
        );
    }
    for n in &r.notes {
        b = b.with_note(n);
    }
    for h in hints {
        b = b.with_help(h);
    }
    let cache =
        ariadne::FnCache::new(|name: &String| Err::<String, _>(format!("no source named {name}")))
            .with_sources(
                sources
                    .files
                    .iter()
                    .map(|(n, t)| (n.clone(), Source::from(t.clone())))
                    .collect(),
            );
    // Writing to memory cannot fail.
    let _ = b.finish().write(cache, &mut *out);
}
