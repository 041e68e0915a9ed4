//! Trees as bytes. The library's are made when the compiler is built, so that no run parses it.

use crate::ast::File;
use crate::span::FileId;
use std::cell::Cell;

thread_local! {
    static UNPACKED: Cell<FileId> = const { Cell::new(FileId(0)) };
}

/// The file whose tree is being unpacked: its spans are in it.
pub(crate) fn file() -> FileId {
    UNPACKED.get()
}

/// A tree without the file that its spans are in.
///
/// # Panics
/// Never: a tree has nothing that cannot be written.
pub fn pack(tree: &File) -> Vec<u8> {
    postcard::to_allocvec(tree).expect("a tree can be written")
}

/// What [`pack`] made, as the tree of a file.
pub fn unpack(file: FileId, bytes: &[u8]) -> Option<File> {
    UNPACKED.set(file);
    postcard::from_bytes(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_is_unpacked_as_it_was() {
        let text =
            "/// Of two.\nfn f(x: real[2], y = 1.5e-3) = if x[0] > y { \"a\" } else { {x, ..y} }\n";
        let (tree, reports) = crate::parse(FileId(3), text);
        assert!(reports.is_empty());
        assert_eq!(unpack(FileId(3), &pack(&tree)), Some(tree.clone()));
        assert_ne!(unpack(FileId(4), &pack(&tree)), Some(tree));
        assert_eq!(unpack(FileId(3), b"\x01\x63"), None);
    }
}
