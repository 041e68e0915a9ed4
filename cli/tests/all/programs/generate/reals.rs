//! Reals.

use super::super::tree::{Kind, dims};
use super::{Gen, Out, Ty, Var, odd, real_text};

/// Smooth functions with a safe domain, and a bound on what they give.
const SMOOTH: &[(&str, f64)] = &[
    ("tanh($)", 1.0),
    ("sin($)", 1.0),
    ("cos($)", 1.0),
    ("sigmoid($)", 1.0),
    ("erf($)", 1.0),
    ("exp(tanh($))", 2.8),
    ("expm1(sin($))", 1.8),
    ("log(1.3 + $ ^ 2)", 6.0),
    ("log1p(exp(tanh($)))", 1.4),
    ("sqrt(0.7 + square($))", 9.0),
    ("softplus(tanh($))", 1.4),
    ("lgamma(1.7 + cos($))", 1.0),
    ("digamma(1.7 + cos($))", 2.0),
    ("(1.0 / (1.3 + square($)))", 0.8),
    ("tanh($) ^ 3", 1.0),
    ("(1.2 + sin($)) ^ (-1.5)", 12.0),
    ("(0.6 + sigmoid($)) ^ 0.7", 2.0),
    ("atan($)", 1.6),
    ("asinh($)", 3.0),
    ("erfinv(0.8 * tanh($))", 1.0),
    ("abs($ + 0.3183099)", 9.0),
    ("relu($ - 0.1591549)", 9.0),
    ("silu($)", 8.0),
    ("log_sigmoid($)", 9.0),
    ("clip($, -0.6321206, 0.8646647)", 0.9),
    ("ndtr($)", 1.0),
    ("erfc($)", 2.0),
    ("cosh(tanh($))", 1.6),
    ("leaky_relu($ + 0.2718282)", 9.0),
];

impl Gen {
    pub(super) fn real(&mut self, s: &[usize], d: u32) -> Out {
        if d == 0 || self.rng.chance(7) {
            return self.real_leaf(s);
        }
        for _ in 0..30 {
            if let Some(o) = self.real_case(s, d - 1) {
                return self.tame(s, o);
            }
        }
        self.real_leaf(s)
    }

    /// Keeps what nests bounded.
    fn tame(&mut self, s: &[usize], o: Out) -> Out {
        if o.bound <= 8.0 {
            return o;
        }
        if self.rng.chance(2) || !o.bound.is_finite() {
            return self.out(Kind::Real, s, "tanh(0.5 * $)", vec![o.tree], 1.0);
        }
        let c = real_text(4.0 / o.bound);
        self.out(Kind::Real, s, &format!("({c} * $)"), vec![o.tree], 4.0)
    }

    fn real_leaf(&mut self, s: &[usize]) -> Out {
        let k = Kind::Real;
        if !self.rng.chance(4)
            && let Some(v) = self.variable(&Ty::new(k, s))
        {
            return v;
        }
        if !self.rng.chance(3)
            && let Some(o) = self.of_another(s)
        {
            return o;
        }
        let n: usize = s.iter().product();
        if s.is_empty() {
            let text = real_text(odd(&mut self.rng));
            return self.out(k, s, &text, vec![], 1.0);
        }
        if n > 0 && n <= 6 && self.rng.chance(2) {
            let text = self.literal(s, &mut |r| format!("{:.4}", odd(r)));
            let text = if self.rng.chance(2) {
                format!("(1.0 * {text})")
            } else {
                text
            };
            return self.out(k, s, &text, vec![], 1.0);
        }
        let c = real_text(odd(&mut self.rng));
        let d = dims(s);
        match self.rng.below(6) {
            0 => self.out(k, s, &format!("zeros({d})"), vec![], 0.0),
            1 => self.out(k, s, &format!("ones({d})"), vec![], 1.0),
            2 => self.out(k, s, &format!("full({c}, {d})"), vec![], 1.0),
            3 => self.out(k, s, &format!("rand({d})"), vec![], 1.0),
            _ => self.out(
                k,
                s,
                &format!("sin({c} + 0.8 * reshape(real(iota({n})), {d}))"),
                vec![],
                1.0,
            ),
        }
    }

    /// Made of a variable of another shape.
    fn of_another(&mut self, s: &[usize]) -> Option<Out> {
        let k = Kind::Real;
        let all: Vec<Var> = self
            .vars
            .iter()
            .filter(|v| v.ty.kind == k && v.bound.is_finite())
            .cloned()
            .collect();
        if all.is_empty() {
            return None;
        }
        let focus = self.focus.as_ref();
        let v = match all.iter().find(|v| Some(&v.name) == focus) {
            Some(v) if !self.rng.chance(3) => v.clone(),
            _ => self.rng.pick(&all).clone(),
        };
        let (t, name) = (v.ty.shape.clone(), &v.name);
        let n = t.iter().product::<usize>().max(1);
        if let Some((first, rest)) = t.split_first()
            && rest == s
            && *first > 0
            && !self.rng.chance(3)
        {
            let i = self.rng.below(*first);
            return Some(self.out(k, s, &format!("{name}[{i}]"), vec![], v.bound));
        }
        if let [a, b] = t[..]
            && s == [a]
        {
            return Some(self.out(
                k,
                s,
                &format!("({name} @ full(0.4, {b}))"),
                vec![],
                v.bound * b as f64,
            ));
        }
        let number = match (t.is_empty(), self.rng.below(3)) {
            (true, _) => format!("sin({name})"),
            (_, 0) => format!("(sum(sin({name})) / {n}.0)"),
            (_, 1) => format!("(dot({name}, {name}) / {n}.0)"),
            _ => format!("tanh(sum({name}))"),
        };
        let bound = 1.0 + v.bound * v.bound;
        if s.is_empty() {
            return Some(self.out(k, s, &number, vec![], bound));
        }
        let c = real_text(odd(&mut self.rng));
        let cells: usize = s.iter().product();
        let text = format!(
            "({number} * cos({c} * reshape(real(iota({cells})), {})))",
            dims(s)
        );
        Some(self.out(k, s, &text, vec![], bound))
    }

    fn real_case(&mut self, s: &[usize], d: u32) -> Option<Out> {
        let k = Kind::Real;
        Some(match self.rng.below(50) {
            0..=4 => {
                let (f, bound) = *self.rng.pick(SMOOTH);
                let a = self.real(s, d);
                let bound = if bound > 5.0 { bound + a.bound } else { bound };
                // A power binds more tightly than what may stand around it.
                let f = if f.contains('^') {
                    format!("({f})")
                } else {
                    f.into()
                };
                self.out(k, s, &f, vec![a.tree], bound)
            }
            5..=8 => {
                let op = *self.rng.pick(&["+", "-", "*"]);
                let (a, b) = (self.real(s, d), self.real(s, d));
                let bound = if op == "*" {
                    a.bound * b.bound
                } else {
                    a.bound + b.bound
                };
                self.out(k, s, &format!("($ {op} $)"), vec![a.tree, b.tree], bound)
            }
            9 => {
                let (a, b) = (self.real(s, d), self.real(s, d));
                self.out(
                    k,
                    s,
                    "($ / (1.1 + square($)))",
                    vec![a.tree, b.tree],
                    a.bound,
                )
            }
            10 => {
                let (a, b) = (self.real(&[], d), self.real(s, d));
                let t = *self.rng.pick(&["($ * $)", "($ + $)", "($ - $)"]);
                let bound = a.bound + b.bound + a.bound * b.bound;
                self.out(k, s, t, vec![a.tree, b.tree], bound)
            }
            11 => {
                let f = *self.rng.pick(&[
                    "max($, $ + 0.7390851)",
                    "min(0.5671433 * $, $)",
                    "atan2($, 9.2 + $)",
                    "logaddexp($, $)",
                ]);
                let (a, b) = (self.real(s, d), self.real(s, d));
                let bound = a.bound + b.bound + 1.0;
                self.out(k, s, f, vec![a.tree, b.tree], bound)
            }
            12 => {
                let a = self.int(s, d);
                self.out(k, s, "(0.25 * real($))", vec![a.tree], 0.25 * a.bound)
            }
            13 => {
                let a = self.truth(s, d);
                self.out(k, s, "real($)", vec![a.tree], 1.0)
            }
            14 => {
                let (c, a, b) = (self.truth(s, d), self.real(s, d), self.real(s, d));
                let bound = a.bound.max(b.bound);
                self.out(k, s, "select($, $, $)", vec![c.tree, a.tree, b.tree], bound)
            }
            15..=17 => self.reduced(s, d)?,
            18..=20 => self.product(s, d)?,
            21..=24 => self.moved(k, s, d)?,
            25..=27 => self.chosen(k, s, d)?,
            28 if !s.is_empty() => self.along(s, d)?,
            29..=32 if !s.is_empty() => self.over_lanes(k, s, d)?,
            33 | 34 => self.repeated(s, d)?,
            35..=38 => self.derived(s, d)?,
            39 | 40 => self.called(s, d)?,
            41 => {
                let a = self.real(s, d);
                let t = *self.rng.pick(&["stop($)", "(-$)", "(0.3 + tangent($))"]);
                self.out(k, s, t, vec![a.tree], a.bound)
            }
            42 => {
                let a = self.real(s, d);
                self.out(k, s, "strict { $ }", vec![a.tree], a.bound)
            }
            43 if !self.double => {
                let a = self.real(s, d);
                self.out(k, s, "real(f64($))", vec![a.tree], a.bound)
            }
            46..=48 => self.worded(s, d)?,
            49 => {
                // Item by item, of a list known at compile time.
                let (n, rest) = s.split_first()?;
                if *n == 0 || *n > 3 || self.loops > 2 {
                    return None;
                }
                let i = self.name("i");
                self.loops += 1;
                let body = self.within(vec![Self::int_var(&i, &[], *n as f64)], |g| {
                    g.block(k, rest, d)
                });
                self.loops -= 1;
                let text = format!("(for {i} in list(0..{n}) {{ $ }})");
                self.out(k, s, &text, vec![body.tree], body.bound)
            }
            44 | 45 if self.linalg => self.solved(s, d)?,
            _ => return None,
        })
    }

    fn reduced(&mut self, s: &[usize], d: u32) -> Option<Out> {
        let k = Kind::Real;
        let (axis, n, from) = self.with_axis(s);
        let f = *self.rng.pick(&[
            "sum",
            "mean",
            "logsumexp",
            "max",
            "min",
            "prod",
            "norm",
            "var",
            "std",
            "logmeanexp",
            "median",
        ]);
        if n == 0 && f != "sum" && f != "prod" {
            return None;
        }
        let arg = format!(", axis: {axis}");
        let arg = if s.is_empty() && self.rng.chance(2) {
            String::new()
        } else {
            arg
        };
        if matches!(f, "max" | "min" | "median") {
            let a = self.spread_out(&from, axis, d)?;
            return Some(self.out(k, s, &format!("{f}($ / {n}.0{arg})"), vec![a], 12.0));
        }
        let a = self.real(&from, d);
        let (t, bound) = match f {
            "sum" => (format!("sum(${arg})"), n as f64 * a.bound),
            "prod" => (format!("prod(1.1 * cos($){arg})"), 1.1f64.powi(n as i32)),
            // Away from roots of 0.
            "norm" => (
                format!("norm($ + 1.7{arg}, #)").replace(", #", ""),
                (a.bound + 1.7) * (n as f64).sqrt(),
            ),
            "std" => (
                format!(
                    "std(sin($) + real(iota({}, axis: {axis})){arg})",
                    dims(&from)
                ),
                10.0,
            ),
            "var" => (format!("var(${arg})"), a.bound * a.bound),
            _ => (format!("{f}(${arg})"), a.bound + 3.0),
        };
        if f == "std" && n == 1 || f == "norm" && a.bound > 1.0 {
            return None;
        }
        Some(self.out(k, s, &t, vec![a.tree], bound))
    }

    fn product(&mut self, s: &[usize], d: u32) -> Option<Out> {
        let k = Kind::Real;
        let n = self.size();
        let (left, right, text): (Vec<usize>, Vec<usize>, String) = match (s, self.rng.below(2)) {
            ([], 0) => (vec![n], vec![n], "($ @ $)".into()),
            ([], _) => {
                let t = self.shape();
                (t.clone(), t, "dot($, $)".into())
            }
            ([a], 0) => (
                vec![*a, n],
                vec![n],
                self.rng
                    .pick(&["($ @ $)", "einsum([i], $[i, j], $[j])"])
                    .to_string(),
            ),
            ([a], _) => (
                vec![n],
                vec![n, *a],
                self.rng
                    .pick(&["($ @ $)", "einsum([j], $[i], $[i, j])"])
                    .to_string(),
            ),
            ([a, b], 0) => (vec![*a, n], vec![n, *b], "($ @ $)".into()),
            ([a, b], _) => match self.rng.below(3) {
                0 => (
                    vec![*a],
                    vec![*b],
                    self.rng
                        .pick(&["outer($, $)", "einsum([i, j], $[i], $[j])"])
                        .to_string(),
                ),
                1 => (
                    vec![n, *a],
                    vec![*b, n],
                    "einsum([i, k], $[j, i], $[k, j])".into(),
                ),
                _ => (
                    vec![*a, *b],
                    vec![*b],
                    "einsum([i, j], $[i, j], $[j])".into(),
                ),
            },
            ([a, b, c], 0) => (vec![*a, *b, n], vec![*a, n, *c], "($ @ $)".into()),
            ([a, b, c], _) => (
                vec![n, *b, *a],
                vec![*c, n],
                "einsum([i, j, k], $[l, j, i], $[k, l])".into(),
            ),
            _ => return None,
        };
        let big = |s: &[usize]| s.iter().product::<usize>() > 2 * self.cells;
        if big(&left) || big(&right) {
            return None;
        }
        let (a, b) = (self.real(&left, d), self.real(&right, d));
        let terms = if text.contains("dot") {
            left.iter().product()
        } else {
            n
        };
        let bound = a.bound * b.bound * (terms as f64).max(1.0);
        Some(self.out(k, s, &text, vec![a.tree, b.tree], bound))
    }

    /// Along an axis: running sums, sorting, softmax.
    fn along(&mut self, s: &[usize], d: u32) -> Option<Out> {
        let k = Kind::Real;
        let axis = self.rng.below(s.len());
        let n = s[axis];
        Some(match self.rng.below(9) {
            0 => {
                let a = self.real(s, d);
                self.out(
                    k,
                    s,
                    &format!("cumsum($, axis: {axis})"),
                    vec![a.tree],
                    a.bound * n.max(1) as f64,
                )
            }
            1 => {
                let a = self.real(s, d);
                self.out(
                    k,
                    s,
                    &format!("cumprod(cos($), axis: {axis})"),
                    vec![a.tree],
                    1.0,
                )
            }
            2 => {
                let f = *self.rng.pick(&["cummax", "cummin", "sort"]);
                let a = self.spread_out(s, axis, d)?;
                self.out(
                    k,
                    s,
                    &format!("{f}($, axis: {axis})"),
                    vec![a],
                    10.0 + n as f64,
                )
            }
            3 if n > 0 => {
                let a = self.real(s, d);
                let f = *self.rng.pick(&["softmax", "log_softmax", "logcumsumexp"]);
                self.out(
                    k,
                    s,
                    &format!("{f}($, axis: {axis})"),
                    vec![a.tree],
                    2.0 * a.bound + 3.0,
                )
            }
            4 => {
                let mut from = s.to_vec();
                from[axis] += 1;
                let a = self.real(&from, d);
                self.out(
                    k,
                    s,
                    &format!("diff($, axis: {axis})"),
                    vec![a.tree],
                    2.0 * a.bound,
                )
            }
            5 if s.len() == 2 => {
                let f = *self
                    .rng
                    .pick(&["tril($)", "triu($)", "tril($, k: -1)", "triu($, k: 1)"]);
                let a = self.real(s, d);
                self.out(k, s, f, vec![a.tree], a.bound)
            }
            6 => {
                let mut from = s.to_vec();
                from[axis] = n + self.rng.below(3);
                if from[axis] == 0 {
                    return None;
                }
                let a = self.spread_out(&from, axis, d)?;
                let text = format!(
                    "(for q in list(0..1) {{ let (best, at) = top_k($, {n}, axis: {axis}); best }})[0]"
                );
                self.out(k, s, &text, vec![a], 12.0 + n as f64)
            }
            7 if s[0] > 0 => {
                let m = self.size();
                let mut part = s.to_vec();
                part[0] = m;
                if part.iter().product::<usize>() > 2 * self.cells {
                    return None;
                }
                let (x, i, v) = (self.real(s, d), self.int(&[m], d), self.real(&part, d));
                let text = format!("scatter_add($, at: mod($, {}), values: $)", s[0]);
                self.out(
                    k,
                    s,
                    &text,
                    vec![x.tree, i.tree, v.tree],
                    x.bound + v.bound * m as f64,
                )
            }
            8 if s.len() == 1 && n > 0 => {
                let m = self.size();
                let (x, i, v) = (self.real(s, d), self.int(&[m], d), self.real(&[m], d));
                let bound = x.bound.max(v.bound);
                self.out(
                    k,
                    s,
                    &format!("put($, mod($, {n}), $)"),
                    vec![x.tree, i.tree, v.tree],
                    bound,
                )
            }
            _ => return None,
        })
    }

    /// Linear algebra on matrices far from singular, whose eigenvalues are apart.
    fn solved(&mut self, s: &[usize], d: u32) -> Option<Out> {
        let k = Kind::Real;
        let spd = |g: &mut Self, n: usize| {
            let a = g.real(&[n, n], d);
            let t = format!("spd(tanh($) / {n}.0)");
            g.out(k, &[n, n], &t, vec![a.tree], 4.0).tree
        };
        Some(match *s {
            [] => {
                let n = 1 + self.rng.below(4);
                let a = spd(self, n);
                let f = *self.rng.pick(&[
                    "sum(log(eigenvalues($)))",
                    "log_determinant($)",
                    "sum(singular($)) / 4.0",
                ]);
                self.out(k, s, f, vec![a], 12.0)
            }
            [n] if (1..6).contains(&n) => {
                let a = spd(self, n);
                let b = self.real(s, d);
                let f = *self.rng.pick(&[
                    "solve($, $)",
                    "solve_triangular($, $)",
                    "solve_triangular($, $, lower: false)",
                    "solve_triangular($, $, transpose: true)",
                    "(eigenvalues($) + $)",
                ]);
                self.out(k, s, f, vec![a, b.tree], 9.0)
            }
            [n, m] if (1..6).contains(&n) => {
                let a = spd(self, n);
                if n == m && self.rng.chance(2) {
                    let f = *self.rng.pick(&["cholesky($)", "upper($)", "inverse($)"]);
                    return Some(self.out(k, s, f, vec![a], 4.0));
                }
                let b = self.real(s, d);
                self.out(k, s, "solve($, $)", vec![a, b.tree], 9.0)
            }
            _ => return None,
        })
    }
}
