//! In which operands an operation is linear, the others held: read off the cells of its row.

use super::{Ad, Kernel, Linalg, OpDef, Scalar, Wrt};

/// The operands in which an operation is linear, for fixed others.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LinearIn {
    /// In all of them together.
    All,
    /// In those listed, together.
    Only(&'static [usize]),
    /// In each, but not in both together: a product.
    Each,
    None,
}

impl LinearIn {
    /// Is the operation linear in operand `i`?
    pub fn holds(self, i: usize) -> bool {
        match self {
            LinearIn::All | LinearIn::Each => true,
            LinearIn::Only(list) => list.contains(&i),
            LinearIn::None => false,
        }
    }
}

/// See [`LinearIn`]. Values, not derivatives: `stop` is linear, and so is `tangent`.
pub fn linear_in(def: &OpDef) -> LinearIn {
    match (def.ad, def.kernel) {
        (Ad::Linear { wrt: Wrt::All, .. }, _) => LinearIn::All,
        (
            Ad::Linear {
                wrt: Wrt::Only(list),
                ..
            },
            _,
        ) => LinearIn::Only(list),
        (Ad::Bilinear { .. }, _) => LinearIn::Each,
        (_, Kernel::Map(Scalar::Identity | Scalar::Zero | Scalar::Neg | Scalar::Cast)) => {
            LinearIn::All
        }
        (_, Kernel::Map(Scalar::Div | Scalar::First)) => LinearIn::Only(&[0]),
        (_, Kernel::Map(Scalar::Select)) => LinearIn::Only(&[1, 2]),
        (_, Kernel::Linalg(Linalg::TriangularSolve | Linalg::Solve)) => LinearIn::Only(&[1]),
        _ => LinearIn::None,
    }
}
