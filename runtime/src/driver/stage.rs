//! The steps of one training stage.

use super::batches::Batch;
use super::engine::Engine;
use super::keep::Told;
use super::run::Pipeline;
use super::steps::Steps;
use super::store::Version;
use super::{Event, Observer, RunError};
use crate::tensor::{DType, HostTensor};
use mlc_compiler::program::{Export, Sink, Source, TrainPlan};
use mlc_compiler::progress::Progress;
use std::rc::Rc;

/// What a program's inputs are drawn from besides slots.
#[derive(Default, Clone, Copy)]
pub struct Position<'a> {
    pub step: usize,
    pub rows: Option<&'a Rc<Batch>>,
    /// May its values be no numbers?
    pub any: bool,
}

/// Named results of a program.
pub type Values = Vec<(String, HostTensor)>;

/// What a program gave besides slots.
#[derive(Default)]
pub struct Outcome {
    /// What is logged.
    pub values: Values,
    /// Does some `stop when` hold?
    pub stop: bool,
    /// What is written to files.
    pub exports: Vec<(Export, HostTensor)>,
    /// Do all verdicts hold, if there are any?
    pub good: Option<bool>,
    /// What the best snapshot is chosen by.
    pub keep: Option<f64>,
    /// Parts of outputs: of the n-th, by name.
    pub shown: Vec<(usize, String, HostTensor)>,
}

/// The best snapshot of a stage so far.
struct Best {
    value: f64,
    version: Version,
}

/// Why a program's results were not taken.
pub enum Halt {
    /// The named value is not a number.
    NotANumber(String),
    Error(RunError),
}

impl Pipeline {
    /// The inputs of a program, in order.
    pub(super) fn inputs(
        &self,
        sources: &[Source],
        version: &Version,
        at: Position,
    ) -> Result<Vec<Rc<HostTensor>>, RunError> {
        let missing =
            |what: &str| RunError::Environment(format!("internal error: {what} has no value yet"));
        let slots = self.session.slots();
        sources
            .iter()
            .map(|s| match s {
                Source::Seed => Ok(self.seed.clone()),
                Source::Step => Ok(Rc::new(HostTensor::from_i32(&[], &[at.step as i32]))),
                Source::Rows => {
                    let rows = at.rows.map(|b| b.rows.clone());
                    rows.ok_or_else(|| missing("the batch"))
                }
                Source::RowsOf(id) => {
                    let column = at.rows.and_then(|b| b.column(*id));
                    column.ok_or_else(|| missing(&slots[id.0 as usize].name))
                }
                Source::Slot(id) => self
                    .store
                    .read(version, *id, slots, &self.data)
                    .ok_or_else(|| missing(&slots[id.0 as usize].name)),
                Source::StageSlot(stage, id) => self
                    .store
                    .read_stage(*stage, *id, slots, &self.data)
                    .ok_or_else(|| missing(&slots[id.0 as usize].name)),
                Source::StageLog(stage, name) => self
                    .store
                    .log_tensor(*stage, name)
                    .map(Rc::new)
                    .ok_or_else(|| missing(name)),
            })
            .collect()
    }

    /// Runs a program and sorts its results: slots into the version, values to the caller. If a value is not a number,
    /// the version stays as it was.
    pub(super) fn advance(
        &self,
        engine: &mut Engine,
        version: &mut Version,
        at: Position,
    ) -> Result<Outcome, Halt> {
        let inputs = self
            .inputs(&engine.program.sources, version, at)
            .map_err(Halt::Error)?;
        let outputs = engine.run(&inputs);
        drop(inputs);
        let mut outcome = Outcome::default();
        let mut slots = Vec::new();
        for (output, (sink, t)) in engine.program.sinks.iter().zip(outputs).enumerate() {
            match sink {
                Sink::Slot(id) => slots.push((output, *id, t)),
                Sink::Value(name) => outcome.values.push((name.clone(), t)),
                Sink::Stop => outcome.stop |= t.as_bool().first().is_some_and(|&b| b != 0),
                Sink::Verdict => {
                    let holds = t.as_bool().first().is_some_and(|&b| b != 0);
                    outcome.good = Some(holds && outcome.good != Some(false));
                }
                Sink::Export(e) if has_nan(&t) => return Err(Halt::NotANumber(e.name.clone())),
                Sink::Export(e) => outcome.exports.push((e.clone(), t)),
                Sink::Keep if has_nan(&t) => return Err(Halt::NotANumber("keep".into())),
                Sink::Keep => outcome.keep = t.to_f64_vec().first().copied(),
                Sink::Show(item, name) => outcome.shown.push((*item, name.clone(), t)),
            }
        }
        let wrong = outcome.values.iter().find(|(_, t)| !at.any && has_nan(t));
        if let Some((name, _)) = wrong {
            return Err(Halt::NotANumber(name.clone()));
        }
        for (output, id, t) in slots {
            let old = version.slots.insert(id, Rc::new(t));
            // A buffer that nobody reads any more is written to next time.
            if let Some(tensor) = old.and_then(Rc::into_inner) {
                engine.recycle(output, tensor);
            }
        }
        Ok(outcome)
    }

    pub(super) fn train(
        &mut self,
        stage: usize,
        plan: &TrainPlan,
        version: &mut Version,
        observer: &mut dyn Observer,
    ) -> Result<Progress, RunError> {
        let name = self.session.stages()[stage].name.clone();
        let mut steps = Steps::new(self, stage, plan, observer)?;
        let mut every = Vec::new();
        for e in &plan.every {
            let label = e.program.name.clone();
            every.push(self.stage_engine(stage, e.program.clone(), &label, observer)?);
        }
        observer.event(&Event::StageStarted {
            stage: &name,
            steps: plan.total_steps(),
        });
        let mut best: Option<Best> = None;
        let mut at = Progress::default();
        // What the blocks were last run after.
        let mut told = at;
        while at.done(plan.unit) < plan.count {
            let batch = steps.batch(self, plan, version, &at)?;
            let rows = batch.as_ref().map_or(0, |b| b.len());
            let engine = steps.engine(self, plan, rows, observer)?;
            let position = Position {
                step: at.steps,
                rows: batch.as_ref(),
                any: false,
            };
            let before = plan
                .keep
                .as_ref()
                .filter(|k| k.before)
                .map(|_| version.clone());
            let outcome = match self.advance(engine, version, position) {
                Ok(outcome) => outcome,
                // Among the applications of a stage, one that fails is a result like others.
                Err(Halt::NotANumber(value)) if self.session.is_applied(stage) => {
                    self.log_failure(stage, &at, &value, plan, observer)?;
                    break;
                }
                Err(Halt::NotANumber(value)) => {
                    return Err(self.not_a_number(stage, at.steps, value, version));
                }
                Err(Halt::Error(e)) => return Err(e),
            };
            choose(
                &mut best,
                plan,
                &outcome,
                before.as_ref().unwrap_or(version),
            );
            let mut stop = outcome.stop;
            let now = (at.steps + 1, at.epochs);
            self.tell(stage, Told::Step, now, outcome.values, observer)?;
            match &batch {
                None => at.step(),
                Some(b) => at.batch(b.len()),
            }
            // A block may change the size of the batches, and that may end the epoch, after which other blocks run.
            loop {
                let turned = steps.turn(self, plan, version, &mut at)?;
                let mut ran = false;
                for (nth, engine) in every.iter_mut().enumerate() {
                    let e = &plan.every[nth];
                    if at.done(e.unit) / e.count == told.done(e.unit) / e.count {
                        continue;
                    }
                    ran = true;
                    let Some(outcome) =
                        self.after_step(stage, plan, nth, engine, &at, version, observer)?
                    else {
                        stop = true;
                        continue;
                    };
                    choose(&mut best, plan, &outcome, version);
                    stop |= outcome.stop;
                    let now = (at.steps, at.epochs);
                    self.tell(stage, Told::Block, now, outcome.values, observer)?;
                }
                told = at;
                if turned || !ran {
                    break;
                }
            }
            if stop {
                break;
            }
            if self.options.stop.is_some_and(|s| s.is_set()) {
                let checkpoint = self.checkpoint("interrupted", version)?;
                return Err(RunError::Interrupted { checkpoint });
            }
        }
        if let Some(best) = best {
            *version = best.version;
        }
        Ok(at)
    }

    /// Runs an `every` block. Nothing if a value was not a number.
    #[expect(clippy::too_many_arguments, reason = "one call, from the loop above")]
    fn after_step(
        &mut self,
        stage: usize,
        plan: &TrainPlan,
        nth: usize,
        engine: &mut Engine,
        at: &Progress,
        version: &mut Version,
        observer: &mut dyn Observer,
    ) -> Result<Option<Outcome>, RunError> {
        let name = self.session.stages()[stage].name.clone();
        let every = &plan.every[nth];
        let done = at.steps;
        let outcome = match self.advance(
            engine,
            version,
            Position {
                step: done,
                rows: None,
                any: false,
            },
        ) {
            Ok(outcome) => outcome,
            Err(Halt::NotANumber(value)) if self.session.is_applied(stage) => {
                self.log_failure(stage, at, &value, plan, observer)?;
                return Ok(None);
            }
            Err(Halt::NotANumber(value)) => {
                return Err(self.not_a_number(stage, done, value, version));
            }
            Err(Halt::Error(e)) => return Err(e),
        };
        for (i, item) in every.shown.iter().enumerate() {
            let values: Values = outcome
                .shown
                .iter()
                .filter(|s| s.0 == i)
                .map(|s| (s.1.clone(), s.2.clone()))
                .collect();
            self.note_shown(nth, i, done, &values);
            self.show_values(item, &format!("{}, step {done}", item.title), &values)?;
        }
        if every.checkpoint {
            let file = format!("{name}-{done}");
            self.note_checkpoint(&file, done, version);
            self.checkpoint(&file, version)?;
        }
        Ok(Some(outcome))
    }

    /// Ends the logs of an applied stage in which a value was not a number: each of reals has NaN as its last entry.
    fn log_failure(
        &mut self,
        stage: usize,
        at: &Progress,
        value: &str,
        plan: &TrainPlan,
        observer: &mut dyn Observer,
    ) -> Result<(), RunError> {
        let mut values: Values = Vec::new();
        let programs = plan.every.iter().map(|e| &e.program).chain([&plan.step]);
        for p in programs {
            for ((_, v), sink) in p.graph.outputs.iter().zip(&p.sinks) {
                let ty = p.graph.ty(*v);
                if let Sink::Value(name) = sink
                    && ty.dtype.is_real()
                    && !values.iter().any(|known| known.0 == *name)
                {
                    let nan = vec![f64::NAN; ty.shape.iter().product()];
                    let t = match ty.dtype {
                        DType::F64 => HostTensor::from_f64(&ty.shape, &nan),
                        _ => HostTensor::from_f32(&ty.shape, &vec![f32::NAN; nan.len()]),
                    };
                    values.push((name.clone(), t));
                }
            }
        }
        let now = (at.steps + 1, at.epochs);
        self.tell(stage, Told::Failed(value), now, values, observer)
    }

    fn not_a_number(&self, stage: usize, step: usize, name: String, version: &Version) -> RunError {
        let stage = self.session.stages()[stage].name.clone();
        match self.checkpoint("before-nan", version) {
            Ok(checkpoint) => RunError::NotANumber {
                stage,
                step: step + 1,
                name,
                checkpoint,
            },
            Err(e) => e,
        }
    }
}

/// Keeps a version if it is better than the best so far.
fn choose(best: &mut Option<Best>, plan: &TrainPlan, outcome: &Outcome, version: &Version) {
    let Some(keep) = &plan.keep else { return };
    let value = match &keep.log {
        None => outcome.keep,
        Some(log) => {
            let logged = outcome.values.iter().find(|v| v.0 == *log);
            logged.and_then(|v| v.1.to_f64_vec().first().copied())
        }
    };
    let Some(value) = value else { return };
    let better = |old: f64| {
        if keep.lowest {
            value < old
        } else {
            value > old
        }
    };
    if best.as_ref().is_none_or(|b| better(b.value)) {
        *best = Some(Best {
            value,
            version: version.clone(),
        });
    }
}

fn has_nan(t: &HostTensor) -> bool {
    t.dtype().is_real() && t.to_f64_vec().iter().any(|x| x.is_nan())
}
