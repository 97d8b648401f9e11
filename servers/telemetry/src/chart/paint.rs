//! A scene as a file: pixels (PNG) or shapes (SVG).
//! For: writing what was laid out. Not for: layout.

use std::fmt::Write as _;

use tiny_skia::{FillRule, Paint, PathBuilder, Pixmap, Rect, Stroke, Transform};

use super::font::Font;
use super::scene::{Anchor, Color, Scene, Shape, WHITE, slants};

/// Pixels for each unit: letters stay sharp where a client shrinks the picture.
const SCALE: f32 = 1.25;
const SLANT_GAP: f32 = 4.0;

/// The scene as a PNG on white; `None` where it has no size.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a picture's size is a small positive number"
)]
pub(crate) fn png(scene: &Scene, font: &Font) -> Option<Vec<u8>> {
    let size = |units: f32| (units * SCALE).ceil() as u32;
    let mut pixels = Pixmap::new(size(scene.width), size(scene.height))?;
    pixels.fill(color(WHITE));
    let scale = Transform::from_scale(SCALE, SCALE);
    for shape in &scene.shapes {
        match shape {
            Shape::Filled(area, of) => {
                if let Some(rect) = Rect::from_xywh(area.x, area.y, area.width, area.height) {
                    pixels.fill_rect(rect, &paint(*of), scale, None);
                }
            }
            Shape::Hatched(area, of) => {
                for (from, to) in slants(*area, SLANT_GAP) {
                    stroke(&mut pixels, from, to, *of, scale);
                }
                let (right, low) = (area.x + area.width, area.y + area.height);
                let corners = [
                    (area.x, area.y),
                    (right, area.y),
                    (right, low),
                    (area.x, low),
                ];
                for (at, from) in corners.iter().enumerate() {
                    stroke(&mut pixels, *from, corners[(at + 1) % 4], *of, scale);
                }
            }
            Shape::Line { from, to, color } => stroke(&mut pixels, *from, *to, *color, scale),
            Shape::Text {
                at,
                size,
                color,
                anchor,
                text,
            } => {
                let width = font.width(text, *size);
                let x = match anchor {
                    Anchor::Start => at.0,
                    Anchor::Middle => at.0 - width / 2.0,
                    Anchor::End => at.0 - width,
                };
                if let Some(path) = font.outline(text, (x, at.1), *size) {
                    pixels.fill_path(&path, &paint(*color), FillRule::Winding, scale, None);
                }
            }
        }
    }
    written(&pixels)
}

/// The pixels without transparency, as small as they become: an answer carries them.
fn written(pixels: &Pixmap) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let mut encoder = png::Encoder::new(&mut out, pixels.width(), pixels.height());
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_compression(png::Compression::High);
    let mut writer = encoder.write_header().ok()?;
    let opaque: Vec<u8> = pixels
        .data()
        .chunks_exact(4)
        .flat_map(|pixel| [pixel[0], pixel[1], pixel[2]])
        .collect();
    writer.write_image_data(&opaque).ok()?;
    writer.finish().ok()?;
    Some(out)
}

fn stroke(pixels: &mut Pixmap, from: (f32, f32), to: (f32, f32), of: Color, scale: Transform) {
    let mut path = PathBuilder::new();
    path.move_to(from.0, from.1);
    path.line_to(to.0, to.1);
    if let Some(path) = path.finish() {
        pixels.stroke_path(&path, &paint(of), &Stroke::default(), scale, None);
    }
}

fn color(Color(red, green, blue): Color) -> tiny_skia::Color {
    tiny_skia::Color::from_rgba8(red, green, blue, 0xff)
}

fn paint(of: Color) -> Paint<'static> {
    let mut paint = Paint::default();
    paint.set_color(color(of));
    paint
}

/// The scene as SVG, its texts as texts.
pub(crate) fn svg(scene: &Scene) -> String {
    let (width, height) = (scene.width, scene.height);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" \
         font-family=\"DejaVu Sans, Verdana, sans-serif\">\n<rect width=\"100%\" height=\"100%\" fill=\"{}\"/>\n",
        hex(WHITE)
    );
    for shape in &scene.shapes {
        // Writing into a String does not fail.
        let _ = match shape {
            Shape::Filled(area, color) => writeln!(
                out,
                "<rect x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{:.1}\" fill=\"{}\"/>",
                area.x,
                area.y,
                area.width,
                area.height,
                hex(*color)
            ),
            Shape::Hatched(area, color) => {
                let slants: String = slants(*area, SLANT_GAP)
                    .iter()
                    .map(|(from, to)| {
                        format!("M{:.1} {:.1}L{:.1} {:.1}", from.0, from.1, to.0, to.1)
                    })
                    .collect();
                writeln!(
                    out,
                    "<path d=\"{slants}M{:.1} {:.1}h{:.1}v{:.1}h-{:.1}z\" stroke=\"{}\" fill=\"none\"/>",
                    area.x,
                    area.y,
                    area.width,
                    area.height,
                    area.width,
                    hex(*color)
                )
            }
            Shape::Line { from, to, color } => writeln!(
                out,
                "<line x1=\"{:.1}\" y1=\"{:.1}\" x2=\"{:.1}\" y2=\"{:.1}\" stroke=\"{}\"/>",
                from.0,
                from.1,
                to.0,
                to.1,
                hex(*color)
            ),
            Shape::Text {
                at,
                size,
                color,
                anchor,
                text,
            } => {
                let anchor = match anchor {
                    Anchor::Start => "start",
                    Anchor::Middle => "middle",
                    Anchor::End => "end",
                };
                writeln!(
                    out,
                    "<text x=\"{:.1}\" y=\"{:.1}\" font-size=\"{size}\" fill=\"{}\" text-anchor=\"{anchor}\">{}</text>",
                    at.0,
                    at.1,
                    hex(*color),
                    escaped(text)
                )
            }
        };
    }
    out + "</svg>\n"
}

fn hex(Color(red, green, blue): Color) -> String {
    format!("#{red:02x}{green:02x}{blue:02x}")
}

fn escaped(text: &str) -> String {
    let text: String = text.chars().filter(|c| !c.is_control()).collect();
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
