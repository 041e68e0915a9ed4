//! x
pub mod checkpoint;
pub mod data;
pub mod metrics;
pub mod report;
pub mod rundir;
pub mod shuffle;
pub mod tensor;
