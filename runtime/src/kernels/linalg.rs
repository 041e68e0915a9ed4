//! Factorisations and solves, by the `faer` crate, on one thread. For conventions see the compiler's `ops/linalg.rs`.
//!
//! Matrices are taken one after the other: each is copied to f64 by columns, worked on in scratch memory of the program's
//! arena, and written back by rows. Nothing is allocated. `faer` uses the vectors that the machine has, so the last bits
//! differ between machines, as those of matrix products do; they do not depend on the number of threads.

use super::Entry;
use faer::dyn_stack::{MemStack, StackReq};
use faer::linalg::cholesky::llt::factor as llt;
use faer::linalg::evd::{self, ComputeEigenvectors};
use faer::linalg::householder;
use faer::linalg::lu::partial_pivoting::{factor as lu, solve as lu_solve};
use faer::linalg::qr::no_pivoting::factor as qr_factor;
use faer::linalg::svd::{self as singular, ComputeSvdVectors};
use faer::linalg::triangular_solve as triangular;
use faer::{Conj, MatMut, MatRef, Par};
use mlc_compiler::ops::Linalg;
use std::mem::MaybeUninit;

const SEQ: Par = Par::Seq;

/// An element of a buffer.
trait Element: Copy {
    fn get(self) -> f64;
    fn of(x: f64) -> Self;
}

impl Element for f32 {
    fn get(self) -> f64 {
        f64::from(self)
    }
    fn of(x: f64) -> Self {
        x as f32
    }
}

impl Element for f64 {
    fn get(self) -> f64 {
        self
    }
    fn of(x: f64) -> Self {
        x
    }
}

/// Sizes of one matrix, and how it is used.
#[derive(Clone, Copy)]
struct Sizes {
    m: usize,
    n: usize,
    /// Columns of the other operand.
    k: usize,
    lower: bool,
    transpose: bool,
    unit: bool,
}

/// Copies by columns of an operand by rows.
fn by_columns<T: Element>(x: &[T], rows: usize, columns: usize) -> impl FnMut(usize) -> f64 {
    move |at| x[(at % rows) * columns + at / rows].get()
}

/// Writes a matrix by columns into a result by rows.
fn put<T: Element>(out: &mut [T], x: &[f64], rows: usize, columns: usize) {
    for i in 0..rows {
        for j in 0..columns {
            out[i * columns + j] = T::of(x[j * rows + i]);
        }
    }
}

fn finite<T: Element>(x: &[T]) -> bool {
    x.iter().all(|x| x.get().is_finite())
}

/// Fills a result that does not exist.
fn fail<T: Element>(out: &mut [T]) {
    out.fill(T::of(f64::NAN));
}

/// Element `at` of the symmetric part of a matrix, by rows or columns.
fn symmetric<T: Element>(a: &[T], n: usize) -> impl FnMut(usize) -> f64 {
    move |at| {
        let (i, j) = (at / n, at % n);
        0.5 * (a[i * n + j].get() + a[j * n + i].get())
    }
}

fn block(m: usize, n: usize) -> usize {
    qr_factor::recommended_block_size::<f64>(m, n)
}

/// Bytes of scratch for one matrix of `m` rows and `n` columns, with another operand of `k` columns.
pub fn scratch_bytes(what: Linalg, m: usize, n: usize, k: usize) -> usize {
    if m == 0 || n == 0 {
        return 0;
    }
    let f = StackReq::new::<f64>;
    let numbers = StackReq::new::<usize>;
    let least = m.min(n);
    let need = match what {
        Linalg::Cholesky => StackReq::all_of(&[
            f(n * n),
            llt::cholesky_in_place_scratch::<f64>(n, SEQ, Default::default()),
        ]),
        Linalg::TriangularSolve => StackReq::all_of(&[f(n * n), f(n * k)]),
        Linalg::Solve | Linalg::SlogDet => StackReq::all_of(&[
            f(n * n),
            f(n * k),
            numbers(n),
            numbers(n),
            StackReq::any_of(&[
                lu::lu_in_place_scratch::<usize, f64>(n, n, SEQ, Default::default()),
                lu_solve::solve_in_place_scratch::<usize, f64>(n, k, SEQ),
            ]),
        ]),
        Linalg::Eigh => StackReq::all_of(&[
            f(n * n),
            f(n * n),
            f(n),
            evd::self_adjoint_evd_scratch::<f64>(
                n,
                ComputeEigenvectors::Yes,
                SEQ,
                Default::default(),
            ),
        ]),
        Linalg::Svd => StackReq::all_of(&[
            f(m * n),
            f(least),
            f(m * least),
            f(n * least),
            singular::svd_scratch::<f64>(
                m,
                n,
                ComputeSvdVectors::Thin,
                ComputeSvdVectors::Thin,
                SEQ,
                Default::default(),
            ),
        ]),
        Linalg::Qr => StackReq::all_of(&[
            f(m * n),
            f(m * n),
            f(block(m, n) * n),
            StackReq::any_of(&[
                qr_factor::qr_in_place_scratch::<f64>(m, n, block(m, n), SEQ, Default::default()),
                householder::apply_block_householder_sequence_on_the_left_in_place_scratch::<f64>(
                    m,
                    block(m, n),
                    n,
                ),
            ]),
        ]),
    };
    need.unaligned_bytes_required()
}

fn cholesky<T: Element>(s: Sizes, a: &[T], _: &[T], out: &mut [T], stack: &mut MemStack) {
    let n = s.n;
    let (mut w, stack) = stack.make_with(n * n, symmetric(a, n));
    let l = MatMut::from_column_major_slice_mut(&mut w, n, n);
    let done = finite(a)
        && llt::cholesky_in_place(l, Default::default(), SEQ, stack, Default::default()).is_ok();
    for i in 0..n {
        for j in 0..n {
            out[i * n + j] = T::of(match (j <= i, done) {
                (true, true) => w[j * n + i],
                (true, false) => f64::NAN,
                (false, _) => 0.0,
            });
        }
    }
}

fn triangular_solve<T: Element>(s: Sizes, a: &[T], b: &[T], out: &mut [T], stack: &mut MemStack) {
    let (n, k) = (s.n, s.k);
    let read = |i: usize, j: usize| if i == j { !s.unit } else { (j < i) == s.lower };
    for i in 0..n {
        for j in (0..n).filter(|&j| read(i, j)) {
            let x = a[i * n + j].get();
            if !x.is_finite() || (i == j && x == 0.0) {
                return fail(out);
            }
        }
    }
    if !finite(b) {
        return fail(out);
    }
    let (t, stack) = stack.make_with(n * n, by_columns(a, n, n));
    let (mut x, _) = stack.make_with(n * k, by_columns(b, n, k));
    let t = MatRef::from_column_major_slice(&t, n, n);
    let t = if s.transpose { t.transpose() } else { t };
    let right = MatMut::from_column_major_slice_mut(&mut x, n, k);
    match (s.lower != s.transpose, s.unit) {
        (true, false) => triangular::solve_lower_triangular_in_place(t, right, SEQ),
        (true, true) => triangular::solve_unit_lower_triangular_in_place(t, right, SEQ),
        (false, false) => triangular::solve_upper_triangular_in_place(t, right, SEQ),
        (false, true) => triangular::solve_unit_upper_triangular_in_place(t, right, SEQ),
    }
    put(out, &x, n, k);
}

fn solve<T: Element>(s: Sizes, a: &[T], b: &[T], out: &mut [T], stack: &mut MemStack) {
    let (n, k) = (s.n, s.k);
    if !finite(a) || !finite(b) {
        return fail(out);
    }
    let (mut w, stack) = stack.make_with(n * n, by_columns(a, n, n));
    let (mut x, stack) = stack.make_with(n * k, by_columns(b, n, k));
    let (mut rows, stack) = stack.make_with(n, |_| 0usize);
    let (mut inverse, stack) = stack.make_with(n, |_| 0usize);
    let m = MatMut::from_column_major_slice_mut(&mut w, n, n);
    let (_, rows) = lu::lu_in_place(m, &mut rows, &mut inverse, SEQ, stack, Default::default());
    if (0..n).any(|i| w[i * n + i] == 0.0) {
        return fail(out);
    }
    let m = MatRef::from_column_major_slice(&w, n, n);
    let right = MatMut::from_column_major_slice_mut(&mut x, n, k);
    lu_solve::solve_in_place(m, m, rows, right, SEQ, stack);
    put(out, &x, n, k);
}

fn slogdet<T: Element>(s: Sizes, a: &[T], _: &[T], out: &mut [T], stack: &mut MemStack) {
    let n = s.n;
    if !finite(a) {
        return fail(out);
    }
    let (mut sign, mut log) = (1.0, 0.0);
    if n > 0 {
        let (mut w, stack) = stack.make_with(n * n, by_columns(a, n, n));
        let (mut rows, stack) = stack.make_with(n, |_| 0usize);
        let (mut inverse, stack) = stack.make_with(n, |_| 0usize);
        let m = MatMut::from_column_major_slice_mut(&mut w, n, n);
        let (info, _) = lu::lu_in_place(m, &mut rows, &mut inverse, SEQ, stack, Default::default());
        if info.transposition_count % 2 == 1 {
            sign = -1.0;
        }
        let pivots = || (0..n).map(|i| w[i * n + i]);
        // What follows a pivot of zero is no number.
        if pivots().any(|p| p == 0.0) {
            (sign, log) = (0.0, f64::NEG_INFINITY);
        } else {
            for p in pivots() {
                sign *= p.signum();
                log += p.abs().ln();
            }
        }
    }
    (out[0], out[1]) = (T::of(sign), T::of(log));
}

/// 1, or -1 for a column whose first component within a millionth of the largest magnitude is negative.
fn sign(column: &[f64]) -> f64 {
    let largest = column.iter().fold(0.0f64, |m, x| m.max(x.abs()));
    let leading = column
        .iter()
        .find(|x| x.abs() >= largest * (1.0 - 1e-6))
        .copied();
    if leading.unwrap_or(0.0) < 0.0 {
        -1.0
    } else {
        1.0
    }
}

fn eigh<T: Element>(s: Sizes, a: &[T], _: &[T], out: &mut [T], stack: &mut MemStack) {
    let n = s.n;
    if !finite(a) {
        return fail(out);
    }
    let (w, stack) = stack.make_with(n * n, symmetric(a, n));
    let (mut v, stack) = stack.make_with(n * n, |_| 0.0f64);
    let (mut values, stack) = stack.make_with(n, |_| 0.0f64);
    let found = evd::self_adjoint_evd(
        MatRef::from_column_major_slice(&w, n, n),
        faer::diag::DiagMut::from_slice_mut(&mut values),
        Some(MatMut::from_column_major_slice_mut(&mut v, n, n)),
        SEQ,
        stack,
        Default::default(),
    );
    if found.is_err() {
        return fail(out);
    }
    for column in v.chunks_mut(n) {
        let sign = sign(column);
        column.iter_mut().for_each(|x| *x *= sign);
    }
    put(&mut out[..n], &values, 1, n);
    put(&mut out[n..], &v, n, n);
}

fn svd<T: Element>(s: Sizes, a: &[T], _: &[T], out: &mut [T], stack: &mut MemStack) {
    let (m, n, k) = (s.m, s.n, s.m.min(s.n));
    if !finite(a) {
        return fail(out);
    }
    let (w, stack) = stack.make_with(m * n, by_columns(a, m, n));
    let (mut values, stack) = stack.make_with(k, |_| 0.0f64);
    let (mut u, stack) = stack.make_with(m * k, |_| 0.0f64);
    let (mut v, stack) = stack.make_with(n * k, |_| 0.0f64);
    let found = singular::svd(
        MatRef::from_column_major_slice(&w, m, n),
        faer::diag::DiagMut::from_slice_mut(&mut values),
        Some(MatMut::from_column_major_slice_mut(&mut u, m, k)),
        Some(MatMut::from_column_major_slice_mut(&mut v, n, k)),
        SEQ,
        stack,
        Default::default(),
    );
    if found.is_err() {
        return fail(out);
    }
    for (left, right) in u.chunks_mut(m).zip(v.chunks_mut(n)) {
        let sign = sign(left);
        left.iter_mut().chain(right).for_each(|x| *x *= sign);
    }
    put(&mut out[..k], &values, 1, k);
    put(&mut out[k..(m + 1) * k], &u, m, k);
    put(&mut out[(m + 1) * k..], &v, n, k);
}

/// Q and R of a matrix whose columns depend on one another: one reflection for each column, without blocks. `w` becomes R.
fn reflect(w: &mut [f64], q: &mut [f64], m: usize, n: usize, reflections: &mut [f64]) {
    for j in 0..n {
        let (left, right) = w.split_at_mut((j + 1) * m);
        let column = &mut left[j * m + j..];
        let length = column.iter().map(|x| x * x).sum::<f64>().sqrt();
        reflections[j] = 0.0;
        if length == 0.0 {
            continue;
        }
        let head = -length.copysign(column[0]);
        column[0] -= head;
        let square: f64 = column.iter().map(|x| x * x).sum();
        for other in right.chunks_mut(m) {
            mirror(column, square, &mut other[j..]);
        }
        // The column keeps the direction; R's element waits aside.
        reflections[j] = head;
    }
    for (j, column) in q.chunks_mut(m).enumerate() {
        column.fill(0.0);
        column[j] = 1.0;
        for i in (0..n).rev().filter(|&i| reflections[i] != 0.0) {
            let direction = &w[i * m + i..(i + 1) * m];
            let square: f64 = direction.iter().map(|x| x * x).sum();
            mirror(direction, square, &mut column[i..]);
        }
    }
    (0..n).for_each(|j| w[j * m + j] = reflections[j]);
}

/// Mirrors `x` in the plane across a direction of squared length `square`.
fn mirror(direction: &[f64], square: f64, x: &mut [f64]) {
    let dot: f64 = direction.iter().zip(&*x).map(|(d, x)| d * x).sum();
    let factor = 2.0 * dot / square;
    for (x, d) in x.iter_mut().zip(direction) {
        *x -= factor * d;
    }
}

fn qr<T: Element>(s: Sizes, a: &[T], _: &[T], out: &mut [T], stack: &mut MemStack) {
    let (m, n) = (s.m, s.n);
    if !finite(a) {
        return fail(out);
    }
    let bs = block(m, n);
    let (mut w, stack) = stack.make_with(m * n, by_columns(a, m, n));
    let (mut q, stack) = stack.make_with(m * n, |at| if at % (m + 1) == 0 { 1.0 } else { 0.0f64 });
    let (mut coefficients, stack) = stack.make_with(bs * n, |_| 0.0f64);
    let info = qr_factor::qr_in_place(
        MatMut::from_column_major_slice_mut(&mut w, m, n),
        MatMut::from_column_major_slice_mut(&mut coefficients, bs, n),
        SEQ,
        stack,
        Default::default(),
    );
    if info.rank == n {
        householder::apply_block_householder_sequence_on_the_left_in_place_with_conj(
            MatRef::from_column_major_slice(&w, m, n),
            MatRef::from_column_major_slice(&coefficients, bs, n),
            Conj::No,
            MatMut::from_column_major_slice_mut(&mut q, m, n),
            SEQ,
            stack,
        );
    } else {
        // There the library's factor is a staircase, not a triangle.
        let mut next = by_columns(a, m, n);
        w.iter_mut().enumerate().for_each(|(at, x)| *x = next(at));
        reflect(&mut w, &mut q, m, n, &mut coefficients[..n]);
    }
    for j in 0..n {
        let sign = if w[j * m + j] < 0.0 { -1.0 } else { 1.0 };
        q[j * m..(j + 1) * m].iter_mut().for_each(|x| *x *= sign);
        for c in 0..n {
            let r = if c >= j { sign * w[c * m + j] } else { 0.0 };
            out[(m + j) * n + c] = T::of(r);
        }
    }
    put(&mut out[..m * n], &q, m, n);
}

/// A kernel: `meta` is the number of matrices, m, n, k, the bits lower, transpose, unit, and the bytes of scratch. `sizes`
/// gives the number of elements of each matrix of `a`, `b` and `out`.
macro_rules! kernel {
    ($name:ident, $ty:ty, $body:ident, $sizes:expr) => {
        unsafe extern "C" fn $name(
            meta: *const i64,
            a: *const $ty,
            b: *const $ty,
            out: *mut $ty,
            scratch: *mut MaybeUninit<u8>,
        ) {
            // SAFETY: the code generator gives six numbers, and buffers of the sizes that they say; scratch is no other
            // buffer.
            unsafe {
                let d = std::slice::from_raw_parts(meta, 6);
                let s = Sizes {
                    m: d[1] as usize,
                    n: d[2] as usize,
                    k: d[3] as usize,
                    lower: d[4] & 1 != 0,
                    transpose: d[4] & 2 != 0,
                    unit: d[4] & 4 != 0,
                };
                let sizes: fn(&Sizes) -> (usize, usize) = $sizes;
                let (right, result) = sizes(&s);
                let scratch = std::slice::from_raw_parts_mut(scratch, d[5] as usize);
                for i in 0..d[0] as usize {
                    let a = std::slice::from_raw_parts(a.add(i * s.m * s.n), s.m * s.n);
                    let b = std::slice::from_raw_parts(b.add(i * right), right);
                    let out = std::slice::from_raw_parts_mut(out.add(i * result), result);
                    $body(s, a, b, out, MemStack::new(scratch));
                }
            }
        }
    };
}

macro_rules! kernels {
    ($($body:ident $single:ident $double:ident $sizes:expr;)*) => {
        $(kernel!($single, f32, $body, $sizes);
        kernel!($double, f64, $body, $sizes);)*

        pub fn table() -> Vec<Entry> {
            vec![$(
                (concat!("mlc_", stringify!($single)), $single as *const u8),
                (concat!("mlc_", stringify!($double)), $double as *const u8),
            )*]
        }
    };
}

kernels! {
    cholesky cholesky_f32 cholesky_f64 |s| (0, s.n * s.n);
    triangular_solve triangular_solve_f32 triangular_solve_f64 |s| (s.n * s.k, s.n * s.k);
    solve solve_f32 solve_f64 |s| (s.n * s.k, s.n * s.k);
    slogdet slogdet_f32 slogdet_f64 |_| (0, 2);
    eigh eigh_f32 eigh_f64 |s| (0, (s.n + 1) * s.n);
    svd svd_f32 svd_f64 |s| (0, (s.m + s.n + 1) * s.m.min(s.n));
    qr qr_f32 qr_f64 |s| (0, (s.m + s.n) * s.n);
}
