//! Many steps of a training stage in a row, with nothing between them but the addresses of what they read and write.
//!
//! What a step writes to a slot stands in another buffer than what it read, and the two change places after it: so the values
//! before a step are whole until it has succeeded. There are two tables of addresses, for every other step each, so that
//! nothing is moved or counted between two steps; or a table for each of the steps for which something is computed at once.

use super::batches::Batch;
use super::engine::{Addresses, Call, Engine};
use super::run::Pipeline;
use super::stage::Position;
use super::store::Version;
use super::{RunError, StopFlag};
use crate::log::{Column, Entry, Stretch};
use crate::tensor::{DType, HostTensor};
use mlc_compiler::program::{Program, Sink, SlotId, SlotKind, Source, TrainPlan};
use std::rc::Rc;

/// A slot that the step writes.
struct Written {
    id: SlotId,
    output: usize,
    /// What the first step reads, and every other after it.
    even: HostTensor,
    odd: HostTensor,
    /// Had the version a value, and one that others hold, too?
    before: Before,
}

/// What the version that a burst starts from has of a slot.
enum Before {
    Nothing,
    /// It is `even`.
    Own,
    /// `even` is a copy.
    Shared(Rc<HostTensor>),
}

/// A part of a batch: the rows' numbers, or what a column on disk has in them.
type Part = Option<SlotId>;

/// A result that is looked at after each step.
struct Watched {
    output: usize,
    len: usize,
    dtype: DType,
    /// Must it be finite, or may it be anything but NaN?
    finite: bool,
}

/// A result that each step logs.
struct Logged {
    source: *const u8,
    bytes: usize,
}

/// How far a burst may go.
pub struct Limits<'a> {
    /// Steps at most.
    pub most: usize,
    pub stop: Option<&'a StopFlag>,
    /// The best number so far, where the stage keeps the best of its versions.
    pub best: Option<f64>,
}

/// Why a burst ended.
pub enum Pause {
    /// The steps have been done, or it was asked to stop.
    Done,
    /// The stage ends after the last step.
    Stop,
    /// The last step gave a better number than the best so far.
    Better(f64),
    /// The step after those that were done gave this output, which is not as it must be.
    Wrong(usize),
    Failed(RunError),
}

/// What a burst leaves, to be put into the version that it came from.
pub struct Left {
    slots: Vec<Written>,
    others: Vec<(usize, HostTensor)>,
    steps: usize,
    pub told: Stretch,
    /// That of the last step that was begun.
    pub batch: Option<Rc<Batch>>,
}

/// Steps of one program on the slots of a version.
pub struct Burst<'e> {
    call: Call<'e>,
    /// For the first step and those behind it, and then from the start again.
    tables: Vec<Addresses>,
    turn: usize,
    steps: usize,
    /// The inputs that stay the same.
    _held: Vec<Rc<HostTensor>>,
    slots: Vec<Written>,
    step: HostTensor,
    /// The inputs that are the batch's, and the places they have.
    parts: Vec<(Part, Vec<usize>)>,
    batch: Option<Rc<Batch>>,
    /// The results that are no slots.
    others: Vec<(usize, HostTensor)>,
    watched: Vec<Watched>,
    /// A number that is NaN if some of these must be looked at, which are not otherwise.
    check: Option<(HostTensor, Vec<Watched>)>,
    logged: Vec<Logged>,
    told: Stretch,
    /// Truth values that end the stage.
    stops: Vec<*const u8>,
    /// What the best version is chosen by, and is it the lowest?
    keep: Option<(usize, bool)>,
}

/// May the steps of a stage be run in bursts: is all that they give a slot, a log, or what ends or chooses?
pub fn fits(program: &Program) -> bool {
    let mut names: Vec<&str> = Vec::new();
    program.sinks.iter().all(|sink| match sink {
        Sink::Slot(_) | Sink::Stop | Sink::Keep => true,
        Sink::Value(name) => {
            let new = !names.contains(&name.as_str());
            names.push(name);
            new
        }
        Sink::Verdict | Sink::Export(_) | Sink::Show(..) => false,
    })
}

impl<'e> Burst<'e> {
    /// On the slots of a version, which holds them again when the burst has ended. Nothing where the program is interpreted.
    ///
    /// # Errors
    /// As [`Pipeline::inputs`].
    pub fn new(
        pipeline: &Pipeline,
        engine: &'e mut Engine,
        version: &mut Version,
        at: Position,
    ) -> Result<Option<Self>, RunError> {
        if !engine.is_compiled() {
            return Ok(None);
        }
        let mut held = pipeline.inputs(&engine.program.sources, version, at)?;
        let sinks = engine.program.sinks.len();
        let watched = engine.watched().to_vec();
        let mut buffers: Vec<HostTensor> = (0..sinks).map(|o| engine.output(o)).collect();
        let (call, program) = engine.parts();
        let Some(call) = call else { return Ok(None) };
        let mut even = call.addresses(&held);
        let mut odd = even.clone();
        let places = |wanted: &Source| -> Vec<usize> {
            let all = program.sources.iter().enumerate();
            all.filter(|s| s.1 == wanted).map(|s| s.0).collect()
        };
        let step = Rc::new(HostTensor::from_i32(&[], &[at.step as i32]));
        for i in places(&Source::Step) {
            even.set_input(i, &step);
            odd.set_input(i, &step);
        }
        let (mut slots, mut others) = (Vec::new(), Vec::new());
        for (output, sink) in program.sinks.iter().enumerate().rev() {
            let mut next = buffers.pop().expect("a buffer for each output");
            call.set_output(&mut even, output, &mut next);
            let Sink::Slot(id) = sink else {
                call.set_output(&mut odd, output, &mut next);
                others.push((output, next));
                continue;
            };
            let read = places(&Source::Slot(*id));
            let value = read.first().map(|&i| held[i].clone());
            // Unless others hold it, it is ours to write to.
            read.iter().for_each(|&i| held[i] = step.clone());
            let (mut now, before) = match version.slots.remove(id) {
                Some(rc) => {
                    drop(value);
                    match Rc::try_unwrap(rc) {
                        Ok(own) => (own, Before::Own),
                        Err(rc) => ((*rc).clone(), Before::Shared(rc)),
                    }
                }
                None => match value {
                    Some(rc) => ((*rc).clone(), Before::Nothing),
                    None => (call.output(output), Before::Nothing),
                },
            };
            for &i in &read {
                even.set_input(i, &now);
                odd.set_input(i, &next);
            }
            call.set_output(&mut odd, output, &mut now);
            slots.push(Written {
                id: *id,
                output,
                even: now,
                odd: next,
                before,
            });
        }
        held.retain(|t| !Rc::ptr_eq(t, &step));
        let mut parts = Vec::new();
        if let Some(b) = at.rows {
            parts.push((None, places(&Source::Rows)));
            for (id, _) in &b.columns {
                parts.push((Some(*id), places(&Source::RowsOf(*id))));
            }
        }
        let step = Rc::into_inner(step).expect("nobody else holds it");
        let mut check = None;
        if !watched.is_empty() {
            let mut number = call.output(program.sinks.len());
            call.set_output(&mut even, program.sinks.len(), &mut number);
            call.set_output(&mut odd, program.sinks.len(), &mut number);
            check = Some((number, Vec::new()));
        }
        let count = call.steps_ahead().max(2);
        let table = |i: usize| {
            let mut table = if i.is_multiple_of(2) {
                even.clone()
            } else {
                odd.clone()
            };
            call.set_step(&mut table, i);
            table
        };
        let tables = (0..count).map(table).collect();
        let mut burst = Self {
            call,
            tables,
            turn: 0,
            steps: 0,
            _held: held,
            slots,
            step,
            parts,
            batch: at.rows.cloned(),
            others,
            watched: Vec::new(),
            check,
            logged: Vec::new(),
            told: Stretch::default(),
            stops: Vec::new(),
            keep: None,
        };
        burst.watch(pipeline, program, &watched);
        Ok(Some(burst))
    }

    /// Looks after each step at what the rules ask to be a number: what is logged first, then the parameters.
    fn watch(&mut self, pipeline: &Pipeline, program: &Program, checked: &[usize]) {
        let buffer = |output: usize| {
            let found = self.others.iter().find(|o| o.0 == output);
            found.map(|o| &o.1)
        };
        let mut moved = Vec::new();
        for (output, sink) in program.sinks.iter().enumerate() {
            let watched = |t: &HostTensor, finite| Watched {
                output,
                len: t.len(),
                dtype: t.dtype(),
                finite,
            };
            match (sink, buffer(output)) {
                (Sink::Value(name), Some(t)) => {
                    self.watched.push(watched(t, false));
                    self.logged.push(Logged {
                        source: t.bytes().as_ptr(),
                        bytes: t.bytes().len(),
                    });
                    self.told.columns.push(Column {
                        name: name.clone(),
                        dtype: t.dtype(),
                        shape: t.shape().to_vec(),
                        bytes: Vec::new(),
                    });
                }
                (Sink::Keep, Some(t)) => self.watched.push(watched(t, false)),
                (Sink::Stop, Some(t)) if !t.is_empty() => self.stops.push(t.bytes().as_ptr()),
                (Sink::Slot(id), _) => {
                    let kind = &pipeline.session.slots()[id.0 as usize].kind;
                    let slot = self.slots.iter().find(|s| s.output == output);
                    if let (SlotKind::Param, Some(slot)) = (kind, slot) {
                        moved.push(watched(&slot.even, true));
                    }
                }
                _ => {}
            }
        }
        self.watched.append(&mut moved);
        self.watched.retain(|w| w.dtype.is_real());
        if let Some((_, behind)) = &mut self.check {
            // What the check speaks for is parameters, which come last.
            let all = std::mem::take(&mut self.watched);
            let (large, rest) = all
                .into_iter()
                .partition(|w| w.finite && checked.contains(&w.output));
            (*behind, self.watched) = (large, rest);
        }
    }

    /// Tells of the steps from here on: the number of the first, its epoch, and whether each is an epoch.
    pub fn tell(&mut self, step: usize, epoch: usize, each: bool) {
        self.told = Stretch {
            step,
            epoch,
            each,
            ..std::mem::take(&mut self.told)
        };
    }

    /// Compares what the best version of a stage is chosen by, if its step gives it.
    pub fn keep(&mut self, plan: &TrainPlan) {
        let Some(keep) = &plan.keep else { return };
        let by = |sink: &Sink| match (sink, &keep.log) {
            (Sink::Keep, None) => true,
            (Sink::Value(name), Some(log)) => name == log,
            _ => false,
        };
        let output = plan.step.sinks.iter().position(by);
        let at = output.and_then(|o| self.others.iter().position(|t| t.0 == o));
        self.keep = at.map(|at| (at, keep.lowest));
    }

    /// Runs steps. `next` gives the batch of each but the first.
    pub fn run(
        &mut self,
        limits: &Limits,
        mut next: impl FnMut() -> Result<Option<Rc<Batch>>, RunError>,
    ) -> Pause {
        for (c, l) in self.told.columns.iter_mut().zip(&self.logged) {
            c.bytes.reserve(l.bytes * limits.most);
        }
        let batched = !self.parts.is_empty();
        let pause = loop {
            self.step();
            if let Some(output) = self.wrong() {
                break Pause::Wrong(output);
            }
            self.log();
            self.accept();
            if self.stops() {
                break Pause::Stop;
            }
            if let Some(value) = self.better(limits.best) {
                break Pause::Better(value);
            }
            if self.steps >= limits.most || limits.stop.is_some_and(StopFlag::is_set) {
                break Pause::Done;
            }
            if batched {
                match next() {
                    Ok(Some(batch)) => self.set_batch(batch),
                    Ok(None) => {}
                    Err(e) => break Pause::Failed(e),
                }
            }
        };
        self.told.steps = self.steps;
        pause
    }

    /// Has the next step use a batch, of as many rows as the first.
    pub fn set_batch(&mut self, batch: Rc<Batch>) {
        for (part, places) in &self.parts {
            let now = match part {
                None => Some(&batch.rows),
                Some(id) => batch.columns.iter().find(|c| c.0 == *id).map(|c| &c.1),
            };
            let Some(now) = now else { continue };
            for table in &mut self.tables {
                places.iter().for_each(|&i| table.set_input(i, now));
            }
        }
        self.batch = Some(batch);
    }

    /// One step.
    #[inline]
    pub fn step(&mut self) {
        if self.turn == 0 {
            self.call.look_ahead(&self.tables[0]);
        }
        // SAFETY: all tensors are held by `self`, whose buffers do not move; the slots' two buffers are distinct, and no
        // other input or output is one of them.
        unsafe { self.call.run(&self.tables[self.turn]) };
    }

    /// Takes what the last step left: the next one goes on from it.
    #[inline]
    pub fn accept(&mut self) {
        self.turn += 1;
        if self.turn == self.tables.len() {
            self.turn = 0;
        }
        self.steps += 1;
        self.step.as_i32_mut()[0] += 1;
    }

    /// The first result of the last step that is not as it must be.
    #[inline]
    fn wrong(&self) -> Option<usize> {
        let targets = self.tables[self.turn].targets();
        let bad = |w: &&Watched| {
            let at = targets[w.output].cast_const();
            // SAFETY: the output has so many elements of this type, and nothing writes to it now.
            unsafe {
                match w.dtype {
                    DType::F32 if w.finite => {
                        !finite32(std::slice::from_raw_parts(at.cast(), w.len))
                    }
                    DType::F32 => has_nan32(std::slice::from_raw_parts(at.cast(), w.len)),
                    _ if w.finite => !finite64(std::slice::from_raw_parts(at.cast(), w.len)),
                    _ => has_nan64(std::slice::from_raw_parts(at.cast(), w.len)),
                }
            }
        };
        let small = self.watched.iter().find(bad);
        let large = match &self.check {
            Some((number, behind)) if !number.as_f32()[0].is_finite() => behind.iter().find(bad),
            _ => None,
        };
        // Of parameters the first is told of; what is logged comes before them.
        let first = [small, large].into_iter().flatten();
        first.min_by_key(|w| (w.finite, w.output)).map(|w| w.output)
    }

    /// Keeps what the last step logs.
    #[inline]
    fn log(&mut self) {
        for (c, l) in self.told.columns.iter_mut().zip(&self.logged) {
            // SAFETY: it is the buffer of an output, which nothing writes to now.
            let entry = unsafe { std::slice::from_raw_parts(l.source, l.bytes) };
            match <&[u8; 4]>::try_from(entry) {
                // A number: copied without a call.
                Ok(number) => c.bytes.extend_from_slice(number),
                Err(_) => c.bytes.extend_from_slice(entry),
            }
        }
    }

    #[inline]
    fn stops(&self) -> bool {
        // SAFETY: they are buffers of outputs of at least one byte.
        self.stops.iter().any(|&s| unsafe { *s } != 0)
    }

    #[inline]
    fn better(&self, best: Option<f64>) -> Option<f64> {
        let (at, lowest) = self.keep?;
        let value = first_number(&self.others[at].1)?;
        let better = |old: f64| if lowest { value < old } else { value > old };
        best.is_none_or(better).then_some(value)
    }

    pub fn end(self) -> Left {
        Left {
            slots: self.slots,
            others: self.others,
            steps: self.steps,
            told: self.told,
            batch: self.batch,
        }
    }
}

impl Left {
    /// The values before the last step, besides those that the version has.
    pub fn before_last(&self, version: &Version) -> Version {
        let mut before = version.clone();
        for w in &self.slots {
            let old = match (self.steps, &w.before) {
                (1, Before::Nothing) => continue,
                (1, Before::Shared(old)) => old.clone(),
                (n, _) if n % 2 == 1 => Rc::new(w.even.clone()),
                _ => Rc::new(w.odd.clone()),
            };
            before.slots.insert(w.id, old);
        }
        before
    }

    /// Gives the version its slots, and the engine the buffers that are left. Also what the steps told.
    pub fn put(self, version: &mut Version, engine: &mut Engine) -> (Stretch, Option<Rc<Batch>>) {
        for w in self.slots {
            let (now, spare) = match self.steps % 2 {
                0 => (w.even, w.odd),
                _ => (w.odd, w.even),
            };
            engine.recycle(w.output, spare);
            let now = match (self.steps, w.before) {
                (0, Before::Nothing) => continue,
                (0, Before::Shared(old)) => old,
                _ => Rc::new(now),
            };
            version.slots.insert(w.id, now);
        }
        for (output, t) in self.others {
            engine.recycle(output, t);
        }
        (self.told, self.batch)
    }
}

/// The first element.
fn first_number(t: &HostTensor) -> Option<f64> {
    match Entry::of(t).number() {
        Some(x) => Some(x),
        None => t.to_f64_vec().first().copied(),
    }
}

/// Elements that are looked at without a branch.
const BLOCK: usize = 1024;

pub(super) fn finite32(values: &[f32]) -> bool {
    let finite = |b: &[f32]| b.iter().fold(true, |all, x| all & x.is_finite());
    values.chunks(BLOCK).all(finite)
}

pub(super) fn finite64(values: &[f64]) -> bool {
    let finite = |b: &[f64]| b.iter().fold(true, |all, x| all & x.is_finite());
    values.chunks(BLOCK).all(finite)
}

pub(super) fn has_nan32(values: &[f32]) -> bool {
    let some = |b: &[f32]| b.iter().fold(false, |some, x| some | x.is_nan());
    values.chunks(BLOCK).any(some)
}

pub(super) fn has_nan64(values: &[f64]) -> bool {
    let some = |b: &[f64]| b.iter().fold(false, |some, x| some | x.is_nan());
    values.chunks(BLOCK).any(some)
}
