//! Passes: graph to graph. Each verifies what it leaves in debug builds.

pub mod affine;
pub mod ahead;
pub mod batch;
pub mod calls;
pub mod cancel;
pub mod differentiate;
pub mod finite;
pub mod hoist;
pub mod kinds;
pub mod lift;
pub mod loops;
pub mod region;
pub mod shares;
pub mod simplify;
pub mod substitute;
pub mod trim;
pub mod vanish;

use crate::ir::Graph;
use std::time::Instant;

/// A named rewriting of a graph.
pub struct Pass {
    pub name: &'static str,
    /// What it does, in a line.
    pub about: &'static str,
    pub run: fn(&Graph) -> Graph,
}

/// What every program goes through before code is made for it, in order.
pub const PASSES: &[Pass] = &[
    simplify::ELIMINATE_DEAD_CODE,
    vanish::VANISH,
    trim::TRIM_LOOPS,
    simplify::SIMPLIFY,
    simplify::FOLD_CONSTANTS,
    simplify::SIMPLIFY_AGAIN,
    trim::TRIM_LOOPS,
    simplify::ELIMINATE_DEAD_CODE,
];

/// The name by which the code generator is told to compute every node by itself.
pub const FUSE: &str = "fuse";

/// The names by which passes can be switched off.
pub fn names() -> Vec<&'static str> {
    let passes = PASSES.iter().map(|p| p.name);
    passes.chain([hoist::NAME, ahead::NAME, FUSE]).collect()
}

/// Runs the passes that are not switched off. Equal nodes are merged throughout: graphs are hash-consed.
pub fn optimise(g: Graph, disabled: &[String]) -> Graph {
    optimise_timed(g, disabled).0
}

/// The same, and the seconds that each pass took.
pub fn optimise_timed(mut g: Graph, disabled: &[String]) -> (Graph, Vec<(&'static str, f64)>) {
    let mut seconds = Vec::new();
    let mut start = Instant::now();
    let mut lap = |name: &'static str| {
        seconds.push((name, start.elapsed().as_secs_f64()));
        start = Instant::now();
    };
    // Derivatives have been taken: calls are what they stand for.
    g = calls::replace(g);
    lap("replace-calls");
    for pass in PASSES {
        if disabled.iter().any(|d| d == pass.name) {
            continue;
        }
        g = (pass.run)(&g);
        lap(pass.name);
        if cfg!(debug_assertions)
            && let Err(broken) = crate::ir::verify::verify(&g)
        {
            panic!(
                "internal error: the pass `{}` broke the graph: {broken}",
                pass.name
            );
        }
    }
    (g, seconds)
}
