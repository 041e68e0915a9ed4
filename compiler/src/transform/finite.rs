//! One number that says whether results are finite, computed where they are: a loop that writes a million parameters looks at
//! them on the way, and nobody reads them again.

use crate::ir::{DType, Graph, Value};
use crate::ops;

/// Results of fewer elements are looked at by whoever has them, in less time.
const MANY: usize = 4096;

/// Adds an output that is 0 if all elements of large results are finite, and NaN otherwise. Says which of the outputs given it
/// speaks for; if for none, no output is added.
pub fn watch(g: &mut Graph, outputs: &[usize]) -> Vec<usize> {
    let (mut watched, mut sum) = (Vec::new(), None::<Value>);
    let mut seen: Vec<Value> = Vec::new();
    for &output in outputs {
        let v = g.outputs[output].1;
        let ty = g.ty(v);
        if !ty.dtype.is_real() || ty.len() < MANY {
            continue;
        }
        watched.push(output);
        // One of them may be given twice.
        if !seen.contains(&v) {
            seen.push(v);
            let one = zero_if_finite(g, v);
            sum = Some(sum.map_or(one, |s| g.add2(s, one)));
        }
    }
    if let Some(sum) = sum {
        g.outputs.push(("finite".into(), sum));
    }
    watched
}

/// The sum of zeros, each an element multiplied by zero: NaN if one is infinite or not a number.
fn zero_if_finite(g: &mut Graph, v: Value) -> Value {
    let zero = g.constant_like(0.0, v);
    let zeros = g.add(&ops::MUL, crate::ir::Attr::None, &[v, zero]);
    let axes = (0..g.ty(v).shape.len()).collect();
    let sum = g.sum(zeros, axes);
    g.cast(sum, DType::F32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interp::{Tensor, eval};
    use crate::ir::Type;

    #[test]
    fn what_is_not_finite_is_seen_wherever_it_is() {
        let mut g = Graph::new();
        let ty = |dtype, n| Type::new(dtype, vec![n]);
        let types = [
            ty(DType::F32, MANY),
            ty(DType::F64, MANY),
            ty(DType::F32, 2),
        ];
        for (i, ty) in types.iter().enumerate() {
            let x = g.input(format!("x{i}"), ty.clone());
            g.outputs.push((format!("y{i}"), x));
        }
        assert_eq!(watch(&mut g, &[0, 1, 2]), [0, 1]);
        let finite = |at: Option<(usize, usize, f64)>| {
            let inputs: Vec<Tensor> = types
                .iter()
                .enumerate()
                .map(|(i, ty)| {
                    let mut values = vec![-1e38; ty.len()];
                    if let Some((_, element, x)) = at.filter(|a| a.0 == i) {
                        values[element] = x;
                    }
                    Tensor::new(ty.clone(), values)
                })
                .collect();
            eval(&g, &inputs)[3].values()[0] == 0.0
        };
        assert!(finite(None));
        for x in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            for i in [0, 1] {
                assert!(!finite(Some((i, 0, x))) && !finite(Some((i, MANY - 1, x))));
            }
            assert!(finite(Some((2, 0, x))));
        }
        let mut small = Graph::new();
        let x = small.input("x", ty(DType::F32, 3));
        small.outputs.push(("y".into(), x));
        assert!(watch(&mut small, &[0]).is_empty() && small.outputs.len() == 1);
    }
}
