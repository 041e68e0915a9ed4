//! Shorthands for building graphs: derivative rules and passes read better with them.

use super::*;
use crate::ir::{Contract, DType, Shape};

impl Graph {
    pub fn unary(&mut self, def: &'static OpDef, x: Value) -> Value {
        self.add(def, Attr::None, &[x])
    }

    pub fn binary(&mut self, def: &'static OpDef, x: Value, y: Value) -> Value {
        self.add(def, Attr::None, &[x, y])
    }

    pub fn neg(&mut self, x: Value) -> Value {
        self.unary(&NEG, x)
    }

    pub fn exp(&mut self, x: Value) -> Value {
        self.unary(&EXP, x)
    }

    pub fn log(&mut self, x: Value) -> Value {
        self.unary(&LOG, x)
    }

    pub fn sin(&mut self, x: Value) -> Value {
        self.unary(&SIN, x)
    }

    pub fn cos(&mut self, x: Value) -> Value {
        self.unary(&COS, x)
    }

    pub fn sign(&mut self, x: Value) -> Value {
        self.unary(&SIGN, x)
    }

    pub fn sigmoid(&mut self, x: Value) -> Value {
        self.unary(&SIGMOID, x)
    }

    /// `1 / x`
    pub fn recip(&mut self, x: Value) -> Value {
        let one = self.constant_like(1.0, x);
        self.div(one, x)
    }

    /// `x + y`
    pub fn add2(&mut self, x: Value, y: Value) -> Value {
        self.binary(&ADD, x, y)
    }

    pub fn sub(&mut self, x: Value, y: Value) -> Value {
        self.binary(&SUB, x, y)
    }

    pub fn mul(&mut self, x: Value, y: Value) -> Value {
        self.binary(&MUL, x, y)
    }

    pub fn div(&mut self, x: Value, y: Value) -> Value {
        self.binary(&DIV, x, y)
    }

    pub fn pow(&mut self, x: Value, y: Value) -> Value {
        self.binary(&POW, x, y)
    }

    pub fn select(&mut self, c: Value, x: Value, y: Value) -> Value {
        self.add(&SELECT, Attr::None, &[c, x, y])
    }

    pub fn cast(&mut self, x: Value, dtype: DType) -> Value {
        if self.ty(x).dtype == dtype {
            x
        } else {
            self.add(&CAST, Attr::DType(dtype), &[x])
        }
    }

    /// Sums over axes; `x` itself when there are none.
    pub fn sum(&mut self, x: Value, axes: Vec<usize>) -> Value {
        if axes.is_empty() {
            x
        } else {
            self.add(&SUM, Attr::Axes(axes), &[x])
        }
    }

    pub fn broadcast(&mut self, x: Value, shape: Shape, axes: Vec<usize>) -> Value {
        if self.ty(x).shape == shape {
            x
        } else {
            self.add(&BROADCAST, Attr::Broadcast { shape, axes }, &[x])
        }
    }

    /// Repeats `x` along a new leading axis of extent `n`.
    pub fn trail(&mut self, x: Value, n: usize) -> Value {
        let ty = self.ty(x).clone();
        let shape = std::iter::once(n).chain(ty.shape.iter().copied()).collect();
        self.add(
            &BROADCAST,
            Attr::Broadcast {
                shape,
                axes: (1..=ty.rank()).collect(),
            },
            &[x],
        )
    }

    /// Repeats `x`, whose shape is a prefix of `shape`, along the axes behind its own.
    pub fn lead(&mut self, x: Value, shape: &[usize]) -> Value {
        let rank = self.ty(x).rank();
        self.broadcast(x, shape.to_vec(), (0..rank).collect())
    }

    pub fn reshape(&mut self, x: Value, shape: Shape) -> Value {
        if self.ty(x).shape == shape {
            x
        } else {
            self.add(&RESHAPE, Attr::Shape(shape), &[x])
        }
    }

    pub fn transpose(&mut self, x: Value, perm: Vec<usize>) -> Value {
        if perm.iter().enumerate().all(|(i, &p)| i == p) {
            x
        } else {
            self.add(&TRANSPOSE, Attr::Perm(perm), &[x])
        }
    }

    pub fn pad(
        &mut self,
        x: Value,
        low: Vec<usize>,
        high: Vec<usize>,
        between: Vec<usize>,
    ) -> Value {
        self.add(&PAD, Attr::Pad { low, high, between }, &[x])
    }

    /// `start..stop` of one axis.
    pub fn slice_axis(&mut self, x: Value, axis: usize, start: usize, stop: usize) -> Value {
        let shape = self.ty(x).shape.clone();
        let mut a = vec![0; shape.len()];
        let mut b = shape.clone();
        (a[axis], b[axis]) = (start, stop);
        self.add(
            &SLICE,
            Attr::Slice {
                start: a,
                stop: b,
                step: vec![1; shape.len()],
            },
            &[x],
        )
    }

    pub fn contract(
        &mut self,
        x: Value,
        y: Value,
        batch: Vec<(usize, usize)>,
        sum: Vec<(usize, usize)>,
    ) -> Value {
        self.add(&CONTRACT, Attr::Contract(Contract { batch, sum }), &[x, y])
    }
}
