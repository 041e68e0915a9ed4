//! Doc comments: `///` lines directly above what they describe.

/// The text of the `///` lines directly above the place `at`, without the slashes, joined by `\n`.
///
/// Only looks at the lines it takes and the one above them, so asking for every statement of a file costs one pass.
pub(crate) fn doc_before(text: &str, at: usize) -> Option<String> {
    let mut above = text[..at]
        .trim_end_matches([' ', '\t', '\r'])
        .strip_suffix('\n')?;
    let mut lines = Vec::new();
    loop {
        let start = above.rfind('\n').map_or(0, |i| i + 1);
        let Some(line) = above[start..].trim().strip_prefix("///") else {
            break;
        };
        lines.push(line.trim());
        if start == 0 {
            break;
        }
        above = &above[..start - 1];
    }
    lines.reverse();
    (!lines.is_empty()).then(|| lines.join("\n"))
}
