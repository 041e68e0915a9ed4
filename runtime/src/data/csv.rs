//! Tables of numbers in CSV, plain or gzip: a header line with the names of the columns, then rows.
//!
//! ```text
//! petal,species          petal:   f32[2] = [1.4, 5.1]
//! 1.4,0            =>    species: i32[2] = [0, 2]
//! 5.1,2
//! ```
//!
//! Keeps: the order of the columns. A column all of whose cells are integers that fit 32 bits is
//! `i32`, any other is real; each cell is rounded once, to the type of its column.
//! Does not: guess a header, fill in missing cells, or map text to numbers.

use std::path::Path;

use csv::{ByteRecord, Reader, ReaderBuilder, Trim};

use super::csv_lines::line_of_record;
use super::error::{DataError, shorten};
use super::source::Source;
use crate::tensor::{DType, HostTensor};

/// The type that columns of real numbers get.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Real {
    /// 32-bit floating point.
    F32,
    /// 64-bit floating point.
    F64,
}

impl Real {
    fn dtype(self) -> DType {
        match self {
            Real::F32 => DType::F32,
            Real::F64 => DType::F64,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Real::F32 => "f32",
            Real::F64 => "f64",
        }
    }
}

/// The name and the type of a column.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CsvColumn {
    /// The name in the header line.
    pub name: String,
    /// The dtype of the tensor that reading the column gives.
    pub dtype: DType,
}

/// What a CSV file holds, without its numbers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CsvProbe {
    /// The columns, in the order of the file.
    pub columns: Vec<CsvColumn>,
    /// The number of rows, the header not counted.
    pub n_rows: usize,
}

/// Reads the columns and the number of rows of a CSV file. Every cell is looked at, because the type
/// of a column depends on all of its cells; nothing is kept.
pub fn probe_csv(path: &Path, real: Real) -> Result<CsvProbe, DataError> {
    let mut all_integer = Vec::new();
    let table = scan(path, real, |column_idx, cell| {
        if column_idx == all_integer.len() {
            all_integer.push(true);
        }
        all_integer[column_idx] &= matches!(cell, Cell::I32(_));
    })?;
    let dtype = |integer: bool| if integer { DType::I32 } else { real.dtype() };
    let columns = table.names.into_iter().zip(all_integer);
    let columns = columns
        .map(|(name, integer)| CsvColumn {
            name,
            dtype: dtype(integer),
        })
        .collect();
    Ok(CsvProbe {
        columns,
        n_rows: table.n_rows,
    })
}

/// Reads a CSV file; one tensor of one axis for each column, in the order of the file.
pub fn read_csv(path: &Path, real: Real) -> Result<Vec<(String, HostTensor)>, DataError> {
    let mut columns: Vec<Column> = Vec::new();
    let table = scan(path, real, |column_idx, cell| {
        if column_idx == columns.len() {
            columns.push(Column::I32(Vec::new()));
        }
        columns[column_idx].push(cell);
    })?;
    let tensors = columns.into_iter().map(|column| match column {
        Column::I32(values) => HostTensor::from_i32(&[values.len()], &values),
        Column::F32(values) => HostTensor::from_f32(&[values.len()], &values),
        Column::F64(values) => HostTensor::from_f64(&[values.len()], &values),
    });
    Ok(table.names.into_iter().zip(tensors).collect())
}

/// A number, in the narrowest type that holds it as written.
#[derive(Clone, Copy)]
enum Cell {
    I32(i32),
    F32(f32),
    F64(f64),
}

/// The values of a column; it starts as integers and becomes real at the first cell that is not one.
enum Column {
    I32(Vec<i32>),
    F32(Vec<f32>),
    F64(Vec<f64>),
}

impl Column {
    fn push(&mut self, cell: Cell) {
        match (&mut *self, cell) {
            (Column::I32(values), Cell::I32(x)) => values.push(x),
            // The nearest f32 to the integer is the nearest to its text, so nothing is rounded twice.
            (Column::F32(values), Cell::I32(x)) => values.push(x as f32),
            (Column::F32(values), Cell::F32(x)) => values.push(x),
            (Column::F32(values), Cell::F64(x)) => values.push(x as f32),
            (Column::F64(values), Cell::I32(x)) => values.push(f64::from(x)),
            (Column::F64(values), Cell::F32(x)) => values.push(f64::from(x)),
            (Column::F64(values), Cell::F64(x)) => values.push(x),
            (Column::I32(values), Cell::F32(x)) => {
                let reals = values.iter().map(|&i| i as f32).chain([x]).collect();
                *self = Column::F32(reals);
            }
            (Column::I32(values), Cell::F64(x)) => {
                let reals = values.iter().map(|&i| f64::from(i)).chain([x]).collect();
                *self = Column::F64(reals);
            }
        }
    }
}

/// What remains of a table once each cell was handed over.
struct Table {
    names: Vec<String>,
    n_rows: usize,
}

/// Where a record stands, for messages.
struct Place<'a> {
    path: &'a Path,
    /// The offset of the record; the line is counted from it only when there is something to report.
    byte: u64,
}

impl Place<'_> {
    fn line(&self) -> u64 {
        line_of_record(self.path, self.byte)
    }
}

/// Checks the whole file and hands over each cell, row by row, with the index of its column.
fn scan(path: &Path, real: Real, mut take: impl FnMut(usize, Cell)) -> Result<Table, DataError> {
    let source = Source::open(path)?;
    // The reader must see rows of any length: the check below knows the line.
    let mut reader = ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .trim(Trim::All)
        .from_reader(source);
    let mut record = ByteRecord::new();
    let Some(place) = next_record(path, &mut reader, &mut record)? else {
        return Err(DataError::Empty {
            path: path.to_path_buf(),
        });
    };
    let names = read_names(&place, &record)?;
    let mut n_rows = 0;
    while let Some(place) = next_record(path, &mut reader, &mut record)? {
        if record.len() != names.len() {
            return Err(DataError::RaggedRow {
                path: path.to_path_buf(),
                line: place.line(),
                expected: names.len(),
                found: record.len(),
            });
        }
        for (column_idx, field) in record.iter().enumerate() {
            take(
                column_idx,
                read_cell(&place, &names, column_idx, field, real)?,
            );
        }
        n_rows += 1;
    }
    if n_rows == 0 {
        return Err(DataError::HeaderOnly {
            path: path.to_path_buf(),
        });
    }
    Ok(Table { names, n_rows })
}

fn next_record<'a>(
    path: &'a Path,
    reader: &mut Reader<Source>,
    record: &mut ByteRecord,
) -> Result<Option<Place<'a>>, DataError> {
    let byte = reader.position().byte();
    match reader.read_byte_record(record) {
        Ok(true) => Ok(Some(Place { path, byte })),
        Ok(false) => Ok(None),
        Err(error) => {
            // Rows of any length and bytes of any kind are accepted here, so only reading can fail.
            let source = match error.into_kind() {
                csv::ErrorKind::Io(source) => source,
                other => std::io::Error::other(format!("{other:?}")),
            };
            Err(reader.get_ref().name_error(path, source))
        }
    }
}

fn read_names(place: &Place, header: &ByteRecord) -> Result<Vec<String>, DataError> {
    let mut names: Vec<String> = Vec::new();
    for (column_idx, field) in header.iter().enumerate() {
        let (path, column) = (place.path.to_path_buf(), column_idx + 1);
        let name = read_text(place, column_idx, field)?;
        if !is_identifier(name) {
            return Err(DataError::BadColumnName {
                path,
                line: place.line(),
                column,
                name: shorten(name),
            });
        }
        if let Some(first) = names.iter().position(|earlier| earlier == name) {
            return Err(DataError::DuplicateColumn {
                path,
                line: place.line(),
                first: first + 1,
                column,
                name: name.to_string(),
            });
        }
        names.push(name.to_string());
    }
    Ok(names)
}

fn is_identifier(name: &str) -> bool {
    let mut chars = name.chars();
    chars
        .next()
        .is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && chars.all(|c| c.is_ascii_alphanumeric() || c == '_')
}

fn read_text<'a>(place: &Place, column_idx: usize, field: &'a [u8]) -> Result<&'a str, DataError> {
    std::str::from_utf8(field).map_err(|_| DataError::NotUtf8 {
        path: place.path.to_path_buf(),
        line: place.line(),
        column: column_idx + 1,
    })
}

fn read_cell(
    place: &Place,
    names: &[String],
    column_idx: usize,
    field: &[u8],
    real: Real,
) -> Result<Cell, DataError> {
    let text = read_text(place, column_idx, field)?;
    if let Ok(integer) = text.parse() {
        return Ok(Cell::I32(integer));
    }
    // Parsed in the type of the column: going through f64 would round twice.
    let parsed = match real {
        Real::F32 => text.parse().map(|x: f32| (Cell::F32(x), x.is_finite())),
        Real::F64 => text.parse().map(|x: f64| (Cell::F64(x), x.is_finite())),
    };
    match parsed {
        Ok((cell, true)) => Ok(cell),
        Ok((_, false)) => Err(DataError::NotFinite {
            path: place.path.to_path_buf(),
            line: place.line(),
            column: column_idx + 1,
            name: names[column_idx].clone(),
            text: shorten(text),
            real: real.name(),
        }),
        Err(_) => Err(DataError::NotANumber {
            path: place.path.to_path_buf(),
            line: place.line(),
            column: column_idx + 1,
            name: names[column_idx].clone(),
            text: shorten(text),
        }),
    }
}

#[cfg(test)]
#[path = "csv_tests.rs"]
mod tests;
