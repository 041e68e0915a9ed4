//! The checkpoint that a run is resumed from: one stage, finished or between two of its steps, in one safetensors file.
//!
//! Keeps: a file is there whole or not at all; its checksum covers everything; a reader knows of which stage it is.

use super::parts::Parts;
use super::started::FORMAT;
use crate::cache::Saved;
use crate::checkpoint::{Checkpoint, CheckpointError};
use crate::tensor::HostTensor;
use mlc_compiler::progress::Progress;
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::rc::Rc;

/// Named slots with their values.
pub type Slots = Vec<(String, Rc<HostTensor>)>;

/// A stage as it is saved.
pub struct Snapshot {
    /// What determines it.
    pub parts: Parts,
    /// What it told and wrote so far.
    pub saved: Saved,
    /// May what it leaves be kept for other runs, or are things missing that it told?
    pub whole: bool,
    /// Were its pictures too many to be saved?
    pub without_pictures: bool,
    /// Where it is; nothing if it has finished.
    pub going: Option<Going>,
}

/// Between two steps.
pub struct Going {
    pub at: Progress,
    /// The best snapshot so far: what it was chosen by, and what the stage had written then.
    pub best: Option<(f64, Slots)>,
    /// Steps that were skipped, in all and in a row.
    pub skipped: (usize, usize),
}

/// The metadata's entry with what is no tensor.
const HEADER: &str = "run";

#[derive(Serialize, Deserialize)]
struct Header {
    format: u32,
    mlc: String,
    parts: Parts,
    whole: bool,
    without_pictures: bool,
    going: Option<Place>,
}

#[derive(Serialize, Deserialize)]
struct Place {
    steps: usize,
    epochs: usize,
    rows: usize,
    offset: usize,
    /// The bits of the number, and the names of the slots.
    best: Option<(u64, Vec<String>)>,
    skipped: (usize, usize),
}

impl Snapshot {
    /// Writes the file, replacing one of that name in one step.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn write(&self, path: &Path) -> Result<(), String> {
        let mut c = self.saved.to_checkpoint()?;
        let place = |g: &Going| Place {
            steps: g.at.steps,
            epochs: g.at.epochs,
            rows: g.at.rows,
            offset: g.at.offset,
            best: g.best.as_ref().map(|(value, slots)| {
                let names = slots.iter().map(|s| s.0.clone());
                (value.to_bits(), names.collect())
            }),
            skipped: g.skipped,
        };
        let best = self.going.as_ref().and_then(|g| g.best.as_ref());
        for (i, (_, t)) in best.iter().flat_map(|b| &b.1).enumerate() {
            c.tensors.insert(format!("best {i}"), t.clone());
        }
        let header = Header {
            format: FORMAT,
            mlc: env!("CARGO_PKG_VERSION").into(),
            parts: self.parts.clone(),
            whole: self.whole,
            without_pictures: self.without_pictures,
            going: self.going.as_ref().map(place),
        };
        let header = serde_json::to_string(&header).map_err(|e| e.to_string())?;
        c.metadata.insert(HEADER.into(), header);
        c.write_sealed(path).map_err(|e| e.to_string())
    }

    /// Reads a file back.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(path: &Path) -> Result<Self, String> {
        let mut c = Checkpoint::read_sealed(path).map_err(|e| match e {
            CheckpointError::Damaged { reason, .. } => reason,
            other => other.to_string(),
        })?;
        let header = c.metadata.remove(HEADER).ok_or("it is of no run")?;
        let header: Header = serde_json::from_str(&header).map_err(|e| e.to_string())?;
        if header.format != FORMAT {
            return Err(format!("it has the format {}", header.format));
        }
        let mut going = None;
        if let Some(p) = header.going {
            let mut best = None;
            if let Some((bits, names)) = p.best {
                let mut slots = Slots::new();
                for (i, name) in names.into_iter().enumerate() {
                    let t = c.tensors.remove(&format!("best {i}"));
                    slots.push((name, t.ok_or("a tensor is missing")?));
                }
                best = Some((f64::from_bits(bits), slots));
            }
            let at = Progress {
                steps: p.steps,
                epochs: p.epochs,
                rows: p.rows,
                offset: p.offset,
            };
            going = Some(Going {
                at,
                best,
                skipped: p.skipped,
            });
        }
        Ok(Self {
            parts: header.parts,
            saved: Saved::from_checkpoint(c)?,
            whole: header.whole,
            without_pictures: header.without_pictures,
            going,
        })
    }
}
