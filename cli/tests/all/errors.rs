//! One small wrong pipeline for each diagnostic; what `mlc` says of it is a snapshot.

use super::mlc;

/// Runs a command in the folder of the wrong pipelines; its messages and exit code.
fn said(args: &[&str]) -> String {
    let out = mlc()
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/errors"))
        .args(args)
        .output()
        .unwrap();
    let text = String::from_utf8(out.stderr).unwrap();
    assert!(!text.contains("panicked"), "{args:?}: {text}");
    format!("exit {}\n{text}", out.status.code().unwrap())
}

#[test]
fn wrong_pipelines_are_explained() {
    insta::glob!("../errors", "*.ml", |path| {
        let name = path.file_name().unwrap().to_str().unwrap();
        let command = match name {
            "failing_test.ml" | "snapshot_new.ml" | "snapshot_tolerance.ml" => vec!["test", name],
            "not_a_number.ml" | "not_a_number_in_a_lane.ml" | "not_a_number_at_a_site.ml" => {
                vec!["run", name, "--out", "../../../target/tmp/not_a_number"]
            }
            "outside_support_late.ml" => {
                vec!["run", name, "--out", "../../../target/tmp/outside_support"]
            }
            "batch_size_late.ml" | "batch_size_unfit.ml" => {
                vec!["run", name, "--out", "../../../target/tmp/batch_size"]
            }
            "profile_of_report.ml" => vec!["profile", name, "look"],
            _ => vec!["check", name],
        };
        insta::assert_snapshot!(said(&command));
    });
}

/// The codes that the sources mention.
fn codes_in(dir: &std::path::Path, found: &mut std::collections::BTreeSet<String>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            codes_in(&path, found);
            continue;
        }
        let text = String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned();
        for (i, _) in text.match_indices('E') {
            let digits = text.get(i + 1..i + 5).unwrap_or_default();
            let whole = text
                .as_bytes()
                .get(i + 5)
                .is_none_or(|c| !c.is_ascii_alphanumeric());
            if whole && digits.len() == 4 && digits.bytes().all(|c| c.is_ascii_digit()) {
                found.insert(format!("E{digits}"));
            }
        }
    }
}

#[test]
fn every_diagnostic_has_a_snapshot() {
    let mut codes = std::collections::BTreeSet::new();
    for part in ["grammar/src", "compiler/src", "runtime/src", "cli/src"] {
        codes_in(&super::root().join(part), &mut codes);
    }
    let mut shown = std::collections::BTreeSet::new();
    for part in ["grammar/tests/all/snapshots", "cli/tests/all/snapshots"] {
        codes_in(&super::root().join(part), &mut shown);
    }
    // What failed because another definition failed is never shown; a test's own host gives the other one.
    let missing: Vec<&String> = codes
        .iter()
        .filter(|c| !shown.contains(*c) && !["E0000", "E0900"].contains(&c.as_str()))
        .collect();
    assert!(missing.is_empty(), "no snapshot shows {missing:?}");
    assert!(codes.len() > 60);
}

/// Rules of probabilistic programs: a wrong program, and what is said of it.
const RULES: &[(&str, &[&str])] = &[
    ("legality_addresses", &["E0410", "E0412"]),
    (
        "legality_argmax",
        &["E0420", "`argmax`", "valid at this site: `reinforce`"],
    ),
    (
        "legality_average",
        &["E0421", "valid at this site: `reinforce`"],
    ),
    (
        "legality_biased",
        &[
            "E0408",
            "via biased straight_through",
            "valid at this site: `reinforce`",
        ],
    ),
    ("legality_branches", &["E0457"]),
    (
        "legality_comparison",
        &["E0420", "`lt`", "valid at this site: `reinforce`"],
    ),
    ("legality_continuation", &["E0417"]),
    (
        "legality_covers",
        &["E0456", "does not cover", "outside the support"],
    ),
    (
        "legality_decomposition",
        &["E0421", "valid at this site: `reparam`"],
    ),
    (
        "legality_density_that_jumps",
        &["E0420", "valid at this site: `reinforce`"],
    ),
    (
        "legality_discrete",
        &["E0421", "`enumerate`", "valid at this site: `reinforce`"],
    ),
    ("legality_domain", &["E0401"]),
    ("legality_drawn_parameter", &["E0430", "a plain draw"]),
    ("legality_equality", &["E0420"]),
    (
        "legality_in_loop",
        &["E0420", "valid at this site: `reinforce`"],
    ),
    (
        "legality_index",
        &["E0420", "valid at this site: `reinforce`"],
    ),
    (
        "legality_infinite",
        &["E0421", "`support`", "valid at this site: `reparam`"],
    ),
    ("legality_kl_of_estimates", &["E0432", "plug_in"]),
    (
        "legality_loop_uses",
        &["E0416", "valid in the loop: `reinforce`"],
    ),
    ("legality_marginal", &["E0455", "E0453", "E0410"]),
    (
        "legality_moving_support",
        &["E0430", "the support of a distribution moves", "`reparam`"],
    ),
    ("legality_no_score", &["E0421", "`logpdf`"]),
    (
        "legality_order",
        &["E0420", "valid at this site: `reinforce`"],
    ),
    ("legality_plate", &["E0415"]),
    (
        "legality_relaxed",
        &["E0421", "valid at this site: `reparam`"],
    ),
    ("legality_rounding", &["E0420", "`round`", "`floor`"]),
    (
        "legality_second_order",
        &["E0430", "`reinforce` or `enumerate`"],
    ),
    ("legality_sign", &["E0420", "`sign`"]),
    ("legality_simulator", &["E0450"]),
    ("legality_sums", &["E0460", "E0453"]),
    ("estimated_density", &["E0446", "use `elbo(p, q)`"]),
    ("estimates_to_both_sides", &["E0447", "as `elbo` does"]),
];

#[test]
fn the_rules_of_probabilistic_programs_are_shown() {
    let folder = super::root().join("cli/tests/all/snapshots");
    let (mut mistakes, mut programs) = (0, 0);
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_string();
        if name.contains("wrong_pipelines_are_explained@") {
            let n = std::fs::read_to_string(&path)
                .unwrap()
                .matches("\n[E04")
                .count();
            mistakes += n;
            programs += usize::from(n > 0);
        }
    }
    assert!(programs >= 100, "{programs} programs");
    assert!(mistakes >= 150, "{mistakes} mistakes");
    for (program, words) in RULES {
        let name = format!("all__errors__wrong_pipelines_are_explained@{program}.ml.snap");
        let text = std::fs::read_to_string(folder.join(name)).unwrap();
        for w in *words {
            assert!(text.contains(w), "{program} does not say {w}: {text}");
        }
    }
}

#[test]
fn codes_are_listed_and_explained() {
    use mlc_compiler::diag::codes::{CODES, page};
    let mut codes = std::collections::BTreeSet::new();
    for part in [
        "grammar/src",
        "compiler/src/lower",
        "runtime/src",
        "cli/src",
    ] {
        codes_in(&super::root().join(part), &mut codes);
    }
    for c in codes
        .iter()
        .filter(|c| !["E0000", "E0900"].contains(&c.as_str()))
    {
        assert!(
            CODES.iter().any(|known| known.code == c),
            "{c} has no entry"
        );
    }
    super::page_is("docs/errors.md", &page());
    let out = mlc().args(["explain", "e0303"]).output().unwrap();
    assert!(
        String::from_utf8(out.stdout)
            .unwrap()
            .starts_with("E0303: ")
    );
    assert_eq!(
        mlc()
            .args(["explain", "E9999"])
            .output()
            .unwrap()
            .status
            .code(),
        Some(2)
    );
}

#[test]
fn wrong_settings_and_bytes_are_explained() {
    insta::assert_snapshot!(
        "unknown_setting",
        said(&["check", "missing_site.ml", "--set", "step=3"])
    );
    let dir = tempfile::tempdir().unwrap();
    let shown = |name: &str, bytes: &[u8]| {
        std::fs::write(dir.path().join("p.ml"), bytes).unwrap();
        let out = mlc()
            .current_dir(dir.path())
            .args(["check", "p.ml"])
            .output()
            .unwrap();
        insta::assert_snapshot!(name, String::from_utf8(out.stderr).unwrap());
    };
    shown("not_utf8", b"let a = 1.0\nlet b = \xff\xfe\n");
    shown("hidden_character", "let a = 1.0 // \u{202e}\n".as_bytes());
    let deep = format!("let a = {}1{}\n", "(\n".repeat(300), ")".repeat(300));
    shown("too_deep", deep.as_bytes());
}

fn check_text(bytes: &[u8]) -> (i32, String) {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("p.ml");
    std::fs::write(&file, bytes).unwrap();
    let out = mlc().arg("check").arg(&file).output().unwrap();
    (
        out.status.code().unwrap(),
        String::from_utf8(out.stderr).unwrap(),
    )
}

#[test]
fn deep_nesting_is_refused() {
    let text = format!("let a = {}1{}", "(".repeat(100_000), ")".repeat(100_000));
    let (code, said) = check_text(text.as_bytes());
    assert_eq!(code, 1);
    assert!(said.contains("[E0002]"), "{}", &said[..said.len().min(400)]);
}

#[test]
fn a_long_line_ends() {
    let text = format!("let a = [{}1]", "1, ".repeat(3_500_000));
    let (code, said) = check_text(text.as_bytes());
    assert!(code == 0 || code == 1, "{code}");
    assert!(!said.contains("panicked"));
}

#[test]
fn bytes_that_are_no_text_are_refused() {
    let (code, said) = check_text(b"let a = \xff\xfe");
    assert_eq!(code, 1);
    assert!(said.contains("[E0005]"), "{said}");
}

#[test]
fn an_empty_file_has_no_mistakes() {
    assert_eq!(check_text(b"").0, 0);
}

#[test]
fn a_missing_pipeline_is_the_environments_fault() {
    let out = mlc().args(["run", "no_such_pipeline.ml"]).output().unwrap();
    assert_eq!(out.status.code(), Some(3));
}

#[test]
fn misuse_is_told_apart() {
    assert_eq!(
        mlc().arg("no-such-command").output().unwrap().status.code(),
        Some(2)
    );
    let out = mlc()
        .args(["run", "examples/linear.ml", "--set", "nonsense"])
        .output()
        .unwrap();
    assert_eq!(out.status.code(), Some(2));
}

#[test]
fn a_folder_that_cannot_be_made_is_the_environments_fault() {
    let out = mlc()
        .args(["run", "examples/linear.ml", "--out", "/proc/no/such"])
        .output()
        .unwrap();
    assert_eq!(out.status.code(), Some(3));
}

#[test]
fn long_chains_are_refused() {
    for (open, close) in [
        ("1.0 + ", "1.0"),
        ("|x| ", "x"),
        ("if true { 1 } else ", "{ 2 }"),
        ("-", "1"),
        ("not ", "true"),
        ("2 ^ ", "2"),
    ] {
        let (code, said) =
            check_text(format!("let a = {}{close}\n", open.repeat(10_000)).as_bytes());
        assert_eq!(code, 1, "{open}");
        assert!(
            said.contains("[E0002]"),
            "{open}: {}",
            &said[..said.len().min(400)]
        );
    }
}

#[test]
fn many_statements_are_no_nesting() {
    let mut text = String::from("fn f(x) {\n  let a0 = x\n");
    for i in 0..10_000 {
        text += &format!("  let a{} = sin(a{i})\n", i + 1);
    }
    text +=
        "  sum(a10000)\n}\nparam w = ones(3)\nstage s = compute { log g = grad(f(w), wrt: w) }\n";
    let (code, said) = check_text(text.as_bytes());
    assert_eq!(code, 0, "{}", &said[..said.len().min(400)]);
}

#[test]
fn marks_and_line_ends_of_other_systems_are_taken() {
    assert_eq!(check_text(b"\xef\xbb\xbflet a = 1.0\n").0, 0);
    assert_eq!(check_text(b"let a = 1.0\r\nlet b = a // c\r\n").0, 0);
    for bad in [
        &b"let a = 1.0\x00\n"[..],
        b"let a = 1.0\rlet b = 2\n",
        b"\x1b[31m",
    ] {
        let (code, said) = check_text(bad);
        assert_eq!(code, 1);
        assert!(said.contains("[E0006]"), "{said}");
    }
}

#[test]
fn a_folder_is_no_pipeline() {
    let out = mlc().args(["check", "examples"]).output().unwrap();
    assert_eq!(out.status.code(), Some(3));
}

/// What `check` says of a pipeline among other files.
#[cfg(unix)]
#[test]
fn modules_stay_in_the_folder() {
    let dir = tempfile::tempdir().unwrap();
    let inside = dir.path().join("in");
    std::fs::create_dir_all(inside.join("folder.ml")).unwrap();
    std::fs::write(dir.path().join("secret.ml"), "let v = 1.0\n").unwrap();
    std::fs::write(inside.join("bytes.ml"), b"let k = \xff\n").unwrap();
    std::os::unix::fs::symlink(dir.path().join("secret.ml"), inside.join("linked.ml")).unwrap();
    std::os::unix::fs::symlink(dir.path(), inside.join("up")).unwrap();
    let text = "use linked.v\nuse up.secret\nuse folder.x\nuse bytes.k\nlet a = v\n";
    std::fs::write(inside.join("p.ml"), text).unwrap();
    let check = |args: &[&str]| {
        let out = mlc().current_dir(&inside).args(args).output().unwrap();
        let said = String::from_utf8(out.stderr).unwrap();
        format!("exit {}\n{said}", out.status.code().unwrap())
    };
    insta::assert_snapshot!("outside", check(&["check", "p.ml"]));
    std::fs::write(inside.join("q.ml"), "use linked.v\nlet a = v\n").unwrap();
    assert_eq!(check(&["check", "q.ml", "--allow-outside"]), "exit 0\n");
}

#[test]
fn modules_that_use_one_another_end() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
    write("a.ml", "use b.{y}\nfn f(x) = x + y\nlet z = 1.0\n");
    write("b.ml", "use a.{z}\nlet y = z\n");
    write("p.ml", "use a.{f}\nlet v = f(1.0)\n");
    write("c.ml", "use d.{y}\nlet x = y\n");
    write("d.ml", "use c.{x}\nlet y = x\n");
    write("q.ml", "use c.{x}\nlet v = x\n");
    let check = |name: &str| {
        mlc()
            .current_dir(dir.path())
            .args(["check", name])
            .output()
            .unwrap()
    };
    assert_eq!(check("p.ml").status.code(), Some(0));
    let out = check("q.ml");
    assert_eq!(out.status.code(), Some(1));
    assert!(String::from_utf8(out.stderr).unwrap().contains("[E0104]"));
}
