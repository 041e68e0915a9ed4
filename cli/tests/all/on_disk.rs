//! Rows that stay on disk: of a file larger than memory, and of one that changes under the run.

use super::mlc;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const PIPELINE: &str = r#"
use std.optim.sgd

let epochs = 1
data rows = npy("rows.npy", on_disk: true)
param w = ones(1024)

stage fit = train b in rows.shuffle().batch(256, last: drop) for epochs epochs {
  minimize mean(for x in b { mean((x - w)^2) }) over w using sgd(lr: 1.0)
  every 1 epoch { log left = max(abs(w)) }
}

test "the rows are zeros" { assert fit.log.left[0] < 1e-3 }
"#;

/// A folder with the pipeline, and zeros in rows of 4 KB, which take no room on the disk.
fn folder(rows: u64) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let mut file = File::create(folder.path().join("rows.npy")).unwrap();
    let header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({rows}, 1024)}}\n");
    file.write_all(b"\x93NUMPY\x01\x00").unwrap();
    file.write_all(&(header.len() as u16).to_le_bytes())
        .unwrap();
    file.write_all(header.as_bytes()).unwrap();
    file.set_len(10 + header.len() as u64 + rows * 4096)
        .unwrap();
    std::fs::write(folder.path().join("rows.ml"), PIPELINE).unwrap();
    folder
}

/// The command, to be started and watched.
fn command(folder: &Path) -> Command {
    let mut c = Command::new(mlc().get_program());
    c.env("MLC_CACHE", folder.join("cache")).current_dir(folder);
    c
}

#[test]
fn a_file_that_changes_ends_the_run() {
    let folder = folder(1024);
    let mut child = command(folder.path())
        .args([
            "run",
            "rows.ml",
            "--set",
            "epochs=100000000",
            "--out",
            "out",
        ])
        .stderr(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let metrics = folder.path().join("out/metrics.jsonl");
    let begin = Instant::now();
    let running = || std::fs::metadata(&metrics).is_ok_and(|m| m.len() > 0);
    while !running() && begin.elapsed() < Duration::from_secs(60) {
        std::thread::sleep(Duration::from_millis(20));
    }
    let file = OpenOptions::new()
        .append(true)
        .open(folder.path().join("rows.npy"));
    file.unwrap().write_all(b"more").unwrap();
    while child.try_wait().unwrap().is_none() && begin.elapsed() < Duration::from_secs(120) {
        std::thread::sleep(Duration::from_millis(20));
    }
    // One that goes on is ended here, and has no exit code.
    let _ = child.kill();
    let out = child.wait_with_output().unwrap();
    let text = String::from_utf8(out.stderr).unwrap();
    assert_eq!(out.status.code(), Some(3), "{text}");
    assert!(
        text.contains("rows.npy` has changed since the run started"),
        "{text}"
    );
}

/// 5.1 GB: rows of 4 KB.
const ROWS: u64 = 1_250_000;

#[test]
#[ignore = "writes a sparse file of 5 GB and reads it for a minute"]
fn a_file_larger_than_memory_trains_within_500_mb() {
    let folder = folder(ROWS);
    let mut child = command(folder.path())
        .args(["test", "rows.ml"])
        .spawn()
        .unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    let ended = loop {
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|l| l.strip_prefix("VmHWM:"));
        let kb = line.and_then(|l| l.split_whitespace().next()?.parse::<u64>().ok());
        peak = peak.max(kb.unwrap_or(0));
        if child.try_wait().unwrap().is_some() {
            break child.wait().unwrap();
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    assert!(ended.success());
    assert!(peak > 1000, "the peak is read from /proc");
    assert!(peak < 500_000, "resident at most: {peak} kB");
}
