//! What this machine can do at best, measured: how fast memory is copied and matrices are multiplied.

use crate::kernels::{copy_large, multiply_square};
use std::sync::OnceLock;
use std::time::Instant;

/// The machine's limits, with the threads that are in use.
#[derive(Clone, Copy, Debug)]
pub struct Machine {
    /// Bytes read and written by a copy of memory that no cache holds, a second.
    pub copy_bandwidth: f64,
    /// Multiplications and additions of a product of large matrices in `f32`, a second.
    pub product_throughput: f64,
}

/// The cores that this process may use. The system, which reads several files to tell it, is asked once.
pub fn cores() -> usize {
    static CORES: OnceLock<usize> = OnceLock::new();
    let ask = || std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    *CORES.get_or_init(ask)
}

/// What a run says of the machine it ran on.
pub fn facts() -> Vec<(&'static str, String)> {
    let system = format!("{} {}", std::env::consts::OS, std::env::consts::ARCH);
    vec![
        ("mlc", env!("CARGO_PKG_VERSION").to_string()),
        ("processor", processor().unwrap_or(system)),
        ("cores", cores().to_string()),
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

/// Bytes that are copied, where the system does not tell what its caches hold.
const COPIED: usize = 256 << 20;

/// And at least, where it does.
const LEAST_COPIED: usize = 64 << 20;

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

/// Bytes to be copied: twice what the largest cache holds, so that most of it is not there when it is read again. More would only
/// take memory.
fn copied() -> usize {
    let sizes = (0..8).filter_map(|i| {
        let path = format!("/sys/devices/system/cpu/cpu0/cache/index{i}/size");
        bytes_of(&std::fs::read_to_string(path).ok()?)
    });
    let largest = sizes.max();
    largest.map_or(COPIED, |n| (2 * n).max(LEAST_COPIED))
}

/// A size as the system writes it, such as `32768K`.
fn bytes_of(text: &str) -> Option<usize> {
    let text = text.trim();
    let (number, shift) = match text.split_at_checked(text.len().checked_sub(1)?)? {
        (n, "K") => (n, 10),
        (n, "M") => (n, 20),
        _ => (text, 0),
    };
    number.parse::<usize>().ok()?.checked_shl(shift)
}

/// Measures the machine: takes some hundredths of a second.
pub fn measure() -> Machine {
    let bytes = copied();
    let from = vec![1.0f32; bytes / 4];
    let mut to = vec![0.0f32; bytes / 4];
    let copy = fastest(|| copy_large(&from, &mut to));
    drop((from, to));
    let x = vec![1.0f32; ROWS * ROWS];
    let mut out = vec![0.0f32; ROWS * ROWS];
    let product = fastest(|| multiply_square(ROWS, &x, &x, &mut out));
    Machine {
        copy_bandwidth: 2.0 * bytes as f64 / copy,
        product_throughput: 2.0 * (ROWS as f64).powi(3) / product,
    }
}
