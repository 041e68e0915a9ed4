//! From a vector program to machine code: the loops over rows and columns, registers for its values, its instructions.
//!
//! The function made is `(places, first row, end of rows, first column, end of columns)`, in the calling convention of System
//! V: `places` is a table of addresses, by slot. Columns are taken sixteen at a time from the first; what is left at the end
//! of a row is done once more under a mask, so that nothing beside it is read or written.

mod abreast;
mod packed;

use super::assemble::{
    self as a, Assembler, Condition, General, Label, Lanes, Last, Memory, R8, R9, R10, R11, R15,
    RAX, RBP, RBX, RCX, RDI, RDX, RSI, RSP, Width,
};
use super::program::{At, Binary, Compare, Fold, Id, Leaves, Logic, Op, Program, Section, Unary};

pub use abreast::ROWS as ROWS_ABREAST;

/// Elements of a vector.
pub const WIDTH: usize = 16;

/// Registers for values, from the first; the others hold folds.
const VECTORS: u8 = 32;

/// Folds that fit beside the values.
pub const MOST_FOLDS: usize = 20;

/// Of these, those up to which the folds of columns are held in registers as well.
const MOST_HELD: usize = 12;

/// Masks for values: 0 cannot mask, 6 is for what needs one in passing, 7 is that of the end of a row.
const MASKS: std::ops::Range<u8> = 1..6;
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

/// Where a value is now.
#[derive(Clone, Copy, Default, Debug)]
struct Place {
    register: Option<u8>,
    /// Number of its place on the stack.
    stack: Option<u32>,
}

struct Writer<'p> {
    a: Assembler,
    sections: &'p [Section],
    folds: &'p [Fold],
    /// The program being written.
    p: &'p Program,
    loops: Loops,
    /// As wide as the columns need: what is read back soon, by narrower loads, is found sooner after a narrow store.
    width: Width,
    /// By value: where it is read, descending.
    uses: Vec<Vec<usize>>,
    places: Vec<Place>,
    vectors: [Option<Id>; VECTORS as usize],
    masks: [Option<Id>; 8],
    /// Vectors that values may have.
    free: u8,
    /// By slot: the register that holds its address.
    holders: Vec<Option<General>>,
    /// By fold: whether it stays in a register.
    held: Vec<bool>,
    /// Places on the stack that are taken already.
    waiting: u32,
    /// What stands on the stack behind them.
    spilled: Vec<Option<Id>>,
    /// The most places on the stack so far.
    stack: u32,
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
    let empty = Program::default();
    let width = match loops.columns {
        1..=4 => Width::W128,
        5..=8 => Width::W256,
        _ => Width::W512,
    };
    let held = held(folds, loops);
    let laid_out = packed::laid_out(sections, loops);
    let mut w = Writer {
        a: Assembler::default(),
        sections,
        folds,
        p: &empty,
        loops,
        width,
        uses: vec![],
        places: vec![],
        vectors: [None; VECTORS as usize],
        masks: [None; 8],
        free: VECTORS - held.iter().filter(|h| **h).count() as u8 - u8::from(loops.packed > 1),
        holders: vec![None; slots],
        held,
        waiting: abreast::waiting(folds, loops.abreast) + laid_out.len() as u32,
        spilled: vec![],
        stack: 0,
        of_row: false,
        row_a_lane: false,
        many_rows: false,
        laid_out,
        rest: false,
    };
    // How much of the stack is needed is known at the end: the code is written twice.
    w.function(0);
    let stack = w.stack;
    let mut w = Writer {
        a: Assembler::default(),
        stack: 0,
        holders: vec![None; slots],
        ..w
    };
    w.function(stack);
    w.a.finish()
}

/// Which folds stay in registers: those of columns do where a row is one vector.
fn held(folds: &[Fold], loops: Loops) -> Vec<bool> {
    let few = folds.len() <= MOST_HELD && loops.short();
    let held = |f: &Fold| f.leaves != Leaves::Column || few;
    folds.iter().map(held).collect()
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
    fn function(&mut self, stack: u32) {
        let mut held = self.hold();
        held.extend(self.loops.abreast.then_some(R15));
        let folds = self.folds;
        for r in &held {
            self.a.push(*r);
        }
        let stack = stack + self.waiting;
        if stack > 0 {
            self.a.push(RBP);
            self.a.copy(RBP, RSP);
            self.a.add(RSP, -((stack * SPILL) as i32));
            self.a.and(RSP, -64);
        }
        for (slot, holder) in self.holders.clone().into_iter().enumerate() {
            if let Some(r) = holder {
                self.a.load(r, at(RDI, None, 8 * slot as i32));
            }
        }
        let rest = self.loops.columns % WIDTH;
        if rest > 0 && !(self.loops.single && folds.is_empty()) {
            self.rest_mask(rest);
        }
        for (i, f) in folds.iter().enumerate() {
            match f.leaves {
                Leaves::Row => {}
                Leaves::Column | Leaves::MoreLanes => self.resume(i),
                Leaves::Whole | Leaves::Lanes => self.start(i),
            }
        }
        if self.loops.once() {
            self.row();
        } else {
            self.rows();
        }
        for (i, f) in folds.iter().enumerate() {
            match f.leaves {
                Leaves::Row => {}
                Leaves::Column | Leaves::Lanes | Leaves::MoreLanes => self.suspend(i),
                Leaves::Whole => self.end(i, At::Whole),
            }
        }
        if self.loops.streams {
            self.a.store_fence();
        }
        if stack > 0 {
            self.a.copy(RSP, RBP);
            self.a.pop(RBP);
        }
        for r in held.iter().rev() {
            self.a.pop(*r);
        }
        self.a.finish_function();
    }

    /// Sets the mask of the first lanes.
    fn rest_mask(&mut self, lanes: usize) {
        self.a.constant(RAX, (1 << lanes) - 1);
        self.a.mask_from(REST, RAX);
    }

    /// Gives the most used slots registers that hold their addresses; these are to be saved. A short row is not worth it.
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
        HOLDERS[..held].to_vec()
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

    /// The reductions of a section that leave one element for each row.
    fn row_folds(&self, p: &Program) -> Vec<usize> {
        let of_rows = |op: &Op| match op {
            Op::Fold { fold, .. } => Some(*fold).filter(|f| self.folds[*f].leaves == Leaves::Row),
            _ => None,
        };
        p.ops.iter().filter_map(of_rows).collect()
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

    fn accumulator(&self, fold: usize) -> u8 {
        let before = self.held[..fold].iter().filter(|h| **h);
        VECTORS - 1 - before.count() as u8
    }

    fn start(&mut self, fold: usize) {
        let Fold { start, .. } = self.folds[fold];
        let own = self.width_of(fold);
        let width = std::mem::replace(&mut self.width, own);
        self.word(self.accumulator(fold), start);
        self.width = width;
    }

    /// How wide a fold's register is: of what is left as sixteen lanes, all of these.
    fn width_of(&self, fold: usize) -> Width {
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

    /// A word in all lanes.
    fn word(&mut self, to: u8, word: u32) {
        if word == 0 {
            self.a.all(a::PXORD, self.width, to, to, Last::Register(to));
        } else {
            let from = Last::Memory(Memory::Constant(word));
            self.a.all(a::BROADCASTSS, self.width, to, 0, from);
        }
    }

    /// Folds sixteen lanes into one, halves onto halves, and stores it.
    fn end(&mut self, fold: usize, place: At) {
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
    fn fold_into(&mut self, f: Binary, width: Width, x: u8, y: u8) {
        self.apply(f, width, x, x, Last::Register(y), Lanes::default());
    }

    /// `to = f(x, y)`. Where what is no number must win, `to` is not `y`.
    fn apply(&mut self, f: Binary, width: Width, to: u8, x: u8, y: Last, lanes: Lanes) {
        let code = match f {
            Binary::Max | Binary::Min => {
                let Last::Register(y) = y else {
                    panic!("internal error: an operand that is read twice is in a register");
                };
                let code = if f == Binary::Max { a::MAXPS } else { a::MINPS };
                let all = Lanes::default();
                // 3: one of them is no number.
                self.a.vector(
                    a::CMPPS,
                    width,
                    PASSING,
                    y,
                    Last::Register(y),
                    lanes,
                    Some(3),
                );
                // If they are equal or one is no number, this gives the second of its operands.
                self.a
                    .vector(code, width, to, y, Last::Register(x), lanes, None);
                let none = Lanes {
                    mask: PASSING,
                    ..all
                };
                self.a
                    .vector(a::LOADPS, width, to, 0, Last::Register(y), none, None);
                return;
            }
            Binary::Add => a::ADDPS,
            Binary::Sub => a::SUBPS,
            Binary::Mul => a::MULPS,
            Binary::Div => a::DIVPS,
            Binary::Above => a::MAXPS,
            Binary::Below => a::MINPS,
            Binary::Scale => a::SCALEFPS,
            Binary::And => a::PANDD,
            Binary::Or => a::PORD,
            Binary::Xor => a::PXORD,
            Binary::IntAdd => a::PADDD,
            Binary::IntSub => a::PSUBD,
            Binary::IntMul => a::PMULLD,
            Binary::IntMax => a::PMAXSD,
            Binary::IntMin => a::PMINSD,
            Binary::ShiftLeft => a::PSLLVD,
            Binary::ShiftRight => a::PSRAVD,
        };
        self.a.vector(code, width, to, x, y, lanes, None);
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

    /// The operations, once for a vector of columns.
    fn body(&mut self, p: &'p Program, rest: bool) {
        self.p = p;
        self.rest = rest;
        self.vectors = [None; VECTORS as usize];
        self.masks = [None; 8];
        self.spilled.clear();
        self.places = vec![Place::default(); p.ops.len()];
        self.uses = vec![vec![]; p.ops.len()];
        for (i, op) in p.ops.iter().enumerate().rev() {
            for o in op.operands() {
                self.uses[o.0 as usize].push(i);
            }
        }
        for (i, op) in p.ops.iter().enumerate() {
            self.op(i, *op);
        }
    }

    fn op(&mut self, i: usize, op: Op) {
        let id = Id(i as u32);
        match op {
            // Made where it is read.
            Op::Word(_) | Op::Bit(_) | Op::LoadBits { .. } | Op::Load { firm: false, .. } => {}
            Op::Load { .. } => {
                let to = self.vector(&[]);
                self.make(id, to);
                self.hold_vector(id, to);
            }
            Op::Binary(f, x, y) => self.binary(i, f, x, y),
            Op::Unary(f, x) => {
                let from = self.read(x, &[]);
                self.done(i, &[x]);
                let to = self.vector(&[]);
                self.unary(f, to, from);
                self.hold_vector(id, to);
            }
            Op::Compare(f, x, y) => self.compare(i, f, x, y),
            Op::Logic(f, x, y) => {
                let x_at = self.mask_of(x, &[]);
                let y_at = self.mask_of(y, &[x]);
                self.done(i, &[x, y]);
                let to = self.mask(&[]);
                let byte = match f {
                    Logic::And => 0x41,
                    Logic::Or => 0x45,
                    Logic::Same => 0x46,
                    Logic::Xor => 0x47,
                };
                self.a.logic(byte, to, x_at, y_at);
                self.hold_mask(id, to);
            }
            Op::Select(c, x, y) if op.is_mask(&self.p.ops) => {
                let c_at = self.mask_of(c, &[]);
                let x_at = self.mask_of(x, &[c]);
                let y_at = self.mask_of(y, &[c, x]);
                self.a.logic(0x42, PASSING, c_at, y_at);
                let to = self.mask(&[c, x]);
                self.a.logic(0x41, to, c_at, x_at);
                self.a.logic(0x45, to, to, PASSING);
                self.done(i, &[c, x, y]);
                self.hold_mask(id, to);
            }
            Op::Fma(x, y, z) => self.fused(i, x, y, z),
            Op::Fix(x, y, table) => {
                let x_at = self.register(x, &[y]);
                let y_at = self.register(y, &[x]);
                let to = match self.dies(i, x) && x != y {
                    true => x_at,
                    false => self.copy_of(x_at, &[x, y]),
                };
                self.done(i, &[x, y]);
                let (all, table) = (Lanes::default(), Last::Repeated(Memory::Constant(table)));
                self.a
                    .vector(a::FIXUPIMMPS, self.width, to, y_at, table, all, Some(0));
                self.hold_vector(id, to);
            }
            Op::Pick(x, table) => {
                let which = self.register(x, &[]);
                self.done(i, &[x]);
                let to = self.vector(&[]);
                let table = Last::Memory(Memory::Table(table));
                // Narrower, it would choose among fewer.
                self.a.all(a::PERMPS, Width::W512, to, which, table);
                self.hold_vector(id, to);
            }
            Op::Select(c, x, y) => {
                let mask = self.mask_of(c, &[]);
                let y_at = self.register(y, &[]);
                let x_at = self.read(x, &[y]);
                self.done(i, &[c, x, y]);
                let to = self.vector(&[]);
                let chosen = Lanes { mask, zero: false };
                self.a
                    .vector(a::BLENDMPS, self.width, to, y_at, x_at, chosen, None);
                self.hold_vector(id, to);
            }
            Op::Store { slot, at, value } => {
                let x = self.register(value, &[]);
                let to = self.slot(slot, at, 4);
                let one = self.loops.once() && self.loops.columns == 1;
                if one || self.of_row {
                    let all = Lanes::default();
                    let m = Last::Memory(to);
                    self.a.vector(a::STORESS, Width::W128, x, 0, m, all, None);
                    return self.done(i, &[value]);
                }
                let streams = self.loops.streams && at == At::Flat && !self.rest;
                let code = if streams { a::STREAMPS } else { a::STOREPS };
                let lanes = self.lanes(false);
                self.a
                    .vector(code, self.width, x, 0, Last::Memory(to), lanes, None);
                self.done(i, &[value]);
            }
            Op::StoreBits { slot, at, value } => {
                let x = self.mask_of(value, &[]);
                let bytes = self.vector(&[]);
                let (w, last) = (Width::W128, Last::Register(bytes));
                let all = Lanes::default();
                self.a
                    .vector(a::PMOVM2B, w, bytes, 0, Last::Register(x), all, None);
                self.a.vector(a::PABSB, w, bytes, 0, last, all, None);
                let to = self.slot(slot, at, 1);
                if self.of_row {
                    let m = Last::Memory(to);
                    self.a.vector(a::PEXTRB, w, bytes, 0, m, all, Some(0));
                    return self.done(i, &[value]);
                }
                let lanes = self.lanes(false);
                self.a
                    .vector(a::STOREB, w, bytes, 0, Last::Memory(to), lanes, None);
                self.done(i, &[value]);
            }
            Op::Fold { fold, value } => {
                let f = self.folds[fold];
                let x = self.register(value, &[]);
                let lanes = self.lanes(false);
                if self.held[fold] {
                    let (w, sum) = (self.width_of(fold), self.accumulator(fold));
                    let lanes = Lanes {
                        mask: if self.rest { REST } else { 0 },
                        zero: false,
                    };
                    self.apply(f.with, w, sum, sum, Last::Register(x), lanes);
                } else {
                    let sum = self.vector(&[value]);
                    let place = self.slot(f.slot, At::Column, 4);
                    let zero = self.lanes(true);
                    let (w, m) = (self.width, Last::Memory(place));
                    self.a.vector(a::LOADPS, w, sum, 0, m, zero, None);
                    self.apply(f.with, w, sum, sum, Last::Register(x), Lanes::default());
                    self.a.vector(a::STOREPS, w, sum, 0, m, lanes, None);
                }
                self.done(i, &[value]);
            }
        }
    }

    fn binary(&mut self, i: usize, f: Binary, x: Id, y: Id) {
        let commutes = matches!(
            f,
            Binary::Add
                | Binary::Mul
                | Binary::And
                | Binary::Or
                | Binary::Xor
                | Binary::IntAdd
                | Binary::IntMul
                | Binary::IntMax
                | Binary::IntMin
        );
        // What can be read from memory comes last. (Of two that are no numbers the first is taken; which one it is does
        // not show in what is promised of them.)
        let (x, y) = if commutes && self.repeats(x) && !self.repeats(y) {
            (y, x)
        } else {
            (x, y)
        };
        let x_at = self.register(x, &[]);
        if matches!(f, Binary::Max | Binary::Min) {
            let y_at = self.register(y, &[x]);
            let to = self.vector(&[x, y]);
            let all = Lanes::default();
            self.apply(f, self.width, to, x_at, Last::Register(y_at), all);
            self.done(i, &[x, y]);
            self.hold_vector(Id(i as u32), to);
            return;
        }
        let y_at = self.read(y, &[x]);
        self.done(i, &[x, y]);
        let to = self.vector(&[]);
        self.apply(f, self.width, to, x_at, y_at, Lanes::default());
        self.hold_vector(Id(i as u32), to);
    }

    /// x * y + z. The instruction overwrites one of its operands: one that is not read again, or a copy.
    fn fused(&mut self, i: usize, x: Id, y: Id, z: Id) {
        let in_memory = |w: &Self, v: Id| w.places[v.0 as usize].register.is_none() && w.repeats(v);
        // Of the factors, the second may be in memory, and the first may be overwritten.
        let swaps = !in_memory(self, y) && self.dies(i, y) && !self.dies(i, x);
        let (x, y) = match in_memory(self, x) || swaps {
            true => (y, x),
            false => (x, y),
        };
        let x_at = self.register(x, &[y, z]);
        let (code, to, second, last) = if in_memory(self, z) {
            let y_at = self.register(y, &[x]);
            let last = self.read(z, &[x, y]);
            let to = match self.dies(i, x) {
                true => x_at,
                false => self.copy_of(x_at, &[x, y]),
            };
            (a::FMADD213PS, to, y_at, last)
        } else {
            let z_at = self.register(z, &[x, y]);
            let last = self.read(y, &[x, z]);
            if self.dies(i, z) {
                (a::FMADD231PS, z_at, x_at, last)
            } else if self.dies(i, x) {
                (a::FMADD132PS, x_at, z_at, last)
            } else {
                let to = self.copy_of(z_at, &[x, y, z]);
                (a::FMADD231PS, to, x_at, last)
            }
        };
        self.done(i, &[x, y, z]);
        self.a.all(code, self.width, to, second, last);
        self.hold_vector(Id(i as u32), to);
    }

    /// Is operation `i` the last that reads a value?
    fn dies(&self, i: usize, x: Id) -> bool {
        self.uses[x.0 as usize].first() == Some(&i)
    }

    /// A register with what another holds; the values of `keep` stay in theirs.
    fn copy_of(&mut self, from: u8, keep: &[Id]) -> u8 {
        let to = self.vector(keep);
        let from = Last::Register(from);
        self.a.all(a::LOADPS, self.width, to, 0, from);
        to
    }

    fn compare(&mut self, i: usize, f: Compare, x: Id, y: Id) {
        let swapped = self.repeats(x) && !self.repeats(y);
        let (first, second) = if swapped { (y, x) } else { (x, y) };
        let (code, predicate) = match (f, swapped) {
            (Compare::Eq, _) => (a::CMPPS, 0),
            (Compare::Lt, false) => (a::CMPPS, 1),
            (Compare::Le, false) => (a::CMPPS, 2),
            (Compare::Unordered, _) => (a::CMPPS, 3),
            (Compare::Ne, _) => (a::CMPPS, 4),
            (Compare::Le, true) => (a::CMPPS, 0xd),
            (Compare::Lt, true) => (a::CMPPS, 0xe),
            (Compare::IntEq, _) => (a::PCMPD, 0),
            (Compare::IntLt, false) => (a::PCMPD, 1),
            (Compare::IntLe, false) => (a::PCMPD, 2),
            (Compare::IntNe, _) => (a::PCMPD, 4),
            (Compare::IntLe, true) => (a::PCMPD, 5),
            (Compare::IntLt, true) => (a::PCMPD, 6),
        };
        let first_at = self.register(first, &[]);
        let second_at = self.read(second, &[first]);
        self.done(i, &[x, y]);
        let to = self.mask(&[]);
        let all = Lanes::default();
        self.a.vector(
            code,
            self.width,
            to,
            first_at,
            second_at,
            all,
            Some(predicate),
        );
        self.hold_mask(Id(i as u32), to);
    }

    fn unary(&mut self, f: Unary, to: u8, from: Last) {
        let all = Lanes::default();
        let w = self.width;
        // The ways of rounding, without a report of inexactness.
        let round = |mode: u8| (a::RNDSCALEPS, Some(8 | mode));
        let (code, immediate) = match f {
            Unary::Sqrt => (a::SQRTPS, None),
            Unary::Round => round(0),
            Unary::Floor => round(1),
            Unary::Ceil => round(2),
            Unary::IntAbs => (a::PABSD, None),
            Unary::Real => (a::CVTDQ2PS, None),
            Unary::Truncate => (a::CVTTPS2DQ, None),
            Unary::Shift(n) => return self.a.vector(a::SHIFTD, w, 2, to, from, all, Some(n)),
            Unary::ShiftRight(n) => return self.a.vector(a::SHIFTD, w, 4, to, from, all, Some(n)),
            Unary::ShiftLeft(n) => return self.a.vector(a::SHIFTD, w, 6, to, from, all, Some(n)),
        };
        self.a.vector(code, w, to, 0, from, all, immediate);
    }

    /// Can the value be read from one word of memory?
    fn repeats(&self, x: Id) -> bool {
        match self.p.ops[x.0 as usize] {
            Op::Word(_) => true,
            Op::Load { at, firm, .. } => !firm && self.is_one(at),
            _ => false,
        }
    }

    /// Is there one element for all lanes?
    fn is_one(&self, at: At) -> bool {
        at == At::Whole || at == At::Row && !self.row_a_lane && !self.many_rows
    }

    /// A value where an instruction can read it last.
    fn read(&mut self, x: Id, keep: &[Id]) -> Last {
        if self.places[x.0 as usize].register.is_none() && self.repeats(x) {
            return match self.p.ops[x.0 as usize] {
                Op::Word(word) => Last::Repeated(Memory::Constant(word)),
                Op::Load { slot, at, .. } => Last::Repeated(self.slot(slot, at, 4)),
                _ => panic!("internal error: not a word of memory"),
            };
        }
        Last::Register(self.register(x, keep))
    }

    /// A value in a register; those of `keep` stay in theirs.
    fn register(&mut self, x: Id, keep: &[Id]) -> u8 {
        if let Some(r) = self.places[x.0 as usize].register {
            return r;
        }
        let to = self.vector(keep);
        self.make(x, to);
        self.hold_vector(x, to);
        to
    }

    /// Writes a value that has no register to one: from the stack, or anew.
    fn make(&mut self, x: Id, to: u8) {
        if let Some(n) = self.places[x.0 as usize].stack {
            let from = Last::Memory(self.spill(n));
            return self.a.all(a::LOADPS, self.width, to, 0, from);
        }
        match self.p.ops[x.0 as usize] {
            Op::Word(word) => self.word(to, word),
            Op::Load { slot, at, .. } => {
                if self.many_rows && matches!(at, At::Row | At::Column) {
                    return self.make_packed(slot, at, to);
                }
                let from = Last::Memory(self.slot(slot, at, 4));
                if self.is_one(at) {
                    self.a.all(a::BROADCASTSS, self.width, to, 0, from);
                } else {
                    let lanes = self.lanes(true);
                    self.a
                        .vector(a::LOADPS, self.width, to, 0, from, lanes, None);
                }
            }
            _ => panic!("internal error: a value of a vector program is lost"),
        }
    }

    fn mask_of(&mut self, x: Id, keep: &[Id]) -> u8 {
        if let Some(k) = self.places[x.0 as usize].register {
            return k;
        }
        let to = self.mask(keep);
        match (self.places[x.0 as usize].stack, self.p.ops[x.0 as usize]) {
            (Some(n), _) => {
                let from = self.spill(n);
                self.a.load_mask(to, from);
            }
            (_, Op::Bit(b)) => self.a.logic(if b { 0x46 } else { 0x47 }, to, to, to),
            (_, Op::LoadBits { slot, at }) if self.is_one(at) => {
                let from = self.slot(slot, at, 1);
                self.a.spread_byte(RAX, from);
                self.a.mask_from(to, RAX);
            }
            (_, Op::LoadBits { slot, at }) => {
                let bytes = self.vector(&[]);
                let from = Last::Memory(self.slot(slot, at, 1));
                let lanes = self.lanes(true);
                self.a
                    .vector(a::LOADB, Width::W128, bytes, 0, from, lanes, None);
                let (all, last) = (Lanes::default(), Last::Register(bytes));
                self.a
                    .vector(a::PTESTMB, Width::W128, to, bytes, last, all, None);
            }
            _ => panic!("internal error: a mask of a vector program is lost"),
        }
        self.hold_mask(x, to);
        to
    }

    /// The next place where a value is read, at the operation being written or later.
    fn next_use(&self, x: Id) -> usize {
        self.uses[x.0 as usize]
            .last()
            .copied()
            .unwrap_or(usize::MAX)
    }

    /// Can a value be made anew without reading the stack?
    fn remade(&self, x: Id) -> bool {
        matches!(
            self.p.ops[x.0 as usize],
            Op::Word(_) | Op::Bit(_) | Op::LoadBits { .. } | Op::Load { firm: false, .. }
        )
    }

    /// A vector register: a free one, or that of the value that is read last.
    fn vector(&mut self, keep: &[Id]) -> u8 {
        let n = self.free as usize;
        if let Some(r) = self.vectors[..n].iter().position(Option::is_none) {
            return r as u8;
        }
        let farthest = (0..n)
            .filter(|r| self.vectors[*r].is_some_and(|id| !keep.contains(&id)))
            .max_by_key(|r| self.vectors[*r].map(|id| self.next_use(id)))
            .unwrap_or(0);
        if let Some(id) = self.vectors[farthest].take() {
            let place = &mut self.places[id.0 as usize];
            place.register = None;
            if place.stack.is_none() && !self.remade(id) {
                let n = self.new_stack(id);
                let to = Last::Memory(self.spill(n));
                self.a.all(a::STOREPS, self.width, farthest as u8, 0, to);
            }
        }
        farthest as u8
    }

    fn mask(&mut self, keep: &[Id]) -> u8 {
        if let Some(k) = MASKS.clone().find(|k| self.masks[*k as usize].is_none()) {
            return k;
        }
        let farthest = MASKS
            .filter(|k| self.masks[*k as usize].is_some_and(|id| !keep.contains(&id)))
            .max_by_key(|k| self.masks[*k as usize].map(|id| self.next_use(id)))
            .unwrap_or(MASKS.start);
        if let Some(id) = self.masks[farthest as usize].take() {
            let place = &mut self.places[id.0 as usize];
            place.register = None;
            if place.stack.is_none() && !self.remade(id) {
                let n = self.new_stack(id);
                let to = self.spill(n);
                self.a.store_mask(farthest, to);
            }
        }
        farthest
    }

    fn new_stack(&mut self, id: Id) -> u32 {
        let n = match self.spilled.iter().position(Option::is_none) {
            Some(n) => n,
            None => {
                self.spilled.push(None);
                self.spilled.len() - 1
            }
        };
        self.spilled[n] = Some(id);
        self.places[id.0 as usize].stack = Some(n as u32);
        self.stack = self.stack.max(n as u32 + 1);
        n as u32
    }

    fn spill(&self, n: u32) -> Memory {
        at(RSP, None, ((self.waiting + n) * SPILL) as i32)
    }

    fn hold_vector(&mut self, id: Id, r: u8) {
        self.vectors[r as usize] = Some(id);
        self.places[id.0 as usize].register = Some(r);
        if self.uses[id.0 as usize].is_empty() {
            self.release(id);
        }
    }

    fn hold_mask(&mut self, id: Id, k: u8) {
        self.masks[k as usize] = Some(id);
        self.places[id.0 as usize].register = Some(k);
        if self.uses[id.0 as usize].is_empty() {
            self.release(id);
        }
    }

    fn release(&mut self, id: Id) {
        if let Some(r) = self.places[id.0 as usize].register.take() {
            if self.p.ops[id.0 as usize].is_mask(&self.p.ops) {
                self.masks[r as usize] = None;
            } else {
                self.vectors[r as usize] = None;
            }
        }
    }

    /// Operation `i` has read these.
    fn done(&mut self, i: usize, operands: &[Id]) {
        for &x in operands {
            let uses = &mut self.uses[x.0 as usize];
            while uses.last() == Some(&i) {
                uses.pop();
            }
            if uses.is_empty() {
                self.release(x);
                if let Some(n) = self.places[x.0 as usize].stack.take() {
                    self.spilled[n as usize] = None;
                }
            }
        }
    }
}

fn at(base: General, index: Option<(General, u8)>, offset: i32) -> Memory {
    Memory::At {
        base,
        index,
        offset,
    }
}
