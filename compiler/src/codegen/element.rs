//! One element-wise operation as Cranelift code, on one element or on the lanes of a 128-bit vector.

use crate::ir::DType;
use crate::ops::{Scalar, Special};
use cranelift::codegen::ir::{Endianness, MemFlagsData};
use cranelift::prelude::*;

/// The Cranelift type of an element, or of a vector of them. In vectors a truth value is a mask as wide as its fellows.
pub fn clif(dtype: DType, lanes: usize) -> types::Type {
    match (dtype, lanes) {
        (DType::F32, 4) => types::F32X4,
        (DType::I32 | DType::Bool, 4) => types::I32X4,
        (DType::F64, 2) => types::F64X2,
        (DType::Bool, 2) => types::I64X2,
        (DType::F32, _) => types::F32,
        (DType::F64, _) => types::F64,
        (DType::I32, _) => types::I32,
        (DType::Bool, _) => types::I8,
    }
}

/// The native kernel that computes the function, if it is not simple arithmetic.
pub fn native(f: Scalar) -> Option<&'static str> {
    Some(match f {
        Scalar::Pow => "pow",
        Scalar::Exp => "exp",
        Scalar::Log => "log",
        Scalar::Log1p => "log1p",
        Scalar::Expm1 => "expm1",
        Scalar::Sin => "sin",
        Scalar::Cos => "cos",
        Scalar::Tanh => "tanh",
        Scalar::Sigmoid => "sigmoid",
        Scalar::Softplus => "softplus",
        Scalar::Erf => "erf",
        Scalar::Erfinv => "erfinv",
        Scalar::Lgamma => "lgamma",
        Scalar::Digamma => "digamma",
        Scalar::Trigamma => "trigamma",
        Scalar::Special(f) => special(f),
        _ => return None,
    })
}

fn special(f: Special) -> &'static str {
    match f {
        Special::Tan => "tan",
        Special::Asin => "asin",
        Special::Acos => "acos",
        Special::Atan => "atan",
        Special::Atan2 => "atan2",
        Special::Sinh => "sinh",
        Special::Cosh => "cosh",
        Special::Asinh => "asinh",
        Special::Acosh => "acosh",
        Special::Atanh => "atanh",
        Special::Exp2 => "exp2",
        Special::Log2 => "log2",
        Special::Erfc => "erfc",
        Special::Erfcx => "erfcx",
        Special::Ndtr => "ndtr",
        Special::LogNdtr => "log_ndtr",
        Special::Ndtri => "ndtri",
        Special::I0e => "i0e",
        Special::I1e => "i1e",
        Special::Polygamma => "polygamma",
        Special::Logaddexp => "logaddexp",
        Special::Lbeta => "lbeta",
        Special::Gammainc => "gammainc",
        Special::Gammaincc => "gammaincc",
        Special::GammaincByX => "gammainc_by_x",
        Special::GammaincByA => "gammainc_by_a",
        Special::Betainc => "betainc",
        Special::BetaincByX => "betainc_by_x",
        Special::BetaincByA => "betainc_by_a",
        Special::BetaincByB => "betainc_by_b",
    }
}

/// Can the operation be done on vectors of four (f32, int) or two (f64) elements?
pub fn vector(f: Scalar, from: DType, to: DType, lanes: usize) -> bool {
    let fits = |d: DType| match lanes {
        4 => matches!(d, DType::F32 | DType::I32 | DType::Bool),
        _ => matches!(d, DType::F64 | DType::Bool),
    };
    if !fits(from) || !fits(to) {
        return false;
    }
    match f {
        Scalar::IntDiv | Scalar::ShiftLeft | Scalar::ShiftRight => false,
        Scalar::Mod | Scalar::Sign => from.is_real(),
        Scalar::Lt | Scalar::Le => from != DType::Bool,
        Scalar::BitsToUnit => lanes == 4,
        Scalar::Cast => lanes == 4 || from == to || from == DType::Bool,
        _ => true,
    }
}

/// Writes operations at the builder's position.
pub struct Element<'a, 'b> {
    pub b: &'a mut FunctionBuilder<'b>,
    pub lanes: usize,
}

impl Element<'_, '_> {
    fn flags() -> MemFlagsData {
        MemFlagsData::new().with_endianness(Endianness::Little)
    }

    pub fn real(&mut self, x: f64, dtype: DType) -> Value {
        let v = match dtype {
            DType::F64 => self.b.ins().f64const(x),
            _ => self.b.ins().f32const(x as f32),
        };
        if self.lanes > 1 {
            self.b.ins().splat(clif(dtype, self.lanes), v)
        } else {
            v
        }
    }

    pub fn int(&mut self, x: i64) -> Value {
        let v = self
            .b
            .ins()
            .iconst(types::I32, i64::from(x as i32) & 0xffff_ffff);
        if self.lanes > 1 {
            self.b.ins().splat(types::I32X4, v)
        } else {
            v
        }
    }

    pub fn truth(&mut self, x: bool) -> Value {
        match self.lanes {
            4 => {
                let v = self
                    .b
                    .ins()
                    .iconst(types::I32, if x { 0xffff_ffff } else { 0 });
                self.b.ins().splat(types::I32X4, v)
            }
            2 => {
                let v = self.b.ins().iconst(types::I64, if x { -1 } else { 0 });
                self.b.ins().splat(types::I64X2, v)
            }
            _ => self.b.ins().iconst(types::I8, i64::from(x)),
        }
    }

    pub fn select(&mut self, c: Value, x: Value, y: Value) -> Value {
        if self.lanes == 1 {
            return self.b.ins().select(c, x, y);
        }
        let ty = self.b.func.dfg.value_type(x);
        let have = self.b.func.dfg.value_type(c);
        let mask = if have == ty {
            c
        } else {
            self.b.ins().bitcast(ty, Self::flags(), c)
        };
        self.b.ins().bitselect(mask, x, y)
    }

    fn compare(&mut self, f: FloatCC, i: IntCC, real: bool, x: Value, y: Value) -> Value {
        if real {
            self.b.ins().fcmp(f, x, y)
        } else {
            self.b.ins().icmp(i, x, y)
        }
    }

    /// Division or remainder of ints, rounded toward minus infinity; 0 where the divisor is 0.
    fn int_divide(&mut self, x: Value, y: Value, remainder: bool) -> Value {
        let wide = |e: &mut Self, v| e.b.ins().sextend(types::I64, v);
        let (x, y) = (wide(self, x), wide(self, y));
        let zero = self.b.ins().iconst(types::I64, 0);
        let one = self.b.ins().iconst(types::I64, 1);
        let by_zero = self.b.ins().icmp(IntCC::Equal, y, zero);
        let safe = self.b.ins().select(by_zero, one, y);
        let r = self.b.ins().srem(x, safe);
        let nonzero = self.b.ins().icmp(IntCC::NotEqual, r, zero);
        let signs = self.b.ins().bxor(r, safe);
        let differ = self.b.ins().icmp(IntCC::SignedLessThan, signs, zero);
        let off = self.b.ins().band(nonzero, differ);
        let out = if remainder {
            let up = self.b.ins().iadd(r, safe);
            self.b.ins().select(off, up, r)
        } else {
            let q = self.b.ins().sdiv(x, safe);
            let down = self.b.ins().isub(q, one);
            self.b.ins().select(off, down, q)
        };
        let out = self.b.ins().select(by_zero, zero, out);
        self.b.ins().ireduce(types::I32, out)
    }

    fn cast(&mut self, x: Value, from: DType, to: DType) -> Value {
        let ty = clif(to, self.lanes);
        match (from, to) {
            _ if from == to => x,
            (DType::F32, DType::F64) => self.b.ins().fpromote(ty, x),
            (DType::F64, DType::F32) => self.b.ins().fdemote(ty, x),
            (DType::I32, DType::F32 | DType::F64) => self.b.ins().fcvt_from_sint(ty, x),
            (DType::F32 | DType::F64, DType::I32) => self.b.ins().fcvt_to_sint_sat(ty, x),
            (_, DType::Bool) => {
                let zero = if from.is_real() {
                    self.real(0.0, from)
                } else {
                    self.int(0)
                };
                self.compare(FloatCC::NotEqual, IntCC::NotEqual, from.is_real(), x, zero)
            }
            (DType::Bool, DType::I32) => {
                let (one, zero) = (self.int(1), self.int(0));
                self.select(x, one, zero)
            }
            (DType::Bool, _) => {
                let (one, zero) = (self.real(1.0, to), self.real(0.0, to));
                self.select(x, one, zero)
            }
            _ => x,
        }
    }

    /// The function of the operands; `from` is their element type (of a selection: of the second), `to` the result's.
    pub fn apply(&mut self, f: Scalar, x: &[Value], from: DType, to: DType) -> Value {
        let real = from.is_real();
        match f {
            Scalar::Identity | Scalar::First => x[0],
            Scalar::Zero => match to {
                DType::F32 | DType::F64 => self.real(0.0, to),
                DType::I32 => self.int(0),
                DType::Bool => self.truth(false),
            },
            Scalar::Add if real => self.b.ins().fadd(x[0], x[1]),
            Scalar::Sub if real => self.b.ins().fsub(x[0], x[1]),
            Scalar::Mul if real => self.b.ins().fmul(x[0], x[1]),
            Scalar::Div => self.b.ins().fdiv(x[0], x[1]),
            Scalar::Add => self.b.ins().iadd(x[0], x[1]),
            Scalar::Sub => self.b.ins().isub(x[0], x[1]),
            Scalar::Mul => self.b.ins().imul(x[0], x[1]),
            Scalar::IntDiv => self.int_divide(x[0], x[1], false),
            Scalar::Mod if !real => self.int_divide(x[0], x[1], true),
            Scalar::Mod => {
                let q = self.b.ins().fdiv(x[0], x[1]);
                let q = self.b.ins().floor(q);
                let p = self.b.ins().fmul(x[1], q);
                self.b.ins().fsub(x[0], p)
            }
            Scalar::Max | Scalar::Min => {
                let (a, b) = match f {
                    Scalar::Max => (x[1], x[0]),
                    _ => (x[0], x[1]),
                };
                // `a > b` chooses the second operand; so does a second operand that is no number.
                let c = self.compare(FloatCC::GreaterThan, IntCC::SignedGreaterThan, real, a, b);
                let v = self.select(c, x[1], x[0]);
                if !real {
                    return v;
                }
                let nan = self.b.ins().fcmp(FloatCC::Unordered, x[1], x[1]);
                self.select(nan, x[1], v)
            }
            Scalar::Neg if real => self.b.ins().fneg(x[0]),
            Scalar::Neg => self.b.ins().ineg(x[0]),
            Scalar::Abs if real => self.b.ins().fabs(x[0]),
            Scalar::Abs => self.b.ins().iabs(x[0]),
            Scalar::Sign => {
                let (one, minus, zero) = if real {
                    (
                        self.real(1.0, from),
                        self.real(-1.0, from),
                        self.real(0.0, from),
                    )
                } else {
                    (self.int(1), self.int(-1), self.int(0))
                };
                let up = self.compare(
                    FloatCC::GreaterThan,
                    IntCC::SignedGreaterThan,
                    real,
                    x[0],
                    zero,
                );
                let down = self.compare(FloatCC::LessThan, IntCC::SignedLessThan, real, x[0], zero);
                let v = self.select(down, minus, x[0]);
                self.select(up, one, v)
            }
            Scalar::Sqrt => self.b.ins().sqrt(x[0]),
            Scalar::Floor => self.b.ins().floor(x[0]),
            Scalar::Ceil => self.b.ins().ceil(x[0]),
            Scalar::Round => self.b.ins().nearest(x[0]),
            Scalar::IsFinite => {
                let d = self.b.ins().fsub(x[0], x[0]);
                self.b.ins().fcmp(FloatCC::Ordered, d, d)
            }
            Scalar::Lt => self.compare(FloatCC::LessThan, IntCC::SignedLessThan, real, x[0], x[1]),
            Scalar::Le => self.compare(
                FloatCC::LessThanOrEqual,
                IntCC::SignedLessThanOrEqual,
                real,
                x[0],
                x[1],
            ),
            Scalar::Eq => self.compare(FloatCC::Equal, IntCC::Equal, real, x[0], x[1]),
            Scalar::Ne => self.compare(FloatCC::NotEqual, IntCC::NotEqual, real, x[0], x[1]),
            Scalar::And => self.b.ins().band(x[0], x[1]),
            Scalar::Or => self.b.ins().bor(x[0], x[1]),
            Scalar::Not => {
                let all = self.truth(true);
                self.b.ins().bxor(x[0], all)
            }
            Scalar::BitAnd => self.b.ins().band(x[0], x[1]),
            Scalar::BitOr => self.b.ins().bor(x[0], x[1]),
            Scalar::BitXor => self.b.ins().bxor(x[0], x[1]),
            Scalar::ShiftLeft => self.b.ins().ishl(x[0], x[1]),
            Scalar::ShiftRight => self.b.ins().sshr(x[0], x[1]),
            Scalar::Select => self.select(x[0], x[1], x[2]),
            Scalar::Cast => self.cast(x[0], from, to),
            Scalar::BitsToUnit => self.unit(x[0], to),
            Scalar::Pow
            | Scalar::Exp
            | Scalar::Log
            | Scalar::Log1p
            | Scalar::Expm1
            | Scalar::Sin
            | Scalar::Cos
            | Scalar::Tanh
            | Scalar::Sigmoid
            | Scalar::Softplus
            | Scalar::Erf
            | Scalar::Erfinv
            | Scalar::Lgamma
            | Scalar::Digamma
            | Scalar::Trigamma
            | Scalar::Special(_) => panic!("internal error: {f:?} is a native kernel's"),
        }
    }

    /// Random bits as a number in the open unit interval.
    fn unit(&mut self, bits: Value, to: DType) -> Value {
        if to == DType::F64 {
            let wide = self.b.ins().uextend(types::I64, bits);
            let x = self.b.ins().fcvt_from_sint(types::F64, wide);
            let half = self.b.ins().f64const(0.5);
            let x = self.b.ins().fadd(x, half);
            let scale = self.b.ins().f64const(2f64.powi(-32));
            return self.b.ins().fmul(x, scale);
        }
        let top = self.b.ins().ushr_imm_u(bits, 9);
        let x = self.b.ins().fcvt_from_sint(clif(to, self.lanes), top);
        let half = self.real(0.5, to);
        let x = self.b.ins().fadd(x, half);
        let scale = self.real(2f64.powi(-23), to);
        self.b.ins().fmul(x, scale)
    }
}
