//! The tests of a pipeline.

use super::engine::Engine;
use super::golden::{Change, Golden};
use super::run::Pipeline;
use super::stage::Position;
use super::store::Version;
use super::{Observer, RunError};
use mlc_compiler::Report;
use mlc_compiler::ir::DType;
use mlc_compiler::program::{Sink, TestProgram};

/// How a test ended.
pub enum TestOutcome {
    Passed,
    /// One report for each assertion that does not hold.
    Failed(Vec<Report>),
    /// It could not be run.
    Broken(RunError),
}

/// A test and its outcome.
pub struct TestResult {
    pub name: String,
    pub outcome: TestOutcome,
    /// Its snapshots that are not what was accepted.
    pub changes: Vec<Change>,
    /// The time it took, with the stages that no test before it needed.
    pub seconds: f64,
}

/// All tests that ran.
pub struct Tests {
    pub results: Vec<TestResult>,
    /// Golden values that no snapshot has any more, in words.
    pub stale: Vec<String>,
    pub golden: Golden,
}

impl Pipeline {
    /// Runs the tests whose name contains `filter`, and the stages that they need. Snapshots are compared with the golden values
    /// beside the pipeline, or kept there if the options say so.
    ///
    /// # Errors
    /// If the golden values cannot be read or written.
    pub fn test(
        &mut self,
        filter: Option<&str>,
        observer: &mut dyn Observer,
    ) -> Result<Tests, String> {
        let names = self.session.tests();
        let mut golden = Golden::load(&self.path)?;
        let mut results = Vec::new();
        for (i, name) in names.iter().cloned().enumerate() {
            if filter.is_some_and(|f| !name.contains(f)) {
                continue;
            }
            let start = std::time::Instant::now();
            let (outcome, changes) = match self.run_test(i, &mut golden, observer) {
                Ok((failed, changes)) if failed.is_empty() => (TestOutcome::Passed, changes),
                Ok((failed, changes)) => (TestOutcome::Failed(failed), changes),
                Err(e) => (TestOutcome::Broken(e), vec![]),
            };
            results.push(TestResult {
                name,
                outcome,
                changes,
                seconds: start.elapsed().as_secs_f64(),
            });
        }
        let mut stale = Vec::new();
        if self.options.accept {
            golden.save(&names)?;
        } else {
            stale = golden.stale(&names);
        }
        Ok(Tests {
            results,
            stale,
            golden,
        })
    }

    fn run_test(
        &mut self,
        test: usize,
        golden: &mut Golden,
        observer: &mut dyn Observer,
    ) -> Result<(Vec<Report>, Vec<Change>), RunError> {
        // Lowered before anything is trained, to find mistakes early; again where what the stages log is known only then.
        let t = loop {
            let lowered = self.session.lower_test(test);
            if !self.run_touched(usize::MAX, lowered.is_err(), observer)? {
                break lowered?;
            }
        };
        self.run_inits(observer)?;
        for &stage in &t.needs {
            self.run_stage(stage, observer)?;
        }
        let mut engine = self.engine(t.program.clone(), &t.program.name.clone(), observer)?;
        self.check_assertions(&t, &mut engine, golden)
    }

    fn check_assertions(
        &self,
        t: &TestProgram,
        engine: &mut Engine,
        golden: &mut Golden,
    ) -> Result<(Vec<Report>, Vec<Change>), RunError> {
        let version = Version::default();
        let inputs = self.inputs(&engine.program.sources, &version, Position::default())?;
        let outputs = engine.run(&inputs);
        debug_assert!(
            engine
                .program
                .sinks
                .iter()
                .all(|s| matches!(s, Sink::Value(_) | Sink::Slot(_)))
        );
        let mut failed = Vec::new();
        for a in &t.assertions {
            if outputs[a.output].as_bool()[0] != 0 {
                continue;
            }
            let mut r = Report::new(
                "E0900",
                format!("in the test \"{}\", an assertion does not hold", t.name),
            )
            .label(a.span, "this is false");
            for (text, output) in &a.shown {
                let t = &outputs[*output];
                let one = |x: f64| match t.dtype() {
                    DType::Bool => (x != 0.0).to_string(),
                    _ => x.to_string(),
                };
                let shown: Vec<String> = t.to_f64_vec().into_iter().map(one).collect();
                let shown = if shown.len() == 1 {
                    shown[0].clone()
                } else {
                    format!("[{}]", shown.join(", "))
                };
                r = r.note(format!("`{text}` is {shown}"));
            }
            failed.push(r);
        }
        if self.options.accept {
            golden.accept(t, &outputs);
            return Ok((failed, vec![]));
        }
        Ok((failed, golden.compare(t, &outputs)))
    }
}
