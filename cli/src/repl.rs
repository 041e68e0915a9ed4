//! The prompt: definitions are kept, expressions evaluated.

use crate::Exit;
use crate::commands::{complain, read_text};
use crate::show;
use mlc_compiler::lower::{LowerOptions, ReplResult};
use mlc_runtime::driver::{Event, Observer, Pipeline, RunError, RunOptions};
use reedline::{DefaultPrompt, DefaultPromptSegment, FileBackedHistory, Reedline, Signal};
use std::io::{BufRead, IsTerminal};
use std::path::{Path, PathBuf};

const HELP: &str =
    "An expression is evaluated; a definition (`let`, `fn`, `model`, `param`, ..) is kept.
  :type e      the type of an expression
  :grad e, x   the derivative of e with respect to the name x
  :load file   start again with the definitions of a pipeline
  :help        this text
  :quit        leave";

struct Silent;

impl Observer for Silent {
    fn event(&mut self, _: &Event) {}
}

/// Reads lines until the end of input or `:quit`.
pub fn repl(file: Option<&Path>, seed: u64) -> Exit {
    let mut repl = match Repl::load(file, seed) {
        Ok(r) => r,
        Err(exit) => return exit,
    };
    if !std::io::stdin().is_terminal() {
        for line in std::io::stdin().lock().lines() {
            match line {
                Ok(line) if !repl.line(&line) => break,
                Ok(_) => {}
                Err(e) => {
                    eprintln!("error: {e}");
                    return Exit::Environment;
                }
            }
        }
        return Exit::Done;
    }
    println!("mlc {} (:help for help)", env!("CARGO_PKG_VERSION"));
    let mut editor = Reedline::create();
    if let Some(path) = history_file() {
        match FileBackedHistory::with_file(1000, path) {
            Ok(h) => editor = editor.with_history(Box::new(h)),
            Err(e) => eprintln!("warning: no history: {e}"),
        }
    }
    let prompt = DefaultPrompt::new(
        DefaultPromptSegment::Basic("mlc".into()),
        DefaultPromptSegment::Empty,
    );
    loop {
        match editor.read_line(&prompt) {
            Ok(Signal::Success(line)) => {
                if !repl.line(&line) {
                    return Exit::Done;
                }
            }
            Ok(Signal::CtrlD) => return Exit::Done,
            Ok(_) => {}
            Err(e) => {
                eprintln!("error: {e}");
                return Exit::Environment;
            }
        }
    }
}

fn history_file() -> Option<PathBuf> {
    let home = std::env::var_os("XDG_STATE_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|h| PathBuf::from(h).join(".local/state")))?;
    Some(home.join("mlc").join("history"))
}

struct Repl {
    pipeline: Pipeline,
    seed: u64,
}

impl Repl {
    fn load(file: Option<&Path>, seed: u64) -> Result<Self, Exit> {
        let text = match file {
            Some(f) => read_text(f)?,
            None => String::new(),
        };
        let path = file.unwrap_or(Path::new("<prompt>"));
        let options = RunOptions {
            seed,
            ..RunOptions::default()
        };
        let (pipeline, result) = Pipeline::open(path, &text, LowerOptions::default(), options);
        match result {
            Ok(()) => Ok(Self { pipeline, seed }),
            Err(f) => {
                complain(&f.reports, pipeline.session.sources());
                Err(Exit::Pipeline)
            }
        }
    }

    /// One line. `false`: the user leaves.
    fn line(&mut self, line: &str) -> bool {
        let line = line.trim();
        let (command, rest) = line.split_once(' ').unwrap_or((line, ""));
        match command {
            "" => {}
            ":quit" | ":q" => return false,
            ":help" => println!("{HELP}"),
            ":load" => {
                if let Ok(new) = Self::load(Some(Path::new(rest.trim())), self.seed) {
                    *self = new;
                }
            }
            ":type" => self.evaluate(rest, true),
            ":grad" => match rest.rsplit_once(',') {
                Some((e, x)) => self.evaluate(&format!("grad({e}, wrt: {})", x.trim()), false),
                None => eprintln!("write `:grad e, x`"),
            },
            _ if command.starts_with(':') => {
                eprintln!("there is no command `{command}`; see :help")
            }
            _ => self.evaluate(line, false),
        }
        true
    }

    fn evaluate(&mut self, text: &str, only_type: bool) {
        let results = match self.pipeline.session.repl(text) {
            Ok(r) => r,
            Err(f) => return complain(&f.reports, self.pipeline.session.sources()),
        };
        for r in results {
            match r {
                ReplResult::Defined(name) => println!("{name} is defined"),
                ReplResult::Value(e) if only_type => println!("{}", e.ty),
                ReplResult::Value(e) => match self.pipeline.evaluate(e.program, &mut Silent) {
                    Ok(outputs) => println!("{}", show::value(&e.shape, &outputs)),
                    Err(RunError::Environment(m)) => eprintln!("error: {m}"),
                    Err(RunError::Pipeline(f)) => {
                        complain(&f.reports, self.pipeline.session.sources())
                    }
                    Err(_) => {}
                },
            }
        }
    }
}
