//! Runs a program's text in every way and compares what it computes.

use mlc_compiler::lower::{Failure, LowerOptions, Session};
use mlc_compiler::program::{Program, Sink, SlotId, Source, StageProgram, TestProgram};
use mlc_runtime::driver::{Engine, EngineOptions, FileHost, Memo, RunError};
use mlc_runtime::kernels;
use mlc_runtime::tensor::{DType, HostTensor};
use std::cell::Cell;
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::{Mutex, Once};

/// What is wrong with a program: the class, the same for a smaller program that has it too, and the story.
#[derive(Clone, Debug)]
pub struct Wrong {
    pub class: String,
    pub story: String,
}

type Slots = HashMap<SlotId, Rc<HostTensor>>;
type Values = Vec<(String, HostTensor)>;

/// A pipeline with all that it runs, in order.
struct Lowered {
    inits: Vec<Program>,
    stages: Vec<StageProgram>,
    tests: Vec<TestProgram>,
}

fn wrong(class: &str, story: impl Into<String>) -> Wrong {
    Wrong {
        class: class.into(),
        story: story.into(),
    }
}

fn refused(session: &Session, f: &Failure) -> Wrong {
    let told: Vec<String> = f
        .reports
        .iter()
        .map(|r| {
            let places: Vec<String> = r
                .labels
                .iter()
                .map(|l| {
                    let text = session.sources().file_text(l.span.file);
                    let (from, to) = (l.span.start as usize, l.span.end as usize);
                    format!("`{}` {}", text.get(from..to).unwrap_or(""), l.text)
                })
                .collect();
            format!(
                "{} {}\n  {}\n  {:?}",
                r.code,
                r.title,
                places.join("\n  "),
                r.hints
            )
        })
        .collect();
    let first = f.reports.first();
    let title: String = first
        .map_or("", |r| &r.title)
        .chars()
        .filter(|c| !c.is_ascii_digit())
        .collect();
    wrong(
        &format!("refused {} {title}", first.map_or("", |r| r.code)),
        told.join("\n"),
    )
}

fn lower(text: &str) -> Result<Lowered, Wrong> {
    let (host, _) = FileHost::new("", false);
    let (mut session, opened) =
        Session::open("program.ml", text, Box::new(host), LowerOptions::default());
    if let Err(f) = opened {
        return Err(refused(&session, &f));
    }
    let (mut inits, mut stages) = (Vec::new(), Vec::new());
    for i in 0..session.stages().len() {
        match session.lower_stage(i) {
            Ok(p) => stages.push(p),
            Err(f) => return Err(refused(&session, &f)),
        }
        inits.extend(session.take_inits());
    }
    let mut tests = Vec::new();
    for i in 0..session.tests().len() {
        match session.lower_test(i) {
            Ok(t) => tests.push(t),
            Err(f) => return Err(refused(&session, &f)),
        }
        inits.extend(session.take_inits());
    }
    Ok(Lowered {
        inits,
        stages,
        tests,
    })
}

struct Driver {
    options: EngineOptions,
    /// Are constants given to the code as inputs?
    lifted: bool,
    seed: Rc<HostTensor>,
}

impl Driver {
    fn engine(&self, program: &Program) -> Result<Engine, Wrong> {
        Engine::new(
            program.clone(),
            &self.options,
            &Memo::default(),
            self.lifted,
        )
        .map_err(|e| match e {
            RunError::Environment(e) => wrong("not compiled", e),
            _ => wrong("not compiled", "the engine"),
        })
    }

    fn step(&self, engine: &mut Engine, slots: &mut Slots, step: usize) -> Values {
        let inputs: Vec<Rc<HostTensor>> = engine
            .program
            .sources
            .iter()
            .map(|s| match s {
                Source::Seed => self.seed.clone(),
                Source::Step => Rc::new(HostTensor::from_i32(&[], &[step as i32])),
                Source::Slot(id) => slots.get(id).expect("a slot with a value").clone(),
                other => panic!("a program that reads {other:?}"),
            })
            .collect();
        let outputs = engine.run(&inputs);
        let mut values = Vec::new();
        for (sink, t) in engine.program.sinks.iter().zip(outputs) {
            match sink {
                Sink::Slot(id) => {
                    slots.insert(*id, Rc::new(t));
                }
                Sink::Value(name) => values.push((name.clone(), t)),
                other => panic!("a program that writes {other:?}"),
            }
        }
        values
    }

    /// Everything that the pipeline computes.
    fn run(&self, lowered: &Lowered) -> Result<Values, Wrong> {
        let mut first = Slots::new();
        for p in &lowered.inits {
            self.step(&mut self.engine(p)?, &mut first, 0);
        }
        let mut all = Vec::new();
        for stage in &lowered.stages {
            let mut slots = first.clone();
            match stage {
                StageProgram::Compute(p) => {
                    all.extend(self.step(&mut self.engine(p)?, &mut slots, 0))
                }
                StageProgram::Train(plan) => {
                    let mut engine = self.engine(&plan.step)?;
                    for step in 0..plan.total_steps() {
                        let values = self.step(&mut engine, &mut slots, step);
                        all.extend(
                            values
                                .into_iter()
                                .map(|(n, t)| (format!("{n} at step {step}"), t)),
                        );
                    }
                    let mut left: Vec<_> = slots.iter().collect();
                    left.sort_by_key(|s| *s.0);
                    all.extend(
                        left.into_iter()
                            .map(|(id, t)| (format!("slot {}", id.0), (**t).clone())),
                    );
                }
                StageProgram::Report(_) => {}
            }
        }
        for test in &lowered.tests {
            let values = self.step(&mut self.engine(&test.program)?, &mut first.clone(), 0);
            for a in &test.assertions {
                if values[a.output].1.as_bool() == [0] {
                    let story = format!("`{}` does not hold", a.text);
                    return Err(wrong("an assertion", story));
                }
            }
        }
        Ok(all)
    }
}

/// How far two values are apart, in units of what is allowed, and where.
fn distance(a: &HostTensor, b: &HostTensor) -> Option<(f64, String)> {
    if a.dtype() != b.dtype() || a.shape() != b.shape() {
        return Some((f64::INFINITY, format!("{:?} is {:?}", a.shape(), b.shape())));
    }
    let tolerance = match a.dtype() {
        DType::F32 => 1e-3,
        DType::F64 => 1e-9,
        _ => 0.0,
    };
    let (x, y) = (a.to_f64_vec(), b.to_f64_vec());
    let scale = x
        .iter()
        .filter(|v| v.is_finite())
        .fold(1.0, |m: f64, v| m.max(v.abs()));
    let mut worst: Option<(f64, String)> = None;
    for (i, (p, q)) in x.iter().zip(&y).enumerate() {
        if p == q || p.is_nan() && q.is_nan() {
            continue;
        }
        let d = if tolerance == 0.0 || !p.is_finite() || !q.is_finite() {
            f64::INFINITY
        } else {
            (p - q).abs() / (tolerance * scale)
        };
        if d > 1.0 && worst.as_ref().is_none_or(|w| d > w.0) {
            worst = Some((
                d,
                format!("element {i} of {:?}: {p:e} and {q:e}", a.shape()),
            ));
        }
    }
    worst
}

fn differs(class: &str, a: &Values, b: &Values) -> Option<Wrong> {
    if a.len() != b.len() {
        return Some(wrong(class, "different values are logged"));
    }
    a.iter().zip(b).find_map(|((name, p), (_, q))| {
        let (d, place) = distance(p, q)?;
        Some(wrong(
            class,
            format!("`{name}`, {place}: {d:.1e} times what is allowed"),
        ))
    })
}

/// The text as the formatter leaves it: the same when it is formatted again.
fn formatted(text: &str) -> Result<String, Wrong> {
    let format = |text: &str| {
        mlc_compiler::format(text).map_err(|r| {
            wrong(
                "not formatted",
                format!("{:?}", r.first().map(|r| &r.title)),
            )
        })
    };
    let once = format(text)?;
    if format(&once)? != once {
        return Err(wrong("formatted twice", once));
    }
    Ok(once)
}

/// Runs the program by the interpreter, by machine code as it is and, from formatted text, optimised, with its constants as inputs, and on two
/// threads.
fn compare(text: &str) -> Result<(), Wrong> {
    let lowered = lower(text)?;
    let again = lower(&formatted(text)?)?;
    let passes: Vec<String> = mlc_compiler::transform::PASSES
        .iter()
        .map(|p| p.name.to_string())
        .collect();
    let driver = |interpret: bool, disabled: &[String]| Driver {
        options: EngineOptions {
            interpret,
            disabled: disabled.to_vec(),
            max_memory: None,
        },
        lifted: false,
        seed: Rc::new(HostTensor::from_i32(&[2], &[7, 0])),
    };
    kernels::set_threads(1);
    let told = driver(true, &passes).run(&lowered)?;
    let plain = driver(false, &passes).run(&lowered)?;
    let fast = driver(false, &[]).run(&again)?;
    let lifted = Driver {
        lifted: true,
        ..driver(false, &[])
    };
    let lifted = lifted.run(&lowered)?;
    kernels::set_threads(2);
    let shared = driver(false, &[]).run(&lowered)?;
    if let Some(w) = differs("machine code and the interpreter", &told, &plain) {
        return Err(w);
    }
    if let Some(w) = differs("optimised and plain", &plain, &fast) {
        let told_fast = driver(true, &[]).run(&again)?;
        let where_from = if differs("", &told, &told_fast).is_some() {
            "the interpreter sees it too: a pass"
        } else {
            "the interpreter does not see it: code generation"
        };
        return Err(wrong(&w.class, format!("{} ({where_from})", w.story)));
    }
    if let Some(w) = differs("constants as inputs", &fast, &lifted) {
        return Err(w);
    }
    let bits = |v: &Values| {
        v.iter()
            .map(|(_, t)| t.bytes().to_vec())
            .collect::<Vec<_>>()
    };
    if bits(&fast) != bits(&shared) {
        return Err(wrong("one thread and two", "bits differ"));
    }
    Ok(())
}

thread_local! {
    static QUIET: Cell<bool> = const { Cell::new(false) };
}
static PANIC: Mutex<String> = Mutex::new(String::new());
static HOOK: Once = Once::new();

/// What is wrong with a program, if something is.
pub fn check(text: &str) -> Option<Wrong> {
    HOOK.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if QUIET.get() {
                *PANIC.lock().unwrap_or_else(|e| e.into_inner()) = info.to_string();
            } else {
                usual(info);
            }
        }));
    });
    QUIET.set(true);
    let result = catch_unwind(AssertUnwindSafe(|| compare(text)));
    QUIET.set(false);
    match result {
        Ok(r) => r.err(),
        Err(_) => {
            let story = PANIC.lock().unwrap_or_else(|e| e.into_inner()).clone();
            let place: String = story.lines().next().unwrap_or("").into();
            Some(wrong(&format!("panic {place}"), story))
        }
    }
}
