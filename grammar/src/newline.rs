//! The pass before the grammar: comments become spaces, and `;` is written over each newline that ends a statement.
//!
//! Every byte keeps its place, so spans hold. A newline ends a statement when (i) the innermost open bracket is `{` or none,
//! (ii) the last token can end an expression, (iii) the next token does not continue it.

use crate::diag::Report;
use crate::span::{FileId, Span};

/// Words after which an expression goes on.
const OPEN_WORDS: &[&str] = &[
    "let", "fn", "use", "for", "in", "scan", "next", "yield", "if", "else", "expect", "given",
    "via", "and", "or", "not", "over", "using", "by", "with", "where", "on",
];

/// Words that continue the line above.
const CONTINUING: &[&str] = &[
    "over", "using", "by", "via", "given", "with", "where", "else", "after",
];

/// What a text is made of, for the formatter and for this pass.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TokenKind {
    Word,
    Number,
    Text,
    /// One operator or bracket.
    Mark,
    Comment,
    Newline,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Token {
    pub kind: TokenKind,
    pub start: usize,
    pub end: usize,
}

const MARKS: &[&str] = &["|>", "->", "==", "!=", "<=", ">=", "..", "**", "&&", "||"];

/// Splits a text into tokens; white space other than newlines is left out.
pub fn tokens(text: &str) -> Vec<Token> {
    let b = text.as_bytes();
    let mut out = Vec::new();
    let mut i = 0;
    while i < b.len() {
        let start = i;
        let kind = match b[i] {
            b'\n' => {
                i += 1;
                TokenKind::Newline
            }
            b' ' | b'\t' | b'\r' => {
                i += 1;
                continue;
            }
            b'/' if b.get(i + 1) == Some(&b'/') => {
                while i < b.len() && b[i] != b'\n' {
                    i += 1;
                }
                TokenKind::Comment
            }
            b'"' => {
                i += 1;
                while i < b.len() && b[i] != b'"' && b[i] != b'\n' {
                    i += if b[i] == b'\\' && b.get(i + 1).is_some_and(|c| *c != b'\n') {
                        2
                    } else {
                        1
                    };
                }
                if i < b.len() && b[i] == b'"' {
                    i += 1;
                }
                i = i.min(b.len());
                TokenKind::Text
            }
            c if c.is_ascii_digit() => {
                while i < b.len() && (b[i].is_ascii_alphanumeric() || b[i] == b'_') {
                    let exponent = matches!(b[i], b'e' | b'E');
                    i += 1;
                    if exponent
                        && matches!(b.get(i), Some(b'+' | b'-'))
                        && b.get(i + 1).is_some_and(u8::is_ascii_digit)
                    {
                        i += 1;
                    }
                    // A dot belongs to a number when a digit follows.
                    if b.get(i) == Some(&b'.') && b.get(i + 1).is_some_and(u8::is_ascii_digit) {
                        i += 1;
                    }
                }
                TokenKind::Number
            }
            c if c.is_ascii_alphabetic() || c == b'_' => {
                while i < b.len() && (b[i].is_ascii_alphanumeric() || b[i] == b'_') {
                    i += 1;
                }
                TokenKind::Word
            }
            c if c < 0x80 => {
                let two = MARKS.iter().any(|m| b[i..].starts_with(m.as_bytes()));
                i += if two { 2 } else { 1 };
                TokenKind::Mark
            }
            _ => {
                i += 1;
                while i < b.len() && !text.is_char_boundary(i) {
                    i += 1;
                }
                TokenKind::Mark
            }
        };
        out.push(Token {
            kind,
            start,
            end: i,
        });
    }
    out
}

fn ends_expression(text: &str, t: &Token) -> bool {
    let s = &text[t.start..t.end];
    match t.kind {
        TokenKind::Word => !OPEN_WORDS.contains(&s),
        TokenKind::Number | TokenKind::Text => true,
        // Marks that mean nothing end what they stand in: the next line is not part of the mistake.
        TokenKind::Mark => matches!(s, ")" | "]" | "}" | "'" | "`" | "?" | "#" | "$" | "\\"),
        TokenKind::Comment | TokenKind::Newline => false,
    }
}

/// May a text end here? Not where a bracket is open or an operator waits for what follows it. A text whose brackets do not match
/// is whole, so that it is told of.
pub fn is_complete(text: &str) -> bool {
    let tokens = tokens(text);
    let mut open = 0;
    for t in tokens.iter().filter(|t| t.kind == TokenKind::Mark) {
        match text.as_bytes()[t.start] {
            b'{' | b'(' | b'[' => open += 1,
            b'}' | b')' | b']' => open -= 1,
            _ => {}
        }
    }
    let code = |t: &&Token| !matches!(t.kind, TokenKind::Comment | TokenKind::Newline);
    let last = tokens.iter().rfind(code);
    open < 0 || open == 0 && last.is_none_or(|t| ends_expression(text, t))
}

/// Does what follows newline `i` begin a definition, whatever stands above? No expression has `let` or `fn` in it, nor two words
/// such as `stage s`.
fn begins_definition(text: &str, tokens: &[Token], i: usize) -> bool {
    let mut next = tokens[i..]
        .iter()
        .filter(|t| !matches!(t.kind, TokenKind::Comment | TokenKind::Newline));
    let (Some(word), following) = (next.next(), next.next()) else {
        return false;
    };
    match &text[word.start..word.end] {
        "let" | "fn" | "use" => true,
        w if crate::habits::DEFINITIONS.contains(&w) => {
            let first = word.start == 0 || text.as_bytes()[word.start - 1] == b'\n';
            first
                && following.is_some_and(|t| {
                    let s = &text[t.start..t.end];
                    let name = t.kind == TokenKind::Word && !OPEN_WORDS.contains(&s);
                    name || t.kind == TokenKind::Text
                })
        }
        _ => false,
    }
}

fn continues(text: &str, t: &Token) -> bool {
    let s = &text[t.start..t.end];
    match t.kind {
        TokenKind::Word => CONTINUING.contains(&s),
        TokenKind::Mark => matches!(s, ")" | "]" | "}" | "." | "|>"),
        _ => false,
    }
}

/// Which newline tokens end statements, by their place in the token list.
pub fn statement_ends(text: &str, tokens: &[Token]) -> Vec<usize> {
    let mut out = Vec::new();
    let mut open: Vec<u8> = Vec::new();
    let mut last: Option<Token> = None;
    for (i, t) in tokens.iter().enumerate() {
        match t.kind {
            TokenKind::Comment => continue,
            TokenKind::Newline => {
                let outside = open.last().is_none_or(|c| *c == b'{');
                let ended = last.as_ref().is_some_and(|l| ends_expression(text, l));
                if outside && ended {
                    let next = tokens[i..]
                        .iter()
                        .find(|t| !matches!(t.kind, TokenKind::Comment | TokenKind::Newline));
                    if next.is_some_and(|n| !continues(text, n)) {
                        out.push(i);
                        last = None;
                    }
                } else if outside
                    && last.is_some_and(|l| !matches!(&text[l.start..l.end], "{" | ";"))
                    && begins_definition(text, tokens, i)
                {
                    // What stands above is not complete, and is not made so by this.
                    out.push(i);
                    last = None;
                }
                continue;
            }
            TokenKind::Mark => match text.as_bytes()[t.start] {
                c @ (b'{' | b'(' | b'[') => open.push(c),
                b'}' | b')' | b']' => {
                    open.pop();
                }
                _ => {}
            },
            _ => {}
        }
        last = Some(*t);
    }
    out
}

/// The text with comments blanked and statement ends written.
pub fn mark_statements(text: &str, tokens: &[Token]) -> String {
    let mut bytes = text.as_bytes().to_vec();
    for t in tokens.iter().filter(|t| t.kind == TokenKind::Comment) {
        bytes[t.start..t.end].fill(b' ');
    }
    for i in statement_ends(text, tokens) {
        bytes[tokens[i].start] = b';';
    }
    String::from_utf8(bytes)
        .expect("whole comments become ASCII spaces, and newlines ASCII semicolons")
}

/// Deepest nesting of brackets that is taken.
pub const MAX_NESTING: usize = 256;

/// Checks brackets and strings before anything recursive looks at the text.
pub fn check_brackets(file: FileId, text: &str, tokens: &[Token]) -> Vec<Report> {
    let mut reports = Vec::new();
    let mut open: Vec<(u8, usize)> = Vec::new();
    for t in tokens {
        if t.kind == TokenKind::Text && (t.end - t.start < 2 || text.as_bytes()[t.end - 1] != b'"')
        {
            reports.push(
                Report::new("E0003", "this string does not end")
                    .label(Span::new(file, t.start, t.end), "starts here")
                    .hint("close it with `\"` on the same line"),
            );
        }
        if t.kind != TokenKind::Mark {
            continue;
        }
        let c = text.as_bytes()[t.start];
        match c {
            b'{' | b'(' | b'[' => {
                open.push((c, t.start));
                if open.len() > MAX_NESTING {
                    reports.push(
                        Report::new("E0002", "brackets are nested too deeply")
                            .label(
                                Span::new(file, t.start, t.end),
                                format!("level {}", open.len()),
                            )
                            .hint(format!(
                                "at most {MAX_NESTING} levels; name a part with `let`"
                            )),
                    );
                    return reports;
                }
            }
            b'}' | b')' | b']' => {
                let want = match c {
                    b'}' => b'{',
                    b')' => b'(',
                    _ => b'[',
                };
                match open.pop() {
                    Some((o, _)) if o == want => {}
                    Some((o, at)) => {
                        reports.push(
                            Report::new(
                                "E0003",
                                format!("`{}` does not close `{}`", c as char, o as char),
                            )
                            .label(Span::new(file, t.start, t.end), "this")
                            .label(Span::new(file, at, at + 1), "opened here"),
                        );
                        return reports;
                    }
                    None => {
                        reports.push(
                            Report::new("E0003", format!("`{}` closes nothing", c as char))
                                .label(Span::new(file, t.start, t.end), "this"),
                        );
                        return reports;
                    }
                }
            }
            _ => {}
        }
    }
    if let Some((o, at)) = open.first() {
        reports.push(
            Report::new("E0003", format!("`{}` is never closed", *o as char))
                .label(Span::new(file, *at, at + 1), "opened here"),
        );
    }
    reports
}

/// Longest chain of what nests without a bracket: `else if`, function literals in one another, `with_key`.
pub const MAX_CHAIN: usize = 500;

/// Checks chains that nest without brackets, before anything recursive looks at the text. `marked` is the text with its statement
/// ends written.
pub fn check_chains(file: FileId, marked: &str, tokens: &[Token]) -> Vec<Report> {
    let mut counts = vec![0usize];
    for t in tokens {
        let s = &marked[t.start..t.end];
        match (t.kind, s) {
            (TokenKind::Mark, "{" | "(" | "[") => counts.push(0),
            (TokenKind::Mark, "}" | ")" | "]") => {
                counts.pop();
            }
            (TokenKind::Mark | TokenKind::Newline, ";") | (TokenKind::Mark, ",") => {
                if let Some(c) = counts.last_mut() {
                    *c = 0;
                }
            }
            (TokenKind::Mark, "|" | "||")
            | (TokenKind::Word, "else" | "with_key" | "not" | "given") => {
                if let Some(c) = counts.last_mut() {
                    *c += 1;
                    if *c > 2 * MAX_CHAIN {
                        return vec![
                            Report::new("E0002", "this is nested too deeply")
                                .label(Span::new(file, t.start, t.end), "one more in a long chain")
                                .hint("name a part with `let`, or make it a function"),
                        ];
                    }
                }
            }
            _ => {}
        }
    }
    Vec::new()
}
