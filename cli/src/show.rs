//! Values and graphs as a user sees them.

use layout::backends::svg::SVGWriter;
use layout::gv::{DotParser, GraphBuilder};
use mlc_compiler::lower::ValueShape;
use mlc_runtime::tensor::HostTensor;

/// A drawing of a graph in Graphviz's language.
///
/// # Errors
/// If the text is not in that language.
pub fn svg(dot: &str) -> Result<String, String> {
    let mut parser = DotParser::new(dot);
    let graph = parser.process()?;
    let mut builder = GraphBuilder::new();
    builder.visit_graph(&graph);
    let mut visual = builder.get();
    let mut writer = SVGWriter::new();
    visual.do_it(false, false, false, &mut writer);
    Ok(writer.finalize())
}

/// A value with its tensors filled in.
pub fn value(shape: &ValueShape, outputs: &[HostTensor]) -> String {
    match shape {
        ValueShape::Tensor(i) => tensor(&outputs[*i]),
        ValueShape::Tuple(items) => {
            let items: Vec<String> = items.iter().map(|s| value(s, outputs)).collect();
            format!("({})", items.join(", "))
        }
        ValueShape::Record(fields) => {
            let fields: Vec<String> = fields
                .iter()
                .map(|(n, s)| format!("{n}: {}", value(s, outputs)))
                .collect();
            format!("{{{}}}", fields.join(", "))
        }
        ValueShape::Text(t) => t.clone(),
    }
}

fn tensor(t: &HostTensor) -> String {
    let scalar = |x: f64| match t.dtype() {
        mlc_compiler::ir::DType::Bool => (x != 0.0).to_string(),
        mlc_compiler::ir::DType::F32 => format!("{:?}", x as f32),
        mlc_compiler::ir::DType::F64 => format!("{x:?}"),
        mlc_compiler::ir::DType::I32 => x.to_string(),
    };
    let items: Vec<String> = t.to_f64_vec().into_iter().map(scalar).collect();
    nested(&items, t.shape())
}

/// Row-major items in brackets; long axes are cut in the middle.
fn nested(items: &[String], shape: &[usize]) -> String {
    let Some((&n, rest)) = shape.split_first() else {
        return items.first().cloned().unwrap_or_default();
    };
    let size = rest.iter().product::<usize>();
    let part = |i: usize| nested(&items[i * size..(i + 1) * size], rest);
    let parts: Vec<String> = if n <= 12 {
        (0..n).map(part).collect()
    } else {
        (0..6)
            .map(part)
            .chain(["..".to_string()])
            .chain((n - 3..n).map(part))
            .collect()
    };
    format!("[{}]", parts.join(", "))
}
