//! Many steps of a training stage in a row, with nothing between them but the addresses of what they read and write.
//!
//! What a step writes to a slot stands in another buffer than what it read, and the two change places after it: so the values
//! before a step are whole until it has succeeded.

use super::RunError;
use super::batches::Batch;
use super::engine::{Call, Engine};
use super::run::Pipeline;
use super::stage::Position;
use super::store::Version;
use crate::tensor::HostTensor;
use mlc_compiler::program::{Sink, SlotId, Source};
use std::rc::Rc;

/// A slot that the step writes.
struct Written {
    /// The program's input that it is, if the step reads it.
    source: Option<usize>,
    output: usize,
    now: HostTensor,
    next: HostTensor,
}

/// A part of a batch: the rows' numbers, or what a column on disk has in them.
type Part = Option<SlotId>;

/// Steps of one program on copies of the slots of a version.
pub struct Burst<'e> {
    call: Call<'e>,
    /// The inputs that stay the same.
    _held: Vec<Rc<HostTensor>>,
    slots: Vec<Written>,
    step: HostTensor,
    /// The inputs that are the batch's, and the places they have.
    batch: Vec<(Part, Rc<HostTensor>, Vec<usize>)>,
    /// What is no slot.
    _others: Vec<HostTensor>,
}

impl<'e> Burst<'e> {
    /// From the slots of a version. Nothing where the program is interpreted.
    ///
    /// # Errors
    /// As [`Pipeline::inputs`].
    pub fn new(
        pipeline: &Pipeline,
        engine: &'e mut Engine,
        version: &Version,
        at: Position,
    ) -> Result<Option<Self>, RunError> {
        let inputs = pipeline.inputs(&engine.program.sources, version, at)?;
        let (sources, sinks) = (engine.program.sources.clone(), engine.program.sinks.clone());
        let Some(mut call) = engine.call(&inputs) else {
            return Ok(None);
        };
        let (mut slots, mut others) = (Vec::new(), Vec::new());
        for (output, sink) in sinks.iter().enumerate() {
            let mut next = call.output(output);
            if let Sink::Slot(id) = sink {
                let source = sources.iter().position(|s| *s == Source::Slot(*id));
                let now = match source {
                    Some(i) => (*inputs[i]).clone(),
                    None => call.output(output),
                };
                slots.push(Written {
                    source,
                    output,
                    now,
                    next,
                });
            } else {
                call.set_output(output, &mut next);
                others.push(next);
            }
        }
        let places = |wanted: &Source| -> Vec<usize> {
            let all = sources.iter().enumerate();
            all.filter(|s| s.1 == wanted).map(|s| s.0).collect()
        };
        let step_at = places(&Source::Step);
        let step = HostTensor::from_i32(&[], &[at.step as i32]);
        step_at.iter().for_each(|&i| call.set_input(i, &step));
        let mut batch = Vec::new();
        if let Some(b) = at.rows {
            batch.push((None, b.rows.clone(), places(&Source::Rows)));
            for (id, column) in &b.columns {
                batch.push((Some(*id), column.clone(), places(&Source::RowsOf(*id))));
            }
        }
        let mut burst = Self {
            call,
            _held: inputs,
            slots,
            step,
            batch,
            _others: others,
        };
        burst.point();
        Ok(Some(burst))
    }

    /// Gives the code the addresses of the slots as they stand now.
    fn point(&mut self) {
        for w in &mut self.slots {
            if let Some(i) = w.source {
                self.call.set_input(i, &w.now);
            }
            self.call.set_output(w.output, &mut w.next);
        }
    }

    /// One step, on the batch given if the stage has batches.
    pub fn step(&mut self, batch: Option<&Batch>) {
        for (part, held, places) in &mut self.batch {
            let Some(b) = batch else { break };
            let now = match part {
                None => Some(b.rows.clone()),
                Some(id) => b.column(*id),
            };
            if let Some(now) = now {
                *held = now;
                places.iter().for_each(|&i| self.call.set_input(i, held));
            }
        }
        // SAFETY: all tensors are held by `self`, whose buffers do not move; the slots' two buffers are distinct.
        unsafe { self.call.run() };
    }

    /// Takes what the last step left: the next one goes on from it.
    pub fn accept(&mut self) {
        for w in &mut self.slots {
            std::mem::swap(&mut w.now, &mut w.next);
        }
        self.step.as_i32_mut()[0] += 1;
        self.point();
    }
}
