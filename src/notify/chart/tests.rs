use std::io::Read as _;

use super::*;

fn at(text: &str) -> UnixMillis {
    UnixMillis(text.parse::<jiff::Timestamp>().unwrap().as_millisecond())
}

fn chart(required_mbps: Option<f64>) -> Chart {
    let source = Source { tag: "link".into(), name: "a-b".into(), direction: "downstream".into() };
    let zone = TimeZone::get("Europe/Rome").unwrap();
    let level = |site: &str| Level { site: site.into(), device: site.into(), radio: None, rsl: vec![None; SLOTS] };
    let levels = vec![level("Bossolasco"), level("Murazzano")];
    let now = at("2026-11-24T05:57:00Z");
    Chart { capacity: vec![None; SLOTS], ..Chart::new(Language::Italian, &zone, now, source, required_mbps, levels) }
}

/// The pixels of a PNG as we write it, by way of another reading of the standard: no row may use another filter.
fn pixels(png: &[u8]) -> (usize, Vec<[u8; 3]>) {
    assert_eq!(&png[..8], b"\x89PNG\r\n\x1a\n");
    let (mut at, mut packed, mut width) = (8, Vec::new(), 0);
    while at < png.len() {
        let length = u32::from_be_bytes(png[at..at + 4].try_into().unwrap()) as usize;
        let (kind, data) = (&png[at + 4..at + 8], &png[at + 8..at + 8 + length]);
        let crc = u32::from_be_bytes(png[at + 8 + length..at + 12 + length].try_into().unwrap());
        assert_eq!(crc, crc32fast::hash(&png[at + 4..at + 8 + length]));
        match kind {
            b"IHDR" => width = u32::from_be_bytes(data[..4].try_into().unwrap()) as usize,
            b"IDAT" => packed.extend_from_slice(data),
            _ => assert_eq!(kind, b"IEND"),
        }
        at += 12 + length;
    }
    let mut raw = Vec::new();
    flate2::read::ZlibDecoder::new(packed.as_slice()).read_to_end(&mut raw).unwrap();
    let mut out: Vec<[u8; 3]> = Vec::new();
    for row in raw.chunks(1 + 3 * width) {
        assert_eq!(row[0], 2);
        for pixel in row[1..].chunks(3) {
            let above = out.len().checked_sub(width).map_or([0; 3], |n| out[n]);
            out.push([0, 1, 2].map(|c| pixel[c].wrapping_add(above[c])));
        }
    }
    (width, out)
}

/// Columns, in points, in which a colour is.
fn columns(png: &[u8], (r, g, b): Ink) -> Vec<usize> {
    let (width, pixels) = pixels(png);
    let mut found: Vec<usize> = pixels
        .iter()
        .enumerate()
        .filter(|(_, p)| **p == [r, g, b])
        .map(|(n, _)| (n % width) / SCALE as usize)
        .collect();
    found.sort_unstable();
    found.dedup();
    found
}

#[test]
fn nothing_known_is_nothing_drawn() {
    let mut empty = chart(Some(150.0));
    assert!(!empty.has_figures() && empty.png().is_none());
    empty.capacity = Vec::new();
    assert!(empty.png().is_none());
}

#[test]
fn what_was_not_measured_is_a_gap() {
    let mut chart = chart(Some(150.0));
    chart.capacity = vec![Some(2000); SLOTS];
    chart.capacity[100..200].fill(None);
    let found = columns(&chart.png().unwrap(), INK_CAPACITY);
    let (from, to) = (x(101.0) as usize + 2, x(199.0) as usize - 2);
    assert!(found.iter().all(|c| *c < from || *c > to), "{found:?}");
    assert!(found.contains(&(x(50.0) as usize)) && found.contains(&(x(250.0) as usize)), "{found:?}");
}

#[test]
fn what_was_below_is_marked_and_nothing_else() {
    let mut chart = chart(Some(150.0));
    chart.capacity = vec![Some(2000); SLOTS];
    chart.capacity[200..].fill(Some(620));
    let found = columns(&chart.png().unwrap(), INK_BELOW);
    let first = *found.first().unwrap() as f32;
    assert!((first - x(200.0)).abs() <= 1.5, "{first}");
    chart.capacity.fill(Some(1500));
    assert!(columns(&chart.png().unwrap(), INK_BELOW).is_empty());
}

#[test]
fn what_is_needed_is_a_line_from_edge_to_edge() {
    let mut with = chart(Some(150.0));
    with.capacity[10..12].fill(Some(2000));
    let found = columns(&with.png().unwrap(), INK_REQUIRED);
    let (first, last) = (x(0.0) as usize, x((SLOTS - 1) as f32) as usize);
    assert!(found.iter().any(|c| *c <= first + 10) && found.iter().any(|c| *c + 10 >= last), "{found:?}");
    let mut without = chart(None);
    without.capacity[10..12].fill(Some(2000));
    assert!(columns(&without.png().unwrap(), INK_REQUIRED).is_empty());
}

#[test]
fn local_hours_stand_below_also_when_the_clock_changes() {
    let hours: Vec<String> = chart(None).hours.into_iter().map(|(_, clock)| clock).collect();
    assert_eq!(hours, ["12:00", "18:00", "00:00", "06:00"]);
    let zone = TimeZone::get("Europe/Rome").unwrap();
    let source = Source { tag: "site".into(), name: "a".into(), direction: "downstream".into() };
    let night = Chart::new(Language::English, &zone, at("2026-10-25T08:00:00Z"), source, None, Vec::new());
    let slots: Vec<usize> = night.hours.iter().map(|(slot, _)| *slot).collect();
    // From midnight to six it was seven hours: 84 slots of five minutes.
    assert_eq!(slots, [24, 96, 168, 252]);
}

#[test]
fn it_is_told_in_words_too() {
    let mut chart = chart(Some(150.0));
    chart.capacity = vec![Some(2401); SLOTS];
    chart.capacity[287] = Some(624);
    chart.levels[0].rsl = vec![Some(-550); SLOTS];
    assert_eq!(
        chart.alt(),
        "Grafico delle ultime 24 ore; capacità: da 62,4 a 240 Mbps, alla fine 62,4; RSL Bossolasco: da −55 a −55 dBm, \
         alla fine −55; servono 150 Mbps."
    );
}

#[test]
fn figures_that_make_no_sense_draw_without_a_fault() {
    for value in [0, 1, -1, i32::MAX, i32::MIN] {
        let mut chart = chart(Some(0.0));
        chart.capacity = vec![Some(value); SLOTS];
        chart.levels[0].rsl = vec![Some(value); SLOTS];
        chart.capacity[3] = Some(0);
        assert!(chart.png().is_some_and(|png| png.len() > 100));
        let _ = chart.alt();
    }
    assert_eq!((tenths(f64::NAN), tenths(1e12), tenths(29.96)), (None, None, Some(300)));
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig { cases: 8, ..Default::default() })]
    #[test]
    fn any_figures_draw(values in proptest::collection::vec(proptest::option::of(-2_000_000_000..2_000_000_000i32), 0..SLOTS), required in 0.0..1e6) {
        let mut chart = chart(Some(required));
        chart.capacity.clone_from(&values);
        chart.levels[1].rsl = values;
        proptest::prop_assert_eq!(chart.png().is_some(), chart.has_figures());
    }
}
