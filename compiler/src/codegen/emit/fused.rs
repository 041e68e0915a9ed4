//! Fused units: rows of tiles, in each tile loops of simple arithmetic between calls of native kernels.

use super::super::CodegenError;
use super::super::element::{Element, clif};
use super::super::memory::Place;
use super::super::nest::{
    Fold, LANES, Nest, Reach, TILE, is_draw, native_of, operand_type, scalar_of,
};
use super::super::plan::{Folding, Unit, root};
use super::super::wide::Slot;
use super::wide::{Called, Callees};
use super::{Arg, Emit, monoid_name, suffix};
use crate::ir::{DType, Graph, Literal, Value};
use crate::ops::{Kernel, Scalar};
use cranelift::codegen::ir::{MemFlagsData, Signature};
use cranelift::prelude::{self as cl, AbiParam, InstBuilder, StackSlotData, StackSlotKind, types};
use std::collections::HashMap;

/// A nest being written.
pub struct Nesting<'n> {
    pub unit: &'n Unit,
    pub nest: &'n Nest,
    pub kept: &'n [bool],
    /// Scratch tiles.
    scratch: HashMap<Value, cl::Value>,
    /// By reduction: where its partial results are, or the elements that it adds to.
    folded: HashMap<Value, cl::Value>,
    /// Code of its loops over elements that is there already.
    wide: Option<Called<'n>>,
}

/// One tile of one row, in code.
struct Tile {
    row: cl::Value,
    /// Column of the tile's first element.
    first: cl::Value,
    len: cl::Value,
}

/// `mlc_<what>_<monoid>_<type>` for a reduction.
fn fold_kernel(g: &Graph, what: &str, node: Value) -> String {
    let monoid = match g.node(node).def.kernel {
        Kernel::Reduce(m) => monoid_name(m),
        _ => "",
    };
    format!("mlc_{what}_{monoid}_{}", suffix(g.ty(node).dtype))
}

impl Emit<'_, '_> {
    /// All places that a unit reads and writes, which are looked up where everything sees them.
    pub(super) fn preload(&mut self, unit: &Unit, nest: &Nest, kept: &[bool]) {
        for &n in &unit.nodes {
            if kept[n.0 as usize] {
                self.address(n);
            }
            for o in self.g.operands(n) {
                if is_draw(self.g, n) {
                    self.address(o);
                } else if !nest.members.contains(&o) {
                    let source = nest.source(self.g, o).source;
                    if self.g.literal(source).is_none() {
                        self.address(source);
                    }
                }
            }
        }
    }

    /// A unit that is not divided.
    pub(super) fn fused(
        &mut self,
        unit: &Unit,
        nest: &Nest,
        index: usize,
        kept: &[bool],
        loops: Option<Callees>,
    ) -> Result<(), CodegenError> {
        self.preload(unit, nest, kept);
        let mut places = self.m.scratch[index].clone().into_iter();
        let mut next = |e: &mut Self| {
            let place = places.next().ok_or_else(no_scratch)?;
            Ok::<_, CodegenError>(e.base(place))
        };
        let mut h = Nesting {
            unit,
            nest,
            kept,
            scratch: HashMap::new(),
            folded: HashMap::new(),
            wide: None,
        };
        let mut tiles = Vec::new();
        for _ in nest.buffer_bytes(self.g) {
            tiles.push(next(self)?);
        }
        let tiles = nest
            .scratch
            .iter()
            .zip(nest.buffers.iter().map(|&b| tiles[b]));
        h.scratch.extend(tiles.map(|(v, at)| (*v, at)));
        for f in nest.folds.iter().filter(|f| nest.gathers(f)) {
            h.folded.insert(f.node, next(self)?);
        }
        for f in nest.folds.iter().filter(|f| f.kind == Folding::Column) {
            let target = self.address(f.node);
            h.folded.insert(f.node, target);
        }
        h.wide = loops.map(|l| self.places(&h, l));
        let zero = self.b.ins().iconst(types::I64, 0);
        let count = if nest.rows > 1 {
            nest.rows
        } else {
            nest.columns
        };
        let end = self.b.ins().iconst(types::I64, count as i64);
        self.start_folds(&h)?;
        self.range(&h, zero, end)?;
        let whole = |f: &&Fold| f.kind == Folding::Whole && !nest.direct;
        for f in nest.folds.iter().filter(whole) {
            let out = self.address(f.node);
            self.finish(f, h.folded[&f.node], out)?;
        }
        Ok(())
    }

    /// The body of part `part` of a unit that is divided, in a function of its own.
    pub(super) fn part(
        &mut self,
        unit: &Unit,
        nest: &Nest,
        index: usize,
        kept: &[bool],
        loops: Option<Callees>,
        part: cl::Value,
    ) -> Result<(), CodegenError> {
        let mut places = self.m.scratch[index].clone().into_iter();
        let h = self.nesting(unit, nest, &mut places, kept, loops, part)?;
        let count = if nest.rows > 1 {
            nest.rows
        } else {
            nest.columns
        };
        let [start, end] = self.range_of(part, nest.chunk, count);
        self.start_folds(&h)?;
        self.range(&h, start, end)
    }

    /// The first of the `count` that part `part` has, `chunk` each, and the end.
    pub(super) fn range_of(
        &mut self,
        part: cl::Value,
        chunk: usize,
        count: usize,
    ) -> [cl::Value; 2] {
        let count = self.b.ins().iconst(types::I64, count as i64);
        let start = self.b.ins().imul_imm_s(part, chunk as i64);
        let end = self.b.ins().iadd_imm_s(start, chunk as i64);
        [start, self.b.ins().smin(end, count)]
    }

    /// All that part `part` of a divided nest needs to know. `places`: its scratch, from the first.
    pub(super) fn nesting<'n>(
        &mut self,
        unit: &'n Unit,
        nest: &'n Nest,
        places: &mut impl Iterator<Item = Place>,
        kept: &'n [bool],
        loops: Option<Callees<'n>>,
        part: cl::Value,
    ) -> Result<Nesting<'n>, CodegenError> {
        self.preload(unit, nest, kept);
        let mut h = Nesting {
            unit,
            nest,
            kept,
            scratch: HashMap::new(),
            folded: HashMap::new(),
            wide: None,
        };
        let mut tiles = Vec::new();
        for bytes in nest.buffer_bytes(self.g) {
            tiles.push(if nest.tiles_in_arena() {
                self.place_of_part(places, part, bytes)?
            } else {
                self.on_stack(bytes)
            });
        }
        let tiles = nest
            .scratch
            .iter()
            .zip(nest.buffers.iter().map(|&b| tiles[b]));
        h.scratch.extend(tiles.map(|(v, at)| (*v, at)));
        for f in &nest.folds {
            if let Some(bytes) = nest.partial_bytes(self.g, f) {
                let at = self.place_of_part(places, part, bytes)?;
                h.folded.insert(f.node, at);
            } else if nest.gathers(f) {
                let at = self.on_stack(LANES * self.g.ty(f.node).dtype.size());
                h.folded.insert(f.node, at);
            }
        }
        h.wide = loops.map(|l| self.places(&h, l));
        Ok(h)
    }

    /// The next scratch buffer has so many bytes for each part: where those of one are.
    pub(super) fn place_of_part(
        &mut self,
        places: &mut impl Iterator<Item = Place>,
        part: cl::Value,
        bytes: usize,
    ) -> Result<cl::Value, CodegenError> {
        let base = self.base(places.next().ok_or_else(no_scratch)?);
        let offset = self.b.ins().imul_imm_s(part, bytes as i64);
        Ok(self.b.ins().iadd(base, offset))
    }

    /// Adds the parts' results up, from the first to the last.
    pub(super) fn join(
        &mut self,
        nest: &Nest,
        places: &mut impl Iterator<Item = Place>,
    ) -> Result<(), CodegenError> {
        if nest.tiles_in_arena() {
            for _ in nest.buffer_bytes(self.g) {
                places.next();
            }
        }
        for f in &nest.folds {
            let Some(bytes) = nest.partial_bytes(self.g, f) else {
                continue;
            };
            let base = self.base(places.next().ok_or_else(no_scratch)?);
            let out = self.address(f.node);
            let (n, target, first) = match f.kind {
                Folding::Whole => (LANES, base, 1),
                _ => (nest.columns, out, 0),
            };
            let n = Arg::Int(n as i64);
            if first == 0 {
                self.call(
                    &fold_kernel(self.g, "start", f.node),
                    &[n, Arg::Value(target)],
                )?;
            }
            for part in first..nest.parts {
                let from = self.b.ins().iadd_imm_s(base, (part * bytes) as i64);
                let args = [n, Arg::Value(from), Arg::Value(target)];
                self.call(&fold_kernel(self.g, "accumulate", f.node), &args)?;
            }
            if f.kind == Folding::Whole {
                self.finish(f, base, out)?;
            }
        }
        Ok(())
    }

    /// Room on the stack, at a multiple of 64.
    fn on_stack(&mut self, bytes: usize) -> cl::Value {
        let size = (bytes + 128) as u32;
        let slot = self.b.create_sized_stack_slot(StackSlotData::new(
            StackSlotKind::ExplicitSlot,
            size,
            4,
        ));
        let at = self.b.ins().stack_addr(types::I64, slot, 0);
        let up = self.b.ins().iadd_imm_s(at, 63);
        self.b.ins().band_imm_s(up, -64)
    }

    /// Sets the places that are added to over the whole of the nest, or of the part.
    pub(super) fn start_folds(&mut self, h: &Nesting) -> Result<(), CodegenError> {
        for f in &h.nest.folds {
            let n = match f.kind {
                Folding::Row => continue,
                Folding::Column => h.nest.columns,
                // Set in the loops.
                Folding::Whole if h.nest.direct && !h.nest.resumes => continue,
                Folding::Whole => LANES,
            };
            self.start(f, n, h.folded[&f.node])?;
        }
        Ok(())
    }

    fn start(&mut self, f: &Fold, n: usize, at: cl::Value) -> Result<(), CodegenError> {
        let name = fold_kernel(self.g, "start", f.node);
        self.call(&name, &[Arg::Int(n as i64), Arg::Value(at)])
    }

    /// Folds partial results into one.
    fn finish(&mut self, f: &Fold, from: cl::Value, out: cl::Value) -> Result<(), CodegenError> {
        let name = fold_kernel(self.g, "finish", f.node);
        self.call(&name, &[Arg::Value(from), Arg::Value(out)])
    }

    /// Rows `start..end`; if there is only one row, its columns `start..end`.
    pub(super) fn range(
        &mut self,
        h: &Nesting,
        start: cl::Value,
        end: cl::Value,
    ) -> Result<(), CodegenError> {
        let nest = h.nest;
        let zero = self.b.ins().iconst(types::I64, 0);
        if let Some(wide) = h.wide.as_ref().filter(|_| nest.direct) {
            let (one, columns) = (1, nest.columns as i64);
            let [one, columns] = [one, columns].map(|n| self.b.ins().iconst(types::I64, n));
            let range = match nest.rows {
                1 => [zero, one, start, end],
                _ => [start, end, zero, columns],
            };
            self.wide_loop(wide, 0, range);
            return Ok(());
        }
        if nest.rows == 1 {
            return self.row(h, zero, start, end);
        }
        let columns = self.b.ins().iconst(types::I64, nest.columns as i64);
        self.for_each(start, end, 1, |e, row| {
            let gathered: Vec<Fold> = nest
                .folds
                .iter()
                .filter(|f| f.kind == Folding::Row && nest.gathers(f))
                .copied()
                .collect();
            for f in &gathered {
                e.start(f, LANES, h.folded[&f.node])?;
            }
            e.row(h, row, zero, columns)?;
            for f in &gathered {
                let out = e.row_result(f, row);
                e.finish(f, h.folded[&f.node], out)?;
            }
            Ok(())
        })
    }

    /// The table of the addresses that the code of a nest's loops wants.
    fn places<'n>(&mut self, h: &Nesting, loops: Callees<'n>) -> Called<'n> {
        let addresses: Vec<cl::Value> = loops
            .slots
            .iter()
            .map(|s| match s {
                Slot::Value(v) => self.address(*v),
                Slot::Scratch(v) => h.scratch[v],
                Slot::Fold(v) => h.folded[v],
            })
            .collect();
        let table = self.table_of(&addresses);
        let slots = loops.slots.iter().enumerate();
        let passing = slots.filter_map(|(i, s)| match s {
            Slot::Value(v) if self.passes(*v) => Some((i, *v)),
            _ => None,
        });
        let passing = passing.collect();
        Called {
            loops,
            table,
            passing,
        }
    }

    /// Is there only one panel of a value?
    fn passes(&self, v: Value) -> bool {
        matches!(self.m.places.get(&root(self.g, v)), Some(Place::Panel(..)))
    }

    /// Puts where a nest finds the panel that a chain is at into its table.
    pub(super) fn enter_panel(&mut self, h: &Nesting) {
        if let Some(wide) = &h.wide {
            for (slot, v) in &wide.passing {
                let at = self.address(*v);
                let flags = MemFlagsData::trusted();
                self.b.ins().store(flags, at, wide.table, 8 * *slot as i32);
            }
        }
    }

    /// A table of addresses, on the stack.
    pub(super) fn table_of(&mut self, addresses: &[cl::Value]) -> cl::Value {
        let size = 8 * addresses.len().max(1) as u32;
        let slot = self.b.create_sized_stack_slot(StackSlotData::new(
            StackSlotKind::ExplicitSlot,
            size,
            3,
        ));
        for (i, at) in addresses.iter().enumerate() {
            self.b
                .ins()
                .stack_store(types::I64, *at, slot, 8 * i as i32);
        }
        self.b.ins().stack_addr(types::I64, slot, 0)
    }

    /// The code of a phase, on rows and columns: their first ones and ends.
    fn wide_loop(&mut self, wide: &Called, phase: usize, [row, rows, first, end]: [cl::Value; 4]) {
        if let Some(callee) = wide.loops.phases[phase] {
            let args = [wide.table, row, rows, first, end];
            self.b.ins().call(callee, &args);
        }
    }

    /// Where a reduction leaves what it makes of a row.
    fn row_result(&mut self, f: &Fold, row: cl::Value) -> cl::Value {
        let size = self.g.ty(f.node).dtype.size() as i64;
        let base = self.address(f.node);
        let offset = self.b.ins().imul_imm_s(row, size);
        self.b.ins().iadd(base, offset)
    }

    /// Columns `start..end` of a row.
    fn row(
        &mut self,
        h: &Nesting,
        row: cl::Value,
        start: cl::Value,
        end: cl::Value,
    ) -> Result<(), CodegenError> {
        if h.nest.tile() == h.nest.columns {
            let len = self.b.ins().isub(end, start);
            let tile = Tile {
                row,
                first: start,
                len,
            };
            return self.tile(h, &tile);
        }
        self.for_each(start, end, TILE as i64, |e, first| {
            let left = e.b.ins().isub(end, first);
            let full = e.b.ins().iconst(types::I64, TILE as i64);
            let len = e.b.ins().smin(left, full);
            e.tile(h, &Tile { row, first, len })
        })
    }

    fn tile(&mut self, h: &Nesting, tile: &Tile) -> Result<(), CodegenError> {
        let nest = h.nest;
        for phase in 0..nest.phases {
            let here = |n: &&Value| nest.phase[n] == phase;
            let of_rows = nest.of_rows(self.g, h.unit, phase);
            let simple = nest.simple(self.g, h.unit, phase);
            let spilled = nest.spilled(self.g, phase);
            if !of_rows.is_empty() {
                let zero = self.b.ins().iconst(types::I64, 0);
                self.elements(h, tile, zero, 1, &of_rows, &[])?;
            }
            if let Some(wide) = &h.wide {
                let next_row = self.b.ins().iadd_imm_s(tile.row, 1);
                let end = self.b.ins().iadd(tile.first, tile.len);
                self.wide_loop(wide, phase, [tile.row, next_row, tile.first, end]);
            } else if !simple.is_empty() || !spilled.is_empty() {
                self.arithmetic(h, tile, &simple, &spilled)?;
            }
            for &n in h.unit.nodes.iter().filter(here) {
                if is_draw(self.g, n) {
                    self.draw_tile(h, tile, n)?;
                } else if native_of(self.g, n).is_some() && nest.on_tiles(self.g, n) {
                    self.native_tile(h, tile, n)?;
                }
            }
            let folds = nest.folds.iter().filter(|f| nest.phase[&f.node] == phase);
            for f in folds.filter(|_| !nest.wide) {
                self.fold_tile(h, tile, f)?;
            }
        }
        Ok(())
    }

    /// A reduction, on a tile.
    fn fold_tile(&mut self, h: &Nesting, tile: &Tile, f: &Fold) -> Result<(), CodegenError> {
        let zero = self.b.ins().iconst(types::I64, 0);
        let len = Arg::Value(tile.len);
        let x = match h.scratch.get(&f.operand) {
            Some(&at) => at,
            None => self.element_address(h.nest, tile, zero, f.operand, Reach::Full),
        };
        if f.kind == Folding::Row && !h.nest.gathers(f) {
            let out = self.row_result(f, tile.row);
            let one = Arg::Int(1);
            let name = fold_kernel(self.g, "reduce", f.node);
            return self.call(&name, &[one, len, one, Arg::Value(x), Arg::Value(out)]);
        }
        let at = h.folded[&f.node];
        let (what, at) = match f.kind {
            Folding::Column => {
                let size = self.g.ty(f.node).dtype.size() as i64;
                let offset = self.b.ins().imul_imm_s(tile.first, size);
                ("accumulate", self.b.ins().iadd(at, offset))
            }
            _ => ("fold", at),
        };
        let name = fold_kernel(self.g, what, f.node);
        self.call(&name, &[len, Arg::Value(x), Arg::Value(at)])
    }

    /// The loop over the elements of a tile.
    fn arithmetic(
        &mut self,
        h: &Nesting,
        tile: &Tile,
        nodes: &[Value],
        spilled: &[Value],
    ) -> Result<(), CodegenError> {
        let nest = h.nest;
        let zero = self.b.ins().iconst(types::I64, 0);
        if nest.rows * nest.columns == 1 {
            return self.elements(h, tile, zero, 1, nodes, spilled);
        }
        if nest.lanes == 1 {
            return self.for_each(zero, tile.len, 1, |e, i| {
                e.elements(h, tile, i, 1, nodes, spilled)
            });
        }
        if nest.rows == 1 {
            // Behind the end of a whole buffer there is room.
            return self.for_each(zero, tile.len, nest.lanes as i64, |e, i| {
                e.elements(h, tile, i, nest.lanes, nodes, spilled)
            });
        }
        let whole = self.b.ins().band_imm_s(tile.len, -(nest.lanes as i64));
        self.for_each(zero, whole, nest.lanes as i64, |e, i| {
            e.elements(h, tile, i, nest.lanes, nodes, spilled)
        })?;
        if nest.columns.is_multiple_of(nest.lanes) {
            return Ok(());
        }
        self.for_each(whole, tile.len, 1, |e, i| {
            e.elements(h, tile, i, 1, nodes, spilled)
        })
    }

    /// The nodes at elements `i..i + lanes` of the tile.
    fn elements(
        &mut self,
        h: &Nesting,
        tile: &Tile,
        i: cl::Value,
        lanes: usize,
        nodes: &[Value],
        spilled: &[Value],
    ) -> Result<(), CodegenError> {
        let mut values: HashMap<Value, cl::Value> = HashMap::new();
        for &o in spilled {
            let x = self.operand(h, tile, i, lanes, &mut values, o);
            let at = self.scratch_address(h.scratch[&o], i, self.g.ty(o).dtype);
            self.b.ins().store(elements(), x, at, 0);
        }
        for &n in nodes {
            let operands = self.g.operands(n);
            let x: Vec<cl::Value> = operands
                .iter()
                .map(|&o| self.operand(h, tile, i, lanes, &mut values, o))
                .collect();
            let f = scalar_of(self.g, n).unwrap_or(Scalar::Identity);
            let (from, to) = (operand_type(self.g, n), self.g.ty(n).dtype);
            let v = match native_of(self.g, n) {
                Some(name) => self.call_one(name, &x, to)?,
                None => Element {
                    b: &mut self.b,
                    lanes,
                }
                .apply(f, &x, from, to),
            };
            values.insert(n, v);
            if h.kept[n.0 as usize] {
                let at = self.element_address(h.nest, tile, i, n, h.nest.reach(self.g, n));
                self.b.ins().store(elements(), v, at, 0);
            } else if let Some(&place) = h.scratch.get(&n) {
                let at = self.scratch_address(place, i, to);
                self.b.ins().store(elements(), v, at, 0);
            }
        }
        Ok(())
    }

    /// The form for one number of a native kernel.
    fn call_one(
        &mut self,
        name: &str,
        x: &[cl::Value],
        dtype: DType,
    ) -> Result<cl::Value, CodegenError> {
        let name = format!("mlc_one_{name}_{}", suffix(dtype));
        let callee = self.native(&name)?;
        let ty = clif(dtype, 1);
        let mut s = Signature::new(self.b.func.signature.call_conv);
        s.params.extend(vec![AbiParam::new(ty); x.len()]);
        s.returns.push(AbiParam::new(ty));
        let s = self.b.import_signature(s);
        let call = self.b.ins().call_indirect(s, callee, x);
        Ok(self.b.inst_results(call)[0])
    }

    /// An operand's elements.
    fn operand(
        &mut self,
        h: &Nesting,
        tile: &Tile,
        i: cl::Value,
        lanes: usize,
        values: &mut HashMap<Value, cl::Value>,
        o: Value,
    ) -> cl::Value {
        if let Some(&v) = values.get(&o) {
            return v;
        }
        let dtype = self.g.ty(o).dtype;
        let ty = clif(dtype, lanes);
        let flags = elements();
        let v = if h.nest.members.contains(&o) {
            let at = match h.scratch.get(&o) {
                Some(&place) => self.scratch_address(place, i, dtype),
                None => self.element_address(h.nest, tile, i, o, h.nest.reach(self.g, o)),
            };
            self.b.ins().load(ty, flags, at, 0)
        } else {
            let source = h.nest.source(self.g, o).source;
            let reach = h.nest.reach(self.g, o);
            match (self.g.literal(source), reach) {
                (Some(literal), _) => {
                    let mut e = Element {
                        b: &mut self.b,
                        lanes,
                    };
                    match literal {
                        Literal::Bool(b) => e.truth(b),
                        _ if dtype == DType::Bool => e.truth(literal.as_f64() != 0.0),
                        Literal::Int(x) if dtype == DType::I32 => e.int(x),
                        x if dtype == DType::I32 => e.int(x.as_f64() as i64),
                        x => e.real(x.as_f64(), dtype),
                    }
                }
                (None, Reach::Full | Reach::Row) => {
                    let at = self.element_address(h.nest, tile, i, source, reach);
                    self.b.ins().load(ty, flags, at, 0)
                }
                (None, _) => {
                    let at = self.element_address(h.nest, tile, i, source, reach);
                    let one = self.b.ins().load(clif(dtype, 1), flags, at, 0);
                    if lanes > 1 {
                        self.b.ins().splat(ty, one)
                    } else {
                        one
                    }
                }
            }
        };
        values.insert(o, v);
        v
    }

    fn scratch_address(&mut self, base: cl::Value, i: cl::Value, dtype: DType) -> cl::Value {
        let offset = self.b.ins().imul_imm_s(i, dtype.size() as i64);
        self.b.ins().iadd(base, offset)
    }

    /// The address of a kept value's element.
    fn element_address(
        &mut self,
        nest: &Nest,
        tile: &Tile,
        i: cl::Value,
        v: Value,
        reach: Reach,
    ) -> cl::Value {
        let base = self.address(v);
        let index = match reach {
            Reach::Scalar => return base,
            Reach::Column => tile.row,
            Reach::Row => self.b.ins().iadd(tile.first, i),
            Reach::Full => {
                let c = self.b.ins().iadd(tile.first, i);
                let r = self.b.ins().imul_imm_s(tile.row, nest.columns as i64);
                self.b.ins().iadd(r, c)
            }
        };
        let offset = self
            .b
            .ins()
            .imul_imm_s(index, self.g.ty(v).dtype.size() as i64);
        self.b.ins().iadd(base, offset)
    }

    /// Random words, those of the tile's elements.
    fn draw_tile(&mut self, h: &Nesting, tile: &Tile, n: Value) -> Result<(), CodegenError> {
        let zero = self.b.ins().iconst(types::I64, 0);
        let [seed, count, counters, site] = self.stream(n)?;
        let out = match h.scratch.get(&n) {
            Some(&at) => at,
            None => self.element_address(h.nest, tile, zero, n, Reach::Full),
        };
        let before = self.b.ins().imul_imm_s(tile.row, h.nest.columns as i64);
        let first = self.b.ins().iadd(before, tile.first);
        let (len, first, out) = (Arg::Value(tile.len), Arg::Value(first), Arg::Value(out));
        let args = [len, first, seed, count, counters, site, out];
        self.call("mlc_random_bits_from", &args)
    }

    /// A native kernel on a tile.
    fn native_tile(&mut self, h: &Nesting, tile: &Tile, n: Value) -> Result<(), CodegenError> {
        let zero = self.b.ins().iconst(types::I64, 0);
        let mut args = vec![Arg::Value(tile.len)];
        for o in self.g.operands(n) {
            let at = match h.scratch.get(&o) {
                Some(&at) => at,
                None if h.nest.members.contains(&o) => {
                    self.element_address(h.nest, tile, zero, o, Reach::Full)
                }
                None => {
                    let (source, reach) =
                        (h.nest.source(self.g, o).source, h.nest.reach(self.g, o));
                    self.element_address(h.nest, tile, zero, source, reach)
                }
            };
            args.push(Arg::Value(at));
        }
        let out = match h.scratch.get(&n) {
            Some(&at) => at,
            None => self.element_address(h.nest, tile, zero, n, Reach::Full),
        };
        args.push(Arg::Value(out));
        let name = native_of(self.g, n).unwrap_or_default();
        self.call(&format!("mlc_{name}_{}", suffix(self.g.ty(n).dtype)), &args)
    }
}

/// Loads and stores of elements: rows, and slices, may begin anywhere.
fn elements() -> MemFlagsData {
    MemFlagsData::new().with_notrap()
}

pub(super) fn no_scratch() -> CodegenError {
    CodegenError("internal error: a unit has no scratch".into())
}
