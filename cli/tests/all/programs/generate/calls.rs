//! Derivatives, loops and calls of the file's functions.

use super::super::tree::Kind;
use super::{Function, Gen, Out, Var, real_text};

impl Gen {
    /// `scan` and `while`, their last carry.
    pub(super) fn repeated(&mut self, s: &[usize], d: u32) -> Option<Out> {
        let k = Kind::Real;
        if self.loops > 1 {
            return None;
        }
        let start = self.real(s, d);
        let c = self.name("c");
        let n = *self.rng.pick(&[0, 1, 2, 3, 5]);
        let option = match self.rng.below(6) {
            0 => ", unroll: true",
            1 => ", checkpoint: 2",
            2 => ", checkpoint: 3",
            _ => "",
        };
        self.loops += 1;
        let carry = Self::real_var(&c, s, start.bound.max(1.0));
        let out = match self.rng.below(4) {
            0 => {
                let i = self.name("i");
                let vars = vec![carry, Self::int_var(&i, &[], n as f64)];
                let body = self.within(vars, |g| g.real(s, d));
                let text = format!(
                    "(scan ({c} = $) for {i} in 0..{n}{option} {{ next {c} = tanh(0.7 * {c} + $) }})"
                );
                self.out(k, s, &text, vec![start.tree, body.tree], 1.0)
            }
            1 | 2 => {
                let part = self.lane_shape(n);
                let xs = self.real(&[&[n], &part[..]].concat(), d);
                let x = self.name("x");
                let vars = vec![carry, Self::real_var(&x, &part, xs.bound)];
                let body = self.within(vars, |g| g.real(s, d));
                let text =
                    format!("(scan ({c} = $) for {x} in ${option} {{ next {c} = sin({c} + $) }})");
                self.out(k, s, &text, vec![start.tree, xs.tree, body.tree], 1.0)
            }
            _ => {
                let m = self.name("m");
                let limit = real_text(1.5 + 0.001 * self.rng.below(3000) as f64 + 0.000_271_828);
                let vars = vec![carry, Self::int_var(&m, &[], 5.0)];
                let body = self.within(vars, |g| {
                    g.derivatives += 9;
                    let b = g.real(s, d.min(2));
                    g.derivatives -= 9;
                    b
                });
                let text = format!(
                    "stop((scan ({c} = $, {m} = 0) while real({m}) + sum(sin({c})) / 50.0 < {limit}, max: 4 {{ next {c} = tanh({c} + $); next {m} = {m} + 1 }}).{c})"
                );
                self.out(
                    k,
                    s,
                    &text,
                    vec![start.tree, body.tree],
                    start.bound.max(1.0),
                )
            }
        };
        self.loops -= 1;
        Some(out)
    }

    /// A derivative by a name in scope, of the shape `s`.
    pub(super) fn derived(&mut self, s: &[usize], d: u32) -> Option<Out> {
        if self.derivatives > 1 {
            return None;
        }
        let outer = self.focus.take();
        self.derivatives += 1;
        let raw = self.raw_derivative(s, d);
        self.derivatives -= 1;
        self.focus = outer;
        // How large it may be is not known.
        let raw = raw?;
        Some(self.out(Kind::Real, s, "tanh(0.5 * $)", vec![raw.tree], 1.0))
    }

    pub(super) fn raw_derivative(&mut self, s: &[usize], d: u32) -> Option<Out> {
        let k = Kind::Real;
        let of_shape = |g: &mut Self, shape: &[usize]| -> Option<Var> {
            let all: Vec<Var> = g
                .vars
                .iter()
                .filter(|v| v.bound_name && v.ty.kind == k && v.ty.shape == shape)
                .cloned()
                .collect();
            if all.is_empty() {
                None
            } else {
                Some(g.rng.pick(&all).clone())
            }
        };
        Some(match self.rng.below(8) {
            0..=2 => {
                let v = of_shape(self, s)?;
                self.focus = Some(v.name.clone());
                let e = self.scalar_of(s, d);
                self.out(
                    k,
                    s,
                    &format!("grad($, wrt: {})", v.name),
                    vec![e.tree],
                    0.0,
                )
            }
            3 => {
                let v = of_shape(self, s)?;
                self.focus = Some(v.name.clone());
                let e = self.scalar_of(s, d);
                self.focus = None;
                let a = self.real(s, d);
                self.out(
                    k,
                    s,
                    &format!("hvp($, wrt: {}, along: $)", v.name),
                    vec![e.tree, a.tree],
                    0.0,
                )
            }
            4 => {
                let v = self.some_real()?;
                self.focus = Some(v.name.clone());
                let e = self.real(s, d);
                self.focus = None;
                let a = self.real(&v.ty.shape.clone(), d);
                self.out(
                    k,
                    s,
                    &format!("jvp($, wrt: {}, along: $)", v.name),
                    vec![e.tree, a.tree],
                    0.0,
                )
            }
            5 => {
                let v = of_shape(self, s)?;
                self.focus = Some(v.name.clone());
                let shape = if self.rng.chance(2) {
                    s.to_vec()
                } else {
                    self.lane_shape(10)
                };
                let e = self.real(&shape, d);
                self.focus = None;
                let a = self.real(&shape, d);
                self.out(
                    k,
                    s,
                    &format!("vjp($, wrt: {}, by: $)", v.name),
                    vec![e.tree, a.tree],
                    0.0,
                )
            }
            6 => {
                let cut = self.rng.below(s.len() + 1);
                let v = of_shape(self, &s[cut..])?;
                if s.iter().product::<usize>() > 60 {
                    return None;
                }
                self.focus = Some(v.name.clone());
                let e = self.real(&s[..cut], d);
                self.out(
                    k,
                    s,
                    &format!("jacobian($, wrt: {})", v.name),
                    vec![e.tree],
                    0.0,
                )
            }
            _ => {
                let h = s.len() / 2;
                if s.len() != 2 * h || s[..h] != s[h..] || s.iter().product::<usize>() > 60 {
                    return None;
                }
                let v = of_shape(self, &s[..h])?;
                self.focus = Some(v.name.clone());
                let e = self.scalar_of(&s[..h], d);
                self.out(
                    k,
                    s,
                    &format!("hessian($, wrt: {})", v.name),
                    vec![e.tree],
                    0.0,
                )
            }
        })
    }

    fn some_real(&mut self) -> Option<Var> {
        let all: Vec<Var> = self
            .vars
            .iter()
            .filter(|v| v.bound_name && v.ty.kind == Kind::Real)
            .cloned()
            .collect();
        if all.is_empty() {
            None
        } else {
            Some(self.rng.pick(&all).clone())
        }
    }

    /// A number made of something of a shape.
    pub(super) fn scalar_of(&mut self, s: &[usize], d: u32) -> Out {
        let k = Kind::Real;
        match self.rng.below(4) {
            0 => self.real(&[], d),
            1 => {
                let (a, b) = (self.real(s, d), self.real(s, d));
                self.out(k, &[], "dot($, $)", vec![a.tree, b.tree], 9.0)
            }
            2 => {
                let a = self.real(s, d);
                self.out(k, &[], "sqnorm($)", vec![a.tree], 9.0)
            }
            _ => {
                let a = self.real(s, d);
                self.out(k, &[], "sum($)", vec![a.tree], 9.0)
            }
        }
    }

    pub(super) fn called(&mut self, s: &[usize], d: u32) -> Option<Out> {
        if self.functions.is_empty() {
            return None;
        }
        let f = self.rng.pick(&self.functions.clone()).clone();
        let k = Kind::Real;
        Some(match (&f, s) {
            (Function::Map(name, n), _) => {
                let args: Vec<Out> = (0..*n).map(|_| self.real(s, d)).collect();
                let holes = vec!["$"; *n].join(", ");
                let trees = args.into_iter().map(|a| a.tree).collect();
                self.out(k, s, &format!("{name}({holes})"), trees, 3.0)
            }
            (Function::Affine(name), [m]) => {
                let n = self.positive_size();
                let (x, w) = (self.real(&[n], d), self.real(&[n, *m], d));
                self.out(k, s, &format!("{name}($, $)"), vec![x.tree, w.tree], 1.0)
            }
            (Function::Vector(name), [n]) if *n > 0 => {
                let x = self.real(&[*n], d);
                self.out(k, s, &format!("tanh({name}($))"), vec![x.tree], 1.0)
            }
            (Function::Whole(name), []) => {
                let (n, m) = (self.positive_size(), self.positive_size());
                let x = self.real(&[n, m], d);
                self.out(k, s, &format!("{name}($)"), vec![x.tree], 3.0)
            }
            _ => return None,
        })
    }
}
