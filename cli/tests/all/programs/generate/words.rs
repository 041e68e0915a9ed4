//! Less frequent words of the vocabulary.

use super::super::tree::{Kind, dims};
use super::{Gen, Out, Ty};

impl Gen {
    /// Less frequent words of the vocabulary.
    pub(super) fn worded(&mut self, s: &[usize], d: u32) -> Option<Out> {
        let k = Kind::Real;
        let n: usize = s.iter().product();
        Some(match (s, self.rng.below(24)) {
            (_, 0) => {
                let c = self.rng.below(9);
                self.out(
                    k,
                    s,
                    &format!("(with_key({c}) rand({}))", dims(s)),
                    vec![],
                    1.0,
                )
            }
            ([_, ..], 1) => self.out(k, s, &format!("randn([{}])", dims(s)), vec![], 7.0),
            ([_, ..], 2) => self.out(
                k,
                s,
                &format!("(0.3 * real(randint(-5, 7, {})))", dims(s)),
                vec![],
                3.0,
            ),
            ([_, ..], 3) => {
                let a = self.real(s, d);
                let t = "unflatten(0.5 * flatten({a: $, b: 0.3}), like: {a: #, b: 0.1}).a"
                    .replace('#', &Ty::new(k, s).leaf());
                self.out(k, s, &t, vec![a.tree], a.bound)
            }
            ([m], 4) if *m > 0 => {
                let a = self.real(&[2 * m], d);
                let t = *self
                    .rng
                    .pick(&["halves($)", "chunks($, 2)", "split($, at: #)"]);
                let t = t.replace('#', &m.to_string());
                self.out(
                    k,
                    s,
                    &format!("(for q in list(0..1) {{ let (g, h) = {t}; h - 0.5 * g }})[0]"),
                    vec![a.tree],
                    1.5 * a.bound,
                )
            }
            ([m, c], 5) => {
                let i = self.int(&[*m], d);
                self.out(k, s, &format!("one_hot($, {c})"), vec![i.tree], 1.0)
            }
            ([m], 6) if *m > 0 => self.out(k, s, &format!("linspace(-0.7, 1.3, {m})"), vec![], 2.0),
            ([m], 7) if *m > 0 => {
                let j = self.positive_size();
                let i = self.int(&[j], d);
                self.out(
                    k,
                    s,
                    &format!("(real(bincount($, {m})) / {j}.0)"),
                    vec![i.tree],
                    1.0,
                )
            }
            ([m], 8) => {
                let a = self.real(&[*m], d);
                let t = "(0.1 * real(searchsorted([-0.7390851, 0.1234567, 0.5671433], sin(2.7182818 * $))))";
                self.out(k, s, t, vec![a.tree], 0.3)
            }
            ([_, _, ..], 9) => {
                let (i, j) = (self.rng.below(s.len()), self.rng.below(s.len()));
                // The shape before axis i went to j.
                let mut from = s.to_vec();
                let extent = from.remove(j);
                from.insert(i, extent);
                let a = self.real(&from, d);
                self.out(
                    k,
                    s,
                    &format!("moveaxis($, {i}, {j})"),
                    vec![a.tree],
                    a.bound,
                )
            }
            ([_, ..], 10) => {
                let axis = self.rng.below(s.len());
                if s[axis] != 1 {
                    return None;
                }
                let mut from = s.to_vec();
                from.remove(axis);
                let a = self.real(&from, d);
                self.out(
                    k,
                    s,
                    &format!("insert_axis($, {axis})"),
                    vec![a.tree],
                    a.bound,
                )
            }
            (_, 11) => {
                let axis = self.rng.below(s.len() + 1);
                let mut from = s.to_vec();
                from.insert(axis, 1);
                let a = self.real(&from, d);
                self.out(
                    k,
                    s,
                    &format!("drop_axis($, {axis})"),
                    vec![a.tree],
                    a.bound,
                )
            }
            ([_, rest @ ..], 12) => {
                let a = self.real(rest, d);
                self.out(
                    k,
                    s,
                    &format!("broadcast_to($, {})", dims(s)),
                    vec![a.tree],
                    a.bound,
                )
            }
            ([m], 13) => {
                let a = self.real(&[*m, *m], d);
                self.out(k, s, "einsum([i], $[i, i])", vec![a.tree], a.bound)
            }
            ([], 14) => {
                let m = self.size();
                let a = self.real(&[m, m], d);
                self.out(
                    k,
                    s,
                    "einsum([], $[i, i])",
                    vec![a.tree],
                    a.bound * m as f64,
                )
            }
            ([a, b], 15) => {
                let (x, y, z) = (
                    self.real(&[*a, 3], d),
                    self.real(&[3, 2], d),
                    self.real(&[*b, 2], d),
                );
                let bound = 6.0 * x.bound * y.bound * z.bound;
                self.out(
                    k,
                    s,
                    "einsum([i, l], $[i, j], $[j, k], $[l, k])",
                    vec![x.tree, y.tree, z.tree],
                    bound,
                )
            }
            ([c, w], 16) if *w > 0 && *c > 0 && n < 60 => {
                let (x, y) = (self.real(&[2, w + 1], d), self.real(&[*c, 2, 2], d));
                self.conv = true;
                self.out(
                    k,
                    s,
                    "conv1d($, $)",
                    vec![x.tree, y.tree],
                    4.0 * x.bound * y.bound,
                )
            }
            ([c, h, w], 17) if n > 0 && n < 60 => {
                let (x, y) = (self.real(&[2, *h, *w], d), self.real(&[*c, 2, 3, 3], d));
                self.conv = true;
                self.out(
                    k,
                    s,
                    "conv2d($, $, padding: 1)",
                    vec![x.tree, y.tree],
                    18.0 * x.bound * y.bound,
                )
            }
            ([c, h, w], 18) if n > 0 && n < 60 => {
                let x = self.real(&[*c, 2 * h, 2 * w], d);
                self.conv = true;
                let f = *self.rng.pick(&["avg_pool($, 2)", "avg_pool($, (2, 2))"]);
                self.out(k, s, f, vec![x.tree], x.bound)
            }
            (_, 19) => {
                let a = self.real(s, d);
                self.out(k, s, "($ |> sin)", vec![a.tree], 1.0)
            }
            (_, 20) => {
                let (a, b) = (self.real(s, d), self.real(s, d));
                self.out(
                    k,
                    s,
                    "lerp($, $, 0.3)",
                    vec![a.tree, b.tree],
                    a.bound + b.bound,
                )
            }
            (_, 21) => {
                let (a, b) = (self.real(s, d), self.int(s, d));
                self.out(
                    k,
                    s,
                    "(sin($) ^ 2 * (1.0 + tanh(0.1 * real($))) ^ 0.5)",
                    vec![a.tree, b.tree],
                    2.0,
                )
            }
            ([_, ..], 22) => {
                let axis = self.rng.below(s.len());
                let (from, m) = (s.to_vec(), s[axis]);
                let a = self.real(&from, d);
                let t = if m % 2 == 0 {
                    "roll($, 3, axis: @)"
                } else {
                    "flip(cumsum(flip($, axis: @), axis: @), axis: @)"
                };
                self.out(
                    k,
                    s,
                    &t.replace('@', &axis.to_string()),
                    vec![a.tree],
                    a.bound * m.max(1) as f64,
                )
            }
            (_, 23) => {
                let a = self.real(s, d);
                let f = *self.rng.pick(&[
                    "erfcx(1.1 + tanh($))",
                    "log_ndtr($)",
                    "i0e($)",
                    "i1e($)",
                    "trigamma(1.7 + sin($))",
                    "logit(sigmoid($))",
                    "sinc($ + 9.1)",
                    "gammainc(1.5 + sin($), 1.3)",
                ]);
                if f.starts_with("gammainc") && (self.derivatives > 0 || !self.double) {
                    return None;
                }
                if f.starts_with("logit") || f.starts_with("sinc") {
                    self.special = true;
                }
                self.out(k, s, f, vec![a.tree], 9.0 + a.bound)
            }
            _ => return None,
        })
    }
}
