//! Makes a failing program smaller: lines leave, and expressions become smaller ones of their type.

use super::tree::{Piece, Program, replace, subtrees};

/// The smallest program found, in at most `tries` tries, that still `fails`.
pub fn shrink(
    program: &Program,
    mut tries: usize,
    fails: &mut dyn FnMut(&Program) -> bool,
) -> Program {
    let mut best = program.clone();
    loop {
        let before = best.text().len();
        let mut at = best.lines.len();
        while at > 0 && tries > 0 {
            at -= 1;
            let mut next = best.clone();
            next.lines.remove(at);
            tries -= 1;
            if fails(&next) {
                best = next;
            }
        }
        for line in 0..best.lines.len() {
            let mut place = 0;
            while tries > 0 {
                let trees = subtrees(&best.lines[line].pieces);
                let Some(tree) = trees.get(place) else { break };
                let size = size_of(&tree.pieces);
                let mut smaller = vec![vec![Piece::Text(tree.ty.leaf())]];
                smaller.extend(
                    subtrees(&tree.pieces)
                        .iter()
                        .filter(|t| t.ty == tree.ty)
                        .map(|t| t.pieces.clone()),
                );
                let mut found = false;
                for new in smaller {
                    if size_of(&new) >= size || tries == 0 {
                        continue;
                    }
                    let mut next = best.clone();
                    if replace(&mut next.lines[line].pieces, place, &new).is_err() {
                        continue;
                    }
                    tries -= 1;
                    if fails(&next) {
                        best = next;
                        found = true;
                        break;
                    }
                }
                if !found {
                    place += 1;
                }
            }
        }
        if tries == 0 || best.text().len() >= before {
            return best;
        }
    }
}

fn size_of(pieces: &[Piece]) -> usize {
    pieces
        .iter()
        .map(|p| match p {
            Piece::Text(t) => t.len(),
            Piece::Sub(t) => size_of(&t.pieces),
        })
        .sum()
}
