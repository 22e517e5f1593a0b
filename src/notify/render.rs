//! From an incident to a mail, in the recipient's language. `[P]`

use jiff::tz::TimeZone;

use super::blocks::{self, Tone};
use super::story::Story;
use super::{Mail, NoticeKind, Recipient, generic, staff, wisp};
use crate::alert::{Incident, Severity};
use crate::model::UnixMillis;
use crate::model::network::{Language, Network};

/// What mails carry besides the incident.
#[derive(Debug, Clone, Copy)]
pub struct Sender<'a> {
    /// `Unione Montana Alta Langa <rete@unione.example>`
    pub from: &'a str,
    pub reply_to: Option<&'a str>,
    /// Without it mails carry no links.
    pub public_url: Option<&'a str>,
}

/// The mail to one recipient; `None` if the inventory no longer has that recipient, or no address for it.
///
/// The subject and the Message-ID are made only of what stays the same from opening to closing, so that all mails of
/// an incident thread; `now` is the date of the mail.
pub fn render(
    network: &Network,
    incident: &Incident,
    recipient: &Recipient,
    kind: NoticeKind,
    now: UnixMillis,
    sender: &Sender<'_>,
) -> Option<Mail> {
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
    let (subject, body) = match (recipient, kind) {
        (_, kind) if generic::applies(incident.condition) => {
            let blocks = match kind {
                NoticeKind::Opened => generic::opened(&story, address),
                NoticeKind::Closed => generic::closed(&story, address),
            };
            (generic::subject(&story), blocks)
        }
        (Recipient::Wisp(_), NoticeKind::Opened) => (wisp::subject(&story), wisp::opened(&story, address)),
        (Recipient::Wisp(_), NoticeKind::Closed) => (wisp::subject(&story), wisp::closed(&story, address)),
        (Recipient::Staff(_), NoticeKind::Opened) => (staff::subject(&story), staff::opened(&story, address)),
        (Recipient::Staff(_), NoticeKind::Closed) => (staff::subject(&story), staff::closed(&story, address)),
    };
    let tone = match (kind, incident.severity) {
        (NoticeKind::Closed, _) => Tone::Resolved,
        (NoticeKind::Opened, Severity::Critical) => Tone::Critical,
        (NoticeKind::Opened, _) => Tone::Major,
    };
    let opening = message_id(network, incident, recipient, NoticeKind::Opened, address);
    let own = message_id(network, incident, recipient, kind, address);
    let answers = (kind != NoticeKind::Opened).then_some(opening);
    Some(Mail {
        id: format!("{:015}-{:08}-{}-{}", now.0.max(0), incident.number, kind.as_str(), label(recipient)),
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
        kind,
    })
}

fn addresses(network: &Network, recipient: &Recipient) -> Option<(Vec<String>, Language)> {
    let (to, language) = match recipient {
        Recipient::Wisp(id) => {
            let wisp = network.wisps.get(id.as_str())?;
            (wisp.email.clone(), wisp.language)
        }
        Recipient::Staff(index) => {
            let staff = network.staff.get(*index)?;
            (vec![staff.email.clone()], staff.language)
        }
    };
    (!to.is_empty()).then_some((to, language))
}

fn label(recipient: &Recipient) -> String {
    match recipient {
        Recipient::Wisp(id) => format!("wisp-{id}"),
        Recipient::Staff(index) => format!("staff-{index}"),
    }
}

/// Unique without chance: the number and the instant of opening (a new ledger counts from one again), the recipient
/// and the kind. RFC 5322, section 3.6.4.
fn message_id(
    network: &Network,
    incident: &Incident,
    recipient: &Recipient,
    kind: NoticeKind,
    address: &str,
) -> String {
    let opened = incident.opened_at.unwrap_or(incident.since).0;
    let (number, kind, to) = (incident.number, kind.as_str(), label(recipient));
    format!("<ved-{number}.{opened:x}.{kind}.{to}.{}@{}>", network.id, domain(address))
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
