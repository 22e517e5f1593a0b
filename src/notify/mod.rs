//! From incidents to mails: who is told what, and why (`policy`, pure), in which words (`render`, pure), and how it
//! gets there (`outbox`, over `smtp` or into a `maildir`). Machines are told too: what and when is in `feed`, pure; it gets
//! there by `queue`, over a `webhook` or MQTT.
//!
//! A mail is written to the store in the same transaction as the incident that it is about and the record of who was
//! told (`log`), before anything is tried; its Message-ID is fixed there. It is marked after the server took it.

mod blocks;
pub mod calendar;
pub mod chart;
mod contact;
pub mod digest;
pub mod feed;
mod generic;
mod glyphs;
mod letters;
pub mod log;
pub mod maildir;
mod message;
pub mod outbox;
pub mod policy;
pub mod queue;
pub mod records;
pub mod render;
pub mod report;
pub mod smtp;
mod staff;
pub mod step;
pub mod story;
pub mod trial;
mod updates;
pub mod webhook;
pub mod weekly;
mod wisp;
mod words;

use serde::{Deserialize, Serialize};

use crate::model::{SiteId, UnixMillis, WispId};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoticeKind {
    Opened,
    /// Nobody took charge in time.
    Escalated,
    Closed,
    Changed,
    Reminder,
    /// Several notices in one mail, beyond the mails an hour of a recipient.
    Summary,
    /// Every morning: what is worth no mail of its own.
    Digest,
    /// Every morning of the running-in: what would have been sent.
    RodaggioDigest,
    /// Every Monday morning: how the week went.
    Weekly,
    /// An address was refused for good.
    Undeliverable,
    /// Somebody tries the settings.
    Test,
}

impl NoticeKind {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Escalated => "escalated",
            Self::Closed => "closed",
            Self::Changed => "changed",
            Self::Reminder => "reminder",
            Self::Summary => "summary",
            Self::Digest => "digest",
            Self::RodaggioDigest => "rodaggio_digest",
            Self::Weekly => "weekly",
            Self::Undeliverable => "undeliverable",
            Self::Test => "test",
        }
    }
}

/// Who gets a mail.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Recipient {
    Wisp(WispId),
    /// Index into the inventory's staff.
    Staff(usize),
    /// Those whom the inventory names at a site.
    Contact(SiteId),
}

/// A mail as it is stored and sent. Everything that a mail program threads by is fixed here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mail {
    /// Key in the outbox; the order of keys is the order of sending.
    pub id: String,
    pub to: Vec<String>,
    pub from: String,
    pub reply_to: Option<String>,
    pub subject: String,
    pub text: String,
    pub html: String,
    /// With angle brackets, as all three.
    pub message_id: String,
    pub in_reply_to: Option<String>,
    pub references: Vec<String>,
    /// RFC 2919.
    pub list_id: String,
    pub date: UnixMillis,
    /// `VED-147`; of a mail about several the first, of one about none empty.
    pub incident: String,
    pub kind: NoticeKind,
    /// Drawn where the HTML says; nothing is drawn before its figures are known.
    #[serde(default)]
    pub chart: Option<chart::Chart>,
    /// The incident for machines, for those who ask for it.
    #[serde(default)]
    pub attachment: Option<Attachment>,
}

/// A JSON text that goes with a mail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attachment {
    pub name: String,
    pub json: String,
}

#[cfg(test)]
mod tests;
