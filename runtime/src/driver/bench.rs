//! `mlc bench`: how long a compiled step takes, and what it is made of.

use super::batches::Batch;
use super::burst::Burst;
use super::engine::{Compilation, Engine};
use super::run::Pipeline;
use super::stage::{Halt, Position};
use super::steps::Steps;
use super::store::Version;
use super::{Observer, RunError};
use mlc_compiler::codegen::cost::{Cost, cost};
use mlc_compiler::program::{Program, StageProgram, TrainPlan};
use mlc_compiler::progress::Progress;
use mlc_compiler::transform::optimise;
use std::rc::Rc;
use std::time::Instant;

/// How long a stage is timed, and in how many samples.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// Seconds spent on samples, about.
    pub seconds: f64,
    /// Samples at least.
    pub samples: usize,
}

/// What was measured of a stage.
#[derive(Clone, Debug)]
pub struct Timed {
    pub stage: String,
    /// Seconds a step, of each sample, ascending.
    pub seconds: Vec<f64>,
    /// Steps of a sample.
    pub steps: usize,
    /// Milliseconds from the parsed pipeline to the graph of the step.
    pub lowering: f64,
    pub compilation: Compilation,
    /// Of one step.
    pub cost: Cost,
}

impl Timed {
    /// The sample below which a share `p` of the samples lies.
    #[must_use]
    pub fn quantile(&self, p: f64) -> f64 {
        let last = self.seconds.len() - 1;
        self.seconds[((last as f64 * p).round() as usize).min(last)]
    }
}

/// A sample is at least so long, so that reading the clock costs nothing: seconds.
const SAMPLE: f64 = 5e-3;

/// So many batches are held of a table on disk.
const MOST_READ: usize = 64;

impl Pipeline {
    /// Times the steps of a stage that trains, or the runs of one that computes. Stages that it needs are run before. Nothing for
    /// a stage of another kind.
    ///
    /// # Errors
    /// As [`Pipeline::run_stage`].
    pub fn bench(
        &mut self,
        stage: usize,
        effort: Effort,
        observer: &mut dyn Observer,
    ) -> Result<Option<Timed>, RunError> {
        let (program, lowering) = self.ready(stage, observer)?;
        let Some(step) = step_of(&program).cloned() else {
            return Ok(None);
        };
        let mut engine = match &program {
            StageProgram::Train(_) => self.step_engine(stage, step.clone(), "step", observer)?,
            _ => self.stage_engine(stage, step.clone(), "step", observer)?,
        };
        self.timed(stage, &program, &mut engine, effort, lowering, observer)
            .map(Some)
    }

    /// The program of a stage whose needs have been run, and the seconds that lowering took.
    pub(super) fn ready(
        &mut self,
        stage: usize,
        observer: &mut dyn Observer,
    ) -> Result<(StageProgram, f64), RunError> {
        let info = self.session.stages()[stage].clone();
        for need in info.needs.iter().chain(&info.after) {
            self.run_stage(*need, observer)?;
        }
        let (program, lowering) = self.lower(stage, observer)?;
        let program = self.with_chosen(stage, program, observer)?;
        self.run_inits(observer)?;
        Ok((program, lowering))
    }

    /// Times an engine of a stage's step.
    pub(super) fn timed(
        &mut self,
        stage: usize,
        program: &StageProgram,
        engine: &mut Engine,
        effort: Effort,
        lowering: f64,
        observer: &mut dyn Observer,
    ) -> Result<Timed, RunError> {
        let (seconds, steps) = self.repeated(stage, program, engine, observer, |step| {
            sample(effort, step)
        })?;
        let graph = engine.program.graph.clone();
        Ok(Timed {
            stage: self.session.stages()[stage].name.clone(),
            seconds,
            steps,
            lowering: lowering * 1e3,
            compilation: engine.compilation.clone(),
            cost: cost(&optimise(graph, &self.options.engine.disabled)),
        })
    }

    /// Gives `f` a step of the stage to run again and again, each going on from the last, by an engine of the stage's step.
    pub(super) fn repeated<T>(
        &mut self,
        stage: usize,
        program: &StageProgram,
        engine: &mut Engine,
        observer: &mut dyn Observer,
        f: impl FnOnce(&mut dyn FnMut() -> Result<(), RunError>) -> Result<T, RunError>,
    ) -> Result<T, RunError> {
        let version = self.version_before(stage)?;
        if let StageProgram::Train(plan) = program {
            return self.repeated_steps(stage, plan, engine, version, observer, f);
        }
        let at = self.after_failures(engine);
        let inputs = self.inputs(&engine.program.sources, &version, at)?;
        f(&mut || {
            for (output, t) in engine.run(&inputs).into_iter().enumerate() {
                engine.recycle(output, t);
            }
            Ok(())
        })
    }

    fn repeated_steps<T>(
        &mut self,
        stage: usize,
        plan: &TrainPlan,
        engine: &mut Engine,
        mut version: Version,
        observer: &mut dyn Observer,
        f: impl FnOnce(&mut dyn FnMut() -> Result<(), RunError>) -> Result<T, RunError>,
    ) -> Result<T, RunError> {
        self.start_states(stage, plan, &mut version, observer)?;
        let mut steps = Steps::new(self, stage, plan, observer)?;
        let first = steps.batch(self, plan, &version, &Progress::default())?;
        let position = Position {
            step: 0,
            rows: first.as_ref(),
            any: true,
            ..Position::default()
        };
        let order = self.batches(&mut steps, plan, &version, first.as_ref())?;
        let mut nth = 0;
        let mut next = || {
            nth += 1;
            order.get((nth - 1) % order.len().max(1)).cloned()
        };
        match Burst::new(self, engine, &mut version.clone(), position)? {
            Some(mut burst) => f(&mut || {
                if let Some(batch) = next() {
                    burst.set_batch(batch);
                }
                burst.step();
                burst.accept();
                Ok(())
            }),
            None => f(&mut || {
                let rows = next();
                let at = Position {
                    rows: rows.as_ref(),
                    ..position
                };
                self.advance(engine, &mut version, at)
                    .map(|_| ())
                    .map_err(unexpected)
            }),
        }
    }

    /// The batches of an epoch that are as long as the first.
    fn batches(
        &mut self,
        steps: &mut Steps,
        plan: &TrainPlan,
        version: &Version,
        first: Option<&Rc<Batch>>,
    ) -> Result<Vec<Rc<Batch>>, RunError> {
        let mut order: Vec<Rc<Batch>> = Vec::new();
        let Some(batching) = &plan.batching else {
            return Ok(order);
        };
        let mut at = Progress::default();
        let rows = first.map_or(0, |r| r.len());
        while let Some(batch) = steps.batch(self, plan, version, &at)? {
            at.batch(batch.len());
            if batch.len() == rows {
                order.push(batch);
            }
            // Of what is on disk, some are enough: together they may be larger than memory.
            let on_disk = first.is_some_and(|b| !b.columns.is_empty());
            let many = on_disk && order.len() >= MOST_READ;
            if batching.turn(&mut at, rows) || many {
                break;
            }
        }
        Ok(order)
    }
}

/// The program that is run again and again; a report has none.
pub(super) fn step_of(program: &StageProgram) -> Option<&Program> {
    match program {
        StageProgram::Train(plan) => Some(&plan.step),
        StageProgram::Compute(program) => Some(program),
        StageProgram::Report(_) => None,
    }
}

fn unexpected(halt: Halt) -> RunError {
    match halt {
        Halt::Error(e) => e,
        Halt::NotANumber(w) => RunError::Environment(format!("`{}` is not a number", w.name)),
    }
}

/// Runs `f` again and again: first to warm up and to see how often a sample needs it, then for the samples.
fn sample(
    effort: Effort,
    mut f: impl FnMut() -> Result<(), RunError>,
) -> Result<(Vec<f64>, usize), RunError> {
    f()?;
    let mut steps = 1;
    loop {
        let start = Instant::now();
        for _ in 0..steps {
            f()?;
        }
        let seconds = start.elapsed().as_secs_f64();
        if seconds >= SAMPLE {
            break;
        }
        // At least twice as many, and about as many as are needed.
        steps = (steps as f64 * (1.2 * SAMPLE / seconds.max(1e-9)).clamp(2.0, 100.0)) as usize;
    }
    let mut samples = Vec::new();
    let begin = Instant::now();
    while samples.len() < effort.samples.max(1) || begin.elapsed().as_secs_f64() < effort.seconds {
        let start = Instant::now();
        for _ in 0..steps {
            f()?;
        }
        samples.push(start.elapsed().as_secs_f64() / steps as f64);
    }
    samples.sort_by(f64::total_cmp);
    Ok((samples, steps))
}
