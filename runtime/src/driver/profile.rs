//! `mlc profile`: which units a compiled step spends its time in, and when and on which thread they run.

use super::bench::{Effort, Timed, step_of};
use super::engine::Engine;
use super::run::Pipeline;
use super::{Observer, RunError};
use crate::kernels::{Clock, Span, Spent, ticks, watch};
use mlc_compiler::codegen::{Form, UnitFacts};
use std::time::Instant;

/// How many steps are measured.
#[derive(Clone, Copy, Debug)]
pub struct ProfileEffort {
    /// Steps whose medians are taken; none: as many as fit in a second.
    pub steps: Option<usize>,
    /// Steps of which it is told when each unit ran.
    pub traced: usize,
}

/// What one unit took, by medians of steps.
#[derive(Clone, Debug)]
pub struct UnitTime {
    pub facts: UnitFacts,
    /// The loop in whose body it is.
    pub parent: Option<usize>,
    /// Seconds in a step; of a loop, with its body.
    pub seconds: f64,
    /// How often it ran in a step, by average.
    pub runs: f64,
    /// What it computed and moved in a step.
    pub flops: f64,
    pub bytes: f64,
}

/// From when to when something ran, in seconds since the first step that is traced.
#[derive(Clone, Copy, Debug)]
pub struct Interval {
    pub start: f64,
    pub end: f64,
}

/// A step of which it is known when each unit ran.
#[derive(Clone, Debug)]
pub struct TracedStep {
    pub whole: Interval,
    /// By unit: of those in loops the first iterations.
    pub units: Vec<(usize, Interval)>,
    /// Parts of units that several threads shared: the thread, where 0 is the one that runs the program, the unit, and the part.
    pub parts: Vec<(usize, usize, usize, Interval)>,
}

/// What was measured of a stage.
#[derive(Clone, Debug)]
pub struct Profile {
    /// The step as it is always compiled, as `mlc bench` times it.
    pub plain: Timed,
    /// Single steps that were timed: by that code, and as many by code with a clock between its units.
    pub steps: usize,
    /// Their medians, in seconds.
    pub single: f64,
    pub clocked: f64,
    /// What all units took together, in the median step.
    pub together: f64,
    /// By number: those of a loop's body stand before it.
    pub units: Vec<UnitTime>,
    pub traced: Vec<TracedStep>,
}

/// Steps before those that are measured.
const WARM_UP: usize = 3;

/// For timing the step as `mlc bench` does.
const PLAIN: Effort = Effort {
    seconds: 0.3,
    samples: 9,
};

/// Seconds of steps, if their number is not given, and how many they are at least and at most.
const SECONDS: f64 = 1.0;
const STEPS: (usize, usize) = (31, 5000);

impl Pipeline {
    /// Times the units of a stage's step. Stages that it needs are run before. Nothing for a stage that has no step, and where
    /// programs are interpreted.
    ///
    /// # Errors
    /// As [`Pipeline::run_stage`].
    pub fn profile(
        &mut self,
        stage: usize,
        effort: ProfileEffort,
        observer: &mut dyn Observer,
    ) -> Result<Option<Profile>, RunError> {
        let (program, lowering) = self.ready(stage, observer)?;
        let Some(step) = step_of(&program).cloned() else {
            return Ok(None);
        };
        if self.options.engine.interpret {
            return Ok(None);
        }
        let mut engine = self.stage_engine(stage, step.clone(), "step", observer)?;
        let plain = self.timed(stage, &program, &mut engine, PLAIN, lowering, observer)?;
        let wanted = effort.steps.unwrap_or_else(|| {
            let fitting = SECONDS / plain.quantile(0.5).max(1e-9);
            (fitting as usize).clamp(STEPS.0, STEPS.1)
        });
        let mut single = Measuring::new(Clock::new(), 0);
        self.repeated(stage, &program, &mut engine, observer, |step| {
            single.steps(wanted, step)
        })?;
        drop(engine);
        let clock = Clock::new();
        let lifted = self.session.is_applied(stage);
        let (mut engine, facts) = Engine::clocked(step, &self.options.engine, lifted, &clock)?;
        let mut run = Measuring::new(clock, facts.len());
        let traced = self.repeated(stage, &program, &mut engine, observer, |step| {
            run.steps(wanted, step)?;
            (0..effort.traced).map(|_| run.trace(step)).collect()
        })?;
        Ok(Some(run.told(plain, median(single.whole), facts, traced)))
    }
}

/// A step of which it is told when each unit ran, in ticks.
struct Ticks {
    whole: Span,
    units: Vec<Span>,
    parts: Vec<crate::kernels::Part>,
}

/// Steps being measured.
struct Measuring {
    clock: Clock,
    units: usize,
    /// Seconds of each step.
    whole: Vec<f64>,
    /// What each unit took in each step.
    spent: Vec<Vec<Spent>>,
}

impl Measuring {
    fn new(clock: Clock, units: usize) -> Self {
        Self {
            clock,
            units,
            whole: Vec::new(),
            spent: vec![Vec::new(); units],
        }
    }

    /// Some that do not count, and those that do.
    fn steps(
        &mut self,
        wanted: usize,
        step: &mut dyn FnMut() -> Result<(), RunError>,
    ) -> Result<(), RunError> {
        for _ in 0..WARM_UP {
            self.clock.begin(self.units, false);
            step()?;
        }
        (0..wanted.max(1)).try_for_each(|_| self.measure(step))
    }

    fn measure(&mut self, step: &mut dyn FnMut() -> Result<(), RunError>) -> Result<(), RunError> {
        self.clock.begin(self.units, false);
        let start = Instant::now();
        step()?;
        self.whole.push(start.elapsed().as_secs_f64());
        for (all, spent) in self.spent.iter_mut().zip(self.clock.spent()) {
            all.push(*spent);
        }
        Ok(())
    }

    fn trace(&mut self, step: &mut dyn FnMut() -> Result<(), RunError>) -> Result<Ticks, RunError> {
        self.clock.begin(self.units, true);
        watch(true);
        let start = ticks();
        let ended = step();
        let end = ticks();
        let parts = watch(false);
        ended?;
        Ok(Ticks {
            whole: Span {
                unit: 0,
                start,
                end,
            },
            units: self.clock.spans(),
            parts,
        })
    }

    fn told(
        mut self,
        plain: Timed,
        single: f64,
        facts: Vec<UnitFacts>,
        traced: Vec<Ticks>,
    ) -> Profile {
        let tick = self.clock.seconds_per_tick();
        let steps = self.whole.len();
        let mut parent: Vec<Option<usize>> = vec![None; facts.len()];
        for (i, unit) in facts.iter().enumerate() {
            if let Form::Loop { body, .. } = &unit.form {
                body.clone().for_each(|b| parent[b] = Some(i));
            }
        }
        let mut units: Vec<UnitTime> = Vec::new();
        // By unit, the seconds of each step.
        let mut seconds: Vec<Vec<f64>> = Vec::new();
        for (i, facts) in facts.into_iter().enumerate() {
            let own = self.spent[i].iter().map(|s| s.ticks as f64 * tick);
            let mut own: Vec<f64> = own.collect();
            let runs = self.spent[i].iter().map(|s| s.runs as f64).sum::<f64>() / steps as f64;
            let (mut flops, mut bytes) = (facts.cost.flops * runs, facts.cost.bytes * runs);
            if let Form::Loop { body, .. } = &facts.form {
                // The iterations that were made, which may be fewer than all.
                (flops, bytes) = (0.0, 0.0);
                for b in body.clone() {
                    own.iter_mut().zip(&seconds[b]).for_each(|(s, x)| *s += x);
                    flops += units[b].flops;
                    bytes += units[b].bytes;
                }
            }
            units.push(UnitTime {
                parent: parent[i],
                seconds: median(own.clone()),
                runs,
                flops,
                bytes,
                facts,
            });
            seconds.push(own);
        }
        let sums = (0..steps).map(|s| {
            let outermost = (0..units.len()).filter(|&u| units[u].parent.is_none());
            outermost.map(|u| seconds[u][s]).sum()
        });
        Profile {
            plain,
            steps,
            together: median(sums.collect()),
            single,
            clocked: median(std::mem::take(&mut self.whole)),
            traced: intervals(traced, &units, tick),
            units,
        }
    }
}

fn median(mut all: Vec<f64>) -> f64 {
    all.sort_by(f64::total_cmp);
    all.get(all.len() / 2).copied().unwrap_or(0.0)
}

/// Seconds for ticks, and the units that parts are of.
fn intervals(traced: Vec<Ticks>, units: &[UnitTime], tick: f64) -> Vec<TracedStep> {
    let zero = traced.first().map_or(0, |t| t.whole.start);
    let interval = |start: u64, end: u64| Interval {
        start: start.saturating_sub(zero) as f64 * tick,
        end: end.saturating_sub(zero) as f64 * tick,
    };
    let is_leaf = |s: &&Span| !matches!(units[s.unit].facts.form, Form::Loop { .. });
    traced
        .iter()
        .map(|t| {
            // A part belongs to the unit that was running; of iterations that are not told of, to none.
            let running = |at: u64| {
                let leaves = t.units.iter().filter(is_leaf);
                { leaves }
                    .find(|s| s.start <= at && at < s.end)
                    .map(|s| s.unit)
            };
            let parts = t.parts.iter().filter_map(|p| {
                let unit = running(p.start)?;
                Some((p.thread, unit, p.part, interval(p.start, p.end)))
            });
            TracedStep {
                whole: interval(t.whole.start, t.whole.end),
                units: t
                    .units
                    .iter()
                    .map(|s| (s.unit, interval(s.start, s.end)))
                    .collect(),
                parts: parts.collect(),
            }
        })
        .collect()
}
