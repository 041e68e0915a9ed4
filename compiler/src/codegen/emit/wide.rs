//! The loops of nests that are written for wide vectors, as functions of the program.

use super::super::CodegenError;
use super::super::memory::{self, Memory};
use super::super::nest::{Fold, Nest};
use super::super::plan::Unit;
use super::super::wide::{self, Slot, elements};
use crate::ir::{Graph, Value};
use cranelift::codegen::ir::{self, FuncRef};
use cranelift::prelude::{self as cl, AbiParam, types};
use cranelift_jit::JITModule;
use cranelift_module::{FuncId, Linkage, Module};

/// The loops of a nest.
pub struct Loops {
    /// The addresses that they want.
    slots: Vec<Slot>,
    /// By phase, or one for all.
    phases: Vec<Option<FuncId>>,
}

/// The same in a function that calls them.
pub struct Callees<'n> {
    pub slots: &'n [Slot],
    pub phases: Vec<Option<FuncRef>>,
}

/// And with the table of the addresses.
pub struct Called<'n> {
    pub loops: Callees<'n>,
    pub table: cl::Value,
    /// Places in the table whose addresses change from panel to panel, and of what.
    pub passing: Vec<(usize, Value)>,
}

impl Loops {
    /// Writes and defines them.
    pub fn write(
        module: &mut JITModule,
        name: &str,
        g: &Graph,
        unit: &Unit,
        nest: &Nest,
        kept: &[bool],
        m: &mut Memory,
    ) -> Result<Self, CodegenError> {
        let mut place = |v: Value| memory::place(g, m, v);
        let written: Vec<_> = unit
            .nodes
            .iter()
            .filter(|n| kept[n.0 as usize])
            .map(|n| place(*n))
            .collect();
        // What is read again where something is written may have changed.
        let shared: Vec<Value> = unit
            .nodes
            .iter()
            .flat_map(|n| g.operands(*n))
            .filter(|o| !nest.members.contains(o))
            .map(|o| nest.source(g, o).source)
            .filter(|s| g.literal(*s).is_none() && written.contains(&place(*s)))
            .collect();
        let firm = |v: Value| shared.contains(&v);
        let around = elements::Around {
            g,
            nest,
            kept,
            firm: &firm,
        };
        let mut loops = Self {
            slots: vec![],
            phases: vec![],
        };
        let folds = |phase: usize| -> Vec<Fold> {
            let here = |f: &&Fold| nest.phase[&f.node] == phase;
            nest.folds.iter().filter(here).copied().collect()
        };
        let phases: Vec<elements::Phase> = (0..nest.phases)
            .map(|phase| elements::Phase {
                of_rows: match nest.direct {
                    true => nest.of_rows(g, unit, phase),
                    false => vec![],
                },
                nodes: nest.simple(g, unit, phase),
                spilled: nest.spilled(g, phase),
                folds: folds(phase),
            })
            .collect();
        // All phases together, if nothing is called between them.
        let size = if nest.direct { phases.len() } else { 1 };
        for (i, together) in phases.chunks(size).enumerate() {
            let code = wide::function(&around, together, &mut loops.slots);
            let id = code.map(|code| define(module, &format!("{name}_{i}"), &code));
            loops.phases.push(id.transpose()?);
        }
        Ok(loops)
    }
}

fn define(module: &mut JITModule, name: &str, code: &[u8]) -> Result<FuncId, CodegenError> {
    let text = |e| CodegenError(format!("code generator: {e}"));
    let mut sig = module.make_signature();
    sig.params.extend(vec![AbiParam::new(types::I64); 5]);
    let id = module
        .declare_function(name, Linkage::Local, &sig)
        .map_err(text)?;
    module
        .define_function_bytes(id, 64, code, &[])
        .map_err(text)?;
    Ok(id)
}

/// A nest's loops in a function.
pub fn callees<'n>(
    module: &mut JITModule,
    loops: &'n Option<Loops>,
    func: &mut ir::Function,
) -> Option<Callees<'n>> {
    let loops = loops.as_ref()?;
    let phases = loops.phases.iter();
    Some(Callees {
        slots: &loops.slots,
        phases: phases
            .map(|p| p.map(|id| module.declare_func_in_func(id, func)))
            .collect(),
    })
}
