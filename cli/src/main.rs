//! The command `mlc`.

// Those of the standard library panic where nothing can be printed.
#![deny(clippy::print_stdout, clippy::print_stderr)]

#[macro_use]
mod output;

mod bench;
mod cache;
mod commands;
mod compare;
mod gradients;
mod heap;
mod new;
mod observer;
mod options;
mod papers;
mod plan;
mod profile;
mod repl;
mod replay;
mod run;
mod show;
mod tensorboard;
mod testing;
mod trace;

use clap::Parser;
use options::Cli;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

#[global_allocator]
static HEAP: heap::Heap = heap::Heap;

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
    /// With `--strict-fit`: a verdict was that something should not be used.
    Unfit = 5,
    /// A mistake of `mlc` itself.
    Internal = 70,
    Interrupted = 130,
}

/// Where the reader of the output goes away (`mlc doc | head`), the command ends as others do. Left as it is, the signal is
/// ignored and printing is a panic.
#[cfg(unix)]
fn end_with_the_reader() {
    // SAFETY: the default action is not a function of ours, and no other thread runs yet.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
}

#[cfg(not(unix))]
fn end_with_the_reader() {}

/// The threads of a run take their memory from one heap: most of a run is one thread, and not the main one; heaps of other
/// threads grow page by page.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn one_heap() {
    // SAFETY: no other thread runs yet.
    unsafe { libc::mallopt(libc::M_ARENA_MAX, 1) };
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn one_heap() {}

/// The `.ml` files of a folder, those of its folders included, by their names from `root` on.
fn library_files(root: &Path, folder: &Path, found: &mut Vec<(String, String)>) -> io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            library_files(root, &path, found)?;
        } else if path.extension().is_some_and(|e| e == "ml") {
            let inside = path.strip_prefix(root).unwrap_or(&path).with_extension("");
            let names = inside.components().map(|c| c.as_os_str().to_string_lossy());
            let name = names.collect::<Vec<_>>().join("/");
            found.push((name, std::fs::read_to_string(&path)?));
        }
    }
    Ok(())
}

/// The library is read from the folder that `MLC_STDLIB` names, if it names one.
fn read_library() -> io::Result<()> {
    if let Some(folder) = std::env::var_os("MLC_STDLIB") {
        let (folder, mut files) = (PathBuf::from(folder), Vec::new());
        library_files(&folder, &folder, &mut files)?;
        mlc_compiler::stdlib::replace(files);
    }
    Ok(())
}

/// Lowering recurses with the nesting of the pipeline.
const STACK: usize = 512 << 20;

/// What of it may be in use where a command begins.
const RESERVE: usize = 1 << 20;

fn main() -> ExitCode {
    end_with_the_reader();
    one_heap();
    mlc_runtime::tensor::when_exhausted(heap::exhausted);
    if let Err(e) = read_library() {
        complain!("error: the library that MLC_STDLIB names cannot be read: {e}");
        return ExitCode::from(Exit::Environment as u8);
    }
    let cli = Cli::parse();
    let run = move || {
        mlc_grammar::deep_stack(STACK - RESERVE);
        let mut exit = commands::run(cli);
        output::flush();
        if exit == Exit::Done && output::is_lost() {
            exit = Exit::Environment;
        }
        // From here: the system takes back faster what is left than it is given back piece by piece.
        std::process::exit(exit as i32);
    };
    let thread = std::thread::Builder::new().stack_size(STACK).spawn(run);
    match thread.map(std::thread::JoinHandle::join) {
        Ok(Ok(())) => ExitCode::SUCCESS,
        // The panic's message is on stderr already.
        Ok(Err(_)) => ExitCode::from(Exit::Internal as u8),
        Err(e) => {
            complain!("error: no thread to run on: {e}");
            ExitCode::from(Exit::Environment as u8)
        }
    }
}
