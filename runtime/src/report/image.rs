//! Grids of images as PNG within the page.
//!
//! One tensor pixel is one PNG pixel; the style sheet enlarges them without smoothing. What lies
//! between the images, and pixels that are not a number, are transparent.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::escape;
use crate::tensor::{DType, HostTensor, count_elements};

/// The images that a report shows side by side.
#[derive(Clone, Debug)]
pub struct ImageGrid<'a> {
    /// `[h, w]`, `[n, h, w]` or `[n, h, w, 3]`.
    pub tensor: &'a HostTensor,
    /// How many images stand in a row.
    pub columns: usize,
    /// Which values are black and white.
    pub range: PixelRange,
    /// What is written below.
    pub caption: Option<&'a str>,
}

/// Which values are black and white.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PixelRange {
    /// Reals from 0 to 1, integers from 0 to 255; what lies beyond is clamped.
    Unit,
    /// From the least to the largest value of the tensor.
    MinMax,
}

/// Why a tensor cannot be shown as images.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ImageError {
    /// The tensor has no shape of images.
    #[error(
        "a tensor of shape {shape:?} cannot be shown as images: expected [h, w], [n, h, w] or \
             [n, h, w, 3]"
    )]
    Shape {
        /// The shape.
        shape: Vec<usize>,
    },
    /// The grid has more pixels than a page can show.
    #[error("a grid of {width} by {height} pixels is too large for a report (the most is {limit})")]
    TooLarge {
        /// The width of the grid.
        width: usize,
        /// The height of the grid.
        height: usize,
        /// The largest number of pixels.
        limit: usize,
    },
}

const MAX_PIXELS: usize = 1 << 24;

/// The pixels between two images.
const GAP: usize = 1;

/// The width that an image is enlarged to, about.
const SHOWN_WIDTH: usize = 84;

/// How the images lie in the tensor and in the grid.
struct Layout {
    n_images: usize,
    image_height: usize,
    image_width: usize,
    n_channels: usize,
    columns: usize,
    width: usize,
    height: usize,
}

impl Layout {
    fn new(grid: &ImageGrid) -> Result<Self, ImageError> {
        let shape = grid.tensor.shape();
        let (n_images, image_height, image_width, n_channels) = match *shape {
            [h, w] => (1, h, w, 1),
            [n, h, w] => (n, h, w, 1),
            [n, h, w, 3] => (n, h, w, 3),
            _ => {
                return Err(ImageError::Shape {
                    shape: shape.to_vec(),
                });
            }
        };
        if grid.tensor.is_empty() {
            return Err(ImageError::Shape {
                shape: shape.to_vec(),
            });
        }
        let columns = grid.columns.clamp(1, n_images);
        let side = |n: usize, pixels: usize| n.saturating_mul(pixels.saturating_add(GAP)) - GAP;
        let width = side(columns, image_width);
        let height = side(n_images.div_ceil(columns), image_height);
        if count_elements(&[width, height]).is_none_or(|n| n > MAX_PIXELS) {
            return Err(ImageError::TooLarge {
                width,
                height,
                limit: MAX_PIXELS,
            });
        }
        Ok(Layout {
            n_images,
            image_height,
            image_width,
            n_channels,
            columns,
            width,
            height,
        })
    }

    /// Calls `put` with each pixel's place in the grid and in the list of values.
    fn for_each_pixel(&self, mut put: impl FnMut(usize, usize)) {
        let mut value_idx = 0;
        for image_idx in 0..self.n_images {
            let left = image_idx % self.columns * (self.image_width + GAP);
            let top = image_idx / self.columns * (self.image_height + GAP);
            for y in top..top + self.image_height {
                for x in left..left + self.image_width {
                    put(y * self.width + x, value_idx);
                    value_idx += self.n_channels;
                }
            }
        }
    }
}

/// The grid and its caption as HTML.
pub(super) fn render(title: &str, grid: &ImageGrid) -> Result<String, ImageError> {
    let layout = Layout::new(grid)?;
    let data = STANDARD.encode(to_png(&layout, grid));
    let shown_width = layout.width * SHOWN_WIDTH.div_ceil(layout.image_width);
    let caption = grid.caption.map_or(String::new(), |caption| {
        format!("<figcaption>{}</figcaption>\n", escape(caption))
    });
    Ok(format!(
        "<figure class=\"images\">\n<img alt=\"{}\" style=\"width: {shown_width}px\" \
         src=\"data:image/png;base64,{data}\">\n{caption}</figure>\n",
        escape(title)
    ))
}

fn to_png(layout: &Layout, grid: &ImageGrid) -> Vec<u8> {
    let values = grid.tensor.to_f64_vec();
    let (black, white) = match (grid.range, grid.tensor.dtype()) {
        (PixelRange::Unit, DType::I32) => (0.0, 255.0),
        (PixelRange::Unit, _) => (0.0, 1.0),
        (PixelRange::MinMax, _) => range_of(&values),
    };
    let level = |x: f64| {
        // `as` takes the nearest u8 for what lies beyond; a NaN is 0, and made transparent below.
        ((x - black) / (white - black) * 255.0).round() as u8
    };
    let n_bytes = layout.n_channels + 1;
    let mut pixels = vec![0; layout.width * layout.height * n_bytes];
    layout.for_each_pixel(|pixel_idx, value_idx| {
        let channels = &values[value_idx..value_idx + layout.n_channels];
        if channels.iter().any(|x| x.is_nan()) {
            return;
        }
        let pixel = &mut pixels[pixel_idx * n_bytes..][..n_bytes];
        for (byte, &x) in pixel.iter_mut().zip(channels) {
            *byte = level(x);
        }
        pixel[layout.n_channels] = 255;
    });

    let mut bytes = Vec::new();
    // Both sides fit: their product was checked.
    let mut encoder = png::Encoder::new(&mut bytes, layout.width as u32, layout.height as u32);
    let rgb = layout.n_channels == 3;
    encoder.set_color(if rgb {
        png::ColorType::Rgba
    } else {
        png::ColorType::GrayscaleAlpha
    });
    encoder.set_depth(png::BitDepth::Eight);
    let written = encoder
        .write_header()
        .and_then(|mut writer| writer.write_image_data(&pixels));
    written.expect("encoding pixels of the declared size into memory does not fail");
    bytes
}

/// The least and the largest finite value; if there is only one, it is black.
fn range_of(values: &[f64]) -> (f64, f64) {
    let finite = values.iter().copied().filter(|x| x.is_finite());
    let (low, high) = finite.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), x| {
        (low.min(x), high.max(x))
    });
    if low < high {
        (low, high)
    } else {
        (low.min(f64::MAX), low.min(f64::MAX) + 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The bytes of the pixels of the PNG, and its width and height.
    fn decode(tensor: &HostTensor, columns: usize, range: PixelRange) -> (Vec<u8>, u32, u32) {
        let html = render(
            "t",
            &ImageGrid {
                tensor,
                columns,
                range,
                caption: None,
            },
        )
        .unwrap();
        let start = html.find("base64,").unwrap() + "base64,".len();
        let end = start + html[start..].find('"').unwrap();
        let png = STANDARD.decode(&html[start..end]).unwrap();
        let mut reader = png::Decoder::new(std::io::Cursor::new(png))
            .read_info()
            .unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut pixels).unwrap();
        (pixels, info.width, info.height)
    }

    #[test]
    fn values_are_clamped_to_the_unit_interval() {
        let tensor = HostTensor::from_f32(&[1, 5], &[-3.0, 0.0, 0.5, 1.0, f32::INFINITY]);
        let (pixels, width, height) = decode(&tensor, 1, PixelRange::Unit);
        assert_eq!((width, height), (5, 1));
        assert_eq!(pixels, [0, 255, 0, 255, 128, 255, 255, 255, 255, 255]);
        let (pixels, ..) = decode(
            &HostTensor::from_i32(&[1, 2], &[51, 300]),
            1,
            PixelRange::Unit,
        );
        assert_eq!(pixels, [51, 255, 255, 255]);
    }

    #[test]
    fn values_are_scaled_to_their_range_if_asked() {
        let tensor = HostTensor::from_f64(&[1, 4], &[-2.0, 0.0, f64::NAN, 2.0]);
        let (pixels, ..) = decode(&tensor, 1, PixelRange::MinMax);
        assert_eq!(
            pixels,
            [0, 255, 128, 255, 0, 0, 255, 255],
            "a NaN is transparent"
        );
        for odd in [
            [3.0; 2],
            [f64::NAN; 2],
            [f64::MAX; 2],
            [-f64::MAX, f64::MAX],
        ] {
            decode(&HostTensor::from_f64(&[1, 2], &odd), 1, PixelRange::MinMax);
        }
    }

    #[test]
    fn images_stand_in_rows_with_gaps() {
        let (pixels, width, height) = decode(
            &HostTensor::from_f32(&[3, 1, 2], &[1.0; 6]),
            2,
            PixelRange::Unit,
        );
        assert_eq!((width, height), (5, 3));
        let opaque: String = pixels
            .chunks(2)
            .map(|p| if p[1] > 0 { '#' } else { '.' })
            .collect();
        assert_eq!(opaque, ["##.##", ".....", "##..."].concat());
    }

    #[test]
    fn colours_are_kept() {
        let tensor = HostTensor::from_f32(&[1, 1, 2, 3], &[1.0, 0.0, 0.2, 0.0, 1.0, 0.0]);
        let (pixels, ..) = decode(&tensor, 9, PixelRange::Unit);
        assert_eq!(pixels, [255, 0, 51, 255, 0, 255, 0, 255]);
    }

    #[test]
    fn tensors_that_are_no_images_are_refused() {
        let range = PixelRange::Unit;
        let refuse = |tensor: &HostTensor| {
            render(
                "t",
                &ImageGrid {
                    tensor,
                    columns: 1,
                    range,
                    caption: None,
                },
            )
            .unwrap_err()
        };
        for shape in [
            vec![],
            vec![4],
            vec![1, 2, 2, 4],
            vec![0, 2, 2],
            vec![1, 1, 1, 1, 3],
        ] {
            let tensor = HostTensor::zeros(DType::F32, &shape);
            assert_eq!(refuse(&tensor), ImageError::Shape { shape });
        }
        let large = HostTensor::zeros(DType::Bool, &[1 << 12, 1 << 13]);
        assert!(matches!(refuse(&large), ImageError::TooLarge { .. }));
    }
}
