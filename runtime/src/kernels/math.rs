//! Functions of f64, on one number, that are not libm's.

use mlc_compiler::codegen::formulas;

/// digamma(x), by recurrence to large arguments and the asymptotic series (Abramowitz and Stegun 6.3.18).
pub fn digamma(x: f64) -> f64 {
    if x.is_nan() || x == f64::NEG_INFINITY {
        return f64::NAN;
    }
    if x <= 0.0 {
        if x == x.floor() {
            return f64::NAN;
        }
        let near = std::f64::consts::PI * (x - x.round());
        return digamma(1.0 - x) - std::f64::consts::PI / libm::tan(near);
    }
    let (mut x, mut y) = (x, 0.0);
    while x < 12.0 {
        y -= 1.0 / x;
        x += 1.0;
    }
    let z = 1.0 / (x * x);
    let series = z
        * (1.0 / 12.0
            - z * (1.0 / 120.0
                - z * (1.0 / 252.0
                    - z * (1.0 / 240.0 - z * (1.0 / 132.0 - z * (691.0 / 32760.0 - z / 12.0))))));
    y + x.ln() - 0.5 / x - series
}

/// The derivative of digamma (Abramowitz and Stegun 6.4.12).
pub fn trigamma(x: f64) -> f64 {
    if x.is_nan() || x == f64::NEG_INFINITY {
        return f64::NAN;
    }
    if x <= 0.0 {
        if x == x.floor() {
            return f64::INFINITY;
        }
        let s = std::f64::consts::PI / libm::sin(std::f64::consts::PI * (x - x.round()));
        return s * s - trigamma(1.0 - x);
    }
    let (mut x, mut y) = (x, 0.0);
    while x < 12.0 {
        y += 1.0 / (x * x);
        x += 1.0;
    }
    let z = 1.0 / (x * x);
    y + 1.0 / x
        + 0.5 * z
        + z / x
            * (1.0 / 6.0
                - z * (1.0 / 30.0
                    - z * (1.0 / 42.0
                        - z * (1.0 / 30.0
                            - z * (5.0 / 66.0 - z * (691.0 / 2730.0 - z * 7.0 / 6.0))))))
}

/// The inverse of erf: a first guess in f32, then Newton's and Halley's steps on `erf` or `erfc`.
pub fn erfinv64(x: f64) -> f64 {
    if x.abs() >= 1.0 || x.is_nan() {
        return if x.abs() == 1.0 {
            x * f64::INFINITY
        } else {
            f64::NAN
        };
    }
    if x == 0.0 {
        return x;
    }
    let a = x.abs();
    let mut y = if a < 0.999_999 {
        f64::from(formulas::erfinv(a as f32))
    } else {
        // The tail: erfc(y) ~ exp(-y^2) / (y sqrt(pi)).
        let l = -(1.0 - a).ln();
        (l - 0.5 * (l * std::f64::consts::PI).ln()).sqrt()
    };
    for _ in 0..4 {
        let error = if y > 0.5 {
            (1.0 - a) - libm::erfc(y)
        } else {
            libm::erf(y) - a
        };
        let slope = std::f64::consts::FRAC_2_SQRT_PI * (-y * y).exp();
        let step = error / slope;
        y -= step / (1.0 + y * step);
    }
    if x < 0.0 { -y } else { y }
}

/// The inverse of cosh; libm's takes some negative numbers for positive ones.
pub fn acosh(x: f64) -> f64 {
    if x < 1.0 { f64::NAN } else { libm::acosh(x) }
}
