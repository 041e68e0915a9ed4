//! The command line.

use clap::{Args, Parser, Subcommand};
use mlc_runtime::driver::Saves;
use std::path::PathBuf;

/// A compiler for variational objectives and training pipelines.
///
/// A pipeline is a file with data, models, objectives and stages; `mlc run` compiles and trains it.
#[derive(Parser)]
#[command(
    name = "mlc",
    version,
    after_help = "Exit codes: 0 done; 1 the pipeline is wrong; 2 misuse of the command; \
    3 a file or memory; 4 a failed test; 5 a bad verdict with --strict-fit; 130 interrupted."
)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Subcommand)]
pub enum Command {
    /// Run a pipeline's stages and write metrics, parameters and a report
    Run {
        #[command(flatten)]
        pipeline: PipelineArgs,
        /// Only these stages, and those that they need [default: all]
        stages: Vec<String>,
        #[command(flatten)]
        run: RunArgs,
        /// Folder for what the run leaves [default: runs/<pipeline>/<time>]
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
        /// Go on with a run that ended early, started with the same options [default: the newest of this pipeline]
        #[arg(long, value_name = "DIR", num_args = 0..=1, conflicts_with = "out")]
        resume: Option<Option<PathBuf>>,
        /// How often to save where the run is: after seconds or minutes (`30s`, `5m`), after steps (`500`), or `never`
        #[arg(long, value_name = "TIME|STEPS", default_value = "30s", value_parser = parse_saves)]
        checkpoint: Saves,
        /// One JSON object a line on stdout, and nothing else there
        #[arg(long)]
        json: bool,
        /// Log the length of the gradient of each update, as `gradient_norm`
        #[arg(long)]
        gradient_norms: bool,
        /// Write what is logged for TensorBoard, too
        #[arg(long)]
        tensorboard: bool,
        /// End with the exit code 5 if a `verdict` is that what a stage leaves should not be used
        #[arg(long)]
        strict_fit: bool,
    },
    /// Lay runs over one another: a table of where each ended, and a page with their curves
    Compare {
        /// Folders of runs
        #[arg(required = true, value_name = "RUN")]
        runs: Vec<PathBuf>,
        /// The page
        #[arg(long, value_name = "FILE", default_value = "compare.html")]
        out: PathBuf,
    },
    /// List the papers whose methods are pipelines: what each claims, and whether its tests hold
    Papers {
        /// The folder with the pipelines
        #[arg(default_value = "examples/papers")]
        folder: PathBuf,
        /// Run the tests in full and keep how they end
        #[arg(long)]
        run: bool,
        /// Write the list as a page
        #[arg(long, value_name = "FILE")]
        page: Option<PathBuf>,
    },
    /// Make a project: a folder with a pipeline, data, tests and what a build machine runs
    New {
        /// The folder, named as the project
        folder: PathBuf,
    },
    /// Say which stages a run would run, and why, without running them
    Plan {
        #[command(flatten)]
        pipeline: PipelineArgs,
        /// Only these stages, and those that they need [default: all]
        stages: Vec<String>,
        #[command(flatten)]
        run: RunArgs,
        /// One JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// Run a training stage up to a step, and that step in the reference interpreter, too: what it gives, and where what is not finite comes from
    Replay {
        #[command(flatten)]
        pipeline: PipelineArgs,
        #[command(flatten)]
        run: RunArgs,
        /// The step, counted from 1
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
        step: u32,
        /// The stage [default: the first that trains]
        #[arg(long)]
        stage: Option<String>,
    },
    /// Look after what is kept of stages that have run
    Cache {
        #[command(subcommand)]
        what: CacheCommand,
    },
    /// Find mistakes without running anything
    Check {
        #[command(flatten)]
        pipeline: PipelineArgs,
    },
    /// Format pipelines in place
    Fmt {
        /// The files
        #[arg(required = true)]
        files: Vec<PathBuf>,
        /// Change nothing; fail if a file is not formatted
        #[arg(long)]
        check: bool,
    },
    /// Run the `test` blocks, and the stages they read
    Test(TestArgs),
    /// Print the dataflow graph of a stage as text
    Ir {
        #[command(flatten)]
        pipeline: PipelineArgs,
        /// The stage [default: the first]
        #[arg(long)]
        stage: Option<String>,
        /// As lowered, before any pass
        #[arg(long)]
        raw: bool,
        /// The loops and calls that the graph is compiled to, one a line
        #[arg(long, conflicts_with = "raw")]
        units: bool,
        /// Leave out a pass
        #[arg(long, value_name = "PASS")]
        disable_pass: Vec<String>,
    },
    /// Say how gradients pass through each site of each `expect`: the estimator, its formula, the terms it multiplies
    ExplainGradient {
        #[command(flatten)]
        pipeline: PipelineArgs,
        /// The stage [default: all]
        #[arg(long)]
        stage: Option<String>,
        /// As JSON, one object a site
        #[arg(long)]
        json: bool,
    },
    /// Measure the variance of a stage's gradient and its time, for each valid estimator at each site of each `expect`
    Variance {
        #[command(flatten)]
        pipeline: PipelineArgs,
        #[command(flatten)]
        run: RunArgs,
        /// The stage [default: all that train]
        #[arg(long)]
        stage: Option<String>,
        /// Gradients drawn for each estimator, at most
        #[arg(long, default_value_t = 1000)]
        draws: usize,
        /// As JSON, one object a site and estimator
        #[arg(long)]
        json: bool,
    },
    /// Time the compiled steps of stages, and say what they are made of
    Bench {
        #[command(flatten)]
        pipeline: PipelineArgs,
        /// Only these stages [default: all]
        stages: Vec<String>,
        #[command(flatten)]
        run: RunArgs,
        /// Seconds spent on each stage's samples, about
        #[arg(long, default_value_t = 1.0)]
        seconds: f64,
        /// Samples of each stage, at least
        #[arg(long, default_value_t = 9)]
        samples: usize,
        /// One JSON object a stage
        #[arg(long)]
        json: bool,
    },
    /// Time the kernels of a stage's compiled step: what each moves and computes, what bounds it, and the lines it comes from
    Profile {
        #[command(flatten)]
        pipeline: PipelineArgs,
        /// The stage [default: the first that trains, else the first that computes]
        stage: Option<String>,
        #[command(flatten)]
        run: RunArgs,
        /// Steps whose medians are taken [default: as many as fit in a second]
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
        steps: Option<u32>,
        /// As JSON
        #[arg(long)]
        json: bool,
        /// Write when the kernels of some steps ran, and on which thread, for ui.perfetto.dev [default: profile.json]
        #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = "profile.json")]
        trace: Option<PathBuf>,
    },
    /// Print the signature and text of what is built in or in the standard library, or list a module's
    Doc {
        /// A name such as elbo, a path such as std.vi.elbo, or a module such as std.vi [default: all modules]
        name: Option<String>,
    },
    /// Say what a code of a diagnostic means
    Explain {
        /// The code, such as E0303
        code: String,
    },
    /// Draw the dataflow graph of a stage
    Graph {
        #[command(flatten)]
        pipeline: PipelineArgs,
        /// The stage [default: the first]
        #[arg(long)]
        stage: Option<String>,
        /// `dot` or `svg`
        #[arg(long, default_value = "dot", value_parser = ["dot", "svg"])]
        format: String,
        /// Where to [default: stdout]
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Evaluate expressions and definitions as you type them
    Repl {
        /// A pipeline whose definitions are loaded first
        file: Option<PathBuf>,
        /// The seed of all random draws
        #[arg(long, default_value_t = 0)]
        seed: u64,
    },
}

#[derive(Subcommand)]
pub enum CacheCommand {
    /// List what is kept: size, last use, time it took, stage and pipeline
    List {
        /// One JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// Read everything and compare it with its checksums
    Check,
    /// Remove what is damaged and what was not used for long
    Prune {
        /// What was not used for so many days
        #[arg(long, value_name = "DAYS", default_value_t = 30.0)]
        older: f64,
        /// What was used longest ago, until no more than this is left
        #[arg(long, value_name = "MB")]
        to: Option<u64>,
        /// Everything
        #[arg(long)]
        all: bool,
    },
}

#[derive(Args)]
pub struct TestArgs {
    /// Pipelines, and folders with pipelines [default: the current folder]
    #[arg(value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// Give a top-level `let` another value, in the pipelines that have it; may be repeated
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = parse_set)]
    pub sets: Vec<(String, String)>,
    /// Let `use` follow links to files outside the pipeline's folder
    #[arg(long)]
    pub allow_outside: bool,
    #[command(flatten)]
    pub run: RunArgs,
    /// Only tests whose name contains this
    #[arg(long, value_name = "TEXT")]
    pub filter: Option<String>,
    /// Keep the values of `snapshot`s as they are now, in FILE.snap
    #[arg(long)]
    pub accept: bool,
    /// Show each `snapshot` that differs and ask whether to keep it
    #[arg(long, conflicts_with = "accept")]
    pub review: bool,
    /// Never write golden values; so it is, too, where `CI` is set
    #[arg(long)]
    pub ci: bool,
    /// Write what the tests gave as JUnit XML
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,
    /// Pipelines that are tested at once [default: the cores]
    #[arg(long, value_name = "N")]
    pub jobs: Option<usize>,
    /// Where a process that tests one pipeline of several writes what it found
    #[arg(long, value_name = "FILE", hide = true)]
    pub results: Option<PathBuf>,
}

#[derive(Args)]
pub struct PipelineArgs {
    /// The pipeline, a `.ml` file
    pub file: PathBuf,
    /// Give a top-level `let` another value; may be repeated
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = parse_set)]
    pub sets: Vec<(String, String)>,
    /// Let `use` follow links to files outside the pipeline's folder
    #[arg(long)]
    pub allow_outside: bool,
}

#[derive(Args)]
pub struct RunArgs {
    /// The seed of all random draws
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Leave out a pass; may be repeated
    #[arg(long, value_name = "PASS")]
    pub disable_pass: Vec<String>,
    /// Threads that large loops and products may use [default: all cores]
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
    /// Run every stage, whatever is kept of earlier runs
    #[arg(long)]
    pub fresh: bool,
    /// Run by the reference interpreter, without machine code (slow)
    #[arg(long)]
    pub interpret: bool,
    /// The most memory a program may plan, in megabytes
    #[arg(long, value_name = "MB")]
    pub max_memory: Option<usize>,
}

fn parse_saves(text: &str) -> Result<Saves, String> {
    let time = |n: &str, unit: f64| {
        let n: Option<f64> = n.parse().ok();
        n.filter(|n| n.is_finite() && *n >= 0.0)
            .map(|n| Saves::Seconds(n * unit))
    };
    let found = match text {
        "never" => Some(Saves::Never),
        _ => match (text.strip_suffix('s'), text.strip_suffix('m')) {
            (Some(n), _) => time(n, 1.0),
            (_, Some(n)) => time(n, 60.0),
            _ => text.parse().ok().filter(|n| *n > 0).map(Saves::Steps),
        },
    };
    found
        .ok_or_else(|| "write a time such as `30s` or `5m`, steps such as `500`, or `never`".into())
}

fn parse_set(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.trim().is_empty() && !value.trim().is_empty() => {
            Ok((name.trim().to_string(), value.trim().to_string()))
        }
        _ => Err("write `--set name=value`".to_string()),
    }
}
