//! From a vector program to machine code: the loops over rows and columns, registers for its values, its instructions.
//!
//! The function made is `(places, first row, end of rows, first column, end of columns)`, in the calling convention of System
//! V: `places` is a table of addresses, by slot. Columns are taken sixteen at a time from the first; what is left at the end
//! of a row is done once more under a mask, so that nothing beside it is read or written.

//!
//! - `registers`: where values are. `operations`: the instructions of each operation.
//! - `folds`: reductions, from where they start to where they are stored.
//! - `abreast`, `packed`: loops over several rows at once.

mod abreast;
mod folds;
mod operations;
mod packed;
mod registers;

use super::assemble::{
    Assembler, Condition, General, Label, Lanes, Memory, R8, R9, R10, R11, R15, RAX, RBP, RBX, RCX,
    RDI, RDX, RSI, RSP, Width,
};
use super::program::{At, Fold, Op, Program, Section};
use registers::Registers;

pub use abreast::ROWS as ROWS_ABREAST;
pub use folds::MOST as MOST_FOLDS;

/// Elements of a vector.
pub const WIDTH: usize = 16;

/// Registers of values, from the first, and of folds, from the last.
const VECTORS: u8 = 32;

/// Masks that values do not have: for what needs one in passing, and that of the end of a row.
const PASSING: u8 = 6;
const REST: u8 = 7;

/// Registers that hold addresses of slots for the whole function. Of rows abreast, the last one has another use.
const HOLDERS: [General; 5] = [RBX, General(12), General(13), General(14), R15];

/// What is known of the loops when they are written.
#[derive(Clone, Copy, Debug)]
pub struct Loops {
    /// Columns of a whole row. A range of columns ends there, or at a multiple of sixteen from its first.
    pub columns: usize,
    /// Stores that are at the element's own place go past the caches.
    pub streams: bool,
    /// There is one row, the whole of each buffer: behind it there is room.
    pub single: bool,
    /// Rows are worked on sixteen at a time, phase by phase; ranges are of whole rows.
    pub abreast: bool,
    /// Rows in a vector, of loops over all rows and columns that have no folds.
    pub packed: usize,
}

struct Writer<'p> {
    a: Assembler,
    sections: &'p [Section],
    folds: &'p [Fold],
    loops: Loops,
    /// As wide as the columns need: what is read back soon, by narrower loads, is found sooner after a narrow store.
    width: Width,
    /// Where the values of the program being written are.
    values: Registers<'p>,
    /// By slot: the register that holds its address.
    holders: Vec<Option<General>>,
    /// By fold: whether it stays in a register.
    held: Vec<bool>,
    /// Places on the stack that are taken before those of values.
    waiting: u32,
    /// Is this what is done once a row?
    of_row: bool,
    /// Or for sixteen rows at once, each in a lane?
    row_a_lane: bool,
    /// Are there several rows in a vector? Then, these slots' elements of the columns are laid out on the stack.
    many_rows: bool,
    laid_out: Vec<usize>,
    /// Is this the end of a row?
    rest: bool,
}

/// Bytes of a place on the stack.
const SPILL: u32 = 64;

/// The code of sections that follow one another in each row.
pub fn write(sections: &[Section], folds: &[Fold], slots: usize, loops: Loops) -> Vec<u8> {
    let width = match loops.columns {
        1..=4 => Width::W128,
        5..=8 => Width::W256,
        _ => Width::W512,
    };
    let held = folds::held(folds, loops);
    let laid_out = packed::laid_out(sections, loops);
    let taken = held.iter().filter(|h| **h).count() as u8 + u8::from(loops.packed > 1);
    let empty = Program::default();
    let writer = Writer {
        a: Assembler::default(),
        sections,
        folds,
        loops,
        width,
        values: Registers::new(&empty, VECTORS - taken),
        holders: vec![None; slots],
        held,
        waiting: abreast::waiting(folds, loops.abreast) + laid_out.len() as u32,
        of_row: false,
        row_a_lane: false,
        many_rows: false,
        laid_out,
        rest: false,
    };
    writer.function()
}

impl Loops {
    /// Whether a row is one vector.
    fn short(&self) -> bool {
        self.columns <= WIDTH
    }

    /// Whether there is one vector of columns at most: no loops, and every element is where its buffer starts.
    fn once(&self) -> bool {
        self.single && self.columns <= WIDTH
    }
}

impl<'p> Writer<'p> {
    /// The whole function. How much of the stack it needs is known when all else is written: its entry is put before that.
    fn function(mut self) -> Vec<u8> {
        let mut saved = self.hold();
        saved.extend(self.loops.abreast.then_some(R15));
        let rest = self.loops.columns % WIDTH;
        if rest > 0 && !(self.loops.single && self.folds.is_empty()) {
            self.rest_mask(rest);
        }
        self.start_folds();
        if self.loops.once() {
            self.row();
        } else {
            self.rows();
        }
        self.end_folds();
        if self.loops.streams {
            self.a.store_fence();
        }
        let stack = (self.waiting + self.values.deepest()) * SPILL;
        if stack > 0 {
            self.a.copy(RSP, RBP);
            self.a.pop(RBP);
        }
        for r in saved.iter().rev() {
            self.a.pop(*r);
        }
        self.a.finish_function();
        self.a.put_first(entry(&saved, stack));
        self.a.finish()
    }

    fn rows(&mut self) {
        if self.loops.abreast {
            self.rows_abreast();
        } else if self.loops.packed > 1 {
            self.rows_packed();
        }
        let (rows, end) = (self.a.label(), self.a.label());
        self.a.bind(rows);
        self.a.compare(RSI, RDX);
        self.a.jump_if(Condition::GreaterOrEqual, end);
        self.row();
        self.a.add(RSI, 1);
        self.a.compare(RSI, RDX);
        self.a.jump_if(Condition::Less, rows);
        self.a.bind(end);
    }

    fn row(&mut self) {
        for section in self.sections {
            if !section.row.ops.is_empty() {
                self.once_a_row(&section.row);
            }
            let folds = self.row_folds(&section.columns);
            folds.iter().for_each(|f| self.start(*f));
            if !section.columns.ops.is_empty() {
                self.columns(&section.columns);
            }
            folds.iter().for_each(|f| self.end(*f, At::Row));
        }
    }

    fn once_a_row(&mut self, p: &'p Program) {
        let width = std::mem::replace(&mut self.width, Width::W128);
        self.of_row = true;
        self.body(p, false);
        self.of_row = false;
        self.width = width;
    }

    fn columns(&mut self, p: &'p Program) {
        if self.loops.once() {
            return self.body(p, !self.loops.columns.is_multiple_of(WIDTH));
        }
        self.a.multiply(R9, RSI, self.loops.columns as i32);
        if self.loops.abreast {
            self.a.constant(RAX, 0);
            self.a.copy(R11, RAX);
        }
        if self.loops.short() {
            return self.body(p, !self.loops.columns.is_multiple_of(WIDTH));
        }
        self.a.add_register(R9, RCX);
        self.a.copy(R10, RCX);
        self.a.constant(RAX, 0);
        self.a.copy(R11, RAX);
        if self.loops.columns >= WIDTH {
            let (again, over) = (self.a.label(), self.a.label());
            self.whole_vector_left(over, Condition::Less);
            self.a.bind(again);
            self.body(p, false);
            for r in [R9, R10, R11] {
                self.a.add(r, WIDTH as i32);
            }
            self.whole_vector_left(again, Condition::GreaterOrEqual);
            self.a.bind(over);
        }
        if !self.loops.columns.is_multiple_of(WIDTH) {
            let over = self.a.label();
            self.a.compare(R10, R8);
            self.a.jump_if(Condition::GreaterOrEqual, over);
            self.body(p, true);
            self.a.bind(over);
        }
    }

    /// Jumps on how many columns are left against a vector's.
    fn whole_vector_left(&mut self, to: Label, condition: Condition) {
        self.a.copy(RAX, R8);
        self.a.subtract(RAX, R10);
        self.a.compare_constant(RAX, WIDTH as i32);
        self.a.jump_if(condition, to);
    }

    /// Sets the mask of the first lanes.
    fn rest_mask(&mut self, lanes: usize) {
        self.a.constant(RAX, (1 << lanes) - 1);
        self.a.mask_from(REST, RAX);
    }

    /// Gives the most used slots registers that hold their addresses, and loads these; they are to be saved. A short row is not
    /// worth it.
    fn hold(&mut self) -> Vec<General> {
        let mut counts = vec![0; self.holders.len()];
        let programs = self.sections.iter().flat_map(|s| [&s.row, &s.columns]);
        for op in programs.flat_map(|p| &p.ops) {
            match op {
                Op::Load { slot, .. }
                | Op::LoadBits { slot, .. }
                | Op::Store { slot, .. }
                | Op::StoreBits { slot, .. } => counts[*slot] += 1,
                Op::Fold { fold, .. } if !self.held[*fold] => {
                    counts[self.folds[*fold].slot] += 2;
                }
                _ => {}
            }
        }
        let mut order: Vec<usize> = (0..counts.len()).filter(|s| counts[*s] > 0).collect();
        order.sort_by_key(|s| std::cmp::Reverse(counts[*s]));
        let most = HOLDERS.len() - usize::from(self.loops.abreast);
        let many = self.loops.abreast || self.loops.packed > 1;
        let held = if self.loops.columns > 2 * WIDTH || many {
            most.min(order.len())
        } else {
            0
        };
        for (slot, r) in order.iter().zip(&HOLDERS[..held]) {
            self.holders[*slot] = Some(*r);
        }
        for (slot, holder) in self.holders.iter().enumerate() {
            if let Some(r) = holder {
                self.a.load(*r, at(RDI, None, 8 * slot as i32));
            }
        }
        HOLDERS[..held].to_vec()
    }

    /// The place of an element of a slot.
    fn slot(&mut self, slot: usize, place: At, size: u8) -> Memory {
        let base = match self.holders[slot] {
            Some(r) => r,
            None => {
                self.a.load(RAX, at(RDI, None, 8 * slot as i32));
                RAX
            }
        };
        let scale = if size == 4 { 2 } else { 0 };
        let index = match place {
            At::Flat => Some(R9),
            At::Column if self.loops.short() => None,
            At::Tile if self.loops.short() && !self.loops.abreast => None,
            At::Column => Some(R10),
            At::Tile => Some(R11),
            At::Row => Some(RSI),
            At::Whole => None,
        };
        let index = index.filter(|_| !self.loops.once());
        at(base, index.map(|i| (i, scale)), 0)
    }

    /// The lanes to read or write.
    fn lanes(&self, zero: bool) -> Lanes {
        if self.rest && !self.loops.single {
            Lanes { mask: REST, zero }
        } else {
            Lanes::default()
        }
    }

    /// A place on the stack, of a value.
    fn spill(&self, n: u32) -> Memory {
        at(RSP, None, ((self.waiting + n) * SPILL) as i32)
    }
}

/// The first instructions of a function: these registers are saved, and there is room on the stack, aligned as vectors are.
fn entry(saved: &[General], stack: u32) -> Assembler {
    let mut a = Assembler::default();
    for r in saved {
        a.push(*r);
    }
    if stack > 0 {
        a.push(RBP);
        a.copy(RBP, RSP);
        a.add(RSP, -(stack as i32));
        a.and(RSP, -(SPILL as i32));
    }
    a
}

fn at(base: General, index: Option<(General, u8)>, offset: i32) -> Memory {
    Memory::At {
        base,
        index,
        offset,
    }
}
