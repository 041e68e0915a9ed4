//! The program being built, and the slots it reads and writes.

use crate::ir::{Attr, Graph, Type, Value};
use crate::ops;
use crate::program::{Program, Sink, SlotId, Source};
use std::collections::HashMap;

/// A graph under construction with what it is connected to.
#[derive(Default, Clone)]
pub struct Ctx {
    pub name: String,
    pub graph: Graph,
    pub sources: Vec<Source>,
    pub sinks: Vec<Sink>,
    inputs: HashMap<InputKey, Value>,
    /// Slots that this program has given a new value so far, in order of first writing.
    pub written: Vec<SlotId>,
    current: HashMap<SlotId, Value>,
    /// Kept values of parameters with a support, and what they stand for.
    pub constrained: HashMap<Value, Value>,
    /// Nodes that a `tap` made: a name for one of them is not a binding of its own.
    pub tapped: std::collections::HashSet<Value>,
    /// What distributions sites drew these values from.
    pub origins: HashMap<Value, super::models::Origin>,
    /// Counts bindings and lanes, which must stay distinct.
    pub fresh: u32,
    pub rows: Option<Value>,
    /// Has an `expect` given an estimate?
    pub estimated: bool,
    /// Is a log weight the logarithm of an estimate?
    pub log_estimated: bool,
    /// Of estimates, by number, the log weights that they are sums of.
    pub log_terms: HashMap<u32, crate::transform::kinds::Terms>,
}

#[derive(Clone, PartialEq, Eq, Hash)]
enum InputKey {
    Seed,
    Step,
    RowsOf(SlotId),
    Slot(SlotId),
    StageSlot(usize, SlotId),
    Log(usize, String),
}

impl Ctx {
    pub fn new(name: impl Into<String>) -> Self {
        let mut ctx = Self {
            name: name.into(),
            ..Self::default()
        };
        ctx.graph.own_draws = true;
        ctx
    }

    fn bound(&mut self, key: InputKey, name: &str, ty: Type, source: Source) -> Value {
        if let Some(&v) = self.inputs.get(&key) {
            return v;
        }
        let v = self.graph.input(name, ty);
        self.sources.push(source);
        self.inputs.insert(key, v);
        v
    }

    /// The run's seed, `int[2]`.
    pub fn seed(&mut self) -> Value {
        let ty = Type::new(crate::ir::DType::I32, vec![2]);
        self.bound(InputKey::Seed, "seed", ty, Source::Seed)
    }

    /// The step counter; constant 0 where nothing is counted.
    pub fn step_counter(&mut self, counted: bool) -> Value {
        let ty = Type::scalar(crate::ir::DType::I32);
        if counted {
            self.bound(InputKey::Step, "step", ty, Source::Step)
        } else {
            self.graph.fill(crate::ir::Literal::Int(0), ty)
        }
    }

    /// The rows of this batch.
    pub fn batch_rows(&mut self, n: usize) -> Value {
        if let Some(v) = self.rows {
            return v;
        }
        let v = self
            .graph
            .input("rows", Type::new(crate::ir::DType::I32, vec![n]));
        self.sources.push(Source::Rows);
        self.rows = Some(v);
        v
    }

    /// The rows of this batch of a slot on disk.
    pub fn rows_of(&mut self, id: SlotId, name: &str, ty: Type) -> Value {
        self.bound(InputKey::RowsOf(id), name, ty, Source::RowsOf(id))
    }

    /// The slot's value at this point of the program.
    pub fn read(&mut self, id: SlotId, name: &str, ty: &Type) -> Value {
        if let Some(&v) = self.current.get(&id) {
            return v;
        }
        self.bound(InputKey::Slot(id), name, ty.clone(), Source::Slot(id))
    }

    /// The slot's value as a finished stage left it.
    pub fn read_stage(&mut self, stage: usize, id: SlotId, name: &str, ty: &Type) -> Value {
        self.bound(
            InputKey::StageSlot(stage, id),
            name,
            ty.clone(),
            Source::StageSlot(stage, id),
        )
    }

    /// The entries of a finished stage's log.
    pub fn read_log(&mut self, stage: usize, name: &str, ty: Type) -> Value {
        let key = InputKey::Log(stage, name.to_string());
        self.bound(key, name, ty, Source::StageLog(stage, name.to_string()))
    }

    /// Gives the slot a new value, seen by what follows.
    pub fn write(&mut self, id: SlotId, value: Value) {
        if self.current.insert(id, value).is_none() {
            self.written.push(id);
        }
    }

    /// A new identity node on `v`, so that a derivative can be taken with respect to this very binding.
    pub fn bind(&mut self, v: Value) -> Value {
        self.fresh += 1;
        let id = Attr::Id(self.fresh);
        self.graph.add(&ops::BIND, id, &[v])
    }

    /// A stand-in for one lane of a `for`.
    pub fn lane(&mut self, ty: Type) -> Value {
        self.fresh += 1;
        let attr = Attr::Placeholder(self.fresh, ty);
        self.graph.add(&ops::LANE, attr, &[])
    }

    /// Adds a named result.
    pub fn value(&mut self, name: &str, v: Value) {
        self.graph.outputs.push((name.to_string(), v));
        self.sinks.push(Sink::Value(name.to_string()));
    }

    /// Adds a result for the driver.
    pub fn sink(&mut self, name: &str, v: Value, sink: Sink) {
        self.graph.outputs.push((name.to_string(), v));
        self.sinks.push(sink);
    }

    /// The finished program: written slots become outputs.
    pub fn finish(mut self, name_of: impl Fn(SlotId) -> String) -> Program {
        for id in std::mem::take(&mut self.written) {
            let v = self.current[&id];
            self.graph.outputs.push((name_of(id), v));
            self.sinks.push(Sink::Slot(id));
        }
        self.graph.own_draws = false;
        Program {
            name: self.name,
            graph: self.graph,
            sources: self.sources,
            sinks: self.sinks,
        }
    }
}
