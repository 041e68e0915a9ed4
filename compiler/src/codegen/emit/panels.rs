//! Chains: each part goes through its rows panel by panel, and each panel through the links.

use super::super::CodegenError;
use super::super::memory::Place;
use super::super::nest::Nest;
use super::super::panels::Panels;
use super::super::plan::{Product, Unit, Way, pace, product};
use super::fused::{Nesting, no_scratch};
use super::wide::Callees;
use super::{Arg, Emit, suffix};
use crate::ir::{Graph, Value};
use cranelift::prelude::{self as cl, InstBuilder};

/// A link being written.
enum Link<'n> {
    /// The nest, and how many of its rows belong to one of the chain's.
    Nest(Nesting<'n>, usize),
    /// The product, where its matrix and vectors are, and where its results or the part's sums are.
    Product(Product, Value, [cl::Value; 3]),
}

fn product_of(g: &Graph, link: &Unit) -> Result<Product, CodegenError> {
    let text = "internal error: a link that is no product of a matrix and few vectors";
    product(g, link.nodes[0]).ok_or_else(|| CodegenError(text.into()))
}

/// Bytes of the sums of one part.
fn sum_bytes(g: &Graph, p: &Product) -> usize {
    (p.width * g.ty(p.matrix).dtype.size()).next_multiple_of(64)
}

/// Sizes of the scratch buffers of a chain: those of each link.
pub fn scratch_bytes(g: &Graph, panels: &Panels, nests: &[Nest]) -> Vec<usize> {
    let mut bytes = Vec::new();
    for (link, nest) in panels.links.iter().zip(nests) {
        match product(g, link.nodes[0]) {
            _ if link.fused => bytes.extend(nest.scratch_bytes(g)),
            Some(p) if p.way == Way::Sum => bytes.push(sum_bytes(g, &p) * panels.parts()),
            _ => {}
        }
    }
    bytes
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
                self.product_link(link, &mut places, part)?
            });
        }
        for link in &links {
            match link {
                Link::Nest(h, _) => self.start_folds(h)?,
                Link::Product(p, _, [.., out]) if p.way == Way::Sum => {
                    let bytes = Arg::Int(sum_bytes(self.g, p) as i64);
                    self.call("mlc_zero", &[bytes, Arg::Value(*out)])?;
                }
                Link::Product(..) => {}
            }
        }
        let [start, end] = self.range_of(part, panels.stretch, panels.rows);
        self.for_each(start, end, panels.panel as i64, |e, first| {
            let last = e.b.ins().iadd_imm_s(first, panels.panel as i64);
            let last = e.b.ins().smin(last, end);
            links
                .iter()
                .try_for_each(|link| e.panel_of_link(link, first, last))
        })
    }

    fn product_link(
        &mut self,
        link: &Unit,
        places: &mut impl Iterator<Item = Place>,
        part: cl::Value,
    ) -> Result<Link<'static>, CodegenError> {
        let (g, v) = (self.g, link.nodes[0]);
        let p = product_of(g, link)?;
        let [matrix, vector] = [p.matrix, p.vector].map(|o| self.address(o));
        let out = match p.way {
            Way::Each { .. } => self.address(v),
            Way::Sum => {
                // Where the parts' sums come to is looked up at the end.
                self.place_of_part(places, part, sum_bytes(g, &p))?
            }
        };
        Ok(Link::Product(p, v, [matrix, vector, out]))
    }

    /// A link on rows `first..last`.
    fn panel_of_link(
        &mut self,
        link: &Link,
        first: cl::Value,
        last: cl::Value,
    ) -> Result<(), CodegenError> {
        match link {
            Link::Nest(h, pace) => {
                let [start, end] = [first, last].map(|r| match pace {
                    1 => r,
                    _ => self.b.ins().imul_imm_s(r, *pace as i64),
                });
                self.range(h, start, end)
            }
            Link::Product(p, v, [matrix, vector, out]) => {
                let kind = suffix(self.g.ty(*v).dtype);
                let size = self.g.ty(*v).dtype.size();
                let mut from = |base: cl::Value, numbers: usize| {
                    let offset = self.b.ins().imul_imm_s(first, (numbers * size) as i64);
                    Arg::Value(self.b.ins().iadd(base, offset))
                };
                let x = from(*matrix, p.width);
                let width = Arg::Int(p.width as i64);
                match p.way {
                    Way::Each { vectors } => {
                        let out = from(*out, vectors);
                        let rows = Arg::Value(self.b.ins().isub(last, first));
                        let y = Arg::Value(*vector);
                        let n = Arg::Int(vectors as i64);
                        let name = format!("mlc_rows_product_{kind}");
                        self.call(&name, &[rows, n, width, x, y, out])
                    }
                    Way::Sum => {
                        let y = from(*vector, 1);
                        let rows = Arg::Value(self.b.ins().isub(last, first));
                        let name = format!("mlc_add_rows_{kind}");
                        self.call(&name, &[rows, width, x, y, Arg::Value(*out)])
                    }
                }
            }
        }
    }

    /// Has the parts run, and adds up what they leave, from the first to the last.
    pub(super) fn chain(
        &mut self,
        panels: &Panels,
        nests: &[Nest],
        index: usize,
        callee: cl::Value,
    ) -> Result<(), CodegenError> {
        self.run_parts(callee, panels.parts())?;
        let mut places = self.m.scratch[index].clone().into_iter();
        for (link, nest) in panels.links.iter().zip(nests) {
            if link.fused {
                self.join(nest, &mut places)?;
                continue;
            }
            let v = link.nodes[0];
            let p = product_of(self.g, link)?;
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
