//! What is kept of a finished stage: what it left, and what it told while it ran, to be told again.

use crate::checkpoint::Checkpoint;
use crate::digest::Digest;
use crate::log::{Log, Run};
use crate::tensor::{AlignedBytes, DType, HostTensor};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use std::rc::Rc;

/// What identifies what a stage left.
#[derive(Clone, Default, PartialEq, Debug, Serialize, Deserialize)]
pub struct Results {
    /// Of every slot in the version it left, by name.
    pub slots: BTreeMap<String, Digest>,
    pub logs: BTreeMap<String, Logged>,
    /// Was a value no number, which ended it?
    pub failed: bool,
}

/// All entries of a log.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Logged {
    pub digest: Digest,
    pub entries: usize,
}

/// Something a stage told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Happened {
    /// Values logged by steps in a row, of which it is told when the first was done; the form has their names.
    Steps {
        form: usize,
        steps: usize,
        /// Is each step an epoch?
        each: bool,
    },
    /// Values logged by a block, or when a value was no number.
    Block {
        form: usize,
    },
    Failed {
        form: usize,
    },
    /// Shown in the report.
    Shown(usize),
    Checkpoint(usize),
    /// Whether what the stage leaves may be used.
    Verdict(bool),
}

/// An output of a block, or of a `report` stage (then the block is 0).
#[derive(Clone, PartialEq, Debug)]
pub struct Shown {
    pub block: usize,
    pub item: usize,
    pub values: Vec<(String, HostTensor)>,
}

/// Named slots with their values.
type Slots = Vec<(String, Rc<HostTensor>)>;

/// A finished stage.
#[derive(Clone, PartialEq, Debug)]
pub struct Saved {
    pub key: Digest,
    /// The pipeline's path, for people.
    pub pipeline: String,
    pub stage: String,
    /// How long it took.
    pub seconds: f64,
    pub results: Results,
    /// What it wrote.
    pub slots: Slots,
    /// Entries by name, in order.
    pub logs: Vec<(String, Log)>,
    pub forms: Vec<Vec<String>>,
    /// What happened, with step and epoch, in order. The values of logs are the next entries of their names.
    pub happened: Vec<(Happened, usize, usize)>,
    pub shown: Vec<Shown>,
    /// By name: what the stage had written so far.
    pub checkpoints: Vec<(String, Slots)>,
    /// Sizes of batches that came up, and what identifies the step for each.
    pub sizes: Vec<(usize, Digest)>,
    /// The value that was no number.
    pub failed: Option<String>,
}

/// What a file says of itself.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct About {
    pub key: Digest,
    pub pipeline: String,
    pub stage: String,
    pub seconds: f64,
}

const ABOUT: &str = "about";
const REST: &str = "rest";

/// The names and shapes of tensors that stand one after another in the file.
#[derive(Serialize, Deserialize)]
struct Rest {
    results: Results,
    slots: Vec<String>,
    logs: Vec<LogHeader>,
    forms: Vec<Vec<String>>,
    shown: Vec<(usize, usize, Vec<String>)>,
    checkpoints: Vec<(String, Vec<String>)>,
    sizes: Vec<(usize, Digest)>,
    failed: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct LogHeader {
    name: String,
    /// Entries of equal shape, as they follow.
    runs: Vec<(usize, Vec<usize>)>,
}

impl About {
    pub(super) fn from_header(header: &[u8]) -> Option<Self> {
        let header: Value = serde_json::from_slice(header).ok()?;
        let about = header.get("__metadata__")?.get(ABOUT)?.as_str()?;
        serde_json::from_str(about).ok()
    }
}

impl Saved {
    /// The bytes of its tensors, about.
    pub fn bytes(&self) -> usize {
        let slots = |s: &Slots| s.iter().map(|s| s.1.bytes().len()).sum::<usize>();
        slots(&self.slots)
            + self.logs.iter().map(|l| l.1.bytes().len()).sum::<usize>()
            + self.checkpoints.iter().map(|c| slots(&c.1)).sum::<usize>()
            + self.shown.iter().map(Shown::bytes).sum::<usize>()
    }

    /// As tensors and metadata.
    ///
    /// # Errors
    /// If there is something that cannot be written so.
    pub fn to_checkpoint(&self) -> Result<Checkpoint, String> {
        let mut c = Checkpoint::default();
        let mut put = |name: String, t: Rc<HostTensor>| {
            c.tensors.insert(name, t);
        };
        let names = |s: &Slots| s.iter().map(|s| s.0.clone()).collect::<Vec<_>>();
        for (i, (_, t)) in self.slots.iter().enumerate() {
            put(format!("slot {i}"), t.clone());
        }
        let mut logs = Vec::new();
        for (i, (name, log)) in self.logs.iter().enumerate() {
            let dtype = log.runs().first().map_or(DType::F32, |r| r.dtype);
            if log.runs().iter().any(|r| r.dtype != dtype) {
                return Err("entries of several types".into());
            }
            let flat = vec![log.bytes().len() / dtype.size()];
            let bytes = AlignedBytes::copy_of(log.bytes());
            let t = HostTensor::from_bytes(dtype, flat, bytes).ok_or("half an element")?;
            put(format!("log {i}"), Rc::new(t));
            let runs = log.runs().iter();
            logs.push(LogHeader {
                name: name.clone(),
                runs: runs.map(|r| (r.entries, r.shape.clone())).collect(),
            });
        }
        for (i, s) in self.shown.iter().enumerate() {
            for (j, (_, t)) in s.values.iter().enumerate() {
                put(format!("shown {i} {j}"), Rc::new(t.clone()));
            }
        }
        for (i, (_, slots)) in self.checkpoints.iter().enumerate() {
            for (j, (_, t)) in slots.iter().enumerate() {
                put(format!("checkpoint {i} {j}"), t.clone());
            }
        }
        put("happened".into(), Rc::new(happened_tensor(&self.happened)?));
        let about = About {
            key: self.key,
            pipeline: self.pipeline.clone(),
            stage: self.stage.clone(),
            seconds: self.seconds,
        };
        let shown = self.shown.iter();
        let rest = Rest {
            results: self.results.clone(),
            slots: names(&self.slots),
            logs,
            forms: self.forms.clone(),
            shown: shown
                .map(|s| {
                    let names = s.values.iter().map(|v| v.0.clone()).collect();
                    (s.block, s.item, names)
                })
                .collect(),
            checkpoints: self
                .checkpoints
                .iter()
                .map(|(n, s)| (n.clone(), names(s)))
                .collect(),
            sizes: self.sizes.clone(),
            failed: self.failed.clone(),
        };
        let text = |t: serde_json::Result<String>| t.map_err(|e| e.to_string());
        c.metadata
            .insert(ABOUT.into(), text(serde_json::to_string(&about))?);
        c.metadata
            .insert(REST.into(), text(serde_json::to_string(&rest))?);
        Ok(c)
    }

    pub(super) fn from_bytes(bytes: &[u8], path: &Path) -> Result<Self, String> {
        Self::from_checkpoint(Checkpoint::from_bytes(bytes, path).map_err(|e| e.to_string())?)
    }

    /// What [`Self::to_checkpoint`] made.
    ///
    /// # Errors
    /// What is missing.
    pub fn from_checkpoint(mut c: Checkpoint) -> Result<Self, String> {
        let json = |key: &str| c.metadata.get(key).ok_or(format!("it has no `{key}`"));
        let about: About = serde_json::from_str(json(ABOUT)?).map_err(|e| e.to_string())?;
        let rest: Rest = serde_json::from_str(json(REST)?).map_err(|e| e.to_string())?;
        let mut take = |name: String| {
            let found = c.tensors.remove(&name);
            found.ok_or_else(|| format!("it has no `{name}`"))
        };
        let mut slots = Vec::new();
        for (i, name) in rest.slots.into_iter().enumerate() {
            slots.push((name, take(format!("slot {i}"))?));
        }
        let mut logs = Vec::new();
        for (i, header) in rest.logs.into_iter().enumerate() {
            let flat = take(format!("log {i}"))?;
            let log = header.log(&flat).ok_or("a log is of another length")?;
            logs.push((header.name, log));
        }
        let mut shown = Vec::new();
        for (i, (block, item, names)) in rest.shown.into_iter().enumerate() {
            let mut values = Vec::new();
            for (j, name) in names.into_iter().enumerate() {
                let t = take(format!("shown {i} {j}"))?;
                values.push((name, Rc::unwrap_or_clone(t)));
            }
            shown.push(Shown {
                block,
                item,
                values,
            });
        }
        let mut checkpoints = Vec::new();
        for (i, (name, names)) in rest.checkpoints.into_iter().enumerate() {
            let mut slots = Vec::new();
            for (j, slot) in names.into_iter().enumerate() {
                slots.push((slot, take(format!("checkpoint {i} {j}"))?));
            }
            checkpoints.push((name, slots));
        }
        let happened = take("happened".into())?;
        let happened = read_happened(&happened)?;
        let found = |h: &Happened| match *h {
            Happened::Steps { form, .. } | Happened::Block { form } | Happened::Failed { form } => {
                form < rest.forms.len()
            }
            Happened::Verdict(_) => true,
            Happened::Shown(i) => i < shown.len(),
            Happened::Checkpoint(i) => i < checkpoints.len(),
        };
        if !happened.iter().all(|h| found(&h.0)) {
            return Err("it refers to what is not in it".into());
        }
        Ok(Self {
            key: about.key,
            pipeline: about.pipeline,
            stage: about.stage,
            seconds: about.seconds,
            results: rest.results,
            slots,
            logs,
            forms: rest.forms,
            happened,
            shown,
            checkpoints,
            sizes: rest.sizes,
            failed: rest.failed,
        })
    }
}

impl Shown {
    pub(crate) fn bytes(&self) -> usize {
        self.values.iter().map(|v| v.1.bytes().len()).sum()
    }
}

impl LogHeader {
    /// The log of which these are all elements.
    fn log(&self, flat: &HostTensor) -> Option<Log> {
        let run = |(entries, shape): &(usize, Vec<usize>)| Run {
            entries: *entries,
            dtype: flat.dtype(),
            shape: shape.clone(),
        };
        Log::new(self.runs.iter().map(run).collect(), flat.bytes().to_vec())
    }
}

/// Rows of what, which, step, epoch, how many steps.
fn happened_tensor(happened: &[(Happened, usize, usize)]) -> Result<HostTensor, String> {
    let mut rows = Vec::with_capacity(happened.len() * ROW);
    for &(h, step, epoch) in happened {
        let (what, which, steps) = match h {
            Happened::Steps { form, steps, each } => (if each { 6 } else { 0 }, form, steps),
            Happened::Block { form } => (1, form, 0),
            Happened::Failed { form } => (2, form, 0),
            Happened::Shown(i) => (3, i, 0),
            Happened::Checkpoint(i) => (4, i, 0),
            Happened::Verdict(good) => (5, usize::from(good), 0),
        };
        for n in [what, which, step, epoch, steps] {
            rows.push(i32::try_from(n).map_err(|e| e.to_string())?);
        }
    }
    Ok(HostTensor::from_i32(&[happened.len(), ROW], &rows))
}

const ROW: usize = 5;

fn read_happened(t: &HostTensor) -> Result<Vec<(Happened, usize, usize)>, String> {
    if t.dtype() != DType::I32 || !t.len().is_multiple_of(ROW) {
        return Err("what happened is not written as it should be".into());
    }
    let row = |r: &[i32]| {
        let n = |i: usize| usize::try_from(r[i]).ok();
        let which = n(1)?;
        let h = match r[0] {
            what @ (0 | 6) => Happened::Steps {
                form: which,
                steps: n(4)?,
                each: what == 6,
            },
            1 => Happened::Block { form: which },
            2 => Happened::Failed { form: which },
            3 => Happened::Shown(which),
            4 => Happened::Checkpoint(which),
            5 => Happened::Verdict(which != 0),
            _ => return None,
        };
        Some((h, n(2)?, n(3)?))
    };
    let rows: Option<Vec<_>> = t.as_i32().chunks_exact(ROW).map(row).collect();
    rows.ok_or_else(|| "something unknown happened in it".to_string())
}
