//! Dead code, algebra and constants. A pass rebuilds the graph in order through a map from old to new nodes; equal nodes
//! merge as they are added. No rewriting changes a floating-point result, but for these, that are not made in `strict` blocks:
//! x + 0 is x, though -0 + 0 is 0 (so the sum of pieces among zeros that lie side by side is these pieces, and one element among
//! zeros is itself), a sum of what has another sign is the sum with another sign, and that of n times the same x is n * x; x ^ 2 is
//! x * x, x ^ 3 is x * x * x and x ^ -0.5 is 1 / sqrt(x), which are rounded once or twice where a power is rounded less well;
//! exp(x - logsumexp(x)) is exp(x - max(x)) * (1 / s) (`simplify/functions.rs`).
//!
//! x * 1   =>   x          stop(x)   =>   x          tangent(x)   =>   0
//!
//! 1 / broadcast(x)   =>   broadcast(1 / x)

mod functions;
mod moves;
mod picks;
mod products;

use super::Pass;
use crate::codegen::native;
use crate::ir::{Attr, Contract, DType, Graph, Literal, Loop, Owned, Type, Value};
use crate::ops::{self, Kernel, Scalar, View};
use std::collections::HashMap;

/// Keeps only what the outputs need. Inputs stay, used or not, so that positions hold.
pub const ELIMINATE_DEAD_CODE: Pass = Pass {
    name: "eliminate_dead_code",
    about: "drops nodes that no output needs",
    run: |g| rebuild(g, &|_, _, _, _| None),
};

/// Algebra.
pub const SIMPLIFY: Pass = Pass {
    name: "simplify",
    about: "rewrites by exact algebraic laws",
    run: |g| rebuild(g, &law),
};

/// Algebra, after constants are folded.
pub const SIMPLIFY_AGAIN: Pass = Pass {
    name: "simplify_again",
    about: "rewrites by exact algebraic laws once constants are folded",
    run: |g| rebuild(g, &law),
};

/// Operations on literals.
pub const FOLD_CONSTANTS: Pass = Pass {
    name: "fold_constants",
    about: "computes operations on literals",
    run: |g| rebuild(g, &fold),
};

/// What a node becomes, given its operands in the new graph and of each whether no other node reads it: `None` for the node itself.
pub type Law = dyn Fn(&mut Graph, &crate::ir::Node, &[Value], &[bool]) -> Option<Value>;

/// The graph in order, each node as the law has it; the bodies of loops, too.
pub fn rebuild(old: &Graph, law: &Law) -> Graph {
    let mut g = Graph::new();
    let mut map: HashMap<Value, Value> = HashMap::new();
    let live = crate::ir::print::live(old);
    let readers = readers(old, &live);
    for v in live {
        let node = old.node(v);
        (g.origin, g.strict) = (node.origin, node.strict);
        let new = if let Attr::Input(i, ty) = &node.attr {
            g.input(old.inputs[*i as usize].name.clone(), ty.clone())
        } else {
            let operands = old.operands(v);
            let xs: Vec<Value> = operands.iter().map(|o| map[o]).collect();
            let once = operands.iter().map(|o| readers[o.0 as usize] == 1);
            let once: Vec<bool> = once.collect();
            // A guard only matters to derivatives, which have been taken.
            match law(&mut g, node, &xs, &once) {
                Some(v) => v,
                None => {
                    let attr = match &node.attr {
                        Attr::Loop(l) => Attr::Loop(Owned::new(Loop {
                            body: rebuild(&l.body, law),
                            ..(*l.0).clone()
                        })),
                        attr => attr.clone(),
                    };
                    g.add(node.def, attr, &xs)
                }
            }
        };
        map.insert(v, new);
    }
    g.outputs = old
        .outputs
        .iter()
        .map(|(n, v)| (n.clone(), map[v]))
        .collect();
    g
}

/// By node: how many read it; to be an output is to be read.
fn readers(g: &Graph, live: &[Value]) -> Vec<usize> {
    let mut readers = vec![0; g.len()];
    for &v in live {
        let mut operands = g.operands(v);
        operands.sort_unstable();
        operands.dedup();
        for o in operands {
            readers[o.0 as usize] += 1;
        }
    }
    for (_, v) in &g.outputs {
        readers[v.0 as usize] += 1;
    }
    readers
}

/// What the laws make of a node that one of them has built.
fn again(g: &mut Graph, v: Value) -> Value {
    let node = g.node(v).clone();
    let xs = g.operands(v);
    let once = vec![false; xs.len()];
    law(g, &node, &xs, &once).unwrap_or(v)
}

fn is_literal(g: &Graph, v: Value, x: f64) -> bool {
    matches!(g.literal(v), Some(Literal::Real(y)) if y == x && y.is_sign_negative() == x.is_sign_negative())
        || matches!(g.literal(v), Some(Literal::Int(i)) if i as f64 == x)
}

fn law(g: &mut Graph, node: &crate::ir::Node, xs: &[Value], once: &[bool]) -> Option<Value> {
    match node.def.kernel {
        Kernel::Map(scalar) => map_law(g, scalar, node, xs)
            .or_else(|| before_repeating(g, node, xs))
            .or_else(|| moves::map(g, node, xs, once))
            .or_else(|| functions::map(g, node, xs).filter(|_| !node.strict)),
        // A sum over no axes, or over axes of extent 1, is the operand.
        Kernel::Reduce(_) => {
            let Attr::Axes(axes) = &node.attr else {
                return None;
            };
            // In order, a sum starts from 0, and 0 + -0 is 0.
            if node.in_order() {
                return None;
            }
            let shape = g.ty(xs[0]).shape.clone();
            match axes.iter().all(|&a| shape[a] == 1) {
                true => Some(g.reshape(xs[0], node.ty.shape.clone())),
                false if node.strict => None,
                false => moves::reduction(g, node, xs[0]),
            }
        }
        Kernel::Contract if !node.strict => products::contraction(g, node, xs),
        Kernel::Gather => picks::gather(g, node, xs[0], xs[1]),
        Kernel::View(view) => view_law(g, view, node, xs[0]),
        Kernel::Concat if xs.len() == 1 => Some(xs[0]),
        _ => None,
    }
}

fn map_law(g: &mut Graph, scalar: Scalar, node: &crate::ir::Node, xs: &[Value]) -> Option<Value> {
    let zero = |g: &Graph, v| is_literal(g, v, 0.0);
    let one = |g: &Graph, v| is_literal(g, v, 1.0);
    match scalar {
        Scalar::Identity | Scalar::First => Some(xs[0]),
        Scalar::Zero => Some(g.fill(Literal::Real(0.0), node.ty.clone())),
        // x + 0 = x; -0 + 0 = 0 is the one exception, and equal to -0.
        Scalar::Add if zero(g, xs[1]) && !node.strict => Some(xs[0]),
        Scalar::Add if zero(g, xs[0]) && !node.strict => Some(xs[1]),
        Scalar::Add if !node.strict && neighbours(g, xs[0], xs[1]).is_some() => {
            neighbours(g, xs[0], xs[1]).map(|n| n.joined(g))
        }
        // x + -y = x - y
        Scalar::Add if negated(g, xs[1]).is_some() => negated(g, xs[1]).map(|y| g.sub(xs[0], y)),
        Scalar::Sub if zero(g, xs[1]) => Some(xs[0]),
        Scalar::Sub if negated(g, xs[1]).is_some() => negated(g, xs[1]).map(|y| g.add2(xs[0], y)),
        Scalar::Mul if one(g, xs[1]) => Some(xs[0]),
        Scalar::Mul if one(g, xs[0]) => Some(xs[1]),
        Scalar::Mul if is_literal(g, xs[0], -1.0) => Some(negative(g, xs[1])),
        Scalar::Mul if is_literal(g, xs[1], -1.0) => Some(negative(g, xs[0])),
        Scalar::Div if one(g, xs[1]) => Some(xs[0]),
        Scalar::Pow if one(g, xs[1]) => Some(xs[0]),
        // x ^ 2 = x * x, up to the rounding of powers
        Scalar::Pow if is_literal(g, xs[1], 2.0) && !node.strict => Some(g.mul(xs[0], xs[0])),
        // x ^ 3 = x * x * x, likewise
        Scalar::Pow if is_literal(g, xs[1], 3.0) && !node.strict => {
            let square = g.mul(xs[0], xs[0]);
            Some(g.mul(square, xs[0]))
        }
        Scalar::Neg if node.ty.dtype.is_real() && g.literal(xs[0]).is_some() => {
            Some(negative(g, xs[0]))
        }
        Scalar::Neg => negated(g, xs[0]),
        Scalar::Select => match g.literal(xs[0]) {
            Some(Literal::Bool(true)) => Some(xs[1]),
            Some(Literal::Bool(false)) => Some(xs[2]),
            _ if xs[1] == xs[2] => Some(xs[1]),
            _ => None,
        },
        Scalar::And | Scalar::Or => {
            let absorbing = scalar == Scalar::Or;
            for (a, b) in [(0, 1), (1, 0)] {
                if let Some(Literal::Bool(x)) = g.literal(xs[a]) {
                    return Some(if x == absorbing { xs[a] } else { xs[b] });
                }
            }
            (xs[0] == xs[1]).then_some(xs[0])
        }
        Scalar::Cast if g.ty(xs[0]).dtype == node.ty.dtype => Some(xs[0]),
        _ => None,
    }
}

/// Pieces among zeros that lie side by side, as derivatives of slices do: their sum is one longer piece among zeros.
struct Neighbours {
    axis: usize,
    pieces: Vec<Value>,
    /// Zeros before and behind them.
    around: [usize; 2],
}

impl Neighbours {
    fn joined(self, g: &mut Graph) -> Value {
        let rank = g.ty(self.pieces[0]).rank();
        let whole = g.add(&ops::CONCAT, Attr::Axis(self.axis), &self.pieces);
        if self.around == [0, 0] {
            return whole;
        }
        let [low, high] = self.around.map(|n| {
            let mut along = vec![0; rank];
            along[self.axis] = n;
            along
        });
        g.pad(whole, low, high, vec![0; rank])
    }
}

/// `x` and `y`, if they are such pieces.
fn neighbours(g: &Graph, x: Value, y: Value) -> Option<Neighbours> {
    let padded = |v: Value| match &g.node(v).attr {
        Attr::Pad { low, high, between } if between.iter().all(|b| *b == 0) => {
            let mut axes = (0..low.len()).filter(|&a| low[a] + high[a] > 0);
            let axis = axes.next().filter(|_| axes.next().is_none())?;
            Some((axis, [low[axis], high[axis]], g.operands(v)[0]))
        }
        _ => None,
    };
    let ((axis, around_x, x), (other, around_y, y)) = (padded(x)?, padded(y)?);
    if axis != other {
        return None;
    }
    let len = |v: Value| g.ty(v).shape[axis];
    let (first, last, around) = if around_x[0] + len(x) == around_y[0] {
        (x, y, [around_x[0], around_y[1]])
    } else if around_y[0] + len(y) == around_x[0] {
        (y, x, [around_y[0], around_x[1]])
    } else {
        return None;
    };
    let pieces = |v: Value| match &g.node(v).attr {
        Attr::Axis(a) if g.is(v, &ops::CONCAT) && *a == axis => g.operands(v).to_vec(),
        _ => vec![v],
    };
    Some(Neighbours {
        axis,
        pieces: [pieces(first), pieces(last)].concat(),
        around,
    })
}

fn negative(g: &mut Graph, v: Value) -> Value {
    match g.literal(v) {
        Some(Literal::Real(x)) => g.fill(Literal::Real(-x), g.ty(v).clone()),
        _ => g.neg(v),
    }
}

/// A division, or a function, of what repeats along axes that all operands repeat along, literals apart: done once, and then
/// repeated. (Arithmetic that costs nothing in a loop that is there anyway stays in it.)
fn before_repeating(g: &mut Graph, node: &crate::ir::Node, xs: &[Value]) -> Option<Value> {
    let dear = match node.def.kernel {
        Kernel::Map(Scalar::Div | Scalar::IntDiv | Scalar::Mod | Scalar::Sqrt) => true,
        Kernel::Map(f) => native(f).is_some(),
        _ => false,
    };
    if !dear {
        return None;
    }
    let whole = &node.ty.shape;
    let mut own = vec![false; whole.len()];
    let mut repeats = false;
    for &x in xs.iter().filter(|x| g.literal(**x).is_none()) {
        let Attr::Broadcast { axes, .. } = &g.node(x).attr else {
            return None;
        };
        axes.iter().for_each(|&a| own[a] = true);
        repeats = true;
    }
    let axes: Vec<usize> = (0..whole.len()).filter(|&a| own[a]).collect();
    let shape: Vec<usize> = axes.iter().map(|&a| whole[a]).collect();
    let (len, all): (usize, usize) = (shape.iter().product(), whole.iter().product());
    if !repeats || len >= all {
        return None;
    }
    let once: Vec<Value> = xs
        .iter()
        .map(|&x| match (g.literal(x), g.node(x).attr.clone()) {
            (Some(l), _) => g.fill(l, Type::new(g.ty(x).dtype, shape.clone())),
            (None, Attr::Broadcast { axes: inner, .. }) => {
                let y = g.operands(x)[0];
                let places = inner.iter().map(|a| axes.iter().position(|b| a == b));
                let places: Vec<usize> = places.flatten().collect();
                match places.len() == axes.len() {
                    true => y,
                    false => g.broadcast(y, shape.clone(), places),
                }
            }
            (None, _) => x,
        })
        .collect();
    let y = g.add(node.def, node.attr.clone(), &once);
    Some(g.broadcast(y, whole.clone(), axes))
}

fn negated(g: &Graph, v: Value) -> Option<Value> {
    g.is(v, &ops::NEG).then(|| g.operands(v)[0])
}

fn view_law(g: &mut Graph, view: View, node: &crate::ir::Node, x: Value) -> Option<Value> {
    // A view of a literal is the literal.
    if let Some(l) = g.literal(x) {
        return Some(g.fill(l, node.ty.clone()));
    }
    let inner = g.node(x).clone();
    match view {
        View::Reshape => {
            if g.ty(x).shape == node.ty.shape {
                return Some(x);
            }
            if let Some(y) = picks::scattered(g, node, x).filter(|_| !node.strict) {
                return Some(y);
            }
            // A reshape of a reshape is one.
            (inner.def.kernel == Kernel::View(View::Reshape)).then(|| {
                let y = g.operands(x)[0];
                g.reshape(y, node.ty.shape.clone())
            })
        }
        View::Transpose => {
            let Attr::Perm(p) = &node.attr else {
                return None;
            };
            if p.iter().enumerate().all(|(i, &j)| i == j) {
                return Some(x);
            }
            if let Attr::Contract(c) = &inner.attr {
                return swapped_contraction(g, x, c, p);
            }
            let Attr::Perm(q) = &inner.attr else {
                return moves::transposed_broadcast(g, x, p);
            };
            // Result axis i is x's axis p[i], which is y's axis q[p[i]].
            let both: Vec<usize> = p.iter().map(|&i| q[i]).collect();
            let y = g.operands(x)[0];
            Some(g.transpose(y, both))
        }
        View::Broadcast => {
            let Attr::Broadcast { shape, axes } = &node.attr else {
                return None;
            };
            if axes.len() == shape.len() {
                return Some(x);
            }
            let Attr::Broadcast { axes: first, .. } = &inner.attr else {
                return None;
            };
            let both = first.iter().map(|&a| axes[a]).collect();
            let y = g.operands(x)[0];
            Some(g.broadcast(y, shape.clone(), both))
        }
        View::Slice => (g.ty(x).shape == node.ty.shape).then_some(x),
        View::Flip => None,
    }
}

/// A contraction whose free axes are put in the other order is the contraction of the operands in the other order.
fn swapped_contraction(g: &mut Graph, x: Value, c: &Contract, perm: &[usize]) -> Option<Value> {
    let o = g.operands(x);
    let bound = c.batch.len() + c.sum.len();
    let batch = c.batch.len();
    let (left, right) = (g.ty(o[0]).rank() - bound, g.ty(o[1]).rank() - bound);
    let other: Vec<usize> = (0..batch)
        .chain(batch + left..batch + left + right)
        .chain(batch..batch + left)
        .collect();
    let turn = |pairs: &[(usize, usize)]| pairs.iter().map(|&(a, b)| (b, a)).collect();
    (perm == other).then(|| {
        let attr = Attr::Contract(Contract {
            batch: turn(&c.batch),
            sum: turn(&c.sum),
        });
        g.add(&ops::CONTRACT, attr, &[o[1], o[0]])
    })
}

/// The literal that an element-wise operation on literals gives. Transcendental functions are left to the run, so that a
/// constant and a computed value agree to the bit.
fn fold(g: &mut Graph, node: &crate::ir::Node, xs: &[Value], _: &[bool]) -> Option<Value> {
    let Kernel::Map(scalar) = node.def.kernel else {
        // The sum of a literal 0 is 0.
        if let Kernel::Reduce(ops::Monoid::Sum) = node.def.kernel
            && is_literal(g, xs[0], 0.0)
        {
            return Some(g.fill(g.literal(xs[0])?, node.ty.clone()));
        }
        return None;
    };
    let ls: Vec<Literal> = xs.iter().map(|&x| g.literal(x)).collect::<Option<_>>()?;
    let dtype = node.ty.dtype;
    let round = |x: f64| {
        if dtype == DType::F32 {
            f64::from(x as f32)
        } else {
            x
        }
    };
    let real = |x: f64| Some(Literal::Real(round(x)));
    let l: Option<Literal> = match (scalar, ls.as_slice()) {
        (Scalar::Add, [Literal::Real(x), Literal::Real(y)]) => real(round(*x) + round(*y)),
        (Scalar::Sub, [Literal::Real(x), Literal::Real(y)]) => real(round(*x) - round(*y)),
        (Scalar::Mul, [Literal::Real(x), Literal::Real(y)]) => real(round(*x) * round(*y)),
        (Scalar::Div, [Literal::Real(x), Literal::Real(y)]) => real(round(*x) / round(*y)),
        (Scalar::Neg, [Literal::Real(x)]) => real(-x),
        (Scalar::Exp, [Literal::Real(x)]) if *x == 0.0 => real(1.0),
        (Scalar::Log, [Literal::Real(x)]) if *x == 1.0 => real(0.0),
        (Scalar::Sqrt, [Literal::Real(x)]) => real(round(*x).sqrt()),
        (Scalar::Add, [Literal::Int(x), Literal::Int(y)]) => {
            Some(Literal::Int(i64::from((*x as i32).wrapping_add(*y as i32))))
        }
        (Scalar::Sub, [Literal::Int(x), Literal::Int(y)]) => {
            Some(Literal::Int(i64::from((*x as i32).wrapping_sub(*y as i32))))
        }
        (Scalar::Mul, [Literal::Int(x), Literal::Int(y)]) => {
            Some(Literal::Int(i64::from((*x as i32).wrapping_mul(*y as i32))))
        }
        (Scalar::Lt, [Literal::Real(x), Literal::Real(y)]) => {
            Some(Literal::Bool(round(*x) < round(*y)))
        }
        (Scalar::Le, [Literal::Real(x), Literal::Real(y)]) => {
            Some(Literal::Bool(round(*x) <= round(*y)))
        }
        (Scalar::Not, [Literal::Bool(x)]) => Some(Literal::Bool(!x)),
        (Scalar::Cast, [l]) => match (dtype, l) {
            (DType::F32 | DType::F64, l) => real(l.as_f64()),
            (DType::I32, Literal::Real(x)) => Some(Literal::Int(i64::from(*x as i32))),
            (DType::I32, Literal::Bool(b)) => Some(Literal::Int(i64::from(*b))),
            (DType::Bool, l) => Some(Literal::Bool(l.as_f64() != 0.0)),
            _ => None,
        },
        _ => None,
    };
    Some(g.fill(l?, Type::new(dtype, node.ty.shape.clone())))
}
