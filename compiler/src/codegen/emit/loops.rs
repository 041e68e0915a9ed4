//! Loops: the body is a function of its own, which a native kernel calls for each iteration.

use super::super::CodegenError;
use super::super::plan::Unit;
use super::{Arg, Emit};
use crate::ir::{Attr, Graph, Loop, Value};
use cranelift::codegen::ir::{FuncRef, MemFlagsData};
use cranelift::prelude::{self as cl, InstBuilder, StackSlotData, StackSlotKind, types};

/// The loop of a unit, if it is one.
pub fn loop_of<'g>(g: &'g Graph, unit: &Unit) -> Option<&'g Loop> {
    match &g.node(unit.nodes[0]).attr {
        Attr::Loop(l) => Some(l),
        _ => None,
    }
}

/// Where things are in the scratch memory of a loop, as the numbers that the native kernel reads: how often and how, how
/// many carries, slices, captured values and rows; offsets of the body's arena, of the index, of what the body says of going
/// on, and of the two tables of addresses; then the bytes and two places of each carry, and the bytes and place of each
/// slice and row.
pub struct Layout {
    pub numbers: Vec<i64>,
    pub bytes: usize,
}

impl Layout {
    pub fn new(l: &Loop, arena_bytes: usize) -> Self {
        let mut bytes = 0;
        let mut take = |n: usize| {
            let at = bytes;
            // One more line: vector loops may write behind the end.
            bytes += n.next_multiple_of(64) + 64;
            at as i64
        };
        let size = |v: Value| l.body.ty(v).bytes();
        let pointers = |n: usize| n * 8;
        let mut numbers = vec![
            l.count as i64,
            i64::from(l.reverse),
            i64::from(l.bounded),
            l.carries as i64,
            l.slices as i64,
            l.captured() as i64,
            l.rows as i64,
            take(arena_bytes),
            take(4),
            take(1),
            take(pointers(l.body.inputs.len())),
            take(pointers(l.body.outputs.len())),
        ];
        for i in 0..l.carries {
            let n = size(l.body.inputs[1 + i].value);
            numbers.extend([n as i64, take(n), take(n)]);
        }
        for i in 0..l.slices {
            let n = size(l.body.inputs[1 + l.carries + i].value);
            numbers.extend([n as i64, take(n)]);
        }
        for i in 0..l.rows {
            let n = size(l.body.outputs[l.carries + i].1);
            numbers.extend([n as i64, take(n)]);
        }
        Self { numbers, bytes }
    }
}

impl Emit<'_, '_> {
    /// A table of addresses on the stack.
    fn table(&mut self, addresses: &[cl::Value]) -> cl::Value {
        let size = (addresses.len().max(1) * 8) as u32;
        let slot = self.b.create_sized_stack_slot(StackSlotData::new(
            StackSlotKind::ExplicitSlot,
            size,
            3,
        ));
        let at = self.b.ins().stack_addr(types::I64, slot, 0);
        for (i, a) in addresses.iter().enumerate() {
            let flags = MemFlagsData::trusted();
            self.b.ins().store(flags, *a, at, 8 * i as i32);
        }
        at
    }

    /// Runs a loop. `body`: the function of its body; `layout`: of its scratch memory.
    pub(super) fn run_loop(
        &mut self,
        unit: &Unit,
        l: &Loop,
        index: usize,
        body: FuncRef,
        layout: &Layout,
    ) -> Result<(), CodegenError> {
        let operands: Vec<cl::Value> = self
            .g
            .operands(unit.nodes[0])
            .into_iter()
            .map(|o| self.address(o))
            .collect();
        let mut parts = vec![None; l.parts()];
        // One part may be several nodes, of unlike guards or strictness: the others are copies of the first.
        let mut copies = Vec::new();
        for &n in &unit.nodes[1..] {
            if let Attr::Part(k, _) = self.g.node(n).attr {
                let at = self.address(n);
                match parts[k as usize] {
                    None => parts[k as usize] = Some(at),
                    Some(first) => copies.push((self.g.ty(n).bytes(), first, at)),
                }
            }
        }
        let parts: Vec<cl::Value> = parts
            .into_iter()
            .map(|p| p.unwrap_or_else(|| self.b.ins().iconst(types::I64, 0)))
            .collect();
        let (operands, parts) = (self.table(&operands), self.table(&parts));
        let place = self.m.scratch[index]
            .first()
            .copied()
            .ok_or(CodegenError("internal error: a loop has no scratch".into()))?;
        let scratch = self.base(place);
        let meta = self.numbers(&layout.numbers);
        let body = self.b.ins().func_addr(types::I64, body);
        let args = [
            meta,
            Arg::Value(body),
            Arg::Value(operands),
            Arg::Value(parts),
            Arg::Value(scratch),
        ];
        self.call("mlc_loop", &args)?;
        for (bytes, from, to) in copies {
            let args = [Arg::Int(bytes as i64), Arg::Value(from), Arg::Value(to)];
            self.call("mlc_copy_bytes", &args)?;
        }
        Ok(())
    }
}
