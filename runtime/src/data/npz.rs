//! NumPy's archive NPZ: a ZIP file with an NPY file for each array, stored or deflated.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use zip::ZipArchive;
use zip::result::ZipError;

use super::columns::Real;
use super::error::DataError;
use super::npy::read_array;
use crate::tensor::HostTensor;

/// Reads the arrays of an archive by name, in its order.
///
/// # Errors
/// What is wrong with the file, or with one of its arrays.
pub fn read_npz(path: &Path, real: Real) -> Result<Vec<(String, HostTensor)>, DataError> {
    let from_zip = |e: ZipError| match e {
        ZipError::Io(e) if e.kind() != std::io::ErrorKind::UnexpectedEof => {
            DataError::from_io(path, e)
        }
        e => malformed(path, e.to_string()),
    };
    let file = File::open(path).map_err(|e| DataError::from_io(path, e))?;
    let mut archive = ZipArchive::new(BufReader::new(file)).map_err(from_zip)?;
    let mut arrays: Vec<(String, HostTensor)> = Vec::new();
    for i in 0..archive.len() {
        let mut entry = archive.by_index(i).map_err(from_zip)?;
        let name = entry.name().map_err(from_zip)?.into_owned();
        let Some(name) = name.strip_suffix(".npy").map(str::to_string) else {
            continue;
        };
        if name.is_empty() || arrays.iter().any(|a| a.0 == name) {
            return Err(malformed(path, format!("two arrays are named {name:?}")));
        }
        // The archive's own words for what is damaged inside it.
        let corrupt = |e: std::io::Error| malformed(path, format!("`{name}`: {e}"));
        let array = read_array(path, &mut entry, real, corrupt)?;
        arrays.push((name, array));
    }
    if arrays.is_empty() {
        return Err(malformed(path, "it holds no arrays"));
    }
    Ok(arrays)
}

fn malformed(path: &Path, why: impl Into<String>) -> DataError {
    DataError::Malformed {
        path: path.to_path_buf(),
        format: "NPZ",
        why: why.into(),
    }
}
