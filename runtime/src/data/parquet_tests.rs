use std::path::PathBuf;
use std::sync::Arc;

use parquet::basic::Compression;
use parquet::data_type::{BoolType, ByteArrayType, DoubleType, FloatType, Int32Type, Int64Type};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;

use super::*;

/// A file of four rows in two groups, the second without nulls.
fn sample(compression: Compression) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.parquet");
    let schema = "message table {
        required int32 n; optional int64 big; optional double x; required boolean ok;
        optional binary kind (UTF8); optional float y;
    }";
    let schema = Arc::new(parse_message_type(schema).unwrap());
    let properties = WriterProperties::builder()
        .set_compression(compression)
        .build();
    let file = File::create(&path).unwrap();
    let mut writer = SerializedFileWriter::new(file, schema, Arc::new(properties)).unwrap();
    for group in 0..2 {
        let present = [1, if group == 0 { 0 } else { 1 }];
        let some = &present[..];
        let kept = |values: [f64; 2]| values[..if group == 0 { 1 } else { 2 }].to_vec();
        let mut group_writer = writer.next_row_group().unwrap();
        let n = [10 * group, 10 * group + 1];
        let mut column = 0;
        while let Some(mut c) = group_writer.next_column().unwrap() {
            match column {
                0 => c.typed::<Int32Type>().write_batch(&n, None, None),
                1 => {
                    let values: Vec<i64> = kept([5.0, 6.0]).iter().map(|&v| v as i64).collect();
                    c.typed::<Int64Type>()
                        .write_batch(&values, Some(some), None)
                }
                2 => c
                    .typed::<DoubleType>()
                    .write_batch(&kept([0.5, 1.5]), Some(some), None),
                3 => c
                    .typed::<BoolType>()
                    .write_batch(&[true, false], None, None),
                4 => {
                    let texts: Vec<ByteArray> = kept([0.0, 0.0])
                        .iter()
                        .map(|_| ByteArray::from("red"))
                        .collect();
                    c.typed::<ByteArrayType>()
                        .write_batch(&texts, Some(some), None)
                }
                _ => {
                    let values: Vec<f32> = kept([2.0, 3.0]).iter().map(|&v| v as f32).collect();
                    c.typed::<FloatType>()
                        .write_batch(&values, Some(some), None)
                }
            }
            .unwrap();
            c.close().unwrap();
            column += 1;
        }
        group_writer.close().unwrap();
    }
    writer.close().unwrap();
    (folder, path)
}

fn columns(wanted: &[(&str, Wanted)], missing: Missing) -> TableOptions {
    TableOptions {
        real: Real::F32,
        columns: Some(wanted.iter().map(|(n, w)| (n.to_string(), *w)).collect()),
        missing,
    }
}

const ALL: [(&str, Wanted); 5] = [
    ("n", Wanted::Guess),
    ("big", Wanted::Guess),
    ("x", Wanted::Guess),
    ("ok", Wanted::Guess),
    ("kind", Wanted::Levels),
];

#[test]
fn columns_are_read_whatever_packs_them() {
    for compression in [
        Compression::UNCOMPRESSED,
        Compression::SNAPPY,
        Compression::GZIP(Default::default()),
        Compression::LZ4_RAW,
    ] {
        let (_folder, path) = sample(compression);
        let read = read_parquet(&path, &columns(&ALL, Missing::Drop)).unwrap();
        let tensors: Vec<HostTensor> = read.into_iter().map(|c| c.1).collect();
        let expected = [
            HostTensor::from_i32(&[3], &[0, 10, 11]),
            HostTensor::from_i32(&[3], &[5, 5, 6]),
            HostTensor::from_f32(&[3], &[0.5, 0.5, 1.5]),
            HostTensor::from_bool(&[3], &[true, true, false]),
            HostTensor::from_i32(&[3], &[0, 0, 0]),
        ];
        assert_eq!(tensors, expected, "{compression}");
    }
}

#[test]
fn missing_cells_go_by_the_rule() {
    let (_folder, path) = sample(Compression::SNAPPY);
    let read = |missing| read_parquet(&path, &columns(&ALL[..3], missing));
    let message = read(Missing::Refuse).unwrap_err().to_string();
    assert!(
        message.ends_with("a.parquet:2: column 2 (`big`) has no value (\"null\")"),
        "{message}"
    );
    let filled = read(Missing::Fill {
        value: -1.0,
        whole: true,
    })
    .unwrap();
    assert_eq!(filled[1].1.as_i32(), [5, -1, 5, 6]);
    assert_eq!(filled[2].1.as_f32(), [0.5, -1.0, 0.5, 1.5]);
}

#[test]
fn what_cannot_be_read_is_refused() {
    let (_folder, path) = sample(Compression::SNAPPY);
    let read = |wanted: &[(&str, Wanted)]| {
        let read = read_parquet(&path, &columns(wanted, Missing::Drop));
        read.unwrap_err().to_string()
    };
    assert!(read(&[("kind", Wanted::Guess)]).contains("holds `kind` of type `text`"));
    assert!(read(&[("x", Wanted::Int)]).contains("holds \"0.5\", which is not an integer"));
    assert!(read(&[("z", Wanted::Guess)]).contains("no column `z`"));
    let whole = std::fs::read(&path).unwrap();
    let cut = path.with_file_name("cut.parquet");
    for n in (0..whole.len()).step_by(7) {
        std::fs::write(&cut, &whole[..n]).unwrap();
        assert!(
            read_parquet(&cut, &TableOptions::new(Real::F32)).is_err(),
            "{n}"
        );
    }
}
