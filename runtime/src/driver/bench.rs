//! `mlc bench`: how long a compiled step takes, and what it is made of.

use super::batches::Batch;
use super::burst::Burst;
use super::engine::Compilation;
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
        let info = self.session.stages()[stage].clone();
        for need in info.needs.iter().chain(&info.after) {
            self.run_stage(*need, observer)?;
        }
        let (program, lowering) = self.lower(stage, observer)?;
        let program = self.with_chosen(stage, program, observer)?;
        self.run_inits(observer)?;
        let version = self.version_before(stage)?;
        let (seconds, steps, engine) = match program {
            StageProgram::Train(plan) => {
                self.time_steps(stage, &plan, version, effort, observer)?
            }
            StageProgram::Compute(program) => {
                self.time_runs(stage, *program, &version, effort, observer)?
            }
            StageProgram::Report(_) => return Ok(None),
        };
        let (program, compilation) = engine;
        Ok(Some(Timed {
            stage: info.name,
            seconds,
            steps,
            lowering: lowering * 1e3,
            compilation,
            cost: cost(&optimise(program.graph, &self.options.engine.disabled)),
        }))
    }

    fn time_steps(
        &mut self,
        stage: usize,
        plan: &TrainPlan,
        mut version: Version,
        effort: Effort,
        observer: &mut dyn Observer,
    ) -> Result<Samples, RunError> {
        self.start_states(stage, plan, &mut version, observer)?;
        // Made before those of `Steps`, which find its code: it is this one that says what compiling took.
        let mut engine = self.step_engine(stage, plan.step.clone(), "step", observer)?;
        let mut at = Progress::default();
        let mut steps = Steps::new(self, stage, plan, observer)?;
        let first = steps.batch(self, plan, &version, &at)?;
        let rows = first.as_ref().map_or(0, |r| r.len());
        let position = Position {
            step: 0,
            rows: first.as_ref(),
            any: true,
            ..Position::default()
        };
        let made = (engine.program.clone(), engine.compilation.clone());
        let mut order: Vec<Rc<Batch>> = Vec::new();
        if let Some(batching) = &plan.batching {
            // The batches of an epoch that are as long as the first.
            while let Some(batch) = steps.batch(self, plan, &version, &at)? {
                at.batch(batch.len());
                if batch.len() == rows {
                    order.push(batch);
                }
                // Of what is on disk, some are enough: together they may be larger than memory.
                let on_disk = first.as_ref().is_some_and(|b| !b.columns.is_empty());
                let many = on_disk && order.len() >= MOST_READ;
                if batching.turn(&mut at, rows) || many {
                    break;
                }
            }
        }
        let mut nth = 0;
        let mut next = || {
            nth += 1;
            order.get((nth - 1) % order.len().max(1)).cloned()
        };
        let samples = match Burst::new(self, &mut engine, &mut version.clone(), position)? {
            Some(mut burst) => sample(effort, || {
                if let Some(batch) = next() {
                    burst.set_batch(batch);
                }
                burst.step();
                burst.accept();
                Ok(())
            })?,
            None => sample(effort, || {
                let rows = next();
                let at = Position {
                    rows: rows.as_ref(),
                    ..position
                };
                self.advance(&mut engine, &mut version, at)
                    .map(|_| ())
                    .map_err(unexpected)
            })?,
        };
        Ok((samples.0, samples.1, made))
    }

    fn time_runs(
        &mut self,
        stage: usize,
        program: Program,
        version: &Version,
        effort: Effort,
        observer: &mut dyn Observer,
    ) -> Result<Samples, RunError> {
        let mut engine = self.stage_engine(stage, program.clone(), "step", observer)?;
        let at = self.after_failures(&engine);
        let inputs = self.inputs(&program.sources, version, at)?;
        let samples = sample(effort, || {
            for (output, t) in engine.run(&inputs).into_iter().enumerate() {
                engine.recycle(output, t);
            }
            Ok(())
        })?;
        Ok((samples.0, samples.1, (program, engine.compilation.clone())))
    }
}

/// Seconds of a step by sample, steps of a sample, and the program with what making it ready took.
type Samples = (Vec<f64>, usize, (Program, Compilation));

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
