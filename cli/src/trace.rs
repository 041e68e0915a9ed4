//! The steps of a profile as trace events, for `ui.perfetto.dev` or `chrome://tracing`.
//!
//! Complete events (`"ph": "X"`, times in microseconds) on one track for each thread: on that of the program the steps, in them
//! their kernels, in those of loops the kernels of the first iterations; parts on the threads that ran them. The passes of the compiler
//! have a track of their own and stand before the first step, one after another.

use crate::profile::Row;
use mlc_compiler::codegen::Form;
use mlc_runtime::driver::{Interval, Profile};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// The track of the compiler; that of thread `n` is the one after `n` others.
const COMPILER: usize = 0;

fn event(category: &str, name: &str, track: usize, at: Interval, args: &Value) -> Value {
    json!({
        "ph": "X",
        "cat": category,
        "name": name,
        "pid": 1,
        "tid": track,
        "ts": at.start * 1e6,
        "dur": (at.end - at.start) * 1e6,
        "args": args,
    })
}

fn track_name(track: usize, name: &str) -> Value {
    json!({"ph": "M", "name": "thread_name", "pid": 1, "tid": track, "args": {"name": name}})
}

fn thread(n: usize) -> usize {
    n + 1
}

/// `rows`: what is said of each unit.
pub fn trace(profile: &Profile, rows: &[Row]) -> Value {
    let compilation = &profile.plain.compilation;
    let mut passes: Vec<(&str, f64)> = vec![("lower", profile.plain.lowering)];
    passes.extend(&compilation.passes);
    // Milliseconds.
    let compiled: f64 = passes.iter().map(|p| p.1).sum();
    let zero = compiled / 1e3;
    let mut events = Vec::new();
    let mut at = 0.0;
    for (name, milliseconds) in passes {
        let interval = Interval {
            start: at,
            end: at + milliseconds / 1e3,
        };
        at = interval.end;
        events.push(event("pass", name, COMPILER, interval, &json!({})));
    }
    let mut threads = BTreeSet::from([0]);
    let later = |i: &Interval| Interval {
        start: zero + i.start,
        end: zero + i.end,
    };
    for (n, step) in profile.traced.iter().enumerate() {
        let (number, main) = (n + 1, thread(0));
        let name = format!("step {number} of {}", profile.plain.stage);
        let args = json!({"step": number});
        events.push(event("step", &name, main, later(&step.whole), &args));
        for (unit, interval) in &step.units {
            let row = &rows[*unit];
            let category = match row.time.parent {
                None => "kernel",
                Some(_) => "iteration",
            };
            let args = arguments(row, number);
            events.push(event(category, &row.label, main, later(interval), &args));
        }
        for (by, unit, part, interval) in &step.parts {
            threads.insert(*by);
            let name = format!("part {part}: {}", rows[*unit].label);
            let args = json!({"step": number, "unit": unit, "part": part});
            events.push(event("part", &name, thread(*by), later(interval), &args));
        }
    }
    events.push(track_name(COMPILER, "compiler"));
    for n in threads {
        let name = match n {
            0 => "program".to_string(),
            n => format!("thread {n}"),
        };
        events.push(track_name(thread(n), &name));
    }
    json!({"displayTimeUnit": "ns", "traceEvents": events})
}

/// What a viewer shows of an event that is selected.
fn arguments(row: &Row, step: usize) -> Value {
    let runs = row.time.runs.max(1.0);
    let mut args = json!({
        "step": step,
        "unit": row.unit,
        "bytes": row.time.bytes / runs,
        "flops": row.time.flops / runs,
        "source": row.source(),
        "text": row.lines.first().map_or("", |l| &l.text),
    });
    if let (Form::Call { natives }, Value::Object(args)) = (&row.time.facts.form, &mut args) {
        args.insert("natives".into(), natives.join(", ").into());
    }
    args
}
