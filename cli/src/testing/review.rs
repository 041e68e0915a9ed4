//! `mlc test FILE --review`: each snapshot that differs is shown, and kept or not.

use crate::output;
use mlc_compiler::diag::{Sources, render};
use mlc_runtime::driver::Tests;
use std::io::{BufRead, IsTerminal};

enum Answer {
    Accept,
    Skip,
    AcceptAll,
    Quit,
}

fn answer(line: &str) -> Option<Answer> {
    match line.trim() {
        "a" | "accept" | "y" => Some(Answer::Accept),
        "s" | "skip" | "n" => Some(Answer::Skip),
        "A" | "all" => Some(Answer::AcceptAll),
        "q" | "quit" => Some(Answer::Quit),
        _ => None,
    }
}

/// Asks until there is an answer. The end of the input means to quit.
fn ask(input: &mut dyn BufRead) -> Result<Answer, String> {
    loop {
        output::text("[a]ccept, [s]kip, accept [A]ll, [q]uit? ");
        output::flush();
        let mut line = String::new();
        let n = input.read_line(&mut line).map_err(|e| e.to_string())?;
        if n == 0 {
            say!("");
            return Ok(Answer::Quit);
        }
        if let Some(a) = answer(&line) {
            return Ok(a);
        }
    }
}

/// Goes through what differs; what is accepted is kept and differs no more. `tests`: the names of all tests.
///
/// # Errors
/// If answers cannot be read or golden values cannot be written.
pub fn review(tests: &mut Tests, names: &[String], sources: &Sources) -> Result<(), String> {
    let mut input = std::io::stdin().lock();
    let colour = std::io::stdout().is_terminal();
    let (mut all, mut quit, mut taken) = (false, false, 0);
    for r in &mut tests.results {
        // A snapshot after one that was left is left, too, if it is new: they are kept in order.
        let mut left = Vec::new();
        for change in std::mem::take(&mut r.changes) {
            if !all && !quit {
                let report = std::slice::from_ref(&change.report);
                output::text(&render(report, sources, colour));
                change.diff.iter().for_each(|line| say!("  {line}"));
                match ask(&mut input)? {
                    Answer::Accept => {}
                    Answer::AcceptAll => all = true,
                    Answer::Quit => quit = true,
                    Answer::Skip => {
                        left.push(change);
                        continue;
                    }
                }
            }
            let waits = change.is_new()
                && left
                    .iter()
                    .any(|l: &mlc_runtime::driver::Change| l.is_new());
            if quit || waits {
                left.push(change);
            } else {
                tests.golden.take(&change);
                taken += 1;
            }
        }
        r.changes = left;
    }
    if taken > 0 {
        tests.golden.save(names)?;
    }
    Ok(())
}
