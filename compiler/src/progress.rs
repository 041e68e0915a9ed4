//! How far a training stage is: its steps, rows and epochs, and the rows of the next batch.
//!
//! The driver moves on by these rules as it runs; lowering counts by them what a stage will log.

use crate::program::{Batching, TrainPlan, Unit};
use std::ops::Range;

/// How far a stage is.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Progress {
    pub steps: usize,
    /// Whole epochs. Without batches, each step is one.
    pub epochs: usize,
    /// Rows that were in a batch. Without batches, each step counts as one.
    pub rows: usize,
    /// Rows of the present epoch that are used up.
    pub offset: usize,
}

impl Progress {
    /// How many of a unit are done.
    pub fn done(&self, unit: Unit) -> usize {
        match unit {
            Unit::Steps => self.steps,
            Unit::Epochs => self.epochs,
            Unit::Rows => self.rows,
        }
    }

    /// A step without batches.
    pub fn step(&mut self) {
        self.steps += 1;
        self.epochs += 1;
        self.rows += 1;
    }

    /// A step on a batch.
    pub fn batch(&mut self, rows: usize) {
        self.steps += 1;
        self.rows += rows;
        self.offset += rows;
    }
}

impl Batching {
    /// The places, in the order of the epoch, of the rows of the next batch: `size` of them, or what is left.
    pub fn next(&self, at: &Progress, size: usize) -> Range<usize> {
        at.offset..(at.offset + size).min(self.rows)
    }

    /// Ends the epoch if it has no further batch: nothing is left of it, or less than a batch that may not be smaller.
    pub fn turn(&self, at: &mut Progress, size: usize) -> bool {
        let left = self.rows - at.offset;
        let over = at.offset > 0 && (left == 0 || (self.drop_last && left < size));
        if over {
            at.epochs += 1;
            at.offset = 0;
        }
        over
    }
}

impl TrainPlan {
    /// The rows that an epoch's batches hold, and their number, while the size of a batch stays.
    fn epoch(&self) -> (usize, usize) {
        match &self.batching {
            None => (1, 1),
            Some(b) if b.drop_last => {
                let steps = (b.rows / b.size).max(1);
                ((steps * b.size).min(b.rows), steps)
            }
            Some(b) => (b.rows, b.rows.div_ceil(b.size)),
        }
    }

    /// Steps in the whole run. Where the size of a batch changes: as many as there would be if it stayed as at first.
    pub fn total_steps(&self) -> usize {
        let (rows, steps) = self.epoch();
        match self.unit {
            Unit::Steps => self.count,
            Unit::Epochs => self.count * steps,
            Unit::Rows => {
                let size = self.batching.as_ref().map_or(1, |b| b.size);
                self.count / rows * steps + (self.count % rows).div_ceil(size)
            }
        }
    }

    /// How many steps may follow one another until something else is due: a block, the end of an epoch, or that of the stage.
    /// Batches are of `rows` rows. At least one.
    pub fn steps_in_a_row(&self, at: &Progress, rows: usize) -> usize {
        // The size of the next batch is asked for after each step.
        if self.size.is_some() {
            return 1;
        }
        let size = self.batching.as_ref().map_or(1, |_| rows.max(1));
        let steps = |unit: Unit, left: usize| match unit {
            Unit::Steps => left,
            Unit::Rows => left.div_ceil(size),
            // Epochs of batches end where these do.
            Unit::Epochs => self.batching.as_ref().map_or(left, |_| usize::MAX),
        };
        let blocks = self.every.iter();
        let blocks = blocks.map(|e| steps(e.unit, e.count - at.done(e.unit) % e.count));
        let end = steps(self.unit, self.count.saturating_sub(at.done(self.unit)));
        let epoch = self.batching.as_ref().map(|b| (b.rows - at.offset) / size);
        blocks.chain([end]).chain(epoch).min().unwrap_or(1).max(1)
    }

    /// How often something is done in the whole run that is done once each `count` units. Of a step that ends several, it
    /// is done once after it.
    pub fn entries(&self, count: usize, unit: Unit) -> usize {
        let total = self.total_steps();
        let (_, steps) = self.epoch();
        match unit {
            Unit::Steps => total / count,
            Unit::Epochs => total / steps / count,
            Unit::Rows => {
                let (mut at, mut found) = (Progress::default(), 0);
                while at.steps < total {
                    let before = at.rows / count;
                    match &self.batching {
                        None => at.step(),
                        Some(b) => {
                            at.batch(b.next(&at, b.size).len());
                            b.turn(&mut at, b.size);
                        }
                    }
                    found += usize::from(at.rows / count > before);
                }
                found
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::Graph;
    use crate::program::{Every, Program};

    fn program() -> Program {
        Program {
            name: String::new(),
            graph: Graph::new(),
            sources: vec![],
            sinks: vec![],
        }
    }

    fn plan(batching: Option<Batching>, count: usize, unit: Unit) -> TrainPlan {
        TrainPlan {
            batching,
            count,
            unit,
            step: program(),
            start: None,
            keep: None,
            remainder: None,
            size: None,
            every: vec![],
            skip: None,
            verdict: None,
        }
    }

    fn every(count: usize, unit: Unit) -> Every {
        Every {
            count,
            unit,
            program: program(),
            checkpoint: false,
            shown: vec![],
        }
    }

    /// Nothing is ever due between two steps that follow one another, and something is after the last of them.
    #[test]
    fn steps_follow_one_another_until_something_is_due() {
        let units = [Unit::Steps, Unit::Epochs, Unit::Rows];
        let batching = |rows, size, drop_last| Batching {
            rows,
            size,
            shuffle: true,
            drop_last,
        };
        let sources = [
            None,
            Some((10, 4, false)),
            Some((10, 4, true)),
            Some((8, 4, false)),
            Some((3, 4, true)),
        ];
        for (source, unit, block, count) in sources
            .iter()
            .flat_map(|s| units.iter().map(move |u| (s, *u)))
            .flat_map(|(s, u)| units.iter().map(move |b| (s, u, *b)))
            .flat_map(|(s, u, b)| [1, 3, 7].map(|n| (s, u, b, n)))
        {
            let b = source.map(|(rows, size, drop)| batching(rows, size, drop));
            let mut plan = plan(b.clone(), 20, unit);
            plan.every = vec![every(count, block), every(5, Unit::Steps)];
            let mut at = Progress::default();
            while at.done(unit) < plan.count {
                let rows = b.as_ref().map_or(0, |b| b.next(&at, b.size).len());
                let most = plan.steps_in_a_row(&at, rows);
                for i in 1..=most {
                    let before = at;
                    match &b {
                        None => at.step(),
                        Some(b) => {
                            assert_eq!(b.next(&at, b.size).len(), rows);
                            at.batch(rows);
                        }
                    }
                    let turned = b.as_ref().is_some_and(|b| b.turn(&mut at, b.size));
                    let ran = plan
                        .every
                        .iter()
                        .any(|e| at.done(e.unit) / e.count != before.done(e.unit) / e.count);
                    let next = b.as_ref().map_or(0, |b| b.next(&at, b.size).len());
                    let due = turned || ran || next != rows || at.done(unit) >= plan.count;
                    assert_eq!(
                        due,
                        i == most,
                        "{source:?} {unit:?} {block:?} {count} {at:?}"
                    );
                }
            }
        }
    }
}
