//! Applications of one stage to several arguments: first values by their seeds, and what they came to, in the report.

use super::RunError;
use super::engine::Engine;
use super::run::Pipeline;
use super::stage::Position;
use super::store::Version;
use crate::report::Coordinate;
use crate::shuffle::hash_name;
use crate::tensor::HostTensor;
use mlc_compiler::program::{Sink, SlotKind, Source};
use std::rc::Rc;

/// The most logged values that a sweep shows.
const MOST_LOGS: usize = 8;

/// A column of the table of a sweep: its name, and a cell for each application.
type Column = (String, Vec<String>);

impl Pipeline {
    /// The first values of parameters and states where a stage has an argument `seed`: drawn with a seed made of that
    /// and of the run's. Otherwise nothing.
    pub(super) fn seeded(&self, stage: usize) -> Result<Version, RunError> {
        let mut seeded = Version::default();
        let application = self.session.application(stage);
        let Some(seed) = application.and_then(|a| a.seed) else {
            return Ok(seeded);
        };
        let own = seed_tensor(hash_name(&format!("{} {seed}", self.options.seed)));
        for program in &self.inits {
            let draws = program.sources.contains(&Source::Seed);
            let lasts = |sink: &Sink| match sink {
                Sink::Slot(id) => {
                    let kind = &self.session.slots()[id.0 as usize].kind;
                    matches!(kind, SlotKind::Param | SlotKind::State).then_some(*id)
                }
                _ => None,
            };
            if !draws || !program.sinks.iter().any(|s| lasts(s).is_some()) {
                continue;
            }
            let mut engine = Engine::new(program.clone(), &self.options.engine, &self.memo, false)?;
            let mut inputs = self.inputs(&program.sources, &seeded, Position::default())?;
            for (input, source) in inputs.iter_mut().zip(&program.sources) {
                if *source == Source::Seed {
                    *input = own.clone();
                }
            }
            for (sink, t) in program.sinks.iter().zip(engine.run(&inputs)) {
                if let Some(id) = lasts(sink) {
                    seeded.slots.insert(id, Rc::new(t));
                }
            }
        }
        Ok(seeded)
    }

    /// A table and a plot for each stage with arguments that ran more than once.
    pub(super) fn show_sweeps(&mut self) {
        let mut names: Vec<String> = Vec::new();
        for &stage in &self.done {
            if let Some(a) = self.session.application(stage)
                && !names.contains(&a.of)
            {
                names.push(a.of.clone());
            }
        }
        for name in names {
            let of = |&&s: &&usize| self.session.application(s).is_some_and(|a| a.of == name);
            let stages: Vec<usize> = self.done.iter().filter(of).copied().collect();
            let (args, logs) = (self.varied(&stages), self.last_logged(&stages));
            if stages.len() < 2 || args.is_empty() || logs.is_empty() {
                continue;
            }
            let Some(report) = &mut self.report else {
                return;
            };
            let columns: Vec<&Column> = args.iter().chain(&logs).collect();
            let headers: Vec<String> = columns.iter().map(|c| c.0.clone()).collect();
            let row = |i: usize| columns.iter().map(|c| c.1[i].clone()).collect();
            let rows: Vec<Vec<String>> = (0..stages.len()).map(row).collect();
            report.table(&format!("{name}: what it was applied to"), &headers, &rows);
            let axes: Vec<Coordinate> = columns
                .iter()
                .map(|(name, cells)| Coordinate::new(name, cells))
                .collect();
            report.parallel_plot(&format!("{name}: arguments and results"), &axes);
        }
    }

    /// The arguments in which applications differ.
    fn varied(&self, stages: &[usize]) -> Vec<Column> {
        let args = |&s: &usize| self.session.application(s).map(|a| a.args.clone());
        let all: Vec<Vec<(String, String)>> = stages.iter().filter_map(args).collect();
        let n = all.first().map_or(0, Vec::len);
        let column = |i: usize| {
            let cells: Vec<String> = all.iter().map(|a| a[i].1.clone()).collect();
            (all[0][i].0.clone(), cells)
        };
        let differ = |c: &Column| c.1.iter().any(|cell| *cell != c.1[0]);
        (0..n).map(column).filter(differ).collect()
    }

    /// The last entries of the numbers that all applications logged. The plot is coloured by the last of them: what an
    /// `every` block logged comes after what each step did.
    fn last_logged(&self, stages: &[usize]) -> Vec<Column> {
        let last = |stage: usize, name: &str| {
            let logs = self.store.logs(stage).iter().find(|l| l.0 == name)?;
            Some(written(logs.1.last()?.number()?))
        };
        let Some(&first) = stages.first() else {
            return Vec::new();
        };
        let names = self.store.logs(first).iter().map(|l| &l.0);
        let column = |name: &String| {
            let cells: Option<Vec<String>> = stages.iter().map(|&s| last(s, name)).collect();
            Some((name.clone(), cells?))
        };
        names.filter_map(column).take(MOST_LOGS).collect()
    }
}

fn written(x: f64) -> String {
    match x.abs() {
        size if size != 0.0 && !(1e-4..1e6).contains(&size) => format!("{x:.4e}"),
        _ => {
            let text = format!("{x:.6}");
            text.trim_end_matches('0').trim_end_matches('.').to_string()
        }
    }
}

/// `int[2]`: the low and the high half of a seed.
fn seed_tensor(seed: u64) -> Rc<HostTensor> {
    let halves = [seed as u32 as i32, (seed >> 32) as u32 as i32];
    Rc::new(HostTensor::from_i32(&[2], &halves))
}
