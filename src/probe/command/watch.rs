//! `vedetta probe --watch`: the signal once a second, while somebody turns the dish.
//!
//! After the first poll only the objects are asked on which the shown figures depend: one packet, seldom two. A poll is
//! awaited before the next begins, so that a slow radio is asked less often and never twice at once.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use serde_json::{Value as Json, json};

use super::table::{Paint, label, mac_text, number};
use super::{PROBE_MAX, ProbeError, ProbeOptions, family_named, open};
use crate::model::{MonoMillis, Reading};
use crate::probe::device::{Manner, Polled, Poller};
use crate::probe::radio::Radio;
use crate::probe::recording::tape::{Taped, poll_alone};
use crate::probe::snmp::{Session, SnmpError, SnmpGet as _};
use crate::runtime::clock::{Clock, SystemClock};

/// From one poll to the next: oftener than a radio measures anew would only cost it work.
pub const WATCH_EVERY: Duration = Duration::from_secs(1);
/// After so many polls everything is asked once, for what seldom changes.
const REFRESH_POLLS: u32 = 60;
/// Radios shown of an access point.
const SHOWN_MAX: usize = 8;
/// Figures of one radio, in the order in which they are shown; the first that it has is the one to aim by.
const FIELDS: [&str; 13] = [
    "rsl_dbm",
    "rsrp_dbm",
    "rsl_chain0_dbm",
    "rsl_chain1_dbm",
    "remote_rsl_dbm",
    "snr_db",
    "cinr_db",
    "sinr_db",
    "remote_snr_db",
    "mse_db",
    "xpd_db",
    "capacity_tx_mbps",
    "capacity_rx_mbps",
];
/// RSL at both ends of the bar: where links fail, and where receivers are overdriven.
const BAR_DBM: [f64; 2] = [-90.0, -30.0];
/// With its ends it fits 40 columns, as everything in the block does: a telephone held upright.
const BAR_CELLS: usize = 28;
/// Longer lines are cut at the edge while a block is drawn (DECAWM off and on): one that wrapped would not be drawn over.
const CUT: [&str; 2] = ["\x1b[?7l", "\x1b[?7h"];

/// How the figures are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// A block redrawn in place.
    Redraw { color: bool },
    /// A line a second.
    Lines,
    /// An object a line.
    Json,
}

/// What one look said of one radio.
#[derive(Debug, Clone, PartialEq)]
struct Look {
    tag: String,
    peer: Option<String>,
    link_up: Option<bool>,
    /// The figures that the radio has.
    figures: Vec<(&'static str, Reading)>,
}

fn looks(polled: &Polled) -> Vec<Look> {
    let has = |radio: &Radio| FIELDS.iter().any(|field| radio.readings.contains_key(field));
    let look = |radio: &Radio| Look {
        tag: radio.tag.clone(),
        peer: radio.peer.clone(),
        link_up: radio.reading("link_up_flag").and_then(Reading::get).map(|flag| flag != 0.0),
        figures: FIELDS.iter().filter_map(|field| Some((*field, radio.reading(field)?))).collect(),
    };
    polled.radios.iter().filter(|radio| has(radio)).take(SHOWN_MAX).map(look).collect()
}

/// What must stay as it is for the same few objects to be enough: which radios, up or down, and which figures.
fn shape(looks: &[Look]) -> String {
    looks.iter().fold(String::new(), |mut text, look| {
        let missing: Vec<_> = look.figures.iter().map(|(field, reading)| (field, reading.missing())).collect();
        let _ = write!(text, "{:?}", (&look.tag, look.link_up, missing));
        text
    })
}

/// The best figure so far, and when.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Best {
    value: f64,
    at: MonoMillis,
}

/// What was seen since the start.
#[derive(Debug)]
struct Aim {
    started: MonoMillis,
    best: BTreeMap<(String, &'static str), Best>,
    last: Vec<Look>,
    polls: u64,
    unanswered: u64,
}

impl Aim {
    fn new(started: MonoMillis) -> Self {
        Self { started, best: BTreeMap::new(), last: Vec::new(), polls: 0, unanswered: 0 }
    }

    /// Notes what was seen. Returns whether the figure to aim by is the best so far, after the first.
    fn note(&mut self, looks: Vec<Look>, at: MonoMillis) -> bool {
        let mut new_best = false;
        for look in &looks {
            let aimed = aimed(look);
            for (field, reading) in &look.figures {
                let Some(value) = reading.get() else { continue };
                // MSE is better the lower it is.
                let better = |best: &Best| if *field == "mse_db" { value < best.value } else { value > best.value };
                let key = (look.tag.clone(), *field);
                match self.best.get(&key) {
                    Some(best) if !better(best) => {}
                    before => {
                        new_best |= before.is_some() && Some(*field) == aimed;
                        self.best.insert(key, Best { value, at });
                    }
                }
            }
        }
        (self.last, self.polls) = (looks, self.polls + 1);
        new_best
    }

    fn best(&self, look: &Look, field: &'static str) -> Option<Best> {
        self.best.get(&(look.tag.clone(), field)).copied()
    }

    fn secs(&self, at: MonoMillis) -> u64 {
        at.since(self.started).as_secs()
    }
}

/// The figure to aim by.
fn aimed(look: &Look) -> Option<&'static str> {
    look.figures.iter().find(|(_, reading)| reading.missing().is_none()).map(|(field, _)| *field)
}

fn name_of(look: &Look) -> String {
    let peer = look.peer.as_deref().map(|mac| format!(" towards {}", mac_text(mac))).unwrap_or_default();
    if look.peer.as_deref() == Some(look.tag.as_str()) {
        format!("radio{peer}")
    } else {
        format!("radio {}{peer}", look.tag)
    }
}

fn unit(field: &str) -> &'static str {
    match field.rsplit('_').next() {
        Some("dbm") => " dBm",
        Some("mbps") => " Mbps",
        _ => " dB",
    }
}

impl Aim {
    /// One line: every figure, with its best where that is for aiming.
    fn line(&self, look: &Look) -> String {
        let one = |(field, reading): &(&'static str, Reading)| match (reading, self.best(look, field)) {
            (Reading::Value { value, .. }, Some(best)) if !field.starts_with("capacity") => {
                format!("{} {}{} (best {})", label(field), number(*value), unit(field), number(best.value))
            }
            (Reading::Value { value, .. }, _) => format!("{} {}{}", label(field), number(*value), unit(field)),
            (Reading::Missing(why), _) => format!("{} - {}", label(field), why.as_str()),
        };
        look.figures.iter().map(one).collect::<Vec<_>>().join("  ")
    }

    fn plain(&self, at: MonoMillis, new_best: bool) -> String {
        let mut out = String::new();
        for look in &self.last {
            let name = if self.last.len() > 1 { format!("{}  ", name_of(look)) } else { String::new() };
            let down = if look.link_up == Some(false) { "LINK DOWN  " } else { "" };
            let mark = if new_best { "  NEW BEST" } else { "" };
            let _ = writeln!(out, "{:>4} s  {name}{down}{}{mark}", self.secs(at), self.line(look));
        }
        out
    }

    /// The block that is drawn over itself on a terminal.
    fn block(&self, at: MonoMillis, new_best: bool, paint: Paint) -> String {
        let mut out = String::new();
        // Several radios in full would be taller than a screen of 24 lines, and scroll away instead of being drawn over.
        let several = self.last.len() > 1;
        for look in &self.last {
            let _ = writeln!(out, "{}  {} s", paint.bold(&name_of(look)), self.secs(at));
            match aimed(look) {
                None => {
                    let state = if look.link_up == Some(false) { "LINK DOWN" } else { "no figure to aim by" };
                    let _ = writeln!(out, "{}", paint.bad(state));
                }
                Some(field) if several => out.push_str(&self.aimed_at(look, field, at)),
                Some(field) => out.push_str(&self.aiming(look, field, at, new_best, paint)),
            }
            if several {
                continue;
            }
            for (field, reading) in look.figures.iter().filter(|(field, _)| Some(*field) != aimed(look)) {
                let best = self.best(look, field).map(|best| format!("best {}", number(best.value)));
                let value = reading.get().map_or_else(|| "-".to_owned(), |value| number(value) + unit(field));
                let _ = writeln!(out, "  {:<14} {value:>10}  {}", label(field), paint.dim(&best.unwrap_or_default()));
            }
        }
        out
    }

    fn aiming(&self, look: &Look, field: &'static str, at: MonoMillis, new_best: bool, paint: Paint) -> String {
        let now = look.figures.iter().find(|(f, _)| *f == field).and_then(|(_, reading)| reading.get());
        let (Some(now), Some(best)) = (now, self.best(look, field)) else { return String::new() };
        let mut out = String::new();
        let at_best = now >= best.value;
        for (i, row) in big(&format!("{now:.0}")).iter().enumerate() {
            let mark = if new_best && i == 2 { format!("   {}", paint.good("NEW BEST")) } else { String::new() };
            let _ = writeln!(out, "  {}{mark}", if at_best { paint.good(row) } else { paint.bold(row) });
        }
        out.push_str(&self.aimed_at(look, field, at));
        let cell = |dbm: f64| {
            let share = (dbm - BAR_DBM[0]) / (BAR_DBM[1] - BAR_DBM[0]);
            ((share.clamp(0.0, 1.0) * BAR_CELLS as f64) as usize).min(BAR_CELLS)
        };
        if field.ends_with("_dbm") {
            let (full, mark) = (cell(now), cell(best.value));
            let draw = |i: usize| match i {
                i if i < full => '█',
                i if i + 1 == mark => '|',
                _ => '·',
            };
            let bar: String = (0..BAR_CELLS).map(draw).collect();
            let _ = writeln!(out, "  {} {bar} {}", number(BAR_DBM[0]), number(BAR_DBM[1]));
        }
        out
    }

    /// The figure to aim by in one line.
    fn aimed_at(&self, look: &Look, field: &'static str, at: MonoMillis) -> String {
        let now = look.figures.iter().find(|(f, _)| *f == field).and_then(|(_, reading)| reading.get());
        let (Some(now), Some(best)) = (now, self.best(look, field)) else { return String::new() };
        let (now, best, ago) = (number(now), number(best.value), at.since(best.at).as_secs());
        format!("  {} {now}{}  best {best}, {ago} s ago\n", label(field), unit(field))
    }

    fn json(&self, at: &str, mono: MonoMillis, new_best: bool) -> Json {
        let radio = |look: &Look| {
            let mut object = super::readings_json(look.figures.iter().map(|(field, reading)| (field, reading)));
            if let Some(fields) = object.as_object_mut() {
                fields.remove("provenance");
            }
            object["radio"] = json!(look.tag);
            object["peer"] = json!(look.peer);
            object["link_up"] = json!(look.link_up);
            object["best"] = self.best_json(look);
            object
        };
        let radios: Vec<Json> = self.last.iter().map(radio).collect();
        json!({ "at": at, "elapsed_secs": self.secs(mono), "new_best": new_best, "radios": radios })
    }

    fn best_json(&self, look: &Look) -> Json {
        let best = |(field, _): &(&'static str, Reading)| {
            let best = self.best(look, field)?;
            let value = json!({ "value": best.value, "elapsed_secs": self.secs(best.at) });
            Some(((*field).to_owned(), value))
        };
        Json::Object(look.figures.iter().filter_map(best).collect())
    }

    /// What is said at the end.
    fn summary(&self, at: MonoMillis, requests: u64) -> String {
        let secs = self.secs(at);
        let mut out =
            format!("{secs} s, {} polls, {} without an answer, {requests} packets\n", self.polls, self.unanswered);
        for look in &self.last {
            let _ = writeln!(out, "{}", name_of(look));
            for (field, reading) in &look.figures {
                let now = reading.get().map_or_else(|| "-".to_owned(), |value| number(value) + unit(field));
                let best = self.best(look, field).map_or_else(String::new, |best| {
                    let ago = at.since(best.at).as_secs();
                    format!("best {}, {ago} s ago", number(best.value))
                });
                let _ = writeln!(out, "  {:<12} {now:>9}  {best}", label(field));
            }
        }
        out
    }
}

/// Digits that can be read from two metres: five rows.
fn big(text: &str) -> [String; 5] {
    let glyph = |c: char| match c {
        '0' => ["███", "█ █", "█ █", "█ █", "███"],
        '1' => [" █ ", "██ ", " █ ", " █ ", "███"],
        '2' => ["███", "  █", "███", "█  ", "███"],
        '3' => ["███", "  █", "███", "  █", "███"],
        '4' => ["█ █", "█ █", "███", "  █", "  █"],
        '5' => ["███", "█  ", "███", "  █", "███"],
        '6' => ["███", "█  ", "███", "█ █", "███"],
        '7' => ["███", "  █", "  █", "  █", "  █"],
        '8' => ["███", "█ █", "███", "█ █", "███"],
        '9' => ["███", "█ █", "███", "  █", "███"],
        _ => ["   ", "   ", "███", "   ", "   "],
    };
    let glyphs: Vec<_> = text.chars().map(glyph).collect();
    std::array::from_fn(|row| glyphs.iter().map(|glyph| glyph[row]).collect::<Vec<_>>().join(" "))
}

/// Watches a device until `until` ends, and hands each text to `show`.
pub async fn watch(
    options: ProbeOptions,
    every: Duration,
    style: Style,
    bell: bool,
    until: impl Future<Output = ()>,
    mut show: impl FnMut(&str) -> std::io::Result<()>,
) -> Result<(), ProbeError> {
    let manner = Manner { family: family_named(options.profile.as_deref())?, ..Manner::default() };
    let (address, mut poller) = open(&options).await?;
    let clock = SystemClock::shared();
    let mut until = std::pin::pin!(until);
    let learning = tokio::time::timeout(PROBE_MAX, poll_alone(&mut poller, &*clock));
    let first = tokio::select! {
        () = &mut until => return Ok(()),
        first = learning => first,
    };
    let mut answer = first.map_err(|_| ProbeError::TooSlow(address))?;
    if let Err(error) = answer {
        return Err(ProbeError::Silent { address, error });
    }
    let mut screen = Screen { style, bell, lines: 0, aim: Aim::new(clock.mono()) };
    let mut thrift = Thrift { manner, shape: String::new(), polls: 0 };
    let mut ticks = tokio::time::interval(every);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    ticks.tick().await;
    loop {
        thrift.after(&mut poller, answer.as_ref().ok());
        let text = screen.after(&answer, &*clock);
        show(&text).map_err(ProbeError::Output)?;
        let polled = async {
            ticks.tick().await;
            Box::pin(poller.poll(&*clock)).await
        };
        answer = tokio::select! {
            () = &mut until => break,
            polled = polled => polled,
        };
    }
    show(&screen.end(poller.session.counts().requests, &*clock)).map_err(ProbeError::Output)
}

/// When to ask for everything, and when for little.
struct Thrift {
    manner: Manner,
    shape: String,
    polls: u32,
}

impl Thrift {
    fn after(&mut self, poller: &mut Poller<Taped<Session>>, polled: Option<&Polled>) {
        let Some(polled) = polled else { return };
        let looks = looks(polled);
        let shape = shape(&looks);
        self.polls += 1;
        if shape != self.shape || self.polls.is_multiple_of(REFRESH_POLLS) {
            // What it depends on may be something else now.
            poller.session.ask_all();
            self.shape = shape;
        } else if !poller.session.spares() && looks.iter().all(|look| look.link_up != Some(false)) {
            poller.session.ask_little(&self.manner, |polled| {
                let shown: Vec<_> =
                    self::looks(polled).into_iter().map(|look| (look.tag, look.link_up, look.figures)).collect();
                format!("{shown:?}")
            });
        }
    }
}

struct Screen {
    style: Style,
    bell: bool,
    /// Lines of the block on the terminal.
    lines: usize,
    aim: Aim,
}

impl Screen {
    fn after(&mut self, answer: &Result<Polled, SnmpError>, clock: &dyn Clock) -> String {
        let (at, wall) = (clock.mono(), timestamp(clock));
        let (new_best, trouble) = match answer {
            Ok(polled) => (self.aim.note(looks(polled), at), None),
            Err(error) => {
                self.aim.unanswered += 1;
                (false, Some(error.to_string()))
            }
        };
        let bell = if new_best && self.bell { "\x07" } else { "" };
        let empty = self.aim.last.is_empty();
        match (self.style, trouble) {
            (Style::Json, Some(error)) => {
                format!("{}\n", json!({ "at": wall, "elapsed_secs": self.aim.secs(at), "error": error }))
            }
            (Style::Json, None) => format!("{}\n", self.aim.json(&wall, at, new_best)),
            (Style::Lines, Some(error)) => format!("{:>4} s  {error}\n", self.aim.secs(at)),
            (Style::Lines, None) if empty => format!("{:>4} s  it tells of no radio\n", self.aim.secs(at)),
            (Style::Lines, None) => format!("{bell}{}", self.aim.plain(at, new_best)),
            (Style::Redraw { color }, trouble) => {
                let paint = Paint { color };
                let mut block = self.aim.block(at, new_best, paint);
                if empty {
                    block.push_str("it tells of no radio\n");
                }
                if let Some(error) = trouble {
                    let _ = writeln!(block, "{}", paint.bad(&error));
                }
                block.push_str(&paint.dim("Ctrl-C ends"));
                block.push('\n');
                let back = if self.lines > 0 { format!("\x1b[{}F\x1b[J", self.lines) } else { String::new() };
                self.lines = block.lines().count();
                let [cut, wrap] = CUT;
                format!("{bell}{back}{cut}{block}{wrap}")
            }
        }
    }

    fn end(&self, requests: u64, clock: &dyn Clock) -> String {
        let at = clock.mono();
        if self.style != Style::Json {
            return format!("\n{}", self.aim.summary(at, requests));
        }
        let radio = |look: &Look| json!({ "radio": look.tag, "peer": look.peer, "best": self.aim.best_json(look) });
        let radios: Vec<Json> = self.aim.last.iter().map(radio).collect();
        let summary = json!({
            "elapsed_secs": self.aim.secs(at), "polls": self.aim.polls, "unanswered": self.aim.unanswered,
            "requests": requests, "radios": radios,
        });
        format!("{}\n", json!({ "at": timestamp(clock), "summary": summary }))
    }
}

/// RFC 3339.
fn timestamp(clock: &dyn Clock) -> String {
    jiff::Timestamp::from_millisecond(clock.now().0).map(|at| at.to_string()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::secret::Secret;
    use crate::model::Missing;
    use crate::probe::access::Access;
    use crate::probe::testing::{AF60, Responder, Temper, objects};

    fn look(rsl: f64) -> Look {
        Look {
            tag: "1".into(),
            peer: None,
            link_up: Some(true),
            figures: vec![("rsl_dbm", Reading::value(rsl)), ("snr_db", Reading::Missing(Missing::NotOffered))],
        }
    }

    #[test]
    fn the_best_is_kept_with_its_time() {
        let mut aim = Aim::new(MonoMillis(0));
        assert!(!aim.note(vec![look(-60.0)], MonoMillis(1000)), "the first is no news");
        assert!(aim.note(vec![look(-55.0)], MonoMillis(2000)));
        assert!(!aim.note(vec![look(-58.0)], MonoMillis(3000)));
        assert_eq!(aim.best(&look(0.0), "rsl_dbm"), Some(Best { value: -55.0, at: MonoMillis(2000) }));
        assert_eq!(aim.plain(MonoMillis(3000), false), "   3 s  RSL -58 dBm (best -55)  SNR - not offered\n");
        let summary = aim.summary(MonoMillis(5000), 7);
        assert!(summary.starts_with("5 s, 3 polls, 0 without an answer, 7 packets\nradio 1\n"), "{summary}");
        assert!(summary.contains("-58 dBm  best -55, 3 s ago\n"), "{summary}");
    }

    /// What a terminal shows of a text.
    fn shown(text: &str) -> String {
        let mut shown = String::new();
        let mut chars = text.chars();
        while let Some(c) = chars.next() {
            if c == '\x1b' {
                chars.by_ref().find(char::is_ascii_alphabetic);
            } else {
                shown.push(c);
            }
        }
        shown
    }

    #[test]
    fn a_block_fits_forty_columns_and_twenty_four_lines() {
        let looks = |radios: u8| -> Vec<Look> {
            let one = |i| Look {
                tag: "1".into(),
                peer: Some(format!("0200000000{i:02x}")),
                link_up: Some(true),
                figures: FIELDS.iter().map(|field| (*field, Reading::value(-88.0))).collect(),
            };
            (0..radios).map(one).collect()
        };
        for radios in [1, SHOWN_MAX as u8] {
            let mut aim = Aim::new(MonoMillis(0));
            aim.note(looks(radios), MonoMillis(1000));
            for color in [false, true] {
                let block = shown(&aim.block(MonoMillis(99_000), true, Paint { color }));
                assert!(block.lines().count() < 24, "{block}");
                assert!(block.lines().all(|line| line.chars().count() <= 40), "{block}");
            }
        }
    }

    #[tokio::test]
    async fn a_block_is_drawn_over_the_last_one_line_for_line() {
        let polled = crate::probe::recording::tape::play(&objects(AF60), Manner::default()).unwrap();
        let clock = crate::runtime::clock::ManualClock::at(polled.at);
        let style = Style::Redraw { color: true };
        let mut screen = Screen { style, bell: true, lines: 0, aim: Aim::new(clock.mono()) };
        let first = screen.after(&Ok(polled.clone()), &*clock);
        assert!(!first.contains("\x1b[J"), "nothing of ours is there yet");
        let lines = first.lines().count() - usize::from(!first.ends_with('\n'));
        let silent = screen.after(&Err(SnmpError::Timeout), &*clock);
        assert!(silent.starts_with(&format!("\x1b[{lines}F\x1b[J")), "{silent:?}");
        assert!(shown(&silent).contains("no answer in time"));
        let mut better = polled;
        better.radios[0].set("rsl_dbm", Reading::value(-50.0));
        let best = screen.after(&Ok(better), &*clock);
        assert!(best.starts_with(&format!("\x07\x1b[{}F\x1b[J", lines + 1)), "{best:?}");
        assert!(best.contains("NEW BEST") && best.ends_with(CUT[1]), "{best:?}");
    }

    #[test]
    fn big_digits_are_as_wide_as_they_are_many() {
        assert_eq!(big("-50")[2], "███ ███ █ █");
        assert!(big("-1234567890").iter().all(|row| row.chars().count() == 11 * 4 - 1));
    }

    #[tokio::test]
    async fn a_watched_radio_is_asked_one_packet_at_a_time_and_only_what_is_shown() {
        let radio = Responder::start(objects(AF60), Temper::Honest).await;
        let options = ProbeOptions {
            address: radio.address.to_string(),
            access: Access::V2c { community: Secret::new("public") },
            profile: None,
            timeout: Duration::from_secs(2),
            target_mbps: 30.0,
        };
        let (mut lines, mut packets) = (Vec::new(), Vec::new());
        let (enough, told) = tokio::sync::oneshot::channel::<()>();
        let mut enough = Some(enough);
        let until = async { drop(told.await) };
        let show = |text: &str| {
            lines.push(text.to_owned());
            packets.push(radio.datagrams());
            if lines.len() == 8 {
                enough.take();
            }
            Ok(())
        };
        watch(options, Duration::from_millis(20), Style::Json, false, until, show).await.unwrap();
        let first: Json = serde_json::from_str(&lines[0]).unwrap();
        assert_eq!(first["radios"][0]["readings"]["rsl_dbm"], -55);
        let seventh: Json = serde_json::from_str(&lines[6]).unwrap();
        assert_eq!(seventh["radios"], first["radios"], "little is asked, and the same is shown");
        let summary: Json = serde_json::from_str(lines.last().unwrap()).unwrap();
        assert_eq!(summary["summary"]["radios"][0]["best"]["rsl_dbm"]["value"], -55.0);
        assert_eq!(packets[7] - packets[3], 4, "{packets:?}");
    }
}
