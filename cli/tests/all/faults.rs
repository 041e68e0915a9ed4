//! Runs that meet a full disk, a folder that is not theirs, data that change: a clear error, and nothing lost.

use super::resume::{Folder, LONG, told};
use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

/// A command in a folder, by a shell that has set limits first: its exit code, and what it complained of.
fn limited(folder: &Folder, limits: &str, args: &[&str]) -> (Option<i32>, String) {
    let run = folder.command(args);
    let mut shell = Command::new("sh");
    shell
        .args(["-c", &format!("{limits}; exec \"$@\""), "sh"])
        .arg(run.get_program())
        .args(run.get_args());
    shell.env("MLC_CACHE", "off").current_dir(folder.path(""));
    let (code, _, complained) = told(&shell.output().unwrap());
    (code, complained)
}

/// The system refuses to write more than some kilobytes to a file, as a full disk would.
#[test]
fn a_disk_that_is_full_costs_no_result() {
    let folder = Folder::new(LONG);
    folder.run(&["--out", "whole"]);
    // The signal that comes with the refusal would end the process; then only the refusal is left.
    let run = ["run", "p.ml", "--out", "full", "--checkpoint", "200"];
    let (code, complained) = limited(&folder, "trap '' XFSZ; ulimit -f 64", &run);
    assert_eq!(code, Some(3), "{complained}");
    assert!(
        complained.contains("cannot write metrics to `full/metrics.jsonl`"),
        "{complained}"
    );
    // What was saved is whole, and the run goes on from it when there is room.
    let (said, complained) = folder.run(&["--resume", "full"]);
    assert!(said.contains("fit  goes on after step "), "{said}");
    assert!(!complained.contains("cannot be used"), "{complained}");
    folder.same("whole", "full");
}

#[test]
fn checkpoints_that_cannot_be_written_are_told_of_and_the_run_goes_on() {
    let folder = Folder::new(LONG);
    folder.run(&["--out", "whole"]);
    fs::create_dir(folder.path("out")).unwrap();
    let child = folder.start_long("out", &["--checkpoint", "5000"]);
    // A file where their folder should be.
    let _ = fs::remove_dir_all(folder.path("out/checkpoints"));
    folder.write("out/checkpoints", "");
    let (code, _, complained) = told(&child.wait_with_output().unwrap());
    assert_eq!(code, Some(0), "{complained}");
    assert!(
        complained.contains("the run goes on, but where it is cannot be saved"),
        "{complained}"
    );
    fs::remove_file(folder.path("out/checkpoints")).unwrap();
    folder.same("whole", "out");
}

#[test]
fn a_folder_that_cannot_be_written_to_is_named() {
    let folder = Folder::new(LONG);
    // No file can be made there, whoever asks.
    let complained = folder.fails(3, &["run", "p.ml", "--out", "/proc/run"]);
    assert!(
        complained.contains("cannot use `/proc/run` as the folder of the run"),
        "{complained}"
    );
    folder.write("file", "");
    let complained = folder.fails(3, &["run", "p.ml", "--out", "file/run"]);
    assert!(complained.contains("cannot use `file/run`"), "{complained}");
}

#[test]
fn two_runs_never_share_a_folder() {
    let folder = Folder::new(LONG);
    folder.run(&["--out", "whole"]);
    let child = folder.start_long("out", &[]);
    let complained = folder.fails(3, &["run", "p.ml", "--out", "out"]);
    assert!(
        complained.contains("another run is writing to `out`"),
        "{complained}"
    );
    let complained = folder.fails(3, &["run", "p.ml", "--resume", "out"]);
    assert!(
        complained.contains("another run is writing to `out`"),
        "{complained}"
    );
    let (code, _, complained) = told(&child.wait_with_output().unwrap());
    assert_eq!(code, Some(0), "{complained}");
    folder.same("whole", "out");
}

#[test]
fn a_link_out_of_the_folder_is_not_followed() {
    let folder = Folder::new(LONG);
    folder.write("mine", "mine");
    for name in ["metrics.jsonl", "final.safetensors", "checkpoints"] {
        fs::create_dir_all(folder.path("out")).unwrap();
        let target = match name {
            "checkpoints" => folder.path(""),
            _ => folder.path("mine"),
        };
        symlink(target, folder.path("out").join(name)).unwrap();
        let complained = folder.fails(3, &["run", "p.ml", "--out", "out"]);
        let what = format!("`out/{name}` is a link that leads out of the folder of the run");
        assert!(complained.contains(&what), "{complained}");
        fs::remove_dir_all(folder.path("out")).unwrap();
    }
    assert_eq!(folder.read("mine"), b"mine");
    assert!(folder.path("table.csv").exists());
    // The folder itself may be a link: whoever made it chose where runs go.
    fs::create_dir(folder.path("elsewhere")).unwrap();
    symlink(folder.path("elsewhere"), folder.path("out")).unwrap();
    folder.run(&["before", "--out", "out"]);
    assert!(folder.path("elsewhere/final.safetensors").exists());
}

#[test]
fn data_that_change_under_a_run_do_not_mix() {
    let folder = Folder::new(LONG);
    folder.run(&["--out", "whole"]);
    let table = String::from_utf8(folder.read("table.csv")).unwrap();
    // What a run has read is what it works on.
    let child = folder.start_long("during", &[]);
    folder.write("table.csv", &table.replace("0.25,1\n", "0.25,9\n"));
    let (code, _, complained) = told(&child.wait_with_output().unwrap());
    assert_eq!(code, Some(0), "{complained}");
    folder.same("whole", "during");
    // One that goes on must find what it had read.
    folder.write("table.csv", &table);
    folder.interrupt("out", &[], libc::SIGINT);
    folder.write("table.csv", &table.replace("0.25,1\n", "0.25,9\n"));
    let complained = folder.fails(3, &["run", "p.ml", "--resume", "out"]);
    assert!(
        complained.contains("does not fit the stage `fit`"),
        "{complained}"
    );
    assert!(
        complained.contains("table.csv") || complained.contains("table."),
        "{complained}"
    );
    assert!(
        complained.contains("changed since it was written"),
        "{complained}"
    );
    folder.write("table.csv", &table);
    folder.run(&["--resume", "out"]);
    folder.same("whole", "out");
}

#[test]
fn what_cannot_be_printed_costs_no_result() {
    let folder = Folder::new(LONG);
    let full = || fs::File::options().write(true).open("/dev/full").unwrap();
    let mut run = folder.command(&["run", "p.ml", "before", "--out", "out"]);
    let (code, _, complained) = told(&run.stdout(full()).output().unwrap());
    assert_eq!(code, Some(3), "{complained}");
    assert!(
        complained.starts_with("error: cannot print to stdout: "),
        "{complained}"
    );
    assert!(folder.path("out/final.safetensors").exists());
    folder.write("wrong.ml", "let a = b");
    for file in ["wrong.ml", "p.ml"] {
        let mut check = folder.command(&["check", file]);
        let (code, ..) = told(&check.stderr(full()).output().unwrap());
        assert_eq!(code, Some(i32::from(file == "wrong.ml")), "{file}");
    }
}

/// A process that may have three gigabytes of addresses, as on a machine that has no more memory.
#[test]
fn where_there_is_not_enough_memory_it_is_told() {
    let folder = Folder::new("stage s = compute { log a = mean(sort(rand(1500000000))) }");
    let run = ["run", "p.ml", "--out", "out"];
    let (code, complained) = limited(&folder, "ulimit -v 3000000", &run);
    assert_eq!(code, Some(3), "{complained}");
    assert!(
        complained.contains("error: there is not enough memory: "),
        "{complained}"
    );
}
