//! Reductions: what they come to so far is in a register beside those of values, from the last, or in memory.

use super::super::assemble::{self as a, Lanes, Last, Width};
use super::super::program::{At, Binary, Fold, Leaves, Op, Program};
use super::{Loops, REST, VECTORS, WIDTH, Writer};

/// Folds that fit beside the values.
pub const MOST: usize = 20;

/// Of these, those up to which the folds of columns are held in registers as well.
const MOST_HELD: usize = 12;

/// Which folds stay in registers: those of columns do where a row is one vector.
pub fn held(folds: &[Fold], loops: Loops) -> Vec<bool> {
    let few = folds.len() <= MOST_HELD && loops.short();
    let held = |f: &Fold| f.leaves != Leaves::Column || few;
    folds.iter().map(held).collect()
}

impl Writer<'_> {
    /// What is done about folds before all rows.
    pub(super) fn start_folds(&mut self) {
        for (i, f) in self.folds.iter().enumerate() {
            match f.leaves {
                Leaves::Row => {}
                Leaves::Column | Leaves::MoreLanes => self.resume(i),
                Leaves::Whole | Leaves::Lanes => self.start(i),
            }
        }
    }

    /// And behind them.
    pub(super) fn end_folds(&mut self) {
        for (i, f) in self.folds.iter().enumerate() {
            match f.leaves {
                Leaves::Row => {}
                Leaves::Column | Leaves::Lanes | Leaves::MoreLanes => self.suspend(i),
                Leaves::Whole => self.end(i, At::Whole),
            }
        }
    }

    /// The reductions of a section that leave one element for each row.
    pub(super) fn row_folds(&self, p: &Program) -> Vec<usize> {
        let of_rows = |op: &Op| match op {
            Op::Fold { fold, .. } => Some(*fold).filter(|f| self.folds[*f].leaves == Leaves::Row),
            _ => None,
        };
        p.ops.iter().filter_map(of_rows).collect()
    }

    pub(super) fn accumulator(&self, fold: usize) -> u8 {
        let before = self.held[..fold].iter().filter(|h| **h);
        VECTORS - 1 - before.count() as u8
    }

    pub(super) fn start(&mut self, fold: usize) {
        let Fold { start, .. } = self.folds[fold];
        let own = self.width_of(fold);
        let width = std::mem::replace(&mut self.width, own);
        self.word(self.accumulator(fold), start);
        self.width = width;
    }

    /// How wide a fold's register is: of what is left as sixteen lanes, all of these.
    pub(super) fn width_of(&self, fold: usize) -> Width {
        match self.folds[fold].leaves {
            Leaves::Lanes | Leaves::MoreLanes => Width::W512,
            _ => self.width,
        }
    }

    /// Goes on from what is stored.
    fn resume(&mut self, fold: usize) {
        if self.held[fold] {
            let (from, lanes) = self.stored(fold, true);
            let (w, to) = (self.width_of(fold), self.accumulator(fold));
            self.a.vector(a::LOADPS, w, to, 0, from, lanes, None);
        }
    }

    fn suspend(&mut self, fold: usize) {
        if self.held[fold] {
            let (to, lanes) = self.stored(fold, false);
            let (w, x) = (self.width_of(fold), self.accumulator(fold));
            self.a.vector(a::STOREPS, w, x, 0, to, lanes, None);
        }
    }

    /// Where the lanes of a fold are stored, and which of them: of columns, those that there are.
    fn stored(&mut self, fold: usize, zero: bool) -> (Last, Lanes) {
        let Fold { leaves, slot, .. } = self.folds[fold];
        let some = leaves == Leaves::Column && !self.loops.columns.is_multiple_of(WIDTH);
        let mask = if some { REST } else { 0 };
        let zero = zero && some;
        let place = self.slot(slot, At::Whole, 4);
        (Last::Memory(place), Lanes { mask, zero })
    }

    /// Folds sixteen lanes into one, halves onto halves, and stores it.
    pub(super) fn end(&mut self, fold: usize, place: At) {
        let f = self.folds[fold];
        let x = self.accumulator(fold);
        // Between bodies, registers for values are free.
        let y = 0;
        let last = |r| Last::Register(r);
        let all = Lanes::default();
        // What a narrow vector does not have is what the fold starts from, which changes nothing.
        if self.width == Width::W512 {
            self.a
                .vector(a::EXTRACT256, Width::W512, x, 0, last(y), all, Some(1));
            self.fold_into(f.with, Width::W256, x, y);
        }
        if self.width != Width::W128 {
            self.a
                .vector(a::EXTRACT128, Width::W256, x, 0, last(y), all, Some(1));
            self.fold_into(f.with, Width::W128, x, y);
        }
        // The third and fourth, then the second.
        self.a
            .vector(a::PERMILPS, Width::W128, y, 0, last(x), all, Some(0b1110));
        self.fold_into(f.with, Width::W128, x, y);
        self.a
            .vector(a::MOVSHDUP, Width::W128, y, 0, last(x), all, None);
        self.fold_into(f.with, Width::W128, x, y);
        let to = self.slot(f.slot, place, 4);
        self.a
            .vector(a::STORESS, Width::W128, x, 0, Last::Memory(to), all, None);
    }

    /// `x = f(x, y)`, both vectors; `y` is lost.
    pub(super) fn fold_into(&mut self, f: Binary, width: Width, x: u8, y: u8) {
        self.apply(f, width, x, x, Last::Register(y), Lanes::default());
    }
}
