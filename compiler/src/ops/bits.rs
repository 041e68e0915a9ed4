//! Bits of ints.

use super::rules::{int_alike, pointwise};
use super::{Ad, Arity, Batch, Domain, Kernel, OpDef, Scalar};
use crate::ir::DType;

macro_rules! bits {
    ($id:ident, $name:literal, $doc:literal, $scalar:ident) => {
        #[doc = $doc]
        pub static $id: OpDef = OpDef {
            name: $name,
            doc: $doc,
            arity: Arity::Exactly(2),
            shape: int_alike,
            kernel: Kernel::Map(Scalar::$scalar),
            ad: Ad::Zero,
            batch: Batch::Pointwise,
            cases: || pointwise(2, DType::I32, Domain::Below(40)),
        };
    };
}

bits!(BIT_AND, "bit_and", "The bits that both have.", BitAnd);
bits!(BIT_OR, "bit_or", "The bits that either has.", BitOr);
bits!(BIT_XOR, "bit_xor", "The bits that exactly one has.", BitXor);
bits!(
    SHIFT_LEFT,
    "shift_left",
    "The bits moved up by a number of places, modulo 32.",
    ShiftLeft
);
bits!(
    SHIFT_RIGHT,
    "shift_right",
    "The bits moved down by a number of places, modulo 32, with the sign.",
    ShiftRight
);
