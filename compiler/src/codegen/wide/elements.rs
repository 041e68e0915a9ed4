//! The nodes of one phase of a nest as a vector program.

use super::super::element::native;
use super::super::formulas;
use super::super::nest::{
    Fold as NestFold, Nest, Reach, is_draw, native_of, operand_type, scalar_of,
};
use super::super::plan::{Folding, Unit, folding};
use super::program::{
    At, Binary, Compare, Fold, Id, Leaves, Logic, Op, Program, Section, Term, Unary, Writing,
};
use super::write::{Loops, MOST_FOLDS, write};
use crate::ir::{DType, Graph, Literal, Value};
use crate::ops::{Kernel, Monoid, Scalar};
use std::collections::HashMap;

/// What the code of a nest needs the address of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Slot {
    /// A value's buffer.
    Value(Value),
    /// Its scratch tile.
    Scratch(Value),
    /// Where a reduction's partial results are.
    Fold(Value),
}

/// Functions of one number that are computed in registers.
pub fn inline(f: Scalar) -> bool {
    matches!(
        f,
        Scalar::Exp
            | Scalar::Log
            | Scalar::Log1p
            | Scalar::Expm1
            | Scalar::Tanh
            | Scalar::Sigmoid
            | Scalar::Softplus
            | Scalar::Erf
            | Scalar::Erfinv
    )
}

/// Can the loops of the unit be written in this way, and is it worth it? Of one element it is where functions need no calls.
pub fn supports(g: &Graph, unit: &Unit) -> bool {
    if unit.shape.iter().product::<usize>() == 1 {
        let mut functions = unit.nodes.iter().filter_map(|n| scalar_of(g, *n));
        let called = functions.clone().any(|f| native(f).is_some() && !inline(f));
        if called || !functions.any(inline) {
            return false;
        }
    }
    let narrow = |v: &Value| g.ty(*v).dtype != DType::F64;
    let mut folds = 0;
    let fits = unit.nodes.iter().all(|&n| {
        let types = narrow(&n) && g.operands(n).iter().all(narrow);
        match scalar_of(g, n) {
            Some(Scalar::IntDiv) => false,
            Some(Scalar::Mod) => types && operand_type(g, n).is_real(),
            Some(_) => types,
            None if is_draw(g, n) => true,
            None => {
                let column = matches!(folding(g, n), Some((Folding::Column, _)));
                folds += usize::from(!column);
                types && g.ty(n).dtype != DType::Bool
            }
        }
    });
    fits && folds <= MOST_FOLDS
}

/// The nodes of a phase.
pub struct Phase {
    /// Those of one element a row, if they are computed here.
    pub of_rows: Vec<Value>,
    pub nodes: Vec<Value>,
    /// Operands from outside that a native kernel reads from a scratch tile.
    pub spilled: Vec<Value>,
    pub folds: Vec<NestFold>,
}

impl Phase {
    fn is_empty(&self) -> bool {
        let nodes = [&self.of_rows, &self.nodes, &self.spilled];
        nodes.iter().all(|n| n.is_empty()) && self.folds.is_empty()
    }
}

/// What a phase is a part of.
pub struct Around<'n> {
    pub g: &'n Graph,
    pub nest: &'n Nest,
    pub kept: &'n [bool],
    /// Whether a buffer is also written by the nest.
    pub firm: &'n dyn Fn(Value) -> bool,
}

/// The code of phases that follow one another in each row; the addresses that it wants are added to `slots`. Nothing if there
/// is nothing to do.
pub fn function(around: &Around, phases: &[Phase], slots: &mut Vec<Slot>) -> Option<Vec<u8>> {
    if phases.iter().all(Phase::is_empty) {
        return None;
    }
    let mut folds = Vec::new();
    let sections: Vec<Section> = phases
        .iter()
        .map(|phase| {
            let mut e = Elements::new(around, slots, &mut folds);
            phase.of_rows.iter().for_each(|n| e.node(*n));
            let row = e.w.finish();
            let mut e = Elements::new(around, slots, &mut folds);
            for &o in &phase.spilled {
                let x = e.operand(o);
                e.store(Slot::Scratch(o), At::Tile, x, g_bool(around.g, o));
            }
            phase.nodes.iter().for_each(|n| e.node(*n));
            phase.folds.iter().for_each(|f| e.fold(f));
            Section {
                row,
                columns: e.w.finish(),
            }
        })
        .collect();
    let loops = Loops {
        columns: around.nest.columns,
        streams: around.nest.streams,
        single: around.nest.rows == 1,
        abreast: around.nest.abreast,
        packed: around.nest.packed,
    };
    Some(write(&sections, &folds, slots.len(), loops))
}

fn g_bool(g: &Graph, v: Value) -> bool {
    g.ty(v).dtype == DType::Bool
}

struct Elements<'e, 'n> {
    around: &'e Around<'n>,
    w: Writing,
    slots: &'e mut Vec<Slot>,
    folds: &'e mut Vec<Fold>,
    values: HashMap<Value, Id>,
}

impl<'e, 'n> Elements<'e, 'n> {
    fn new(around: &'e Around<'n>, slots: &'e mut Vec<Slot>, folds: &'e mut Vec<Fold>) -> Self {
        Self {
            around,
            w: Writing::new(Program::default()),
            slots,
            folds,
            values: HashMap::new(),
        }
    }

    /// Where a value's elements are in its buffer.
    fn at(&self, o: Value) -> At {
        let Around { g, nest, .. } = *self.around;
        match nest.reach(g, o) {
            // Of one element, what is read is no more than that: it may have been written by itself.
            Reach::Full if nest.rows * nest.columns == 1 => At::Whole,
            Reach::Full => At::Flat,
            Reach::Row => At::Column,
            Reach::Column => At::Row,
            Reach::Scalar => At::Whole,
        }
    }

    /// And in its scratch tile.
    fn at_in_tile(&self, o: Value) -> At {
        let Around { g, nest, .. } = *self.around;
        if nest.is_row_node(g, o) {
            At::Whole
        } else {
            At::Tile
        }
    }

    fn slot(&mut self, s: Slot) -> usize {
        match self.slots.iter().position(|x| *x == s) {
            Some(i) => i,
            None => {
                self.slots.push(s);
                self.slots.len() - 1
            }
        }
    }

    fn load(&mut self, s: Slot, at: At, bits: bool, firm: bool) -> Id {
        let slot = self.slot(s);
        self.w.push(if bits {
            Op::LoadBits { slot, at }
        } else {
            Op::Load { slot, at, firm }
        })
    }

    fn store(&mut self, s: Slot, at: At, value: Id, bits: bool) {
        let slot = self.slot(s);
        self.w.push(if bits {
            Op::StoreBits { slot, at, value }
        } else {
            Op::Store { slot, at, value }
        });
    }

    /// An operand's elements.
    fn operand(&mut self, o: Value) -> Id {
        if let Some(x) = self.values.get(&o) {
            return *x;
        }
        let Around { g, nest, firm, .. } = *self.around;
        let bits = g_bool(g, o);
        let member = nest.members.contains(&o);
        let x = if member && nest.scratch.contains(&o) {
            self.load(Slot::Scratch(o), self.at_in_tile(o), bits, false)
        } else {
            let source = match member {
                true => o,
                false => nest.source(g, o).source,
            };
            if let Some(l) = g.literal(source) {
                return self.literal(o, l);
            }
            self.load(Slot::Value(source), self.at(o), bits, firm(source))
        };
        self.values.insert(o, x);
        x
    }

    fn literal(&mut self, o: Value, l: Literal) -> Id {
        let x = match self.around.g.ty(o).dtype {
            DType::Bool => self.w.push(Op::Bit(match l {
                Literal::Bool(b) => b,
                x => x.as_f64() != 0.0,
            })),
            DType::I32 => self.w.int(match l {
                Literal::Int(x) => x as i32,
                x => x.as_f64() as i64 as i32,
            }),
            _ => self.w.real(l.as_f64() as f32).id,
        };
        self.values.insert(o, x);
        x
    }

    fn node(&mut self, n: Value) {
        let Around { g, nest, kept, .. } = *self.around;
        let x: Vec<Id> = g.operands(n).into_iter().map(|o| self.operand(o)).collect();
        let f = scalar_of(g, n).unwrap_or(Scalar::Identity);
        let (from, to) = (operand_type(g, n), g.ty(n).dtype);
        let v = apply(&self.w, f, &x, from, to);
        self.values.insert(n, v);
        if kept[n.0 as usize] {
            self.store(Slot::Value(n), self.at(n), v, to == DType::Bool);
        } else if nest.scratch.contains(&n) {
            self.store(Slot::Scratch(n), self.at_in_tile(n), v, to == DType::Bool);
        }
    }

    fn fold(&mut self, f: &NestFold) {
        let Around { g, nest, .. } = *self.around;
        let value = self.operand(f.operand);
        let Kernel::Reduce(m) = g.node(f.node).def.kernel else {
            panic!("internal error: a fold that is no reduction");
        };
        let (with, start) = monoid(m, g.ty(f.node).dtype);
        let (slot, leaves) = match f.kind {
            Folding::Column => (Slot::Fold(f.node), Leaves::Column),
            Folding::Row if !nest.gathers(f) => (Slot::Value(f.node), Leaves::Row),
            Folding::Whole if nest.direct && nest.parts == 1 => {
                (Slot::Value(f.node), Leaves::Whole)
            }
            Folding::Whole if nest.direct && !nest.resumes => (Slot::Fold(f.node), Leaves::Lanes),
            _ => (Slot::Fold(f.node), Leaves::MoreLanes),
        };
        let slot = self.slot(slot);
        self.folds.push(Fold {
            with,
            start,
            leaves,
            slot,
        });
        let fold = self.folds.len() - 1;
        self.w.push(Op::Fold { fold, value });
    }
}

/// How a reduction combines, and what it starts from.
fn monoid(m: Monoid, dtype: DType) -> (Binary, u32) {
    let real = dtype == DType::F32;
    match m {
        Monoid::Sum if real => (Binary::Add, 0),
        Monoid::Prod if real => (Binary::Mul, 1f32.to_bits()),
        Monoid::Max if real => (Binary::Max, f32::NEG_INFINITY.to_bits()),
        Monoid::Min if real => (Binary::Min, f32::INFINITY.to_bits()),
        Monoid::Sum => (Binary::IntAdd, 0),
        Monoid::Prod => (Binary::IntMul, 1),
        Monoid::Max => (Binary::IntMax, i32::MIN as u32),
        Monoid::Min => (Binary::IntMin, i32::MAX as u32),
        Monoid::Any => (Binary::Or, 0),
        Monoid::All => (Binary::And, 1),
    }
}

/// The function of the operands; `from` is their element type (of a selection: of the second), `to` the result's. As
/// `Element::apply` for narrower vectors.
fn apply(w: &Writing, f: Scalar, x: &[Id], from: DType, to: DType) -> Id {
    let real = from.is_real();
    let by = |r: Binary, i: Binary| w.binary(if real { r } else { i }, x[0], x[1]);
    let compare = |r: Compare, i: Compare| {
        let f = if real { r } else { i };
        w.push(Op::Compare(f, x[0], x[1]))
    };
    let unary = |f: Unary, x: Id| w.push(Op::Unary(f, x));
    let term = |i: usize| w.term(x[i]);
    match f {
        Scalar::Identity | Scalar::First => x[0],
        Scalar::Zero if to == DType::Bool => w.push(Op::Bit(false)),
        Scalar::Zero => w.int(0),
        Scalar::Add => by(Binary::Add, Binary::IntAdd),
        Scalar::Sub => by(Binary::Sub, Binary::IntSub),
        Scalar::Mul => by(Binary::Mul, Binary::IntMul),
        Scalar::Div => w.binary(Binary::Div, x[0], x[1]),
        Scalar::Mod => {
            let q = w.binary(Binary::Div, x[0], x[1]);
            let q = unary(Unary::Floor, q);
            let p = w.binary(Binary::Mul, x[1], q);
            w.binary(Binary::Sub, x[0], p)
        }
        Scalar::Max => by(Binary::Max, Binary::IntMax),
        Scalar::Min => by(Binary::Min, Binary::IntMin),
        Scalar::Neg if real => (-term(0)).id,
        Scalar::Neg => {
            let zero = w.int(0);
            w.binary(Binary::IntSub, zero, x[0])
        }
        Scalar::Abs if real => formulas::Real::abs(term(0)).id,
        Scalar::Abs => unary(Unary::IntAbs, x[0]),
        Scalar::Sign => sign(w, x[0], real),
        Scalar::Sqrt => unary(Unary::Sqrt, x[0]),
        Scalar::Floor => unary(Unary::Floor, x[0]),
        Scalar::Ceil => unary(Unary::Ceil, x[0]),
        Scalar::Round => unary(Unary::Round, x[0]),
        Scalar::IsFinite => {
            let d = w.binary(Binary::Sub, x[0], x[0]);
            not(w, w.push(Op::Compare(Compare::Unordered, d, d)))
        }
        Scalar::Lt => compare(Compare::Lt, Compare::IntLt),
        Scalar::Le => compare(Compare::Le, Compare::IntLe),
        Scalar::Eq if from == DType::Bool => w.push(Op::Logic(Logic::Same, x[0], x[1])),
        Scalar::Ne if from == DType::Bool => w.push(Op::Logic(Logic::Xor, x[0], x[1])),
        Scalar::Eq => compare(Compare::Eq, Compare::IntEq),
        Scalar::Ne => compare(Compare::Ne, Compare::IntNe),
        Scalar::And => w.push(Op::Logic(Logic::And, x[0], x[1])),
        Scalar::Or => w.push(Op::Logic(Logic::Or, x[0], x[1])),
        Scalar::Not => not(w, x[0]),
        Scalar::BitAnd => w.binary(Binary::And, x[0], x[1]),
        Scalar::BitOr => w.binary(Binary::Or, x[0], x[1]),
        Scalar::BitXor => w.binary(Binary::Xor, x[0], x[1]),
        Scalar::ShiftLeft | Scalar::ShiftRight => {
            let few = w.binary(Binary::And, x[1], w.int(31));
            let f = match f {
                Scalar::ShiftLeft => Binary::ShiftLeft,
                _ => Binary::ShiftRight,
            };
            w.binary(f, x[0], few)
        }
        Scalar::Select => w.push(Op::Select(x[0], x[1], x[2])),
        Scalar::Cast => cast(w, x[0], from, to),
        Scalar::BitsToUnit => {
            // As a number in the open unit interval.
            let top = unary(Unary::Shift(9), x[0]);
            let x = w.term(unary(Unary::Real, top));
            ((x + 0.5) * 2f32.powi(-23)).id
        }
        f => {
            function_of(term(0), f)
                .unwrap_or_else(|| panic!("internal error: {f:?} is a native kernel's"))
                .id
        }
    }
}

/// The functions that [`inline`] tells of.
fn function_of(x: Term<'_>, f: Scalar) -> Option<Term<'_>> {
    Some(match f {
        Scalar::Exp => formulas::exp(x),
        Scalar::Log => formulas::log(x),
        Scalar::Log1p => formulas::log1p(x),
        Scalar::Expm1 => formulas::expm1(x),
        Scalar::Tanh => formulas::tanh(x),
        Scalar::Sigmoid => formulas::sigmoid(x),
        Scalar::Softplus => formulas::softplus(x),
        Scalar::Erf => formulas::erf(x),
        Scalar::Erfinv => formulas::erfinv(x),
        _ => return None,
    })
}

fn not(w: &Writing, x: Id) -> Id {
    let all = w.push(Op::Bit(true));
    w.push(Op::Logic(Logic::Xor, x, all))
}

/// -1, 0, 1; what is no number stays.
fn sign(w: &Writing, x: Id, real: bool) -> Id {
    let constant = |n: i32| if real { w.real(n as f32).id } else { w.int(n) };
    let less = if real { Compare::Lt } else { Compare::IntLt };
    let zero = constant(0);
    let up = w.push(Op::Compare(less, zero, x));
    let down = w.push(Op::Compare(less, x, zero));
    let y = w.push(Op::Select(down, constant(-1), x));
    w.push(Op::Select(up, constant(1), y))
}

fn cast(w: &Writing, x: Id, from: DType, to: DType) -> Id {
    match (from, to) {
        _ if from == to => x,
        (DType::I32, DType::F32) => w.push(Op::Unary(Unary::Real, x)),
        (DType::F32, DType::I32) => {
            // The least int is what is too small gives; what is too large, and no number, are set apart.
            let y = w.push(Op::Unary(Unary::Truncate, x));
            let high = w.push(Op::Compare(Compare::Le, w.real(2f32.powi(31)).id, x));
            let y = w.push(Op::Select(high, w.int(i32::MAX), y));
            let none = w.push(Op::Compare(Compare::Unordered, x, x));
            w.push(Op::Select(none, w.int(0), y))
        }
        (DType::F32, _) => w.push(Op::Compare(Compare::Ne, x, w.int(0))),
        (DType::I32, _) => w.push(Op::Compare(Compare::IntNe, x, w.int(0))),
        (_, DType::I32) => w.push(Op::Select(x, w.int(1), w.int(0))),
        _ => w.push(Op::Select(x, w.real(1.0).id, w.real(0.0).id)),
    }
}

/// Whether a node is computed in the loops of wide code.
pub fn in_loop(g: &Graph, v: Value) -> bool {
    native_of(g, v).is_none() || scalar_of(g, v).is_some_and(inline) && g.ty(v).dtype == DType::F32
}
