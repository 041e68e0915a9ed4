use super::*;

fn export(name: &str, format: ExportFormat, drawn: bool) -> Export {
    Export {
        file: "f".to_string(),
        format,
        name: name.to_string(),
        drawn,
    }
}

fn two(format: ExportFormat, names: [&str; 2]) -> Vec<(Export, HostTensor)> {
    vec![
        (
            export(names[0], format, true),
            HostTensor::from_f32(&[2], &[0.1, -2.0]),
        ),
        (
            export(names[1], format, false),
            HostTensor::from_i32(&[2, 1, 2], &[1, 2, 3, 4]),
        ),
    ]
}

#[test]
fn tables_have_a_column_for_each_element() {
    let bytes = file(&two(ExportFormat::Csv, ["a", "b.c"])).unwrap();
    let text = String::from_utf8(bytes).unwrap();
    assert_eq!(text, "a,\"b.c[0,0]\",\"b.c[0,1]\"\n0.1,1,2\n-2,3,4\n");
}

#[test]
fn arrays_begin_at_multiples_of_64() {
    let t = HostTensor::from_bool(&[3], &[true, false, true]);
    let bytes = npy(&t);
    assert!(bytes.starts_with(b"\x93NUMPY\x01\x00"));
    assert_eq!((bytes.len() - 3) % 64, 0);
    assert_eq!(&bytes[bytes.len() - 3..], [1, 0, 1]);
    let head = String::from_utf8_lossy(&bytes[10..bytes.len() - 3]).into_owned();
    assert_eq!(
        head.trim_end(),
        "{'descr': '|b1', 'fortran_order': False, 'shape': (3,), }"
    );
}

#[test]
fn archives_list_what_they_hold() {
    let bytes = file(&two(ExportFormat::Npz, ["a", "b"])).unwrap();
    let end = bytes.len() - 22;
    assert_eq!(&bytes[end..end + 4], b"PK\x05\x06");
    assert_eq!(bytes[end + 10], 2);
    let start = u32::from_le_bytes(bytes[end + 16..end + 20].try_into().unwrap()) as usize;
    assert_eq!(&bytes[start..start + 4], b"PK\x01\x02");
    assert_eq!(bytes, file(&two(ExportFormat::Npz, ["a", "b"])).unwrap());
}

#[test]
fn tensors_are_read_as_a_checkpoint_is() {
    let both = two(ExportFormat::Safetensors, ["guide.loc", "n.layer[0].w"]);
    let bytes = file(&both).unwrap();
    let read = crate::checkpoint::Checkpoint::from_bytes(&bytes, "f".as_ref()).unwrap();
    assert_eq!(*read.tensors["guide.loc"], both[0].1);
    assert_eq!(*read.tensors["n.layer[0].w"], both[1].1);
}

#[test]
fn draws_are_one_chain() {
    let both = two(
        ExportFormat::InferenceData,
        ["posterior.mu", "observed_data.y"],
    );
    let v: Value = serde_json::from_slice(&file(&both).unwrap()).unwrap();
    assert_eq!(v["posterior"]["mu"], json!([[0.1, -2.0]]));
    assert_eq!(v["observed_data"]["y"], json!([[[1, 2]], [[3, 4]]]));
    assert_eq!(v["attrs"]["inference_library"], "mlc");
    let t = HostTensor::from_f64(&[1], &[f64::INFINITY]);
    let e = export("posterior.x", ExportFormat::InferenceData, true);
    assert!(file(&[(e, t)]).unwrap_err().contains("posterior.x"));
}
