//! From a graph to machine code: one function for a whole program.
//!
//! - `plan` groups element-wise work and reductions into loop nests and orders these units of work.
//! - `nest` lays out one of them: rows, columns, tiles, phases, parts for threads.
//! - `panels` says how loop nests and products that go along the same rows follow one another panel by panel.
//! - `sides` says how the operands of matrix products lie in memory.
//! - `memory` gives every value that is kept a place: an input, an output, the arena, a constant; `overwrite` says what may be
//!   written over what is read for the last time.
//! - `emit` writes the units as Cranelift code; `element` one element-wise operation.
//! - `wide` writes the loops over elements for vectors of 512 bits, which Cranelift does not know; `formulas`: functions such
//!   as `exp`, for these loops and for native kernels.
//! - `cost` counts operations and bytes.
//! - `clock` has units timed, in code that is asked for explicitly.
//!
//! Only the table's kernel classes and attributes are matched, never an operation. What needs more than simple arithmetic
//! is a call of a native kernel, whose address the runtime gives by name.
//!
//! Invariant: buffers start on 64 bytes and may be read and written up to the next multiple of 64 behind their end, so
//! vector loops need no tail.

mod clock;
pub mod cost;
mod element;
mod emit;
pub mod formulas;
mod memory;
mod nest;
mod overwrite;
pub mod panels;
mod plan;
mod sides;
mod wide;

pub(crate) use element::native;

pub use clock::{Form, UnitFacts};
pub use memory::{Footprint, PADDING};

use crate::ir::{Attr, Graph, Value, print};
use crate::ops::Linalg;
use clock::Clocked;
use cranelift::prelude::{Configurable, settings};
use cranelift_jit::{JITBuilder, JITModule};
use nest::Nest;
use std::collections::HashMap;
use std::fmt;
use std::time::Instant;

/// The runtime's native kernels, and which code may be made.
#[derive(Clone, Copy)]
pub struct Natives {
    /// The address of the kernel of a name.
    pub address: fn(&str) -> Option<*const u8>,
    /// Whether code may use vectors of 512 bits: AVX-512 F, BW, DQ and VL.
    pub wide: bool,
    /// Whether nodes are computed together where that can be. Otherwise each is a unit of its own: only to find out what
    /// fusing does.
    pub fuses: bool,
    /// Bytes of scratch that the kernel of linear algebra needs for a matrix of so many rows and columns, and another operand
    /// of so many columns.
    pub linalg_scratch: fn(Linalg, usize, usize, usize) -> usize,
}

/// Why no code was made: always a mistake of the compiler or of its host, never of a user.
#[derive(Debug)]
pub struct CodegenError(pub String);

impl fmt::Display for CodegenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<String> for CodegenError {
    fn from(s: String) -> Self {
        Self(s)
    }
}

type Entry = unsafe extern "C" fn(*const *const u8, *const *mut u8, *mut u8);

/// Machine code of a graph.
pub struct Compiled {
    entry: Entry,
    /// Bytes of scratch memory that a call needs.
    pub arena_bytes: usize,
    /// How near that is to the least.
    pub footprint: Footprint,
    /// Loops and native calls in a run.
    pub kernels: usize,
    /// Seconds that planning took, and that writing machine code took.
    pub seconds: [f64; 2],
    /// Owns the code.
    module: Option<JITModule>,
    /// Constants that the code refers to by address.
    _constants: Vec<memory::Constants>,
}

impl Compiled {
    /// Runs the program.
    ///
    /// # Safety
    /// `inputs` and `outputs` hold one pointer for each input and output of the graph, in order, to a buffer of its type
    /// (see the module's invariant); `arena` points to `arena_bytes` bytes, aligned to 64. None overlap, but inputs may be
    /// the same buffer.
    pub unsafe fn call(&self, inputs: &[*const u8], outputs: &[*mut u8], arena: *mut u8) {
        // SAFETY: the caller's promise is what the code relies on.
        unsafe { (self.entry)(inputs.as_ptr(), outputs.as_ptr(), arena) }
    }
}

impl Drop for Compiled {
    fn drop(&mut self) {
        if let Some(module) = self.module.take() {
            // SAFETY: `entry` is private and dies with `self`, so no code of the module can run any more.
            unsafe { module.free_memory() }
        }
    }
}

/// The units of work that [`compile`] would write for a graph, one a line: what is computed together, over how many rows
/// and columns, in how many phases and parts, and which values get buffers. Under a chain of units there are its links, under a
/// loop the units of its body.
pub fn describe(g: &Graph) -> String {
    let live = print::live(g);
    let number: HashMap<Value, usize> = live.iter().enumerate().map(|(i, v)| (*v, i)).collect();
    let plan = plan::plan(g, &live);
    let mut text = String::new();
    for unit in &plan.units {
        text += &if let Some(p) = &unit.panels {
            let (rows, parts) = (p.rows, p.parts());
            let passing = p.passing.iter().map(|p| format!("%{}", number[&p.value]));
            let passing = match passing.collect::<Vec<_>>().join(" ") {
                none if none.is_empty() => none,
                some => format!(", passing {some}"),
            };
            format!(
                "panels of {} rows, {rows} in all, {parts} parts{passing}:\n",
                p.panel
            )
        } else {
            let nest = Nest::new(g, unit, &plan.kept, false);
            described(g, unit, &nest, &plan.kept, &number)
        };
        let links = unit.panels.iter().flat_map(|p| &p.links);
        for (link, nest) in links.zip(Nest::of_links(g, unit, &plan.kept, false)) {
            text += &format!("    {}", described(g, link, &nest, &plan.kept, &number));
        }
        if let Attr::Loop(l) = &g.node(unit.nodes[0]).attr {
            for line in describe(&l.body).lines() {
                text += &format!("    {line}\n");
            }
        }
    }
    text
}

/// The line of a loop nest or of calls.
fn described(
    g: &Graph,
    unit: &plan::Unit,
    nest: &Nest,
    kept: &[bool],
    number: &HashMap<Value, usize>,
) -> String {
    let mut text = if unit.fused {
        let many = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
        format!(
            "loop {}{} x {}, {}, {}, vectors of {}:",
            if nest.by_row { "by row " } else { "" },
            nest.rows,
            nest.columns,
            many(nest.phases, "phase"),
            many(nest.parts, "part"),
            nest.lanes
        )
    } else {
        "call:".to_string()
    };
    for n in &unit.nodes {
        let kept = if kept[n.0 as usize] { "*" } else { "" };
        text += &format!(" %{}{kept} {}", number[n], g.node(*n).def.name);
    }
    text + "\n"
}

/// How near the arenas of a graph and of the bodies of its loops, which come before it, are to the least.
pub fn footprints(g: &Graph, natives: Natives) -> Vec<Footprint> {
    let mut all = Vec::new();
    emit::footprints(g, natives, &mut all);
    all
}

/// Makes machine code for a graph, whose lanes and sites are gone.
///
/// # Errors
/// If a native kernel is missing or the code generator refuses.
pub fn compile(g: &Graph, natives: Natives) -> Result<Compiled, CodegenError> {
    make(g, natives, None)
}

/// The same, in code that calls the clock at an address between units (see `clock`), and what these are.
///
/// # Errors
/// As [`compile`].
pub fn compile_clocked(
    g: &Graph,
    natives: Natives,
    clock: usize,
) -> Result<(Compiled, Vec<UnitFacts>), CodegenError> {
    let clocked = Clocked::new(clock);
    let compiled = make(g, natives, Some(&clocked))?;
    Ok((compiled, clocked.facts(g, natives)))
}

fn make(g: &Graph, natives: Natives, clocked: Option<&Clocked>) -> Result<Compiled, CodegenError> {
    let start = Instant::now();
    let plan = plan::plan_as(g, &print::live(g), natives.fuses);
    let planned = start.elapsed().as_secs_f64();
    let mut flags = settings::builder();
    let text = |e: settings::SetError| CodegenError(format!("code generator settings: {e}"));
    flags.set("opt_level", "speed").map_err(text)?;
    flags
        .set(
            "enable_verifier",
            if cfg!(debug_assertions) {
                "true"
            } else {
                "false"
            },
        )
        .map_err(text)?;
    let isa = cranelift_native::builder()
        .map_err(|e| CodegenError(format!("this machine is not supported: {e}")))?
        .finish(settings::Flags::new(flags))
        .map_err(|e| CodegenError(format!("code generator: {e}")))?;
    let module = JITModule::new(JITBuilder::with_isa(
        isa,
        cranelift_module::default_libcall_names(),
    ));
    let mut compiled = emit::function(g, &plan, natives, clocked, module)?;
    compiled.seconds = [planned, start.elapsed().as_secs_f64() - planned];
    Ok(compiled)
}
