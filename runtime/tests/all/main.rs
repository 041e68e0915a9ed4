//! The tests of the runtime that need a whole compiler, in one binary.

mod kernels;
mod nests;
mod operations;
mod strict;
