//! Where everything in a chart goes.
//! For: axes, bars, labels and legend as shapes. Not for: pixels.

use super::font::Font;
use super::scene::{Anchor, Area, Color, INK, OTHERS, QUIET, RULE, SERIES, Scene, UNKNOWN};
use super::{Bar, Chart, MOST_SERIES};

const WIDTH: f32 = 960.0;
const MARGIN: f32 = 24.0;
const TITLE: f32 = 20.0;
const TEXT: f32 = 13.0;
const SMALL: f32 = 12.0;
/// How large the mark of an unknown amount is: the same for any amount, because nobody knows it.
const MARK: f32 = 12.0;
const TICKS: f64 = 5.0;

pub(super) fn lay_out(chart: &Chart, font: &Font) -> Scene {
    let rows = chart.bars.len().max(1);
    #[expect(clippy::cast_precision_loss, reason = "at most twenty rows")]
    let height = if chart.upright {
        540.0
    } else {
        170.0 + 30.0 * rows as f32
    };
    let mut scene = Scene::new(WIDTH, height.max(240.0));
    let top = heading(&mut scene, chart, font);
    if chart.bars.is_empty() {
        let at = (WIDTH / 2.0, scene.height / 2.0);
        scene.text(at, TEXT, QUIET, Anchor::Middle, "no calls to models");
        return scene;
    }
    let highest = chart.bars.iter().map(Bar::total).fold(0.0, f64::max);
    let scale = Scale::up_to(highest);
    if chart.upright {
        standing(&mut scene, chart, font, top, &scale);
    } else {
        lying(&mut scene, chart, font, top, &scale);
    }
    scene
}

/// Title, what it is about, legend; answers where the bars may begin.
fn heading(scene: &mut Scene, chart: &Chart, font: &Font) -> f32 {
    let room = WIDTH - 2.0 * MARGIN;
    let title = font.fit(&chart.title, TITLE, room);
    scene.text((MARGIN, 38.0), TITLE, INK, Anchor::Start, title);
    let about = font.fit(&chart.about, TEXT, room);
    scene.text((MARGIN, 60.0), TEXT, QUIET, Anchor::Start, about);
    let (mut x, mut y) = (MARGIN, 84.0);
    let mut entry = |scene: &mut Scene, name: &str, color: Option<Color>| {
        let name = font.fit(name, SMALL, 260.0);
        let width = 18.0 + font.width(&name, SMALL) + 18.0;
        if x + width > WIDTH - MARGIN {
            (x, y) = (MARGIN, y + 20.0);
        }
        let area = Area {
            x,
            y: y - 10.0,
            width: MARK,
            height: MARK,
        };
        match color {
            Some(color) => scene.fill(area, color),
            None => scene.hatch(area),
        }
        scene.text((x + 18.0, y), SMALL, INK, Anchor::Start, name);
        x += width;
    };
    let mut entries = 0;
    if chart.series.len() > 1 || chart.series.iter().any(|name| !name.is_empty()) {
        for (at, name) in chart.series.iter().enumerate() {
            // What has no bar is named all the same, and why it has none.
            match (chart.shows(at), chart.knows(at)) {
                (true, _) => entry(scene, name, Some(color(chart, at))),
                (false, true) => entry(scene, &format!("{name} ($0.00)"), Some(color(chart, at))),
                (false, false) => entry(scene, &format!("{name} (nothing known)"), None),
            }
            entries += 1;
        }
    }
    if chart.bars.iter().any(|bar| bar.unknown > 0) {
        entry(scene, "calls of unknown cost (? = how many)", None);
        entries += 1;
    }
    let legend = if entries > 0 { y + 24.0 } else { 84.0 };
    if chart.left_out == 0 {
        return legend;
    }
    let kept = if chart.upright {
        "the latest"
    } else {
        "the dearest"
    };
    let note = format!(
        "{kept} {} are shown, {} more are not",
        chart.bars.len(),
        chart.left_out
    );
    scene.text((MARGIN, legend), SMALL, QUIET, Anchor::Start, note);
    legend + 18.0
}

fn color(chart: &Chart, series: usize) -> Color {
    let rest = chart.series.len() == MOST_SERIES
        && series + 1 == MOST_SERIES
        && chart.series[series].ends_with(" others");
    if rest {
        OTHERS
    } else {
        SERIES[series % SERIES.len()]
    }
}

fn standing(scene: &mut Scene, chart: &Chart, font: &Font, top: f32, scale: &Scale) {
    let widest = scale
        .ticks()
        .map(|tick| font.width(&scale.label(tick), SMALL));
    let left = MARGIN + widest.fold(0.0, f32::max) + 10.0;
    let (right, bottom) = (WIDTH - MARGIN, scene.height - 44.0);
    // Room for the figure and the mark above the highest bar.
    let high = bottom - top - 34.0;
    let y = |amount: f64| bottom - scale.part(amount) * high;
    for tick in scale.ticks() {
        scene.line((left, y(tick)), (right, y(tick)), RULE);
        let at = (left - 8.0, y(tick) + 4.0);
        scene.text(at, SMALL, QUIET, Anchor::End, scale.label(tick));
    }
    #[expect(clippy::cast_precision_loss, reason = "at most sixty-two columns")]
    let slot = (right - left) / chart.bars.len() as f32;
    let width = (slot * 0.72).clamp(2.0, 72.0);
    let labels: Vec<String> = chart
        .bars
        .iter()
        .map(|bar| short_time(&bar.label))
        .collect();
    let widest = labels
        .iter()
        .map(|label| font.width(label, SMALL))
        .fold(0.0, f32::max)
        + 12.0;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a small number"
    )]
    let every = (widest / slot).ceil().max(1.0) as usize;
    for (at, bar) in chart.bars.iter().enumerate() {
        #[expect(clippy::cast_precision_loss, reason = "at most sixty-two columns")]
        let middle = left + slot * (at as f32 + 0.5);
        let mut foot = 0.0;
        for (series, part) in bar
            .parts
            .iter()
            .enumerate()
            .filter(|(_, part)| **part > 0.0)
        {
            let (low, up) = (y(foot), y(foot + part));
            let area = Area {
                x: middle - width / 2.0,
                y: up,
                width,
                height: (low - up).max(0.5),
            };
            scene.fill(area, color(chart, series));
            foot += part;
        }
        let mut above = y(foot);
        if bar.unknown > 0 {
            let wide = width.min(MARK * 2.0);
            above -= MARK + 2.0;
            scene.hatch(Area {
                x: middle - wide / 2.0,
                y: above,
                width: wide,
                height: MARK,
            });
        }
        let told = told(bar, scale);
        if !told.is_empty() && font.width(&told, SMALL) < slot * 1.05 {
            scene.text((middle, above - 6.0), SMALL, INK, Anchor::Middle, told);
        } else if bar.unknown > 0 {
            scene.text((middle, above - 6.0), SMALL, UNKNOWN, Anchor::Middle, "?");
        }
        // Counted from the latest, which is always named.
        if (chart.bars.len() - 1 - at).is_multiple_of(every) {
            scene.text(
                (middle, bottom + 20.0),
                SMALL,
                QUIET,
                Anchor::Middle,
                &labels[at],
            );
        }
    }
    scene.line((left, bottom), (right, bottom), QUIET);
    let foot = (right, scene.height - 8.0);
    scene.text(
        foot,
        11.0,
        QUIET,
        Anchor::End,
        "US dollars · days and hours in UTC",
    );
}

fn lying(scene: &mut Scene, chart: &Chart, font: &Font, top: f32, scale: &Scale) {
    let names: Vec<String> = chart
        .bars
        .iter()
        .map(|bar| font.fit(&bar.label, TEXT, 260.0))
        .collect();
    let widest = names
        .iter()
        .map(|name| font.width(name, TEXT))
        .fold(0.0, f32::max);
    let tolds = chart
        .bars
        .iter()
        .map(|bar| font.width(&told(bar, scale), TEXT) + 2.0 * MARK + 16.0);
    let left = MARGIN + widest + 12.0;
    let right = WIDTH - MARGIN - tolds.fold(0.0, f32::max);
    let bottom = scene.height - 44.0;
    #[expect(clippy::cast_precision_loss, reason = "at most twenty rows")]
    let slot = (bottom - top) / chart.bars.len() as f32;
    let thick = (slot * 0.66).clamp(8.0, 34.0);
    let x = |amount: f64| left + scale.part(amount) * (right - left);
    for tick in scale.ticks() {
        scene.line((x(tick), top), (x(tick), bottom), RULE);
        let at = (x(tick), bottom + 18.0);
        scene.text(at, SMALL, QUIET, Anchor::Middle, scale.label(tick));
    }
    for (at, bar) in chart.bars.iter().enumerate() {
        #[expect(clippy::cast_precision_loss, reason = "at most twenty rows")]
        let middle = top + slot * (at as f32 + 0.5);
        scene.text(
            (left - 10.0, middle + 4.5),
            TEXT,
            INK,
            Anchor::End,
            &names[at],
        );
        let mut foot = 0.0;
        for (series, part) in bar
            .parts
            .iter()
            .enumerate()
            .filter(|(_, part)| **part > 0.0)
        {
            let (from, to) = (x(foot), x(foot + part));
            let area = Area {
                x: from,
                y: middle - thick / 2.0,
                width: (to - from).max(0.5),
                height: thick,
            };
            scene.fill(area, color(chart, series));
            foot += part;
        }
        let mut behind = x(foot) + 6.0;
        if bar.unknown > 0 {
            scene.hatch(Area {
                x: behind - 4.0,
                y: middle - MARK / 2.0,
                width: MARK * 2.0,
                height: MARK,
            });
            behind += 2.0 * MARK + 2.0;
        }
        scene.text(
            (behind, middle + 4.5),
            TEXT,
            INK,
            Anchor::Start,
            told(bar, scale),
        );
    }
    scene.line((left, top), (left, bottom), QUIET);
    let foot = (WIDTH - MARGIN, scene.height - 8.0);
    scene.text(foot, 11.0, QUIET, Anchor::End, "US dollars");
}

/// The figure beside a bar: `$1.25`, `$0.00`, `$1.25 +3?`, `3?`; nothing where there was no call.
fn told(bar: &Bar, scale: &Scale) -> String {
    match (bar.amount(), bar.unknown) {
        (Some(known), 0) => scale.amount(known),
        (Some(known), unknown) => format!("{} +{unknown}?", scale.amount(known)),
        (None, 0) => String::new(),
        (None, unknown) => format!("{unknown}?"),
    }
}

/// `21 Nov`, `14:00`, at midnight the day.
fn short_time(label: &str) -> String {
    if let Ok(day) = label.parse::<jiff::civil::Date>()
        && label.len() == 10
    {
        return day.strftime("%-d %b").to_string();
    }
    match format!("{label}:00").parse::<jiff::civil::DateTime>() {
        Ok(hour) if hour.hour() == 0 => hour.strftime("%-d %b").to_string(),
        Ok(hour) => hour.strftime("%H:00").to_string(),
        Err(_) => label.to_owned(),
    }
}

/// An axis from nothing to a round amount.
struct Scale {
    step: f64,
    top: f64,
}

impl Scale {
    fn up_to(highest: f64) -> Self {
        if highest <= 0.0 {
            return Scale {
                step: 1.0,
                top: 1.0,
            };
        }
        let rough = highest / TICKS;
        let power = 10_f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 2.5, 5.0, 10.0]
            .into_iter()
            .map(|step| step * power);
        let step = step
            .filter(|step| *step >= rough)
            .fold(f64::INFINITY, f64::min);
        Scale {
            step,
            top: (highest / step).ceil() * step,
        }
    }

    fn ticks(&self) -> impl Iterator<Item = f64> + use<> {
        let (step, top) = (self.step, self.top);
        (0..=10_u32)
            .map(move |at| f64::from(at) * step)
            .take_while(move |tick| *tick <= top * 1.000_001)
    }

    #[expect(clippy::cast_possible_truncation, reason = "a part of one")]
    fn part(&self, amount: f64) -> f32 {
        (amount / self.top) as f32
    }

    /// As many decimals as tell two ticks apart, at least cents.
    fn label(&self, amount: f64) -> String {
        let decimals = (-self.step.log10().floor()).max(0.0) + f64::from(u8::from(self.has_half()));
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "few decimals"
        )]
        let decimals = (decimals as usize).clamp(if self.step >= 1.0 { 0 } else { 2 }, 8);
        format!("${amount:.decimals$}")
    }

    fn has_half(&self) -> bool {
        let power = 10_f64.powf(self.step.log10().floor());
        (self.step / power - 2.5).abs() < 1e-6
    }

    /// Three figures at least.
    fn amount(&self, amount: f64) -> String {
        if amount <= 0.0 {
            return "$0.00".to_owned();
        }
        let decimals = (2.0 - amount.log10().floor()).clamp(2.0, 6.0);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "2 to 6"
        )]
        let decimals = decimals as usize;
        format!("${amount:.decimals$}")
    }
}
