//! Examples of objectives, and what they are compiled to.

use super::stdout;

#[test]
fn the_examples_of_objectives_hold() {
    for name in ["wake_sleep", "vae_dreg", "vae_gradient"] {
        let file = format!("examples/pvi/{name}.ml");
        stdout(&["fmt", "--check", &file]);
        match name {
            "vae_gradient" => stdout(&["test", &file]),
            _ => stdout(&["test", &file, "--set", "small=true"]),
        };
    }
}

/// The first line names the stage.
fn below_the_title(text: &str) -> &str {
    text.split_once('\n').map_or("", |t| t.1)
}

/// Published systems take up to 1.5 times as long for the automatic gradient as for one of a loss written by hand; here both are the
/// same graph, and the same loops and calls.
#[test]
fn the_automatic_gradient_of_a_vae_is_the_one_by_hand() {
    for rows in [64, 128, 256, 512, 1024] {
        let set = format!("rows={rows}");
        for form in [None, Some("--units")] {
            let [automatic, manual] = ["automatic", "manual"].map(|stage| {
                let mut args = vec!["ir", "examples/pvi/vae_gradient.ml", "--set", &set];
                args.extend(["--stage", stage]);
                args.extend(form);
                stdout(&args)
            });
            assert!(automatic.lines().count() > 20, "{automatic}");
            assert!(automatic.contains(&rows.to_string()));
            assert_eq!(below_the_title(&automatic), below_the_title(&manual));
        }
    }
}
