//! A file larger than memory trains within little of it. Not among the tests that are run by default: it writes a file of 5 GB,
//! whose contents are a hole, and reads it twice.

use super::mlc;
use std::fs::File;
use std::io::Write;
use std::time::Duration;

const PIPELINE: &str = r#"
use std.optim.sgd

data rows = npy("rows.npy", on_disk: true)
param w = ones(1024)

stage fit = train b in rows.shuffle().batch(256, last: drop) for 1 epochs {
  minimize mean(for x in b { mean((x - w)^2) }) over w using sgd(lr: 1.0)
  every 1 epoch { log left = max(abs(w)) }
}

test "the rows are zeros" { assert fit.log.left[0] < 1e-3 }
"#;

/// 5.1 GB: rows of 4 KB.
const ROWS: u64 = 1_250_000;

#[test]
#[ignore = "writes a sparse file of 5 GB and reads it for a minute"]
fn a_file_larger_than_memory_trains_within_500_mb() {
    let folder = tempfile::tempdir().unwrap();
    let mut file = File::create(folder.path().join("rows.npy")).unwrap();
    let header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({ROWS}, 1024)}}\n");
    file.write_all(b"\x93NUMPY\x01\x00").unwrap();
    file.write_all(&(header.len() as u16).to_le_bytes())
        .unwrap();
    file.write_all(header.as_bytes()).unwrap();
    file.set_len(10 + header.len() as u64 + ROWS * 4096)
        .unwrap();
    let pipeline = folder.path().join("large.ml");
    std::fs::write(&pipeline, PIPELINE).unwrap();

    let command = mlc();
    let mut child = std::process::Command::new(command.get_program())
        .env("MLC_CACHE", folder.path().join("cache"))
        .arg("test")
        .arg(&pipeline)
        .spawn()
        .unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    let ended = loop {
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|l| l.strip_prefix("VmHWM:"));
        let kb = line.and_then(|l| l.split_whitespace().next()?.parse::<u64>().ok());
        peak = peak.max(kb.unwrap_or(0));
        if let Some(ended) = child.try_wait().unwrap() {
            break ended;
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    assert!(ended.success());
    assert!(peak > 1000, "the peak is read from /proc");
    assert!(peak < 500_000, "resident at most: {peak} kB");
}
