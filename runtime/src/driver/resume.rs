//! A run saves where it is, and goes on from there.
//!
//! Note [What is saved when]
//! Everything that a stage computes follows from what determines it, so a checkpoint may be old, or missing: what came after
//! it is computed again, to the same bits. So a run writes at most every so many seconds, and then all that it has not
//! written yet: the stages that have finished since, and the one that runs, between two of its steps. A stage that took less
//! than `SHORT` is rather run again. Writing never takes more than a fiftieth of the time. The last two checkpoints of the
//! running stage stay, so that a damaged one costs a little time and nothing else.
//!
//! Note [What is told again]
//! A checkpoint holds all that its stage has logged and shown, and a resumed run tells it again. So the files of the run come
//! out as if it had never ended. The tensors that `every .. { checkpoint }` wrote are not in it: they are files of the run.

use super::parts::Parts;
use super::plan::Why;
use super::run::{Pipeline, RunOptions};
use super::snapshot::{Going, Slots, Snapshot};
use super::started::{FORMAT, Started};
use super::store::Version;
use super::{Event, Observer, RunError};
use crate::cache::Saved;
use crate::digest::Digest;
use crate::metrics::MetricsWriter;
use crate::rundir::RunDir;
use crate::shuffle::hash_name;
use mlc_compiler::progress::Progress;
use std::cell::Cell;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// When a run saves where it is.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Saves {
    /// When so many have passed since the last time, and a step ends.
    Seconds(f64),
    /// After so many steps of a stage.
    Steps(usize),
    /// Only when it is asked to stop.
    Never,
}

impl Default for Saves {
    fn default() -> Self {
        Saves::Seconds(30.0)
    }
}

/// Finished stages that took less than this many seconds are not saved.
const SHORT: f64 = 0.1;

/// Writing takes at most this share of the time.
const SHARE: f64 = 0.02;

/// The folder of checkpoints in the folder of the run.
const FOLDER: &str = "checkpoints";

/// What a run has to save, and where.
pub struct Saver {
    folder: PathBuf,
    started: Started,
    /// Is what the run was started with on the disk?
    noted: Cell<bool>,
    /// Is the run one that goes on?
    again: bool,
    last: Instant,
    took: Duration,
    /// Finished stages that are not saved yet.
    pending: Vec<Snapshot>,
    running: Option<Running>,
}

/// The stage that runs.
struct Running {
    parts: Parts,
    start: Instant,
    /// Seconds that it ran before the run was resumed.
    before: f64,
}

impl Saver {
    fn new(folder: &Path, started: Started, again: bool) -> Self {
        Self {
            folder: folder.join(FOLDER),
            started,
            noted: Cell::new(again),
            again,
            last: Instant::now(),
            took: Duration::ZERO,
            pending: Vec::new(),
            running: None,
        }
    }

    /// The checkpoints of a stage, the latest first; the number of steps comes last in a name, unless it has finished.
    fn files_of(&self, stage: &str) -> Vec<PathBuf> {
        let start = file_start(stage);
        let entries = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let mut found: Vec<(usize, PathBuf)> = entries
            .filter_map(|e| {
                let path = e.path();
                let name = path.file_name()?.to_str()?;
                let rest = name.strip_prefix(&start)?.strip_suffix(ENDING)?;
                let steps = match rest {
                    DONE => usize::MAX,
                    steps => steps.parse().ok()?,
                };
                Some((steps, path))
            })
            .collect();
        found.sort_by_key(|f| std::cmp::Reverse(f.0));
        found.into_iter().map(|f| f.1).collect()
    }

    fn write(&self, snapshot: &Snapshot) -> Result<(), String> {
        fs::create_dir_all(&self.folder)
            .map_err(|e| format!("cannot make `{}`: {e}", self.folder.display()))?;
        if let (false, Some(run)) = (self.noted.get(), self.folder.parent()) {
            let noted = self.started.write(run);
            noted.map_err(|e| format!("cannot write to `{}`: {e}", run.display()))?;
            self.noted.set(true);
        }
        let stage = &snapshot.saved.stage;
        let last = match &snapshot.going {
            Some(g) => g.at.steps.to_string(),
            None => DONE.into(),
        };
        let path = self
            .folder
            .join(format!("{}{last}{ENDING}", file_start(stage)));
        snapshot.write(&path)?;
        let left = if snapshot.going.is_some() { 2 } else { 1 };
        for old in self.files_of(stage).into_iter().skip(left) {
            // It costs some space if it stays.
            let _ = fs::remove_file(old);
        }
        Ok(())
    }
}

const DONE: &str = "done";

const ENDING: &str = ".safetensors";

/// What the names of a stage's checkpoints start with: its name as far as a file may have it, and what tells it apart.
fn file_start(stage: &str) -> String {
    let plain = |c: char| if c.is_alphanumeric() { c } else { '_' };
    let readable: String = stage.chars().map(plain).take(40).collect();
    format!("{readable}-{:08x}-", hash_name(stage) as u32)
}

/// Is there the folder of a run that has not finished?
fn is_unfinished(folder: &Path) -> bool {
    Started::read(folder).is_ok_and(|s| !s.finished)
}

impl Pipeline {
    /// Makes the run's folder, into which everything is written from here on. `stages` are those that were asked for.
    ///
    /// # Errors
    /// If it cannot be made or written to, or if another run writes to it.
    pub fn write_to(
        &mut self,
        out: Option<&Path>,
        pipeline: &Path,
        stages: &[String],
    ) -> Result<PathBuf, RunError> {
        let name = pipeline.display().to_string();
        let dir = RunDir::create(out, &name).map_err(|e| RunError::Environment(e.to_string()))?;
        let path = dir.path().to_path_buf();
        let started = self.started(pipeline, stages);
        started.note(&path).map_err(|e| cannot_write(&path, &e))?;
        // What an earlier run left in the folder is not this one's.
        remove_checkpoints(&path);
        let metrics = MetricsWriter::create(&dir.file("metrics.jsonl"));
        self.begin(dir, metrics, pipeline)?;
        self.saver = Some(Saver::new(&path, started, false));
        Ok(path)
    }

    /// Takes the folder of a run that ended early, or the newest of this pipeline; the run goes on from what it saved.
    ///
    /// # Errors
    /// If there is none, if it was started with something else, if another run writes to it.
    pub fn resume(
        &mut self,
        folder: Option<&Path>,
        pipeline: &Path,
        stages: &[String],
    ) -> Result<PathBuf, RunError> {
        let name = pipeline.display().to_string();
        let dir = match folder {
            Some(folder) => Started::read(folder).map(|_| RunDir::open(folder)),
            None => Ok(RunDir::newest(&name, is_unfinished)),
        };
        let dir = dir
            .and_then(|d| d.map_err(|e| e.to_string()))
            .map_err(RunError::Environment)?;
        let path = dir.path().to_path_buf();
        let started = self.started(pipeline, stages);
        let refused = Started::read(&path).map(|then| then.refused(&started, &path));
        if let Some(why) = refused.unwrap_or_else(Some) {
            return Err(RunError::Environment(why));
        }
        remove_unfinished_files(&path);
        remove_unfinished_files(&path.join(FOLDER));
        let metrics = MetricsWriter::again(&dir.file("metrics.jsonl"));
        self.begin(dir, metrics, pipeline)?;
        self.saver = Some(Saver::new(&path, started, true));
        Ok(path)
    }

    fn started(&mut self, pipeline: &Path, stages: &[String]) -> Started {
        let root = pipeline.parent().unwrap_or(Path::new(""));
        let inside = |name: &str| {
            let path = Path::new(name).strip_prefix(root);
            path.map_or(name.to_string(), |p| p.display().to_string())
        };
        let texts = self.session.sources().files();
        // Texts of `--set` are told of as such.
        let files = texts.filter(|f| !f.0.starts_with("--set "));
        let file = pipeline.file_name().unwrap_or_default();
        Started {
            format: FORMAT,
            mlc: env!("CARGO_PKG_VERSION").into(),
            pipeline: file.to_string_lossy().into_owned(),
            files: files
                .map(|(name, text)| (inside(name), Digest::of(text.as_bytes())))
                .collect(),
            seed: self.options.seed,
            sets: self.sets.iter().cloned().collect(),
            stages: stages.to_vec(),
            finished: false,
            machine: self.machine(),
        }
    }

    /// What a resumed run saved of a stage, the latest that is sound.
    pub(super) fn find_saved(
        &mut self,
        stage: usize,
        parts: &Parts,
        observer: &mut dyn Observer,
    ) -> Result<Option<Snapshot>, RunError> {
        let name = self.session.stages()[stage].name.clone();
        let Some(saver) = self.saver.as_ref().filter(|s| s.again) else {
            return Ok(None);
        };
        for path in saver.files_of(&name) {
            let shown = path.display();
            match Snapshot::read(&path) {
                Ok(s) if s.parts == *parts && s.saved.stage == name => return Ok(Some(s)),
                Ok(s) => {
                    let why = because(&parts.changed(&s.parts));
                    return Err(RunError::Environment(format!(
                        "the checkpoint `{shown}` does not fit the stage `{name}` of this run: {why}"
                    )));
                }
                Err(why) => observer.event(&Event::Trouble {
                    what: &format!(
                        "the checkpoint `{shown}` cannot be used ({why}); the run goes on from what was saved before it"
                    ),
                }),
            }
        }
        Ok(None)
    }

    /// Notes which stage runs.
    pub(super) fn start_running(&mut self, parts: &Parts, before: f64) {
        if let Some(saver) = &mut self.saver {
            saver.running = Some(Running {
                parts: parts.clone(),
                start: Instant::now(),
                before,
            });
        }
    }

    /// Seconds that the stage ran before the run was resumed.
    pub(super) fn ran_before(&self) -> f64 {
        let running = self.saver.as_ref().and_then(|s| s.running.as_ref());
        running.map_or(0.0, |r| r.before)
    }

    /// Notes that the stage that runs has finished, and saves it if it is time.
    pub(super) fn saved_finished(
        &mut self,
        parts: Parts,
        saved: Saved,
        observer: &mut dyn Observer,
    ) {
        let when = self.options.saves;
        let Some(saver) = &mut self.saver else { return };
        saver.running = None;
        let long = saved.seconds >= SHORT || matches!(when, Saves::Steps(_));
        if !long || when == Saves::Never {
            return;
        }
        saver.pending.push(Snapshot {
            parts,
            saved,
            whole: true,
            without_pictures: false,
            going: None,
        });
        if self.is_time(None) {
            self.save_or_tell(None, observer);
        }
    }

    /// Is it time to save, after a step or between two stages?
    pub(super) fn is_time(&self, at: Option<&Progress>) -> bool {
        let Some(saver) = &self.saver else {
            return false;
        };
        match (self.options.saves, at) {
            (Saves::Never, _) => false,
            (Saves::Steps(n), Some(at)) => at.steps.is_multiple_of(n.max(1)),
            (Saves::Steps(_), None) => true,
            (Saves::Seconds(s), _) => {
                let least = saver.took.as_secs_f64() / SHARE;
                saver.last.elapsed().as_secs_f64() >= s.max(least)
            }
        }
    }

    /// Saves where the run is. That this fails is told, and the run goes on.
    pub(super) fn save_or_tell(&mut self, going: Option<Now>, observer: &mut dyn Observer) {
        if let Err(why) = self.save(going) {
            let what = format!("the run goes on, but where it is cannot be saved: {why}");
            observer.event(&Event::Trouble { what: &what });
        }
    }

    /// Saves where the run is: `going` is the stage that runs, between two steps.
    pub(super) fn save(&mut self, going: Option<Now>) -> Result<(), String> {
        let snapshot = going.and_then(|now| self.snapshot(now));
        let Some(saver) = &mut self.saver else {
            return Ok(());
        };
        let start = Instant::now();
        let pending = std::mem::take(&mut saver.pending);
        let mut written = pending.iter().try_for_each(|s| saver.write(s));
        if written.is_err() {
            saver.pending = pending;
        } else if let Some(s) = &snapshot {
            written = saver.write(s);
        }
        saver.took = start.elapsed();
        saver.last = Instant::now();
        written
    }

    fn snapshot(&self, now: Now) -> Option<Snapshot> {
        let running = self.saver.as_ref()?.running.as_ref()?;
        let recording = self.recording.as_ref()?;
        let seconds = running.before + running.start.elapsed().as_secs_f64();
        let best = now
            .best
            .map(|(value, version)| (value, self.changed_since_start(version)));
        Some(Snapshot {
            parts: running.parts.clone(),
            saved: self.told_so_far(
                now.stage,
                recording,
                running.parts.key(),
                seconds,
                now.version,
            ),
            whole: recording.is_whole(),
            without_pictures: recording.too_much,
            going: Some(Going {
                at: now.at,
                best,
                skipped: now.skipped,
            }),
        })
    }

    /// Puts values of slots, by name, into a version.
    pub(super) fn put_slots(&self, slots: &Slots, version: &mut Version) -> Option<()> {
        let known = self.session.slots();
        let by_name: std::collections::HashMap<&str, u32> = known
            .iter()
            .enumerate()
            .map(|(i, s)| (s.name.as_str(), i as u32))
            .collect();
        for (name, t) in slots {
            let id = mlc_compiler::program::SlotId(*by_name.get(name.as_str())?);
            version.slots.insert(id, t.clone());
        }
        Some(())
    }

    /// The file that says that the run has written everything.
    pub(super) fn finished(&mut self) -> Result<Option<(PathBuf, Vec<u8>)>, RunError> {
        let Some(saver) = &mut self.saver else {
            return Ok(None);
        };
        let Some(folder) = saver.folder.parent() else {
            return Ok(None);
        };
        saver.started.finished = true;
        let file = saver.started.file(folder);
        file.map(Some).map_err(|e| cannot_write(folder, &e))
    }

    /// The run has written everything: it needs its checkpoints no more.
    pub(super) fn end_saving(&mut self) {
        let saver = self.saver.take();
        if let Some(folder) = saver.as_ref().and_then(|s| s.folder.parent()) {
            remove_checkpoints(folder);
        }
    }

    /// Has the run been asked to stop?
    pub(super) fn asked_to_stop(&self) -> bool {
        let RunOptions { stop, .. } = &self.options;
        stop.is_some_and(super::StopFlag::is_set)
    }

    /// Ends the run between two stages if it has been asked to.
    pub(super) fn stop_if_asked(&mut self) -> Result<(), RunError> {
        if !self.asked_to_stop() {
            return Ok(());
        }
        self.save(None).map_err(RunError::Environment)?;
        Err(RunError::Interrupted {
            checkpoint: None,
            resumable: self.resumable(),
        })
    }

    /// The folder that the run may be resumed in.
    pub(super) fn resumable(&self) -> Option<PathBuf> {
        let saver = self.saver.as_ref()?;
        saver.folder.parent().map(Path::to_path_buf)
    }
}

/// Where a stage is, for saving it.
pub struct Now<'a> {
    pub stage: usize,
    pub at: Progress,
    pub version: &'a Version,
    /// The best snapshot so far, and what it was chosen by.
    pub best: Option<(f64, &'a Version)>,
    /// Steps that were skipped, in all and in a row.
    pub skipped: (usize, usize),
}

/// Why a checkpoint does not fit.
fn because(why: &Why) -> String {
    let list = |names: &[String]| format!("`{}`", names.join("`, `"));
    match why {
        Why::Data(names) => format!("the data {} changed since it was written", list(names)),
        Why::Before(names) => format!("what {} left is not what it was", list(names)),
        Why::First(names) => format!("the first value of {} is not what it was", list(names)),
        Why::Machine => "it is of another `mlc`".into(),
        Why::Seed => "it is of another seed".into(),
        _ => "it is of other code".into(),
    }
}

fn cannot_write(folder: &Path, e: &std::io::Error) -> RunError {
    RunError::Environment(format!("cannot write to `{}`: {e}", folder.display()))
}

/// Removes the checkpoints of a run, so far as the system lets it: they cost space only.
fn remove_checkpoints(folder: &Path) {
    let _ = fs::remove_dir_all(folder.join(FOLDER));
}

/// Removes what a run that was killed had begun to write.
fn remove_unfinished_files(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with('.') && name.ends_with(".tmp") {
            let _ = fs::remove_file(entry.path());
        }
    }
}
