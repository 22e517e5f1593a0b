//! A mail as an RFC 5322 message: multipart/alternative, plain text first, both in UTF-8.

use std::time::{Duration, UNIX_EPOCH};

use lettre::message::header::{Header, HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart};
use lettre::{Address, Message};

use super::Mail;

#[derive(Debug, thiserror::Error)]
pub enum MessageError {
    #[error("{0:?} is not a mail address")]
    Address(String, #[source] lettre::address::AddressError),
    #[error("the message cannot be put together")]
    Build(#[source] lettre::error::Error),
}

/// The message, the sender's address and the recipients' addresses.
#[derive(Debug, Clone)]
pub struct Ready {
    pub bytes: Vec<u8>,
    pub from: Address,
    pub to: Vec<Address>,
}

/// RFC 3834: tells other machines not to answer.
#[derive(Clone)]
struct AutoSubmitted;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}

/// RFC 2919.
#[derive(Clone)]
struct ListId(String);

impl Header for ListId {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("List-Id")
    }

    fn parse(text: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self(text.to_owned()))
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), self.0.clone())
    }
}

/// Puts the message together. The boundary is made from the Message-ID, so that a repeat is the same to the byte.
pub fn build(mail: &Mail) -> Result<Ready, MessageError> {
    let from = mailbox(&mail.from)?;
    let to = mail.to.iter().map(|to| mailbox(to)).collect::<Result<Vec<_>, _>>()?;
    let date = UNIX_EPOCH + Duration::from_millis(mail.date.0.clamp(0, LAST_DATE_MS).unsigned_abs());
    let mut builder = Message::builder()
        .from(from.clone())
        .subject(mail.subject.clone())
        .date(date)
        .message_id(Some(mail.message_id.clone()))
        .header(AutoSubmitted)
        .header(ListId(mail.list_id.clone()));
    for recipient in &to {
        builder = builder.to(recipient.clone());
    }
    if let Some(reply_to) = &mail.reply_to {
        builder = builder.reply_to(mailbox(reply_to)?);
    }
    if let Some(id) = &mail.in_reply_to {
        builder = builder.in_reply_to(id.clone());
    }
    if !mail.references.is_empty() {
        builder = builder.references(mail.references.join(" "));
    }
    let body = MultiPart::alternative()
        .boundary(format!("vedetta-{:08x}", crc32fast::hash(mail.message_id.as_bytes())))
        .singlepart(lettre::message::SinglePart::plain(mail.text.clone()))
        .singlepart(lettre::message::SinglePart::html(mail.html.clone()));
    let message = builder.multipart(body).map_err(MessageError::Build)?;
    Ok(Ready { bytes: message.formatted(), from: from.email, to: to.into_iter().map(|m| m.email).collect() })
}

/// 31 December 9999: later dates cannot be written in a header.
const LAST_DATE_MS: i64 = 253_402_214_400_000;

fn mailbox(text: &str) -> Result<Mailbox, MessageError> {
    text.parse().map_err(|e| MessageError::Address(text.to_owned(), e))
}
