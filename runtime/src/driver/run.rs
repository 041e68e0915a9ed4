//! A whole pipeline: its stages in order, and what they leave in the run's folder.

use super::engine::{Engine, EngineOptions};
use super::stage::{Halt, Outcome, Position, Values};
use super::store::{Store, Version};
use super::{Data, Event, FileHost, Observer, RunError, StopFlag};
use crate::checkpoint::Checkpoint;
use crate::metrics::{MetricValue, MetricsWriter};
use crate::report::{Report, Series};
use crate::rundir::RunDir;
use crate::tensor::{DType, HostTensor};
use mlc_compiler::FileId;
use mlc_compiler::lower::{Failure, LowerOptions, Session};
use mlc_compiler::program::{Export, Program, ReportItem, Sink, SlotKind, Source, StageProgram};
use mlc_compiler::progress::Progress;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Instant;

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
}

/// A pipeline in hand, with the values of its slots.
pub struct Pipeline {
    pub session: Session,
    pub(super) store: Store,
    pub(super) data: Data,
    pub(super) seed: Rc<HostTensor>,
    pub(super) options: RunOptions,
    pub(super) path: PathBuf,
    dir: Option<RunDir>,
    metrics: Option<MetricsWriter>,
    pub(super) report: Option<Report>,
    has_reports: bool,
    done: Vec<usize>,
    /// Stages whose verdict is that what they leave should not be used.
    pub(super) unfit: Vec<String>,
    /// Applied stages that met a value that is not a number.
    pub(super) failed: Vec<usize>,
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
            path: path.to_path_buf(),
            dir: None,
            metrics: None,
            report: None,
            has_reports: false,
            done: Vec::new(),
            unfit: Vec::new(),
            failed: Vec::new(),
        };
        (pipeline, result)
    }

    /// Makes the run's folder, into which everything is written from here on.
    ///
    /// # Errors
    /// If it cannot be made or written to.
    pub fn write_to(&mut self, out: Option<&Path>, pipeline: &Path) -> Result<PathBuf, RunError> {
        let name = pipeline.display().to_string();
        let dir = RunDir::create(out, &name).map_err(|e| RunError::Environment(e.to_string()))?;
        let metrics = MetricsWriter::create(&dir.file("metrics.jsonl"));
        self.metrics = Some(metrics.map_err(|e| RunError::Environment(e.to_string()))?);
        let stem = pipeline
            .file_stem()
            .map_or("pipeline".into(), |s| s.to_string_lossy().into_owned());
        let mut report = Report::new(&stem);
        report.fact("seed", &self.options.seed.to_string());
        report.fact("pipeline", &name);
        self.report = Some(report);
        let path = dir.path().to_path_buf();
        self.dir = Some(dir);
        Ok(path)
    }

    /// Runs all stages, in order, then writes the last checkpoint and the report.
    ///
    /// # Errors
    /// See [`RunError`]. What was written before stays.
    pub fn run(&mut self, observer: &mut dyn Observer) -> Result<(), RunError> {
        // Those that are made on the way run where they are needed.
        for stage in 0..self.session.stages().len() {
            self.run_stage(stage, observer)?;
        }
        self.finish(observer)
    }

    /// Runs a stage and, before it, those that it needs. What has run stays.
    pub fn run_stage(&mut self, stage: usize, observer: &mut dyn Observer) -> Result<(), RunError> {
        if self.done.contains(&stage) {
            return Ok(());
        }
        for need in self.session.stages()[stage].needs.clone() {
            self.run_stage(need, observer)?;
        }
        let program = loop {
            let lowered = self.session.lower_stage(stage);
            if !self.run_touched(stage, lowered.is_err(), observer)? {
                break lowered?;
            }
        };
        let info = self.session.stages()[stage].clone();
        for &need in &info.after {
            self.run_stage(need, observer)?;
        }
        self.run_inits(observer)?;
        let start = Instant::now();
        let mut version = self.store.start(&info.after).map_err(|id| {
            let slot = &self.session.slots()[id.0 as usize].name;
            RunError::Environment(format!(
                "two stages before `{}` left different values of `{slot}`",
                info.name
            ))
        })?;
        match program {
            StageProgram::Train(mut plan) => {
                if let Some(start) = plan.start.take() {
                    let label = format!("{}.start", info.name);
                    let mut engine = self.engine(start, &label, observer)?;
                    self.advance(&mut engine, &mut version, Position::default())
                        .map_err(|halt| match halt {
                            Halt::Error(e) => e,
                            Halt::NotANumber(name) => RunError::Environment(format!(
                                "the first value of `{name}` is not a number"
                            )),
                        })?;
                }
                let verdict = plan.verdict.take();
                let end = self.train(stage, *plan, &mut version, observer)?;
                if let Some(program) = verdict {
                    self.judge(stage, program, &version, &end, observer)?;
                }
                let logs = self.store.logs(stage).iter();
                let entries: Vec<(String, usize)> =
                    logs.map(|(n, v)| (n.clone(), v.len())).collect();
                self.session.set_log_entries(stage, &entries);
                self.plot_logs(stage, &info.name);
            }
            StageProgram::Compute(program) => {
                let mut engine = self.engine(*program, &info.name, observer)?;
                let at = self.after_failures(&engine);
                match self.advance(&mut engine, &mut version, at) {
                    Ok(Outcome {
                        values,
                        good,
                        exports,
                        ..
                    }) => {
                        self.tell(stage, &Progress::default(), values, good, observer)?;
                        self.export(stage, exports, observer)?;
                    }
                    Err(Halt::NotANumber(name)) => {
                        return Err(RunError::NotANumber {
                            stage: info.name,
                            step: 0,
                            name,
                            checkpoint: None,
                        });
                    }
                    Err(Halt::Error(e)) => return Err(e),
                }
            }
            StageProgram::Report(items) => {
                self.has_reports = true;
                for item in items {
                    self.show(item, &info.name, &version, observer)?;
                }
            }
        }
        self.store.finish(stage, version);
        self.done.push(stage);
        observer.event(&Event::StageFinished {
            stage: &info.name,
            seconds: start.elapsed().as_secs_f64(),
        });
        Ok(())
    }

    /// Where a program runs that reads results of stages once: those of one that failed are values like others.
    fn after_failures(&self, engine: &Engine) -> Position<'static> {
        let reads = |s: &Source| match s {
            Source::StageSlot(stage, _) | Source::StageLog(stage, _) => self.failed.contains(stage),
            _ => false,
        };
        // What a verdict is by may be anything: then it does not hold.
        let judged = engine.program.sinks.contains(&Sink::Verdict);
        Position {
            any: judged || engine.program.sources.iter().any(reads),
            ..Position::default()
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
            let mut version = Version::default();
            let mut engine = self.engine(program, "init", observer)?;
            let done = self
                .advance(&mut engine, &mut version, Position::default())
                .map_err(|halt| match halt {
                    Halt::Error(e) => e,
                    Halt::NotANumber(name) => RunError::Environment(format!(
                        "the first value of `{name}` is not a number"
                    )),
                })?;
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

    pub(super) fn engine(
        &self,
        program: Program,
        label: &str,
        observer: &mut dyn Observer,
    ) -> Result<Engine, RunError> {
        let engine = Engine::new(program, &self.options.engine)?;
        observer.event(&Event::Compiled {
            stage: label,
            compilation: &engine.compilation,
        });
        Ok(engine)
    }

    pub(super) fn record(
        &mut self,
        stage: usize,
        name: &str,
        step: usize,
        epoch: usize,
        values: Vec<(String, HostTensor)>,
    ) -> Result<(), RunError> {
        if let (Some(m), false) = (&mut self.metrics, values.is_empty()) {
            let entries: Vec<(&str, MetricValue)> = values
                .iter()
                .map(|(n, t)| (n.as_str(), MetricValue::from(t)))
                .collect();
            m.write(name, step as u64, epoch as u64, &entries)
                .map_err(|e| RunError::Environment(e.to_string()))?;
        }
        for (n, t) in values {
            self.store.log(stage, &n, t);
        }
        Ok(())
    }

    /// Writes the trained parameters and states of a version.
    pub(super) fn checkpoint(
        &self,
        name: &str,
        version: &Version,
    ) -> Result<Option<PathBuf>, RunError> {
        let Some(dir) = &self.dir else {
            return Ok(None);
        };
        let mut c = Checkpoint::default();
        for (i, slot) in self.session.slots().iter().enumerate() {
            if !matches!(slot.kind, SlotKind::Param | SlotKind::State) {
                continue;
            }
            let id = mlc_compiler::program::SlotId(i as u32);
            if let Some(t) = self
                .store
                .read(version, id, self.session.slots(), &self.data)
            {
                c.tensors.insert(slot.name.clone(), (*t).clone());
            }
        }
        c.metadata
            .insert("mlc".into(), env!("CARGO_PKG_VERSION").into());
        c.metadata
            .insert("seed".into(), self.options.seed.to_string());
        let path = dir.file(&format!("{name}.safetensors"));
        c.write(&path)
            .map_err(|e| RunError::Environment(e.to_string()))?;
        Ok(Some(path))
    }

    /// Writes what a stage exports. Applications of one stage write files of their own.
    fn export(
        &mut self,
        stage: usize,
        exports: Vec<(Export, HostTensor)>,
        observer: &mut dyn Observer,
    ) -> Result<(), RunError> {
        let Some(dir) = &self.dir else {
            return Ok(());
        };
        for tensors in exports.chunk_by(|a, b| a.0.file == b.0.file) {
            let file = &tensors[0].0.file;
            let path = match self.session.is_applied(stage) {
                true => dir.file(&format!("{}-{file}", self.session.stages()[stage].name)),
                false => dir.file(file),
            };
            let failed = |why: String| {
                RunError::Environment(format!("cannot write `{}`: {why}", path.display()))
            };
            let bytes = crate::export::file(tensors).map_err(failed)?;
            crate::checkpoint::write_atomically(&path, &bytes)
                .map_err(|e| failed(e.to_string()))?;
            observer.event(&Event::Wrote { path: &path });
        }
        Ok(())
    }

    fn finish(&mut self, observer: &mut dyn Observer) -> Result<(), RunError> {
        let mut last = Version::default();
        // What a stage left that stands for itself comes before what an application of one with arguments left.
        let (applied, plain): (Vec<usize>, Vec<usize>) =
            self.done.iter().partition(|&&s| self.session.is_applied(s));
        for stage in applied.into_iter().chain(plain) {
            if let Ok(v) = self.store.start(&[stage]) {
                last.slots.extend(v.slots);
            }
        }
        if let Some(path) = self.checkpoint("final", &last)? {
            observer.event(&Event::Wrote { path: &path });
        }
        let source = self.session.sources().file_text(FileId(0)).to_string();
        if let (Some(dir), Some(report)) = (&self.dir, &mut self.report) {
            report.source("pipeline", &source);
            let path = dir.file("report.html");
            report.write(&path).map_err(|e| {
                RunError::Environment(format!("cannot write `{}`: {e}", path.display()))
            })?;
            observer.event(&Event::Wrote { path: &path });
        }
        Ok(())
    }

    /// A line plot of everything scalar that a training stage logged.
    fn plot_logs(&mut self, stage: usize, name: &str) {
        let Some(report) = &mut self.report else {
            return;
        };
        for (log, entries) in self.store.logs(stage) {
            if entries.len() < 2 || entries.iter().any(|t| t.len() != 1) {
                continue;
            }
            let points = entries
                .iter()
                .enumerate()
                .map(|(i, t)| ((i + 1) as f64, t.to_f64_vec()[0]))
                .collect();
            let series = vec![Series {
                name: log.clone(),
                points,
            }];
            report.line_plot(&format!("{name}: {log}"), "entry", log, series);
        }
    }

    fn show(
        &mut self,
        item: ReportItem,
        stage: &str,
        version: &Version,
        observer: &mut dyn Observer,
    ) -> Result<(), RunError> {
        let mut engine = self.engine(item.program.clone(), stage, observer)?;
        let at = self.after_failures(&engine);
        let values = match self.advance(&mut engine, &mut version.clone(), at) {
            Ok(outcome) => outcome.values,
            Err(Halt::NotANumber(name)) => {
                return Err(RunError::NotANumber {
                    stage: stage.into(),
                    step: 0,
                    name,
                    checkpoint: None,
                });
            }
            Err(Halt::Error(e)) => return Err(e),
        };
        self.show_values(&item, &item.title, &values)
    }

    /// Adds values to the report.
    pub(super) fn show_values(
        &mut self,
        item: &ReportItem,
        title: &str,
        values: &Values,
    ) -> Result<(), RunError> {
        let Some(report) = &mut self.report else {
            return Ok(());
        };
        match item.kind.as_str() {
            "image" => {
                for (_, t) in values {
                    report
                        .images(title, t, item.columns)
                        .map_err(|e| RunError::Environment(e.to_string()))?;
                }
            }
            "plot" => {
                let x = values.iter().find(|v| v.0 == "x").map(|v| v.1.to_f64_vec());
                let series = values
                    .iter()
                    .filter(|v| v.0 != "x")
                    .map(|(n, t)| {
                        let ys = t.to_f64_vec();
                        let at = |i: usize| {
                            x.as_ref()
                                .and_then(|x| x.get(i))
                                .copied()
                                .unwrap_or((i + 1) as f64)
                        };
                        Series {
                            name: n.clone(),
                            points: ys.iter().enumerate().map(|(i, &y)| (at(i), y)).collect(),
                        }
                    })
                    .collect();
                report.line_plot(title, "", "", series);
            }
            "table" => {
                let headers: Vec<String> = values.iter().map(|v| v.0.clone()).collect();
                let columns: Vec<Vec<f64>> = values.iter().map(|v| v.1.to_f64_vec()).collect();
                let n = columns.iter().map(Vec::len).max().unwrap_or(0);
                let rows: Vec<Vec<String>> = (0..n)
                    .map(|i| {
                        columns
                            .iter()
                            .map(|c| c.get(i).map_or(String::new(), ToString::to_string))
                            .collect()
                    })
                    .collect();
                report.table(title, &headers, &rows);
            }
            _ => {
                report.text(&item.text);
            }
        }
        Ok(())
    }
}
