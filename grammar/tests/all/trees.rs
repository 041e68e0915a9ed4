//! The tree of small sources, as a snapshot: what binds tighter, what is a record and what a block.

use mlc_grammar::ast::{BinaryOp, Expr, ExprKind, IndexArg, RecordPart, UnaryOp};
use mlc_grammar::span::FileId;

/// A tree as a bracketed expression.
fn show(e: &Expr) -> String {
    let list = |items: &[Expr]| items.iter().map(show).collect::<Vec<_>>().join(" ");
    match &e.kind {
        ExprKind::Int(i) => i.to_string(),
        ExprKind::Real(x) => format!("{x:?}"),
        ExprKind::Bool(b) => b.to_string(),
        ExprKind::Str(s) => format!("{s:?}"),
        ExprKind::Name(n) => n.clone(),
        ExprKind::Paren(a) => show(a),
        ExprKind::Tuple(items) => format!("(tuple {})", list(items)),
        ExprKind::List(items) => format!("(list {})", list(items)),
        ExprKind::Unary(UnaryOp::Neg, a) => format!("(- {})", show(a)),
        ExprKind::Unary(UnaryOp::Not, a) => format!("(not {})", show(a)),
        ExprKind::Binary(op, a, b) => format!("({} {} {})", sign(*op), show(a), show(b)),
        ExprKind::Range(a, b) => format!("(.. {} {})", show(a), show(b)),
        ExprKind::Call(f, args) => {
            let args: Vec<String> = args
                .iter()
                .map(|a| match &a.name {
                    Some(n) => format!("{}: {}", n.text, show(&a.value)),
                    None => show(&a.value),
                })
                .collect();
            format!("(call {} {})", show(f), args.join(" "))
        }
        ExprKind::Index(a, args) => {
            let args: Vec<String> = args
                .iter()
                .map(|i| match i {
                    IndexArg::At(e) => show(e),
                    IndexArg::Slice {
                        start, stop, step, ..
                    } => {
                        let part = |e: &Option<Expr>| e.as_ref().map_or("_".into(), show);
                        format!("{}..{}:{}", part(start), part(stop), part(step))
                    }
                })
                .collect();
            format!("(index {} {})", show(a), args.join(" "))
        }
        ExprKind::Field(a, n) => format!("(. {} {})", show(a), n.text),
        ExprKind::Record(parts) => {
            let parts: Vec<String> = parts
                .iter()
                .map(|p| match p {
                    RecordPart::Pun(n) => n.text.clone(),
                    RecordPart::Field(n, e) => format!("{}: {}", n.text, show(e)),
                    RecordPart::Spread(e) => format!("..{}", show(e)),
                })
                .collect();
            format!("{{{}}}", parts.join(" "))
        }
        ExprKind::Lambda(args, body) => format!("(fn{} {})", args.len(), show(body)),
        ExprKind::Given(a, b) => format!("(given {} {})", show(a), show(b)),
        other => format!("{other:?}")
            .split(['(', ' '])
            .next()
            .unwrap_or_default()
            .to_string(),
    }
}

fn sign(op: BinaryOp) -> &'static str {
    match op {
        BinaryOp::Add => "+",
        BinaryOp::Sub => "-",
        BinaryOp::Mul => "*",
        BinaryOp::Div => "/",
        BinaryOp::MatMul => "@",
        BinaryOp::Pow => "^",
        BinaryOp::Eq => "==",
        BinaryOp::Ne => "!=",
        BinaryOp::Lt => "<",
        BinaryOp::Le => "<=",
        BinaryOp::Gt => ">",
        BinaryOp::Ge => ">=",
        BinaryOp::And => "and",
        BinaryOp::Or => "or",
        BinaryOp::Pipe => "|>",
    }
}

fn tree(text: &str) -> String {
    match mlc_grammar::parse_expr(FileId::default(), text) {
        Ok(e) => show(&e),
        Err(reports) => panic!("{text}: {reports:#?}"),
    }
}

#[test]
fn operators_bind_as_documented() {
    let cases = [
        ("a + b * c", "(+ a (* b c))"),
        ("a - b - c", "(- (- a b) c)"),
        ("-x^2", "(- (^ x 2))"),
        ("2^-1", "(^ 2 (- 1))"),
        ("a^b^c", "(^ a (^ b c))"),
        ("not a and b or c", "(or (and (not a) b) c)"),
        ("a < b and c >= d", "(and (< a b) (>= c d))"),
        ("x |> f |> g", "(|> (|> x f) g)"),
        ("0..n - 1", "(.. 0 (- n 1))"),
        ("f(x)[0].y", "(. (index (call f x) 0) y)"),
        ("f(a, n: 8)", "(call f a n: 8)"),
        ("x[a..b, .., 1]", "(index x a..b:_ _.._:_ 1)"),
        ("{x, a: 1, ..r}", "{x a: 1 ..r}"),
        ("|u, v| u + v", "(fn2 (+ u v))"),
        ("p() given {x}", "(given (call p ) {x})"),
        ("(a, b)", "(tuple a b)"),
        ("[1.5, 2e3]", "(list 1.5 2000.0)"),
    ];
    for (text, expected) in cases {
        assert_eq!(tree(text), expected, "{text}");
    }
}
