//! Checkpoints: named tensors and string metadata in one safetensors file.
//!
//! Keeps: the same contents give the same bytes; a reader sees the old file or the new one, never a
//! part of one, whenever the machine stops; a damaged file is an error, never a panic.
//! Does not: know what the tensors mean.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::hash::{Hash, Hasher};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use safetensors::{Dtype, SafeTensors};
use serde_json::{Map, Value, json};

use crate::digest::{Digest, Feed};
use crate::tensor::{AlignedBytes, DType, HostTensor};

/// The metadata's entry with the digest of everything else.
const SEAL: &str = "blake3";

/// The key that holds the metadata in the header, and so cannot name a tensor.
const METADATA_KEY: &str = "__metadata__";

/// The size of the length that a file starts with.
const LENGTH_SIZE: usize = 8;

/// Why a checkpoint could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// The system refused to write the file.
    #[error("cannot write checkpoint `{}`: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The system refused to read the file.
    #[error("cannot read checkpoint `{}`: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A tensor has the name that the format keeps for itself.
    #[error("a tensor cannot be named `{METADATA_KEY}` in a checkpoint")]
    ReservedName,
    /// The file is not a whole safetensors file.
    #[error("`{}` is not a whole checkpoint: {reason}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The file is sound, but holds elements that have no place here.
    #[error("checkpoint `{}` holds `{name}` as {dtype}, which is not supported", path.display())]
    UnsupportedDType {
        /// The file.
        path: PathBuf,
        /// The name of the tensor.
        name: String,
        /// Its type, in the words of the format.
        dtype: String,
    },
}

/// What a checkpoint holds.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Checkpoint {
    /// The tensors by name. Others may hold them, too: large ones are not copied to be written.
    pub tensors: BTreeMap<String, Rc<HostTensor>>,
    /// Strings by name: versions, hashes, positions.
    pub metadata: BTreeMap<String, String>,
}

impl Checkpoint {
    /// Writes the checkpoint, replacing an earlier one of that name in one step.
    pub fn write(&self, path: &Path) -> Result<(), CheckpointError> {
        let pieces = self.pieces()?;
        write_together(&[(path, &pieces)]).map_err(|(_, source)| CheckpointError::Write {
            path: path.to_path_buf(),
            source,
        })
    }

    /// Reads a checkpoint back.
    pub fn read(path: &Path) -> Result<Self, CheckpointError> {
        let bytes = fs::read(path).map_err(|source| CheckpointError::Read {
            path: path.to_path_buf(),
            source,
        })?;
        Self::from_bytes(&bytes, path)
    }

    /// What identifies the contents: metadata, and each tensor's name, type, shape and bits.
    fn digest(&self) -> Digest {
        let mut f = Feed::default();
        let metadata = self.metadata.iter().filter(|(key, _)| *key != SEAL);
        metadata.for_each(|m| m.hash(&mut f));
        for (name, t) in &self.tensors {
            (name, t.dtype(), t.shape()).hash(&mut f);
            f.write(t.bytes());
        }
        f.digest()
    }

    /// As [`Self::write`], with a checksum of the contents.
    pub fn write_sealed(mut self, path: &Path) -> Result<(), CheckpointError> {
        self.metadata.insert(SEAL.into(), self.digest().to_string());
        self.write(path)
    }

    /// Reads what [`Self::write_sealed`] wrote. Another checksum than it had is an error.
    pub fn read_sealed(path: &Path) -> Result<Self, CheckpointError> {
        let mut read = Self::read(path)?;
        let sealed = read.metadata.remove(SEAL);
        if sealed.is_none_or(|seal| seal != read.digest().to_string()) {
            return Err(CheckpointError::Damaged {
                path: path.to_path_buf(),
                reason: "its checksum is wrong".into(),
            });
        }
        Ok(read)
    }

    /// What [`Self::to_bytes`] made; `path` is where the bytes are from, for errors.
    pub fn from_bytes(bytes: &[u8], path: &Path) -> Result<Self, CheckpointError> {
        let damaged = |reason| CheckpointError::Damaged {
            path: path.to_path_buf(),
            reason,
        };
        check_offsets(bytes).map_err(damaged)?;
        let view = SafeTensors::deserialize(bytes).map_err(|error| damaged(error.to_string()))?;
        let mut checkpoint = Checkpoint::default();
        let (_, header) =
            SafeTensors::read_metadata(bytes).map_err(|error| damaged(error.to_string()))?;
        checkpoint
            .metadata
            .extend(header.metadata().clone().unwrap_or_default());
        for (name, tensor) in view.iter() {
            let unsupported = || CheckpointError::UnsupportedDType {
                path: path.to_path_buf(),
                name: name.to_string(),
                dtype: tensor.dtype().to_string(),
            };
            let dtype = from_stored(tensor.dtype()).ok_or_else(unsupported)?;
            if dtype == DType::Bool && tensor.data().iter().any(|&byte| byte > 1) {
                return Err(damaged(format!(
                    "`{name}` holds bytes that are not booleans"
                )));
            }
            let mut buffer = AlignedBytes::copy_of(tensor.data());
            swap_if_big_endian(dtype, buffer.as_mut_slice());
            let host = HostTensor::from_bytes(dtype, tensor.shape().to_vec(), buffer)
                .ok_or_else(|| damaged(format!("`{name}` does not fill its shape")))?;
            checkpoint.tensors.insert(name.to_string(), Rc::new(host));
        }
        Ok(checkpoint)
    }

    // Note [Own writer]
    // The format is a length, a JSON header and the data. The header is written here because the
    // library keeps metadata in a hash map, whose order, and so the bytes of the file, would differ
    // from run to run. Reading goes through the library, so that the two check one another.
    /// The bytes of the file, one piece after another: the header, and the tensors where they are.
    ///
    /// # Errors
    /// If a tensor has the name that the format keeps for itself.
    pub fn pieces(&self) -> Result<Vec<Piece<'_>>, CheckpointError> {
        // Wide elements first, so that each tensor is aligned to its element; then by name.
        let mut tensors: Vec<_> = self.tensors.iter().collect();
        tensors.sort_by_key(|(_, tensor)| std::cmp::Reverse(tensor.dtype().size()));

        let mut header = Map::new();
        if !self.metadata.is_empty() {
            header.insert(METADATA_KEY.to_string(), json!(self.metadata));
        }
        let mut end = 0;
        for (name, tensor) in &tensors {
            let start = end;
            end += tensor.bytes().len();
            let entry = json!({
                "dtype": to_stored(tensor.dtype()).to_string(),
                "shape": tensor.shape(),
                "data_offsets": [start, end],
            });
            if *name == METADATA_KEY {
                return Err(CheckpointError::ReservedName);
            }
            header.insert(name.to_string(), entry);
        }
        let mut header = Value::Object(header).to_string().into_bytes();
        header.resize(header.len().next_multiple_of(LENGTH_SIZE), b' ');

        let length = (header.len() as u64).to_le_bytes();
        let mut pieces = vec![Cow::Owned([&length, header.as_slice()].concat())];
        pieces.extend(tensors.into_iter().map(|(_, tensor)| little_endian(tensor)));
        Ok(pieces)
    }

    /// The bytes of the file.
    ///
    /// # Errors
    /// As [`Self::pieces`].
    pub fn to_bytes(&self) -> Result<Vec<u8>, CheckpointError> {
        Ok(self.pieces()?.concat())
    }
}

/// Bytes of a file, in one place.
pub type Piece<'a> = Cow<'a, [u8]>;

/// A tensor's bytes as the file has them.
fn little_endian(tensor: &HostTensor) -> Piece<'_> {
    let mut bytes = Cow::Borrowed(tensor.bytes());
    if cfg!(target_endian = "big") {
        swap_if_big_endian(tensor.dtype(), bytes.to_mut());
    }
    bytes
}

/// Refuses offsets beyond the end of the file. The library adds to them before it compares them, and
/// offsets close to the largest integer would overflow there.
fn check_offsets(bytes: &[u8]) -> Result<(), String> {
    let (length, rest) = bytes.split_first_chunk().ok_or("the file is cut short")?;
    let n_header = usize::try_from(u64::from_le_bytes(*length)).unwrap_or(usize::MAX);
    let header = rest.get(..n_header).ok_or("the file is cut short")?;
    let header: Map<String, Value> =
        serde_json::from_slice(header).map_err(|error| format!("its header: {error}"))?;
    let n_data = (rest.len() - n_header) as u64;
    for (name, entry) in header.iter().filter(|(name, _)| *name != METADATA_KEY) {
        let offsets = entry.get("data_offsets").and_then(Value::as_array);
        let within = offsets.is_some_and(|offsets| {
            offsets
                .iter()
                .all(|o| o.as_u64().is_some_and(|o| o <= n_data))
        });
        if !within {
            return Err(format!("the data of `{name}` is not in the file"));
        }
    }
    Ok(())
}

fn to_stored(dtype: DType) -> Dtype {
    match dtype {
        DType::F32 => Dtype::F32,
        DType::F64 => Dtype::F64,
        DType::I32 => Dtype::I32,
        DType::Bool => Dtype::BOOL,
    }
}

fn from_stored(dtype: Dtype) -> Option<DType> {
    match dtype {
        Dtype::F32 => Some(DType::F32),
        Dtype::F64 => Some(DType::F64),
        Dtype::I32 => Some(DType::I32),
        Dtype::BOOL => Some(DType::Bool),
        _ => None,
    }
}

/// The file is little-endian on every machine.
fn swap_if_big_endian(dtype: DType, bytes: &mut [u8]) {
    if cfg!(target_endian = "big") {
        bytes
            .chunks_exact_mut(dtype.size())
            .for_each(<[u8]>::reverse);
    }
}

/// Writes a file so that, whenever the machine stops, the path holds what it held before or all of
/// `bytes`: a file beside it is written and flushed to the disk, then takes its name.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> io::Result<()> {
    write_together(&[(path, &[Cow::Borrowed(bytes)])]).map_err(|e| e.1)
}

/// Writes several files of one folder in the same way, and waits for the disk once for all of them as far as it can. They take
/// their names in this order, after all are on the disk.
///
/// # Errors
/// Which of them failed first.
pub fn write_together(files: &[(&Path, &[Piece])]) -> Result<(), (usize, io::Error)> {
    let mut written: Vec<(PathBuf, File)> = Vec::new();
    let done = write_and_rename(files, &mut written);
    if done.is_err() {
        // The first failure is the one to report; those that have their names are no more here.
        for (temporary, _) in &written {
            let _ = fs::remove_file(temporary);
        }
    }
    done?;
    // The renames themselves are on the disk once the folder is.
    #[cfg(unix)]
    if let Some((path, _)) = files.last() {
        let folder = File::open(folder_of(path)).and_then(|f| f.sync_all());
        folder.map_err(|e| (files.len() - 1, e))?;
    }
    Ok(())
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

fn write_and_rename(
    files: &[(&Path, &[Piece])],
    written: &mut Vec<(PathBuf, File)>,
) -> Result<(), (usize, io::Error)> {
    for (i, (path, pieces)) in files.iter().enumerate() {
        let mut write = || -> io::Result<()> {
            let temporary = temporary_of(path)?;
            let file = File::create(&temporary)?;
            let filled = fill(&file, pieces);
            begin_flush(&file);
            written.push((temporary, file));
            filled
        };
        write().map_err(|e| (i, e))?;
    }
    for (i, (_, file)) in written.iter().enumerate() {
        file.sync_all().map_err(|e| (i, e))?;
    }
    for (i, ((path, _), (temporary, _))) in files.iter().zip(written.iter()).enumerate() {
        fs::rename(temporary, path).map_err(|e| (i, e))?;
    }
    Ok(())
}

/// Writes pieces to a file, small ones together.
pub(crate) fn fill(file: &File, pieces: &[impl AsRef<[u8]>]) -> io::Result<()> {
    const BLOCK: usize = 1 << 16;
    let mut out = BufWriter::with_capacity(BLOCK, file);
    pieces.iter().try_for_each(|p| out.write_all(p.as_ref()))?;
    out.flush()
}

/// The file beside a path that is written first.
fn temporary_of(path: &Path) -> io::Result<PathBuf> {
    let name = path.file_name().ok_or(io::ErrorKind::InvalidFilename)?;
    let mut temporary = std::ffi::OsString::from(".");
    temporary.push(name);
    temporary.push(format!(".{}.tmp", std::process::id()));
    Ok(folder_of(path).join(temporary))
}

/// Has the system begin to write what a file holds, so that the disk is not waited for file by file.
#[cfg(target_os = "linux")]
fn begin_flush(file: &File) {
    use std::os::fd::AsRawFd;
    // SAFETY: the descriptor is open. That it is not done is no failure: it is asked for again, and waited for.
    unsafe { libc::sync_file_range(file.as_raw_fd(), 0, 0, libc::SYNC_FILE_RANGE_WRITE) };
}

#[cfg(not(target_os = "linux"))]
fn begin_flush(_: &File) {}

#[cfg(test)]
#[path = "checkpoint_tests.rs"]
mod tests;
