//! The reference interpreter: naive loops on ndarray, independent of the code generator.
//!
//! Every element is held as an f64. After each operation of an f32 graph the result is rounded to f32; integers and truth
//! values are exact.

mod linalg;
mod philox;
mod scalar;
mod special;
pub mod trace;

use crate::ir::{Attr, DType, Graph, Loop, Node, Type, Value};
use crate::ops::{Kernel, Monoid, View};
use ndarray::{ArrayD, IxDyn};
use std::collections::HashMap;
use std::ops::ControlFlow;

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
    let vals = values(g, inputs);
    g.outputs
        .iter()
        .map(|(_, v)| Tensor {
            ty: g.ty(*v).clone(),
            data: vals[v.0 as usize].clone().expect("outputs are live"),
        })
        .collect()
}

/// The values of all nodes that an output needs.
fn run(g: &Graph, inputs: &[Tensor]) -> HashMap<Value, ArrayD<f64>> {
    let all = values(g, inputs).into_iter().enumerate();
    all.filter_map(|(i, x)| Some((Value(i as u32), x?)))
        .collect()
}

fn values(g: &Graph, inputs: &[Tensor]) -> Vec<Option<ArrayD<f64>>> {
    let mut vals: Vec<Option<ArrayD<f64>>> = vec![None; g.len()];
    let mut results: HashMap<Value, Vec<ArrayD<f64>>> = HashMap::new();
    for v in crate::ir::print::live(g) {
        let operands = g.operands(v);
        match &g.node(v).attr {
            Attr::Loop(l) => {
                let xs: Vec<Tensor> = operands
                    .iter()
                    .map(|o| Tensor {
                        ty: g.ty(*o).clone(),
                        data: vals[o.0 as usize].clone().expect("operands are older"),
                    })
                    .collect();
                results.insert(v, run_loop(l, &xs));
                vals[v.0 as usize] = Some(ArrayD::zeros(IxDyn(&[0])));
                continue;
            }
            Attr::Call(c) => {
                let of = |k: usize| {
                    let o = operands[c.args + k];
                    vals[o.0 as usize].clone().expect("operands are older")
                };
                results.insert(v, (0..c.results).map(of).collect());
                vals[v.0 as usize] = Some(ArrayD::zeros(IxDyn(&[0])));
                continue;
            }
            Attr::Part(k, _) => {
                vals[v.0 as usize] = Some(results[&operands[0]][*k as usize].clone());
                continue;
            }
            _ => {}
        }
        let xs: Vec<&ArrayD<f64>> = g
            .operands(v)
            .iter()
            .map(|o| vals[o.0 as usize].as_ref().expect("operands are older"))
            .collect();
        let out = node(g, v, &xs, inputs);
        vals[v.0 as usize] = Some(out);
    }
    vals
}

/// Runs a loop; gives its last carries and its rows.
fn run_loop(l: &Loop, xs: &[Tensor]) -> Vec<ArrayD<f64>> {
    let first = l.first();
    let mut carries: Vec<ArrayD<f64>> = xs[first..first + l.carries]
        .iter()
        .map(|x| x.data.clone())
        .collect();
    let mut rows: Vec<ArrayD<f64>> = (0..l.rows)
        .map(|r| {
            let ty = l.body.ty(l.body.outputs[l.carries + r].1);
            let shape: Vec<usize> = std::iter::once(l.count)
                .chain(ty.shape.iter().copied())
                .collect();
            ArrayD::zeros(IxDyn(&shape))
        })
        .collect();
    iterations(l, xs, &mut |at, _, outs| {
        for (r, row) in rows.iter_mut().enumerate() {
            row.index_axis_mut(ndarray::Axis(0), at)
                .assign(&outs[l.carries + r].data);
        }
        carries = outs[..l.carries].iter().map(|t| t.data.clone()).collect();
        ControlFlow::Continue(())
    });
    carries.extend(rows);
    carries
}

/// What is shown of an iteration: its number, what it was given and what it gave.
type Seen<'s> = dyn FnMut(usize, &[Tensor], &[Tensor]) -> ControlFlow<()> + 's;

/// Runs a loop's body, one iteration after another, and shows each.
fn iterations(l: &Loop, xs: &[Tensor], seen: &mut Seen) {
    let first = l.first();
    let mut carries: Vec<ArrayD<f64>> = xs[first..first + l.carries]
        .iter()
        .map(|x| x.data.clone())
        .collect();
    let slices = &xs[first + l.carries..first + l.carries + l.slices];
    let captured = &xs[first + l.carries + l.slices..];
    let mut on = !l.bounded || xs[0].data.iter().next() == Some(&1.0);
    for t in 0..l.count {
        if !on {
            break;
        }
        let at = if l.reverse { l.count - 1 - t } else { t };
        let index = l.body.inputs[0].value;
        let mut inputs = vec![Tensor::new(l.body.ty(index).clone(), vec![at as f64])];
        for (i, c) in carries.iter().enumerate() {
            inputs.push(Tensor {
                ty: l.body.ty(l.body.inputs[1 + i].value).clone(),
                data: c.clone(),
            });
        }
        for (i, s) in slices.iter().enumerate() {
            inputs.push(Tensor {
                ty: l.body.ty(l.body.inputs[1 + l.carries + i].value).clone(),
                data: s.data.index_axis(ndarray::Axis(0), at).to_owned(),
            });
        }
        inputs.extend(captured.iter().cloned());
        let outs = eval(&l.body, &inputs);
        if seen(at, &inputs, &outs).is_break() {
            break;
        }
        if l.bounded {
            on = outs[l.parts()].data.iter().next() == Some(&1.0);
        }
        carries = outs.into_iter().take(l.carries).map(|t| t.data).collect();
    }
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
        Kernel::Loop | Kernel::Call | Kernel::Part => {
            unreachable!("these have several results: `eval` knows them")
        }
        Kernel::Reduce(m) => reduce(m, n, xs[0]),
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
        Kernel::Contract => contract(&n.attr, xs[0], xs[1], shape, rounding(n)),
        Kernel::Linalg(what) => linalg::eval(what, &n.attr, xs, shape),
        Kernel::Draw => {
            let Attr::Draw { site, .. } = n.attr else {
                panic!("internal error: a draw without its key")
            };
            let word = |x: f64| u64::from(x as i64 as u32);
            let words = |x: &ArrayD<f64>| word(x[[0].as_slice()]) | word(x[[1].as_slice()]) << 32;
            let seed = words(xs[0]);
            let site = site.wrapping_add(xs.get(2).map_or(0, |x| words(x)));
            let counters: Vec<i64> = xs[1].iter().map(|c| *c as i64).collect();
            // Each row of counters has its own words.
            let rows = if xs[1].ndim() == 2 { shape[0] } else { 1 };
            let each = (counters.len() / rows.max(1)).max(1);
            let streams = counters.chunks(each).map(|c| philox::stream(seed, site, c));
            let streams: Vec<_> = streams.collect();
            let words = shape.iter().product::<usize>() / rows.max(1);
            let mut at = 0;
            build(shape, |_| {
                let (key, step) = streams[at / words];
                at += 1;
                f64::from(philox::word(key, step, ((at - 1) % words) as u64) as i32)
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
                let o = &mut out[j.as_slice()];
                *o = combine(Monoid::Sum, *o, *x, n);
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
        Kernel::Cumulate(m) => {
            let Attr::Axis(axis) = n.attr else {
                panic!("internal error: a running sum without its axis")
            };
            let mut out = xs[0].clone();
            out.accumulate_axis_inplace(ndarray::Axis(axis), |a, b| {
                *b = combine(m, *a, *b, n);
                // Each is the next one's operand, as an element of its type.
                if n.ty.dtype == DType::F32 {
                    *b = f64::from(*b as f32);
                }
            });
            out
        }
        Kernel::ArgMax => {
            let Attr::Axis(axis) = n.attr else {
                panic!("internal error: an argmax without its axis")
            };
            build(shape, |i| {
                let line = line(xs[0], axis, &i, false);
                let mut best = 0;
                for k in 1..line.len() {
                    if line[k] > line[best] || line[k].is_nan() && !line[best].is_nan() {
                        best = k;
                    }
                }
                best as f64
            })
        }
        Kernel::ArgSort => {
            let Attr::Axis(axis) = n.attr else {
                panic!("internal error: an argsort without its axis")
            };
            build(shape, |i| {
                // The element that stands at place `i[axis]`: as many come before it as there are smaller or equal earlier ones.
                let line = line(xs[0], axis, &i, true);
                let before = |a: usize, b: usize| match (line[a].is_nan(), line[b].is_nan()) {
                    (x, y) if x != y => y,
                    (false, false) if line[a] != line[b] => line[a] < line[b],
                    _ => a < b,
                };
                let place = |k: usize| (0..line.len()).filter(|&j| before(j, k)).count();
                (0..line.len())
                    .find(|&k| place(k) == i[axis])
                    .map_or(f64::NAN, |k| k as f64)
            })
        }
    };
    if n.ty.dtype == DType::F32 {
        out.mapv(|x| f64::from(x as f32))
    } else {
        out
    }
}

/// The elements along an axis that share the other indices `i`, which has a place for the axis if `with` says so.
fn line(x: &ArrayD<f64>, axis: usize, i: &IxDyn, with: bool) -> Vec<f64> {
    (0..x.shape()[axis])
        .map(|k| {
            let rank = ndarray::Dimension::ndim(i);
            let mut j: Vec<usize> = (0..axis).map(|a| i[a]).collect();
            j.push(k);
            j.extend((axis + usize::from(with)..rank).map(|a| i[a]));
            x[j.as_slice()]
        })
        .collect()
}

/// What is done to each partial result: a sum in order is rounded to the element type at every step.
fn rounding(n: &Node) -> fn(f64) -> f64 {
    if n.in_order() && n.ty.dtype == DType::F32 {
        |x| f64::from(x as f32)
    } else {
        |x| x
    }
}

/// Two partial results of a reduction, made one. Sums and products of ints wrap around.
fn combine(m: Monoid, a: f64, b: f64, n: &Node) -> f64 {
    let int = n.ty.dtype == DType::I32;
    let round = rounding(n);
    match m {
        Monoid::Sum if int => f64::from((a as i32).wrapping_add(b as i32)),
        Monoid::Prod if int => f64::from((a as i32).wrapping_mul(b as i32)),
        Monoid::Sum => round(a + b),
        Monoid::Prod => round(a * b),
        Monoid::Max => scalar::max(a, b),
        Monoid::Min => scalar::min(a, b),
        Monoid::Any => f64::from(u8::from(a != 0.0 || b != 0.0)),
        Monoid::All => f64::from(u8::from(a != 0.0 && b != 0.0)),
    }
}

fn reduce(m: Monoid, n: &Node, x: &ArrayD<f64>) -> ArrayD<f64> {
    let (attr, shape) = (&n.attr, &n.ty.shape);
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
        *o = combine(m, *o, x, n);
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

fn contract(
    attr: &Attr,
    l: &ArrayD<f64>,
    r: &ArrayD<f64>,
    shape: &[usize],
    round: fn(f64) -> f64,
) -> ArrayD<f64> {
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
            sum = round(sum + round(l[a.as_slice()] * r[b.as_slice()]));
        }
        sum
    })
}
