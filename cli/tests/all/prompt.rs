//! The prompt, read from a pipe.

use super::mlc;
use std::path::Path;

/// What is said to some entries, answers before complaints.
fn said(args: &[&str], entries: &str, folder: &Path) -> String {
    let mut command = mlc();
    command.arg("repl").args(args).current_dir(folder);
    let out = command.write_stdin(entries).output().unwrap();
    assert!(out.status.success());
    format!(
        "{}---\n{}",
        String::from_utf8(out.stdout).unwrap(),
        String::from_utf8(out.stderr).unwrap()
    )
}

const ENTRIES: &str = "1 + 2
let x = [1.0, 2.0, 3.0]
sum(x * x)
:type x
fn f(a) =
  a * a
f(
  3.0
)
nonsense
x @ [1.0]
:grad sum(x ^ 2), x
:graph sum(x * x)
:ir sum(exp(x))
:plot x
:plot 1.0
:run fit
:what
let f = 2
f + 1
:quit
never + read
";

#[test]
fn the_prompt_evaluates() {
    let dir = tempfile::tempdir().unwrap();
    insta::assert_snapshot!(said(&[], ENTRIES, dir.path()));
}

const PIPELINE: &str = "use std.optim.sgd
let rate = 0.1
param w = 1.0
stage fit = train for 3 steps {
  minimize w^2 over w using sgd(lr: rate)
  log w
}
";

#[test]
fn stages_run_from_the_prompt_and_files_are_read_again() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("p.ml");
    std::fs::write(&file, PIPELINE).unwrap();
    let text = said(
        &["p.ml"],
        "w\n:run fit\nfit.w\nfit.log.w\n:doc sgd\n",
        dir.path(),
    );
    assert!(text.starts_with("1.0\nfit is done, in "), "{text}");
    assert!(
        text.contains("0.51199996") && text.contains("optimizer sgd"),
        "{text}"
    );
    // A result that is read runs its stage.
    let text = said(&["p.ml"], "fit.w\n", dir.path());
    assert!(text.contains("0.51199996"), "{text}");
    // What was defined at the prompt stays when the file is read again, and can be saved.
    let entries = "let twice = 2.0 * rate\nfn g(x) {\n  x + twice\n}\n:reload\ng(0.1)\n:save more.ml\n:save more.ml\n";
    let text = said(&["p.ml"], entries, dir.path());
    assert!(text.contains("0.3"), "{text}");
    assert!(
        text.contains("2 definitions in more.ml") && text.contains("cannot write `more.ml`"),
        "{text}"
    );
    let saved = std::fs::read_to_string(dir.path().join("more.ml")).unwrap();
    assert_eq!(
        saved,
        "let twice = 2.0 * rate\n\nfn g(x) {\n  x + twice\n}\n"
    );
    let text = said(&[], ":load p.ml\nrate\n:load none.ml\nrate\n", dir.path());
    assert!(text.starts_with("0.1\n0.1\n"), "{text}");
    let text = said(
        &[],
        ":time sum(randn([100]))\n:graph 1.0 + rand() > g.svg\n",
        dir.path(),
    );
    assert!(
        text.contains("compiling included") && text.contains("drawn in g.svg"),
        "{text}"
    );
    assert!(dir.path().join("g.svg").exists());
}
