//! What those who come from other languages write, and what to write here.

use super::value::Val;
use crate::ir::Type;

/// Names that other languages have, and nothing here does.
const NAMES: &[(&str, &str)] = &[
    ("True", "write `true`"),
    ("False", "write `false`"),
    (
        "None",
        "an argument that may be left out has the default `none`; for a new axis, write `insert_axis(x, 0)`, or go over the rows with `for`",
    ),
    (
        "newaxis",
        "for a new axis, write `insert_axis(x, 0)`, or go over the rows with `for`",
    ),
    (
        "print",
        "write `log x = ..` in a `compute` stage, or look at values in `mlc repl`",
    ),
    ("range", "a range is `0..n`"),
    (
        "enumerate",
        "go over the index and the rows in step: `for (i, x) in (0..len(xs), xs) { .. }`",
    ),
    (
        "zip",
        "go over things in step: `for (x, y) in (xs, ys) { .. }`",
    ),
    ("where", "write `select(c, a, b)`"),
    ("maximum", "the larger of two is `max(a, b)`"),
    ("minimum", "the smaller of two is `min(a, b)`"),
    ("arange", "write `iota(n)`"),
    ("array", "a list of numbers is a tensor: `[1.0, 2.0]`"),
    ("tensor", "a list of numbers is a tensor: `[1.0, 2.0]`"),
    ("asarray", "a list of numbers is a tensor: `[1.0, 2.0]`"),
    ("matmul", "a matrix product is `a @ b`"),
    ("concatenate", "write `concat([a, b])`"),
    ("cat", "write `concat([a, b])`"),
    ("hstack", "write `concat([a, b], axis: 1)`"),
    (
        "vstack",
        "write `stack([a, b])` for vectors, `concat([a, b])` for matrices",
    ),
    ("squeeze", "write `drop_axis(x, 0)`"),
    ("expand_dims", "write `insert_axis(x, 0)`"),
    ("unsqueeze", "write `insert_axis(x, 0)`"),
    ("permute", "write `transpose(x, [1, 0])`"),
    ("tensordot", "write `einsum([i, k], x[i, j], y[j, k])`"),
    ("clamp", "write `clip(x, low, high)`"),
    ("take_along_axis", "write `take_along(x, i, axis: 0)`"),
    ("index_add", "write `scatter_add(x, at: i, values: v)`"),
    (
        "unique",
        "sizes are known before anything runs; sort, and compare neighbours",
    ),
    (
        "nonzero",
        "sizes are known before anything runs; choose with `select`, or count with `count`",
    ),
    (
        "argwhere",
        "sizes are known before anything runs; choose with `select`, or count with `count`",
    ),
    (
        "array_split",
        "write `chunks(x, n)` for equal parts, `split(x, at: [..])` for others",
    ),
    ("float", "write `real(x)`"),
    ("float32", "write `f32(x)`"),
    ("float64", "write `f64(x)`"),
    ("int32", "write `int(x)`"),
    ("str", "there are no strings to compute with"),
    ("lambda", "a function literal is `|x| ..`"),
    ("vmap", "go over the leading axis: `for x in xs { .. }`"),
    ("value_and_gradient", "write `value_and_grad(e, wrt: x)`"),
    ("gradient", "write `grad(e, wrt: x)`"),
    ("jit", "everything is compiled; call the function as it is"),
    (
        "self",
        "there are no objects; give what a function needs as arguments",
    ),
];

/// Modules of other languages, whose functions need no prefix here.
const MODULES: &[&str] = &[
    "np", "numpy", "jnp", "jax", "torch", "tf", "math", "scipy", "lax",
];

/// What to write for a name that is not known.
pub(super) fn name(name: &str) -> Option<String> {
    if MODULES.contains(&name) {
        return Some(format!(
            "functions stand without a module: `exp(x)`, not `{name}.exp(x)`"
        ));
    }
    NAMES.iter().find(|n| n.0 == name).map(|n| n.1.to_string())
}

/// Fields and methods of arrays elsewhere whose name is another here.
const METHODS: &[(&str, &str)] = &[
    ("ndim", "write `rank(x)`"),
    (
        "dtype",
        "the element type is declared, such as `real[n]`, and converted by `real(x)` or `int(x)`",
    ),
    ("astype", "convert with `real(x)`, `int(x)` or `bool(x)`"),
    ("item", "a tensor without axes is a number already"),
    ("numpy", "a tensor is used as it is"),
    ("copy", "values do not change, so there is nothing to copy"),
    ("append", "values do not change; write `concat([a, b])`"),
    ("view", "write `reshape(x, n, m)`"),
    ("ravel", "write `flatten(x)`"),
    ("squeeze", "write `drop_axis(x, 0)`"),
    ("unsqueeze", "write `insert_axis(x, 0)`"),
    ("matmul", "a matrix product is `a @ b`"),
    ("t", "write `x.T`"),
    ("grad", "write `grad(e, wrt: x)`"),
    ("detach", "write `stop(x)`"),
    ("backward", "write `grad(e, wrt: x)`"),
];

/// What to write for a field of a tensor that it has not.
pub(super) fn method(name: &str) -> Option<&'static str> {
    METHODS.iter().find(|m| m.0 == name).map(|m| m.1)
}

/// What to do where a value is no tensor.
pub(super) fn no_tensor(v: &Val) -> Option<&'static str> {
    Some(match v {
        Val::Fn(_) | Val::Builtin(_) | Val::Method(_) => "call it, with its arguments in brackets",
        Val::Str(_) => {
            "strings stand only in `data`, `use`, `test` and titles; nothing is computed with them"
        }
        Val::Record(_) => {
            "take the field you mean: `r.x`; or `stack(r)` makes one tensor of its columns"
        }
        Val::Tuple(_) => "take it apart: `let (a, b) = ..`",
        Val::Range(..) => "write `iota(n)` for the tensor of 0 to n - 1, or go over it with `for`",
        Val::Unit => "a block's value is its last expression; `let` and `set` have none",
        Val::Missing => "the argument was left out: test it with `provided(x)`",
        Val::Dist(_) => "draw from it: `d.sample()`, or `z ~ d` in a model",
        Val::Model(_) => "draw from it: `sample(m)`, or score it: `logdensity(m, trace)`",
        Val::SummedOut(_) => {
            "use it inside the block of the site: in its plate, or in the loop around it"
        }
        Val::Address(_) => "it names a part of a trace: `at(t, .z)`",
        Val::List(_) => "the list is empty; write `zeros(0)`",
        _ => return None,
    })
}

/// Two shapes that other languages would stretch: what to write so that they fit.
pub(super) fn broadcast(x: &Type, y: &Type) -> String {
    let column = |t: &Type| t.rank() == 2 && t.shape[1] == 1;
    let row = |t: &Type| t.rank() == 2 && t.shape[0] == 1;
    let (vector, matrix) = if x.rank() == 1 { (x, y) } else { (y, x) };
    if vector.rank() == 1 && (column(matrix) || row(matrix)) && vector.len() == matrix.len() {
        return format!(
            "an axis of 1 does not stretch: `reshape(x, {})` makes the other side a vector",
            vector.len()
        );
    }
    if x.rank() == y.rank() {
        let stretched = x
            .shape
            .iter()
            .zip(&y.shape)
            .all(|(a, b)| a == b || *a == 1 || *b == 1);
        return if stretched {
            "an axis of 1 does not stretch; go over the longer axis: `for r in x { r + y }`"
                .to_string()
        } else {
            "nothing stretches silently; give both sides the same shape, or say it with `for`"
                .to_string()
        };
    }
    let small = if x.rank() < y.rank() { x } else { y };
    let large = if x.rank() < y.rank() { y } else { x };
    if large.shape.ends_with(&small.shape) {
        "nothing stretches silently; go over the rows: `for r in x { r + y }`".to_string()
    } else if large.shape.starts_with(&small.shape) {
        "nothing stretches silently; go over both in step: `for (r, y) in (x, ys) { r + y }`"
            .to_string()
    } else {
        "nothing stretches silently; give both sides the same shape, or say it with `for`"
            .to_string()
    }
}
