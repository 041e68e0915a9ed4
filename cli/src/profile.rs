//! `mlc profile`: which kernels a step spends its time in, what bounds them, and the lines they come from.

use crate::Exit;
use crate::bench::{scaled, time};
use crate::commands::{chosen, complain, explain, open, write_out};
use crate::observer::Quiet;
use crate::options::PipelineArgs;
use mlc_compiler::codegen::{Form, UnitFacts};
use mlc_compiler::diag::Sources;
use mlc_compiler::transform::ahead::STEPS;
use mlc_runtime::driver::{Compilation, Pipeline, Profile, ProfileEffort, RunOptions, UnitTime};
use mlc_runtime::machine::{self, Machine};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// What is asked of a profile.
pub struct Wanted<'a> {
    pub stage: Option<&'a str>,
    pub steps: Option<usize>,
    pub json: bool,
    pub trace: Option<PathBuf>,
}

/// Steps that a trace shows.
const TRACED: usize = 3;

pub fn profile(args: &PipelineArgs, options: RunOptions, wanted: &Wanted) -> Exit {
    if options.engine.interpret {
        complain!("error: the interpreter has no kernels: profile without `--interpret`");
        return Exit::Misuse;
    }
    let done = open(args, options).and_then(|mut pipeline| {
        let stage = stage_of(&pipeline, wanted.stage)?;
        let machine = machine::measure();
        let effort = ProfileEffort {
            steps: wanted.steps,
            traced: if wanted.trace.is_some() { TRACED } else { 0 },
        };
        let found = pipeline.profile(stage, effort, &mut Quiet);
        match found.map_err(|e| explain(&e, &pipeline))? {
            Some(profile) => Ok(tell(&pipeline, &profile, &machine, wanted)),
            None => Err(no_step(&pipeline, stage)),
        }
    });
    done.unwrap_or_else(|exit| exit)
}

/// The stage that is named; else the first that trains, or the first that computes.
fn stage_of(pipeline: &Pipeline, name: Option<&str>) -> Result<usize, Exit> {
    let stages = pipeline.session.stages();
    let first = |kind: &str| stages.iter().position(|s| s.kind == kind);
    let stage = match name {
        Some(name) => chosen(pipeline, &[name.to_string()])?[0],
        None => match first("train").or_else(|| first("compute")) {
            Some(stage) => stage,
            None if stages.is_empty() => {
                complain!("error: the pipeline has no stage");
                return Err(Exit::Pipeline);
            }
            None => 0,
        },
    };
    match stages[stage].kind {
        "report" => Err(no_step(pipeline, stage)),
        _ => Ok(stage),
    }
}

fn no_step(pipeline: &Pipeline, stage: usize) -> Exit {
    let report = pipeline.session.no_step(stage);
    complain(&[report], pipeline.session.sources());
    Exit::Pipeline
}

fn tell(pipeline: &Pipeline, profile: &Profile, machine: &Machine, wanted: &Wanted) -> Exit {
    let rows = Rows::new(profile, machine, pipeline.session.sources());
    if let Some(path) = &wanted.trace {
        let trace = crate::trace::trace(profile, &rows.rows);
        let exit = write_out(&format!("{trace}\n"), Some(path));
        if exit != Exit::Done {
            return exit;
        }
    }
    let trace = wanted.trace.as_deref();
    let text = match wanted.json {
        true => format!("{}\n", rows.object(trace)),
        false => rows.words(trace),
    };
    write_out(&text, None)
}

/// A line of the pipeline or of the library.
pub struct Line {
    pub file: String,
    pub number: usize,
    pub text: String,
    /// Of the kernel's work.
    share: f64,
}

impl Line {
    /// `file:line`, without folders.
    fn place(&self) -> String {
        let name = Path::new(&self.file).file_name().unwrap_or_default();
        format!("{}:{}", name.to_string_lossy(), self.number)
    }
}

/// What is said of one kernel.
pub struct Row<'p> {
    pub unit: usize,
    pub time: &'p UnitTime,
    /// What it is, in short.
    pub label: String,
    /// The lines it comes from, those with most of the work first.
    pub lines: Vec<Line>,
    /// The least time that the machine needs, and whether that is for memory.
    bound: (f64, bool),
}

impl Row<'_> {
    /// Which share of what the machine can do is reached; nothing where nothing is counted.
    fn roofline(&self) -> Option<f64> {
        (self.bound.0 > 0.0 && self.time.seconds > 0.0).then(|| self.bound.0 / self.time.seconds)
    }

    fn limit(&self) -> &'static str {
        if self.bound.1 { "memory" } else { "compute" }
    }

    /// `vae.ml:42 +3`: the line with most of the work, and how many others.
    pub fn source(&self) -> String {
        match self.lines.as_slice() {
            [] => String::new(),
            [one] => one.place(),
            [first, more @ ..] => format!("{} +{}", first.place(), more.len()),
        }
    }
}

struct Rows<'p> {
    profile: &'p Profile,
    machine: &'p Machine,
    /// The seconds of all units, by their medians.
    sum: f64,
    /// By unit.
    rows: Vec<Row<'p>>,
}

impl<'p> Rows<'p> {
    fn new(profile: &'p Profile, machine: &'p Machine, sources: &Sources) -> Self {
        let units = profile.units.iter().enumerate();
        let rows = units.map(|(unit, time)| {
            let memory = time.bytes / machine.copy_bandwidth;
            let compute = time.flops / machine.product_throughput;
            Row {
                unit,
                time,
                label: label(&profile.units, unit),
                lines: lines(&time.facts, sources),
                bound: (memory.max(compute), memory >= compute),
            }
        });
        let outermost = profile.units.iter().filter(|u| u.parent.is_none());
        Self {
            profile,
            machine,
            sum: outermost.map(|u| u.seconds).sum(),
            rows: rows.collect(),
        }
    }

    fn share(&self, unit: usize) -> f64 {
        self.rows[unit].time.seconds / self.sum.max(1e-12)
    }

    /// The units of a loop's body, or of the program, that which took longest first; each loop is followed by its own.
    fn sorted(&self, parent: Option<usize>, depth: usize, all: &mut Vec<(usize, usize)>) {
        let mut own: Vec<usize> = (0..self.rows.len())
            .filter(|&u| self.rows[u].time.parent == parent)
            .collect();
        own.sort_by(|&a, &b| {
            let seconds = |u: usize| self.rows[u].time.seconds;
            seconds(b).total_cmp(&seconds(a)).then(a.cmp(&b))
        });
        for u in own {
            all.push((u, depth));
            if matches!(self.rows[u].time.facts.form, Form::Loop { .. }) {
                self.sorted(Some(u), depth + 1, all);
            }
        }
    }

    fn words(&self, trace: Option<&Path>) -> String {
        let p = self.profile;
        let mut text = format!(
            "this machine copies {:.1} GB/s and multiplies matrices at {:.0} GFLOP/s\n\n{}: {} kernels\n{}\n",
            self.machine.copy_bandwidth / 1e9,
            self.machine.product_throughput / 1e9,
            p.plain.stage,
            p.units.len(),
            HEADER,
        );
        let mut all = Vec::new();
        self.sorted(None, 0, &mut all);
        let (shown, small): (Vec<_>, Vec<_>) =
            all.into_iter().partition(|&(u, _)| self.share(u) >= SHOWN);
        let width = shown.iter().map(|&(u, d)| self.label(u, d).chars().count());
        let width = width.max().unwrap_or(0).min(WIDEST);
        for (u, depth) in shown {
            text += &self.line(u, depth, width);
        }
        if !small.is_empty() {
            text += &format!(
                "  and {} more, each below {:.1} % (`--json` has them)\n",
                small.len(),
                100.0 * SHOWN
            );
        }
        let footprint = p.plain.compilation.footprint;
        text += &format!(
            "\n  kernels   {} in all, by medians of {} steps\n  \
             step      {} as by `mlc bench`; single steps {} by median, {} with the clock: {:+.0} %\n  \
             memory    {} planned; {} alive at once, in {} buffers\n",
            time(self.sum),
            p.steps,
            time(p.plain.quantile(0.5)),
            time(p.single),
            time(p.clocked),
            100.0 * (p.clocked / p.single - 1.0),
            scaled(footprint.arena_bytes as f64, "B"),
            scaled(footprint.alive_bytes as f64, "B"),
            footprint.buffers,
        );
        let &Compilation { hoisted, ahead, .. } = &p.plain.compilation;
        if hoisted + ahead > 0 {
            text += &format!(
                "  before    {hoisted} values computed once, {ahead} for {STEPS} steps at once: in no kernel above\n"
            );
        }
        if let Some(path) = trace {
            let path = path.display();
            text += &format!("  trace     {path}, for ui.perfetto.dev or chrome://tracing\n");
        }
        text
    }

    /// Indented in loops, with how often it ran where that is not once.
    fn label(&self, unit: usize, depth: usize) -> String {
        let row = &self.rows[unit];
        let times = match row.time.runs {
            1.0 => String::new(),
            runs => format!("{runs:.0} times "),
        };
        format!("{:1$}{times}{label}", "", 2 * depth, label = row.label)
    }

    fn line(&self, unit: usize, depth: usize, width: usize) -> String {
        let row = &self.rows[unit];
        let UnitTime {
            seconds,
            flops,
            bytes,
            ..
        } = *row.time;
        let per = |n: f64| {
            if seconds > 0.0 {
                n / seconds / 1e9
            } else {
                0.0
            }
        };
        let roofline = row.roofline().map_or(String::new(), |share| {
            format!("{:.0} % {}", 100.0 * share, row.limit())
        });
        let text = row.lines.first().map_or("", |l| &l.text);
        let line = format!(
            "  {:>9.2} {:>7.1} {:>10.1} {:>10.1} {:>7.1} {:>8.1}  {:<13}  {:<width$}  {:<20}  {}",
            seconds * 1e6,
            100.0 * self.share(unit),
            bytes / 1e3,
            flops / 1e3,
            per(bytes),
            per(flops),
            roofline,
            shortened(&self.label(unit, depth), WIDEST),
            row.source(),
            shortened(text, 40),
        );
        format!("{}\n", line.trim_end())
    }

    fn object(&self, trace: Option<&Path>) -> Value {
        let p = self.profile;
        let ns = |seconds: f64| seconds * 1e9;
        let mut all = Vec::new();
        self.sorted(None, 0, &mut all);
        let kernels: Vec<Value> = all.iter().map(|&(u, _)| self.kernel(u)).collect();
        let footprint = p.plain.compilation.footprint;
        json!({
            "stage": p.plain.stage,
            "steps": p.steps,
            "kernels": kernels,
            "sum_ns": ns(self.sum),
            "together_ns": ns(p.together),
            "clocked_ns": ns(p.clocked),
            "single_ns": ns(p.single),
            "step_ns": ns(p.plain.quantile(0.5)),
            "hoisted": p.plain.compilation.hoisted,
            "ahead": p.plain.compilation.ahead,
            "copy_bandwidth": self.machine.copy_bandwidth,
            "product_throughput": self.machine.product_throughput,
            "bytes_planned": footprint.arena_bytes,
            "bytes_alive": footprint.alive_bytes,
            "buffers": footprint.buffers,
            "trace": trace.map(|p| p.display().to_string()),
        })
    }

    fn kernel(&self, unit: usize) -> Value {
        let row = &self.rows[unit];
        let time = row.time;
        let lines = row
            .lines
            .iter()
            .map(|l| json!({"file": l.file, "line": l.number, "text": l.text, "share": l.share}));
        let mut kernel = json!({
            "unit": unit,
            "loop": time.parent,
            "label": row.label,
            "operations": time.facts.operations,
            "median_ns": time.seconds * 1e9,
            "share": self.share(unit),
            "runs": time.runs,
            "bytes": time.bytes,
            "flops": time.flops,
            "roofline": row.roofline(),
            "limit": row.limit(),
            "sources": lines.collect::<Vec<Value>>(),
        });
        let form = match &time.facts.form {
            Form::Nest {
                rows,
                columns,
                phases,
                parts,
            } => json!({
                "kind": "nest", "rows": rows, "columns": columns, "phases": phases, "parts": parts
            }),
            Form::Panels { rows, panel, parts } => json!({
                "kind": "panels", "rows": rows, "panel": panel, "parts": parts
            }),
            Form::Call { natives } => json!({"kind": "call", "natives": natives}),
            Form::Loop { count, .. } => json!({"kind": "loop", "count": count}),
        };
        if let (Value::Object(kernel), Value::Object(form)) = (&mut kernel, form) {
            kernel.extend(form);
        }
        kernel
    }
}

/// Above the rows of [`Rows::line`].
const HEADER: &str =
    "         us share % kB moved      kflop    GB/s  GFLOP/s  of roofline    kernel and lines";

/// The share of the step below which a kernel has no row of its own.
const SHOWN: f64 = 1e-3;

/// Characters of a label in the table, at most.
const WIDEST: usize = 72;

/// The beginning, where a text is too long.
fn shortened(text: &str, most: usize) -> String {
    match text.chars().count() > most {
        true => text.chars().take(most - 2).chain("..".chars()).collect(),
        false => text.to_string(),
    }
}

/// What a unit is: `loop 128 x 400, 2 phases, 4 parts: mul, add x3, exp`, or the operation and what it calls.
fn label(units: &[UnitTime], unit: usize) -> String {
    let facts = &units[unit].facts;
    match &facts.form {
        Form::Nest {
            rows,
            columns,
            phases,
            parts,
        } => {
            let many = |n: usize, what: &str| match n {
                1 => String::new(),
                n => format!(", {n} {what}"),
            };
            format!(
                "nest {rows} x {columns}{}{}: {}",
                many(*phases, "phases"),
                many(*parts, "parts"),
                counted(&facts.operations)
            )
        }
        Form::Panels { rows, panel, parts } => format!(
            "panels of {panel} of {rows} rows, {parts} parts: {}",
            counted(&facts.operations)
        ),
        Form::Call { natives } => {
            let short = natives.iter().map(|n| n.trim_start_matches("mlc_"));
            let called = short.collect::<Vec<_>>().join(", ");
            let by = if called.is_empty() { "" } else { " by " };
            let (from, to) = (facts.types.0.join(", "), &facts.types.1);
            format!("{} {from} -> {to}{by}{called}", facts.operations[0])
        }
        Form::Loop { body, .. } => {
            let iterations = body.clone().map(|b| units[b].runs).fold(0.0, f64::max);
            let iterations = iterations / units[unit].runs.max(1.0);
            format!("loop of {iterations:.0} iterations")
        }
    }
}

/// Names in the order in which they come first, each with how often it comes.
fn counted(names: &[&str]) -> String {
    let mut all: Vec<(&str, usize)> = Vec::new();
    for name in names {
        match all.iter_mut().find(|a| a.0 == *name) {
            Some(a) => a.1 += 1,
            None => all.push((name, 1)),
        }
    }
    let words = all.into_iter().map(|(name, n)| match n {
        1 => name.to_string(),
        n => format!("{name} x{n}"),
    });
    words.collect::<Vec<_>>().join(", ")
}

/// The lines that a unit comes from: outside of the library, where that is known.
fn lines(facts: &UnitFacts, sources: &Sources) -> Vec<Line> {
    let total: f64 = facts.origins.iter().map(|o| o.1).sum();
    let mut all: Vec<Line> = Vec::new();
    for (origin, work) in &facts.origins {
        let known = [origin.place, origin.span].into_iter().find(|s| s.end > 0);
        let Some(span) = known else { continue };
        let (number, text) = sources.line(span);
        let (file, share) = (sources.name(span.file), work / total.max(1.0));
        match all
            .iter_mut()
            .find(|l| l.number == number && l.file == file)
        {
            Some(line) => line.share += share,
            None => all.push(Line {
                file: file.to_string(),
                number,
                text: text.trim().to_string(),
                share,
            }),
        }
    }
    // Stable: of equal ones the oldest first.
    all.sort_by(|a, b| b.share.total_cmp(&a.share));
    all
}
