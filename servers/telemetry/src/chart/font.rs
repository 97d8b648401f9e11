//! The letters of charts.
//! For: how wide a text is, and its outlines. The font comes with the program (`fonts/LICENSE`), so that a chart
//! looks the same everywhere. Not for: shaping scripts beyond Latin, Greek and Cyrillic; others are boxes.

use tiny_skia::{Path, PathBuilder};
use ttf_parser::{Face, GlyphId, OutlineBuilder};

const BYTES: &[u8] = include_bytes!("../../fonts/DejaVuSans-subset.ttf");

/// The font, read.
pub(crate) struct Font(Face<'static>);

impl Font {
    /// The font that comes with the program; `None` never, as a test holds.
    pub(crate) fn own() -> Option<Self> {
        Face::parse(BYTES, 0).ok().map(Font)
    }

    fn glyph(&self, letter: char) -> GlyphId {
        self.0.glyph_index(letter).unwrap_or(GlyphId(0))
    }

    fn scale(&self, size: f32) -> f32 {
        size / f32::from(self.0.units_per_em())
    }

    /// How wide `text` is.
    pub(crate) fn width(&self, text: &str, size: f32) -> f32 {
        let units = text
            .chars()
            .map(|letter| f32::from(self.0.glyph_hor_advance(self.glyph(letter)).unwrap_or(0)));
        units.sum::<f32>() * self.scale(size)
    }

    /// `text`, cut with an ellipsis if it is wider than `most`.
    pub(crate) fn fit(&self, text: &str, size: f32, most: f32) -> String {
        if self.width(text, size) <= most {
            return text.to_owned();
        }
        let mut short = String::new();
        for letter in text.chars() {
            short.push(letter);
            if self.width(&short, size) + self.width("…", size) > most {
                short.pop();
                break;
            }
        }
        short + "…"
    }

    /// The outlines of `text`, its base line beginning at `at`.
    pub(crate) fn outline(&self, text: &str, at: (f32, f32), size: f32) -> Option<Path> {
        let mut pen = Pen {
            path: PathBuilder::new(),
            x: at.0,
            y: at.1,
            scale: self.scale(size),
        };
        for letter in text.chars() {
            let glyph = self.glyph(letter);
            self.0.outline_glyph(glyph, &mut pen);
            pen.x += f32::from(self.0.glyph_hor_advance(glyph).unwrap_or(0)) * pen.scale;
        }
        pen.path.finish()
    }
}

struct Pen {
    path: PathBuilder,
    x: f32,
    y: f32,
    scale: f32,
}

impl Pen {
    fn at(&self, x: f32, y: f32) -> (f32, f32) {
        (self.x + x * self.scale, self.y - y * self.scale)
    }
}

impl OutlineBuilder for Pen {
    fn move_to(&mut self, x: f32, y: f32) {
        let (x, y) = self.at(x, y);
        self.path.move_to(x, y);
    }

    fn line_to(&mut self, x: f32, y: f32) {
        let (x, y) = self.at(x, y);
        self.path.line_to(x, y);
    }

    fn quad_to(&mut self, x1: f32, y1: f32, x: f32, y: f32) {
        let ((x1, y1), (x, y)) = (self.at(x1, y1), self.at(x, y));
        self.path.quad_to(x1, y1, x, y);
    }

    fn curve_to(&mut self, x1: f32, y1: f32, x2: f32, y2: f32, x: f32, y: f32) {
        let ((x1, y1), (x2, y2), (x, y)) = (self.at(x1, y1), self.at(x2, y2), self.at(x, y));
        self.path.cubic_to(x1, y1, x2, y2, x, y);
    }

    fn close(&mut self) {
        self.path.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_font_has_the_letters_of_charts() {
        let font = Font::own().unwrap();
        for letter in ('!'..='~').chain("äéñøβΩЖ…–·$€→".chars()) {
            assert_ne!(font.glyph(letter), GlyphId(0), "{letter}");
            assert!(
                font.outline(&letter.to_string(), (0.0, 0.0), 12.0)
                    .is_some()
            );
        }
        assert!(font.width("iii", 12.0) < font.width("mmm", 12.0));
        let short = font.fit("claude-opus-4-5-20251101", 12.0, 80.0);
        assert!(
            short.ends_with('…') && font.width(&short, 12.0) <= 80.0,
            "{short}"
        );
        assert_eq!(font.fit("abc", 12.0, 80.0), "abc");
    }
}
