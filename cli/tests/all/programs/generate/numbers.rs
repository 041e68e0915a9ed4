//! Integers and truth values.

use super::super::tree::{Kind, Tree, dims};
use super::{Gen, Out, odd, real_text};

impl Gen {
    pub(super) fn int(&mut self, s: &[usize], d: u32) -> Out {
        if d == 0 || self.rng.chance(6) {
            return self.int_leaf(s);
        }
        for _ in 0..20 {
            if let Some(o) = self.int_case(s, d - 1) {
                if o.bound > 500.0 {
                    let n = 2 + self.rng.below(9);
                    return self.out(
                        Kind::Int,
                        s,
                        &format!("mod($, {n})"),
                        vec![o.tree],
                        n as f64,
                    );
                }
                return o;
            }
        }
        self.int_leaf(s)
    }

    fn int_leaf(&mut self, s: &[usize]) -> Out {
        if !self.rng.chance(3)
            && let Some(v) = self.variable(&super::Ty::new(Kind::Int, s))
        {
            return v;
        }
        let n: usize = s.iter().product();
        if s.len() == 1 && self.rng.chance(2) {
            return self.out(Kind::Int, s, &format!("iota({n})"), vec![], n as f64);
        }
        if n > 0 && n <= 6 && self.rng.chance(2) {
            let text = self.literal(s, &mut |r| (r.below(19) as i64 - 9).to_string());
            return self.out(Kind::Int, s, &text, vec![], 9.0);
        }
        if s.is_empty() {
            let x = self.rng.below(9).to_string();
            return self.out(Kind::Int, s, &x, vec![], 9.0);
        }
        let text = match self.rng.below(3) {
            0 => format!("zeros_int({})", dims(s)),
            1 => format!("(3 + zeros_int({}))", dims(s)),
            _ => format!("reshape(iota({n}), {})", dims(s)),
        };
        self.out(Kind::Int, s, &text, vec![], (n as f64).max(3.0))
    }

    fn int_case(&mut self, s: &[usize], d: u32) -> Option<Out> {
        let k = Kind::Int;
        Some(match self.rng.below(20) {
            0 | 1 => {
                let op = *self.rng.pick(&["+", "-", "*"]);
                let (a, b) = (self.int(s, d), self.int(s, d));
                let bound = if op == "*" {
                    a.bound * b.bound
                } else {
                    a.bound + b.bound
                };
                self.out(k, s, &format!("($ {op} $)"), vec![a.tree, b.tree], bound)
            }
            2 => {
                let (a, b) = (self.int(s, d), self.int(&[], d));
                let bound = a.bound + b.bound;
                self.out(k, s, "($ + $)", vec![a.tree, b.tree], bound)
            }
            3 => {
                let f = *self.rng.pick(&["div", "mod"]);
                let n = 1 + self.rng.below(5);
                let a = self.int(s, d);
                self.out(
                    k,
                    s,
                    &format!("{f}($, {n})"),
                    vec![a.tree],
                    a.bound.max(n as f64) + 1.0,
                )
            }
            4 => {
                let f = *self.rng.pick(&["div", "mod"]);
                let (a, b) = (self.int(s, d), self.int(s, d));
                let bound = a.bound.max(b.bound) + 1.0;
                self.out(
                    k,
                    s,
                    &format!("{f}($, 1 + abs($))"),
                    vec![a.tree, b.tree],
                    bound,
                )
            }
            5 => {
                let f = *self
                    .rng
                    .pick(&["max", "min", "bit_and", "bit_or", "bit_xor"]);
                let (a, b) = (self.int(s, d), self.int(s, d));
                let bound = 2.0 * a.bound.max(b.bound) + 1.0;
                self.out(k, s, &format!("{f}($, $)"), vec![a.tree, b.tree], bound)
            }
            6 => {
                let f = *self.rng.pick(&[
                    "abs($)",
                    "sign($)",
                    "(-$)",
                    "shift_left($, 1)",
                    "shift_right($, 1)",
                ]);
                let a = self.int(s, d);
                self.out(k, s, f, vec![a.tree], 2.0 * a.bound)
            }
            7 | 8 => {
                let a = self.real(s, d);
                let f = *self.rng.pick(&["int", "int(floor", "int(round"]);
                let c = real_text(odd(&mut self.rng));
                let close = if f == "int" { ")" } else { "))" };
                let bound = 3.0 * a.bound + 1.0;
                self.out(
                    k,
                    s,
                    &format!("{f}(2.7182818 * $ + {c}{close}"),
                    vec![a.tree],
                    bound,
                )
            }
            9 => {
                let a = self.truth(s, d);
                self.out(k, s, "int($)", vec![a.tree], 1.0)
            }
            10 => {
                let (c, a, b) = (self.truth(s, d), self.int(s, d), self.int(s, d));
                let bound = a.bound.max(b.bound);
                self.out(k, s, "select($, $, $)", vec![c.tree, a.tree, b.tree], bound)
            }
            11 => {
                let (axis, n, from) = self.with_axis(s);
                let f = *self.rng.pick(&["sum", "max", "min", "prod"]);
                if n == 0 && (f == "max" || f == "min") {
                    return None;
                }
                let a = self.int(&from, d);
                if f == "prod" {
                    let small = self.out(k, &from, "mod($, 3)", vec![a.tree], 2.0);
                    let bound = 2f64.powi(n as i32);
                    return Some(self.out(
                        k,
                        s,
                        &format!("prod($, axis: {axis})"),
                        vec![small.tree],
                        bound,
                    ));
                }
                let bound = a.bound * (n as f64).max(1.0);
                self.out(k, s, &format!("{f}($, axis: {axis})"), vec![a.tree], bound)
            }
            12 => {
                let (axis, n, from) = self.with_axis(s);
                if n == 0 {
                    return None;
                }
                let f = *self.rng.pick(&["argmax", "argmin"]);
                let a = self.spread_out(&from, axis, d)?;
                self.out(k, s, &format!("{f}($, axis: {axis})"), vec![a], n as f64)
            }
            13 if !s.is_empty() => {
                let axis = self.rng.below(s.len());
                let a = self.spread_out(s, axis, d)?;
                let f = *self.rng.pick(&[
                    "argsort($, axis: #)",
                    "ranks($, axis: #)",
                    "argsort($, axis: #, descending: true)",
                ]);
                let f = f.replace('#', &axis.to_string());
                self.out(k, s, &f, vec![a], s[axis] as f64)
            }
            14 if !s.is_empty() => {
                let axis = self.rng.below(s.len());
                let f = *self.rng.pick(&["cumsum", "cummax", "cummin"]);
                let a = self.int(s, d);
                let bound = a.bound * s[axis].max(1) as f64;
                self.out(k, s, &format!("{f}($, axis: {axis})"), vec![a.tree], bound)
            }
            15 => {
                let (axis, n, from) = self.with_axis(s);
                let a = self.truth(&from, d);
                self.out(
                    k,
                    s,
                    &format!("count($, axis: {axis})"),
                    vec![a.tree],
                    n as f64,
                )
            }
            16 => self.moved(k, s, d)?,
            17 => self.chosen(k, s, d)?,
            18 if !s.is_empty() => self.over_lanes(k, s, d)?,
            _ => return None,
        })
    }

    /// A shape with one more axis: the axis, its extent, the shape.
    pub(super) fn with_axis(&mut self, s: &[usize]) -> (usize, usize, Vec<usize>) {
        let axis = self.rng.below(s.len() + 1);
        let mut n = self.size();
        if s.iter().product::<usize>() * n > 2 * self.cells {
            n = 1;
        }
        let mut from = s.to_vec();
        from.insert(axis, n);
        (axis, n, from)
    }

    /// Reals of which no two along an axis are near one another by more than chance.
    pub(super) fn spread_out(&mut self, s: &[usize], axis: usize, d: u32) -> Option<Tree> {
        if s.is_empty() {
            return None;
        }
        let a = self.real(s, d);
        let text = format!(
            "(1.3247 * $ + 0.7390851 * real(iota({}, axis: {axis})))",
            dims(s)
        );
        Some(self.out(Kind::Real, s, &text, vec![a.tree], 0.0).tree)
    }

    pub(super) fn truth(&mut self, s: &[usize], d: u32) -> Out {
        if d == 0 || self.rng.chance(6) {
            return self.truth_leaf(s);
        }
        for _ in 0..20 {
            if let Some(o) = self.truth_case(s, d - 1) {
                return o;
            }
        }
        self.truth_leaf(s)
    }

    fn truth_leaf(&mut self, s: &[usize]) -> Out {
        if !self.rng.chance(3)
            && let Some(v) = self.variable(&super::Ty::new(Kind::Bool, s))
        {
            return v;
        }
        let n: usize = s.iter().product();
        if n > 0 && n <= 6 {
            let text = self.literal(s, &mut |r| r.chance(2).to_string());
            return self.out(Kind::Bool, s, &text, vec![], 1.0);
        }
        let f = *self.rng.pick(&["trues", "falses"]);
        self.out(Kind::Bool, s, &format!("{f}({})", dims(s)), vec![], 1.0)
    }

    fn truth_case(&mut self, s: &[usize], d: u32) -> Option<Out> {
        let k = Kind::Bool;
        Some(match self.rng.below(12) {
            0..=2 => {
                let op = *self.rng.pick(&["<", ">", "<=", ">="]);
                let c = real_text(odd(&mut self.rng));
                let a = self.real(s, d);
                self.out(k, s, &format!("($ {op} {c})"), vec![a.tree], 1.0)
            }
            3 => {
                let op = *self.rng.pick(&["<", ">="]);
                let (a, b) = (self.real(s, d), self.real(s, d));
                self.out(
                    k,
                    s,
                    &format!("(1.4142136 * $ {op} $ + 0.1234567)"),
                    vec![a.tree, b.tree],
                    1.0,
                )
            }
            4 => {
                let op = *self.rng.pick(&["<", ">", "<=", ">=", "==", "!="]);
                let (a, b) = (self.int(s, d), self.int(s, d));
                self.out(k, s, &format!("($ {op} $)"), vec![a.tree, b.tree], 1.0)
            }
            5 => {
                let op = *self.rng.pick(&["and", "or", "==", "!="]);
                let (a, b) = (self.truth(s, d), self.truth(s, d));
                self.out(k, s, &format!("($ {op} $)"), vec![a.tree, b.tree], 1.0)
            }
            6 => {
                let a = self.truth(s, d);
                self.out(k, s, "(not $)", vec![a.tree], 1.0)
            }
            7 => {
                let a = self.real(s, d);
                self.out(k, s, "is_finite($)", vec![a.tree], 1.0)
            }
            8 => {
                let (axis, _, from) = self.with_axis(s);
                let f = *self.rng.pick(&["any", "all"]);
                let a = self.truth(&from, d);
                self.out(k, s, &format!("{f}($, axis: {axis})"), vec![a.tree], 1.0)
            }
            9 => self.moved(k, s, d)?,
            10 => self.chosen(k, s, d)?,
            11 if !s.is_empty() => self.over_lanes(k, s, d)?,
            _ => return None,
        })
    }

    pub(super) fn any_kind(&mut self, k: Kind, s: &[usize], d: u32) -> Out {
        match k {
            Kind::Real => self.real(s, d),
            Kind::Int => self.int(s, d),
            Kind::Bool => self.truth(s, d),
        }
    }

    /// What only moves elements.
    pub(super) fn moved(&mut self, k: Kind, s: &[usize], d: u32) -> Option<Out> {
        let r = s.len();
        if r == 0 {
            return None;
        }
        let axis = self.rng.below(r);
        let n = s[axis];
        let with = |m: usize| {
            let mut t = s.to_vec();
            t[axis] = m;
            t
        };
        let (from, text): (Vec<usize>, String) = match self.rng.below(14) {
            0 => (s.to_vec(), format!("flip($, axis: {axis})")),
            1 => {
                let by = self.rng.below(9) as i64 - 4;
                (s.to_vec(), format!("roll($, {by}, axis: {axis})"))
            }
            2 => {
                let cut = self.rng.below(n + 1);
                let (a, b) = (
                    self.any_kind(k, &with(cut), d),
                    self.any_kind(k, &with(n - cut), d),
                );
                let bound = a.bound.max(b.bound);
                return Some(self.out(
                    k,
                    s,
                    &format!("concat($, $, axis: {axis})"),
                    vec![a.tree, b.tree],
                    bound,
                ));
            }
            3 if n > 0 && n <= 3 => {
                let mut part = s.to_vec();
                part.remove(axis);
                let parts: Vec<Out> = (0..n).map(|_| self.any_kind(k, &part, d)).collect();
                let bound = parts.iter().fold(0.0, |m: f64, p| m.max(p.bound));
                let holes = vec!["$"; n].join(", ");
                let trees = parts.into_iter().map(|p| p.tree).collect();
                return Some(self.out(
                    k,
                    s,
                    &format!("stack([{holes}], axis: {axis})"),
                    trees,
                    bound,
                ));
            }
            4 if k != Kind::Bool => {
                let a = self.rng.below(n + 1);
                let b = self.rng.below(n - a + 1);
                let value = if k == Kind::Int { "2" } else { "0.7071068" };
                let tail = if self.rng.chance(2) {
                    format!(", value: {value}")
                } else {
                    String::new()
                };
                (
                    with(n - a - b),
                    format!("pad($, ({a}, {b}), axis: {axis}{tail})"),
                )
            }
            5 | 6 => {
                // A slice, perhaps with a step.
                let step = 1 + self.rng.below(2);
                let (before, after) = (self.rng.below(3), self.rng.below(3));
                let inner = if n == 0 { 0 } else { (n - 1) * step + 1 };
                let stop = before + inner;
                let step = if step > 1 {
                    format!(": {step}")
                } else {
                    String::new()
                };
                let dots = "..,".repeat(axis).replace("..,", ".., ");
                (
                    with(before + inner + after),
                    format!("$[{dots}{before}..{stop}{step}]"),
                )
            }
            7 => {
                // A row of something longer.
                let axis = self.rng.below(r + 1);
                let m = 1 + self.rng.below(3);
                if m * s.iter().product::<usize>() > 2 * self.cells {
                    return None;
                }
                let mut t = s.to_vec();
                t.insert(axis, m);
                let at = self.rng.below(m) as i64 - if self.rng.chance(2) { m as i64 } else { 0 };
                (t, format!("$[{}{at}]", ".., ".repeat(axis)))
            }
            8 if r >= 2 => {
                let (i, j) = (self.rng.below(r), self.rng.below(r));
                let mut t = s.to_vec();
                t.swap(i, j);
                (t, format!("swapaxes($, {i}, {j})"))
            }
            9 if r == 2 => (
                vec![s[1], s[0]],
                self.rng.pick(&["transpose($)", "$.T"]).to_string(),
            ),
            10 if r == 3 => {
                let p = *self
                    .rng
                    .pick(&[[0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]]);
                let mut t = vec![0; 3];
                for (i, &a) in p.iter().enumerate() {
                    t[a] = s[i];
                }
                (t, format!("transpose($, [{}, {}, {}])", p[0], p[1], p[2]))
            }
            11 => {
                let total: usize = s.iter().product();
                let t = match self.rng.below(3) {
                    0 => vec![total],
                    1 => vec![1, total],
                    _ if total.is_multiple_of(2) => vec![total / 2, 2],
                    _ => vec![total, 1],
                };
                (t, format!("reshape($, {})", dims(s)))
            }
            12 if n > 0 => {
                let parts: Vec<usize> = (1..=n).filter(|p| n.is_multiple_of(*p)).collect();
                let m = *self.rng.pick(&parts);
                let f = *self.rng.pick(&["repeat", "tile"]);
                (with(m), format!("{f}($, {}, axis: {axis})", n / m))
            }
            13 if k == Kind::Real => {
                let mut t = s.to_vec();
                t.remove(axis);
                let a = self.any_kind(k, &t, d);
                let like = self.any_kind(k, s, 0);
                return Some(self.out(
                    k,
                    s,
                    &format!("spread($, like: $, axis: {axis})"),
                    vec![a.tree, like.tree],
                    a.bound,
                ));
            }
            _ => return None,
        };
        let a = self.any_kind(k, &from, d);
        let bound = a.bound.max(2.0);
        Some(self.out(k, s, &text, vec![a.tree], bound))
    }

    /// What chooses elements by index, or one of two sides.
    pub(super) fn chosen(&mut self, k: Kind, s: &[usize], d: u32) -> Option<Out> {
        match self.rng.below(5) {
            0 => {
                let (c, a, b) = (
                    self.truth(&[], d),
                    self.any_kind(k, s, d),
                    self.any_kind(k, s, d),
                );
                let bound = a.bound.max(b.bound);
                Some(self.out(
                    k,
                    s,
                    "(if $ { $ } else { $ })",
                    vec![c.tree, a.tree, b.tree],
                    bound,
                ))
            }
            1 | 2 if !s.is_empty() => {
                // Rows by a vector of indices.
                let m = self.positive_size();
                let mut from = s.to_vec();
                from[0] = m;
                if from.iter().product::<usize>() > 2 * self.cells {
                    return None;
                }
                let (x, i) = (self.any_kind(k, &from, d), self.int(&s[..1], d));
                let text = *self.rng.pick(&[
                    "$[mod($, #)]",
                    "take($, mod($, #))",
                    "take($, mod($, #), axis: 0)",
                ]);
                let text = text.replace('#', &m.to_string());
                Some(self.out(k, s, &text, vec![x.tree, i.tree], x.bound))
            }
            3 if !s.is_empty() => {
                let axis = self.rng.below(s.len());
                let m = self.positive_size();
                let mut from = s.to_vec();
                from[axis] = m;
                if from.iter().product::<usize>() > 2 * self.cells {
                    return None;
                }
                let (x, i) = (self.any_kind(k, &from, d), self.int(s, d));
                Some(self.out(
                    k,
                    s,
                    &format!("take_along($, mod($, {m}), axis: {axis})"),
                    vec![x.tree, i.tree],
                    x.bound,
                ))
            }
            4 => {
                let m = self.positive_size();
                let mut from = s.to_vec();
                from.insert(0, m);
                if from.iter().product::<usize>() > 2 * self.cells {
                    return None;
                }
                let (x, i) = (self.any_kind(k, &from, d), self.int(&[], d));
                Some(self.out(
                    k,
                    s,
                    &format!("$[mod($, {m})]"),
                    vec![x.tree, i.tree],
                    x.bound,
                ))
            }
            _ => None,
        }
    }

    /// `for`, in its shapes.
    pub(super) fn over_lanes(&mut self, k: Kind, s: &[usize], d: u32) -> Option<Out> {
        let (n, rest) = s.split_first()?;
        if self.loops > 2 {
            return None;
        }
        let (n, rest) = (*n, rest.to_vec());
        self.loops += 1;
        let out = match self.rng.below(4) {
            0 => {
                let i = self.name("i");
                let body = self.within(vec![Self::int_var(&i, &[], n as f64)], |g| {
                    g.block(k, &rest, d)
                });
                Some(self.out(
                    k,
                    s,
                    &format!("(for {i} in 0..{n} {{ $ }})"),
                    vec![body.tree],
                    body.bound,
                ))
            }
            1 | 2 => {
                let part = self.lane_shape(n);
                let xs = self.real(&[&[n], &part[..]].concat(), d);
                let x = self.name("x");
                let body = self.within(vec![Self::real_var(&x, &part, xs.bound)], |g| {
                    g.block(k, &rest, d)
                });
                Some(self.out(
                    k,
                    s,
                    &format!("(for {x} in $ {{ $ }})"),
                    vec![xs.tree, body.tree],
                    body.bound,
                ))
            }
            _ => {
                let (p, q) = (self.lane_shape(n), self.lane_shape(n));
                let xs = self.real(&[&[n], &p[..]].concat(), d);
                let ys = self.int(&[&[n], &q[..]].concat(), d);
                let (x, y) = (self.name("x"), self.name("y"));
                let vars = vec![
                    Self::real_var(&x, &p, xs.bound),
                    Self::int_var(&y, &q, ys.bound),
                ];
                let body = self.within(vars, |g| g.block(k, &rest, d));
                let text = format!("(for ({x}, {y}) in ($, $) {{ $ }})");
                Some(self.out(k, s, &text, vec![xs.tree, ys.tree, body.tree], body.bound))
            }
        };
        self.loops -= 1;
        out
    }

    /// The shape of a lane's part of something with `n` lanes.
    pub(super) fn lane_shape(&mut self, n: usize) -> Vec<usize> {
        let mut s = self.shape();
        s.truncate(2);
        if s.iter().product::<usize>() * n > self.cells + 100 {
            vec![]
        } else {
            s
        }
    }

    /// A block's statements and value, or only the value.
    pub(super) fn block(&mut self, k: Kind, s: &[usize], d: u32) -> Out {
        if !self.rng.chance(3) || d == 0 {
            return self.any_kind(k, s, d);
        }
        let inner = self.lane_shape(10);
        let a = self.real(&inner, d);
        let v = self.name("v");
        let value = self.within(vec![Self::real_var(&v, &inner, a.bound)], |g| {
            g.any_kind(k, s, d)
        });
        self.out(
            k,
            s,
            &format!("let {v} = $; $"),
            vec![a.tree, value.tree],
            value.bound,
        )
    }
}
