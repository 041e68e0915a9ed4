//! The kernels on every instruction set that this machine has: the tests of this binary, run again for each of the others.

use std::process::Command;

#[test]
fn the_other_vector_paths_pass_every_test() {
    if std::env::var_os("MLC_VECTOR").is_some() {
        return;
    }
    let me = std::env::current_exe().unwrap();
    for path in ["avx2", "portable"] {
        let out = Command::new(&me)
            .env("MLC_VECTOR", path)
            // Derivatives and batches are rules on graphs, and run by the interpreter.
            .args(["--skip", "the_other_vector_paths"])
            .args(["--skip", "derivatives", "--skip", "a_batch_is_a_loop"])
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&out.stdout);
        let refused = text.contains("this machine has no");
        assert!(out.status.success() || refused, "{path}: {text}");
    }
}
