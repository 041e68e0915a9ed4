//! Opens a data file, compressed or not. A gzip file is recognised by its first bytes, not its name.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use flate2::bufread::MultiGzDecoder;

use super::error::DataError;

const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// An open data file, read from its beginning.
pub(super) enum Source {
    /// The file as it is, with its length.
    Plain { file: BufReader<File>, len: u64 },
    /// The file behind a gzip decoder: its length is known only once it was read.
    Gzip(Box<MultiGzDecoder<BufReader<File>>>),
}

impl Source {
    pub(super) fn open(path: &Path) -> Result<Self, DataError> {
        let from_io = |error| DataError::from_io(path, error);
        let file = File::open(path).map_err(from_io)?;
        let metadata = file.metadata().map_err(from_io)?;
        let mut file = BufReader::with_capacity(1 << 16, file);
        let start = file.fill_buf().map_err(from_io)?;
        if start.starts_with(&GZIP_MAGIC) {
            return Ok(Source::Gzip(Box::new(MultiGzDecoder::new(file))));
        }
        // Only a regular file has a length that can be trusted; a pipe reports zero.
        let len = if metadata.is_file() {
            metadata.len()
        } else {
            u64::MAX
        };
        Ok(Source::Plain { file, len })
    }

    /// The number of bytes to be read, where that is known.
    pub(super) fn known_len(&self) -> Option<u64> {
        match self {
            Source::Plain { len: u64::MAX, .. } | Source::Gzip(_) => None,
            Source::Plain { len, .. } => Some(*len),
        }
    }

    /// Names a failure to read: in a gzip file, what is not the system's fault is the file's.
    pub(super) fn name_error(&self, path: &Path, source: io::Error) -> DataError {
        self.namer(path)(source)
    }

    /// `name_error`, for while the source is being read.
    pub(super) fn namer<'a>(&self, path: &'a Path) -> impl Fn(io::Error) -> DataError + use<'a> {
        let gzip = matches!(self, Source::Gzip(_));
        move |source| {
            let corrupt = matches!(
                source.kind(),
                io::ErrorKind::InvalidInput
                    | io::ErrorKind::InvalidData
                    | io::ErrorKind::UnexpectedEof
            );
            match gzip && corrupt {
                true => DataError::Gzip {
                    path: path.to_path_buf(),
                    source,
                },
                false => DataError::from_io(path, source),
            }
        }
    }
}

impl Read for Source {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Source::Plain { file, .. } => file.read(buffer),
            Source::Gzip(decoder) => decoder.read(buffer),
        }
    }
}

/// Reads until `buffer` is full or the source ends; says how much was read.
pub(super) fn read_full(source: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut n_read = 0;
    while n_read < buffer.len() {
        match source.read(&mut buffer[n_read..]) {
            Ok(0) => break,
            Ok(n) => n_read += n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(n_read)
}
