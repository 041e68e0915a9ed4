//! NumPy's format NPY (versions 1 to 3): a header in the syntax of Python, then the elements.
//!
//! ```text
//! \x93NUMPY 1 0 n {'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }  elements
//! ```
//!
//! Integers of all widths become `i32`, where they fit; reals are of the pipeline's precision.
//! Does not: run what a file of Python objects holds.
//!
//! The format: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html

use std::io::Read;
use std::path::Path;

use super::columns::Real;
use super::error::{DataError, shorten};
use super::source::{Source, read_full};
use crate::tensor::{AlignedBytes, DType, HostTensor, count_elements};

/// The largest number of elements accepted from a file.
const MAX_ELEMENTS: usize = 1 << 31;

/// The longest header that is looked at.
const MAX_HEADER: usize = 1 << 16;

/// How many bytes are decoded at a time: a multiple of every element size.
const CHUNK: usize = 1 << 16;

/// How an element is stored.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Stored {
    kind: Kind,
    size: usize,
    big_endian: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Bool,
    Int,
    Unsigned,
    Real,
}

impl Stored {
    /// From the text of a type: `<f4`, `|u1`, `>i8`.
    fn parse(descr: &str) -> Option<Stored> {
        let mut chars = descr.chars();
        let big_endian = match chars.next()? {
            '<' | '|' => false,
            '=' => cfg!(target_endian = "big"),
            '>' => true,
            _ => return None,
        };
        let kind = match chars.next()? {
            'b' => Kind::Bool,
            'i' => Kind::Int,
            'u' => Kind::Unsigned,
            'f' => Kind::Real,
            _ => return None,
        };
        let size: usize = chars.as_str().parse().ok()?;
        let known = match kind {
            Kind::Bool => size == 1,
            Kind::Int | Kind::Unsigned => matches!(size, 1 | 2 | 4 | 8),
            Kind::Real => matches!(size, 2 | 4 | 8),
        };
        known.then_some(Stored {
            kind,
            size,
            big_endian,
        })
    }

    pub(super) fn size(self) -> usize {
        self.size
    }

    /// The type that a tensor of such elements has.
    pub(super) fn dtype(self, real: Real) -> DType {
        match self.kind {
            Kind::Bool => DType::Bool,
            Kind::Int | Kind::Unsigned => DType::I32,
            Kind::Real => real.dtype(),
        }
    }

    /// Appends the elements of `stored`, as those of a tensor; otherwise the integer that does not fit.
    pub(super) fn decode(
        self,
        stored: &[u8],
        real: Real,
        out: &mut AlignedBytes,
    ) -> Result<(), i128> {
        let plain = matches!((self.kind, self.size), (Kind::Int, 4))
            || (self.kind, self.size) == (Kind::Real, real.dtype().size());
        if plain && self.big_endian == cfg!(target_endian = "big") {
            out.extend(stored);
            return Ok(());
        }
        let mut decoded = Vec::with_capacity(stored.len() / self.size * 8);
        for element in stored.chunks_exact(self.size) {
            let mut bytes = [0; 8];
            bytes[..self.size].copy_from_slice(element);
            if self.big_endian {
                bytes[..self.size].reverse();
            }
            let bits = u64::from_le_bytes(bytes);
            match self.kind {
                Kind::Bool => decoded.push(u8::from(bits != 0)),
                Kind::Int | Kind::Unsigned => {
                    let value = self.integer(bits);
                    let fits = i32::try_from(value).map_err(|_| value)?;
                    decoded.extend(fits.to_ne_bytes());
                }
                Kind::Real => match real {
                    Real::F32 => decoded.extend((self.real(bits) as f32).to_ne_bytes()),
                    Real::F64 => decoded.extend(self.real(bits).to_ne_bytes()),
                },
            }
        }
        out.extend(&decoded);
        Ok(())
    }

    fn integer(self, bits: u64) -> i128 {
        let unused = 64 - 8 * self.size as u32;
        match self.kind {
            // The sign is the highest bit stored.
            Kind::Int => i128::from(((bits << unused) as i64) >> unused),
            _ => i128::from(bits),
        }
    }

    fn real(self, bits: u64) -> f64 {
        match self.size {
            2 => half(bits as u16),
            4 => f64::from(f32::from_bits(bits as u32)),
            _ => f64::from_bits(bits),
        }
    }
}

/// The value of 16 bits of floating point (IEEE 754 binary16).
fn half(bits: u16) -> f64 {
    let sign = if bits >> 15 == 1 { -1.0 } else { 1.0 };
    let (exponent, fraction) = (i32::from((bits >> 10) & 31), f64::from(bits & 1023));
    sign * match exponent {
        0 => fraction * 2f64.powi(-24),
        31 if fraction == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        e => (1024.0 + fraction) * 2f64.powi(e - 25),
    }
}

/// What a header declares.
pub(super) struct Header {
    pub stored: Stored,
    pub shape: Vec<usize>,
    /// Do the elements of the first axis lie next to one another?
    pub fortran: bool,
    /// The number of bytes before the elements.
    pub n_header: u64,
}

impl Header {
    pub(super) fn n_elements(&self) -> Option<usize> {
        let n = count_elements(&self.shape)?;
        // The size in bytes is asked for, too.
        n.checked_mul(8).map(|_| n)
    }
}

fn malformed(path: &Path, why: impl Into<String>) -> DataError {
    DataError::Malformed {
        path: path.to_path_buf(),
        format: "NPY",
        why: why.into(),
    }
}

/// Reads a header. `name_error` names failures to read.
pub(super) fn read_header(
    path: &Path,
    source: &mut impl Read,
    name_error: impl Fn(std::io::Error) -> DataError,
) -> Result<Header, DataError> {
    let fill = |source: &mut _, buffer: &mut [u8]| match read_full(source, buffer) {
        Ok(n) if n < buffer.len() => Err(malformed(path, "it ends within its header")),
        Ok(_) => Ok(()),
        Err(e) => Err(name_error(e)),
    };
    let mut start = [0; 8];
    fill(source, &mut start)?;
    if &start[..6] != b"\x93NUMPY" {
        return Err(malformed(path, "it does not start with \\x93NUMPY"));
    }
    let n_size = match start[6] {
        1 => 2,
        2 | 3 => 4,
        version => return Err(malformed(path, format!("its version is {version}"))),
    };
    let mut size = [0; 4];
    fill(source, &mut size[..n_size])?;
    let n = u32::from_le_bytes(size) as usize;
    if n > MAX_HEADER {
        return Err(malformed(path, format!("its header has {n} bytes")));
    }
    let mut text = vec![0; n];
    fill(source, &mut text)?;
    let text = String::from_utf8_lossy(&text);
    let descr = value_of(&text, "descr").ok_or_else(|| malformed(path, "it has no `descr`"))?;
    let fortran = value_of(&text, "fortran_order").is_some_and(|v| v.starts_with("True"));
    let shape = value_of(&text, "shape")
        .and_then(shape)
        .ok_or_else(|| malformed(path, "it has no shape"))?;
    let quoted = descr
        .strip_prefix(['\'', '"'])
        .and_then(|d| d.split(['\'', '"']).next());
    let stored = quoted.and_then(Stored::parse);
    let stored = stored.ok_or_else(|| DataError::NoSuchType {
        path: path.to_path_buf(),
        name: "elements".into(),
        found: shorten(quoted.unwrap_or(descr)),
    })?;
    Ok(Header {
        stored,
        shape,
        fortran,
        n_header: (8 + n_size + n) as u64,
    })
}

/// What follows `'key':` in a dictionary.
fn value_of<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    let at = text.find(&format!("'{key}'"))? + key.len() + 2;
    Some(text[at..].trim_start().strip_prefix(':')?.trim_start())
}

/// `(2, 3)`, `(4,)`, `()`
fn shape(text: &str) -> Option<Vec<usize>> {
    let inner = text.strip_prefix('(')?.split(')').next()?;
    let sizes = inner.split(',').map(str::trim).filter(|s| !s.is_empty());
    sizes.map(|s| s.parse().ok()).collect()
}

/// Reads an NPY file, plain or gzip.
///
/// # Errors
/// What is wrong with the file.
pub fn read_npy(path: &Path, real: Real) -> Result<HostTensor, DataError> {
    let mut source = Source::open(path)?;
    let name_error = source.namer(path);
    let tensor = read_array(path, &mut source, real, &name_error)?;
    match read_full(&mut source, &mut [0]).map_err(name_error)? {
        0 => Ok(tensor),
        _ => Err(malformed(path, "it goes on after its elements")),
    }
}

/// Reads an array from where its header starts.
pub(super) fn read_array(
    path: &Path,
    source: &mut impl Read,
    real: Real,
    name_error: impl Fn(std::io::Error) -> DataError,
) -> Result<HostTensor, DataError> {
    let header = read_header(path, source, &name_error)?;
    let n_elements = header.n_elements().filter(|&n| n <= MAX_ELEMENTS);
    let Some(n_elements) = n_elements else {
        return Err(malformed(
            path,
            format!("its shape is {:?}, more than 2^31 elements", header.shape),
        ));
    };
    let n_stored = n_elements * header.stored.size();
    let mut bytes = AlignedBytes::default();
    let mut chunk = vec![0; CHUNK];
    let mut n_left = n_stored;
    while n_left > 0 {
        let n_wanted = n_left.min(CHUNK);
        let n_read = read_full(source, &mut chunk[..n_wanted]).map_err(&name_error)?;
        n_left -= n_read;
        if n_read < n_wanted {
            return Err(DataError::Truncated {
                path: path.to_path_buf(),
                expected: header.n_header + n_stored as u64,
                found: header.n_header + (n_stored - n_left) as u64,
            });
        }
        let decoded = header.stored.decode(&chunk[..n_read], real, &mut bytes);
        decoded.map_err(|value| DataError::LargeInteger {
            path: path.to_path_buf(),
            value,
        })?;
    }
    let dtype = header.stored.dtype(real);
    if header.fortran && header.shape.len() > 1 {
        bytes = rows_first(bytes.as_slice(), &header.shape, dtype.size());
    }
    let tensor = HostTensor::from_bytes(dtype, header.shape, bytes);
    Ok(tensor.expect("as many elements were decoded as the shape holds"))
}

/// Elements in which the first axis runs fastest, in the order in which the last does.
fn rows_first(columns: &[u8], shape: &[usize], size: usize) -> AlignedBytes {
    let mut out = AlignedBytes::zeros(columns.len());
    let mut index = vec![0; shape.len()];
    for place in out.as_mut_slice().chunks_exact_mut(size) {
        let from = index
            .iter()
            .zip(shape)
            .rev()
            .fold(0, |at, (i, n)| at * n + i);
        place.copy_from_slice(&columns[from * size..(from + 1) * size]);
        for (i, &n) in index.iter_mut().zip(shape).rev() {
            *i += 1;
            if *i < n {
                break;
            }
            *i = 0;
        }
    }
    out
}

#[cfg(test)]
#[path = "npy_tests.rs"]
mod tests;
