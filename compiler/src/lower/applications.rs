//! Stages with arguments: applying one to compile-time values makes a stage of its own.

use super::call::Given;
use super::session::{R, Session};
use super::value::{Code, Env, OptimizerVal, Val};
use crate::program::StageInfo;
use mlc_grammar::ast::{self, Body};
use mlc_grammar::diag::Report;
use mlc_grammar::span::Span;
use std::collections::HashSet;

/// A stage with arguments.
pub struct Template {
    pub def: &'static ast::Stage,
    pub span: Span,
    /// Stages without arguments that it starts from, and whose results it reads.
    pub after: Vec<usize>,
    pub needs: Vec<usize>,
    /// What it was applied to, and the stages that made.
    pub instances: Vec<(String, usize)>,
}

/// What a stage with arguments was applied to.
#[derive(Clone, Debug)]
pub struct Application {
    /// The name of the stage with arguments.
    pub of: String,
    /// Its arguments by name, as they are written.
    pub args: Vec<(String, String)>,
    /// The argument `seed`, if there is one that is a number: first values are drawn anew for each.
    pub seed: Option<i64>,
}

/// How an argument is written in the name of a stage, and what tells it from other arguments.
struct Written {
    shown: String,
    identity: String,
}

/// How deep functions may refer to functions in an argument.
const DEEPEST: usize = 16;

impl Session {
    /// The top level as a stage sees it: with its arguments.
    pub(super) fn stage_env(&self, stage: usize) -> Env {
        match self.stage_args.get(&stage) {
            Some(args) => args.child(),
            None => Env::module(self.root).child(),
        }
    }

    /// `fit(1e-2)`: the stage that `fit` makes of these arguments, one for the same arguments.
    pub(super) fn apply_stage(&mut self, template: usize, args: Vec<Given>, span: Span) -> R<Val> {
        let def = self.templates[template].def;
        let name = def.name.text.clone();
        if self.in_init && !self.in_start {
            return Err(Box::new(self.reads_stage_early(&name, span)));
        }
        let env = Env::module(self.root).child();
        self.bind_args(&name, &def.args, args, &env, span)?;
        let (mut shown, mut identity) = (Vec::new(), String::new());
        let mut application = Application {
            of: name.clone(),
            args: Vec::new(),
            seed: None,
        };
        for a in &def.args {
            let v = env.get(&a.name.text).unwrap_or(Val::Missing);
            let Some(w) = self.written(&v, 0) else {
                let title = format!(
                    "`{}` of the stage `{name}` is not known at compile time",
                    a.name.text
                );
                return Err(Box::new(self.err("E0650", title, span).hint(
                    "stages are applied to numbers, lists of them, functions, optimizers, and top-level names of data",
                )));
            };
            if let (Val::Int(i), "seed") = (&v, a.name.text.as_str()) {
                application.seed = Some(*i);
            }
            shown.push(format!("{}: {}", a.name.text, w.shown));
            application.args.push((a.name.text.clone(), w.shown));
            identity += &w.identity;
            identity.push(';');
        }
        let found = self.templates[template].instances.iter();
        let found = found.clone().find(|i| i.0 == identity).map(|i| i.1);
        let stage = match found {
            Some(stage) => stage,
            None => {
                let mut title = format!("{name}({})", shown.join(", "));
                let mut nth = 1;
                while self.stages.iter().any(|s| s.name == title) {
                    nth += 1;
                    title = format!("{name}({})#{nth}", shown.join(", "));
                }
                let stage = self.stages.len();
                let t = &mut self.templates[template];
                t.instances.push((identity, stage));
                self.stages.push(StageInfo {
                    name: title,
                    span: t.span,
                    kind: kind(def),
                    after: t.after.clone(),
                    needs: t.needs.clone(),
                });
                self.stage_asts.push(def);
                self.stage_args.insert(stage, env);
                self.applied.insert(stage, application);
                stage
            }
        };
        // How often it logs is known when it has run: it may meet a value that is not a number.
        if self.stages[stage].kind == "train" {
            self.stopping.insert(stage);
        }
        if !self.stage_logs.contains_key(&stage) {
            let applied = format!("in `{}`", self.stages[stage].name);
            self.aside(|s| s.logs_known(stage))
                .map_err(|r| Box::new(r.label(span, applied)))?;
        }
        self.touched_stages.insert(stage);
        Ok(Val::Stage(stage))
    }

    /// Lowers something else while a program is being built.
    fn aside<T>(&mut self, f: impl FnOnce(&mut Self) -> R<T>) -> R<T> {
        let start = std::mem::take(&mut self.start);
        let nets = std::mem::take(&mut self.nets);
        let scans = std::mem::take(&mut self.scans);
        let yields = std::mem::take(&mut self.yields);
        let touched = std::mem::take(&mut self.touched_stages);
        let (in_init, in_start) = (self.in_init, self.in_start);
        (self.in_init, self.in_start) = (false, false);
        let work = self.work;
        let result = self.outside(f);
        (self.in_init, self.in_start) = (in_init, in_start);
        self.work = work;
        self.touched_stages = touched;
        self.yields = yields;
        self.scans = scans;
        self.nets = nets;
        self.start = start;
        result
    }

    /// Finds the stages with arguments that a stage is `after`.
    pub(super) fn resolve_after(&mut self, stage: usize) -> R<()> {
        let def = self.stage_asts[stage];
        for e in def
            .after
            .iter()
            .filter(|e| matches!(e.kind, ast::ExprKind::Call(..)))
        {
            let env = self.stage_env(stage);
            let mut made = Val::Unit;
            let _ = self.program("after", |s| {
                made = s.eval(e, &env)?;
                Ok(())
            })?;
            let Val::Stage(before) = made else {
                return Err(Box::new(self.err("E0601", "`after` names a stage", e.span)));
            };
            let info = &mut self.stages[stage];
            if !info.after.contains(&before) {
                info.after.push(before);
            }
            if !info.needs.contains(&before) {
                info.needs.push(before);
            }
        }
        Ok(())
    }

    pub(super) fn reads_stage_early(&self, name: &str, span: Span) -> Report {
        self.err(
            "E0651",
            format!("a first value cannot depend on the result of the stage `{name}`"),
            span,
        )
        .hint("first values are computed before any stage runs; a stage that starts from another's result is `after` it")
    }

    /// Stages whose results what was lowered last reads.
    pub fn touched(&self) -> Vec<usize> {
        let mut found: Vec<usize> = self.touched_stages.iter().copied().collect();
        found.sort_unstable();
        found
    }

    /// Was the stage made by applying one with arguments?
    pub fn is_applied(&self, stage: usize) -> bool {
        self.stage_args.contains_key(&stage)
    }

    /// What the stage was applied to, if it was made by applying one with arguments.
    pub fn application(&self, stage: usize) -> Option<&Application> {
        self.applied.get(&stage)
    }

    /// Stages with arguments that nothing applies. Those whose arguments all have defaults are lowered, to find mistakes.
    pub fn unapplied(&mut self) -> (Vec<String>, Vec<Report>) {
        let (mut names, mut reports) = (Vec::new(), Vec::new());
        for t in 0..self.templates.len() {
            let def = self.templates[t].def;
            if !self.templates[t].instances.is_empty() {
                continue;
            }
            names.push(def.name.text.clone());
            if def.args.iter().all(|a| a.default.is_some())
                && let Err(r) = self.apply_stage(t, vec![], def.name.span)
            {
                reports.push(*r);
            }
        }
        (names, reports)
    }

    /// Nothing if the value is not known at compile time.
    fn written(&self, v: &Val, depth: usize) -> Option<Written> {
        if depth > DEEPEST {
            return None;
        }
        let same = |text: String| {
            Some(Written {
                identity: text.clone(),
                shown: text,
            })
        };
        let all = |items: &[Val], open: &str, close: &str| -> Option<Written> {
            let items: Option<Vec<Written>> =
                items.iter().map(|v| self.written(v, depth + 1)).collect();
            let items = items?;
            let join = |f: &dyn Fn(&Written) -> &str| {
                let texts: Vec<&str> = items.iter().map(f).collect();
                format!("{open}{}{close}", texts.join(", "))
            };
            Some(Written {
                shown: join(&|w| &w.shown),
                identity: join(&|w| &w.identity),
            })
        };
        match v {
            Val::Int(i) => same(i.to_string()),
            Val::Real(x) => same(format!("{x:?}")),
            Val::Bool(b) => same(b.to_string()),
            Val::Str(s) => same(format!("\"{s}\"")),
            Val::Missing => same("none".to_string()),
            Val::Range(a, b) => same(format!("{a}..{b}")),
            Val::Builtin(name) => same(name.to_string()),
            Val::Slot(id) => same(self.slots[id.0 as usize].name.clone()),
            Val::List(items) => all(items, "[", "]"),
            Val::Tuple(items) => all(items, "(", ")"),
            Val::Record(fields) => {
                let mut out = Written {
                    shown: String::new(),
                    identity: String::new(),
                };
                for (n, v) in fields.iter() {
                    let w = self.written(v, depth + 1)?;
                    let comma = if out.shown.is_empty() { "" } else { ", " };
                    out.shown += &format!("{comma}{n}: {}", w.shown);
                    out.identity += &format!("{comma}{n}: {}", w.identity);
                }
                out.shown = format!("{{{}}}", out.shown);
                out.identity = format!("{{{}}}", out.identity);
                Some(out)
            }
            Val::Fn(c) => {
                let (shown, address, reads) = match c.code {
                    Code::Fn(f) => (
                        f.name.text.clone(),
                        std::ptr::from_ref(f).addr(),
                        match &f.body {
                            Body::Expr(e) => super::resolve::names_in(e),
                            Body::Block(b) => super::resolve::names_in_block(b),
                        },
                    ),
                    Code::Lambda(_, e) => (
                        self.sources.text(e.span).to_string(),
                        std::ptr::from_ref(e).addr(),
                        super::resolve::names_in(e),
                    ),
                };
                let mut identity = format!("{shown}@{address:x}");
                let mut seen = HashSet::new();
                for name in reads {
                    if *name != *c.name
                        && seen.insert(name.clone())
                        && let Some(v) = c.env.get(&name)
                    {
                        identity += &format!("|{name}={}", self.written(&v, depth + 1)?.identity);
                    }
                }
                Some(Written { shown, identity })
            }
            Val::Optimizer(o) => self.written_optimizer(o, depth),
            // A number where a schedule is asked for.
            Val::Partial(p) if matches!(p.of, Val::Builtin("constant_schedule")) => {
                self.written(&p.given.first()?.1, depth + 1)
            }
            Val::Partial(p) => {
                let of = self.written(&p.of, depth + 1)?;
                let given = self.written(&Val::record(p.given.clone()), depth + 1)?;
                let inside = |text: &str| text[1..text.len() - 1].to_string();
                Some(Written {
                    shown: format!("{}({}, ..)", of.shown, inside(&given.shown)),
                    identity: format!("{}({}, ..)", of.identity, inside(&given.identity)),
                })
            }
            Val::Net(n) if n.with.is_none() => same(n.path.to_string()),
            Val::DistDef(d) => Some(Written {
                shown: d.def.name.text.clone(),
                identity: format!("{}@{:x}", d.def.name.text, std::ptr::from_ref(d.def).addr()),
            }),
            _ => None,
        }
    }

    fn written_optimizer(&self, o: &OptimizerVal, depth: usize) -> Option<Written> {
        let mut out = Written {
            shown: String::new(),
            identity: String::new(),
        };
        for before in &o.before {
            let w = self.written_optimizer(before, depth + 1)?;
            out.shown += &format!("{} |> ", w.shown);
            out.identity += &format!("{} |> ", w.identity);
        }
        let address = std::ptr::from_ref(o.def.def).addr();
        let name = &o.def.def.name.text;
        let (mut shown, mut identity) = (Vec::new(), Vec::new());
        for (n, v) in &o.args {
            let w = self.written(v, depth + 1)?;
            shown.push(format!("{n}: {}", w.shown));
            identity.push(format!("{n}: {}", w.identity));
        }
        let brackets = |texts: &[String]| match texts {
            [] => String::new(),
            texts => format!("({})", texts.join(", ")),
        };
        out.shown += &format!("{name}{}", brackets(&shown));
        out.identity += &format!("{name}@{address:x}{}", brackets(&identity));
        Some(out)
    }
}

pub(super) fn kind(def: &ast::Stage) -> &'static str {
    match def.kind {
        ast::StageKind::Train { .. } => "train",
        ast::StageKind::Report => "report",
        ast::StageKind::Compute => "compute",
    }
}
