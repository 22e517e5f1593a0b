//! From what was polled to samples. `[P]`

use std::collections::BTreeMap;
use std::time::Duration;

use super::device::Polled;
use super::exchange::Counts;
use super::ping::{PingError, PingRound};
use super::plan::{DevicePlan, ServicePlan};
use super::radio::Radio;
use super::service::{ServiceAnswer, ServiceError};
use crate::catalogue::{DEVICE, Measurement, PING, PORT, POWER, RADIO, RADIO_INFO, SERVICE};
use crate::model::{Missing, MonoMillis, Reading, Sample, SiteId, Tag, UnixMillis};

/// `radio_info` is repeated after this long.
const INFO_AGAIN: Duration = Duration::from_hours(1);

/// How a poll went, for the measurement `device`.
#[derive(Debug, Clone, Copy)]
pub struct Outcome {
    pub up: bool,
    pub poll_ms: Reading,
    pub uptime_secs: Reading,
    pub counts: Counts,
    pub overruns: u64,
}

/// Makes the samples of one device.
#[derive(Debug)]
pub struct DeviceSamples {
    agent: SiteId,
    site: SiteId,
    device: String,
    /// What `radio_info` said last of each radio, and when.
    told: BTreeMap<String, (Texts, MonoMillis)>,
}

type Texts = BTreeMap<&'static str, String>;

impl DeviceSamples {
    pub fn new(agent: &SiteId, plan: &DevicePlan) -> Self {
        Self { agent: agent.clone(), site: plan.site.clone(), device: plan.device.to_string(), told: BTreeMap::new() }
    }

    fn sample(&self, measurement: &'static Measurement, at: UnixMillis) -> Sample {
        Sample::new(measurement, at)
            .tag(Tag::Agent, self.agent.as_str())
            .tag(Tag::Site, self.site.as_str())
            .tag(Tag::Device, self.device.as_str())
    }

    /// The sample `device`, which every poll has, answered or not.
    pub fn device(&self, at: UnixMillis, outcome: Outcome) -> Sample {
        let mut sample = self.sample(&DEVICE, at);
        sample.set("snmp_up_flag", Reading::value(f64::from(u8::from(outcome.up))));
        sample.set("poll_ms", outcome.poll_ms);
        sample.set("uptime_secs", outcome.uptime_secs);
        sample.set("requests_total", Reading::value(outcome.counts.requests as f64));
        sample.set("timeouts_total", Reading::value(outcome.counts.timeouts as f64));
        sample.set("malformed_total", Reading::value(outcome.counts.malformed as f64));
        sample.set("overruns_total", Reading::value(outcome.overruns as f64));
        sample
    }

    pub fn radios(&self, at: UnixMillis, radios: &[Radio]) -> Vec<Sample> {
        let one = |radio: &Radio| {
            let mut sample = self.sample(&RADIO, at).tag(Tag::Radio, radio.tag.as_str());
            set_all(&mut sample, &radio.readings);
            sample
        };
        radios.iter().map(one).collect()
    }

    /// Everything that an answered poll says, besides `device`.
    pub fn polled(&mut self, polled: &Polled, mono: MonoMillis) -> Vec<Sample> {
        let mut samples = self.radios(polled.at, &polled.radios);
        for port in &polled.ports {
            let mut sample = self.sample(&PORT, polled.at).tag(Tag::Port, port.name.as_str());
            set_all(&mut sample, &port.readings);
            samples.push(sample);
        }
        if !polled.power.is_empty() {
            let mut sample = self.sample(&POWER, polled.at);
            set_all(&mut sample, &polled.power);
            samples.push(sample);
        }
        for radio in &polled.radios {
            samples.extend(self.info(polled, radio, mono));
        }
        samples
    }

    fn info(&mut self, polled: &Polled, radio: &Radio, mono: MonoMillis) -> Option<Sample> {
        let texts = texts(polled, radio);
        let told = self.told.get(&radio.tag);
        if told.is_some_and(|(before, at)| *before == texts && mono.since(*at) < INFO_AGAIN) {
            return None;
        }
        let mut sample = self.sample(&RADIO_INFO, polled.at).tag(Tag::Radio, radio.tag.as_str());
        for (field, text) in &texts {
            sample.set_text(field, text.as_str());
        }
        self.told.insert(radio.tag.clone(), (texts, mono));
        Some(sample)
    }
}

fn set_all(sample: &mut Sample, readings: &BTreeMap<&'static str, Reading>) {
    for (field, reading) in readings {
        sample.set(field, *reading);
    }
}

fn texts(polled: &Polled, radio: &Radio) -> Texts {
    let identity = &polled.identity;
    let mut texts = Texts::from([("profile", identity.family.profile.to_owned())]);
    let optional =
        [("model", &identity.info.model), ("firmware", &identity.info.firmware), ("modulation", &radio.modulation)];
    texts.extend(polled.capacity_lost.get(&radio.tag).map(|since| ("capacity_lost_firmware", since.clone())));
    texts.extend(optional.into_iter().filter_map(|(field, text)| Some((field, text.clone()?))));
    texts
}

/// A round of echoes as readings: loss, median, spread. A round that could not be sent says nothing of loss.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Echoes {
    pub loss_percent: Reading,
    pub rtt_ms_median: Reading,
    pub rtt_ms_spread: Reading,
}

impl Echoes {
    pub fn of(round: &Result<PingRound, PingError>) -> Self {
        let all = |why| {
            let missing = Reading::Missing(why);
            Self { loss_percent: missing, rtt_ms_median: missing, rtt_ms_spread: missing }
        };
        let round = match round {
            Ok(round) if round.sent > 0 => round,
            Err(PingError::Unreachable(_)) => return all(Missing::Unreachable),
            Ok(_) | Err(_) => return all(Missing::NotMeasured),
        };
        let mut rtt: Vec<f64> = round.rtt_ms.iter().copied().filter(|ms| ms.is_finite()).collect();
        rtt.truncate(usize::from(round.sent));
        rtt.sort_by(f64::total_cmp);
        let lost = f64::from(round.sent) - rtt.len() as f64;
        let loss_percent = Reading::value(100.0 * lost / f64::from(round.sent));
        let (Some(fastest), Some(slowest)) = (rtt.first(), rtt.last()) else {
            return Self { loss_percent, ..all(Missing::Timeout) };
        };
        let middle = rtt.len() / 2;
        let median = if rtt.len() % 2 == 1 { rtt[middle] } else { f64::midpoint(rtt[middle - 1], rtt[middle]) };
        Self { loss_percent, rtt_ms_median: Reading::value(median), rtt_ms_spread: Reading::value(slowest - fastest) }
    }

    fn set(self, sample: &mut Sample) {
        sample.set("loss_percent", self.loss_percent);
        sample.set("rtt_ms_median", self.rtt_ms_median);
        sample.set("rtt_ms_spread", self.rtt_ms_spread);
    }
}

/// The sample of a device's echoes.
pub fn device_ping(agent: &SiteId, site: &SiteId, device: &str, at: UnixMillis, echoes: Echoes) -> Sample {
    let mut sample =
        Sample::new(&PING, at).tag(Tag::Agent, agent.as_str()).tag(Tag::Site, site.as_str()).tag(Tag::Device, device);
    echoes.set(&mut sample);
    sample
}

/// The sample of a backhaul's echoes: it works as well as the best of the addresses outside, for one of them may be
/// down by itself. The gateway's figures stand apart.
pub fn backhaul_ping(
    agent: &SiteId,
    site: &SiteId,
    backhaul: &str,
    at: UnixMillis,
    gateway: Option<Echoes>,
    outside: &[Echoes],
) -> Sample {
    let mut sample = Sample::new(&PING, at)
        .tag(Tag::Agent, agent.as_str())
        .tag(Tag::Site, site.as_str())
        .tag(Tag::Backhaul, backhaul);
    let loss = |e: &Echoes| e.loss_percent.get().unwrap_or(f64::INFINITY);
    if let Some(best) = outside.iter().min_by(|a, b| loss(a).total_cmp(&loss(b))) {
        best.set(&mut sample);
    }
    if let Some(gateway) = gateway {
        sample.set("gateway_loss_percent", gateway.loss_percent);
        sample.set("gateway_rtt_ms_median", gateway.rtt_ms_median);
    }
    sample
}

/// The sample of one try of a service. The flag is about the service as the site sees it: 0 too where the site lacks a
/// name server or a route, for nobody there has the service then; missing only where this machine could not try. The
/// response time is that of any answer, a bad one too.
pub fn service_trial(
    agent: &SiteId,
    plan: &ServicePlan,
    at: UnixMillis,
    trial: &Result<ServiceAnswer, ServiceError>,
) -> Sample {
    let mut sample = Sample::new(&SERVICE, at)
        .tag(Tag::Agent, agent.as_str())
        .tag(Tag::Site, plan.site.as_str())
        .tag(Tag::Service, plan.service.as_str());
    let (up, response_ms) = match trial {
        Ok(answer) => (Reading::value(f64::from(u8::from(answer.is_good()))), Reading::value(answer.response_ms)),
        Err(e) if e.is_knowledge() => (Reading::value(0.0), Reading::Missing(e.missing())),
        Err(e) => (Reading::Missing(e.missing()), Reading::Missing(e.missing())),
    };
    sample.set("up_flag", up);
    sample.set("response_ms", response_ms);
    sample
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round(sent: u8, rtt_ms: &[f64]) -> Echoes {
        Echoes::of(&Ok(PingRound { sent, rtt_ms: rtt_ms.to_vec() }))
    }

    #[test]
    fn echoes_by_hand() {
        let check = |sent, rtt: &[f64], expected: (f64, Option<f64>, Option<f64>)| {
            let e = round(sent, rtt);
            assert_eq!((e.loss_percent.get().unwrap(), e.rtt_ms_median.get(), e.rtt_ms_spread.get()), expected);
        };
        check(5, &[3.0, 1.0, 2.0, 9.0, 4.0], (0.0, Some(3.0), Some(8.0)));
        check(5, &[3.0, 1.0, 2.0, 4.0], (20.0, Some(2.5), Some(3.0)));
        check(5, &[7.0], (80.0, Some(7.0), Some(0.0)));
        check(5, &[], (100.0, None, None));
        // An echo answered twice is no gain.
        check(2, &[1.0, 1.0, 2.0], (0.0, Some(1.0), Some(0.0)));
        assert_eq!(round(5, &[]).rtt_ms_median, Reading::Missing(Missing::Timeout));
    }

    #[test]
    fn echoes_that_could_not_be_sent_are_not_lost() {
        let unknown = |e: PingError| Echoes::of(&Err(e)).loss_percent;
        assert_eq!(unknown(PingError::NotAllowed), Reading::Missing(Missing::NotMeasured));
        let address = "192.0.2.1".parse().unwrap();
        assert_eq!(unknown(PingError::Unreachable(address)), Reading::Missing(Missing::Unreachable));
        assert_eq!(round(0, &[]).loss_percent, Reading::Missing(Missing::NotMeasured));
    }

    #[test]
    fn a_backhaul_is_as_good_as_the_best_address_outside() {
        let site = SiteId::parse("bossolasco").unwrap();
        let dead = round(5, &[]);
        let unsent = Echoes::of(&Err(PingError::NotAllowed));
        let fine = round(5, &[9.0; 5]);
        let sample =
            |gateway, outside: &[Echoes]| backhaul_ping(&site, &site, "fibra", UnixMillis(0), gateway, outside);
        let good = sample(Some(dead), &[unsent, dead, fine]);
        assert_eq!(good.reading("loss_percent"), Some(Reading::value(0.0)));
        assert_eq!(good.reading("rtt_ms_median"), Some(Reading::value(9.0)));
        assert_eq!(good.reading("gateway_loss_percent"), Some(Reading::value(100.0)));
        assert_eq!(sample(None, &[unsent]).reading("loss_percent"), Some(Reading::Missing(Missing::NotMeasured)));
        assert_eq!(sample(None, &[unsent, dead]).reading("loss_percent"), Some(Reading::value(100.0)));
        let gateway_only = sample(Some(fine), &[]);
        assert_eq!(gateway_only.reading("loss_percent"), None);
        assert_eq!(gateway_only.tag_value(Tag::Backhaul), Some("fibra"));
    }
}
