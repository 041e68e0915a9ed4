//! Batches, and the reading ahead of what they have on disk.
//!
//! While a step runs, another thread reads the rows of the next one. What it reads is what was asked for, so the order of
//! rows and their values do not depend on it.

use super::RunError;
use super::run::Pipeline;
use crate::data::{DataError, RowFile};
use crate::tensor::HostTensor;
use mlc_compiler::program::{SlotId, SlotKind, Source, TrainPlan};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

/// What a step gets.
pub struct Batch {
    /// The places of its rows in the table, `int[size]`.
    pub rows: Rc<HostTensor>,
    /// What the columns on disk have in these rows.
    pub columns: Vec<(SlotId, Rc<HostTensor>)>,
}

impl Batch {
    /// The number of its rows.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    pub fn column(&self, id: SlotId) -> Option<Rc<HostTensor>> {
        let found = self.columns.iter().find(|c| c.0 == id);
        found.map(|c| c.1.clone())
    }
}

/// A column on disk: its file, and the row of it that is the first of the column.
#[derive(Clone)]
struct OnDisk {
    id: SlotId,
    file: Arc<RowFile>,
    first: usize,
}

type Gathered = Result<Vec<HostTensor>, DataError>;

fn gather(columns: &[OnDisk], rows: &[i32]) -> Gathered {
    let each = columns.iter();
    each.map(|c| c.file.gather(c.first, rows)).collect()
}

/// Reads the columns on disk of a stage.
pub struct Ahead {
    columns: Vec<OnDisk>,
    /// What was asked for last, if it was not taken.
    asked: Option<Vec<i32>>,
    ask: Option<Sender<Vec<i32>>>,
    answers: Receiver<Gathered>,
    thread: Option<JoinHandle<()>>,
}

impl Ahead {
    fn new(columns: Vec<OnDisk>) -> std::io::Result<Self> {
        let (ask, asked) = channel::<Vec<i32>>();
        let (answer, answers) = channel();
        let theirs = columns.clone();
        let thread = std::thread::Builder::new()
            .name("reads ahead".into())
            .spawn(move || {
                for rows in asked {
                    if answer.send(gather(&theirs, &rows)).is_err() {
                        break;
                    }
                }
            })?;
        Ok(Self {
            columns,
            asked: None,
            ask: Some(ask),
            answers,
            thread: Some(thread),
        })
    }

    /// Has rows read while something else is done. What is asked for is taken or thrown away before more is.
    pub fn ask(&mut self, rows: Vec<i32>) {
        let sent = self.ask.as_ref().map(|a| a.send(rows.clone()));
        if let Some(Ok(())) = sent {
            self.asked = Some(rows);
        }
    }

    /// The values of rows: those that were asked for, if these were.
    ///
    /// # Errors
    /// If they cannot be read, or a file has changed.
    pub fn take(&mut self, rows: &[i32]) -> Result<Vec<(SlotId, Rc<HostTensor>)>, RunError> {
        let ready = match self.asked.take() {
            None => None,
            Some(asked) => {
                let answer = self.answers.recv().ok();
                answer.filter(|_| asked == rows)
            }
        };
        let gathered = ready.unwrap_or_else(|| gather(&self.columns, rows));
        let tensors = gathered.map_err(|e| RunError::Environment(e.to_string()))?;
        let ids = self.columns.iter().map(|c| c.id);
        Ok(ids.zip(tensors.into_iter().map(Rc::new)).collect())
    }
}

impl Drop for Ahead {
    fn drop(&mut self) {
        // Without anything to wait for, the thread ends.
        self.ask = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Pipeline {
    /// What reads the columns on disk of a stage, if it has some.
    pub(super) fn ahead(&self, plan: &TrainPlan) -> Result<Option<Ahead>, RunError> {
        let mut columns: Vec<OnDisk> = Vec::new();
        let sources = [Some(&plan.step), plan.remainder.as_ref()];
        for source in sources.into_iter().flatten().flat_map(|p| &p.sources) {
            let Source::RowsOf(id) = source else { continue };
            let SlotKind::OnDisk { data, first } = self.session.slots()[id.0 as usize].kind else {
                continue;
            };
            if columns.iter().all(|c| c.id != *id) {
                columns.push(OnDisk {
                    id: *id,
                    file: self.data.borrow().on_disk[data as usize].clone(),
                    first,
                });
            }
        }
        if columns.is_empty() {
            return Ok(None);
        }
        let ahead = Ahead::new(columns);
        let failed = |e| RunError::Environment(format!("no thread can be started: {e}"));
        ahead.map(Some).map_err(failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Real;

    /// What was read ahead, what was asked for in vain and what was never asked for are the same rows.
    #[test]
    fn reading_ahead_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.npy");
        let header = "{'descr': '|u1', 'fortran_order': False, 'shape': (100,)}\n";
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        bytes.extend((header.len() as u16).to_le_bytes());
        bytes.extend(header.bytes().chain(0..100));
        std::fs::write(&path, bytes).unwrap();
        let column = OnDisk {
            id: SlotId(3),
            file: Arc::new(RowFile::open(&path, Real::F32).unwrap()),
            first: 10,
        };
        let mut ahead = Ahead::new(vec![column]).unwrap();
        let mut taken = |rows: &[i32]| {
            let columns = ahead.take(rows).ok().unwrap();
            ahead.ask(vec![5, 4]);
            assert_eq!(columns[0].0, SlotId(3));
            columns[0].1.as_i32().to_vec()
        };
        assert_eq!(taken(&[0, 7]), [10, 17]);
        assert_eq!(taken(&[5, 4]), [15, 14]);
        assert_eq!(taken(&[1]), [11]);
        assert_eq!(taken(&[5, 4]), [15, 14]);
    }
}
