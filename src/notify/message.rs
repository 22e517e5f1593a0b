//! A mail as an RFC 5322 message: multipart/alternative, plain text first, both in UTF-8; the HTML with its chart as
//! an inline picture (RFC 2392), and where somebody asked for it the incident as a JSON file beside them.
//!
//! Nothing here is ever answered by a machine of ours: vedetta reads no mail, so no loop can begin. That others do not
//! answer: `Auto-Submitted` (RFC 3834), `List-Id` (RFC 2919), and for Exchange, which asks for its own header,
//! `X-Auto-Response-Suppress`. `Precedence` is left out: RFC 3834 advises against it, and filters count it as bulk.

use std::time::{Duration, UNIX_EPOCH};

use lettre::message::header::{ContentType, Header, HeaderName, HeaderValue};
use lettre::message::{Attachment, Mailbox, MultiPart, SinglePart};
use lettre::{Address, Message};

use super::Mail;
use super::blocks::CHART_SLOT;

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

/// For Exchange ([MS-OXCMAIL] 2.2.3.2.14): no notices of absence, no automatic answers.
#[derive(Clone)]
struct SuppressResponses;

impl Header for SuppressResponses {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("X-Auto-Response-Suppress")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "OOF, AutoReply".to_owned())
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
        .header(SuppressResponses)
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
    let body = body(mail);
    let message = builder.multipart(body).map_err(MessageError::Build)?;
    Ok(Ready { bytes: message.formatted(), from: from.email, to: to.into_iter().map(|m| m.email).collect() })
}

/// Name of the picture within its message (RFC 2392).
const CHART_ID: &str = "chart";

/// The HTML as it is sent: with its chart, if there is one.
pub fn html(mail: &Mail) -> String {
    let chart = mail.chart.as_ref().filter(|c| c.has_figures());
    let chart = chart.map(|c| c.html(&content_id(mail))).unwrap_or_default();
    mail.html.replacen(CHART_SLOT, &chart, 1)
}

/// Told apart from the pictures of other mails in the same conversation.
fn content_id(mail: &Mail) -> String {
    format!("{CHART_ID}.{:08x}@vedetta", crc32fast::hash(mail.message_id.as_bytes()))
}

fn body(mail: &Mail) -> MultiPart {
    let mark = crc32fast::hash(mail.message_id.as_bytes());
    let alternative = MultiPart::alternative()
        .boundary(format!("vedetta-{mark:08x}"))
        .singlepart(SinglePart::plain(mail.text.clone()));
    let html_part = SinglePart::html(html(mail));
    let drawn = mail.chart.as_ref().filter(|c| c.has_figures()).and_then(super::chart::Chart::png);
    let alternative = match drawn {
        Some(png) => {
            let picture = Attachment::new_inline_with_name(content_id(mail), "ultime-24-ore.png".to_owned())
                .body(png, ContentType::parse("image/png").expect("a constant that is a media type"));
            let related = MultiPart::related().boundary(format!("vedetta-{mark:08x}-related"));
            alternative.multipart(related.singlepart(html_part).singlepart(picture))
        }
        None => alternative.singlepart(html_part),
    };
    match &mail.attachment {
        Some(attachment) => {
            let file = Attachment::new(attachment.name.clone()).body(
                attachment.json.clone(),
                ContentType::parse("application/json").expect("a constant that is a media type"),
            );
            let mixed = MultiPart::mixed().boundary(format!("vedetta-{mark:08x}-mixed"));
            mixed.multipart(alternative).singlepart(file)
        }
        None => alternative,
    }
}

/// 31 December 9999: later dates cannot be written in a header.
const LAST_DATE_MS: i64 = 253_402_214_400_000;

fn mailbox(text: &str) -> Result<Mailbox, MessageError> {
    text.parse().map_err(|e| MessageError::Address(text.to_owned(), e))
}
