//! What a run was started with. It stands in the run's folder, so that a run is resumed as it was started or not at all.

use crate::checkpoint::write_atomically;
use crate::digest::Digest;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// The version of the file and of the checkpoints beside it.
pub const FORMAT: u32 = 1;

/// The file in the run's folder.
const FILE: &str = "run.json";

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Started {
    pub format: u32,
    /// The version of `mlc`.
    pub mlc: String,
    /// This build of it, its instruction set and its passes.
    pub machine: Digest,
    /// The name of the pipeline's file.
    pub pipeline: String,
    /// The texts of the pipeline and of its modules, by their paths from the pipeline's folder.
    pub files: BTreeMap<String, Digest>,
    pub seed: u64,
    pub sets: BTreeMap<String, String>,
    /// The stages that were asked for; none if all were.
    pub stages: Vec<String>,
    pub finished: bool,
}

impl Started {
    /// Writes it into the folder of a run.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn write(&self, folder: &Path) -> io::Result<()> {
        let (path, bytes) = self.file(folder)?;
        write_atomically(&path, &bytes)
    }

    /// The same without waiting for the disk: a run that has saved nothing yet is not resumed.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn note(&self, folder: &Path) -> io::Result<()> {
        let (path, bytes) = self.file(folder)?;
        let temporary = folder.join(format!(".{FILE}.{}.tmp", std::process::id()));
        fs::write(&temporary, bytes)?;
        fs::rename(temporary, path)
    }

    /// The path of the file in the folder of a run, and what it holds.
    ///
    /// # Errors
    /// Never, in fact.
    pub fn file(&self, folder: &Path) -> io::Result<(PathBuf, Vec<u8>)> {
        let text = serde_json::to_string_pretty(self).map_err(io::Error::other)?;
        Ok((folder.join(FILE), (text + "\n").into_bytes()))
    }

    /// What the run in a folder was started with.
    ///
    /// # Errors
    /// Why it is not known.
    pub fn read(folder: &Path) -> Result<Self, String> {
        let path = folder.join(FILE);
        let text = fs::read(&path).map_err(|e| match e.kind() {
            ErrorKind::NotFound | ErrorKind::NotADirectory => {
                format!("`{}` is not the folder of a run", folder.display())
            }
            _ => format!("cannot read `{}`: {e}", path.display()),
        })?;
        serde_json::from_slice(&text)
            .map_err(|e| format!("`{}` does not say what run it is: {e}", path.display()))
    }

    /// Why a run in `folder` that was started so cannot go on as `now`: the first difference, in words.
    pub fn refused(&self, now: &Started, folder: &Path) -> Option<String> {
        let run = format!("the run in `{}`", folder.display());
        if self.finished {
            return Some(format!("{run} has finished, so there is nothing to resume"));
        }
        if self.format != now.format || self.machine != now.machine {
            return Some(format!(
                "{run} was started by another `mlc` (version {}), with another instruction set or with other passes; results \
                 could differ in the last bits, so it is not resumed",
                self.mlc
            ));
        }
        if self.pipeline != now.pipeline {
            return Some(format!(
                "{run} is of the pipeline `{}`, not of `{}`",
                self.pipeline, now.pipeline
            ));
        }
        let names = self.files.keys().chain(now.files.keys());
        if let Some(name) = { names }.find(|n| self.files.get(*n) != now.files.get(*n)) {
            return Some(format!(
                "`{name}` is not what it was when {run} started; start a new run, or put the file back"
            ));
        }
        if self.seed != now.seed {
            let (then, seed) = (self.seed, now.seed);
            return Some(format!(
                "{run} was started with `--seed {then}`, and is resumed with {seed}"
            ));
        }
        let names = self.sets.keys().chain(now.sets.keys());
        if let Some(name) = { names }.find(|n| self.sets.get(*n) != now.sets.get(*n)) {
            let said = |sets: &BTreeMap<String, String>| match sets.get(name) {
                Some(value) => format!("with `--set {name}={value}`"),
                None => format!("without `--set {name}`"),
            };
            let (then, now) = (said(&self.sets), said(&now.sets));
            return Some(format!("{run} was started {then}, and is resumed {now}"));
        }
        (self.stages != now.stages).then(|| {
            let said = |stages: &[String]| match stages {
                [] => "all stages".to_string(),
                some => format!("`{}`", some.join(" ")),
            };
            let (then, now) = (said(&self.stages), said(&now.stages));
            format!("{run} was started for {then}, and is resumed for {now}")
        })
    }
}
