//! A whole pipeline: its stages in order, and what they leave in the run's folder.

use super::engine::{Engine, EngineOptions, Memo};
use super::keep::{Recording, Showing};
use super::parts::Parts;
use super::resume::{Saver, Saves};
use super::snapshot::Snapshot;
use super::stage::{Halt, Outcome, Position, TrainRun};
use super::store::{Store, Version};
use super::{Data, Event, FileHost, Observer, RunError, StopFlag};
use crate::cache::{Cache, Past, Results, Saved};
use crate::digest::Digest;
use crate::metrics::{MetricsError, MetricsWriter};
use crate::report::Report;
use crate::rundir::RunDir;
use crate::tensor::{DType, HostTensor};
use mlc_compiler::lower::{Failure, LowerOptions, ReplResult, Session};
use mlc_compiler::program::{Program, Sink, SlotKind, StageProgram, TrainPlan};
use mlc_compiler::progress::Progress;
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::{Duration, Instant};

/// What a run may be told.
#[derive(Clone, Default)]
pub struct RunOptions {
    pub seed: u64,
    pub engine: EngineOptions,
    /// May `use` name files outside the pipeline's folder (by links)?
    pub allow_outside: bool,
    /// Keep the snapshots of tests as they are now?
    pub accept: bool,
    pub stop: Option<&'static StopFlag>,
    /// Where results of stages are kept from run to run, if anywhere.
    pub cache: Option<Cache>,
    /// Log the length of the gradient of each update?
    pub gradient_norms: bool,
    /// Run every stage, whatever is kept.
    pub fresh: bool,
    /// When a run with a folder saves where it is.
    pub saves: Saves,
}

/// A pipeline in hand, with the values of its slots.
pub struct Pipeline {
    pub session: Session,
    pub(super) store: Store,
    pub(super) data: Data,
    pub(super) seed: Rc<HostTensor>,
    pub(super) options: RunOptions,
    /// What `--set` said.
    pub(super) sets: Vec<(String, String)>,
    /// What is saved for resuming the run, if it has a folder.
    pub(super) saver: Option<Saver>,
    /// The stage and step to end at, and to tell of.
    pub(super) replay: Option<(usize, usize)>,
    pub(super) path: PathBuf,
    pub(super) dir: Option<RunDir>,
    pub(super) metrics: Option<MetricsWriter>,
    pub(super) report: Option<Report>,
    has_reports: bool,
    pub(super) done: Vec<usize>,
    /// Stages whose verdict is that what they leave should not be used.
    pub(super) unfit: Vec<String>,
    /// Applied stages that met a value that is not a number.
    pub(super) failed: Vec<usize>,
    /// What the present stage has told so far, if it may be kept.
    pub(super) recording: Option<Recording>,
    /// What identifies what each finished stage left.
    pub(super) results: HashMap<usize, Results>,
    /// Of tensors that last.
    pub(super) digests: HashMap<*const HostTensor, (Rc<HostTensor>, Digest)>,
    pub(super) machine: Option<Digest>,
    pub(super) memo: Memo,
    /// Rows of the report's table of times.
    pub(super) times: Vec<Vec<String>>,
    /// The programs that gave slots their first values.
    pub(super) inits: Vec<Program>,
    /// What determined the stages that ran, by name.
    pub(super) past: BTreeMap<String, Past<Parts>>,
}

/// How long runs of a program took, in seconds.
pub struct Times {
    pub least: f64,
    pub median: f64,
    pub count: usize,
}

impl Pipeline {
    /// Opens a pipeline's text. `path` is where it is from, as the user typed it.
    ///
    /// The result holds the syntax errors and unknown names; the pipeline is given in any case, for its sources.
    pub fn open(
        path: &Path,
        text: &str,
        lower: LowerOptions,
        options: RunOptions,
    ) -> (Self, Result<(), Failure>) {
        let root = path.parent().map_or_else(PathBuf::new, Path::to_path_buf);
        let (host, data) = FileHost::new(root, options.allow_outside);
        let display = path.display().to_string();
        let sets = lower.sets.clone();
        let lower = LowerOptions {
            gradient_norms: options.gradient_norms,
            ..lower
        };
        let (session, result) = Session::open(&display, text, Box::new(host), lower);
        let halves = [
            options.seed as u32 as i32,
            (options.seed >> 32) as u32 as i32,
        ];
        let pipeline = Self {
            session,
            store: Store::default(),
            data,
            seed: Rc::new(HostTensor::from_i32(&[2], &halves)),
            options,
            sets,
            saver: None,
            replay: None,
            path: path.to_path_buf(),
            dir: None,
            metrics: None,
            report: None,
            has_reports: false,
            done: Vec::new(),
            unfit: Vec::new(),
            failed: Vec::new(),
            recording: None,
            results: HashMap::new(),
            digests: HashMap::new(),
            machine: None,
            memo: Memo::default(),
            times: Vec::new(),
            inits: Vec::new(),
            past: BTreeMap::new(),
        };
        (pipeline, result)
    }

    /// Writes into a folder from here on.
    pub(super) fn begin(
        &mut self,
        dir: RunDir,
        metrics: Result<MetricsWriter, MetricsError>,
        pipeline: &Path,
    ) -> Result<(), RunError> {
        self.metrics = Some(metrics.map_err(|e| RunError::Environment(e.to_string()))?);
        let stem = pipeline
            .file_stem()
            .map_or("pipeline".into(), |s| s.to_string_lossy().into_owned());
        let mut report = Report::new(&stem);
        report.fact("seed", &self.options.seed.to_string());
        report.fact("pipeline", &pipeline.display().to_string());
        for (key, value) in crate::machine::facts() {
            report.fact(key, &value);
        }
        self.report = Some(report);
        self.dir = Some(dir);
        Ok(())
    }

    /// Runs all stages, in order, then writes the last checkpoint and the report.
    ///
    /// # Errors
    /// See [`RunError`]. What was written before stays.
    pub fn run(&mut self, observer: &mut dyn Observer) -> Result<(), RunError> {
        // Those that are made on the way run where they are needed.
        let all: Vec<usize> = (0..self.session.stages().len()).collect();
        self.run_all(&all, true, observer)
    }

    /// Runs some stages, and those that they need, then writes the last checkpoint and the report.
    ///
    /// # Errors
    /// See [`RunError`]. What was written before stays.
    pub fn run_some(
        &mut self,
        stages: &[usize],
        observer: &mut dyn Observer,
    ) -> Result<(), RunError> {
        self.run_all(stages, false, observer)
    }

    fn run_all(
        &mut self,
        stages: &[usize],
        whole: bool,
        observer: &mut dyn Observer,
    ) -> Result<(), RunError> {
        let ran = stages.iter().try_for_each(|&s| self.run_stage(s, observer));
        self.recording = None;
        self.remember(whole && ran.is_ok(), observer);
        ran?;
        self.finish(observer)
    }

    /// Runs a stage and, before it, those that it needs. What has run stays.
    pub fn run_stage(&mut self, stage: usize, observer: &mut dyn Observer) -> Result<(), RunError> {
        if self.done.contains(&stage) {
            return Ok(());
        }
        self.stop_if_asked()?;
        for need in self.session.stages()[stage].needs.clone() {
            self.run_stage(need, observer)?;
        }
        let (program, _) = self.lower(stage, observer)?;
        let info = self.session.stages()[stage].clone();
        for &need in &info.after {
            self.run_stage(need, observer)?;
        }
        let program = self.with_chosen(stage, program, observer)?;
        self.run_inits(observer)?;
        let start = Instant::now();
        let mut version = self.version_before(stage)?;
        let parts = match self.options.cache.is_some() || self.saver.is_some() {
            true => self.parts(stage, &program),
            false => None,
        };
        let (kept, going) = self.find_done(stage, &program, parts.as_ref(), observer)?;
        if let Some(saved) = &kept {
            observer.event(&Event::Reused {
                stage: &info.name,
                seconds: saved.seconds,
            });
            let showing = Showing::of(&program);
            self.retell(stage, showing, saved, &mut version, observer)?;
        } else {
            if let Some(parts) = &parts {
                let before = going.as_ref().map_or(0.0, |g| g.saved.seconds);
                self.start_recording(&version);
                self.start_running(parts, before);
            }
            self.run_program(stage, &program, going, &mut version, observer)?;
        }
        match &program {
            StageProgram::Train(_) => {
                let logs = self.store.logs(stage).iter();
                let entries: Vec<(String, usize)> =
                    logs.map(|(n, v)| (n.clone(), v.len())).collect();
                self.session.set_log_entries(stage, &entries);
                self.plot_logs(stage, &info.name);
            }
            StageProgram::Compute(_) => {}
            StageProgram::Report(_) => self.has_reports = true,
        }
        let seconds = start.elapsed().as_secs_f64() + self.ran_before();
        let how = if kept.is_some() { "kept" } else { "run" };
        let row = [info.name.clone(), how.to_string(), format!("{seconds:.3}")];
        self.times.push(row.to_vec());
        match (kept, parts) {
            (Some(saved), Some(parts)) => self.keep_retold(stage, parts, saved),
            (_, parts) => self.keep_stage(stage, parts, &version, seconds, observer),
        }
        self.store.finish(stage, version);
        self.done.push(stage);
        observer.event(&Event::StageFinished {
            stage: &info.name,
            seconds,
        });
        Ok(())
    }

    /// What is there of a stage that is determined by `parts`: what it did if it has finished, else where it is.
    fn find_done(
        &mut self,
        stage: usize,
        program: &StageProgram,
        parts: Option<&Parts>,
        observer: &mut dyn Observer,
    ) -> Result<(Option<Saved>, Option<Snapshot>), RunError> {
        let Some(parts) = parts else {
            return Ok((None, None));
        };
        // A step is replayed by running up to it.
        if self.replay.is_some_and(|r| r.0 == stage) {
            return Ok((None, None));
        }
        if let Some(snapshot) = self.find_saved(stage, parts, observer)?
            && self.sizes_fit(stage, program, &snapshot.saved, observer)?
        {
            return Ok(match snapshot.going {
                Some(_) => (None, Some(snapshot)),
                None => (Some(snapshot.saved), None),
            });
        }
        let kept = match self.options.fresh {
            true => None,
            false => self.find_kept(stage, program, parts, observer)?,
        };
        Ok((kept, None))
    }

    /// The stage's programs, once the results that they read are there; and the seconds that the last lowering took.
    pub(super) fn lower(
        &mut self,
        stage: usize,
        observer: &mut dyn Observer,
    ) -> Result<(StageProgram, f64), RunError> {
        loop {
            let start = Instant::now();
            let lowered = self.session.lower_stage(stage);
            let seconds = start.elapsed().as_secs_f64();
            if !self.run_touched(stage, lowered.is_err(), observer)? {
                return Ok((lowered?, seconds));
            }
        }
    }

    /// The slots as a stage finds them.
    pub(super) fn version_before(&self, stage: usize) -> Result<Version, RunError> {
        let after = &self.session.stages()[stage].after;
        let left = self.store.start(after).map_err(|(id, before)| {
            RunError::Pipeline(Failure {
                reports: vec![self.session.left_twice(stage, id, before)],
                environment: false,
            })
        })?;
        let mut version = self.seeded(stage)?;
        version.slots.extend(left.slots);
        Ok(version)
    }

    /// Gives a stage's own states their first values.
    pub(super) fn start_states(
        &self,
        stage: usize,
        plan: &TrainPlan,
        version: &mut Version,
        observer: &mut dyn Observer,
    ) -> Result<(), RunError> {
        let Some(start) = &plan.start else {
            return Ok(());
        };
        let label = format!("{}.start", self.session.stages()[stage].name);
        let mut engine = self.stage_engine(stage, start.clone(), &label, observer)?;
        self.advance(&mut engine, version, Position::default())
            .map_err(first_value_error)?;
        Ok(())
    }

    /// The stage, lowered again with the estimators that were chosen for its sites, if it leaves any to measuring.
    pub(super) fn with_chosen(
        &mut self,
        stage: usize,
        program: StageProgram,
        observer: &mut dyn Observer,
    ) -> Result<StageProgram, RunError> {
        let places = self.session.take_to_choose();
        if places.is_empty() || !matches!(program, StageProgram::Train(_)) {
            return Ok(program);
        }
        let chosen = self.choose(stage, &places, observer)?;
        self.session.set_strategies(chosen);
        let lowered = self.session.lower_stage(stage);
        self.session.set_strategies(vec![]);
        self.session.take_to_choose();
        Ok(lowered?)
    }

    fn run_program(
        &mut self,
        stage: usize,
        program: &StageProgram,
        going: Option<Snapshot>,
        version: &mut Version,
        observer: &mut dyn Observer,
    ) -> Result<(), RunError> {
        let name = self.session.stages()[stage].name.clone();
        match program {
            StageProgram::Train(plan) => {
                let run = match going {
                    Some(snapshot) => self.go_on(stage, snapshot, version)?,
                    None => {
                        self.start_states(stage, plan, version, observer)?;
                        TrainRun::default()
                    }
                };
                let end = self.train(stage, plan, run, version, observer)?;
                match &plan.verdict {
                    Some(program) => self.judge(stage, program, version, &end, observer),
                    None => Ok(()),
                }
            }
            StageProgram::Compute(program) => {
                let mut engine = self.stage_engine(stage, (**program).clone(), &name, observer)?;
                let at = self.after_failures(&engine);
                match self.advance(&mut engine, version, at) {
                    Ok(Outcome {
                        values,
                        good,
                        exports,
                        ..
                    }) => {
                        self.tell_verdict(stage, &Progress::default(), values, good, observer)?;
                        // The files are written by running, so such a stage is not kept.
                        if !exports.is_empty() {
                            self.give_up_recording();
                        }
                        self.export(stage, exports, observer)
                    }
                    Err(Halt::NotANumber(wrong)) => {
                        Err(self.met(&name, 0, wrong, &engine.program, version, at))
                    }
                    Err(Halt::Error(e)) => Err(e),
                }
            }
            StageProgram::Report(items) => {
                for (nth, item) in items.iter().enumerate() {
                    self.show(item, nth, &name, version, observer)?;
                }
                Ok(())
            }
        }
    }

    /// Runs the stages whose results what was lowered last reads. Must it be lowered again, now that more is known?
    pub(super) fn run_touched(
        &mut self,
        stage: usize,
        failed: bool,
        observer: &mut dyn Observer,
    ) -> Result<bool, RunError> {
        let guessed = !self.session.guessed().is_empty();
        if failed && !guessed {
            return Ok(false);
        }
        self.run_inits(observer)?;
        for needed in self.session.touched() {
            if needed != stage {
                self.run_stage(needed, observer)?;
            }
        }
        Ok(guessed)
    }

    /// Gives slots that lowering asked for their first values.
    pub(super) fn run_inits(&mut self, observer: &mut dyn Observer) -> Result<(), RunError> {
        for program in self.session.take_inits() {
            self.inits.push(program.clone());
            let mut version = Version::default();
            let mut engine = self.engine(program, "init", observer)?;
            let done = self
                .advance(&mut engine, &mut version, Position::default())
                .map_err(first_value_error)?;
            // Truth values among the results say whether first values lie in their supports.
            let wrong: Vec<_> = done
                .values
                .iter()
                .filter(|(_, t)| t.dtype() == DType::Bool && t.as_bool().contains(&0))
                .map(|(name, _)| self.session.wrong_first_value(name))
                .collect();
            if !wrong.is_empty() {
                return Err(RunError::Pipeline(Failure {
                    reports: wrong,
                    environment: false,
                }));
            }
            for (id, t) in version.slots {
                self.store.set_first(id, t);
            }
        }
        Ok(())
    }

    /// Runs one program on the first values of the slots; its outputs in order.
    pub fn evaluate(
        &mut self,
        program: Program,
        observer: &mut dyn Observer,
    ) -> Result<Vec<HostTensor>, RunError> {
        self.run_inits(observer)?;
        let mut engine = self.engine(program, "prompt", observer)?;
        let inputs = self.inputs(
            &engine.program.sources,
            &Version::default(),
            Position::default(),
        )?;
        Ok(engine.run(&inputs))
    }

    /// Takes an entry of a prompt. Stages whose results it reads run, where they have not.
    ///
    /// # Errors
    /// The entry's mistakes, and what a stage can fail by.
    pub fn enter(
        &mut self,
        text: &str,
        observer: &mut dyn Observer,
    ) -> Result<Vec<ReplResult>, RunError> {
        loop {
            let lowered = self.session.repl(text);
            if !self.run_touched(usize::MAX, lowered.is_err(), observer)? {
                return Ok(lowered?);
            }
        }
    }

    /// How long a program takes, compiled, on the first values of the slots: runs of it for about `span`.
    ///
    /// # Errors
    /// As [`Pipeline::evaluate`].
    pub fn time(
        &mut self,
        program: Program,
        span: Duration,
        observer: &mut dyn Observer,
    ) -> Result<Times, RunError> {
        let mut engine = self.engine(program, "prompt", observer)?;
        let version = Version::default();
        let inputs = self.inputs(&engine.program.sources, &version, Position::default())?;
        let start = Instant::now();
        let mut times = Vec::new();
        while times.is_empty() || start.elapsed() < span && times.len() < 10_000 {
            let one = Instant::now();
            engine.run(&inputs);
            times.push(one.elapsed().as_secs_f64());
        }
        times.sort_by(f64::total_cmp);
        Ok(Times {
            least: times[0],
            median: times[times.len() / 2],
            count: times.len(),
        })
    }

    pub(super) fn engine(
        &self,
        program: Program,
        label: &str,
        observer: &mut dyn Observer,
    ) -> Result<Engine, RunError> {
        self.make_engine(program, label, false, &[], observer)
    }

    /// The engine of a stage's program: what applications of one stage differ in is given to the same machine code.
    pub(super) fn stage_engine(
        &self,
        stage: usize,
        program: Program,
        label: &str,
        observer: &mut dyn Observer,
    ) -> Result<Engine, RunError> {
        self.make_engine(
            program,
            label,
            self.session.is_applied(stage),
            &[],
            observer,
        )
    }

    /// The engine of a stage's step, whose parameters must be finite after each run.
    pub(super) fn step_engine(
        &self,
        stage: usize,
        program: Program,
        label: &str,
        observer: &mut dyn Observer,
    ) -> Result<Engine, RunError> {
        let is_param = |sink: &Sink| match sink {
            Sink::Slot(id) => self.session.slots()[id.0 as usize].kind == SlotKind::Param,
            _ => false,
        };
        let sinks = program.sinks.iter().enumerate();
        let params: Vec<usize> = sinks.filter(|s| is_param(s.1)).map(|s| s.0).collect();
        let lifted = self.session.is_applied(stage);
        self.make_engine(program, label, lifted, &params, observer)
    }

    fn make_engine(
        &self,
        program: Program,
        label: &str,
        lifted: bool,
        watched: &[usize],
        observer: &mut dyn Observer,
    ) -> Result<Engine, RunError> {
        let engine = Engine::watching(program, &self.options.engine, &self.memo, lifted, watched)?;
        if engine.made {
            observer.event(&Event::Compiled {
                stage: label,
                compilation: &engine.compilation,
            });
        }
        Ok(engine)
    }
}

fn first_value_error(halt: Halt) -> RunError {
    match halt {
        Halt::Error(e) => e,
        Halt::NotANumber(w) => {
            RunError::Environment(format!("the first value of `{}` is not a number", w.name))
        }
    }
}
