//! A pipeline in hand: its modules, definitions, slots and stages.

use super::ctx::Ctx;
use super::eval::Frame;
use super::models::{ExpectFrame, Handler};
use super::nets::NetFrame;
use super::value::{Env, Val};
use crate::diag::Sources;
use crate::ir::{DType, Type};
use crate::program::{Host, Program, Slot, SlotId, SlotKind, StageInfo};
use mlc_grammar::ast;
use mlc_grammar::diag::Report;
use mlc_grammar::span::Span;
use std::collections::{HashMap, HashSet};
use std::rc::Rc;

/// The result of lowering something: the first mistake ends it.
pub type R<T> = Result<T, Box<Report>>;

/// Why a pipeline could not be opened or lowered.
pub struct Failure {
    pub reports: Vec<Report>,
    /// Something outside the pipeline is at fault (a file that is not there), not its text.
    pub environment: bool,
}

/// What a command may change about a pipeline.
#[derive(Clone, Default)]
pub struct LowerOptions {
    /// `--set name=value`: the expression that takes the place of a top-level `let`'s.
    pub sets: Vec<(String, String)>,
    /// Keep the text of each `expect` before and after its sites are estimated.
    pub record_estimates: bool,
}

/// A file's top level.
pub(super) struct Module {
    pub path: String,
    pub items: HashMap<String, ItemState>,
    /// Names a `use` brought in: the module and the name there (`None`: the module itself).
    pub uses: HashMap<String, (usize, Option<String>)>,
    /// Names that some `wrt:` in this file mentions.
    pub wrt: HashSet<String>,
    pub docs: HashMap<String, String>,
    pub tree: &'static ast::File,
}

#[derive(Clone)]
pub(super) enum ItemState {
    Waiting(&'static ast::Item),
    /// Being evaluated: meeting it again is a cycle.
    Busy(Span),
    Done(Val),
    Failed,
}

/// See the crate's documentation of lowering. Not `Send`: one thread lowers.
pub struct Session {
    pub(super) host: Box<dyn Host>,
    pub(super) options: LowerOptions,
    pub(super) sources: Sources,
    pub(super) modules: Vec<Module>,
    pub(super) module_index: HashMap<String, usize>,
    pub(super) prelude: usize,
    pub(super) estimators: usize,
    pub(super) root: usize,
    pub(super) real: DType,
    pub(super) slots: Vec<Slot>,
    pub(super) slot_index: HashMap<String, SlotId>,
    /// The program that gives slots their first values.
    pub(super) init: Ctx,
    pub(super) init_pending: Vec<SlotId>,
    /// The program being built, and those suspended below it.
    pub(super) ctx: Ctx,
    /// Is `ctx` the initialising program (and the active one is parked)?
    pub(super) in_init: bool,
    /// The program that gives the states of the stage being lowered their first values when the stage starts.
    pub(super) start: Ctx,
    /// Is `ctx` the starting program of a stage?
    pub(super) in_start: bool,
    /// May a statement of a step stand here?
    pub(super) top: bool,
    /// The optimizer whose body runs.
    pub(super) optimizer: Option<super::optimizers::OptimizerRun>,
    /// Supports of the parameters that have one.
    pub(super) supports: HashMap<SlotId, Val>,
    /// Are parameters read as they are kept? So an optimizer sees them.
    pub(super) read_raw: bool,
    /// First values that are checked when they are computed: name and place.
    pub(super) first_checks: HashMap<String, Span>,
    /// The module that defines supports.
    pub(super) support_library: usize,
    /// What is tapped in the `taps(..)` that are being evaluated, innermost last.
    pub(super) taps: Vec<super::taps::TapFrame>,
    pub(super) stages: Vec<StageInfo>,
    pub(super) stage_asts: Vec<&'static ast::Stage>,
    pub(super) tests: Vec<(String, &'static ast::Block, usize)>,
    pub(super) frames: Vec<Frame>,
    pub(super) handlers: Vec<Handler>,
    pub(super) expects: Vec<ExpectFrame>,
    pub(super) nets: Vec<NetFrame>,
    /// Regions (`for` bodies) open.
    pub(super) depth: usize,
    pub(super) train: Option<super::train::TrainState>,
    pub(super) stage_logs: HashMap<usize, Vec<(String, Type)>>,
    pub(super) touched_stages: HashSet<usize>,
    /// Stages that may end before their count of steps.
    pub(super) stopping: HashSet<usize>,
    pub(super) warnings: Vec<Report>,
    pub(super) environment_error: bool,
    pub(super) repl_files: usize,
    pub(super) scans: Vec<HashMap<String, Val>>,
    pub(super) yields: Vec<Vec<Val>>,
    /// The `for` bodies that are running, outermost first.
    pub(super) plates: Vec<super::models::Plate>,
    pub(super) state_values: HashMap<String, Val>,
    /// Texts of `expect` regions before and after estimation.
    pub estimates: Vec<String>,
}

impl Session {
    /// Parses a pipeline and resolves its names. `display` is its path as the user typed it.
    ///
    /// # Errors
    /// Every syntax error and unknown name of the file; the sources are returned for rendering.
    pub fn open(
        display: &str,
        text: &str,
        host: Box<dyn Host>,
        options: LowerOptions,
    ) -> (Self, Result<(), Failure>) {
        let mut s = Self {
            host,
            options,
            sources: Sources::default(),
            modules: Vec::new(),
            module_index: HashMap::new(),
            prelude: 0,
            estimators: 0,
            root: 0,
            real: DType::F32,
            slots: Vec::new(),
            slot_index: HashMap::new(),
            init: Ctx::new("init"),
            init_pending: Vec::new(),
            ctx: Ctx::new("none"),
            in_init: false,
            start: Ctx::new("start"),
            in_start: false,
            top: false,
            optimizer: None,
            supports: HashMap::new(),
            read_raw: false,
            first_checks: HashMap::new(),
            support_library: 0,
            taps: Vec::new(),
            stages: Vec::new(),
            stage_asts: Vec::new(),
            tests: Vec::new(),
            frames: vec![Frame::root("pipeline")],
            handlers: Vec::new(),
            expects: Vec::new(),
            nets: Vec::new(),
            depth: 0,
            train: None,
            stage_logs: HashMap::new(),
            touched_stages: HashSet::new(),
            stopping: HashSet::new(),
            warnings: Vec::new(),
            environment_error: false,
            repl_files: 0,
            scans: Vec::new(),
            yields: Vec::new(),
            plates: Vec::new(),
            state_values: HashMap::new(),
            estimates: Vec::new(),
        };
        let result = s.load_root(display, text);
        (s, result)
    }

    pub fn sources(&self) -> &Sources {
        &self.sources
    }

    /// Stages in an order in which they can run.
    pub fn stages(&self) -> &[StageInfo] {
        &self.stages
    }

    pub fn tests(&self) -> Vec<String> {
        self.tests.iter().map(|t| t.0.clone()).collect()
    }

    pub fn slots(&self) -> &[Slot] {
        &self.slots
    }

    /// May the stage end early, so that what it logs is known only when it has run?
    pub fn may_stop(&self, stage: usize) -> bool {
        self.stopping.contains(&stage)
    }

    /// How often a stage that has run logged each of its values.
    pub fn set_log_entries(&mut self, stage: usize, entries: &[(String, usize)]) {
        for (name, ty) in self.stage_logs.entry(stage).or_default() {
            let found = entries.iter().find(|e| e.0 == *name);
            if let (Some((_, n)), Some(first)) = (found, ty.shape.first_mut()) {
                *first = *n;
            }
        }
    }

    pub fn take_warnings(&mut self) -> Vec<Report> {
        std::mem::take(&mut self.warnings)
    }

    /// Programs that compute the first values of slots which something lowered since the last call refers to. They run
    /// before it, in order.
    pub fn take_inits(&mut self) -> Vec<Program> {
        if self.init_pending.is_empty() {
            return Vec::new();
        }
        self.init_pending.clear();
        let mut next = Ctx::new("init");
        next.fresh = self.init.fresh;
        let ctx = std::mem::replace(&mut self.init, next);
        let slots = &self.slots;
        vec![ctx.finish(|id| slots[id.0 as usize].name.clone())]
    }

    /// Runs `f` with the initialising program as the one being built.
    pub(super) fn in_init<T>(&mut self, f: impl FnOnce(&mut Self) -> R<T>) -> R<T> {
        if self.in_init && !self.in_start {
            return f(self);
        }
        std::mem::swap(&mut self.ctx, &mut self.init);
        let (in_init, in_start) = (self.in_init, self.in_start);
        (self.in_init, self.in_start) = (true, false);
        let result = self.outside(f);
        (self.in_init, self.in_start) = (in_init, in_start);
        std::mem::swap(&mut self.ctx, &mut self.init);
        result
    }

    /// Runs `f` with the starting program of the stage as the one being built.
    pub(super) fn in_start<T>(&mut self, f: impl FnOnce(&mut Self) -> R<T>) -> R<T> {
        std::mem::swap(&mut self.ctx, &mut self.start);
        let in_init = std::mem::replace(&mut self.in_init, true);
        self.in_start = true;
        let result = self.outside(f);
        self.in_init = in_init;
        self.in_start = false;
        std::mem::swap(&mut self.ctx, &mut self.start);
        result
    }

    /// Runs `f` as if nothing that a program is built in were around it.
    fn outside<T>(&mut self, f: impl FnOnce(&mut Self) -> R<T>) -> R<T> {
        let depth = std::mem::take(&mut self.depth);
        let handlers = std::mem::take(&mut self.handlers);
        let expects = std::mem::take(&mut self.expects);
        let train = self.train.take();
        let plates = std::mem::take(&mut self.plates);
        let top = std::mem::take(&mut self.top);
        let optimizer = self.optimizer.take();
        let taps = std::mem::take(&mut self.taps);
        let result = f(self);
        self.taps = taps;
        self.optimizer = optimizer;
        self.top = top;
        self.plates = plates;
        self.train = train;
        self.expects = expects;
        self.handlers = handlers;
        self.depth = depth;
        result
    }

    /// A slot by its name, or a new one.
    pub(super) fn new_slot(&mut self, name: &str, ty: Type, kind: SlotKind) -> SlotId {
        // A stage that is lowered again has its states where it had them.
        if self.in_start
            && let Some(&id) = self.slot_index.get(name)
            && self.slots[id.0 as usize].ty == ty
        {
            return id;
        }
        let id = SlotId(self.slots.len() as u32);
        self.slots.push(Slot {
            name: name.to_string(),
            ty,
            kind,
        });
        self.slot_index.insert(name.to_string(), id);
        id
    }

    /// Fails everything collected so far if there are reports.
    pub(super) fn failure(&mut self, reports: Vec<Report>) -> Failure {
        Failure {
            reports,
            environment: std::mem::take(&mut self.environment_error),
        }
    }

    fn load_root(&mut self, display: &str, text: &str) -> Result<(), Failure> {
        let (root, mut reports) = self.load_text(display, text);
        self.root = root;
        let library =
            |s: &mut Self, name: &str, reports: &mut Vec<Report>| match crate::stdlib::text(name) {
                Some(text) => {
                    let (module, more) = s.load_text(&format!("std/{name}.ml"), text);
                    s.module_index.insert(format!("std/{name}"), module);
                    reports.extend(more);
                    module
                }
                None => root,
            };
        self.prelude = library(self, "prelude", &mut reports);
        self.estimators = library(self, "estimators", &mut reports);
        self.support_library = library(self, "supports", &mut reports);
        if !reports.is_empty() {
            return Err(self.failure(reports));
        }
        let mut all = vec![root, self.prelude, self.estimators, self.support_library];
        let mut next = 0;
        while next < all.len() {
            for found in self.link_uses(all[next], &mut reports) {
                if !all.contains(&found) {
                    all.push(found);
                }
            }
            next += 1;
        }
        self.apply_sets(&mut reports);
        if reports.is_empty() {
            for m in all {
                reports.extend(super::scope::check(self, m));
            }
        }
        if reports.is_empty() {
            reports.extend(self.order_stages());
        }
        if reports.is_empty() {
            Ok(())
        } else {
            Err(self.failure(reports))
        }
    }

    /// Parses one text into a module.
    pub(super) fn load_text(&mut self, display: &str, text: &str) -> (usize, Vec<Report>) {
        let file = self.sources.add(display, text);
        let (tree, reports) = mlc_grammar::parse(file, text);
        let index = self.add_module(display, tree);
        (index, reports)
    }

    fn add_module(&mut self, display: &str, tree: ast::File) -> usize {
        // Syntax trees live as long as the process: values refer into them, and a process reads few files.
        let tree: &'static ast::File = Box::leak(Box::new(tree));
        let index = self.modules.len();
        let mut module = Module {
            path: display.to_string(),
            items: HashMap::new(),
            uses: HashMap::new(),
            wrt: super::resolve::wrt_names(tree),
            docs: HashMap::new(),
            tree,
        };
        for item in &tree.items {
            for name in super::resolve::item_names(item) {
                if let Some(doc) = &item.doc {
                    module.docs.insert(name.text.clone(), doc.clone());
                }
                module
                    .items
                    .insert(name.text.clone(), ItemState::Waiting(item));
            }
            match &item.kind {
                ast::ItemKind::Precision(name) if name.text == "f64" => self.real = DType::F64,
                ast::ItemKind::Test { name, body, .. } if index == 0 => {
                    self.tests.push((name.clone(), body, index));
                }
                _ => {}
            }
        }
        self.modules.push(module);
        index
    }

    /// Finds what each `use` of a module means.
    pub(crate) fn link_uses(&mut self, module: usize, reports: &mut Vec<Report>) -> Vec<usize> {
        let tree = self.modules[module].tree;
        let mut found = Vec::new();
        for item in &tree.items {
            let ast::ItemKind::Use(u) = &item.kind else {
                continue;
            };
            let segments: Vec<String> = u.path.iter().map(|n| n.text.clone()).collect();
            let names: Vec<&ast::Name> = u.names.iter().collect();
            // `a.b.{c}`: the module is `a/b`. `a.b`: the module `a/b` itself, or the name `b` of the module `a`.
            let whole = self.find_module(&segments, reports);
            let (target, brought): (usize, Vec<(String, Option<String>)>) =
                match (whole, names.is_empty()) {
                    (Some(m), false) => (
                        m,
                        names
                            .iter()
                            .map(|n| (n.text.clone(), Some(n.text.clone())))
                            .collect(),
                    ),
                    (Some(m), true) => {
                        let last = segments.last().cloned().unwrap_or_default();
                        (
                            m,
                            vec![(u.alias.as_ref().map_or(last, |a| a.text.clone()), None)],
                        )
                    }
                    (None, true) if segments.len() > 1 => {
                        let (last, init) = segments.split_last().expect("more than one segment");
                        match self.find_module(init, reports) {
                            Some(m) => {
                                let name =
                                    u.alias.as_ref().map_or(last.clone(), |a| a.text.clone());
                                (m, vec![(name, Some(last.clone()))])
                            }
                            None => {
                                reports.push(self.no_module(u, &segments));
                                continue;
                            }
                        }
                    }
                    _ => {
                        reports.push(self.no_module(u, &segments));
                        continue;
                    }
                };
            found.push(target);
            for (local, name) in brought {
                if let Some(name) = &name
                    && !self.modules[target].items.contains_key(name)
                {
                    let span = names
                        .iter()
                        .find(|n| n.text == *name)
                        .map_or(item.span, |n| n.span);
                    let known: Vec<String> = self.modules[target].items.keys().cloned().collect();
                    let mut r =
                        Report::new("E0102", format!("`{}` has no `{name}`", segments.join(".")))
                            .label(span, "not defined in that module");
                    if let Some(near) = super::resolve::nearest(name, &known) {
                        r = r.hint(format!("did you mean `{near}`?"));
                    }
                    reports.push(r);
                    continue;
                }
                self.modules[module].uses.insert(local, (target, name));
            }
        }
        found
    }

    fn no_module(&self, u: &ast::Use, segments: &[String]) -> Report {
        let span = u.path.first().map_or(Span::default(), |n| n.span);
        let span = u.path.last().map_or(span, |n| span.to(n.span));
        let mut r = Report::new(
            "E0101",
            format!("there is no module `{}`", segments.join(".")),
        )
        .label(
            span,
            "neither in the standard library nor beside the pipeline",
        );
        let known: Vec<String> = crate::stdlib::names()
            .map(|n| format!("std.{}", n.replace('/', ".")))
            .collect();
        if let Some(near) = super::resolve::nearest(&segments.join("."), &known) {
            r = r.hint(format!("did you mean `use {near}`?"));
        }
        r
    }

    fn find_module(&mut self, segments: &[String], reports: &mut Vec<Report>) -> Option<usize> {
        let key = segments.join("/");
        if let Some(&m) = self.module_index.get(&key) {
            return Some(m);
        }
        let (display, text) = match key.strip_prefix("std/") {
            Some(name) => (format!("{key}.ml"), crate::stdlib::text(name)?.to_string()),
            None => self.host.module(segments)?,
        };
        let (m, more) = self.load_text(&display, &text);
        reports.extend(more);
        self.module_index.insert(key, m);
        Some(m)
    }

    /// Replaces the expressions of top-level `let`s by those of `--set`.
    fn apply_sets(&mut self, reports: &mut Vec<Report>) {
        for (name, text) in self.options.sets.clone() {
            let known = match self.modules[self.root].items.get(&name) {
                Some(ItemState::Waiting(item)) => {
                    matches!(&item.kind, ast::ItemKind::Def(ast::Def::Let { pattern, .. })
                        if matches!(&pattern.kind, ast::PatternKind::Name(_)))
                }
                _ => false,
            };
            if !known {
                let names: Vec<String> = self.modules[self.root].items.keys().cloned().collect();
                let mut r =
                    Report::new("E0103", format!("`--set {name}` names no top-level `let`"));
                if let Some(near) = super::resolve::nearest(&name, &names) {
                    r = r.hint(format!("did you mean `{near}`?"));
                }
                reports.push(r);
                continue;
            }
            let file = self.sources.add(&format!("--set {name}"), &text);
            match mlc_grammar::parse_expr(file, &text) {
                Ok(e) => {
                    let e: &'static ast::Expr = Box::leak(Box::new(e));
                    let env = Env::module(self.root);
                    match self.in_init(|s| s.eval(e, &env)) {
                        Ok(v) => {
                            self.modules[self.root]
                                .items
                                .insert(name, ItemState::Done(v));
                        }
                        Err(r) => reports.push(*r),
                    }
                }
                Err(more) => reports.extend(more),
            }
        }
    }

    /// The value of a top-level name of a module, evaluated when first asked for.
    pub(super) fn item(&mut self, module: usize, name: &str, span: Span) -> Option<R<Val>> {
        if let Some((target, inner)) = self.modules[module].uses.get(name).cloned() {
            return match inner {
                Some(inner) => self.item(target, &inner, span),
                None => Some(Ok(Val::Module(target))),
            };
        }
        let state = self.modules[module].items.get(name)?.clone();
        Some(match state {
            ItemState::Done(v) => Ok(v),
            ItemState::Failed => Err(Box::new(
                Report::new("E0000", format!("`{name}` could not be evaluated"))
                    .label(span, "used here"),
            )),
            ItemState::Busy(at) => Err(Box::new(
                Report::new("E0104", format!("`{name}` is defined by itself"))
                    .label(span, "needed here, while it is being evaluated")
                    .label(at, "the definition")
                    .hint(
                        "a definition cannot need its own value; recursion is written with `scan`",
                    ),
            )),
            ItemState::Waiting(item) => {
                let busy = ItemState::Busy(item.span);
                for n in super::resolve::item_names(item) {
                    self.modules[module]
                        .items
                        .insert(n.text.clone(), busy.clone());
                }
                match self.eval_item(module, item) {
                    Ok(values) => {
                        for (n, v) in values {
                            self.modules[module].items.insert(n, ItemState::Done(v));
                        }
                        match &self.modules[module].items[name] {
                            ItemState::Done(v) => Ok(v.clone()),
                            _ => Ok(Val::Unit),
                        }
                    }
                    Err(r) => {
                        for n in super::resolve::item_names(item) {
                            self.modules[module]
                                .items
                                .insert(n.text.clone(), ItemState::Failed);
                        }
                        Err(r)
                    }
                }
            }
        })
    }
}

/// A name's text, shared.
pub(super) fn rc(text: &str) -> Rc<str> {
    Rc::from(text)
}
