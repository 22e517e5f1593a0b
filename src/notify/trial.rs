//! `vedetta notify`: who gets what, and a marked test to one recipient through the real settings.
//!
//! It reads the same files as the hub and needs none that runs; nothing is recorded, and rodaggio holds nothing, for
//! somebody asked for it.

use std::path::PathBuf;
use std::sync::Arc;

use serde::Serialize;
use serde_json::json;

use super::blocks::{self, Block, Tone, clean};
use super::outbox::chain;
use super::render::{address_of, domain};
use super::webhook::Webhook;
use super::{Mail, NoticeKind, maildir, message, report, smtp, words};
use crate::config::secret::SecretSource;
use crate::config::settings::{HubSettings, MailOut, MailSettings, WebhookSettings};
use crate::model::UnixMillis;
use crate::model::network::{Language, Network};
use crate::runtime::clock::SharedClock;

/// The recipient that is the whole staff.
pub const STAFF: &str = "staff";

/// Whom a test may go to, and where everything for them goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Recipient {
    /// An operator's id, [`STAFF`], or `site:` and the id of a site with contacts.
    pub recipient: String,
    pub mails: Vec<String>,
    /// Names of webhooks.
    pub webhooks: Vec<String>,
    #[serde(skip)]
    pub language: Option<Language>,
}

/// Everybody whom the inventory and the settings know, in their order.
pub fn recipients(network: &Network, settings: &HubSettings) -> Vec<Recipient> {
    let hooks = |of: &dyn Fn(&WebhookSettings) -> bool| {
        settings.notify.webhooks.iter().filter(|w| of(w)).map(|w| w.id.clone()).collect::<Vec<_>>()
    };
    let wisps = network.wisps.values().map(|wisp| Recipient {
        recipient: wisp.id.to_string(),
        mails: wisp.email.clone(),
        webhooks: hooks(&|w| w.wisp.as_ref() == Some(&wisp.id)),
        language: Some(wisp.language),
    });
    let staff = Recipient {
        recipient: STAFF.to_owned(),
        mails: network.staff.iter().map(|s| s.email.clone()).collect(),
        webhooks: hooks(&|w| w.wisp.is_none()),
        language: network.staff.first().map(|s| s.language),
    };
    let contacts = network.sites.values().filter(|s| !s.contact_email.is_empty()).map(|site| Recipient {
        recipient: format!("site:{}", site.id),
        mails: site.contact_email.clone(),
        webhooks: Vec::new(),
        language: None,
    });
    wisps.chain([staff]).chain(contacts).collect()
}

/// The recipient of that name, or with that address: then the address alone.
pub fn find(network: &Network, settings: &HubSettings, name: &str) -> Option<Recipient> {
    let all = recipients(network, settings);
    let named = all.iter().find(|r| r.recipient == name).cloned();
    let addressed = || {
        let of = all.iter().find(|r| r.mails.iter().any(|to| to.eq_ignore_ascii_case(name)))?;
        Some(Recipient { mails: vec![name.to_owned()], webhooks: Vec::new(), ..of.clone() })
    };
    named.or_else(addressed)
}

/// What became of one test.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Outcome {
    /// `mail` or `webhook`.
    pub way: &'static str,
    /// The address, or the name of the webhook.
    pub to: String,
    pub ok: bool,
    /// The server's own words, or what went wrong.
    pub said: String,
}

/// Sends a marked test to everything of a recipient; one outcome each.
pub async fn send(
    network: &Network,
    settings: &HubSettings,
    to: &Recipient,
    secrets: Arc<dyn SecretSource>,
    clock: SharedClock,
) -> Vec<Outcome> {
    let language = to.language.unwrap_or(network.language);
    let mut outcomes = match &settings.mail {
        Some(mail) if !to.mails.is_empty() => mails(network, mail, to, language, &secrets, clock.now()).await,
        _ => to.mails.iter().map(|to| failed("mail", to, "hub.toml has no [mail]: no mails are sent")).collect(),
    };
    for webhook in settings.notify.webhooks.iter().filter(|w| to.webhooks.contains(&w.id)) {
        outcomes.push(hook(network, webhook, language, secrets.clone(), &clock).await);
    }
    outcomes
}

fn failed(way: &'static str, to: &str, said: impl Into<String>) -> Outcome {
    Outcome { way, to: to.to_owned(), ok: false, said: said.into() }
}

async fn mails(
    network: &Network,
    settings: &MailSettings,
    to: &Recipient,
    language: Language,
    secrets: &Arc<dyn SecretSource>,
    now: UnixMillis,
) -> Vec<Outcome> {
    let all = |why: &str| to.mails.iter().map(|to| failed("mail", to, why)).collect();
    let mail = test_mail(network, settings, to, language, now);
    let ready = match message::build(&mail) {
        Ok(ready) => ready,
        Err(e) => return all(&chain(&e)),
    };
    let smtp = match &settings.out {
        MailOut::Smtp(smtp) => smtp,
        MailOut::Maildir(dir) => {
            let (dir, mail, bytes) = (dir.clone(), mail.clone(), ready.bytes);
            let written = tokio::task::spawn_blocking(move || maildir::deliver(&dir, &mail, &bytes)).await;
            return match written {
                Ok(Ok(file)) => to.mails.iter().map(|to| written_to(to, &file)).collect(),
                Ok(Err(e)) => all(&chain(&e)),
                Err(e) => all(&e.to_string()),
            };
        }
    };
    let mut outcomes = Vec::new();
    for (address, to) in ready.to.iter().zip(&to.mails) {
        // One connection each: a server that refuses one address may end it.
        let said = match smtp::connect(smtp, &**secrets).await {
            Err(e) => Err(format!("{}:{}: {}", smtp.host, smtp.port, chain(&e))),
            Ok(mut session) => {
                let said = session.send(&ready.from, address, &ready.bytes).await.map_err(|e| chain(&e));
                session.quit().await;
                said
            }
        };
        outcomes.push(match said {
            Ok(said) => Outcome { way: "mail", to: to.clone(), ok: true, said },
            Err(why) => failed("mail", to, why),
        });
    }
    outcomes
}

fn written_to(to: &str, file: &std::path::Path) -> Outcome {
    Outcome { way: "mail", to: to.to_owned(), ok: true, said: PathBuf::from(file).display().to_string() }
}

fn test_mail(network: &Network, settings: &MailSettings, to: &Recipient, language: Language, now: UnixMillis) -> Mail {
    let pick = |italian, english| words::pick(language, italian, english);
    let name = clean(&network.name);
    let subject = pick("[VED] Prova: non serve fare nulla", "[VED] Test: nothing to do").to_owned();
    let body = [
        Block::Para(pick("Buongiorno,", "Hello,").into()),
        Block::Para(
            pick(
                "questo è un messaggio di prova del monitoraggio della rete: nessun guasto, non serve rispondere. Se lo \
                 leggete, gli avvisi arriveranno a questo indirizzo.",
                "This is a test of the network monitoring: nothing is wrong, and there is no need to answer. If you read \
                 it, notices will reach this address.",
            )
            .into(),
        ),
        Block::Small(format!(
            "{name} – {} – {}",
            pick("monitoraggio della rete", "network monitoring"),
            address_of(&settings.from)
        )),
    ];
    let domain = domain(address_of(&settings.from));
    let label: String = to.recipient.chars().map(|c| if c == ':' { '-' } else { c }).collect();
    Mail {
        id: format!("{:015}-test-{label}", now.0.max(0)),
        to: to.mails.clone(),
        from: settings.from.clone(),
        reply_to: settings.reply_to.clone(),
        html: blocks::html(language, &subject, Tone::Resolved, &body),
        text: blocks::text(&body),
        subject,
        message_id: format!("<ved-test.{:x}.{label}.{}@{domain}>", now.0.max(0), network.id),
        in_reply_to: None,
        references: Vec::new(),
        list_id: format!("<{}.vedetta.{domain}>", network.id),
        date: now,
        incident: String::new(),
        kind: NoticeKind::Test,
        chart: None,
        attachment: None,
    }
}

async fn hook(
    network: &Network,
    settings: &WebhookSettings,
    language: Language,
    secrets: Arc<dyn SecretSource>,
    clock: &SharedClock,
) -> Outcome {
    let now = clock.now();
    let event_id = format!("{}-test-{:x}-webhook-{}", network.id, now.0.max(0), settings.id);
    let zone = jiff::tz::TimeZone::get(&network.time_zone).unwrap_or(jiff::tz::TimeZone::UTC);
    let note = words::pick(settings.language.unwrap_or(language), "Prova: nessun guasto", "Test: nothing is wrong");
    let body = json!({
        "schema": report::SCHEMA, "event": NoticeKind::Test.as_str(), "event_id": event_id,
        "at": words::rfc3339(&zone, now), "network": {"id": network.id.as_str(), "name": network.name},
        "incident": null, "also": [], "url": null, "note": note,
    });
    let (settings, clock) = (settings.clone(), clock.clone());
    let name = settings.id.clone();
    let made = tokio::task::spawn_blocking(move || Webhook::new(&settings, secrets, clock)).await;
    let said = match made {
        Ok(Ok(webhook)) => webhook.post(&event_id, &body.to_string()).await,
        Ok(Err(e)) => Err(e),
        Err(e) => return failed("webhook", &name, e.to_string()),
    };
    match said {
        Ok(said) => Outcome { way: "webhook", to: name, ok: said.is_taken(), said: said.text() },
        Err(e) => failed("webhook", &name, chain(&e)),
    }
}
