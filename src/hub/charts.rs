//! Reads the figures of the charts in mails from the ledger, when the mails are written.
//!
//! One reading for each slot of five minutes; of the last hour, where what the mail is about happened, the lowest of
//! all. Looking back costs no more than [`UNPACKED_BYTES_MAX`]: past it the oldest part of a chart stays a gap.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::model::network::Network;
use crate::model::{Reading, Sample, Tag, UnixMillis};
use crate::notify;
use crate::notify::chart::{Chart, SLOTS, tenths};
use crate::notify::step::Written;
use crate::store::StoreError;
use crate::store::ledger::{Ledger, OWN_AGENT, StoredBatch};
use crate::wire;
use crate::wire::batch::{Encoding, unpack};

/// What is unpacked for the charts of one evaluation; some 300 MB a second on a small machine.
const UNPACKED_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Within this before the end every batch is read.
const CLOSE_LOOK: Duration = Duration::from_hours(1);
/// Charts of one evaluation; mails beyond it go without.
pub const CHARTS_MAX: usize = 32;

/// The mails of an evaluation with the figures of their charts. A ledger that cannot be read costs the charts only.
pub async fn illustrated(ledger: &Arc<Ledger>, network: &Arc<Network>, mut written: Written) -> Written {
    if !written.mails.iter().any(|mail| mail.chart.is_some()) {
        return written;
    }
    let (ledger, network) = (ledger.clone(), network.clone());
    let mut mails = std::mem::take(&mut written.mails);
    let job = move || {
        let mut charts: Vec<&mut Chart> = mails.iter_mut().filter_map(|m| m.chart.as_mut()).take(CHARTS_MAX).collect();
        if let Err(error) = fill(&ledger, &network, &mut charts) {
            tracing::warn!(error = format!("{:#}", anyhow::Error::from(error)), "mails go without their charts");
        }
        mails
    };
    // A blocking task that does not end normally: the runtime is going away.
    let Ok(mails) = tokio::task::spawn_blocking(job).await else { return written };
    for mail in mails.iter().filter(|m| m.chart.as_ref().is_some_and(Chart::has_figures)) {
        let drawn = notify::records::document(mail);
        written.documents.iter_mut().filter(|d| d.kind == drawn.kind && d.key == drawn.key).for_each(|d| {
            d.body.clone_from(&drawn.body);
        });
    }
    written.mails = mails;
    written
}

/// Fills in what the ledger knows.
pub fn fill(ledger: &Ledger, network: &Network, charts: &mut [&mut Chart]) -> Result<(), StoreError> {
    let Some(since) = charts.iter().map(|c| c.from()).min() else { return Ok(()) };
    let mut budget = UNPACKED_BYTES_MAX;
    for chart in charts.iter_mut() {
        chart.capacity = vec![None; SLOTS];
        chart.levels.iter_mut().for_each(|level| level.rsl = vec![None; SLOTS]);
    }
    let mut capacities: Vec<Wanted<'_>> = Vec::new();
    let mut levels: BTreeMap<String, Vec<Wanted<'_>>> = BTreeMap::new();
    for chart in charts.iter_mut() {
        let until = chart.until;
        let measurement = if chart.source.tag == "site" { "site," } else { "link," };
        let (tag, field) = match chart.source.tag.as_str() {
            "site" => (Tag::Site, "together_mbps"),
            "backhaul" => (Tag::Backhaul, "capacity_mbps"),
            _ => (Tag::Link, "capacity_mbps"),
        };
        let second = Some((Tag::Direction, chart.source.direction.as_str()));
        let values = &mut chart.capacity;
        capacities.push(Wanted { measurement, first: (tag, &chart.source.name), second, field, until, values });
        for level in &mut chart.levels {
            let Some(device) = network.devices.get(level.device.as_str()) else { continue };
            let second = level.radio.as_deref().map(|radio| (Tag::Radio, radio));
            let first = (Tag::Device, level.device.as_str());
            let (measurement, field) = ("radio,", "rsl_dbm");
            let wanted = Wanted { measurement, first, second, field, until, values: &mut level.rsl };
            levels.entry(device.via.to_string()).or_default().push(wanted);
        }
    }
    gather(ledger, OWN_AGENT, since, &mut capacities, &mut budget)?;
    for (agent, wanted) in &mut levels {
        gather(ledger, agent, since, wanted, &mut budget)?;
    }
    Ok(())
}

/// One series.
struct Wanted<'a> {
    measurement: &'static str,
    first: (Tag, &'a str),
    second: Option<(Tag, &'a str)>,
    field: &'static str,
    until: UnixMillis,
    values: &'a mut Vec<Option<i32>>,
}

impl Wanted<'_> {
    fn slot(&self, at: UnixMillis) -> Option<usize> {
        crate::notify::chart::slot(self.until, at)
    }

    /// Whether a batch that was received then can tell more than is known.
    fn needs(&self, received_at: UnixMillis) -> bool {
        let close = self.until.since(received_at) < CLOSE_LOOK;
        close || self.slot(received_at).is_none_or(|slot| self.values[slot].is_none())
    }

    fn take(&mut self, sample: &Sample, at: UnixMillis) {
        let is = |(tag, value): (Tag, &str)| sample.tag_value(tag) == Some(value);
        if !is(self.first) || self.second.is_some_and(|second| !is(second)) {
            return;
        }
        let Some(Reading::Value { value, .. }) = sample.reading(self.field) else { return };
        if let (Some(slot), Some(value)) = (self.slot(at), tenths(value)) {
            let known = &mut self.values[slot];
            *known = Some(known.map_or(value, |known| known.min(value)));
        }
    }
}

fn gather(
    ledger: &Ledger,
    agent: &str,
    since: UnixMillis,
    wanted: &mut [Wanted<'_>],
    budget: &mut usize,
) -> Result<(), StoreError> {
    ledger.look_back(agent, since, |stored| {
        if wanted.iter().any(|w| w.needs(stored.batch.received_at)) {
            *budget = budget.saturating_sub(read(stored, wanted));
        }
        *budget > 0
    })
}

/// Takes what is wanted of one batch; says how many bytes it looked at.
fn read(stored: &StoredBatch, wanted: &mut [Wanted<'_>]) -> usize {
    let batch = &stored.batch;
    let Ok(payload) = unpack(Encoding::Gzip, &batch.packed, batch.crc) else { return batch.packed.len() };
    let Ok(text) = std::str::from_utf8(&payload) else { return payload.len() };
    for line in text.lines() {
        // Most lines are about something else: they are not taken apart.
        let mut asked =
            wanted.iter_mut().filter(|w| line.starts_with(w.measurement) && line.contains(w.first.1)).peekable();
        if asked.peek().is_none() {
            continue;
        }
        let (samples, _) = wire::line::decode(line);
        let Some(sample) = samples.first() else { continue };
        let at = stored.placed(sample.at);
        asked.for_each(|w| w.take(sample, at));
    }
    payload.len()
}

#[cfg(all(test, feature = "sim"))]
mod tests {
    use jiff::tz::TimeZone;

    use super::*;
    use crate::catalogue::LINK;
    use crate::model::network::Language;
    use crate::notify::chart::Source;
    use crate::sim::fixture::network;

    const NOW: UnixMillis = UnixMillis(1_795_499_760_000);

    fn ago(minutes: i64) -> UnixMillis {
        UnixMillis(NOW.0 - minutes * 60_000)
    }

    fn chart(link: &str) -> Chart {
        let source = Source { tag: "link".into(), name: link.into(), direction: "downstream".into() };
        Chart::new(Language::English, &TimeZone::UTC, NOW, source, Some(150.0), Vec::new())
    }

    #[test]
    fn what_the_ledger_knows_is_drawn_and_the_rest_is_a_gap() {
        let dir = tempfile::tempdir().unwrap();
        let ledger = Ledger::open(&dir.path().join("ledger.sqlite")).unwrap();
        // Of one slot of the last hour the lowest counts; a missing value and another direction are nothing.
        let readings = [
            ("a-b", "downstream", 26 * 60, Reading::value(7.0)),
            ("a-b", "downstream", 600, Reading::value(240.0)),
            ("a-b", "downstream", 32, Reading::value(97.5)),
            ("a-b", "downstream", 31, Reading::value(41.0)),
            ("a-b", "downstream", 20, Reading::Missing(crate::model::Missing::Timeout)),
            ("a-b", "upstream", 10, Reading::value(5.0)),
        ];
        for (link, direction, minutes, reading) in readings {
            let mut sample = Sample::new(&LINK, ago(minutes)).tag(Tag::Link, link).tag(Tag::Direction, direction);
            sample.set("capacity_mbps", reading);
            ledger.store_own(&[sample], ago(minutes)).unwrap();
        }
        let (mut known, mut unknown) = (chart("a-b"), chart("a-c"));
        fill(&ledger, &network(), &mut [&mut known, &mut unknown]).unwrap();
        let slot = |minutes| crate::notify::chart::slot(NOW, ago(minutes)).unwrap();
        let drawn: BTreeMap<usize, i32> =
            known.capacity.iter().enumerate().filter_map(|(slot, value)| Some((slot, (*value)?))).collect();
        let mut expected = BTreeMap::from([(slot(600), 2400)]);
        for (minutes, tenths) in [(32, 975), (31, 410)] {
            expected.entry(slot(minutes)).and_modify(|known| *known = tenths.min(*known)).or_insert(tenths);
        }
        assert_eq!(drawn, expected);
        assert_eq!((known.capacity.len(), known.has_figures()), (SLOTS, true));
        assert!(!unknown.has_figures() && unknown.capacity.iter().all(Option::is_none));
    }
}
