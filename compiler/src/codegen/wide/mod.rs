//! Machine code for the element loops of nests on machines whose vectors have 512 bits, which the code generator that writes
//! everything else does not know: a loop computes sixteen elements at a time, all in registers, functions such as `exp`
//! included.
//!
//! - `program`: what a loop computes, as operations on vectors, each made once.
//! - `elements`: a program from the nodes of a phase of a nest.
//! - `write`: loops, registers, instructions. `assemble`: their bytes.
//!
//! Every operation rounds as the narrower code does, nothing is contracted or reassociated, and reductions fold in the same
//! sixteen lanes: so results are the same to the bit.

mod assemble;
pub mod elements;
mod program;
pub mod write;

pub use elements::{Slot, function, supports};
pub use write::MOST_FOLDS;
