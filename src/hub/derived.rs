//! What the hub stores besides links and promises, for the sinks: where sites are, and incidents.

use std::time::Duration;

use crate::alert::{Incident, Subject};
use crate::catalogue;
use crate::model::network::Network;
use crate::model::{Reading, Sample, Tag, UnixMillis};

/// The coordinates of every site that was promised something.
pub fn places(network: &Network, at: UnixMillis) -> impl Iterator<Item = Sample> + '_ {
    network.sites.values().filter(|site| site.target.is_some()).map(move |site| {
        let mut sample = Sample::new(&catalogue::SITE, at).tag(Tag::Site, site.id.as_str());
        sample.set("latitude_degrees", Reading::value(site.lat));
        sample.set("longitude_degrees", Reading::value(site.lon));
        sample
    })
}

/// Incidents that are open, and those that closed since what is stored every `interval` last told of them.
pub fn incidents(all: &[Incident], at: UnixMillis, interval: Duration) -> impl Iterator<Item = Sample> + '_ {
    all.iter().filter_map(move |incident| {
        let just_closed = incident.number > 0 && incident.closed_at.is_some_and(|then| at.since(then) < 2 * interval);
        let open = incident.is_opened();
        (open || just_closed).then(|| incident_sample(incident, at, open))
    })
}

fn incident_sample(incident: &Incident, at: UnixMillis, open: bool) -> Sample {
    let name = incident.subject.as_str();
    let mut sample = Sample::new(&catalogue::INCIDENT, at).tag(Tag::Incident, incident.token());
    sample = match &incident.subject {
        Subject::Edge(edge) if edge.kind() == "backhaul" => sample.tag(Tag::Backhaul, name),
        Subject::Edge(_) => sample.tag(Tag::Link, name),
        Subject::Site(_) => sample.tag(Tag::Site, name),
        Subject::Agent(_) => sample.tag(Tag::Agent, name),
        Subject::Device(_) => sample.tag(Tag::Device, name),
        Subject::Service(_, site) => sample.tag(Tag::Service, name).tag(Tag::Site, site.as_str()),
        Subject::Backup(_) | Subject::Hub => sample,
    };
    if let Some(wisp) = &incident.wisp {
        sample = sample.tag(Tag::Wisp, wisp.as_str());
    }
    sample.set("open_flag", Reading::value(f64::from(u8::from(open))));
    sample
}
