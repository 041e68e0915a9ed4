//! Shape rules and test cases that several rows share.

use super::{Case, Domain};
use crate::ir::{Attr, DType, Shape, Type};

/// A rule's answer.
pub type Rule = Result<Type, String>;

/// The attribute is not of the kind the row takes: a mistake of the compiler, told rather than hidden.
pub fn bad_attr(name: &str, attr: &Attr) -> Rule {
    Err(format!(
        "internal: `{name}` does not take the attribute {attr:?}"
    ))
}

/// Refuses tensors with more elements than an int can number.
pub fn sized(dtype: DType, shape: Shape) -> Rule {
    let n = shape.iter().try_fold(1usize, |n, &d| n.checked_mul(d));
    match n {
        Some(n) if n <= i32::MAX as usize => Ok(Type { dtype, shape }),
        _ => Err(format!("a tensor of shape {shape:?} has too many elements")),
    }
}

/// All operands alike, of a type that `fits`.
pub fn alike(types: &[&Type], fits: impl Fn(DType) -> bool, what: &str) -> Rule {
    let Some(first) = types.first() else {
        return Err("there is no operand".into());
    };
    for t in types {
        if t.dtype != first.dtype {
            return Err(format!("the element types differ: `{first}` and `{t}`"));
        }
        if t.shape != first.shape {
            return Err(format!("the shapes differ: `{first}` and `{t}`"));
        }
    }
    if !fits(first.dtype) {
        return Err(format!("this needs {what}, not `{first}`"));
    }
    Ok((*first).clone())
}

pub fn real_alike(_: &Attr, types: &[&Type]) -> Rule {
    alike(types, DType::is_real, "real numbers")
}

pub fn number_alike(_: &Attr, types: &[&Type]) -> Rule {
    alike(types, |d| d != DType::Bool, "numbers")
}

pub fn int_alike(_: &Attr, types: &[&Type]) -> Rule {
    alike(types, |d| d == DType::I32, "integers")
}

pub fn any_alike(_: &Attr, types: &[&Type]) -> Rule {
    alike(types, |_| true, "operands")
}

pub fn bool_alike(_: &Attr, types: &[&Type]) -> Rule {
    alike(types, |d| d == DType::Bool, "truth values")
}

/// The axis of an operation along one axis of one tensor of numbers.
pub fn along(attr: &Attr, types: &[&Type]) -> Result<usize, String> {
    match (attr, types) {
        (Attr::Axis(a), [t]) if *a < t.rank() && t.dtype != DType::Bool => Ok(*a),
        (_, [t]) => Err(format!("this goes along an axis of numbers, not of `{t}`")),
        _ => Err("this takes one operand".into()),
    }
}

/// The same axis under a new leading one.
pub fn shift_axis(attr: &Attr, _: usize) -> Attr {
    match attr {
        Attr::Axis(a) => Attr::Axis(a + 1),
        other => other.clone(),
    }
}

/// Numbers in, truth values out.
pub fn compare(_: &Attr, types: &[&Type]) -> Rule {
    let t = alike(types, |d| d != DType::Bool, "numbers")?;
    Ok(Type::new(DType::Bool, t.shape))
}

/// Anything in, truth values out.
pub fn compare_any(_: &Attr, types: &[&Type]) -> Rule {
    let t = alike(types, |_| true, "operands")?;
    Ok(Type::new(DType::Bool, t.shape))
}

/// Shapes the generic tests use: scalar, empty, odd, matrix.
pub const SHAPES: &[&[usize]] = &[&[], &[0], &[1], &[5], &[2, 3], &[3, 1, 4]];

pub fn pointwise(n: usize, dtype: DType, domain: Domain) -> Vec<Case> {
    SHAPES
        .iter()
        .map(|s| Case {
            attr: Attr::None,
            operands: vec![(Type::new(dtype, s.to_vec()), domain); n],
        })
        .collect()
}

/// The order of axes that takes another one back.
pub fn inverse(perm: &[usize]) -> Vec<usize> {
    let mut back = vec![0; perm.len()];
    perm.iter().enumerate().for_each(|(i, &a)| back[a] = i);
    back
}

pub fn f64s(shape: &[usize]) -> Type {
    Type::new(DType::F64, shape.to_vec())
}

pub fn no_cases() -> Vec<Case> {
    Vec::new()
}
