//! Finished stages are kept, and told again instead of run again.

use super::parts::Parts;
use super::run::Pipeline;
use super::stage::Values;
use super::store::Version;
use super::{Event, Observer, RunError};
use crate::cache::{Happened, History, Missing, Past, Saved, Shown};
use crate::digest::Digest;
use crate::tensor::HostTensor;
use mlc_compiler::program::{Program, ReportItem, SlotId, StageProgram};
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

/// Named slots with their values.
type Slots = Vec<(String, Rc<HostTensor>)>;

/// What a stage tells while it runs. The values it logs are in the store.
pub struct Recording {
    /// What it starts from.
    start: Version,
    forms: Vec<Vec<String>>,
    happened: Vec<(Happened, usize, usize)>,
    shown: Vec<Shown>,
    checkpoints: Vec<(String, Slots)>,
    sizes: Vec<(usize, Digest)>,
    failed: Option<String>,
    /// Of what is shown and in checkpoints.
    bytes: usize,
    /// Is there too much to hold, or something that cannot be known again?
    given_up: bool,
}

/// A stage that holds more than this for its checkpoints and pictures is not kept.
const MOST: usize = 1 << 30;

/// How values come to be logged.
#[derive(Clone, Copy)]
pub enum Told<'a> {
    Step,
    /// By an `every` block, or a stage that computes once.
    Block,
    /// The last entries of a stage that ended because this value was no number.
    Failed(&'a str),
}

impl Recording {
    fn new(start: Version) -> Self {
        Self {
            start,
            forms: Vec::new(),
            happened: Vec::new(),
            shown: Vec::new(),
            checkpoints: Vec::new(),
            sizes: Vec::new(),
            failed: None,
            bytes: 0,
            given_up: false,
        }
    }

    /// Which form these values have.
    fn form(&mut self, values: &[(String, HostTensor)]) -> usize {
        let same = |form: &Vec<String>| form.iter().eq(values.iter().map(|v| &v.0));
        self.forms.iter().position(same).unwrap_or_else(|| {
            self.forms
                .push(values.iter().map(|v| v.0.clone()).collect());
            self.forms.len() - 1
        })
    }

    fn hold(&mut self, bytes: usize) {
        self.bytes += bytes;
        if self.bytes > MOST {
            self.given_up = true;
            self.shown.clear();
            self.checkpoints.clear();
        }
    }
}

impl Pipeline {
    /// Logs values: tells of them, writes them to the metrics, keeps them for later stages.
    pub(super) fn tell(
        &mut self,
        stage: usize,
        told: Told,
        (step, epoch): (usize, usize),
        values: Values,
        observer: &mut dyn Observer,
    ) -> Result<(), RunError> {
        if let Some(r) = &mut self.recording {
            let form = r.form(&values);
            let happened = match told {
                Told::Step => Happened::Step { form },
                Told::Block => Happened::Block { form },
                Told::Failed(value) => {
                    r.failed = Some(value.to_string());
                    Happened::Failed { form }
                }
            };
            r.happened.push((happened, step, epoch));
        }
        let name = self.session.stages()[stage].name.clone();
        let (stage_name, values_told) = (name.as_str(), values.as_slice());
        match told {
            Told::Step => observer.event(&Event::Step {
                stage: stage_name,
                step,
                epoch,
                values: values_told,
            }),
            Told::Block if values.is_empty() => {}
            Told::Block => observer.event(&Event::Log {
                stage: stage_name,
                step,
                epoch,
                values: values_told,
            }),
            Told::Failed(value) => {
                self.failed.push(stage);
                observer.event(&Event::Failed {
                    stage: stage_name,
                    step,
                    value,
                });
            }
        }
        self.record(stage, &name, step, epoch, values)
    }

    /// Notes what is shown in the report.
    pub(super) fn note_shown(&mut self, block: usize, item: usize, step: usize, values: &Values) {
        let Some(r) = &mut self.recording else { return };
        let values = values.clone();
        let shown = Shown {
            block,
            item,
            values,
        };
        r.hold(shown.bytes());
        r.happened.push((Happened::Shown(r.shown.len()), step, 0));
        r.shown.push(shown);
    }

    /// The stage did something that is not told again.
    pub(super) fn give_up_recording(&mut self) {
        if let Some(r) = &mut self.recording {
            r.given_up = true;
        }
    }

    /// Notes a verdict.
    pub(super) fn note_verdict(&mut self, good: bool) {
        if let Some(r) = &mut self.recording {
            r.happened.push((Happened::Verdict(good), 0, 0));
        }
    }

    /// Notes a checkpoint: what the stage has changed so far.
    pub(super) fn note_checkpoint(&mut self, name: &str, step: usize, version: &Version) {
        let Some(r) = &mut self.recording else { return };
        let slots = changed(version, &r.start, |id| {
            self.session.slots()[id.0 as usize].name.clone()
        });
        r.hold(slots.iter().map(|s| s.1.bytes().len()).sum());
        r.happened
            .push((Happened::Checkpoint(r.checkpoints.len()), step, 0));
        r.checkpoints.push((name.to_string(), slots));
    }

    /// Notes a step for batches of a size that came up.
    pub(super) fn note_size(&mut self, stage: usize, size: usize, p: &Program) {
        if self.recording.is_none() {
            return;
        }
        let digest = self.step_digest(stage, p);
        let Some(r) = &mut self.recording else { return };
        match digest {
            Some(d) => r.sizes.push((size, d)),
            None => r.given_up = true,
        }
    }

    pub(super) fn start_recording(&mut self, version: &Version) {
        self.recording = Some(Recording::new(version.clone()));
    }

    /// The kept result of a stage that is determined by `parts`, if it is sound.
    pub(super) fn find_kept(
        &mut self,
        stage: usize,
        program: &StageProgram,
        parts: &Parts,
        observer: &mut dyn Observer,
    ) -> Result<Option<Saved>, RunError> {
        let Some(cache) = self.options.cache.clone() else {
            return Ok(None);
        };
        let key = parts.key();
        let name = self.session.stages()[stage].name.clone();
        let mut trouble = |what: String| observer.event(&Event::Trouble { what: &what });
        let saved = match cache.read(&key) {
            Ok(saved) => saved,
            Err(Missing::Absent) => return Ok(None),
            Err(Missing::Damaged(why)) => {
                let path = cache.path(&key);
                let path = path.display();
                trouble(format!(
                    "the kept result of `{name}` is damaged ({why}), so the stage runs again: `{path}`"
                ));
                return Ok(None);
            }
            Err(Missing::Unreadable(e)) => {
                let path = cache.path(&key);
                let path = path.display();
                trouble(format!(
                    "the kept result of `{name}` cannot be read, so the stage runs again: `{path}`: {e}"
                ));
                return Ok(None);
            }
        };
        // The steps for the sizes that came up must be those of now. This also makes what they refer to known.
        for (size, digest) in &saved.sizes {
            let StageProgram::Train(plan) = program else {
                return Ok(None);
            };
            let Ok(step) = self.session.lower_size(stage, &plan.step, *size) else {
                return Ok(None);
            };
            self.run_inits(observer)?;
            if self.step_digest(stage, &step) != Some(*digest) {
                return Ok(None);
            }
        }
        Ok(Some(saved))
    }

    /// What a stage did, from its kept result: all that it told, and what it leaves.
    pub(super) fn retell(
        &mut self,
        stage: usize,
        program: &StageProgram,
        saved: &Saved,
        version: &mut Version,
        observer: &mut dyn Observer,
    ) -> Result<(), RunError> {
        let name = self.session.stages()[stage].name.clone();
        let wrong = || {
            RunError::Environment(format!(
                "internal error: the kept result of `{name}` does not fit it"
            ))
        };
        observer.event(&Event::Reused {
            stage: &name,
            seconds: saved.seconds,
        });
        let by_name: HashMap<String, SlotId> = self
            .session
            .slots()
            .iter()
            .enumerate()
            .map(|(i, s)| (s.name.clone(), SlotId(i as u32)))
            .collect();
        let put = |slots: &Slots, version: &mut Version| {
            for (slot, t) in slots {
                let id = *by_name.get(slot).ok_or_else(wrong)?;
                version.slots.insert(id, t.clone());
            }
            Ok::<(), RunError>(())
        };
        let mut next: BTreeMap<&str, std::slice::Iter<HostTensor>> = saved
            .logs
            .iter()
            .map(|(n, entries)| (n.as_str(), entries.iter()))
            .collect();
        for &(happened, step, epoch) in &saved.happened {
            let mut values = |form: usize| {
                let one = |n: &String| {
                    let t = next.get_mut(n.as_str()).and_then(Iterator::next);
                    t.map(|t| (n.clone(), t.clone()))
                };
                let found: Option<Values> = saved.forms[form].iter().map(one).collect();
                found.ok_or_else(wrong)
            };
            let at = (step, epoch);
            match happened {
                Happened::Step { form } => {
                    self.tell(stage, Told::Step, at, values(form)?, observer)?;
                }
                Happened::Block { form } => {
                    self.tell(stage, Told::Block, at, values(form)?, observer)?;
                }
                Happened::Failed { form } => {
                    let value = saved.failed.as_deref().ok_or_else(wrong)?;
                    self.tell(stage, Told::Failed(value), at, values(form)?, observer)?;
                }
                Happened::Shown(i) => {
                    let shown = &saved.shown[i];
                    let item = item_of(program, shown).ok_or_else(wrong)?;
                    let title = shown_title(program, item, step);
                    self.show_values(item, &title, &shown.values)?;
                }
                Happened::Verdict(good) => self.pronounce(stage, good, observer),
                Happened::Checkpoint(i) => {
                    let (name, slots) = &saved.checkpoints[i];
                    let mut then = version.clone();
                    put(slots, &mut then)?;
                    self.checkpoint(name, &then)?;
                }
            }
        }
        put(&saved.slots, version)
    }

    /// Remembers a stage that was told again.
    pub(super) fn keep_retold(&mut self, stage: usize, parts: Parts, saved: Saved) {
        let past = Past {
            key: saved.key,
            parts,
            results: saved.results.clone(),
            seconds: saved.seconds,
        };
        self.results.insert(stage, saved.results);
        self.past.insert(saved.stage, past);
    }

    /// Keeps what a stage left, if that is worth it, and remembers what determined it.
    pub(super) fn keep_stage(
        &mut self,
        stage: usize,
        parts: Option<Parts>,
        version: &Version,
        seconds: f64,
        observer: &mut dyn Observer,
    ) {
        let recording = self.recording.take();
        let (Some(parts), Some(cache)) = (parts, self.options.cache.clone()) else {
            return;
        };
        let results = self.results_of(stage, version);
        self.results.insert(stage, results.clone());
        let name = self.session.stages()[stage].name.clone();
        let past = Past {
            key: parts.key(),
            parts,
            results: results.clone(),
            seconds,
        };
        let key = past.key;
        self.past.insert(name.clone(), past);
        let Some(r) = recording.filter(|r| !r.given_up) else {
            return;
        };
        let slots = changed(version, &r.start, |id| {
            self.session.slots()[id.0 as usize].name.clone()
        });
        let logs = self.store.logs(stage);
        let entries = logs.iter().flat_map(|l| &l.1);
        let bytes = r.bytes
            + slots.iter().map(|s| s.1.bytes().len()).sum::<usize>()
            + entries.map(|t| t.bytes().len()).sum::<usize>();
        if !cache.worth(seconds, bytes) {
            return;
        }
        let saved = Saved {
            key,
            pipeline: self.path.display().to_string(),
            stage: name,
            seconds,
            results,
            slots,
            logs: logs.to_vec(),
            forms: r.forms,
            happened: r.happened,
            shown: r.shown,
            checkpoints: r.checkpoints,
            sizes: r.sizes,
            failed: r.failed,
        };
        let written = cache
            .write(&saved)
            .and_then(|()| History::remember(&cache, &self.path, &self.past, false));
        self.cache_trouble(written, observer);
    }

    /// Remembers what determined the stages that ran.
    pub(super) fn remember(&mut self, whole: bool, observer: &mut dyn Observer) {
        if let Some(cache) = &self.options.cache
            && !self.past.is_empty()
        {
            let written = History::remember(cache, &self.path, &self.past, whole);
            self.cache_trouble(written, observer);
        }
    }

    /// A cache that cannot be written to is told of once, and not written to again.
    fn cache_trouble(&mut self, written: std::io::Result<()>, observer: &mut dyn Observer) {
        let (Err(e), Some(cache)) = (written, &self.options.cache) else {
            return;
        };
        let folder = cache.folder().display();
        let what = format!("results of stages cannot be kept in `{folder}`: {e}");
        observer.event(&Event::Trouble { what: &what });
        self.options.cache = None;
    }
}

/// What a version has otherwise than the one it came from.
fn changed(version: &Version, start: &Version, name: impl Fn(SlotId) -> String) -> Slots {
    let same = |id: &SlotId, t: &Rc<HostTensor>| {
        let old = start.slots.get(id);
        old.is_some_and(|old| Rc::ptr_eq(old, t))
    };
    let written = version.slots.iter().filter(|(id, t)| !same(id, t));
    let mut slots: Slots = written.map(|(id, t)| (name(*id), t.clone())).collect();
    slots.sort_by(|a, b| a.0.cmp(&b.0));
    slots
}

fn item_of<'a>(program: &'a StageProgram, shown: &Shown) -> Option<&'a ReportItem> {
    match program {
        StageProgram::Train(plan) => plan.every.get(shown.block)?.shown.get(shown.item),
        StageProgram::Report(items) => items.get(shown.item),
        StageProgram::Compute(_) => None,
    }
}

/// What stands above a picture.
pub(super) fn shown_title(program: &StageProgram, item: &ReportItem, step: usize) -> String {
    match program {
        StageProgram::Train(_) => format!("{}, step {step}", item.title),
        _ => item.title.clone(),
    }
}
