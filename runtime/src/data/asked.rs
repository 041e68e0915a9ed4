//! What a pipeline asks to be read, from how it is written: `csv("f.csv", missing: drop)`.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use mlc_compiler::program::{Request, Setting};

use super::columns::{Missing, Real, TableOptions, Wanted, is_identifier};
use super::csv::{CsvOptions, read_csv};
use super::error::DataError;
use super::idx::read_idx;
use super::npy::read_npy;
use super::npz::read_npz;
use super::pictures::read_pictures;
use super::rows::RowFile;
use crate::tensor::HostTensor;

/// What a reader gives.
#[derive(Debug)]
pub enum Read {
    Tensor(HostTensor),
    /// Rows that stay in their file.
    OnDisk(Arc<RowFile>),
}

/// A column and its name; that of a single tensor is empty.
pub type Named = (String, Read);

/// A request and the options that are not yet looked at.
struct Asked<'a> {
    request: &'a Request,
    real: Real,
}

/// Reads what is asked for.
///
/// # Errors
/// What is wrong with the file, or with an option: see [`DataError::option`].
pub fn read(path: &Path, request: &Request) -> Result<Vec<Named>, DataError> {
    let asked = Asked {
        request,
        real: if request.double { Real::F64 } else { Real::F32 },
    };
    let one = |t| vec![(String::new(), Read::Tensor(t))];
    let all = |columns: Vec<(String, HostTensor)>| {
        let columns = columns.into_iter();
        columns.map(|(n, t)| (n, Read::Tensor(t))).collect()
    };
    Ok(match request.reader {
        "idx" => one(read_idx(path)?),
        "npy" => match (asked.rows()?, asked.on_disk()?) {
            (None, false) => one(read_npy(path, asked.real)?),
            (None, true) => {
                let file = RowFile::open(path, asked.real)?;
                vec![(String::new(), Read::OnDisk(Arc::new(file)))]
            }
            (Some(rows), false) => {
                let file = RowFile::open(path, asked.real)?;
                let n = file.shape()[0];
                if rows.end > n {
                    let expected = format!("a range within the {n} rows of the file");
                    return Err(bad("rows", expected));
                }
                one(file.range(rows)?)
            }
            (Some(_), true) => {
                let expected = "for rows in memory; rows on disk are parted by `split(d, at: n)`";
                return Err(bad("rows", expected));
            }
        },
        "npz" => all(read_npz(path, asked.real)?),
        #[cfg(feature = "parquet")]
        "parquet" => all(super::parquet::read_parquet(path, &asked.table()?)?),
        "pictures" => all(read_pictures(path)?),
        "csv" => all(read_csv(path, &asked.csv()?)?),
        other => return Err(DataError::NotBuilt { reader: other }),
    })
}

fn bad(option: &'static str, expected: impl Into<String>) -> DataError {
    DataError::BadOption {
        option,
        expected: expected.into(),
    }
}

impl Asked<'_> {
    fn option(&self, name: &str) -> Option<&Setting> {
        let found = self.request.options.iter().find(|o| o.0 == name);
        found.map(|o| &o.1)
    }

    fn rows(&self) -> Result<Option<Range<usize>>, DataError> {
        match self.option("rows") {
            None => Ok(None),
            Some(Setting::Range(a, b)) if 0 <= *a && a < b => Ok(Some(*a as usize..*b as usize)),
            Some(_) => Err(bad("rows", "a range of rows, such as `0..1000`")),
        }
    }

    fn on_disk(&self) -> Result<bool, DataError> {
        match self.option("on_disk") {
            None => Ok(false),
            Some(Setting::Truth(b)) => Ok(*b),
            Some(_) => Err(bad("on_disk", "`true` or `false`")),
        }
    }

    fn table(&self) -> Result<TableOptions, DataError> {
        Ok(TableOptions {
            real: self.real,
            columns: self.columns()?,
            missing: self.missing()?,
        })
    }

    fn columns(&self) -> Result<Option<Vec<(String, Wanted)>>, DataError> {
        let wanted = |(name, s): (String, Setting)| match s {
            Setting::Text(t) => match t.as_str() {
                "int" => Ok((name, Wanted::Int)),
                "real" => Ok((name, Wanted::Real)),
                "bool" => Ok((name, Wanted::Truth)),
                "levels" => Ok((name, Wanted::Levels)),
                _ => Err(()),
            },
            _ => Err(()),
        };
        let columns: Result<Vec<_>, ()> = match self.option("columns") {
            None => return Ok(None),
            Some(Setting::Record(fields)) => fields.iter().cloned().map(wanted).collect(),
            Some(Setting::List(names)) => {
                let named = |s: &Setting| match s {
                    Setting::Text(name) => Ok((name.clone(), Wanted::Guess)),
                    _ => Err(()),
                };
                names.iter().map(named).collect()
            }
            Some(_) => Err(()),
        };
        let known = columns.ok().filter(|c| !c.is_empty());
        let twice =
            |c: &[(String, Wanted)]| (1..c.len()).any(|i| c[..i].iter().any(|a| a.0 == c[i].0));
        match known {
            Some(c) if !twice(&c) => Ok(Some(c)),
            _ => Err(bad(
                "columns",
                "a list of names, each once, or a record of types: \"int\", \"real\", \"bool\", \"levels\"",
            )),
        }
    }

    fn missing(&self) -> Result<Missing, DataError> {
        let fill = |value, whole| Ok(Missing::Fill { value, whole });
        match self.option("missing") {
            None => Ok(Missing::Refuse),
            Some(Setting::Text(t)) if t == "drop" => Ok(Missing::Drop),
            Some(Setting::Int(i)) => fill(*i as f64, true),
            Some(Setting::Real(x)) => fill(*x, false),
            Some(_) => Err(bad("missing", "`drop`, or a number such as `nan` or `0`")),
        }
    }

    fn csv(&self) -> Result<CsvOptions, DataError> {
        let delimiter = match self.option("delimiter") {
            None => b',',
            Some(Setting::Text(t)) if t == "tab" => b'\t',
            Some(Setting::Text(t)) if t.len() == 1 && !b"\"\r\n".contains(&t.as_bytes()[0]) => {
                t.as_bytes()[0]
            }
            Some(_) => return Err(bad("delimiter", "one character, or \"tab\"")),
        };
        let skip = match self.option("skip") {
            None => 0,
            Some(Setting::Int(i)) if (0..=1 << 20).contains(i) => *i as usize,
            Some(_) => return Err(bad("skip", "a number of lines")),
        };
        Ok(CsvOptions {
            table: self.table()?,
            delimiter,
            names: self.names()?,
            skip,
        })
    }

    fn names(&self) -> Result<Option<Vec<String>>, DataError> {
        let Some(given) = self.option("names") else {
            return Ok(None);
        };
        let named = |s: &Setting| match s {
            Setting::Text(t) if is_identifier(t) => Some(t.clone()),
            _ => None,
        };
        let names: Option<Vec<String>> = match given {
            Setting::List(all) => all.iter().map(named).collect(),
            _ => None,
        };
        let names =
            names.filter(|n| !n.is_empty() && (1..n.len()).all(|i| !n[..i].contains(&n[i])));
        match names {
            Some(names) => Ok(Some(names)),
            None => Err(bad(
                "names",
                "a list of names, each once, one for each column",
            )),
        }
    }
}
