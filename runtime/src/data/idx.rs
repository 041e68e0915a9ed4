//! The IDX format of the MNIST files: `00 00 kind axes`, each length as a big-endian `u32`, then the
//! elements in row-major order, big-endian.
//!
//! Integers of all widths become `i32`; `f32` and `f64` stay what they are.
//! Does not: scale bytes to the unit interval; pipelines say that.

use std::path::Path;

use super::error::DataError;
use super::source::{Source, read_full};
use crate::tensor::{AlignedBytes, DType, HostTensor};

/// The largest number of elements accepted from a file.
const MAX_ELEMENTS: u64 = 1 << 31;

/// How many bytes are decoded at a time: a multiple of every element size.
const CHUNK: usize = 1 << 16;

/// What the header of an IDX file declares.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct IdxProbe {
    /// The length of each axis, outermost first.
    pub shape: Vec<usize>,
    /// The dtype of the tensor that reading the file gives.
    pub dtype: DType,
}

/// How an element is stored.
#[derive(Clone, Copy)]
enum Kind {
    U8,
    I8,
    I16,
    I32,
    F32,
    F64,
}

impl Kind {
    fn from_byte(byte: u8) -> Option<Kind> {
        Some(match byte {
            0x08 => Kind::U8,
            0x09 => Kind::I8,
            0x0b => Kind::I16,
            0x0c => Kind::I32,
            0x0d => Kind::F32,
            0x0e => Kind::F64,
            _ => return None,
        })
    }

    fn stored_size(self) -> usize {
        match self {
            Kind::U8 | Kind::I8 => 1,
            Kind::I16 => 2,
            Kind::I32 | Kind::F32 => 4,
            Kind::F64 => 8,
        }
    }

    fn dtype(self) -> DType {
        match self {
            Kind::U8 | Kind::I8 | Kind::I16 | Kind::I32 => DType::I32,
            Kind::F32 => DType::F32,
            Kind::F64 => DType::F64,
        }
    }

    /// Turns whole stored elements into elements of the tensor, in the byte order of the machine.
    fn decode(self, stored: &[u8], decoded: &mut Vec<u8>) {
        match self {
            Kind::U8 => decode_each(stored, decoded, |[b]: [u8; 1]| i32::from(b).to_ne_bytes()),
            Kind::I8 => decode_each(stored, decoded, |b| {
                i32::from(i8::from_be_bytes(b)).to_ne_bytes()
            }),
            Kind::I16 => {
                decode_each(stored, decoded, |b| {
                    i32::from(i16::from_be_bytes(b)).to_ne_bytes()
                });
            }
            Kind::I32 | Kind::F32 => {
                decode_each(stored, decoded, |b| u32::from_be_bytes(b).to_ne_bytes());
            }
            Kind::F64 => decode_each(stored, decoded, |b| u64::from_be_bytes(b).to_ne_bytes()),
        }
    }
}

fn decode_each<const FROM: usize, const TO: usize>(
    stored: &[u8],
    decoded: &mut Vec<u8>,
    element: impl Fn([u8; FROM]) -> [u8; TO],
) {
    let (elements, _) = stored.as_chunks::<FROM>();
    decoded.extend(elements.iter().flat_map(|&bytes| element(bytes)));
}

/// A header whose size was found to be sane.
struct Header {
    kind: Kind,
    shape: Vec<usize>,
    /// The number of bytes of the elements.
    n_stored: u64,
    /// The number of bytes of the whole file.
    n_total: u64,
}

/// Reads the shape of an IDX file (plain or gzip) without its elements. Where the length of the file
/// is known without reading it, it is checked.
pub fn probe_idx(path: &Path) -> Result<IdxProbe, DataError> {
    let mut source = Source::open(path)?;
    let header = read_header(path, &mut source)?;
    Ok(IdxProbe {
        shape: header.shape,
        dtype: header.kind.dtype(),
    })
}

/// Reads an IDX file, plain or gzip.
pub fn read_idx(path: &Path) -> Result<HostTensor, DataError> {
    let mut source = Source::open(path)?;
    let header = read_header(path, &mut source)?;
    let mut bytes = AlignedBytes::default();
    let mut stored = vec![0; CHUNK];
    let mut decoded = Vec::new();
    let mut n_left = header.n_stored;
    while n_left > 0 {
        let n_wanted = n_left.min(CHUNK as u64) as usize;
        let n_read = read_or_end(path, &mut source, &mut stored[..n_wanted])?;
        n_left -= n_read as u64;
        if n_read < n_wanted {
            let found = header.n_total - n_left;
            return Err(truncated(path, header.n_total, found));
        }
        decoded.clear();
        header.kind.decode(&stored[..n_read], &mut decoded);
        bytes.extend(&decoded);
    }
    if read_or_end(path, &mut source, &mut [0])? > 0 {
        return Err(trailing(path, header.n_total));
    }
    let tensor = HostTensor::from_bytes(header.kind.dtype(), header.shape, bytes);
    Ok(tensor.expect("as many elements were decoded as the shape holds"))
}

fn read_header(path: &Path, source: &mut Source) -> Result<Header, DataError> {
    let mut magic = [0; 4];
    let n_magic = read_or_end(path, source, &mut magic)?;
    if n_magic == 0 {
        return Err(DataError::Empty {
            path: path.to_path_buf(),
        });
    }
    let [0, 0, kind_byte, n_axes] = magic else {
        return Err(bad_magic(path, &magic[..n_magic]));
    };
    if n_magic < magic.len() {
        return Err(truncated(path, 4, n_magic as u64));
    }
    let kind = Kind::from_byte(kind_byte).ok_or_else(|| DataError::UnsupportedKind {
        path: path.to_path_buf(),
        kind: kind_byte,
    })?;

    let n_axes = usize::from(n_axes);
    let mut lengths = vec![0; 4 * n_axes];
    let n_lengths = read_or_end(path, source, &mut lengths)?;
    let n_header = 4 + lengths.len() as u64;
    if n_lengths < lengths.len() {
        return Err(truncated(path, n_header, 4 + n_lengths as u64));
    }
    let dims: Vec<u32> = lengths
        .as_chunks::<4>()
        .0
        .iter()
        .map(|&bytes| u32::from_be_bytes(bytes))
        .collect();
    let n_elements = dims
        .iter()
        .try_fold(1u64, |n, &dim| n.checked_mul(u64::from(dim)))
        .filter(|&n| n <= MAX_ELEMENTS);
    let Some(n_elements) = n_elements else {
        return Err(DataError::TooLarge {
            path: path.to_path_buf(),
            dims,
            limit: MAX_ELEMENTS,
        });
    };
    let n_stored = n_elements * kind.stored_size() as u64;
    let n_total = n_header + n_stored;
    match source.known_len() {
        Some(found) if found < n_total => return Err(truncated(path, n_total, found)),
        Some(found) if found > n_total => return Err(trailing(path, n_total)),
        _ => {}
    }
    let shape = dims.iter().map(|&dim| dim as usize).collect();
    Ok(Header {
        kind,
        shape,
        n_stored,
        n_total,
    })
}

/// Fills `buffer`, or as much of it as there is.
fn read_or_end(path: &Path, source: &mut Source, buffer: &mut [u8]) -> Result<usize, DataError> {
    read_full(source, buffer).map_err(|error| source.name_error(path, error))
}

fn bad_magic(path: &Path, found: &[u8]) -> DataError {
    DataError::BadMagic {
        path: path.to_path_buf(),
        found: found.to_vec(),
    }
}

fn truncated(path: &Path, expected: u64, found: u64) -> DataError {
    DataError::Truncated {
        path: path.to_path_buf(),
        expected,
        found,
    }
}

fn trailing(path: &Path, expected: u64) -> DataError {
    DataError::TrailingBytes {
        path: path.to_path_buf(),
        expected,
    }
}

#[cfg(test)]
#[path = "idx_tests.rs"]
mod tests;
