//! Charts as SVG, and the same figures as a table. `[P]`

use std::fmt::Write as _;

use super::super::figures;
use super::Context;
use crate::store::rollup::window::{Point, Span};
use crate::store::rollup::{Field, Figures};

/// The drawing's size, and the room around the curves.
const WIDTH: f64 = 480.0;
const HEIGHT: f64 = 200.0;
const LEFT: f64 = 46.0;
const RIGHT: f64 = 8.0;
const TOP: f64 = 10.0;
const BOTTOM: f64 = 26.0;
/// Rows of the table: each adds up several points.
const ROWS_MAX: usize = 31;
/// Horizontal lines, about.
const TICKS: f64 = 4.0;

pub struct Tick {
    pub at: String,
    pub label: String,
}

/// One series.
pub struct Curve {
    pub class: &'static str,
    pub name: String,
    /// From smallest to largest, closed; empty where nothing is known.
    pub band: String,
    pub mean: String,
    /// Points without a neighbour.
    pub dots: Vec<(String, String)>,
    /// What was required.
    pub goal: String,
}

pub struct Row {
    pub when: String,
    pub cells: Vec<String>,
}

pub struct Plot {
    pub id: &'static str,
    pub title: &'static str,
    pub unit: &'static str,
    /// What the drawing shows, in a sentence.
    pub description: String,
    pub curves: Vec<Curve>,
    pub has_goal: bool,
    pub rows_y: Vec<Tick>,
    pub columns_x: Vec<Tick>,
    /// Nothing is known of the whole time.
    pub empty: bool,
    pub rows: Vec<Row>,
}

/// A series to be drawn.
pub struct Series<'a> {
    pub name: String,
    pub points: &'a [Point],
}

/// What a field is called here, and how it is drawn.
struct Style {
    id: &'static str,
    title: &'static str,
    unit: &'static str,
    decimals: usize,
    from_zero: bool,
}

fn style(c: &Context<'_>, field: Field) -> Style {
    let style = |id, title, unit, decimals, from_zero| Style { id, title, unit, decimals, from_zero };
    match field {
        Field::Capacity => style("capacity", c.pick("Capacità", "Capacity"), "Mbps", 0, true),
        Field::Throughput => style("throughput", c.pick("Traffico", "Throughput"), "Mbps", 1, true),
        Field::Rsl => style("rsl", c.pick("Livello ricevuto (RSL)", "Received level (RSL)"), "dBm", 0, false),
        Field::Snr => {
            style("snr", c.pick("Rapporto segnale/rumore (SNR)", "Signal to noise ratio (SNR)"), "dB", 0, false)
        }
        Field::Loss => style("loss", c.pick("Pacchetti persi", "Packet loss"), "%", 1, true),
        Field::Rtt => style("rtt", c.pick("Tempo di andata e ritorno", "Round-trip time"), "ms", 1, true),
    }
}

/// From where to where the vertical axis goes, and the distance of its lines.
fn axis(low: f64, high: f64, from_zero: bool) -> (f64, f64, f64) {
    let low = if from_zero { 0.0 } else { low };
    let span = (high - low).max(if from_zero { 1.0 } else { 4.0 });
    let rough = span / TICKS;
    let power = 10f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].into_iter().map(|n| n * power).find(|s| *s >= rough * 0.999).unwrap_or(rough);
    let from = (low / step).floor() * step;
    let to = ((low + span) / step).ceil() * step;
    (from, to.max(from + step), step)
}

fn px(value: f64) -> String {
    format!("{value:.1}")
}

/// Where instants and values are on the drawing.
struct Scale {
    from: f64,
    to: f64,
    low: f64,
    high: f64,
}

impl Scale {
    fn x(&self, at: f64) -> f64 {
        LEFT + (at - self.from) / (self.to - self.from).max(1.0) * (WIDTH - LEFT - RIGHT)
    }

    fn y(&self, value: f64) -> f64 {
        HEIGHT - BOTTOM - (value - self.low) / (self.high - self.low) * (HEIGHT - TOP - BOTTOM)
    }
}

/// A point that is known: middle of its time, smallest, mean, largest.
type Known = (f64, f64, f64, f64);

fn known(field: Field, point: &Point) -> Option<Known> {
    let f = point.figures.filter(|f| f.count > 0)?;
    let middle = point.from.0 as f64 + (point.to.0 - point.from.0) as f64 / 2.0;
    Some((middle, field.value(f.min), f.mean()? * field.value(1), field.value(f.max)))
}

/// Runs of points without a gap between them.
fn runs(field: Field, points: &[Point]) -> Vec<Vec<Known>> {
    let mut runs: Vec<Vec<Known>> = vec![Vec::new()];
    for point in points {
        match known(field, point) {
            Some(known) => runs.last_mut().expect("there is always one").push(known),
            None => runs.push(Vec::new()),
        }
    }
    runs.retain(|run| !run.is_empty());
    runs
}

fn curve(scale: &Scale, field: Field, class: &'static str, series: &Series<'_>) -> Curve {
    let mut curve = Curve {
        class,
        name: series.name.clone(),
        band: String::new(),
        mean: String::new(),
        dots: Vec::new(),
        goal: String::new(),
    };
    for run in runs(field, series.points) {
        if let [(at, _, mean, _)] = run[..] {
            curve.dots.push((px(scale.x(at)), px(scale.y(mean))));
            continue;
        }
        let line = |value: fn(&Known) -> f64| run.iter().map(move |k| (k.0, value(k)));
        let mut put =
            |out: fn(&mut Curve) -> &mut String, points: &mut dyn Iterator<Item = (f64, f64)>, first: &str| {
                let mut letter = first.to_owned();
                for (at, value) in points {
                    let text = out(&mut curve);
                    text.push_str(&letter);
                    let _ = write!(text, "{} {}", px(scale.x(at)), px(scale.y(value)));
                    "L".clone_into(&mut letter);
                }
            };
        put(|c| &mut c.mean, &mut line(|k| k.2), "M");
        put(|c| &mut c.band, &mut line(|k| k.3), "M");
        put(|c| &mut c.band, &mut line(|k| k.1).collect::<Vec<_>>().into_iter().rev(), "L");
        curve.band.push('Z');
    }
    let mut last: Option<i64> = None;
    for point in series.points {
        let required = point.figures.map(|f| f.required).filter(|r| *r > 0);
        if let Some(required) = required {
            let y = px(scale.y(field.value(required)));
            let letter = if last == Some(required) { 'L' } else { 'M' };
            let from = px(scale.x(point.from.0 as f64));
            let _ = write!(curve.goal, "{letter}{from} {y}L{} {y}", px(scale.x(point.to.0 as f64)));
        }
        last = required;
    }
    curve
}

/// Draws a field of an edge.
pub fn plot(c: &Context<'_>, field: Field, span: Span, series: &[Series<'_>]) -> Plot {
    let style = style(c, field);
    let points = || series.iter().flat_map(|s| s.points);
    let all: Vec<Known> = points().filter_map(|p| known(field, p)).collect();
    let goals = points().filter_map(|p| p.figures).map(|f| f.required).filter(|r| *r > 0).map(|r| field.value(r));
    let low = all.iter().map(|k| k.1).fold(f64::INFINITY, f64::min);
    let high = all.iter().map(|k| k.3).chain(goals.clone()).fold(f64::NEG_INFINITY, f64::max);
    let (low, high, step) = if all.is_empty() { (0.0, 1.0, 1.0) } else { axis(low, high, style.from_zero) };
    let first = series.first().map_or(&[][..], |s| s.points);
    let scale = Scale {
        from: first.first().map_or(0.0, |p| p.from.0 as f64),
        to: first.last().map_or(1.0, |p| p.to.0 as f64),
        low,
        high,
    };
    let classes = ["first", "second"];
    let curves = series.iter().zip(classes).map(|(s, class)| curve(&scale, field, class, s)).collect();
    // A step under 1 needs its decimals.
    let decimals = if step < 1.0 { style.decimals.max(1) } else { 0 };
    let lines = ((high - low) / step).round() as usize;
    let rows_y = (0..=lines.min(12))
        .map(|n| low + n as f64 * step)
        .map(|value| Tick { at: px(scale.y(value)), label: figures::decimal(value, decimals, c.language) });
    Plot {
        id: style.id,
        title: style.title,
        unit: style.unit,
        description: describe(c, field, &style, series),
        has_goal: goals.count() > 0,
        curves,
        rows_y: rows_y.collect(),
        columns_x: columns(c, span, first, &scale),
        empty: all.is_empty(),
        rows: rows(c, field, &style, series),
    }
}

fn sum(points: &[Point]) -> Figures {
    let mut all = Figures::default();
    points.iter().filter_map(|p| p.figures).for_each(|f| all.add(&f));
    all
}

fn value(c: &Context<'_>, style: &Style, value: f64) -> String {
    figures::decimal(value, style.decimals.max(1), c.language)
}

/// Of each series: smallest, mean, largest, and how much of the time nothing is known.
fn describe(c: &Context<'_>, field: Field, style: &Style, series: &[Series<'_>]) -> String {
    let one = |s: &Series<'_>| {
        let all = sum(s.points);
        let Some(mean) = all.mean() else { return format!("{}: {}", s.name, c.pick("nessun dato", "no data")) };
        let gaps = s.points.iter().filter(|p| known(field, p).is_none()).count();
        let mut text = format!(
            "{}: {} {}, {} {}, {} {} {}",
            s.name,
            c.pick("minimo", "lowest"),
            value(c, style, field.value(all.min)),
            c.pick("media", "mean"),
            value(c, style, mean * field.value(1)),
            c.pick("massimo", "highest"),
            value(c, style, field.value(all.max)),
            style.unit,
        );
        if gaps > 0 {
            let percent = (gaps * 100).div_ceil(s.points.len().max(1));
            let _ = write!(
                text,
                "; {} {percent} % {}",
                c.pick("nessun dato per il", "no data for"),
                c.pick("del periodo", "of the time")
            );
        }
        text
    };
    series.iter().map(one).collect::<Vec<_>>().join(". ")
}

/// Marks of the horizontal axis: where a new stretch of the calendar begins.
fn columns(c: &Context<'_>, span: Span, points: &[Point], scale: &Scale) -> Vec<Tick> {
    let mut ticks = Vec::new();
    let mut before: Option<jiff::Zoned> = None;
    for point in points {
        let now = c.clock.zoned(point.from);
        let (begins, label) = match span {
            Span::Day => (
                before.as_ref().is_some_and(|b| b.hour() != now.hour()) && now.hour() % 6 == 0,
                format!("{:02}:00", now.hour()),
            ),
            Span::Week => {
                (before.as_ref().is_some_and(|b| b.date() != now.date()), figures::day(now.date(), c.language))
            }
            Span::Month => (
                before.as_ref().is_some_and(|b| b.date() != now.date()) && now.day() % 7 == 1 && now.day() < 28,
                figures::day(now.date(), c.language),
            ),
            Span::Year => (
                before.as_ref().is_some_and(|b| b.month() != now.month()) && now.month() % 2 == 1,
                figures::month(now.date(), c.language).to_owned(),
            ),
        };
        if begins {
            ticks.push(Tick { at: px(scale.x(point.from.0 as f64)), label });
        }
        before = Some(now);
    }
    // Seven dates do not fit on a telephone.
    if span == Span::Week {
        ticks = ticks.into_iter().step_by(2).collect();
    }
    ticks
}

fn rows(c: &Context<'_>, field: Field, style: &Style, series: &[Series<'_>]) -> Vec<Row> {
    let Some(first) = series.first() else { return Vec::new() };
    let each = first.points.len().div_ceil(ROWS_MAX).max(1);
    let row = |n: usize| {
        let part =
            |s: &Series<'_>| sum(s.points.get(n * each..((n + 1) * each).min(s.points.len())).unwrap_or_default());
        let cell = |s: &Series<'_>| {
            let all = part(s);
            match all.mean() {
                None => "—".to_owned(),
                Some(mean) => format!(
                    "{} ({}…{})",
                    value(c, style, mean * field.value(1)),
                    value(c, style, field.value(all.min)),
                    value(c, style, field.value(all.max))
                ),
            }
        };
        Row { when: c.moment(first.points[n * each].from), cells: series.iter().map(cell).collect() }
    };
    (0..first.points.len().div_ceil(each)).map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::UnixMillis;

    #[test]
    fn axes_have_round_lines_around_all_values() {
        let check = |low: f64, high: f64, from_zero: bool, expected: (f64, f64, f64)| {
            assert_eq!(axis(low, high, from_zero), expected, "{low}…{high}");
        };
        check(20.0, 150.0, true, (0.0, 150.0, 50.0));
        check(0.0, 0.0, true, (0.0, 1.0, 0.5));
        check(-60.0, -55.0, false, (-60.0, -54.0, 2.0));
        check(-55.0, -55.0, false, (-55.0, -51.0, 1.0));
        check(0.0, 1950.0, true, (0.0, 2000.0, 500.0));
    }

    #[test]
    fn a_gap_divides_a_curve_and_is_no_zero() {
        let point = |n: i64, value: Option<i64>| Point {
            from: UnixMillis(n * 1000),
            to: UnixMillis(n * 1000 + 1000),
            figures: value.map(Figures::one),
        };
        let points = [point(0, Some(1)), point(1, Some(2)), point(2, None), point(3, Some(0))];
        let found: Vec<usize> = runs(Field::Capacity, &points).iter().map(Vec::len).collect();
        assert_eq!(found, [2, 1]);
        let unknown = Figures { required: 300, ..Figures::default() };
        let gap = Point { figures: Some(unknown), ..points[2] };
        assert_eq!(known(Field::Capacity, &gap), None, "what was required is known, what there was is not");
    }
}
