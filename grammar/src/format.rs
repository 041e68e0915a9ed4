//! The formatter: tokens are spaced anew, lines keep the breaks their author chose.
//!
//! Works on tokens, so that comments stay where they are. The result has the same tokens and the same ends of statements as
//! the text; if it had not, the text would be given back as it was.

use crate::diag::Report;
use crate::newline::{Token, TokenKind, statement_ends, tokens};
use crate::span::FileId;

/// Words after which an operand follows, not an operator.
const BEFORE_OPERAND: &[&str] = &[
    "let", "fn", "use", "for", "in", "scan", "next", "yield", "if", "else", "expect", "given",
    "via", "and", "or", "not", "over", "using", "by", "with", "where", "on", "model", "net",
    "param", "state", "data", "stage", "train", "after", "while",
];

/// Words that no name may be, after which an operand may stand in brackets.
const OPEN_WORDS: &[&str] = &[
    "let", "in", "if", "else", "and", "or", "not", "given", "via", "scan", "next", "yield", "for",
    "use", "fn", "expect",
];

/// Words that are so only at the start of a statement.
const STATEMENTS: &[&str] = &[
    "minimize",
    "maximize",
    "assert",
    "snapshot",
    "verdict",
    "factor",
    "log",
    "set",
    "update",
    "image",
    "plot",
    "histogram",
    "table",
    "export",
];

/// Formats a file's text.
///
/// # Errors
/// What is wrong with it, if it does not parse.
pub fn format(text: &str) -> Result<String, Vec<Report>> {
    let (_, reports) = crate::parse(FileId(0), text);
    if !reports.is_empty() {
        return Err(reports);
    }
    let toks = tokens(text);
    let out = Formatter::new(text, &toks).run();
    // The guarantee that formatting never changes meaning.
    if skeleton(text, &toks) == skeleton(&out, &tokens(&out)) {
        Ok(out)
    } else {
        Ok(text.to_string())
    }
}

/// What must stay: the tokens, and after which of them a statement ends.
fn skeleton<'a>(text: &'a str, toks: &[Token]) -> Vec<&'a str> {
    let ends = statement_ends(text, toks);
    let mut out = Vec::new();
    for (i, t) in toks.iter().enumerate() {
        match t.kind {
            TokenKind::Newline if ends.contains(&i) => out.push(";"),
            TokenKind::Newline => {}
            _ => out.push(text[t.start..t.end].trim_end()),
        }
    }
    out
}

/// What a brace holds.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Brace {
    Block,
    Record,
}

/// An open bracket.
struct Open {
    brace: Option<Brace>,
    /// Indentation of the line it stands in.
    indent: usize,
}

struct Formatter<'a> {
    text: &'a str,
    toks: &'a [Token],
    ends: Vec<bool>,
    out: String,
    open: Vec<Open>,
    /// Is the next `|` the second one of a function literal?
    in_literal: bool,
}

impl<'a> Formatter<'a> {
    fn new(text: &'a str, toks: &'a [Token]) -> Self {
        let mut ends = vec![false; toks.len()];
        statement_ends(text, toks)
            .into_iter()
            .for_each(|i| ends[i] = true);
        Self {
            text,
            toks,
            ends,
            out: String::with_capacity(text.len()),
            open: Vec::new(),
            in_literal: false,
        }
    }

    fn word(&self, t: &Token) -> &'a str {
        &self.text[t.start..t.end]
    }

    fn run(mut self) -> String {
        let mut lines: Vec<(usize, usize)> = Vec::new();
        let mut start = 0;
        for (i, t) in self.toks.iter().enumerate() {
            if t.kind == TokenKind::Newline {
                lines.push((start, i));
                start = i + 1;
            }
        }
        lines.push((start, self.toks.len()));
        let mut blank = false;
        for (a, b) in lines {
            if a == b {
                blank = !self.out.is_empty();
                continue;
            }
            let opened = self.out.ends_with("{\n") || self.out.is_empty();
            let closes = matches!(self.word(&self.toks[a]), "}" | ")" | "]");
            if blank && !opened && !closes {
                self.out.push('\n');
            }
            blank = false;
            self.line(a, b);
        }
        self.out
    }

    /// The last token before `i` that is neither a comment nor a newline.
    fn before(&self, i: usize) -> Option<usize> {
        (0..i)
            .rev()
            .find(|&j| !matches!(self.toks[j].kind, TokenKind::Comment | TokenKind::Newline))
    }

    /// Does line `a` go on with a statement of a line above?
    fn continues(&self, a: usize) -> bool {
        let Some(last) = self.before(a) else {
            return false;
        };
        let in_block = self
            .open
            .last()
            .is_none_or(|o| o.brace == Some(Brace::Block));
        let ended = (last..a).any(|i| self.ends[i]) || self.word(&self.toks[last]) == ";";
        // Comments between statements are not part of one.
        let comment = self.toks[a].kind == TokenKind::Comment;
        in_block && !ended && !comment && self.word(&self.toks[last]) != "{"
    }

    fn line(&mut self, a: usize, b: usize) {
        let first = self.word(&self.toks[a]);
        let indent = match (first, self.open.last()) {
            ("}" | ")" | "]", Some(o)) => o.indent,
            (_, open) => {
                let base = open.map_or(0, |o| o.indent + 2);
                base + if self.continues(a) { 2 } else { 0 }
            }
        };
        self.out.extend(std::iter::repeat_n(' ', indent));
        for i in a..b {
            if i > a {
                let space = self.space(i);
                self.out.push_str(space);
            }
            self.bracket(i, indent);
            self.out.push_str(self.word(&self.toks[i]).trim_end());
        }
        self.out.push('\n');
    }

    /// Keeps the stack of brackets and of function literals.
    fn bracket(&mut self, i: usize, indent: usize) {
        match self.word(&self.toks[i]) {
            _ if !matches!(self.toks[i].kind, TokenKind::Mark) => {}
            "{" => {
                let brace = Some(self.brace(i));
                self.open.push(Open { brace, indent });
            }
            "(" | "[" => self.open.push(Open {
                brace: None,
                indent,
            }),
            "}" | ")" | "]" => {
                self.open.pop();
            }
            "|" => self.in_literal = !self.in_literal,
            _ => {}
        }
    }

    /// A brace in operand position opens a record, otherwise a block.
    fn brace(&self, i: usize) -> Brace {
        let Some(last) = self.before(i) else {
            return Brace::Block;
        };
        // A statement that begins with a brace is a record: a block follows a header.
        if (last..i).any(|k| self.ends[k]) {
            return Brace::Record;
        }
        let t = &self.toks[last];
        let s = self.word(t);
        match t.kind {
            TokenKind::Word => {
                let operand = matches!(
                    s,
                    "given"
                        | "in"
                        | "via"
                        | "by"
                        | "and"
                        | "or"
                        | "not"
                        | "yield"
                        | "let"
                        | "next"
                        | "for"
                );
                let statement = STATEMENTS.contains(&s) && !self.ends_expression(last);
                if operand || statement || self.is_except(last) {
                    Brace::Record
                } else {
                    Brace::Block
                }
            }
            TokenKind::Mark if matches!(s, ")" | "]" | "}" | ";") => Brace::Block,
            TokenKind::Mark => Brace::Record,
            _ => Brace::Block,
        }
    }

    /// `t.except{..}`
    fn is_except(&self, i: usize) -> bool {
        self.word(&self.toks[i]) == "except" && i > 0 && self.word(&self.toks[i - 1]) == "."
    }

    /// Can the token end an expression?
    fn ends_expression(&self, i: usize) -> bool {
        let t = &self.toks[i];
        let s = self.word(t);
        match t.kind {
            // A member may have the name of a word.
            TokenKind::Word if i > 0 && self.word(&self.toks[i - 1]) == "." => true,
            // A word by position that touches a bracket is a function's name.
            TokenKind::Word if !OPEN_WORDS.contains(&s) && self.touches_bracket(i) => true,
            TokenKind::Word => {
                let starts = self.before(i).is_none_or(|j| {
                    matches!(self.word(&self.toks[j]), "{" | ";") || (j..i).any(|k| self.ends[k])
                });
                !(BEFORE_OPERAND.contains(&s) || starts && STATEMENTS.contains(&s))
            }
            TokenKind::Number | TokenKind::Text => true,
            TokenKind::Mark => matches!(s, ")" | "]" | "}"),
            TokenKind::Comment | TokenKind::Newline => false,
        }
    }

    /// Does a round bracket follow without a space?
    fn touches_bracket(&self, i: usize) -> bool {
        self.toks
            .get(i + 1)
            .is_some_and(|n| n.start == self.toks[i].end && self.word(n) == "(")
    }

    /// What stands between token `i` and the one before it in the same line.
    fn space(&self, i: usize) -> &'static str {
        let (p, t) = (&self.toks[i - 1], &self.toks[i]);
        let (a, b) = (self.word(p), self.word(t));
        if t.kind == TokenKind::Comment {
            return "  ";
        }
        let after_operand = self.ends_expression(i - 1);
        let mark = |t: &Token| t.kind == TokenKind::Mark;
        if mark(p) {
            match a {
                "(" | "[" | "." | "^" => return "",
                ".." => return "",
                "{" => {
                    return if b != "}" && self.top_is(Brace::Block) {
                        " "
                    } else {
                        ""
                    };
                }
                "-" | "+" if i >= 2 && !self.ends_expression(i - 2) => return "",
                "-" if i < 2 => return "",
                // The bar that opens a function literal.
                "|" if self.in_literal => return "",
                _ => {}
            }
        }
        if !mark(t) {
            return " ";
        }
        let tight = match b {
            ")" | "]" | "," | ";" | ":" | "^" => true,
            "}" => a == "{" || !self.top_is(Brace::Block),
            ".." => a != ",",
            "." => after_operand,
            "(" | "[" => after_operand && !(p.kind == TokenKind::Mark && a == "}"),
            "{" => self.is_except(i - 1),
            "|" => self.in_literal,
            _ => false,
        };
        if tight { "" } else { " " }
    }

    fn top_is(&self, brace: Brace) -> bool {
        self.open.last().is_some_and(|o| o.brace == Some(brace))
    }
}
