//! Verdicts: whether what stages leave may be used.

use super::keep::Told;
use super::run::Pipeline;
use super::stage::{Halt, Position, Values};
use super::store::Version;
use super::{Event, Observer, RunError};
use mlc_compiler::program::Program;
use mlc_compiler::progress::Progress;

/// What a verdict is in words.
#[must_use]
pub fn words(good: bool) -> &'static str {
    if good { "good" } else { "do not use" }
}

impl Pipeline {
    /// Stages whose verdict is that what they leave should not be used, in the order in which they ran.
    #[must_use]
    pub fn unfit(&self) -> &[String] {
        &self.unfit
    }

    /// Runs the verdicts of a training stage on what it leaves. What they are by may be no number.
    pub(super) fn judge(
        &mut self,
        stage: usize,
        program: &Program,
        version: &Version,
        end: &Progress,
        observer: &mut dyn Observer,
    ) -> Result<(), RunError> {
        let label = program.name.clone();
        let mut engine = self.stage_engine(stage, program.clone(), &label, observer)?;
        let at = Position {
            step: end.steps,
            rows: None,
            any: true,
            ..Position::default()
        };
        match self.advance(&mut engine, &mut version.clone(), at) {
            Ok(outcome) => self.tell_verdict(stage, end, outcome.values, outcome.good, observer),
            Err(Halt::Error(e)) => Err(e),
            Err(Halt::NotANumber(w)) => Err(RunError::Environment(format!(
                "internal error: `{}` may be anything",
                w.name
            ))),
        }
    }

    /// Logs values, then the verdict that came with them.
    pub(super) fn tell_verdict(
        &mut self,
        stage: usize,
        at: &Progress,
        values: Values,
        good: Option<bool>,
        observer: &mut dyn Observer,
    ) -> Result<(), RunError> {
        let now = (at.steps, at.epochs);
        self.tell(stage, Told::Block, now, values, observer)?;
        if let Some(good) = good {
            self.note_verdict(good);
            self.pronounce(stage, good, observer);
        }
        Ok(())
    }

    /// Tells a verdict.
    pub(super) fn pronounce(&mut self, stage: usize, good: bool, observer: &mut dyn Observer) {
        let name = self.session.stages()[stage].name.clone();
        observer.event(&Event::Verdict { stage: &name, good });
        if let Some(report) = &mut self.report {
            report.text(&format!("The verdict of {name}: {}.", words(good)));
        }
        if !good {
            self.unfit.push(name);
        }
    }
}
