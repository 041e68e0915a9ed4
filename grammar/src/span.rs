//! Places in source text.

use serde::{Deserialize, Serialize};

/// Names one source text of a compilation: the pipeline, or a module it uses.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Default)]
pub struct FileId(pub u16);

/// A half-open range of bytes in one file; both ends lie on character boundaries.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
pub struct Span {
    /// The text the range is in. A packed tree does not say it: it is told when the tree is unpacked.
    #[serde(skip, default = "crate::packed::file")]
    pub file: FileId,
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

impl Span {
    /// Its first byte: for labels that stand for something long.
    pub fn start_only(self) -> Self {
        Self {
            end: self.start + 1,
            ..self
        }
    }

    /// The range `start..end` of `file`.
    pub fn new(file: FileId, start: usize, end: usize) -> Self {
        Self {
            file,
            start: start as u32,
            end: end as u32,
        }
    }

    /// The smallest range that covers both, which must be of one file.
    pub fn to(self, other: Self) -> Self {
        Self {
            file: self.file,
            start: self.start.min(other.start),
            end: self.end.max(other.end),
        }
    }
}
