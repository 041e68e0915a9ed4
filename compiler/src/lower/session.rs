//! A pipeline in hand: its modules, definitions, slots and stages.

use super::ctx::Ctx;
use super::eval::Frame;
use super::models::{ExpectFrame, Handler, Summed};
use super::nets::NetFrame;
use super::value::{Env, Val};
use crate::diag::Sources;
use crate::ir::{DType, Type};
use crate::program::{Host, Program, Slot, SlotId, SlotKind, StageInfo};
use mlc_grammar::ast;
use mlc_grammar::diag::Report;
use mlc_grammar::packed::Packed;
use mlc_grammar::span::{FileId, Span};
use std::cell::OnceCell;
use std::collections::{HashMap, HashSet};
use std::rc::Rc;

/// The code of what went wrong only because something else did: not told where that is.
pub const FOLLOWS: &str = "E0000";

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
    /// Keep what is made of each site of an `expect`.
    pub explain: bool,
    /// Log the length of the gradient of each update of a step: over all that it moves.
    pub gradient_norms: bool,
    /// By the place of a site, the name of the estimator of the library that stands there instead of its own.
    pub strategies: Vec<(String, String)>,
}

/// A file's top level.
pub(super) struct Module {
    pub path: String,
    pub items: HashMap<String, ItemState>,
    /// Names a `use` brought in: the module and the name there (`None`: the module itself).
    pub uses: HashMap<String, (usize, Option<String>)>,
    /// Names that some `wrt:` in this file mentions.
    pub wrt: HashSet<String>,
    /// Of a text of the library, what it uses; see [`Session::tree`].
    pub tree: &'static ast::File,
    /// Words of what could not be parsed: names that may be defined there.
    pub holes: HashSet<String>,
    /// The folder of the library that this module stands for.
    pub folder: Option<&'static str>,
    /// Is it a text of the library that was embedded? Its names were checked when the compiler was.
    pub embedded: bool,
    /// The items of such a text, and the file that they are in.
    packed: Option<(FileId, &'static [Packed<'static>])>,
    /// The tree of all of them, once it was asked for.
    whole: OnceCell<&'static ast::File>,
}

#[derive(Clone)]
pub(super) enum ItemState {
    /// Of the library, to be unpacked when it is asked for.
    Packed(&'static Packed<'static>),
    Waiting(&'static ast::Item),
    /// Being evaluated: meeting it again is a cycle.
    Busy(Span),
    Done(Val),
    /// Told of already.
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
    /// Initialising programs that are complete, to be run before `init`.
    pub(super) inits_before: Vec<Program>,
    /// Initialising programs that were handed out, for what must be known of their values while lowering.
    pub(super) past_inits: Vec<Program>,
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
    /// Do nets run for what their bodies show alone, such as which parameters there are?
    pub(super) is_unheard: bool,
    pub(super) stages: Vec<StageInfo>,
    pub(super) stage_asts: Vec<&'static ast::Stage>,
    /// Stages with arguments.
    pub(super) templates: Vec<super::applications::Template>,
    /// The arguments of the stages that they made.
    pub(super) stage_args: HashMap<usize, Env>,
    /// What they were applied to.
    pub(super) applied: HashMap<usize, super::applications::Application>,
    /// Top-level `let`s that read results of stages: evaluated in each program that uses them.
    pub(super) late: HashSet<String>,
    pub(super) tests: Vec<(String, &'static ast::Block, usize)>,
    pub(super) frames: Vec<Frame>,
    pub(super) handlers: Vec<Handler>,
    /// Sites that are being summed over, in the order in which they were met.
    pub(super) summed: Vec<Summed>,
    pub(super) expects: Vec<ExpectFrame>,
    /// The estimator of all sites of the model that is sampled, whatever they say themselves.
    pub(super) strategy_of_all: Option<Rc<super::value::EstimatorVal>>,
    /// The first model met whose density is only estimated, where that is asked.
    pub(super) estimated_model: Option<Rc<str>>,
    pub(super) nets: Vec<NetFrame>,
    /// What is read in the place of parameters, in models where these are sites.
    pub(super) in_place: super::models::InPlace,
    /// Scopes whose tensors are kept, because a function that is kept sees them.
    pub(super) kept_scopes: Vec<Env>,
    /// Regions (`for` bodies) open.
    pub(super) depth: usize,
    pub(super) train: Option<super::train::TrainState>,
    pub(super) stage_logs: HashMap<usize, Vec<(String, Type)>>,
    /// The slots that each lowered stage gives new values.
    pub(super) stage_writes: HashMap<usize, std::collections::BTreeSet<SlotId>>,
    pub(super) touched_stages: HashSet<usize>,
    /// Stages whose number of steps is known only when they have run.
    pub(super) stopping: HashSet<usize>,
    /// Stages that have run, so that it is known how often they logged.
    pub(super) counted: HashSet<usize>,
    /// Values whose entries in a stage's log differ in shape.
    pub(super) ragged_logs: HashSet<(usize, String)>,
    pub(super) marks: super::provenance::Marks,
    /// Files that stages export, and where that is said.
    pub(super) exported: HashMap<String, Span>,
    /// What the batches are made of in the stages that were lowered.
    pub(super) batch_sources: HashMap<usize, super::value::BatchSource>,
    pub(super) warnings: Vec<Report>,
    pub(super) environment_error: bool,
    pub(super) repl_files: usize,
    pub(super) scans: Vec<HashMap<String, Val>>,
    pub(super) yields: Vec<Vec<Val>>,
    /// Indices of the loops that are being traced, outermost first.
    pub(super) counters: Vec<crate::ir::Value>,
    /// The `for` bodies that are running, outermost first.
    pub(super) plates: Vec<super::models::Plate>,
    pub(super) state_values: HashMap<String, Val>,
    /// Expressions evaluated for the program being built; see [`super::limits`].
    pub(super) work: u64,
    /// Mistakes after which lowering went on.
    pub(super) collected: Vec<Report>,
    /// What the test that is lowered checks, if one is.
    pub(super) checks: Option<super::assertions::Checks>,
    /// Places of sites whose estimator is to be chosen by measuring.
    pub(super) to_choose: Vec<String>,
    /// What was made of each site of an `expect`, in the order in which they were estimated.
    pub(super) explained: Vec<super::expect::SiteExplained>,
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
            inits_before: Vec::new(),
            past_inits: Vec::new(),
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
            is_unheard: false,
            stages: Vec::new(),
            stage_asts: Vec::new(),
            templates: Vec::new(),
            stage_args: HashMap::new(),
            applied: HashMap::new(),
            late: HashSet::new(),
            tests: Vec::new(),
            frames: vec![Frame::root("pipeline")],
            handlers: Vec::new(),
            summed: Vec::new(),
            expects: Vec::new(),
            strategy_of_all: None,
            estimated_model: None,
            nets: Vec::new(),
            in_place: Default::default(),
            kept_scopes: Vec::new(),
            depth: 0,
            train: None,
            stage_logs: HashMap::new(),
            stage_writes: HashMap::new(),
            touched_stages: HashSet::new(),
            stopping: HashSet::new(),
            counted: HashSet::new(),
            ragged_logs: HashSet::new(),
            marks: super::provenance::Marks::default(),
            exported: HashMap::new(),
            batch_sources: HashMap::new(),
            warnings: Vec::new(),
            environment_error: false,
            repl_files: 0,
            scans: Vec::new(),
            yields: Vec::new(),
            counters: Vec::new(),
            plates: Vec::new(),
            state_values: HashMap::new(),
            work: 0,
            collected: Vec::new(),
            checks: None,
            to_choose: Vec::new(),
            explained: Vec::new(),
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

    /// May the stage end early, or change the size of its batches, so that what it logs is known only when it has run?
    pub fn may_stop(&self, stage: usize) -> bool {
        self.stopping.contains(&stage)
    }

    /// Stages whose logs what was lowered last reads, while it is not known yet how many entries they have: what was said of
    /// their shapes is a guess.
    pub fn guessed(&self) -> Vec<String> {
        let mut found: Vec<usize> = self
            .touched_stages
            .iter()
            .copied()
            .filter(|s| self.stopping.contains(s) && !self.counted.contains(s))
            .collect();
        found.sort_unstable();
        found.iter().map(|&s| self.stages[s].name.clone()).collect()
    }

    /// How often a stage that has run logged each of its values.
    pub fn set_log_entries(&mut self, stage: usize, entries: &[(String, usize)]) {
        self.counted.insert(stage);
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
        let last = ctx.finish(|id| slots[id.0 as usize].name.clone());
        self.past_inits.push(last.clone());
        let mut programs = std::mem::take(&mut self.inits_before);
        programs.push(last);
        programs
    }

    /// Evaluates a definition in the initialising program, or, where a loop, an `if` or a `strict` of that program is the first
    /// to mention it, in one of its own that runs before: it is no part of them, and its draws are not the lanes'.
    pub(super) fn in_init_outside<T>(&mut self, f: impl FnOnce(&mut Self) -> R<T>) -> R<T> {
        let g = &self.ctx.graph;
        let inside = self.depth > 0 || g.guard.is_some() || g.strict;
        if !self.in_init || self.in_start || !inside {
            return self.in_init(f);
        }
        let slots = &self.slots;
        let name_of = |id: SlotId| slots[id.0 as usize].name.clone();
        // What the outer program has written so far, `f` may read.
        let so_far = self.ctx.clone().finish(name_of);
        if !so_far.sinks.is_empty() {
            self.past_inits.push(so_far.clone());
            self.inits_before.push(so_far);
            self.ctx.written.clear();
        }
        let mut own = Ctx::new("init");
        own.fresh = self.ctx.fresh;
        let outer = std::mem::replace(&mut self.ctx, own);
        let result = self.outside(f);
        let own = std::mem::replace(&mut self.ctx, outer);
        self.ctx.fresh = own.fresh;
        let slots = &self.slots;
        let own = own.finish(|id| slots[id.0 as usize].name.clone());
        if !own.sinks.is_empty() {
            self.past_inits.push(own.clone());
            self.inits_before.push(own);
        }
        result
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
    pub(super) fn outside<T>(&mut self, f: impl FnOnce(&mut Self) -> R<T>) -> R<T> {
        let depth = std::mem::take(&mut self.depth);
        let handlers = std::mem::take(&mut self.handlers);
        let in_place = std::mem::take(&mut self.in_place);
        let summed = std::mem::take(&mut self.summed);
        let expects = std::mem::take(&mut self.expects);
        let train = self.train.take();
        let plates = std::mem::take(&mut self.plates);
        let top = std::mem::take(&mut self.top);
        let optimizer = self.optimizer.take();
        let taps = std::mem::take(&mut self.taps);
        let counters = std::mem::take(&mut self.counters);
        let result = f(self);
        self.counters = counters;
        self.taps = taps;
        self.optimizer = optimizer;
        self.top = top;
        self.plates = plates;
        self.train = train;
        self.expects = expects;
        self.summed = summed;
        self.in_place = in_place;
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

    /// What is told of a failure: these reports and those collected before, without what only follows from them.
    pub(super) fn failure(&mut self, reports: Vec<Report>) -> Failure {
        let mut all = reports;
        all.append(&mut self.collected);
        let mut reports: Vec<Report> = Vec::new();
        for r in all {
            if !reports.iter().any(|known| known.same_mistake(&r)) {
                reports.push(r);
            }
        }
        if reports.iter().any(|r| r.code != FOLLOWS) {
            reports.retain(|r| r.code != FOLLOWS);
        }
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
        if reports.is_empty() {
            self.apply_sets(&mut reports);
        }
        for m in all {
            if cfg!(debug_assertions) || !self.modules[m].embedded {
                reports.extend(super::scope::check(self, m));
            }
        }
        let cycles = self.order_stages();
        if reports.is_empty() {
            reports = cycles;
        }
        // In the order of the text, file by file.
        reports.sort_by_key(|r| r.labels.first().map(|l| (l.span.file.0, l.span.start)));
        if reports.is_empty() {
            Ok(())
        } else {
            Err(self.failure(reports))
        }
    }

    /// Parses one text into a module.
    pub(super) fn load_text(&mut self, display: &str, text: &str) -> (usize, Vec<Report>) {
        let file = self.sources.add(display, text);
        // Most texts have no such argument, and a tree takes a while to be looked through.
        let differentiates = text.contains("wrt");
        if !differentiates && let Some(items) = crate::stdlib::packed(text) {
            return (self.add_packed(display, file, items), Vec::new());
        }
        let (tree, mut reports) = crate::stdlib::parse(file, text);
        let index = self.add_module(display, tree);
        self.modules[index].embedded = crate::stdlib::is_embedded(text);
        let tree = self.modules[index].tree;
        if differentiates {
            self.modules[index].wrt = super::resolve::wrt_names(tree);
        }
        for item in tree.items.iter().filter(|i| i.kind == ast::ItemKind::Hole) {
            let words = self
                .sources
                .text(item.span)
                .split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
            self.modules[index].holes.extend(words.map(String::from));
        }
        reports.extend(super::modules::top_level(tree, index == 0));
        (index, reports)
    }

    /// A folder of the library as a module; its files are read later.
    pub(super) fn load_folder(&mut self, display: &str, folder: &'static str) -> usize {
        let module = self.add_module(display, ast::File::default());
        self.modules[module].folder = Some(folder);
        module
    }

    /// A module of the library, of which the items are unpacked when they are needed: those that others bring in now.
    fn add_packed(&mut self, display: &str, file: FileId, items: Vec<Packed<'static>>) -> usize {
        let items: &'static [Packed] = items.leak();
        let uses = items.iter().filter(|i| i.is_use);
        let tree = ast::File {
            items: uses.filter_map(|i| i.unpack(file)).collect(),
        };
        let index = self.add_module(display, tree);
        let module = &mut self.modules[index];
        module.embedded = true;
        module.packed = Some((file, items));
        for item in items {
            let names = item.names.iter();
            module
                .items
                .extend(names.map(|n| (n.to_string(), ItemState::Packed(item))));
        }
        debug_assert!(super::modules::top_level(self.tree(index), false).is_empty());
        index
    }

    /// The whole tree of a module.
    pub(super) fn tree(&self, module: usize) -> &'static ast::File {
        let m = &self.modules[module];
        let Some((file, items)) = m.packed else {
            return m.tree;
        };
        m.whole.get_or_init(|| {
            let items = items.iter().filter_map(|i| i.unpack(file));
            Box::leak(Box::new(ast::File {
                items: items.collect(),
            }))
        })
    }

    /// Unpacks an item of the library.
    fn unpack(&mut self, module: usize, packed: &Packed) -> Option<ItemState> {
        let m = &mut self.modules[module];
        let (file, _) = m.packed?;
        let item: &'static ast::Item = Box::leak(Box::new(packed.unpack(file)?));
        for n in &packed.names {
            m.items.insert(n.to_string(), ItemState::Waiting(item));
        }
        Some(ItemState::Waiting(item))
    }

    fn add_module(&mut self, display: &str, tree: ast::File) -> usize {
        // Syntax trees live as long as the process: values refer into them, and a process reads few files.
        let tree: &'static ast::File = Box::leak(Box::new(tree));
        let index = self.modules.len();
        let mut module = Module {
            path: display.to_string(),
            items: HashMap::new(),
            uses: HashMap::new(),
            wrt: HashSet::new(),
            tree,
            holes: HashSet::new(),
            folder: None,
            embedded: false,
            packed: None,
            whole: OnceCell::new(),
        };
        for item in &tree.items {
            for name in super::resolve::item_names(item) {
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

    /// The value of a `let` that reads results of stages, for the program being built.
    fn late_item(&mut self, item: &'static ast::Item, name: &str) -> R<Val> {
        let ast::ItemKind::Def(def) = &item.kind else {
            return Ok(Val::Unit);
        };
        let names = super::resolve::item_names(item);
        for n in &names {
            let busy = ItemState::Busy(item.span);
            self.modules[self.root].items.insert(n.text.clone(), busy);
        }
        let top = std::mem::take(&mut self.top);
        let env = Env::module(self.root).child();
        let result = self.define(def, &env);
        self.top = top;
        for n in &names {
            let waiting = ItemState::Waiting(item);
            self.modules[self.root]
                .items
                .insert(n.text.clone(), waiting);
        }
        result?;
        Ok(env.get(name).unwrap_or(Val::Unit))
    }

    /// The value of a top-level name of a module, evaluated when first asked for.
    pub(super) fn item(&mut self, module: usize, name: &str, span: Span) -> Option<R<Val>> {
        if self.modules[module].folder.is_some() && !self.modules[module].uses.contains_key(name) {
            self.enter_late(module, name);
        }
        if let Some((target, inner)) = self.modules[module].uses.get(name).cloned() {
            return match inner {
                Some(inner) => self.item(target, &inner, span),
                None => Some(Ok(Val::Module(target))),
            };
        }
        let mut state = self.modules[module].items.get(name)?.clone();
        if let ItemState::Packed(packed) = state {
            state = self.unpack(module, packed)?;
        }
        Some(match state {
            ItemState::Packed(_) => panic!("internal error: an item is packed twice"),
            ItemState::Done(v) => Ok(v),
            ItemState::Failed => Err(Box::new(
                Report::new(FOLLOWS, format!("`{name}` could not be evaluated"))
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
            ItemState::Waiting(item) if module == self.root && self.late.contains(name) => {
                self.late_item(item, name)
            }
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
