//! Reductions, copies and indexing on whole buffers.

use super::{Entry, pool, vectorised};

/// Folds narrow rows, of so many elements that their loops are unrolled. The lanes that a row of sixteen would have more stay as they
/// start, which changes nothing.
///
/// # Safety
/// `x` holds `rows * N` elements, `out` holds `rows`; they do not overlap.
#[inline(always)]
unsafe fn narrow_rows<T: Copy, const N: usize>(
    rows: usize,
    x: *const T,
    out: *mut T,
    start: T,
    f: impl Fn(T, T) -> T,
) {
    for i in 0..rows {
        let mut lanes = [start; N];
        for (c, l) in lanes.iter_mut().enumerate() {
            // SAFETY: the caller's promise.
            *l = f(*l, unsafe { *x.add(i * N + c) });
        }
        let mut n = 4;
        while n > 0 {
            for j in 0..n {
                if j + n < N {
                    lanes[j] = f(lanes[j], lanes[j + n]);
                }
            }
            n /= 2;
        }
        // SAFETY: the same.
        unsafe { *out.add(i) = lanes[0] };
    }
}

/// Reduces the middle axis of `[outer, red, inner]`. Rows are folded in sixteen lanes and then a fixed tree, columns from
/// the first to the last: the order depends on the shape alone.
macro_rules! reduction {
    ($name:ident $fills:ident $folds:ident $adds:ident $ends:ident, $ty:ty, $start:expr, $f:expr) => {
        // Sets `n` places to what a reduction starts from.
        vectorised!($fills(n: usize, out: *mut $ty) {
            // SAFETY: there are `n` places.
            unsafe { std::slice::from_raw_parts_mut(out, n) }.fill($start);
        });
        // Folds `n` elements into sixteen lanes, those of a row's next stretch.
        vectorised!($folds(n: usize, x: *const $ty, lanes: *mut $ty) {
            let f = $f;
            // SAFETY: `x` holds `n` elements, `lanes` sixteen; they do not overlap.
            let (x, at) = unsafe { (std::slice::from_raw_parts(x, n), &mut *lanes.cast::<[$ty; 16]>()) };
            let mut lanes = *at;
            let mut chunks = x.chunks_exact(16);
            for c in &mut chunks {
                for (l, x) in lanes.iter_mut().zip(c) {
                    *l = f(*l, *x);
                }
            }
            for (l, x) in lanes.iter_mut().zip(chunks.remainder()) {
                *l = f(*l, *x);
            }
            *at = lanes;
        });
        // Adds `n` elements to those at `out`.
        vectorised!($adds(n: usize, x: *const $ty, out: *mut $ty) {
            let f = $f;
            // SAFETY: both hold `n` elements and do not overlap.
            let (x, out) = unsafe { (std::slice::from_raw_parts(x, n), std::slice::from_raw_parts_mut(out, n)) };
            for (s, x) in out.iter_mut().zip(x) {
                *s = f(*s, *x);
            }
        });
        // Folds sixteen lanes into one element.
        vectorised!($ends(lanes: *const $ty, out: *mut $ty) {
            let f = $f;
            // SAFETY: there are sixteen lanes, and one place.
            unsafe {
                let mut lanes = *lanes.cast::<[$ty; 16]>();
                let mut n = 8;
                while n > 0 {
                    for i in 0..n {
                        lanes[i] = f(lanes[i], lanes[i + n]);
                    }
                    n /= 2;
                }
                *out = lanes[0];
            }
        });
        vectorised!($name(outer: usize, red: usize, inner: usize, x: *const $ty, out: *mut $ty) {
            let f = $f;
            if inner == 1 && (2..=8).contains(&red) {
                // SAFETY: `x` holds `outer * red` elements, `out` holds `outer`.
                unsafe {
                    return match red {
                        2 => narrow_rows::<_, 2>(outer, x, out, $start, f),
                        3 => narrow_rows::<_, 3>(outer, x, out, $start, f),
                        4 => narrow_rows::<_, 4>(outer, x, out, $start, f),
                        5 => narrow_rows::<_, 5>(outer, x, out, $start, f),
                        6 => narrow_rows::<_, 6>(outer, x, out, $start, f),
                        7 => narrow_rows::<_, 7>(outer, x, out, $start, f),
                        _ => narrow_rows::<_, 8>(outer, x, out, $start, f),
                    };
                }
            }
            for o in 0..outer {
                if inner == 1 && red <= 16 && (o * red + 16) <= outer * red {
                    // A short row in one vector, of which only its own elements count.
                    // SAFETY: `x` holds sixteen elements from here on, `out` holds `outer`.
                    unsafe {
                        let row = &*x.add(o * red).cast::<[$ty; 16]>();
                        let mut lanes = [$start; 16];
                        for (i, (l, x)) in lanes.iter_mut().zip(row).enumerate() {
                            *l = f(*l, if i < red { *x } else { $start });
                        }
                        let mut n = 8;
                        while n > 0 {
                            for i in 0..n {
                                lanes[i] = f(lanes[i], lanes[i + n]);
                            }
                            n /= 2;
                        }
                        *out.add(o) = lanes[0];
                    }
                    continue;
                }
                if inner == 1 {
                    // SAFETY: `x` holds `outer * red` elements, `out` holds `outer`.
                    let row = unsafe { std::slice::from_raw_parts(x.add(o * red), red) };
                    let mut lanes = [$start; 16];
                    let mut chunks = row.chunks_exact(16);
                    for c in &mut chunks {
                        for (l, x) in lanes.iter_mut().zip(c) {
                            *l = f(*l, *x);
                        }
                    }
                    for (l, x) in lanes.iter_mut().zip(chunks.remainder()) {
                        *l = f(*l, *x);
                    }
                    let mut n = 8;
                    while n > 0 {
                        for i in 0..n {
                            lanes[i] = f(lanes[i], lanes[i + n]);
                        }
                        n /= 2;
                    }
                    // SAFETY: as above.
                    unsafe { *out.add(o) = lanes[0] };
                    continue;
                }
                // SAFETY: `out` holds `outer * inner` elements, and nothing else refers to them.
                let sums = unsafe { std::slice::from_raw_parts_mut(out.add(o * inner), inner) };
                sums.fill($start);
                let mut first = 0;
                if inner <= 8 {
                    // Of narrow columns, as long as eight elements can be read: those behind the row do not count.
                    let mut wide = [$start; 8];
                    while (o * red + first) * inner + 8 <= outer * red * inner && first < red {
                        // SAFETY: `x` holds `outer * red * inner` elements.
                        let row = unsafe { &*x.add((o * red + first) * inner).cast::<[$ty; 8]>() };
                        for (s, x) in wide.iter_mut().zip(row) {
                            *s = f(*s, *x);
                        }
                        first += 1;
                    }
                    sums.copy_from_slice(&wide[..inner]);
                }
                for r in first..red {
                    // SAFETY: `x` holds `outer * red * inner` elements.
                    let row = unsafe { std::slice::from_raw_parts(x.add((o * red + r) * inner), inner) };
                    for (s, x) in sums.iter_mut().zip(row) {
                        *s = f(*s, *x);
                    }
                }
            }
        });
    };
}

/// The kernels of one reduction: on whole buffers, and the four that loop nests are made of.
macro_rules! reductions {
    ($($ty:ident $monoid:ident $start:expr, $f:expr, [$($name:ident)*];)*) => {
        $(reduction!($($name)*, $ty, $start, $f);)*
        fn reductions() -> Vec<Entry> {
            vec![$($((concat!("mlc_", stringify!($name)), $name as *const u8)),*),*]
        }
    };
}

reductions! {
    f32 sum 0.0, |a: f32, b: f32| a + b, [reduce_sum_f32 start_sum_f32 fold_sum_f32 accumulate_sum_f32 finish_sum_f32];
    f32 prod 1.0, |a: f32, b: f32| a * b, [reduce_prod_f32 start_prod_f32 fold_prod_f32 accumulate_prod_f32 finish_prod_f32];
    // A number that is none wins.
    f32 max f32::NEG_INFINITY, |a: f32, b: f32| if a.is_nan() || b <= a { a } else { b }, [reduce_max_f32 start_max_f32 fold_max_f32 accumulate_max_f32 finish_max_f32];
    f32 min f32::INFINITY, |a: f32, b: f32| if a.is_nan() || b >= a { a } else { b }, [reduce_min_f32 start_min_f32 fold_min_f32 accumulate_min_f32 finish_min_f32];
    f64 sum 0.0, |a: f64, b: f64| a + b, [reduce_sum_f64 start_sum_f64 fold_sum_f64 accumulate_sum_f64 finish_sum_f64];
    f64 prod 1.0, |a: f64, b: f64| a * b, [reduce_prod_f64 start_prod_f64 fold_prod_f64 accumulate_prod_f64 finish_prod_f64];
    // A number that is none wins.
    f64 max f64::NEG_INFINITY, |a: f64, b: f64| if a.is_nan() || b <= a { a } else { b }, [reduce_max_f64 start_max_f64 fold_max_f64 accumulate_max_f64 finish_max_f64];
    f64 min f64::INFINITY, |a: f64, b: f64| if a.is_nan() || b >= a { a } else { b }, [reduce_min_f64 start_min_f64 fold_min_f64 accumulate_min_f64 finish_min_f64];
    i32 sum 0, |a: i32, b: i32| a.wrapping_add(b), [reduce_sum_i32 start_sum_i32 fold_sum_i32 accumulate_sum_i32 finish_sum_i32];
    i32 prod 1, |a: i32, b: i32| a.wrapping_mul(b), [reduce_prod_i32 start_prod_i32 fold_prod_i32 accumulate_prod_i32 finish_prod_i32];
    i32 max i32::MIN, |a: i32, b: i32| a.max(b), [reduce_max_i32 start_max_i32 fold_max_i32 accumulate_max_i32 finish_max_i32];
    i32 min i32::MAX, |a: i32, b: i32| a.min(b), [reduce_min_i32 start_min_i32 fold_min_i32 accumulate_min_i32 finish_min_i32];
    u8 any 0, |a: u8, b: u8| a | b, [reduce_any_bool start_any_bool fold_any_bool accumulate_any_bool finish_any_bool];
    u8 all 1, |a: u8, b: u8| a & b, [reduce_all_bool start_all_bool fold_all_bool accumulate_all_bool finish_all_bool];
}

/// Folds in row-major order of the operand. `meta`: extents, then the result's strides, 0 along reduced axes; `n` places.
macro_rules! ordered {
    ($name:ident, $ty:ty, $start:expr, $f:expr) => {
        vectorised!($name(rank: usize, meta: *const i64, n: usize, x: *const $ty, out: *mut $ty) {
            let f = $f;
            // SAFETY: the code generator gives `2 * rank` numbers, and buffers of the sizes that they say, apart from
            // one another.
            unsafe {
                let (shape, strides) = std::slice::from_raw_parts(meta, 2 * rank).split_at(rank);
                std::slice::from_raw_parts_mut(out, n).fill($start);
                let row = shape.last().map_or(1, |r| *r as usize);
                let folds = strides.last().is_none_or(|s| *s == 0);
                let outer = rank.saturating_sub(1);
                let rows: i64 = shape[..outer].iter().product();
                let mut index = vec![0; outer];
                let mut at = 0;
                for r in 0..rows as usize {
                    let x = std::slice::from_raw_parts(x.add(r * row), row);
                    if folds {
                        let place = &mut *out.offset(at);
                        *place = x.iter().fold(*place, |s, x| f(s, *x));
                    } else {
                        let places = std::slice::from_raw_parts_mut(out.offset(at), row);
                        for (s, x) in places.iter_mut().zip(x) {
                            *s = f(*s, *x);
                        }
                    }
                    for a in (0..outer).rev() {
                        (index[a], at) = (index[a] + 1, at + strides[a] as isize);
                        if index[a] < shape[a] {
                            break;
                        }
                        (index[a], at) = (0, at - (shape[a] * strides[a]) as isize);
                    }
                }
            }
        });
    };
}

ordered!(ordered_sum_f32, f32, 0.0, |a: f32, b: f32| a + b);
ordered!(ordered_prod_f32, f32, 1.0, |a: f32, b: f32| a * b);
ordered!(ordered_sum_f64, f64, 0.0, |a: f64, b: f64| a + b);
ordered!(ordered_prod_f64, f64, 1.0, |a: f64, b: f64| a * b);

/// Copies `bytes` bytes.
unsafe extern "C" fn copy_bytes(bytes: usize, x: *const u8, out: *mut u8) {
    // SAFETY: both buffers hold so many, and do not overlap.
    unsafe { std::ptr::copy_nonoverlapping(x, out, bytes) }
}

/// Sets `bytes` bytes to zero.
unsafe extern "C" fn zero(bytes: usize, out: *mut u8) {
    // SAFETY: the buffer holds so many.
    unsafe { std::ptr::write_bytes(out, 0, bytes) }
}

/// The innermost axis of a copy.
unsafe fn copy_row<T: Copy>(n: usize, from: isize, to: isize, x: *const T, out: *mut T) {
    if from == 1 && to == 1 {
        // SAFETY: the caller's arrays do not overlap.
        return unsafe { std::ptr::copy_nonoverlapping(x, out, n) };
    }
    for i in 0..n as isize {
        // SAFETY: the caller's layout stays inside its buffers.
        unsafe { *out.offset(i * to) = *x.offset(i * from) };
    }
}

unsafe fn copy_axes<T: Copy>(shape: &[i64], from: &[i64], to: &[i64], x: *const T, out: *mut T) {
    match shape {
        // SAFETY: one element.
        [] => unsafe { *out = *x },
        // SAFETY: passed on.
        [n] => unsafe { copy_row(*n as usize, from[0] as isize, to[0] as isize, x, out) },
        [n, rest @ ..] => {
            for i in 0..*n as isize {
                // SAFETY: passed on, for one index of the first axis.
                unsafe {
                    let x = x.offset(i * from[0] as isize);
                    let out = out.offset(i * to[0] as isize);
                    copy_axes(rest, &from[1..], &to[1..], x, out);
                }
            }
        }
    }
}

/// Bytes of a part of a copy: fewer cost more to hand out than they bring.
const COPIED: usize = 1 << 16;

/// Parts of a copy at most.
const MAX_PARTS: usize = 16;

/// Runs `f` for stretches below `n`, in which `bytes` bytes are copied in all.
fn in_stretches(n: usize, bytes: usize, f: impl Fn(usize, usize) + Sync) {
    let parts = (bytes / COPIED).clamp(1, MAX_PARTS).min(n.max(1));
    pool::run(parts, |part| f(part * n / parts, (part + 1) * n / parts));
}

/// Copies between even layouts. `meta`: extents, then strides of the source, then of the target, in elements of `size` bytes.
unsafe extern "C" fn copy(rank: usize, meta: *const i64, size: usize, x: *const u8, out: *mut u8) {
    // SAFETY: the code generator gives `3 * rank` numbers.
    let meta = unsafe { std::slice::from_raw_parts(meta, 3 * rank) };
    let (shape, strides) = meta.split_at(rank);
    let (from, to) = strides.split_at(rank);
    let bytes = shape.iter().product::<i64>() as usize * size;
    let (x, out) = (x as usize, out as usize);
    let axes = |first: usize, shape: &[i64], from: &[i64], to: &[i64], steps: [i64; 2]| {
        let at = steps.map(|s| first as isize * s as isize * size as isize);
        // SAFETY: the code generator's layouts stay inside the buffers, which do not overlap; stretches have places of
        // their own.
        unsafe {
            let (x, out) = (
                (x as *const u8).offset(at[0]),
                (out as *mut u8).offset(at[1]),
            );
            match size {
                1 => copy_axes(shape, from, to, x, out),
                4 => copy_axes::<u32>(shape, from, to, x.cast(), out.cast()),
                _ => copy_axes::<u64>(shape, from, to, x.cast(), out.cast()),
            }
        }
    };
    match shape {
        [] => axes(0, shape, from, to, [0; 2]),
        [n] => in_stretches(*n as usize, bytes, |first, end| {
            axes(first, &[(end - first) as i64], from, to, [from[0], to[0]]);
        }),
        [n, rest @ ..] => in_stretches(*n as usize, bytes, |first, end| {
            for i in first..end {
                axes(i, rest, &from[1..], &to[1..], [from[0], to[0]]);
            }
        }),
    }
}

/// `meta`: outer extent, extent of the indexed axis, bytes of the inner part, number of indices. Indices clamp.
unsafe extern "C" fn gather(meta: *const i64, x: *const u8, index: *const i32, out: *mut u8) {
    // SAFETY: the code generator gives four numbers, and buffers of the sizes that they say.
    let (m, index) = unsafe {
        let m = std::slice::from_raw_parts(meta, 4);
        (m, std::slice::from_raw_parts(index, m[3] as usize))
    };
    let (outer, extent, bytes, count) =
        (m[0] as usize, m[1] as usize, m[2] as usize, m[3] as usize);
    let (x, out) = (x as usize, out as usize);
    in_stretches(outer * count, outer * count * bytes, |first, end| {
        let (mut o, mut i) = (first / count.max(1), first % count.max(1));
        for to in first..end {
            let at = index[i].clamp(0, extent as i32 - 1) as usize;
            // SAFETY: as above; stretches have places of their own.
            unsafe {
                let source = (x as *const u8).add((o * extent + at) * bytes);
                std::ptr::copy_nonoverlapping(source, (out as *mut u8).add(to * bytes), bytes);
            }
            i += 1;
            if i == count {
                (o, i) = (o + 1, 0);
            }
        }
    });
}

/// `meta`: outer extent, extent of the indexed axis, inner extent, number of indices. Indices clamp.
macro_rules! scatter {
    ($name:ident, $ty:ty, $add:expr) => {
        unsafe extern "C" fn $name(
            meta: *const i64,
            x: *const $ty,
            index: *const i32,
            out: *mut $ty,
        ) {
            // SAFETY: the code generator gives four numbers, and buffers of the sizes that they say.
            unsafe {
                let m = std::slice::from_raw_parts(meta, 4);
                let (outer, extent, inner, count) =
                    (m[0] as usize, m[1] as usize, m[2] as usize, m[3] as usize);
                std::ptr::write_bytes(out, 0, outer * extent * inner);
                for o in 0..outer {
                    for i in 0..count {
                        let at = (*index.add(i)).clamp(0, extent as i32 - 1) as usize;
                        for j in 0..inner {
                            let to = out.add((o * extent + at) * inner + j);
                            *to = $add(*to, *x.add((o * count + i) * inner + j));
                        }
                    }
                }
            }
        }
    };
}

scatter!(scatter_add_f32, f32, |a: f32, b: f32| a + b);
scatter!(scatter_add_f64, f64, |a: f64, b: f64| a + b);
scatter!(scatter_add_i32, i32, i32::wrapping_add);

/// `meta`: number of rows, bytes of a row, number of indices. Indices clamp; of rows for one index the last stays.
unsafe extern "C" fn scatter_set(
    meta: *const i64,
    x: *const u8,
    index: *const i32,
    rows: *const u8,
    out: *mut u8,
) {
    // SAFETY: the code generator gives three numbers, and buffers of the sizes that they say.
    unsafe {
        let m = std::slice::from_raw_parts(meta, 3);
        let (extent, bytes, count) = (m[0] as usize, m[1] as usize, m[2] as usize);
        std::ptr::copy_nonoverlapping(x, out, extent * bytes);
        for i in 0..count {
            let at = (*index.add(i)).clamp(0, extent as i32 - 1) as usize;
            std::ptr::copy_nonoverlapping(rows.add(i * bytes), out.add(at * bytes), bytes);
        }
    }
}

macro_rules! entries {
    ($($name:ident)*) => {
        vec![$((concat!("mlc_", stringify!($name)), $name as *const u8)),*]
    };
}

/// Copies a large array, in parts that threads share.
///
/// # Panics
/// If the arrays have not the same length.
pub fn copy_large(from: &[f32], to: &mut [f32]) {
    const PART: usize = 1 << 16;
    assert!(from.len() == to.len(), "the arrays have one length");
    let target = to.as_mut_ptr() as usize;
    pool::run(from.len().div_ceil(PART), |part| {
        let some = &from[part * PART..((part + 1) * PART).min(from.len())];
        // SAFETY: each part writes to a stretch of its own, inside `to`, which is borrowed until all parts are done.
        unsafe {
            let to = (target as *mut f32).add(part * PART);
            std::ptr::copy_nonoverlapping(some.as_ptr(), to, some.len());
        }
    });
}

pub fn table() -> Vec<Entry> {
    let mut all = reductions();
    all.extend(entries!(
        copy_bytes zero copy gather scatter_add_f32 scatter_add_f64 scatter_add_i32 scatter_set ordered_sum_f32 ordered_prod_f32
        ordered_sum_f64 ordered_prod_f64
    ));
    all
}
