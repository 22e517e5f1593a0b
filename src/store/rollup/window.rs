//! Which buckets a chart is made of. `[P]`

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::tz::TimeZone;

use super::{Figures, Step};
use crate::model::UnixMillis;

/// Most points of a chart: more than its pixels can show.
pub const POINTS_MAX: i64 = 400;
/// Steps of charts, finest first: buckets, and how many of them make a point.
const STEPS: [(Step, i64); 7] = [
    (Step::FiveMinutes, 1),
    (Step::FiveMinutes, 6),
    (Step::Hour, 1),
    (Step::Hour, 2),
    (Step::Hour, 6),
    (Step::Day, 1),
    (Step::Day, 7),
];

/// The windows that charts are offered for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Span {
    Day,
    Week,
    Month,
    Year,
}

impl Span {
    pub const ALL: [Self; 4] = [Self::Day, Self::Week, Self::Month, Self::Year];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Day => "24h",
            Self::Week => "7d",
            Self::Month => "30d",
            Self::Year => "1y",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.as_str() == text)
    }

    fn length(self) -> Duration {
        Duration::from_hours(24)
            * match self {
                Self::Day => 1,
                Self::Week => 7,
                Self::Month => 30,
                Self::Year => 365,
            }
    }
}

/// Points of a chart: `group` buckets of `step` each, from the point `first` to the point `last`, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    pub step: Step,
    pub group: i64,
    pub first: i64,
    pub last: i64,
}

/// One point: what its buckets come to; `None`: nothing is known of that time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    pub from: UnixMillis,
    pub to: UnixMillis,
    pub figures: Option<Figures>,
}

impl Window {
    /// The window that ends now.
    pub fn until(zone: &TimeZone, span: Span, now: UnixMillis) -> Self {
        Self::between(zone, now - span.length(), now, now)
    }

    /// From an instant to another, in the finest step that is kept so long and needs at most [`POINTS_MAX`] points.
    /// Nothing is later than `now`.
    pub fn between(zone: &TimeZone, from: UnixMillis, to: UnixMillis, now: UnixMillis) -> Self {
        let to = to.min(now);
        let from = from.min(to);
        let window = |(step, group): (Step, i64)| Self {
            step,
            group,
            first: step.bucket(zone, from).div_euclid(group),
            last: step.bucket(zone, to).div_euclid(group),
        };
        let fits = |w: &Self| w.last - w.first < POINTS_MAX && from >= now - w.step.kept();
        let [.., coarsest] = STEPS;
        let window = STEPS.into_iter().map(window).find(fits).unwrap_or_else(|| window(coarsest));
        // The coarsest step reaches as far back as it can.
        Self { first: window.first.max(window.last - POINTS_MAX + 1), ..window }
    }

    /// The buckets that it needs: first and last.
    pub fn buckets(&self) -> (i64, i64) {
        (self.first * self.group, (self.last + 1) * self.group - 1)
    }

    /// Its points, of what the buckets hold.
    pub fn points(&self, zone: &TimeZone, rolled: &BTreeMap<i64, Figures>) -> Vec<Point> {
        let start = |point: i64| self.step.start(zone, point * self.group);
        let mut from = start(self.first);
        let point = |n: i64| {
            let mut figures: Option<Figures> = None;
            for (_, some) in rolled.range(n * self.group..(n + 1) * self.group) {
                figures.get_or_insert_default().add(some);
            }
            let to = start(n + 1);
            Point { from: std::mem::replace(&mut from, to), to, figures }
        };
        (self.first..=self.last).map(point).collect()
    }
}
