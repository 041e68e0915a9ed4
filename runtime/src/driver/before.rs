//! What is computed before steps: once, or for several steps at once.

use super::RunError;
use super::engine::{EngineOptions, refused};
use crate::tensor::{AlignedBytes, HostTensor};
use mlc_compiler::codegen::{self, Compiled, Natives};
use mlc_compiler::ir::{Attr, Graph, Type, print};
use mlc_compiler::program::{Program, Sink, SlotId, Source};
use mlc_compiler::transform::{
    self,
    ahead::{self, Input},
};
use std::cell::RefCell;
use std::rc::Rc;

/// By input of a step's program: whether it stays the same as long as no other program writes it.
pub(super) fn steady(program: &Program) -> Vec<bool> {
    let written = |id: &SlotId| {
        let mut sinks = program.sinks.iter();
        sinks.any(|s| matches!(s, Sink::Slot(w) if w == id))
    };
    let steady = |s: &Source| match s {
        Source::Slot(id) => !written(id),
        Source::StageSlot(..) | Source::StageLog(..) => true,
        _ => false,
    };
    program.sources.iter().map(steady).collect()
}

/// By input of a step's graph, of which there are `count`: what it is to steps that follow one another.
pub(super) fn kinds(program: &Program, count: usize) -> Vec<Input> {
    let kind = |(s, steady): (&Source, bool)| match s {
        Source::Step => Input::Step,
        Source::Seed => Input::Steady,
        _ if steady => Input::Steady,
        _ => Input::Other,
    };
    let own = program.sources.iter().zip(steady(program)).map(kind);
    // Behind these comes what the prologue computes.
    let mut kinds: Vec<Input> = own.collect();
    kinds.resize(count, Input::Steady);
    kinds
}

/// What is computed for several steps at once; see [`mlc_compiler::transform::ahead`].
pub(super) struct Ahead {
    compiled: Compiled,
    arena: AlignedBytes,
    /// Where the number of the step is among the inputs.
    step: usize,
    /// The numbers of the steps.
    numbers: HostTensor,
    /// By output: a row for each step.
    values: Vec<AlignedBytes>,
    /// Bytes of a row.
    strides: Vec<usize>,
    targets: Vec<*mut u8>,
    sources: Vec<*const u8>,
}

impl Ahead {
    pub(super) fn new(
        program: &Program,
        block: Graph,
        options: &EngineOptions,
    ) -> Result<Self, RunError> {
        let block = transform::optimise(block, &options.disabled);
        let compiled = codegen::compile(&block, options.natives()).map_err(refused(program))?;
        let bytes: Vec<usize> = block
            .outputs
            .iter()
            .map(|o| block.ty(o.1).bytes())
            .collect();
        // Behind the last row there is room for a vector.
        let mut values: Vec<AlignedBytes> =
            bytes.iter().map(|n| AlignedBytes::zeros(n + 64)).collect();
        Ok(Self {
            arena: AlignedBytes::zeros(compiled.arena_bytes),
            compiled,
            step: program
                .sources
                .iter()
                .position(|s| *s == Source::Step)
                .expect("something depends on it"),
            numbers: HostTensor::from_i32(&[ahead::STEPS], &[0; ahead::STEPS]),
            strides: bytes.iter().map(|n| n / ahead::STEPS).collect(),
            targets: values
                .iter_mut()
                .map(|v| v.as_mut_slice().as_mut_ptr())
                .collect(),
            values,
            sources: Vec::new(),
        })
    }

    /// How many values there are.
    pub(super) fn len(&self) -> usize {
        self.strides.len()
    }

    /// The addresses of what is known of a step, the `nth` of those that were computed together.
    pub(super) fn rows(&self, nth: usize) -> impl Iterator<Item = *const u8> {
        let rows = self.values.iter().zip(&self.strides);
        rows.map(move |(v, stride)| v.as_slice()[nth * stride..].as_ptr())
    }

    /// Computes a row for a step and each behind it. `sources`: the inputs of the step.
    #[inline]
    pub(super) fn compute(&mut self, sources: &[*const u8]) {
        // SAFETY: the input is the number of a step, which nobody writes to now.
        let first = unsafe { *sources[self.step].cast::<i32>() };
        for (i, n) in self.numbers.as_i32_mut().iter_mut().enumerate() {
            *n = first.wrapping_add(i as i32);
        }
        self.sources.clear();
        self.sources.extend_from_slice(sources);
        self.sources[self.step] = self.numbers.bytes().as_ptr();
        let arena = self.arena.as_mut_slice().as_mut_ptr();
        // SAFETY: the inputs are those of the step, but for its number, and have the types of the program's; the outputs and the
        // arena are its own and have the sizes that the code asked for.
        unsafe { self.compiled.call(&self.sources, &self.targets, arena) };
    }
}

/// What is computed before steps, from inputs that they do not change.
pub(super) struct Prologue {
    compiled: Compiled,
    types: Vec<Type>,
    /// The inputs that it reads.
    reads: Vec<usize>,
    last: RefCell<Option<Hoisted>>,
}

/// What was computed last, and from what.
struct Hoisted {
    from: Vec<Rc<HostTensor>>,
    values: Rc<Vec<HostTensor>>,
}

impl Prologue {
    pub(super) fn new(
        program: &Program,
        graph: &Graph,
        natives: Natives,
    ) -> Result<Self, RunError> {
        let compiled = codegen::compile(graph, natives).map_err(refused(program))?;
        let reads = print::live(graph).into_iter();
        let reads = reads.filter_map(|v| match graph.node(v).attr {
            Attr::Input(i, _) => Some(i as usize),
            _ => None,
        });
        Ok(Self {
            compiled,
            reads: reads.collect(),
            types: graph
                .outputs
                .iter()
                .map(|o| graph.ty(o.1).clone())
                .collect(),
            last: RefCell::default(),
        })
    }

    /// How many values there are.
    pub(super) fn len(&self) -> usize {
        self.types.len()
    }

    /// Its values for these inputs. They are kept, with what they were computed from, which so cannot change.
    pub(super) fn values(&self, inputs: &[Rc<HostTensor>]) -> Rc<Vec<HostTensor>> {
        let from: Vec<Rc<HostTensor>> = self.reads.iter().map(|&i| inputs[i].clone()).collect();
        let mut last = self.last.borrow_mut();
        if let Some(h) = &*last
            && h.from.iter().zip(&from).all(|(a, b)| Rc::ptr_eq(a, b))
        {
            return h.values.clone();
        }
        let new = |ty: &Type| HostTensor::zeros(ty.dtype, &ty.shape);
        let mut values: Vec<HostTensor> = self.types.iter().map(new).collect();
        let sources: Vec<*const u8> = inputs.iter().map(|t| t.bytes().as_ptr()).collect();
        let targets: Vec<*mut u8> = values
            .iter_mut()
            .map(|t| t.bytes_mut().as_mut_ptr())
            .collect();
        let mut arena = AlignedBytes::zeros(self.compiled.arena_bytes);
        // SAFETY: it has the inputs of the step, whose types these are; the outputs are new, and the arena has the size asked for.
        unsafe {
            self.compiled
                .call(&sources, &targets, arena.as_mut_slice().as_mut_ptr());
        }
        let values = Rc::new(values);
        *last = Some(Hoisted {
            from,
            values: values.clone(),
        });
        values
    }
}
