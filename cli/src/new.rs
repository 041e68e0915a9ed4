//! `mlc new`: a folder with a pipeline, its data, tests, golden values, and what a machine runs before a change is taken.

use crate::Exit;
use std::io;
use std::path::Path;

/// Where each file goes, and its text, in which `{{name}}` stands for the project's name.
const FILES: &[(&str, &str)] = &[
    ("pipeline.ml", include_str!("../templates/new/pipeline.ml")),
    (
        "pipeline.ml.snap",
        include_str!("../templates/new/pipeline.ml.snap"),
    ),
    (
        "data/growth.csv",
        include_str!("../templates/new/data/growth.csv"),
    ),
    ("README.md", include_str!("../templates/new/README.md")),
    (".gitignore", include_str!("../templates/new/gitignore")),
    (CI, include_str!("../templates/new/ci_run")),
];
const CI: &str = ".ci/run";

#[cfg(unix)]
fn executable(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755))
}

#[cfg(not(unix))]
fn executable(_: &Path) -> io::Result<()> {
    Ok(())
}

fn write(folder: &Path, name: &str) -> io::Result<()> {
    for (file, text) in FILES {
        let path = folder.join(file);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)?;
        }
        std::fs::write(&path, text.replace("{{name}}", name))?;
        if *file == CI {
            executable(&path)?;
        }
    }
    Ok(())
}

/// Is there nothing at a path, or an empty folder?
fn free(folder: &Path) -> io::Result<bool> {
    match std::fs::read_dir(folder) {
        Ok(mut entries) => Ok(entries.next().is_none()),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(true),
        Err(e) => Err(e),
    }
}

pub fn new(folder: &Path) -> Exit {
    let name = folder.file_name().and_then(|n| n.to_str());
    let Some(name) = name.filter(|n| !n.starts_with('.')) else {
        complain!("error: name a folder for the project: `mlc new growth`");
        return Exit::Misuse;
    };
    let done = match free(folder) {
        Ok(true) => write(folder, name),
        Ok(false) => {
            complain!(
                "error: `{}` is there already, and not empty",
                folder.display()
            );
            return Exit::Misuse;
        }
        Err(e) => Err(e),
    };
    if let Err(e) = done {
        complain!("error: cannot write `{}`: {e}", folder.display());
        return Exit::Environment;
    }
    let folder = folder.display();
    say!("made {folder}; next: cd {folder} && mlc run pipeline.ml && mlc test");
    Exit::Done
}
