//! One program, made ready and run.

use super::RunError;
use super::before::{Ahead, Prologue, kinds, steady};
use crate::digest::{Digest, Feed};
use crate::kernels::{self, Clock};
use crate::tensor::{AlignedBytes, DType, HostTensor};
use mlc_compiler::codegen::{self, CodegenError, Compiled, Footprint, Natives, UnitFacts};
use mlc_compiler::interp::{self, Tensor};
use mlc_compiler::ir::{Graph, Type, fingerprint, print};
use mlc_compiler::program::Program;
use mlc_compiler::transform::{
    self, ahead,
    finite::watch,
    hoist,
    lift::{Constant, lift},
};
use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Instant;

/// How programs are run.
#[derive(Clone, Default)]
pub struct EngineOptions {
    /// By the reference interpreter instead of machine code.
    pub interpret: bool,
    /// Passes that are left out.
    pub disabled: Vec<String>,
    /// The most memory one program's intermediate values may take, in bytes.
    pub max_memory: Option<usize>,
}

impl EngineOptions {
    pub(super) fn natives(&self) -> Natives {
        Natives {
            fuses: !self.disables(transform::FUSE),
            ..kernels::natives()
        }
    }

    fn disables(&self, pass: &str) -> bool {
        self.disabled.iter().any(|d| d == pass)
    }
}

/// What making a program ready took.
#[derive(Clone, Debug, Default)]
pub struct Compilation {
    pub milliseconds: f64,
    pub nodes: usize,
    pub kernels: usize,
    /// Values that are computed once, before the steps, and those that are computed for several steps at once.
    pub hoisted: usize,
    pub ahead: usize,
    pub bytes_planned: usize,
    /// How near that is to the least.
    pub footprint: Footprint,
    /// Milliseconds of each pass, of planning the units, and of writing machine code.
    pub passes: Vec<(&'static str, f64)>,
}

/// A program ready to run.
pub struct Engine {
    pub program: Program,
    pub compilation: Compilation,
    /// Was machine code made, and not found?
    pub made: bool,
    /// Large outputs for which machine code gives one more output: it is finite if they are.
    watched: Vec<usize>,
    code: Code,
}

/// Machine code made so far, by what identifies the optimised graph. The latest stay.
#[derive(Default)]
pub struct Memo(RefCell<VecDeque<(Digest, Rc<Compiled>)>>);

impl Memo {
    /// The code of a graph, and whether it was made and not found.
    fn code(&self, graph: &Graph, natives: Natives) -> Result<(Rc<Compiled>, bool), CodegenError> {
        let mut f = Feed::default();
        fingerprint::feed(graph, &mut f);
        let key = f.digest();
        if let Some(found) = self.get(key) {
            return Ok((found, false));
        }
        let compiled = Rc::new(codegen::compile(graph, natives)?);
        self.put(key, compiled.clone());
        Ok((compiled, true))
    }

    const MOST: usize = 64;

    fn get(&self, key: Digest) -> Option<Rc<Compiled>> {
        let known = self.0.borrow();
        known.iter().find(|k| k.0 == key).map(|k| k.1.clone())
    }

    fn put(&self, key: Digest, code: Rc<Compiled>) {
        let mut known = self.0.borrow_mut();
        if known.len() == Self::MOST {
            known.pop_front();
        }
        known.push_back((key, code));
    }
}

enum Code {
    Interpreted(Box<Graph>),
    Compiled(Box<Machine>),
}

/// Machine code with its memory.
struct Machine {
    compiled: Rc<Compiled>,
    /// What the code takes after the program's own inputs.
    constants: Vec<Rc<HostTensor>>,
    /// And what computes more of it.
    prologue: Option<Prologue>,
    /// And what computes for several steps at once what depends on their numbers only.
    ahead: Option<Ahead>,
    arena: AlignedBytes,
    types: Vec<Type>,
    /// Buffers for the outputs of the next run, by output.
    spare: Vec<Option<HostTensor>>,
}

impl Engine {
    /// Runs the passes, and makes machine code, or finds it. With `lifted`, programs that differ in constants only have the
    /// same.
    ///
    /// # Errors
    /// If the program needs more memory than is allowed.
    pub fn new(
        program: Program,
        options: &EngineOptions,
        memo: &Memo,
        lifted: bool,
    ) -> Result<Self, RunError> {
        let code = |graph: &Graph| memo.code(graph, options.natives());
        Self::make(program, options, lifted, None, code)
    }

    /// The same for a step, which is run again and again: what does not change is computed before. Of these outputs it is to be
    /// asked after each run whether they are finite.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn watching(
        program: Program,
        options: &EngineOptions,
        memo: &Memo,
        lifted: bool,
        outputs: &[usize],
    ) -> Result<Self, RunError> {
        let code = |graph: &Graph| memo.code(graph, options.natives());
        Self::make(program, options, lifted, Some(outputs), code)
    }

    /// The same as either, by machine code that calls a clock between its units, and what these are. The clock must outlive it.
    ///
    /// # Errors
    /// As [`Engine::new`].
    pub fn clocked(
        program: Program,
        options: &EngineOptions,
        [lifted, step]: [bool; 2],
        clock: &Clock,
    ) -> Result<(Self, Vec<UnitFacts>), RunError> {
        let mut units = Vec::new();
        let watched: Option<&[usize]> = step.then_some(&[]);
        let engine = Self::make(program, options, lifted, watched, |graph| {
            let (compiled, facts) =
                codegen::compile_clocked(graph, options.natives(), clock.address())?;
            units = facts;
            Ok((Rc::new(compiled), true))
        })?;
        Ok((engine, units))
    }

    /// `code` gives the machine code of a graph, and whether it made it; `watched` of a step, its outputs that must be finite.
    fn make(
        program: Program,
        options: &EngineOptions,
        lifted: bool,
        watched: Option<&[usize]>,
        code: impl FnOnce(&Graph) -> Result<(Rc<Compiled>, bool), CodegenError>,
    ) -> Result<Self, RunError> {
        let start = Instant::now();
        let (mut graph, passes) =
            transform::optimise_timed(program.graph.clone(), &options.disabled);
        let mut constants = Vec::new();
        if lifted && !options.interpret {
            let lifted = lift(&graph);
            graph = lifted.graph;
            constants = lifted.constants;
        }
        let outputs = watched.unwrap_or_default();
        let hoists = watched.is_some() && !lifted && !options.interpret;
        let watched = match options.interpret {
            true => Vec::new(),
            false => watch(&mut graph, outputs),
        };
        let mut prologue = None;
        if hoists
            && !options.disables(hoist::NAME)
            && let Some(split) = hoist::hoist(&graph, &steady(&program))
        {
            prologue = Some(Prologue::new(&program, &split.prologue, options.natives())?);
            graph = split.step;
        }
        let mut block = None;
        if hoists
            && !options.disables(ahead::NAME)
            && let Some(split) = ahead::ahead(&graph, &kinds(&program, graph.inputs.len()))
        {
            block = Some(Ahead::new(&program, split.block, options)?);
            graph = split.step;
        }
        let mut made = true;
        let live = print::live(&graph);
        let mut compilation = Compilation {
            nodes: live.len(),
            hoisted: prologue.as_ref().map_or(0, Prologue::len),
            ahead: block.as_ref().map_or(0, Ahead::len),
            passes: passes.into_iter().map(|p| (p.0, p.1 * 1e3)).collect(),
            ..Compilation::default()
        };
        let code = if options.interpret {
            compilation.bytes_planned = live.iter().map(|&v| graph.ty(v).bytes()).sum();
            check_memory(&program.name, compilation.bytes_planned, options)?;
            Code::Interpreted(Box::new(graph))
        } else {
            let (compiled, new) = code(&graph).map_err(refused(&program))?;
            made = new;
            if made {
                let [plan, code] = compiled.seconds;
                compilation
                    .passes
                    .extend([("plan", plan * 1e3), ("machine-code", code * 1e3)]);
            }
            compilation.kernels = compiled.kernels;
            compilation.bytes_planned = compiled.arena_bytes;
            compilation.footprint = compiled.footprint;
            check_memory(&program.name, compilation.bytes_planned, options)?;
            let types: Vec<Type> = graph
                .outputs
                .iter()
                .map(|o| graph.ty(o.1).clone())
                .collect();
            Code::Compiled(Box::new(Machine {
                arena: AlignedBytes::zeros(compiled.arena_bytes),
                compiled,
                constants: constants.into_iter().map(constant).collect(),
                prologue,
                ahead: block,
                spare: types.iter().map(|_| None).collect(),
                types,
            }))
        };
        compilation.milliseconds = start.elapsed().as_secs_f64() * 1e3;
        Ok(Self {
            program,
            compilation,
            made,
            watched,
            code,
        })
    }

    /// One run. Inputs are in the order of the program's sources, outputs in that of its sinks.
    pub fn run(&mut self, inputs: &[Rc<HostTensor>]) -> Vec<HostTensor> {
        match &mut self.code {
            Code::Interpreted(graph) => {
                let tensors: Vec<Tensor> = inputs.iter().map(|t| to_interpreter(t)).collect();
                interp::eval(graph, &tensors)
                    .iter()
                    .map(from_interpreter)
                    .collect()
            }
            Code::Compiled(machine) => {
                let all = 0..machine.types.len();
                let mut outputs: Vec<HostTensor> = all.map(|o| machine.output(o)).collect();
                let mut call = machine.call();
                let mut addresses = call.addresses(inputs);
                call.look_ahead(&addresses);
                for (i, t) in outputs.iter_mut().enumerate() {
                    call.set_output(&mut addresses, i, t);
                }
                // SAFETY: inputs are parallel to the program's sources, and their tensors have the types of the slots that the
                // graph was built for; outputs are new or were given back, so that nobody else has them.
                unsafe { call.run(&addresses) };
                if !self.watched.is_empty() {
                    outputs.pop();
                }
                outputs
            }
        }
    }

    /// Gives a buffer back that an output may be written to next time.
    pub fn recycle(&mut self, output: usize, tensor: HostTensor) {
        if let Code::Compiled(machine) = &mut self.code
            && machine.types[output].shape == tensor.shape()
            && machine.types[output].dtype == tensor.dtype()
        {
            machine.spare[output] = Some(tensor);
        }
    }
}

/// Code that is called again and again.
pub struct Call<'e> {
    compiled: &'e Compiled,
    arena: &'e mut AlignedBytes,
    types: &'e [Type],
    constants: &'e [Rc<HostTensor>],
    prologue: Option<&'e Prologue>,
    ahead: Option<&'e mut Ahead>,
}

/// The addresses of what code reads and writes.
#[derive(Clone)]
pub struct Addresses {
    /// What the code reads that is no input.
    _hoisted: Rc<Vec<HostTensor>>,
    sources: Vec<*const u8>,
    targets: Vec<*mut u8>,
}

impl Addresses {
    pub fn set_input(&mut self, input: usize, t: &HostTensor) {
        self.sources[input] = t.bytes().as_ptr();
    }

    /// Where the outputs are written to.
    pub fn targets(&self) -> &[*mut u8] {
        &self.targets
    }
}

impl Engine {
    /// Is it machine code that is run?
    pub fn is_compiled(&self) -> bool {
        matches!(self.code, Code::Compiled(_))
    }

    /// The code, to be called again and again, and the program that it is of. No code where that is interpreted.
    pub fn parts(&mut self) -> (Option<Call<'_>>, &Program) {
        let call = match &mut self.code {
            Code::Compiled(machine) => Some(machine.call()),
            Code::Interpreted(_) => None,
        };
        (call, &self.program)
    }

    /// Outputs for which one more, behind all others, says whether they are finite.
    pub fn watched(&self) -> &[usize] {
        &self.watched
    }

    /// A buffer for an output of machine code.
    pub fn output(&mut self, output: usize) -> HostTensor {
        match &mut self.code {
            Code::Compiled(machine) => machine.output(output),
            Code::Interpreted(graph) => {
                let ty = graph.ty(graph.outputs[output].1);
                HostTensor::zeros(ty.dtype, &ty.shape)
            }
        }
    }
}

impl Machine {
    /// A buffer for an output: one that was given back, or a new one.
    fn output(&mut self, output: usize) -> HostTensor {
        let ty = &self.types[output];
        let spare = self.spare[output].take();
        spare.unwrap_or_else(|| HostTensor::zeros(ty.dtype, &ty.shape))
    }

    fn call(&mut self) -> Call<'_> {
        Call {
            compiled: &self.compiled,
            arena: &mut self.arena,
            types: &self.types,
            constants: &self.constants,
            prologue: self.prologue.as_ref(),
            ahead: self.ahead.as_mut(),
        }
    }
}

impl Call<'_> {
    /// The addresses of the inputs, for a step for which [`Call::look_ahead`] has been called; those of outputs are to be set.
    pub fn addresses(&self, inputs: &[Rc<HostTensor>]) -> Addresses {
        let all = inputs.iter().chain(self.constants);
        let hoisted = self.prologue.map(|p| p.values(inputs)).unwrap_or_default();
        let all = all
            .map(|t| t.bytes())
            .chain(hoisted.iter().map(|t| t.bytes()));
        let rows = self.ahead.iter().flat_map(|a| a.rows(0));
        Addresses {
            sources: all.map(<[u8]>::as_ptr).chain(rows).collect(),
            _hoisted: hoisted.clone(),
            targets: vec![std::ptr::null_mut(); self.types.len()],
        }
    }

    /// For how many steps one call of [`Call::look_ahead`] is enough.
    pub fn steps_ahead(&self) -> usize {
        match self.ahead {
            Some(_) => ahead::STEPS,
            None => 1,
        }
    }

    /// Has the addresses be those of the `nth` step after one for which [`Call::look_ahead`] was called.
    pub fn set_step(&self, addresses: &mut Addresses, nth: usize) {
        if let Some(a) = &self.ahead {
            let first = addresses.sources.len() - a.len();
            let rows = a.rows(nth);
            addresses.sources[first..]
                .iter_mut()
                .zip(rows)
                .for_each(|(s, row)| *s = row);
        }
    }

    /// Computes what is computed before a step, whose addresses these are, and for those behind it.
    pub fn look_ahead(&mut self, addresses: &Addresses) {
        if let Some(a) = &mut self.ahead {
            a.compute(&addresses.sources);
        }
    }

    /// A tensor of an output's type.
    pub fn output(&self, output: usize) -> HostTensor {
        HostTensor::zeros(self.types[output].dtype, &self.types[output].shape)
    }

    pub fn set_output(&self, addresses: &mut Addresses, output: usize, t: &mut HostTensor) {
        assert!(
            t.dtype() == self.types[output].dtype && t.shape() == self.types[output].shape,
            "internal error: an output has another type"
        );
        addresses.targets[output] = t.bytes_mut().as_mut_ptr();
    }

    /// Runs the code.
    ///
    /// # Safety
    /// The tensors at these addresses are alive and have not moved, none of the outputs is an input or another output, and
    /// each input has the type of the program's.
    #[inline]
    pub unsafe fn run(&mut self, addresses: &Addresses) {
        debug_assert!(addresses.targets.iter().all(|t| !t.is_null()));
        let arena = self.arena.as_mut_slice().as_mut_ptr();
        // SAFETY: as promised; the arena has the size that the code asked for.
        unsafe {
            self.compiled
                .call(&addresses.sources, &addresses.targets, arena);
        }
    }
}

fn constant(c: Constant) -> Rc<HostTensor> {
    Rc::new(match c {
        Constant::Real(x, DType::F64) => HostTensor::from_f64(&[], &[x]),
        Constant::Real(x, _) => HostTensor::from_f32(&[], &[x as f32]),
        Constant::Site(s) => {
            HostTensor::from_i32(&[2], &[s as u32 as i32, (s >> 32) as u32 as i32])
        }
    })
}

/// Why a program has no code.
pub(super) fn refused(program: &Program) -> impl Fn(CodegenError) -> RunError {
    let name = program.name.clone();
    move |e| RunError::Environment(format!("cannot compile `{name}`: {e}"))
}

fn check_memory(name: &str, bytes: usize, options: &EngineOptions) -> Result<(), RunError> {
    match options.max_memory {
        Some(max) if bytes > max => Err(RunError::Environment(format!(
            "the program `{name}` needs {} MB for its intermediate values, more than the {} MB allowed",
            bytes >> 20,
            max >> 20
        ))),
        _ => Ok(()),
    }
}

pub(super) fn to_interpreter(t: &HostTensor) -> Tensor {
    Tensor::new(
        mlc_compiler::ir::Type::new(t.dtype(), t.shape().to_vec()),
        t.to_f64_vec(),
    )
}

pub(super) fn from_interpreter(t: &Tensor) -> HostTensor {
    let v = t.values();
    let shape = &t.ty.shape;
    match t.ty.dtype {
        DType::F32 => HostTensor::from_f32(shape, &v.iter().map(|&x| x as f32).collect::<Vec<_>>()),
        DType::F64 => HostTensor::from_f64(shape, &v),
        DType::I32 => HostTensor::from_i32(shape, &v.iter().map(|&x| x as i32).collect::<Vec<_>>()),
        DType::Bool => {
            HostTensor::from_bool(shape, &v.iter().map(|&x| x != 0.0).collect::<Vec<_>>())
        }
    }
}
