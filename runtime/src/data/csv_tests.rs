use std::fs;
use std::io::Write;

use super::*;

fn in_file<T>(bytes: &[u8], use_file: impl FnOnce(&Path) -> T) -> T {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("table.csv");
    fs::write(&path, bytes).unwrap();
    use_file(&path)
}

fn plain(path: &Path, real: Real) -> Result<Vec<(String, HostTensor)>, DataError> {
    read_csv(path, &CsvOptions::new(real))
}

fn read(text: &str) -> Vec<(String, HostTensor)> {
    in_file(text.as_bytes(), |path| plain(path, Real::F32)).unwrap()
}

fn fail(bytes: &[u8]) -> DataError {
    in_file(bytes, |path| plain(path, Real::F32)).unwrap_err()
}

fn with(text: &str, change: impl FnOnce(&mut CsvOptions)) -> Result<Vec<HostTensor>, String> {
    let mut asked = CsvOptions::new(Real::F32);
    change(&mut asked);
    let read = in_file(text.as_bytes(), |path| read_csv(path, &asked));
    let tensors = read.map(|all| all.into_iter().map(|c| c.1).collect());
    tensors.map_err(|e: DataError| {
        let message = e.to_string();
        message[message.find("table.csv").unwrap_or(0)..].to_string()
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
    let read64 = in_file(TABLE.as_bytes(), |path| plain(path, Real::F64)).unwrap();
    assert_eq!(read64[0].1, HostTensor::from_f64(&[3], &[1.5, -20.0, 4.0]));
    assert_eq!(read64[2].1, HostTensor::from_f64(&[3], &[7.0, 3e9, -1.0]));
}

#[test]
fn gzip_is_recognised() {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(TABLE.as_bytes()).unwrap();
    let packed = encoder.finish().unwrap();
    let unpacked = in_file(&packed, |path| plain(path, Real::F32)).unwrap();
    assert_eq!(unpacked, read(TABLE));
}

#[test]
fn columns_are_selected_with_their_types() {
    let text = "a,kind,ok,b\n1,red,true,2.5\n2,blue,0,x\n3,red,FALSE,4\n";
    let columns = |wanted: &[(&str, Wanted)]| {
        let wanted = wanted.iter().map(|(n, w)| (n.to_string(), *w)).collect();
        with(text, |o| o.table.columns = Some(wanted))
    };
    let read = columns(&[
        ("ok", Wanted::Truth),
        ("kind", Wanted::Levels),
        ("a", Wanted::Real),
    ]);
    let expected = [
        HostTensor::from_bool(&[3], &[true, false, false]),
        HostTensor::from_i32(&[3], &[1, 0, 1]),
        HostTensor::from_f32(&[3], &[1.0, 2.0, 3.0]),
    ];
    assert_eq!(read.unwrap(), expected);
    let wrong = |name, wanted| columns(&[(name, wanted)]).unwrap_err();
    assert_eq!(
        wrong("b", Wanted::Int),
        "table.csv:2: column 4 (`b`) holds \"2.5\", which is not an integer of 32 bits"
    );
    assert_eq!(
        wrong("kind", Wanted::Truth),
        "table.csv:2: column 2 (`kind`) holds \"red\", which is neither true nor false"
    );
    assert_eq!(wrong("c", Wanted::Guess), "table.csv` has no column `c`");
}

#[test]
fn missing_cells_go_by_the_rule() {
    let text = "a,b\n1,2\n,3\n4,NA\n5,6\n";
    let rule = |missing| with(text, |o| o.table.missing = missing);
    let ints = |a: &[i32], b: &[i32]| {
        [
            HostTensor::from_i32(&[a.len()], a),
            HostTensor::from_i32(&[b.len()], b),
        ]
    };
    assert_eq!(rule(Missing::Drop).unwrap(), ints(&[1, 5], &[2, 6]));
    let fill = |value, whole| rule(Missing::Fill { value, whole });
    assert_eq!(
        fill(-1.0, true).unwrap(),
        ints(&[1, -1, 4, 5], &[2, 3, -1, 6])
    );
    let nan = fill(f64::NAN, false).unwrap();
    assert!(nan[0].as_f32()[1].is_nan() && nan[1].as_f32()[2].is_nan());
    assert_eq!(
        rule(Missing::Refuse).unwrap_err(),
        "table.csv:3: column 1 (`a`) has no value (\"\")"
    );
    let all = with("a\nNA\n?\n", |o| o.table.missing = Missing::Drop);
    assert!(all.unwrap_err().contains("leaves none"));
    let levels = with("a\nx\nNA\ny\n", |o| {
        o.table.columns = Some(vec![("a".into(), Wanted::Levels)]);
        o.table.missing = Missing::Fill {
            value: -1.0,
            whole: true,
        };
    });
    assert_eq!(levels.unwrap(), [HostTensor::from_i32(&[3], &[0, -1, 1])]);
}

#[test]
fn names_delimiters_and_lines_to_skip_are_said() {
    let text = "# made by hand\npetal length;kind\n1;2\n3;4\n";
    let read = with(text, |o| {
        o.delimiter = b';';
        o.skip = 2;
        o.names = Some(vec!["petal".into(), "kind".into()]);
    });
    let expected = [
        HostTensor::from_i32(&[2], &[1, 3]),
        HostTensor::from_i32(&[2], &[2, 4]),
    ];
    assert_eq!(read.unwrap(), expected);
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
        "table.csv:3: column 2 (`b`) has no value (\"\")"
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
    let tensors = in_file(b"a\n1e39\n", |path| plain(path, Real::F64)).unwrap();
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
        plain(missing, Real::F32),
        Err(DataError::Missing { .. })
    ));
}

proptest::proptest! {
    /// No input makes reading panic.
    #[test]
    fn any_bytes_are_read_or_refused(bytes: Vec<u8>, text in "[a-c,\n\r\"0-9.e-]{0,60}") {
        let _ = in_file(&bytes, |path| plain(path, Real::F32));
        let _ = in_file(text.as_bytes(), |path| plain(path, Real::F64));
    }
}
