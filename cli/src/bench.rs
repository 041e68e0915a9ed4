//! `mlc bench`: the time of a compiled step, and what it is made of.

use crate::commands::{chosen, explain, open, write_out};
use crate::observer::Quiet;
use crate::options::PipelineArgs;
use crate::{Exit, output};
use mlc_runtime::driver::{Effort, RunOptions, Timed};
use mlc_runtime::machine::{self, Machine};

pub fn bench(
    args: &PipelineArgs,
    options: RunOptions,
    stages: &[String],
    effort: Effort,
    json: bool,
) -> Exit {
    let mut pipeline = match open(args, options) {
        Ok(p) => p,
        Err(exit) => return exit,
    };
    let stages = match chosen(&pipeline, stages) {
        Ok(stages) => stages,
        Err(exit) => return exit,
    };
    let machine = machine::measure();
    if !json {
        say!(
            "this machine copies {:.1} GB/s and multiplies matrices at {:.0} GFLOP/s",
            machine.copy_bandwidth / 1e9,
            machine.product_throughput / 1e9
        );
    }
    let workload = workload(args);
    for stage in stages {
        match pipeline.bench(stage, effort, &mut Quiet) {
            Ok(Some(t)) => {
                let text = if json {
                    format!("{}\n", object(&workload, &t, &machine))
                } else {
                    words(&t, &machine)
                };
                let exit = write_out(&text, None);
                if exit != Exit::Done {
                    return exit;
                }
                // A reader of a pipe sees each stage when it is done.
                output::flush();
            }
            Ok(None) => {}
            Err(e) => return explain(&e, &pipeline),
        }
    }
    Exit::Done
}

/// What stands before the first `_` of the file's name.
fn workload(args: &PipelineArgs) -> String {
    let stem = args.file.file_stem().unwrap_or_default().to_string_lossy();
    stem.split('_').next().unwrap_or_default().to_string()
}

/// Shares of what the machine can do: of its copy bandwidth, and of its throughput of matrix products.
fn shares(t: &Timed, machine: &Machine) -> [f64; 2] {
    let step = t.quantile(0.5);
    [
        t.cost.bytes / step / machine.copy_bandwidth,
        t.cost.products / step / machine.product_throughput,
    ]
}

fn object(workload: &str, t: &Timed, machine: &Machine) -> serde_json::Value {
    let ns = |seconds: f64| seconds * 1e9;
    let [bandwidth, products] = shares(t, machine);
    let passes: serde_json::Map<String, serde_json::Value> = passes(t)
        .into_iter()
        .map(|(name, ms)| (name.to_string(), ms.into()))
        .collect();
    serde_json::json!({
        "workload": workload,
        "metric": t.stage,
        "median_ns": ns(t.quantile(0.5)),
        "min_ns": ns(t.quantile(0.0)),
        "spread_ns": ns(t.quantile(0.75) - t.quantile(0.25)),
        "samples": t.seconds.len(),
        "steps_per_sample": t.steps,
        "compile_ms": t.lowering + t.compilation.milliseconds,
        "passes_ms": passes,
        "nodes": t.compilation.nodes,
        "kernels": t.compilation.kernels,
        "hoisted": t.compilation.hoisted,
        "ahead": t.compilation.ahead,
        "bytes_planned": t.compilation.bytes_planned,
        "bytes_alive": t.compilation.footprint.alive_bytes,
        "flops": t.cost.flops,
        "product_flops": t.cost.products,
        "bytes_moved": t.cost.bytes,
        "bandwidth_share": bandwidth,
        "product_share": products,
        "copy_bandwidth": machine.copy_bandwidth,
        "product_throughput": machine.product_throughput,
        "peak_rss_mib": peak_rss().map(|b| b / f64::from(1 << 20)),
    })
}

/// Milliseconds by pass, in order; a pass that runs twice counts once.
fn passes(t: &Timed) -> Vec<(&'static str, f64)> {
    let mut all: Vec<(&'static str, f64)> = vec![("lower", t.lowering)];
    for &(name, ms) in &t.compilation.passes {
        match all.iter_mut().find(|p| p.0 == name) {
            Some(p) => p.1 += ms,
            None => all.push((name, ms)),
        }
    }
    all
}

fn words(t: &Timed, machine: &Machine) -> String {
    let [bandwidth, products] = shares(t, machine);
    let spread = 100.0 * (t.quantile(0.75) - t.quantile(0.25)) / t.quantile(0.5);
    let passes: Vec<String> = passes(t)
        .iter()
        .filter(|p| p.1 >= 0.05)
        .map(|p| format!("{} {:.1}", p.0, p.1))
        .collect();
    format!(
        "{}\n  step      {} median, {} least, spread {spread:.0} %, {} samples of {} steps\n  \
           counted   {} operations, {} moved; {} planned, {} alive at once; {} kernels of {} nodes\n  \
           reached   {:.0} % of the copy bandwidth, {:.0} % of the matrix throughput\n  \
           compiled  {:.1} ms: {}\n",
        t.stage,
        time(t.quantile(0.5)),
        time(t.quantile(0.0)),
        t.seconds.len(),
        t.steps,
        scaled(t.cost.flops, ""),
        scaled(t.cost.bytes, "B"),
        scaled(t.compilation.bytes_planned as f64, "B"),
        scaled(t.compilation.footprint.alive_bytes as f64, "B"),
        t.compilation.kernels,
        t.compilation.nodes,
        bandwidth * 100.0,
        products * 100.0,
        t.lowering + t.compilation.milliseconds,
        passes.join(", "),
    )
}

/// A span of time, in a unit that shows it.
pub fn time(seconds: f64) -> String {
    match seconds {
        s if s < 1e-6 => format!("{:.1} ns", s * 1e9),
        s if s < 1e-3 => format!("{:.2} us", s * 1e6),
        s => format!("{:.3} ms", s * 1e3),
    }
}

/// A number with the prefix of a unit that shows it.
pub fn scaled(x: f64, unit: &str) -> String {
    let prefixes = ["", "k", "M", "G", "T"];
    let power = (x.max(1.0).log10() / 3.0).floor().min(4.0) as usize;
    format!(
        "{:.3} {}{unit}",
        x / 1e3f64.powi(power as i32),
        prefixes[power]
    )
    .trim_end()
    .to_string()
}

/// The most memory that the process has held so far, in bytes.
#[cfg(unix)]
fn peak_rss() -> Option<f64> {
    // SAFETY: the structure is plain data, for which zeros are a value, and is filled by the call.
    unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        // Linux counts kilobytes.
        (libc::getrusage(libc::RUSAGE_SELF, &mut usage) == 0)
            .then_some(usage.ru_maxrss as f64 * 1024.0)
    }
}

#[cfg(not(unix))]
fn peak_rss() -> Option<f64> {
    None
}
