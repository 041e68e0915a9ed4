//! Whole programs: definitions, the statements of stages, and what is logged.

use super::super::tree::{Kind, Place, Ty, dims};
use super::{Function, Gen, Var, odd, real_text};

const PIECES: &[&str] = &[
    "tanh(@)",
    "sin(@ + @)",
    "(@ * cos(@))",
    "sigmoid(@ - @)",
    "(@ / (1.0 + @ ^ 2))",
    "exp(-square(@))",
    "(0.5 * @ + 0.25 * @)",
    "erf(@)",
];

/// Functions of a vector that holds anything.
const EXTREME: &[&str] = &[
    "max(@)",
    "min(@)",
    "sum(@)",
    "prod(@)",
    "sort(@)",
    "sort(@, descending: true)",
    "argsort(@)",
    "argmax(@)",
    "argmin(@)",
    "cummax(@)",
    "cummin(@)",
    "cumsum(@)",
    "cumprod(@)",
    "logsumexp(@)",
    "softmax(@)",
    "logcumsumexp(@)",
    "max(@, 0.3)",
    "min(0.3, @)",
    "max(@, flip(@))",
    "clip(@, -1.5, 2.5)",
    "relu(@)",
    "abs(@)",
    "sign(@)",
    "floor(@)",
    "round(@)",
    "ceil(@)",
    "int(@)",
    "bool(@)",
    "is_finite(@)",
    "(@ < 1.0)",
    "(@ == @)",
    "(@ != flip(@))",
    "(@ >= flip(@))",
    "exp(@)",
    "log(@)",
    "sqrt(@)",
    "tanh(@)",
    "sigmoid(@)",
    "softplus(@)",
    "erf(@)",
    "lgamma(@)",
    "digamma(@)",
    "@ ^ 2",
    "@ ^ 0.5",
    "@ ^ 3",
    "(1.0 / @)",
    "(@ * 0.0)",
    "(@ - @)",
    "(@ * 1.0 + 0.0)",
    "select(@ < 1.0, @, 0.0)",
    "(for q in @ { if q < 1.0 { q } else { 0.5 * q } })",
    "grad(sum(select(@ < 1.0, @, 2.0 * @)), wrt: @)",
    "grad(sum(for q in @ { if q > 0.5 { sqrt(q) } else { q } }), wrt: @)",
    "ranks(@)",
    "dot(@, @)",
    "median(@)",
    "atan(@)",
    "log1p(@)",
    "expm1(@)",
    "norm(@)",
    "mean(@)",
    "var(@)",
    "log_sigmoid(@)",
    "logaddexp(@, flip(@))",
    "all(@ > -3.0)",
    "real(f64(@))",
    "strict { sum(@) }",
];

impl Gen {
    pub(super) fn whole(&mut self) {
        if self.double {
            self.text_line(Place::Item, "precision f64\n".into());
        }
        if self.linalg {
            self.text_line(Place::Item, "use std.linalg.inverse".into());
            for f in [
                "fn spd(a: real[n, n]) = a @ a.T + one_hot(iota(n), n) * outer(ones(n), 1.5 + 0.8 * real(iota(n)))",
                "fn eigenvalues(a) { let (w, v) = eigh(a); w }",
                "fn singular(a) { let (u, s, v) = svd(a); s }",
                "fn log_determinant(a) { let (sign, l) = slogdet(a); sign * l }",
                "fn upper(a) { let (q, r) = qr(a); r }",
            ] {
                self.text_line(Place::Item, f.into());
            }
        }
        if self.rng.chance(4) {
            self.text_line(Place::Item, "use std.optim.{sgd, momentum}".into());
            self.items();
            self.statements(Place::Compute);
            self.training();
        } else {
            self.items();
            self.statements(Place::Compute);
        }
    }

    fn items(&mut self) {
        for _ in 0..1 + self.rng.below(3) {
            let s = self.shape();
            let p = self.name("p");
            let text = self.first_value(&s);
            self.text_line(
                Place::Item,
                format!("param {p}: real{} = {text}", brackets(&s)),
            );
            self.vars.push(Self::real_var(&p, &s, 1.0));
        }
        for _ in 0..self.rng.below(3) {
            let s = self.shape();
            let a = self.name("a");
            let (e, kind) = match self.rng.below(3) {
                0 => (self.int(&s, 2), Kind::Int),
                _ => (self.real(&s, 2), Kind::Real),
            };
            self.line(Place::Item, &format!("let {a} = $"), vec![e.tree]);
            self.vars.push(Var {
                name: a,
                ty: Ty::new(kind, &s),
                bound: e.bound,
                bound_name: kind == Kind::Real,
            });
        }
        for _ in 0..self.rng.below(4) {
            self.function();
        }
    }

    fn first_value(&mut self, s: &[usize]) -> String {
        let n: usize = s.iter().product();
        if n > 0 && n <= 6 {
            return self.literal(s, &mut |r| format!("{:.4}", odd(r)));
        }
        match self.rng.below(3) {
            0 => format!("0.7 * rand({})", dims(s)),
            1 => Self::full_of(s, "0.31"),
            _ => format!("cos(reshape(real(iota({n})), {}))", dims(s)),
        }
    }

    /// An expression of some names, element by element.
    fn pieces(&mut self, names: &[&str], d: u32) -> String {
        if d == 0 {
            return self.rng.pick(names).to_string();
        }
        let mut text = String::new();
        for part in self.rng.pick(PIECES).split_inclusive('@') {
            match part.strip_suffix('@') {
                Some(t) => {
                    text.push_str(t);
                    text.push_str(&self.pieces(names, d - 1));
                }
                None => text.push_str(part),
            }
        }
        text
    }

    fn function(&mut self) {
        let f = self.name("f");
        let (text, function) = match self.rng.below(8) {
            6 => {
                let (body, rule) = (self.pieces(&["x"], 2), self.pieces(&["x", "dy"], 1));
                let by = *self.rng.pick(&["vjp(dy)", "jvp(dx)"]);
                let other = if by == "jvp(dx)" {
                    ""
                } else {
                    " with jvp(dx) { dx * sin(x) }"
                };
                let rule = if by == "jvp(dx)" {
                    rule.replace("dy", "dx")
                } else {
                    rule
                };
                (
                    format!(
                        "fn {f}(x) = tanh({body}) with {by} {{ 0.5 * {} * {rule} }}{other}",
                        &by[4..6]
                    ),
                    Function::Map(f.clone(), 1),
                )
            }
            7 => {
                let body = self.pieces(&["x", "y"], 2);
                let text = format!(
                    "fn {f}(x, y) {{\n  let (v, (g, h)) = value_and_grad(sum({body}), wrt: (x, y))\n  tanh(g + v * h)\n}}"
                );
                (text, Function::Map(f.clone(), 2))
            }
            0 => {
                let n = 1 + self.rng.below(2);
                let body = self.pieces(&["x", "y"][..n], 2);
                (
                    format!("fn {f}({}) = tanh({body})", ["x", "x, y"][n - 1]),
                    Function::Map(f.clone(), n),
                )
            }
            1 => {
                let body = self.pieces(&["x", "h"], 2);
                (
                    format!(
                        "fn {f}(x, y = 0.3) {{\n  let h = {}\n  tanh({body}) + y\n}}",
                        self.pieces(&["x"], 1)
                    ),
                    Function::Map(f.clone(), 1),
                )
            }
            2 => {
                let body = self.pieces(&["h"], 2);
                (
                    format!(
                        "fn {f}(x: real[n], w: real[n, m]) -> real[m] {{\n  let h = x @ w / 9.0\n  tanh({body})\n}}"
                    ),
                    Function::Affine(f.clone()),
                )
            }
            3 => {
                let body = self.pieces(&["x"], 2);
                (
                    format!("fn {f}(x: real[n]) -> real[n] = grad(sum({body}), wrt: x)"),
                    Function::Vector(f.clone()),
                )
            }
            4 => {
                let body = self.pieces(&["x", "h"], 2);
                (
                    format!(
                        "fn {f}(x: real[n]) -> real[n] {{\n  let g = |h| {body}\n  scan (h = x) for i in 0..n {{ next h = tanh(g(h)) }}\n}}"
                    ),
                    Function::Vector(f.clone()),
                )
            }
            _ => {
                let body = self.pieces(&["r"], 2);
                (
                    format!(
                        "fn {f}(x: real[n, m]) -> real {{\n  tanh(mean(for r in x {{ sum({body}) / real(m) }}))\n}}"
                    ),
                    Function::Whole(f.clone()),
                )
            }
        };
        self.text_line(Place::Item, text);
        self.functions.push(function);
    }

    fn statements(&mut self, place: Place) {
        let mark = self.vars.len();
        let count = 3 + self.rng.below(4);
        for _ in 0..count {
            self.statement(place);
        }
        let made: Vec<Var> = self.vars[mark..].to_vec();
        for v in made {
            let o = self.name("o");
            self.text_line(place, format!("log {o} = {}", v.name));
        }
        self.vars.truncate(mark);
    }

    fn statement(&mut self, place: Place) {
        let s = self.shape();
        let d = 3 + u32::from(self.rng.chance(2)) + u32::from(self.rng.chance(4));
        match self.rng.below(17) {
            15 => self.two_carries(place, &s, d - 1),
            16 => {
                let (v, w) = (self.name("v"), self.name("w"));
                let Some(x) = self
                    .vars
                    .iter()
                    .rev()
                    .find(|x| x.bound_name && x.bound.is_finite())
                    .cloned()
                else {
                    return;
                };
                self.derivatives += 1;
                self.focus = Some(x.name.clone());
                let e = self.scalar_of(&x.ty.shape, d - 1);
                self.focus = None;
                self.derivatives -= 1;
                self.line(
                    place,
                    &format!("let ({v}, {w}) = value_and_grad($, wrt: {})", x.name),
                    vec![e.tree],
                );
                self.vars.push(Self::real_var(&v, &[], f64::INFINITY));
                self.vars
                    .push(Self::real_var(&w, &x.ty.shape, f64::INFINITY));
            }
            0 => {
                let (a, b) = (self.name("v"), self.name("v"));
                let t = self.shape();
                let (x, y) = (self.real(&s, d - 1), self.int(&t, d - 1));
                self.line(
                    place,
                    &format!("let ({a}, {b}) = ($, $)"),
                    vec![x.tree, y.tree],
                );
                self.vars.push(Self::real_var(&a, &s, x.bound));
                self.vars.push(Self::int_var(&b, &t, y.bound));
            }
            1 => {
                let r = self.name("r");
                let t = self.shape();
                let (x, y) = (self.real(&s, d - 1), self.real(&t, d - 1));
                let f = *self.rng.pick(&["", "0.5 * ", "-"]);
                self.line(
                    place,
                    &format!("let {r} = {f}{{a: $, b: $}}"),
                    vec![x.tree, y.tree],
                );
                for (field, shape, bound) in [("a", &s, x.bound), ("b", &t, y.bound)] {
                    let mut v = Self::real_var(&format!("{r}.{field}"), shape, bound);
                    v.bound_name = false;
                    self.vars.push(v);
                }
            }
            2 => {
                let v = self.name("v");
                let x = self.int(&s, d);
                self.line(place, &format!("let {v} = $"), vec![x.tree]);
                self.vars.push(Self::int_var(&v, &s, x.bound));
            }
            3 => {
                let v = self.name("v");
                let x = self.truth(&s, d);
                self.line(place, &format!("let {v} = $"), vec![x.tree]);
                self.vars.push(Var {
                    name: v,
                    ty: Ty::new(Kind::Bool, &s),
                    bound: 1.0,
                    bound_name: false,
                });
            }
            4 | 5 => self.scan_statement(place, &s, d - 1),
            6 => self.lanes_statement(place, d - 1),
            7 | 8 => {
                let v = self.name("v");
                self.derivatives += 1;
                let raw = self.raw_derivative(&s, d - 1);
                self.derivatives -= 1;
                self.focus = None;
                if let Some(x) = raw {
                    self.line(place, &format!("let {v} = $"), vec![x.tree]);
                    // Logged as it is, used through a function with bounds.
                    let w = self.name("v");
                    self.text_line(place, format!("let {w} = tanh({v})"));
                    let mut unbounded = Self::real_var(&v, &s, f64::INFINITY);
                    unbounded.ty.kind = Kind::Real;
                    self.vars.push(unbounded);
                    self.vars.push(Self::real_var(&w, &s, 1.0));
                }
            }
            9 if !s.is_empty() && s[0] > 0 && s.len() == 1 => {
                let (a, b) = (self.name("v"), self.name("v"));
                let k = 1 + self.rng.below(s[0]);
                let Some(x) = self.spread_out(&s, 0, d - 1) else {
                    return;
                };
                self.line(place, &format!("let ({a}, {b}) = top_k($, {k})"), vec![x]);
                self.vars.push(Self::real_var(&a, &[k], 12.0));
                self.vars.push(Self::int_var(&b, &[k], 17.0));
            }
            10 => self.extremes(place),
            _ => {
                let v = self.name("v");
                let x = self.real(&s, d);
                self.line(place, &format!("let {v} = $"), vec![x.tree]);
                self.vars.push(Self::real_var(&v, &s, x.bound));
            }
        }
    }

    /// What operations make of what is not a number, and of infinities.
    fn extremes(&mut self, place: Place) {
        let n = self.size();
        let x = self.real(&[n], 2);
        let v = self.name("v");
        let special = self.literal(&[4], &mut |r| {
            (*r.pick(&[
                "nan",
                "inf",
                "-inf",
                "0.0",
                "(-0.0)",
                "1.5",
                "-2.5",
                "1e30",
                "nan * 0.0",
            ]))
            .into()
        });
        self.line(
            place,
            &format!("let {v} = concat({special}, 1.3247 * $ + 0.5671433)"),
            vec![x.tree],
        );
        for _ in 0..2 {
            let o = self.name("o");
            let f = *self.rng.pick(EXTREME);
            self.text_line(place, format!("log {o} = {}", f.replace('@', &v)));
        }
    }

    /// `scan` over several generators, with carries of several kinds.
    fn two_carries(&mut self, place: Place, s: &[usize], d: u32) {
        let (c, n, i, x) = (
            self.name("c"),
            self.name("n"),
            self.name("i"),
            self.name("x"),
        );
        let (last, rows) = (self.name("v"), self.name("v"));
        let m = self.size().min(5);
        let (start, xs) = (self.real(s, d), self.real(&[m], d));
        let t = self.lane_shape(10);
        self.loops += 1;
        let vars = vec![
            Self::real_var(&c, s, start.bound.max(1.0)),
            Self::int_var(&n, &[], 40.0),
            Self::int_var(&i, &[], 2.0),
            Self::real_var(&x, &[], xs.bound),
        ];
        let (a, b, row) = self.within(vars, |g| (g.real(s, d), g.int(&[], d), g.real(&t, d)));
        self.loops -= 1;
        let option = *self.rng.pick(&["", "", ", checkpoint: 2"]);
        let text = format!(
            "let ({last}, {rows}) = scan ({c} = $, {n} = 2) for {i} in 0..2, {x} in ${option} {{ next {c} = sin({c} + $); next {n} = mod({n} + $, 7); yield $ }}"
        );
        self.line(
            place,
            &text,
            vec![start.tree, xs.tree, a.tree, b.tree, row.tree],
        );
        self.vars
            .push(Self::int_var(&format!("{last}.{n}"), &[], 7.0));
        let mut carry = Self::real_var(&format!("{last}.{c}"), s, start.bound.max(1.0));
        carry.bound_name = false;
        self.vars.push(carry);
        self.vars.push(Self::real_var(
            &rows,
            &[&[2 * m], &t[..]].concat(),
            row.bound,
        ));
    }

    /// `scan` with rows.
    fn scan_statement(&mut self, place: Place, s: &[usize], d: u32) {
        let t = self.lane_shape(5);
        let n = *self.rng.pick(&[0, 1, 2, 3, 5]);
        let start = self.real(s, d);
        let (c, i) = (self.name("c"), self.name("i"));
        let (last, rows) = (self.name("v"), self.name("v"));
        let carry = Self::real_var(&c, s, start.bound.max(1.0));
        let option = *self
            .rng
            .pick(&["", "", "", ", checkpoint: 2", ", unroll: true"]);
        self.loops += 1;
        let index = Self::int_var(&i, &[], n as f64);
        let (body, row) = self.within(vec![carry, index], |g| (g.real(s, d), g.real(&t, d)));
        self.loops -= 1;
        if n == 0 && option == ", unroll: true" {
            return;
        }
        let text = format!(
            "let ({last}, {rows}) = scan ({c} = $) for {i} in 0..{n}{option} {{ next {c} = tanh({c} - $); yield $ }}"
        );
        self.line(place, &text, vec![start.tree, body.tree, row.tree]);
        self.vars
            .push(Self::real_var(&last, s, start.bound.max(1.0)));
        self.vars
            .push(Self::real_var(&rows, &[&[n], &t[..]].concat(), row.bound));
    }

    /// A `for` of pairs or records, over two generators.
    fn lanes_statement(&mut self, place: Place, d: u32) {
        let (n, m) = (self.size(), self.size());
        let (p, q) = (self.lane_shape(n * m), self.lane_shape(n * m));
        if n * m > 40 {
            return;
        }
        let x = self.name("x");
        let j = self.name("j");
        let xs = self.real(&[n], d);
        self.loops += 1;
        let vars = vec![
            Self::real_var(&x, &[], xs.bound),
            Self::int_var(&j, &[], m as f64),
        ];
        let (a, b) = self.within(vars, |g| (g.real(&p, d), g.real(&q, d)));
        self.loops -= 1;
        let lanes = |s: &[usize]| [&[n, m], s].concat();
        if self.rng.chance(2) {
            let (v, w) = (self.name("v"), self.name("v"));
            let text = format!("let ({v}, {w}) = for {x} in $, {j} in 0..{m} {{ ($, $) }}");
            self.line(place, &text, vec![xs.tree, a.tree, b.tree]);
            self.vars.push(Self::real_var(&v, &lanes(&p), a.bound));
            self.vars.push(Self::real_var(&w, &lanes(&q), b.bound));
        } else {
            let r = self.name("r");
            let text = format!("let {r} = for {x} in $, {j} in 0..{m} {{ {{a: $, b: $}} }}");
            self.line(place, &text, vec![xs.tree, a.tree, b.tree]);
            for (field, shape, bound) in [("a", &p, a.bound), ("b", &q, b.bound)] {
                let mut v = Self::real_var(&format!("{r}.{field}"), &lanes(shape), bound);
                v.bound_name = false;
                self.vars.push(v);
            }
        }
    }

    /// A few steps of gradient descent.
    fn training(&mut self) {
        let params: Vec<Var> = self
            .vars
            .iter()
            .filter(|v| v.name.starts_with('p'))
            .cloned()
            .collect();
        let p = self.rng.pick(&params).clone();
        self.statement(Place::Train);
        self.focus = Some(p.name.clone());
        let e = self.scalar_of(&p.ty.shape, 3);
        self.focus = None;
        let lr = real_text(0.01 * (1.0 + odd(&mut self.rng)));
        let name = &p.name;
        let text =
            format!("minimize 0.1 * sqnorm({name}) + tanh($) over {name} using sgd(lr: {lr})");
        self.line(Place::Train, &text, vec![e.tree]);
        self.text_line(Place::Train, format!("log size = sum({name})"));
    }
}

fn brackets(s: &[usize]) -> String {
    if s.is_empty() {
        String::new()
    } else {
        format!("[{}]", dims(s))
    }
}
