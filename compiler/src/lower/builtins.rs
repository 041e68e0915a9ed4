//! Functions that lowering knows: the operations' names and what looks at shapes and compile-time values.

use super::call::Given;
use super::session::{R, Session, rc};
use super::value::Val;
use crate::ops::{self, OpDef};
use mlc_grammar::span::Span;
use std::rc::Rc;

mod algebra;
mod create;
mod data;
mod elementwise;
mod estimates;
mod indices;
mod order;
mod pieces;
mod products;
mod random;
mod reductions;
mod shapes;
mod sizes;
mod special;
mod values;

/// A built-in function: its name, and what it does with its arguments (those it knows by name are taken out of them).
pub(super) type Entry = (&'static str, fn(&mut Session, &mut Args, Span) -> R<Val>);

/// Built-in functions by family.
const FAMILIES: &[&[Entry]] = &[
    algebra::TABLE,
    create::TABLE,
    data::TABLE,
    elementwise::TABLE,
    estimates::TABLE,
    indices::TABLE,
    order::TABLE,
    pieces::TABLE,
    products::TABLE,
    random::TABLE,
    reductions::TABLE,
    shapes::TABLE,
    sizes::TABLE,
    special::TABLE,
    values::TABLE,
];

fn entry(name: &str) -> Option<&'static Entry> {
    FAMILIES.iter().flat_map(|f| f.iter()).find(|e| e.0 == name)
}

/// Element-wise functions of one real tensor.
const UNARY: &[(&str, &OpDef)] = &[
    ("exp", &ops::EXP),
    ("log", &ops::LOG),
    ("log1p", &ops::LOG1P),
    ("expm1", &ops::EXPM1),
    ("sqrt", &ops::SQRT),
    ("sin", &ops::SIN),
    ("cos", &ops::COS),
    ("tanh", &ops::TANH),
    ("sigmoid", &ops::SIGMOID),
    ("softplus", &ops::SOFTPLUS),
    ("erf", &ops::ERF),
    ("erfinv", &ops::ERFINV),
    ("lgamma", &ops::LGAMMA),
    ("digamma", &ops::DIGAMMA),
    ("abs", &ops::ABS),
    ("sign", &ops::SIGN),
    ("floor", &ops::FLOOR),
    ("ceil", &ops::CEIL),
    ("round", &ops::ROUND),
];

/// Functions that look at their arguments' text; calls know them (see `call.rs`).
const FORMS: &[&str] = &[
    "provided",
    "has",
    "grad",
    "value_and_grad",
    "jvp",
    "vjp",
    "hvp",
    "jacobian",
    "hessian",
    "laplacian",
    "einsum",
    "taps",
    "nexts",
];

/// Names that no definition may take: those of derivatives and draws, which the compiler itself looks for.
pub(super) fn is_kept(name: &str) -> bool {
    FORMS.contains(&name) || ["stop", "tangent", "sample", "logdensity", "plug_in"].contains(&name)
}

/// All names that are built in.
pub fn names() -> impl Iterator<Item = &'static str> {
    UNARY
        .iter()
        .map(|u| u.0)
        .chain(FORMS.iter().copied())
        .chain(FAMILIES.iter().flat_map(|f| f.iter().map(|e| e.0)))
        .chain(CONSTANTS.iter().copied())
}

const CONSTANTS: &[&str] = &["pi", "inf", "nan", "none", "drop"];

/// The value of a built-in name.
pub fn constant(name: &str) -> Option<Val> {
    Some(match name {
        "pi" => Val::Real(std::f64::consts::PI),
        "inf" => Val::Real(f64::INFINITY),
        "nan" => Val::Real(f64::NAN),
        "none" => Val::Missing,
        "drop" => Val::Str(rc("drop")),
        _ => {
            let found = UNARY
                .iter()
                .map(|u| u.0)
                .chain(FORMS.iter().copied())
                .chain(FAMILIES.iter().flat_map(|f| f.iter().map(|e| e.0)))
                .find(|n| *n == name)?;
            Val::Builtin(found)
        }
    })
}

/// Arguments of a built-in function, taken apart by position and name.
pub(super) struct Args {
    pub(super) positional: Vec<Val>,
    pub(super) named: Vec<(Rc<str>, Val)>,
}

impl Args {
    pub(super) fn take(&mut self, name: &str) -> Option<Val> {
        let at = self.named.iter().position(|n| &*n.0 == name)?;
        // `none` passed on is an argument left out.
        Some(self.named.remove(at).1).filter(|v| !matches!(v, Val::Missing))
    }
}

impl Session {
    pub(super) fn call_builtin(
        &mut self,
        name: &'static str,
        args: Vec<Given>,
        span: Span,
    ) -> R<Val> {
        let mut a = Args {
            positional: vec![],
            named: vec![],
        };
        for (n, v) in args {
            match n {
                Some(n) => a.named.push((n, v)),
                None => a.positional.push(v),
            }
        }
        let v = self.builtin(name, &mut a, span)?;
        if let Some((n, _)) = a.named.first() {
            let title = format!("`{name}` has no argument `{n}`");
            if matches!(&**n, "keep" | "keepdims" | "keepdim") {
                let hint = "nothing stretches silently; repeat the result along the axes with `spread(m, like: x, axis: 0)`";
                return self.fail_hint("E0202", title, span, hint);
            }
            return self.fail("E0202", title, span);
        }
        Ok(v)
    }

    pub(super) fn one(&self, name: &str, a: &Args, span: Span) -> R<Val> {
        match a.positional.as_slice() {
            [x] => Ok(x.clone()),
            more => {
                let title = format!("`{name}` takes one argument, and is given {}", more.len());
                Err(Box::new(self.err("E0201", title, span)))
            }
        }
    }

    pub(super) fn two(&self, name: &str, a: &Args, span: Span) -> R<(Val, Val)> {
        match a.positional.as_slice() {
            [x, y] => Ok((x.clone(), y.clone())),
            more => {
                let title = format!("`{name}` takes two arguments, and is given {}", more.len());
                Err(Box::new(self.err("E0201", title, span)))
            }
        }
    }

    fn builtin(&mut self, name: &'static str, a: &mut Args, span: Span) -> R<Val> {
        if let Some((_, def)) = UNARY.iter().find(|u| u.0 == name) {
            let x = self.one(name, a, span)?;
            return self.map_unary(name, def, &x, span);
        }
        if let Some((_, run)) = entry(name) {
            return run(self, a, span);
        }
        Err(self.unsupported(&format!("`{name}` as a value"), span))
    }
}
