//! The steps of one training stage.

use super::batches::Batch;
use super::burst::{finite32, finite64, has_nan32, has_nan64};
use super::engine::Engine;
use super::keep::{Showing, Told};
use super::resume::Now;
use super::run::Pipeline;
use super::snapshot::Snapshot;
use super::steps::Steps;
use super::store::Version;
use super::stretches::{Begin, Pace};
use super::{Event, Observer, RunError};
use crate::tensor::{DType, HostTensor};
use mlc_compiler::program::{Export, Sink, SlotKind, Source, TrainPlan};
use mlc_compiler::progress::Progress;
use std::rc::Rc;

/// What a program's inputs are drawn from besides slots.
#[derive(Default, Clone, Copy)]
pub struct Position<'a> {
    pub step: usize,
    pub rows: Option<&'a Rc<Batch>>,
    /// May its values be no numbers?
    pub any: bool,
    /// Must the parameters that it gives be finite?
    pub watch: bool,
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

/// Where a training stage is, besides its slots.
#[derive(Default)]
pub struct TrainRun {
    at: Progress,
    best: Option<Best>,
    /// Steps that were skipped, in all and in a row.
    skipped: (usize, usize),
    /// What is to be told of it first.
    resumed: Option<Snapshot>,
}

/// A result that is not a number, or a parameter that is not finite.
pub struct Wrong {
    pub name: String,
    /// Of the program's outputs.
    pub output: usize,
}

/// Why a program's results were not taken.
pub enum Halt {
    /// A value is not a number.
    NotANumber(Wrong),
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
        if let Some(wrong) = self.wrong(engine, &outputs, at) {
            return Err(Halt::NotANumber(wrong));
        }
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
                Sink::Export(e) => outcome.exports.push((e.clone(), t)),
                Sink::Keep => outcome.keep = t.to_f64_vec().first().copied(),
                Sink::Show(item, name) => outcome.shown.push((*item, name.clone(), t)),
            }
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

    /// What is not as it must be among a program's results: what is logged first, then the parameters.
    fn wrong(&self, engine: &Engine, outputs: &[HostTensor], at: Position) -> Option<Wrong> {
        let sinks = || engine.program.sinks.iter().zip(outputs).enumerate();
        let named = |(output, (sink, t)): (usize, (&Sink, &HostTensor))| {
            let name = match sink {
                Sink::Value(name) if !at.any && has_nan(t) => name.clone(),
                Sink::Export(e) if has_nan(t) => e.name.clone(),
                Sink::Keep if has_nan(t) => "keep".into(),
                _ => return None,
            };
            Some(Wrong { name, output })
        };
        let moved = |(output, (sink, t)): (usize, (&Sink, &HostTensor))| {
            let Sink::Slot(id) = sink else { return None };
            let slot = &self.session.slots()[id.0 as usize];
            let name = slot.name.clone();
            (slot.kind == SlotKind::Param && !is_finite(t)).then_some(Wrong { name, output })
        };
        let named = sinks().find_map(named);
        named.or_else(|| at.watch.then(|| sinks().find_map(moved)).flatten())
    }

    /// A stage as a checkpoint has it; its slots go into the version, which is the one that the stage starts from.
    pub(super) fn go_on(
        &mut self,
        stage: usize,
        snapshot: Snapshot,
        version: &mut Version,
    ) -> Result<TrainRun, RunError> {
        let wrong = || {
            let name = &self.session.stages()[stage].name;
            RunError::Environment(format!(
                "internal error: the checkpoint of `{name}` does not fit it"
            ))
        };
        let going = snapshot.going.as_ref().ok_or_else(wrong)?;
        let mut best = None;
        if let Some((value, slots)) = &going.best {
            let (value, mut version) = (*value, version.clone());
            self.put_slots(slots, &mut version).ok_or_else(wrong)?;
            best = Some(Best { value, version });
        }
        let slots = &snapshot.saved.slots;
        self.put_slots(slots, version).ok_or_else(wrong)?;
        Ok(TrainRun {
            at: going.at,
            best,
            skipped: going.skipped,
            resumed: Some(snapshot),
        })
    }

    /// Tells again what a resumed stage told before its checkpoint.
    fn tell_before(
        &mut self,
        stage: usize,
        plan: &TrainPlan,
        snapshot: &Snapshot,
        version: &mut Version,
        observer: &mut dyn Observer,
    ) -> Result<(), RunError> {
        let name = self.session.stages()[stage].name.clone();
        let showing = Showing::Blocks(&plan.every);
        self.retell(stage, showing, &snapshot.saved, version, observer)?;
        if !snapshot.whole {
            self.give_up_recording();
        }
        let step = snapshot.going.as_ref().map_or(0, |g| g.at.steps);
        if snapshot.without_pictures {
            let what = format!(
                "what `{name}` showed before step {step} is not in the report: it was too much to be saved"
            );
            observer.event(&Event::Trouble { what: &what });
        }
        observer.event(&Event::Resumed { stage: &name, step });
        Ok(())
    }

    /// Runs the steps of a stage from where it is. Says where it ends.
    pub(super) fn train(
        &mut self,
        stage: usize,
        plan: &TrainPlan,
        run: TrainRun,
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
        let TrainRun {
            mut at,
            mut best,
            mut skipped,
            resumed,
        } = run;
        if let Some(snapshot) = &resumed {
            self.tell_before(stage, plan, snapshot, version, observer)?;
        }
        drop(resumed);
        // What the blocks were last run after.
        let mut told = at;
        let mut pace = Pace::new();
        while at.done(plan.unit) < plan.count {
            let batch = steps.batch(self, plan, version, &at)?;
            let rows = batch.as_ref().map_or(0, |b| b.len());
            let (engine, batches) = steps.engine(self, plan, rows, observer)?;
            let begin = Begin {
                stage,
                plan,
                at,
                batch,
                most: 1,
                best: best.as_ref().map(|b| b.value),
            };
            if self.replay == Some((stage, at.steps + 1)) {
                return Err(self.replay_step(engine, version, begin.position()));
            }
            let ran = self.run_steps(begin, engine, batches, &mut pace, version);
            let mut stop = ran.stop;
            if ran.told.steps > 0 {
                skipped.1 = 0;
                for _ in 0..ran.told.steps {
                    step(&mut at, rows);
                }
                self.tell_steps(stage, ran.told, observer)?;
            }
            if let Some((value, version)) = ran.better {
                best = Some(Best { value, version });
            }
            let position = Position {
                step: at.steps,
                rows: ran.batch.as_ref(),
                watch: true,
                ..Position::default()
            };
            match ran.halt {
                None => {}
                Some(Halt::NotANumber(_)) if plan.skip.is_some_and(|most| skipped.1 < most) => {
                    skipped = (skipped.0 + 1, skipped.1 + 1);
                    let values = vec![(SKIPPED.into(), count(skipped.0))];
                    let now = (at.steps + 1, at.epochs);
                    self.tell(stage, Told::Block, now, values, observer)?;
                    step(&mut at, rows);
                }
                // Among the applications of a stage, one that fails is a result like others.
                Some(Halt::NotANumber(wrong)) if self.session.is_applied(stage) => {
                    self.log_failure(stage, &at, &wrong.name, plan, observer)?;
                    break;
                }
                Some(Halt::NotANumber(wrong)) => {
                    let skips = plan.skip.map(|_| skipped.1);
                    let program = &engine.program;
                    return Err(self.not_a_number(stage, wrong, program, version, position, skips));
                }
                Some(Halt::Error(e)) => return Err(e),
            }
            let mut wanted = false;
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
                    wanted |= e.checkpoint;
                    let Some(outcome) =
                        self.after_step(stage, plan, nth, engine, &at, version, observer)?
                    else {
                        stop = true;
                        continue;
                    };
                    let so_far = best.as_ref().map(|b| b.value);
                    if let Some(value) = outcome.better(plan, so_far) {
                        let version = version.clone();
                        best = Some(Best { value, version });
                    }
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
            let stopped = self.asked_to_stop();
            if !stopped && !wanted && !self.is_time(Some(&at)) {
                continue;
            }
            let now = Now {
                stage,
                at,
                version,
                best: best.as_ref().map(|b| (b.value, &b.version)),
                skipped,
            };
            if !stopped {
                self.save_or_tell(Some(now), observer);
                continue;
            }
            self.save(Some(now)).map_err(RunError::Environment)?;
            return Err(RunError::Interrupted {
                checkpoint: self.checkpoint("interrupted", version)?,
                resumable: self.resumable(),
            });
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
        let position = Position {
            step: done,
            ..Position::default()
        };
        let outcome = match self.advance(engine, version, position) {
            Ok(outcome) => outcome,
            Err(Halt::NotANumber(wrong)) if self.session.is_applied(stage) => {
                self.log_failure(stage, at, &wrong.name, plan, observer)?;
                return Ok(None);
            }
            Err(Halt::NotANumber(wrong)) => {
                let program = &engine.program;
                return Err(self.not_a_number(stage, wrong, program, version, position, None));
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
}

/// One step further, on a batch of `rows` rows unless that is none.
fn step(at: &mut Progress, rows: usize) {
    match rows {
        0 => at.step(),
        rows => at.batch(rows),
    }
}

/// The name under which the number of skipped steps is logged.
const SKIPPED: &str = "skipped";

fn count(n: usize) -> HostTensor {
    HostTensor::from_i32(&[], &[i32::try_from(n).unwrap_or(i32::MAX)])
}

impl Outcome {
    /// What a version is chosen by, if it is better than the best so far.
    pub fn better(&self, plan: &TrainPlan, best: Option<f64>) -> Option<f64> {
        let keep = plan.keep.as_ref()?;
        let value = match &keep.log {
            None => self.keep?,
            Some(log) => {
                let logged = self.values.iter().find(|v| v.0 == *log)?;
                logged.1.to_f64_vec().first().copied()?
            }
        };
        let better = |old: f64| {
            if keep.lowest {
                value < old
            } else {
                value > old
            }
        };
        best.is_none_or(better).then_some(value)
    }
}

fn has_nan(t: &HostTensor) -> bool {
    match t.dtype() {
        DType::F32 => has_nan32(t.as_f32()),
        DType::F64 => has_nan64(t.as_f64()),
        DType::I32 | DType::Bool => false,
    }
}

fn is_finite(t: &HostTensor) -> bool {
    match t.dtype() {
        DType::F32 => finite32(t.as_f32()),
        DType::F64 => finite64(t.as_f64()),
        DType::I32 | DType::Bool => true,
    }
}
