//! The reference interpreter: naive loops on ndarray, independent of the code generator.
//!
//! Every element is held as an f64. After each operation of an f32 graph the result is rounded to f32; integers and truth
//! values are exact.

mod philox;
mod scalar;

use crate::ir::{Attr, DType, Graph, Type, Value};
use crate::ops::{Kernel, Monoid, View};
use ndarray::{ArrayD, IxDyn};

/// A tensor of the interpreter.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    pub ty: Type,
    pub data: ArrayD<f64>,
}

impl Tensor {
    /// Row-major values; their number must fit the type.
    pub fn new(ty: Type, values: Vec<f64>) -> Self {
        let data = ArrayD::from_shape_vec(IxDyn(&ty.shape), values)
            .expect("as many values as the type has elements");
        Self { ty, data }
    }

    pub fn values(&self) -> Vec<f64> {
        self.data.iter().copied().collect()
    }
}

/// Runs a graph on its inputs, in order; gives its outputs, in order.
pub fn eval(g: &Graph, inputs: &[Tensor]) -> Vec<Tensor> {
    let mut vals: Vec<Option<ArrayD<f64>>> = vec![None; g.len()];
    for v in crate::ir::print::live(g) {
        let xs: Vec<&ArrayD<f64>> = g
            .operands(v)
            .iter()
            .map(|o| vals[o.0 as usize].as_ref().expect("operands are older"))
            .collect();
        let out = node(g, v, &xs, inputs);
        vals[v.0 as usize] = Some(out);
    }
    g.outputs
        .iter()
        .map(|(_, v)| Tensor {
            ty: g.ty(*v).clone(),
            data: vals[v.0 as usize].clone().expect("outputs are live"),
        })
        .collect()
}

fn build(shape: &[usize], f: impl FnMut(ndarray::IxDyn) -> f64) -> ArrayD<f64> {
    ArrayD::from_shape_fn(IxDyn(shape), f)
}

fn node(g: &Graph, v: Value, xs: &[&ArrayD<f64>], inputs: &[Tensor]) -> ArrayD<f64> {
    let n = g.node(v);
    let shape = &n.ty.shape;
    let out = match n.def.kernel {
        Kernel::Leaf => match &n.attr {
            Attr::Input(i, _) => return inputs[*i as usize].data.clone(),
            other => panic!("internal error: {other:?} reached the interpreter"),
        },
        Kernel::Fill => match &n.attr {
            Attr::Fill(l, _) => build(shape, |_| l.as_f64()),
            other => panic!("internal error: a fill with {other:?}"),
        },
        Kernel::Table => match &n.attr {
            Attr::Table(bits, _) => {
                let values = bits.iter().map(|b| f64::from_bits(*b)).collect();
                ArrayD::from_shape_vec(IxDyn(shape), values)
                    .expect("the shape rule checked the length")
            }
            other => panic!("internal error: a table with {other:?}"),
        },
        Kernel::Iota => match &n.attr {
            Attr::Iota { axis, .. } => build(shape, |i| i[*axis] as f64),
            other => panic!("internal error: an iota with {other:?}"),
        },
        Kernel::Map(f) => {
            let from = g.operands(v).first().map_or(n.ty.dtype, |&o| g.ty(o).dtype);
            build(shape, |i| {
                let args: Vec<f64> = xs.iter().map(|x| x[&i]).collect();
                scalar::apply(f, &args, from, n.ty.dtype)
            })
        }
        Kernel::Reduce(m) => reduce(m, &n.attr, xs[0], shape),
        Kernel::View(view) => view_of(view, &n.attr, xs[0], shape),
        Kernel::Concat => {
            let Attr::Axis(axis) = n.attr else {
                panic!("internal error: a concat without its axis")
            };
            build(shape, |mut i| {
                let mut k = 0;
                while i[axis] >= xs[k].shape()[axis] {
                    i[axis] -= xs[k].shape()[axis];
                    k += 1;
                }
                xs[k][&i]
            })
        }
        Kernel::Pad => {
            let Attr::Pad { low, between, .. } = &n.attr else {
                panic!("internal error: a pad without its sizes")
            };
            build(shape, |mut i| {
                for a in 0..low.len() {
                    let Some(d) = i[a].checked_sub(low[a]) else {
                        return 0.0;
                    };
                    if d % (between[a] + 1) != 0 || d / (between[a] + 1) >= xs[0].shape()[a] {
                        return 0.0;
                    }
                    i[a] = d / (between[a] + 1);
                }
                xs[0][&i]
            })
        }
        Kernel::Contract => contract(&n.attr, xs[0], xs[1], shape),
        Kernel::Draw => {
            let Attr::Draw { site, .. } = n.attr else {
                panic!("internal error: a draw without its key")
            };
            let word = |x: f64| u64::from(x as i64 as u32);
            let seed = word(xs[0][[0].as_slice()]) | word(xs[0][[1].as_slice()]) << 32;
            let step = xs[1].iter().next().map_or(0, |s| *s as i64 as u64);
            let mut at = 0;
            build(shape, |_| {
                at += 1;
                f64::from(philox::word(seed, site, step, at - 1) as i32)
            })
        }
        Kernel::Gather => {
            let Attr::Axis(axis) = n.attr else {
                panic!("internal error: a gather without its axis")
            };
            let rank = xs[1].ndim();
            build(shape, |i| {
                let at = if rank == 0 {
                    xs[1].iter().next().copied().unwrap_or(0.0)
                } else {
                    xs[1][[i[axis]].as_slice()]
                };
                let mut j: Vec<usize> = (0..axis).map(|a| i[a]).collect();
                j.push(at.clamp(0.0, xs[0].shape()[axis] as f64 - 1.0) as usize);
                j.extend((axis + rank..shape.len()).map(|a| i[a]));
                xs[0][j.as_slice()]
            })
        }
        Kernel::ScatterAdd => {
            let Attr::Scatter { axis, extent } = n.attr else {
                panic!("internal error: a scatter without its axis")
            };
            let rank = xs[1].ndim();
            let mut out = ArrayD::zeros(IxDyn(shape));
            for (i, x) in xs[0].indexed_iter() {
                let at = if rank == 0 {
                    xs[1].iter().next().copied().unwrap_or(0.0)
                } else {
                    xs[1][[i[axis]].as_slice()]
                };
                let mut j: Vec<usize> = (0..axis).map(|a| i[a]).collect();
                j.push(at.clamp(0.0, extent as f64 - 1.0) as usize);
                j.extend((axis + rank..ndarray::Dimension::ndim(&i)).map(|a| i[a]));
                out[j.as_slice()] += x;
            }
            out
        }
        Kernel::ScatterSet => {
            let mut out = xs[0].clone();
            let last = xs[0].shape()[0] as f64 - 1.0;
            for (k, &at) in xs[1].iter().enumerate() {
                let at = at.clamp(0.0, last.max(0.0)) as usize;
                let row = xs[2].index_axis(ndarray::Axis(0), k);
                out.index_axis_mut(ndarray::Axis(0), at).assign(&row);
            }
            out
        }
        Kernel::CumSum => {
            let Attr::Axis(axis) = n.attr else {
                panic!("internal error: a running sum without its axis")
            };
            let mut out = xs[0].clone();
            out.accumulate_axis_inplace(ndarray::Axis(axis), |a, b| *b += a);
            out
        }
        Kernel::ArgMax => {
            let Attr::Axis(axis) = n.attr else {
                panic!("internal error: an argmax without its axis")
            };
            build(shape, |i| {
                let mut best = 0;
                let at = |k: usize| {
                    let mut j: Vec<usize> = (0..axis).map(|a| i[a]).collect();
                    j.push(k);
                    j.extend((axis..ndarray::Dimension::ndim(&i)).map(|a| i[a]));
                    xs[0][j.as_slice()]
                };
                for k in 1..xs[0].shape()[axis] {
                    if at(k) > at(best) {
                        best = k;
                    }
                }
                best as f64
            })
        }
    };
    if n.ty.dtype == DType::F32 {
        out.mapv(|x| f64::from(x as f32))
    } else {
        out
    }
}

fn reduce(m: Monoid, attr: &Attr, x: &ArrayD<f64>, shape: &[usize]) -> ArrayD<f64> {
    let Attr::Axes(axes) = attr else {
        panic!("internal error: a reduction without its axes")
    };
    let start = match m {
        Monoid::Sum | Monoid::Any => 0.0,
        Monoid::Prod | Monoid::All => 1.0,
        Monoid::Max => f64::NEG_INFINITY,
        Monoid::Min => f64::INFINITY,
    };
    let mut out = ArrayD::from_elem(IxDyn(shape), start);
    for (i, &x) in x.indexed_iter() {
        let j: Vec<usize> = (0..ndarray::Dimension::ndim(&i))
            .filter(|a| !axes.contains(a))
            .map(|a| i[a])
            .collect();
        let o = &mut out[j.as_slice()];
        *o = match m {
            Monoid::Sum => *o + x,
            Monoid::Prod => *o * x,
            Monoid::Max => scalar::max(*o, x),
            Monoid::Min => scalar::min(*o, x),
            Monoid::Any => f64::from(u8::from(*o != 0.0 || x != 0.0)),
            Monoid::All => f64::from(u8::from(*o != 0.0 && x != 0.0)),
        };
    }
    out
}

fn view_of(view: View, attr: &Attr, x: &ArrayD<f64>, shape: &[usize]) -> ArrayD<f64> {
    match (view, attr) {
        (View::Reshape, _) => {
            let values: Vec<f64> = x.iter().copied().collect();
            ArrayD::from_shape_vec(IxDyn(shape), values).expect("the shape rule checked the length")
        }
        (View::Transpose, Attr::Perm(p)) => build(shape, |i| {
            let mut j = vec![0; p.len()];
            p.iter().enumerate().for_each(|(a, &b)| j[b] = i[a]);
            x[j.as_slice()]
        }),
        (View::Broadcast, Attr::Broadcast { axes, .. }) => build(shape, |i| {
            let j: Vec<usize> = axes.iter().map(|&a| i[a]).collect();
            x[j.as_slice()]
        }),
        (View::Slice, Attr::Slice { start, step, .. }) => build(shape, |i| {
            let j: Vec<usize> = (0..start.len())
                .map(|a| start[a] + i[a] * step[a])
                .collect();
            x[j.as_slice()]
        }),
        (View::Flip, Attr::Axes(axes)) => build(shape, |i| {
            let j: Vec<usize> = (0..shape.len())
                .map(|a| {
                    if axes.contains(&a) {
                        shape[a] - 1 - i[a]
                    } else {
                        i[a]
                    }
                })
                .collect();
            x[j.as_slice()]
        }),
        (view, attr) => panic!("internal error: {view:?} with {attr:?}"),
    }
}

fn contract(attr: &Attr, l: &ArrayD<f64>, r: &ArrayD<f64>, shape: &[usize]) -> ArrayD<f64> {
    let Attr::Contract(c) = attr else {
        panic!("internal error: a product without its axes")
    };
    let left: Vec<usize> = (0..l.ndim())
        .filter(|a| !c.batch.iter().chain(&c.sum).any(|p| p.0 == *a))
        .collect();
    let right: Vec<usize> = (0..r.ndim())
        .filter(|a| !c.batch.iter().chain(&c.sum).any(|p| p.1 == *a))
        .collect();
    let extents: Vec<usize> = c.sum.iter().map(|p| l.shape()[p.0]).collect();
    let total: usize = extents.iter().product();
    build(shape, |i| {
        let (mut a, mut b) = (vec![0; l.ndim()], vec![0; r.ndim()]);
        for (k, p) in c.batch.iter().enumerate() {
            (a[p.0], b[p.1]) = (i[k], i[k]);
        }
        left.iter()
            .enumerate()
            .for_each(|(k, &ax)| a[ax] = i[c.batch.len() + k]);
        right
            .iter()
            .enumerate()
            .for_each(|(k, &ax)| b[ax] = i[c.batch.len() + left.len() + k]);
        let mut sum = 0.0;
        for flat in 0..total {
            let mut rest = flat;
            for (p, &n) in c.sum.iter().zip(&extents).rev() {
                (a[p.0], b[p.1]) = (rest % n, rest % n);
                rest /= n;
            }
            sum += l[a.as_slice()] * r[b.as_slice()];
        }
        sum
    })
}
