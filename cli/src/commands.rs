//! What each command does.

use crate::Exit;
use crate::options::{Cli, Command, PipelineArgs, RunArgs};
use crate::profile::Wanted;
use crate::run::{How, Place};
use crate::{output, show};
use mlc_compiler::diag::{Sources, render};
use mlc_compiler::ir::{Graph, print};
use mlc_compiler::lower::{FOLLOWS, Failure, LowerOptions, Met};
use mlc_compiler::program::StageProgram;
use mlc_compiler::stdlib::Entry;
use mlc_compiler::{FileId, Report, transform};
use mlc_runtime::driver::{Effort, EngineOptions, Pipeline, RunError, RunOptions, Saves, StopFlag};
use mlc_runtime::kernels;
use std::io::IsTerminal;
use std::path::Path;

/// Set by Ctrl-C.
pub static STOP: StopFlag = StopFlag::new();

pub fn run(cli: Cli) -> Exit {
    if let Err(e) = kernels::install() {
        complain!("error: {e}");
        return Exit::Environment;
    }
    match cli.command {
        Command::Run {
            pipeline,
            stages,
            run,
            out,
            resume,
            checkpoint,
            json,
            gradient_norms,
            tensorboard,
            strict_fit,
        } => {
            let how = How {
                json,
                tensorboard,
                strict_fit,
            };
            let options = RunOptions {
                gradient_norms,
                saves: checkpoint,
                ..options(&pipeline, &run)
            };
            let place = match resume {
                Some(dir) => Place::Resume(dir),
                None => Place::New(out),
            };
            crate::run::run(&pipeline, &stages, options, &place, &how)
        }
        Command::Plan {
            pipeline,
            stages,
            run,
            json,
        } => crate::plan::plan(&pipeline, &stages, &run, json),
        Command::Compare { runs, out } => crate::compare::compare(&runs, &out),
        Command::Papers { folder, run, page } => {
            crate::papers::papers(&folder, run, page.as_deref())
        }
        Command::New { folder } => crate::new::new(&folder),
        Command::Replay {
            pipeline,
            run,
            step,
            stage,
        } => crate::replay::replay(&pipeline, options(&pipeline, &run), stage.as_deref(), step),
        Command::Cache { what } => crate::cache::cache(&what),
        Command::Check { pipeline } => check(&pipeline),
        Command::Fmt { files, check } => fmt(&files, check),
        Command::Test(args) => crate::testing::test(&args),
        Command::Ir {
            pipeline,
            stage,
            raw,
            units,
            disable_pass,
        } => ir(&pipeline, stage.as_deref(), [raw, units], &disable_pass),
        Command::ExplainGradient {
            pipeline,
            stage,
            json,
        } => crate::gradients::explain(&pipeline, stage.as_deref(), json),
        Command::Variance {
            pipeline,
            run,
            stage,
            draws,
            json,
        } => crate::gradients::variance(
            &pipeline,
            &options(&pipeline, &run),
            stage.as_deref(),
            draws,
            json,
        ),
        Command::Bench {
            pipeline,
            stages,
            run,
            seconds,
            samples,
            json,
        } => crate::bench::bench(
            &pipeline,
            options(&pipeline, &run),
            &stages,
            Effort { seconds, samples },
            json,
        ),
        Command::Profile {
            pipeline,
            stage,
            run,
            steps,
            json,
            trace,
        } => {
            let wanted = Wanted {
                stage: stage.as_deref(),
                steps: steps.map(|n| n as usize),
                json,
                trace,
            };
            crate::profile::profile(&pipeline, options(&pipeline, &run), &wanted)
        }
        Command::Doc { name } => doc(name.as_deref()),
        Command::Explain { code } => explain_code(&code),
        Command::Graph {
            pipeline,
            stage,
            format,
            out,
        } => graph(&pipeline, stage.as_deref(), &format, out.as_deref()),
        Command::Repl { file, seed } => crate::repl::repl(file.as_deref(), seed),
    }
}

/// Prints diagnostics on stderr.
pub fn complain(reports: &[Report], sources: &Sources) {
    let colour = std::io::stderr().is_terminal();
    output::complaint(&render(reports, sources, colour));
}

/// The text of a file, or what is wrong with it, told.
pub fn read_text(file: &Path) -> Result<String, Exit> {
    let bytes = mlc_runtime::driver::read_text_file(file).map_err(|e| {
        complain!("error: cannot read `{}`: {e}", file.display());
        Exit::Environment
    })?;
    mlc_compiler::decode(FileId(0), bytes).map_err(|r| {
        let mut sources = Sources::default();
        sources.add(&file.display().to_string(), "");
        complain(&[r], &sources);
        Exit::Pipeline
    })
}

/// A name may come without its ending.
pub fn resolve(file: &Path) -> std::path::PathBuf {
    if !file.exists() && file.extension().is_none() {
        file.with_extension("ml")
    } else {
        file.to_path_buf()
    }
}

pub fn options(pipeline: &PipelineArgs, run: &RunArgs) -> RunOptions {
    let threads = run.threads.unwrap_or_else(mlc_runtime::machine::cores);
    kernels::set_threads(threads);
    RunOptions {
        seed: run.seed,
        allow_outside: pipeline.allow_outside,
        accept: false,
        engine: EngineOptions {
            disabled: run.disable_pass.clone(),
            max_memory: run.max_memory.map(|mb| mb << 20),
            interpret: run.interpret,
        },
        stop: Some(&STOP),
        cache: crate::cache::kept(),
        gradient_norms: false,
        fresh: run.fresh,
        saves: Saves::default(),
    }
}

/// The options of what runs nothing.
pub fn unrun(args: &PipelineArgs) -> RunOptions {
    RunOptions {
        allow_outside: args.allow_outside,
        ..RunOptions::default()
    }
}

pub fn open(args: &PipelineArgs, options: RunOptions) -> Result<Pipeline, Exit> {
    if let Some(unknown) = options
        .engine
        .disabled
        .iter()
        .find(|d| !transform::names().contains(&d.as_str()))
    {
        complain!(
            "error: there is no pass `{unknown}`; there are {}",
            transform::names().join(", ")
        );
        return Err(Exit::Pipeline);
    }
    let (pipeline, result) = opened(args, options)?;
    match result {
        Ok(()) => Ok(pipeline),
        Err(f) => Err(failed(&f, &pipeline)),
    }
}

/// The pipeline, and what is wrong with its text as a whole.
fn opened(
    args: &PipelineArgs,
    options: RunOptions,
) -> Result<(Pipeline, Result<(), Failure>), Exit> {
    let file = resolve(&args.file);
    let text = read_text(&file)?;
    let lower = LowerOptions {
        sets: args.sets.clone(),
        ..LowerOptions::default()
    };
    let (mut pipeline, result) = Pipeline::open(&file, &text, lower, options);
    let warnings = pipeline.session.take_warnings();
    complain(&warnings, pipeline.session.sources());
    Ok((pipeline, result))
}

pub fn failed(f: &Failure, pipeline: &Pipeline) -> Exit {
    complain(&f.reports, pipeline.session.sources());
    if f.environment {
        Exit::Environment
    } else {
        Exit::Pipeline
    }
}

/// Says why a run ended early.
pub fn explain(e: &RunError, pipeline: &Pipeline) -> Exit {
    match e {
        RunError::Pipeline(f) => failed(f, pipeline),
        RunError::NotANumber {
            stage,
            step,
            name,
            checkpoint,
            causes,
            skipped,
        } => {
            let report = pipeline.session.not_finite(&Met {
                stage,
                step: *step,
                name,
                saved: checkpoint.as_ref().map(|p| p.display().to_string()),
                skipped: *skipped,
                causes,
            });
            complain(&[report], pipeline.session.sources());
            Exit::Pipeline
        }
        RunError::Replayed(replayed) => crate::replay::tell(replayed, pipeline),
        RunError::Interrupted {
            checkpoint,
            resumable,
        } => {
            let values = checkpoint.as_ref().map_or(String::new(), |path| {
                format!("; the values so far are in `{}`", path.display())
            });
            let again = resumable.as_ref().map_or(String::new(), |dir| {
                format!("; it goes on with `--resume {}`", dir.display())
            });
            complain!("interrupted{values}{again}");
            Exit::Interrupted
        }
        RunError::Environment(message) => {
            complain!("error: {message}");
            Exit::Environment
        }
    }
}

/// The number of a stage, or, in words, that there is none of that name.
///
/// # Errors
/// The words.
pub fn stage_named(pipeline: &Pipeline, name: &str) -> Result<usize, String> {
    let stages = pipeline.session.stages();
    stages.iter().position(|s| s.name == name).ok_or_else(|| {
        let known: Vec<&str> = stages.iter().map(|s| s.name.as_str()).collect();
        let known = known.join(", ");
        format!("there is no stage `{name}`; there are: {known}")
    })
}

/// The stages that are named, all if none is.
pub fn chosen(pipeline: &Pipeline, names: &[String]) -> Result<Vec<usize>, Exit> {
    let stages = pipeline.session.stages();
    if names.is_empty() {
        return Ok((0..stages.len()).collect());
    }
    let mut found = Vec::new();
    for name in names {
        let stage = stage_named(pipeline, name).map_err(|why| {
            complain!("error: {why}");
            Exit::Misuse
        })?;
        found.push(stage);
    }
    Ok(found)
}

fn check(args: &PipelineArgs) -> Exit {
    let (mut pipeline, opened) = match opened(args, unrun(args)) {
        Ok(p) => p,
        Err(exit) => return exit,
    };
    let mut reports: Vec<Report> = Vec::new();
    let mut environment = false;
    let mut collect = |result: Result<(), Failure>| {
        let Err(f) = result else {
            return;
        };
        environment |= f.environment;
        for r in f.reports {
            // Each mistake once, by whatever way it was reached.
            if r.code != FOLLOWS && !reports.iter().any(|known| known.same_mistake(&r)) {
                reports.push(r);
            }
        }
    };
    // What does not parse and names that nothing defines: the rest is looked at all the same, save for what follows from them.
    let broken = opened.is_err();
    collect(opened);
    let independent = |mut f: Failure| {
        if broken {
            f.reports
                .retain(|r| !matches!(r.code, "E0001" | "E0100" | "E0101" | "E0102"));
        }
        f
    };
    let mut unknown: Vec<String> = Vec::new();
    let mut known = |mut f: Failure, pipeline: &Pipeline| {
        let guessed = pipeline.session.guessed();
        let before = f.reports.len();
        if !guessed.is_empty() {
            f.reports.retain(|r| !r.code.starts_with("E03"));
        }
        if f.reports.len() < before {
            unknown.extend(guessed);
        }
        independent(f)
    };
    for i in 0..pipeline.session.stages().len() {
        let result = pipeline.session.lower_stage(i).map(|_| ());
        collect(result.map_err(|f| known(f, &pipeline)));
    }
    for i in 0..pipeline.session.tests().len() {
        let result = pipeline.session.lower_test(i).map(|_| ());
        collect(result.map_err(|f| known(f, &pipeline)));
    }
    unknown.sort_unstable();
    unknown.dedup();
    for stage in unknown {
        complain!(
            "note: how often `{stage}` logs is known only when it has run; some shapes that follow from it are not checked"
        );
    }
    // What no stage uses is looked at too.
    let f = Failure {
        reports: pipeline.session.check_definitions(),
        environment: false,
    };
    collect(Err(independent(f)));
    let (unapplied, mistakes) = pipeline.session.unapplied();
    collect(Err(independent(Failure {
        reports: mistakes,
        environment: false,
    })));
    for stage in unapplied.iter().filter(|_| reports.is_empty()) {
        complain!("note: nothing applies the stage `{stage}`, so it does not run");
    }
    complain(
        &pipeline.session.take_warnings(),
        pipeline.session.sources(),
    );
    if reports.is_empty() {
        say!("{}: no mistakes found", resolve(&args.file).display());
        return Exit::Done;
    }
    complain(&reports, pipeline.session.sources());
    if environment {
        Exit::Environment
    } else {
        Exit::Pipeline
    }
}

fn fmt(files: &[std::path::PathBuf], check: bool) -> Exit {
    let mut exit = Exit::Done;
    for file in files {
        let text = match read_text(file) {
            Ok(t) => t,
            Err(e) => {
                exit = e;
                continue;
            }
        };
        let formatted = match mlc_compiler::format(&text) {
            Ok(f) => f,
            Err(reports) => {
                let mut sources = Sources::default();
                sources.add(&file.display().to_string(), &text);
                complain(&reports, &sources);
                exit = Exit::Pipeline;
                continue;
            }
        };
        if formatted == text {
            continue;
        }
        if check {
            complain!("{}: not formatted", file.display());
            exit = Exit::Failed;
        } else if write_out(&formatted, Some(file)) != Exit::Done {
            exit = Exit::Environment;
        }
    }
    exit
}

/// The graphs of a stage, named.
fn stage_graphs(args: &PipelineArgs, stage: Option<&str>) -> Result<Vec<(String, Graph)>, Exit> {
    let mut pipeline = open(args, unrun(args))?;
    let index = match stage {
        None if pipeline.session.stages().is_empty() => {
            complain!("error: the pipeline has no stage");
            return Err(Exit::Pipeline);
        }
        None => 0,
        Some(name) => stage_named(&pipeline, name).map_err(|why| {
            complain!("error: {why}");
            Exit::Pipeline
        })?,
    };
    let program = pipeline
        .session
        .lower_stage(index)
        .map_err(|f| failed(&f, &pipeline))?;
    let mut graphs = Vec::new();
    match program {
        StageProgram::Train(plan) => {
            graphs.push((plan.step.name, plan.step.graph));
            graphs.extend(
                plan.remainder
                    .map(|p| (format!("{} (last batch)", p.name), p.graph)),
            );
            graphs.extend(
                plan.every
                    .into_iter()
                    .map(|e| (e.program.name, e.program.graph)),
            );
        }
        StageProgram::Compute(p) => graphs.push((p.name, p.graph)),
        StageProgram::Report(items) => {
            graphs.extend(items.into_iter().map(|i| (i.program.name, i.program.graph)));
        }
    }
    Ok(graphs)
}

fn ir(
    args: &PipelineArgs,
    stage: Option<&str>,
    [raw, units]: [bool; 2],
    disabled: &[String],
) -> Exit {
    let graphs = match stage_graphs(args, stage) {
        Ok(g) => g,
        Err(exit) => return exit,
    };
    let mut text = String::new();
    for (name, g) in graphs {
        let g = if raw {
            g
        } else {
            transform::optimise(g, disabled)
        };
        let body = if units {
            mlc_compiler::codegen::describe(&g)
        } else {
            print::print(&g)
        };
        text += &format!("// {name}\n{body}\n");
    }
    write_out(&text, None)
}

fn graph(args: &PipelineArgs, stage: Option<&str>, format: &str, out: Option<&Path>) -> Exit {
    let graphs = match stage_graphs(args, stage) {
        Ok(g) => g,
        Err(exit) => return exit,
    };
    let Some((_, g)) = graphs.into_iter().next() else {
        complain!("error: the stage is empty");
        return Exit::Pipeline;
    };
    let dot = print::dot(&transform::optimise(g, &[]));
    if format == "dot" {
        return write_out(&dot, out);
    }
    match show::svg(&dot) {
        Ok(svg) => write_out(&svg, out),
        Err(e) => {
            complain!("error: cannot draw the graph: {e}");
            Exit::Environment
        }
    }
}

pub fn doc(name: Option<&str>) -> Exit {
    let entries = mlc_compiler::stdlib::entries();
    let path = |e: &Entry| format!("{}.{}", e.module, e.name);
    let named: Vec<&Entry> = entries
        .iter()
        .filter(|e| name.is_some_and(|n| n == e.name || n == path(e)))
        .collect();
    if !named.is_empty() {
        let texts: Vec<String> = named
            .iter()
            .map(|e| format!("{}\n  {}\n\n{}\n", path(e), e.signature, e.about))
            .collect();
        return write_out(&texts.join("\n"), None);
    }
    let listed: Vec<&Entry> = entries
        .iter()
        .filter(|e| name.is_none_or(|n| n == e.module))
        .collect();
    if listed.is_empty() {
        let name = name.unwrap_or_default();
        complain!(
            "error: nothing of the name `{name}` is built in or in the standard library; `mlc doc` lists what is"
        );
        return Exit::Misuse;
    }
    let mut text = String::new();
    for e in listed {
        let first = e.about.lines().next().unwrap_or_default();
        text += &format!("{}\n    {first}\n", path(e));
    }
    write_out(&text, None)
}

fn explain_code(code: &str) -> Exit {
    match mlc_compiler::diag::codes::find(code) {
        Some(c) => write_out(
            &format!("{}: {}\nHelp: {}\n", c.code, c.about, c.hint),
            None,
        ),
        None => {
            complain!("error: there is no diagnostic `{code}`; `docs/errors.md` lists them");
            Exit::Misuse
        }
    }
}

pub fn write_out(text: &str, out: Option<&Path>) -> Exit {
    let result = match out {
        Some(path) => mlc_runtime::checkpoint::write_atomically(path, text.as_bytes())
            .map_err(|e| format!("cannot write `{}`: {e}", path.display())),
        None => {
            output::text(text);
            Ok(())
        }
    };
    match result {
        Ok(()) => Exit::Done,
        Err(e) => {
            complain!("error: {e}");
            Exit::Environment
        }
    }
}
