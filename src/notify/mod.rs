//! From incidents to mails: who is told (`decide`, pure), in which words (`render`, pure), and how it gets there
//! (`outbox`, over `smtp` or into a `maildir`).
//!
//! A mail is written to the store in the same transaction as the incident that it is about, before anything is tried;
//! its Message-ID is fixed there. It is marked after the server took it.

mod blocks;
pub mod decide;
mod generic;
pub mod maildir;
mod message;
pub mod outbox;
pub mod records;
pub mod render;
pub mod smtp;
mod staff;
pub mod step;
mod story;
mod wisp;
mod words;

use serde::{Deserialize, Serialize};

use crate::model::{UnixMillis, WispId};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoticeKind {
    Opened,
    Closed,
}

impl NoticeKind {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Closed => "closed",
        }
    }
}

/// Who gets a mail.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Recipient {
    Wisp(WispId),
    /// Index into the inventory's staff.
    Staff(usize),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoticeRequest {
    pub recipient: Recipient,
    pub kind: NoticeKind,
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
    /// `VED-147`.
    pub incident: String,
    pub kind: NoticeKind,
}

#[cfg(test)]
mod tests;
