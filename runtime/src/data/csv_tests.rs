use std::fs;
use std::io::Write;

use super::*;

fn in_file<T>(bytes: &[u8], use_file: impl FnOnce(&Path) -> T) -> T {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("table.csv");
    fs::write(&path, bytes).unwrap();
    use_file(&path)
}

fn read(text: &str) -> Vec<(String, HostTensor)> {
    in_file(text.as_bytes(), |path| read_csv(path, Real::F32)).unwrap()
}

/// The error of reading; probing must give the same one.
fn fail(bytes: &[u8]) -> DataError {
    in_file(bytes, |path| {
        let error = read_csv(path, Real::F32).unwrap_err();
        assert_eq!(
            probe_csv(path, Real::F32).unwrap_err().to_string(),
            error.to_string()
        );
        error
    })
}

/// The message without the path.
fn message(text: &str) -> String {
    let message = fail(text.as_bytes()).to_string();
    let start = message.find("table.csv").expect("a message names the file");
    message[start..].to_string()
}

const TABLE: &str = "petal,species,code\n1.5,0,7\n-2e1,2,3000000000\n4,1,-1\n";

#[test]
fn columns_keep_their_order_and_find_their_type() {
    let expected = [
        (
            "petal".to_string(),
            HostTensor::from_f32(&[3], &[1.5, -20.0, 4.0]),
        ),
        (
            "species".to_string(),
            HostTensor::from_i32(&[3], &[0, 2, 1]),
        ),
        (
            "code".to_string(),
            HostTensor::from_f32(&[3], &[7.0, 3e9, -1.0]),
        ),
    ];
    assert_eq!(read(TABLE), expected);
    let read64 = in_file(TABLE.as_bytes(), |path| read_csv(path, Real::F64)).unwrap();
    assert_eq!(read64[0].1, HostTensor::from_f64(&[3], &[1.5, -20.0, 4.0]));
    assert_eq!(read64[2].1, HostTensor::from_f64(&[3], &[7.0, 3e9, -1.0]));
}

#[test]
fn a_probe_agrees_with_reading() {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(TABLE.as_bytes()).unwrap();
    for bytes in [TABLE.as_bytes(), &encoder.finish().unwrap()] {
        let probe = in_file(bytes, |path| probe_csv(path, Real::F64)).unwrap();
        let tensors = in_file(bytes, |path| read_csv(path, Real::F64)).unwrap();
        assert_eq!(probe.n_rows, 3);
        assert_eq!(probe.columns.len(), tensors.len());
        for (column, (name, tensor)) in probe.columns.iter().zip(&tensors) {
            assert_eq!((&column.name, column.dtype), (name, tensor.dtype()));
            assert_eq!(tensor.shape(), [3]);
        }
    }
}

#[test]
fn common_ways_of_writing_a_table_are_accepted() {
    let expected = read("a,b\n1,2\n3,4\n");
    let texts = [
        "a,b\r\n1,2\r\n3,4\r\n",
        "a,b\n1,2\n3,4",
        "\u{feff}a,b\n1,2\n3,4\n",
        "\n a , b\n\n 1 , 2 \n3,\t4\n\n",
        "\"a\",\"b\"\n\"1\",2\n3,\"4\"\n",
    ];
    for text in texts {
        assert_eq!(read(text), expected, "{text:?}");
    }
}

#[test]
fn f32_cells_are_rounded_once() {
    // Just below the midpoint of 1 + 2^-23 and 1 + 2^-22, by less than an f64 can tell: through f64 it
    // would become the midpoint, and then, ties going to even, the upper one.
    let read = read("x\n1.00000017881393432617187499\n");
    assert_eq!(read[0].1.as_f32(), [1.0 + f32::EPSILON]);
}

#[test]
fn a_row_of_another_length_is_reported_at_its_line() {
    assert_eq!(
        message("a,b\n1,2\n3\n"),
        "table.csv:3: expected 2 fields, found 1"
    );
    assert_eq!(
        message("a,b\n1,2\n3,4,5\n"),
        "table.csv:3: expected 2 fields, found 3"
    );
    assert_eq!(
        message("a,b\r\n\r\n1,2\r\n\n3\r\n"),
        "table.csv:5: expected 2 fields, found 1"
    );
}

#[test]
fn cells_that_are_not_numbers_are_reported_with_their_column() {
    assert_eq!(
        message("a,b\n1,2\n3,four\n"),
        "table.csv:3: column 2 (`b`) holds \"four\", which is not a number"
    );
    assert_eq!(
        message("a,b\r\n1,2\r\n3,\r\n"),
        "table.csv:3: column 2 (`b`) holds \"\", which is not a number"
    );
    let long = message(&format!("a\n{}\n", "x".repeat(5000)));
    assert!(long.len() < 140, "{long}");
}

#[test]
fn cells_that_are_not_finite_are_refused() {
    for text in ["nan", "NaN", "inf", "-Infinity", "1e39"] {
        let message = message(&format!("a\n1\n{text}\n"));
        let expected =
            format!("column 1 (`a`) holds {text:?}, which is not a finite number in f32");
        assert_eq!(message, format!("table.csv:3: {expected}"));
    }
    let tensors = in_file(b"a\n1e39\n", |path| read_csv(path, Real::F64)).unwrap();
    assert_eq!(tensors[0].1.as_f64(), [1e39]);
}

#[test]
fn headers_must_be_names() {
    assert!(message("1.5,2\n3,4\n").starts_with("table.csv:1: column 1 is named \"1.5\""));
    assert!(message("a,b c\n3,4\n").starts_with("table.csv:1: column 2 is named \"b c\""));
    assert!(message("a,\n3,4\n").starts_with("table.csv:1: column 2 is named \"\""));
    assert_eq!(
        message("a,b,a\n1,2,3\n"),
        "table.csv:1: columns 1 and 3 are both named `a`"
    );
}

#[test]
fn files_without_rows_are_refused() {
    assert!(matches!(fail(b""), DataError::Empty { .. }));
    assert!(matches!(fail(b"\n\n"), DataError::Empty { .. }));
    assert!(matches!(fail(b"a,b\n"), DataError::HeaderOnly { .. }));
}

#[test]
fn bytes_that_are_not_text_are_refused() {
    assert!(matches!(
        fail(b"a\n1\n\xff\n"),
        DataError::NotUtf8 {
            line: 3,
            column: 1,
            ..
        }
    ));
    assert!(matches!(
        fail(b"\xfe\n1\n"),
        DataError::NotUtf8 {
            line: 1,
            column: 1,
            ..
        }
    ));
    assert!(matches!(fail(b"\x1f\x8bnot gzip"), DataError::Gzip { .. }));
}

#[test]
fn missing_files_are_reported() {
    let missing = Path::new("no/such.csv");
    assert!(matches!(
        read_csv(missing, Real::F32),
        Err(DataError::Missing { .. })
    ));
}

proptest::proptest! {
    /// No input makes reading panic.
    #[test]
    fn any_bytes_are_read_or_refused(bytes: Vec<u8>, text in "[a-c,\n\r\"0-9.e-]{0,60}") {
        let _ = in_file(&bytes, |path| read_csv(path, Real::F32));
        let _ = in_file(text.as_bytes(), |path| read_csv(path, Real::F64));
    }
}
