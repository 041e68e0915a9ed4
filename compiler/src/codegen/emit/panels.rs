//! Chains: each part goes through its rows panel by panel, and each panel through the links.

use super::super::CodegenError;
use super::super::memory::Place;
use super::super::nest::Nest;
use super::super::panels::{PACKED_ROWS, Panels, Stretches};
use super::super::plan::{Product, Unit, Way, of_two, pace, product};
use super::super::sides::Matrices;
use super::fused::{Nesting, no_scratch};
use super::wide::Callees;
use super::{Arg, Emit, suffix};
use crate::ir::{Graph, Value};
use cranelift::codegen::ir::MemFlagsData;
use cranelift::prelude::{self as cl, InstBuilder, types};
use std::collections::BTreeMap;

/// A right operand of no more rows, if these are contiguous, is read where it lies, too: two vectors of each stay in the first-level cache.
const SHORT: usize = 64;

/// A link being written.
enum Link<'n> {
    /// The nest, and how many of its rows belong to one of the chain's.
    Nest(Nesting<'n>, usize),
    /// The product, and where the sums of the part are, if it is one over rows.
    Product(Product, Value, Option<cl::Value>),
    /// The product of two matrices, how many rows belong to one of the chain's, and where the right one is in the order in which it is
    /// read, if it is put into that.
    Matrices(Matrices, Value, usize, Option<cl::Value>),
}

/// What a link is that is no nest.
enum Form {
    Vectors(Product),
    Matrices(Matrices),
}

fn form(g: &Graph, link: &Unit) -> Result<Form, CodegenError> {
    let v = link.nodes[0];
    let vectors = product(g, v).map(Form::Vectors);
    let text = "internal error: a link that is no product of matrices";
    vectors
        .or_else(|| of_two(g, v).map(Form::Matrices))
        .ok_or_else(|| CodegenError(text.into()))
}

/// Bytes of the sums of one part.
fn sum_bytes(g: &Graph, p: &Product) -> usize {
    (p.width * g.ty(p.matrix).dtype.size()).next_multiple_of(64)
}

/// Bytes of the right operand in the order in which it is read, if that is not how it lies.
fn packed_bytes(g: &Graph, p: &Matrices) -> Option<usize> {
    let lies = p.strides[1][1] == 1 && (p.m < PACKED_ROWS || p.k <= SHORT);
    let row = p.n.next_multiple_of(16) * g.ty(p.y).dtype.size();
    (!lies).then_some(p.k * row)
}

/// Sizes of the scratch buffers of a link.
fn bytes_of_link(g: &Graph, panels: &Panels, link: &Unit, nest: &Nest) -> Vec<usize> {
    if link.fused {
        return nest.scratch_bytes(g);
    }
    match form(g, link) {
        Ok(Form::Vectors(p)) if p.way == Way::Sum => vec![sum_bytes(g, &p) * panels.parts()],
        Ok(Form::Matrices(p)) => packed_bytes(g, &p).into_iter().collect(),
        _ => vec![],
    }
}

/// Sizes of the scratch buffers of a chain: those of each link.
pub fn scratch_bytes(g: &Graph, panels: &Panels, nests: &[Nest]) -> Vec<usize> {
    let links = panels.links.iter().zip(nests);
    links
        .flat_map(|(link, nest)| bytes_of_link(g, panels, link, nest))
        .collect()
}

impl Emit<'_, '_> {
    /// The body of a part of a chain, in a function of its own.
    pub(super) fn part_of_chain<'n>(
        &mut self,
        panels: &'n Panels,
        nests: &'n [Nest],
        index: usize,
        kept: &'n [bool],
        loops: Vec<Option<Callees<'n>>>,
        part: cl::Value,
    ) -> Result<(), CodegenError> {
        let mut places = self.m.scratch[index].clone().into_iter();
        let mut links = Vec::new();
        for ((link, nest), loops) in panels.links.iter().zip(nests).zip(loops) {
            links.push(if link.fused {
                let h = self.nesting(link, nest, &mut places, kept, loops, part)?;
                Link::Nest(h, pace(nest, panels.rows).unwrap_or(1))
            } else {
                self.product_link(panels, link, &mut places, part)?
            });
        }
        for link in &links {
            match link {
                Link::Nest(h, _) => self.start_folds(h)?,
                Link::Product(p, _, Some(sums)) => {
                    let bytes = Arg::Int(sum_bytes(self.g, p) as i64);
                    self.call("mlc_zero", &[bytes, Arg::Value(*sums)])?;
                }
                Link::Product(..) | Link::Matrices(..) => {}
            }
        }
        let [start, end] = self.rows_of(panels, part);
        let room = match panels.room() {
            0 => None,
            bytes => Some(self.room(bytes)?),
        };
        self.for_each(start, end, panels.panel as i64, |e, first| {
            let last = e.b.ins().iadd_imm_s(first, panels.panel as i64);
            let last = e.b.ins().smin(last, end);
            e.panel = room.map(|room| [room, first]);
            let done = links
                .iter()
                .try_for_each(|link| e.panel_of_link(link, first, last));
            e.panel = None;
            done
        })
    }

    /// Has places looked up where all that follows sees them.
    fn look_up(&mut self, values: &[Value]) {
        values.iter().for_each(|v| {
            self.address(*v);
        });
    }

    /// Memory that the thread keeps.
    fn room(&mut self, bytes: usize) -> Result<cl::Value, CodegenError> {
        let zero = self.b.ins().iconst(types::I64, 0);
        let found = self.table_of(&[zero]);
        self.call("mlc_room", &[Arg::Int(bytes as i64), Arg::Value(found)])?;
        let flags = MemFlagsData::trusted();
        Ok(self.b.ins().load(types::I64, flags, found, 0))
    }

    fn product_link(
        &mut self,
        panels: &Panels,
        link: &Unit,
        places: &mut impl Iterator<Item = Place>,
        part: cl::Value,
    ) -> Result<Link<'static>, CodegenError> {
        let (g, v) = (self.g, link.nodes[0]);
        let p = match form(g, link)? {
            Form::Vectors(p) => p,
            Form::Matrices(p) => {
                let packed = match packed_bytes(g, &p) {
                    Some(_) => Some(self.base(places.next().ok_or_else(no_scratch)?)),
                    None => None,
                };
                let pace = p.m / panels.rows;
                self.look_up(&[p.x, p.y, v]);
                return Ok(Link::Matrices(p, v, pace, packed));
            }
        };
        self.look_up(&[p.matrix, p.vector]);
        let sums = match p.way {
            Way::Each { .. } => {
                self.look_up(&[v]);
                None
            }
            // Where they come to is looked up at the end.
            Way::Sum => Some(self.place_of_part(places, part, sum_bytes(g, &p))?),
        };
        Ok(Link::Product(p, v, sums))
    }

    /// The first row of a part, and the end.
    fn rows_of(&mut self, panels: &Panels, part: cl::Value) -> [cl::Value; 2] {
        match panels.stretches {
            Stretches::Of(rows) => self.range_of(part, rows, panels.rows),
            Stretches::Even { parts, grain } => {
                let grains = panels.rows.div_ceil(grain);
                let next = self.b.ins().iadd_imm_s(part, 1);
                [part, next].map(|p| {
                    let p = self.b.ins().imul_imm_s(p, grains as i64);
                    let parts = self.b.ins().iconst(types::I64, parts as i64);
                    let p = self.b.ins().udiv(p, parts);
                    let p = self.b.ins().imul_imm_s(p, grain as i64);
                    let rows = self.b.ins().iconst(types::I64, panels.rows as i64);
                    self.b.ins().smin(p, rows)
                })
            }
        }
    }

    /// A link on rows `first..last`.
    fn panel_of_link(
        &mut self,
        link: &Link,
        first: cl::Value,
        last: cl::Value,
    ) -> Result<(), CodegenError> {
        let mut times = |pace: usize| {
            [first, last].map(|r| match pace {
                1 => r,
                _ => self.b.ins().imul_imm_s(r, pace as i64),
            })
        };
        match link {
            Link::Nest(h, pace) => {
                let [start, end] = times(*pace);
                self.enter_panel(h);
                self.range(h, start, end)
            }
            Link::Matrices(p, v, pace, packed) => {
                let [start, end] = times(*pace);
                let [x, y, out] = [p.x, p.y, *v].map(|o| self.address(o));
                let rows = self.b.ins().isub(end, start);
                let [x_strides, y_strides] = p.strides;
                let sizes = [p.n, p.k].map(|n| n as i64);
                let meta = self.numbers(&[sizes, x_strides, y_strides].concat());
                let packed = packed.map_or(Arg::Int(0), Arg::Value);
                let [start, rows, x, y, out] = [start, rows, x, y, out].map(Arg::Value);
                let name = format!("mlc_rows_gemm_{}", suffix(self.g.ty(p.x).dtype));
                self.call(&name, &[meta, start, rows, x, y, packed, out])
            }
            Link::Product(p, v, sums) => {
                let [matrix, vector] = [p.matrix, p.vector].map(|o| self.address(o));
                let out = match sums {
                    Some(sums) => *sums,
                    None => self.address(*v),
                };
                let kind = suffix(self.g.ty(*v).dtype);
                let size = self.g.ty(*v).dtype.size();
                let mut from = |base: cl::Value, numbers: usize| {
                    let offset = self.b.ins().imul_imm_s(first, (numbers * size) as i64);
                    Arg::Value(self.b.ins().iadd(base, offset))
                };
                let x = from(matrix, p.width);
                let width = Arg::Int(p.width as i64);
                match p.way {
                    Way::Each { vectors } => {
                        let out = from(out, vectors);
                        let rows = Arg::Value(self.b.ins().isub(last, first));
                        let y = Arg::Value(vector);
                        let n = Arg::Int(vectors as i64);
                        let name = format!("mlc_rows_product_{kind}");
                        self.call(&name, &[rows, n, width, x, y, out])
                    }
                    Way::Sum => {
                        let y = from(vector, 1);
                        let rows = Arg::Value(self.b.ins().isub(last, first));
                        let name = format!("mlc_add_rows_{kind}");
                        self.call(&name, &[rows, width, x, y, Arg::Value(out)])
                    }
                }
            }
        }
    }

    /// Puts what each panel needs all of in order, has the parts run, and adds up what they leave, from the first to the last.
    pub(super) fn chain(
        &mut self,
        panels: &Panels,
        nests: &[Nest],
        index: usize,
        callee: cl::Value,
    ) -> Result<(), CodegenError> {
        let mut places = self.m.scratch[index].clone().into_iter();
        let links = panels.links.iter().zip(nests);
        let of_link = |(link, nest)| {
            let count = bytes_of_link(self.g, panels, link, nest).len();
            (link, nest, places.by_ref().take(count).collect())
        };
        let links: Vec<(&Unit, &Nest, Vec<Place>)> = links.map(of_link).collect();
        self.put_in_order(&links)?;
        self.run_parts(callee, panels.parts())?;
        for (link, nest, places) in links {
            let mut places = places.into_iter();
            if link.fused {
                self.join(nest, &mut places)?;
                continue;
            }
            let v = link.nodes[0];
            let Form::Vectors(p) = form(self.g, link)? else {
                continue;
            };
            if p.way != Way::Sum {
                continue;
            }
            let ty = self.g.ty(v);
            let from = self.base(places.next().ok_or_else(no_scratch)?);
            let step = sum_bytes(self.g, &p) / ty.dtype.size();
            let sizes = [panels.parts(), p.width, step].map(|n| Arg::Int(n as i64));
            let out = Arg::Value(self.address(v));
            let name = format!("mlc_total_{}", suffix(ty.dtype));
            self.call(
                &name,
                &[sizes[0], sizes[1], sizes[2], Arg::Value(from), out],
            )?;
        }
        Ok(())
    }

    /// Puts the right operands of products of matrices in the order in which they are read: those of one element type at once.
    fn put_in_order(&mut self, links: &[(&Unit, &Nest, Vec<Place>)]) -> Result<(), CodegenError> {
        let mut by_type: BTreeMap<&str, (Vec<i64>, Vec<cl::Value>)> = BTreeMap::new();
        for (link, _, places) in links.iter().filter(|l| !l.0.fused) {
            if let Form::Matrices(p) = form(self.g, link)?
                && let Some(place) = places.first()
            {
                let kind = suffix(self.g.ty(p.y).dtype);
                let (meta, places) = by_type.entry(kind).or_default();
                meta.extend([p.k as i64, p.n as i64]);
                meta.extend(p.strides[1]);
                places.extend([self.address(p.y), self.base(*place)]);
            }
        }
        for (kind, (mut meta, places)) in by_type {
            meta.insert(0, places.len() as i64 / 2);
            let meta = self.numbers(&meta);
            let places = Arg::Value(self.table_of(&places));
            self.call(&format!("mlc_pack_{kind}"), &[meta, places])?;
        }
        Ok(())
    }

    /// Calls a function for each of so many parts.
    pub(super) fn run_parts(
        &mut self,
        callee: cl::Value,
        parts: usize,
    ) -> Result<(), CodegenError> {
        let [inputs, outputs, arena] = self.arguments.map(Arg::Value);
        let count = Arg::Int(parts as i64);
        let words = [Arg::Value(callee), inputs, outputs, arena, count];
        self.call("mlc_parallel", &words)
    }
}
