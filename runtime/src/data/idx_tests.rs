use std::fs;
use std::io::Write;
use std::path::PathBuf;

use super::*;

/// An IDX file of `kind` and `dims` with the given elements.
fn idx(kind: u8, dims: &[u32], elements: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, 0, kind, dims.len() as u8];
    bytes.extend(dims.iter().flat_map(|dim| dim.to_be_bytes()));
    bytes.extend(elements);
    bytes
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn in_file<T>(bytes: &[u8], use_file: impl FnOnce(&Path) -> T) -> T {
    let folder = tempfile::tempdir().unwrap();
    let path: PathBuf = folder.path().join("data.idx");
    fs::write(&path, bytes).unwrap();
    use_file(&path)
}

fn read(bytes: &[u8]) -> Result<HostTensor, DataError> {
    in_file(bytes, read_idx)
}

#[test]
fn bytes_become_integers_plain_and_compressed() {
    let bytes = idx(0x08, &[2, 1, 3], &[0, 1, 127, 128, 254, 255]);
    let expected = HostTensor::from_i32(&[2, 1, 3], &[0, 1, 127, 128, 254, 255]);
    assert_eq!(read(&bytes).unwrap(), expected);
    assert_eq!(read(&gzip(&bytes)).unwrap(), expected);
}

#[test]
fn every_kind_is_read() {
    let read = |kind, elements: &[u8]| read(&idx(kind, &[2], elements)).unwrap();
    assert_eq!(read(0x09, &[0xff, 5]), HostTensor::from_i32(&[2], &[-1, 5]));
    assert_eq!(
        read(0x0b, &[0xff, 0xfe, 1, 0]),
        HostTensor::from_i32(&[2], &[-2, 256])
    );
    let i32s = [i32::MIN.to_be_bytes(), 7i32.to_be_bytes()].concat();
    assert_eq!(
        read(0x0c, &i32s),
        HostTensor::from_i32(&[2], &[i32::MIN, 7])
    );
    let f32s = [1.5f32.to_be_bytes(), (-0.1f32).to_be_bytes()].concat();
    assert_eq!(read(0x0d, &f32s), HostTensor::from_f32(&[2], &[1.5, -0.1]));
    let f64s = [1.5f64.to_be_bytes(), (-0.1f64).to_be_bytes()].concat();
    assert_eq!(read(0x0e, &f64s), HostTensor::from_f64(&[2], &[1.5, -0.1]));
}

#[test]
fn data_larger_than_a_chunk_is_read() {
    let elements: Vec<u8> = (0..3 * CHUNK + 5).map(|i| (i % 251) as u8).collect();
    let bytes = idx(0x08, &[elements.len() as u32], &elements);
    for bytes in [gzip(&bytes), bytes] {
        let tensor = read(&bytes).unwrap();
        assert!(
            tensor
                .as_i32()
                .iter()
                .zip(&elements)
                .all(|(&x, &e)| x == i32::from(e))
        );
    }
}

#[test]
fn no_rows_and_no_axes_are_fine() {
    assert_eq!(
        read(&idx(0x08, &[0, 4], &[])).unwrap(),
        HostTensor::from_i32(&[0, 4], &[])
    );
    assert_eq!(
        read(&idx(0x08, &[], &[9])).unwrap(),
        HostTensor::from_i32(&[], &[9])
    );
}

#[test]
fn a_probe_reads_the_header_only() {
    let expected = IdxProbe {
        shape: vec![1000, 1000],
        dtype: DType::I32,
    };
    // Behind gzip the length is not known, so a cut file passes the probe, not the reading.
    let cut = gzip(&idx(0x08, &[1000, 1000], &[1, 2, 3]));
    assert_eq!(in_file(&cut, probe_idx).unwrap(), expected);
    let error = read(&cut).unwrap_err();
    assert!(matches!(
        error,
        DataError::Truncated {
            expected: 1_000_012,
            found: 15,
            ..
        }
    ));
}

#[test]
fn a_cut_file_says_how_much_is_missing() {
    let whole = idx(0x08, &[2, 3], &[1, 2, 3, 4, 5, 6]);
    for n in 1..whole.len() {
        assert!(
            matches!(
                in_file(&whole[..n], probe_idx),
                Err(DataError::Truncated { .. })
            ),
            "{n}"
        );
        assert!(
            matches!(read(&whole[..n]), Err(DataError::Truncated { .. })),
            "{n}"
        );
    }
    let error = read(&whole[..14]).unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with("is cut short: expected 18 bytes, found 14"),
        "{error}"
    );
}

#[test]
fn a_cut_or_corrupt_gzip_stream_is_an_error() {
    let whole = gzip(&idx(
        0x08,
        &[300],
        &(0..300).map(|i| (i * i % 256) as u8).collect::<Vec<_>>(),
    ));
    for n in [3, 12, whole.len() / 2, whole.len() - 1] {
        assert!(
            matches!(read(&whole[..n]), Err(DataError::Gzip { .. })),
            "{n}"
        );
    }
    let mut corrupt = whole.clone();
    let checksum_at = whole.len() - 6;
    corrupt[checksum_at] ^= 1;
    assert!(matches!(read(&corrupt), Err(DataError::Gzip { .. })));
}

#[test]
fn headers_that_lie_are_refused_before_any_allocation() {
    let bytes = idx(0x08, &[u32::MAX, u32::MAX, u32::MAX], &[]);
    assert!(matches!(read(&bytes), Err(DataError::TooLarge { .. })));
    assert!(matches!(
        read(&idx(0x0e, &[1 << 31, 2], &[])),
        Err(DataError::TooLarge { .. })
    ));
    // Within the limit, but not in the file: the sixteen gigabytes are never asked for.
    assert!(matches!(
        read(&idx(0x0e, &[1 << 31], &[])),
        Err(DataError::Truncated { .. })
    ));
    assert!(matches!(
        read(&gzip(&idx(0x0e, &[1 << 31], &[]))),
        Err(DataError::Truncated { .. })
    ));
}

#[test]
fn other_files_are_refused() {
    assert!(matches!(read(b""), Err(DataError::Empty { .. })));
    assert!(matches!(
        read(b"a,b\n1,2\n"),
        Err(DataError::BadMagic { .. })
    ));
    assert!(matches!(read(b"x"), Err(DataError::BadMagic { .. })));
    assert!(matches!(
        read(&idx(0x0a, &[1], &[1])),
        Err(DataError::UnsupportedKind { kind: 10, .. })
    ));
    let long = idx(0x08, &[1], &[1, 2]);
    for bytes in [gzip(&long), long] {
        assert!(matches!(
            read(&bytes),
            Err(DataError::TrailingBytes { expected: 9, .. })
        ));
    }
    assert!(matches!(
        read_idx(Path::new("no/such/file")),
        Err(DataError::Missing { .. })
    ));
    let folder = tempfile::tempdir().unwrap();
    assert!(matches!(
        read_idx(folder.path()),
        Err(DataError::Read { .. })
    ));
}
