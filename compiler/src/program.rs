//! What lowering gives and the runtime runs: graphs whose inputs and outputs are bound to named places.
//!
//! The compiler knows no files and keeps no tensors. A [`Slot`] names a tensor that the runtime keeps; a [`Program`] is a
//! graph with a [`Source`] for each input and a [`Sink`] for each output.

use crate::interp::Tensor;
use crate::ir::{Graph, Type};
use mlc_grammar::span::Span;

/// A tensor that lives outside the programs.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct SlotId(pub u32);

/// What a slot holds.
#[derive(Clone, PartialEq, Debug)]
pub struct Slot {
    /// `encode.layer[0].w`, `vae.encode.layer[0].w.adam.m`, `digits`: unique in the pipeline.
    pub name: String,
    pub ty: Type,
    pub kind: SlotKind,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SlotKind {
    /// Read by the host: the number [`Host::load`] gave.
    Data(u32),
    /// Rows of a file, from `first` on, that the host reads when a batch asks for them.
    OnDisk { data: u32, first: usize },
    /// Computed once from data by an initialising program.
    Global,
    /// A trained parameter. Its first value comes from an initialising program.
    Param,
    /// What lasts from step to step: user state, or an optimizer's (then of one stage only).
    State,
}

/// Where a program's input comes from.
#[derive(Clone, PartialEq, Debug)]
pub enum Source {
    /// `int[2]`: the run's seed, low and high half.
    Seed,
    /// `int`: steps done in this stage before this one.
    Step,
    /// `int[b]`: the rows of the source that make up this batch.
    Rows,
    /// The rows of this batch of a slot that is on disk.
    RowsOf(SlotId),
    /// A slot's present value, in the stage's own version.
    Slot(SlotId),
    /// A slot's value as another stage left it (index into [`Session::stages`](crate::lower::Session)).
    StageSlot(usize, SlotId),
    /// All values logged under a name by a finished stage, one row each (shape `[entries, ..]`).
    StageLog(usize, String),
}

/// Where a program's output goes.
#[derive(Clone, PartialEq, Debug)]
pub enum Sink {
    /// The slot's next value. Programs read all slots before they write any.
    Slot(SlotId),
    /// A logged or asserted or drawn value, by name.
    Value(String),
    /// A truth value: ends the stage after this step where it holds.
    Stop,
    /// A truth value: whether what the stage leaves may be used.
    Verdict,
    /// The number by which the best snapshot of the stage is chosen.
    Keep,
    /// A tensor that is written to a file of the run's folder.
    Export(Export),
    /// A named part of a block's n-th output (see [`Every::shown`]).
    Show(usize, String),
}

/// One tensor of a file that a stage exports.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Export {
    /// A plain name.
    pub file: String,
    pub format: ExportFormat,
    /// Its address in what is exported: `posterior.h.w`.
    pub name: String,
    /// Is its first axis that of draws?
    pub drawn: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ExportFormat {
    /// A column for each element of a row.
    Csv,
    /// Arrays by name, for NumPy.
    Npz,
    /// Groups of variables, for ArviZ.
    InferenceData,
    /// Tensors by address, for another pipeline.
    Safetensors,
}

/// A graph and what it is connected to; `sources` and `sinks` are parallel to the graph's inputs and outputs.
#[derive(Clone)]
pub struct Program {
    pub name: String,
    pub graph: Graph,
    pub sources: Vec<Source>,
    pub sinks: Vec<Sink>,
}

/// What a training loop counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unit {
    Steps,
    Epochs,
    Rows,
}

/// How batches are made of a source's rows.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Batching {
    pub rows: usize,
    /// The size that `TrainPlan::step` is for; it stays unless there is a `TrainPlan::size`.
    pub size: usize,
    pub shuffle: bool,
    /// Leave out what is left at the end of an epoch when it is less than a batch; otherwise it is a smaller batch.
    pub drop_last: bool,
}

/// The size of a batch where it changes from step to step.
#[derive(Clone)]
pub struct BatchSize {
    /// Gives one `int`; it runs between steps.
    pub program: Program,
    /// The expression.
    pub span: Span,
}

/// One step of a training loop as the driver runs it.
#[derive(Clone)]
pub struct TrainPlan {
    /// Absent: every step sees the same inputs, and an epoch is a step.
    pub batching: Option<Batching>,
    pub count: usize,
    pub unit: Unit,
    /// Its `Sink::Value`s are logged at each step (the objective as `objective` if nothing else is).
    pub step: Program,
    /// Gives the stage's own states their first values, before the first step, from what the stage starts with.
    pub start: Option<Program>,
    /// Which snapshot the stage leaves; otherwise the last.
    pub keep: Option<Keep>,
    /// The step for the smaller last batch.
    pub remainder: Option<Program>,
    /// The size of the next batch, if it changes. The step for each new size comes from
    /// [`Session::lower_size`](crate::lower::Session::lower_size).
    pub size: Option<BatchSize>,
    pub every: Vec<Every>,
    /// A step that meets a value that is not a number changes nothing, as long as no more than so many do so in a row.
    pub skip: Option<usize>,
    /// Gives the verdict on what the stage leaves, once, and logs what it is by.
    pub verdict: Option<Program>,
}

/// `keep lowest v`: the parameters and states with the best value of `v` are what a stage leaves.
#[derive(Clone, PartialEq, Debug)]
pub struct Keep {
    pub lowest: bool,
    /// The step measures what it starts from, and not what it leaves.
    pub before: bool,
    /// The value is what is logged under this name, and not a [`Sink::Keep`].
    pub log: Option<String>,
}

/// Something done after each `count` units of training.
#[derive(Clone)]
pub struct Every {
    pub count: usize,
    pub unit: Unit,
    /// `Sink::Value`s are logged; slots may be set.
    pub program: Program,
    /// Write a checkpoint as well.
    pub checkpoint: bool,
    /// What is shown in the report, in order; the values are the program's [`Sink::Show`]s.
    pub shown: Vec<ReportItem>,
}

#[derive(Clone)]
pub enum StageProgram {
    Train(Box<TrainPlan>),
    /// Values are logged once.
    Compute(Box<Program>),
    Report(Vec<ReportItem>),
}

/// One thing in a report.
#[derive(Clone)]
pub struct ReportItem {
    /// `image`, `plot`, `table`, `text`
    pub kind: String,
    pub title: String,
    /// The values shown, named: an image is `[h, w]` or `[n, h, w]`; a plot is a vector per name (or `x` and others); a table is a
    /// vector or scalar per name.
    pub program: Program,
    /// For `image`: how many pictures stand in a row.
    pub columns: usize,
    /// For `text`.
    pub text: String,
}

/// One `assert` of a test.
#[derive(Clone, Debug)]
pub struct Assertion {
    pub span: Span,
    /// The program's boolean output.
    pub output: usize,
    /// The expression as written, and outputs worth showing when it fails: (text, output).
    pub text: String,
    pub shown: Vec<(String, usize)>,
}

/// One `snapshot` of a test.
#[derive(Clone, Debug)]
pub struct Snapshot {
    pub span: Span,
    /// The statement as written, without the word.
    pub text: String,
    pub kept: Kept,
}

/// What is kept of a [`Snapshot`].
#[derive(Clone, Debug)]
pub enum Kept {
    Values {
        /// The tensors it is made of: (name of the part, output).
        parts: Vec<(String, usize)>,
        /// How far a real may be from the one accepted, relative to it where it is larger than 1; otherwise by its type.
        tol: Option<f64>,
    },
    /// A graph, or what is said of mistakes.
    Text(String),
}

#[derive(Clone)]
pub struct TestProgram {
    pub name: String,
    pub program: Program,
    pub assertions: Vec<Assertion>,
    pub snapshots: Vec<Snapshot>,
    /// Stages (by index) whose results the program reads; they must have run.
    pub needs: Vec<usize>,
}

/// A stage before it is lowered.
#[derive(Clone, PartialEq, Debug)]
pub struct StageInfo {
    pub name: String,
    pub span: Span,
    /// `train`, `report`, `compute`
    pub kind: &'static str,
    /// Stages whose parameter versions this one starts from.
    pub after: Vec<usize>,
    /// Stages whose results it reads; includes `after`.
    pub needs: Vec<usize>,
}

/// What the compiler asks of the world.
pub trait Host {
    /// Reads data. Gives the columns (name, number, type); what is one tensor has one, unnamed.
    ///
    /// # Errors
    /// What went wrong, for the user, with a hint.
    fn load(&mut self, asked: &Request) -> Result<Vec<Column>, HostError>;

    /// Computes a graph's only output now, before any stage: how many rows a filter leaves.
    ///
    /// # Errors
    /// Why it cannot, for the user.
    fn evaluate(&mut self, graph: &Graph, inputs: &[Known]) -> Result<Tensor, String>;

    /// The name and text of a module file that `use` names (path relative to the pipeline, without `.ml`), if there is one.
    ///
    /// # Errors
    /// If there is one, and it cannot or may not be read.
    fn module(&mut self, path: &[String]) -> Result<Option<(String, String)>, HostError>;
}

/// What is to be read: `csv("f.csv", missing: drop)`.
#[derive(Clone, PartialEq, Debug)]
pub struct Request {
    /// `csv`, `npy`, ..
    pub reader: &'static str,
    pub path: String,
    /// Are reals of 64 bits?
    pub double: bool,
    /// Those given, each known to the reader.
    pub options: Vec<(String, Setting)>,
}

/// The value of a reader's option.
#[derive(Clone, PartialEq, Debug)]
pub enum Setting {
    Text(String),
    Int(i64),
    Real(f64),
    Truth(bool),
    Range(i64, i64),
    List(Vec<Setting>),
    Record(Vec<(String, Setting)>),
}

/// An input of a graph that is evaluated while lowering.
#[derive(Clone, Debug)]
pub enum Known {
    /// What [`Host::load`] read, by number.
    Data(u32),
    Value(Tensor),
    /// Of this type; nothing reads it.
    Unused(Type),
}

#[derive(Clone, PartialEq, Debug)]
pub struct Column {
    pub name: String,
    pub data: u32,
    pub ty: Type,
    /// Do the rows stay in the file until a batch asks for them?
    pub on_disk: bool,
}

#[derive(Clone, PartialEq, Debug)]
pub struct HostError {
    /// What is wrong, lower case, with file, line and column where they apply.
    pub message: String,
    pub hint: String,
    /// The option of a reader that is at fault, if it is not the file.
    pub option: Option<String>,
    /// Something outside the pipeline (a file that is not there): exit code 3. Otherwise the content is wrong: 1.
    pub environment: bool,
}
