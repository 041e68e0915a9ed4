//! The operations of a vector program as instructions: each once its operands are where it can read them.

use super::super::assemble::{self as a, Lanes, Last, Memory, RAX, Width};
use super::super::program::{At, Binary, Compare, Id, Logic, Op, Program, Unary};
use super::registers::Taken;
use super::{PASSING, REST, Writer};

impl<'p> Writer<'p> {
    /// The operations, once for a vector of columns.
    pub(super) fn body(&mut self, p: &'p Program, rest: bool) {
        self.rest = rest;
        self.values.begin(p);
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
                self.values.hold(id, to);
            }
            Op::Binary(f, x, y) => self.binary(i, f, x, y),
            Op::Unary(f, x) => {
                let from = self.read(x, &[]);
                self.values.done(i, &[x]);
                let to = self.vector(&[]);
                self.unary(f, to, from);
                self.values.hold(id, to);
            }
            Op::Compare(f, x, y) => self.compare(i, f, x, y),
            Op::Logic(f, x, y) => self.logic(i, f, x, y),
            Op::Select(c, x, y) if self.values.is_mask(id) => self.select_masks(i, c, x, y),
            Op::Select(c, x, y) => self.select(i, c, x, y),
            Op::Fma(x, y, z) => self.fused(i, x, y, z),
            Op::Fix(x, y, table) => self.fix(i, x, y, table),
            Op::Pick(x, table) => {
                let which = self.register(x, &[]);
                self.values.done(i, &[x]);
                let to = self.vector(&[]);
                let table = Last::Memory(Memory::Table(table));
                // Narrower, it would choose among fewer.
                self.a.all(a::PERMPS, Width::W512, to, which, table);
                self.values.hold(id, to);
            }
            Op::Store { slot, at, value } => {
                self.store(slot, at, value);
                self.values.done(i, &[value]);
            }
            Op::StoreBits { slot, at, value } => {
                self.store_bits(slot, at, value);
                self.values.done(i, &[value]);
            }
            Op::Fold { fold, value } => {
                self.fold(fold, value);
                self.values.done(i, &[value]);
            }
        }
    }

    fn store(&mut self, slot: usize, at: At, value: Id) {
        let x = self.register(value, &[]);
        let to = self.slot(slot, at, 4);
        let one = self.loops.once() && self.loops.columns == 1;
        if one || self.of_row {
            let all = Lanes::default();
            let m = Last::Memory(to);
            self.a.vector(a::STORESS, Width::W128, x, 0, m, all, None);
            return;
        }
        let streams = self.loops.streams && at == At::Flat && !self.rest;
        let code = if streams { a::STREAMPS } else { a::STOREPS };
        let lanes = self.lanes(false);
        self.a
            .vector(code, self.width, x, 0, Last::Memory(to), lanes, None);
    }

    fn store_bits(&mut self, slot: usize, at: At, value: Id) {
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
            return;
        }
        let lanes = self.lanes(false);
        self.a
            .vector(a::STOREB, w, bytes, 0, Last::Memory(to), lanes, None);
    }

    /// Takes a vector to what a fold comes to so far.
    fn fold(&mut self, fold: usize, value: Id) {
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
            self.values.done(i, &[x, y]);
            self.values.hold(Id(i as u32), to);
            return;
        }
        let y_at = self.read(y, &[x]);
        self.values.done(i, &[x, y]);
        let to = self.vector(&[]);
        self.apply(f, self.width, to, x_at, y_at, Lanes::default());
        self.values.hold(Id(i as u32), to);
    }

    /// x * y + z. The instruction overwrites one of its operands: one that is not read again, or a copy.
    fn fused(&mut self, i: usize, x: Id, y: Id, z: Id) {
        let in_memory = |w: &Self, v: Id| w.values.of(v).is_none() && w.repeats(v);
        // Of the factors, the second may be in memory, and the first may be overwritten.
        let swaps = !in_memory(self, y) && self.values.dies(i, y) && !self.values.dies(i, x);
        let (x, y) = match in_memory(self, x) || swaps {
            true => (y, x),
            false => (x, y),
        };
        let x_at = self.register(x, &[y, z]);
        let (code, to, second, last) = if in_memory(self, z) {
            let y_at = self.register(y, &[x]);
            let last = self.read(z, &[x, y]);
            let to = match self.values.dies(i, x) {
                true => x_at,
                false => self.copy_of(x_at, &[x, y]),
            };
            (a::FMADD213PS, to, y_at, last)
        } else {
            let z_at = self.register(z, &[x, y]);
            let last = self.read(y, &[x, z]);
            if self.values.dies(i, z) {
                (a::FMADD231PS, z_at, x_at, last)
            } else if self.values.dies(i, x) {
                (a::FMADD132PS, x_at, z_at, last)
            } else {
                let to = self.copy_of(z_at, &[x, y, z]);
                (a::FMADD231PS, to, x_at, last)
            }
        };
        self.values.done(i, &[x, y, z]);
        self.a.all(code, self.width, to, second, last);
        self.values.hold(Id(i as u32), to);
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
        self.values.done(i, &[x, y]);
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
        self.values.hold(Id(i as u32), to);
    }

    fn logic(&mut self, i: usize, f: Logic, x: Id, y: Id) {
        let x_at = self.mask_of(x, &[]);
        let y_at = self.mask_of(y, &[x]);
        self.values.done(i, &[x, y]);
        let to = self.mask(&[]);
        let byte = match f {
            Logic::And => 0x41,
            Logic::Or => 0x45,
            Logic::Same => 0x46,
            Logic::Xor => 0x47,
        };
        self.a.logic(byte, to, x_at, y_at);
        self.values.hold(Id(i as u32), to);
    }

    fn select_masks(&mut self, i: usize, c: Id, x: Id, y: Id) {
        let c_at = self.mask_of(c, &[]);
        let x_at = self.mask_of(x, &[c]);
        let y_at = self.mask_of(y, &[c, x]);
        self.a.logic(0x42, PASSING, c_at, y_at);
        let to = self.mask(&[c, x]);
        self.a.logic(0x41, to, c_at, x_at);
        self.a.logic(0x45, to, to, PASSING);
        self.values.done(i, &[c, x, y]);
        self.values.hold(Id(i as u32), to);
    }

    fn select(&mut self, i: usize, c: Id, x: Id, y: Id) {
        let mask = self.mask_of(c, &[]);
        let y_at = self.register(y, &[]);
        let x_at = self.read(x, &[y]);
        self.values.done(i, &[c, x, y]);
        let to = self.vector(&[]);
        let chosen = Lanes { mask, zero: false };
        self.a
            .vector(a::BLENDMPS, self.width, to, y_at, x_at, chosen, None);
        self.values.hold(Id(i as u32), to);
    }

    /// `x`, or what stands for it in a table where `y` is special.
    fn fix(&mut self, i: usize, x: Id, y: Id, table: u32) {
        let x_at = self.register(x, &[y]);
        let y_at = self.register(y, &[x]);
        let to = match self.values.dies(i, x) && x != y {
            true => x_at,
            false => self.copy_of(x_at, &[x, y]),
        };
        self.values.done(i, &[x, y]);
        let (all, table) = (Lanes::default(), Last::Repeated(Memory::Constant(table)));
        self.a
            .vector(a::FIXUPIMMPS, self.width, to, y_at, table, all, Some(0));
        self.values.hold(Id(i as u32), to);
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

    /// `to = f(x, y)`. Where what is no number must win, `to` is not `y`.
    pub(super) fn apply(&mut self, f: Binary, width: Width, to: u8, x: u8, y: Last, lanes: Lanes) {
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

    /// A register with what another holds; the values of `keep` stay in theirs.
    fn copy_of(&mut self, from: u8, keep: &[Id]) -> u8 {
        let to = self.vector(keep);
        let from = Last::Register(from);
        self.a.all(a::LOADPS, self.width, to, 0, from);
        to
    }

    /// Can the value be read from one word of memory?
    fn repeats(&self, x: Id) -> bool {
        match self.values.op(x) {
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
        if self.values.of(x).is_none() && self.repeats(x) {
            return match self.values.op(x) {
                Op::Word(word) => Last::Repeated(Memory::Constant(word)),
                Op::Load { slot, at, .. } => Last::Repeated(self.slot(slot, at, 4)),
                _ => panic!("internal error: not a word of memory"),
            };
        }
        Last::Register(self.register(x, keep))
    }

    /// A value in a register; those of `keep` stay in theirs.
    fn register(&mut self, x: Id, keep: &[Id]) -> u8 {
        if let Some(r) = self.values.of(x) {
            return r;
        }
        let to = self.vector(keep);
        self.make(x, to);
        self.values.hold(x, to);
        to
    }

    /// Writes a value that has no register to one: from the stack, or anew.
    fn make(&mut self, x: Id, to: u8) {
        if let Some(n) = self.values.on_stack(x) {
            let from = Last::Memory(self.spill(n));
            return self.a.all(a::LOADPS, self.width, to, 0, from);
        }
        match self.values.op(x) {
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

    /// A word in all lanes.
    pub(super) fn word(&mut self, to: u8, word: u32) {
        if word == 0 {
            self.a.all(a::PXORD, self.width, to, to, Last::Register(to));
        } else {
            let from = Last::Memory(Memory::Constant(word));
            self.a.all(a::BROADCASTSS, self.width, to, 0, from);
        }
    }

    fn mask_of(&mut self, x: Id, keep: &[Id]) -> u8 {
        if let Some(k) = self.values.of(x) {
            return k;
        }
        let to = self.mask(keep);
        match (self.values.on_stack(x), self.values.op(x)) {
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
        self.values.hold(x, to);
        to
    }

    /// A vector register to write to: a free one, or that of the value that is read last.
    fn vector(&mut self, keep: &[Id]) -> u8 {
        let Taken { register, store } = self.values.vector(keep);
        if let Some(n) = store {
            let to = Last::Memory(self.spill(n));
            self.a.all(a::STOREPS, self.width, register, 0, to);
        }
        register
    }

    /// The same of masks.
    fn mask(&mut self, keep: &[Id]) -> u8 {
        let Taken { register, store } = self.values.mask(keep);
        if let Some(n) = store {
            let to = self.spill(n);
            self.a.store_mask(register, to);
        }
        register
    }
}
