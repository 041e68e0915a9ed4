//! Data sources: files that a pipeline reads its tensors from.
//!
//! Keeps: nothing is allocated because a header says so before the bytes were seen to be there; every
//! failure is a [`DataError`] that names the file and, for text, the line and the column.
//! Does not: download, cache, shuffle, split or normalise; pipelines say that.

mod asked;
mod columns;
mod csv;
mod csv_lines;
mod error;
mod idx;
mod npy;
mod npz;
#[cfg(feature = "parquet")]
mod parquet;
mod pictures;
mod rows;
mod source;

pub use asked::{Named, Read, read};
pub use columns::{Missing, Real, TableOptions, Wanted};
pub use csv::{CsvOptions, read_csv};
pub use error::DataError;
pub use idx::{IdxProbe, probe_idx, read_idx};
pub use npy::read_npy;
pub use npz::read_npz;
#[cfg(feature = "parquet")]
pub use parquet::read_parquet;
pub use pictures::read_pictures;
pub use rows::RowFile;
