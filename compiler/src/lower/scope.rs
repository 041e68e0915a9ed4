//! Names that nothing defines, found before anything is evaluated.

use super::resolve::*;
use super::session::Session;
use mlc_grammar::ast::*;
use mlc_grammar::diag::Report;
use mlc_grammar::span::Span;
use std::collections::HashSet;

/// Reports the names of a module that nothing defines. All of them, not the first only.
pub(super) fn check(s: &Session, module: usize) -> Vec<Report> {
    let m = &s.modules[module];
    let mut known: HashSet<String> = super::builtins::names().map(String::from).collect();
    known.extend(m.items.keys().cloned());
    known.extend(super::modules::wanted(m.tree));
    known.extend(m.holes.iter().cloned());
    for other in [s.prelude, s.estimators, s.support_library] {
        let items = s.modules[other].items.keys();
        known.extend(items.filter(|n| !super::modules::is_private(n)).cloned());
    }
    let mut c = Checker {
        scopes: vec![known],
        reports: Vec::new(),
    };
    for item in &s.tree(module).items {
        c.item(item);
    }
    c.reports
}

struct Checker {
    scopes: Vec<HashSet<String>>,
    reports: Vec<Report>,
}

impl Checker {
    fn bind(&mut self, name: &str) {
        if let Some(s) = self.scopes.last_mut() {
            s.insert(name.to_string());
        }
    }

    /// Binds a name where it is defined. What looks at its arguments' text is found by name, so no other thing may have it.
    fn define(&mut self, name: &str, span: Span) {
        if super::builtins::is_kept(name) {
            self.reports.push(
                Report::new(
                    "E0114",
                    format!("`{name}` is built in and keeps its meaning"),
                )
                .label(span, "defined again here")
                .hint("take another name"),
            );
        }
        self.bind(name);
    }

    fn bind_pattern(&mut self, p: &Pattern) {
        let mut names = Vec::new();
        pattern_names(p, &mut |n, span| names.push((n.to_string(), span)));
        names.iter().for_each(|(n, span)| self.define(n, *span));
    }

    fn scoped(&mut self, f: impl FnOnce(&mut Self)) {
        self.scopes.push(HashSet::new());
        f(self);
        self.scopes.pop();
    }

    fn use_name(&mut self, name: &str, span: Span) {
        if self.scopes.iter().any(|s| s.contains(name)) {
            return;
        }
        let known: Vec<String> = self.scopes.iter().flatten().cloned().collect();
        let mut r =
            Report::new("E0100", format!("unknown name `{name}`")).label(span, "not defined");
        if let Some(hint) = super::habits::name(name) {
            r = r.hint(hint);
        } else if let Some(near) = nearest(name, &known) {
            r = r.hint(format!("did you mean `{near}`?"));
        }
        self.reports.push(r);
    }

    fn item(&mut self, item: &Item) {
        self.scoped(|c| match &item.kind {
            ItemKind::Data { value, .. } => {
                // The readers are names here only.
                super::readers::READERS.iter().for_each(|r| c.bind(r.name));
                c.expr(value);
            }
            ItemKind::Def(d) => c.def(d),
            ItemKind::Dist(d) => {
                c.args(&d.args);
                c.bind("self");
                // A support may be any expression of the arguments; its own names are built in.
                for m in &d.members {
                    c.scoped(|c| {
                        c.args(&m.args);
                        c.body(&m.body);
                    });
                }
            }
            ItemKind::Estimator(e) => {
                c.args(&e.args);
                c.block(&e.body);
            }
            ItemKind::Optimizer(o) => {
                c.args(&o.args);
                o.binders.iter().for_each(|n| c.bind(&n.text));
                c.bind("step");
                c.block(&o.body);
            }
            ItemKind::Stage(s) => {
                c.args(&s.args);
                if let StageKind::Train {
                    pattern,
                    source,
                    count,
                    ..
                } = &s.kind
                {
                    // The size of a batch may come from the stage's own states.
                    c.scoped(|c| {
                        c.bind("step");
                        for stmt in &s.body.stmts {
                            if let StmtKind::Def(Def::State { name, .. }) = &stmt.kind {
                                c.bind(&name.text);
                            }
                        }
                        source.iter().for_each(|e| c.expr(e));
                    });
                    c.expr(count);
                    pattern.iter().for_each(|p| c.bind_pattern(p));
                    c.bind("step");
                }
                s.after.iter().for_each(|e| c.expr(e));
                c.block(&s.body);
            }
            ItemKind::Test { body, .. } => c.block(body),
            ItemKind::Use(_) | ItemKind::Precision(_) | ItemKind::Hole => {}
        });
    }

    fn args(&mut self, args: &[Arg]) {
        for a in args {
            a.default.iter().for_each(|e| self.expr(e));
            a.ty.iter().for_each(|t| self.ty(t));
            self.define(&a.name.text, a.name.span);
        }
    }

    /// Names of dimensions and of element types are bound where they first stand.
    fn ty(&mut self, t: &TypeExpr) {
        match &t.kind {
            TypeKind::Named(name, dims) => {
                if super::types::is_variable(&name.text) {
                    self.define(&name.text, name.span);
                }
                for d in dims {
                    // What is unknown in arithmetic on sizes is solved for.
                    each_expr(d, &mut |e| {
                        if let ExprKind::Name(n) = &e.kind {
                            self.bind(n);
                        }
                    });
                }
            }
            TypeKind::Tuple(ts) => ts.iter().for_each(|t| self.ty(t)),
            TypeKind::Record(ts) => ts.iter().for_each(|(_, t)| self.ty(t)),
        }
    }

    fn body(&mut self, b: &Body) {
        match b {
            Body::Expr(e) => self.expr(e),
            Body::Block(b) => self.block(b),
        }
    }

    fn block(&mut self, b: &Block) {
        self.scoped(|c| b.stmts.iter().for_each(|s| c.stmt(s)));
    }

    fn def(&mut self, d: &Def) {
        match d {
            Def::Let { pattern, ty, value } => {
                ty.iter().for_each(|t| self.ty(t));
                self.expr(value);
                self.bind_pattern(pattern);
            }
            Def::Fn(f) => {
                self.define(&f.name.text, f.name.span);
                self.scoped(|c| {
                    c.args(&f.args);
                    c.body(&f.body);
                    for r in &f.rules {
                        c.scoped(|c| {
                            r.args.iter().for_each(|n| c.bind(&n.text));
                            c.block(&r.body);
                        });
                    }
                });
            }
            Def::Model(m) => {
                match &m.kind {
                    ModelKind::Block { args, body, .. } => self.scoped(|c| {
                        c.args(args);
                        c.block(body);
                    }),
                    ModelKind::Value(e) => self.expr(e),
                }
                self.define(&m.name.text, m.name.span);
            }
            Def::NetUse { name, index, value } => {
                index.iter().for_each(|e| self.expr(e));
                self.expr(value);
                self.define(&name.text, name.span);
            }
            Def::Net(n) => {
                self.define(&n.name.text, n.name.span);
                self.scoped(|c| {
                    c.args(&n.statics);
                    c.args(&n.args);
                    c.body(&n.body);
                });
            }
            Def::Param {
                name,
                index,
                ty,
                support,
                value,
            } => {
                index.iter().for_each(|e| self.expr(e));
                support.iter().for_each(|e| self.expr(e));
                ty.iter().for_each(|t| self.ty(t));
                self.expr(value);
                self.define(&name.text, name.span);
            }
            Def::State { name, value, .. } => {
                self.expr(value);
                self.define(&name.text, name.span);
            }
        }
    }

    fn stmt(&mut self, s: &Stmt) {
        match &s.kind {
            StmtKind::Def(d) => self.def(d),
            StmtKind::Site { name, .. } => {
                each_top_expr(s, &mut |e| self.expr(e));
                self.define(&name.text, name.span);
            }
            StmtKind::Tap { name, .. } => {
                each_top_expr(s, &mut |e| self.expr(e));
                self.define(&name.text, name.span);
            }
            // `keep lowest loss` may name a logged value.
            StmtKind::Keep { value, .. } if matches!(value.kind, ExprKind::Name(_)) => {}
            StmtKind::Every { count, body, .. } => {
                self.expr(count);
                self.scoped(|c| {
                    c.bind("states");
                    c.block(body);
                });
            }
            StmtKind::Verdict(e) => self.scoped(|c| {
                c.bind("states");
                c.expr(e);
            }),
            _ => each_top_expr(s, &mut |e| self.expr(e)),
        }
    }

    fn expr(&mut self, e: &Expr) {
        match &e.kind {
            ExprKind::Name(n) => self.use_name(n, e.span),
            // The letters of an `einsum` are not names of anything.
            ExprKind::Call(f, args) if super::einsum::is_form(f) => {
                for a in args.iter().skip(1) {
                    match &a.value.kind {
                        ExprKind::Index(x, _) => self.expr(x),
                        _ => self.expr(&a.value),
                    }
                }
            }
            // The second argument is the name of a member.
            ExprKind::Call(f, args) if matches!(&f.kind, ExprKind::Name(n) if n == "has") => {
                args.iter().take(1).for_each(|a| self.expr(&a.value));
            }
            ExprKind::Record(parts) => {
                for p in parts {
                    match p {
                        RecordPart::Pun(n) => self.use_name(&n.text, n.span),
                        RecordPart::Field(_, e) | RecordPart::Spread(e) => self.expr(e),
                    }
                }
            }
            ExprKind::Lambda(ps, body) => self.scoped(|c| {
                ps.iter().for_each(|p| c.bind_pattern(p));
                c.expr(body);
            }),
            ExprKind::If(cond, a, b) => {
                self.expr(cond);
                self.block(a);
                match b.as_deref() {
                    Some(Else::Block(b)) => self.block(b),
                    Some(Else::If(e)) => self.expr(e),
                    None => {}
                }
            }
            ExprKind::For(l) => self.scoped(|c| {
                for (p, e) in &l.generators {
                    c.expr(e);
                    c.bind_pattern(p);
                }
                l.options.iter().for_each(|(_, e)| c.expr(e));
                c.block(&l.body);
            }),
            ExprKind::Scan(l) => self.scoped(|c| {
                for (p, e) in &l.carries {
                    c.expr(e);
                    c.bind_pattern(p);
                }
                match &l.kind {
                    ScanKind::For(gs) => gs.iter().for_each(|(p, e)| {
                        c.expr(e);
                        c.bind_pattern(p);
                    }),
                    ScanKind::While(e) => c.expr(e),
                }
                l.options.iter().for_each(|(_, e)| c.expr(e));
                c.block(&l.body);
            }),
            ExprKind::Expect(b) | ExprKind::Strict(b) => self.block(b),
            _ => {
                let mut first = true;
                let mut children: Vec<&Expr> = Vec::new();
                collect_children(e, &mut first, &mut children);
                children.into_iter().for_each(|c| self.expr(c));
            }
        }
    }
}

/// The expressions directly below `e`.
fn collect_children<'a>(e: &'a Expr, _first: &mut bool, out: &mut Vec<&'a Expr>) {
    match &e.kind {
        ExprKind::Tuple(items) | ExprKind::List(items) => out.extend(items),
        ExprKind::Paren(a)
        | ExprKind::Unary(_, a)
        | ExprKind::Field(a, _)
        | ExprKind::Project(a, _)
        | ExprKind::Except(a, _) => out.push(a),
        ExprKind::Binary(_, a, b)
        | ExprKind::Range(a, b)
        | ExprKind::Given(a, b)
        | ExprKind::WithKey(a, b) => {
            out.extend([&**a, &**b]);
        }
        ExprKind::Call(a, args) => {
            out.push(a);
            out.extend(args.iter().map(|a| &a.value));
        }
        ExprKind::Index(a, args) => {
            out.push(a);
            for arg in args {
                match arg {
                    IndexArg::At(e) => out.push(e),
                    IndexArg::Slice {
                        start, stop, step, ..
                    } => {
                        out.extend([start, stop, step].into_iter().flatten());
                    }
                }
            }
        }
        _ => {}
    }
}

/// The outermost expressions of a statement.
fn each_top_expr<'a>(s: &'a Stmt, f: &mut dyn FnMut(&'a Expr)) {
    match &s.kind {
        StmtKind::Expr(e)
        | StmtKind::Yield(e)
        | StmtKind::Factor(e)
        | StmtKind::Assert(e)
        | StmtKind::Verdict(e)
        | StmtKind::StopWhen(e) => f(e),
        StmtKind::Snapshot(s) => s.exprs().for_each(f),
        StmtKind::Site { dist, via, .. } => {
            f(dist);
            via.iter().for_each(|v| f(&v.value));
        }
        StmtKind::SkipNan(most) => most.iter().for_each(f),
        StmtKind::Next { value, .. }
        | StmtKind::Tap { value, .. }
        | StmtKind::Keep { value, .. } => f(value),
        StmtKind::Set { target, value } => {
            f(target);
            f(value);
        }
        StmtKind::Update { over, by, using } => {
            over.iter().for_each(|o| over_exprs(o, f));
            f(by);
            using.iter().for_each(&mut *f);
        }
        StmtKind::Optimize {
            value, over, using, ..
        } => {
            f(value);
            over.iter().for_each(|o| over_exprs(o, f));
            using.iter().for_each(f);
        }
        StmtKind::Log(entries) => entries.iter().for_each(|(_, e)| f(e)),
        StmtKind::Output { args, .. } => args.iter().for_each(|a| f(&a.value)),
        _ => {}
    }
}

fn over_exprs<'a>(o: &'a Over, f: &mut dyn FnMut(&'a Expr)) {
    f(&o.target);
    o.except.iter().for_each(&mut *f);
    o.using.iter().for_each(f);
}
