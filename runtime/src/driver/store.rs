//! Slots' values. Each stage works on a version of its own, so that what an earlier stage left stays readable.

use super::Data;
use crate::log::{Entry, Log, Stretch};
use crate::tensor::HostTensor;
use mlc_compiler::program::{Slot, SlotId, SlotKind};
use std::collections::HashMap;
use std::rc::Rc;

/// Values of slots: first values, and what each finished stage left.
#[derive(Default)]
pub struct Store {
    first: HashMap<SlotId, Rc<HostTensor>>,
    /// By stage; only slots that the stage, or one before it, wrote.
    left: HashMap<usize, HashMap<SlotId, Rc<HostTensor>>>,
    /// By stage and name: one entry for each time it was logged.
    logs: HashMap<usize, Vec<(String, Log)>>,
}

/// The version of the slots that a stage works on.
#[derive(Default, Clone)]
pub struct Version {
    pub slots: HashMap<SlotId, Rc<HostTensor>>,
}

impl Store {
    /// The value of a slot in a version, or its first value, or what was read from a file.
    pub fn read(
        &self,
        version: &Version,
        id: SlotId,
        slots: &[Slot],
        data: &Data,
    ) -> Option<Rc<HostTensor>> {
        if let Some(t) = version.slots.get(&id).or_else(|| self.first.get(&id)) {
            return Some(t.clone());
        }
        match slots[id.0 as usize].kind {
            SlotKind::Data(n) => data.borrow().tensors.get(n as usize).cloned(),
            _ => None,
        }
    }

    pub fn read_stage(
        &self,
        stage: usize,
        id: SlotId,
        slots: &[Slot],
        data: &Data,
    ) -> Option<Rc<HostTensor>> {
        let empty = Version::default();
        match self.left.get(&stage).and_then(|v| v.get(&id)) {
            Some(t) => Some(t.clone()),
            None => self.read(&empty, id, slots, data),
        }
    }

    pub fn set_first(&mut self, id: SlotId, t: Rc<HostTensor>) {
        self.first.insert(id, t);
    }

    /// Where a stage starts: what the stages in its `after` left. Where two left the same slot differently, the slot
    /// and the stages are the error.
    pub fn start(&self, after: &[usize]) -> Result<Version, (SlotId, [usize; 2])> {
        let mut version = Version::default();
        for stage in after {
            for (id, t) in self.left.get(stage).into_iter().flatten() {
                if version
                    .slots
                    .insert(*id, t.clone())
                    .is_some_and(|old| *old != **t)
                {
                    let by = |s: &&usize| self.left.get(s).is_some_and(|l| l.contains_key(id));
                    let first = after.iter().find(by).unwrap_or(stage);
                    return Err((*id, [*first, *stage]));
                }
            }
        }
        Ok(version)
    }

    pub fn finish(&mut self, stage: usize, version: Version) {
        self.left.insert(stage, version.slots);
    }

    pub fn log(&mut self, stage: usize, name: &str, value: &HostTensor) {
        self.log_of(stage, name).push(Entry::of(value));
    }

    /// Logs what steps in a row logged.
    pub fn log_steps(&mut self, stage: usize, steps: &Stretch) {
        for c in &steps.columns {
            let log = self.log_of(stage, &c.name);
            log.append(c.dtype, &c.shape, steps.steps, &c.bytes);
        }
    }

    fn log_of(&mut self, stage: usize, name: &str) -> &mut Log {
        let logs = self.logs.entry(stage).or_default();
        let known = logs.iter().position(|l| l.0 == name);
        let at = known.unwrap_or_else(|| {
            logs.push((name.to_string(), Log::default()));
            logs.len() - 1
        });
        &mut logs[at].1
    }

    /// What a stage logged, by name, in order of first appearance.
    pub fn logs(&self, stage: usize) -> &[(String, Log)] {
        self.logs.get(&stage).map_or(&[], Vec::as_slice)
    }

    /// All entries of a log in one tensor.
    pub fn log_tensor(&self, stage: usize, name: &str) -> Option<HostTensor> {
        let log = self.logs(stage).iter().find(|l| l.0 == name)?;
        log.1.tensor()
    }
}
