//! The prompt: definitions are kept, expressions evaluated.

mod commands;
mod editing;
mod plot;

use crate::Exit;
use crate::commands::{complain, explain, read_text, resolve};
use crate::observer::Human;
use crate::show;
use commands::Told;
use mlc_compiler::lower::{ExprProgram, LowerOptions, ReplResult};
use mlc_runtime::driver::{Pipeline, RunOptions, StopFlag};
use mlc_runtime::kernels;
use mlc_runtime::tensor::HostTensor;
use std::io::{BufRead, IsTerminal};
use std::path::{Path, PathBuf};

/// Set by Ctrl-C while something is computed.
static STOP: StopFlag = StopFlag::new();

/// Reads entries until the end of input or `:quit`.
pub fn repl(file: Option<&Path>, seed: u64) -> Exit {
    let mut repl = match Repl::load(file, seed) {
        Ok(r) => r,
        Err(exit) => return exit,
    };
    let stopping = ctrlc::set_handler(|| {
        let _ = STOP.set();
        kernels::break_loops(true);
    });
    if let Err(e) = stopping {
        complain!("warning: Ctrl-C will end the prompt: {e}");
    }
    let result = if std::io::stdin().is_terminal() {
        editing::session(&mut repl)
    } else {
        plain(&mut repl)
    };
    match result {
        Ok(()) => Exit::Done,
        Err(e) => {
            complain!("error: {e}");
            Exit::Environment
        }
    }
}

/// Entries from a pipe: as many lines each as it takes to complete it.
fn plain(repl: &mut Repl) -> std::io::Result<()> {
    let mut entry = String::new();
    for line in std::io::stdin().lock().lines() {
        entry += &line?;
        entry.push('\n');
        if complete(&entry) {
            let whole = std::mem::take(&mut entry);
            if !repl.entry(&whole) {
                return Ok(());
            }
        }
    }
    if !entry.trim().is_empty() {
        repl.entry(&entry);
    }
    Ok(())
}

/// Is an entry whole? Commands are lines; of the language, what brackets and operators leave open goes on.
fn complete(entry: &str) -> bool {
    entry.trim_start().starts_with(':') || mlc_grammar::is_complete(entry)
}

/// A definition that was entered: the names it gives, and its text.
struct Entered {
    names: String,
    text: String,
}

/// A session at the prompt.
struct Repl {
    pipeline: Pipeline,
    file: Option<PathBuf>,
    seed: u64,
    entered: Vec<Entered>,
}

impl Repl {
    fn load(file: Option<&Path>, seed: u64) -> Result<Self, Exit> {
        let file = file.map(resolve);
        let text = match &file {
            Some(f) => read_text(f)?,
            None => String::new(),
        };
        let path = file.as_deref().unwrap_or(Path::new("<prompt>"));
        let options = RunOptions {
            seed,
            stop: Some(&STOP),
            ..RunOptions::default()
        };
        let (pipeline, result) = Pipeline::open(path, &text, LowerOptions::default(), options);
        match result {
            Ok(()) => Ok(Self {
                pipeline,
                file,
                seed,
                entered: Vec::new(),
            }),
            Err(f) => {
                complain(&f.reports, pipeline.session.sources());
                Err(Exit::Pipeline)
            }
        }
    }

    /// One entry. `false`: the user leaves.
    fn entry(&mut self, text: &str) -> bool {
        STOP.clear();
        kernels::break_loops(false);
        let text = text.trim();
        if text.is_empty() {
            return true;
        }
        match self.command(text) {
            Some(Told::Leave) => return false,
            Some(Told::Done) => {}
            None => self.evaluate(text),
        }
        true
    }

    /// What a text defines or is, lowered; what is wrong with it is told.
    fn lowered(&mut self, text: &str) -> Option<Vec<ReplResult>> {
        match self.pipeline.enter(text, &mut Human::default()) {
            Ok(results) => Some(results),
            Err(e) => {
                explain(&e, &self.pipeline);
                None
            }
        }
    }

    /// The program of a text that is one expression.
    fn expression(&mut self, text: &str) -> Option<Box<ExprProgram>> {
        if text.trim().is_empty() {
            complain!("write an expression after the command");
            return None;
        }
        match self.lowered(text)?.pop() {
            Some(ReplResult::Value(e)) => Some(e),
            _ => {
                complain!("this is a definition; the command is for expressions");
                None
            }
        }
    }

    /// The outputs of a program, unless something is wrong, which is told.
    fn outputs(&mut self, e: &ExprProgram) -> Option<Vec<HostTensor>> {
        let mut observer = Human::default();
        let result = self.pipeline.evaluate(e.program.clone(), &mut observer);
        if STOP.is_set() {
            complain!("interrupted");
            return None;
        }
        match result {
            Ok(outputs) => Some(outputs),
            Err(e) => {
                explain(&e, &self.pipeline);
                None
            }
        }
    }

    fn evaluate(&mut self, text: &str) {
        let Some(results) = self.lowered(text) else {
            return;
        };
        let defined: Vec<String> = results
            .iter()
            .filter_map(|r| match r {
                ReplResult::Defined(names) => Some(names.clone()),
                ReplResult::Value(_) => None,
            })
            .collect();
        for r in results {
            match r {
                ReplResult::Defined(names) => say!("{names} is defined"),
                ReplResult::Value(e) => {
                    if let Some(outputs) = self.outputs(&e) {
                        say!("{}", show::value(&e.shape, &outputs));
                    }
                }
            }
        }
        if !defined.is_empty() {
            let names = defined.join(", ");
            // What is defined again takes the place of what was.
            self.entered.retain(|e| e.names != names || names == "use");
            let text = text.to_string();
            self.entered.push(Entered { names, text });
        }
    }
}
