//! Folders of PNG files: one tensor of pictures, and labels where the pictures stand in subfolders.
//!
//! ```text
//! cats/a.png cats/b.png dogs/c.png   =>   image: i32[3, h, w], label: i32[3] = [0, 0, 1]
//! ```
//!
//! Keeps: the order of names, of subfolders and of files. Values are those of 8 bits, 0 to 255; a grey picture has the
//! axes rows and columns, one in colour has its three channels before them.
//! Does not: scale or crop; transparency and the lower half of 16 bits are left out.

use std::fs::{self, File};
use std::io::BufReader;
use std::path::{Path, PathBuf};

use png::{ColorType, Transformations};

use super::error::DataError;
use crate::tensor::HostTensor;

/// The most values of all pictures together.
const MAX_VALUES: usize = 1 << 31;

/// A picture: rows, columns, channels, and its values, channels last.
struct Picture {
    shape: (usize, usize, usize),
    values: Vec<u8>,
}

/// Reads the pictures of a folder, or of its subfolders.
///
/// # Errors
/// If there are none, one cannot be read, or they differ in size or kind.
pub fn read_pictures(folder: &Path) -> Result<Vec<(String, HostTensor)>, DataError> {
    let (folders, mut files) = entries(folder)?;
    let mut labels = Vec::new();
    if !folders.is_empty() {
        files.clear();
        for (label, inner) in folders.iter().enumerate() {
            let (_, inside) = entries(inner)?;
            labels.extend(inside.iter().map(|_| label as i32));
            files.extend(inside);
        }
    }
    let mut first: Option<(usize, usize, usize)> = None;
    let mut values: Vec<i32> = Vec::new();
    for file in &files {
        let picture = decode(file)?;
        let expected = *first.get_or_insert(picture.shape);
        if picture.shape != expected {
            return Err(DataError::PictureDiffers {
                path: file.clone(),
                found: shown(picture.shape),
                expected: shown(expected),
            });
        }
        if values.len() + picture.values.len() > MAX_VALUES {
            return Err(malformed(folder, "they have more than 2^31 values"));
        }
        let (h, w, channels) = expected;
        for c in 0..channels {
            let of_channel = (0..h * w).map(|i| i32::from(picture.values[i * channels + c]));
            values.extend(of_channel);
        }
    }
    let Some((h, w, channels)) = first else {
        return Err(DataError::NoPictures {
            path: folder.to_path_buf(),
        });
    };
    let shape = match channels {
        1 => vec![files.len(), h, w],
        _ => vec![files.len(), channels, h, w],
    };
    let mut columns = vec![("image".to_string(), HostTensor::from_i32(&shape, &values))];
    if !folders.is_empty() {
        let labels = HostTensor::from_i32(&[labels.len()], &labels);
        columns.push(("label".to_string(), labels));
    }
    Ok(columns)
}

/// The subfolders and the PNG files of a folder, each by name. What starts with a dot is left out.
fn entries(folder: &Path) -> Result<(Vec<PathBuf>, Vec<PathBuf>), DataError> {
    let from_io = |e| DataError::from_io(folder, e);
    let (mut folders, mut files) = (Vec::new(), Vec::new());
    for entry in fs::read_dir(folder).map_err(from_io)? {
        let path = entry.map_err(from_io)?.path();
        let hidden = |n: &std::ffi::OsStr| n.as_encoded_bytes().starts_with(b".");
        if path.file_name().is_none_or(hidden) {
            continue;
        }
        if path.is_dir() {
            folders.push(path);
        } else if path
            .extension()
            .is_some_and(|e| e.eq_ignore_ascii_case("png"))
        {
            files.push(path);
        }
    }
    folders.sort();
    files.sort();
    Ok((folders, files))
}

fn decode(path: &Path) -> Result<Picture, DataError> {
    let file = File::open(path).map_err(|e| DataError::from_io(path, e))?;
    let wrong = |e: png::DecodingError| malformed(path, e.to_string());
    let mut decoder = png::Decoder::new(BufReader::new(file));
    decoder.set_transformations(Transformations::EXPAND | Transformations::STRIP_16);
    let mut reader = decoder.read_info().map_err(wrong)?;
    let Some(size) = reader.output_buffer_size() else {
        return Err(malformed(path, "it is too large"));
    };
    let mut pixels = vec![0; size];
    let info = reader.next_frame(&mut pixels).map_err(wrong)?;
    pixels.truncate(info.buffer_size());
    let (stored, channels) = match info.color_type {
        ColorType::Grayscale => (1, 1),
        ColorType::GrayscaleAlpha => (2, 1),
        ColorType::Rgba => (4, 3),
        ColorType::Rgb | ColorType::Indexed => (3, 3),
    };
    let opaque = |pixel: &[u8]| pixel[..channels].to_vec();
    Ok(Picture {
        shape: (info.height as usize, info.width as usize, channels),
        values: pixels.chunks_exact(stored).flat_map(opaque).collect(),
    })
}

fn shown((h, w, channels): (usize, usize, usize)) -> String {
    let kind = if channels == 1 { "grey" } else { "in colour" };
    format!("{h} x {w} {kind}")
}

fn malformed(path: &Path, why: impl Into<String>) -> DataError {
    DataError::Malformed {
        path: path.to_path_buf(),
        format: "PNG",
        why: why.into(),
    }
}

#[cfg(test)]
#[path = "pictures_tests.rs"]
mod tests;
