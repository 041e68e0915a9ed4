//! What stages show in the report.

use super::engine::Engine;
use super::run::Pipeline;
use super::stage::{Halt, Position, Values};
use super::store::Version;
use super::{Observer, RunError};
use crate::report::Series;
use mlc_compiler::program::{ReportItem, Sink, Source};

impl Pipeline {
    /// A line plot of everything scalar that a training stage logged.
    pub(super) fn plot_logs(&mut self, stage: usize, name: &str) {
        let Some(report) = &mut self.report else {
            return;
        };
        for (log, entries) in self.store.logs(stage) {
            let numbers: Option<Vec<f64>> = entries.iter().map(|e| e.number()).collect();
            let Some(numbers) = numbers.filter(|n| n.len() >= 2) else {
                continue;
            };
            let at = |(i, &x): (usize, &f64)| ((i + 1) as f64, x);
            let series = vec![Series {
                name: log.clone(),
                points: numbers.iter().enumerate().map(at).collect(),
            }];
            report.line_plot(&format!("{name}: {log}"), "entry", log, series);
        }
    }

    /// Shows an item of a `report` stage: the `nth`.
    pub(super) fn show(
        &mut self,
        item: &ReportItem,
        nth: usize,
        stage: &str,
        version: &Version,
        observer: &mut dyn Observer,
    ) -> Result<(), RunError> {
        let mut engine = self.engine(item.program.clone(), stage, observer)?;
        let at = self.after_failures(&engine);
        let values = match self.advance(&mut engine, &mut version.clone(), at) {
            Ok(outcome) => outcome.values,
            Err(Halt::NotANumber(wrong)) => {
                return Err(self.met(stage, 0, wrong, &engine.program, version, at));
            }
            Err(Halt::Error(e)) => return Err(e),
        };
        self.note_shown(0, nth, 0, &values);
        self.show_values(item, &item.title, &values)
    }

    /// Where a program runs that reads results of stages once: those of one that failed are values like others.
    pub(super) fn after_failures(&self, engine: &Engine) -> Position<'static> {
        let reads = |s: &Source| match s {
            Source::StageSlot(stage, _) | Source::StageLog(stage, _) => self.failed.contains(stage),
            _ => false,
        };
        // What a verdict is by may be anything: then it does not hold.
        let judged = engine.program.sinks.contains(&Sink::Verdict);
        Position {
            any: judged || engine.program.sources.iter().any(reads),
            ..Position::default()
        }
    }

    /// Adds values to the report.
    pub(super) fn show_values(
        &mut self,
        item: &ReportItem,
        title: &str,
        values: &Values,
    ) -> Result<(), RunError> {
        let Some(report) = &mut self.report else {
            return Ok(());
        };
        match item.kind.as_str() {
            "image" => {
                for (_, t) in values {
                    report
                        .images(title, t, item.columns)
                        .map_err(|e| RunError::Environment(e.to_string()))?;
                }
            }
            "plot" => {
                let x = values.iter().find(|v| v.0 == "x").map(|v| v.1.to_f64_vec());
                let series = values
                    .iter()
                    .filter(|v| v.0 != "x")
                    .map(|(n, t)| {
                        let ys = t.to_f64_vec();
                        let at = |i: usize| {
                            x.as_ref()
                                .and_then(|x| x.get(i))
                                .copied()
                                .unwrap_or((i + 1) as f64)
                        };
                        Series {
                            name: n.clone(),
                            points: ys.iter().enumerate().map(|(i, &y)| (at(i), y)).collect(),
                        }
                    })
                    .collect();
                report.line_plot(title, "", "", series);
            }
            "histogram" => {
                let values = values.iter().map(|(n, t)| (n.clone(), t.to_f64_vec()));
                report.histogram(title, values.collect());
            }
            "table" => {
                let headers: Vec<String> = values.iter().map(|v| v.0.clone()).collect();
                let columns: Vec<Vec<f64>> = values.iter().map(|v| v.1.to_f64_vec()).collect();
                let n = columns.iter().map(Vec::len).max().unwrap_or(0);
                let rows: Vec<Vec<String>> = (0..n)
                    .map(|i| {
                        columns
                            .iter()
                            .map(|c| c.get(i).map_or(String::new(), ToString::to_string))
                            .collect()
                    })
                    .collect();
                report.table(title, &headers, &rows);
            }
            _ => {
                report.text(&item.text);
            }
        }
        Ok(())
    }
}
