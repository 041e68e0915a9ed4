//! Steps of a stage in a row: in a burst where they are machine code, one by one where they are interpreted.

use super::RunError;
use super::batches::Batch;
use super::burst::{self, Burst, Limits, Pause};
use super::engine::Engine;
use super::resume::Saves;
use super::run::Pipeline;
use super::stage::{Halt, Position, Wrong};
use super::steps::Batches;
use super::store::Version;
use crate::log::Stretch;
use mlc_compiler::program::{Program, Sink, TrainPlan};
use mlc_compiler::progress::Progress;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// What steps in a row came to.
pub struct Ran {
    /// The steps that were done, and what they logged.
    pub told: Stretch,
    /// Does the stage end after the last of them?
    pub stop: bool,
    /// A version that is better than the best so far, and the number that it is chosen by.
    pub better: Option<(f64, Version)>,
    /// Why the step after them was not taken.
    pub halt: Option<Halt>,
    /// The batch of the last step that was begun.
    pub batch: Option<Rc<Batch>>,
}

/// What steps in a row begin with.
pub struct Begin<'a> {
    pub stage: usize,
    pub plan: &'a TrainPlan,
    pub at: Progress,
    pub batch: Option<Rc<Batch>>,
    /// Steps at most.
    pub most: usize,
    /// What the best version so far is chosen by.
    pub best: Option<f64>,
}

impl Begin<'_> {
    pub fn position(&self) -> Position<'_> {
        Position {
            step: self.at.steps,
            rows: self.batch.as_ref(),
            watch: true,
            ..Position::default()
        }
    }
}

/// How many steps are run before the clock is looked at.
pub struct Pace {
    steps: usize,
    begun: Instant,
}

impl Pace {
    /// So often are a progress bar and a checkpoint asked for, about.
    const TICK: Duration = Duration::from_millis(10);
    const MOST: usize = 1 << 16;
    /// Bytes of what is logged in between, at most.
    const BYTES: usize = 4 << 20;

    pub fn new() -> Self {
        Self {
            steps: 1,
            begun: Instant::now(),
        }
    }

    /// How many steps may follow now, if each logs so many bytes.
    fn begin(&mut self, logged: usize) -> usize {
        self.begun = Instant::now();
        self.steps.min(Self::BYTES / logged.max(1)).max(1)
    }

    /// Learns how long steps take.
    fn end(&mut self, steps: usize) {
        let each = self.begun.elapsed().as_secs_f64() / steps.max(1) as f64;
        let fit = (Self::TICK.as_secs_f64() / each.max(1e-9)) as usize;
        self.steps = fit.clamp(1, (8 * self.steps).min(Self::MOST));
    }
}

/// Bytes that each step of a program logs.
fn logged_bytes(program: &Program) -> usize {
    let outputs = program.graph.outputs.iter().zip(&program.sinks);
    let logged = outputs.filter(|o| matches!(o.1, Sink::Value(_)));
    logged.map(|o| program.graph.ty(o.0.1).bytes()).sum()
}

impl Pipeline {
    /// How many steps of a stage may follow one another until something is to be done between two of them. Batches are of
    /// `rows` rows.
    fn steps_until_due(&self, stage: usize, plan: &TrainPlan, at: &Progress, rows: usize) -> usize {
        let mut most = plan.steps_in_a_row(at, rows);
        if let Some((of, step)) = self.replay
            && of == stage
            && step > at.steps + 1
        {
            most = most.min(step - 1 - at.steps);
        }
        match self.options.saves {
            Saves::Steps(n) if self.saver.is_some() => {
                let n = n.max(1);
                most.min(n - at.steps % n)
            }
            _ => most,
        }
    }

    /// Runs steps from where a stage is, as many as may follow one another.
    pub(super) fn run_steps(
        &self,
        mut begin: Begin,
        engine: &mut Engine,
        batches: &mut Batches,
        pace: &mut Pace,
        version: &mut Version,
    ) -> Ran {
        let rows = begin.batch.as_ref().map_or(0, |b| b.len());
        let most = self.steps_until_due(begin.stage, begin.plan, &begin.at, rows);
        begin.most = most.min(pace.begin(logged_bytes(&engine.program)));
        let ran = match burst::fits(&engine.program) {
            true => self.run_burst(&begin, engine, batches, version),
            false => self.run_one(&begin, engine, version),
        };
        pace.end(ran.told.steps);
        ran
    }

    fn run_burst(
        &self,
        begin: &Begin,
        engine: &mut Engine,
        batches: &mut Batches,
        version: &mut Version,
    ) -> Ran {
        let plan = begin.plan;
        let mut burst = match Burst::new(self, engine, version, begin.position()) {
            Ok(Some(burst)) => burst,
            Ok(None) => return self.run_one(begin, engine, version),
            Err(e) => return Ran::failed(e, begin),
        };
        burst.tell(begin.at.steps + 1, begin.at.epochs, plan.batching.is_none());
        burst.keep(plan);
        let limits = Limits {
            most: begin.most,
            stop: self.options.stop,
            best: begin.best,
        };
        let rows = begin.batch.as_ref().map_or(0, |b| b.len());
        let mut at = begin.at;
        let pause = burst.run(&limits, || {
            let Some(batching) = &plan.batching else {
                return Ok(None);
            };
            at.batch(rows);
            batches.take(self, batching, &at, rows).map(Some)
        });
        let left = burst.end();
        let better = match pause {
            Pause::Better(value) => {
                let before = plan.keep.as_ref().is_some_and(|k| k.before);
                Some((value, before.then(|| left.before_last(version))))
            }
            _ => None,
        };
        let (told, batch) = left.put(version, engine);
        let stop = matches!(pause, Pause::Stop);
        let halt = match pause {
            Pause::Wrong(output) => Some(Halt::NotANumber(self.named(&engine.program, output))),
            Pause::Failed(e) => Some(Halt::Error(e)),
            _ => None,
        };
        Ran {
            told,
            stop,
            better: better
                .map(|(value, before)| (value, before.unwrap_or_else(|| version.clone()))),
            halt,
            batch,
        }
    }

    /// One step.
    fn run_one(&self, begin: &Begin, engine: &mut Engine, version: &mut Version) -> Ran {
        let keep = begin.plan.keep.as_ref();
        let before = keep.filter(|k| k.before).map(|_| version.clone());
        let outcome = match self.advance(engine, version, begin.position()) {
            Ok(outcome) => outcome,
            Err(halt) => {
                return Ran {
                    halt: Some(halt),
                    ..Ran::nothing(begin)
                };
            }
        };
        let value = outcome.better(begin.plan, begin.best);
        let now = (begin.at.steps + 1, begin.at.epochs);
        Ran {
            told: Stretch {
                each: begin.plan.batching.is_none(),
                ..Stretch::one(now, &outcome.values)
            },
            stop: outcome.stop,
            better: value.map(|v| (v, before.unwrap_or_else(|| version.clone()))),
            ..Ran::nothing(begin)
        }
    }

    /// An output that is not as it must be.
    fn named(&self, program: &Program, output: usize) -> Wrong {
        let name = match &program.sinks[output] {
            Sink::Value(name) => name.clone(),
            Sink::Slot(id) => self.session.slots()[id.0 as usize].name.clone(),
            _ => "keep".into(),
        };
        Wrong { name, output }
    }
}

impl Ran {
    fn nothing(begin: &Begin) -> Self {
        Self {
            told: Stretch::default(),
            stop: false,
            better: None,
            halt: None,
            batch: begin.batch.clone(),
        }
    }

    fn failed(e: RunError, begin: &Begin) -> Self {
        Self {
            halt: Some(Halt::Error(e)),
            ..Self::nothing(begin)
        }
    }
}
