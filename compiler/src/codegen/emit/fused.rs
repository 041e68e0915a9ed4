//! Element-wise units: rows of tiles, in each tile loops of simple arithmetic between calls of native kernels.

use super::super::CodegenError;
use super::super::element::{Element, clif, native, vector};
use super::super::memory::Place;
use super::super::plan::{Access, Unit, access};
use super::{Arg, Emit, suffix};
use crate::ir::{DType, Graph, Literal, Value};
use crate::ops::{Kernel, Scalar};
use cranelift::codegen::ir::MemFlagsData;
use cranelift::prelude::{self as cl, InstBuilder, types};
use std::collections::{HashMap, HashSet};

/// Elements in a tile: scratch of a few tiles stays in the first-level cache.
const TILE: usize = 512;

/// Where an operand's element stands, for row `r` and column `c`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Reach {
    /// Element `r * columns + c`.
    Full,
    /// Element `c`.
    Row,
    /// Element `r`.
    Column,
    /// Element 0.
    Scalar,
}

/// The loop of a unit.
#[derive(Debug)]
pub struct Loop {
    rows: usize,
    columns: usize,
    lanes: usize,
    /// By node: the loop it is in; a native kernel's runs after the loop of its number.
    phase: HashMap<Value, usize>,
    phases: usize,
    /// Nodes and outside operands that need a scratch tile, in order.
    scratch: Vec<Value>,
    members: HashSet<Value>,
}

fn scalar_of(g: &Graph, v: Value) -> Option<Scalar> {
    match g.node(v).def.kernel {
        Kernel::Map(f) => Some(f),
        _ => None,
    }
}

fn native_of(g: &Graph, v: Value) -> Option<&'static str> {
    scalar_of(g, v).and_then(native)
}

/// The element type that decides what an operation does: that of the first operand, of a selection of the second.
fn operand_type(g: &Graph, v: Value) -> DType {
    let operands = g.operands(v);
    match scalar_of(g, v) {
        Some(Scalar::Select) => g.ty(operands[1]).dtype,
        _ => operands.first().map_or(g.ty(v).dtype, |&o| g.ty(o).dtype),
    }
}

impl Loop {
    pub fn new(g: &Graph, unit: &Unit, kept: &[bool]) -> Self {
        let members: HashSet<Value> = unit.nodes.iter().copied().collect();
        let shape = &g.ty(unit.nodes[0]).shape;
        let rows: usize = shape[..unit.split].iter().product();
        let columns: usize = shape[unit.split..].iter().product();
        let mut phase: HashMap<Value, usize> = HashMap::new();
        let mut phases = 0;
        if !unit.fused {
            return Self {
                rows,
                columns,
                lanes: 1,
                phase,
                phases,
                scratch: vec![],
                members,
            };
        }
        for &n in &unit.nodes {
            let after = |o: &Value| {
                phase
                    .get(o)
                    .map(|p| p + usize::from(native_of(g, *o).is_some()))
            };
            let p = g.operands(n).iter().filter_map(after).max().unwrap_or(0);
            phases = phases.max(p + 1);
            phase.insert(n, p);
        }
        let mut l = Self {
            rows,
            columns,
            lanes: 1,
            phase,
            phases,
            scratch: vec![],
            members,
        };
        l.find_scratch(g, unit, kept);
        l.lanes = l.find_lanes(g, unit, kept);
        l
    }

    fn find_scratch(&mut self, g: &Graph, unit: &Unit, kept: &[bool]) {
        let mut need = Vec::new();
        for &n in &unit.nodes {
            let is_native = native_of(g, n).is_some();
            if is_native && !kept[n.0 as usize] {
                need.push(n);
            }
            for o in g.operands(n) {
                if self.members.contains(&o) {
                    let crosses = is_native || self.phase[&o] != self.phase[&n];
                    if crosses && !kept[o.0 as usize] {
                        need.push(o);
                    }
                } else if is_native && !matches!(self.reach(g, o), Reach::Full | Reach::Row) {
                    need.push(o);
                }
            }
        }
        for v in need {
            if !self.scratch.contains(&v) {
                self.scratch.push(v);
            }
        }
    }

    /// How many elements a vector holds here; 1 if some operation knows no vectors.
    fn find_lanes(&self, g: &Graph, unit: &Unit, kept: &[bool]) -> usize {
        let wide = unit.nodes.iter().any(|&n| {
            g.ty(n).dtype == DType::F64
                || g.operands(n).iter().any(|&o| g.ty(o).dtype == DType::F64)
        });
        let lanes = if wide { 2 } else { 4 };
        let is_bool = |v: Value| g.ty(v).dtype == DType::Bool;
        let fits = unit.nodes.iter().all(|&n| {
            let stored = kept[n.0 as usize] || self.scratch.contains(&n);
            let outside = |o: &Value| {
                !self.members.contains(o)
                    && is_bool(*o)
                    && g.literal(access(g, *o).source).is_none()
            };
            let f = scalar_of(g, n).unwrap_or(Scalar::Identity);
            let arithmetic =
                native(f).is_some() || vector(f, operand_type(g, n), g.ty(n).dtype, lanes);
            arithmetic && !(stored && is_bool(n)) && !g.operands(n).iter().any(outside)
        });
        if fits && self.rows * self.columns > 1 {
            lanes
        } else {
            1
        }
    }

    fn tiled(&self) -> bool {
        self.phases > 1 || !self.scratch.is_empty()
    }

    fn tile(&self) -> usize {
        if self.tiled() {
            TILE.min(self.columns)
        } else {
            self.columns
        }
    }

    /// Sizes of the scratch tiles.
    pub fn scratch_bytes(&self, g: &Graph) -> Vec<usize> {
        self.scratch
            .iter()
            .map(|&v| self.tile() * g.ty(v).dtype.size() + 64)
            .collect()
    }

    fn reach(&self, g: &Graph, o: Value) -> Reach {
        let Access { axes, .. } = self.source(g, o);
        let shape = &g.ty(o).shape;
        let long: Vec<usize> = (0..shape.len()).filter(|&a| shape[a] != 1).collect();
        let have: Vec<usize> = axes.into_iter().filter(|&a| shape[a] != 1).collect();
        if have == long {
            Reach::Full
        } else if have.is_empty() {
            Reach::Scalar
        } else if long.starts_with(&have) {
            Reach::Column
        } else {
            Reach::Row
        }
    }

    /// What an outside operand is read from: through broadcasts, unless those do not fit the loop.
    fn source(&self, g: &Graph, o: Value) -> Access {
        let a = access(g, o);
        let shape = &g.ty(o).shape;
        let long: Vec<usize> = (0..shape.len()).filter(|&x| shape[x] != 1).collect();
        let have: Vec<usize> = a.axes.iter().copied().filter(|&x| shape[x] != 1).collect();
        let columns: usize = have.iter().map(|&x| shape[x]).product();
        let fits = have == long
            || have.is_empty()
            || (long.starts_with(&have) && columns == self.rows)
            || (long.ends_with(&have) && columns == self.columns);
        if fits {
            a
        } else {
            Access {
                source: o,
                axes: (0..shape.len()).collect(),
            }
        }
    }
}

/// One tile of one row, in code.
struct Tile {
    row: cl::Value,
    /// Column of the tile's first element.
    first: cl::Value,
    len: cl::Value,
}

impl Emit<'_, '_> {
    pub(super) fn fused(
        &mut self,
        unit: &Unit,
        l: &Loop,
        index: usize,
        kept: &[bool],
    ) -> Result<(), CodegenError> {
        if l.rows * l.columns == 0 {
            return Ok(());
        }
        let zero = self.b.ins().iconst(types::I64, 0);
        let rows = self.b.ins().iconst(types::I64, l.rows as i64);
        let columns = self.b.ins().iconst(types::I64, l.columns as i64);
        let scratch: HashMap<Value, Place> = l
            .scratch
            .iter()
            .copied()
            .zip(self.m.scratch[index].iter().copied())
            .collect();
        // Constants are made before any loop is open.
        for &n in &unit.nodes {
            for o in self.g.operands(n) {
                if !l.members.contains(&o) {
                    let source = l.source(self.g, o).source;
                    if self.g.literal(source).is_none() {
                        self.address(source);
                    }
                }
            }
        }
        let row = |e: &mut Self, row: cl::Value| {
            if !l.tiled() {
                let tile = Tile {
                    row,
                    first: zero,
                    len: columns,
                };
                return e.tile(unit, l, &tile, &scratch, kept);
            }
            if l.columns <= TILE {
                let tile = Tile {
                    row,
                    first: zero,
                    len: columns,
                };
                return e.tile(unit, l, &tile, &scratch, kept);
            }
            e.for_each(zero, columns, TILE as i64, |e, first| {
                let left = e.b.ins().isub(columns, first);
                let full = e.b.ins().iconst(types::I64, TILE as i64);
                let len = e.b.ins().smin(left, full);
                e.tile(unit, l, &Tile { row, first, len }, &scratch, kept)
            })
        };
        if l.rows == 1 {
            row(self, zero)
        } else {
            self.for_each(zero, rows, 1, row)
        }
    }

    fn tile(
        &mut self,
        unit: &Unit,
        l: &Loop,
        tile: &Tile,
        scratch: &HashMap<Value, Place>,
        kept: &[bool],
    ) -> Result<(), CodegenError> {
        for phase in 0..l.phases {
            let simple: Vec<Value> = unit
                .nodes
                .iter()
                .copied()
                .filter(|n| l.phase[n] == phase && native_of(self.g, *n).is_none())
                .collect();
            let spilled: Vec<Value> = if phase == 0 {
                l.scratch
                    .iter()
                    .copied()
                    .filter(|v| !l.members.contains(v))
                    .collect()
            } else {
                vec![]
            };
            if !simple.is_empty() || !spilled.is_empty() {
                self.arithmetic(l, tile, scratch, kept, &simple, &spilled)?;
            }
            for &n in &unit.nodes {
                if l.phase[&n] == phase && native_of(self.g, n).is_some() {
                    self.native_tile(l, tile, scratch, n)?;
                }
            }
        }
        Ok(())
    }

    /// The loop over the elements of a tile.
    fn arithmetic(
        &mut self,
        l: &Loop,
        tile: &Tile,
        scratch: &HashMap<Value, Place>,
        kept: &[bool],
        nodes: &[Value],
        spilled: &[Value],
    ) -> Result<(), CodegenError> {
        let zero = self.b.ins().iconst(types::I64, 0);
        if l.rows * l.columns == 1 {
            self.elements(l, tile, zero, 1, scratch, kept, nodes, spilled);
            return Ok(());
        }
        if l.lanes == 1 {
            return self.for_each(zero, tile.len, 1, |e, i| {
                e.elements(l, tile, i, 1, scratch, kept, nodes, spilled);
                Ok(())
            });
        }
        if l.rows == 1 {
            // Behind the end of a whole buffer there is room.
            return self.for_each(zero, tile.len, l.lanes as i64, |e, i| {
                e.elements(l, tile, i, l.lanes, scratch, kept, nodes, spilled);
                Ok(())
            });
        }
        let whole = self.b.ins().band_imm_s(tile.len, -(l.lanes as i64));
        self.for_each(zero, whole, l.lanes as i64, |e, i| {
            e.elements(l, tile, i, l.lanes, scratch, kept, nodes, spilled);
            Ok(())
        })?;
        if l.columns.is_multiple_of(l.lanes) {
            return Ok(());
        }
        self.for_each(whole, tile.len, 1, |e, i| {
            e.elements(l, tile, i, 1, scratch, kept, nodes, spilled);
            Ok(())
        })
    }

    /// The nodes at elements `i..i + lanes` of the tile.
    #[expect(
        clippy::too_many_arguments,
        reason = "the state of one loop, passed once"
    )]
    fn elements(
        &mut self,
        l: &Loop,
        tile: &Tile,
        i: cl::Value,
        lanes: usize,
        scratch: &HashMap<Value, Place>,
        kept: &[bool],
        nodes: &[Value],
        spilled: &[Value],
    ) {
        let mut values: HashMap<Value, cl::Value> = HashMap::new();
        for &o in spilled {
            let x = self.operand(l, tile, i, lanes, scratch, &mut values, o);
            let at = self.scratch_address(scratch[&o], i, self.g.ty(o).dtype);
            self.b.ins().store(MemFlagsData::trusted(), x, at, 0);
        }
        for &n in nodes {
            let operands = self.g.operands(n);
            let x: Vec<cl::Value> = operands
                .iter()
                .map(|&o| self.operand(l, tile, i, lanes, scratch, &mut values, o))
                .collect();
            let f = scalar_of(self.g, n).unwrap_or(Scalar::Identity);
            let (from, to) = (operand_type(self.g, n), self.g.ty(n).dtype);
            let v = Element {
                b: &mut self.b,
                lanes,
            }
            .apply(f, &x, from, to);
            values.insert(n, v);
            if kept[n.0 as usize] {
                let at = self.element_address(l, tile, i, n, Reach::Full);
                self.b.ins().store(MemFlagsData::trusted(), v, at, 0);
            } else if let Some(&place) = scratch.get(&n) {
                let at = self.scratch_address(place, i, to);
                self.b.ins().store(MemFlagsData::trusted(), v, at, 0);
            }
        }
    }

    /// An operand's elements.
    #[expect(
        clippy::too_many_arguments,
        reason = "the state of one loop, passed once"
    )]
    fn operand(
        &mut self,
        l: &Loop,
        tile: &Tile,
        i: cl::Value,
        lanes: usize,
        scratch: &HashMap<Value, Place>,
        values: &mut HashMap<Value, cl::Value>,
        o: Value,
    ) -> cl::Value {
        if let Some(&v) = values.get(&o) {
            return v;
        }
        let dtype = self.g.ty(o).dtype;
        let ty = clif(dtype, lanes);
        let flags = MemFlagsData::trusted();
        let v = if l.members.contains(&o) {
            let at = match scratch.get(&o) {
                Some(&place) => self.scratch_address(place, i, dtype),
                None => self.element_address(l, tile, i, o, Reach::Full),
            };
            self.b.ins().load(ty, flags, at, 0)
        } else {
            let source = l.source(self.g, o).source;
            let reach = l.reach(self.g, o);
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
                    let at = self.element_address(l, tile, i, source, reach);
                    self.b.ins().load(ty, flags, at, 0)
                }
                (None, _) => {
                    let at = self.element_address(l, tile, i, source, reach);
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

    fn scratch_address(&mut self, place: Place, i: cl::Value, dtype: DType) -> cl::Value {
        let base = self.base(place);
        let offset = self.b.ins().imul_imm_s(i, dtype.size() as i64);
        self.b.ins().iadd(base, offset)
    }

    /// The address of a kept value's element.
    fn element_address(
        &mut self,
        l: &Loop,
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
                let r = self.b.ins().imul_imm_s(tile.row, l.columns as i64);
                self.b.ins().iadd(r, c)
            }
        };
        let offset = self
            .b
            .ins()
            .imul_imm_s(index, self.g.ty(v).dtype.size() as i64);
        self.b.ins().iadd(base, offset)
    }

    /// A native kernel on a tile.
    fn native_tile(
        &mut self,
        l: &Loop,
        tile: &Tile,
        scratch: &HashMap<Value, Place>,
        n: Value,
    ) -> Result<(), CodegenError> {
        let zero = self.b.ins().iconst(types::I64, 0);
        let mut args = vec![Arg::Value(tile.len)];
        for o in self.g.operands(n) {
            let at = match scratch.get(&o) {
                Some(&place) => self.base(place),
                None if l.members.contains(&o) => {
                    self.element_address(l, tile, zero, o, Reach::Full)
                }
                None => {
                    let (source, reach) = (l.source(self.g, o).source, l.reach(self.g, o));
                    self.element_address(l, tile, zero, source, reach)
                }
            };
            args.push(Arg::Value(at));
        }
        let out = match scratch.get(&n) {
            Some(&place) => self.base(place),
            None => self.element_address(l, tile, zero, n, Reach::Full),
        };
        args.push(Arg::Value(out));
        let name = native_of(self.g, n).unwrap_or_default();
        self.call(&format!("mlc_{name}_{}", suffix(self.g.ty(n).dtype)), &args)
    }
}
