//! What is logged: the entries of a log one after another in memory, and steps in a row with what each of them logged.

use crate::tensor::{AlignedBytes, DType, HostTensor, count_elements};

/// One entry of a log.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Entry<'a> {
    pub dtype: DType,
    pub shape: &'a [usize],
    pub bytes: &'a [u8],
}

impl<'a> Entry<'a> {
    pub fn of(t: &'a HostTensor) -> Self {
        Entry {
            dtype: t.dtype(),
            shape: t.shape(),
            bytes: t.bytes(),
        }
    }

    pub fn tensor(&self) -> HostTensor {
        let bytes = AlignedBytes::copy_of(self.bytes);
        HostTensor::from_bytes(self.dtype, self.shape.to_vec(), bytes)
            .expect("an entry has the bytes of its elements")
    }

    /// Its element, if it has just one.
    pub fn number(&self) -> Option<f64> {
        let bytes = self.bytes;
        if bytes.len() != self.dtype.size() {
            return None;
        }
        Some(match self.dtype {
            DType::F32 => f64::from(f32::from_ne_bytes(bytes.try_into().ok()?)),
            DType::F64 => f64::from_ne_bytes(bytes.try_into().ok()?),
            DType::I32 => f64::from(i32::from_ne_bytes(bytes.try_into().ok()?)),
            DType::Bool => f64::from(u8::from(bytes[0] != 0)),
        })
    }
}

/// Entries of equal type that follow one another.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Run {
    pub entries: usize,
    pub dtype: DType,
    pub shape: Vec<usize>,
}

impl Run {
    /// Bytes of an entry, if a `usize` holds their number.
    pub fn entry_bytes(&self) -> Option<usize> {
        count_elements(&self.shape)?.checked_mul(self.dtype.size())
    }
}

/// All entries of a log: of a million numbers four million bytes.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Log {
    runs: Vec<Run>,
    bytes: Vec<u8>,
}

impl Log {
    /// Entries from what they are made of, or nothing if that does not fit together.
    pub fn new(runs: Vec<Run>, bytes: Vec<u8>) -> Option<Self> {
        let sizes = runs.iter().map(|r| r.entry_bytes()?.checked_mul(r.entries));
        let all = sizes.sum::<Option<usize>>()?;
        (all == bytes.len()).then_some(Self { runs, bytes })
    }

    pub fn push(&mut self, entry: Entry) {
        self.append(entry.dtype, entry.shape, 1, entry.bytes);
    }

    /// Adds so many entries of one type.
    pub fn append(&mut self, dtype: DType, shape: &[usize], entries: usize, bytes: &[u8]) {
        if entries == 0 {
            return;
        }
        self.bytes.extend_from_slice(bytes);
        match self.runs.last_mut() {
            Some(r) if r.dtype == dtype && r.shape == shape => r.entries += entries,
            _ => self.runs.push(Run {
                entries,
                dtype,
                shape: shape.to_vec(),
            }),
        }
    }

    pub fn len(&self) -> usize {
        self.runs.iter().map(|r| r.entries).sum()
    }

    pub fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    pub fn runs(&self) -> &[Run] {
        &self.runs
    }

    /// The elements of all entries.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub fn iter(&self) -> impl Iterator<Item = Entry<'_>> {
        let mut at = 0;
        let each = self.runs.iter().flat_map(|r| {
            let size = r.entry_bytes().unwrap_or(0);
            std::iter::repeat_n((r, size), r.entries)
        });
        each.map(move |(r, size)| {
            at += size;
            Entry {
                dtype: r.dtype,
                shape: &r.shape,
                bytes: &self.bytes[at - size..at],
            }
        })
    }

    /// Reads the entries from the first on.
    pub fn reader(&self) -> Reader<'_> {
        Reader {
            bytes: &self.bytes,
            runs: &self.runs,
            used: 0,
        }
    }

    pub fn last(&self) -> Option<Entry<'_>> {
        let run = self.runs.last()?;
        Some(Entry {
            dtype: run.dtype,
            shape: &run.shape,
            bytes: &self.bytes[self.bytes.len() - run.entry_bytes()?..],
        })
    }

    /// All entries in one tensor, if there are some and they are of one type.
    pub fn tensor(&self) -> Option<HostTensor> {
        let [run] = self.runs.as_slice() else {
            return None;
        };
        let shape = [&[run.entries], run.shape.as_slice()].concat();
        HostTensor::from_bytes(run.dtype, shape, AlignedBytes::copy_of(&self.bytes))
    }
}

/// Where in a log one reads.
pub struct Reader<'a> {
    /// What is left of them.
    bytes: &'a [u8],
    runs: &'a [Run],
    /// Entries of the first run that have been read.
    used: usize,
}

impl<'a> Reader<'a> {
    /// How many entries of one type come next.
    pub fn left(&self) -> usize {
        self.runs.first().map_or(0, |r| r.entries - self.used)
    }

    /// The next entries, which are of one type: with all their bytes.
    pub fn take(&mut self, entries: usize) -> Option<Entry<'a>> {
        let run = self.runs.first().filter(|_| entries <= self.left())?;
        let (bytes, rest) = self.bytes.split_at(run.entry_bytes()? * entries);
        self.bytes = rest;
        self.used += entries;
        if self.left() == 0 {
            (self.runs, self.used) = (&self.runs[1..], 0);
        }
        Some(Entry {
            dtype: run.dtype,
            shape: &run.shape,
            bytes,
        })
    }
}

/// What one name got in each step of a stretch.
#[derive(Clone, Debug)]
pub struct Column {
    pub name: String,
    pub dtype: DType,
    pub shape: Vec<usize>,
    /// One entry after another.
    pub bytes: Vec<u8>,
}

/// Steps of a stage that follow one another, and what each of them logged.
#[derive(Clone, Default, Debug)]
pub struct Stretch {
    /// The number of the first of them, from one, and its epoch.
    pub step: usize,
    pub epoch: usize,
    /// Is each step an epoch?
    pub each: bool,
    /// How many there are.
    pub steps: usize,
    pub columns: Vec<Column>,
}

impl Stretch {
    /// One step.
    pub fn one((step, epoch): (usize, usize), values: &[(String, HostTensor)]) -> Self {
        let column = |(name, t): &(String, HostTensor)| Column {
            name: name.clone(),
            dtype: t.dtype(),
            shape: t.shape().to_vec(),
            bytes: t.bytes().to_vec(),
        };
        Self {
            step,
            epoch,
            each: false,
            steps: 1,
            columns: values.iter().map(column).collect(),
        }
    }

    /// The number of the `i`-th of them, and its epoch.
    pub fn at(&self, i: usize) -> (usize, usize) {
        let epochs = if self.each { i } else { 0 };
        (self.step + i, self.epoch + epochs)
    }

    /// What the `i`-th of them logged under a name.
    pub fn entry(&self, column: usize, i: usize) -> Entry<'_> {
        let c = &self.columns[column];
        let size = c.bytes.len() / self.steps;
        Entry {
            dtype: c.dtype,
            shape: &c.shape,
            bytes: &c.bytes[i * size..(i + 1) * size],
        }
    }

    /// All that the `i`-th of them logged.
    pub fn values(&self, i: usize) -> Vec<(String, HostTensor)> {
        let one = |c: usize| (self.columns[c].name.clone(), self.entry(c, i).tensor());
        (0..self.columns.len()).map(one).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_what_was_pushed() {
        let entries = [
            HostTensor::from_f32(&[], &[1.5]),
            HostTensor::from_f32(&[], &[-0.0]),
            HostTensor::from_f32(&[2], &[f32::INFINITY, 2.0]),
            HostTensor::from_f32(&[0], &[]),
            HostTensor::from_i32(&[], &[7]),
            HostTensor::from_bool(&[], &[true]),
        ];
        let mut log = Log::default();
        entries.iter().for_each(|t| log.push(Entry::of(t)));
        assert_eq!(log.len(), entries.len());
        let again: Vec<HostTensor> = log.iter().map(|e| e.tensor()).collect();
        assert_eq!(again, entries);
        let numbers: Vec<Option<f64>> = log.iter().map(|e| e.number()).collect();
        let one = Some(1.0);
        assert_eq!(numbers, [Some(1.5), Some(0.0), None, None, Some(7.0), one]);
        assert_eq!(log.last().unwrap().number(), one);
        let mut reader = log.reader();
        assert_eq!(reader.left(), 2);
        assert!(reader.take(3).is_none());
        assert_eq!(reader.take(1).unwrap().number(), Some(1.5));
        assert_eq!((reader.left(), reader.take(1).unwrap().bytes.len()), (1, 4));
        assert_eq!(reader.take(1).unwrap().tensor(), entries[2]);
        assert_eq!(log.tensor(), None);
        let parts = |bytes: &[u8]| Log::new(log.runs().to_vec(), bytes.to_vec());
        assert_eq!(parts(log.bytes()), Some(log.clone()));
        assert_eq!(parts(&log.bytes()[1..]), None);
    }

    #[test]
    fn many_entries_at_once_are_as_one_by_one() {
        let (mut once, mut single) = (Log::default(), Log::default());
        let t = HostTensor::from_f64(&[3, 2], &[0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
        once.append(DType::F64, &[2], 3, t.bytes());
        for row in t.as_f64().chunks(2) {
            single.push(Entry::of(&HostTensor::from_f64(&[2], row)));
        }
        assert_eq!(once, single);
        assert_eq!(once.tensor(), Some(t));
        assert_eq!(Log::default().tensor(), None);
    }
}
