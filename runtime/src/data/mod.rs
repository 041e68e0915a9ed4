//! Data sources: files that a pipeline reads its tensors from.
//!
//! Keeps: nothing is allocated because a header says so before the bytes were seen to be there; every
//! failure is a [`DataError`] that names the file and, for text, the line and the column.
//! Does not: download, cache, shuffle, split or normalise; pipelines say that.

mod csv;
mod csv_lines;
mod error;
mod idx;
mod source;

pub use csv::{CsvColumn, CsvProbe, Real, probe_csv, read_csv};
pub use error::DataError;
pub use idx::{IdxProbe, probe_idx, read_idx};
