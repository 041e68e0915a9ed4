//! What begins with a colon.

use super::{Repl, plot};
use crate::bench;
use crate::commands::{doc, explain, stage_named};
use crate::observer::{Human, took};
use crate::{output, show};
use mlc_compiler::lower::ReplResult;
use mlc_compiler::{codegen, ir::print, transform};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// What follows from a command.
pub enum Told {
    Done,
    Leave,
}

/// Commands, what stands after them, and what they do.
pub const COMMANDS: &[(&str, &str, &str)] = &[
    (":type", "e", "the type of an expression"),
    (
        ":doc",
        "name",
        "what is built in, or in the library, under a name",
    ),
    (
        ":grad",
        "e, x",
        "the derivative of e with respect to the name x",
    ),
    (
        ":graph",
        "e",
        "the graph of an expression as text; `:graph e > FILE.svg` draws it",
    ),
    (
        ":ir",
        "e",
        "the loops and calls that an expression is compiled to",
    ),
    (
        ":time",
        "e",
        "how long compiling and computing an expression take",
    ),
    (
        ":plot",
        "e",
        "a vector, or a record or tuple of vectors, as lines",
    ),
    (
        ":run",
        "stage",
        "runs a stage and those that it needs; `stage.w`, `stage.log.x` are its results",
    ),
    (
        ":load",
        "file",
        "start again with the definitions of a pipeline",
    ),
    (
        ":reload",
        "",
        "read the pipeline again, and enter what was defined here again",
    ),
    (
        ":save",
        "file",
        "writes what was defined here to a new file",
    ),
    (":help", "", "this text"),
    (":quit", "", "leave"),
];

fn help() {
    say!(
        "An expression is evaluated; a definition (`let`, `fn`, `model`, `param`, ..) is kept. What brackets leave open goes on."
    );
    for (name, after, about) in COMMANDS {
        say!("  {:<13} {about}", format!("{name} {after}"));
    }
}

impl Repl {
    /// Does what a command says. Nothing if the text is none.
    pub fn command(&mut self, text: &str) -> Option<Told> {
        let (command, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
        let rest = rest.trim();
        match command {
            ":quit" | ":q" => return Some(Told::Leave),
            ":help" => help(),
            ":type" => self.show_type(rest),
            ":doc" => {
                doc(Some(rest).filter(|r| !r.is_empty()));
            }
            ":grad" => match rest.rsplit_once(',') {
                Some((e, x)) => self.evaluate(&format!("grad({e}, wrt: {})", x.trim())),
                None => complain!("write `:grad e, x`"),
            },
            ":graph" => self.show_graph(rest),
            ":ir" => {
                if let Some(e) = self.expression(rest) {
                    let g = transform::optimise(e.program.graph, &[]);
                    output::text(&codegen::describe(&g));
                }
            }
            ":time" => self.time(rest),
            ":plot" => {
                if let Some(e) = self.expression(rest)
                    && let Some(outputs) = self.outputs(&e)
                {
                    match plot::lines(&e.shape, &outputs) {
                        Ok(text) => say!("{text}"),
                        Err(why) => complain!("{why}"),
                    }
                }
            }
            ":run" => self.run_stage(rest),
            ":load" if rest.is_empty() => complain!("write `:load FILE`"),
            ":load" => {
                if let Ok(new) = Self::load(Some(Path::new(rest)), self.seed) {
                    *self = new;
                }
            }
            ":reload" => self.reload(),
            ":save" => self.save(rest),
            _ if command.starts_with(':') => {
                complain!("there is no command `{command}`; see :help")
            }
            _ => return None,
        }
        Some(Told::Done)
    }

    fn show_type(&mut self, text: &str) {
        if let Some(results) = self.lowered(text) {
            for r in results {
                match r {
                    ReplResult::Value(e) => say!("{}", e.ty),
                    ReplResult::Defined(names) => say!("{names} is defined"),
                }
            }
        }
    }

    fn show_graph(&mut self, text: &str) {
        let (text, file) = match text.rsplit_once(" > ") {
            Some((e, file)) if file.trim().ends_with(".svg") => (e, Some(file.trim())),
            _ => (text, None),
        };
        let Some(e) = self.expression(text) else {
            return;
        };
        let g = transform::optimise(e.program.graph, &[]);
        let Some(file) = file else {
            output::text(&print::print_needed(&g));
            return;
        };
        let written = show::svg(&print::dot(&g))
            .and_then(|svg| std::fs::write(file, svg).map_err(|e| e.to_string()));
        match written {
            Ok(()) => say!("drawn in {file}"),
            Err(e) => complain!("error: cannot write `{file}`: {e}"),
        }
    }

    fn time(&mut self, text: &str) {
        let start = Instant::now();
        let Some(e) = self.expression(text) else {
            return;
        };
        if self.outputs(&e).is_none() {
            return;
        }
        let first = start.elapsed();
        match self.pipeline.time(
            e.program.clone(),
            Duration::from_millis(300),
            &mut Human::default(),
        ) {
            Ok(times) => say!(
                "{} the first time, compiling included; then {} (median of {}, least {})",
                took(first.as_secs_f64()),
                bench::time(times.median),
                times.count,
                bench::time(times.least),
            ),
            Err(e) => {
                explain(&e, &self.pipeline);
            }
        }
    }

    fn run_stage(&mut self, name: &str) {
        if self.pipeline.session.stages().is_empty() {
            return complain!("there is no stage");
        }
        let stage = match stage_named(&self.pipeline, name) {
            Ok(stage) => stage,
            Err(why) => return complain!("{why}"),
        };
        let start = Instant::now();
        match self.pipeline.run_stage(stage, &mut Human::default()) {
            Ok(()) => say!("{name} is done, in {}", took(start.elapsed().as_secs_f64())),
            Err(e) => {
                explain(&e, &self.pipeline);
            }
        }
    }

    fn reload(&mut self) {
        let Ok(mut new) = Self::load(self.file.as_deref(), self.seed) else {
            return;
        };
        for e in std::mem::take(&mut self.entered) {
            new.evaluate(&e.text);
        }
        *self = new;
    }

    fn save(&self, file: &str) {
        if file.is_empty() {
            return complain!("write `:save FILE`");
        }
        let path = PathBuf::from(file);
        let texts: Vec<&str> = self.entered.iter().map(|e| e.text.as_str()).collect();
        let text = texts.join("\n\n") + "\n";
        // As `mlc fmt` would write it, if it can be read on its own.
        let text = mlc_grammar::format(&text).unwrap_or(text);
        let written =
            std::fs::File::create_new(&path).and_then(|mut f| f.write_all(text.as_bytes()));
        match written {
            Ok(()) => say!("{} definitions in {file}", texts.len()),
            Err(e) => complain!("error: cannot write `{file}`: {e}"),
        }
    }
}
