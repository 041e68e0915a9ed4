//! The native kernels against libm, at every length of tail.

use mlc_runtime::kernels::{address, names};

type Unary = unsafe extern "C" fn(usize, *const f32, *mut f32);

fn unary(name: &str, x: &[f32]) -> Vec<f32> {
    let address = address(&format!("mlc_{name}_f32")).unwrap();
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
    assert!(all.iter().all(|n| address(n).is_some()));
    let n = all.len();
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), n);
    assert!(address("mlc_no_such_kernel").is_none());
}

type Whole = unsafe extern "C" fn(usize, *const i32, usize, *const i32, u64, *mut u32);

/// The kernel of a stream's words from its first, beside which the others are held.
fn whole_stream() -> Whole {
    let kernel = address("mlc_random_bits").unwrap();
    // SAFETY: the kernel has these arguments.
    unsafe { std::mem::transmute::<*const u8, Whole>(kernel) }
}

/// Any stretch of a stream's words, wherever it begins.
#[test]
fn words_from_anywhere_are_those_of_the_whole_stream() {
    type From = unsafe extern "C" fn(usize, u64, *const i32, usize, *const i32, u64, *mut u32);
    let whole = whole_stream();
    let from = address("mlc_random_bits_from").unwrap();
    // SAFETY: the kernel has these arguments.
    let from = unsafe { std::mem::transmute::<*const u8, From>(from) };
    let (seed, counters, site) = ([5, -6], [7, 8], 9);
    let mut all = vec![0; 3000];
    // SAFETY: two ints, two ints, and as many words as asked for.
    unsafe {
        whole(
            3000,
            seed.as_ptr(),
            2,
            counters.as_ptr(),
            site,
            all.as_mut_ptr(),
        )
    };
    for first in [0, 1, 2, 3, 4, 7, 60, 63, 64, 65, 513, 1022] {
        for n in [0, 1, 3, 4, 5, 61, 63, 64, 65, 127, 512, 1000] {
            let mut some = vec![u32::MAX; n + 1];
            // SAFETY: as above.
            unsafe {
                let at = some.as_mut_ptr();
                from(
                    n,
                    first as u64,
                    seed.as_ptr(),
                    2,
                    counters.as_ptr(),
                    site,
                    at,
                );
            }
            assert_eq!(some[..n], all[first..first + n], "{n} words from {first}");
            assert_eq!(some[n], u32::MAX, "{n} words from {first}");
        }
    }
}

/// The words that several sites draw at once, more than stand in a vector.
#[test]
fn words_of_several_sites_are_those_of_each() {
    type OfSites =
        unsafe extern "C" fn(usize, *const u64, *const i32, usize, *const i32, *const *mut u32);
    let whole = whole_stream();
    let of_sites = address("mlc_random_bits_of_sites").unwrap();
    // SAFETY: the kernel has these arguments.
    let of_sites = unsafe { std::mem::transmute::<*const u8, OfSites>(of_sites) };
    let (seed, counters) = ([5, -6], [7, 8]);
    let sites: Vec<[u64; 2]> = (0..11).map(|i| [u64::MAX / (i + 1), 1 + i % 4]).collect();
    let mut words = vec![[u32::MAX; 5]; sites.len()];
    let outs: Vec<*mut u32> = words.iter_mut().map(|w| w.as_mut_ptr()).collect();
    // SAFETY: two ints, two ints, and room for the words of each site.
    unsafe {
        of_sites(
            sites.len(),
            sites.as_ptr().cast(),
            seed.as_ptr(),
            2,
            counters.as_ptr(),
            outs.as_ptr(),
        );
    }
    for ([site, n], words) in sites.into_iter().zip(words) {
        let mut expected = [u32::MAX; 5];
        let at = expected.as_mut_ptr();
        // SAFETY: as above.
        unsafe { whole(n as usize, seed.as_ptr(), 2, counters.as_ptr(), site, at) };
        assert_eq!(words, expected, "{n} words of site {site}");
    }
}

/// The words of several rows of counters, more than stand in a vector and of more than one block each.
#[test]
fn words_of_several_rows_are_those_of_each() {
    type OfRows = unsafe extern "C" fn(usize, usize, *const i32, usize, *const i32, u64, *mut u32);
    let whole = whole_stream();
    let of_rows = address("mlc_random_bits_of_rows").unwrap();
    // SAFETY: the kernel has these arguments.
    let of_rows = unsafe { std::mem::transmute::<*const u8, OfRows>(of_rows) };
    let (seed, site, rows) = ([5, -6], 0x1234_5678_9abc_def0, 19);
    for (m, n) in [(1, 1), (1, 2), (2, 4), (3, 5), (1, 11)] {
        let counters: Vec<i32> = (0..rows * m).map(|i| 3 - i as i32).collect();
        let mut all = vec![u32::MAX; rows * n + 1];
        // SAFETY: two ints, `m` for each row, and room for `n` words of each.
        unsafe {
            let at = all.as_mut_ptr();
            of_rows(rows, n, seed.as_ptr(), m, counters.as_ptr(), site, at);
        }
        for (row, own) in counters.chunks(m).enumerate() {
            let mut expected = vec![0; n];
            // SAFETY: as above.
            unsafe {
                let at = expected.as_mut_ptr();
                whole(n, seed.as_ptr(), m, own.as_ptr(), site, at);
            }
            assert_eq!(all[row * n..][..n], expected, "row {row}, {n} words");
        }
        assert_eq!(all[rows * n], u32::MAX, "{n} words a row");
    }
}
