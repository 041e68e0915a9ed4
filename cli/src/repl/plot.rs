//! Lines in the terminal.

use mlc_compiler::lower::ValueShape;
use mlc_runtime::tensor::HostTensor;
use textplots::{Chart, Plot, Shape};

/// A line: its name, and its points.
type Line = (String, Vec<(f32, f32)>);

/// Vectors of a value, as lines over their places: one, those of a record, or of a tuple.
///
/// # Errors
/// Why there is nothing to draw, in words.
pub fn lines(shape: &ValueShape, outputs: &[HostTensor]) -> Result<String, String> {
    let mut found = Vec::new();
    collect("", shape, outputs, &mut found)?;
    let points = || found.iter().flat_map(|l: &Line| &l.1);
    if points().count() < 2 {
        return Err("there is nothing to draw: a line needs two finite values".to_string());
    }
    let end = points().fold(1.0f32, |m, p| m.max(p.0));
    let (mut low, mut high) = (f32::INFINITY, f32::NEG_INFINITY);
    for p in points() {
        (low, high) = (low.min(p.1), high.max(p.1));
    }
    // A flat line lies in the middle.
    if low == high {
        (low, high) = (low - 1.0, high + 1.0);
    }
    let shapes: Vec<Shape> = found.iter().map(|l| Shape::Lines(&l.1)).collect();
    let mut chart = Chart::new_with_y_range(120, 48, 0.0, end, low, high);
    let mut chart = &mut chart;
    for s in &shapes {
        chart = chart.lineplot(s);
    }
    chart.axis();
    chart.figures();
    let names: Vec<&str> = found.iter().map(|l| l.0.as_str()).collect();
    let names = names.join(", ");
    Ok(format!("{chart}{names}").trim_end().to_string())
}

fn collect(
    name: &str,
    shape: &ValueShape,
    outputs: &[HostTensor],
    found: &mut Vec<Line>,
) -> Result<(), String> {
    let below = |n: &str| match name {
        "" => n.to_string(),
        name => format!("{name}.{n}"),
    };
    match shape {
        ValueShape::Tensor(i) => {
            let t = &outputs[*i];
            if t.shape().len() != 1 {
                return Err("only vectors are drawn, and records and tuples of them".to_string());
            }
            let points = t.to_f64_vec().into_iter().enumerate();
            let points = points.filter(|p| p.1.is_finite());
            let points = points.map(|(i, y)| (i as f32, y as f32)).collect();
            found.push((name.to_string(), points));
            Ok(())
        }
        ValueShape::Tuple(items) => items
            .iter()
            .enumerate()
            .try_for_each(|(i, s)| collect(&below(&i.to_string()), s, outputs, found)),
        ValueShape::Record(fields) => fields
            .iter()
            .try_for_each(|(n, s)| collect(&below(n), s, outputs, found)),
        ValueShape::Text(_) => {
            Err("only vectors are drawn, and records and tuples of them".to_string())
        }
    }
}
