//! The command `mlc`.

mod commands;
mod observer;
mod options;
mod repl;
mod show;

use clap::Parser;
use options::Cli;
use std::process::ExitCode;

/// What a command ends with; see `docs/cli.md`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Exit {
    Done = 0,
    /// The pipeline is wrong.
    Pipeline = 1,
    /// The command was not used as it can be.
    Misuse = 2,
    Environment = 3,
    /// A test or assertion failed.
    Failed = 4,
    Interrupted = 130,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let run = move || commands::run(cli);
    // Lowering recurses with the nesting of the pipeline.
    let thread = std::thread::Builder::new().stack_size(512 << 20).spawn(run);
    match thread.map(std::thread::JoinHandle::join) {
        Ok(Ok(exit)) => ExitCode::from(exit as u8),
        // The panic's message is on stderr already.
        Ok(Err(_)) => ExitCode::from(70),
        Err(e) => {
            eprintln!("error: no thread to run on: {e}");
            ExitCode::from(Exit::Environment as u8)
        }
    }
}
