//! The stage driver: runs a pipeline's programs in order and keeps what lasts.
//!
//! - `host` reads data files for the compiler.
//! - `store` keeps slots, in one version for each stage.
//! - `engine` runs one program, by machine code or by the reference interpreter; `burst` many steps of one in a row.
//! - `parts` says what determines a stage, `keep` keeps what it left and tells it again, `plan` foresees which will run.
//! - `provenance` replays a step in the interpreter, to find where a value that is not finite comes from.
//! - `resume` saves where a run is and goes on from there; `snapshot` is a file of that, `started` says what run it is.
//! - `shows` puts into the report what stages show, `sweeps` what the applications of one stage came to.
//! - `variance` measures how noisy gradients are, `bench` how long steps take, `profile` which of their units.
//! - `verdict` says whether what a stage leaves may be used.
//! - `stage` runs the steps of a stage, `stretches` those between which nothing is due, `steps` makes their batches, for which `batches` reads ahead what is on disk; `run` whole pipelines; `tests` their tests.

mod batches;
mod before;
mod bench;
mod burst;
mod engine;
mod golden;
mod host;
mod keep;
mod leaves;
mod parts;
mod plan;
mod profile;
mod provenance;
mod resume;
mod run;
mod shows;
mod snapshot;
mod stage;
mod started;
mod steps;
mod store;
mod stretches;
mod sweeps;
mod tests;
mod variance;
mod verdict;

pub use bench::{Effort, Timed};
pub use engine::{Compilation, Engine, EngineOptions, Memo};
pub use golden::{Change, Golden, golden_path};
pub use host::{Data, FileHost, Files, read_text_file};
pub use plan::{Foreseen, Why, Will};
pub use profile::{Interval, Profile, ProfileEffort, TracedStep, UnitTime};
pub use provenance::{Replayed, StepResult};
pub use resume::Saves;
pub use run::{Pipeline, RunOptions};
pub use store::Store;
pub use tests::{TestOutcome, TestResult, Tests};
pub use variance::Measured;
pub use verdict::words;

use crate::log::Stretch;
use crate::tensor::HostTensor;
use mlc_compiler::interp::trace::Cause;
use mlc_compiler::lower::Failure;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

/// What happens during a run, told as it happens.
pub enum Event<'a> {
    /// A program was made ready to run.
    Compiled {
        stage: &'a str,
        compilation: &'a Compilation,
    },
    StageStarted {
        stage: &'a str,
        steps: usize,
    },
    /// After steps in a row: how far the stage is, and what each of them logged.
    Steps {
        stage: &'a str,
        steps: &'a Stretch,
    },
    /// An `every` block or a `compute` stage logged.
    Log {
        stage: &'a str,
        step: usize,
        epoch: usize,
        values: &'a [(String, HostTensor)],
    },
    /// A value of an applied stage was not a number, which ended it.
    Failed {
        stage: &'a str,
        step: usize,
        value: &'a str,
    },
    /// A stage is told again instead of run: nothing that determines it has changed. It took this long when it ran.
    Reused {
        stage: &'a str,
        seconds: f64,
    },
    /// A stage goes on after this step of a run that ended early. What it told before has been told again.
    Resumed {
        stage: &'a str,
        step: usize,
    },
    /// Something is wrong with what is kept of earlier runs, which the run goes on without.
    Trouble {
        what: &'a str,
    },
    /// Whether what a stage leaves may be used.
    /// An estimator was chosen for a site that leaves that to measuring.
    Chosen {
        stage: &'a str,
        site: &'a str,
        place: &'a str,
        estimator: &'a str,
        variance: f64,
    },
    Verdict {
        stage: &'a str,
        good: bool,
    },
    StageFinished {
        stage: &'a str,
        seconds: f64,
    },
    Wrote {
        path: &'a std::path::Path,
    },
}

/// Takes part in a run: hears events, and may ask it to stop.
pub trait Observer {
    fn event(&mut self, event: &Event);
}

/// Set from outside (a signal) to end a run after the present step.
#[derive(Default)]
pub struct StopFlag(AtomicBool);

impl StopFlag {
    pub const fn new() -> Self {
        Self(AtomicBool::new(false))
    }

    /// Says whether it was set before.
    pub fn set(&self) -> bool {
        self.0.swap(true, Ordering::Relaxed)
    }

    pub fn clear(&self) {
        self.0.store(false, Ordering::Relaxed);
    }

    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Why a run ended early.
pub enum RunError {
    /// Mistakes in the pipeline, for rendering with its sources.
    Pipeline(Failure),
    /// A logged value is no number any more.
    NotANumber {
        stage: String,
        step: usize,
        name: String,
        checkpoint: Option<PathBuf>,
        /// Where it comes from, if that is known.
        causes: Vec<Cause>,
        /// So many steps in a row were skipped for it.
        skipped: Option<usize>,
    },
    /// It was to be replayed up to here.
    Replayed(Box<Replayed>),
    /// Asked to stop.
    Interrupted {
        /// What the stage that ran had written so far.
        checkpoint: Option<PathBuf>,
        /// The folder of the run, which can be resumed.
        resumable: Option<PathBuf>,
    },
    /// A file, memory, or another thing outside the pipeline.
    Environment(String),
}

impl From<Failure> for RunError {
    fn from(f: Failure) -> Self {
        RunError::Pipeline(f)
    }
}
