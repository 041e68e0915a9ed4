//! The folder that a run writes to: `runs/<pipeline>/<UTC time>` unless the user names one.
//!
//! Keeps: two runs that start in the same second get two folders; one run at a time writes to a folder; nothing is written
//! through a link to a place outside of it.
//! Does not: delete or clean up anything.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// The folder of a run could not be made, found or written to.
#[derive(Debug, thiserror::Error)]
pub enum RunDirError {
    /// The system refused.
    #[error("cannot use `{}` as the folder of the run: {source}", path.display())]
    System {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another run has it.
    #[error("another run is writing to `{}`", .0.display())]
    Taken(PathBuf),
    /// What would be written to lies elsewhere.
    #[error(
        "`{}` is a link that leads out of the folder of the run; remove it, or name another folder by `--out`",
        .0.display()
    )]
    Link(PathBuf),
    /// No folder under this one is that of a run to be resumed.
    #[error("there is no unfinished run under `{}`; name its folder: `--resume DIR`", .0.display())]
    NoneLeft(PathBuf),
}

/// A folder that exists and can be written to. No other run has it as long as this lives.
#[derive(Debug)]
pub struct RunDir {
    path: PathBuf,
    /// The system gives it up when the process ends, however it ends.
    _lock: Option<File>,
}

impl RunDir {
    /// Makes the folder of a run of `pipeline` (its name, or the path of its file): `explicit` if
    /// given, which may exist already, else a new one under `runs/`.
    pub fn create(explicit: Option<&Path>, pipeline: &str) -> Result<Self, RunDirError> {
        Self::create_under(Path::new(RUNS), explicit, pipeline, SystemTime::now())
    }

    fn create_under(
        runs: &Path,
        explicit: Option<&Path>,
        pipeline: &str,
        now: SystemTime,
    ) -> Result<Self, RunDirError> {
        let path = match explicit {
            Some(path) => {
                fs::create_dir_all(path).map_err(|source| error(path, source))?;
                path.to_path_buf()
            }
            None => {
                let path = create_new(&runs.join(folder_name(pipeline)), &format_compact(now))?;
                // Nothing is in a folder that has just been made, and whoever made it may write to it.
                let _lock = lock(&path)?;
                return Ok(RunDir { path, _lock });
            }
        };
        Self::open(&path)
    }

    /// Takes a folder that is there.
    ///
    /// # Errors
    /// If another run has it, if it cannot be written to, or if something in it leads out of it.
    pub fn open(path: &Path) -> Result<Self, RunDirError> {
        let lock = lock(path)?;
        check_links(path)?;
        check_writable(path).map_err(|source| error(path, source))?;
        Ok(RunDir {
            path: path.to_path_buf(),
            _lock: lock,
        })
    }

    /// Takes the folder of the newest run of `pipeline` under `runs/` of which `unfinished` holds and that goes on nowhere.
    ///
    /// # Errors
    /// If there is none, or the only ones are running.
    pub fn newest(pipeline: &str, unfinished: impl Fn(&Path) -> bool) -> Result<Self, RunDirError> {
        Self::newest_under(&Path::new(RUNS).join(folder_name(pipeline)), unfinished)
    }

    fn newest_under(
        parent: &Path,
        unfinished: impl Fn(&Path) -> bool,
    ) -> Result<Self, RunDirError> {
        let mut found: Vec<PathBuf> = match fs::read_dir(parent) {
            Ok(entries) => entries.filter_map(|e| Some(e.ok()?.path())).collect(),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(source) => return Err(error(parent, source)),
        };
        found.retain(|p| p.is_dir() && unfinished(p));
        // The second and later runs of one second have a number after the time.
        found.sort_by_key(|p| {
            let name = p.file_name().unwrap_or_default().to_string_lossy();
            let (time, nth) = name.split_at_checked(15).unwrap_or((&name, ""));
            let nth = nth.trim_start_matches('-').parse().unwrap_or(1u32);
            (time.to_string(), nth)
        });
        let mut taken = None;
        for path in found.into_iter().rev() {
            match Self::open(&path) {
                Err(RunDirError::Taken(path)) => taken = taken.or(Some(path)),
                other => return other,
            }
        }
        Err(taken.map_or_else(
            || RunDirError::NoneLeft(parent.to_path_buf()),
            RunDirError::Taken,
        ))
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The path of a file in the folder.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }
}

/// Where folders of runs are made, below the present folder.
const RUNS: &str = "runs";

fn error(path: &Path, source: io::Error) -> RunDirError {
    RunDirError::System {
        path: path.to_path_buf(),
        source,
    }
}

/// Locks the folder itself, so that no file of its own is needed for it. Nothing where the system has no such locks.
fn lock(path: &Path) -> Result<Option<File>, RunDirError> {
    if cfg!(not(unix)) {
        return Ok(None);
    }
    let folder = File::open(path).map_err(|source| error(path, source))?;
    match folder.try_lock() {
        Ok(()) => Ok(Some(folder)),
        Err(fs::TryLockError::WouldBlock) => Err(RunDirError::Taken(path.to_path_buf())),
        // Some network file systems lock nothing, or files only.
        Err(fs::TryLockError::Error(_)) => Ok(None),
    }
}

/// Refuses links in the folder that lead out of it: a run that writes through one would change what is not its own.
fn check_links(path: &Path) -> Result<(), RunDirError> {
    let whole = path.canonicalize().map_err(|source| error(path, source))?;
    for entry in fs::read_dir(path).map_err(|source| error(path, source))? {
        let entry = entry.map_err(|source| error(path, source))?;
        let is_link = entry.file_type().is_ok_and(|t| t.is_symlink());
        let inside = || {
            let target = entry.path().canonicalize();
            target.is_ok_and(|t| t.starts_with(&whole))
        };
        if is_link && !inside() {
            return Err(RunDirError::Link(entry.path()));
        }
    }
    Ok(())
}

/// Makes `parent/name`, or `parent/name-2` and so on if that was there before.
fn create_new(parent: &Path, name: &str) -> Result<PathBuf, RunDirError> {
    fs::create_dir_all(parent).map_err(|source| error(parent, source))?;
    let mut path = parent.join(name);
    let mut n_tries = 1u32;
    loop {
        match fs::create_dir(&path) {
            Ok(()) => return Ok(path),
            Err(source) if source.kind() == io::ErrorKind::AlreadyExists => {
                n_tries += 1;
                path = parent.join(format!("{name}-{n_tries}"));
            }
            Err(source) => return Err(error(&path, source)),
        }
    }
}

/// Asks the system by trying: permissions alone do not tell.
fn check_writable(path: &Path) -> io::Result<()> {
    let probe = path.join(format!(".write-test-{}", std::process::id()));
    File::create(&probe)?;
    fs::remove_file(&probe)
}

/// The name of the pipeline without folders and extension, as a name that any file system takes and
/// that stays inside the folder of runs.
fn folder_name(pipeline: &str) -> String {
    let stem = Path::new(pipeline)
        .file_stem()
        .map(|stem| stem.to_string_lossy().into_owned());
    let keep = |c: char| {
        if c.is_alphanumeric() || "-_.".contains(c) {
            c
        } else {
            '_'
        }
    };
    let name: String = stem
        .unwrap_or_default()
        .chars()
        .map(keep)
        .take(80)
        .collect();
    let name = name.trim_matches('.');
    if name.is_empty() {
        "pipeline".to_string()
    } else {
        name.to_string()
    }
}

/// A point in time as `20260131-142530`, in UTC.
pub fn format_compact(time: SystemTime) -> String {
    let utc = Utc::from(time);
    let Utc {
        year,
        month,
        day,
        hour,
        minute,
        second,
    } = utc;
    format!("{year:04}{month:02}{day:02}-{hour:02}{minute:02}{second:02}")
}

/// A point in time as `2026-01-31 14:25:30 UTC`.
pub fn format_readable(time: SystemTime) -> String {
    let utc = Utc::from(time);
    let Utc {
        year,
        month,
        day,
        hour,
        minute,
        second,
    } = utc;
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} UTC")
}

struct Utc {
    year: u64,
    month: u64,
    day: u64,
    hour: u64,
    minute: u64,
    second: u64,
}

impl From<SystemTime> for Utc {
    fn from(time: SystemTime) -> Self {
        // A clock set before 1970 is as good as one that stands at 1970.
        let seconds = time
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_secs());
        let (day_number, second) = (seconds / 86_400, seconds % 86_400);
        let (year, month, day) = civil_date(day_number);
        Utc {
            year,
            month,
            day,
            hour: second / 3600,
            minute: second / 60 % 60,
            second: second % 60,
        }
    }
}

/// The date in the Gregorian calendar `day_number` days after 1970-01-01.
///
/// Years are counted from 1 March, which puts the leap day last: the calendar then repeats every
/// 146,097 days (400 years), and the month follows from the day of the year by a linear formula, since
/// from March on every five months have 153 days.
fn civil_date(day_number: u64) -> (u64, u64, u64) {
    // 719,468 days lie between 0000-03-01 and 1970-01-01.
    let days = day_number + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let leap_days = day_of_era / 1460 + day_of_era / 146_096 - day_of_era / 36_524;
    let year_of_era = (day_of_era - leap_days) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    (400 * era + year_of_era + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds)
    }

    #[test]
    fn times_are_formatted_in_utc() {
        assert_eq!(format_compact(at(0)), "19700101-000000");
        assert_eq!(format_compact(at(951_782_400)), "20000229-000000");
        assert_eq!(format_compact(at(1_769_869_530)), "20260131-142530");
        assert_eq!(
            format_readable(at(4_107_542_399)),
            "2100-02-28 23:59:59 UTC"
        );
        assert_eq!(
            format_readable(at(4_107_542_400)),
            "2100-03-01 00:00:00 UTC"
        );
    }

    /// Every day of eight centuries follows the one before by the rules of the calendar.
    #[test]
    fn the_calendar_is_right_day_by_day() {
        let mut date = (1970, 1, 1);
        for day_number in 0..300_000 {
            assert_eq!(civil_date(day_number), date);
            let (year, month, day) = date;
            let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
            let n_days = match month {
                2 => 28 + u64::from(leap),
                4 | 6 | 9 | 11 => 30,
                _ => 31,
            };
            date = match (month, day) {
                (12, 31) => (year + 1, 1, 1),
                _ if day == n_days => (year, month + 1, 1),
                _ => (year, month, day + 1),
            };
        }
    }

    #[test]
    fn runs_of_the_same_second_get_folders_of_their_own() {
        let runs = tempfile::tempdir().unwrap();
        let names = [(); 3].map(|()| {
            let run = RunDir::create_under(runs.path(), None, "examples/vae.ml", at(0)).unwrap();
            assert_eq!(fs::read_dir(run.path()).unwrap().count(), 0);
            run.path().strip_prefix(runs.path()).unwrap().to_path_buf()
        });
        let expected = ["19700101-000000", "19700101-000000-2", "19700101-000000-3"];
        assert_eq!(names, expected.map(|name| Path::new("vae").join(name)));
    }

    #[test]
    fn an_explicit_folder_may_exist() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b");
        for _ in 0..2 {
            let run = RunDir::create(Some(&path), "vae").unwrap();
            assert_eq!(run.file("report.html"), path.join("report.html"));
        }
    }

    #[test]
    fn names_of_pipelines_cannot_leave_the_folder() {
        assert_eq!(folder_name("a/b/vae.ml"), "vae");
        assert_eq!(folder_name("my model?.ml"), "my_model_");
        assert_eq!(folder_name(".."), "pipeline");
        assert_eq!(folder_name(""), "pipeline");
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_named_with_the_cause() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        let explicit = RunDir::create(Some(&file.join("run")), "vae").unwrap_err();
        assert!(
            explicit.to_string().starts_with("cannot use `"),
            "{explicit}"
        );
        let error = RunDir::create_under(&file, None, "vae", at(0)).unwrap_err();
        assert!(
            matches!(&error, RunDirError::System { path, .. } if *path == file.join("vae")),
            "{error}"
        );
    }

    /// The newest goes first, also past nine in one second; what another run has is passed over.
    #[test]
    #[cfg(unix)]
    fn the_newest_unfinished_run_is_found() {
        let runs = tempfile::tempdir().unwrap();
        let made: Vec<RunDir> = [0, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 3]
            .map(|s| RunDir::create_under(runs.path(), None, "p", at(s)).unwrap())
            .into();
        let parent = runs.path().join("p");
        let newest = |done: &str| {
            RunDir::newest_under(&parent, |p| !p.ends_with(done))
                .map(|d| d.path().file_name().unwrap().to_str().unwrap().to_string())
        };
        assert!(
            matches!(newest("none"), Err(RunDirError::Taken(p)) if p.ends_with("19700101-000005-10"))
        );
        drop(made);
        assert_eq!(newest("none").unwrap(), "19700101-000005-10");
        assert_eq!(newest("19700101-000005-10").unwrap(), "19700101-000005-9");
        let held = RunDir::open(&parent.join("19700101-000005-10")).unwrap();
        assert_eq!(newest("none").unwrap(), "19700101-000005-9");
        drop(held);
        let none = RunDir::newest_under(&parent, |_| false).unwrap_err();
        assert!(
            none.to_string().starts_with("there is no unfinished run"),
            "{none}"
        );
    }
}
