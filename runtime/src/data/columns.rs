//! Columns of tables, cell by cell: what is asked of them, and the tensors they become.
//!
//! ```text
//! species: "levels"     setosa, virginica, setosa   =>   i32[3] = [0, 1, 0]
//! missing: 0            1.5, (nothing), 2           =>   f32[3] = [1.5, 0, 2]
//! ```

use std::collections::BTreeMap;

use crate::tensor::{DType, HostTensor};

/// The type that columns of real numbers get.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Real {
    /// 32-bit floating point.
    F32,
    /// 64-bit floating point.
    F64,
}

impl Real {
    pub(super) fn name(self) -> &'static str {
        match self {
            Real::F32 => "f32",
            Real::F64 => "f64",
        }
    }

    pub(super) fn dtype(self) -> DType {
        match self {
            Real::F32 => DType::F32,
            Real::F64 => DType::F64,
        }
    }

    pub(super) fn cell(self, x: f64) -> Cell {
        match self {
            Real::F32 => Cell::F32(x as f32),
            Real::F64 => Cell::F64(x),
        }
    }
}

/// The type that is asked of a column.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Wanted {
    /// Integers if all cells are, else reals.
    #[default]
    Guess,
    /// 32-bit integers.
    Int,
    Real,
    /// `true` and `false`, or 1 and 0.
    Truth,
    /// Texts, as their places among those that occur, in ascending order.
    Levels,
}

/// What becomes of cells that hold nothing.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub enum Missing {
    /// They are an error.
    #[default]
    Refuse,
    /// Their rows are left out.
    Drop,
    /// They get this value.
    Fill { value: f64, whole: bool },
}

/// What is asked of a table.
#[derive(Clone, PartialEq, Debug)]
pub struct TableOptions {
    /// The type of reals.
    pub real: Real,
    /// The columns to read, in this order; otherwise all.
    pub columns: Option<Vec<(String, Wanted)>>,
    pub missing: Missing,
}

impl TableOptions {
    /// All columns as they are.
    pub fn new(real: Real) -> Self {
        Self {
            real,
            columns: None,
            missing: Missing::default(),
        }
    }

    /// The columns asked for: their places in the file, names and types. Otherwise the name that the file lacks.
    pub(super) fn select(&self, names: &[String]) -> Result<Vec<Selected>, String> {
        let place = |(name, wanted): &(String, Wanted)| {
            let idx = names.iter().position(|n| n == name);
            let idx = idx.ok_or_else(|| name.clone())?;
            Ok(Selected {
                idx,
                name: name.clone(),
                wanted: *wanted,
            })
        };
        match &self.columns {
            Some(columns) => columns.iter().map(place).collect(),
            None => Ok(names
                .iter()
                .enumerate()
                .map(|(idx, name)| Selected {
                    idx,
                    name: name.clone(),
                    wanted: Wanted::Guess,
                })
                .collect()),
        }
    }
}

/// A column that is read.
pub(super) struct Selected {
    /// Its place in the file, from 0.
    pub idx: usize,
    pub name: String,
    pub wanted: Wanted,
}

/// The value of a cell; a number in the narrowest type that holds it as written.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Cell {
    I32(i32),
    F32(f32),
    F64(f64),
    Truth(bool),
    Text(String),
}

/// What a column is filled with where a cell is missing. The reason why it cannot be otherwise.
pub(super) fn fill(wanted: Wanted, value: f64, whole: bool, real: Real) -> Result<Cell, String> {
    let int = whole && value.abs() <= f64::from(i32::MAX);
    match wanted {
        Wanted::Guess | Wanted::Int if int => Ok(Cell::I32(value as i32)),
        Wanted::Guess | Wanted::Real => Ok(real.cell(value)),
        Wanted::Truth if int && (value == 0.0 || value == 1.0) => Ok(Cell::Truth(value == 1.0)),
        Wanted::Levels if int => Ok(Cell::I32(value as i32)),
        Wanted::Int | Wanted::Levels => Err("takes an int here".into()),
        Wanted::Truth => Err("takes 0 or 1 here".into()),
    }
}

/// The values of a column so far. One of guessed type starts as integers and becomes real at the first cell that is not one.
pub(super) enum Column {
    I32(Vec<i32>),
    F32(Vec<f32>),
    F64(Vec<f64>),
    Truth(Vec<bool>),
    /// The place of each text in order of first appearance, or what a missing one is filled with.
    Levels {
        texts: BTreeMap<String, usize>,
        cells: Vec<Result<usize, i32>>,
    },
}

impl Column {
    pub(super) fn new(wanted: Wanted, real: Real) -> Self {
        match (wanted, real) {
            (Wanted::Guess | Wanted::Int, _) => Column::I32(Vec::new()),
            (Wanted::Real, Real::F32) => Column::F32(Vec::new()),
            (Wanted::Real, Real::F64) => Column::F64(Vec::new()),
            (Wanted::Truth, _) => Column::Truth(Vec::new()),
            (Wanted::Levels, _) => Column::Levels {
                texts: BTreeMap::new(),
                cells: Vec::new(),
            },
        }
    }

    pub(super) fn push(&mut self, cell: Cell) {
        match (&mut *self, cell) {
            (Column::I32(values), Cell::I32(x)) => values.push(x),
            (Column::I32(values), Cell::Truth(x)) => values.push(i32::from(x)),
            // The nearest f32 to the integer is the nearest to its text, so nothing is rounded twice.
            (Column::F32(values), Cell::I32(x)) => values.push(x as f32),
            (Column::F32(values), Cell::F32(x)) => values.push(x),
            (Column::F32(values), Cell::F64(x)) => values.push(x as f32),
            (Column::F64(values), Cell::I32(x)) => values.push(f64::from(x)),
            (Column::F64(values), Cell::F32(x)) => values.push(f64::from(x)),
            (Column::F64(values), Cell::F64(x)) => values.push(x),
            (Column::I32(values), Cell::F32(x)) => {
                let reals = values.iter().map(|&i| i as f32).chain([x]).collect();
                *self = Column::F32(reals);
            }
            (Column::I32(values), Cell::F64(x)) => {
                let reals = values.iter().map(|&i| f64::from(i)).chain([x]).collect();
                *self = Column::F64(reals);
            }
            (Column::Truth(values), Cell::Truth(x)) => values.push(x),
            (Column::Levels { texts, cells }, Cell::Text(text)) => {
                let next = texts.len();
                cells.push(Ok(*texts.entry(text).or_insert(next)));
            }
            (Column::Levels { cells, .. }, Cell::I32(code)) => cells.push(Err(code)),
            _ => unreachable!("cells are read as the column asks"),
        }
    }

    pub(super) fn finish(self) -> HostTensor {
        match self {
            Column::I32(values) => HostTensor::from_i32(&[values.len()], &values),
            Column::F32(values) => HostTensor::from_f32(&[values.len()], &values),
            Column::F64(values) => HostTensor::from_f64(&[values.len()], &values),
            Column::Truth(values) => HostTensor::from_bool(&[values.len()], &values),
            Column::Levels { texts, cells } => {
                let mut places = vec![0; texts.len()];
                for (place, first) in texts.into_values().enumerate() {
                    places[first] = place as i32;
                }
                let code = |c: Result<usize, i32>| c.map_or_else(|code| code, |i| places[i]);
                let values: Vec<i32> = cells.into_iter().map(code).collect();
                HostTensor::from_i32(&[values.len()], &values)
            }
        }
    }
}

/// Can a pipeline write this name?
pub(super) fn is_identifier(name: &str) -> bool {
    let mut chars = name.chars();
    chars
        .next()
        .is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && chars.all(|c| c.is_ascii_alphanumeric() || c == '_')
}
