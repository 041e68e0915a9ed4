//! The tests of one pipeline.

use super::{Case, Outcome, Suite, junit, review};
use crate::Exit;
use crate::commands::{complain, explain, open, options, resolve};
use crate::observer::Quiet;
use crate::options::{PipelineArgs, TestArgs};
use mlc_compiler::Report;
use mlc_compiler::diag::render;
use mlc_runtime::driver::golden_path;
use mlc_runtime::driver::{Pipeline, RunError, RunOptions, TestOutcome, TestResult, Tests};
use std::path::Path;

pub fn test(file: &Path, args: &TestArgs) -> Exit {
    let pipeline_args = PipelineArgs {
        file: file.to_path_buf(),
        sets: args.sets.clone(),
        allow_outside: args.allow_outside,
    };
    let options = RunOptions {
        accept: args.accept,
        ..options(&pipeline_args, &args.run)
    };
    let mut pipeline = match open(&pipeline_args, options) {
        Ok(p) => p,
        Err(exit) => return exit,
    };
    let mut tests = match pipeline.test(args.filter.as_deref(), &mut Quiet) {
        Ok(tests) => tests,
        Err(e) => {
            complain!("error: {e}");
            return Exit::Environment;
        }
    };
    if args.review {
        let names = pipeline.session.tests();
        if let Err(e) = review::review(&mut tests, &names, pipeline.session.sources()) {
            complain!("error: {e}");
            return Exit::Environment;
        }
    }
    let (suite, exit) = told(&tests, file, &pipeline);
    if let Some(results) = &args.results {
        let text = serde_json::to_vec(&suite).unwrap_or_default();
        if let Err(e) = std::fs::write(results, text) {
            complain!("error: cannot write `{}`: {e}", results.display());
            return Exit::Environment;
        }
    }
    junit::written(args.junit.as_deref(), &[suite], exit)
}

/// What a test that did not pass says, and its exit.
fn trouble(r: &TestResult, pipeline: &Pipeline) -> (Outcome, Vec<Report>, Exit) {
    let changes = r.changes.iter().map(|c| c.report.clone());
    match &r.outcome {
        TestOutcome::Passed if r.changes.is_empty() => (Outcome::Passed, vec![], Exit::Done),
        TestOutcome::Passed => (Outcome::Failed, changes.collect(), Exit::Failed),
        TestOutcome::Failed(reports) => {
            let reports = reports.iter().cloned().chain(changes).collect();
            (Outcome::Failed, reports, Exit::Failed)
        }
        TestOutcome::Broken(e) => (Outcome::Broken, vec![], explain(e, pipeline)),
    }
}

/// What a run that broke says.
fn words(e: &RunError, pipeline: &Pipeline) -> String {
    match e {
        RunError::Pipeline(f) => render(&f.reports, pipeline.session.sources(), false),
        RunError::NotANumber {
            stage, step, name, ..
        } => format!("`{name}` is not a number at step {step} of `{stage}`"),
        RunError::Interrupted { .. } => "interrupted".to_string(),
        // Only `mlc replay` asks for this.
        RunError::Replayed(_) => "replayed".to_string(),
        RunError::Environment(message) => message.clone(),
    }
}

/// Shows how the tests ended.
fn told(tests: &Tests, file: &Path, pipeline: &Pipeline) -> (Suite, Exit) {
    let sources = pipeline.session.sources();
    let mut exit = Exit::Done;
    let mut cases = Vec::new();
    for r in &tests.results {
        let word = match (&r.outcome, r.changes.is_empty()) {
            (TestOutcome::Passed, true) => "ok     ",
            (TestOutcome::Broken(_), _) => "BROKEN ",
            _ => "FAILED ",
        };
        say!("{word} {}", r.name);
        let (outcome, reports, now) = trouble(r, pipeline);
        complain(&reports, sources);
        // A pipeline that is wrong outweighs a test that fails.
        if exit == Exit::Done || outcome == Outcome::Broken {
            exit = now;
        }
        let text = match &r.outcome {
            TestOutcome::Broken(e) => words(e, pipeline),
            _ => render(&reports, sources, false),
        };
        let (name, seconds) = (r.name.clone(), r.seconds);
        cases.push(Case {
            name,
            outcome,
            seconds,
            text,
        });
    }
    for s in &tests.stale {
        let kept = golden_path(&resolve(file));
        say!(
            "STALE   {}: {s}; `--accept` removes what is kept",
            kept.display()
        );
        if exit == Exit::Done {
            exit = Exit::Failed;
        }
    }
    let stale = tests.stale.clone();
    let suite = Suite {
        file: file.to_path_buf(),
        cases,
        stale,
    };
    say!("{} of {} tests passed", suite.passed(), suite.cases.len());
    (suite, exit)
}
