//! `mlc variance`: how noisy each valid strategy makes a stage's gradient, and what it costs.
//!
//! At the first values of the parameters and the first batch, the gradient is drawn again and again, one site's strategy
//! changed at a time, the others as they are written.

use super::engine::Engine;
use super::run::Pipeline;
use super::stage::Position;
use super::steps::Steps;
use super::{Event, Observer, RunError};
use crate::tensor::HostTensor;
use mlc_compiler::ir::{Attr, Graph, Value, print};
use mlc_compiler::lower::{Failure, GRADIENT, SiteExplained};
use mlc_compiler::program::{Program, Sink, StageProgram, TrainPlan};
use mlc_compiler::progress::Progress;
use mlc_compiler::transform::optimise;
use std::time::Instant;

/// One strategy at one site.
#[derive(Clone, Debug)]
pub struct Measured {
    pub site: String,
    /// `file:line:column`
    pub place: String,
    pub strategy: String,
    /// Is it the one that the site has?
    pub written: bool,
    /// The sum of the variances of the gradient's entries.
    pub variance: f64,
    /// Of one gradient.
    pub seconds: f64,
    /// Elements computed for one gradient, by the compiler's count.
    pub work: f64,
    /// Why it was not measured: the title of the error.
    pub refused: Option<String>,
}

/// At least so many gradients are drawn, however long they take.
const LEAST: usize = 32;

/// Gradients that a choice is made by.
const DRAWS: usize = 256;

impl Pipeline {
    /// Measures a training stage. Stages that it needs are run.
    ///
    /// # Errors
    /// As [`Pipeline::run_stage`]; a stage of another kind has no gradient and gives no rows.
    pub fn variances(
        &mut self,
        stage: usize,
        draws: usize,
        longest: f64,
        observer: &mut dyn Observer,
    ) -> Result<Vec<Measured>, RunError> {
        let rows = self.all_variances(stage, draws, longest, observer);
        self.session.keep_explanations(false);
        self.session.set_strategies(vec![]);
        rows
    }

    /// The estimators of the sites of a stage that leave the choice to measuring, by place: the least product of variance and
    /// work. The work is counted and not timed, so that a run is the same each time.
    pub(super) fn choose(
        &mut self,
        stage: usize,
        places: &[String],
        observer: &mut dyn Observer,
    ) -> Result<Vec<(String, String)>, RunError> {
        let rows = self.variances(stage, DRAWS, f64::INFINITY, observer)?;
        let name = self.session.stages()[stage].name.clone();
        let mut chosen = vec![];
        for place in places {
            let cost = |r: &Measured| r.variance * r.work;
            let best = rows
                .iter()
                .filter(|r| r.place == *place && cost(r).is_finite())
                .min_by(|a, b| cost(a).total_cmp(&cost(b)));
            if let Some(best) = best {
                observer.event(&Event::Chosen {
                    stage: &name,
                    site: &best.site,
                    place,
                    estimator: &best.strategy,
                    variance: best.variance,
                });
                chosen.push((place.clone(), best.strategy.clone()));
            }
        }
        Ok(chosen)
    }

    fn all_variances(
        &mut self,
        stage: usize,
        draws: usize,
        longest: f64,
        observer: &mut dyn Observer,
    ) -> Result<Vec<Measured>, RunError> {
        for need in self.session.stages()[stage].needs.clone() {
            self.run_stage(need, observer)?;
        }
        for need in self.session.stages()[stage].after.clone() {
            self.run_stage(need, observer)?;
        }
        self.session.keep_explanations(true);
        self.session.set_strategies(vec![]);
        if self.gradient_plan(stage, observer)?.is_none() {
            return Ok(vec![]);
        }
        let mut sites: Vec<SiteExplained> = vec![];
        for s in self.session.take_explanations() {
            if !sites.iter().any(|known| known.place == s.place) {
                sites.push(s);
            }
        }
        let mut rows = vec![];
        for s in sites {
            let (place, site, written, valid) = (s.place, s.site, s.estimator, s.valid);
            let mut strategies = vec![(written.clone(), None)];
            strategies.extend(
                valid
                    .into_iter()
                    .filter(|v| *v != written)
                    .map(|v| (v.clone(), Some(v))),
            );
            for (strategy, other) in strategies {
                let set = other.iter().map(|o| (place.clone(), o.clone()));
                self.session.set_strategies(set.collect());
                let mut row = Measured {
                    site: site.clone(),
                    place: place.clone(),
                    strategy,
                    written: other.is_none(),
                    variance: f64::NAN,
                    seconds: f64::NAN,
                    work: f64::NAN,
                    refused: None,
                };
                match self.measure(stage, draws, longest, observer) {
                    Ok(found) => (row.variance, row.seconds, row.work) = found,
                    Err(RunError::Pipeline(Failure { reports, .. })) => {
                        row.refused = reports.first().map(|r| r.title.clone());
                    }
                    Err(e) => return Err(e),
                }
                rows.push(row);
            }
        }
        Ok(rows)
    }

    /// The stage as lowered now, if it is one that trains.
    fn gradient_plan(
        &mut self,
        stage: usize,
        observer: &mut dyn Observer,
    ) -> Result<Option<TrainPlan>, RunError> {
        let (program, _) = self.lower(stage, observer)?;
        self.run_inits(observer)?;
        Ok(match program {
            StageProgram::Train(plan) => Some(*plan),
            _ => None,
        })
    }

    /// The gradient's total variance, and the seconds that one takes.
    fn measure(
        &mut self,
        stage: usize,
        draws: usize,
        longest: f64,
        observer: &mut dyn Observer,
    ) -> Result<(f64, f64, f64), RunError> {
        let Some(plan) = self.gradient_plan(stage, observer)? else {
            return Ok((f64::NAN, f64::NAN, f64::NAN));
        };
        let mut version = self.version_before(stage)?;
        self.start_states(stage, &plan, &mut version, observer)?;
        let batch = Steps::new(self, stage, &plan, observer)?.batch(
            self,
            &plan,
            &version,
            &Progress::default(),
        )?;
        let program = gradients_only(&plan.step);
        let work = work(&optimise(program.graph.clone(), &[]));
        let mut engine = Engine::new(program, &self.options.engine, &self.memo, false)?;
        let (mut first, mut sum, mut squares, mut n) = (vec![], vec![], vec![], 0);
        let mut spent = 0.0;
        while n < draws.max(2) && (n < LEAST || spent < longest) {
            let at = Position {
                step: n,
                rows: batch.as_ref(),
                any: true,
                ..Position::default()
            };
            let inputs = self.inputs(&engine.program.sources, &version, at)?;
            let start = Instant::now();
            let outputs = engine.run(&inputs);
            // The first run finds cold caches.
            if n > 0 {
                spent += start.elapsed().as_secs_f64();
            }
            let values: Vec<f64> = outputs.iter().flat_map(HostTensor::to_f64_vec).collect();
            // Differences from the first draw, so that squares do not cancel.
            if n == 0 {
                (sum, squares) = (vec![0.0; values.len()], vec![0.0; values.len()]);
                first.clone_from(&values);
            }
            for (i, v) in values.iter().enumerate() {
                let d = v - first[i];
                sum[i] += d;
                squares[i] += d * d;
            }
            for (output, t) in outputs.into_iter().enumerate() {
                engine.recycle(output, t);
            }
            n += 1;
        }
        let count = n as f64;
        let variance = sum
            .iter()
            .zip(&squares)
            .map(|(s, q): (&f64, &f64)| (q - s * s / count) / (count - 1.0))
            .sum();
        Ok((variance, spent / (count - 1.0), work))
    }
}

/// Elements that a graph computes.
fn work(g: &Graph) -> f64 {
    let of = |v: &Value| match &g.node(*v).attr {
        Attr::Loop(l) => l.count as f64 * work(&l.body),
        // A product computes a sum for each element.
        Attr::Contract(c) => {
            let summed = c.summed(&g.ty(g.operands(*v)[0]).shape);
            (g.ty(*v).len() * summed.max(1)) as f64
        }
        _ => g.ty(*v).len() as f64,
    };
    print::live(g).iter().map(of).sum()
}

/// A step's gradients, and nothing else that it does.
fn gradients_only(step: &Program) -> Program {
    let mut program = step.clone();
    let wanted: Vec<usize> = (0..step.sinks.len())
        .filter(|&i| matches!(&step.sinks[i], Sink::Value(n) if n.starts_with(GRADIENT)))
        .collect();
    program.sinks = wanted.iter().map(|&i| step.sinks[i].clone()).collect();
    program.graph.outputs = wanted
        .iter()
        .map(|&i| step.graph.outputs[i].clone())
        .collect();
    program
}
