//! Units as Cranelift code.

mod define;
mod fused;
mod linalg;
pub(super) mod loops;
mod panels;
mod single;
mod wide;

use super::clock::Clocked;
use super::memory::{self, Constants, Footprint, Memory, Place};
use super::nest::Nest;
use super::plan::{Plan, Unit};
use super::{CodegenError, Compiled, Entry, Natives};
use crate::ir::{DType, Graph, Value, print};
use crate::ops::{Kernel, Monoid};
use cranelift::codegen::Context;
use cranelift::codegen::ir::{MemFlagsData, SigRef, Signature};
use cranelift::prelude::{
    self as cl, AbiParam, FunctionBuilder, FunctionBuilderContext, InstBuilder, types,
};
use cranelift_jit::JITModule;
use cranelift_module::{FuncId, Linkage, Module};
use std::collections::HashMap;

/// Units in one function.
const STRETCH: usize = 64;

/// A function being written.
struct Emit<'a, 'b> {
    g: &'a Graph,
    natives: Natives,
    b: FunctionBuilder<'b>,
    m: &'a mut Memory,
    bases: HashMap<Place, cl::Value>,
    /// Addresses of the inputs' addresses, of the outputs' addresses, and of the arena.
    arguments: [cl::Value; 3],
    /// By number of arguments: native kernels take only words.
    signatures: HashMap<usize, SigRef>,
    entry: cl::Block,
    /// In the loop of a chain: where its panels are in the memory of this thread, and the first row of the panel that it is at.
    panel: Option<[cl::Value; 2]>,
    /// Native kernels that were asked for since the present unit began.
    asked: Vec<String>,
}

/// How an element type is named in the names of native kernels.
fn suffix(dtype: DType) -> &'static str {
    match dtype {
        DType::F32 => "f32",
        DType::F64 => "f64",
        DType::I32 => "i32",
        DType::Bool => "bool",
    }
}

/// How a reduction is named in the names of native kernels.
fn monoid_name(m: Monoid) -> &'static str {
    match m {
        Monoid::Sum => "sum",
        Monoid::Prod => "prod",
        Monoid::Max => "max",
        Monoid::Min => "min",
        Monoid::Any => "any",
        Monoid::All => "all",
    }
}

/// The functions of a program being made: its own, those of the parts of its nests, those of the bodies of its loops.
struct Functions<'n> {
    module: JITModule,
    natives: Natives,
    /// Those that are written and wait to be compiled.
    waiting: Vec<Waiting>,
    /// If its units are timed.
    clocked: Option<&'n Clocked>,
    /// What the code refers to by address.
    constants: Vec<Constants>,
    kernels: usize,
    /// Graphs written: names are distinct.
    graphs: usize,
}

/// The function of a graph.
struct Written {
    id: FuncId,
    footprint: Footprint,
}

/// Writes and finishes the function of a graph.
pub fn function(
    g: &Graph,
    plan: &Plan,
    natives: Natives,
    clocked: Option<&Clocked>,
    module: JITModule,
) -> Result<Compiled, CodegenError> {
    let mut functions = Functions {
        module,
        natives,
        waiting: vec![],
        clocked,
        constants: vec![],
        kernels: 0,
        graphs: 0,
    };
    let written = functions.graph(g, plan)?;
    let Functions {
        mut module,
        waiting,
        constants,
        kernels,
        ..
    } = functions;
    define::define(&mut module, waiting)?;
    module
        .finalize_definitions()
        .map_err(|e| CodegenError(format!("code generator: {e}")))?;
    let code = module.get_finalized_function(written.id);
    // SAFETY: the function was declared with three words as parameters and no result, in the C calling convention of
    // this machine.
    let entry = unsafe { std::mem::transmute::<*const u8, Entry>(code) };
    Ok(Compiled {
        entry,
        arena_bytes: written.footprint.arena_bytes,
        footprint: written.footprint,
        kernels,
        seconds: [0.0; 2],
        module: Some(module),
        _constants: constants,
    })
}

/// Sizes of the scratch buffers of a unit. `links`: of a chain. `layout`: of a loop.
fn scratch_bytes(
    g: &Graph,
    unit: &Unit,
    nest: &Nest,
    links: &[Nest],
    layout: Option<&loops::Layout>,
    natives: Natives,
) -> Vec<usize> {
    match (layout, &unit.panels) {
        (Some(layout), _) => vec![layout.bytes],
        (_, Some(panels)) => panels::scratch_bytes(g, panels, links),
        _ if unit.fused => nest.scratch_bytes(g),
        _ => single::scratch_bytes(g, unit.nodes[0], natives),
    }
}

/// Adds the footprints of a graph, those of the bodies of its loops first, without writing code. Gives the bytes of its arena.
pub fn footprints(g: &Graph, natives: Natives, all: &mut Vec<Footprint>) -> usize {
    let plan = super::plan::plan_as(g, &print::live(g), natives.fuses);
    let (mut nests, mut scratch) = (Vec::new(), Vec::new());
    for unit in &plan.units {
        let nest = Nest::new(g, unit, &plan.kept, natives.wide);
        let layout = loops::loop_of(g, unit)
            .map(|l| loops::Layout::new(l, footprints(&l.body, natives, all)));
        let links = Nest::of_links(g, unit, &plan.kept, natives.wide);
        let layout = layout.as_ref();
        scratch.push(scratch_bytes(g, unit, &nest, &links, layout, natives));
        nests.push(nest);
    }
    let memory = memory::assign(g, &plan, &nests, &scratch);
    all.push(memory.footprint);
    memory.footprint.arena_bytes
}

impl Functions<'_> {
    /// Writes the functions of a graph; those of the bodies of its loops first.
    fn graph(&mut self, g: &Graph, plan: &Plan) -> Result<Written, CodegenError> {
        let mut bodies: HashMap<usize, (Written, loops::Layout)> = HashMap::new();
        for (i, unit) in plan.units.iter().enumerate() {
            if let Some(l) = loops::loop_of(g, unit) {
                let live = print::live(&l.body);
                let plan = super::plan::plan_as(&l.body, &live, self.natives.fuses);
                let body = self.graph(&l.body, &plan)?;
                let layout = loops::Layout::new(l, body.footprint.arena_bytes);
                bodies.insert(i, (body, layout));
            }
        }
        self.graphs += 1;
        let number = self.graphs;
        let (first_unit, clocked) = (self.kernels, self.clocked);
        self.kernels += plan.units.len();
        let nests: Vec<Nest> = plan
            .units
            .iter()
            .map(|u| Nest::new(g, u, &plan.kept, self.natives.wide))
            .collect();
        let links: Vec<Vec<Nest>> = plan
            .units
            .iter()
            .map(|u| Nest::of_links(g, u, &plan.kept, self.natives.wide))
            .collect();
        let scratch: Vec<Vec<usize>> = plan
            .units
            .iter()
            .zip(&nests)
            .enumerate()
            .map(|(i, (u, l))| {
                let layout = bodies.get(&i).map(|b| &b.1);
                scratch_bytes(g, u, l, &links[i], layout, self.natives)
            })
            .collect();
        let mut m = memory::assign(g, plan, &nests, &scratch);
        let (module, waiting, natives) = (&mut self.module, &mut self.waiting, self.natives);
        let mut loops_of = |module: &mut JITModule, name: String, unit: &Unit, nest: &Nest| {
            let written = nest.wide && nest.rows * nest.columns > 0;
            written
                .then(|| wide::Loops::write(module, &name, g, unit, nest, &plan.kept, &mut m))
                .transpose()
        };
        let mut loops: Vec<Option<wide::Loops>> = Vec::new();
        let mut loops_of_links: Vec<Vec<Option<wide::Loops>>> = Vec::new();
        for (i, (unit, nest)) in plan.units.iter().zip(&nests).enumerate() {
            let name = format!("graph_{number}_unit_{i}_loops");
            loops.push(loops_of(module, name, unit, nest)?);
            let chain = unit.panels.iter().flat_map(|p| &p.links);
            let of_links = chain.zip(&links[i]).enumerate().map(|(j, (link, nest))| {
                let name = format!("graph_{number}_unit_{i}_link_{j}_loops");
                loops_of(module, name, link, nest)
            });
            loops_of_links.push(of_links.collect::<Result<_, _>>()?);
        }

        // Units that are divided among threads are functions of their own, of the three words and the number of the part.
        let mut parts: HashMap<usize, FuncId> = HashMap::new();
        for (i, (unit, nest)) in plan.units.iter().zip(&nests).enumerate() {
            if nest.parts > 1 || unit.panels.is_some() {
                let name = format!("graph_{number}_unit_{i}");
                let written = write(module, &name, 4, g, natives, &mut m, |e, module| {
                    let part = e.b.block_params(e.entry)[3];
                    if let Some(panels) = &unit.panels {
                        let all = loops_of_links[i].iter();
                        let all = all.map(|l| wide::callees(module, l, e.b.func)).collect();
                        return e.part_of_chain(panels, &links[i], i, &plan.kept, all, part);
                    }
                    let callees = wide::callees(module, &loops[i], e.b.func);
                    e.part(unit, nest, i, &plan.kept, callees, part)
                })?;
                parts.insert(i, written.id);
                waiting.push(written);
            }
        }
        // The code of a unit; what it reads and writes has its places.
        let one = |e: &mut Emit, module: &mut JITModule, i: usize| {
            let (unit, nest) = (&plan.units[i], &nests[i]);
            if let (Some(l), Some((body, layout))) = (loops::loop_of(g, unit), bodies.get(&i)) {
                let callee = module.declare_func_in_func(body.id, e.b.func);
                e.run_loop(unit, l, i, callee, layout)
            } else if let (Some(panels), Some(&id)) = (&unit.panels, parts.get(&i)) {
                let callee = module.declare_func_in_func(id, e.b.func);
                let callee = e.b.ins().func_addr(types::I64, callee);
                e.chain(panels, &links[i], i, callee)
            } else if !unit.fused && unit.nodes.len() > 1 {
                e.draws(&unit.nodes)
            } else if !unit.fused {
                e.single(unit.nodes[0], i)
            } else if nest.rows * nest.columns == 0 {
                e.empty(unit)
            } else if let Some(&id) = parts.get(&i) {
                let callee = module.declare_func_in_func(id, e.b.func);
                let callee = e.b.ins().func_addr(types::I64, callee);
                e.run_parts(callee, nest.parts)?;
                let mut places = e.m.scratch[i].clone().into_iter();
                e.join(nest, &mut places)
            } else {
                let callees = wide::callees(module, &loops[i], e.b.func);
                e.fused(unit, nest, i, &plan.kept, callees)
            }
        };
        let timed = |e: &mut Emit, module: &mut JITModule, i: usize| {
            let Some(clocked) = clocked else {
                return one(e, module, i);
            };
            e.begin_timed(clocked, first_unit + i, bodies.contains_key(&i))?;
            one(e, module, i)?;
            e.end_timed(clocked, first_unit + i)
        };
        // Of a long program each stretch is a function: what one function costs the code generator grows faster than its
        // length.
        let mut stretches = Vec::new();
        if plan.units.len() > STRETCH {
            for first in (0..plan.units.len()).step_by(STRETCH) {
                let name = format!("graph_{number}_from_{first}");
                let last = (first + STRETCH).min(plan.units.len());
                let written = write(module, &name, 3, g, natives, &mut m, |e, module| {
                    e.bases_of_arguments();
                    (first..last).try_for_each(|i| timed(e, module, i))
                })?;
                stretches.push(written.id);
                waiting.push(written);
            }
        }
        let name = format!("graph_{number}");
        let written = write(module, &name, 3, g, natives, &mut m, |e, module| {
            e.bases_of_arguments();
            if let Some(clocked) = clocked {
                e.start_clock(clocked)?;
            }
            for &id in &stretches {
                let callee = module.declare_func_in_func(id, e.b.func);
                let arguments = e.arguments;
                e.b.ins().call(callee, &arguments);
            }
            if stretches.is_empty() {
                (0..plan.units.len()).try_for_each(|i| timed(e, module, i))?;
            }
            for (output, v) in e.m.copies.clone() {
                let source = e.address(v);
                let target = e.base(Place::Output(output));
                let bytes = g.ty(v).bytes() as i64;
                e.call(
                    "mlc_copy_bytes",
                    &[Arg::Int(bytes), Arg::Value(source), Arg::Value(target)],
                )?;
            }
            Ok(())
        })?;
        let id = written.id;
        waiting.push(written);
        let footprint = m.footprint;
        self.constants.push(m.constants);
        Ok(Written { id, footprint })
    }
}

/// A function that is written, and not compiled yet.
struct Waiting {
    id: FuncId,
    ctx: Context,
}

/// Writes one function of `words` words.
fn write(
    module: &mut JITModule,
    name: &str,
    words: usize,
    g: &Graph,
    natives: Natives,
    m: &mut Memory,
    body: impl FnOnce(&mut Emit, &mut JITModule) -> Result<(), CodegenError>,
) -> Result<Waiting, CodegenError> {
    let mut ctx = Context::new();
    let mut sig = module.make_signature();
    sig.params.extend(vec![AbiParam::new(types::I64); words]);
    let id = module
        .declare_function(name, Linkage::Export, &sig)
        .map_err(|e| CodegenError(format!("code generator: {e}")))?;
    ctx.func.signature = sig;
    let mut fctx = FunctionBuilderContext::new();
    let mut b = FunctionBuilder::new(&mut ctx.func, &mut fctx);
    let entry = b.create_block();
    b.append_block_params_for_function_params(entry);
    b.switch_to_block(entry);
    let p = b.block_params(entry);
    let arguments = [p[0], p[1], p[2]];
    let mut e = Emit {
        g,
        natives,
        b,
        m,
        bases: HashMap::new(),
        arguments,
        signatures: HashMap::new(),
        entry,
        panel: None,
        asked: vec![],
    };
    body(&mut e, module)?;
    e.b.ins().return_(&[]);
    e.b.seal_all_blocks();
    let Emit { b, .. } = e;
    b.finalize(module.target_config());
    Ok(Waiting { id, ctx })
}

/// An argument of a native kernel.
#[derive(Clone, Copy)]
enum Arg {
    Int(i64),
    Value(cl::Value),
}

impl Emit<'_, '_> {
    /// Reads the addresses of inputs and outputs once, where everything sees them.
    fn bases_of_arguments(&mut self) {
        for i in 0..self.g.inputs.len() {
            self.base(Place::Input(i));
        }
        for i in 0..self.g.outputs.len() {
            self.base(Place::Output(i));
        }
    }

    /// The address of a place.
    fn base(&mut self, place: Place) -> cl::Value {
        if let Some(&v) = self.bases.get(&place) {
            return v;
        }
        let flags = MemFlagsData::trusted();
        let v = match place {
            Place::Input(i) => {
                self.b
                    .ins()
                    .load(types::I64, flags, self.arguments[0], 8 * i as i32)
            }
            Place::Output(i) => {
                self.b
                    .ins()
                    .load(types::I64, flags, self.arguments[1], 8 * i as i32)
            }
            Place::Arena(offset) => {
                return self.b.ins().iadd_imm_s(self.arguments[2], offset as i64);
            }
            Place::Constant(address) => return self.b.ins().iconst(types::I64, address as i64),
            Place::Panel(offset, row) => {
                // Before the loop only addresses are prepared of what stays in its place.
                let Some([room, first]) = self.panel else {
                    return self.b.ins().iconst(types::I64, 0);
                };
                // Where row 0 would be.
                let before = self.b.ins().imul_imm_s(first, row as i64);
                let at = self.b.ins().iadd_imm_s(room, offset as i64);
                return self.b.ins().isub(at, before);
            }
        };
        debug_assert_eq!(
            self.b.current_block(),
            Some(self.entry),
            "addresses are read at the start"
        );
        self.bases.insert(place, v);
        v
    }

    /// The address of a kept value.
    fn address(&mut self, v: Value) -> cl::Value {
        let place = memory::place(self.g, self.m, v);
        let base = self.base(place);
        match memory::offset(self.g, v) {
            0 => base,
            at => self.b.ins().iadd_imm_s(base, at as i64),
        }
    }

    /// The address of a native kernel.
    fn native(&mut self, name: &str) -> Result<cl::Value, CodegenError> {
        let address = (self.natives.address)(name).ok_or_else(|| {
            CodegenError(format!(
                "internal error: there is no native kernel `{name}`"
            ))
        })?;
        self.asked.push(name.to_string());
        Ok(self.b.ins().iconst(types::I64, address as i64))
    }

    /// Calls a native kernel: words in, nothing out.
    fn call(&mut self, name: &str, args: &[Arg]) -> Result<(), CodegenError> {
        let callee = self.native(name)?;
        let n = args.len();
        let sig = match self.signatures.get(&n) {
            Some(s) => *s,
            None => {
                let mut s = Signature::new(self.b.func.signature.call_conv);
                s.params.extend(vec![AbiParam::new(types::I64); n]);
                let s = self.b.import_signature(s);
                self.signatures.insert(n, s);
                s
            }
        };
        let values: Vec<cl::Value> = args
            .iter()
            .map(|a| match a {
                Arg::Int(i) => self.b.ins().iconst(types::I64, *i),
                Arg::Value(v) => *v,
            })
            .collect();
        self.b.ins().call_indirect(sig, callee, &values);
        Ok(())
    }

    /// See `clock`.
    fn start_clock(&mut self, clocked: &Clocked) -> Result<(), CodegenError> {
        self.call("mlc_clock_start", &[Arg::Int(clocked.clock as i64)])
    }

    fn begin_timed(
        &mut self,
        clocked: &Clocked,
        unit: usize,
        is_loop: bool,
    ) -> Result<(), CodegenError> {
        self.asked.clear();
        if !is_loop {
            return Ok(());
        }
        let args = [clocked.clock as i64, unit as i64].map(Arg::Int);
        self.call("mlc_clock_loop", &args)
    }

    fn end_timed(&mut self, clocked: &Clocked, unit: usize) -> Result<(), CodegenError> {
        clocked.end_unit(std::mem::take(&mut self.asked));
        let args = [clocked.clock as i64, unit as i64].map(Arg::Int);
        self.call("mlc_clock_unit", &args)
    }

    /// A table of numbers for a native kernel.
    fn numbers(&mut self, numbers: &[i64]) -> Arg {
        Arg::Int(self.m.constants.add_numbers(numbers) as i64)
    }

    /// A unit over no elements: reductions give what they start from.
    fn empty(&mut self, unit: &Unit) -> Result<(), CodegenError> {
        for &n in &unit.nodes {
            if let Kernel::Reduce(m) = self.g.node(n).def.kernel {
                let name = format!(
                    "mlc_start_{}_{}",
                    monoid_name(m),
                    suffix(self.g.ty(n).dtype)
                );
                let len = Arg::Int(self.g.ty(n).len() as i64);
                let out = self.address(n);
                self.call(&name, &[len, Arg::Value(out)])?;
            }
        }
        Ok(())
    }

    /// Runs `body` for each `start`, `start + step`, .. below `end`.
    fn for_each(
        &mut self,
        start: cl::Value,
        end: cl::Value,
        step: i64,
        body: impl FnOnce(&mut Self, cl::Value) -> Result<(), CodegenError>,
    ) -> Result<(), CodegenError> {
        let (head, inside, after) = (
            self.b.create_block(),
            self.b.create_block(),
            self.b.create_block(),
        );
        let i = self.b.append_block_param(head, types::I64);
        self.b.ins().jump(head, &[start.into()]);
        self.b.switch_to_block(head);
        let more = self.b.ins().icmp(cl::IntCC::SignedLessThan, i, end);
        self.b.ins().brif(more, inside, &[], after, &[]);
        self.b.switch_to_block(inside);
        body(self, i)?;
        let next = self.b.ins().iadd_imm_s(i, step);
        self.b.ins().jump(head, &[next.into()]);
        self.b.switch_to_block(after);
        Ok(())
    }
}
