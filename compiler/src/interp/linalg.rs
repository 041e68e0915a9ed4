//! Linear algebra as textbooks write it, in f64 loops, independent of the native kernels. For conventions see
//! `ops/linalg.rs`.

use crate::ir::Attr;
use crate::ops::Linalg;
use ndarray::{ArrayD, IxDyn};

/// A small dense matrix.
#[derive(Clone)]
struct Mat {
    rows: usize,
    columns: usize,
    data: Vec<f64>,
}

impl Mat {
    fn new(rows: usize, columns: usize, mut f: impl FnMut(usize, usize) -> f64) -> Self {
        let mut data = Vec::with_capacity(rows * columns);
        for i in 0..rows {
            for j in 0..columns {
                data.push(f(i, j));
            }
        }
        Self {
            rows,
            columns,
            data,
        }
    }

    fn identity(n: usize) -> Self {
        Self::new(n, n, |i, j| if i == j { 1.0 } else { 0.0 })
    }

    fn transposed(&self) -> Self {
        Self::new(self.columns, self.rows, |i, j| self[(j, i)])
    }

    fn symmetric(&self) -> Self {
        Self::new(self.rows, self.rows, |i, j| {
            0.5 * (self[(i, j)] + self[(j, i)])
        })
    }

    fn is_finite(&self) -> bool {
        self.data.iter().all(|x| x.is_finite())
    }

    fn column_dot(&self, p: usize, q: usize) -> f64 {
        (0..self.rows).map(|i| self[(i, p)] * self[(i, q)]).sum()
    }

    fn negate_column(&mut self, j: usize) {
        (0..self.rows).for_each(|i| self[(i, j)] = -self[(i, j)]);
    }

    /// Turns columns p and q by the angle with this cosine and sine.
    fn rotate_columns(&mut self, p: usize, q: usize, c: f64, s: f64) {
        for i in 0..self.rows {
            let (x, y) = (self[(i, p)], self[(i, q)]);
            self[(i, p)] = c * x - s * y;
            self[(i, q)] = s * x + c * y;
        }
    }

    /// The same of rows.
    fn rotate_rows(&mut self, p: usize, q: usize, c: f64, s: f64) {
        for j in 0..self.columns {
            let (x, y) = (self[(p, j)], self[(q, j)]);
            self[(p, j)] = c * x - s * y;
            self[(q, j)] = s * x + c * y;
        }
    }

    /// Is the column's sign the wrong one? The first component within a millionth of the largest magnitude is positive.
    fn is_reversed(&self, j: usize) -> bool {
        let largest = (0..self.rows).fold(0.0f64, |m, i| m.max(self[(i, j)].abs()));
        (0..self.rows)
            .map(|i| self[(i, j)])
            .find(|x| x.abs() >= largest * (1.0 - 1e-6))
            .is_some_and(|x| x < 0.0)
    }
}

impl std::ops::Index<(usize, usize)> for Mat {
    type Output = f64;
    fn index(&self, (i, j): (usize, usize)) -> &f64 {
        &self.data[i * self.columns + j]
    }
}

impl std::ops::IndexMut<(usize, usize)> for Mat {
    fn index_mut(&mut self, (i, j): (usize, usize)) -> &mut f64 {
        &mut self.data[i * self.columns + j]
    }
}

/// The operation on each matrix of the batch.
pub fn eval(what: Linalg, attr: &Attr, xs: &[&ArrayD<f64>], shape: &[usize]) -> ArrayD<f64> {
    let split = |x: &ArrayD<f64>| -> Vec<Mat> {
        let s = x.shape();
        let (rows, columns) = (s[s.len() - 2], s[s.len() - 1]);
        let all: Vec<f64> = x.iter().copied().collect();
        let count: usize = s[..s.len() - 2].iter().product();
        let size = rows * columns;
        (0..count)
            .map(|b| Mat {
                rows,
                columns,
                data: all[b * size..(b + 1) * size].to_vec(),
            })
            .collect()
    };
    let operands: Vec<Vec<Mat>> = xs.iter().map(|x| split(x)).collect();
    let mut out = Vec::new();
    for (b, a) in operands[0].iter().enumerate() {
        out.extend(match what {
            Linalg::Cholesky => cholesky(a),
            Linalg::TriangularSolve => triangular_solve(attr, a, &operands[1][b]),
            Linalg::Solve => solve(a, &operands[1][b]),
            Linalg::SlogDet => slogdet(a),
            Linalg::Eigh => eigh(a),
            Linalg::Svd => svd(a),
            Linalg::Qr => qr(a),
        });
    }
    ArrayD::from_shape_vec(IxDyn(shape), out).expect("one packed result for each matrix")
}

fn cholesky(a: &Mat) -> Vec<f64> {
    let n = a.rows;
    let s = a.symmetric();
    let failed = || Mat::new(n, n, |i, j| if j <= i { f64::NAN } else { 0.0 }).data;
    if !a.is_finite() {
        return failed();
    }
    let mut l = Mat::new(n, n, |_, _| 0.0);
    for j in 0..n {
        for i in j..n {
            let done: f64 = (0..j).map(|k| l[(i, k)] * l[(j, k)]).sum();
            let left = s[(i, j)] - done;
            if i > j {
                l[(i, j)] = left / l[(j, j)];
            } else if left > 0.0 {
                l[(j, j)] = left.sqrt();
            } else {
                return failed();
            }
        }
    }
    l.data
}

fn triangular_solve(attr: &Attr, a: &Mat, b: &Mat) -> Vec<f64> {
    let Attr::Triangle {
        lower,
        transpose,
        unit,
    } = *attr
    else {
        panic!("internal error: a triangular solve without its triangle")
    };
    let n = a.rows;
    let t = Mat::new(n, n, |i, j| match (i == j, (j < i) == lower) {
        (true, _) if unit => 1.0,
        (true, _) | (false, true) => a[(i, j)],
        _ => 0.0,
    });
    let singular = (0..n).any(|i| t[(i, i)] == 0.0);
    if singular || !t.is_finite() || !b.is_finite() {
        return vec![f64::NAN; b.data.len()];
    }
    let t = if transpose { t.transposed() } else { t };
    let mut x = b.clone();
    for step in 0..n {
        // Forward in a lower triangle, backward in an upper one.
        let i = if lower == transpose {
            n - 1 - step
        } else {
            step
        };
        for c in 0..b.columns {
            let others: f64 = (0..n)
                .filter(|&k| k != i && t[(i, k)] != 0.0)
                .map(|k| t[(i, k)] * x[(k, c)])
                .sum();
            x[(i, c)] = (x[(i, c)] - others) / t[(i, i)];
        }
    }
    x.data
}

/// Gaussian elimination with partial pivoting on `[a | b]`: the upper triangle, the changed right-hand sides, the sign of
/// the row exchanges. `None` if a pivot is zero.
fn eliminate(a: &Mat, b: &Mat) -> Option<(Mat, Mat, f64)> {
    let n = a.rows;
    let (mut a, mut b) = (a.clone(), b.clone());
    let mut sign = 1.0;
    for k in 0..n {
        let mut p = k;
        for i in k + 1..n {
            if a[(i, k)].abs() > a[(p, k)].abs() {
                p = i;
            }
        }
        if a[(p, k)] == 0.0 {
            return None;
        }
        if p != k {
            sign = -sign;
            (0..n).for_each(|j| a.data.swap(k * n + j, p * n + j));
            let w = b.columns;
            (0..w).for_each(|j| b.data.swap(k * w + j, p * w + j));
        }
        for i in k + 1..n {
            let f = a[(i, k)] / a[(k, k)];
            for j in k..n {
                a[(i, j)] -= f * a[(k, j)];
            }
            for j in 0..b.columns {
                b[(i, j)] -= f * b[(k, j)];
            }
        }
    }
    Some((a, b, sign))
}

fn solve(a: &Mat, b: &Mat) -> Vec<f64> {
    let nothing = || vec![f64::NAN; b.data.len()];
    if !a.is_finite() || !b.is_finite() {
        return nothing();
    }
    let Some((u, mut x, _)) = eliminate(a, b) else {
        return nothing();
    };
    for i in (0..a.rows).rev() {
        for c in 0..b.columns {
            let others: f64 = (i + 1..a.rows).map(|k| u[(i, k)] * x[(k, c)]).sum();
            x[(i, c)] = (x[(i, c)] - others) / u[(i, i)];
        }
    }
    x.data
}

fn slogdet(a: &Mat) -> Vec<f64> {
    if !a.is_finite() {
        return vec![f64::NAN; 2];
    }
    let Some((u, _, mut sign)) = eliminate(a, &Mat::new(a.rows, 0, |_, _| 0.0)) else {
        return vec![0.0, f64::NEG_INFINITY];
    };
    let mut log = 0.0;
    for i in 0..a.rows {
        sign *= u[(i, i)].signum();
        log += u[(i, i)].abs().ln();
    }
    vec![sign, log]
}

/// Cosine and sine of the turn that makes the off-diagonal element of a symmetric 2 by 2 matrix zero (Rutishauser 1966).
fn turn(pp: f64, pq: f64, qq: f64) -> (f64, f64) {
    if pq == 0.0 {
        return (1.0, 0.0);
    }
    let theta = (qq - pp) / (2.0 * pq);
    let t = theta.signum() / (theta.abs() + theta.hypot(1.0));
    let c = 1.0 / t.hypot(1.0);
    (c, t * c)
}

/// Sweeps of Jacobi's method after which it has long converged.
const SWEEPS: usize = 60;

/// Jacobi's cyclic method.
fn eigh(a: &Mat) -> Vec<f64> {
    let n = a.rows;
    if !a.is_finite() {
        return vec![f64::NAN; (n + 1) * n];
    }
    let (mut s, mut v) = (a.symmetric(), Mat::identity(n));
    for _ in 0..SWEEPS {
        let mut turned = false;
        for p in 0..n {
            for q in p + 1..n {
                let size = (s[(p, p)] * s[(q, q)]).abs().sqrt();
                if s[(p, q)].abs() <= 1e-300 + 1e-17 * size {
                    continue;
                }
                turned = true;
                let (c, sn) = turn(s[(p, p)], s[(p, q)], s[(q, q)]);
                s.rotate_columns(p, q, c, sn);
                s.rotate_rows(p, q, c, sn);
                v.rotate_columns(p, q, c, sn);
                (s[(p, q)], s[(q, p)]) = (0.0, 0.0);
            }
        }
        if !turned {
            break;
        }
    }
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|&i, &j| s[(i, i)].total_cmp(&s[(j, j)]));
    for j in 0..n {
        if v.is_reversed(j) {
            v.negate_column(j);
        }
    }
    let mut out: Vec<f64> = order.iter().map(|&j| s[(j, j)]).collect();
    for i in 0..n {
        out.extend(order.iter().map(|&j| v[(i, j)]));
    }
    out
}

/// Gives columns without a direction those that are missing, by Gram-Schmidt on the axes.
fn complete(u: &mut Mat, missing: &[usize]) {
    let mut done: Vec<usize> = (0..u.columns).filter(|j| !missing.contains(j)).collect();
    for &j in missing {
        for axis in 0..u.rows {
            for i in 0..u.rows {
                u[(i, j)] = if i == axis { 1.0 } else { 0.0 };
            }
            for _ in 0..2 {
                for &k in &done {
                    let d = u.column_dot(j, k);
                    for i in 0..u.rows {
                        u[(i, j)] -= d * u[(i, k)];
                    }
                }
            }
            let length = u.column_dot(j, j).sqrt();
            // One of the axes is at least this far from the span of fewer columns than rows.
            if length > 0.5 / (u.rows as f64).sqrt() {
                (0..u.rows).for_each(|i| u[(i, j)] /= length);
                break;
            }
        }
        done.push(j);
    }
}

/// Jacobi's one-sided method (Hestenes 1958): turns columns until they are orthogonal.
fn svd(a: &Mat) -> Vec<f64> {
    let (m, n) = (a.rows, a.columns);
    let k = m.min(n);
    if !a.is_finite() {
        return vec![f64::NAN; (m + n + 1) * k];
    }
    let mut u = if m < n { a.transposed() } else { a.clone() };
    let mut v = Mat::identity(k);
    for _ in 0..SWEEPS {
        let mut turned = false;
        for p in 0..k {
            for q in p + 1..k {
                let (pp, pq, qq) = (u.column_dot(p, p), u.column_dot(p, q), u.column_dot(q, q));
                if pq.abs() <= 1e-300 + 1e-15 * (pp * qq).sqrt() {
                    continue;
                }
                turned = true;
                let (c, s) = turn(pp, pq, qq);
                u.rotate_columns(p, q, c, s);
                v.rotate_columns(p, q, c, s);
            }
        }
        if !turned {
            break;
        }
    }
    let s: Vec<f64> = (0..k).map(|j| u.column_dot(j, j).sqrt()).collect();
    // What is left of a column that depends on the others is rounding, and has no direction.
    let nothing = 1e-14 * s.iter().copied().fold(0.0, f64::max);
    let missing: Vec<usize> = (0..k).filter(|&j| s[j] <= nothing).collect();
    for j in (0..k).filter(|&j| s[j] > nothing) {
        (0..u.rows).for_each(|i| u[(i, j)] /= s[j]);
    }
    complete(&mut u, &missing);
    let (mut u, mut v) = if m < n { (v, u) } else { (u, v) };
    for j in 0..k {
        if u.is_reversed(j) {
            u.negate_column(j);
            v.negate_column(j);
        }
    }
    let mut order: Vec<usize> = (0..k).collect();
    order.sort_by(|&i, &j| s[j].total_cmp(&s[i]));
    let mut out: Vec<f64> = order.iter().map(|&j| s[j]).collect();
    for x in [&u, &v] {
        for i in 0..x.rows {
            out.extend(order.iter().map(|&j| x[(i, j)]));
        }
    }
    out
}

/// Householder's reflections.
fn qr(a: &Mat) -> Vec<f64> {
    let (m, n) = (a.rows, a.columns);
    if !a.is_finite() {
        return vec![f64::NAN; (m + n) * n];
    }
    let mut r = a.clone();
    // All reflections so far, applied to the identity from the left: the transpose of Q.
    let mut qt = Mat::identity(m);
    for j in 0..n {
        let length = (j..m).map(|i| r[(i, j)] * r[(i, j)]).sum::<f64>().sqrt();
        if length == 0.0 {
            continue;
        }
        let mut w: Vec<f64> = (j..m).map(|i| r[(i, j)]).collect();
        w[0] += length.copysign(w[0]);
        let square: f64 = w.iter().map(|x| x * x).sum();
        for x in [&mut r, &mut qt] {
            for c in 0..x.columns {
                let d: f64 = (j..m).map(|i| w[i - j] * x[(i, c)]).sum();
                for i in j..m {
                    x[(i, c)] -= 2.0 * d / square * w[i - j];
                }
            }
        }
    }
    let sign: Vec<f64> = (0..n)
        .map(|i| if r[(i, i)] < 0.0 { -1.0 } else { 1.0 })
        .collect();
    let q = Mat::new(m, n, |i, j| sign[j] * qt[(j, i)]);
    let r = Mat::new(n, n, |i, j| if j >= i { sign[i] * r[(i, j)] } else { 0.0 });
    [q.data, r.data].concat()
}
