//! From an incident to a mail, in the recipient's language. `[P]`

use jiff::tz::TimeZone;

use super::blocks::{self, Block, Tone, clean};
use super::chart::{Chart, Level, Source};
use super::letters::{self, Letter, addresses};
use super::log::Thread;
use super::policy::{Notice, Why};
use super::story::Story;
use super::{Attachment, Mail, NoticeKind, Recipient, contact, generic, report, staff, updates, wisp, words};
use crate::alert::desk::Desk;
use crate::alert::incident::EvidenceEnd;
use crate::alert::signed::{Grant, LinkKeys};
use crate::alert::{Condition, Direction, Incident, Severity, Subject};
use crate::model::network::Network;
use crate::model::{EdgeId, UnixMillis};

/// What mails carry besides the incident.
#[derive(Debug, Clone, Copy)]
pub struct Sender<'a> {
    /// `Unione Montana Alta Langa <rete@unione.example>`
    pub from: &'a str,
    pub reply_to: Option<&'a str>,
    /// Without it mails carry no links.
    pub public_url: Option<&'a str>,
    /// What links to operators are signed with; without it they carry none.
    pub links: Option<&'a LinkKeys>,
}

impl Sender<'_> {
    /// The link of an incident's operator.
    fn link(&self, network: &Network, incident: &Incident, recipient: &Recipient) -> Option<String> {
        let grant = Grant::of(incident).filter(|grant| *recipient == Recipient::Wisp(grant.wisp.clone()))?;
        Some(self.links?.address(self.public_url?, &network.id, &grant))
    }
}

/// What a mail is made from, besides the notice itself.
#[derive(Clone, Copy)]
pub struct Material<'a> {
    pub network: &'a Network,
    pub incidents: &'a [Incident],
    pub desk: &'a Desk,
    /// The conversation so far.
    pub thread: Option<&'a Thread>,
    pub now: UnixMillis,
    pub sender: &'a Sender<'a>,
}

/// The mail of a notice; `None` if the inventory no longer has that recipient, or no address for it.
///
/// Subject and Message-IDs are made only of what stays the same from opening to closing, and the subject of a
/// conversation is kept, so that all mails of an incident thread.
pub fn compose(material: Material<'_>, notice: &Notice) -> Option<Mail> {
    let number = notice.incidents.first().copied();
    let incident = number.and_then(|n| material.incidents.iter().find(|i| i.number == n));
    let Material { network, now, sender, .. } = material;
    match (notice.kind, incident) {
        (
            NoticeKind::Opened
            | NoticeKind::Closed
            | NoticeKind::Changed
            | NoticeKind::Reminder
            | NoticeKind::Escalated,
            Some(incident),
        ) => about_one(material, notice, incident),
        (
            NoticeKind::Summary
            | NoticeKind::Digest
            | NoticeKind::RodaggioDigest
            | NoticeKind::Weekly
            | NoticeKind::Undeliverable,
            _,
        ) => {
            let (to, language) = addresses(network, &notice.recipient)?;
            let letter = Letter {
                network,
                incidents: material.incidents,
                language,
                zone: TimeZone::get(&network.time_zone).unwrap_or(TimeZone::UTC),
                now,
                public_url: sender.public_url,
                from: address_of(sender.from),
            };
            let (subject, body) = match notice.kind {
                NoticeKind::Summary => letters::summary(&letter, notice),
                NoticeKind::RodaggioDigest => letters::rodaggio(&letter, notice),
                NoticeKind::Weekly => letters::weekly(&letter, notice),
                NoticeKind::Undeliverable => letters::undeliverable(&letter, notice),
                _ => letters::digest(&letter, notice),
            };
            let over = notice.kind == NoticeKind::Summary && letters::all_over(&letter, notice)
                || notice.weekly.as_ref().is_some_and(|week| week.sites.is_empty() && week.open.is_empty());
            let tone = if over { Tone::Resolved } else { Tone::Major };
            let domain = domain(letter.from);
            let (kind, label) = (notice.kind.as_str(), label(&notice.recipient));
            Some(Mail {
                id: format!("{:015}-{:08}-{kind}-{label}", now.0.max(0), 0),
                to,
                from: sender.from.to_owned(),
                reply_to: sender.reply_to.map(str::to_owned),
                html: blocks::html(language, &subject, tone, &body),
                text: blocks::text(&body),
                subject,
                message_id: format!("<ved.{:x}.{kind}.{label}.{}@{domain}>", now.0.max(0), network.id),
                in_reply_to: None,
                references: Vec::new(),
                list_id: format!("<{}.vedetta.{domain}>", network.id),
                date: now,
                incident: incident.map(Incident::token).unwrap_or_default(),
                kind: notice.kind,
                chart: None,
                attachment: None,
            })
        }
        // A test is no notice: see `trial`.
        (NoticeKind::Test, _) | (_, None) => None,
    }
}

fn about_one(material: Material<'_>, notice: &Notice, incident: &Incident) -> Option<Mail> {
    let Material { network, now, sender, thread, .. } = material;
    let recipient = &notice.recipient;
    let (to, language) = addresses(network, recipient)?;
    let link = sender.link(network, incident, recipient);
    let story = Story {
        network,
        incident,
        language,
        // `check` refuses a zone that the database does not know.
        zone: TimeZone::get(&network.time_zone).unwrap_or(TimeZone::UTC),
        now,
        public_url: sender.public_url,
        link: link.as_deref(),
    };
    let address = address_of(sender.from);
    let subject = match recipient {
        _ if generic::applies(incident.condition) => generic::subject(&story),
        Recipient::Wisp(_) => wisp::subject(&story),
        Recipient::Staff(_) => staff::subject(&story),
        Recipient::Contact(site) => contact::subject(&story, site),
    };
    // A conversation keeps the subject that it began with.
    let subject =
        thread.filter(|t| notice.kind != NoticeKind::Opened || !t.shadow).map_or(subject, |t| t.subject.clone());
    let body = body(material, notice, &story, address);
    let tone = match (notice.kind, incident.severity) {
        (NoticeKind::Closed, _) => Tone::Resolved,
        (_, Severity::Critical) => Tone::Critical,
        _ => Tone::Major,
    };
    let own = message_id(network, incident, recipient, notice.kind, thread, address);
    let answers = (notice.kind != NoticeKind::Opened && !notice.fresh).then(|| match thread {
        Some(thread) => thread.root.clone(),
        None => message_id(network, incident, recipient, NoticeKind::Opened, None, address),
    });
    let kind = notice.kind.as_str();
    let asked =
        matches!(recipient, Recipient::Wisp(id) if network.wisps.get(id.as_str()).is_some_and(|w| w.attach_json));
    let attachment = asked.then(|| Attachment {
        name: format!("{}-{kind}.json", incident.token()),
        json: report_of(material, notice, &story, own.clone()),
    });
    Some(Mail {
        id: format!("{:015}-{:08}-{kind}-{}", now.0.max(0), incident.number, label(recipient)),
        to,
        from: sender.from.to_owned(),
        reply_to: sender.reply_to.map(str::to_owned),
        html: blocks::html(language, &subject, tone, &body),
        text: blocks::text(&body),
        subject,
        message_id: own,
        in_reply_to: answers.clone(),
        references: answers.into_iter().collect(),
        list_id: format!("<{}.vedetta.{}>", network.id, domain(address)),
        date: now,
        incident: incident.token(),
        kind: notice.kind,
        chart: chart(&story, recipient),
        attachment,
    })
}

/// The notice for machines. `id`: the same for every repeat of it.
pub(super) fn report_of(material: Material<'_>, notice: &Notice, story: &Story<'_>, id: String) -> String {
    let others = notice.incidents.iter().skip(1);
    let also: Vec<&Incident> = others.filter_map(|n| material.incidents.iter().find(|i| i.number == *n)).collect();
    let case = material.desk.cases.get(&story.incident.number);
    report::json(story, &report::Event { kind: notice.kind, id, case, also: &also })
}

/// What the chart of a mail is about; its figures are in the ledger. People at a site get none.
fn chart(story: &Story<'_>, recipient: &Recipient) -> Option<Chart> {
    let incident = story.incident;
    let (tag, name) = match (&incident.subject, &incident.detail.evidence_link) {
        _ if matches!(recipient, Recipient::Contact(_)) => return None,
        (Subject::Edge(EdgeId::Backhaul(id)), _) => ("backhaul", id.to_string()),
        (Subject::Edge(edge), _) => ("link", edge.as_str().to_owned()),
        (Subject::Site(id), _) if incident.condition == Condition::SiteBelowTarget => ("site", id.to_string()),
        (Subject::Device(_), Some(link)) => ("link", link.to_string()),
        _ => return None,
    };
    let direction = incident.direction.unwrap_or(Direction::Downstream).as_str().to_owned();
    let source = Source { tag: tag.to_owned(), name, direction };
    let link = incident.detail.evidence_link.as_ref().and_then(|id| story.network.links.get(id.as_str()));
    let level = |end: &EvidenceEnd| {
        let device = story.network.devices.get(end.device.as_str())?;
        let radio = link.and_then(|l| l.radio_of(&device.id)).map(str::to_owned);
        Some(Level { site: clean(&end.site), device: device.id.to_string(), radio, rsl: Vec::new() })
    };
    let levels = story.ends().into_iter().filter_map(level).collect();
    Some(Chart::new(story.language, &story.zone, story.now, source, incident.required_mbps, levels))
}

fn body(material: Material<'_>, notice: &Notice, story: &Story<'_>, from: &str) -> Vec<Block> {
    let to = &notice.recipient;
    let case = material.desk.cases.get(&story.incident.number);
    let since = notice.why.iter().find_map(|w| match w {
        Why::Unacknowledged { since } => Some(*since),
        _ => None,
    });
    let mut body = match (to, notice.kind) {
        (_, NoticeKind::Changed) => updates::changed(story, to, &notice.why, case, from),
        (_, NoticeKind::Reminder) => updates::reminder(story, to, &notice.why, case, from),
        (_, NoticeKind::Escalated) => updates::escalated(story, to, since.unwrap_or(story.now), from),
        (_, NoticeKind::Closed) if generic::applies(story.incident.condition) => generic::closed(story, from),
        (_, _) if generic::applies(story.incident.condition) => generic::opened(story, from),
        (Recipient::Wisp(_), NoticeKind::Closed) => wisp::closed(story, from),
        (Recipient::Wisp(_), _) => wisp::opened(story, from),
        (Recipient::Staff(_), NoticeKind::Closed) => staff::closed(story, from),
        (Recipient::Staff(_), _) => staff::opened(story, from),
        (Recipient::Contact(site), NoticeKind::Closed) => contact::closed(story, site, from),
        (Recipient::Contact(site), _) => contact::opened(story, site, from),
    };
    let others: Vec<String> = notice
        .incidents
        .iter()
        .skip(1)
        .filter_map(|n| {
            let incident = material.incidents.iter().find(|i| i.number == *n)?;
            let other = Story { incident, zone: story.zone.clone(), ..*story };
            Some(format!("{} ({})", other.name(), incident.token()))
        })
        .collect();
    if !others.is_empty() && notice.kind == NoticeKind::Opened {
        let label = story.pick("Per la stessa causa anche:", "For the same reason also:");
        let at = body.iter().position(|b| matches!(b, Block::Title(_) | Block::Small(_))).unwrap_or(body.len());
        body.insert(at, Block::Para(format!("{label} {}.", words::list(story.language, &others))));
    }
    // Below what it shows, above what is asked; at the end of a mail that asks nothing.
    let at = body.iter().position(|b| matches!(b, Block::Title(_) | Block::Small(_))).unwrap_or(body.len());
    body.insert(at, Block::Chart);
    body
}

/// The first or the last mail about an incident, as it is where nothing else was said.
#[cfg(test)]
pub fn render(
    network: &Network,
    incident: &Incident,
    recipient: &Recipient,
    kind: NoticeKind,
    now: UnixMillis,
    sender: &Sender<'_>,
) -> Option<Mail> {
    let desk = Desk::default();
    let incidents = std::slice::from_ref(incident);
    let notice = Notice::new(recipient, kind, Some(incident.number), Vec::new());
    compose(Material { network, incidents, desk: &desk, thread: None, now, sender }, &notice)
}

fn label(recipient: &Recipient) -> String {
    match recipient {
        Recipient::Wisp(id) => format!("wisp-{id}"),
        Recipient::Staff(index) => format!("staff-{index}"),
        Recipient::Contact(site) => format!("site-{site}"),
    }
}

/// Unique without chance: the number and the instant of opening (a new ledger counts from one again), the recipient,
/// the kind, and of what can come more than once how many mails were before it. RFC 5322, section 3.6.4.
fn message_id(
    network: &Network,
    incident: &Incident,
    recipient: &Recipient,
    kind: NoticeKind,
    thread: Option<&Thread>,
    address: &str,
) -> String {
    let opened = incident.opened_at.unwrap_or(incident.since).0;
    let (number, to) = (incident.number, label(recipient));
    let again = match kind {
        NoticeKind::Opened | NoticeKind::Closed => String::new(),
        _ => format!("-{}", thread.map_or(0, |t| t.told.len())),
    };
    let kind = kind.as_str();
    format!("<ved-{number}.{opened:x}.{kind}{again}.{to}.{}@{}>", network.id, domain(address))
}

/// `rete@unione.example` of `Unione <rete@unione.example>`.
pub(super) fn address_of(mailbox: &str) -> &str {
    mailbox.rsplit_once('<').map_or(mailbox, |(_, rest)| rest.trim_end_matches('>')).trim()
}

pub(super) fn domain(address: &str) -> String {
    let domain = address.rsplit_once('@').map_or("", |(_, domain)| domain);
    let domain: String = domain.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-')).collect();
    if domain.is_empty() { "vedetta.invalid".to_owned() } else { domain }
}
