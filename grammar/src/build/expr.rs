//! Expressions.

use super::{Builder, MAX_HEIGHT, Node, Parts, only, unexpected};
use crate::ast::{
    BinaryOp, Block, CallArg, Else, Expr, ExprKind, For, IndexArg, Name, Pattern, RecordPart, Scan,
    ScanKind, UnaryOp,
};
use crate::diag::Report;
use crate::parse::Rule;
use crate::span::Span;
use pest::pratt_parser::{Assoc, Op, PrattParser};
use std::sync::LazyLock;

/// Loosest first. A sign is looser than `^`, so `-x^2` is `-(x^2)`.
static PRECEDENCE: LazyLock<PrattParser<Rule>> = LazyLock::new(|| {
    let left = |rule| Op::infix(rule, Assoc::Left);
    PrattParser::new()
        .op(left(Rule::or))
        .op(left(Rule::and))
        .op(Op::prefix(Rule::not))
        .op(left(Rule::eq)
            | left(Rule::ne)
            | left(Rule::lt)
            | left(Rule::le)
            | left(Rule::gt)
            | left(Rule::ge))
        .op(left(Rule::pipe))
        .op(left(Rule::range))
        .op(left(Rule::add) | left(Rule::sub))
        .op(left(Rule::mul) | left(Rule::div) | left(Rule::matmul))
        .op(Op::prefix(Rule::neg))
        .op(Op::infix(Rule::pow, Assoc::Right))
});

impl Builder<'_> {
    /// An expression, from a pair of the rule `expr` or `sum`.
    pub(crate) fn expr(&mut self, pair: Node) -> Expr {
        let span = self.span(&pair);
        let operators = pair
            .clone()
            .into_inner()
            .filter(|p| p.as_rule() != Rule::postfix);
        let levels = 1 + operators.take(MAX_HEIGHT).count();
        self.deeper(levels, span, |b| b.operators(pair))
            .unwrap_or(hole(span))
    }

    fn operators(&mut self, pair: Node) -> Expr {
        let (file, base) = (self.file, self.base);
        PRECEDENCE
            .map_primary(|p| self.postfix(p))
            .map_prefix(|op, x| {
                let start = Span::new(file, base + op.as_span().start(), base + op.as_span().end());
                let span = start.to(x.span);
                let op = if op.as_rule() == Rule::not {
                    UnaryOp::Not
                } else {
                    UnaryOp::Neg
                };
                Expr {
                    kind: ExprKind::Unary(op, Box::new(x)),
                    span,
                }
            })
            .map_infix(|x, op, y| {
                let span = x.span.to(y.span);
                let (x, y) = (Box::new(x), Box::new(y));
                let kind = match op.as_rule() {
                    Rule::range => ExprKind::Range(x, y),
                    rule => ExprKind::Binary(binary_op(rule), x, y),
                };
                Expr { kind, span }
            })
            .parse(pair.into_inner())
    }

    /// An operand with its calls, indices and fields.
    pub(super) fn postfix(&mut self, pair: Node) -> Expr {
        let span = self.span(&pair);
        let levels = pair.clone().into_inner().take(MAX_HEIGHT + 1).count();
        self.deeper(levels, span, |b| b.suffixes(pair))
            .unwrap_or(hole(span))
    }

    fn suffixes(&mut self, pair: Node) -> Expr {
        let mut parts = pair.into_inner();
        let Some(primary) = parts.next() else {
            unexpected(Rule::postfix, "an operand")
        };
        let mut expr = self.primary(primary);
        for suffix in parts {
            let span = expr.span.to(self.span(&suffix));
            let x = Box::new(expr);
            let kind = match suffix.as_rule() {
                Rule::call => ExprKind::Call(x, self.call_args(suffix)),
                Rule::index => {
                    ExprKind::Index(x, suffix.into_inner().map(|p| self.index_arg(p)).collect())
                }
                Rule::project => ExprKind::Project(x, self.names(suffix)),
                Rule::except => ExprKind::Except(x, self.names(suffix)),
                Rule::access => ExprKind::Field(x, self.name(&only(suffix))),
                Rule::given => {
                    let given = Parts::new(suffix).any();
                    ExprKind::Given(x, Box::new(self.primary(given)))
                }
                r => unexpected(r, "a suffix"),
            };
            expr = Expr { kind, span };
        }
        expr
    }

    fn call_args(&mut self, pair: Node) -> Vec<CallArg> {
        pair.into_inner().map(|p| self.call_arg(p)).collect()
    }

    pub(super) fn call_arg(&mut self, pair: Node) -> CallArg {
        let mut parts = Parts::new(pair);
        let name = parts.take(Rule::arg_name).map(|p| self.name(&only(p)));
        CallArg {
            name,
            value: self.expr(parts.need(Rule::expr)),
        }
    }

    fn index_arg(&mut self, pair: Node) -> IndexArg {
        let span = self.span(&pair);
        let mut parts = Parts::new(pair);
        let first = parts.take(Rule::expr).map(|p| self.expr(p));
        let open = parts.take(Rule::open_end).is_some() || parts.take(Rule::open_start).is_some();
        let end = parts.take(Rule::sum).map(|p| self.expr(p));
        let step = parts.take(Rule::slice_step).map(|p| self.expr(only(p)));
        match first {
            Some(Expr {
                kind: ExprKind::Range(a, b),
                ..
            }) if !open => IndexArg::Slice {
                start: Some(*a),
                stop: Some(*b),
                step,
                span,
            },
            Some(at) if !open => {
                if let Some(step) = step {
                    self.error(
                        "a step needs a range",
                        step.span,
                        "the step of nothing",
                        "a slice is `x[a..b]`, and with a step `x[a..b:step]`",
                    );
                }
                IndexArg::At(at)
            }
            start => IndexArg::Slice {
                start,
                stop: end,
                step,
                span,
            },
        }
    }

    fn primary(&mut self, pair: Node) -> Expr {
        let span = self.span(&pair);
        let kind = match pair.as_rule() {
            Rule::int => self.int(&pair, span),
            Rule::real => self.real(&pair, span),
            Rule::string => ExprKind::Str(self.string(&pair)),
            Rule::k_true => ExprKind::Bool(true),
            Rule::k_false => ExprKind::Bool(false),
            Rule::name => ExprKind::Name(pair.as_str().to_string()),
            Rule::address => ExprKind::Address(self.address(&pair)),
            Rule::group => return self.group(pair),
            Rule::list => ExprKind::List(pair.into_inner().map(|p| self.expr(p)).collect()),
            Rule::record => {
                ExprKind::Record(pair.into_inner().map(|p| self.record_part(p)).collect())
            }
            Rule::lambda => return self.lambda(pair),
            Rule::if_expr => return self.if_expr(pair),
            Rule::for_expr => self.for_expr(pair),
            Rule::scan_expr => self.scan_expr(pair),
            Rule::expect_expr => ExprKind::Expect(self.block(only(pair))),
            Rule::strict => ExprKind::Strict(self.block(only(pair))),
            Rule::with_key => return self.with_key(pair),
            r => unexpected(r, "an operand"),
        };
        Expr { kind, span }
    }

    fn int(&mut self, pair: &Node, span: Span) -> ExprKind {
        match pair.as_str().replace('_', "").parse() {
            Ok(n) => ExprKind::Int(n),
            Err(_) => {
                self.reports.push(
                    Report::new("E0004", "this whole number is too large")
                        .label(span, format!("the largest is {}", i64::MAX))
                        .hint("write a real number: `1e20`"),
                );
                ExprKind::Hole
            }
        }
    }

    fn real(&mut self, pair: &Node, span: Span) -> ExprKind {
        match pair.as_str().replace('_', "").parse::<f64>() {
            Ok(x) if x.is_finite() => ExprKind::Real(x),
            _ => {
                self.reports.push(
                    Report::new("E0004", "this number is out of range")
                        .label(span, format!("the largest is about {:.1e}", f64::MAX))
                        .hint("work with its logarithm"),
                );
                ExprKind::Hole
            }
        }
    }

    /// What stands between the quotes, escapes resolved.
    pub(super) fn string(&mut self, pair: &Node) -> String {
        let span = self.span(pair);
        let text = pair.as_str();
        let mut out = String::new();
        let mut chars = text[1..text.len() - 1].char_indices();
        while let Some((_, c)) = chars.next() {
            if c != '\\' {
                out.push(c);
                continue;
            }
            match chars.next() {
                Some((_, c @ ('"' | '\\'))) => out.push(c),
                Some((_, 'n')) => out.push('\n'),
                Some((_, 't')) => out.push('\t'),
                Some((i, c)) => {
                    // The string's text begins after the quote; the backslash is one byte before `i`.
                    let start = span.start as usize + i;
                    self.error(
                        &format!("`\\{c}` is no escape"),
                        Span::new(span.file, start, start + 1 + c.len_utf8()),
                        "in this string",
                        "write `\\\\` for a backslash; the others are `\\\"`, `\\n` and `\\t`",
                    );
                }
                None => {}
            }
        }
        out
    }

    fn address(&mut self, pair: &Node) -> Vec<Name> {
        let mut start = self.base + pair.as_span().start();
        let mut names = Vec::new();
        for text in pair.as_str().split('.').skip(1) {
            let span = Span::new(self.file, start + 1, start + 1 + text.len());
            names.push(Name {
                text: text.to_string(),
                span,
            });
            start += 1 + text.len();
        }
        names
    }

    /// `()`, `(a)`, `(a,)`, `(a, b)`.
    fn group(&mut self, pair: Node) -> Expr {
        let span = self.span(&pair);
        let mut parts = Parts::new(pair);
        let mut items = Vec::new();
        while let Some(p) = parts.take(Rule::expr) {
            items.push(self.expr(p));
        }
        let comma = parts.take(Rule::comma).is_some();
        let kind = match items.pop() {
            Some(one) if items.is_empty() && !comma => ExprKind::Paren(Box::new(one)),
            last => {
                items.extend(last);
                ExprKind::Tuple(items)
            }
        };
        Expr { kind, span }
    }

    fn record_part(&mut self, pair: Node) -> RecordPart {
        let part = only(pair);
        match part.as_rule() {
            Rule::name => RecordPart::Pun(self.name(&part)),
            Rule::spread => RecordPart::Spread(self.expr(only(part))),
            Rule::record_field => {
                let mut parts = Parts::new(part);
                let name = self.name(&parts.need(Rule::name));
                RecordPart::Field(name, self.expr(parts.need(Rule::expr)))
            }
            r => unexpected(r, "a record's part"),
        }
    }

    fn lambda(&mut self, pair: Node) -> Expr {
        let span = self.span(&pair);
        let mut parts = Parts::new(pair);
        let mut args = Vec::new();
        while let Some(p) = parts.take(Rule::pattern) {
            args.push(self.pattern(p));
        }
        let body = Box::new(self.expr(parts.need(Rule::expr)));
        Expr {
            kind: ExprKind::Lambda(args, body),
            span,
        }
    }

    fn if_expr(&mut self, pair: Node) -> Expr {
        let span = self.span(&pair);
        // `else if` nests without a bracket, so it is counted here.
        self.deeper(1, span, |b| b.if_parts(pair, span))
            .unwrap_or(hole(span))
    }

    fn if_parts(&mut self, pair: Node, span: Span) -> Expr {
        let mut parts = Parts::new(pair);
        let condition = self.expr(parts.need(Rule::expr));
        let then = self.block(parts.need(Rule::block));
        let other = match parts.take(Rule::if_expr) {
            Some(p) => Some(Else::If(self.if_expr(p))),
            None => parts.take(Rule::block).map(|p| Else::Block(self.block(p))),
        };
        Expr {
            kind: ExprKind::If(Box::new(condition), then, other.map(Box::new)),
            span,
        }
    }

    fn for_expr(&mut self, pair: Node) -> ExprKind {
        let mut parts = Parts::new(pair);
        let (generators, options) = self.header(&mut parts);
        let body = self.block(parts.need(Rule::block));
        ExprKind::For(Box::new(For {
            generators,
            options,
            body,
        }))
    }

    fn scan_expr(&mut self, pair: Node) -> ExprKind {
        let mut parts = Parts::new(pair);
        let mut carries = Vec::new();
        while let Some(p) = parts.take(Rule::carry) {
            let mut carry = Parts::new(p);
            let pattern = self.pattern(carry.need(Rule::pattern));
            carries.push((pattern, self.expr(carry.need(Rule::expr))));
        }
        let mut kind = Parts::new(parts.need(Rule::scan_kind));
        let first = kind.any();
        let (condition, mut generators) = match first.as_rule() {
            Rule::generator => (None, vec![self.generator(first)]),
            _ => (Some(self.expr(first)), vec![]),
        };
        let (more, options) = self.header(&mut parts);
        generators.extend(more);
        let body = self.block(parts.need(Rule::block));
        let kind = match condition {
            None => ScanKind::For(generators),
            Some(condition) => {
                self.no_generators(&generators);
                ScanKind::While(condition)
            }
        };
        ExprKind::Scan(Box::new(Scan {
            carries,
            kind,
            options,
            body,
        }))
    }

    fn no_generators(&mut self, generators: &[(Pattern, Expr)]) {
        if let Some((pattern, source)) = generators.first() {
            self.error(
                "`scan .. while` goes over nothing",
                pattern.span.to(source.span),
                "a `while` counts no elements",
                "write `scan (c = init) for x in xs { .. }`, or index by a carry",
            );
        }
    }

    /// What follows `for`: generators and options, mixed.
    #[expect(
        clippy::type_complexity,
        reason = "these are the fields of `For` and `Scan`"
    )]
    fn header(&mut self, parts: &mut Parts) -> (Vec<(Pattern, Expr)>, Vec<(Name, Expr)>) {
        let (mut generators, mut options) = (Vec::new(), Vec::new());
        loop {
            if let Some(p) = parts.take(Rule::generator) {
                generators.push(self.generator(p));
            } else if let Some(p) = parts.take(Rule::option) {
                let mut option = Parts::new(p);
                let name = self.name(&option.need(Rule::name));
                options.push((name, self.expr(option.need(Rule::expr))));
            } else {
                return (generators, options);
            }
        }
    }

    fn generator(&mut self, pair: Node) -> (Pattern, Expr) {
        let mut parts = Parts::new(pair);
        let pattern = self.pattern(parts.need(Rule::pattern));
        (pattern, self.expr(parts.need(Rule::expr)))
    }

    fn with_key(&mut self, pair: Node) -> Expr {
        let span = self.span(&pair);
        let mut parts = Parts::new(pair);
        let key = Box::new(self.expr(parts.need(Rule::expr)));
        let body = Box::new(self.postfix(parts.need(Rule::postfix)));
        Expr {
            kind: ExprKind::WithKey(key, body),
            span,
        }
    }

    /// `{ statements }`
    pub(super) fn block(&mut self, pair: Node) -> Block {
        let span = self.span(&pair);
        Block {
            stmts: pair.into_inner().map(|p| self.stmt(p)).collect(),
            span,
        }
    }
}

fn hole(span: Span) -> Expr {
    Expr {
        kind: ExprKind::Hole,
        span,
    }
}

fn binary_op(rule: Rule) -> BinaryOp {
    match rule {
        Rule::or => BinaryOp::Or,
        Rule::and => BinaryOp::And,
        Rule::eq => BinaryOp::Eq,
        Rule::ne => BinaryOp::Ne,
        Rule::lt => BinaryOp::Lt,
        Rule::le => BinaryOp::Le,
        Rule::gt => BinaryOp::Gt,
        Rule::ge => BinaryOp::Ge,
        Rule::pipe => BinaryOp::Pipe,
        Rule::add => BinaryOp::Add,
        Rule::sub => BinaryOp::Sub,
        Rule::mul => BinaryOp::Mul,
        Rule::div => BinaryOp::Div,
        Rule::matmul => BinaryOp::MatMul,
        Rule::pow => BinaryOp::Pow,
        r => unexpected(r, "an operator"),
    }
}
