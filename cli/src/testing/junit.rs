//! What tests gave as JUnit XML, which machines that build and test read.

use super::{Outcome, Suite};
use crate::Exit;
use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};
use std::path::Path;
use std::time::Duration;

fn report(suites: &[Suite]) -> Report {
    let mut report = Report::new("mlc");
    for s in suites {
        let mut suite = TestSuite::new(s.file.display().to_string());
        for c in &s.cases {
            let mut status = match c.outcome {
                Outcome::Passed => TestCaseStatus::success(),
                Outcome::Failed => TestCaseStatus::non_success(NonSuccessKind::Failure),
                Outcome::Broken => TestCaseStatus::non_success(NonSuccessKind::Error),
            };
            if c.outcome != Outcome::Passed {
                let title = c.text.lines().next().unwrap_or("failed");
                status.set_message(title).set_description(&c.text);
            }
            let mut case = TestCase::new(&c.name, status);
            case.set_time(Duration::from_secs_f64(c.seconds.max(0.0)));
            suite.add_test_case(case);
        }
        for stale in &s.stale {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
            status.set_message(stale);
            suite.add_test_case(TestCase::new("stale golden values", status));
        }
        report.add_test_suite(suite);
    }
    report
}

/// Writes the file, if there is to be one. The exit is the one given, unless writing fails.
pub fn written(file: Option<&Path>, suites: &[Suite], exit: Exit) -> Exit {
    let Some(file) = file else { return exit };
    let result = report(suites)
        .to_string()
        .map_err(|e| e.to_string())
        .and_then(|text| std::fs::write(file, text).map_err(|e| e.to_string()));
    match result {
        Ok(()) => exit,
        Err(e) => {
            complain!("error: cannot write `{}`: {e}", file.display());
            Exit::Environment
        }
    }
}
