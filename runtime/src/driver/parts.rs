//! What determines what a stage leaves, so that a result can be used again.
//!
//! Note [What is in a key]
//! A stage is a function of its programs and of the values they read, and both are at hand when it starts: so the key is
//! made of contents, not of the text they come from. An edit that leaves a stage's graphs and inputs as they were does not
//! reach it, and a stage whose result comes out as before does not reach those after it. The seed counts where something
//! reads it. Matrix products differ in the last bits between instruction sets, so the one in use counts; the number of
//! threads changes nothing. The program `mlc` itself counts, too.

use super::run::Pipeline;
use super::store::Version;
use crate::cache::Results;
use crate::digest::{Digest, Feed};
use crate::kernels;
use crate::tensor::HostTensor;
use mlc_compiler::ir::fingerprint;
use mlc_compiler::program::{Program, Sink, SlotId, SlotKind, Source, StageProgram, TrainPlan};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};
use std::rc::Rc;

/// See Note [What is in a key].
#[derive(Clone, Default, PartialEq, Debug, Serialize, Deserialize)]
pub struct Parts {
    /// This very `mlc`, its instruction set and its passes.
    pub machine: Option<Digest>,
    /// If something reads it.
    pub seed: Option<u64>,
    pub code: Option<Digest>,
    /// Values read from files, by name.
    pub data: BTreeMap<String, Digest>,
    /// First values, by the slot's name.
    pub first: BTreeMap<String, Digest>,
    /// What the stages before it left: by stage and name.
    pub before: BTreeMap<String, BTreeMap<String, Digest>>,
}

impl Parts {
    pub fn key(&self) -> Digest {
        let mut f = Feed::default();
        (self.machine, self.seed, self.code).hash(&mut f);
        (&self.data, &self.first, &self.before).hash(&mut f);
        f.digest()
    }
}

/// This build of `mlc`: another one may compute otherwise.
fn build() -> Digest {
    let mut f = Feed::default();
    env!("CARGO_PKG_VERSION").hash(&mut f);
    let file = std::env::current_exe().and_then(std::fs::metadata);
    if let Ok(m) = file {
        (m.len(), m.modified().ok()).hash(&mut f);
    }
    f.digest()
}

impl Pipeline {
    pub(super) fn machine(&mut self) -> Digest {
        let (engine, known) = (&self.options.engine, self.machine);
        let machine = known.unwrap_or_else(|| {
            let mut f = Feed::default();
            (build(), kernels::vector() as u8).hash(&mut f);
            (engine.interpret, &engine.disabled).hash(&mut f);
            f.digest()
        });
        self.machine = Some(machine);
        machine
    }

    /// What determines a stage. Nothing if it is not known what a stage before it leaves.
    pub(super) fn parts(&mut self, stage: usize, program: &StageProgram) -> Option<Parts> {
        let mut parts = Parts {
            machine: Some(self.machine()),
            code: Some(self.code(stage, program)),
            ..Parts::default()
        };
        let mut shuffled = false;
        if let StageProgram::Train(plan) = program {
            shuffled = plan.batching.as_ref().is_some_and(|b| b.shuffle);
        }
        let programs = programs(program);
        self.read_by(&mut parts, stage, &programs)?;
        let reads_seed = |p: &&Program| p.sources.contains(&Source::Seed);
        if shuffled || programs.iter().any(reads_seed) {
            parts.seed = Some(self.options.seed);
        }
        let seeded = self.seeded(stage).ok()?;
        for (id, t) in seeded.slots {
            let name = format!("seeded.{}", self.session.slots()[id.0 as usize].name);
            parts.first.insert(name, Digest::of_tensor(&t));
        }
        Some(parts)
    }

    /// The programs of a stage, and how they are put together.
    pub(super) fn code(&self, stage: usize, program: &StageProgram) -> Digest {
        let mut f = Feed::default();
        let info = &self.session.stages()[stage];
        (&info.name, info.kind, self.session.is_applied(stage)).hash(&mut f);
        match program {
            StageProgram::Train(plan) => self.plan_code(plan, &mut f),
            StageProgram::Compute(p) => self.program_code(p, &mut f),
            StageProgram::Report(items) => {
                items.len().hash(&mut f);
                for item in items {
                    (&item.kind, &item.title, item.columns, &item.text).hash(&mut f);
                    self.program_code(&item.program, &mut f);
                }
            }
        }
        f.digest()
    }

    fn plan_code(&self, plan: &TrainPlan, f: &mut Feed) {
        if let Some(b) = &plan.batching {
            (b.rows, b.size, b.shuffle, b.drop_last).hash(f);
        }
        (plan.batching.is_some(), plan.count, plan.unit as u8).hash(f);
        if let Some(k) = &plan.keep {
            (k.lowest, k.before, &k.log).hash(f);
        }
        (plan.keep.is_some(), plan.every.len(), plan.skip).hash(f);
        for p in [&plan.start, &plan.remainder, &plan.verdict] {
            p.is_some().hash(f);
            p.iter().for_each(|p| self.program_code(p, f));
        }
        plan.size.is_some().hash(f);
        if let Some(size) = &plan.size {
            self.program_code(&size.program, f);
        }
        self.program_code(&plan.step, f);
        for e in &plan.every {
            (e.count, e.unit as u8, e.checkpoint, e.shown.len()).hash(f);
            for item in &e.shown {
                (&item.kind, &item.title, item.columns, &item.text).hash(f);
            }
            self.program_code(&e.program, f);
        }
    }

    fn program_code(&self, p: &Program, f: &mut Feed) {
        let slot = |id: &SlotId| &self.session.slots()[id.0 as usize].name;
        fingerprint::feed(&p.graph, f);
        p.sources.len().hash(f);
        for s in &p.sources {
            match s {
                Source::Seed => 0.hash(f),
                Source::Step => 1.hash(f),
                Source::Rows => 2.hash(f),
                Source::Slot(id) => (3, slot(id)).hash(f),
                Source::StageSlot(stage, id) => {
                    (4, &self.session.stages()[*stage].name, slot(id)).hash(f);
                }
                Source::StageLog(stage, log) => {
                    (5, &self.session.stages()[*stage].name, log).hash(f);
                }
                Source::RowsOf(id) => (6, slot(id)).hash(f),
            }
        }
        p.sinks.len().hash(f);
        for s in &p.sinks {
            match s {
                Sink::Slot(id) => (0, slot(id)).hash(f),
                Sink::Value(name) => (1, name).hash(f),
                Sink::Stop => 2.hash(f),
                Sink::Keep => 3.hash(f),
                Sink::Verdict => 5.hash(f),
                Sink::Export(e) => (6, &e.file, e.format as u8, &e.name, e.drawn).hash(f),
                Sink::Show(item, name) => (4, item, name).hash(f),
            }
        }
    }

    /// Adds the values that programs read when the stage starts.
    fn read_by(&mut self, parts: &mut Parts, stage: usize, programs: &[&Program]) -> Option<()> {
        let after = self.session.stages()[stage].after.clone();
        for source in programs.iter().flat_map(|p| &p.sources).collect::<Vec<_>>() {
            match source {
                Source::Seed | Source::Step | Source::Rows => {}
                Source::RowsOf(id) => self.rows_read(parts, *id)?,
                Source::Slot(id) => self.slot_read(parts, &after, *id)?,
                Source::StageSlot(from, id) => {
                    let name = &self.session.slots()[id.0 as usize].name;
                    let found = self.results.get(from)?.slots.get(name).copied();
                    match found {
                        Some(d) => self.came_before(parts, *from, &name.clone(), d)?,
                        None => self.slot_read(parts, &[], *id)?,
                    }
                }
                Source::StageLog(from, log) => {
                    let d = self.results.get(from)?.logs.get(log)?.digest;
                    self.came_before(parts, *from, &format!("log.{log}"), d)?;
                }
            }
        }
        Some(())
    }

    fn slot_read(&mut self, parts: &mut Parts, after: &[usize], id: SlotId) -> Option<()> {
        let slot = self.session.slots()[id.0 as usize].clone();
        for &stage in after {
            if let Some(&d) = self.results.get(&stage)?.slots.get(&slot.name) {
                return self.came_before(parts, stage, &slot.name, d);
            }
        }
        let slots = self.session.slots();
        // The stage's own states have no value yet.
        let found = self.store.read(&Version::default(), id, slots, &self.data);
        if let Some(t) = found {
            let d = self.digest_of(&t);
            let of = match slot.kind {
                SlotKind::Data(_) => &mut parts.data,
                _ => &mut parts.first,
            };
            of.insert(slot.name, d);
        }
        Some(())
    }

    /// What is on disk is identified by all of its file. Nothing if that cannot be read any more: the stage will say so.
    fn rows_read(&mut self, parts: &mut Parts, id: SlotId) -> Option<()> {
        let slot = &self.session.slots()[id.0 as usize];
        let SlotKind::OnDisk { data, first } = slot.kind else {
            return None;
        };
        let file = self.data.borrow().on_disk[data as usize].clone();
        let mut f = Feed::default();
        (file.digest().ok()?, first, &slot.ty.shape).hash(&mut f);
        parts.data.insert(slot.name.clone(), f.digest());
        Some(())
    }

    fn came_before(&self, parts: &mut Parts, stage: usize, name: &str, d: Digest) -> Option<()> {
        let title = self.session.stages()[stage].name.clone();
        let of = parts.before.entry(title).or_default();
        of.insert(name.to_string(), d);
        // Values of a stage that failed may be no numbers.
        if self.results.get(&stage)?.failed {
            of.insert("failed".into(), Digest::of(b"failed"));
        }
        Some(())
    }

    /// What identifies the step for another size of batch: its graph and what it reads.
    pub(super) fn step_digest(&mut self, stage: usize, p: &Program) -> Option<Digest> {
        let mut f = Feed::default();
        self.program_code(p, &mut f);
        let mut parts = Parts {
            code: Some(f.digest()),
            ..Parts::default()
        };
        self.read_by(&mut parts, stage, &[p])?;
        Some(parts.key())
    }

    /// Tensors that last are digested once. They are kept meanwhile, so that none takes another's place.
    pub(super) fn digest_of(&mut self, t: &Rc<HostTensor>) -> Digest {
        let at = Rc::as_ptr(t);
        self.digests
            .entry(at)
            .or_insert_with(|| (t.clone(), Digest::of_tensor(t)))
            .1
    }

    /// What identifies what a stage left.
    pub(super) fn results_of(&mut self, stage: usize, version: &Version) -> Results {
        let mut results = Results {
            failed: self.failed.contains(&stage),
            ..Results::default()
        };
        for (id, t) in &version.slots {
            let name = self.session.slots()[id.0 as usize].name.clone();
            results.slots.insert(name, self.digest_of(t));
        }
        for (name, log) in self.store.logs(stage) {
            let mut f = Feed::default();
            for run in log.runs() {
                (run.entries, run.dtype, &run.shape).hash(&mut f);
            }
            f.write(log.bytes());
            let logged = crate::cache::Logged {
                digest: f.digest(),
                entries: log.len(),
            };
            results.logs.insert(name.clone(), logged);
        }
        results
    }
}

/// All programs of a stage.
fn programs(program: &StageProgram) -> Vec<&Program> {
    match program {
        StageProgram::Train(plan) => {
            let mut all = vec![&plan.step];
            all.extend(&plan.start);
            all.extend(&plan.remainder);
            all.extend(&plan.verdict);
            all.extend(plan.size.as_ref().map(|s| &s.program));
            all.extend(plan.every.iter().map(|e| &e.program));
            all
        }
        StageProgram::Compute(p) => vec![p],
        StageProgram::Report(items) => items.iter().map(|i| &i.program).collect(),
    }
}
