//! The range of an axis of a plot and the numbers written along it.
//!
//! Keeps: the range is finite, not empty, and wide enough that its ticks are different numbers,
//! whatever the data; ticks are 1, 2 or 5 times a power of ten apart.

use std::ops::Range;

use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};

/// Data beyond this is drawn at the border, so that the width of a range does not overflow.
const LARGEST: f64 = 1e300;

/// How many ticks are aimed at.
const N_TICKS: f64 = 7.0;

/// One axis of a plot.
#[derive(Clone, Debug)]
pub(super) struct Axis {
    low: f64,
    high: f64,
    /// The distance between ticks.
    step: f64,
}

impl Axis {
    /// An axis that shows all finite `values`, with a margin of that part of their range at both ends.
    pub(super) fn covering(values: impl Iterator<Item = f64>, margin: f64) -> Self {
        let finite = values
            .filter(|x| x.is_finite())
            .map(|x| x.clamp(-LARGEST, LARGEST));
        let (low, high) = finite.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), x| {
            (low.min(x), high.max(x))
        });
        let (low, high) = if low <= high { (low, high) } else { (0.0, 1.0) };
        let pad = match high - low {
            // Too narrow for the digits of an f64 to tell ticks apart.
            width if width <= 1e-9 * low.abs().max(high.abs()) => 0.05 * low.abs().max(high.abs()),
            width => margin * width,
        };
        // All values are zero, or so close to it that the range has no width to speak of.
        let pad = if high - low + pad < 1e-290 { 1.0 } else { pad };
        let (low, high) = (low - pad, high + pad);
        Axis {
            low,
            high,
            step: nice_step((high - low) / N_TICKS),
        }
    }

    /// A tick as text, with as many digits as tell it from the next.
    pub(super) fn format(&self, tick: f64) -> String {
        let exponent = self.step.log10().floor() as i32;
        let largest = self.low.abs().max(self.high.abs());
        if tick == 0.0 {
            return "0".to_string();
        }
        if largest >= 1e6 || exponent < -4 {
            let n_digits = (tick.abs().log10().floor() as i32 - exponent).clamp(0, 12);
            return format!("{tick:.*e}", n_digits as usize);
        }
        format!("{tick:.*}", (-exponent).max(0) as usize)
    }
}

/// The least of 1, 2, 5 times a power of ten that is at least `wanted`.
fn nice_step(wanted: f64) -> f64 {
    let power = 10f64.powf(wanted.log10().floor());
    let factor = [1.0, 2.0, 5.0]
        .into_iter()
        .find(|factor| factor * power >= wanted);
    factor.unwrap_or(10.0) * power
}

impl Ranged for Axis {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        let part = (value - self.low) / (self.high - self.low);
        let offset = part.clamp(0.0, 1.0) * f64::from(limit.1 - limit.0);
        limit.0 + offset.round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, _: Hint) -> Vec<f64> {
        let first = (self.low / self.step).ceil();
        (0..20)
            .map(|i| (first + f64::from(i)) * self.step)
            .take_while(|&tick| tick <= self.high)
            .collect()
    }

    fn range(&self) -> Range<f64> {
        self.low..self.high
    }
}

impl ValueFormatter<f64> for Axis {
    fn format_ext(&self, value: &f64) -> String {
        self.format(*value)
    }
}

#[cfg(test)]
mod tests {
    use plotters::coord::ranged1d::LightPoints;

    use super::*;

    fn ticks(values: &[f64]) -> Vec<String> {
        let axis = Axis::covering(values.iter().copied(), 0.0);
        let points = axis.key_points(LightPoints::new(10, 10));
        points.into_iter().map(|tick| axis.format(tick)).collect()
    }

    #[test]
    fn ticks_are_round_numbers() {
        assert_eq!(ticks(&[0.0, 1.0]), ["0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        assert_eq!(
            ticks(&[-3.0, 4.0]),
            ["-3", "-2", "-1", "0", "1", "2", "3", "4"]
        );
        assert_eq!(
            ticks(&[100.0, 1000.0]),
            ["200", "400", "600", "800", "1000"]
        );
        assert_eq!(ticks(&[0.0, 2e7]), ["0", "5e6", "1.0e7", "1.5e7", "2.0e7"]);
    }

    #[test]
    fn any_data_gives_a_few_different_ticks() {
        let cases: [&[f64]; 9] = [
            &[],
            &[f64::NAN, f64::INFINITY],
            &[0.0],
            &[5.0, 5.0],
            &[1.0, 1.0 + f64::EPSILON],
            &[-f64::MAX, f64::MAX],
            &[f64::MIN_POSITIVE, 0.0],
            &[1e300, 1e300],
            &[5e-324, 1e-300],
        ];
        for values in cases {
            let ticks = ticks(values);
            assert!((2..=12).contains(&ticks.len()), "{values:?}: {ticks:?}");
            assert!(
                ticks.windows(2).all(|pair| pair[0] != pair[1]),
                "{values:?}: {ticks:?}"
            );
        }
    }
}
