//! What each stage of a pipeline was determined by when it ran last, so that `mlc plan` can say what changed, and foresee
//! what follows from stages that are too short to be kept.
//!
//! Does not: decide what is reused. A history that is lost, or that another run wrote over, costs words only.

use super::{Cache, Results, write_whole};
use crate::digest::Digest;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

/// A stage when it ran last. `P` is what determined it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Past<P> {
    pub key: Digest,
    pub parts: P,
    pub results: Results,
    pub seconds: f64,
}

/// The stages of a pipeline when they ran last, by name.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct History<P> {
    pub pipeline: String,
    pub stages: BTreeMap<String, Past<P>>,
}

/// Stages that are remembered of a pipeline; those with arguments may be many.
const MOST: usize = 4096;

impl<P: Serialize + for<'a> Deserialize<'a> + Clone> History<P> {
    fn path(cache: &Cache, pipeline: &Path) -> PathBuf {
        let whole = pipeline
            .canonicalize()
            .unwrap_or_else(|_| pipeline.to_path_buf());
        let name = Digest::of(whole.as_os_str().as_encoded_bytes());
        cache.folder().join("last").join(format!("{name}.json"))
    }

    /// What is remembered of a pipeline: nothing where there is nothing that can be read.
    pub fn load(cache: &Cache, pipeline: &Path) -> Self {
        let text = std::fs::read(Self::path(cache, pipeline)).unwrap_or_default();
        Self::read(&text, pipeline)
    }

    fn read(text: &[u8], pipeline: &Path) -> Self {
        serde_json::from_slice(text).unwrap_or_else(|_| Self {
            pipeline: pipeline.display().to_string(),
            stages: BTreeMap::new(),
        })
    }

    /// Adds stages to what is remembered. With `whole`, they are all there are.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn remember(
        cache: &Cache,
        pipeline: &Path,
        stages: &BTreeMap<String, Past<P>>,
        whole: bool,
    ) -> io::Result<()> {
        let path = Self::path(cache, pipeline);
        let before = std::fs::read(&path).unwrap_or_default();
        let mut history = Self::read(&before, pipeline);
        if whole || history.stages.len() + stages.len() > MOST {
            history.stages.clear();
        }
        history.stages.extend(stages.clone());
        let text = serde_json::to_vec(&history).map_err(io::Error::other)?;
        if text == before {
            return Ok(());
        }
        write_whole(&path, &[&text])
    }
}
