//! What a chart is drawn of.
//! For: a few shapes with their places and colours, so that one layout serves pixels and SVG. Not for: deciding
//! what goes where.

/// A colour without transparency.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Color(pub u8, pub u8, pub u8);

pub(crate) const WHITE: Color = Color(0xff, 0xff, 0xff);
pub(crate) const INK: Color = Color(0x1f, 0x23, 0x28);
pub(crate) const QUIET: Color = Color(0x5c, 0x63, 0x6b);
pub(crate) const RULE: Color = Color(0xe3, 0xe6, 0xea);
pub(crate) const UNKNOWN: Color = Color(0x8a, 0x91, 0x99);
/// Told apart also by people who see few colours.
pub(crate) const SERIES: [Color; 7] = [
    Color(0x2f, 0x6d, 0xb5),
    Color(0xe0, 0x8a, 0x2e),
    Color(0x33, 0x97, 0x69),
    Color(0xb6, 0x4f, 0x7d),
    Color(0x79, 0x69, 0xb0),
    Color(0xc8, 0xa4, 0x1f),
    Color(0x45, 0xa5, 0xb8),
];
pub(crate) const OTHERS: Color = Color(0xb3, 0xb9, 0xc0);

/// Which end of a text its place is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Anchor {
    Start,
    Middle,
    End,
}

/// A box, from its upper left corner.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Area {
    pub x: f32,
    pub y: f32,
    pub width: f32,
    pub height: f32,
}

/// One thing that is drawn.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Shape {
    Filled(Area, Color),
    /// A box of slanted lines: an amount that is not known.
    Hatched(Area, Color),
    Line {
        from: (f32, f32),
        to: (f32, f32),
        color: Color,
    },
    /// A text, its place on the base line.
    Text {
        at: (f32, f32),
        size: f32,
        color: Color,
        anchor: Anchor,
        text: String,
    },
}

/// A picture, in units that are pixels of an ordinary screen.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Scene {
    pub width: f32,
    pub height: f32,
    pub shapes: Vec<Shape>,
}

impl Scene {
    pub(crate) fn new(width: f32, height: f32) -> Self {
        Scene {
            width,
            height,
            shapes: Vec::new(),
        }
    }

    pub(crate) fn fill(&mut self, area: Area, color: Color) {
        self.shapes.push(Shape::Filled(area, color));
    }

    pub(crate) fn hatch(&mut self, area: Area) {
        self.shapes.push(Shape::Hatched(area, UNKNOWN));
    }

    pub(crate) fn line(&mut self, from: (f32, f32), to: (f32, f32), color: Color) {
        self.shapes.push(Shape::Line { from, to, color });
    }

    pub(crate) fn text(
        &mut self,
        at: (f32, f32),
        size: f32,
        color: Color,
        anchor: Anchor,
        text: impl Into<String>,
    ) {
        self.shapes.push(Shape::Text {
            at,
            size,
            color,
            anchor,
            text: text.into(),
        });
    }
}

/// The slanted lines within a box, each from the lower left to the upper right.
pub(crate) fn slants(area: Area, gap: f32) -> Vec<((f32, f32), (f32, f32))> {
    let mut lines = Vec::new();
    let mut start = gap / 2.0;
    while start < area.width + area.height {
        // From the left or lower edge, up to the upper or right edge.
        let from = (start - area.height).max(0.0);
        let to = start.min(area.width);
        lines.push((
            (area.x + from, area.y + (start - from)),
            (area.x + to, area.y + (start - to)),
        ));
        start += gap;
    }
    lines
}
