use std::fs;

use super::*;

/// An NPY file of version 1.
fn npy(descr: &str, fortran: bool, shape: &str, elements: &[u8]) -> Vec<u8> {
    let fortran = if fortran { "True" } else { "False" };
    let mut header =
        format!("{{'descr': '{descr}', 'fortran_order': {fortran}, 'shape': {shape}, }}");
    while (10 + header.len() + 1) % 64 != 0 {
        header.push(' ');
    }
    header.push('\n');
    let mut file = b"\x93NUMPY\x01\x00".to_vec();
    file.extend((header.len() as u16).to_le_bytes());
    file.extend(header.as_bytes());
    file.extend(elements);
    file
}

fn read(bytes: &[u8], real: Real) -> Result<HostTensor, DataError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.npy");
    fs::write(&path, bytes).unwrap();
    read_npy(&path, real)
}

fn read32(bytes: &[u8]) -> Result<HostTensor, DataError> {
    read(bytes, Real::F32)
}

#[test]
fn every_type_is_read() {
    let one = |descr: &str, elements: &[u8]| read32(&npy(descr, false, "(2,)", elements)).unwrap();
    let ints = |values: [i32; 2]| HostTensor::from_i32(&[2], &values);
    assert_eq!(one("|i1", &[0xff, 5]), ints([-1, 5]));
    assert_eq!(one("|u1", &[0xff, 5]), ints([255, 5]));
    assert_eq!(one("<i2", &[0xfe, 0xff, 0, 1]), ints([-2, 256]));
    assert_eq!(one(">i2", &[0xff, 0xfe, 1, 0]), ints([-2, 256]));
    assert_eq!(one("<u2", &[0xfe, 0xff, 0, 1]), ints([65534, 256]));
    assert_eq!(
        one("<i4", &[1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]),
        ints([1, -1])
    );
    let wide: Vec<u8> = [7i64, -9].iter().flat_map(|x| x.to_le_bytes()).collect();
    assert_eq!(one("<i8", &wide), ints([7, -9]));
    assert_eq!(
        one("|b1", &[0, 1]),
        HostTensor::from_bool(&[2], &[false, true])
    );
    let reals = |values: [f32; 2]| HostTensor::from_f32(&[2], &values);
    let f32s: Vec<u8> = [1.5f32, -0.1]
        .iter()
        .flat_map(|x| x.to_le_bytes())
        .collect();
    assert_eq!(one("<f4", &f32s), reals([1.5, -0.1]));
    let f64s: Vec<u8> = [1.5f64, -0.1]
        .iter()
        .flat_map(|x| x.to_be_bytes())
        .collect();
    assert_eq!(one(">f8", &f64s), reals([1.5, -0.1]));
    // 1.5 and the least positive number of 16 bits.
    assert_eq!(
        one("<f2", &[0x00, 0x3e, 0x01, 0x00]),
        reals([1.5, 2f32.powi(-24)])
    );
    let precise = read(&npy("<f4", false, "(2,)", &f32s), Real::F64).unwrap();
    assert_eq!(
        precise,
        HostTensor::from_f64(&[2], &[1.5, f64::from(-0.1f32)])
    );
}

#[test]
fn shapes_and_both_orders_are_read() {
    let elements: Vec<u8> = (0..6).collect();
    let rows = read32(&npy("|u1", false, "(2, 3)", &elements)).unwrap();
    assert_eq!(rows, HostTensor::from_i32(&[2, 3], &[0, 1, 2, 3, 4, 5]));
    let columns = read32(&npy("|u1", true, "(2, 3)", &elements)).unwrap();
    assert_eq!(columns, HostTensor::from_i32(&[2, 3], &[0, 2, 4, 1, 3, 5]));
    let number = read32(&npy("|u1", false, "()", &[9])).unwrap();
    assert_eq!(number, HostTensor::from_i32(&[], &[9]));
    let none = read32(&npy("|u1", false, "(0, 4)", &[])).unwrap();
    assert_eq!(none.shape(), [0, 4]);
}

#[test]
fn what_is_no_such_file_is_refused() {
    let whole = npy("<f4", false, "(2,)", &[0; 8]);
    for n in 0..whole.len() {
        assert!(read32(&whole[..n]).is_err(), "{n}");
    }
    let message = |bytes: &[u8]| read32(bytes).unwrap_err().to_string();
    assert!(message(&whole[..whole.len() - 1]).contains("is cut short"));
    assert!(message(b"a,b\n1,2\n3,4").contains("does not start with"));
    assert!(message(&npy("<f4", false, "(1,)", &[0; 8])).contains("goes on after"));
    assert!(message(&npy("<c8", false, "(1,)", &[0; 8])).contains("`<c8`"));
    assert!(message(&npy("|O", false, "(1,)", &[0; 8])).contains("`|O`"));
    let huge = "(4294967295, 4294967295, 4294967295)";
    assert!(message(&npy("<f4", false, huge, &[])).contains("more than 2^31"));
    assert!(message(&npy("<f4", false, "(2000000000,)", &[])).contains("is cut short"));
    let large = 1i64 << 40;
    assert_eq!(
        read32(&npy("<i8", false, "(1,)", &large.to_le_bytes()))
            .unwrap_err()
            .to_string()
            .split("holds")
            .nth(1),
        Some(" the integer 1099511627776, which does not fit 32 bits")
    );
}

proptest::proptest! {
    /// No header makes reading panic.
    #[test]
    fn any_header_is_read_or_refused(text in "[{}'a-z:(), <>|0-9f]{0,80}", version in 0u8..5) {
        let mut file = b"\x93NUMPY".to_vec();
        file.extend([version, 0, text.len() as u8, 0]);
        if version > 1 {
            file.extend([0, 0]);
        }
        file.extend(text.as_bytes());
        let _ = read32(&file);
    }
}
