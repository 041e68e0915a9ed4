//! Files for other programs: CSV, NumPy's NPZ, the JSON from which ArviZ reads InferenceData, and safetensors.
//!
//! Does not: compress, or keep what JSON has no words for.

use crate::tensor::{DType, HostTensor};
use mlc_compiler::program::{Export, ExportFormat};
use serde_json::{Map, Value, json};
use std::fmt::Write;
use std::rc::Rc;

/// The bytes of a file of the tensors that are exported to it.
///
/// # Errors
/// What the format cannot hold, in words for a user.
pub fn file(tensors: &[(Export, HostTensor)]) -> Result<Vec<u8>, String> {
    match tensors.first().map(|t| t.0.format) {
        None => Ok(Vec::new()),
        Some(ExportFormat::Csv) => csv(tensors),
        Some(ExportFormat::Npz) => npz(tensors),
        Some(ExportFormat::InferenceData) => inference_data(tensors),
        Some(ExportFormat::Safetensors) => safetensors(tensors),
    }
}

/// Tensors by address, as a checkpoint keeps them.
fn safetensors(tensors: &[(Export, HostTensor)]) -> Result<Vec<u8>, String> {
    let named = tensors.iter();
    let named = named.map(|(e, t)| (e.name.clone(), Rc::new(t.clone())));
    let all = crate::checkpoint::Checkpoint {
        tensors: named.collect(),
        ..Default::default()
    };
    all.to_bytes().map_err(|e| e.to_string())
}

/// Each element as the shortest decimal that names it; truth values as 0 and 1.
fn decimals(t: &HostTensor) -> Vec<String> {
    match t.dtype() {
        DType::F32 => t.as_f32().iter().map(ToString::to_string).collect(),
        DType::F64 => t.as_f64().iter().map(ToString::to_string).collect(),
        DType::I32 => t.as_i32().iter().map(ToString::to_string).collect(),
        DType::Bool => t
            .as_bool()
            .iter()
            .map(|b| u8::from(*b != 0).to_string())
            .collect(),
    }
}

/// `x`, `x[0]`, `x[0,1]`: the elements of a row.
fn columns(name: &str, row: &[usize]) -> Vec<String> {
    let n: usize = row.iter().product();
    if row.is_empty() {
        return vec![name.to_string()];
    }
    (0..n)
        .map(|i| {
            let mut rest = i;
            let mut index = vec![0; row.len()];
            for (place, size) in index.iter_mut().zip(row).rev() {
                *place = rest % size;
                rest /= size;
            }
            let index: Vec<String> = index.iter().map(ToString::to_string).collect();
            format!("{name}[{}]", index.join(","))
        })
        .collect()
}

fn csv(tensors: &[(Export, HostTensor)]) -> Result<Vec<u8>, String> {
    let failed = |e: csv::Error| e.to_string();
    let mut out = csv::Writer::from_writer(Vec::new());
    let heads = tensors
        .iter()
        .flat_map(|(e, t)| columns(&e.name, t.shape().get(1..).unwrap_or_default()));
    out.write_record(heads).map_err(failed)?;
    let cells: Vec<(Vec<String>, usize)> = tensors
        .iter()
        .map(|(_, t)| {
            let width = t.shape().iter().skip(1).product();
            (decimals(t), width)
        })
        .collect();
    let rows = tensors.first().map_or(0, |t| t.1.shape()[0]);
    for i in 0..rows {
        let row = cells
            .iter()
            .flat_map(|(all, width)| &all[i * width..(i + 1) * width]);
        out.write_record(row).map_err(failed)?;
    }
    out.into_inner().map_err(|e| e.to_string())
}

/// One array in NumPy's format, version 1.0 (NEP 1): C order, little endian.
fn npy(t: &HostTensor) -> Vec<u8> {
    let kind = match t.dtype() {
        DType::F32 => "<f4",
        DType::F64 => "<f8",
        DType::I32 => "<i4",
        DType::Bool => "|b1",
    };
    let sizes: String = t.shape().iter().fold(String::new(), |mut s, n| {
        let _ = write!(s, "{n},");
        s
    });
    let mut head = format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': ({sizes}), }}");
    // Magic, version and length take ten bytes; the data begins at a multiple of 64.
    while (10 + head.len() + 1) % 64 != 0 {
        head.push(' ');
    }
    head.push('\n');
    let mut out = b"\x93NUMPY\x01\x00".to_vec();
    out.extend((head.len() as u16).to_le_bytes());
    out.extend(head.as_bytes());
    match t.dtype() {
        DType::F32 => t.as_f32().iter().for_each(|x| out.extend(x.to_le_bytes())),
        DType::F64 => t.as_f64().iter().for_each(|x| out.extend(x.to_le_bytes())),
        DType::I32 => t.as_i32().iter().for_each(|x| out.extend(x.to_le_bytes())),
        DType::Bool => out.extend(t.as_bool().iter().map(|b| u8::from(*b != 0))),
    }
    out
}

/// A zip archive of arrays, stored as they are (PKWARE APPNOTE 6.3, sections 4.3.7, 4.3.12 and 4.3.16).
fn npz(tensors: &[(Export, HostTensor)]) -> Result<Vec<u8>, String> {
    let too_large = || "the archive would be larger than 4 GB".to_string();
    let mut out = Vec::new();
    let mut directory = Vec::new();
    for (e, t) in tensors {
        let name = format!("{}.npy", e.name);
        let data = npy(t);
        let mut crc = flate2::Crc::new();
        crc.update(&data);
        let at = u32::try_from(out.len()).map_err(|_| too_large())?;
        let size = u32::try_from(data.len()).map_err(|_| too_large())?;
        // Version 2.0, names in UTF-8, stored; midnight of the first day of 1980, so that equal runs give equal files.
        let mut common = vec![20, 0, 0, 8, 0, 0, 0, 0, 0x21, 0];
        common.extend(crc.sum().to_le_bytes());
        common.extend(size.to_le_bytes());
        common.extend(size.to_le_bytes());
        common.extend((name.len() as u16).to_le_bytes());
        common.extend([0, 0]);
        out.extend(b"PK\x03\x04");
        out.extend(&common);
        out.extend(name.as_bytes());
        out.extend(data);
        directory.extend(b"PK\x01\x02\x14\x00");
        directory.extend(&common);
        directory.extend([0; 10]);
        directory.extend(at.to_le_bytes());
        directory.extend(name.as_bytes());
    }
    let start = u32::try_from(out.len()).map_err(|_| too_large())?;
    let count = u16::try_from(tensors.len())
        .map_err(|_| "an archive has at most 65535 arrays".to_string())?;
    let length = directory.len() as u32;
    out.extend(directory);
    out.extend(b"PK\x05\x06\0\0\0\0");
    out.extend(count.to_le_bytes());
    out.extend(count.to_le_bytes());
    out.extend(length.to_le_bytes());
    out.extend(start.to_le_bytes());
    out.extend([0, 0]);
    Ok(out)
}

/// What `arviz.from_json` reads: groups of variables, `[chain, draw, ..]` with one chain where there are draws.
fn inference_data(tensors: &[(Export, HostTensor)]) -> Result<Vec<u8>, String> {
    let mut groups: Map<String, Value> = Map::new();
    for (e, t) in tensors {
        let Some((group, name)) = e.name.split_once('.') else {
            return Err(format!("`{}` is in no group", e.name));
        };
        let numbers = decimals(t);
        let mut scalars = Vec::with_capacity(numbers.len());
        for text in numbers {
            let number = match t.dtype() {
                DType::I32 => text.parse::<i64>().ok().map(Value::from),
                DType::Bool => Some(Value::from(text == "1")),
                _ => text
                    .parse::<f64>()
                    .ok()
                    .and_then(serde_json::Number::from_f64)
                    .map(Value::from),
            };
            scalars.push(number.ok_or_else(|| {
                format!("`{}` has the value {text}, which JSON cannot say", e.name)
            })?);
        }
        let mut value = nest(t.shape(), &mut scalars.into_iter());
        if e.drawn {
            value = Value::Array(vec![value]);
        }
        let group = groups
            .entry(group)
            .or_insert_with(|| Value::Object(Map::new()));
        if let Value::Object(group) = group {
            group.insert(name.to_string(), value);
        }
    }
    let about =
        json!({"inference_library": "mlc", "inference_library_version": env!("CARGO_PKG_VERSION")});
    groups.insert("attrs".to_string(), about);
    serde_json::to_vec(&groups).map_err(|e| e.to_string())
}

fn nest(shape: &[usize], scalars: &mut impl Iterator<Item = Value>) -> Value {
    match shape {
        [] => scalars.next().unwrap_or(Value::Null),
        [n, inner @ ..] => Value::Array((0..*n).map(|_| nest(inner, scalars)).collect()),
    }
}

#[cfg(test)]
#[path = "export_tests.rs"]
mod tests;
