//! From an incident to a mail, in the recipient's language. `[P]`

use jiff::tz::TimeZone;

use super::blocks::{self, Block, Tone};
use super::letters::{self, Letter, addresses};
use super::log::Thread;
use super::policy::{Notice, Why};
use super::story::Story;
use super::{Mail, NoticeKind, Recipient, contact, generic, staff, updates, wisp, words};
use crate::alert::desk::Desk;
use crate::alert::{Incident, Severity};
use crate::model::UnixMillis;
use crate::model::network::Network;

/// What mails carry besides the incident.
#[derive(Debug, Clone, Copy)]
pub struct Sender<'a> {
    /// `Unione Montana Alta Langa <rete@unione.example>`
    pub from: &'a str,
    pub reply_to: Option<&'a str>,
    /// Without it mails carry no links.
    pub public_url: Option<&'a str>,
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
        (NoticeKind::Summary | NoticeKind::Digest | NoticeKind::RodaggioDigest | NoticeKind::Undeliverable, _) => {
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
                NoticeKind::Undeliverable => letters::undeliverable(&letter, notice),
                _ => letters::digest(&letter, notice),
            };
            let over = notice.kind == NoticeKind::Summary && letters::all_over(&letter, notice);
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
            })
        }
        (_, None) => None,
    }
}

fn about_one(material: Material<'_>, notice: &Notice, incident: &Incident) -> Option<Mail> {
    let Material { network, now, sender, thread, .. } = material;
    let recipient = &notice.recipient;
    let (to, language) = addresses(network, recipient)?;
    let story = Story {
        network,
        incident,
        language,
        // `check` refuses a zone that the database does not know.
        zone: TimeZone::get(&network.time_zone).unwrap_or(TimeZone::UTC),
        now,
        public_url: sender.public_url,
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
    })
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
fn address_of(mailbox: &str) -> &str {
    mailbox.rsplit_once('<').map_or(mailbox, |(_, rest)| rest.trim_end_matches('>')).trim()
}

fn domain(address: &str) -> String {
    let domain = address.rsplit_once('@').map_or("", |(_, domain)| domain);
    let domain: String = domain.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-')).collect();
    if domain.is_empty() { "vedetta.invalid".to_owned() } else { domain }
}
