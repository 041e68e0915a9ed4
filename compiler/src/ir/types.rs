//! Element types, shapes, and the attributes of operations.

use super::region::{Call, Loop, Owned};
use std::fmt;
use std::sync::Arc;

/// What an element of a tensor is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum DType {
    F32,
    F64,
    I32,
    /// One byte, 0 or 1.
    Bool,
}

impl DType {
    /// Bytes an element takes.
    pub fn size(self) -> usize {
        match self {
            DType::F32 | DType::I32 => 4,
            DType::F64 => 8,
            DType::Bool => 1,
        }
    }

    /// Is it a real number type?
    pub fn is_real(self) -> bool {
        matches!(self, DType::F32 | DType::F64)
    }
}

/// The exact element type: `f32`, `f64`, `i32`, `bool`.
impl fmt::Display for DType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            DType::F32 => "f32",
            DType::F64 => "f64",
            DType::I32 => "i32",
            DType::Bool => "bool",
        })
    }
}

/// Extents, outermost first. Row-major. A scalar has none.
pub type Shape = Vec<usize>;

/// A tensor's element type and shape.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Type {
    pub dtype: DType,
    pub shape: Shape,
}

impl Type {
    pub fn new(dtype: DType, shape: impl Into<Shape>) -> Self {
        Self {
            dtype,
            shape: shape.into(),
        }
    }

    pub fn scalar(dtype: DType) -> Self {
        Self {
            dtype,
            shape: Vec::new(),
        }
    }

    pub fn rank(&self) -> usize {
        self.shape.len()
    }

    /// Number of elements. Shape rules refuse shapes for which this overflows.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn bytes(&self) -> usize {
        self.len() * self.dtype.size()
    }
}

/// As a user reads it: `real[3, 4]`, `int`, `f64[2]` (where `real` is `f32`).
impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.dtype {
            DType::F32 => "real",
            DType::F64 => "f64",
            DType::I32 => "int",
            DType::Bool => "bool",
        })?;
        if !self.shape.is_empty() {
            let dims: Vec<String> = self.shape.iter().map(ToString::to_string).collect();
            write!(f, "[{}]", dims.join(", "))?;
        }
        Ok(())
    }
}

/// One number or truth value, compared by bits so that it can be hashed.
#[derive(Clone, Copy, Debug)]
pub enum Literal {
    Real(f64),
    Int(i64),
    Bool(bool),
}

impl Literal {
    fn key(self) -> (u8, u64) {
        match self {
            Literal::Real(x) => (0, x.to_bits()),
            Literal::Int(i) => (1, i as u64),
            Literal::Bool(b) => (2, b as u64),
        }
    }

    /// The value as a float; a truth value is 0 or 1.
    pub fn as_f64(self) -> f64 {
        match self {
            Literal::Real(x) => x,
            Literal::Int(i) => i as f64,
            Literal::Bool(b) => b as u8 as f64,
        }
    }
}

impl PartialEq for Literal {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Literal {}

impl std::hash::Hash for Literal {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.key().hash(state);
    }
}

/// How two tensors are multiplied and summed. The result's axes are: batch axes in the order given, then the left
/// operand's free axes, then the right's, each in their own order.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Contract {
    /// Pairs (left axis, right axis) that are kept and run in step.
    pub batch: Vec<(usize, usize)>,
    /// Pairs (left axis, right axis) that are summed over.
    pub sum: Vec<(usize, usize)>,
}

impl Contract {
    /// How many products are summed in each element of the result; `left` is the shape of the left operand.
    pub fn summed(&self, left: &[usize]) -> usize {
        self.sum.iter().map(|s| left[s.0]).product()
    }
}

/// The compile-time arguments of an operation. Which variant an operation takes is fixed by its row in the table.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Attr {
    None,
    /// `bind`: a number that makes the node unique. `estimate`: the number of its `expect`.
    Id(u32),
    /// `lane`: a number that makes the node unique, and its type.
    Placeholder(u32, Type),
    /// `input`: position in [`super::Graph::inputs`], and type.
    Input(u32, Type),
    /// `fill`: one literal in every element.
    Fill(Literal, Type),
    /// `table`: a dense constant; bits of the f64 of each element, row-major.
    Table(Arc<Vec<u64>>, Type),
    /// `cast`, `bits_to_unit`: the result's element type.
    DType(DType),
    /// `reshape`: the result's shape.
    Shape(Shape),
    /// `iota`: the index along `axis`, as an int tensor of the given shape.
    Iota {
        shape: Shape,
        axis: usize,
    },
    /// Reductions: the axes that go away, ascending. `flip`: the axes that are reversed.
    Axes(Vec<usize>),
    /// `transpose`: result axis `i` is operand axis `perm[i]`.
    Perm(Vec<usize>),
    /// `broadcast`: operand axis `i` becomes result axis `axes[i]` (ascending); the other result axes repeat.
    Broadcast {
        shape: Shape,
        axes: Vec<usize>,
    },
    /// `slice`: per axis, `start..stop` by `step` (step at least 1).
    Slice {
        start: Vec<usize>,
        stop: Vec<usize>,
        step: Vec<usize>,
    },
    /// `pad`: per axis, zeros before, after, and between neighbours (the transpose of `slice`).
    Pad {
        low: Vec<usize>,
        high: Vec<usize>,
        between: Vec<usize>,
    },
    /// `concat`, `gather`, running sums and the like, `argmax`, `argsort`: the axis meant.
    Axis(usize),
    /// `scatter_add`: the axis and its extent in the result.
    Scatter {
        axis: usize,
        extent: usize,
    },
    Contract(Contract),
    /// `triangular_solve`: which triangle is read, whether its transpose is solved, whether its diagonal is taken as ones.
    Triangle {
        lower: bool,
        transpose: bool,
        unit: bool,
    },
    /// `random_bits`: the site's key and the result's shape. Element `i` (row-major) is word `i` of the site's stream.
    Draw {
        site: u64,
        shape: Shape,
    },
    /// `loop`
    Loop(Owned<Loop>),
    /// `call`
    Call(Owned<Call>),
    /// `part`: which result of a loop or call, and its type.
    Part(u32, Type),
    /// `site`: the number of a site record kept beside the graph, and the site's type.
    Site(u32, Type),
    /// `continue`: the number of a continuation, which leaf of its result, and the result's type: that of the leaf's share
    /// behind the axes of the lanes that it has been given.
    Continue(u32, u32, Type),
    /// `ordered`, `spent`: how often a derivative may still pass.
    Order(u32),
}
