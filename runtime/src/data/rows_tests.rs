use std::fs;
use std::io::Write;

use super::*;

fn npy(descr: &str, shape: &str, elements: &[u8]) -> Vec<u8> {
    let header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}}}\n");
    let mut file = b"\x93NUMPY\x01\x00".to_vec();
    file.extend((header.len() as u16).to_le_bytes());
    file.extend(header.as_bytes());
    file.extend(elements);
    file
}

fn numbered() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rows.npy");
    let elements: Vec<u8> = (0..20).collect();
    fs::write(&path, npy("|u1", "(10, 2)", &elements)).unwrap();
    (folder, path)
}

#[test]
fn rows_are_read_where_they_lie() {
    let (_folder, path) = numbered();
    let file = RowFile::open(&path, Real::F32).unwrap();
    assert_eq!((file.shape(), file.dtype()), (&[10, 2][..], DType::I32));
    let rows = file.gather(0, &[9, 0, 1, 2, 9]).unwrap();
    let expected = [18, 19, 0, 1, 2, 3, 4, 5, 18, 19];
    assert_eq!(rows, HostTensor::from_i32(&[5, 2], &expected));
    assert_eq!(file.gather(4, &[1]).unwrap().as_i32(), [10, 11]);
    assert_eq!(file.range(3..5).unwrap().as_i32(), [6, 7, 8, 9]);
    assert_eq!(file.gather(0, &[]).unwrap().shape(), [0, 2]);
}

#[test]
fn contents_have_a_digest() {
    let (_folder, path) = numbered();
    let digest = || RowFile::open(&path, Real::F32).unwrap().digest().unwrap();
    let before = digest();
    assert_eq!(before, digest());
    let mut bytes = fs::read(&path).unwrap();
    *bytes.last_mut().unwrap() += 1;
    fs::write(&path, bytes).unwrap();
    assert_ne!(before, digest());
}

#[test]
fn a_file_that_changes_is_noticed() {
    let (_folder, path) = numbered();
    let file = RowFile::open(&path, Real::F32).unwrap();
    let mut end = fs::OpenOptions::new().append(true).open(&path).unwrap();
    end.write_all(b"more").unwrap();
    assert!(matches!(
        file.gather(0, &[0]),
        Err(DataError::Changed { .. })
    ));
    end.set_len(80).unwrap();
    assert!(matches!(
        file.gather(0, &[9]),
        Err(DataError::Changed { .. })
    ));
}

#[test]
fn what_has_no_rows_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.npy");
    let open = |bytes: &[u8]| {
        fs::write(&path, bytes).unwrap();
        RowFile::open(&path, Real::F32)
    };
    let number = npy("|u1", "()", &[1]);
    assert!(matches!(open(&number), Err(DataError::Malformed { .. })));
    let cut = npy("<f4", "(3, 2)", &[0; 20]);
    assert!(matches!(open(&cut), Err(DataError::Truncated { .. })));
    let many = npy("<f4", "(9000000000, 2)", &[]);
    assert!(matches!(open(&many), Err(DataError::Malformed { .. })));
}
