//! Columns of Parquet files, plain or packed by Snappy, gzip or LZ4.
//!
//! Keeps: the order of the columns. Numbers become what those of CSV would: integers of all widths `i32` where each of a
//! column fits, and else reals.
//! Does not: look into nested columns, or read decimals, times of 96 bits and texts without `"levels"`.

use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use parquet::basic::ConvertedType;
use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::{ByteArray, DataType};
use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::schema::types::ColumnDescPtr;

use super::columns::{Cell, Column, Missing, Real, Selected, TableOptions, Wanted, fill};
use super::error::{DataError, shorten};
use crate::tensor::HostTensor;

/// Reads a Parquet file; one tensor of one axis for each column, in the order of the file or in that asked for.
///
/// # Errors
/// What is wrong with the file, or with what is asked of it.
pub fn read_parquet(
    path: &Path,
    asked: &TableOptions,
) -> Result<Vec<(String, HostTensor)>, DataError> {
    let file = File::open(path).map_err(|e| DataError::from_io(path, e))?;
    // The reader checks what it reads, but not everywhere: a damaged file must not end the process.
    let read = catch_unwind(AssertUnwindSafe(|| read_file(path, file, asked)));
    read.unwrap_or_else(|_| Err(malformed(path, "it is damaged")))
}

fn read_file(
    path: &Path,
    file: File,
    asked: &TableOptions,
) -> Result<Vec<(String, HostTensor)>, DataError> {
    let wrong = |e: ParquetError| malformed(path, e.to_string());
    let reader = SerializedFileReader::new(file).map_err(wrong)?;
    let schema = reader.metadata().file_metadata().schema_descr_ptr();
    let names: Vec<String> = schema.columns().iter().map(|c| c.path().string()).collect();
    let selected = asked.select(&names).map_err(|name| DataError::NoColumn {
        path: path.into(),
        name,
        known: names.join("`, `"),
    })?;
    let mut columns: Vec<Vec<Option<Cell>>> = vec![Vec::new(); selected.len()];
    for group in 0..reader.num_row_groups() {
        let group = reader.get_row_group(group).map_err(wrong)?;
        let n_rows = usize::try_from(group.metadata().num_rows()).unwrap_or(0);
        for (s, cells) in selected.iter().zip(&mut columns) {
            let descr = schema.column(s.idx);
            let column = group.get_column_reader(s.idx).map_err(wrong)?;
            let place = Place {
                path,
                column: s,
                first_row: cells.len(),
                real: asked.real,
            };
            place.read(column, &descr, n_rows, cells)?;
        }
    }
    if columns.first().is_none_or(Vec::is_empty) {
        return Err(malformed(path, "it has no rows"));
    }
    finish(path, &selected, columns, asked)
}

fn malformed(path: &Path, why: impl Into<String>) -> DataError {
    DataError::Malformed {
        path: path.to_path_buf(),
        format: "Parquet",
        why: why.into(),
    }
}

/// The column that is being read, and how far.
struct Place<'a> {
    path: &'a Path,
    column: &'a Selected,
    first_row: usize,
    real: Real,
}

impl Place<'_> {
    fn read(
        &self,
        reader: ColumnReader,
        descr: &ColumnDescPtr,
        n_rows: usize,
        out: &mut Vec<Option<Cell>>,
    ) -> Result<(), DataError> {
        let unsigned = match descr.converted_type() {
            ConvertedType::UINT_32 => Some(32),
            ConvertedType::UINT_64 => Some(64),
            _ => None,
        };
        let logical = descr.logical_type_ref().map(|l| format!("{l:?}"));
        let decimal = logical.is_some_and(|l| l.starts_with("Decimal"))
            || descr.converted_type() == ConvertedType::DECIMAL;
        if descr.max_rep_level() > 0 || decimal {
            let found = if decimal { "decimal" } else { "list" };
            return Err(self.no_type(found));
        }
        let max = descr.max_def_level();
        let real = |x: f64| match x.is_nan() {
            true => Ok(None),
            false => self.real(x).map(Some),
        };
        match reader {
            ColumnReader::BoolColumnReader(r) => {
                self.cells(r, max, n_rows, out, |b| self.truth(b).map(Some))
            }
            ColumnReader::Int32ColumnReader(r) => self.cells(r, max, n_rows, out, |x| {
                let wide = match unsigned {
                    Some(_) => i128::from(x as u32),
                    None => i128::from(x),
                };
                self.integer(wide).map(Some)
            }),
            ColumnReader::Int64ColumnReader(r) => self.cells(r, max, n_rows, out, |x| {
                let wide = match unsigned {
                    Some(64) => i128::from(x as u64),
                    _ => i128::from(x),
                };
                self.integer(wide).map(Some)
            }),
            ColumnReader::FloatColumnReader(r) => {
                self.cells(r, max, n_rows, out, |x| real(f64::from(x)))
            }
            ColumnReader::DoubleColumnReader(r) => self.cells(r, max, n_rows, out, real),
            ColumnReader::ByteArrayColumnReader(r) => {
                if self.column.wanted != Wanted::Levels {
                    return Err(self.no_type("text"));
                }
                self.cells(r, max, n_rows, out, |b: ByteArray| {
                    let text = String::from_utf8_lossy(b.data()).into_owned();
                    Ok(Some(Cell::Text(text)))
                })
            }
            ColumnReader::Int96ColumnReader(_) => Err(self.no_type("time of 96 bits")),
            ColumnReader::FixedLenByteArrayColumnReader(_) => {
                Err(self.no_type("bytes of fixed length"))
            }
        }
    }

    /// Reads the values of a row group; nothing where there is none. What does not suit the column is the text of an error.
    fn cells<T: DataType>(
        &self,
        mut reader: ColumnReaderImpl<T>,
        max: i16,
        n_rows: usize,
        out: &mut Vec<Option<Cell>>,
        cell: impl Fn(T::T) -> Result<Option<Cell>, (String, String)>,
    ) -> Result<(), DataError> {
        let (mut values, mut levels) = (Vec::new(), Vec::new());
        let read = reader.read_records(n_rows, Some(&mut levels), None, &mut values);
        let (n_read, _, _) = read.map_err(|e| malformed(self.path, e.to_string()))?;
        if n_read != n_rows {
            return Err(malformed(
                self.path,
                format!("it has {n_read} of {n_rows} rows"),
            ));
        }
        let mut values = values.into_iter();
        for row in 0..n_rows {
            let present = max == 0 || levels.get(row).is_some_and(|&l| l == max);
            let value = if present { values.next() } else { None };
            let value = value.map(&cell).transpose();
            let value = value.map_err(|(text, why)| DataError::BadCell {
                path: self.path.to_path_buf(),
                line: (self.first_row + row + 1) as u64,
                column: self.column.idx + 1,
                name: self.column.name.clone(),
                text: shorten(&text),
                why,
            })?;
            out.push(value.flatten());
        }
        Ok(())
    }

    fn no_type(&self, found: &str) -> DataError {
        DataError::NoSuchType {
            path: self.path.to_path_buf(),
            name: self.column.name.clone(),
            found: found.to_string(),
        }
    }

    fn truth(&self, b: bool) -> Result<Cell, (String, String)> {
        Ok(match self.column.wanted {
            Wanted::Int => Cell::I32(i32::from(b)),
            Wanted::Real => self.real.cell(f64::from(u8::from(b))),
            Wanted::Levels => Cell::Text(b.to_string()),
            Wanted::Guess | Wanted::Truth => Cell::Truth(b),
        })
    }

    fn integer(&self, x: i128) -> Result<Cell, (String, String)> {
        let small = i32::try_from(x).ok();
        match (self.column.wanted, small) {
            (Wanted::Guess | Wanted::Int | Wanted::Real, Some(small)) => Ok(Cell::I32(small)),
            (Wanted::Guess | Wanted::Real, None) => Ok(self.real.cell(x as f64)),
            (Wanted::Int, None) => Err((x.to_string(), "not an integer of 32 bits".into())),
            (Wanted::Truth, Some(0 | 1)) => Ok(Cell::Truth(small == Some(1))),
            (Wanted::Truth, _) => Err((x.to_string(), "neither true nor false".into())),
            (Wanted::Levels, _) => Ok(Cell::Text(x.to_string())),
        }
    }

    fn real(&self, x: f64) -> Result<Cell, (String, String)> {
        let cell = self.real.cell(x);
        let finite = match cell {
            Cell::F32(x) => x.is_finite(),
            _ => x.is_finite(),
        };
        let whole = x.fract() == 0.0 && x.abs() <= f64::from(i32::MAX);
        match self.column.wanted {
            _ if !finite => {
                let why = format!("not a finite number in {}", self.real.name());
                Err((x.to_string(), why))
            }
            Wanted::Guess | Wanted::Real => Ok(cell),
            Wanted::Int if whole => Ok(Cell::I32(x as i32)),
            Wanted::Int => Err((x.to_string(), "not an integer of 32 bits".into())),
            Wanted::Truth if x == 0.0 || x == 1.0 => Ok(Cell::Truth(x == 1.0)),
            Wanted::Truth => Err((x.to_string(), "neither true nor false".into())),
            Wanted::Levels => Ok(Cell::Text(x.to_string())),
        }
    }
}

/// The tensors, once it is known what is missing.
fn finish(
    path: &Path,
    selected: &[Selected],
    columns: Vec<Vec<Option<Cell>>>,
    asked: &TableOptions,
) -> Result<Vec<(String, HostTensor)>, DataError> {
    let n_rows = columns[0].len();
    let whole = |row: &usize| columns.iter().all(|c| c[*row].is_some());
    let kept: Vec<usize> = match asked.missing {
        Missing::Drop => (0..n_rows).filter(whole).collect(),
        _ => (0..n_rows).collect(),
    };
    if kept.is_empty() {
        return Err(DataError::AllDropped { path: path.into() });
    }
    let mut out = Vec::new();
    for (s, mut cells) in selected.iter().zip(columns) {
        let truths = cells.iter().flatten().all(|c| matches!(c, Cell::Truth(_)));
        let reals = cells
            .iter()
            .flatten()
            .any(|c| matches!(c, Cell::F32(_) | Cell::F64(_)));
        // A column of truth values is one, unless what fills it is a number that is none.
        let wanted = match s.wanted {
            Wanted::Guess if truths && cells.iter().any(Option::is_some) => Wanted::Truth,
            Wanted::Guess if reals => Wanted::Real,
            wanted => wanted,
        };
        let mut column = Column::new(wanted, asked.real);
        for &row in &kept {
            let cell = match (cells[row].take(), asked.missing) {
                (Some(cell), _) => cell,
                (None, Missing::Fill { value, whole }) => fill(wanted, value, whole, asked.real)
                    .map_err(|why| DataError::BadFill {
                        name: s.name.clone(),
                        why,
                    })?,
                (None, _) => {
                    return Err(DataError::MissingCell {
                        path: path.into(),
                        line: row as u64 + 1,
                        column: s.idx + 1,
                        name: s.name.clone(),
                        text: "null".into(),
                    });
                }
            };
            column.push(cell);
        }
        out.push((s.name.clone(), column.finish()));
    }
    Ok(out)
}

#[cfg(test)]
#[path = "parquet_tests.rs"]
mod tests;
