//! `mlc plan`: which stages would run, and why.

use crate::Exit;
use crate::commands::{chosen, explain, open, options, write_out};
use crate::observer::{Quiet, took};
use crate::options::{PipelineArgs, RunArgs};
use mlc_runtime::driver::{Foreseen, Why, Will};
use serde_json::json;

pub fn plan(args: &PipelineArgs, stages: &[String], run: &RunArgs, json: bool) -> Exit {
    let mut pipeline = match open(args, options(args, run)) {
        Ok(p) => p,
        Err(exit) => return exit,
    };
    let found = match chosen(&pipeline, stages) {
        Ok(some) => pipeline.foresee(&some, &mut Quiet),
        Err(exit) => return exit,
    };
    let found = match found {
        Ok(found) => found,
        Err(e) => return explain(&e, &pipeline),
    };
    let width = found.iter().map(|f| f.stage.chars().count()).max();
    let width = width.unwrap_or(0);
    let mut text = String::new();
    for f in &found {
        let (will, why, words) = said(&f.will);
        text += &if json {
            let line = json!({"stage": f.stage, "will": will, "why": why, "text": words});
            format!("{line}\n")
        } else {
            let Foreseen { stage, .. } = f;
            format!("{will:7}  {stage:width$}  {words}\n")
        };
    }
    write_out(&text, None)
}

fn listed(names: &[String]) -> String {
    const MOST: usize = 4;
    let mut shown: Vec<String> = names.iter().take(MOST).map(|n| format!("`{n}`")).collect();
    if names.len() > MOST {
        shown.push(format!("{} more", names.len() - MOST));
    }
    shown.join(", ")
}

/// What a run would do, the reason in a word, and in words.
fn said(will: &Will) -> (&'static str, &'static str, String) {
    let why = match will {
        Will::Reuse { seconds } => {
            let words = format!("kept from a run that took {}", took(*seconds));
            return ("reuse", "kept", words);
        }
        Will::Depends(names) => {
            let words = format!("unless {} leaves what it left last time", listed(names));
            return ("depends", "stage", words);
        }
        Will::Run(why) => why,
    };
    let (word, words) = match why {
        Why::NoCache => ("off", "nothing is kept from run to run".to_string()),
        Why::Fresh => ("fresh", "`--fresh`, though it is kept".to_string()),
        Why::Never => ("never", "no run of it is remembered".to_string()),
        Why::Code => ("code", "its graph changed".to_string()),
        Why::Data(names) => ("data", format!("the data changed: {}", listed(names))),
        Why::Seed => ("seed", "another seed".to_string()),
        Why::Machine => (
            "machine",
            "another `mlc`, instruction set or choice of passes".to_string(),
        ),
        Why::First(names) if names.is_empty() => ("values", "it reads less".to_string()),
        Why::First(names) => ("values", format!("first values changed: {}", listed(names))),
        Why::Before(names) => (
            "stage",
            format!("an earlier stage leaves something else: {}", listed(names)),
        ),
        Why::Short(seconds) => (
            "short",
            format!("it takes {}, too short to be kept", took(*seconds)),
        ),
        Why::Gone => ("gone", "its result is not kept any more".to_string()),
        Why::Damaged => ("damaged", "its kept result is damaged".to_string()),
    };
    ("run", word, words)
}
