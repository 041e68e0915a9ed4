//! What a user sees of a run while it goes on.

use indicatif::{ProgressBar, ProgressStyle};
use mlc_compiler::ir::DType;
use mlc_runtime::driver::{Event, Observer, words};
use mlc_runtime::tensor::HostTensor;
use serde_json::{Map, Value, json};

/// Sees nothing but trouble.
pub struct Quiet;

impl Observer for Quiet {
    fn event(&mut self, event: &Event) {
        warn(event);
    }
}

/// What is wrong with kept results is told on stderr, whatever else is seen.
fn warn(event: &Event) {
    if let Event::Trouble { what } = event {
        eprintln!("warning: {what}");
    }
}

/// A progress bar on stderr, logged values on stdout.
#[derive(Default)]
pub struct Human {
    bar: Option<ProgressBar>,
}

impl Human {
    fn say(&self, line: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| println!("{line}")),
            None => println!("{line}"),
        }
    }
}

/// A span of time, short.
pub fn took(seconds: f64) -> String {
    if seconds < 1.0 {
        format!("{:.0} ms", seconds * 1e3)
    } else {
        format!("{seconds:.1} s")
    }
}

/// Four decimals, or four digits and a power of ten where those would hide the number.
fn real(x: f64) -> String {
    let size = x.abs();
    if size == 0.0 || (0.01..1e9).contains(&size) || !x.is_finite() {
        format!("{x:.4}")
    } else {
        format!("{x:.3e}")
    }
}

fn short(values: &[(String, HostTensor)]) -> String {
    // The elements of a tensor that are shown.
    const MOST: usize = 12;
    let one = |(n, t): &(String, HostTensor)| {
        let number = |x: f64| {
            if matches!(t.dtype(), DType::I32 | DType::Bool) {
                format!("{x}")
            } else {
                real(x)
            }
        };
        let v = t.to_f64_vec();
        match v.as_slice() {
            [x] => format!("{n} {}", number(*x)),
            many => {
                let shown: Vec<String> = many.iter().take(MOST).map(|x| number(*x)).collect();
                let more = if many.len() > MOST { ", .." } else { "" };
                format!("{n} [{}{more}]", shown.join(", "))
            }
        }
    };
    values.iter().map(one).collect::<Vec<_>>().join("  ")
}

impl Observer for Human {
    fn event(&mut self, event: &Event) {
        match event {
            Event::StageStarted { steps, stage } => {
                let bar = ProgressBar::new(*steps as u64);
                if let Ok(style) = ProgressStyle::with_template(
                    "{prefix} {bar:30} {pos}/{len} {per_sec} {eta} left  {msg}",
                ) {
                    bar.set_style(style);
                }
                bar.set_prefix((*stage).to_string());
                self.bar = Some(bar);
            }
            Event::Steps { steps, .. } => {
                if let Some(bar) = &self.bar {
                    let done = steps.steps as u64;
                    bar.inc(done);
                    if bar.position() % 16 < done {
                        bar.set_message(short(&steps.values(steps.steps - 1)));
                    }
                }
            }
            Event::Log {
                stage,
                step,
                epoch,
                values,
            } => {
                let place = if *step == 0 {
                    String::new()
                } else if *step == *epoch {
                    // Without batches an epoch is a step.
                    format!("step {step}  ")
                } else {
                    format!("epoch {epoch} step {step}  ")
                };
                self.say(&format!("{stage}  {place}{}", short(values)));
            }
            Event::Failed { stage, step, value } => {
                self.say(&format!(
                    "{stage}  ends at step {step}: `{value}` is not a number"
                ));
            }
            Event::Reused { stage, seconds } => {
                let took = took(*seconds);
                self.say(&format!("{stage}  kept from a run that took {took}"));
            }
            Event::Resumed { stage, step } => {
                self.say(&format!("{stage}  goes on after step {step}"))
            }
            Event::Trouble { .. } => warn(event),
            Event::Chosen {
                stage,
                site,
                estimator,
                variance,
                ..
            } => self.say(&format!(
                "{stage}  {site}: via {estimator}, of variance {variance:.4e}"
            )),
            Event::Verdict { stage, good } => {
                self.say(&format!("{stage}  verdict: {}", words(*good)));
            }
            Event::StageFinished { .. } => {
                if let Some(bar) = self.bar.take() {
                    bar.finish_and_clear();
                }
            }
            Event::Compiled { .. } | Event::Wrote { .. } => {}
        }
    }
}

/// One JSON object a line on stdout.
#[derive(Default)]
pub struct Json {}

fn json_value(t: &HostTensor) -> Value {
    let number = |x: f64| {
        if x.is_finite() {
            match t.dtype() {
                DType::I32 => json!(x as i64),
                DType::Bool => json!(x != 0.0),
                _ => json!(x),
            }
        } else {
            json!(x.to_string())
        }
    };
    let mut items: Vec<Value> = t.to_f64_vec().into_iter().map(number).collect();
    for &n in t.shape().iter().rev() {
        let n = n.max(1);
        items = items.chunks(n).map(|c| Value::Array(c.to_vec())).collect();
    }
    items.into_iter().next().unwrap_or(Value::Array(vec![]))
}

/// A line of logged values.
fn log(stage: &str, (step, epoch): (usize, usize), values: &[(String, HostTensor)]) {
    if values.is_empty() {
        return;
    }
    let values: Map<String, Value> = values
        .iter()
        .map(|(n, t)| (n.clone(), json_value(t)))
        .collect();
    println!(
        "{}",
        json!({"event": "log", "stage": stage, "step": step, "epoch": epoch, "values": values})
    );
}

impl Observer for Json {
    fn event(&mut self, event: &Event) {
        match event {
            Event::Compiled { stage, compilation } => println!(
                "{}",
                json!({"event": "compiled", "stage": stage, "ms": compilation.milliseconds, "nodes": compilation.nodes,
                       "kernels": compilation.kernels, "bytes_planned": compilation.bytes_planned})
            ),
            Event::Steps { stage, steps } => {
                (0..steps.steps).for_each(|i| log(stage, steps.at(i), &steps.values(i)));
            }
            Event::Log {
                stage,
                step,
                epoch,
                values,
            } => log(stage, (*step, *epoch), values),
            Event::Failed { stage, step, value } => println!(
                "{}",
                json!({"event": "failed", "stage": stage, "step": step, "value": value})
            ),
            Event::Reused { stage, seconds } => println!(
                "{}",
                json!({"event": "reused", "stage": stage, "seconds": seconds})
            ),
            Event::Resumed { stage, step } => println!(
                "{}",
                json!({"event": "resumed", "stage": stage, "step": step})
            ),
            Event::Trouble { .. } => warn(event),
            Event::Chosen {
                stage,
                site,
                place,
                estimator,
                variance,
            } => println!(
                "{}",
                json!({"event": "strategy", "stage": stage, "site": site, "place": place, "estimator": estimator, "variance": variance})
            ),
            Event::Verdict { stage, good } => println!(
                "{}",
                json!({"event": "verdict", "stage": stage, "good": good, "words": words(*good)})
            ),
            Event::StageStarted { .. } | Event::StageFinished { .. } | Event::Wrote { .. } => {}
        }
    }
}
