//! Sixteen rows abreast: each phase is done for all of them before the next, so that what is of one element a row is computed
//! once for all, a row in each lane, and their reductions are folded together.

use super::super::assemble::{
    Code, INSERT128, INSERT256, LOADPS, Last, SHUFFLE128, SHUFPS, STOREPS,
};
use super::super::program::{At, Fold, Leaves, Program, Section};
use super::{Condition, Label, Lanes, Memory, Width};
use super::{R9, R10, R11, R15, RAX, RCX, RDX, RSI, RSP, SPILL, WIDTH, Writer, at};

/// Rows that are worked on abreast.
pub const ROWS: usize = WIDTH;

/// Of two vectors, side by side: the first and third quarters of each, or the second and fourth.
const EVEN_QUARTERS: u8 = 0x88;
const ODD_QUARTERS: u8 = 0xdd;
/// Of two quarters: the first two words of each, or the last two.
const FIRST_WORDS: u8 = 0x44;
const LAST_WORDS: u8 = 0xee;
/// The first and third words of each, or the second and fourth.
const EVEN_WORDS: u8 = 0x88;
const ODD_WORDS: u8 = 0xdd;

/// Places on the stack for the vectors of sixteen rows that wait to be folded, one reduction after another.
pub fn waiting(folds: &[Fold], abreast: bool) -> u32 {
    if abreast { before(folds) } else { 0 }
}

fn before(folds: &[Fold]) -> u32 {
    let of_rows = folds.iter().filter(|f| f.leaves == Leaves::Row);
    (of_rows.count() * ROWS) as u32
}

impl<'p> Writer<'p> {
    /// The rows, as long as sixteen are left.
    pub(super) fn rows_abreast(&mut self) {
        let (again, over) = (self.a.label(), self.a.label());
        self.rows_left(ROWS, over, Condition::Less);
        self.a.bind(again);
        for section in self.sections {
            self.section_abreast(section);
        }
        self.a.add(RSI, ROWS as i32);
        self.rows_left(ROWS, again, Condition::GreaterOrEqual);
        self.a.bind(over);
    }

    /// Jumps on how many rows are left.
    pub(super) fn rows_left(&mut self, rows: usize, to: Label, condition: Condition) {
        self.a.copy(RAX, RDX);
        self.a.subtract(RAX, RSI);
        self.a.compare_constant(RAX, rows as i32);
        self.a.jump_if(condition, to);
    }

    fn section_abreast(&mut self, section: &'p Section) {
        if !section.row.ops.is_empty() {
            let width = std::mem::replace(&mut self.width, Width::W512);
            self.row_a_lane = true;
            self.body(&section.row, false);
            self.row_a_lane = false;
            self.width = width;
        }
        if section.columns.ops.is_empty() {
            return;
        }
        let folds = self.row_folds(&section.columns);
        self.a.multiply(R9, RSI, self.loops.columns as i32);
        self.a.constant(RAX, 0);
        self.a.copy(R11, RAX);
        self.a.copy(R15, RAX);
        let again = self.a.label();
        self.a.bind(again);
        folds.iter().for_each(|f| self.start(*f));
        self.whole_row(&section.columns);
        folds.iter().for_each(|f| self.wait(*f));
        self.a.add(RSI, 1);
        self.a.add(R15, SPILL as i32);
        self.a.compare_constant(R15, (ROWS as u32 * SPILL) as i32);
        self.a.jump_if(Condition::Less, again);
        self.a.add(RSI, -(ROWS as i32));
        folds.iter().for_each(|f| self.end_abreast(*f));
    }

    /// All columns of a row; places go on to the next row's.
    fn whole_row(&mut self, p: &'p Program) {
        let columns = self.loops.columns;
        let rest = columns % WIDTH;
        let looped = if self.loops.short() {
            0
        } else {
            columns - rest
        };
        if looped > 0 {
            self.a.copy(R10, RCX);
            let again = self.a.label();
            self.a.bind(again);
            self.body(p, false);
            for r in [R9, R10, R11] {
                self.a.add(r, WIDTH as i32);
            }
            self.a.compare_constant(R10, looped as i32);
            self.a.jump_if(Condition::Less, again);
        }
        if columns > looped {
            self.body(p, rest > 0);
            for r in [R9, R11] {
                self.a.add(r, (columns - looped) as i32);
            }
        }
    }

    /// Where the vector of a row waits to be folded, in bytes behind that of the first of the sixteen; or, if it is `this`, that of the
    /// row that is worked on.
    fn waits(&self, fold: usize, this: bool, offset: u32) -> Memory {
        let offset = before(&self.folds[..fold]) * SPILL + offset;
        at(RSP, this.then_some((R15, 0)), offset as i32)
    }

    fn wait(&mut self, fold: usize) {
        let to = Last::Memory(self.waits(fold, true, 0));
        let x = self.accumulator(fold);
        self.a.all(STOREPS, self.width, x, 0, to);
    }

    /// Folds the vectors of sixteen rows, each halves onto halves as `end` does, and stores what they come to: a row in each lane.
    /// Two vectors are folded at once, and what they come to is one; then two of these, and so on.
    fn end_abreast(&mut self, fold: usize) {
        // The words of a quarter of the result come from four vectors: row `4 i + j` is in quarter `i` of vector `j`.
        self.two_quarters(fold, [0, 1], 0);
        self.two_quarters(fold, [2, 3], 1);
        self.fold_two(fold, SHUFPS, [EVEN_WORDS, ODD_WORDS], 0);
        let to = Last::Memory(self.slot(self.folds[fold].slot, At::Row, 4));
        self.a.all(STOREPS, Width::W512, 0, 0, to);
    }

    fn two_quarters(&mut self, fold: usize, which: [u32; 2], to: u8) {
        self.quarters(fold, which[0], to);
        self.quarters(fold, which[1], to + 1);
        self.fold_two(fold, SHUFPS, [FIRST_WORDS, LAST_WORDS], to);
    }

    /// Four rows, a quarter of the vector for each.
    fn quarters(&mut self, fold: usize, which: u32, to: u8) {
        let rows = [0, 4, 8, 12].map(|r| r + which);
        if self.width == Width::W128 {
            for (i, r) in rows.into_iter().enumerate() {
                self.piece(fold, r * SPILL, Width::W128, to, i as u8);
            }
            return;
        }
        self.halves(fold, [rows[0], rows[1]], to);
        self.halves(fold, [rows[2], rows[3]], to + 1);
        self.fold_two(fold, SHUFFLE128, [EVEN_QUARTERS, ODD_QUARTERS], to);
    }

    /// Two rows, half of the vector for each.
    fn halves(&mut self, fold: usize, rows: [u32; 2], to: u8) {
        self.side_by_side(fold, rows, 0, to);
        if self.width == Width::W512 {
            self.side_by_side(fold, rows, SPILL / 2, to + 1);
            self.fold_into(self.folds[fold].with, Width::W512, to, to + 1);
        }
    }

    /// The first or last halves of two vectors that wait.
    fn side_by_side(&mut self, fold: usize, rows: [u32; 2], offset: u32, to: u8) {
        for (i, r) in rows.into_iter().enumerate() {
            self.piece(fold, r * SPILL + offset, Width::W256, to, i as u8);
        }
    }

    /// Reads a part of a vector that waits; the first one clears the register.
    fn piece(&mut self, fold: usize, offset: u32, width: Width, to: u8, which: u8) {
        let from = Last::Memory(self.waits(fold, false, offset));
        let insert = match width {
            _ if which == 0 => return self.a.all(LOADPS, width, to, 0, from),
            Width::W128 => INSERT128,
            _ => INSERT256,
        };
        let (all, w) = (Lanes::default(), Width::W512);
        self.a.vector(insert, w, to, to, from, all, Some(which));
    }

    /// Folds what one shuffle takes of two vectors, `to` and the one behind it, with what the other takes.
    fn fold_two(&mut self, fold: usize, shuffle: Code, [low, high]: [u8; 2], to: u8) {
        let (x, y) = (to, to + 1);
        for (result, which) in [(to + 2, high), (to, low)] {
            let (all, last) = (Lanes::default(), Last::Register(y));
            let w = Width::W512;
            self.a.vector(shuffle, w, result, x, last, all, Some(which));
        }
        self.fold_into(self.folds[fold].with, Width::W512, to, to + 2);
    }
}
