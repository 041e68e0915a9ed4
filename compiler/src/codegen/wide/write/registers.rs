//! Where the values of a program are while its code is written: in registers, or on the stack.
//!
//! Operations come in order, and each says what it reads. A value keeps its register until it is read for the last time. Where
//! no register is free, the value that is not read for the longest gives up its own: what can be made anew is forgotten, and
//! what cannot is to be stored on the stack first. This says where things go; who writes the code moves them.

use super::super::program::{Id, Op, Program};
use std::ops::Range;

/// Masks for values. 0 cannot mask; those behind have other uses.
const MASKS: Range<u8> = 1..6;

/// Where a value is now.
#[derive(Clone, Copy, Default, Debug)]
struct Where {
    register: Option<u8>,
    /// Number of its place on the stack.
    stack: Option<u32>,
}

/// A register to write to, and the place on the stack at which what it holds is to be stored before.
#[derive(Clone, Copy, Debug)]
pub struct Taken {
    pub register: u8,
    pub store: Option<u32>,
}

/// The registers of one kind that values may have, from the first.
struct File {
    first: u8,
    values: Vec<Option<Id>>,
}

impl File {
    fn new(registers: Range<u8>) -> Self {
        Self {
            first: registers.start,
            values: vec![None; registers.len()],
        }
    }

    fn value(&mut self, register: u8) -> &mut Option<Id> {
        &mut self.values[usize::from(register - self.first)]
    }

    fn numbered(&self, i: usize) -> u8 {
        self.first + i as u8
    }

    fn free(&self) -> Option<u8> {
        let free = self.values.iter().position(Option::is_none);
        free.map(|i| self.numbered(i))
    }

    /// Of the registers whose values may be moved, the one with the highest cost.
    fn most(&self, keep: &[Id], cost: impl Fn(Id) -> usize) -> Option<u8> {
        let all = self.values.iter().enumerate();
        let may = all.filter_map(|(i, v)| v.filter(|v| !keep.contains(v)).map(|v| (i, v)));
        let most = may.max_by_key(|(_, v)| cost(*v));
        most.map(|(i, _)| self.numbered(i))
    }
}

/// The registers of a function, and the values of the program that is being written.
pub struct Registers<'p> {
    program: &'p Program,
    /// By value: where it is read, descending.
    uses: Vec<Vec<usize>>,
    places: Vec<Where>,
    vectors: File,
    masks: File,
    /// By place on the stack.
    stacked: Vec<Option<Id>>,
    /// The most places on the stack so far, of any program.
    deepest: u32,
}

impl<'p> Registers<'p> {
    /// `vectors`: how many vector registers values may have, from the first.
    pub fn new(program: &'p Program, vectors: u8) -> Self {
        Self {
            program,
            uses: vec![],
            places: vec![],
            vectors: File::new(0..vectors),
            masks: File::new(MASKS),
            stacked: vec![],
            deepest: 0,
        }
    }

    /// Begins a program: all registers are free.
    pub fn begin(&mut self, program: &'p Program) {
        self.program = program;
        self.vectors.values.fill(None);
        self.masks.values.fill(None);
        self.stacked.clear();
        self.places = vec![Where::default(); program.ops.len()];
        self.uses = vec![vec![]; program.ops.len()];
        for (i, op) in program.ops.iter().enumerate().rev() {
            for o in op.operands() {
                self.uses[o.0 as usize].push(i);
            }
        }
    }

    /// The operation that makes a value.
    pub fn op(&self, x: Id) -> Op {
        self.program.ops[x.0 as usize]
    }

    pub fn is_mask(&self, x: Id) -> bool {
        self.op(x).is_mask(&self.program.ops)
    }

    /// The first vector register that values do not have.
    pub fn beside(&self) -> u8 {
        self.vectors.values.len() as u8
    }

    pub fn deepest(&self) -> u32 {
        self.deepest
    }

    /// The register of a value.
    pub fn of(&self, x: Id) -> Option<u8> {
        self.places[x.0 as usize].register
    }

    /// The place on the stack of a value.
    pub fn on_stack(&self, x: Id) -> Option<u32> {
        self.places[x.0 as usize].stack
    }

    /// Is operation `i` the last that reads a value?
    pub fn dies(&self, i: usize, x: Id) -> bool {
        self.uses[x.0 as usize].first() == Some(&i)
    }

    /// A vector register that holds none of the values of `keep`, free to be written to.
    pub fn vector(&mut self, keep: &[Id]) -> Taken {
        self.take(false, keep)
    }

    /// The same of masks.
    pub fn mask(&mut self, keep: &[Id]) -> Taken {
        self.take(true, keep)
    }

    fn take(&mut self, mask: bool, keep: &[Id]) -> Taken {
        let file = if mask { &self.masks } else { &self.vectors };
        if let Some(register) = file.free() {
            return Taken {
                register,
                store: None,
            };
        }
        let register = file
            .most(keep, |v| self.next_use(v))
            .expect("an operation has fewer operands than there are registers");
        let held = self.file(mask).value(register).take();
        let store = held.and_then(|v| self.evict(v));
        Taken { register, store }
    }

    fn file(&mut self, mask: bool) -> &mut File {
        match mask {
            true => &mut self.masks,
            false => &mut self.vectors,
        }
    }

    /// The next operation that reads a value, the one being written or a later one.
    fn next_use(&self, x: Id) -> usize {
        self.uses[x.0 as usize]
            .last()
            .copied()
            .unwrap_or(usize::MAX)
    }

    /// Can a value be made anew without reading the stack?
    fn remade(&self, x: Id) -> bool {
        matches!(
            self.op(x),
            Op::Word(_) | Op::Bit(_) | Op::LoadBits { .. } | Op::Load { firm: false, .. }
        )
    }

    /// Takes a value's register. Where it has to be stored, if it has.
    fn evict(&mut self, x: Id) -> Option<u32> {
        let place = &mut self.places[x.0 as usize];
        place.register = None;
        let kept = place.stack.is_some() || self.remade(x);
        (!kept).then(|| self.stack(x))
    }

    /// Gives a value a place on the stack.
    fn stack(&mut self, x: Id) -> u32 {
        let free = self.stacked.iter().position(Option::is_none);
        let n = free.unwrap_or_else(|| {
            self.stacked.push(None);
            self.stacked.len() - 1
        });
        self.stacked[n] = Some(x);
        self.places[x.0 as usize].stack = Some(n as u32);
        self.deepest = self.deepest.max(n as u32 + 1);
        n as u32
    }

    /// A register that was taken has a value now.
    pub fn hold(&mut self, x: Id, register: u8) {
        let mask = self.is_mask(x);
        *self.file(mask).value(register) = Some(x);
        self.places[x.0 as usize].register = Some(register);
        if self.uses[x.0 as usize].is_empty() {
            self.release(x);
        }
    }

    fn release(&mut self, x: Id) {
        if let Some(r) = self.places[x.0 as usize].register.take() {
            let mask = self.is_mask(x);
            *self.file(mask).value(r) = None;
        }
    }

    /// Operation `i` has read these.
    pub fn done(&mut self, i: usize, operands: &[Id]) {
        for &x in operands {
            let uses = &mut self.uses[x.0 as usize];
            while uses.last() == Some(&i) {
                uses.pop();
            }
            if uses.is_empty() {
                self.release(x);
                if let Some(n) = self.places[x.0 as usize].stack.take() {
                    self.stacked[n as usize] = None;
                }
            }
        }
    }
}
