//! The tests of the runtime that need a whole compiler, in one binary.

mod copies;
mod kernels;
mod linalg;
mod nests;
mod operations;
mod panels;
mod products;
mod reference;
mod rewrites;
mod shapes;
mod strict;
mod ulps;
mod vectors;
