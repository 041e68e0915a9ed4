//! Arrays whose rows stay in their file until they are asked for.
//!
//! Note [Files larger than memory]
//! Rows are read where they lie, by positioned reads, and not through a mapping of the file: what is resident is then what
//! was asked for and no more, whatever the system keeps in its cache, and a file that is cut while it is being read is an
//! error with a name instead of a signal that ends the process.

use std::fs::{File, Metadata};
use std::io::{self, BufReader};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::SystemTime;

use super::columns::Real;
use super::error::DataError;
use super::npy::{Stored, read_header};
use crate::digest::{Digest, Feed};
use crate::tensor::{AlignedBytes, DType, HostTensor};
use std::hash::{Hash, Hasher};

/// The most bytes that are read at a time.
const CHUNK: usize = 1 << 20;

/// An NPY file, open.
#[derive(Debug)]
pub struct RowFile {
    path: PathBuf,
    file: File,
    shape: Vec<usize>,
    stored: Stored,
    real: Real,
    n_header: u64,
    /// How long the file was, and when it was last written, when it was opened.
    known: (u64, Option<SystemTime>),
    digest: OnceLock<Digest>,
}

fn stamp(m: &Metadata) -> (u64, Option<SystemTime>) {
    (m.len(), m.modified().ok())
}

impl RowFile {
    /// Opens an NPY file that is not compressed, and reads its header.
    ///
    /// # Errors
    /// If it cannot be read, is shorter than its header says, or has no rows that lie together.
    pub fn open(path: &Path, real: Real) -> Result<Self, DataError> {
        let from_io = |e| DataError::from_io(path, e);
        let mut file = File::open(path).map_err(from_io)?;
        let known = stamp(&file.metadata().map_err(from_io)?);
        let header = read_header(path, &mut BufReader::new(&mut file), from_io)?;
        let malformed = |why: &str| DataError::Malformed {
            path: path.to_path_buf(),
            format: "NPY",
            why: why.into(),
        };
        if header.shape.is_empty() {
            return Err(malformed("one number has no rows"));
        }
        if header.fortran && header.shape.len() > 1 {
            return Err(malformed(
                "its columns lie together, and not its rows (`fortran_order`)",
            ));
        }
        let n = header.n_elements();
        let Some(n) = n.filter(|_| header.shape[0] <= i32::MAX as usize) else {
            return Err(malformed("it has more than 2^31 rows"));
        };
        let expected = header.n_header + (n * header.stored.size()) as u64;
        if known.0 < expected {
            return Err(DataError::Truncated {
                path: path.to_path_buf(),
                expected,
                found: known.0,
            });
        }
        Ok(Self {
            path: path.to_path_buf(),
            file,
            shape: header.shape,
            stored: header.stored,
            real,
            n_header: header.n_header,
            known,
            digest: OnceLock::new(),
        })
    }

    /// The length of each axis; the first is that of rows.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The type of the elements of its tensors.
    pub fn dtype(&self) -> DType {
        self.stored.dtype(self.real)
    }

    fn row_bytes(&self) -> usize {
        self.shape[1..].iter().product::<usize>() * self.stored.size()
    }

    /// Rows that lie together.
    ///
    /// # Errors
    /// If they cannot be read, or the file has changed.
    pub fn range(&self, rows: Range<usize>) -> Result<HostTensor, DataError> {
        let mut bytes = AlignedBytes::default();
        self.append(rows.clone(), &mut bytes)?;
        self.check()?;
        Ok(self.tensor(rows.len(), bytes))
    }

    /// The rows numbered, counted from the row `first`, in the order given.
    ///
    /// # Errors
    /// As [`RowFile::range`].
    pub fn gather(&self, first: usize, rows: &[i32]) -> Result<HostTensor, DataError> {
        let mut bytes = AlignedBytes::default();
        let mut next = 0;
        while next < rows.len() {
            // Rows that follow one another are read at once.
            let mut end = next + 1;
            while end < rows.len() && i64::from(rows[end]) == i64::from(rows[end - 1]) + 1 {
                end += 1;
            }
            let from = first + rows[next] as usize;
            self.append(from..from + (end - next), &mut bytes)?;
            next = end;
        }
        self.check()?;
        Ok(self.tensor(rows.len(), bytes))
    }

    fn append(&self, rows: Range<usize>, out: &mut AlignedBytes) -> Result<(), DataError> {
        let n_row = self.row_bytes() as u64;
        let mut at = self.n_header + rows.start as u64 * n_row;
        let end = self.n_header + rows.end as u64 * n_row;
        let size = self.stored.size();
        let mut chunk = vec![0; (CHUNK / size * size).min((end - at) as usize)];
        while at < end {
            let n = chunk.len().min((end - at) as usize);
            read_at(&self.file, &mut chunk[..n], at).map_err(|e| match e.kind() {
                io::ErrorKind::UnexpectedEof => self.changed(),
                _ => DataError::from_io(&self.path, e),
            })?;
            let decoded = self.stored.decode(&chunk[..n], self.real, out);
            decoded.map_err(|value| DataError::LargeInteger {
                path: self.path.clone(),
                value,
            })?;
            at += n as u64;
        }
        Ok(())
    }

    fn tensor(&self, n_rows: usize, bytes: AlignedBytes) -> HostTensor {
        let mut shape = self.shape.clone();
        shape[0] = n_rows;
        let tensor = HostTensor::from_bytes(self.dtype(), shape, bytes);
        tensor.expect("as many elements were read as the rows have")
    }

    fn changed(&self) -> DataError {
        DataError::Changed {
            path: self.path.clone(),
        }
    }

    /// Refuses what has been written since it was opened.
    fn check(&self) -> Result<(), DataError> {
        let now = self.file.metadata();
        let now = now.map_err(|e| DataError::from_io(&self.path, e))?;
        match stamp(&now) == self.known {
            true => Ok(()),
            false => Err(self.changed()),
        }
    }

    /// What identifies the contents: computed once, by reading all of it.
    ///
    /// # Errors
    /// As [`RowFile::range`].
    pub fn digest(&self) -> Result<Digest, DataError> {
        if let Some(d) = self.digest.get() {
            return Ok(*d);
        }
        let mut f = Feed::default();
        (self.dtype(), &self.shape).hash(&mut f);
        let mut chunk = vec![0; CHUNK];
        let (mut at, end) = (0, self.known.0);
        while at < end {
            let n = chunk.len().min((end - at) as usize);
            read_at(&self.file, &mut chunk[..n], at)
                .map_err(|e| DataError::from_io(&self.path, e))?;
            f.write(&chunk[..n]);
            at += n as u64;
        }
        self.check()?;
        Ok(*self.digest.get_or_init(|| f.digest()))
    }
}

#[cfg(unix)]
fn read_at(file: &File, buffer: &mut [u8], at: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, buffer, at)
}

#[cfg(not(unix))]
fn read_at(file: &File, buffer: &mut [u8], at: u64) -> io::Result<()> {
    use std::io::{Read, Seek, SeekFrom};
    use std::sync::Mutex;
    /// The place in a file is one for all threads.
    static PLACE: Mutex<()> = Mutex::new(());
    let _held = PLACE.lock();
    let mut file = file;
    file.seek(SeekFrom::Start(at))?;
    file.read_exact(buffer)
}

#[cfg(test)]
#[path = "rows_tests.rs"]
mod tests;
