//! Parallel coordinates as SVG: an upright axis for each quantity, a line across them for each row.
//!
//! Keeps: every row crosses every axis on which it has a value; numbers stand by size, logarithmically where all are
//! positive and a hundred times apart, other texts in order of appearance.
//! The least value of the last axis is drawn broad, others fade with their rank.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::plot::{AXIS, FONT, GRID, PALETTE};
use super::{escape, push};

/// The size of the drawing, at scale two.
const SIZE: (u32, u32) = (1640, 720);

/// Where the axes begin and end.
const TOP: i32 = 90;
const BOTTOM: i32 = 660;
const SIDE: i32 = 150;

/// No more rows than this are drawn.
const MAX_ROWS: usize = 500;

/// A quantity: where each row stands between the bottom (0) and the top (1) of its axis, and what is written along it.
#[derive(Clone, PartialEq, Debug)]
pub struct Coordinate {
    name: String,
    /// Nothing where a row has no finite value.
    places: Vec<Option<f64>>,
    ticks: Vec<(f64, String)>,
}

impl Coordinate {
    /// From the cells of a column of a table.
    pub fn new(name: &str, cells: &[String]) -> Self {
        let numbers: Option<Vec<f64>> = cells.iter().map(|c| c.parse().ok()).collect();
        match numbers {
            Some(numbers) => Self::of_numbers(name, &numbers),
            None => Self::of_texts(name, cells),
        }
    }

    fn of_numbers(name: &str, numbers: &[f64]) -> Self {
        let finite = || numbers.iter().copied().filter(|x| x.is_finite());
        let (low, high) = finite().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), x| {
            (low.min(x), high.max(x))
        });
        let log = low > 0.0 && high / low >= 100.0;
        let scale = |x: f64| if log { x.ln() } else { x };
        let place = |x: f64| match scale(high) - scale(low) {
            width if width > 0.0 => (scale(x) - scale(low)) / width,
            _ => 0.5,
        };
        let unscale = |y: f64| if log { y.exp() } else { y };
        let at = |part: f64| unscale(scale(low) + part * (scale(high) - scale(low)));
        let mut values: Vec<f64> = numbers.to_vec();
        values.retain(|x| x.is_finite());
        values.sort_by(f64::total_cmp);
        values.dedup();
        // Few values are written themselves; of many, places between the least and the largest.
        if values.len() > 6 {
            values = (0..5).map(|i| at(f64::from(i) / 4.0)).collect();
        }
        Self {
            name: name.to_string(),
            places: numbers
                .iter()
                .map(|&x| x.is_finite().then(|| place(x)))
                .collect(),
            ticks: values.iter().map(|&x| (place(x), short(x))).collect(),
        }
    }

    fn of_texts(name: &str, cells: &[String]) -> Self {
        let mut known: Vec<&String> = Vec::new();
        for cell in cells {
            if !known.contains(&cell) {
                known.push(cell);
            }
        }
        let place = |i: usize| match known.len() {
            1 => 0.5,
            n => i as f64 / (n - 1) as f64,
        };
        let of = |cell: &String| known.iter().position(|k| *k == cell).map(place);
        Self {
            name: name.to_string(),
            places: cells.iter().map(of).collect(),
            ticks: known
                .iter()
                .enumerate()
                .map(|(i, text)| (place(i), cut(text)))
                .collect(),
        }
    }
}

/// A number in few digits.
fn short(x: f64) -> String {
    match x.abs() {
        0.0 => "0".into(),
        size if !(1e-3..1e5).contains(&size) => format!("{x:.2e}"),
        _ => {
            let text = format!("{x:.4}");
            text.trim_end_matches('0').trim_end_matches('.').to_string()
        }
    }
}

/// A text that fits beside an axis.
fn cut(text: &str) -> String {
    match text.char_indices().nth(14) {
        Some((end, _)) => format!("{}..", &text[..end]),
        None => text.to_string(),
    }
}

/// The plot and what it says, as HTML.
pub(super) fn render(axes: &[Coordinate]) -> String {
    let mut svg = String::new();
    let drawn = draw(&mut svg, axes);
    drawn.expect("drawing into a string does not fail");
    let mut html = String::from("<figure class=\"plot\">\n");
    html.push_str(&svg);
    html.push_str("\n<figcaption>");
    if let Some(last) = axes.last() {
        let name = escape(&last.name);
        push(
            &mut html,
            format_args!("<span><i class=\"s1\"></i>the least {name}</span>"),
        );
        html.push_str("<span><i class=\"s0\"></i>others, fainter as it grows</span>");
    }
    html.push_str("</figcaption>\n</figure>\n");
    html
}

type DrawResult = Result<(), Box<dyn std::error::Error>>;

fn draw(svg: &mut String, axes: &[Coordinate]) -> DrawResult {
    let root = SVGBackend::with_string(svg, SIZE).into_drawing_area();
    let n_gaps = axes.len().saturating_sub(1).max(1) as f64;
    let across = f64::from(SIZE.0 as i32 - 2 * SIDE);
    let x_of = |axis: usize| SIDE + (across * axis as f64 / n_gaps).round() as i32;
    let y_of = |place: f64| BOTTOM - (place * f64::from(BOTTOM - TOP)).round() as i32;
    let n_rows = axes.first().map_or(0, |a| a.places.len());
    for axis in 0..axes.len() {
        let line = [(x_of(axis), TOP), (x_of(axis), BOTTOM)];
        root.draw(&PathElement::new(line, GRID.stroke_width(4)))?;
    }
    // The worst first, so that the best lies on top.
    for (rank, &row) in by_last(axes, n_rows).iter().rev().enumerate() {
        let nth = n_rows.min(MAX_ROWS) - 1 - rank;
        let (color, width) = match nth {
            0 => (PALETTE[1].to_rgba(), 8),
            _ => {
                let share = nth as f64 / n_rows as f64;
                (PALETTE[0].mix(0.9 - 0.7 * share), 4)
            }
        };
        let points = axes.iter().enumerate().map(|(axis, a)| {
            let place = a.places.get(row).copied().flatten();
            place.map(|p| (x_of(axis), y_of(p)))
        });
        let points: Vec<Option<(i32, i32)>> = points.collect();
        for run in points.split(Option::is_none) {
            let run: Vec<(i32, i32)> = run.iter().copied().flatten().collect();
            if run.len() > 1 {
                root.draw(&PathElement::new(run, color.stroke_width(width)))?;
            } else if let [point] = run[..] {
                root.draw(&Circle::new(point, 6, color.filled()))?;
            }
        }
    }
    for (axis, a) in axes.iter().enumerate() {
        let name = TextStyle::from((FONT, 31)).pos(Pos::new(HPos::Center, VPos::Center));
        root.draw(&Text::new(cut(&a.name), (x_of(axis), TOP - 50), name))?;
        for (place, text) in &a.ticks {
            let (x, y) = (x_of(axis), y_of(*place));
            let tick = [(x - 8, y), (x + 8, y)];
            root.draw(&PathElement::new(tick, AXIS.stroke_width(2)))?;
            // Beside the last axis there is room on the right only.
            let (at, side) = match axis + 1 == axes.len() {
                true => (x + 16, HPos::Left),
                false => (x - 16, HPos::Right),
            };
            let style = TextStyle::from((FONT, 27)).pos(Pos::new(side, VPos::Center));
            root.draw(&Text::new(text.clone(), (at, y), style))?;
        }
    }
    root.present()?;
    Ok(())
}

/// The rows by the last axis, the least first, those without a value last.
fn by_last(axes: &[Coordinate], n_rows: usize) -> Vec<usize> {
    let mut rows: Vec<usize> = (0..n_rows).collect();
    if let Some(last) = axes.last() {
        let key = |row: usize| last.places[row].unwrap_or(f64::INFINITY);
        rows.sort_by(|&a, &b| key(a).total_cmp(&key(b)));
    }
    rows.truncate(MAX_ROWS);
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cells(texts: &[&str]) -> Vec<String> {
        texts.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn numbers_stand_by_size_and_texts_by_appearance() {
        let places = |texts: &[&str]| Coordinate::new("a", &cells(texts)).places;
        assert_eq!(places(&["1", "3", "2"]), [Some(0.0), Some(1.0), Some(0.5)]);
        assert_eq!(
            places(&["red", "blue", "red"]),
            [Some(0.0), Some(1.0), Some(0.0)]
        );
        assert_eq!(places(&["2", "NaN"]), [Some(0.5), None]);
        let decades = places(&["0.001", "0.01", "0.1"]);
        assert!((decades[1].unwrap() - 0.5).abs() < 1e-9, "{decades:?}");
    }

    #[test]
    fn few_values_are_written_as_they_are() {
        let axis = Coordinate::new("lr", &cells(&["0.1", "0.01", "0.1"]));
        let texts: Vec<&str> = axis.ticks.iter().map(|t| t.1.as_str()).collect();
        assert_eq!(texts, ["0.01", "0.1"]);
        let many: Vec<String> = (0..50).map(|i| i.to_string()).collect();
        assert_eq!(Coordinate::new("n", &many).ticks.len(), 5);
    }

    #[test]
    fn a_row_is_a_line_and_the_best_is_broad() {
        let axes = [
            Coordinate::new("lr", &cells(&["0.1", "0.2", "0.3"])),
            Coordinate::new("loss", &cells(&["2", "1", "nan"])),
        ];
        let html = render(&axes);
        assert_eq!(html.matches("stroke-width=\"8\"").count(), 1);
        assert!(html.contains("the least loss"));
        assert_eq!(by_last(&axes, 3), [1, 0, 2]);
        assert!(render(&[]).contains("<svg"));
    }
}
