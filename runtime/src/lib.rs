//! What compiled programs run on: tensors in memory, data sources, the stage driver, checkpoints, metrics and reports.
//!
//! Knows nothing of syntax: it gets programs from the compiler's session, as graphs bound to named places.

pub mod cache;
pub mod checkpoint;
pub mod compare;
pub mod data;
pub mod digest;
pub mod driver;
pub mod export;
pub mod kernels;
pub mod log;
pub mod machine;
pub mod metrics;
pub mod report;
pub mod rundir;
pub mod shuffle;
pub mod tensor;
pub mod tensorboard;
