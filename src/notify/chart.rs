//! The chart of a mail: the last 24 hours of what a link or a site carried against what it must, and the level that
//! each end received. `[P]`
//!
//! A mail keeps the figures, not the picture: they are drawn when the message is put together, the same each time.
//! What was not measured is a gap; nothing is drawn at 0 that is not 0. The picture has a white ground of its own, so
//! that mail programs in the dark show it as it is; its labels are figures and units only (`glyphs`), and what they mean
//! stands beside it as text, in the recipient's language.

use std::fmt::Write as _;
use std::io::Write as _;

use flate2::Compression;
use flate2::write::ZlibEncoder;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use tiny_skia::{Color, FillRule, LineCap, LineJoin, Paint, PathBuilder, Pixmap, Rect, Stroke, StrokeDash, Transform};

use super::blocks::escape;
use super::glyphs;
use super::words::{self, pick};
use crate::model::UnixMillis;
use crate::model::network::Language;

/// What is shown.
pub const SPAN_MS: i64 = 24 * 3_600_000;
/// One reading each: 2 points of the drawing.
pub const SLOTS: usize = 288;
const SLOT_MS: i64 = SPAN_MS / SLOTS as i64;

/// Whose capacity is drawn: tag and name in the ledger, and the direction.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Source {
    /// `link`, `backhaul` or `site`: a tag of the measurements `link` and `site`.
    pub tag: String,
    pub name: String,
    /// `downstream` or `upstream`.
    pub direction: String,
}

/// One end of the link: whose level is drawn.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Level {
    /// The site's name, for people.
    pub site: String,
    pub device: String,
    /// The radio, where the device has several.
    pub radio: Option<String>,
    /// Tenths of dBm, one for each slot.
    pub rsl: Vec<Option<i32>>,
}

/// The figures of one chart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chart {
    /// Language of what is said beside it; else English.
    pub italian: bool,
    /// Where the last slot ends.
    pub until: UnixMillis,
    /// Local hours to write below, each with its slot.
    pub hours: Vec<(usize, String)>,
    pub source: Source,
    /// Tenths of Mbps, one for each slot; empty until somebody has read them.
    pub capacity: Vec<Option<i32>>,
    /// Tenths of Mbps.
    pub required: Option<i32>,
    /// None where the equipment is another operator's.
    pub levels: Vec<Level>,
}

impl Chart {
    /// A chart that ends now, and whose figures are not known yet.
    pub fn new(
        language: Language,
        zone: &TimeZone,
        now: UnixMillis,
        source: Source,
        required_mbps: Option<f64>,
        levels: Vec<Level>,
    ) -> Self {
        let from = now.0.saturating_sub(SPAN_MS);
        let hour_ms = 3_600_000;
        let first = from.div_euclid(hour_ms) + 1;
        let hours = (first..first + 24)
            .filter_map(|hour| {
                let at = UnixMillis(hour.saturating_mul(hour_ms));
                let clock = words::clock(zone, at);
                let every_six = ["00:00", "06:00", "12:00", "18:00"].contains(&clock.as_str());
                every_six.then(|| Some((slot(now, at)?, clock)))?
            })
            .collect();
        let required = required_mbps.and_then(tenths);
        Self {
            italian: language == Language::Italian,
            until: now,
            hours,
            source,
            capacity: Vec::new(),
            required,
            levels,
        }
    }

    fn language(&self) -> Language {
        if self.italian { Language::Italian } else { Language::English }
    }

    /// Since when figures are shown.
    pub fn from(&self) -> UnixMillis {
        UnixMillis(self.until.0.saturating_sub(SPAN_MS))
    }

    /// The slot of an instant within the chart.
    pub fn slot(&self, at: UnixMillis) -> Option<usize> {
        slot(self.until, at)
    }

    /// Whether there is enough to draw: two readings.
    pub fn has_figures(&self) -> bool {
        let known = |values: &[Option<i32>]| values.iter().flatten().count() > 1;
        known(&self.capacity) || self.levels.iter().any(|level| known(&level.rsl))
    }

    /// The picture.
    pub fn png(&self) -> Option<Vec<u8>> {
        Some(png(&Drawing::new(self)?.pixmap))
    }

    /// What a reader who does not see the picture is told.
    pub fn alt(&self) -> String {
        let language = self.language();
        let mut text = pick(language, "Grafico delle ultime 24 ore", "Chart of the last 24 hours").to_owned();
        let number = |value: i32, unit: &str| words::decimal(language, f64::from(value) / 10.0, digits(value, unit));
        let mut add = |label: &str, values: &[Option<i32>], unit: &str| {
            let known = || values.iter().flatten().copied();
            let (Some(least), Some(most), Some(last)) = (known().min(), known().max(), known().next_back()) else {
                return;
            };
            let (least, most, last) = (number(least, unit), number(most, unit), number(last, unit));
            let _ = match language {
                Language::Italian => write!(text, "; {label}: da {least} a {most} {unit}, alla fine {last}"),
                Language::English => write!(text, "; {label}: {least} to {most} {unit}, {last} at the end"),
            };
        };
        add(pick(language, "capacità", "capacity"), &self.capacity, "Mbps");
        for level in &self.levels {
            add(&format!("RSL {}", level.site), &level.rsl, "dBm");
        }
        if let Some(required) = self.required {
            let required = number(required, "Mbps");
            let _ = match language {
                Language::Italian => write!(text, "; servono {required} Mbps"),
                Language::English => write!(text, "; {required} Mbps are needed"),
            };
        }
        text.push('.');
        text
    }

    /// The picture's place in HTML, with its legend.
    pub fn html(&self, content_id: &str) -> String {
        let language = self.language();
        let mut legend = vec![(INK_CAPACITY, "━", pick(language, "capacità", "capacity").to_owned())];
        if self.required.is_some() {
            legend.push((INK_REQUIRED, "╌", pick(language, "quanto serve", "what is needed").to_owned()));
        }
        let inks = [INK_NEAR, INK_FAR];
        let levels = self.levels.iter().filter(|l| l.rsl.iter().flatten().count() > 1);
        legend.extend(levels.zip(inks).map(|(level, ink)| (ink, "━", format!("RSL {}", level.site))));
        let legend: Vec<String> = legend
            .into_iter()
            .map(|((r, g, b), mark, label)| {
                let label = escape(&label);
                format!(
                    "<span style=\"white-space:nowrap\"><span style=\"color:#{r:02x}{g:02x}{b:02x};font-weight:bold\">\
                     {mark}</span> {label}</span>"
                )
            })
            .collect();
        format!(
            "<p style=\"margin:0 0 14px 0\"><strong>{title}</strong><br>\n\
             <img src=\"cid:{content_id}\" alt=\"{alt}\" width=\"{WIDTH}\" style=\"display:block;width:100%;\
             max-width:{WIDTH}px;height:auto;border:1px solid #c9ced6;margin:4px 0\">\n\
             <span class=\"quiet\" style=\"font-size:13px;color:#4a5462\">{legend}</span></p>\n",
            title = pick(language, "Ultime 24 ore", "Last 24 hours"),
            alt = escape(&self.alt()),
            legend = legend.join(" &nbsp; "),
        )
    }
}

/// The slot of an instant in a chart that ends at `until`.
pub fn slot(until: UnixMillis, at: UnixMillis) -> Option<usize> {
    let after = at.0.checked_sub(until.0.saturating_sub(SPAN_MS))?;
    let slot = usize::try_from(after.div_euclid(SLOT_MS)).ok()?;
    (slot < SLOTS).then_some(slot)
}

/// A figure as a mail keeps it; `None` where no radio could have meant it.
pub fn tenths(value: f64) -> Option<i32> {
    (value.is_finite() && value.abs() < 1e7).then(|| (value * 10.0).round() as i32)
}

fn digits(value: i32, unit: &str) -> usize {
    usize::from(unit == "Mbps" && value.unsigned_abs() < 1000 && value % 10 != 0)
}

/// Size in points; the picture has [`SCALE`] pixels to a point, for phones.
const WIDTH: u16 = 600;
const HEIGHT_ONE: f32 = 176.0;
const HEIGHT_TWO: f32 = 268.0;
const SCALE: f32 = 2.0;
const LEFT: f32 = 54.0;
const RIGHT: f32 = 592.0;
/// Height of a capital letter: still readable on a phone, where all is 0.6 times as large.
const LETTER: f32 = 10.0;

type Ink = (u8, u8, u8);
const INK_CAPACITY: Ink = (0x0b, 0x57, 0xa4);
const INK_REQUIRED: Ink = (0xb3, 0x26, 0x1e);
const INK_NEAR: Ink = (0x1e, 0x6b, 0x35);
const INK_FAR: Ink = (0x8a, 0x3f, 0xa0);
const INK_GRID: Ink = (0xd5, 0xda, 0xe1);
const INK_LABEL: Ink = (0x4a, 0x54, 0x62);
/// Where less than what is needed was carried.
const INK_BELOW: Ink = (0xfb, 0xe3, 0xe1);

/// One panel: what its heights mean.
struct Axis {
    top: f32,
    bottom: f32,
    low: f32,
    high: f32,
}

impl Axis {
    fn y(&self, value: f32) -> f32 {
        let share = (value - self.low) / (self.high - self.low);
        self.bottom - share.clamp(0.0, 1.0) * (self.bottom - self.top)
    }
}

struct Drawing {
    pixmap: Pixmap,
}

impl Drawing {
    /// `None` where there is nothing to draw.
    fn new(chart: &Chart) -> Option<Self> {
        let levels: Vec<&Level> = chart.levels.iter().filter(|l| l.rsl.iter().flatten().count() > 1).take(2).collect();
        let carries = chart.capacity.iter().flatten().count() > 1;
        let height = if levels.is_empty() || !carries { HEIGHT_ONE } else { HEIGHT_TWO };
        if levels.is_empty() && !carries {
            return None;
        }
        let mut pixmap = Pixmap::new(u32::from(WIDTH) * SCALE as u32, (height * SCALE) as u32)?;
        pixmap.fill(Color::WHITE);
        let mut drawing = Self { pixmap };
        let bottom = height - 26.0;
        let first_bottom = if carries && !levels.is_empty() { 142.0 } else { bottom };
        drawing.hours(chart, 28.0, bottom);
        if carries {
            drawing.capacity(chart, 28.0, first_bottom);
        }
        if !levels.is_empty() {
            let top = if carries { first_bottom + 32.0 } else { 28.0 };
            drawing.levels(&levels, top, bottom);
        }
        Some(drawing)
    }

    fn hours(&mut self, chart: &Chart, top: f32, bottom: f32) {
        for (slot, clock) in &chart.hours {
            let x = x(*slot as f32);
            self.line(&[(x, top), (x, bottom)], INK_GRID, 1.0, None);
            let left = x - text_width(clock) / 2.0;
            if left > LEFT - 12.0 && left + text_width(clock) < f32::from(WIDTH) - 2.0 {
                self.text(clock, left, bottom + 8.0);
            }
        }
    }

    fn capacity(&mut self, chart: &Chart, top: f32, bottom: f32) {
        let required = chart.required.map(|r| r as f32 / 10.0).filter(|r| *r > 0.0);
        let most = chart.capacity.iter().flatten().map(|v| *v as f32 / 10.0).fold(required.unwrap_or(1.0), f32::max);
        // A link that carries far more than it must would press what matters against the floor.
        let high = required.map_or(most, |r| most.min(4.0 * r)) * 1.08;
        let axis = Axis { top, bottom, low: 0.0, high };
        if let Some(required) = required {
            for (slot, value) in chart.capacity.iter().enumerate() {
                if value.is_some_and(|v| (v as f32) / 10.0 < required) {
                    self.rect(x(slot as f32), top, x(slot as f32 + 1.0), bottom, INK_BELOW);
                }
            }
        }
        self.scale(&axis, "Mbps");
        self.series(&chart.capacity, &axis, INK_CAPACITY);
        if let Some(required) = required {
            let y = axis.y(required);
            self.line(&[(LEFT, y), (RIGHT, y)], INK_REQUIRED, 1.6, Some(6.0));
        }
    }

    fn levels(&mut self, levels: &[&Level], top: f32, bottom: f32) {
        let known = || levels.iter().flat_map(|l| l.rsl.iter().flatten()).map(|v| *v as f32 / 10.0);
        let (least, most) = (known().fold(f32::INFINITY, f32::min), known().fold(f32::NEG_INFINITY, f32::max));
        // At least 20 dB high: what moves by 1 dB must not look like a fade.
        let middle = f32::midpoint(least, most);
        let half = ((most - least) / 2.0 * 1.15).max(10.0);
        let axis = Axis { top, bottom, low: middle - half, high: middle + half };
        self.scale(&axis, "dBm");
        for (level, ink) in levels.iter().zip([INK_NEAR, INK_FAR]) {
            self.series(&level.rsl, &axis, ink);
        }
    }

    /// The unit above, round figures beside, a line for each.
    fn scale(&mut self, axis: &Axis, unit: &str) {
        self.text(unit, LEFT - 4.0 - text_width(unit).min(LEFT - 8.0), axis.top - 17.0);
        let step = round_step((axis.high - axis.low) / 2.6);
        let mut n = (axis.low / step).ceil();
        while n * step <= axis.high {
            let value = n * step;
            let y = axis.y(value);
            self.line(&[(LEFT, y), (RIGHT, y)], INK_GRID, 1.0, None);
            let digits = usize::from(step < 1.0);
            let label = format!("{value:.digits$}").replace('-', "−");
            self.text(&label, LEFT - 7.0 - text_width(&label), y - LETTER / 2.0);
            n += 1.0;
        }
    }

    /// Lines between neighbours; a slot without a reading is a gap, unless it is a single one.
    fn series(&mut self, values: &[Option<i32>], axis: &Axis, ink: Ink) {
        let mut run: Vec<(f32, f32)> = Vec::new();
        let mut last = None;
        for (slot, value) in values.iter().enumerate() {
            let Some(value) = value else { continue };
            if last.is_some_and(|last| slot - last > 2) {
                self.run(&run, ink);
                run.clear();
            }
            run.push((x(slot as f32 + 0.5), axis.y(*value as f32 / 10.0)));
            last = Some(slot);
        }
        self.run(&run, ink);
    }

    fn run(&mut self, points: &[(f32, f32)], ink: Ink) {
        match points {
            [] => {}
            [(x, y)] => self.line(&[(*x - 1.0, *y), (*x + 1.0, *y)], ink, 2.0, None),
            points => self.line(points, ink, 2.0, None),
        }
    }

    fn text(&mut self, text: &str, left: f32, top: f32) {
        let unit = LETTER / glyphs::HEIGHT;
        for stroke in glyphs::lines(text) {
            let points: Vec<(f32, f32)> = stroke.into_iter().map(|(x, y)| (left + x * unit, top + y * unit)).collect();
            self.line(&points, INK_LABEL, 1.3, None);
        }
    }

    fn rect(&mut self, left: f32, top: f32, right: f32, bottom: f32, ink: Ink) {
        if let Some(rect) = Rect::from_ltrb(left, top, right, bottom) {
            let path = PathBuilder::from_rect(rect);
            self.pixmap.fill_path(&path, &paint(ink, false), FillRule::Winding, scaled(), None);
        }
    }

    fn line(&mut self, points: &[(f32, f32)], ink: Ink, width: f32, dash: Option<f32>) {
        let mut path = PathBuilder::new();
        for (n, (x, y)) in points.iter().enumerate() {
            if n == 0 { path.move_to(*x, *y) } else { path.line_to(*x, *y) }
        }
        let Some(path) = path.finish() else { return };
        let cap = if dash.is_some() { LineCap::Butt } else { LineCap::Round };
        let dash = dash.and_then(|on| StrokeDash::new(vec![on, on * 0.7], 0.0));
        let stroke = Stroke { width, line_cap: cap, line_join: LineJoin::Round, dash, ..Stroke::default() };
        self.pixmap.stroke_path(&path, &paint(ink, true), &stroke, scaled(), None);
    }
}

fn scaled() -> Transform {
    Transform::from_scale(SCALE, SCALE)
}

fn paint(ink: Ink, smooth: bool) -> Paint<'static> {
    let mut paint = Paint { anti_alias: smooth, ..Paint::default() };
    paint.set_color_rgba8(ink.0, ink.1, ink.2, 255);
    paint
}

fn x(slot: f32) -> f32 {
    LEFT + slot / SLOTS as f32 * (RIGHT - LEFT)
}

fn text_width(text: &str) -> f32 {
    glyphs::width(text) * LETTER / glyphs::HEIGHT
}

/// The nearest of 1, 2, 5 times a power of ten that is not smaller.
fn round_step(step: f32) -> f32 {
    let power = 10f32.powf(step.max(1e-3).log10().floor());
    [1.0, 2.0, 5.0, 10.0].into_iter().map(|n| n * power).find(|s| *s >= step * 0.999).unwrap_or(10.0 * power)
}

/// PNG (ISO/IEC 15948): eight bits each of red, green and blue, every row as the difference from the one above.
fn png(pixmap: &Pixmap) -> Vec<u8> {
    let (width, height) = (pixmap.width(), pixmap.height());
    let row_bytes = width as usize * 3;
    let mut raw = Vec::with_capacity((row_bytes + 1) * height as usize);
    let mut above = vec![0u8; row_bytes];
    for pixels in pixmap.pixels().chunks_exact(width as usize) {
        // All is opaque, so that the premultiplied colours are the colours.
        let row: Vec<u8> = pixels.iter().flat_map(|p| [p.red(), p.green(), p.blue()]).collect();
        raw.push(2);
        raw.extend(row.iter().zip(&above).map(|(now, above)| now.wrapping_sub(*above)));
        above = row;
    }
    let mut packed = ZlibEncoder::new(Vec::new(), Compression::default());
    let packed = packed.write_all(&raw).and_then(|()| packed.finish()).expect("writing to memory does not fail");
    let mut out = b"\x89PNG\r\n\x1a\n".to_vec();
    let mut header = Vec::with_capacity(13);
    header.extend(width.to_be_bytes());
    header.extend(height.to_be_bytes());
    header.extend([8, 2, 0, 0, 0]);
    for (kind, data) in [(b"IHDR", header.as_slice()), (b"IDAT", &packed), (b"IEND", &[])] {
        out.extend((data.len() as u32).to_be_bytes());
        let start = out.len();
        out.extend(kind);
        out.extend(data);
        let crc = crc32fast::hash(&out[start..]);
        out.extend(crc.to_be_bytes());
    }
    out
}

#[cfg(test)]
mod tests;
