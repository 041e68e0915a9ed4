//! The native kernels against libm, at every length of tail.

use mlc_compiler::codegen::Natives;
use mlc_runtime::kernels::{Kernels, names};

type Unary = unsafe extern "C" fn(usize, *const f32, *mut f32);

fn unary(name: &str, x: &[f32]) -> Vec<f32> {
    let address = Kernels.address(&format!("mlc_{name}_f32")).unwrap();
    // SAFETY: unary kernels for f32 have this type.
    let f = unsafe { std::mem::transmute::<*const u8, Unary>(address) };
    let mut out = vec![0.0; x.len()];
    // SAFETY: both arrays hold so many elements.
    unsafe { f(x.len(), x.as_ptr(), out.as_mut_ptr()) };
    out
}

/// The largest relative error over a grid, against f64.
fn worst(name: &str, exact: impl Fn(f64) -> f64, low: f64, high: f64) -> f64 {
    let x: Vec<f32> = (0..20_001)
        .map(|i| (low + (high - low) * f64::from(i) / 20_000.0) as f32)
        .collect();
    let y = unary(name, &x);
    let error = |(x, y): (&f32, &f32)| {
        let e = exact(f64::from(*x));
        if e == 0.0 {
            f64::from(y.abs())
        } else {
            ((f64::from(*y) - e) / e).abs()
        }
    };
    x.iter().zip(&y).map(error).fold(0.0, f64::max)
}

#[test]
fn functions_are_accurate() {
    let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
    let softplus = |x: f64| x.max(0.0) + (-x.abs()).exp().ln_1p();
    let within = |name: &str, error: f64| assert!(error < 5e-7, "{name}: relative error {error:e}");
    within("exp", worst("exp", f64::exp, -80.0, 85.0));
    within("log", worst("log", f64::ln, 1e-6, 50.0));
    within("log1p", worst("log1p", f64::ln_1p, -0.9, 10.0));
    within("expm1", worst("expm1", f64::exp_m1, -3.0, 10.0));
    within("tanh", worst("tanh", f64::tanh, -12.0, 12.0));
    within("sigmoid", worst("sigmoid", sigmoid, -60.0, 60.0));
    within("softplus", worst("softplus", softplus, -60.0, 60.0));
    within("erf", worst("erf", libm::erf, -4.0, 4.0));
    within("sin", worst("sin", f64::sin, 0.1, 3.0));
    within("cos", worst("cos", f64::cos, -1.5, 1.5));
    within("lgamma", worst("lgamma", libm::lgamma, 2.5, 60.0));
}

#[test]
fn erfinv_inverts_erf() {
    let y: Vec<f32> = (1..2000).map(|i| i as f32 / 1000.0 - 1.0).collect();
    for (x, y) in unary("erfinv", &y).iter().zip(&y) {
        let back = libm::erf(f64::from(*x));
        assert!(
            (back - f64::from(*y)).abs() < 3e-7,
            "erf(erfinv({y})) = {back}"
        );
    }
}

#[test]
fn functions_keep_their_limits() {
    let inf = f32::INFINITY;
    assert_eq!(unary("exp", &[inf, -inf, 0.0, 100.0]), [inf, 0.0, 1.0, inf]);
    assert_eq!(unary("log", &[0.0, inf, 1.0]), [-inf, inf, 0.0]);
    assert_eq!(unary("log1p", &[-1.0, 0.0, inf]), [-inf, 0.0, inf]);
    assert_eq!(unary("tanh", &[inf, -inf, 0.0]), [1.0, -1.0, 0.0]);
    assert_eq!(unary("sigmoid", &[inf, -inf, 0.0]), [1.0, 0.0, 0.5]);
    assert_eq!(unary("softplus", &[inf, -inf]), [inf, 0.0]);
    assert_eq!(unary("erfinv", &[1.0, -1.0]), [inf, -inf]);
    for name in [
        "exp", "log", "log1p", "expm1", "tanh", "sigmoid", "softplus", "erfinv", "erf", "sin",
    ] {
        assert!(unary(name, &[f32::NAN])[0].is_nan(), "{name}");
    }
    assert!(unary("log", &[-1.0])[0].is_nan());
}

#[test]
fn a_value_does_not_depend_on_its_place() {
    let x: Vec<f32> = (0..67).map(|i| i as f32 * 0.21 - 7.0).collect();
    for name in ["exp", "tanh", "sigmoid", "softplus", "expm1"] {
        let whole = unary(name, &x);
        for from in 0..20 {
            let part = unary(name, &x[from..]);
            assert!(
                part.iter()
                    .zip(&whole[from..])
                    .all(|(a, b)| a.to_bits() == b.to_bits()),
                "{name} from {from}"
            );
        }
    }
}

#[test]
fn every_name_has_one_address() {
    let mut all = names();
    assert!(all.iter().all(|n| Kernels.address(n).is_some()));
    let n = all.len();
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), n);
    assert!(Kernels.address("mlc_no_such_kernel").is_none());
}
