//! Names: who defines and who uses them, and what was probably meant.

use mlc_grammar::ast::*;
use mlc_grammar::span::Span;
use std::collections::HashSet;

/// The name among `known` that a misspelt one is nearest to, within a third of its length.
pub fn nearest<'a>(name: &str, known: &'a [String]) -> Option<&'a str> {
    let limit = (name.chars().count() / 3).max(1);
    let mut best: Option<(usize, &str)> = None;
    for k in known {
        let d = distance(name, k);
        if d <= limit && best.is_none_or(|b| (d, k.as_str()) < b) {
            best = Some((d, k));
        }
    }
    best.map(|b| b.1)
}

/// Edits between two words, a swap of neighbours counting as one (restricted Damerau–Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows: Vec<Vec<usize>> = vec![(0..=b.len()).collect()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let cost = usize::from(a[i - 1] != b[j - 1]);
            let mut d = (rows[i - 1][j] + 1)
                .min(row[j - 1] + 1)
                .min(rows[i - 1][j - 1] + cost);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                d = d.min(rows[i - 2][j - 2] + 1);
            }
            row.push(d);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

/// `a`, `b` and `c`
pub fn listed(names: &[String]) -> String {
    let quoted: Vec<String> = names.iter().map(|n| format!("`{n}`")).collect();
    match quoted.split_last() {
        None => "nothing".to_string(),
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
    }
}

/// A support in words.
pub fn support_words(name: &str) -> &str {
    match name {
        "unit" => "between 0 and 1",
        "natural" => "a whole number from 0",
        other => other,
    }
}

/// The names a top-level item binds.
pub fn item_names(item: &Item) -> Vec<&Name> {
    match &item.kind {
        ItemKind::Data { name, .. } => vec![name],
        ItemKind::Def(def) => match def {
            Def::Let { pattern, .. } => {
                // Patterns keep no `Name`s; see `pattern_names`.
                pattern_name_refs(pattern)
            }
            Def::Fn(f) => vec![&f.name],
            Def::Model(m) => vec![&m.name],
            Def::NetUse { name, .. } | Def::Param { name, .. } | Def::State { name, .. } => {
                vec![name]
            }
            Def::Net(n) => vec![&n.name],
        },
        ItemKind::Dist(d) => vec![&d.name],
        ItemKind::Estimator(e) => vec![&e.name],
        ItemKind::Optimizer(o) => vec![&o.name],
        ItemKind::Stage(s) => vec![&s.name],
        _ => vec![],
    }
}

fn pattern_name_refs(p: &Pattern) -> Vec<&Name> {
    // A name in a pattern is interned once for the life of the process, like the tree it stands in.
    let mut out: Vec<&Name> = Vec::new();
    pattern_names(p, &mut |text, span| {
        out.push(Box::leak(Box::new(Name {
            text: text.to_string(),
            span,
        })));
    });
    out
}

/// The names a pattern binds.
pub fn pattern_names(p: &Pattern, f: &mut dyn FnMut(&str, Span)) {
    match &p.kind {
        PatternKind::Name(n) => f(n, p.span),
        PatternKind::Wild => {}
        PatternKind::Tuple(parts) => parts.iter().for_each(|p| pattern_names(p, f)),
        PatternKind::Record(parts) => parts.iter().for_each(|(_, p)| pattern_names(p, f)),
    }
}

/// `encode.layer[0].w` as text, for an expression of names, fields and literal indices.
pub fn path_text(e: &Expr) -> Option<String> {
    match &e.kind {
        ExprKind::Name(n) => Some(n.clone()),
        ExprKind::Paren(e) => path_text(e),
        ExprKind::Field(x, n) => Some(format!("{}.{}", path_text(x)?, n.text)),
        ExprKind::Index(x, args) => match args.as_slice() {
            [
                IndexArg::At(Expr {
                    kind: ExprKind::Int(i),
                    ..
                }),
            ] => Some(format!("{}[{i}]", path_text(x)?)),
            _ => None,
        },
        _ => None,
    }
}

/// Visits statements and those nested in blocks inside them.
pub fn each_stmt(stmts: &[Stmt], f: &mut dyn FnMut(&Stmt)) {
    for s in stmts {
        f(s);
        each_expr_of_stmt(s, &mut |e| match &e.kind {
            ExprKind::For(l) => each_stmt(&l.body.stmts, f),
            ExprKind::Scan(l) => each_stmt(&l.body.stmts, f),
            ExprKind::Expect(b) | ExprKind::Strict(b) => each_stmt(&b.stmts, f),
            ExprKind::If(_, a, b) => {
                each_stmt(&a.stmts, f);
                if let Some(Else::Block(b)) = b.as_deref() {
                    each_stmt(&b.stmts, f);
                }
            }
            _ => {}
        });
        if let StmtKind::Every { body, .. } = &s.kind {
            each_stmt(&body.stmts, f);
        }
    }
}

fn each_expr_of_def(d: &Def, f: &mut dyn FnMut(&Expr)) {
    match d {
        Def::Let { value, .. } | Def::State { value, .. } => each_expr(value, f),
        Def::NetUse { index, value, .. } | Def::Param { index, value, .. } => {
            index.iter().for_each(|e| each_expr(e, f));
            each_expr(value, f);
        }
        Def::Model(Model {
            kind: ModelKind::Value(e),
            ..
        }) => each_expr(e, f),
        Def::Fn(func) => match &func.body {
            Body::Expr(e) => each_expr(e, f),
            Body::Block(b) => b.stmts.iter().for_each(|s| each_expr_of_stmt(s, f)),
        },
        Def::Model(Model {
            kind: ModelKind::Block { body, .. },
            ..
        }) => {
            body.stmts.iter().for_each(|s| each_expr_of_stmt(s, f));
        }
        Def::Net(n) => match &n.body {
            Body::Expr(e) => each_expr(e, f),
            Body::Block(b) => b.stmts.iter().for_each(|s| each_expr_of_stmt(s, f)),
        },
    }
}

/// Visits the expressions directly in a statement (`each_expr` goes on into blocks only where it says so).
pub fn each_expr_of_stmt(s: &Stmt, f: &mut dyn FnMut(&Expr)) {
    match &s.kind {
        StmtKind::Def(d) => each_expr_of_def(d, f),
        StmtKind::Expr(e)
        | StmtKind::Yield(e)
        | StmtKind::Factor(e)
        | StmtKind::Assert(e)
        | StmtKind::Verdict(e)
        | StmtKind::StopWhen(e) => each_expr(e, f),
        StmtKind::Snapshot(s) => s.exprs().for_each(|e| each_expr(e, f)),
        StmtKind::Site { dist, via, .. } => {
            each_expr(dist, f);
            via.iter().for_each(|v| each_expr(&v.value, f));
        }
        StmtKind::Next { value, .. }
        | StmtKind::Tap { value, .. }
        | StmtKind::Keep { value, .. } => each_expr(value, f),
        StmtKind::Set { target, value } => {
            each_expr(target, f);
            each_expr(value, f);
        }
        StmtKind::Update { over, by, using } => {
            over.iter().for_each(|o| each_over(o, f));
            each_expr(by, f);
            using.iter().for_each(|e| each_expr(e, f));
        }
        StmtKind::Optimize {
            value, over, using, ..
        } => {
            each_expr(value, f);
            over.iter().for_each(|o| each_over(o, f));
            using.iter().for_each(|e| each_expr(e, f));
        }
        StmtKind::Every { count, .. } => each_expr(count, f),
        StmtKind::Log(entries) => entries.iter().for_each(|(_, e)| each_expr(e, f)),
        StmtKind::Output { args, .. } => args.iter().for_each(|a| each_expr(&a.value, f)),
        StmtKind::SkipNan(most) => most.iter().for_each(|e| each_expr(e, f)),
        StmtKind::Hole => {}
    }
}

fn each_over(o: &Over, f: &mut dyn FnMut(&Expr)) {
    each_expr(&o.target, f);
    o.except.iter().for_each(|e| each_expr(e, f));
    o.using.iter().for_each(|e| each_expr(e, f));
}

/// Visits an expression and those inside it, but not the statements of blocks.
pub fn each_expr(e: &Expr, f: &mut dyn FnMut(&Expr)) {
    f(e);
    match &e.kind {
        ExprKind::Tuple(items) | ExprKind::List(items) => {
            items.iter().for_each(|e| each_expr(e, f))
        }
        ExprKind::Paren(a)
        | ExprKind::Unary(_, a)
        | ExprKind::Field(a, _)
        | ExprKind::Project(a, _)
        | ExprKind::Except(a, _)
        | ExprKind::Lambda(_, a) => each_expr(a, f),
        ExprKind::Record(parts) => parts.iter().for_each(|p| match p {
            RecordPart::Field(_, e) | RecordPart::Spread(e) => each_expr(e, f),
            RecordPart::Pun(_) => {}
        }),
        ExprKind::Binary(_, a, b)
        | ExprKind::Range(a, b)
        | ExprKind::Given(a, b)
        | ExprKind::WithKey(a, b) => {
            each_expr(a, f);
            each_expr(b, f);
        }
        ExprKind::Call(a, args) => {
            each_expr(a, f);
            args.iter().for_each(|a| each_expr(&a.value, f));
        }
        ExprKind::Index(a, args) => {
            each_expr(a, f);
            for arg in args {
                match arg {
                    IndexArg::At(e) => each_expr(e, f),
                    IndexArg::Slice {
                        start, stop, step, ..
                    } => {
                        [start, stop, step]
                            .into_iter()
                            .flatten()
                            .for_each(|e| each_expr(e, f));
                    }
                }
            }
        }
        ExprKind::If(c, _, b) => {
            each_expr(c, f);
            if let Some(Else::If(e)) = b.as_deref() {
                each_expr(e, f);
            }
        }
        ExprKind::For(l) => {
            l.generators.iter().for_each(|(_, e)| each_expr(e, f));
            l.options.iter().for_each(|(_, e)| each_expr(e, f));
        }
        ExprKind::Scan(l) => {
            l.carries.iter().for_each(|(_, e)| each_expr(e, f));
            match &l.kind {
                ScanKind::For(g) => g.iter().for_each(|(_, e)| each_expr(e, f)),
                ScanKind::While(e) => each_expr(e, f),
            }
            l.options.iter().for_each(|(_, e)| each_expr(e, f));
        }
        _ => {}
    }
}

/// Names that an expression reads, those of blocks inside it included.
pub fn names_in(e: &Expr) -> Vec<String> {
    let block = Block {
        stmts: vec![Stmt {
            kind: StmtKind::Expr(e.clone()),
            span: e.span,
            doc: None,
        }],
        span: e.span,
    };
    names_in_block(&block)
}

/// Names that a block reads.
pub fn names_in_block(b: &Block) -> Vec<String> {
    let mut out = Vec::new();
    each_stmt(&b.stmts, &mut |s| {
        each_expr_of_stmt(s, &mut |e| match &e.kind {
            ExprKind::Name(n) => out.push(n.clone()),
            ExprKind::Record(parts) => out.extend(parts.iter().filter_map(|p| match p {
                RecordPart::Pun(n) => Some(n.text.clone()),
                _ => None,
            })),
            _ => {}
        });
    });
    out
}

/// Names that some `wrt:` of the file mentions.
pub fn wrt_names(file: &File) -> HashSet<String> {
    let mut out = HashSet::new();
    let mut visit = |e: &Expr| {
        if let ExprKind::Call(_, args) = &e.kind {
            for a in args {
                if a.name.as_ref().is_some_and(|n| n.text == "wrt") {
                    let items: Vec<&Expr> = match &a.value.kind {
                        ExprKind::Tuple(items) => items.iter().collect(),
                        _ => vec![&a.value],
                    };
                    for e in items {
                        if let Some(p) = path_text(e) {
                            out.insert(p.split(['.', '[']).next().unwrap_or_default().to_string());
                        }
                    }
                }
            }
        }
    };
    for item in &file.items {
        each_block_expr(item, &mut visit);
    }
    out
}

/// Visits every expression below an item, those of nested blocks included.
fn each_block_expr(item: &Item, f: &mut dyn FnMut(&Expr)) {
    let mut blocks: Vec<&Block> = Vec::new();
    let mut exprs: Vec<&Expr> = Vec::new();
    match &item.kind {
        ItemKind::Data { value, .. } => exprs.push(value),
        ItemKind::Def(d) => match d {
            Def::Fn(Function { body, rules, .. }) => {
                push_body(body, &mut blocks, &mut exprs);
                rules.iter().for_each(|r| blocks.push(&r.body));
            }
            Def::Net(NetDef { body, .. }) => push_body(body, &mut blocks, &mut exprs),
            Def::Model(Model {
                kind: ModelKind::Block { body, .. },
                ..
            }) => blocks.push(body),
            Def::Model(Model {
                kind: ModelKind::Value(e),
                ..
            }) => exprs.push(e),
            Def::Let { value, .. } | Def::State { value, .. } => exprs.push(value),
            Def::NetUse { value, .. } | Def::Param { value, .. } => exprs.push(value),
        },
        ItemKind::Dist(d) => d
            .members
            .iter()
            .for_each(|m| push_body(&m.body, &mut blocks, &mut exprs)),
        ItemKind::Estimator(e) => blocks.push(&e.body),
        ItemKind::Optimizer(o) => blocks.push(&o.body),
        ItemKind::Stage(s) => blocks.push(&s.body),
        ItemKind::Test { body, .. } => blocks.push(body),
        _ => {}
    }
    for e in exprs {
        let stmt = Stmt {
            kind: StmtKind::Expr(e.clone()),
            span: e.span,
            doc: None,
        };
        each_stmt(std::slice::from_ref(&stmt), &mut |s| {
            each_expr_of_stmt(s, f)
        });
    }
    for b in blocks {
        each_stmt(&b.stmts, &mut |s| each_expr_of_stmt(s, f));
    }
}

fn push_body<'a>(b: &'a Body, blocks: &mut Vec<&'a Block>, exprs: &mut Vec<&'a Expr>) {
    match b {
        Body::Expr(e) => exprs.push(e),
        Body::Block(b) => blocks.push(b),
    }
}
