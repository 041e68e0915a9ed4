//! What a user sees of a run while it goes on.

use crate::output;
use indicatif::{ProgressBar, ProgressStyle};
use mlc_compiler::ir::DType;
use mlc_runtime::driver::{Event, Observer, words};
use mlc_runtime::log::{Entry, Stretch};
use mlc_runtime::tensor::HostTensor;
use serde_json::{Map, Value, json};
use std::io::Write;

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
        complain!("warning: {what}");
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
            Some(bar) => bar.suspend(|| say!("{line}")),
            None => say!("{line}"),
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

/// Writes an entry as [`json_value`] does.
fn put_entry(line: &mut Vec<u8>, entry: Entry) {
    let real = |x: &f64| entry.dtype.is_real() && x.is_finite();
    let number = entry.number().filter(|x| entry.shape.is_empty() && real(x));
    let written = match number {
        Some(x) => serde_json::to_writer(line, &x),
        None => serde_json::to_writer(line, &json_value(&entry.tensor())),
    };
    written.expect("a value is written to memory");
}

/// Gives lines of what steps in a row logged, as [`log`] prints those of one: many at once, as to hand each to the system takes longer
/// than to write it.
fn step_lines(stage: &str, steps: &Stretch, mut give: impl FnMut(&[u8])) {
    /// Bytes that are handed over at once, about.
    const BLOCK: usize = 1 << 16;
    // Of two values with one name the last stands where the first does.
    let mut columns: Vec<(String, usize)> = Vec::new();
    for (i, c) in steps.columns.iter().enumerate() {
        let name = format!("{}:", Value::from(c.name.as_str()));
        match columns.iter_mut().find(|known| known.0 == name) {
            Some(known) => known.1 = i,
            None => columns.push((name, i)),
        }
    }
    if columns.is_empty() {
        return;
    }
    let before = format!(
        "{{\"event\":\"log\",\"stage\":{},\"step\":",
        Value::from(stage)
    );
    let mut lines = Vec::with_capacity(BLOCK.min(steps.steps * 128) + 1024);
    for i in 0..steps.steps {
        let (step, epoch) = steps.at(i);
        lines.extend_from_slice(before.as_bytes());
        let written = write!(lines, "{step},\"epoch\":{epoch},\"values\":{{");
        written.expect("a number is written to memory");
        for (nth, (name, c)) in columns.iter().enumerate() {
            if nth > 0 {
                lines.push(b',');
            }
            lines.extend_from_slice(name.as_bytes());
            put_entry(&mut lines, steps.entry(*c, i));
        }
        lines.extend_from_slice(b"}}\n");
        if lines.len() >= BLOCK || i + 1 == steps.steps {
            give(&lines);
            lines.clear();
        }
    }
}

/// A line of logged values.
fn log(stage: &str, at: (usize, usize), values: &[(String, HostTensor)]) {
    if !values.is_empty() {
        say!("{}", log_object(stage, at, values));
    }
}

fn log_object(
    stage: &str,
    (step, epoch): (usize, usize),
    values: &[(String, HostTensor)],
) -> Value {
    let values: Map<String, Value> = values
        .iter()
        .map(|(n, t)| (n.clone(), json_value(t)))
        .collect();
    json!({"event": "log", "stage": stage, "step": step, "epoch": epoch, "values": values})
}

impl Observer for Json {
    fn event(&mut self, event: &Event) {
        match event {
            Event::Compiled { stage, compilation } => say!(
                "{}",
                json!({"event": "compiled", "stage": stage, "ms": compilation.milliseconds, "nodes": compilation.nodes,
                       "kernels": compilation.kernels, "bytes_planned": compilation.bytes_planned})
            ),
            Event::Steps { stage, steps } => {
                step_lines(stage, steps, output::bytes);
            }
            Event::Log {
                stage,
                step,
                epoch,
                values,
            } => log(stage, (*step, *epoch), values),
            Event::Failed { stage, step, value } => say!(
                "{}",
                json!({"event": "failed", "stage": stage, "step": step, "value": value})
            ),
            Event::Reused { stage, seconds } => say!(
                "{}",
                json!({"event": "reused", "stage": stage, "seconds": seconds})
            ),
            Event::Resumed { stage, step } => say!(
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
            } => say!(
                "{}",
                json!({"event": "strategy", "stage": stage, "site": site, "place": place, "estimator": estimator, "variance": variance})
            ),
            Event::Verdict { stage, good } => say!(
                "{}",
                json!({"event": "verdict", "stage": stage, "good": good, "words": words(*good)})
            ),
            Event::StageStarted { .. } | Event::StageFinished { .. } | Event::Wrote { .. } => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mlc_runtime::log::Column;

    /// Of every type, of numbers that JSON has no words for, and where one name has two values.
    #[test]
    fn lines_of_many_steps_are_those_of_each() {
        let mut reals = vec![0.0f32, -0.0, 1.0, 0.1, f32::NAN, f32::INFINITY, 1e-9, 3e38];
        reals.extend((0..4000).map(|i| f32::from_bits(i * 1_000_003)));
        let column = |name: &str, dtype, shape: &[usize], bytes: Vec<u8>| Column {
            name: name.into(),
            dtype,
            shape: shape.to_vec(),
            bytes,
        };
        let bytes: Vec<u8> = reals.iter().flat_map(|x| x.to_ne_bytes()).collect();
        let doubles = reals.iter().flat_map(|x| f64::from(*x).to_ne_bytes());
        let pairs = [bytes.clone(), bytes.clone()].concat();
        let steps = Stretch {
            step: 3,
            epoch: 1,
            each: true,
            steps: reals.len(),
            columns: vec![
                column("a \"b\"", DType::F32, &[], bytes.clone()),
                column("c", DType::I32, &[], bytes.clone()),
                column("d", DType::F64, &[], doubles.collect()),
                column("e", DType::F32, &[2, 1], pairs),
                column("c", DType::Bool, &[], vec![1; reals.len()]),
            ],
        };
        let mut lines = Vec::new();
        step_lines("a stage", &steps, |l| lines.extend_from_slice(l));
        let lines = String::from_utf8(lines).unwrap();
        assert_eq!(lines.lines().count(), reals.len());
        for (i, line) in lines.lines().enumerate() {
            let object = log_object("a stage", steps.at(i), &steps.values(i));
            assert_eq!(line, object.to_string());
        }
        let nothing = Stretch {
            columns: vec![],
            ..steps
        };
        step_lines("a stage", &nothing, |_| panic!("there is nothing to tell"));
    }
}
