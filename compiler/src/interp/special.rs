//! Special functions from their definitions: integrals by quadrature and slowly convergent sums. Kernels compute them in
//! other ways, so that each checks the other.

use super::scalar::digamma;
use crate::ops::Special;
use std::f64::consts::{FRAC_1_SQRT_2, PI};

/// The integral of `f` from 0 to `x`, by tanh-sinh quadrature (Takahasi and Mori 1974): poles at the ends do no harm.
/// `f` is given the distances to both ends.
fn integral(x: f64, f: impl Fn(f64, f64) -> f64) -> f64 {
    let h = 1.0 / 20.0;
    let mut sum = 0.0;
    for k in -110..=110 {
        let t = h * f64::from(k);
        let u = 0.5 * PI * t.sinh();
        // The share of the interval to the left of the node, and that to its right.
        let (left, right) = (
            1.0 / (1.0 + (-2.0 * u).exp()),
            1.0 / (1.0 + (2.0 * u).exp()),
        );
        let weight = PI * t.cosh() * left * right;
        if weight > 0.0 && left > 0.0 && right > 0.0 {
            sum += weight * f(x * left, x * right);
        }
    }
    sum * h * x
}

/// exp(x^2) erfc(x) = 2 / sqrt(pi) times the integral of exp(-t^2 - 2 x t) over positive t.
fn erfcx(x: f64) -> f64 {
    if x < 1.0 {
        return (x * x).exp() * libm::erfc(x);
    }
    let end = 7.0_f64.min(40.0 / x);
    std::f64::consts::FRAC_2_SQRT_PI * integral(end, |t, _| (-t * t - 2.0 * x * t).exp())
}

fn ndtri(p: f64) -> f64 {
    if !(0.0..=1.0).contains(&p) {
        return f64::NAN;
    }
    // Bisection of the distribution function.
    let (mut low, mut high) = (-40.0, 40.0);
    if p == 0.0 || p == 1.0 {
        return (p - 0.5) * f64::INFINITY;
    }
    for _ in 0..200 {
        let middle = 0.5 * (low + high);
        let above = if p < 0.5 {
            0.5 * libm::erfc(-middle * FRAC_1_SQRT_2) > p
        } else {
            0.5 * libm::erfc(middle * FRAC_1_SQRT_2) < 1.0 - p
        };
        if above { high = middle } else { low = middle }
    }
    0.5 * (low + high)
}

/// exp(-|x|) I_n(x), by the integral of exp(x cos u - |x|) cos(n u) over half a turn (Abramowitz and Stegun 9.6.19).
fn bessel(n: f64, x: f64) -> f64 {
    let points = 100 + 2 * x.abs().min(1e6) as i32;
    let value = |i: i32| {
        let u = PI * (f64::from(i) + 0.5) / f64::from(points);
        (x * u.cos() - x.abs()).exp() * (n * u).cos()
    };
    (0..points).map(value).sum::<f64>() / f64::from(points)
}

/// By recurrence to large arguments, and the asymptotic series there (Abramowitz and Stegun 6.4.6 and 6.4.11).
fn polygamma(n: f64, x: f64) -> f64 {
    let n = n.round();
    if !(0.0..=100.0).contains(&n) {
        return f64::NAN;
    }
    if n == 0.0 {
        return digamma(x);
    }
    if x <= 0.0 && x == x.floor() {
        return if n % 2.0 == 1.0 {
            f64::INFINITY
        } else {
            f64::NAN
        };
    }
    let factorial = |n: f64| libm::tgamma(n + 1.0);
    let sign = if n % 2.0 == 1.0 { 1.0 } else { -1.0 };
    let (mut sum, mut x) = (0.0, x);
    while x < 20.0 + n {
        sum += factorial(n) * x.powf(-n - 1.0);
        x += 1.0;
    }
    let mut series = factorial(n - 1.0) * x.powf(-n) + 0.5 * factorial(n) * x.powf(-n - 1.0);
    let bernoulli = [
        1.0 / 6.0,
        -1.0 / 30.0,
        1.0 / 42.0,
        -1.0 / 30.0,
        5.0 / 66.0,
        -691.0 / 2730.0,
    ];
    for (k, b) in bernoulli.iter().enumerate() {
        let k = 2.0 * (k as f64 + 1.0);
        series += b * factorial(k + n - 1.0) / factorial(k) * x.powf(-k - n);
    }
    sign * (sum + series)
}

/// log gamma(p) less the growth of log gamma from q to p + q, which is an integral of digamma.
fn lbeta(a: f64, b: f64) -> f64 {
    if a < 0.0 || b < 0.0 {
        return f64::NAN;
    }
    let (p, q) = (a.min(b), a.max(b));
    libm::lgamma(p) - integral(p, |t, _| digamma(q + t))
}

fn gamma_density(a: f64, x: f64) -> f64 {
    ((a - 1.0) * x.ln() - x - libm::lgamma(a)).exp()
}

/// The integrals of the density and of its derivative by a.
fn gammainc(a: f64, x: f64) -> (f64, f64) {
    if a.is_nan() || x.is_nan() || a <= 0.0 || x < 0.0 {
        return (f64::NAN, f64::NAN);
    }
    if x == 0.0 {
        return (0.0, 0.0);
    }
    let x = x.min(a + 40.0 * a.sqrt() + 700.0);
    // Above the mean in two pieces, so that the density's peak is at an end.
    let mean = a.min(x);
    let (mut p, mut by_a) = (0.0, 0.0);
    let center = digamma(a);
    for (from, length) in [(0.0, mean), (mean, x - mean)] {
        p += integral(length, |t, _| gamma_density(a, from + t));
        by_a += integral(length, |t, _| {
            gamma_density(a, from + t) * ((from + t).ln() - center)
        });
    }
    (p, by_a)
}

fn beta_density(a: f64, b: f64, x: f64, y: f64) -> f64 {
    ((a - 1.0) * x.ln() + (b - 1.0) * y.ln() - lbeta(a, b)).exp()
}

/// The integrals of the density and of its derivatives by a and b.
fn betainc(a: f64, b: f64, x: f64) -> [f64; 3] {
    if !(a > 0.0 && b > 0.0 && (0.0..=1.0).contains(&x)) {
        return [f64::NAN; 3];
    }
    if x == 0.0 || x == 1.0 {
        return [x, 0.0, 0.0];
    }
    let both = digamma(a + b);
    let slopes = [digamma(a) - both, digamma(b) - both];
    let mean = x.min(a / (a + b));
    let mut out = [0.0; 3];
    for (from, length) in [(0.0, mean), (mean, x - mean)] {
        // What is left of 1 beyond the node: exact near 1, where the density may have its pole.
        let rest = |right: f64| (1.0 - (from + length)) + right;
        let f = |t: f64, right: f64| beta_density(a, b, from + t, rest(right));
        out[0] += integral(length, f);
        out[1] += integral(length, |t, r| f(t, r) * ((from + t).ln() - slopes[0]));
        out[2] += integral(length, |t, r| f(t, r) * (rest(r).ln() - slopes[1]));
    }
    out
}

pub fn apply(f: Special, x: &[f64]) -> f64 {
    match f {
        Special::Tan => x[0].tan(),
        Special::Asin => x[0].asin(),
        Special::Acos => x[0].acos(),
        Special::Atan => x[0].atan(),
        Special::Atan2 => x[0].atan2(x[1]),
        Special::Sinh => x[0].sinh(),
        Special::Cosh => x[0].cosh(),
        Special::Asinh => x[0].asinh(),
        Special::Acosh => x[0].acosh(),
        Special::Atanh => x[0].atanh(),
        Special::Exp2 => x[0].exp2(),
        Special::Log2 => x[0].log2(),
        Special::Erfc => libm::erfc(x[0]),
        Special::Erfcx => erfcx(x[0]),
        Special::Ndtr => 0.5 * libm::erfc(-x[0] * FRAC_1_SQRT_2),
        Special::LogNdtr if x[0] < -1.0 => {
            (0.5 * erfcx(-x[0] * FRAC_1_SQRT_2)).ln() - 0.5 * x[0] * x[0]
        }
        Special::LogNdtr => (-0.5 * libm::erfc(x[0] * FRAC_1_SQRT_2)).ln_1p(),
        Special::Ndtri => ndtri(x[0]),
        Special::I0e => bessel(0.0, x[0]),
        Special::I1e => bessel(1.0, x[0]),
        Special::Polygamma => polygamma(x[0], x[1]),
        Special::Logaddexp => {
            let top = x[0].max(x[1]);
            let d = if x[0] == x[1] {
                0.0
            } else {
                (x[0] - x[1]).abs()
            };
            if d.is_nan() {
                d
            } else {
                top + (-d).exp().ln_1p()
            }
        }
        Special::Lbeta => lbeta(x[0], x[1]),
        Special::Gammainc => gammainc(x[0], x[1]).0,
        Special::Gammaincc => 1.0 - gammainc(x[0], x[1]).0,
        Special::GammaincByA => gammainc(x[0], x[1]).1,
        Special::GammaincByX => gamma_density(x[0], x[1]),
        Special::Betainc => betainc(x[0], x[1], x[2])[0],
        Special::BetaincByA => betainc(x[0], x[1], x[2])[1],
        Special::BetaincByB => betainc(x[0], x[1], x[2])[2],
        Special::BetaincByX => beta_density(x[0], x[1], x[2], 1.0 - x[2]),
    }
}
