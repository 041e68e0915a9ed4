//! The table of primitive operations: one row each, every cell decided.
//!
//! A row says all that the compiler knows of an operation. Passes match on the cells' closed enums, never on operations.

use crate::ir::{Attr, Graph, Type, Value};

/// One primitive operation.
#[derive(Debug)]
pub struct OpDef {
    pub name: &'static str,
    pub doc: &'static str,
    pub arity: Arity,
    /// The result's type for the attribute and operand types, or what is wrong with them, in words for a user.
    pub shape: fn(&Attr, &[&Type]) -> Result<Type, String>,
    pub kernel: Kernel,
    pub ad: Ad,
    pub batch: Batch,
    /// Operand types and attributes on which the generic tests run the operation.
    pub cases: fn() -> Vec<Case>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Arity {
    Exactly(usize),
    AtLeast(usize),
}

/// One input to the generic tests.
#[derive(Clone, Debug)]
pub struct Case {
    pub attr: Attr,
    pub operands: Vec<(Type, Domain)>,
}

/// Where random test values are drawn from, chosen so that no point is a kink or a pole.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Domain {
    /// Uniform in the open interval.
    Between(f64, f64),
    /// Integers `0..n`, or booleans for `n = 2`.
    Below(usize),
    /// Pairwise distinct reals, so that a maximum is unique.
    Distinct,
    /// Matrices in the last two axes whose diagonal, of either sign, outweighs the rest of its row.
    Dominant,
    /// The same with a positive diagonal: their symmetric part is positive definite.
    PositiveDefinite,
    /// Matrices whose singular values, and eigenvalues of the symmetric part, lie apart.
    Spread,
}

/// Derivatives. Rules build primitives, so derivatives have derivatives.
#[derive(Clone, Copy, Debug)]
pub enum Ad {
    /// Element-wise: the partial derivative by each operand, `None` where it is zero everywhere.
    /// Arguments: graph, operands, result.
    Pointwise(fn(&mut Graph, &[Value], Value) -> Vec<Option<Value>>),
    /// Linear in the operands listed, for fixed others. The transpose takes (graph, the node, operands, cotangent) and
    /// gives each operand's cotangent, `None` for those not listed. The forward derivative is the operation itself
    /// on tangents.
    Linear { wrt: Wrt, transpose: Transpose },
    /// Linear in each of two operands for a fixed other. Arguments as above; gives the operand's cotangent.
    Bilinear {
        left: fn(&mut Graph, Value, &[Value], Value) -> Value,
        right: fn(&mut Graph, Value, &[Value], Value) -> Value,
    },
    /// Locally constant, or not a function of reals: nothing flows.
    Zero,
    /// Everything else. `jvp`: (graph, node, operands, tangents) to tangent. `vjp`: as a transpose.
    Custom { jvp: Jvp, vjp: Transpose },
    /// A loop, a call, or a part of one: a pass of its own knows what to do.
    Region,
    /// Has no derivative; the sentence is for the user.
    Refused(&'static str),
}

/// (graph, node, operands, tangents of the operands) to the tangent of the node.
pub type Jvp = fn(&mut Graph, Value, &[Value], &[Option<Value>]) -> Option<Value>;

/// (graph, node, operands, cotangent of the node) to the cotangents of the operands.
pub type Transpose = fn(&mut Graph, Value, &[Value], Value) -> Vec<Option<Value>>;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Wrt {
    All,
    Only(&'static [usize]),
}

/// An operand of an operation that is being batched: with or without the new leading axis.
#[derive(Clone, Copy, Debug)]
pub struct Lane {
    pub value: Value,
    pub batched: bool,
}

impl Lane {
    /// The operand with the new axis, of extent `n`: repeated along it where it has none.
    pub fn with_axis(self, g: &mut Graph, n: usize) -> Value {
        if self.batched {
            self.value
        } else {
            g.trail(self.value, n)
        }
    }
}

/// How an operation runs over a new leading axis.
#[derive(Clone, Copy, Debug)]
pub enum Batch {
    /// Element-wise: operands without the axis repeat along it.
    Pointwise,
    /// All operands are given the axis; the attribute's axes move up by one (`n`: the extent of the new axis).
    Shift(fn(&Attr, usize) -> Attr),
    /// (graph, the unbatched node, lanes, n) to the batched result, new axis first.
    Custom(fn(&mut Graph, Value, &[Lane], usize) -> Value),
    /// A loop, a call, or a part of one: the pass batches the graph that the node owns.
    Region,
}

/// What the operation computes, as data that the interpreter and the code generator each read on their own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kernel {
    /// A value that comes from outside: `input`, `lane`, `site`. Lanes and sites are gone before code generation.
    Leaf,
    /// `fill`: a literal everywhere.
    Fill,
    /// `table`: a dense constant.
    Table,
    /// `iota`: the index along one axis.
    Iota,
    /// The same scalar function for each element; all operands have the result's shape.
    Map(Scalar),
    /// `loop`: runs its body again and again; see [`crate::ir::Loop`].
    Loop,
    /// `call`: stands for results that have a derivative of their own; gone before code generation. See [`crate::ir::Call`].
    Call,
    /// `part`: one result of a loop or call.
    Part,
    /// Combines the elements along `Attr::Axes`.
    Reduce(Monoid),
    /// Each result element is one operand element: see [`View`].
    View(View),
    /// `concat` along `Attr::Axis`.
    Concat,
    /// `pad` with zeros.
    Pad,
    /// Sum of products, see [`crate::ir::Contract`].
    Contract,
    /// Random 32-bit words; operands: seed (int[2]) and step (int).
    Draw,
    /// Operand 0 at the indices in operand 1 (an int vector) along an axis: the axis is replaced by the index's axis.
    /// An index outside clamps to the nearest valid one.
    Gather,
    /// Zeros, with the rows of operand 0 added at the indices in operand 1 along an axis. Indices clamp.
    ScatterAdd,
    /// Operand 0, with the rows at the indices in operand 1 (an int vector) replaced by those of operand 2, in order. Indices clamp.
    ScatterSet,
    /// What the elements along `Attr::Axis` give together so far, each included.
    Cumulate(Monoid),
    /// Index of the first maximum along `Attr::Axis`; NaN counts as the largest.
    ArgMax,
    /// Indices that sort along `Attr::Axis`: ascending, stable, NaN last.
    ArgSort,
    /// Linear algebra on the last two axes.
    Linalg(Linalg),
}

/// Factorisations and solves; see `ops/linalg.rs` for conventions and how results are packed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Linalg {
    Cholesky,
    /// The triangle, and how it is used, are in `Attr::Triangle`.
    TriangularSolve,
    Solve,
    SlogDet,
    Eigh,
    Svd,
    Qr,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Monoid {
    Sum,
    Prod,
    /// NaN wins.
    Max,
    /// NaN wins.
    Min,
    Any,
    All,
}

/// Index maps. All but `Reshape` are affine in the index.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum View {
    Reshape,
    Transpose,
    Broadcast,
    Slice,
    Flip,
}

/// Scalar functions. `max` and `min`: NaN if either is NaN; equal operands give the first.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Scalar {
    /// The operand itself: `stop`, `bind`, `estimate`, `plug_in`, `opaque` (they differ in their derivative, and in what is
    /// checked of it).
    Identity,
    /// The first operand: what `spent` notes beside it is gone before code generation.
    First,
    /// Zero, whatever the operand: the value of `tangent`.
    Zero,
    Add,
    Sub,
    Mul,
    Div,
    /// Ints: rounded toward minus infinity; by zero gives 0.
    IntDiv,
    /// Ints: sign of the divisor; by zero gives 0. Reals: `x - y * floor(x / y)`.
    Mod,
    Pow,
    Max,
    Min,
    Neg,
    Abs,
    /// -1, 0, 1; NaN stays.
    Sign,
    Sqrt,
    Exp,
    Log,
    Log1p,
    Expm1,
    Sin,
    Cos,
    Tanh,
    /// 1 / (1 + exp(-x))
    Sigmoid,
    /// log(1 + exp(x))
    Softplus,
    Erf,
    Erfinv,
    Lgamma,
    Digamma,
    Trigamma,
    Floor,
    Ceil,
    /// Half to even.
    Round,
    IsFinite,
    Lt,
    Le,
    Eq,
    Ne,
    And,
    Or,
    Not,
    /// Of ints, bit by bit; shifts by the amount modulo 32, to the right with the sign.
    BitAnd,
    BitOr,
    BitXor,
    ShiftLeft,
    ShiftRight,
    /// (condition, then, else)
    Select,
    /// To the result's element type; a real to an int truncates and saturates, NaN gives 0; to bool: nonzero.
    Cast,
    /// 32 random bits (an int) to a real in the open unit interval:
    /// f32: ((bits >>> 9) + 0.5) * 2^-23; f64: (bits as unsigned + 0.5) * 2^-32.
    BitsToUnit,
    /// Computed by a native kernel of one to three operands.
    Special(Special),
}

/// Special functions: see the rows of `special`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Special {
    Tan,
    Asin,
    Acos,
    Atan,
    Atan2,
    Sinh,
    Cosh,
    Asinh,
    Acosh,
    Atanh,
    Exp2,
    Log2,
    Erfc,
    Erfcx,
    Ndtr,
    LogNdtr,
    Ndtri,
    I0e,
    I1e,
    Polygamma,
    Logaddexp,
    Lbeta,
    Gammainc,
    Gammaincc,
    GammaincByX,
    GammaincByA,
    Betainc,
    BetaincByX,
    BetaincByA,
    BetaincByB,
}

/// Does the operation take nothing from other nodes, so that no guard applies?
pub fn is_leaf(def: &OpDef) -> bool {
    matches!(
        def.kernel,
        Kernel::Leaf | Kernel::Fill | Kernel::Table | Kernel::Iota
    )
}

mod arith;
mod bits;
mod build;
mod contract;
mod control;
mod convert;
mod draw;
pub mod factors;
mod flow;
mod index;
mod leaf;
mod linalg;
mod linear;
mod logic;
mod math;
mod order;
mod reduce;
mod rules;
mod running;
mod special;
mod view;

pub use arith::{ADD, DIV, INT_DIV, MAX, MIN, MOD, MUL, POW, SUB};
pub use bits::{BIT_AND, BIT_OR, BIT_XOR, SHIFT_LEFT, SHIFT_RIGHT};
pub use contract::CONTRACT;
pub use control::{CALL, LOOP, PART};
pub use convert::{BITS_TO_UNIT, CAST};
pub use draw::RANDOM_BITS;
pub use flow::{
    BIND, ESTIMATE, EXHAUSTED, LOG_ESTIMATE, MOVES, OPAQUE, ORDERED, OTHERS, PLUG_IN, SMOOTH,
    SPENT, STOP, TANGENT,
};
pub use index::{GATHER, SCATTER_ADD, SCATTER_SET, lane_index, take_along};
pub use leaf::{CONTINUE, FILL, INPUT, IOTA, LANE, SITE, TABLE};
pub use linalg::{CHOLESKY, EIGH, QR, SLOGDET, SOLVE, SVD, TRIANGULAR_SOLVE};
pub use linear::{LinearIn, linear_in};
pub use logic::{AND, EQ, IS_FINITE, LE, LT, NE, NOT, OR, SELECT};
pub use math::{
    ABS, CEIL, COS, DIGAMMA, ERF, ERFINV, EXP, EXPM1, FLOOR, LGAMMA, LOG, LOG1P, NEG, ROUND,
    SIGMOID, SIGN, SIN, SOFTPLUS, SQRT, TANH, TRIGAMMA,
};
pub use order::{ARGMAX, ARGSORT};
pub use reduce::{ALL, ANY, MAX_OVER, MIN_OVER, PROD, SUM};
pub use rules::inverse;
pub use running::{CUMMAX, CUMMIN, CUMPROD, CUMSUM};
pub use special::{
    ACOS, ACOSH, ASIN, ASINH, ATAN, ATAN2, ATANH, BETAINC, BETAINC_BY_A, BETAINC_BY_B,
    BETAINC_BY_X, COSH, ERFC, ERFCX, EXP2, GAMMAINC, GAMMAINC_BY_A, GAMMAINC_BY_X, GAMMAINCC, I0E,
    I1E, LBETA, LOG_NDTR, LOG2, LOGADDEXP, NDTR, NDTRI, POLYGAMMA, SINH, TAN,
};
pub use view::{BROADCAST, CONCAT, FLIP, PAD, RESHAPE, SLICE, TRANSPOSE};

/// Every operation.
pub static OPS: &[&OpDef] = &[
    &INPUT,
    &LANE,
    &SITE,
    &CONTINUE,
    &FILL,
    &TABLE,
    &IOTA,
    &NEG,
    &ABS,
    &SIGN,
    &SQRT,
    &EXP,
    &LOG,
    &LOG1P,
    &EXPM1,
    &SIN,
    &COS,
    &TANH,
    &SIGMOID,
    &SOFTPLUS,
    &ERF,
    &ERFINV,
    &LGAMMA,
    &DIGAMMA,
    &TRIGAMMA,
    &TAN,
    &ASIN,
    &ACOS,
    &ATAN,
    &ATAN2,
    &SINH,
    &COSH,
    &ASINH,
    &ACOSH,
    &ATANH,
    &EXP2,
    &LOG2,
    &ERFC,
    &ERFCX,
    &NDTR,
    &LOG_NDTR,
    &NDTRI,
    &I0E,
    &I1E,
    &POLYGAMMA,
    &LOGADDEXP,
    &LBETA,
    &GAMMAINC,
    &GAMMAINCC,
    &GAMMAINC_BY_X,
    &GAMMAINC_BY_A,
    &BETAINC,
    &BETAINC_BY_X,
    &BETAINC_BY_A,
    &BETAINC_BY_B,
    &FLOOR,
    &CEIL,
    &ROUND,
    &ADD,
    &SUB,
    &MUL,
    &DIV,
    &INT_DIV,
    &MOD,
    &POW,
    &MAX,
    &MIN,
    &LT,
    &LE,
    &EQ,
    &NE,
    &AND,
    &OR,
    &NOT,
    &IS_FINITE,
    &BIT_AND,
    &BIT_OR,
    &BIT_XOR,
    &SHIFT_LEFT,
    &SHIFT_RIGHT,
    &SELECT,
    &CAST,
    &BITS_TO_UNIT,
    &STOP,
    &BIND,
    &TANGENT,
    &ESTIMATE,
    &LOG_ESTIMATE,
    &PLUG_IN,
    &OPAQUE,
    &MOVES,
    &ORDERED,
    &SPENT,
    &EXHAUSTED,
    &OTHERS,
    &SMOOTH,
    &SUM,
    &PROD,
    &MAX_OVER,
    &MIN_OVER,
    &ANY,
    &ALL,
    &RESHAPE,
    &TRANSPOSE,
    &BROADCAST,
    &SLICE,
    &FLIP,
    &PAD,
    &CONCAT,
    &CONTRACT,
    &RANDOM_BITS,
    &LOOP,
    &CALL,
    &PART,
    &GATHER,
    &SCATTER_ADD,
    &SCATTER_SET,
    &CUMSUM,
    &CUMPROD,
    &CUMMAX,
    &CUMMIN,
    &ARGMAX,
    &ARGSORT,
    &CHOLESKY,
    &TRIANGULAR_SOLVE,
    &SOLVE,
    &SLOGDET,
    &EIGH,
    &SVD,
    &QR,
];
