//! Units of one node that is not element-wise: native kernels on whole buffers.

use super::super::memory::Place;
use super::super::plan::has_rows;
use super::super::sides::{sides, split, strides};
use super::super::{CodegenError, Natives};
use super::{Arg, Emit, linalg, monoid_name, suffix};
use crate::ir::{Attr, Graph, Shape, Value};
use crate::ops::{Kernel, Monoid, View};
use cranelift::codegen::ir::MemFlagsData;
use cranelift::prelude::{self as cl, InstBuilder};

/// Elements that are copied one by one, without a call.
const FEW: usize = 8;

/// Runs of neighbouring axes among those that are reduced, as (outer, reduced, inner), the last run first; each is to be
/// applied to the result of the one before.
fn runs(shape: &[usize], axes: &[usize]) -> Vec<[usize; 3]> {
    let mut shape = shape.to_vec();
    let mut axes = axes.to_vec();
    let mut out = Vec::new();
    while let Some(&last) = axes.last() {
        let mut first = last;
        axes.pop();
        while first > 0 && axes.last() == Some(&(first - 1)) {
            first -= 1;
            axes.pop();
        }
        let product = |s: &[usize]| s.iter().product::<usize>();
        out.push([
            product(&shape[..first]),
            product(&shape[first..=last]),
            product(&shape[last + 1..]),
        ]);
        shape.drain(first..=last);
    }
    out
}

/// Sizes of the scratch buffers that the node needs while it runs.
pub fn scratch_bytes(g: &Graph, v: Value, natives: Natives) -> Vec<usize> {
    let node = g.node(v);
    match (node.def.kernel, &node.attr) {
        (Kernel::Linalg(what), _) => vec![linalg::scratch_bytes(g, v, what, natives)],
        (Kernel::Contract, _) => {
            let Some(both) = sides(g, v) else {
                return vec![];
            };
            let split = split(&both);
            both.iter()
                .zip(g.operands(v))
                .filter(|(s, _)| s.strides(split).is_none())
                .map(|(_, o)| g.ty(o).bytes())
                .collect()
        }
        (Kernel::Reduce(_), Attr::Axes(axes)) if !node.in_order() => {
            let ty = g.ty(g.operands(v)[0]);
            let all = runs(&ty.shape, axes);
            all.iter()
                .take(all.len().saturating_sub(1))
                .map(|r| r[0] * r[2] * ty.dtype.size())
                .collect()
        }
        _ => vec![],
    }
}

impl Emit<'_, '_> {
    pub(super) fn single(&mut self, v: Value, index: usize) -> Result<(), CodegenError> {
        let g = self.g;
        let node = g.node(v);
        let operands = g.operands(v);
        let ty = &node.ty;
        let out = self.address(v);
        if ty.is_empty() {
            return Ok(());
        }
        let size = ty.dtype.size();
        match (node.def.kernel, &node.attr) {
            (Kernel::Linalg(what), _) => self.linalg(v, what, out, index),
            (Kernel::Contract, _) => self.contract(v, out, index),
            (Kernel::Reduce(m), Attr::Axes(axes)) if node.in_order() => {
                self.reduce_in_order(v, m, axes, out)
            }
            (Kernel::Reduce(m), Attr::Axes(axes)) => self.reduce(v, m, axes, out, index),
            (Kernel::Draw, _) => {
                let [seed, count, counters, site] = self.stream(v)?;
                if has_rows(g, v) {
                    let (rows, each) = (ty.shape[0], g.ty(operands[1]).shape[1]);
                    let sizes = [rows, ty.len() / rows, each].map(|n| Arg::Int(n as i64));
                    let [rows, words, each] = sizes;
                    let args = [rows, words, seed, each, counters, site, Arg::Value(out)];
                    return self.call("mlc_random_bits_of_rows", &args);
                }
                let args = [
                    Arg::Int(ty.len() as i64),
                    seed,
                    count,
                    counters,
                    site,
                    Arg::Value(out),
                ];
                self.call("mlc_random_bits", &args)
            }
            (Kernel::View(view), attr) => {
                let from = &g.ty(operands[0]).shape;
                let (offset, steps) = view_strides(view, attr, from, &ty.shape);
                let source = self.address(operands[0]);
                let source = self.b.ins().iadd_imm_s(source, offset * size as i64);
                self.copy(&ty.shape, &steps, &strides(&ty.shape), source, out, size)
            }
            (Kernel::Pad, Attr::Pad { low, between, .. }) => {
                let shape = g.ty(operands[0]).shape.clone();
                let whole = strides(&ty.shape);
                let offset: i64 = low.iter().zip(&whole).map(|(l, s)| *l as i64 * s).sum();
                let steps: Vec<i64> = between
                    .iter()
                    .zip(&whole)
                    .map(|(b, s)| (*b as i64 + 1) * s)
                    .collect();
                self.zero(ty.bytes(), out)?;
                let source = self.address(operands[0]);
                let target = self.b.ins().iadd_imm_s(out, offset * size as i64);
                self.copy(&shape, &strides(&shape), &steps, source, target, size)
            }
            (Kernel::Concat, Attr::Axis(axis)) => {
                let whole = strides(&ty.shape);
                let mut at = 0;
                for &o in &operands {
                    let shape = g.ty(o).shape.clone();
                    let source = self.address(o);
                    let target = self
                        .b
                        .ins()
                        .iadd_imm_s(out, at * whole[*axis] * size as i64);
                    self.copy(&shape, &strides(&shape), &whole, source, target, size)?;
                    at += shape[*axis] as i64;
                }
                Ok(())
            }
            (Kernel::Gather, Attr::Axis(axis)) => {
                let from = &g.ty(operands[0]).shape;
                let outer: usize = from[..*axis].iter().product();
                let inner: usize = from[axis + 1..].iter().product();
                let count = g.ty(operands[1]).len();
                let meta = [outer, from[*axis], inner * size, count].map(|n| n as i64);
                self.indexed("mlc_gather", &meta, operands[0], operands[1], out)
            }
            (Kernel::ScatterAdd, Attr::Scatter { axis, extent }) => {
                let shape = &ty.shape;
                let outer: usize = shape[..*axis].iter().product();
                let inner: usize = shape[axis + 1..].iter().product();
                let count = g.ty(operands[1]).len();
                let meta = [outer, *extent, inner, count].map(|n| n as i64);
                let name = format!("mlc_scatter_add_{}", suffix(ty.dtype));
                self.indexed(&name, &meta, operands[0], operands[1], out)
            }
            (Kernel::ScatterSet, _) => {
                let row = ty.shape[1..].iter().product::<usize>() * size;
                let count = g.ty(operands[1]).len();
                let meta = self.numbers(&[ty.shape[0], row, count].map(|n| n as i64));
                let mut args = vec![meta];
                for &o in &operands {
                    args.push(Arg::Value(self.address(o)));
                }
                args.push(Arg::Value(out));
                self.call("mlc_scatter_set", &args)
            }
            (Kernel::Cumulate(_) | Kernel::ArgMax | Kernel::ArgSort, Attr::Axis(axis)) => {
                let from = g.ty(operands[0]);
                let outer: usize = from.shape[..*axis].iter().product();
                let inner: usize = from.shape[axis + 1..].iter().product();
                let kind = match node.def.kernel {
                    Kernel::Cumulate(m) => format!("cum{}", monoid_name(m)),
                    Kernel::ArgMax => "argmax".to_string(),
                    _ => "argsort".to_string(),
                };
                let x = self.address(operands[0]);
                let sizes = [outer, from.shape[*axis], inner].map(|n| Arg::Int(n as i64));
                let args = [sizes[0], sizes[1], sizes[2], Arg::Value(x), Arg::Value(out)];
                self.call(&format!("mlc_{kind}_{}", suffix(from.dtype)), &args)
            }
            (kernel, attr) => Err(CodegenError(format!(
                "internal error: no code for {kernel:?} with {attr:?}"
            ))),
        }
    }

    /// What the kernels of random words are told of a stream: where the seed is, how many counters there are and where, and the
    /// number of the site.
    /// The few words that each of several sites draws with one seed and counters.
    pub(super) fn draws(&mut self, nodes: &[Value]) -> Result<(), CodegenError> {
        let [seed, count, counters, _] = self.stream(nodes[0])?;
        let mut sites = Vec::new();
        for &n in nodes {
            let Attr::Draw { site, .. } = &self.g.node(n).attr else {
                return Err(CodegenError(
                    "internal error: random words without a site".into(),
                ));
            };
            sites.extend([*site as i64, self.g.ty(n).len() as i64]);
        }
        let outs: Vec<cl::Value> = nodes.iter().map(|&n| self.address(n)).collect();
        let args = [
            Arg::Int(nodes.len() as i64),
            self.numbers(&sites),
            seed,
            count,
            counters,
            Arg::Value(self.table_of(&outs)),
        ];
        self.call("mlc_random_bits_of_sites", &args)
    }

    pub(super) fn stream(&mut self, v: Value) -> Result<[Arg; 4], CodegenError> {
        let operands = self.g.operands(v);
        let Attr::Draw { site, .. } = &self.g.node(v).attr else {
            return Err(CodegenError(
                "internal error: random words without a site".into(),
            ));
        };
        let (seed, counters) = (self.address(operands[0]), self.address(operands[1]));
        let site = match operands.get(2) {
            None => Arg::Int(*site as i64),
            Some(more) => {
                let from = self.address(*more);
                let flags = MemFlagsData::trusted();
                let [low, high] = [0, 4].map(|at| {
                    let word = self.b.ins().load(cl::types::I32, flags, from, at);
                    self.b.ins().uextend(cl::types::I64, word)
                });
                let high = self.b.ins().ishl_imm_s(high, 32);
                let more = self.b.ins().bor(low, high);
                Arg::Value(self.b.ins().iadd_imm_s(more, *site as i64))
            }
        };
        let count = Arg::Int(self.g.ty(operands[1]).len() as i64);
        Ok([Arg::Value(seed), count, Arg::Value(counters), site])
    }

    fn indexed(
        &mut self,
        name: &str,
        meta: &[i64],
        x: Value,
        index: Value,
        out: cl::Value,
    ) -> Result<(), CodegenError> {
        let meta = self.numbers(meta);
        let (x, index) = (self.address(x), self.address(index));
        self.call(
            name,
            &[meta, Arg::Value(x), Arg::Value(index), Arg::Value(out)],
        )
    }

    /// Copies elements between even layouts.
    fn copy(
        &mut self,
        shape: &[usize],
        from: &[i64],
        to: &[i64],
        source: cl::Value,
        target: cl::Value,
        size: usize,
    ) -> Result<(), CodegenError> {
        let (shape, from, to) = &fewer_axes(shape, from, to);
        if shape.iter().product::<usize>() <= FEW {
            self.copy_few(shape, from, to, source, target, size);
            return Ok(());
        }
        let mut meta: Vec<i64> = shape.iter().map(|&n| n as i64).collect();
        meta.extend(from);
        meta.extend(to);
        let rank = Arg::Int(shape.len() as i64);
        let meta = self.numbers(&meta);
        let size = Arg::Int(size as i64);
        self.call(
            "mlc_copy",
            &[rank, meta, size, Arg::Value(source), Arg::Value(target)],
        )
    }

    /// The same for few elements, without a call.
    fn copy_few(
        &mut self,
        shape: &[usize],
        from: &[i64],
        to: &[i64],
        source: cl::Value,
        target: cl::Value,
        size: usize,
    ) {
        let ty = match size {
            1 => cl::types::I8,
            4 => cl::types::I32,
            _ => cl::types::I64,
        };
        let flags = MemFlagsData::new().with_notrap();
        for i in 0..shape.iter().product::<usize>() {
            let (mut left, mut at) = (i, [0, 0]);
            for a in (0..shape.len()).rev() {
                let k = (left % shape[a]) as i64;
                left /= shape[a];
                at[0] += k * from[a];
                at[1] += k * to[a];
            }
            let [read, written] = at.map(|n| (n * size as i64) as i32);
            let x = self.b.ins().load(ty, flags, source, read);
            self.b.ins().store(flags, x, target, written);
        }
    }

    /// Sets bytes to zero; the buffer has room up to the next multiple of 64.
    fn zero(&mut self, bytes: usize, out: cl::Value) -> Result<(), CodegenError> {
        if bytes > FEW * 8 {
            return self.call("mlc_zero", &[Arg::Int(bytes as i64), Arg::Value(out)]);
        }
        let zero = self.b.ins().iconst(cl::types::I64, 0);
        for at in (0..bytes).step_by(8) {
            let flags = MemFlagsData::new().with_notrap();
            self.b.ins().store(flags, zero, out, at as i32);
        }
        Ok(())
    }

    fn reduce(
        &mut self,
        v: Value,
        m: Monoid,
        axes: &[usize],
        out: cl::Value,
        index: usize,
    ) -> Result<(), CodegenError> {
        let x = self.g.operands(v)[0];
        let ty = self.g.ty(x).clone();
        let name = format!("mlc_reduce_{}_{}", monoid_name(m), suffix(ty.dtype));
        let all = runs(&ty.shape, axes);
        let mut source = self.address(x);
        let places: Vec<Place> = self.m.scratch[index].clone();
        for (i, r) in all.iter().enumerate() {
            let target = if i + 1 == all.len() {
                out
            } else {
                self.base(places[i])
            };
            let sizes = r.map(|n| Arg::Int(n as i64));
            self.call(
                &name,
                &[
                    sizes[0],
                    sizes[1],
                    sizes[2],
                    Arg::Value(source),
                    Arg::Value(target),
                ],
            )?;
            source = target;
        }
        if all.is_empty() {
            let bytes = Arg::Int(ty.bytes() as i64);
            self.call(
                "mlc_copy_bytes",
                &[bytes, Arg::Value(source), Arg::Value(out)],
            )?;
        }
        Ok(())
    }

    /// Elements are met in row-major order, and each is added to its place of the result.
    fn reduce_in_order(
        &mut self,
        v: Value,
        m: Monoid,
        axes: &[usize],
        out: cl::Value,
    ) -> Result<(), CodegenError> {
        let x = self.g.operands(v)[0];
        let ty = self.g.ty(x).clone();
        let mut kept = strides(&self.g.ty(v).shape).into_iter();
        let mut meta: Vec<i64> = ty.shape.iter().map(|&n| n as i64).collect();
        meta.extend((0..ty.rank()).map(|a| {
            if axes.contains(&a) {
                0
            } else {
                kept.next().unwrap_or(0)
            }
        }));
        let name = format!("mlc_ordered_{}_{}", monoid_name(m), suffix(ty.dtype));
        let source = self.address(x);
        let args = [
            Arg::Int(ty.rank() as i64),
            self.numbers(&meta),
            Arg::Int(self.g.ty(v).len() as i64),
            Arg::Value(source),
            Arg::Value(out),
        ];
        self.call(&name, &args)
    }

    fn contract(&mut self, v: Value, out: cl::Value, index: usize) -> Result<(), CodegenError> {
        let dtype = self.g.ty(v).dtype;
        let Some(both) = sides(self.g, v) else {
            return Err(CodegenError(
                "internal error: a contraction without its axes".into(),
            ));
        };
        let split = split(&both);
        let [left, right] = &both;
        let (outer, inner) = left.batch.split_at(split);
        let [m, n] = [left, right].map(|s| s.extent(&s.free));
        let sizes = [
            left.extent(outer),
            left.extent(inner),
            m,
            n,
            left.extent(&left.sum),
        ];
        let mut places = self.m.scratch[index].clone().into_iter();
        let mut layout = Vec::new();
        let mut addresses = Vec::new();
        for (side, o) in both.iter().zip(self.g.operands(v)) {
            let mut address = self.address(o);
            let s = match side.strides(split) {
                Some(s) => s,
                None => {
                    // The axes are put in order first.
                    let place = places
                        .next()
                        .ok_or(CodegenError("internal error: no scratch".into()))?;
                    let target = self.base(place);
                    let order = side.order();
                    let shape: Shape = order.iter().map(|&a| side.shape[a]).collect();
                    let own = strides(&side.shape);
                    let from: Vec<i64> = order.iter().map(|&a| own[a]).collect();
                    self.copy(
                        &shape,
                        &from,
                        &strides(&shape),
                        address,
                        target,
                        dtype.size(),
                    )?;
                    address = target;
                    side.strides_in_order(split)
                }
            };
            layout.push(s);
            addresses.push(address);
        }
        // The left operand's rows are free, its columns summed; the right one's the other way round.
        let [a, b] = [layout[0], layout[1]];
        let mut meta = sizes.map(|x| x as i64).to_vec();
        meta.extend(a);
        meta.extend([b[0], b[1], b[3], b[2]]);
        meta.extend([sizes[1] * m * n, m * n, n, 1].map(|x| x as i64));
        let meta = self.numbers(&meta);
        let args = [
            meta,
            Arg::Value(addresses[0]),
            Arg::Value(addresses[1]),
            Arg::Value(out),
        ];
        let name = if self.g.node(v).in_order() {
            "mlc_ordered_product"
        } else {
            "mlc_gemm"
        };
        self.call(&format!("{name}_{}", suffix(dtype)), &args)
    }
}

/// Where a view's first element stands in its operand, and how far apart neighbours along each axis are there.
fn view_strides(view: View, attr: &Attr, from: &[usize], to: &[usize]) -> (i64, Vec<i64>) {
    let own = strides(from);
    match (view, attr) {
        (View::Transpose, Attr::Perm(p)) => (0, p.iter().map(|&a| own[a]).collect()),
        (View::Broadcast, Attr::Broadcast { axes, .. }) => {
            let mut s = vec![0; to.len()];
            axes.iter()
                .zip(&own)
                .for_each(|(&a, &stride)| s[a] = stride);
            (0, s)
        }
        (View::Slice, Attr::Slice { start, step, .. }) => (
            start.iter().zip(&own).map(|(x, s)| *x as i64 * s).sum(),
            step.iter().zip(&own).map(|(x, s)| *x as i64 * s).collect(),
        ),
        (View::Flip, Attr::Axes(axes)) => {
            let offset = axes.iter().map(|&a| (from[a] as i64 - 1) * own[a]).sum();
            let s = own
                .iter()
                .enumerate()
                .map(|(a, s)| if axes.contains(&a) { -s } else { *s })
                .collect();
            (offset, s)
        }
        _ => (0, own),
    }
}

/// The same layouts without axes of extent 1, and with one axis for two where the steps of both layouts go on from one to the
/// other.
fn fewer_axes(shape: &[usize], from: &[i64], to: &[i64]) -> (Vec<usize>, Vec<i64>, Vec<i64>) {
    let mut axes: Vec<(usize, i64, i64)> = Vec::new();
    for a in (0..shape.len()).filter(|&a| shape[a] != 1) {
        let n = shape[a] as i64;
        match axes.last_mut() {
            Some(last) if last.1 == n * from[a] && last.2 == n * to[a] => {
                *last = (last.0 * shape[a], from[a], to[a]);
            }
            _ => axes.push((shape[a], from[a], to[a])),
        }
    }
    let (shape, steps): (Vec<usize>, Vec<(i64, i64)>) =
        axes.into_iter().map(|(n, f, t)| (n, (f, t))).unzip();
    let (from, to) = steps.into_iter().unzip();
    (shape, from, to)
}
