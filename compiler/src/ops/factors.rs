//! Factors that all terms of a sum share: the sum is multiplied by them, once.
//!
//! sum[1](x * broadcast[0](r))   =>   sum[1](x) * r

use super::{BROADCAST, DIV, Kernel, MUL, NEG, Scalar};
use crate::ir::{Attr, Graph, Literal, Shape, Type, Value};

/// How far products of products are followed.
const DEPTH: usize = 6;

/// Which factors may leave a sum.
#[derive(Clone, Copy)]
pub enum Which {
    /// All that are the same along the axes, in products that rules of differentiation built; and the divisor of what these multiply, if
    /// there is one quotient. Scales that somebody gave factors so that their products do not overflow stay where they are.
    OfDerivatives,
    /// Those of which this holds, in the shape of the sum.
    Those(fn(&Graph, Value) -> bool),
}

struct Terms {
    which: Which,
    divisors: bool,
    /// Axes that the sum keeps, and their extents.
    kept: Vec<usize>,
    shape: Shape,
    /// Of the shape of the sum, and whether it is divided by it.
    factors: Vec<(Value, bool)>,
    minus: bool,
}

/// The sum of `x` over axes with the factors outside that its terms share. `None` if there is none.
pub fn sum_of_shared(g: &mut Graph, x: Value, over: &[usize], which: Which) -> Option<Value> {
    let ty = g.ty(x).clone();
    let kept: Vec<usize> = (0..ty.rank()).filter(|a| !over.contains(a)).collect();
    let mut terms = Terms {
        which,
        divisors: matches!(which, Which::OfDerivatives) && quotients(g, which, x, DEPTH) == 1,
        shape: kept.iter().map(|&a| ty.shape[a]).collect(),
        kept,
        factors: vec![],
        minus: false,
    };
    let rest = terms.rest(g, x, DEPTH)?;
    if terms.factors.is_empty() {
        return None;
    }
    let mut y = g.sum(rest, over.to_vec());
    for (factor, divides) in terms.factors {
        y = if divides {
            g.div(y, factor)
        } else {
            g.mul(y, factor)
        };
    }
    Some(if terms.minus { g.neg(y) } else { y })
}

/// Whether factors of a product, or what another sign was given to, may be looked for in it.
fn is_open(g: &Graph, v: Value, which: Which) -> bool {
    let product = matches!(g.node(v).def.kernel, Kernel::Map(Scalar::Neg | Scalar::Mul));
    product && (g.node(v).origin.derived || matches!(which, Which::Those(_)))
}

/// How many quotients, of other than literals, are multiplied.
fn quotients(g: &Graph, which: Which, v: Value, depth: usize) -> usize {
    let Some(depth) = depth.checked_sub(1) else {
        return 0;
    };
    let of = |v: &Value| quotients(g, which, *v, depth);
    let o = g.operands(v);
    match g.node(v).def.kernel {
        Kernel::Map(_) if is_open(g, v, which) => o.iter().map(of).sum(),
        Kernel::Map(Scalar::Div) if g.literal(o[0]).is_none() => 1,
        _ => 0,
    }
}

impl Terms {
    /// The product without what is taken out of it; `None` if that is all of it.
    fn rest(&mut self, g: &mut Graph, v: Value, depth: usize) -> Option<Value> {
        if let Some(factor) = self.same(g, v).filter(|&f| self.admits(g, f)) {
            self.factors.push((factor, false));
            return None;
        }
        let Some(depth) = depth.checked_sub(1) else {
            return Some(v);
        };
        let o = g.operands(v);
        let open = is_open(g, v, self.which);
        if open && g.is(v, &NEG) {
            self.minus = !self.minus;
            self.rest(g, o[0], depth)
        } else if open && g.is(v, &MUL) {
            match (self.rest(g, o[0], depth), self.rest(g, o[1], depth)) {
                (Some(x), Some(y)) if [x, y] == o[..] => Some(v),
                (Some(x), Some(y)) => Some(g.mul(x, y)),
                (x, y) => x.or(y),
            }
        } else if g.is(v, &DIV) && self.divisors {
            match self.same(g, o[1]) {
                Some(divisor) => {
                    self.factors.push((divisor, true));
                    Some(o[0])
                }
                None => Some(v),
            }
        } else {
            Some(v)
        }
    }

    fn admits(&self, g: &Graph, factor: Value) -> bool {
        match self.which {
            Which::OfDerivatives => true,
            Which::Those(holds) => holds(g, factor),
        }
    }

    /// What is the same along the axes summed over, in the shape of the sum.
    fn same(&self, g: &mut Graph, v: Value) -> Option<Value> {
        if let Some(l @ Literal::Real(_)) = g.literal(v) {
            let ty = Type::new(g.ty(v).dtype, self.shape.clone());
            return Some(g.fill(l, ty));
        }
        let o = g.operands(v);
        if g.is(v, &DIV) {
            let (x, y) = (self.same(g, o[0])?, self.same(g, o[1])?);
            return Some(g.div(x, y));
        }
        let Attr::Broadcast { axes, .. } = g.node(v).attr.clone() else {
            return None;
        };
        debug_assert!(g.is(v, &BROADCAST));
        let place = |a: &usize| self.kept.iter().position(|k| k == a);
        let places = axes.iter().map(place).collect::<Option<Vec<usize>>>()?;
        Some(g.broadcast(o[0], self.shape.clone(), places))
    }
}

#[cfg(test)]
mod tests {
    use super::{Which, sum_of_shared};
    use crate::ir::{DType, Graph, Type, Value};
    use crate::transform::differentiate::grad;

    /// What the operations of a derivative by one number for each row, of a function of it and of the rows, have for the shape of the
    /// operand that is summed, and what that is made by.
    fn summed(of: impl Fn(&mut Graph, Value, Value) -> Value) -> Vec<&'static str> {
        let mut g = Graph::new();
        let whole = Type::new(DType::F32, vec![3, 4]);
        let x = g.input("x", whole.clone());
        let s = g.input("s", Type::new(DType::F32, vec![3]));
        let rows = g.lead(s, &whole.shape);
        let y = of(&mut g, x, rows);
        let w = g.input("w", whole);
        let p = g.mul(y, w);
        let loss = g.sum(p, vec![0, 1]);
        let d = grad(&mut g, loss, &[s]).unwrap();
        g.outputs.push(("d".into(), d[0]));
        let live = crate::ir::print::live(&g);
        let mut sums = live.iter().filter(|v| g.node(**v).def.name == "sum");
        let Some(&sum) = sums.next_back() else {
            return vec![];
        };
        // The product that is summed, down to what is no product.
        let mut names = vec![];
        let mut next = g.operands(sum);
        while let Some(v) = next.pop() {
            let name = g.node(v).def.name;
            if name == "mul" {
                next.extend(g.operands(v));
            } else {
                names.push(name);
            }
        }
        names.sort_unstable();
        names
    }

    #[test]
    fn what_terms_share_is_outside_of_the_sum() {
        // The cotangent of a sum of y * w, by y, is w repeated: 1 is a literal, and so the same for all.
        assert_eq!(summed(|g, x, s| g.mul(x, s)), ["input", "input"]);
        assert_eq!(summed(|g, x, s| g.div(x, s)), ["input", "input"]);
        let negated = |g: &mut Graph, x: Value, s: Value| {
            let y = g.div(x, s);
            g.neg(y)
        };
        assert_eq!(summed(negated), ["input", "input"]);
    }

    #[test]
    fn scales_of_several_factors_stay() {
        let mut g = Graph::new();
        let x = g.input("x", Type::new(DType::F32, vec![3, 4]));
        let s = g.input("s", Type::new(DType::F32, vec![3]));
        let s = g.lead(s, &[3, 4]);
        let y = g.div(x, s);
        g.origin.derived = true;
        let once = g.mul(x, y);
        let squared = g.mul(y, y);
        let mut leaves = |v| sum_of_shared(&mut g, v, &[1], Which::OfDerivatives).is_some();
        assert!(leaves(once));
        assert!(!leaves(squared));
    }
}
