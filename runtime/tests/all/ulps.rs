//! Errors of the functions in single precision over their whole range, as a run computes them: machine code, and native kernels on
//! the instruction set in use. The bounds are those that the operations' documentation states; exact values are those in
//! double precision, whose errors are a millionth of these (see `reference`); those of functions that the C library has must agree
//! with it.
//!
//! Of functions of one number a part of all inputs, or every one of them in the long tests:
//! `cargo test --release -p mlc-runtime --test all -- --ignored every_input`. Of functions of two numbers a grid of pairs.

use super::operations::Line;
use super::reference::{stated, ulp};
use mlc_compiler::codegen::{Compiled, compile};
use mlc_compiler::ir::{Attr, DType, Graph, Type};
use mlc_compiler::ops::{Kernel, OPS, OpDef};
use mlc_runtime::kernels::{names, natives};

/// Inputs of one call.
const CHUNK: usize = 1 << 14;

fn lines(bytes: usize) -> Vec<Line> {
    vec![Line([0; 64]); bytes.div_ceil(64) + 1]
}

/// An operation on vectors of `CHUNK` elements, with buffers for all that it needs.
struct Function {
    code: Compiled,
    inputs: Vec<Vec<Line>>,
    output: Vec<Line>,
    arena: Vec<Line>,
}

impl Function {
    fn new(def: &'static OpDef, arity: usize, dtype: DType) -> Self {
        let mut g = Graph::new();
        let ty = Type::new(dtype, vec![CHUNK]);
        let xs: Vec<_> = (0..arity)
            .map(|i| g.input(format!("x{i}"), ty.clone()))
            .collect();
        let y = g.add(def, Attr::None, &xs);
        g.outputs.push(("y".into(), y));
        let code = compile(&g, natives()).unwrap();
        Self {
            arena: lines(code.arena_bytes),
            inputs: vec![lines(ty.bytes()); arity],
            output: lines(ty.bytes()),
            code,
        }
    }

    /// The values at `CHUNK` numbers for each input.
    fn call<T: Copy>(&mut self, inputs: &[Vec<T>]) -> &[T] {
        for (buffer, x) in self.inputs.iter_mut().zip(inputs) {
            assert_eq!(x.len(), CHUNK);
            // SAFETY: the buffer holds as many numbers of this type.
            unsafe { std::ptr::copy_nonoverlapping(x.as_ptr(), buffer.as_mut_ptr().cast(), CHUNK) };
        }
        let sources: Vec<*const u8> = self.inputs.iter().map(|b| b.as_ptr().cast()).collect();
        let targets = [self.output.as_mut_ptr().cast()];
        let arena = self.arena.as_mut_ptr().cast();
        // SAFETY: one buffer for each input and the output, of its type, aligned and padded; the arena is as large as asked for.
        unsafe { self.code.call(&sources, &targets, arena) };
        // SAFETY: the output holds as many numbers of this type.
        unsafe { std::slice::from_raw_parts(self.output.as_ptr().cast(), CHUNK) }
    }
}

/// The distance in units in the last place of the exact value, or of `floor` if that is larger. What is below the smallest
/// normal number may be zero, and infinity may come one number too early.
fn ulps(y: f32, exact: f64, floor: f64) -> f64 {
    let rounded = exact as f32;
    let last = |x: f32, other: f32| other.is_infinite() && x == f32::MAX.copysign(other);
    let right = exact.is_nan() && y.is_nan()
        || y == rounded
        || last(y, rounded)
        || last(rounded, y)
        || y == 0.0 && exact.abs() < f64::from(f32::MIN_POSITIVE);
    if right {
        return 0.0;
    }
    let error = (f64::from(y) - exact).abs() / ulp(exact.abs().max(floor), DType::F32);
    if error < f64::INFINITY {
        error
    } else {
        f64::INFINITY
    }
}

unsafe extern "C" {
    safe fn erf(x: f64) -> f64;
    safe fn erfc(x: f64) -> f64;
    safe fn lgamma(x: f64) -> f64;
    safe fn asinh(x: f64) -> f64;
    safe fn acosh(x: f64) -> f64;
    safe fn atanh(x: f64) -> f64;
}

/// A function of one number as the C library has it.
fn of_c(name: &str) -> Option<fn(f64) -> f64> {
    Some(match name {
        "exp" => f64::exp,
        "exp2" => f64::exp2,
        "expm1" => f64::exp_m1,
        "log" => f64::ln,
        "log2" => f64::log2,
        "log1p" => f64::ln_1p,
        "sqrt" => f64::sqrt,
        "sin" => f64::sin,
        "cos" => f64::cos,
        "tan" => f64::tan,
        "asin" => f64::asin,
        "acos" => f64::acos,
        "atan" => f64::atan,
        "sinh" => f64::sinh,
        "cosh" => f64::cosh,
        "tanh" => f64::tanh,
        "asinh" => |x| asinh(x),
        "acosh" => |x| acosh(x),
        "atanh" => |x| atanh(x),
        "erf" => |x| erf(x),
        "erfc" => |x| erfc(x),
        "lgamma" => |x| lgamma(x),
        "sigmoid" => |x| 1.0 / (1.0 + (-x).exp()),
        "softplus" => |x| x.max(0.0) + (-x.abs()).exp().ln_1p(),
        _ => return None,
    })
}

/// How far the exact values may be from those of the C library, in units of single precision: some of double precision.
const APART: f64 = 1e-7;

/// The distance of two values that are the same but for some units of double precision, in units of single precision.
fn apart(x: f64, y: f64, floor: f64) -> f64 {
    let least = f64::from(f32::MIN_POSITIVE);
    let same = x == y || x.is_nan() && y.is_nan() || x.abs() < least && y.abs() < least;
    let apart = (x - y).abs() / ulp(x.abs().max(floor), DType::F32);
    match same {
        true => 0.0,
        false if apart.is_nan() => f64::INFINITY,
        false => apart,
    }
}

/// The worst error over what `next` puts into each input in turn, or a half if none is larger, and where it is.
fn worst(
    def: &'static OpDef,
    arity: usize,
    mut next: impl FnMut() -> Option<Vec<Vec<f32>>>,
) -> (f64, Vec<f32>) {
    let mut f = Function::new(def, arity, DType::F32);
    let mut exact = Function::new(def, arity, DType::F64);
    let floor = stated(def).map_or(0.0, |s| s.2);
    let of_c = of_c(def.name);
    let mut out = (0.5, vec![]);
    while let Some(xs) = next() {
        let wide: Vec<Vec<f64>> = xs
            .iter()
            .map(|x| x.iter().map(|x| f64::from(*x)).collect())
            .collect();
        let pairs = f.call(&xs).iter().zip(exact.call(&wide));
        for (i, (y, exact)) in pairs.enumerate() {
            if let Some(f) = of_c {
                let (x, apart) = (wide[0][i], apart(*exact, f(wide[0][i]), floor));
                assert!(
                    apart <= APART,
                    "{} of {x:e} is {exact:e}, {apart} units from that of the C library",
                    def.name
                );
            }
            let error = ulps(*y, *exact, floor);
            if error > out.0 {
                out = (error, xs.iter().map(|x| x[i]).collect());
            }
        }
    }
    out
}

/// Checks an operation, and says how large its error is.
fn check(
    def: &'static OpDef,
    arity: usize,
    next: impl FnMut() -> Option<Vec<Vec<f32>>>,
) -> Result<(), String> {
    let bound = stated(def).map_or(0.5, |s| s.0);
    let (error, at) = worst(def, arity, next);
    let text = format!("{}: {error:.4} ulp at {at:?}, stated {bound}", def.name);
    eprintln!("{text}");
    if error <= bound { Ok(()) } else { Err(text) }
}

/// Every `stride`th number, by its bits.
fn numbers(stride: usize) -> impl FnMut() -> Option<Vec<Vec<f32>>> {
    let mut bits = (0..1u64 << 32).step_by(stride);
    move || {
        let mut x: Vec<f32> = bits
            .by_ref()
            .take(CHUNK)
            .map(|b| f32::from_bits(b as u32))
            .collect();
        let any = !x.is_empty();
        x.resize(CHUNK, 1.0);
        any.then(|| vec![x])
    }
}

/// Pairs of 128 numbers each of all sizes and signs, and of 384 each from -24 to 24.
fn pairs() -> impl FnMut() -> Option<Vec<Vec<f32>>> {
    let mut all: Vec<f32> = (0..1u64 << 32)
        .step_by((1 << 25) + 77_773)
        .map(|b| f32::from_bits(b as u32))
        .collect();
    all.extend([
        0.0,
        -0.0,
        1.0,
        -1.0,
        f32::INFINITY,
        f32::NEG_INFINITY,
        f32::NAN,
    ]);
    let near: Vec<f32> = (0..384)
        .map(|i| (i as f32 - 192.0) * 0.125 + 0.01 * (i % 3) as f32)
        .collect();
    let grid = |v: Vec<f32>| -> Vec<(f32, f32)> {
        v.iter().flat_map(|x| v.iter().map(|y| (*x, *y))).collect()
    };
    let mut pairs = grid(all);
    pairs.extend(grid(near));
    let mut pairs = pairs.into_iter();
    move || {
        let (mut x, mut y): (Vec<f32>, Vec<f32>) = pairs.by_ref().take(CHUNK).unzip();
        let any = !x.is_empty();
        x.resize(CHUNK, 1.0);
        y.resize(CHUNK, 1.0);
        any.then(|| vec![x, y])
    }
}

fn operation(name: &str) -> &'static OpDef {
    OPS.iter().find(|d| d.name == name).unwrap()
}

macro_rules! functions {
    ($($name:ident)*) => {
        const FUNCTIONS: &[&str] = &[$(stringify!($name)),*];

        /// A test for each function, so that they run side by side.
        mod every_input_keeps_the_bound_of {
            $(
                #[test]
                #[ignore = "takes a minute or several"]
                fn $name() {
                    let def = super::operation(stringify!($name));
                    super::check(def, 1, super::numbers(1)).unwrap();
                }
            )*
        }
    };
}

functions!(
    exp log log1p expm1 tanh sigmoid softplus erf erfinv sin cos lgamma digamma trigamma sqrt erfc erfcx ndtr log_ndtr ndtri
    i0e i1e tan asin acos atan sinh cosh asinh acosh atanh exp2 log2
);

#[test]
fn functions_of_one_number_keep_their_bounds() {
    // A prime, so that all parts of the numbers vary.
    let wrong: Vec<String> = FUNCTIONS
        .iter()
        .filter_map(|f| check(operation(f), 1, numbers(4099)).err())
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn functions_of_two_numbers_keep_their_bounds() {
    let wrong: Vec<String> = ["pow", "atan2", "logaddexp", "lbeta"]
        .iter()
        .filter_map(|f| check(operation(f), 2, pairs()).err())
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_function_of_one_number_is_among_them() {
    let kernels = names();
    for def in OPS {
        let kernel = format!("mlc_{}_f32", def.name);
        let alone = (def.cases)().iter().all(|c| c.operands.len() == 1);
        if matches!(def.kernel, Kernel::Map(_)) && alone && kernels.contains(&kernel.as_str()) {
            assert!(FUNCTIONS.contains(&def.name), "`{}`", def.name);
        }
    }
}
