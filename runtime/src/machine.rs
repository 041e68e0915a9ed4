//! What this machine can do at best, measured: how fast memory is copied and matrices are multiplied.

use crate::kernels::{copy_large, multiply_square};
use std::time::Instant;

/// The machine's limits, with the threads that are in use.
#[derive(Clone, Copy, Debug)]
pub struct Machine {
    /// Bytes read and written by a copy of memory that no cache holds, a second.
    pub copy_bandwidth: f64,
    /// Multiplications and additions of a product of large matrices in `f32`, a second.
    pub product_throughput: f64,
}

/// What a run says of the machine it ran on.
pub fn facts() -> Vec<(&'static str, String)> {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let system = format!("{} {}", std::env::consts::OS, std::env::consts::ARCH);
    vec![
        ("mlc", env!("CARGO_PKG_VERSION").to_string()),
        ("processor", processor().unwrap_or(system)),
        ("cores", cores.to_string()),
        (
            "vectors",
            format!("{:?}", crate::kernels::vector()).to_lowercase(),
        ),
    ]
}

/// The processor's name, where the system tells it.
fn processor() -> Option<String> {
    let text = std::fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = text.lines().find(|l| l.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_string())
}

/// Bytes that are copied: more than any cache holds.
const COPIED: usize = 256 << 20;

/// Rows and columns of the matrices.
const ROWS: usize = 1024;

/// Runs of each, of which the fastest counts.
const RUNS: usize = 5;

fn fastest(mut f: impl FnMut()) -> f64 {
    f();
    let timed = (0..RUNS).map(|_| {
        let start = Instant::now();
        f();
        start.elapsed().as_secs_f64()
    });
    timed.fold(f64::INFINITY, f64::min)
}

/// Measures the machine: takes some tenths of a second.
pub fn measure() -> Machine {
    let from = vec![1.0f32; COPIED / 4];
    let mut to = vec![0.0f32; COPIED / 4];
    let copy = fastest(|| copy_large(&from, &mut to));
    let x = vec![1.0f32; ROWS * ROWS];
    let mut out = vec![0.0f32; ROWS * ROWS];
    let product = fastest(|| multiply_square(ROWS, &x, &x, &mut out));
    Machine {
        copy_bandwidth: 2.0 * COPIED as f64 / copy,
        product_throughput: 2.0 * (ROWS as f64).powi(3) / product,
    }
}
