//! `einsum([i, k], x[i, j], y[j, k])`: sums of products, said with letters.
//!
//! The letters before the operands are those of the result. Letters are names that nothing binds; one that stands twice in
//! an operand takes its diagonal, one that the result lacks is summed over.

use super::session::{R, Session};
use super::value::Env;
use super::value::Val;
use crate::ir::{Attr, Contract, Value};
use crate::ops;
use mlc_grammar::ast::{CallArg, Expr, ExprKind, IndexArg};
use mlc_grammar::span::Span;
use std::collections::HashMap;

/// Does the called expression name the form?
pub(super) fn is_form(f: &Expr) -> bool {
    matches!(&f.kind, ExprKind::Name(n) if n == "einsum")
}

/// A letter's number; letters of operands are numbered as they appear.
type Letter = usize;

/// An operand on the way, with a letter for each axis.
#[derive(Clone)]
struct Factor {
    value: Value,
    letters: Vec<Letter>,
}

/// What is known of the letters.
#[derive(Default)]
struct Letters {
    numbers: HashMap<String, Letter>,
    /// The size of each, and where it was first seen.
    sizes: Vec<(usize, Span)>,
}

impl Session {
    pub(super) fn eval_einsum(
        &mut self,
        args: &'static [CallArg],
        env: &Env,
        span: Span,
    ) -> R<Val> {
        let usage =
            "write the result's letters, then the operands: `einsum([i, k], x[i, j], y[j, k])`";
        if let Some(n) = args.iter().find_map(|a| a.name.as_ref()) {
            let title = format!("`einsum` has no argument `{}`", n.text);
            return self.fail_hint("E0202", title, n.span, usage);
        }
        let Some((first, operands)) = args.split_first() else {
            return self.fail_hint("E0201", "`einsum` of nothing", span, usage);
        };
        let ExprKind::List(wanted) = &first.value.kind else {
            let title = "`einsum` begins with the letters of the result";
            return self.fail_hint("E0320", title, first.value.span, usage);
        };
        if operands.is_empty() {
            return self.fail_hint("E0201", "`einsum` without operands", span, usage);
        }
        let mut letters = Letters::default();
        let mut factors = Vec::new();
        for o in operands {
            factors.push(self.einsum_operand(&o.value, env, &mut letters)?);
        }
        let mut result: Vec<Letter> = Vec::new();
        for e in wanted {
            let name = self.letter(e, env)?;
            let Some(&l) = letters.numbers.get(name) else {
                let title = format!("no operand has the letter `{name}`");
                return self.fail("E0320", title, e.span);
            };
            if result.contains(&l) {
                let title = format!("`{name}` stands twice in the result");
                return self.fail("E0320", title, e.span);
            }
            result.push(l);
        }
        let sizes: Vec<usize> = letters.sizes.iter().map(|s| s.0).collect();
        self.contract_all(factors, &result, &sizes, span)
            .map(Val::Tensor)
    }

    /// A letter: a name that stands for nothing.
    fn letter<'e>(&self, e: &'e Expr, env: &Env) -> R<&'e str> {
        let ExprKind::Name(name) = &e.kind else {
            return self.fail_hint(
                "E0320",
                "an axis of an `einsum` is named by a letter",
                e.span,
                "index outside: `let row = x[0]`, then `row[j]`",
            );
        };
        if env.get(name).is_some() || self.modules[env.0.module].items.contains_key(name) {
            let title = format!("`{name}` is a value here, so it cannot be a letter of `einsum`");
            return self.fail_hint("E0320", title, e.span, "use a letter that nothing binds");
        }
        Ok(name)
    }

    fn einsum_operand(&mut self, e: &'static Expr, env: &Env, letters: &mut Letters) -> R<Factor> {
        let (x, names): (&'static Expr, Vec<&'static Expr>) = match &e.kind {
            ExprKind::Index(x, args) => {
                let mut names = Vec::new();
                for a in args {
                    match a {
                        IndexArg::At(n) => names.push(n),
                        IndexArg::Slice { span, .. } => {
                            return self.fail_hint(
                                "E0320",
                                "an axis of an `einsum` is named by a letter",
                                *span,
                                "slice outside: `let part = x[a..b]`, then `part[j]`",
                            );
                        }
                    }
                }
                (x, names)
            }
            _ => (e, vec![]),
        };
        let v = self.eval(x, env)?;
        let mut value = self.force(&v, x.span)?;
        let ty = self.ctx.graph.ty(value).clone();
        if ty.rank() != names.len() {
            let title = format!("{} letters for a `{ty}`", names.len());
            return self.fail_hint("E0320", title, e.span, "give each axis a letter: `x[i, j]`");
        }
        let mut mine: Vec<Letter> = Vec::new();
        for (n, &size) in names.iter().zip(&ty.shape) {
            let name = self.letter(n, env)?;
            let next = letters.sizes.len();
            let l = *letters.numbers.entry(name.to_string()).or_insert(next);
            match letters.sizes.get(l) {
                None => letters.sizes.push((size, n.span)),
                Some(&(old, at)) if old != size => {
                    let title = format!("the letter `{name}` has two sizes");
                    return Err(Box::new(
                        self.err_at("E0320", title, at, format!("here it is {old}"))
                            .label(n.span, format!("here it is {size}")),
                    ));
                }
                Some(_) => {}
            }
            mine.push(l);
        }
        // A letter that stands twice takes the diagonal.
        while let Some((p, q)) = repeated(&mine) {
            value = self.diagonal(value, p, q, e.span)?;
            let l = mine.remove(q);
            mine.remove(p);
            mine.insert(0, l);
        }
        Ok(Factor {
            value,
            letters: mine,
        })
    }

    /// The elements where two axes of one extent have one index, on a new first axis.
    fn diagonal(&mut self, x: Value, p: usize, q: usize, span: Span) -> R<Value> {
        let shape = self.ctx.graph.ty(x).shape.clone();
        let rest: Vec<usize> = (0..shape.len()).filter(|&a| a != p && a != q).collect();
        let perm: Vec<usize> = [p, q].into_iter().chain(rest.iter().copied()).collect();
        let n = shape[p];
        let x = self.op(&ops::TRANSPOSE, Attr::Perm(perm), &[x], span)?;
        let flat = std::iter::once(n * n).chain(rest.iter().map(|&a| shape[a]));
        let x = self.op(&ops::RESHAPE, Attr::Shape(flat.collect()), &[x], span)?;
        self.slice_axis(x, 0, 0, n * n, n + 1, span)
    }

    /// Contracts factors in pairs, the cheapest pair first, and puts the axes in the result's order.
    fn contract_all(
        &mut self,
        mut factors: Vec<Factor>,
        result: &[Letter],
        sizes: &[usize],
        span: Span,
    ) -> R<Value> {
        loop {
            // Letters of one factor alone that the result lacks are summed first: it makes the factor smaller.
            for i in 0..factors.len() {
                let elsewhere = |l: &Letter| {
                    result.contains(l)
                        || factors
                            .iter()
                            .enumerate()
                            .any(|(j, f)| j != i && f.letters.contains(l))
                };
                let axes: Vec<usize> = (0..factors[i].letters.len())
                    .filter(|&a| !elsewhere(&factors[i].letters[a]))
                    .collect();
                if !axes.is_empty() {
                    let value = factors[i].value;
                    let value = self.op(&ops::SUM, Attr::Axes(axes.clone()), &[value], span)?;
                    let letters = &factors[i].letters;
                    let letters = (0..letters.len())
                        .filter(|a| !axes.contains(a))
                        .map(|a| letters[a])
                        .collect();
                    factors[i] = Factor { value, letters };
                }
            }
            let Some((i, j)) = cheapest(&factors, sizes) else {
                break;
            };
            let right = factors.remove(j);
            let left = factors.remove(i);
            let keep =
                |l: &Letter| result.contains(l) || factors.iter().any(|f| f.letters.contains(l));
            let product = self.contract_pair(&left, &right, &keep, span)?;
            factors.push(product);
        }
        let last = factors.swap_remove(0);
        let perm: Vec<usize> = result
            .iter()
            .map(|l| last.letters.iter().position(|m| m == l).unwrap_or(0))
            .collect();
        Ok(self.ctx.graph.transpose(last.value, perm))
    }

    fn contract_pair(
        &mut self,
        left: &Factor,
        right: &Factor,
        keep: &dyn Fn(&Letter) -> bool,
        span: Span,
    ) -> R<Factor> {
        let (mut batch, mut sum) = (Vec::new(), Vec::new());
        for (a, l) in left.letters.iter().enumerate() {
            if let Some(b) = right.letters.iter().position(|m| m == l) {
                if keep(l) {
                    batch.push((a, b));
                } else {
                    sum.push((a, b));
                }
            }
        }
        let mut letters: Vec<Letter> = batch.iter().map(|p| left.letters[p.0]).collect();
        let shared = |l: &Letter| left.letters.contains(l) && right.letters.contains(l);
        letters.extend(left.letters.iter().filter(|l| !shared(l)));
        letters.extend(right.letters.iter().filter(|l| !shared(l)));
        let c = Contract { batch, sum };
        let value = self.contract_any(left.value, right.value, c, span)?;
        Ok(Factor { value, letters })
    }

    /// A contraction of reals, or of ints by repeating, multiplying and summing.
    fn contract_any(&mut self, x: Value, y: Value, c: Contract, span: Span) -> R<Value> {
        let (tx, ty) = (self.ctx.graph.ty(x).clone(), self.ctx.graph.ty(y).clone());
        if tx.dtype != ty.dtype {
            let title = format!("`einsum` of a `{tx}` and a `{ty}`");
            return self.fail_hint("E0302", title, span, "convert one: `real(n)`");
        }
        if tx.dtype.is_real() {
            return self.op(&ops::CONTRACT, Attr::Contract(c), &[x, y], span);
        }
        // Axes of the product: batch, the left's free, the right's free, the summed.
        let free = |rank: usize, used: &[usize]| -> Vec<usize> {
            (0..rank).filter(|a| !used.contains(a)).collect()
        };
        let pairs = || c.batch.iter().chain(&c.sum);
        let lf = free(tx.rank(), &pairs().map(|p| p.0).collect::<Vec<_>>());
        let rf = free(ty.rank(), &pairs().map(|p| p.1).collect::<Vec<_>>());
        let nb = c.batch.len();
        let mut shape: Vec<usize> = c.batch.iter().map(|p| tx.shape[p.0]).collect();
        shape.extend(lf.iter().map(|&a| tx.shape[a]));
        shape.extend(rf.iter().map(|&a| ty.shape[a]));
        let summed = shape.len();
        shape.extend(c.sum.iter().map(|p| tx.shape[p.0]));
        let side = |s: &mut Self, v: Value, perm: Vec<usize>, axes: Vec<usize>| {
            let v = s.ctx.graph.transpose(v, perm);
            let attr = Attr::Broadcast {
                shape: shape.clone(),
                axes,
            };
            s.op(&ops::BROADCAST, attr, &[v], span)
        };
        let left = c.batch.iter().map(|p| p.0).chain(lf.iter().copied());
        let left = left.chain(c.sum.iter().map(|p| p.0)).collect();
        let axes = (0..nb + lf.len()).chain(summed..shape.len()).collect();
        let l = side(self, x, left, axes)?;
        let right = c.batch.iter().map(|p| p.1).chain(rf.iter().copied());
        let right = right.chain(c.sum.iter().map(|p| p.1)).collect();
        let axes = (0..nb).chain(nb + lf.len()..shape.len()).collect();
        let r = side(self, y, right, axes)?;
        let p = self.op(&ops::MUL, Attr::None, &[l, r], span)?;
        Ok(self.ctx.graph.sum(p, (summed..shape.len()).collect()))
    }
}

/// Two places with one letter.
fn repeated(letters: &[Letter]) -> Option<(usize, usize)> {
    for p in 0..letters.len() {
        if let Some(q) = (p + 1..letters.len()).find(|&q| letters[q] == letters[p]) {
            return Some((p, q));
        }
    }
    None
}

/// The pair whose product has the fewest multiplications.
fn cheapest(factors: &[Factor], sizes: &[usize]) -> Option<(usize, usize)> {
    let cost = |a: &Factor, b: &Factor| -> f64 {
        let mut all = a.letters.clone();
        all.extend(b.letters.iter().filter(|l| !a.letters.contains(l)));
        all.iter().map(|&l| sizes[l] as f64).product()
    };
    let mut best: Option<(f64, usize, usize)> = None;
    for i in 0..factors.len() {
        for j in i + 1..factors.len() {
            let c = cost(&factors[i], &factors[j]);
            if best.is_none_or(|b| c < b.0) {
                best = Some((c, i, j));
            }
        }
    }
    best.map(|b| (b.1, b.2))
}
