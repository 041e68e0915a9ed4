//! Makes random well-typed programs. Types are kept on the way, so that each program is right by construction. Values are kept
//! bounded, and away from jumps: what is compared, sorted for its indices or rounded is moved by an odd amount first, so that
//! no rounding error decides.

mod calls;
mod numbers;
mod reals;
mod statements;
mod words;

use super::tree::{Kind, Line, Piece, Place, Program, Tree, Ty, dims, fill};
use crate::Rng;

impl Rng {
    fn chance(&mut self, one_in: usize) -> bool {
        self.below(one_in) == 0
    }

    fn pick<'a, T>(&mut self, xs: &'a [T]) -> &'a T {
        &xs[self.below(xs.len())]
    }
}

/// A name that expressions may use.
#[derive(Clone)]
struct Var {
    name: String,
    ty: Ty,
    /// No element is larger.
    bound: f64,
    /// May it stand after `wrt:`?
    bound_name: bool,
}

/// An expression and what no element is larger than.
struct Out {
    tree: Tree,
    bound: f64,
}

/// A function of the file.
#[derive(Clone)]
enum Function {
    /// Of so many reals of one shape, element by element.
    Map(String, usize),
    /// `real[n], real[n, m]` to `real[m]`
    Affine(String),
    /// `real[n]` to `real[n]`
    Vector(String),
    /// `real[n, m]` to `real[]`
    Whole(String),
}

struct Gen {
    rng: Rng,
    vars: Vec<Var>,
    functions: Vec<Function>,
    fresh: usize,
    lines: Vec<Line>,
    /// The name that a derivative is taken by: leaves of its shape are often it.
    focus: Option<String>,
    /// Derivatives open: no more than two, for the size of what comes out.
    derivatives: usize,
    /// Loops open.
    loops: usize,
    double: bool,
    linalg: bool,
    /// Are the modules needed?
    conv: bool,
    special: bool,
    /// How many elements a variable may have.
    cells: usize,
    /// Extents of axes: few, so that shapes meet.
    sizes: Vec<usize>,
}

/// A number of a few digits, none of them round.
fn odd(rng: &mut Rng) -> f64 {
    (rng.below(1800) as f64 - 900.0) / 1000.0 + 0.000_618_033_9
}

fn real_text(x: f64) -> String {
    if x < 0.0 {
        format!("(-{:.7})", -x)
    } else {
        format!("{x:.7}")
    }
}

impl Gen {
    fn size(&mut self) -> usize {
        *self.rng.pick(&self.sizes)
    }

    fn positive_size(&mut self) -> usize {
        self.size().max(1)
    }

    /// At most a few hundred elements.
    fn shape(&mut self) -> Vec<usize> {
        let rank = *self.rng.pick(&[0, 0, 1, 1, 1, 2, 2, 3]);
        loop {
            let shape: Vec<usize> = (0..rank).map(|_| self.size()).collect();
            if shape.iter().product::<usize>() <= self.cells {
                return shape;
            }
        }
    }

    fn name(&mut self, letter: &str) -> String {
        self.fresh += 1;
        format!("{letter}{}", self.fresh)
    }

    /// A variable of the type, if there is one.
    fn variable(&mut self, ty: &Ty) -> Option<Out> {
        let right: Vec<&Var> = self.vars.iter().filter(|v| v.ty == *ty).collect();
        if right.is_empty() {
            return None;
        }
        let focus = self
            .focus
            .as_ref()
            .and_then(|f| right.iter().find(|v| v.name == *f));
        let v = match focus {
            Some(v) if !self.rng.chance(3) => *v,
            // What came last is used most.
            _ if !self.rng.chance(3) => right[right.len() - 1 - self.rng.below(right.len().min(3))],
            _ => right[self.rng.below(right.len())],
        };
        let (name, bound) = (v.name.clone(), v.bound);
        Some(Out {
            tree: Tree::new(ty.clone(), &name, vec![]),
            bound,
        })
    }

    fn out(&self, kind: Kind, shape: &[usize], template: &str, subs: Vec<Tree>, bound: f64) -> Out {
        Out {
            tree: Tree::new(Ty::new(kind, shape), template, subs),
            bound,
        }
    }

    /// Brackets around a list's elements, for a shape with few of them.
    fn literal(&mut self, shape: &[usize], element: &mut dyn FnMut(&mut Rng) -> String) -> String {
        match shape.split_first() {
            None => element(&mut self.rng),
            Some((n, rest)) => {
                let parts: Vec<String> = (0..*n).map(|_| self.literal(rest, element)).collect();
                format!("[{}]", parts.join(", "))
            }
        }
    }

    /// Runs `f` with more names in scope.
    fn within<T>(&mut self, vars: Vec<Var>, f: impl FnOnce(&mut Self) -> T) -> T {
        let mark = self.vars.len();
        self.vars.extend(vars);
        let out = f(self);
        self.vars.truncate(mark);
        out
    }

    fn line(&mut self, place: Place, template: &str, subs: Vec<Tree>) {
        self.lines.push(Line {
            place,
            pieces: fill(template, subs),
        });
    }
}

/// The program of a seed.
pub fn program(seed: u64) -> Program {
    let mut g = Gen {
        rng: Rng(seed.wrapping_mul(0x2545_f491_4f6c_dd1d) ^ 0x5151),
        vars: Vec::new(),
        functions: Vec::new(),
        fresh: 0,
        lines: Vec::new(),
        focus: None,
        derivatives: 0,
        loops: 0,
        double: seed % 3 != 2,
        linalg: seed.is_multiple_of(5),
        conv: false,
        special: false,
        cells: 300,
        sizes: vec![1, 3],
    };
    for _ in 0..3 {
        let n = *g.rng.pick(&[0, 1, 2, 2, 3, 4, 5, 5, 7, 17]);
        g.sizes.push(n);
    }
    // A few programs have work for several threads.
    if seed % 16 == 7 {
        g.sizes = vec![1, 3, 40, 150, 150];
        g.cells = 25_000;
    }
    g.whole();
    if g.conv {
        let names = "use std.conv.{conv1d, conv2d, avg_pool}";
        g.text_line(Place::Item, names.into());
    }
    if g.special {
        g.text_line(Place::Item, "use std.special.{logit, sinc}".into());
    }
    Program { lines: g.lines }
}

impl Gen {
    fn text_line(&mut self, place: Place, text: String) {
        self.lines.push(Line {
            place,
            pieces: vec![Piece::Text(text)],
        });
    }

    fn int_var(name: &str, shape: &[usize], bound: f64) -> Var {
        Var {
            name: name.into(),
            ty: Ty::new(Kind::Int, shape),
            bound,
            bound_name: false,
        }
    }

    fn real_var(name: &str, shape: &[usize], bound: f64) -> Var {
        Var {
            name: name.into(),
            ty: Ty::new(Kind::Real, shape),
            bound,
            bound_name: true,
        }
    }

    fn full_of(shape: &[usize], x: &str) -> String {
        if shape.is_empty() {
            x.into()
        } else {
            format!("full({x}, {})", dims(shape))
        }
    }
}
