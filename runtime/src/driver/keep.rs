//! Finished stages are kept, and told again instead of run again.

use super::parts::Parts;
use super::run::Pipeline;
use super::stage::Values;
use super::store::Version;
use super::{Event, Observer, RunError};
use crate::cache::{Happened, History, Missing, Past, Results, Saved, Shown};
use crate::digest::Digest;
use crate::log::{Column, Reader, Stretch};
use crate::tensor::HostTensor;
use mlc_compiler::program::{Every, Program, ReportItem, SlotId, StageProgram};
use std::collections::BTreeMap;
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
    /// Were there more checkpoints and pictures than are held?
    pub too_much: bool,
}

/// A stage that holds more than this for its checkpoints and pictures is not kept.
const MOST: usize = 1 << 30;

/// How values come to be logged, other than by steps.
#[derive(Clone, Copy)]
pub enum Told<'a> {
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
            too_much: false,
        }
    }

    /// Is all of it here, so that what the stage leaves may be kept for other runs?
    pub fn is_whole(&self) -> bool {
        !self.given_up && self.checkpoints.is_empty()
    }

    /// What happened, without checkpoints, which are files of the run, and without pictures that are not held.
    fn happened_besides(&self) -> Vec<(Happened, usize, usize)> {
        let told = |h: &Happened| match h {
            Happened::Checkpoint(_) => false,
            Happened::Shown(_) => !self.too_much,
            _ => true,
        };
        let all = self.happened.iter().copied();
        all.filter(|h| told(&h.0)).collect()
    }

    /// Which form values of these names have.
    fn form<'a>(&mut self, names: impl Iterator<Item = &'a String> + Clone) -> usize {
        let same = |form: &Vec<String>| form.iter().eq(names.clone());
        self.forms.iter().position(same).unwrap_or_else(|| {
            self.forms.push(names.clone().cloned().collect());
            self.forms.len() - 1
        })
    }

    /// Notes steps, with those before them if they go on from them.
    fn stepped(&mut self, form: usize, new: &Stretch) {
        let epochs = |steps: usize| if new.each { steps } else { 0 };
        if let Some((
            Happened::Steps {
                form: f,
                steps,
                each,
            },
            step,
            epoch,
        )) = self.happened.last_mut()
            && (*f, *each) == (form, new.each)
            && (*step + *steps, *epoch + epochs(*steps)) == (new.step, new.epoch)
        {
            *steps += new.steps;
            return;
        }
        let steps = Happened::Steps {
            form,
            steps: new.steps,
            each: new.each,
        };
        self.happened.push((steps, new.step, new.epoch));
    }

    fn hold(&mut self, bytes: usize) {
        self.bytes += bytes;
        if self.bytes > MOST {
            self.given_up = true;
            self.too_much = true;
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
            let form = r.form(values.iter().map(|v| &v.0));
            let happened = match told {
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

    /// Logs what steps in a row logged, as [`Self::tell`] does.
    pub(super) fn tell_steps(
        &mut self,
        stage: usize,
        steps: Stretch,
        observer: &mut dyn Observer,
    ) -> Result<(), RunError> {
        if let Some(r) = &mut self.recording {
            let form = r.form(steps.columns.iter().map(|c| &c.name));
            r.stepped(form, &steps);
        }
        let name = self.session.stages()[stage].name.clone();
        observer.event(&Event::Steps {
            stage: &name,
            steps: &steps,
        });
        self.store.log_steps(stage, &steps);
        if let (Some(m), false) = (&mut self.metrics, steps.columns.is_empty()) {
            m.write_steps(&name, steps)
                .map_err(|e| RunError::Environment(e.to_string()))?;
        }
        Ok(())
    }

    /// Notes what is shown in the report.
    pub(super) fn note_shown(&mut self, block: usize, item: usize, step: usize, values: &Values) {
        let Some(r) = &mut self.recording else { return };
        if r.too_much {
            return;
        }
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
        let slots = self.changed_since_start(version);
        let Some(r) = &mut self.recording else { return };
        if r.too_much {
            return;
        }
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
            Some(_) if r.sizes.iter().any(|s| s.0 == size) => {}
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
        let fits = self.sizes_fit(stage, program, &saved, observer)?;
        Ok(fits.then_some(saved))
    }

    /// The steps for the sizes that came up must be those of now. This also makes what they refer to known.
    pub(super) fn sizes_fit(
        &mut self,
        stage: usize,
        program: &StageProgram,
        saved: &Saved,
        observer: &mut dyn Observer,
    ) -> Result<bool, RunError> {
        for (size, digest) in &saved.sizes {
            let StageProgram::Train(plan) = program else {
                return Ok(false);
            };
            let Ok(step) = self.session.lower_size(stage, &plan.step, *size) else {
                return Ok(false);
            };
            self.run_inits(observer)?;
            if self.step_digest(stage, &step) != Some(*digest) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// What a stage that runs has written and told so far. The numbers of what happened stay those of `recording`.
    pub(super) fn told_so_far(
        &self,
        stage: usize,
        recording: &Recording,
        key: Digest,
        seconds: f64,
        version: &Version,
    ) -> Saved {
        Saved {
            key,
            pipeline: self.path.display().to_string(),
            stage: self.session.stages()[stage].name.clone(),
            seconds,
            results: Results::default(),
            slots: self.changed_since_start(version),
            logs: self.store.logs(stage).to_vec(),
            forms: recording.forms.clone(),
            happened: recording.happened_besides(),
            shown: recording.shown.clone(),
            checkpoints: Vec::new(),
            sizes: recording.sizes.clone(),
            failed: recording.failed.clone(),
        }
    }

    /// What a version has otherwise than the one that the stage started from.
    pub(super) fn changed_since_start(&self, version: &Version) -> Slots {
        let name = |id: SlotId| self.session.slots()[id.0 as usize].name.clone();
        match &self.recording {
            Some(r) => changed(version, &r.start, name),
            None => changed(version, &Version::default(), name),
        }
    }

    /// What a stage did, from its kept result: all that it told, and what it leaves. `showing` is what it shows.
    pub(super) fn retell(
        &mut self,
        stage: usize,
        showing: Showing,
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
        let mut next: BTreeMap<&str, _> = saved
            .logs
            .iter()
            .map(|(n, log)| (n.as_str(), log.reader()))
            .collect();
        for &(happened, step, epoch) in &saved.happened {
            let mut values = |form: usize| {
                let one = |n: &String| {
                    let entry = next.get_mut(n.as_str())?.take(1)?;
                    Some((n.clone(), entry.tensor()))
                };
                let found: Option<Values> = saved.forms[form].iter().map(one).collect();
                found.ok_or_else(wrong)
            };
            let at = (step, epoch);
            match happened {
                Happened::Steps { form, steps, each } => {
                    let mut done = 0;
                    while done < steps {
                        let names = &saved.forms[form];
                        let told = next_steps(&mut next, names, steps - done).ok_or_else(wrong)?;
                        let told = Stretch {
                            step: step + done,
                            epoch: epoch + if each { done } else { 0 },
                            each,
                            ..told
                        };
                        done += told.steps;
                        self.tell_steps(stage, told, observer)?;
                    }
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
                    let item = showing.item(shown).ok_or_else(wrong)?;
                    let title = showing.title(item, step);
                    self.note_shown(shown.block, shown.item, step, &shown.values);
                    self.show_values(item, &title, &shown.values)?;
                }
                Happened::Verdict(good) => self.pronounce(stage, good, observer),
                Happened::Checkpoint(i) => {
                    let (name, slots) = &saved.checkpoints[i];
                    let mut then = version.clone();
                    self.put_slots(slots, &mut then).ok_or_else(wrong)?;
                    self.checkpoint(name, &then)?;
                }
            }
        }
        self.put_slots(&saved.slots, version).ok_or_else(wrong)
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
        let recorded = self.recording.is_some();
        let Some(parts) = parts else {
            self.recording = None;
            return;
        };
        let slots = match recorded {
            true => self.changed_since_start(version),
            false => Slots::new(),
        };
        let recording = self.recording.take();
        let results = self.results_of(stage, version);
        self.results.insert(stage, results.clone());
        let name = self.session.stages()[stage].name.clone();
        let past = Past {
            key: parts.key(),
            parts: parts.clone(),
            results: results.clone(),
            seconds,
        };
        let key = past.key;
        self.past.insert(name.clone(), past);
        let Some(r) = recording else { return };
        if !r.too_much {
            let mut saved = self.told_so_far(stage, &r, key, seconds, version);
            saved.slots.clone_from(&slots);
            saved.results.clone_from(&results);
            self.saved_finished(parts, saved, observer);
        }
        let Some(cache) = self.options.cache.clone().filter(|_| !r.given_up) else {
            return;
        };
        let logs = self.store.logs(stage);
        let bytes = r.bytes
            + slots.iter().map(|s| s.1.bytes().len()).sum::<usize>()
            + logs.iter().map(|l| l.1.bytes().len()).sum::<usize>();
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

/// What the next steps logged under these names: as many steps as logged values of one type, at most so many.
fn next_steps(next: &mut BTreeMap<&str, Reader>, names: &[String], most: usize) -> Option<Stretch> {
    let left = |n: &String| next.get(n.as_str()).map(Reader::left);
    let left = names.iter().map(left).collect::<Option<Vec<usize>>>()?;
    let steps = left.into_iter().chain([most]).min().filter(|&n| n > 0)?;
    let column = |name: &String| {
        let entries = next.get_mut(name.as_str())?.take(steps)?;
        Some(Column {
            name: name.clone(),
            dtype: entries.dtype,
            shape: entries.shape.to_vec(),
            bytes: entries.bytes.to_vec(),
        })
    };
    Some(Stretch {
        steps,
        columns: names.iter().map(column).collect::<Option<_>>()?,
        ..Stretch::default()
    })
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

/// What a stage shows in the report.
#[derive(Clone, Copy)]
pub enum Showing<'a> {
    Blocks(&'a [Every]),
    Items(&'a [ReportItem]),
}

impl<'a> Showing<'a> {
    pub fn of(program: &'a StageProgram) -> Self {
        match program {
            StageProgram::Train(plan) => Showing::Blocks(&plan.every),
            StageProgram::Report(items) => Showing::Items(items),
            StageProgram::Compute(_) => Showing::Items(&[]),
        }
    }

    fn item(self, shown: &Shown) -> Option<&'a ReportItem> {
        match self {
            Showing::Blocks(every) => every.get(shown.block)?.shown.get(shown.item),
            Showing::Items(items) => items.get(shown.item),
        }
    }

    /// What stands above a picture.
    fn title(self, item: &ReportItem, step: usize) -> String {
        match self {
            Showing::Blocks(_) => format!("{}, step {step}", item.title),
            Showing::Items(_) => item.title.clone(),
        }
    }
}
