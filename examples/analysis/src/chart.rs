//! Bars as a PNG, and what a PNG says of itself.

use png::{BitDepth, ColorType, Decoder, Encoder, EncodingError};

const WIDTH: usize = 480;
const HEIGHT: usize = 240;
/// The most bars for which there is room: four pixels each.
const MOST_BARS: usize = 120;
const PAPER: u8 = 255;
const INK: u8 = 40;

/// A bar for each value, from left to right; the highest reaches the top.
pub(crate) fn png(values: &[f64]) -> Result<Vec<u8>, EncodingError> {
    let values = values.get(..MOST_BARS).unwrap_or(values);
    let highest = values.iter().copied().filter(|value| value.is_finite()).fold(f64::MIN_POSITIVE, f64::max);
    let wide = WIDTH / values.len().max(1);
    let mut pixels = Vec::with_capacity(WIDTH * HEIGHT);
    for y in 0..HEIGHT {
        for x in 0..WIDTH {
            // The last column of a bar stays empty, and parts it from the next.
            let value = if x % wide + 1 < wide { values.get(x / wide) } else { None };
            let is_bar = value.is_some_and(|value| (HEIGHT - y) as f64 <= value / highest * HEIGHT as f64);
            pixels.push(if is_bar { INK } else { PAPER });
        }
    }
    let mut file = Vec::new();
    let mut encoder = Encoder::new(&mut file, WIDTH as u32, HEIGHT as u32);
    encoder.set_color(ColorType::Grayscale);
    encoder.set_depth(BitDepth::Eight);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(&pixels)?;
    writer.finish()?;
    Ok(file)
}

/// Width and height, where it is a PNG.
pub(crate) fn size(file: &[u8]) -> Option<(u32, u32)> {
    let reader = Decoder::new(std::io::Cursor::new(file)).read_info().ok()?;
    Some((reader.info().width, reader.info().height))
}

#[cfg(test)]
mod tests {
    use super::{png, size};

    #[test]
    fn whatever_the_values_there_is_a_chart() {
        for values in [vec![], vec![0.0], vec![-1.0, f64::NAN, 3.0], vec![1.0; 1_000]] {
            let file = png(&values).expect("a vector takes all");
            assert_eq!(size(&file), Some((480, 240)), "{values:?}");
        }
    }

    #[test]
    fn what_is_no_png_has_no_size() {
        assert_eq!(size(b"GIF89a"), None);
    }
}
