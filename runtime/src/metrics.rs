//! The numbers a run reports while it goes on: `metrics.jsonl`, one JSON object on each line.
//!
//! ```text
//! {"stage":"fit","step":100,"epoch":2,"values":{"loss":0.25,"rates":[0.1,"nan"]}}
//! ```
//!
//! Keeps: every line is valid JSON and is handed to the system whole, so that a reader that follows
//! the file, or a run that is killed, never leaves half a line for a number. What JSON has no words
//! for is a string: `"nan"`, `"inf"`, `"-inf"`.
//! Does not: average, filter or plot.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;

use serde_json::{Map, Value, json};

use crate::log::{Column, Entry, Stretch};
use crate::tensor::{DType, HostTensor};

/// The metrics file could not be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write metrics to `{}`: {source}", path.display())]
pub struct MetricsError {
    /// The file.
    pub path: PathBuf,
    /// What the system said.
    pub source: io::Error,
}

/// The value of a metric.
#[derive(Clone, PartialEq, Debug)]
pub enum MetricValue {
    /// A real number.
    Real(f64),
    /// An integer, written without a decimal point.
    Integer(i64),
    /// A truth value.
    Bool(bool),
    /// Values along an axis.
    List(Vec<MetricValue>),
}

impl MetricValue {
    fn to_json(&self) -> Value {
        match self {
            MetricValue::Real(x) if x.is_nan() => json!("nan"),
            MetricValue::Real(x) if x.is_infinite() => json!(if *x > 0.0 { "inf" } else { "-inf" }),
            MetricValue::Real(x) => json!(x),
            MetricValue::Integer(i) => json!(i),
            MetricValue::Bool(b) => json!(b),
            MetricValue::List(items) => items.iter().map(MetricValue::to_json).collect(),
        }
    }
}

impl From<f64> for MetricValue {
    fn from(x: f64) -> Self {
        MetricValue::Real(x)
    }
}

impl From<f32> for MetricValue {
    /// Takes the shortest decimal that names the `f32`: 0.1, not 0.10000000149011612.
    fn from(x: f32) -> Self {
        MetricValue::Real(x.to_string().parse().unwrap_or(f64::from(x)))
    }
}

impl From<&HostTensor> for MetricValue {
    /// A list for each axis, nested as the tensor is; a scalar is a number.
    fn from(tensor: &HostTensor) -> Self {
        let scalars: Vec<MetricValue> = match tensor.dtype() {
            DType::F32 => tensor.as_f32().iter().map(|&x| x.into()).collect(),
            DType::F64 => tensor.as_f64().iter().map(|&x| x.into()).collect(),
            DType::I32 => tensor
                .as_i32()
                .iter()
                .map(|&i| MetricValue::Integer(i.into()))
                .collect(),
            DType::Bool => tensor
                .as_bool()
                .iter()
                .map(|&b| MetricValue::Bool(b != 0))
                .collect(),
        };
        nest(tensor.shape(), &mut scalars.into_iter())
    }
}

/// Takes as many scalars as `shape` holds. A tensor has just as many as its shape asks for, so the
/// stand-in for a missing one is never seen.
fn nest(shape: &[usize], scalars: &mut impl Iterator<Item = MetricValue>) -> MetricValue {
    match shape {
        [] => scalars.next().unwrap_or(MetricValue::Real(f64::NAN)),
        [len, inner @ ..] => MetricValue::List((0..*len).map(|_| nest(inner, scalars)).collect()),
    }
}

/// Writes a number that JSON has words for.
fn number<T: serde::Serialize>(line: &mut Vec<u8>, x: &T) {
    serde_json::to_writer(line, x).expect("a number is written to memory");
}

/// Writes the shortest decimal that names an `f32`, as [`MetricValue`] is written.
fn put_f32(line: &mut Vec<u8>, x: f32) {
    let size = x.abs();
    let written = if size == 0.0 || (1e-4..1e12).contains(&size) {
        // An integer, too, is a real.
        let end = if x.fract() == 0.0 { ".0" } else { "" };
        write!(line, "{x}{end}")
    } else if size < 1e-7 {
        write!(line, "{x:e}")
    } else {
        return number(line, &MetricValue::from(x).to_json());
    };
    written.expect("a number is written to memory");
}

/// Writes an entry as [`MetricValue`] is written.
fn put_entry(line: &mut Vec<u8>, entry: Entry) {
    if let ([], DType::F32, Ok(bytes)) = (entry.shape, entry.dtype, entry.bytes.try_into()) {
        return put_f32(line, f32::from_ne_bytes(bytes));
    }
    number(line, &MetricValue::from(&entry.tensor()).to_json());
}

/// Writes metrics, line by line.
#[derive(Debug)]
pub struct MetricsWriter {
    path: PathBuf,
    lines: Arc<Mutex<Lines>>,
    /// Writes the lines of a long stretch of steps, while those after it run.
    busy: Option<JoinHandle<io::Result<()>>>,
}

/// The file, and where in it the next line stands.
#[derive(Debug)]
struct Lines {
    file: File,
    line: Vec<u8>,
    /// Bytes of the lines so far.
    at: u64,
    /// May lines of an earlier run follow?
    behind: bool,
}

/// The lines of so many steps are worth a thread.
const LONG: usize = 2048;

impl MetricsWriter {
    /// Starts a new file, replacing one of that name.
    pub fn create(path: &Path) -> Result<Self, MetricsError> {
        Self::new(path, File::create(path), false)
    }

    /// Writes the file of a run again that is resumed. Lines that are there already stay as they are, so that nothing is
    /// lost if this run ends early, too; from the first on that differs, the file is written anew.
    pub fn again(path: &Path) -> Result<Self, MetricsError> {
        let mut options = File::options();
        options.read(true).write(true).create(true).truncate(false);
        Self::new(path, options.open(path), true)
    }

    fn new(path: &Path, file: io::Result<File>, behind: bool) -> Result<Self, MetricsError> {
        let path = path.to_path_buf();
        match file {
            Ok(file) => Ok(MetricsWriter {
                path,
                lines: Arc::new(Mutex::new(Lines {
                    file,
                    line: Vec::new(),
                    at: 0,
                    behind,
                })),
                busy: None,
            }),
            Err(source) => Err(MetricsError { path, source }),
        }
    }

    /// Writes one line. The values keep their order; of two with the same name the last one stays.
    pub fn write(
        &mut self,
        stage: &str,
        step: u64,
        epoch: u64,
        values: &[(&str, MetricValue)],
    ) -> Result<(), MetricsError> {
        let values: Map<String, Value> = values
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_json()))
            .collect();
        let line = json!({ "stage": stage, "step": step, "epoch": epoch, "values": values });
        self.with_lines(|lines| {
            lines.line.clear();
            // One write for the whole line; the file itself has no buffer to flush.
            writeln!(lines.line, "{line}").and_then(|()| lines.put())
        })
    }

    /// Writes a line for each of several steps. Where they are many, the lines are there when something else is written, or
    /// the writer is dropped.
    pub fn write_steps(&mut self, stage: &str, steps: Stretch) -> Result<(), MetricsError> {
        if steps.steps < LONG {
            return self.with_lines(|lines| lines.steps(stage, &steps));
        }
        self.wait()?;
        let (steps, lines) = (Arc::new(steps), self.lines.clone());
        let (name, theirs) = (stage.to_string(), steps.clone());
        let write = move || locked(&lines).steps(&name, &theirs);
        match std::thread::Builder::new()
            .name("metrics".into())
            .spawn(write)
        {
            Ok(thread) => {
                self.busy = Some(thread);
                Ok(())
            }
            Err(_) => self.with_lines(|lines| lines.steps(stage, &steps)),
        }
    }

    /// Removes what an earlier run left after the last line.
    pub fn end(&mut self) -> Result<(), MetricsError> {
        self.with_lines(|lines| if lines.behind { lines.cut() } else { Ok(()) })
    }

    /// Until all lines so far are written.
    fn wait(&mut self) -> Result<(), MetricsError> {
        let Some(thread) = self.busy.take() else {
            return Ok(());
        };
        let written = thread
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        self.told(written)
    }

    fn with_lines(
        &mut self,
        f: impl FnOnce(&mut Lines) -> io::Result<()>,
    ) -> Result<(), MetricsError> {
        self.wait()?;
        let written = f(&mut locked(&self.lines));
        self.told(written)
    }

    fn told(&self, result: io::Result<()>) -> Result<(), MetricsError> {
        result.map_err(|source| MetricsError {
            path: self.path.clone(),
            source,
        })
    }
}

impl Drop for MetricsWriter {
    fn drop(&mut self) {
        // A run that ends early says why by itself.
        if let Some(thread) = self.busy.take() {
            let _ = thread.join();
        }
    }
}

fn locked(lines: &Mutex<Lines>) -> MutexGuard<'_, Lines> {
    lines.lock().unwrap_or_else(|e| e.into_inner())
}

impl Lines {
    fn steps(&mut self, stage: &str, steps: &Stretch) -> io::Result<()> {
        /// Bytes that are handed over at once, about.
        const BLOCK: usize = 1 << 16;
        let before = format!("{{\"stage\":{},\"step\":", Value::from(stage));
        let name = |c: &Column| format!("{}:", Value::from(c.name.as_str()));
        let names: Vec<String> = steps.columns.iter().map(name).collect();
        self.line.clear();
        for i in 0..steps.steps {
            let (step, epoch) = steps.at(i);
            self.line.extend_from_slice(before.as_bytes());
            number(&mut self.line, &(step as u64));
            self.line.extend_from_slice(b",\"epoch\":");
            number(&mut self.line, &(epoch as u64));
            self.line.extend_from_slice(b",\"values\":{");
            for (c, name) in names.iter().enumerate() {
                if c > 0 {
                    self.line.push(b',');
                }
                self.line.extend_from_slice(name.as_bytes());
                put_entry(&mut self.line, steps.entry(c, i));
            }
            self.line.extend_from_slice(b"}}\n");
            // What is there already is compared line by line.
            if self.behind || self.line.len() >= BLOCK || i + 1 == steps.steps {
                self.put()?;
                self.line.clear();
            }
        }
        Ok(())
    }

    fn put(&mut self) -> io::Result<()> {
        let length = self.line.len() as u64;
        if self.behind {
            let mut there = vec![0; self.line.len()];
            match self.file.read_exact(&mut there) {
                Ok(()) if there == self.line => {
                    self.at += length;
                    return Ok(());
                }
                Err(e) if e.kind() != io::ErrorKind::UnexpectedEof => return Err(e),
                _ => self.cut()?,
            }
        }
        self.file.write_all(&self.line)?;
        self.at += length;
        Ok(())
    }

    fn cut(&mut self) -> io::Result<()> {
        self.behind = false;
        self.file.set_len(self.at)?;
        self.file.seek(SeekFrom::Start(self.at))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn each_line_is_one_json_object() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics.jsonl");
        let mut writer = MetricsWriter::create(&path).unwrap();
        writer
            .write(
                "fit",
                1,
                0,
                &[("loss", 0.1f32.into()), ("accuracy", 0.5f64.into())],
            )
            .unwrap();
        let tensor = HostTensor::from_f64(&[2, 2], &[1.0, f64::NAN, f64::INFINITY, -f64::INFINITY]);
        writer
            .write("a \"b\"\n", 2, 1, &[("grid", (&tensor).into())])
            .unwrap();
        // Read while the writer is open: nothing waits in a buffer.
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(
            text,
            concat!(
                r#"{"stage":"fit","step":1,"epoch":0,"values":{"loss":0.1,"accuracy":0.5}}"#,
                "\n",
                r#"{"stage":"a \"b\"\n","step":2,"epoch":1,"#,
                r#""values":{"grid":[[1.0,"nan"],["inf","-inf"]]}}"#,
                "\n",
            )
        );
        for line in text.lines() {
            serde_json::from_str::<Value>(line).unwrap();
        }
    }

    #[test]
    fn tensors_of_every_dtype_become_nested_lists() {
        let json = |tensor: HostTensor| MetricValue::from(&tensor).to_json().to_string();
        assert_eq!(json(HostTensor::from_f32(&[], &[f32::NAN])), r#""nan""#);
        assert_eq!(
            json(HostTensor::from_f32(&[1], &[3.4028235e38])),
            "[3.4028235e+38]"
        );
        assert_eq!(json(HostTensor::from_i32(&[3], &[1, -2, 3])), "[1,-2,3]");
        assert_eq!(
            json(HostTensor::from_bool(&[1, 2], &[true, false])),
            "[[true,false]]"
        );
        assert_eq!(json(HostTensor::from_f32(&[2, 0], &[])), "[[],[]]");
    }

    /// Whatever an earlier run left, writing again leaves what a new file has; equal lines are not touched meanwhile.
    #[test]
    fn writing_again_keeps_equal_lines_and_cuts_others() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics.jsonl");
        let line = |step: u64| {
            format!("{{\"stage\":\"s\",\"step\":{step},\"epoch\":0,\"values\":{{}}}}\n")
        };
        let whole = line(0) + &line(1) + &line(2);
        for before in [
            String::new(),
            line(0),
            line(0) + "{\"sta",
            line(0) + &line(7) + &line(2),
            whole.clone(),
            whole.clone() + &line(3) + "{",
            "x".repeat(1000),
        ] {
            fs::write(&path, &before).unwrap();
            let mut writer = MetricsWriter::again(&path).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), before);
            for step in 0..3 {
                writer.write("s", step, 0, &[]).unwrap();
                let now = fs::read_to_string(&path).unwrap();
                if before.starts_with(&whole) {
                    assert_eq!(now, before);
                }
            }
            writer.end().unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), whole);
        }
    }

    /// Of every size and with every number of digits: steps in a row are written as they are one by one.
    #[test]
    fn steps_in_a_row_are_written_as_single_ones() {
        let folder = tempfile::tempdir().unwrap();
        let mut numbers = vec![
            0.0f32,
            -0.0,
            f32::NAN,
            f32::INFINITY,
            1e-4,
            1e12,
            9.99e11,
            1.0,
        ];
        let mut bits = 1u32;
        for _ in 0..20_000 {
            bits = bits.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let short = f32::from_bits(bits & 0xfff8_0000);
            numbers.extend([f32::from_bits(bits), short, (bits >> 12) as f32 / 1000.0]);
        }
        let column = |name: &str, dtype, bytes: Vec<u8>| Column {
            name: name.into(),
            dtype,
            shape: vec![],
            bytes,
        };
        let reals = numbers.iter().flat_map(|x| x.to_ne_bytes());
        let doubles = numbers.iter().flat_map(|x| f64::from(*x).to_ne_bytes());
        let ints = numbers.iter().flat_map(|x| x.to_bits().to_ne_bytes());
        let steps = Stretch {
            step: 1,
            epoch: 7,
            each: true,
            steps: numbers.len(),
            columns: vec![
                column("a \"b\"", DType::F32, reals.collect()),
                column("c", DType::F64, doubles.collect()),
                column("d", DType::I32, ints.collect()),
            ],
        };
        let (once, single) = (folder.path().join("once"), folder.path().join("single"));
        let mut writer = MetricsWriter::create(&once).unwrap();
        // Some by a thread, and some not.
        for (from, to) in [(0, 10_000), (10_000, 10_100), (10_100, numbers.len())] {
            let cut = |c: &Column| Column {
                bytes: c.bytes[from * c.dtype.size()..to * c.dtype.size()].to_vec(),
                ..c.clone()
            };
            let part = Stretch {
                step: steps.at(from).0,
                epoch: steps.at(from).1,
                steps: to - from,
                columns: steps.columns.iter().map(cut).collect(),
                ..steps.clone()
            };
            writer.write_steps("s", part).unwrap();
        }
        writer.end().unwrap();
        let mut writer = MetricsWriter::create(&single).unwrap();
        for i in 0..numbers.len() {
            let values = steps.values(i);
            let values: Vec<(&str, MetricValue)> =
                values.iter().map(|(n, t)| (n.as_str(), t.into())).collect();
            let (step, epoch) = steps.at(i);
            writer
                .write("s", step as u64, epoch as u64, &values)
                .unwrap();
        }
        let text = fs::read_to_string(&once).unwrap();
        for (a, b) in text
            .lines()
            .zip(fs::read_to_string(&single).unwrap().lines())
        {
            assert_eq!(a, b);
        }
        assert_eq!(text.lines().count(), numbers.len());
    }

    #[test]
    fn failures_name_the_file() {
        let error = MetricsWriter::create(Path::new("no/such/metrics.jsonl")).unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("cannot write metrics to `no/such/metrics.jsonl`")
        );
    }
}
