//! Random well-typed programs: each compiles, and the interpreter, plain and optimised machine code, and machine code on two
//! threads compute the same. `MLC_PROGRAMS=10000` runs more of them than the usual 300, `MLC_SEED` starts elsewhere.

mod generate;
mod run;
mod shrink;
mod tree;

use std::time::{Duration, Instant};

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name)
        .ok()
        .and_then(|v| v.parse().ok())
        .unwrap_or(default)
}

/// Runs `body` on a thread with a stack as large as the command's main thread may need.
pub(super) fn deep<T: Send + 'static>(body: impl FnOnce() -> T + Send + 'static) -> T {
    let thread = std::thread::Builder::new().stack_size(64 << 20).spawn(body);
    match thread.unwrap().join() {
        Ok(v) => v,
        Err(e) => std::panic::resume_unwind(e),
    }
}

#[test]
fn random_programs_compute_the_same_in_every_way() {
    let (count, first) = (number("MLC_PROGRAMS", 300), number("MLC_SEED", 0));
    let go_on = std::env::var("MLC_GO_ON").is_ok();
    let failed = deep(move || {
        let mut failed = 0;
        for seed in first..first + count {
            let start = Instant::now();
            let program = generate::program(seed);
            // For what ends the process.
            let _ = std::fs::write(
                concat!(env!("CARGO_TARGET_TMPDIR"), "/program.ml"),
                program.text(),
            );
            if std::env::var("MLC_SHOW").is_ok() {
                eprintln!("==== program {seed}\n{}", program.text());
            }
            let Some(wrong) = run::check(&program.text()) else {
                if start.elapsed() > Duration::from_secs(5) {
                    eprintln!("program {seed} took {:?}", start.elapsed());
                }
                continue;
            };
            failed += 1;
            let small = shrink::shrink(&program, 400, &mut |p| {
                run::check(&p.text()).is_some_and(|w| w.class == wrong.class)
            });
            let story = run::check(&small.text()).map_or(String::new(), |w| w.story);
            eprintln!(
                "==== program {seed}: {}\n{}\n---- smaller:\n{}\n{story}",
                wrong.class,
                if go_on {
                    String::new()
                } else {
                    format!("{}\n{}", wrong.story, program.text())
                },
                small.text()
            );
            if !go_on {
                break;
            }
        }
        failed
    });
    assert_eq!(failed, 0, "programs fail; see above");
}

/// Every program that ever failed, made small.
#[test]
fn programs_that_failed_once_compute_the_same_in_every_way() {
    let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs");
    let mut files: Vec<_> = std::fs::read_dir(dir)
        .unwrap()
        .map(|e| e.unwrap().path())
        .collect();
    files.sort();
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let wrong = deep(move || run::check(&text));
        assert!(
            wrong.is_none(),
            "{}: {}",
            file.display(),
            wrong.unwrap().story
        );
    }
}
