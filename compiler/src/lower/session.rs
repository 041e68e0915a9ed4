//! A pipeline in hand: its modules, definitions, slots and stages.

use super::ctx::Ctx;
use super::eval::Frame;
use super::items::Module;
use super::models::{ExpectFrame, Handler, Summed};
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
}

/// A name's text, shared.
pub(super) fn rc(text: &str) -> Rc<str> {
    Rc::from(text)
}
