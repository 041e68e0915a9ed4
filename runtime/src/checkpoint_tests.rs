use super::*;

fn sample() -> Checkpoint {
    let tensors = [
        (
            "weights",
            HostTensor::from_f32(&[2, 3], &[1.0, f32::NAN, -0.0, 3.5, f32::INFINITY, 6.0]),
        ),
        ("accumulator", HostTensor::from_f64(&[2], &[0.1, 1e300])),
        ("step", HostTensor::from_i32(&[], &[i32::MIN])),
        ("mask", HostTensor::from_bool(&[3], &[true, false, true])),
        ("empty", HostTensor::from_f32(&[0, 4], &[])),
        ("naïve \"name\"", HostTensor::from_i32(&[1], &[7])),
    ];
    let metadata = ["version", "pipeline", "hash", "seed", "epoch"];
    Checkpoint {
        tensors: tensors
            .map(|(name, tensor)| (name.to_string(), Rc::new(tensor)))
            .into(),
        metadata: metadata
            .map(|key| (key.to_string(), format!("the {key}")))
            .into(),
    }
}

fn read_bytes(bytes: &[u8]) -> Result<Checkpoint, CheckpointError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.safetensors");
    fs::write(&path, bytes).unwrap();
    Checkpoint::read(&path)
}

/// A file with this header and this many zero bytes of data.
fn file(header: &str, n_data: usize) -> Vec<u8> {
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.as_bytes());
    bytes.extend(vec![0; n_data]);
    bytes
}

#[test]
fn what_is_written_is_read_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("last.safetensors");
    for checkpoint in [sample(), Checkpoint::default()] {
        checkpoint.write(&path).unwrap();
        assert_eq!(Checkpoint::read(&path).unwrap(), checkpoint);
    }
    let names: Vec<_> = fs::read_dir(folder.path()).unwrap().collect();
    assert_eq!(names.len(), 1, "no temporary file is left: {names:?}");
}

#[test]
fn the_bytes_depend_on_the_contents_only() {
    let bytes = sample().to_bytes().unwrap();
    assert_eq!(bytes, sample().to_bytes().unwrap());
    let header_at = |word: &str| {
        String::from_utf8_lossy(&bytes)
            .find(&format!("\"{word}\""))
            .expect("a key of the header")
    };
    let order = [
        "__metadata__",
        "epoch",
        "hash",
        "accumulator",
        "empty",
        "step",
        "weights",
        "mask",
    ];
    assert!(order.map(header_at).is_sorted(), "wide first, then by name");
}

#[test]
fn any_cut_or_longer_file_is_damaged() {
    let whole = sample().to_bytes().unwrap();
    for n in 0..whole.len() {
        assert!(
            matches!(
                read_bytes(&whole[..n]),
                Err(CheckpointError::Damaged { .. })
            ),
            "{n}"
        );
    }
    let longer = [&whole[..], &[0]].concat();
    assert!(matches!(
        read_bytes(&longer),
        Err(CheckpointError::Damaged { .. })
    ));
}

#[test]
fn headers_that_lie_are_damaged() {
    let entry = |dtype: &str, shape: &str, start: u64, end: u64| {
        format!(r#"{{"a":{{"dtype":"{dtype}","shape":{shape},"data_offsets":[{start},{end}]}}}}"#)
    };
    let headers = [
        "not json".to_string(),
        "[]".to_string(),
        r#"{"a":3}"#.to_string(),
        r#"{"__metadata__":{"a":3}}"#.to_string(),
        entry("F32", "[2]", 0, 4),
        entry("F32", "[1]", 4, 8),
        entry("F32", "[1]", 4, 0),
        entry("F32", "[4611686018427387904,4]", 0, 4),
        entry("F32", "[-1]", 0, 4),
        entry("F9", "[1]", 0, 4),
        entry("I8", "[18446744073709551615]", 0, u64::MAX),
    ];
    for header in headers {
        let read = read_bytes(&file(&header, 4));
        assert!(
            matches!(read, Err(CheckpointError::Damaged { .. })),
            "{header}: {read:?}"
        );
    }
    let mut huge = file("{}", 0);
    huge[..8].fill(0xff);
    assert!(matches!(
        read_bytes(&huge),
        Err(CheckpointError::Damaged { .. })
    ));
}

#[test]
fn tensors_without_a_place_here_are_refused() {
    let header = r#"{"a":{"dtype":"BF16","shape":[2],"data_offsets":[0,4]}}"#;
    let error = read_bytes(&file(header, 4)).unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with("holds `a` as BF16, which is not supported"),
        "{error}"
    );

    let mut bytes = file(
        r#"{"a":{"dtype":"BOOL","shape":[2],"data_offsets":[0,2]}}"#,
        2,
    );
    *bytes.last_mut().unwrap() = 2;
    let error = read_bytes(&bytes).unwrap_err();
    assert!(error.to_string().contains("not booleans"), "{error}");
}

#[test]
fn a_reserved_name_is_refused() {
    let mut checkpoint = sample();
    checkpoint.tensors.insert(
        METADATA_KEY.to_string(),
        Rc::new(HostTensor::from_i32(&[], &[1])),
    );
    let path = Path::new("never-written");
    assert!(matches!(
        checkpoint.write(path),
        Err(CheckpointError::ReservedName)
    ));
}

#[test]
fn failures_of_the_system_name_the_file() {
    let path = Path::new("no/such/folder/x.safetensors");
    let write = sample().write(path).unwrap_err().to_string();
    assert!(
        write.starts_with("cannot write checkpoint `no/such/folder/x.safetensors`"),
        "{write}"
    );
    let read = Checkpoint::read(path).unwrap_err().to_string();
    assert!(
        read.starts_with("cannot read checkpoint `no/such/folder/x.safetensors`"),
        "{read}"
    );
    assert!(write_atomically(Path::new("/"), b"").is_err());
}

#[test]
fn a_failed_write_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    // A folder cannot be replaced by a file, so the last step fails.
    let path = folder.path().join("taken");
    fs::create_dir(&path).unwrap();
    assert!(write_atomically(&path, b"x").is_err());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

proptest::proptest! {
    /// No file makes reading panic.
    #[test]
    fn any_bytes_are_read_or_refused(at in 0usize..600, byte: u8) {
        let mut bytes = sample().to_bytes().unwrap();
        let at = at % bytes.len();
        bytes[at] = byte;
        let _ = read_bytes(&bytes);
    }
}
