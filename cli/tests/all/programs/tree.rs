//! Programs as trees of text with types: what the generator makes and the shrinker takes apart.

use std::fmt::Write;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Real,
    Int,
    Bool,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ty {
    pub kind: Kind,
    pub shape: Vec<usize>,
}

impl Ty {
    pub fn new(kind: Kind, shape: &[usize]) -> Self {
        Self {
            kind,
            shape: shape.to_vec(),
        }
    }

    /// The plainest expression of the type.
    pub fn leaf(&self) -> String {
        let one = match self.kind {
            Kind::Real => "0.37",
            Kind::Int => "1",
            Kind::Bool => "true",
        };
        match (self.shape.is_empty(), self.kind) {
            (true, _) => one.into(),
            (false, Kind::Bool) => format!("trues({})", dims(&self.shape)),
            (false, Kind::Int) => format!("(1 + zeros_int({}))", dims(&self.shape)),
            (false, Kind::Real) => format!("full({one}, {})", dims(&self.shape)),
        }
    }
}

/// `3, 5`
pub fn dims(shape: &[usize]) -> String {
    let all: Vec<String> = shape.iter().map(ToString::to_string).collect();
    all.join(", ")
}

#[derive(Clone, Debug)]
pub enum Piece {
    Text(String),
    Sub(Tree),
}

/// An expression.
#[derive(Clone, Debug)]
pub struct Tree {
    pub ty: Ty,
    pub pieces: Vec<Piece>,
}

/// Fills the `$` of a template in.
pub fn fill(template: &str, subs: Vec<Tree>) -> Vec<Piece> {
    let mut subs = subs.into_iter();
    let mut pieces = Vec::new();
    for (i, part) in template.split('$').enumerate() {
        if i > 0 {
            pieces.push(Piece::Sub(subs.next().expect("a part for each `$`")));
        }
        if !part.is_empty() {
            pieces.push(Piece::Text(part.into()));
        }
    }
    assert!(subs.next().is_none(), "too many parts for `{template}`");
    pieces
}

impl Tree {
    pub fn new(ty: Ty, template: &str, subs: Vec<Tree>) -> Self {
        Self {
            ty,
            pieces: fill(template, subs),
        }
    }
}

/// Where a line stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Place {
    Item,
    Compute,
    Train,
}

#[derive(Clone, Debug)]
pub struct Line {
    pub place: Place,
    pub pieces: Vec<Piece>,
}

#[derive(Clone, Debug)]
pub struct Program {
    pub lines: Vec<Line>,
}

fn write_pieces(out: &mut String, pieces: &[Piece]) {
    for p in pieces {
        match p {
            Piece::Text(t) => out.push_str(t),
            Piece::Sub(t) => write_pieces(out, &t.pieces),
        }
    }
}

impl Program {
    pub fn text(&self) -> String {
        let mut out = String::new();
        let of = |place: Place| self.lines.iter().filter(move |l| l.place == place);
        for l in of(Place::Item) {
            write_pieces(&mut out, &l.pieces);
            out.push('\n');
        }
        for (place, header) in [
            (Place::Compute, "stage s = compute {"),
            (Place::Train, "stage t = train for 3 steps {"),
        ] {
            if of(place).next().is_none() {
                continue;
            }
            writeln!(out, "\n{header}").expect("text");
            for l in of(place) {
                out.push_str("  ");
                write_pieces(&mut out, &l.pieces);
                out.push('\n');
            }
            out.push_str("}\n");
        }
        out
    }
}

/// All expressions of a line, outermost first.
pub fn subtrees(pieces: &[Piece]) -> Vec<&Tree> {
    let mut out = Vec::new();
    for p in pieces {
        if let Piece::Sub(t) = p {
            out.push(t);
            out.extend(subtrees(&t.pieces));
        }
    }
    out
}

/// Puts another expression in the place of the one numbered `at` in the order of `subtrees`. What is left of the number.
pub fn replace(pieces: &mut [Piece], mut at: usize, new: &[Piece]) -> Result<(), usize> {
    for p in pieces {
        if let Piece::Sub(t) = p {
            if at == 0 {
                t.pieces = new.to_vec();
                return Ok(());
            }
            at -= 1;
            match replace(&mut t.pieces, at, new) {
                Ok(()) => return Ok(()),
                Err(left) => at = left,
            }
        }
    }
    Err(at)
}
