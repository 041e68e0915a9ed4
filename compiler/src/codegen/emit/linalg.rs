//! Linear algebra: one native call for all matrices of a batch.

use super::super::{CodegenError, Natives};
use super::{Arg, Emit, suffix};
use crate::ir::{Attr, Graph, Value};
use crate::ops::Linalg;
use cranelift::prelude as cl;

/// What is known of a call: the number of matrices, the rows and columns of each, the columns of the other operand.
fn sizes(g: &Graph, v: Value) -> [usize; 4] {
    let operands = g.operands(v);
    let a = &g.ty(operands[0]).shape;
    let rank = a.len();
    let columns = match operands.get(1) {
        Some(&b) => g.ty(b).shape[rank - 1],
        None => 0,
    };
    let batch = a[..rank - 2].iter().product();
    [batch, a[rank - 2], a[rank - 1], columns]
}

/// Bytes that the call needs while it runs: the matrices are done one after the other.
pub fn scratch_bytes(g: &Graph, v: Value, what: Linalg, natives: Natives) -> usize {
    let [_, m, n, k] = sizes(g, v);
    (natives.linalg_scratch)(what, m, n, k)
}

fn name(what: Linalg) -> &'static str {
    match what {
        Linalg::Cholesky => "cholesky",
        Linalg::TriangularSolve => "triangular_solve",
        Linalg::Solve => "solve",
        Linalg::SlogDet => "slogdet",
        Linalg::Eigh => "eigh",
        Linalg::Svd => "svd",
        Linalg::Qr => "qr",
    }
}

impl Emit<'_, '_> {
    /// Numbers, operands (the first again where there is one), the result, scratch.
    pub(super) fn linalg(
        &mut self,
        v: Value,
        what: Linalg,
        out: cl::Value,
        index: usize,
    ) -> Result<(), CodegenError> {
        let g = self.g;
        let operands = g.operands(v);
        let mut meta: Vec<i64> = sizes(g, v).iter().map(|&n| n as i64).collect();
        meta.push(match g.node(v).attr {
            Attr::Triangle {
                lower,
                transpose,
                unit,
            } => i64::from(lower) | i64::from(transpose) << 1 | i64::from(unit) << 2,
            _ => 0,
        });
        meta.push(scratch_bytes(g, v, what, self.natives) as i64);
        let meta = self.numbers(&meta);
        let a = self.address(operands[0]);
        let b = operands.get(1).map_or(a, |&b| self.address(b));
        let Some(&place) = self.m.scratch[index].first() else {
            return Err(CodegenError("internal error: no scratch".into()));
        };
        let scratch = self.base(place);
        let kernel = format!("mlc_{}_{}", name(what), suffix(g.ty(v).dtype));
        let words = [a, b, out, scratch].map(Arg::Value);
        self.call(&kernel, &[meta, words[0], words[1], words[2], words[3]])
    }
}
