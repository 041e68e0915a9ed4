//! What those who come from other languages write where it does not parse, and what to write here.

/// Words that begin a definition.
pub(crate) const DEFINITIONS: &[&str] = &[
    "let",
    "fn",
    "use",
    "model",
    "net",
    "param",
    "state",
    "data",
    "dist",
    "estimator",
    "optimizer",
    "stage",
    "test",
    "precision",
];

/// Words that no name may be.
const RESERVED: &[&str] = &[
    "let", "fn", "use", "for", "in", "scan", "next", "yield", "if", "else", "expect", "given",
    "via", "true", "false", "and", "or", "not", "with_key",
];

/// A place where a text does not parse: tokens before it, the token there, and those after it in its line.
pub(crate) struct Place<'a> {
    pub line: Vec<&'a str>,
    /// The token at fault, by its place in `line`.
    pub at: usize,
    /// The token before it, also if that stands in a line above.
    pub before: &'a str,
    /// Is the innermost open bracket `[`?
    pub in_index: bool,
    /// Was a name what could stand here?
    pub wants_name: bool,
}

/// What to write instead, for the usual habits.
pub(crate) fn hint(p: &Place) -> Option<&'static str> {
    let here = p.line.get(p.at).copied().unwrap_or("");
    let first = p.line.first().copied().unwrap_or("");
    let started = DEFINITIONS.contains(&here) && p.at == 0;
    Some(match (first, p.before, here) {
        ("def", ..) => "a function is `fn f(x) = ..`, or `fn f(x) { .. }`",
        ("class", ..) => {
            "there are no classes; a `net`, a `model` or a record holds what belongs together"
        }
        ("import" | "from", ..) => {
            "write `use std.dist.{normal}` for a module of the library or beside the pipeline"
        }
        ("return", ..) => "a block's value is its last expression, without `return`",
        ("elif", ..) | (_, "elif", _) | (_, _, "elif") => "write `else if c { .. }`",
        ("while", ..) => "write `scan (c = init) while cond, max: n { next c = .. }`",
        ("pass" | "break" | "continue" | "global" | "try" | "raise" | "with", ..) => {
            "there are only definitions, expressions and `for`, `scan`, `if`"
        }
        _ if p.wants_name && RESERVED.contains(&here) => {
            "this word is reserved; choose another name"
        }
        (_, "lambda", _) => "a function literal is `|x| ..`",
        (_, _, "lambda") => "a function literal is `|x| ..`",
        (_, _, "then") => "write `if c { a } else { b }`",
        (_, _, "**") | (_, "*", "*") => "the power is `^`",
        (_, _, "&&" | "&") => "write `and`",
        (_, _, "||" | "|") if p.at > 0 => "write `or`",
        (_, _, "!" | "~") => "write `not`",
        (_, "++" | "+", "+") | (_, "-", "=") | (_, "+" | "*" | "/" | "^" | "@", "=") => {
            "values do not change: write `let y = x + 1`, or `set s = s + 1` for a state in a stage"
        }
        (_, "=", "") => "a value must follow `=`",
        (_, "+" | "-" | "*" | "/" | "^" | "@" | "and" | "or", "") => {
            "a value must follow the operator; the expression may go on in the next line"
        }
        (_, ".", "") => "a real number has a digit on both sides of its dot: `1.0`",
        (_, ",", ":") | (_, "[", ":") if p.in_index => {
            "a whole axis is `..`: `x[.., 0]`, and a slice `x[a..b]`"
        }
        ("for", _, ":") => "a loop's body stands in braces: `for i in 0..n { .. }`",
        ("if" | "else", _, ":") => "a block stands in braces: `if c { .. } else { .. }`",
        (_, _, ":") if p.in_index => "a slice is `x[a..b]`, and with a step `x[a..b:step]`",
        (_, _, "if") if p.at > 0 => "write `if c { a } else { b }`, the condition first",
        (_, _, "for") if p.at > 0 => "write `for x in xs { .. }`, the loop first",
        (_, _, "is") => "write `==`",
        (_, _, "=") if p.in_call() => {
            "an argument's name is followed by `:`, as in `sum(x, axis: 0)`"
        }
        (_, _, "=") => "to name a value, write `let x = ..`; to compare, `==`",
        (_, _, ".") => "a real number has a digit on both sides of its dot: `1.0`, `0.5`",
        (_, _, "%") => "the remainder is `mod(a, b)`",
        (_, _, "->") => "a function literal is `|x| ..`",
        (_, _, "'" | "`") => "a string stands in double quotes",
        (_, _, "?") => "write `if c { a } else { b }`",
        (_, _, "$" | "#") => "a comment starts with `//`",
        (_, _, "+" | "*" | "/" | "^" | "@") if p.at == 0 => {
            "an operator stands at the end of a line, not at the start of the next"
        }
        (_, _, "+" | "*" | "/" | "^" | "@") => "an operator stands between two values",
        _ if started && !p.before.is_empty() && p.before != ";" => {
            "the line above is not complete: it ends in an operator, or a bracket in it is open"
        }
        _ => return None,
    })
}

impl Place<'_> {
    /// Does the token follow a name that follows an open bracket or a comma?
    fn in_call(&self) -> bool {
        let mut depth = 0i32;
        for w in self.line[..self.at.min(self.line.len())].iter() {
            match *w {
                "(" => depth += 1,
                ")" => depth -= 1,
                _ => {}
            }
        }
        depth > 0
    }
}
