//! Trees as bytes. The library's are made when the compiler is built, so that no run parses it.

use crate::ast::{File, Item, ItemKind};
use crate::span::FileId;
use serde::{Deserialize, Serialize};
use std::cell::Cell;

thread_local! {
    static UNPACKED: Cell<FileId> = const { Cell::new(FileId(0)) };
}

/// The file whose tree is being unpacked: its spans are in it.
pub(crate) fn file() -> FileId {
    UNPACKED.get()
}

/// An item of a packed tree.
#[derive(Serialize, Deserialize)]
pub struct Packed<'a> {
    /// What it defines.
    #[serde(borrow)]
    pub names: Vec<&'a str>,
    /// Is it a `use`?
    pub is_use: bool,
    bytes: &'a [u8],
}

/// A tree without the file that its spans are in, item by item: a reader unpacks those that it needs.
///
/// # Panics
/// Never: a tree has nothing that cannot be written.
pub fn pack(tree: &File) -> Vec<u8> {
    let written = "a tree can be written";
    let items: Vec<Vec<u8>> = tree
        .items
        .iter()
        .map(|item| postcard::to_allocvec(item).expect(written))
        .collect();
    let packed = tree.items.iter().zip(&items).map(|(item, bytes)| Packed {
        names: item.names(),
        is_use: matches!(item.kind, ItemKind::Use(_)),
        bytes,
    });
    postcard::to_allocvec(&packed.collect::<Vec<_>>()).expect(written)
}

/// The items of what [`pack`] made.
pub fn items(bytes: &[u8]) -> Option<Vec<Packed<'_>>> {
    postcard::from_bytes(bytes).ok()
}

impl Packed<'_> {
    /// The item, as one of a file.
    pub fn unpack(&self, file: FileId) -> Option<Item> {
        UNPACKED.set(file);
        postcard::from_bytes(self.bytes).ok()
    }
}

/// What [`pack`] made, as the tree of a file.
pub fn unpack(file: FileId, bytes: &[u8]) -> Option<File> {
    let items = items(bytes)?.into_iter().map(|item| item.unpack(file));
    Some(File {
        items: items.collect::<Option<_>>()?,
    })
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

    #[test]
    fn an_item_is_unpacked_alone() {
        let text =
            "use std.vi.elbo\nlet (a, {b, c}) = f()\nfn g(x) = x\ntest \"t\" { assert true }\n";
        let (tree, _) = crate::parse(FileId(1), text);
        let bytes = pack(&tree);
        let items = items(&bytes).unwrap();
        let names: Vec<_> = items.iter().map(|i| i.names.join(" ")).collect();
        assert_eq!(names, ["", "a b c", "g", ""]);
        let uses: Vec<_> = items.iter().map(|i| i.is_use).collect();
        assert_eq!(uses, [true, false, false, false]);
        let item = items[2].unpack(FileId(1));
        assert_eq!(item.as_ref(), Some(&tree.items[2]));
    }
}
