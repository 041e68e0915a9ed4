//! The report of a run: one HTML file that needs nothing else, neither network nor scripts.
//!
//! Keeps: whatever text is put in comes out as text, never as markup; the order of the sections.
//! Does not: know what a run is; the driver says what to show.

mod axis;
mod image;
mod parallel;
mod plot;

use std::fmt::Write;
use std::io;
use std::path::Path;

use crate::checkpoint::write_atomically;
use crate::tensor::HostTensor;

pub use image::{ImageError, ImageGrid, PixelRange};
pub use parallel::Coordinate;
pub use plot::Series;

const STYLE: &str = include_str!("style.css");

/// A report that is being put together.
#[derive(Clone, Debug)]
pub struct Report {
    title: String,
    facts: Vec<(String, String)>,
    /// Finished pieces of HTML.
    sections: Vec<String>,
}

impl Report {
    /// An empty report.
    pub fn new(title: &str) -> Self {
        Report {
            title: title.to_string(),
            facts: Vec::new(),
            sections: Vec::new(),
        }
    }

    /// Adds a fact about the run (its seed, its machine, ...) to the list at the top.
    pub fn fact(&mut self, key: &str, value: &str) -> &mut Self {
        self.facts.push((key.to_string(), value.to_string()));
        self
    }

    /// Adds a plot of lines. Points that are not finite leave gaps.
    pub fn line_plot(
        &mut self,
        title: &str,
        x_label: &str,
        y_label: &str,
        series: Vec<Series>,
    ) -> &mut Self {
        self.section(title, &plot::render(x_label, y_label, &series))
    }

    /// Adds histograms of values, by name, over one another. Values that are not finite are left out, and counted in the legend.
    pub fn histogram(&mut self, title: &str, values: Vec<(String, Vec<f64>)>) -> &mut Self {
        self.section(title, &plot::histogram(&values))
    }

    /// Adds a plot of rows across parallel axes. Of the last axis the least value stands out.
    pub fn parallel_plot(&mut self, title: &str, axes: &[Coordinate]) -> &mut Self {
        self.section(title, &parallel::render(axes))
    }

    /// Adds a grid of images: `[h, w]`, `[n, h, w]` or `[n, h, w, 3]`. Reals are clamped to the unit
    /// interval, integers to 0..=255.
    pub fn images(
        &mut self,
        title: &str,
        tensor: &HostTensor,
        columns: usize,
    ) -> Result<&mut Self, ImageError> {
        let range = PixelRange::Unit;
        self.image_grid(
            title,
            &ImageGrid {
                tensor,
                columns,
                range,
                caption: None,
            },
        )
    }

    /// Adds a grid of images, with all there is to choose.
    pub fn image_grid(&mut self, title: &str, grid: &ImageGrid) -> Result<&mut Self, ImageError> {
        let body = image::render(title, grid)?;
        Ok(self.section(title, &body))
    }

    /// Adds a table. Cells that read as numbers are aligned to the right.
    pub fn table(&mut self, title: &str, headers: &[String], rows: &[Vec<String>]) -> &mut Self {
        let mut body = String::from("<div class=\"wide\"><table>\n<thead><tr>");
        for (column_idx, header) in headers.iter().enumerate() {
            let mut cells = rows.iter().filter_map(|row| row.get(column_idx));
            let class = if !rows.is_empty() && cells.all(|cell| is_number(cell)) {
                NUMBER
            } else {
                ""
            };
            push(
                &mut body,
                format_args!("<th scope=\"col\"{class}>{}</th>", escape(header)),
            );
        }
        body.push_str("</tr></thead>\n<tbody>\n");
        for row in rows {
            body.push_str("<tr>");
            for cell in row {
                let class = if is_number(cell) { NUMBER } else { "" };
                push(&mut body, format_args!("<td{class}>{}</td>", escape(cell)));
            }
            body.push_str("</tr>\n");
        }
        body.push_str("</tbody></table></div>\n");
        self.section(title, &body)
    }

    /// Adds a paragraph; line breaks are kept.
    pub fn text(&mut self, text: &str) -> &mut Self {
        self.sections
            .push(format!("<p class=\"text\">{}</p>\n", escape(text)));
        self
    }

    /// Adds a source text, folded away until it is clicked.
    pub fn source(&mut self, name: &str, text: &str) -> &mut Self {
        let (name, text) = (escape(name), escape(text));
        // A line break right after `<pre>` would be dropped by the browser, so one is spent on it.
        self.sections.push(format!(
            "<details><summary>Source: {name}</summary>\n<pre>\n{text}</pre></details>\n"
        ));
        self
    }

    /// The whole report as HTML.
    pub fn render(&self) -> String {
        let title = escape(&self.title);
        let mut html = format!(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta name=\"color-scheme\" content=\"light dark\">\n\
             <title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n\
             <h1>{title}</h1>\n"
        );
        if !self.facts.is_empty() {
            html.push_str("<dl class=\"facts\">\n");
            for (key, value) in &self.facts {
                let (key, value) = (escape(key), escape(value));
                push(
                    &mut html,
                    format_args!("<div><dt>{key}</dt><dd>{value}</dd></div>\n"),
                );
            }
            html.push_str("</dl>\n");
        }
        html.extend(self.sections.iter().map(String::as_str));
        html.push_str("</main>\n</body>\n</html>\n");
        html
    }

    /// Writes the report, replacing an earlier one of that name in one step.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        write_atomically(path, self.render().as_bytes())
    }

    fn section(&mut self, title: &str, body: &str) -> &mut Self {
        let title = escape(title);
        self.sections
            .push(format!("<section>\n<h2>{title}</h2>\n{body}</section>\n"));
        self
    }
}

const NUMBER: &str = " class=\"number\"";

fn is_number(text: &str) -> bool {
    text.parse::<f64>().is_ok()
}

fn push(html: &mut String, piece: std::fmt::Arguments) {
    html.write_fmt(piece)
        .expect("writing to a string does not fail");
}

/// The text as HTML, for use between tags and in quoted attributes.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            // Neither HTML nor XML has a way to write a NUL.
            '\0' => escaped.push('\u{fffd}'),
            _ => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    const NASTY: &str = "<script>alert('&\"')</script>";

    #[test]
    fn nothing_put_in_becomes_markup() {
        let mut report = Report::new(NASTY);
        let series = [1.0, 2.0].map(|x| Series {
            name: NASTY.to_string(),
            points: vec![(x, x)],
        });
        let nasty = NASTY.to_string();
        let tensor = HostTensor::from_f32(&[1, 1], &[0.5]);
        let range = PixelRange::MinMax;
        report
            .fact(NASTY, NASTY)
            .line_plot(NASTY, NASTY, NASTY, series.to_vec());
        report.table(NASTY, std::slice::from_ref(&nasty), &[vec![nasty.clone()]]);
        report.text(NASTY).source(NASTY, NASTY);
        let grid = ImageGrid {
            tensor: &tensor,
            columns: 1,
            range,
            caption: Some(NASTY),
        };
        report.image_grid(NASTY, &grid).unwrap();
        let html = report.render();
        assert!(!html.contains("<script"));
        assert!(!html.contains("alert('"));
        assert!(html.matches("&lt;script&gt;").count() >= 14);
    }

    #[test]
    fn a_report_needs_nothing_else() {
        let mut report = Report::new("run");
        report
            .images("digits", &HostTensor::from_f32(&[2, 3, 3], &[0.5; 18]), 2)
            .unwrap();
        report.line_plot("loss", "step", "loss", Vec::new());
        let html = report.render();
        let without_names = html.replace("http://www.w3.org/2000/svg", "");
        for word in ["http:", "https:", "<script", "<link", "url(", "@import"] {
            assert!(!without_names.contains(word), "{word}");
        }
    }

    #[test]
    fn the_order_is_kept() {
        let mut report = Report::new("run");
        report
            .text("first")
            .fact("seed", "7")
            .text("second")
            .source("a.ml", "\nlet x = 1");
        let html = report.render();
        let at = |text: &str| html.find(text).expect("a piece of the report");
        assert!(["seed", "first", "second", "let x"].map(at).is_sorted());
        assert!(
            html.contains("<pre>\n\nlet x = 1</pre>"),
            "a blank first line survives"
        );
    }

    #[test]
    fn numbers_are_aligned() {
        let mut report = Report::new("run");
        let rows = [vec!["loss".to_string(), "0.25".to_string()]];
        report.table("values", &["name".to_string(), "value".to_string()], &rows);
        let html = report.render();
        assert!(html.contains("<td>loss</td><td class=\"number\">0.25</td>"));
        assert!(
            html.contains("<th scope=\"col\">name</th><th scope=\"col\" class=\"number\">value")
        );
    }

    #[test]
    fn writing_replaces_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("report.html");
        for title in ["first", "second"] {
            Report::new(title).write(&path).unwrap();
            assert!(std::fs::read_to_string(&path).unwrap().contains(title));
        }
    }
}
