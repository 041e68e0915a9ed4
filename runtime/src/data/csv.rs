//! Tables in CSV, plain or gzip: a header line with the names of the columns, then rows.
//!
//! ```text
//! petal,species          petal:   f32[2] = [1.4, 5.1]
//! 1.4,0            =>    species: i32[2] = [0, 2]
//! 5.1,2
//! ```
//!
//! Keeps: the order of the columns. A column all of whose cells are integers that fit 32 bits is
//! `i32`, any other is real, unless a type is asked for; each cell is rounded once, to the type of its
//! column.
//! Does not: guess a header; or fill in missing cells or map text to numbers where nothing says so.

use std::path::Path;

use csv::{ByteRecord, Reader, ReaderBuilder, Trim};

use super::columns::{
    Cell, Column, Missing, Real, Selected, TableOptions, Wanted, fill, is_identifier,
};
use super::csv_lines::line_of_record;
use super::error::{DataError, shorten};
use super::source::Source;
use crate::tensor::HostTensor;

/// What is asked of a CSV file.
#[derive(Clone, PartialEq, Debug)]
pub struct CsvOptions {
    /// Which columns, and what of missing cells.
    pub table: TableOptions,
    /// What stands between fields.
    pub delimiter: u8,
    /// The names of the columns, where no line of the file has them.
    pub names: Option<Vec<String>>,
    /// How many lines at the top are not read (blank ones never are).
    pub skip: usize,
}

impl CsvOptions {
    /// Fields between commas, below a header.
    pub fn new(real: Real) -> Self {
        Self {
            table: TableOptions::new(real),
            delimiter: b',',
            names: None,
            skip: 0,
        }
    }
}

/// Reads a CSV file; one tensor of one axis for each column, in the order of the file or in that asked for.
pub fn read_csv(path: &Path, asked: &CsvOptions) -> Result<Vec<(String, HostTensor)>, DataError> {
    let table = &asked.table;
    let source = Source::open(path)?;
    // The reader must see rows of any length: the check below knows the line.
    let mut reader = ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(asked.delimiter)
        .trim(Trim::All)
        .from_reader(source);
    let mut record = ByteRecord::new();
    for _ in 0..asked.skip {
        next_record(path, &mut reader, &mut record)?;
    }
    let names = match &asked.names {
        Some(names) => names.clone(),
        None => match next_record(path, &mut reader, &mut record)? {
            Some(place) => read_names(&place, &record)?,
            None => return Err(DataError::Empty { path: path.into() }),
        },
    };
    let selected = table.select(&names).map_err(|name| DataError::NoColumn {
        path: path.into(),
        name,
        known: names.join("`, `"),
    })?;
    let mut columns: Vec<Column> = selected
        .iter()
        .map(|s| Column::new(s.wanted, table.real))
        .collect();
    let mut row = Vec::with_capacity(selected.len());
    let (mut n_rows, mut n_kept) = (0usize, 0usize);
    while let Some(place) = next_record(path, &mut reader, &mut record)? {
        if record.len() != names.len() {
            return Err(DataError::RaggedRow {
                path: path.to_path_buf(),
                line: place.line(),
                expected: names.len(),
                found: record.len(),
            });
        }
        n_rows += 1;
        row.clear();
        for s in &selected {
            match read_cell(&place, s, &record[s.idx], table)? {
                Some(cell) => row.push(cell),
                None => break,
            }
        }
        if row.len() == selected.len() {
            n_kept += 1;
            let cells = columns.iter_mut().zip(row.drain(..));
            cells.for_each(|(column, cell)| column.push(cell));
        }
    }
    if n_rows == 0 {
        return Err(DataError::HeaderOnly { path: path.into() });
    }
    if n_kept == 0 {
        return Err(DataError::AllDropped { path: path.into() });
    }
    let tensors = selected.into_iter().zip(columns);
    Ok(tensors.map(|(s, c)| (s.name, c.finish())).collect())
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

fn read_text<'a>(place: &Place, column_idx: usize, field: &'a [u8]) -> Result<&'a str, DataError> {
    std::str::from_utf8(field).map_err(|_| DataError::NotUtf8 {
        path: place.path.to_path_buf(),
        line: place.line(),
        column: column_idx + 1,
    })
}

/// Does a cell hold nothing? So it is usually written.
fn is_missing(text: &str) -> bool {
    const WORDS: [&str; 7] = ["", "na", "n/a", "nan", "null", "none", "?"];
    text.len() <= 4 && WORDS.contains(&text.to_ascii_lowercase().as_str())
}

/// The value of a cell; nothing where its row is to be left out.
fn read_cell(
    place: &Place,
    column: &Selected,
    field: &[u8],
    asked: &TableOptions,
) -> Result<Option<Cell>, DataError> {
    let text = read_text(place, column.idx, field)?;
    let wrong = |why: String| DataError::BadCell {
        path: place.path.to_path_buf(),
        line: place.line(),
        column: column.idx + 1,
        name: column.name.clone(),
        text: shorten(text),
        why,
    };
    match asked.missing {
        Missing::Drop if is_missing(text) => return Ok(None),
        Missing::Fill { value, whole } if is_missing(text) => {
            let cell = fill(column.wanted, value, whole, asked.real);
            return cell.map(Some).map_err(|why| DataError::BadFill {
                name: column.name.clone(),
                why,
            });
        }
        // `nan` is a number, and told of as such.
        Missing::Refuse if is_missing(text) && text.parse::<f64>().is_err() => {
            return Err(DataError::MissingCell {
                path: place.path.to_path_buf(),
                line: place.line(),
                column: column.idx + 1,
                name: column.name.clone(),
                text: text.to_string(),
            });
        }
        _ => {}
    }
    let cell = match column.wanted {
        Wanted::Levels => Ok(Cell::Text(text.to_string())),
        Wanted::Truth => match text.to_ascii_lowercase().as_str() {
            "true" | "1" => Ok(Cell::Truth(true)),
            "false" | "0" => Ok(Cell::Truth(false)),
            _ => Err("neither true nor false".into()),
        },
        Wanted::Int => text
            .parse()
            .map(Cell::I32)
            .map_err(|_| "not an integer of 32 bits".into()),
        Wanted::Guess | Wanted::Real => number(text, asked.real),
    };
    cell.map(Some).map_err(wrong)
}

/// A finite number, parsed in the type of the column: going through f64 would round twice.
fn number(text: &str, real: Real) -> Result<Cell, String> {
    if let Ok(integer) = text.parse() {
        return Ok(Cell::I32(integer));
    }
    let parsed = match real {
        Real::F32 => text.parse().map(|x: f32| (Cell::F32(x), x.is_finite())),
        Real::F64 => text.parse().map(|x: f64| (Cell::F64(x), x.is_finite())),
    };
    match parsed {
        Ok((cell, true)) => Ok(cell),
        Ok((_, false)) => Err(format!("not a finite number in {}", real.name())),
        Err(_) => Err("not a number".into()),
    }
}

#[cfg(test)]
#[path = "csv_tests.rs"]
mod tests;
