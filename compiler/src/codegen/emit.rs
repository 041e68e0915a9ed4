//! Units as Cranelift code.

mod fused;
mod single;

use super::memory::{self, Memory, Place};
use super::plan::Plan;
use super::{CodegenError, Compiled, Entry, Natives};
use crate::ir::{DType, Graph, Value};
use cranelift::codegen::Context;
use cranelift::codegen::ir::{MemFlagsData, SigRef, Signature};
use cranelift::prelude::{
    self as cl, AbiParam, FunctionBuilder, FunctionBuilderContext, InstBuilder, types,
};
use cranelift_jit::JITModule;
use cranelift_module::{Linkage, Module};
use std::collections::HashMap;

/// A function being written.
struct Emit<'a, 'b> {
    g: &'a Graph,
    natives: &'a dyn Natives,
    b: FunctionBuilder<'b>,
    m: Memory,
    bases: HashMap<Place, cl::Value>,
    arguments: [cl::Value; 3],
    /// By number of arguments: native kernels take only words.
    signatures: HashMap<usize, SigRef>,
    kernels: usize,
    entry: cl::Block,
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

/// Writes and finishes the function of a graph.
pub fn function(
    g: &Graph,
    plan: Plan,
    natives: &dyn Natives,
    mut module: JITModule,
) -> Result<Compiled, CodegenError> {
    let shapes: Vec<fused::Loop> = plan
        .units
        .iter()
        .map(|u| fused::Loop::new(g, u, &plan.kept))
        .collect();
    let scratch: Vec<Vec<usize>> = plan
        .units
        .iter()
        .zip(&shapes)
        .map(|(u, l)| {
            if u.fused {
                l.scratch_bytes(g)
            } else {
                single::scratch_bytes(g, u.nodes[0])
            }
        })
        .collect();
    let m = memory::assign(g, &plan, &scratch);

    let mut ctx = Context::new();
    let mut sig = module.make_signature();
    sig.params.extend([AbiParam::new(types::I64); 3]);
    ctx.func.signature = sig.clone();
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
        kernels: 0,
        entry,
    };
    // Addresses are read once, where everything sees them.
    for i in 0..g.inputs.len() {
        e.base(Place::Input(i));
    }
    for i in 0..g.outputs.len() {
        e.base(Place::Output(i));
    }
    for (i, (unit, shape)) in plan.units.iter().zip(&shapes).enumerate() {
        e.kernels += 1;
        if unit.fused {
            e.fused(unit, shape, i, &plan.kept)?;
        } else {
            e.single(unit.nodes[0], i)?;
        }
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
    e.b.ins().return_(&[]);
    e.b.seal_all_blocks();
    let kernels = e.kernels;
    let Emit { b, m, .. } = e;
    b.finalize(module.target_config());

    let text = |e: &dyn std::fmt::Display| CodegenError(format!("code generator: {e}"));
    let id = module
        .declare_function("program", Linkage::Export, &sig)
        .map_err(|e| text(&e))?;
    module
        .define_function(id, &mut ctx)
        .map_err(|e| CodegenError(format!("code generator: {e:?}")))?;
    module.clear_context(&mut ctx);
    module.finalize_definitions().map_err(|e| text(&e))?;
    let code = module.get_finalized_function(id);
    // SAFETY: the function was declared with three words as parameters and no result, in the C calling convention of
    // this machine.
    let entry = unsafe { std::mem::transmute::<*const u8, Entry>(code) };
    Ok(Compiled {
        entry,
        arena_bytes: m.arena_bytes,
        kernels,
        module: Some(module),
        _constants: m.constants,
    })
}

/// An argument of a native kernel.
#[derive(Clone, Copy)]
enum Arg {
    Int(i64),
    Value(cl::Value),
}

impl Emit<'_, '_> {
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
        let place = memory::place(self.g, &mut self.m, v);
        self.base(place)
    }

    /// Calls a native kernel: words in, nothing out.
    fn call(&mut self, name: &str, args: &[Arg]) -> Result<(), CodegenError> {
        let address = self.natives.address(name).ok_or_else(|| {
            CodegenError(format!(
                "internal error: there is no native kernel `{name}`"
            ))
        })?;
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
        let callee = self.b.ins().iconst(types::I64, address as i64);
        self.b.ins().call_indirect(sig, callee, &values);
        Ok(())
    }

    /// A table of numbers for a native kernel.
    fn numbers(&mut self, numbers: &[i64]) -> Arg {
        Arg::Int(self.m.constants.add_numbers(numbers) as i64)
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
