//! Results of finished stages, kept from run to run: a file each, named by the digest of all that determines it.
//!
//! Keeps: a reader sees a whole file or none, whenever a writer is killed and however many write at once (each writes a
//! file of its own and renames it; two that write the same name write the same contents); a damaged file is found out
//! by its checksum, so nothing waits for the disk. The files used longest ago go when all take more than is allowed.
//! Does not: know when two runs compute the same.

mod entry;
mod history;

pub use entry::{Happened, Logged, Results, Saved, Shown};
pub use history::{History, Past};

use crate::checkpoint::fill;
use crate::digest::{Digest, Feed};
use entry::About;
use std::fs::{self, File};
use std::hash::Hasher;
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

/// What a file starts with: the format and its version.
const MAGIC: &[u8; 8] = b"mlcstg02";

/// The magic and the digest of what follows.
const PREFIX: usize = MAGIC.len() + 32;

/// The ending of files.
const ENDING: &str = "stage";

/// Files that a killed run left half written are removed when they are so old.
const LEFTOVER: Duration = Duration::from_secs(3600);

/// The largest header of a file that `list` reads.
const MAX_HEADER: u64 = 256 << 20;

/// Why there is no entry where one was looked for.
#[derive(Debug)]
pub enum Missing {
    /// There is no file.
    Absent,
    /// There is one, and it is not what was written.
    Damaged(String),
    /// The system refused to read it.
    Unreadable(io::Error),
}

/// An entry, from the outside.
#[derive(Clone, Debug)]
pub struct Listed {
    pub path: PathBuf,
    pub bytes: u64,
    pub used: SystemTime,
    /// Nothing if the file cannot be understood.
    pub about: Option<About>,
}

/// The folder of kept results.
#[derive(Clone, Debug)]
pub struct Cache {
    folder: PathBuf,
    /// Stages that took less than this many seconds are not kept.
    pub least: f64,
    /// All files together take no more bytes.
    pub most: u64,
}

impl Cache {
    /// A cache in a folder, which is made when something is first kept.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
            least: 0.02,
            most: 10 << 30,
        }
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where the entry of a key is.
    pub fn path(&self, key: &Digest) -> PathBuf {
        self.folder.join(format!("{key}.{ENDING}"))
    }

    /// Is it worth keeping `bytes` that took `seconds`? Writing and reading them takes a while, too.
    pub fn worth(&self, seconds: f64, bytes: usize) -> bool {
        const RATE: f64 = 500e6;
        seconds >= self.least && (self.least == 0.0 || seconds > bytes as f64 / RATE)
    }

    /// Is there a file for the key?
    pub fn has(&self, key: &Digest) -> bool {
        self.path(key).is_file()
    }

    /// The entry of a key; it counts as used now.
    pub fn read(&self, key: &Digest) -> Result<Saved, Missing> {
        let path = self.path(key);
        let saved = read_entry(&path)?;
        if saved.key != *key {
            return Err(Missing::Damaged("it is another stage's".into()));
        }
        // Only for `prune`: a folder that cannot be written to is still one to read from.
        let _ = File::options()
            .append(true)
            .open(&path)
            .and_then(|f| f.set_modified(SystemTime::now()));
        Ok(saved)
    }

    /// Keeps an entry, and makes room: for small ones not each time, as all files are looked at for that.
    pub fn write(&self, saved: &Saved) -> io::Result<()> {
        let body = saved.to_checkpoint().map_err(io::Error::other)?;
        let body = body.pieces().map_err(io::Error::other)?;
        let mut digest = Feed::default();
        body.iter().for_each(|piece| digest.write(piece));
        let digest = digest.digest().0;
        let start: [&[u8]; 2] = [MAGIC, &digest];
        let parts = start.into_iter().chain(body.iter().map(|piece| &**piece));
        write_whole(&self.path(&saved.key), &parts.collect::<Vec<_>>())?;
        let bytes: usize = body.iter().map(|piece| piece.len()).sum();
        let large = bytes as u64 >= self.most / 1024;
        if large || saved.key.0[0].is_multiple_of(16) {
            self.make_room(self.most)?;
        }
        Ok(())
    }

    /// All entries, used longest ago first.
    pub fn list(&self) -> io::Result<Vec<Listed>> {
        let mut found = Vec::new();
        for (path, metadata) in self.files()? {
            if path.extension().is_some_and(|e| e == ENDING) {
                found.push(Listed {
                    about: read_about(&path).ok(),
                    bytes: metadata.len(),
                    used: metadata.modified()?,
                    path,
                });
            }
        }
        found.sort_by(|a, b| (a.used, &a.path).cmp(&(b.used, &b.path)));
        Ok(found)
    }

    /// What is wrong with an entry, if something is.
    pub fn check(entry: &Listed) -> Option<String> {
        match read_entry(&entry.path) {
            Ok(s) if entry.path.file_stem() == Some(s.key.to_string().as_ref()) => None,
            Ok(_) => Some("it has another's name".into()),
            // Another run pruned it meanwhile.
            Err(Missing::Absent) => None,
            Err(Missing::Damaged(why)) => Some(why),
            Err(Missing::Unreadable(e)) => Some(e.to_string()),
        }
    }

    /// Removes what `unwanted` says, and what killed runs left. Says how many files went, and their bytes.
    pub fn prune(&self, unwanted: impl Fn(&Listed) -> bool) -> io::Result<(usize, u64)> {
        let mut gone = (0, 0);
        for entry in self.list()?.iter().filter(|e| unwanted(e)) {
            if remove(&entry.path)? {
                gone = (gone.0 + 1, gone.1 + entry.bytes);
            }
        }
        for (path, metadata) in self.files()? {
            let age = metadata.modified()?.elapsed().unwrap_or_default();
            if path.extension().is_some_and(|e| e == "tmp") && age > LEFTOVER && remove(&path)? {
                gone = (gone.0 + 1, gone.1 + metadata.len());
            }
        }
        Ok(gone)
    }

    /// Removes what was used longest ago until no more than `most` bytes are left.
    pub fn make_room(&self, most: u64) -> io::Result<(usize, u64)> {
        let mut files: Vec<_> = self.files()?;
        files.retain(|f| f.0.extension().is_some_and(|e| e == ENDING));
        let mut total: u64 = files.iter().map(|f| f.1.len()).sum();
        let mut gone = (0, 0);
        if total <= most {
            return Ok(gone);
        }
        files.sort_by_key(|f| f.1.modified().ok());
        for (path, metadata) in files {
            if total <= most {
                break;
            }
            total -= metadata.len();
            if remove(&path)? {
                gone = (gone.0 + 1, gone.1 + metadata.len());
            }
        }
        Ok(gone)
    }

    fn files(&self) -> io::Result<Vec<(PathBuf, fs::Metadata)>> {
        let entries = match fs::read_dir(&self.folder) {
            Ok(e) => e,
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(e) => return Err(e),
        };
        let mut found = Vec::new();
        for entry in entries {
            let path = entry?.path();
            match fs::metadata(&path) {
                Ok(m) if m.is_file() => found.push((path, m)),
                Ok(_) => {}
                // Another run removed it meanwhile.
                Err(e) if e.kind() == ErrorKind::NotFound => {}
                Err(e) => return Err(e),
            }
        }
        Ok(found)
    }
}

/// Removes a file. False if it is gone already.
fn remove(path: &Path) -> io::Result<bool> {
    match fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(false),
        Err(e) => Err(e),
    }
}

fn unreadable(e: io::Error) -> Missing {
    match e.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory => Missing::Absent,
        _ => Missing::Unreadable(e),
    }
}

fn read_entry(path: &Path) -> Result<Saved, Missing> {
    let bytes = fs::read(path).map_err(unreadable)?;
    let damaged = |why: &str| Missing::Damaged(why.to_string());
    if bytes.len() < PREFIX {
        return Err(damaged("it is cut short"));
    }
    let (magic, rest) = bytes.split_at(MAGIC.len());
    let (digest, body) = rest.split_at(32);
    if magic != MAGIC {
        return Err(damaged("it is of another format"));
    }
    if Digest::of(body).0 != digest {
        return Err(damaged("its checksum is wrong"));
    }
    Saved::from_bytes(body, path).map_err(Missing::Damaged)
}

/// What an entry says of itself, without its values and unchecked.
fn read_about(path: &Path) -> Result<About, Missing> {
    let damaged = || Missing::Damaged("its header cannot be read".into());
    let mut file = File::open(path).map_err(unreadable)?;
    let mut start = [0; PREFIX + 8];
    file.read_exact(&mut start).map_err(|_| damaged())?;
    let (prefix, length) = start.split_at(PREFIX);
    let length = length.try_into().map(u64::from_le_bytes);
    let length = length.map_err(|_| damaged())?;
    if !prefix.starts_with(MAGIC) || length > MAX_HEADER {
        return Err(damaged());
    }
    let mut header = Vec::new();
    file.take(length)
        .read_to_end(&mut header)
        .map_err(unreadable)?;
    About::from_header(&header).ok_or_else(damaged)
}

/// Writes a file so that it is there whole or not at all, unless the machine itself stops.
fn write_whole(path: &Path, parts: &[&[u8]]) -> io::Result<()> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let folder = path.parent().ok_or(ErrorKind::InvalidFilename)?;
    fs::create_dir_all(folder)?;
    // Runs on different machines may share the folder, and so have the same number.
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let unique = format!(
        ".{}-{}-{}.tmp",
        std::process::id(),
        now.map_or(0, |d| d.as_nanos()),
        COUNT.fetch_add(1, Ordering::Relaxed)
    );
    let temporary = folder.join(unique);
    let written = (|| {
        fill(&File::create_new(&temporary)?, parts)?;
        fs::rename(&temporary, path)
    })();
    if written.is_err() {
        // The first failure is the one to report.
        let _ = fs::remove_file(&temporary);
    }
    written
}

#[cfg(test)]
mod tests;
