//! Expressions, blocks and definitions.

use super::session::{R, Session, rc};
use super::value::{Closure, Code, Env, EstimatorVal, ModelDef, OptimizerVal, Scoped, Val};
use mlc_grammar::ast::{self, Expr, ExprKind, Pattern, PatternKind, Stmt, StmtKind};
use mlc_grammar::diag::Report;
use mlc_grammar::span::Span;
use std::collections::HashMap;
use std::rc::Rc;

/// A call in progress: for the call chain of errors, and for the keys of random draws.
#[derive(Clone)]
pub struct Frame {
    pub name: String,
    pub span: Span,
    /// Names the call path; a function of names and ordinals only, so that edits elsewhere change no stream.
    pub key: u64,
    ordinals: HashMap<String, u64>,
}

impl Frame {
    pub fn root(name: &str) -> Self {
        Self {
            name: name.to_string(),
            span: Span::default(),
            key: mix(0, name),
            ordinals: HashMap::new(),
        }
    }

    /// The key of the next thing called `name` in this frame.
    pub fn next_key(&mut self, name: &str) -> u64 {
        let n = self.ordinals.entry(name.to_string()).or_insert(0);
        *n += 1;
        mix(self.key.wrapping_add(*n), name)
    }
}

/// A 64-bit hash of a key and a name (FNV-1a, finished by splitmix64): the same on every machine and in every version.
pub fn mix(key: u64, name: &str) -> u64 {
    let mut h = 0xcbf2_9ce4_8422_2325_u64 ^ key;
    for b in name.bytes() {
        h = (h ^ u64::from(b)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    h ^= h >> 30;
    h = h.wrapping_mul(0xbf58_476d_1ce4_e5b9);
    h ^= h >> 27;
    h = h.wrapping_mul(0x94d0_49bb_1331_11eb);
    h ^ (h >> 31)
}

/// Calls nested deeper than this are refused: recursion has no place in a program of fixed size.
const MAX_DEPTH: usize = 200;

impl Session {
    /// An error at `span`, with the chain of calls that led there.
    pub(super) fn err(&self, code: &'static str, title: impl Into<String>, span: Span) -> Report {
        let mut r = Report::new(code, title);
        // A function that calls itself is named once.
        for f in self.frames.iter().rev() {
            if f.span == Span::default() {
                continue;
            }
            let note = format!("in `{}`, called at {}", f.name, self.sources.place(f.span));
            if !r.notes.contains(&note) {
                r = r.note(note);
            }
            if r.notes.len() == 8 {
                break;
            }
        }
        r.label(span, "here")
    }

    /// [`Self::err`] with words for the label.
    pub(super) fn err_at(
        &self,
        code: &'static str,
        title: impl Into<String>,
        span: Span,
        label: impl Into<String>,
    ) -> Report {
        let mut r = self.err(code, title, span);
        r.labels[0].text = label.into();
        r
    }

    pub(super) fn frame(&mut self) -> &mut Frame {
        self.frames
            .last_mut()
            .expect("the root frame is never popped")
    }

    /// Runs `f` inside a call named `name`.
    pub(super) fn in_frame<T>(
        &mut self,
        name: &str,
        span: Span,
        f: impl FnOnce(&mut Self) -> R<T>,
    ) -> R<T> {
        if self.frames.len() > MAX_DEPTH {
            let shown: String = name.chars().take(40).collect();
            let title = match name {
                "|..|" => "a function literal calls itself without end".to_string(),
                _ => format!("`{shown}` calls itself without end"),
            };
            return Err(Box::new(self.err("E0105", title, span).hint(
                "recursion is not part of the language; write the loop with `scan`",
            )));
        }
        let key = self.frame().next_key(name);
        self.with_frame_key(name, span, key, f)
    }

    pub(super) fn with_frame_key<T>(
        &mut self,
        name: &str,
        span: Span,
        key: u64,
        f: impl FnOnce(&mut Self) -> R<T>,
    ) -> R<T> {
        self.frames.push(Frame {
            name: name.to_string(),
            span,
            key,
            ordinals: HashMap::new(),
        });
        let top = std::mem::take(&mut self.top);
        let result = f(self);
        self.top = top;
        self.frames.pop();
        result
    }

    /// Evaluates a top-level item: the names it binds.
    pub(super) fn eval_item(
        &mut self,
        module: usize,
        item: &'static ast::Item,
    ) -> R<Vec<(String, Val)>> {
        let env = Env::module(module);
        let saved = std::mem::replace(&mut self.frames, vec![Frame::root("pipeline")]);
        let nets = std::mem::take(&mut self.nets);
        let count = std::mem::take(&mut self.work);
        let result = self.in_init_outside(|s| match &item.kind {
            ast::ItemKind::Data { name, value } => {
                let v = s.eval_data(name, value, &env)?;
                Ok(vec![(name.text.clone(), v)])
            }
            ast::ItemKind::Def(def) => {
                let names = super::resolve::item_names(item);
                s.frame().name = names.first().map_or(String::new(), |n| n.text.clone());
                s.frame().key = mix(0, &s.frames[0].name.clone());
                let local = env.child();
                s.define(def, &local)?;
                let mut out = Vec::new();
                for n in names {
                    let v = local.get(&n.text).unwrap_or(Val::Unit);
                    let v = s.keep_globals(&n.text, v)?;
                    out.push((n.text.clone(), v));
                }
                Ok(out)
            }
            ast::ItemKind::Dist(def) => Ok(vec![(
                def.name.text.clone(),
                Val::DistDef(Rc::new(Scoped {
                    def,
                    env: env.clone(),
                })),
            )]),
            ast::ItemKind::Estimator(def) => {
                let e = EstimatorVal {
                    def: Rc::new(Scoped {
                        def,
                        env: env.clone(),
                    }),
                    args: vec![],
                };
                Ok(vec![(def.name.text.clone(), Val::Estimator(Rc::new(e)))])
            }
            ast::ItemKind::Optimizer(def) => {
                let o = OptimizerVal {
                    def: Rc::new(Scoped {
                        def,
                        env: env.clone(),
                    }),
                    args: vec![],
                    applied: false,
                    before: vec![],
                    label: None,
                };
                Ok(vec![(def.name.text.clone(), Val::Optimizer(Rc::new(o)))])
            }
            ast::ItemKind::Stage(stage) => {
                let name = &stage.name.text;
                let template = s.templates.iter().position(|t| t.def.name.text == *name);
                let at = s.stages.iter().position(|i| i.name == *name);
                let v = match template {
                    Some(t) => Val::StageDef(t),
                    None => at.map_or(Val::Unit, Val::Stage),
                };
                Ok(vec![(name.clone(), v)])
            }
            _ => Ok(vec![]),
        });
        self.work = count;
        self.nets = nets;
        self.frames = saved;
        result
    }

    /// Binds what a definition defines.
    pub(super) fn define(&mut self, def: &'static ast::Def, env: &Env) -> R<()> {
        match def {
            ast::Def::Let { pattern, ty, value } => {
                let mut v = self.eval(value, env)?;
                if let Some(ty) = ty {
                    v = self.check_type(v, ty, env, value.span)?;
                }
                let v = self.settle(v);
                self.bind_pattern(pattern, v, env)
            }
            ast::Def::Fn(f) => {
                let closure = Closure {
                    name: rc(&f.name.text),
                    code: Code::Fn(f),
                    env: env.clone(),
                };
                env.bind(&f.name.text, Val::Fn(Rc::new(closure)));
                Ok(())
            }
            ast::Def::Model(m) => {
                let v = match &m.kind {
                    ast::ModelKind::Block { args, body, .. } => Val::ModelDef(Rc::new(ModelDef {
                        name: rc(&m.name.text),
                        args,
                        body,
                        env: env.clone(),
                    })),
                    ast::ModelKind::Value(e) => self.declare_model(&m.name, e, env)?,
                };
                env.bind(&m.name.text, v);
                Ok(())
            }
            ast::Def::NetUse { name, index, value } => {
                self.declare_net(name, index.as_ref(), value, env)
            }
            ast::Def::Net(n) => {
                let v = Val::NetDef(Rc::new(Scoped {
                    def: n,
                    env: env.clone(),
                }));
                env.bind(&n.name.text, v);
                Ok(())
            }
            ast::Def::Param {
                name,
                index,
                ty,
                support,
                value,
            } => self.declare_param(
                name,
                index.as_ref(),
                ty.as_ref(),
                support.as_ref(),
                value,
                env,
            ),
            ast::Def::State { name, ty, value } => {
                self.declare_state(name, ty.as_ref(), value, env)
            }
        }
    }

    /// Binds a pattern's names. A name that some `wrt:` of the file mentions gets a binding node of its own.
    pub(super) fn bind_pattern(&mut self, pattern: &Pattern, v: Val, env: &Env) -> R<()> {
        match &pattern.kind {
            PatternKind::Name(name) => {
                let v = if self.modules[env.0.module].wrt.contains(name) {
                    self.bind_leaves(v, pattern.span)?
                } else {
                    v
                };
                env.bind(name, v);
                Ok(())
            }
            PatternKind::Wild => Ok(()),
            PatternKind::Tuple(parts) => {
                let items: Vec<Val> = match &v {
                    Val::Tuple(items) | Val::List(items) => items.to_vec(),
                    Val::Record(fields) => fields.iter().map(|f| f.1.clone()).collect(),
                    Val::Failed => return Err(self.follows(pattern.span)),
                    other => {
                        let title =
                            format!("a pattern of {} names meets {}", parts.len(), other.kind());
                        let mut r = self.err_at(
                            "E0204",
                            title,
                            pattern.span,
                            "takes a tuple or a list apart",
                        );
                        if Self::is_tensor(other) {
                            r = r.hint("rows of a tensor are `x[0]`, `x[1]`");
                        }
                        return Err(Box::new(r));
                    }
                };
                if items.len() != parts.len() {
                    let title = format!(
                        "a pattern of {} names meets {} values",
                        parts.len(),
                        items.len()
                    );
                    return Err(Box::new(
                        self.err_at(
                            "E0204",
                            title,
                            pattern.span,
                            format!("{} names", parts.len()),
                        )
                        .hint("write `_` for a part that you do not need"),
                    ));
                }
                for (p, v) in parts.iter().zip(items) {
                    self.bind_pattern(p, v, env)?;
                }
                Ok(())
            }
            PatternKind::Record(parts) => {
                for (name, p) in parts {
                    let field = self.field(&v, name)?;
                    self.bind_pattern(p, field, env)?;
                }
                Ok(())
            }
        }
    }

    /// Evaluates statements in a scope of their own; the value is that of the last.
    pub(super) fn eval_block(&mut self, block: &'static ast::Block, env: &Env) -> R<Val> {
        let env = env.child();
        self.eval_stmts(&block.stmts, &env)
    }

    pub(super) fn eval_stmts(&mut self, stmts: &'static [Stmt], env: &Env) -> R<Val> {
        let mut last = Val::Unit;
        for (i, stmt) in stmts.iter().enumerate() {
            let is_last = i + 1 == stmts.len();
            last = self.eval_stmt(stmt, env)?;
            let unused = matches!(stmt.kind, StmtKind::Expr(_)) && !matches!(last, Val::Unit);
            if unused && !is_last && !self.effectful(stmt) {
                return Err(self.lost(stmt.span));
            }
        }
        Ok(last)
    }

    /// What a failure that was told of already makes impossible.
    pub(super) fn follows(&self, span: Span) -> Box<Report> {
        Box::new(self.err(super::session::FOLLOWS, "this could not be evaluated", span))
    }

    /// The statements of a stage or a test, each on its own: after a mistake, what does not depend on it is looked at too.
    pub(super) fn eval_steps(&mut self, stmts: &'static [Stmt], env: &Env) -> R<()> {
        let mut first = None;
        for (i, stmt) in stmts.iter().enumerate() {
            // The next statement tells whether a value may stand here: that of the last one is the block's.
            let end = (i + 2).min(stmts.len());
            let result = match &stmt.kind {
                StmtKind::Expr(_) if end > i + 1 => self.eval_lost(stmt, env),
                _ => self.eval_stmt(stmt, env).map(|_| ()),
            };
            if let Err(r) = result {
                self.mark_failed(stmt, env);
                self.put_aside(&mut first, r);
            }
        }
        match first {
            None => Ok(()),
            Some(r) => Err(r),
        }
    }

    /// The first of several mistakes is what fails; the others are told of with it.
    pub(super) fn put_aside(&mut self, first: &mut Option<Box<Report>>, r: Box<Report>) {
        match first {
            None => *first = Some(r),
            Some(_) => self.collected.push(*r),
        }
    }

    /// An expression whose value goes nowhere.
    fn eval_lost(&mut self, stmt: &'static Stmt, env: &Env) -> R<()> {
        let v = self.eval_stmt(stmt, env)?;
        if matches!(v, Val::Unit) || self.effectful(stmt) {
            return Ok(());
        }
        Err(self.lost(stmt.span))
    }

    fn lost(&self, span: Span) -> Box<Report> {
        Box::new(
            self.err_at("E0205", "the value of this expression is not used", span, "lost")
                .hint("bind it with `let`, or remove it; a block's value is its last expression")
                .hint("a line that starts with an operator is a new expression: end the line above with it"),
        )
    }

    /// Binds the names of a statement that failed, so that their uses are not told as mistakes of their own.
    fn mark_failed(&self, stmt: &Stmt, env: &Env) {
        let mut names: Vec<String> = Vec::new();
        match &stmt.kind {
            StmtKind::Def(ast::Def::Let { pattern, .. }) => {
                super::resolve::pattern_names(pattern, &mut |n, _| names.push(n.to_string()));
            }
            StmtKind::Def(
                ast::Def::NetUse { name, .. }
                | ast::Def::Param { name, .. }
                | ast::Def::State { name, .. },
            )
            | StmtKind::Site { name, .. }
            | StmtKind::Tap { name, .. } => names.push(name.text.clone()),
            _ => {}
        }
        for n in names {
            env.bind(&n, Val::Failed);
        }
    }

    /// Plates stand for their sites, so their value may be dropped.
    fn effectful(&self, stmt: &Stmt) -> bool {
        matches!(&stmt.kind, StmtKind::Expr(e) if matches!(e.kind, ExprKind::For(_) | ExprKind::If(..) | ExprKind::Scan(_)))
            && (!self.handlers.is_empty() || !self.expects.is_empty())
    }

    fn eval_stmt(&mut self, stmt: &'static Stmt, env: &Env) -> R<Val> {
        self.ctx.graph.origin = self.placed(stmt.span);
        match &stmt.kind {
            StmtKind::Def(def) => self.define(def, env).map(|()| Val::Unit),
            StmtKind::Expr(e) => self.eval(e, env),
            StmtKind::Site { name, dist, via } => self.eval_site(name, dist, via.as_ref(), env),
            StmtKind::Next { pattern, value } => {
                let v = self.eval(value, env)?;
                if self.is_net_next(pattern) {
                    self.net_next(pattern, &v, value.span)?;
                    return Ok(Val::Unit);
                }
                self.scan_next(pattern, v)?;
                Ok(Val::Unit)
            }
            StmtKind::Yield(e) => {
                let v = self.eval(e, env)?;
                match self.yields.last_mut() {
                    Some(y) => y.push(v),
                    None => {
                        return Err(Box::new(self.err(
                            "E0208",
                            "`yield` stands outside a `scan`",
                            stmt.span,
                        )));
                    }
                }
                Ok(Val::Unit)
            }
            StmtKind::Set { target, value } => {
                self.eval_set(target, value, env).map(|()| Val::Unit)
            }
            StmtKind::Optimize {
                maximize,
                value,
                over,
                using,
            } => self
                .eval_optimize(*maximize, value, over, using.as_ref(), env)
                .map(|()| Val::Unit),
            StmtKind::Update { over, by, using } => self
                .eval_update(over, by, using.as_ref(), env)
                .map(|()| Val::Unit),
            StmtKind::Every { count, unit, body } => self
                .eval_every(count, *unit, body, env, stmt.span)
                .map(|()| Val::Unit),
            StmtKind::Log(entries) => self.eval_log(entries, env).map(|()| Val::Unit),
            StmtKind::Factor(e) => self.eval_factor(e, env).map(|()| Val::Unit),
            StmtKind::Tap { name, value } => self.eval_tap(name, value, env).map(|()| Val::Unit),
            StmtKind::Output { kind, args } => self
                .eval_output(kind, args, env, stmt.span)
                .map(|()| Val::Unit),
            StmtKind::Assert(_) | StmtKind::Snapshot(_) => {
                self.eval_check(stmt, env).map(|()| Val::Unit)
            }
            StmtKind::Verdict(e) => self.eval_verdict(e, env, stmt.span).map(|()| Val::Unit),
            StmtKind::StopWhen(e) => self.eval_stop_when(e, env).map(|()| Val::Unit),
            StmtKind::Keep { lowest, value } => self
                .eval_keep(*lowest, value, env, stmt.span)
                .map(|()| Val::Unit),
            StmtKind::SkipNan(most) => self
                .eval_skip_nan(most.as_ref(), env, stmt.span)
                .map(|()| Val::Unit),
            StmtKind::Hole => Ok(Val::Unit),
        }
    }

    /// A construct that parses but that this version gives no meaning to.
    pub(super) fn unsupported(&self, what: &str, span: Span) -> Box<Report> {
        Box::new(
            self.err(
                "E0700",
                format!("{what} cannot be compiled by this version"),
                span,
            )
            .hint("`docs/language.md` lists what can"),
        )
    }

    pub(super) fn eval(&mut self, e: &'static Expr, env: &Env) -> R<Val> {
        self.spend(1, e.span)?;
        let origin = self.placed(e.span);
        let outer = std::mem::replace(&mut self.ctx.graph.origin, origin);
        // Of expressions, only an `if` decided at compile time may hold statements of a step.
        let inside = matches!(e.kind, ExprKind::If(..) | ExprKind::Paren(_));
        let top = self.top;
        self.top = top && inside;
        let result = self.eval_kind(e, env);
        self.top = top;
        self.ctx.graph.origin = outer;
        result
    }

    fn eval_kind(&mut self, e: &'static Expr, env: &Env) -> R<Val> {
        match &e.kind {
            ExprKind::Int(i) => Ok(Val::Int(*i)),
            ExprKind::Real(x) => Ok(Val::Real(*x)),
            ExprKind::Bool(b) => Ok(Val::Bool(*b)),
            ExprKind::Str(s) => Ok(Val::Str(rc(s))),
            ExprKind::Name(name) => self.lookup(name, env, e.span),
            ExprKind::Paren(inner) => self.eval(inner, env),
            ExprKind::Tuple(items) => {
                let v = Val::tuple(self.eval_all(items, env)?);
                self.bounded(&v, e.span).map(|()| v)
            }
            ExprKind::List(items) => {
                let v = Val::list(self.eval_all(items, env)?);
                self.bounded(&v, e.span).map(|()| v)
            }
            ExprKind::Record(parts) => {
                let v = self.eval_record(parts, env)?;
                self.bounded(&v, e.span).map(|()| v)
            }
            ExprKind::Unary(op, a) => {
                let v = self.eval(a, env)?;
                self.unary(*op, v, e.span)
            }
            ExprKind::Binary(ast::BinaryOp::Pipe, a, f) => {
                let v = self.eval(a, env)?;
                let f = self.eval(f, env)?;
                if matches!(f, Val::Optimizer(_)) || matches!(v, Val::Optimizer(_)) {
                    return self.chain_optimizers(&v, &f, e.span);
                }
                self.apply(&f, vec![(None, v)], e.span)
            }
            ExprKind::Binary(op @ (ast::BinaryOp::And | ast::BinaryOp::Or), a, b) => {
                let left = self.eval(a, env)?;
                // A compile-time left side decides before the right side is looked at.
                match (op, &left) {
                    (ast::BinaryOp::And, Val::Bool(false))
                    | (ast::BinaryOp::Or, Val::Bool(true)) => Ok(left),
                    (_, Val::Bool(_)) => self.eval(b, env),
                    _ => {
                        let right = self.eval(b, env)?;
                        self.binary(*op, left, right, e.span, a.span, b.span)
                    }
                }
            }
            ExprKind::Binary(op, a, b) => {
                self.no_chained_comparison(*op, a, e.span)?;
                let left = self.eval(a, env)?;
                let right = self.eval(b, env)?;
                self.binary(*op, left, right, e.span, a.span, b.span)
            }
            ExprKind::Range(a, b) => {
                let (x, y) = (self.eval_int(a, env)?, self.eval_int(b, env)?);
                if y.checked_sub(x).is_none() {
                    let title = "this range is too long";
                    return Err(Box::new(self.err("E0304", title, e.span)));
                }
                Ok(Val::Range(x, y))
            }
            ExprKind::Call(f, args) => self.eval_call(e, f, args, env),
            ExprKind::Index(x, args) => self.eval_index(x, args, env, e.span),
            ExprKind::Field(x, name) => {
                let v = self.eval(x, env)?;
                self.field(&v, name)
            }
            ExprKind::Project(x, names) => {
                let v = self.eval(x, env)?;
                let mut fields = Vec::new();
                for n in names {
                    fields.push((rc(&n.text), self.field(&v, n)?));
                }
                Ok(Val::record(fields))
            }
            ExprKind::Except(x, names) => {
                let v = self.eval(x, env)?;
                let Val::Record(fields) = &v else {
                    return Err(Box::new(self.err(
                        "E0206",
                        format!("`except` on {}", v.kind()),
                        x.span,
                    )));
                };
                for n in names {
                    self.field(&v, n)?;
                }
                let kept = fields
                    .iter()
                    .filter(|(f, _)| !names.iter().any(|n| n.text == **f));
                Ok(Val::record(kept.cloned().collect()))
            }
            ExprKind::Lambda(patterns, body) => Ok(Val::Fn(Rc::new(Closure {
                name: rc("|..|"),
                code: Code::Lambda(patterns, body),
                env: env.clone(),
            }))),
            ExprKind::If(c, a, b) => self.eval_if(c, a, b.as_deref(), env, e.span),
            ExprKind::For(f) => self.eval_for(f, env, e.span),
            ExprKind::Scan(s) => self.eval_scan(s, env, e.span),
            ExprKind::Expect(block) => self.eval_expect(block, env, e.span),
            ExprKind::Strict(block) => {
                let outer = std::mem::replace(&mut self.ctx.graph.strict, true);
                let result = self.eval_block(block, env);
                self.ctx.graph.strict = outer;
                result
            }
            ExprKind::Given(m, r) => self.eval_given(m, r, env),
            ExprKind::WithKey(c, inner) => {
                // The draws inside are named by the number, not by where they stand.
                let n = self.eval_int(c, env)?;
                let key = mix(mix(0, "with_key"), &n.to_string());
                self.with_frame_key("with_key", Span::default(), key, |s| s.eval(inner, env))
            }
            ExprKind::Address(names) => Ok(Val::Address(Rc::new(
                names.iter().map(|n| rc(&n.text)).collect(),
            ))),
            ExprKind::Hole => Err(Box::new(self.err(
                super::session::FOLLOWS,
                "this could not be parsed",
                e.span,
            ))),
        }
    }

    pub(super) fn eval_all(&mut self, items: &'static [Expr], env: &Env) -> R<Vec<Val>> {
        items.iter().map(|e| self.eval(e, env)).collect()
    }

    fn eval_record(&mut self, parts: &'static [ast::RecordPart], env: &Env) -> R<Val> {
        let mut fields: Vec<(Rc<str>, Val)> = Vec::new();
        for part in parts {
            let added: Vec<(Rc<str>, Val)> = match part {
                ast::RecordPart::Pun(n) => vec![(rc(&n.text), self.lookup(&n.text, env, n.span)?)],
                ast::RecordPart::Field(n, e) => vec![(rc(&n.text), self.eval(e, env)?)],
                ast::RecordPart::Spread(e) => match self.eval(e, env)? {
                    Val::Record(r) => r.to_vec(),
                    other => {
                        let title = format!("`..` spreads a record, not {}", other.kind());
                        return Err(Box::new(self.err("E0206", title, e.span)));
                    }
                },
            };
            for (name, v) in added {
                match fields.iter_mut().find(|(n, _)| *n == name) {
                    Some(slot) => slot.1 = v,
                    None => fields.push((name, v)),
                }
            }
        }
        Ok(Val::record(fields))
    }
}
