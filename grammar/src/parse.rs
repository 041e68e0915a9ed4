//! From text to syntax trees, with several errors a run.

use crate::ast::{Expr, File, Item, ItemKind, Stmt};
use crate::build::Builder;
use crate::diag::Report;
use crate::doc::doc_before;
use crate::habits::{self, Place};
use crate::newline::{Token, TokenKind, check_brackets, check_chains, mark_statements, tokens};
use crate::span::{FileId, Span};
use pest::Parser;
use pest::error::{Error, ErrorVariant, InputLocation};
use std::cell::Cell;

/// The parser that pest derives from `mlc.pest`.
#[derive(pest_derive::Parser)]
#[grammar = "../mlc.pest"]
pub struct Grammar;

/// A line of a prompt.
#[derive(Clone, PartialEq, Debug)]
pub enum ReplEntry {
    Item(Item),
    Stmt(Stmt),
}

/// The recursion of parsing runs on a stack that is deep enough for the nesting that is taken.
const STACK: usize = 256 << 20;

thread_local! {
    /// The address down to which this thread's stack is known to reach.
    static END: Cell<usize> = const { Cell::new(usize::MAX) };
}

/// An address on the stack, near where it is used now.
#[inline(never)]
fn stack_address() -> usize {
    let here = 0u8;
    std::hint::black_box(&raw const here) as usize
}

/// Says that from here on this thread has so many bytes of stack. Where that is enough, texts are parsed on it, and not on one of
/// a thread of their own.
pub fn deep_stack(bytes: usize) {
    END.set(stack_address().saturating_sub(bytes));
}

fn on_deep_stack<T: Send>(f: impl FnOnce() -> T + Send) -> T {
    if stack_address()
        .checked_sub(END.get())
        .is_some_and(|left| left >= STACK)
    {
        return f();
    }
    std::thread::scope(|s| {
        match std::thread::Builder::new()
            .stack_size(STACK)
            .spawn_scoped(s, f)
        {
            Ok(handle) => match handle.join() {
                Ok(v) => v,
                Err(panic) => std::panic::resume_unwind(panic),
            },
            Err(e) => panic!("internal error: no thread for the parser: {e}"),
        }
    })
}

/// A file's bytes as text, without a byte-order mark.
///
/// # Errors
/// Where it is not UTF-8, or holds characters that no editor shows.
pub fn decode(file: FileId, bytes: Vec<u8>) -> Result<String, Report> {
    let mut text = utf8(file, bytes)?;
    if text.starts_with('\u{feff}') {
        text.drain(..'\u{feff}'.len_utf8());
    }
    let hidden = |(i, c): &(usize, char)| match c {
        '\n' | '\t' => false,
        '\r' => !text[i + 1..].starts_with('\n'),
        // What turns the direction of writing makes a text read otherwise than it is.
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}' => true,
        c => c.is_control(),
    };
    match text.char_indices().find(hidden) {
        None => Ok(text),
        Some((i, c)) => {
            let line = text[..i].matches('\n').count() + 1;
            let title = format!(
                "the file has the character U+{:04X} in line {line}",
                c as u32
            );
            Err(Report::new("E0006", title)
                .label(Span::new(file, 0, 0), "in this file")
                .hint(
                    "remove it; a text has letters, spaces, tabs and line ends (LF, or CR and LF)",
                ))
        }
    }
}

fn utf8(file: FileId, bytes: Vec<u8>) -> Result<String, Report> {
    String::from_utf8(bytes).map_err(|e| {
        let at = e.utf8_error().valid_up_to();
        Report::new(
            "E0005",
            format!("the file is not UTF-8 text: byte {at} is not part of a character"),
        )
        .label(Span::new(file, 0, 0), "in this file")
        .hint("save it as UTF-8")
    })
}

/// Parses a file. What could not be parsed is a hole, and reported.
pub fn parse(file: FileId, text: &str) -> (File, Vec<Report>) {
    on_deep_stack(|| {
        let toks = tokens(text);
        let reports = check_brackets(file, text, &toks);
        if reports.is_empty() {
            return parse_tokens(file, text, &toks, Vec::new());
        }
        // A bracket that is wrong in one definition says nothing of the others: those are parsed, with spaces in its place.
        let (masked, holes, reports) = mask_broken(file, text, &toks, reports);
        if holes.is_empty() {
            return (File::default(), reports);
        }
        let (mut tree, reports) = parse_tokens(file, &masked, &tokens(&masked), reports);
        tree.items.extend(holes.into_iter().map(|span| Item {
            kind: ItemKind::Hole,
            span,
            doc: None,
        }));
        tree.items.sort_by_key(|i| i.span.start);
        (tree, reports)
    })
}

fn parse_tokens(
    file: FileId,
    text: &str,
    toks: &[Token],
    reports: Vec<Report>,
) -> (File, Vec<Report>) {
    let marked = mark_statements(text, toks);
    let mut p = Attempt {
        file,
        text,
        marked: &marked,
        toks,
        reports,
    };
    p.reports.extend(check_chains(file, &marked, toks));
    if p.reports.iter().any(|r| r.code == "E0002") {
        return (File::default(), p.reports);
    }
    let items = p
        .pieces(0, marked.len())
        .into_iter()
        .map(|(a, b)| p.item(a, b))
        .collect();
    (File { items }, p.reports)
}

/// The text with each definition whose brackets do not match made blank; where those stand, and what is wrong with them. A
/// definition is taken to begin where its word begins a line.
fn mask_broken(
    file: FileId,
    text: &str,
    toks: &[Token],
    whole: Vec<Report>,
) -> (String, Vec<Span>, Vec<Report>) {
    let starts: Vec<usize> = toks
        .iter()
        .enumerate()
        .filter(|(i, t)| {
            let first = *i == 0 || toks[i - 1].kind == TokenKind::Newline;
            let column = t.start == 0 || text.as_bytes()[t.start - 1] == b'\n';
            first && column && habits::DEFINITIONS.contains(&&text[t.start..t.end])
        })
        .map(|(i, _)| i)
        .collect();
    let deep = whole.iter().any(|r| r.code == "E0002");
    if starts.len() < 2 || deep {
        return (String::new(), vec![], whole);
    }
    let mut masked = text.as_bytes().to_vec();
    let (mut holes, mut reports) = (Vec::new(), Vec::new());
    for (n, &a) in starts.iter().enumerate() {
        let b = starts.get(n + 1).copied().unwrap_or(toks.len());
        let found = check_brackets(file, text, &toks[a..b]);
        if found.is_empty() {
            continue;
        }
        reports.extend(found);
        let last = toks[a..b]
            .iter()
            .rev()
            .find(|t| t.kind != TokenKind::Newline);
        let (start, end) = (toks[a].start, last.map_or(toks[a].end, |t| t.end));
        holes.push(Span::new(file, start, end));
        for c in &mut masked[start..end] {
            if *c != b'\n' {
                *c = b' ';
            }
        }
    }
    match String::from_utf8(masked) {
        // Nothing but what stands before the first definition is wrong: it cannot be told apart.
        Ok(masked) if check_brackets(file, &masked, &tokens(&masked)).is_empty() => {
            (masked, holes, reports)
        }
        _ => (String::new(), vec![], whole),
    }
}

/// Parses one expression.
///
/// # Errors
/// What is wrong with it.
pub fn parse_expr(file: FileId, text: &str) -> Result<Expr, Vec<Report>> {
    on_deep_stack(|| {
        let toks = tokens(text);
        let reports = check_brackets(file, text, &toks);
        if !reports.is_empty() {
            return Err(reports);
        }
        let marked = mark_statements(text, &toks);
        let chains = check_chains(file, &marked, &toks);
        if !chains.is_empty() {
            return Err(chains);
        }
        let mut p = Attempt {
            file,
            text,
            marked: &marked,
            toks: &toks,
            reports: Vec::new(),
        };
        match Grammar::parse(Rule::expr_only, &marked) {
            Ok(mut pairs) => {
                let mut b = p.builder(0);
                let e = pairs
                    .next()
                    .and_then(|p| p.into_inner().next())
                    .map(|p| b.expr(p));
                let reports = b.reports;
                match (e, reports.is_empty()) {
                    (Some(e), true) => Ok(e),
                    _ => Err(reports),
                }
            }
            Err(e) => {
                p.explain(0, &e);
                Err(p.reports)
            }
        }
    })
}

/// Parses what is typed at a prompt: items and statements, mixed.
pub fn parse_repl(file: FileId, text: &str) -> (Vec<ReplEntry>, Vec<Report>) {
    on_deep_stack(|| {
        let toks = tokens(text);
        let reports = check_brackets(file, text, &toks);
        if !reports.is_empty() {
            return (vec![], reports);
        }
        let marked = mark_statements(text, &toks);
        let chains = check_chains(file, &marked, &toks);
        if !chains.is_empty() {
            return (vec![], chains);
        }
        let mut p = Attempt {
            file,
            text,
            marked: &marked,
            toks: &toks,
            reports: Vec::new(),
        };
        let mut out = Vec::new();
        for (a, b) in p.pieces(0, marked.len()) {
            out.push(p.entry(a, b));
        }
        (out, p.reports)
    })
}

struct Attempt<'a> {
    file: FileId,
    text: &'a str,
    marked: &'a str,
    toks: &'a [Token],
    reports: Vec<Report>,
}

impl<'a> Attempt<'a> {
    fn builder(&self, base: usize) -> Builder<'a> {
        Builder::new(self.file, self.text, base)
    }

    /// The statements of `from..to`: pieces between `;` outside brackets, without those that are blank.
    fn pieces(&self, from: usize, to: usize) -> Vec<(usize, usize)> {
        let mut out = Vec::new();
        let mut depth = 0usize;
        let mut start = from;
        let bytes = self.marked.as_bytes();
        let mut push = |a: usize, b: usize| {
            if !self.marked[a..b].trim().is_empty() {
                out.push((a, b));
            }
        };
        let mut i = from;
        let first = self.toks.partition_point(|t| t.end <= from);
        for t in &self.toks[first..] {
            if t.start >= to {
                break;
            }
            let c = bytes[t.start];
            match t.kind {
                TokenKind::Mark | TokenKind::Newline => match c {
                    b'{' | b'(' | b'[' => depth += 1,
                    b'}' | b')' | b']' => depth = depth.saturating_sub(1),
                    b';' if depth == 0 => {
                        push(start, t.start);
                        start = t.end;
                    }
                    _ => {}
                },
                _ => {}
            }
            i = t.end;
        }
        let _ = i;
        push(start, to);
        out
    }

    fn span_of(&self, a: usize, b: usize) -> Span {
        let piece = &self.marked[a..b];
        let lead = piece.len() - piece.trim_start().len();
        let trail = piece.len() - piece.trim_end().len();
        Span::new(self.file, a + lead, b - trail)
    }

    fn item(&mut self, a: usize, b: usize) -> Item {
        let span = self.span_of(a, b);
        let doc = doc_before(self.text, span.start as usize);
        match Grammar::parse(Rule::item_only, &self.marked[a..b]) {
            Ok(mut pairs) => {
                let mut builder = self.builder(a);
                let pair = pairs.next().and_then(|p| p.into_inner().next());
                let kind = pair.map_or(ItemKind::Hole, |p| builder.item(p));
                self.reports.append(&mut builder.reports);
                Item { kind, span, doc }
            }
            Err(e) => {
                self.recover_item(a, b, &e);
                Item {
                    kind: ItemKind::Hole,
                    span,
                    doc,
                }
            }
        }
    }

    /// A piece as whichever of the two it is; if neither, as what more of it could be.
    fn entry(&mut self, a: usize, b: usize) -> ReplEntry {
        let piece = &self.marked[a..b];
        let item = Grammar::parse(Rule::item_only, piece);
        let stmt = Grammar::parse(Rule::stmt_only, piece);
        match (item, stmt) {
            (Err(_), Ok(_)) => ReplEntry::Stmt(self.stmt(a, b)),
            (Err(i), Err(s)) if location(&i) <= location(&s) => ReplEntry::Stmt(self.stmt(a, b)),
            _ => ReplEntry::Item(self.item(a, b)),
        }
    }

    fn stmt(&mut self, a: usize, b: usize) -> Stmt {
        let span = self.span_of(a, b);
        match Grammar::parse(Rule::stmt_only, &self.marked[a..b]) {
            Ok(mut pairs) => {
                let mut builder = self.builder(a);
                let pair = pairs.next().and_then(|p| p.into_inner().next());
                let stmt = pair.map(|p| builder.stmt(p));
                self.reports.append(&mut builder.reports);
                stmt.unwrap_or(Stmt {
                    kind: crate::ast::StmtKind::Hole,
                    span,
                    doc: None,
                })
            }
            Err(e) => {
                self.recover(a, b, &e);
                Stmt {
                    kind: crate::ast::StmtKind::Hole,
                    span,
                    doc: None,
                }
            }
        }
    }

    /// Reports what is wrong with a piece that is no item: perhaps it is a statement in the wrong place.
    fn recover_item(&mut self, a: usize, b: usize, e: &Error<Rule>) {
        match Grammar::parse(Rule::stmt_only, &self.marked[a..b]) {
            Ok(pairs) => {
                let span = self.span_of(a, b);
                let kind = pairs.flatten().nth(2).map(|p| p.as_rule());
                self.reports.push(misplaced(kind, span));
            }
            Err(inner) if location(&inner) > location(e) => self.recover(a, b, &inner),
            Err(_) => self.recover(a, b, e),
        }
    }

    /// Reports what is wrong with a piece: the statements of its body that do not parse, each on its own; or the piece.
    fn recover(&mut self, a: usize, b: usize, e: &Error<Rule>) {
        let before = self.reports.len();
        if let Some((open, close)) = self.body(a, b) {
            // A mistake ahead of the body is the header's.
            let at = a + location(e);
            if at > open {
                for (x, y) in self.pieces(open + 1, close) {
                    if let Err(inner) = Grammar::parse(Rule::stmt_only, &self.marked[x..y]) {
                        // A distribution's members are no statements.
                        if self.marked[a..].trim_start().starts_with("dist") && at < x
                            || at > y && self.marked[a..].trim_start().starts_with("dist")
                        {
                            continue;
                        }
                        self.recover(x, y, &inner);
                    }
                }
            }
        }
        if self.reports.len() == before {
            self.explain(a, e);
        }
    }

    /// The piece's last pair of braces at its own level.
    fn body(&self, a: usize, b: usize) -> Option<(usize, usize)> {
        let mut depth = 0usize;
        let mut open = None;
        let mut found = None;
        let first = self.toks.partition_point(|t| t.end <= a);
        for t in self.toks[first..].iter().take_while(|t| t.start < b) {
            if t.kind != TokenKind::Mark {
                continue;
            }
            match self.marked.as_bytes()[t.start] {
                c @ (b'{' | b'(' | b'[') => {
                    if depth == 0 && c == b'{' {
                        open = Some(t.start);
                    }
                    depth += 1;
                }
                c @ (b'}' | b')' | b']') => {
                    depth = depth.saturating_sub(1);
                    if depth == 0 && c == b'}' {
                        found = open.map(|o| (o, t.start));
                    }
                }
                _ => {}
            }
        }
        found
    }

    /// A syntax error in words, with a hint for the usual habits.
    fn explain(&mut self, base: usize, e: &Error<Rule>) {
        let at = base + location(e);
        let tok = self
            .toks
            .iter()
            .find(|t| t.end > at && !matches!(t.kind, TokenKind::Comment));
        let previous =
            self.toks.iter().rev().find(|t| {
                t.end <= at && !matches!(t.kind, TokenKind::Comment | TokenKind::Newline)
            });
        let (start, end, found) = match tok {
            Some(t) if t.kind != TokenKind::Newline => (
                t.start,
                t.end,
                format!("`{}`", clip(&self.text[t.start..t.end])),
            ),
            Some(t) => (t.start, t.end, "end of the line".to_string()),
            None => (
                self.text.len(),
                self.text.len(),
                "end of the file".to_string(),
            ),
        };
        let wanted = match &e.variant {
            ErrorVariant::ParsingError { positives, .. } => expected(positives),
            ErrorVariant::CustomError { .. } => {
                self.reports.push(
                    Report::new("E0002", "this is nested too deeply")
                        .label(Span::new(self.file, start, end), "here")
                        .hint("name a part with `let`"),
                );
                return;
            }
        };
        let wants_name = wanted.contains("a name");
        let mut r = Report::new("E0001", format!("unexpected {found}"))
            .label(Span::new(self.file, start, end), wanted);
        let place = self.place(start, previous, wants_name);
        if let Some(h) = habits::hint(&place) {
            r = r.hint(h);
        }
        self.reports.push(r);
    }

    /// The line around byte `at` in tokens.
    fn place(&self, at: usize, previous: Option<&Token>, wants_name: bool) -> Place<'a> {
        let from = self.text[..at].rfind('\n').map_or(0, |i| i + 1);
        let first = self.toks.partition_point(|t| t.end <= from);
        let line: Vec<&Token> = self.toks[first..]
            .iter()
            .take_while(|t| t.kind != TokenKind::Newline)
            .filter(|t| t.kind != TokenKind::Comment)
            .collect();
        let mut open = Vec::new();
        for t in self.toks.iter().take_while(|t| t.start < at) {
            match (t.kind, self.text.as_bytes()[t.start]) {
                (TokenKind::Mark, c @ (b'(' | b'[' | b'{')) => open.push(c),
                (TokenKind::Mark, b')' | b']' | b'}') => {
                    open.pop();
                }
                _ => {}
            }
        }
        Place {
            at: line.iter().take_while(|t| t.end <= at).count(),
            line: line.iter().map(|t| &self.text[t.start..t.end]).collect(),
            before: previous.map_or("", |t| &self.text[t.start..t.end]),
            in_index: open.last() == Some(&b'['),
            wants_name,
        }
    }
}

/// The report for a statement at the top of a file.
fn misplaced(kind: Option<Rule>, span: Span) -> Report {
    let hint = match kind {
        Some(Rule::site | Rule::factor) => {
            "a draw belongs in a block: `model m() { .. }` or `expect { .. }`"
        }
        Some(Rule::next | Rule::yield_stmt) => "it belongs in the block of a `scan`",
        Some(Rule::assert | Rule::snapshot) => "checks belong in a test: `test \"name\" { .. }`",
        Some(Rule::expr) => {
            "give the value a name, `let x = ..`, or put it in a function, a stage or a test"
        }
        Some(Rule::tap) => "it belongs in the block of a `net`",
        _ => "steps belong in a stage: `stage s = train for 100 steps { .. }`",
    };
    Report::new("E0001", "a statement cannot stand at the top of a file")
        .label(span, "only definitions, stages and tests stand here")
        .hint(hint)
}

fn location(e: &Error<Rule>) -> usize {
    match e.location {
        InputLocation::Pos(p) | InputLocation::Span((p, _)) => p,
    }
}

fn clip(s: &str) -> String {
    match s.char_indices().nth(30) {
        Some((i, _)) => format!("{}..", &s[..i]),
        None => s.to_string(),
    }
}

/// What could have stood here, in a few words.
fn expected(rules: &[Rule]) -> String {
    let mut words: Vec<&str> = Vec::new();
    for r in rules {
        let w = match r {
            Rule::name | Rule::field | Rule::pattern | Rule::wild => "a name",
            Rule::expr
            | Rule::postfix
            | Rule::int
            | Rule::real
            | Rule::string
            | Rule::neg
            | Rule::not
            | Rule::sum => "an expression",
            Rule::block => "a block `{ .. }`",
            Rule::ty | Rule::ty_named => "a type",
            Rule::item | Rule::def => "a definition, a stage or a test",
            Rule::stmt => "a statement",
            Rule::args => "arguments `( .. )`",
            Rule::unit => "`steps`, `epochs` or `rows`",
            Rule::k_in => "`in`",
            Rule::k_for => "`for`",
            Rule::k_else => "`else`",
            Rule::w_over => "`over`",
            Rule::w_by => "`by`",
            Rule::body => "`=` or a block",
            Rule::EOI => "the end of the statement",
            Rule::add | Rule::mul | Rule::or | Rule::and => "an operator",
            _ => continue,
        };
        if !words.contains(&w) {
            words.push(w);
        }
    }
    match words.as_slice() {
        [] => "not expected here".to_string(),
        [one] => format!("expected {one}"),
        [init @ .., last] if init.len() < 4 => format!("expected {} or {last}", init.join(", ")),
        _ => "not expected here".to_string(),
    }
}
