//! Line plots as SVG within the page.
//!
//! Colours are written as those of the light theme; the style sheet maps each to a variable that the
//! dark theme sets again. The SVG is drawn at twice its size, because the library places points at
//! whole pixels.

use plotters::prelude::*;

use super::axis::Axis;
use super::{escape, push};

/// A line of a plot.
#[derive(Clone, PartialEq, Debug)]
pub struct Series {
    /// The name in the legend.
    pub name: String,
    /// The points `(x, y)` in the order in which they are joined.
    pub points: Vec<(f64, f64)>,
}

/// The size of the drawing, at scale two.
const SIZE: (u32, u32) = (1640, 680);

/// No line is drawn with more points than this.
const MAX_POINTS: usize = 2000;

/// Colours that can be told apart with any colour vision (after Okabe and Ito); `style.css` lists them
/// again, with those of the dark theme.
pub(super) const PALETTE: [RGBColor; 8] = [
    RGBColor(0x00, 0x60, 0xa8),
    RGBColor(0xd5, 0x5e, 0x00),
    RGBColor(0x00, 0x85, 0x62),
    RGBColor(0xb4, 0x4d, 0x8c),
    RGBColor(0x8a, 0x6d, 0x00),
    RGBColor(0x2f, 0x93, 0xc9),
    RGBColor(0x6a, 0x4c, 0xb0),
    RGBColor(0x55, 0x5f, 0x6b),
];

/// The colour of axes, and that of grid lines.
pub(super) const AXIS: RGBColor = RGBColor(0x8b, 0x94, 0x9e);
pub(super) const GRID: RGBColor = RGBColor(0xe3, 0xe6, 0xea);

pub(super) const FONT: &str = "system-ui, sans-serif";

/// The plot and its legend as HTML.
pub(super) fn render(x_label: &str, y_label: &str, series: &[Series]) -> String {
    let mut svg = String::new();
    let drawn = draw(&mut svg, x_label, y_label, series);
    drawn.expect("drawing into a string does not fail");
    let mut html = String::from("<figure class=\"plot\">\n");
    html.push_str(&svg);
    html.push_str("\n<figcaption>");
    for (series_idx, one) in series.iter().enumerate() {
        let color_idx = series_idx % PALETTE.len();
        let name = escape(&one.name);
        push(
            &mut html,
            format_args!("<span><i class=\"s{color_idx}\"></i>{name}</span>"),
        );
    }
    html.push_str("</figcaption>\n</figure>\n");
    html
}

type DrawResult = Result<(), Box<dyn std::error::Error>>;

fn draw(svg: &mut String, x_label: &str, y_label: &str, series: &[Series]) -> DrawResult {
    let finite = || {
        let points = series.iter().flat_map(|one| &one.points);
        points
            .copied()
            .filter(|(x, y)| x.is_finite() && y.is_finite())
    };
    let x_axis = Axis::covering(finite().map(|(x, _)| x), 0.0);
    let y_axis = Axis::covering(finite().map(|(_, y)| y), 0.05);

    let root = SVGBackend::with_string(svg, SIZE).into_drawing_area();
    let mut chart = ChartBuilder::on(&root)
        .margin(16)
        .margin_right(48)
        .x_label_area_size(92)
        .y_label_area_size(150)
        .build_cartesian_2d(x_axis, y_axis)?;
    chart
        .configure_mesh()
        .x_desc(x_label)
        .y_desc(y_label)
        .axis_style(AXIS.stroke_width(2))
        .bold_line_style(GRID.stroke_width(2))
        .light_line_style(TRANSPARENT)
        .label_style((FONT, 29))
        .axis_desc_style((FONT, 31))
        .draw()?;
    for (series_idx, one) in series.iter().enumerate() {
        let color = PALETTE[series_idx % PALETTE.len()];
        let points = downsample(&one.points);
        for run in points.split(|(x, y)| !x.is_finite() || !y.is_finite()) {
            if let [point] = run {
                chart.draw_series([Circle::new(*point, 5, color.filled())])?;
            } else {
                let line = LineSeries::new(run.iter().copied(), color.stroke_width(4));
                chart.draw_series(line)?;
            }
        }
    }
    root.present()?;
    Ok(())
}

/// The most bins that a histogram has.
const MAX_BINS: usize = 60;

/// Outlines of histograms, as densities, so that samples of different sizes can be laid over one another. All have the same bins: by
/// the rule of Freedman and Diaconis (1981), width 2 IQR / n^(1/3), for all values together.
pub(super) fn histogram(values: &[(String, Vec<f64>)]) -> String {
    let mut all: Vec<f64> = values.iter().flat_map(|v| &v.1).copied().collect();
    all.retain(|x| x.is_finite());
    all.sort_by(f64::total_cmp);
    let bins = bins(&all);
    let line = |(name, xs): &(String, Vec<f64>)| {
        let finite: Vec<f64> = xs.iter().copied().filter(|x| x.is_finite()).collect();
        let left = xs.len() - finite.len();
        let name = match left {
            0 => name.clone(),
            left => format!("{name} ({left} not finite)"),
        };
        Series {
            name,
            points: outline(&finite, &bins),
        }
    };
    let series: Vec<Series> = values.iter().map(line).collect();
    render("", "density", &series)
}

/// Edges of bins over sorted values.
fn bins(sorted: &[f64]) -> Vec<f64> {
    let (Some(&low), Some(&high)) = (sorted.first(), sorted.last()) else {
        return Vec::new();
    };
    if low == high {
        return vec![low - 0.5, low + 0.5];
    }
    let n = sorted.len();
    let spread = sorted[3 * n / 4] - sorted[n / 4];
    let width = 2.0 * spread / (n as f64).cbrt();
    let count = if width > 0.0 {
        ((high - low) / width).ceil()
    } else {
        1.0
    };
    let count = (count as usize).clamp(1, MAX_BINS);
    let edge = |i: usize| low + (high - low) * i as f64 / count as f64;
    (0..=count).map(edge).collect()
}

/// The line around the bars: up, along and down.
fn outline(values: &[f64], edges: &[f64]) -> Vec<(f64, f64)> {
    if values.is_empty() || edges.len() < 2 {
        return Vec::new();
    }
    let bins = edges.len() - 1;
    let (low, width) = (edges[0], edges[1] - edges[0]);
    let mut counts = vec![0usize; bins];
    for x in values {
        // The highest value belongs to the last bin.
        let bin = ((x - low) / width) as usize;
        counts[bin.min(bins - 1)] += 1;
    }
    let mut points = vec![(low, 0.0)];
    for (i, count) in counts.iter().enumerate() {
        let density = *count as f64 / (values.len() as f64 * width);
        points.extend([(edges[i], density), (edges[i + 1], density)]);
    }
    points.push((edges[bins], 0.0));
    points
}

/// At most [`MAX_POINTS`] points that look the same: of each bucket of neighbours the lowest, the
/// highest, and one that is not finite, if there is one, so that peaks and gaps stay.
fn downsample(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    if points.len() <= MAX_POINTS {
        return points.to_vec();
    }
    let mut kept = Vec::with_capacity(MAX_POINTS);
    for bucket in points.chunks(points.len().div_ceil(MAX_POINTS / 3)) {
        let is_finite = |point: &(f64, f64)| point.0.is_finite() && point.1.is_finite();
        let finite = || (0..bucket.len()).filter(|&i| is_finite(&bucket[i]));
        let by_y = |&a: &usize, &b: &usize| bucket[a].1.total_cmp(&bucket[b].1);
        let gap = (0..bucket.len()).find(|&i| !is_finite(&bucket[i]));
        let mut picks: Vec<usize> = [finite().min_by(by_y), finite().max_by(by_y), gap]
            .into_iter()
            .flatten()
            .collect();
        picks.sort_unstable();
        picks.dedup();
        kept.extend(picks.into_iter().map(|i| bucket[i]));
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(values: &[f64]) -> Series {
        let points = values
            .iter()
            .enumerate()
            .map(|(i, &y)| (i as f64, y))
            .collect();
        Series {
            name: "loss".to_string(),
            points,
        }
    }

    #[test]
    fn long_series_keep_peaks_and_gaps() {
        let mut values: Vec<f64> = (0..1_000_003).map(|i| (i as f64 * 1e-3).sin()).collect();
        values[123_456] = 50.0;
        values[777_777] = -50.0;
        values[500_000] = f64::NAN;
        let kept = downsample(&series(&values).points);
        assert!(
            kept.len() <= MAX_POINTS && kept.len() > 1000,
            "{}",
            kept.len()
        );
        assert!(kept.is_sorted_by(|a, b| a.0 < b.0));
        for idx in [123_456, 777_777, 500_000] {
            assert!(kept.iter().any(|&(x, _)| x == f64::from(idx)));
        }
        let short = series(&values[..MAX_POINTS]).points;
        assert_eq!(downsample(&short), short);
    }

    #[test]
    fn points_that_are_not_finite_split_the_line() {
        let html = render(
            "step",
            "loss",
            &[series(&[1.0, 2.0, f64::NAN, 3.0, f64::INFINITY, 4.0, 5.0])],
        );
        let color = "stroke=\"#0060A8\"";
        assert_eq!(html.matches(color).count(), 2, "two lines: {html}");
        assert_eq!(html.matches("<circle").count(), 1, "one lone point");
        assert!(!html.contains("NaN") && !html.contains("inf"));
    }

    #[test]
    fn every_series_has_its_colour_and_its_name() {
        let many = vec![series(&[1.0, 2.0]); 9];
        let html = render("step", "loss", &many);
        assert_eq!(
            html.matches("class=\"s0\"").count(),
            2,
            "colours come round again"
        );
        assert_eq!(html.matches(">loss</span>").count(), 9);
        let style = super::super::STYLE;
        for RGBColor(r, g, b) in PALETTE.into_iter().chain([AXIS, GRID]) {
            let written = format!("\"#{r:02X}{g:02X}{b:02X}\"");
            assert!(
                html.contains(&written) && style.contains(&written),
                "{written}"
            );
        }
    }

    #[test]
    fn odd_data_is_drawn() {
        let cases: [&[f64]; 5] = [
            &[],
            &[f64::NAN],
            &[1.0],
            &[f64::MAX, -f64::MAX],
            &[1.0, 1.0 + f64::EPSILON],
        ];
        for values in cases {
            assert!(
                render("x", "y", &[series(values)]).contains("</svg>"),
                "{values:?}"
            );
        }
        assert!(render("", "", &[]).contains("</svg>"));
    }

    #[test]
    fn a_histogram_has_the_area_one() {
        let xs: Vec<f64> = (0..1000).map(|i| f64::from(i * i % 997)).collect();
        let mut sorted = xs.clone();
        sorted.sort_by(f64::total_cmp);
        let edges = bins(&sorted);
        let points = outline(&xs, &edges);
        let area: f64 = points.windows(2).map(|p| (p[1].0 - p[0].0) * p[0].1).sum();
        assert!((area - 1.0).abs() < 1e-12, "{area}");
        assert!(edges.len() > 5 && edges.len() <= MAX_BINS + 1);
        // One value, none, and values that are no numbers.
        assert_eq!(bins(&[2.0, 2.0]), [1.5, 2.5]);
        let html = histogram(&[("a".into(), vec![f64::NAN, 1.0]), ("b".into(), vec![])]);
        assert!(html.contains("a (1 not finite)") && html.contains("<svg"));
    }
}
