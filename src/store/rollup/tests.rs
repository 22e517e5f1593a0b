use std::collections::BTreeMap;

use jiff::civil::date;
use proptest::prelude::*;

use super::codec::{Chunk, decode, encode};
use super::window::{POINTS_MAX, Span as Shown, Window};
use super::*;

fn rome() -> TimeZone {
    TimeZone::get("Europe/Rome").unwrap()
}

fn at(zone: &TimeZone, text: &str) -> UnixMillis {
    let at: jiff::civil::DateTime = text.parse().unwrap();
    UnixMillis(at.to_zoned(zone.clone()).unwrap().timestamp().as_millisecond())
}

#[test]
fn a_day_is_one_of_the_calendar() {
    let zone = rome();
    let check = |day: &str, hours: i64| {
        let noon = at(&zone, &format!("{day}T12:00"));
        let bucket = Step::Day.bucket(&zone, noon);
        let (start, end) = (Step::Day.start(&zone, bucket), Step::Day.start(&zone, bucket + 1));
        assert_eq!(start, at(&zone, &format!("{day}T00:00")), "{day}");
        assert_eq!(end.0 - start.0, hours * 3_600_000, "{day}");
        assert_eq!(Step::Day.bucket(&zone, start), bucket);
        assert_eq!(Step::Day.bucket(&zone, UnixMillis(end.0 - 1)), bucket);
    };
    check("2026-03-28", 24);
    check("2026-03-29", 23);
    check("2026-10-25", 25);
    check("2028-02-29", 24);
    assert_eq!(Step::Day.bucket(&TimeZone::UTC, UnixMillis(0)), 0);
    assert_eq!(Step::Day.bucket(&TimeZone::UTC, UnixMillis(-1)), -1);
}

fn figures() -> impl Strategy<Value = Figures> {
    let value = -1_000_000_000i64..1_000_000_000;
    (value.clone(), value, any::<u32>(), any::<(u32, u32)>(), 0i64..1_000_000, any::<i64>()).prop_map(
        |(a, b, count, (known_secs, below_secs), required, sum)| Figures {
            min: a.min(b),
            max: a.max(b),
            sum,
            count,
            known_secs,
            below_secs,
            required,
        },
    )
}

proptest! {
    #[test]
    fn a_chunk_comes_back_as_it_was(chunk in prop::collection::btree_map(0u16..288, figures(), 0..60)) {
        prop_assert_eq!(decode(&encode(&chunk)), Some(chunk));
    }

    #[test]
    fn damage_is_noticed_or_decodes_to_something(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = decode(&bytes);
    }

    /// The oracle sorts, where the program adds one by one.
    #[test]
    fn sums_are_those_of_all_values_in_any_order(
        values in prop::collection::vec(-5_000i64..5_000, 1..40), split in 0usize..40,
    ) {
        let gathered = |values: &[i64]| {
            let mut sum = Figures::default();
            for value in values {
                sum.add(&Figures::one(*value));
            }
            sum
        };
        let split = split.min(values.len());
        let mut whole = gathered(&values[split..]);
        whole.add(&gathered(&values[..split]));
        let mut sorted = values.clone();
        sorted.sort_unstable();
        prop_assert_eq!(whole.min, sorted[0]);
        prop_assert_eq!(whole.max, sorted[sorted.len() - 1]);
        prop_assert_eq!(whole.count as usize, sorted.len());
        let mean = sorted.iter().map(|v| *v as f64).sum::<f64>() / sorted.len() as f64;
        prop_assert!((whole.mean().unwrap() - mean).abs() < 1e-6);
    }

    #[test]
    fn every_instant_is_in_the_bucket_that_holds_it(secs in 0i64..4_000_000_000) {
        let zone = rome();
        let instant = UnixMillis(secs * 1000 + 7);
        for step in Step::ALL {
            let bucket = step.bucket(&zone, instant);
            prop_assert!(step.start(&zone, bucket) <= instant && instant < step.start(&zone, bucket + 1));
        }
    }
}

#[test]
fn nothing_known_has_no_mean_and_no_zero() {
    let mut gap = Figures { known_secs: 0, required: 300, ..Figures::default() };
    assert_eq!(gap.mean(), None);
    gap.add(&Figures::one(-550));
    assert_eq!((gap.min, gap.max, gap.required), (-550, -550, 300));
    assert_eq!(Field::Rsl.whole(f64::NAN), None);
    assert_eq!(Field::Rsl.whole(f64::INFINITY), None);
    assert_eq!(Field::Rsl.whole(-55.04), Some(-550));
    assert_eq!(Field::Rtt.whole(3.456), Some(346));
}

#[test]
fn a_chunk_of_half_the_buckets_of_a_day_is_small() {
    let steady = Figures { min: 1500, max: 1500, sum: 7500, count: 5, known_secs: 300, below_secs: 0, required: 300 };
    let chunk: Chunk = (0..288).map(|n| (n, steady)).collect();
    assert!(encode(&chunk).len() < 80, "{}", encode(&chunk).len());
}

#[test]
fn windows_have_the_finest_step_that_fits() {
    let zone = rome();
    let now = at(&zone, "2026-11-24T06:42");
    let check = |span: Shown, step: Step, group: i64, points: usize| {
        let window = Window::until(&zone, span, now);
        assert_eq!((window.step, window.group), (step, group), "{}", span.as_str());
        let shown = window.points(&zone, &BTreeMap::new());
        assert_eq!(shown.len(), points, "{}", span.as_str());
        assert!(shown.iter().all(|p| p.figures.is_none()), "nothing is known, and nothing is invented");
        assert!(shown.windows(2).all(|p| p[0].to == p[1].from));
        let last = shown.last().unwrap();
        assert!(last.from <= now && now < last.to);
    };
    check(Shown::Day, Step::FiveMinutes, 1, 289);
    check(Shown::Week, Step::FiveMinutes, 6, 337);
    check(Shown::Month, Step::Hour, 2, 361);
    check(Shown::Year, Step::Day, 1, 366);
    // Buckets of five minutes are gone after 90 days.
    let old = now - Duration::from_hours(24 * 200);
    assert_eq!(Window::between(&zone, old, old + Duration::from_hours(6), now).step, Step::Hour);
    let ages = Window::between(&zone, UnixMillis(0), now, now);
    assert!(ages.last - ages.first < POINTS_MAX);
    let turned = Window::between(&zone, now, old, now);
    assert!(turned.first == turned.last);
}

#[test]
fn a_point_of_several_buckets_adds_them() {
    let zone = TimeZone::UTC;
    let window = Window { step: Step::FiveMinutes, group: 6, first: 10, last: 11 };
    assert_eq!(window.buckets(), (60, 71));
    let rolled = BTreeMap::from([(60, Figures::one(1)), (65, Figures::one(5)), (72, Figures::one(99))]);
    let points = window.points(&zone, &rolled);
    let sum = points[0].figures.unwrap();
    assert_eq!((sum.min, sum.max, sum.sum, sum.count), (1, 5, 6, 2));
    assert_eq!(points[1].figures, None);
    assert_eq!(date(1970, 1, 1), EPOCH);
}
