//! A vector program: straight-line operations on sixteen elements at a time, each of which is written once.
//!
//! Values are vectors of sixteen 32-bit words (single-precision numbers or ints) or masks of sixteen bits. What is equal is
//! made once.

use super::super::formulas::{Int, Real, Table};
use std::cell::RefCell;
use std::collections::HashMap;
use std::ops::{Add, Div, Mul, Neg, Sub};

/// A value of a program: the number of the operation that makes it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Id(pub u32);

/// Where in its buffer an element stands.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum At {
    /// At the row times the columns, plus the column.
    Flat,
    /// At the column.
    Column,
    /// At the column, from the first of the tile.
    Tile,
    /// At the row: one for all columns.
    Row,
    /// At the start: one for all.
    Whole,
}

/// Operations on two vectors of words. Those on ints wrap around.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Binary {
    Add,
    Sub,
    Mul,
    Div,
    /// The larger; the second if one is no number, or both are zero.
    Above,
    /// The smaller; the second if one is no number, or both are zero.
    Below,
    /// The first times two to the power of the second, rounded down.
    Scale,
    /// The larger or smaller; what is no number wins.
    Max,
    Min,
    And,
    Or,
    Xor,
    IntAdd,
    IntSub,
    IntMul,
    IntMax,
    IntMin,
    /// By amounts in 0..32.
    ShiftLeft,
    ShiftRight,
}

/// Operations on one vector of words.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Unary {
    Sqrt,
    Floor,
    Ceil,
    /// Half to even.
    Round,
    IntAbs,
    /// An int as a real.
    Real,
    /// A real's integral part as an int; what does not fit gives the least int.
    Truncate,
    ShiftLeft(u8),
    ShiftRight(u8),
    /// Without the sign.
    Shift(u8),
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Compare {
    Eq,
    Ne,
    Lt,
    Le,
    /// One of them is no number.
    Unordered,
    IntEq,
    IntNe,
    IntLt,
    IntLe,
}

/// Operations on masks.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Logic {
    And,
    Or,
    Xor,
    /// Equal.
    Same,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Op {
    /// The same word in all lanes.
    Word(u32),
    /// The same bit in all lanes.
    Bit(bool),
    /// Words of a buffer. `firm`: the buffer is written too, so that it is read once, here.
    Load {
        slot: usize,
        at: At,
        firm: bool,
    },
    /// Truth values of a buffer, a byte each.
    LoadBits {
        slot: usize,
        at: At,
    },
    Binary(Binary, Id, Id),
    /// The product of the first two plus the third, rounded once.
    Fma(Id, Id, Id),
    Unary(Unary, Id),
    /// The first, or what stands for it in a table where the second is no number, zero, one, infinite, negative or positive.
    Fix(Id, Id, u32),
    /// By the lowest four bits, from a table.
    Pick(Id, &'static Table),
    Compare(Compare, Id, Id),
    Logic(Logic, Id, Id),
    /// (mask, where it is set, elsewhere)
    Select(Id, Id, Id),
    Store {
        slot: usize,
        at: At,
        value: Id,
    },
    StoreBits {
        slot: usize,
        at: At,
        value: Id,
    },
    /// Adds the elements to a fold, by number.
    Fold {
        fold: usize,
        value: Id,
    },
}

impl Op {
    /// What it reads.
    pub fn operands(&self) -> Vec<Id> {
        match *self {
            Self::Word(_) | Self::Bit(_) | Self::Load { .. } | Self::LoadBits { .. } => vec![],
            Self::Unary(_, x)
            | Self::Pick(x, _)
            | Self::Store { value: x, .. }
            | Self::StoreBits { value: x, .. }
            | Self::Fold { value: x, .. } => vec![x],
            Self::Binary(_, x, y)
            | Self::Compare(_, x, y)
            | Self::Logic(_, x, y)
            | Self::Fix(x, y, _) => vec![x, y],
            Self::Select(x, y, z) | Self::Fma(x, y, z) => vec![x, y, z],
        }
    }

    /// Whether it gives a mask.
    pub fn is_mask(&self, ops: &[Self]) -> bool {
        match self {
            Self::Bit(_) | Self::LoadBits { .. } | Self::Compare(..) | Self::Logic(..) => true,
            Self::Select(_, x, _) => ops[x.0 as usize].is_mask(ops),
            _ => false,
        }
    }
}

/// What a fold leaves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Leaves {
    /// One word for each row, at the row.
    Row,
    /// One word.
    Whole,
    /// Its sixteen lanes.
    Lanes,
    /// Its sixteen lanes, which it goes on from.
    MoreLanes,
    /// One word for each column, which it is added to.
    Column,
}

/// A reduction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fold {
    pub with: Binary,
    /// What it starts from.
    pub start: u32,
    pub leaves: Leaves,
    pub slot: usize,
}

/// What a phase does, row by row.
#[derive(Default, Debug)]
pub struct Section {
    /// First, once: all its elements are at the row, or are one for all.
    pub row: Program,
    /// Then, for each vector of columns.
    pub columns: Program,
}

/// Operations, in their order.
#[derive(Default, Debug)]
pub struct Program {
    pub ops: Vec<Op>,
    known: HashMap<Op, Id>,
}

impl Program {
    pub fn push(&mut self, op: Op) -> Id {
        if let Some(id) = self.known.get(&op) {
            return *id;
        }
        let id = Id(self.ops.len() as u32);
        self.ops.push(op);
        if !matches!(
            op,
            Op::Store { .. } | Op::StoreBits { .. } | Op::Fold { .. }
        ) {
            self.known.insert(op, id);
        }
        id
    }
}

/// A program being written, shared by its terms.
pub struct Writing(RefCell<Program>);

impl Writing {
    pub fn new(program: Program) -> Self {
        Self(RefCell::new(program))
    }

    pub fn finish(self) -> Program {
        self.0.into_inner()
    }

    pub fn push(&self, op: Op) -> Id {
        self.0.borrow_mut().push(op)
    }

    pub fn real(&self, x: f32) -> Term<'_> {
        self.term(self.push(Op::Word(x.to_bits())))
    }

    pub fn int(&self, x: i32) -> Id {
        self.push(Op::Word(x as u32))
    }

    pub fn term(&self, id: Id) -> Term<'_> {
        Term { writing: self, id }
    }

    pub fn binary(&self, f: Binary, x: Id, y: Id) -> Id {
        self.push(Op::Binary(f, x, y))
    }
}

/// A single-precision number, or an int, of a program that is being written.
#[derive(Clone, Copy)]
pub struct Term<'w> {
    writing: &'w Writing,
    pub id: Id,
}

impl Term<'_> {
    fn with(self, op: Op) -> Self {
        Self {
            id: self.writing.push(op),
            ..self
        }
    }

    fn binary(self, f: Binary, y: Id) -> Self {
        self.with(Op::Binary(f, self.id, y))
    }

    fn compare(self, f: Compare, y: f32) -> Id {
        let y = self.writing.real(y).id;
        self.writing.push(Op::Compare(f, self.id, y))
    }
}

macro_rules! operator {
    ($trait:ident $method:ident $op:ident) => {
        impl $trait for Term<'_> {
            type Output = Self;

            fn $method(self, y: Self) -> Self {
                self.binary(Binary::$op, y.id)
            }
        }
    };
}

operator!(Add add Add);
operator!(Sub sub Sub);
operator!(Mul mul Mul);
operator!(Div div Div);

macro_rules! operator_with_constant {
    ($trait:ident $method:ident $op:ident) => {
        impl $trait<f32> for Term<'_> {
            type Output = Self;

            fn $method(self, y: f32) -> Self {
                self.binary(Binary::$op, self.writing.real(y).id)
            }
        }
    };
}

operator_with_constant!(Add add Add);
operator_with_constant!(Sub sub Sub);
operator_with_constant!(Mul mul Mul);

impl Neg for Term<'_> {
    type Output = Self;

    fn neg(self) -> Self {
        self.binary(Binary::Xor, self.writing.int(i32::MIN))
    }
}

/// The table of [`Op::Fix`] for `Real::where_positive`: four bits for each kind of number, as `vfixupimmps` counts them.
fn fix(zero_is_up: bool) -> u32 {
    const KEEP: u32 = 0;
    const OPERAND: u32 = 2;
    const NONE: u32 = 3;
    const DOWN: u32 = 4;
    const UP: u32 = 5;
    let zero = if zero_is_up { UP } else { DOWN };
    // Two kinds of no number, zero, one, minus infinity, infinity, negative, positive.
    let kinds = [OPERAND, OPERAND, zero, KEEP, NONE, UP, NONE, KEEP];
    let nibbles = kinds.iter().enumerate();
    nibbles.fold(0, |table, (i, kind)| table | kind << (4 * i))
}

impl<'w> Real for Term<'w> {
    type Int = Term<'w>;
    type Truth = Id;

    fn constant(self, x: f32) -> Self {
        self.writing.real(x)
    }

    fn abs(self) -> Self {
        self.binary(Binary::And, self.writing.int(i32::MAX))
    }

    fn sqrt(self) -> Self {
        self.with(Op::Unary(Unary::Sqrt, self.id))
    }

    fn times_plus(self, y: Self, z: Self) -> Self {
        self.with(Op::Fma(self.id, y.id, z.id))
    }

    fn signed_as(self, x: Self) -> Self {
        let sign = x.binary(Binary::And, self.writing.int(i32::MIN));
        self.binary(Binary::Or, sign.id)
    }

    fn at_most(self, y: f32) -> Self {
        self.writing.real(y).binary(Binary::Below, self.id)
    }

    fn bounded(self, low: f32, high: f32) -> Self {
        // What is no number comes second.
        let up = self.writing.real(low).binary(Binary::Above, self.id);
        self.writing.real(high).binary(Binary::Below, up.id)
    }

    fn below(self, y: f32) -> Id {
        self.compare(Compare::Lt, y)
    }

    fn above(self, y: f32) -> Id {
        let y = self.writing.real(y).id;
        self.writing.push(Op::Compare(Compare::Lt, y, self.id))
    }

    fn select(c: Id, x: Self, y: Self) -> Self {
        x.with(Op::Select(c, x.id, y.id))
    }

    fn bits(self) -> Self {
        self
    }

    fn scaled(self, n: Self) -> Self {
        self.binary(Binary::Scale, n.id)
    }

    fn where_positive(self, x: Self, zero: f32) -> Self {
        self.with(Op::Fix(self.id, x.id, fix(zero > 0.0)))
    }
}

impl Int for Term<'_> {
    type Real = Self;

    fn plus(self, y: i32) -> Self {
        self.binary(Binary::IntAdd, self.writing.int(y))
    }

    fn minus(self, y: Self) -> Self {
        self.binary(Binary::IntSub, y.id)
    }

    fn taken_from(self, y: i32) -> Self {
        let y = self.writing.int(y);
        self.writing.term(y).binary(Binary::IntSub, self.id)
    }

    fn capped(self, y: i32) -> Self {
        self.binary(Binary::IntMin, self.writing.int(y))
    }

    fn left(self, n: u32) -> Self {
        self.with(Op::Unary(Unary::ShiftLeft(n as u8), self.id))
    }

    fn right(self, n: u32) -> Self {
        self.with(Op::Unary(Unary::ShiftRight(n as u8), self.id))
    }

    fn real(self) -> Self {
        self.with(Op::Unary(Unary::Real, self.id))
    }

    fn as_bits(self) -> Self {
        self
    }

    fn pick(self, table: &'static Table) -> Self {
        self.with(Op::Pick(self.id, table))
    }
}
