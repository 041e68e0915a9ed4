use std::fs;

use super::*;

/// Writes a picture of 2 x 3 pixels.
fn write(path: &Path, color: ColorType, pixels: &[u8]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let file = File::create(path).unwrap();
    let mut encoder = png::Encoder::new(file, 3, 2);
    encoder.set_color(color);
    encoder.set_depth(png::BitDepth::Eight);
    let mut writer = encoder.write_header().unwrap();
    writer.write_image_data(pixels).unwrap();
}

#[test]
fn subfolders_are_labels() {
    let folder = tempfile::tempdir().unwrap();
    let grey = |name: &str, value| {
        let path = folder.path().join(name);
        write(&path, ColorType::Grayscale, &[value; 6]);
    };
    grey("b/one.png", 7);
    grey("a/two.PNG", 8);
    grey("a/one.png", 9);
    fs::write(folder.path().join("a/notes.txt"), "not a picture").unwrap();
    let read = read_pictures(folder.path()).unwrap();
    assert_eq!(
        (read[0].0.as_str(), read[0].1.shape()),
        ("image", &[3, 2, 3][..])
    );
    let firsts: Vec<i32> = read[0].1.as_i32().iter().step_by(6).copied().collect();
    assert_eq!(firsts, [9, 8, 7]);
    assert_eq!(
        read[1],
        ("label".into(), HostTensor::from_i32(&[3], &[0, 0, 1]))
    );
}

#[test]
fn colours_are_channels_before_rows_and_columns() {
    let folder = tempfile::tempdir().unwrap();
    let pixels: Vec<u8> = (0..24).collect();
    write(&folder.path().join("a.png"), ColorType::Rgba, &pixels);
    let read = read_pictures(folder.path()).unwrap();
    assert_eq!(read.len(), 1);
    assert_eq!(read[0].1.shape(), [1, 3, 2, 3]);
    assert_eq!(read[0].1.as_i32()[..6], [0, 4, 8, 12, 16, 20]);
    assert_eq!(read[0].1.as_i32()[12..], [2, 6, 10, 14, 18, 22]);
}

#[test]
fn what_does_not_fit_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    assert!(matches!(
        read_pictures(folder.path()),
        Err(DataError::NoPictures { .. })
    ));
    write(&folder.path().join("a.png"), ColorType::Grayscale, &[0; 6]);
    write(&folder.path().join("b.png"), ColorType::Rgb, &[0; 18]);
    let error = read_pictures(folder.path()).unwrap_err().to_string();
    assert!(
        error.ends_with("b.png` is 2 x 3 in colour, and the pictures before it are 2 x 3 grey")
    );
    fs::write(folder.path().join("a.png"), "no picture").unwrap();
    assert!(matches!(
        read_pictures(folder.path()),
        Err(DataError::Malformed { .. })
    ));
    let missing = read_pictures(Path::new("no/such/folder"));
    assert!(matches!(missing, Err(DataError::Missing { .. })));
}
