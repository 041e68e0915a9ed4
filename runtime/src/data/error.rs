//! What can be wrong with a data file, in words for the person who wrote the pipeline.

use std::io;
use std::path::{Path, PathBuf};

/// Why a data file could not be read.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// There is no such file.
    #[error("there is no file `{}`", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// The file may not be read by this user.
    #[error("no permission to read `{}`", path.display())]
    Denied {
        /// The file.
        path: PathBuf,
    },
    /// Reading failed for another reason.
    #[error("cannot read `{}`: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A gzip stream is cut short or corrupt.
    #[error("`{}` is not a whole gzip file: {source}", path.display())]
    Gzip {
        /// The file.
        path: PathBuf,
        /// What the decoder said.
        source: io::Error,
    },
    /// The file holds nothing at all.
    #[error("`{}` is empty", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// An IDX file does not start with two zero bytes.
    #[error(
        "`{}` is not an IDX file: it starts with {found:02x?}, not with [00, 00, kind, axes]",
        path.display()
    )]
    BadMagic {
        /// The file.
        path: PathBuf,
        /// The first bytes, at most four.
        found: Vec<u8>,
    },
    /// An IDX file holds elements of a kind that does not exist.
    #[error(
        "`{}` holds elements of unknown kind 0x{kind:02x} (known: 08 u8, 09 i8, 0b i16, 0c i32, \
         0d f32, 0e f64)",
        path.display()
    )]
    UnsupportedKind {
        /// The file.
        path: PathBuf,
        /// The third byte of the file.
        kind: u8,
    },
    /// An IDX header asks for more elements than can be held.
    #[error("`{}` declares shape {dims:?}, which is more than {limit} elements", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The declared shape.
        dims: Vec<u32>,
        /// The largest number of elements accepted.
        limit: u64,
    },
    /// A file ends before the data its header declares.
    #[error("`{}` is cut short: expected {expected} bytes, found {found}", path.display())]
    Truncated {
        /// The file.
        path: PathBuf,
        /// How many bytes the header asks for, itself included.
        expected: u64,
        /// How many bytes there are (after decompression).
        found: u64,
    },
    /// A file goes on after the data its header declares.
    #[error("`{}` goes on after the {expected} bytes that its header declares", path.display())]
    TrailingBytes {
        /// The file.
        path: PathBuf,
        /// How many bytes the header asks for, itself included.
        expected: u64,
    },
    /// A CSV file has a header line and nothing else.
    #[error("`{}` has a header line but no rows", path.display())]
    HeaderOnly {
        /// The file.
        path: PathBuf,
    },
    /// The name of a CSV column cannot be written in a pipeline.
    #[error(
        "{}:{line}: column {column} is named {name:?}, which is not an identifier (a letter or `_`, \
         then letters, digits and `_`); the first line must hold the names of the columns",
        path.display()
    )]
    BadColumnName {
        /// The file.
        path: PathBuf,
        /// The line of the header, from 1.
        line: u64,
        /// The column, from 1.
        column: usize,
        /// The name, shortened.
        name: String,
    },
    /// Two CSV columns have the same name.
    #[error("{}:{line}: columns {first} and {column} are both named `{name}`", path.display())]
    DuplicateColumn {
        /// The file.
        path: PathBuf,
        /// The line of the header, from 1.
        line: u64,
        /// The column that had the name first, from 1.
        first: usize,
        /// The column that has it again, from 1.
        column: usize,
        /// The name.
        name: String,
    },
    /// A CSV row has more or fewer fields than the header.
    #[error("{}:{line}: expected {expected} fields, found {found}", path.display())]
    RaggedRow {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// The number of names in the header.
        expected: usize,
        /// The number of fields in the row.
        found: usize,
    },
    /// A cell holds something else than what its column does.
    #[error(
        "{}:{line}: column {column} (`{name}`) holds {text:?}, which is {why}",
        path.display()
    )]
    BadCell {
        /// The file.
        path: PathBuf,
        /// The line of a text file, or the row, from 1.
        line: u64,
        /// The column, from 1.
        column: usize,
        /// The name of the column.
        name: String,
        /// The cell, shortened.
        text: String,
        /// `not a number`, ..
        why: String,
    },
    /// A cell holds nothing, and nothing says what then.
    #[error("{}:{line}: column {column} (`{name}`) has no value ({text:?})", path.display())]
    MissingCell {
        /// The file.
        path: PathBuf,
        /// The line of a text file, or the row, from 1.
        line: u64,
        /// The column, from 1.
        column: usize,
        /// The name of the column.
        name: String,
        /// The cell.
        text: String,
    },
    /// All rows lack something.
    #[error("each row of `{}` lacks a cell, so `missing: drop` leaves none", path.display())]
    AllDropped {
        /// The file.
        path: PathBuf,
    },
    /// A column is asked for that the file does not have.
    #[error("`{}` has no column `{name}`", path.display())]
    NoColumn {
        /// The file.
        path: PathBuf,
        /// The column asked for.
        name: String,
        /// Those that there are, with `, ` and ticks between them.
        known: String,
    },
    /// A missing cell cannot be filled with what is said.
    #[error("the column `{name}` {why}")]
    BadFill {
        /// The name of the column.
        name: String,
        /// What it takes.
        why: String,
    },
    /// An option has a value that it cannot have.
    #[error("`{option}:` is {expected}")]
    BadOption {
        /// The option.
        option: &'static str,
        /// What it can be.
        expected: String,
    },
    /// A file is not what its format asks for.
    #[error("`{}` is not a file of {format} that can be read: {why}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The name of the format.
        format: &'static str,
        /// What is wrong.
        why: String,
    },
    /// A file holds elements of a type for which the language has none.
    #[error("`{}` holds `{name}` of type `{found}`, which no tensor has", path.display())]
    NoSuchType {
        /// The file.
        path: PathBuf,
        /// The array or column.
        name: String,
        /// The type as the file names it.
        found: String,
    },
    /// An integer does not fit 32 bits.
    #[error("`{}` holds the integer {value}, which does not fit 32 bits", path.display())]
    LargeInteger {
        /// The file.
        path: PathBuf,
        /// The integer.
        value: i128,
    },
    /// The pictures of a folder differ in size or in their channels.
    #[error(
        "`{}` is {found}, and the pictures before it are {expected}",
        path.display()
    )]
    PictureDiffers {
        /// The picture.
        path: PathBuf,
        /// Rows x columns x channels.
        found: String,
        /// Those of the first picture.
        expected: String,
    },
    /// A folder has no pictures.
    #[error("there are no PNG files in the folder `{}`", path.display())]
    NoPictures {
        /// The folder.
        path: PathBuf,
    },
    /// A reader was left out when the program was built.
    #[error("this `mlc` was built without the reader `{reader}`")]
    NotBuilt {
        /// The reader, which is also the name of the cargo feature.
        reader: &'static str,
    },
    /// A file changed while its rows were being read.
    #[error("`{}` has changed since the run started", path.display())]
    Changed {
        /// The file.
        path: PathBuf,
    },
    /// A CSV file holds bytes that are not UTF-8 text.
    #[error("{}:{line}: column {column} is not UTF-8 text", path.display())]
    NotUtf8 {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// The column, from 1.
        column: usize,
    },
}

impl DataError {
    /// The option of a reader that is at fault, if it is not the file.
    pub fn option(&self) -> Option<&'static str> {
        match self {
            DataError::NoColumn { .. } => Some("columns"),
            DataError::BadFill { .. } => Some("missing"),
            DataError::BadOption { option, .. } => Some(option),
            _ => None,
        }
    }

    /// What can be done about it, where that can be said.
    pub fn hint(&self) -> String {
        match self {
            DataError::Missing { .. } => "paths are relative to the pipeline's file".into(),
            DataError::MissingCell { .. } => {
                "`missing: drop` leaves such rows out, `missing: nan` or a number fills their place"
                    .into()
            }
            DataError::BadColumnName { .. } => {
                "name the columns yourself: `names: [\"a\", \"b\"]`, with `skip: 1` in place of a header"
                    .into()
            }
            DataError::NoColumn { known, .. } => format!("it has `{known}`"),
            DataError::NoSuchType { .. } => {
                "leave it out, or write it as 32-bit integers, reals or truth values".into()
            }
            DataError::PictureDiffers { .. } => "bring all to one size and one kind first".into(),
            DataError::AllDropped { .. } => {
                "read only the `columns:` that are needed, or fill: `missing: nan`".into()
            }
            DataError::NotBuilt { reader } => {
                format!("build it with `cargo build --features {reader}`")
            }
            DataError::Changed { .. } => "run again, on data that stays as it is".into(),
            _ => String::new(),
        }
    }

    /// Is it something about the system, and not about what a file holds?
    pub fn is_environment(&self) -> bool {
        matches!(
            self,
            DataError::Missing { .. }
                | DataError::Denied { .. }
                | DataError::Read { .. }
                | DataError::Changed { .. }
        )
    }

    /// Sorts a failure to open or read a file into the variants that a person can act on.
    pub(super) fn from_io(path: &Path, source: io::Error) -> Self {
        let path = path.to_path_buf();
        match source.kind() {
            io::ErrorKind::NotFound => DataError::Missing { path },
            io::ErrorKind::PermissionDenied => DataError::Denied { path },
            _ => DataError::Read { path, source },
        }
    }
}

/// The text of a cell, cut to a length that fits a message.
pub(super) fn shorten(text: &str) -> String {
    const LONGEST: usize = 40;
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_of_the_system_are_sorted() {
        let path = Path::new("a.csv");
        let from = |kind: io::ErrorKind| DataError::from_io(path, kind.into());
        assert!(matches!(
            from(io::ErrorKind::NotFound),
            DataError::Missing { .. }
        ));
        assert!(matches!(
            from(io::ErrorKind::PermissionDenied),
            DataError::Denied { .. }
        ));
        let message = from(io::ErrorKind::PermissionDenied).to_string();
        assert_eq!(message, "no permission to read `a.csv`");
        assert!(matches!(
            from(io::ErrorKind::TimedOut),
            DataError::Read { .. }
        ));
    }

    #[test]
    fn long_text_is_cut_between_characters() {
        assert_eq!(shorten("short"), "short");
        let long = shorten(&"ü".repeat(100));
        assert_eq!(long, format!("{}...", "ü".repeat(40)));
    }
}
