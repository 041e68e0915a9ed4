//! The batches of one training stage, and the machine code of its step for each size that they have.

use super::batches::{Ahead, Batch};
use super::engine::Engine;
use super::run::Pipeline;
use super::stage::{Halt, Position};
use super::store::Version;
use super::{Observer, RunError};
use crate::shuffle::{ShuffleKey, hash_name, permutation};
use crate::tensor::HostTensor;
use mlc_compiler::lower::Failure;
use mlc_compiler::program::{Batching, TrainPlan};
use mlc_compiler::progress::Progress;
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

pub struct Steps {
    stage: usize,
    name: String,
    /// By the number of rows of the batch; 0 without batches.
    engines: HashMap<usize, Engine>,
    /// Gives the size of the next batch, if it changes.
    size: Option<Engine>,
    batches: Batches,
}

/// Makes batches.
pub struct Batches {
    /// The stage's name, by which rows are shuffled.
    key: u64,
    /// By epoch, the rows in its order: of the present one, and of the next where rows are read ahead.
    orders: BTreeMap<usize, Vec<usize>>,
    /// Reads what is on disk, where something is.
    ahead: Option<Ahead>,
}

impl Steps {
    pub fn new(
        pipeline: &Pipeline,
        stage: usize,
        plan: &TrainPlan,
        observer: &mut dyn Observer,
    ) -> Result<Self, RunError> {
        let name = pipeline.session.stages()[stage].name.clone();
        let mut engines = HashMap::new();
        let size = match &plan.size {
            Some(s) => {
                Some(pipeline.stage_engine(stage, s.program.clone(), &s.program.name, observer)?)
            }
            None => {
                let whole = plan.batching.as_ref().map_or(0, |b| b.size);
                engines.insert(
                    whole,
                    pipeline.step_engine(stage, plan.step.clone(), &name, observer)?,
                );
                None
            }
        };
        if let (Some(rest), Some(b)) = (&plan.remainder, &plan.batching) {
            let engine = pipeline.step_engine(stage, rest.clone(), &name, observer)?;
            engines.insert(b.rows % b.size, engine);
        }
        let batches = Batches {
            key: hash_name(&name),
            orders: BTreeMap::new(),
            ahead: pipeline.ahead(plan)?,
        };
        Ok(Self {
            stage,
            name,
            engines,
            size,
            batches,
        })
    }

    /// The size of the next batch, as the states say now.
    fn size(
        &mut self,
        pipeline: &Pipeline,
        batching: &Batching,
        version: &Version,
        at: &Progress,
    ) -> Result<i64, RunError> {
        let Some(engine) = &mut self.size else {
            return Ok(batching.size as i64);
        };
        let position = Position {
            step: at.steps,
            rows: None,
            any: false,
            ..Position::default()
        };
        match pipeline.advance(engine, &mut version.clone(), position) {
            Ok(outcome) => Ok(outcome.values[0].1.as_i32()[0].into()),
            Err(Halt::Error(e)) => Err(e),
            Err(Halt::NotANumber(_)) => unreachable!("a size is an int"),
        }
    }

    /// Ends the epoch if it has no further batch.
    pub fn turn(
        &mut self,
        pipeline: &Pipeline,
        plan: &TrainPlan,
        version: &Version,
        at: &mut Progress,
    ) -> Result<bool, RunError> {
        let Some(b) = &plan.batching else {
            return Ok(false);
        };
        let size = self.size(pipeline, b, version, at)?;
        // A size that no batch can have is told of when a batch is made.
        Ok(b.turn(at, usize::try_from(size).unwrap_or(1)))
    }

    /// The rows of the next batch, `int[size]`.
    pub fn batch(
        &mut self,
        pipeline: &Pipeline,
        plan: &TrainPlan,
        version: &Version,
        at: &Progress,
    ) -> Result<Option<Rc<Batch>>, RunError> {
        let Some(b) = &plan.batching else {
            return Ok(None);
        };
        let value = self.size(pipeline, b, version, at)?;
        let size = match usize::try_from(value) {
            Ok(size) if (1..=b.rows).contains(&size) => size,
            _ => {
                let span = plan.size.as_ref().map(|s| s.span).unwrap_or_default();
                return Err(RunError::Pipeline(Failure {
                    reports: vec![pipeline.session.wrong_size(span, value, b.rows)],
                    environment: false,
                }));
            }
        };
        self.batches.take(pipeline, b, at, size).map(Some)
    }

    /// The step for batches of a number of rows, made ready when first asked for, and what makes the batches after it.
    pub fn engine(
        &mut self,
        pipeline: &mut Pipeline,
        plan: &TrainPlan,
        rows: usize,
        observer: &mut dyn Observer,
    ) -> Result<(&mut Engine, &mut Batches), RunError> {
        if !self.engines.contains_key(&rows) {
            let known = plan.batching.as_ref().is_some_and(|b| b.size == rows);
            let program = if known {
                plan.step.clone()
            } else {
                let lowered = pipeline.session.lower_size(self.stage, &plan.step, rows)?;
                pipeline.run_inits(observer)?;
                pipeline.note_size(self.stage, rows, &lowered);
                lowered
            };
            let engine = pipeline.step_engine(self.stage, program, &self.name, observer)?;
            self.engines.insert(rows, engine);
        }
        let engine = self.engines.get_mut(&rows).expect("inserted above");
        Ok((engine, &mut self.batches))
    }
}

impl Batches {
    /// The next batch, of so many rows or what is left.
    ///
    /// # Errors
    /// If rows on disk cannot be read.
    pub fn take(
        &mut self,
        pipeline: &Pipeline,
        b: &Batching,
        at: &Progress,
        size: usize,
    ) -> Result<Rc<Batch>, RunError> {
        self.orders.retain(|&epoch, _| epoch >= at.epochs);
        let rows = self.rows(pipeline, b, at, size);
        let columns = match &mut self.ahead {
            None => Vec::new(),
            Some(ahead) => {
                let columns = ahead.take(&rows)?;
                // The batch after this one, should the size stay.
                let mut after = *at;
                after.batch(rows.len());
                b.turn(&mut after, size);
                let next = self.rows(pipeline, b, &after, size);
                self.ahead.as_mut().expect("found above").ask(next);
                columns
            }
        };
        let rows = Rc::new(HostTensor::from_i32(&[rows.len()], &rows));
        Ok(Rc::new(Batch { rows, columns }))
    }

    /// The rows of a batch: a function of the seed, the stage and how far it is.
    fn rows(&mut self, pipeline: &Pipeline, b: &Batching, at: &Progress, size: usize) -> Vec<i32> {
        let order = self.orders.entry(at.epochs).or_insert_with(|| {
            let key = ShuffleKey {
                seed: pipeline.options.seed,
                stage: self.key,
                epoch: at.epochs as u64,
            };
            match b.shuffle {
                true => permutation(b.rows, key),
                false => (0..b.rows).collect(),
            }
        });
        order[b.next(at, size)].iter().map(|&i| i as i32).collect()
    }
}
