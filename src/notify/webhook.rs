//! A webhook: reports as HTTP requests, signed by the rules of the Standard Webhooks specification
//! (github.com/standard-webhooks), for which libraries exist; `docs/ticket-systems.md` verifies it in Python.
//!
//! `POST` of the JSON with `webhook-id` (the same for every repeat), `webhook-timestamp` (seconds since 1970, of this
//! try: who takes requests that are more than five minutes old can be told old ones again) and `webhook-signature`:
//! `v1,` and the base64 of HMAC-SHA256 over `id.timestamp.body`. Only 2xx means taken; redirects are not followed, for
//! what a signed request is allowed to do is its receiver's affair alone. Nothing here prints the address, which may
//! hold a token, or the secret.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use sha2::Sha256;

use super::feed::Entry;
use super::outbox::chain;
use super::queue::{Answer, Way};
use crate::config::secret::{Secret, SecretError, SecretSource};
use crate::config::settings::WebhookSettings;
use crate::config::text::{is_loopback, parse_url};
use crate::model::UnixMillis;
use crate::runtime::clock::SharedClock;
use crate::store::influx::judge::{retry_after, words};

/// For one request, connecting included.
const REQUEST: Duration = Duration::from_secs(20);
const CONNECT: Duration = Duration::from_secs(10);
/// What is read of an answer's body.
const ANSWER_BYTES_MAX: usize = 4096;
/// A key has at least so many bytes, at most so many (Standard Webhooks, "Signature scheme").
const KEY_BYTES: std::ops::RangeInclusive<usize> = 24..=64;
/// What secrets of this kind may begin with.
const SECRET_PREFIX: &str = "whsec_";

#[derive(Debug, thiserror::Error)]
pub enum WebhookError {
    #[error("its url is not a URL")]
    Url,
    #[error("its secret")]
    Secret(#[source] SecretError),
    #[error("its secret must be 24 to 64 bytes in base64, as `openssl rand -base64 32` prints them")]
    Key,
    #[error("the certificates in {0} cannot be read")]
    CaFile(PathBuf, #[source] std::io::Error),
    #[error("the certificates in {0} cannot be used")]
    Certificates(PathBuf, #[source] reqwest::Error),
    #[error("the connection cannot be prepared")]
    Client(#[source] reqwest::Error),
    #[error("it cannot be reached")]
    Away(#[source] reqwest::Error),
}

/// A webhook that is ready for requests.
pub struct Webhook {
    settings: WebhookSettings,
    url: reqwest::Url,
    client: reqwest::Client,
    secrets: Arc<dyn SecretSource>,
    clock: SharedClock,
}

/// What it answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    pub status: u16,
    /// The beginning of its own words, on one line.
    pub words: String,
    pub retry_after: Option<Duration>,
}

impl Webhook {
    /// Reads the file of certificates and, to say at once what is wrong with it, the secret. Blocks.
    pub fn new(
        settings: &WebhookSettings,
        secrets: Arc<dyn SecretSource>,
        clock: SharedClock,
    ) -> Result<Self, WebhookError> {
        let url: reqwest::Url = settings.url.expose().parse().map_err(|_| WebhookError::Url)?;
        let webhook = Self { client: client(settings)?, settings: settings.clone(), url, secrets, clock };
        webhook.key()?;
        Ok(webhook)
    }

    /// Read anew for each request, so that a new one is taken up.
    fn key(&self) -> Result<Vec<u8>, WebhookError> {
        key(&self.secrets.read(&self.settings.secret).map_err(WebhookError::Secret)?)
    }

    /// One request.
    pub async fn post(&self, event_id: &str, body: &str) -> Result<Said, WebhookError> {
        let timestamp = seconds(self.clock.now());
        let request = self
            .client
            .post(self.url.clone())
            .header(CONTENT_TYPE, "application/json")
            .header("webhook-id", event_id)
            .header("webhook-timestamp", timestamp.to_string())
            .header("webhook-signature", signature(&self.key()?, event_id, timestamp, body))
            .body(body.to_owned());
        let away = |e: reqwest::Error| WebhookError::Away(e.without_url());
        let mut response = request.send().await.map_err(away)?;
        let status = response.status().as_u16();
        let header = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
        let retry_after = header.and_then(|value| retry_after(value, self.clock.now()));
        let mut answer = Vec::new();
        // The status says what to do: words that do not arrive are only words.
        while let Ok(Some(chunk)) = response.chunk().await {
            answer.extend_from_slice(&chunk[..chunk.len().min(ANSWER_BYTES_MAX - answer.len())]);
            if answer.len() == ANSWER_BYTES_MAX {
                break;
            }
        }
        Ok(Said { status, words: words(&answer), retry_after })
    }
}

impl Said {
    /// `503 try again later`
    pub fn text(&self) -> String {
        format!("{} {}", self.status, self.words).trim_end().to_owned()
    }

    pub fn is_taken(&self) -> bool {
        (200..300).contains(&self.status)
    }

    fn answer(self) -> Answer {
        match self.status {
            200..=299 => Answer::Taken,
            300..=399 => Answer::Refused(format!("{}: it answers with a redirect, and none is followed", self.status)),
            408 | 425 | 429 => Answer::Later(self.text(), self.retry_after),
            400..=499 => Answer::Refused(self.text()),
            _ => Answer::Later(self.text(), self.retry_after),
        }
    }
}

impl Way for Webhook {
    async fn deliver(&mut self, entry: &Entry) -> Answer {
        match self.post(&entry.event_id, &entry.body).await {
            Ok(said) => said.answer(),
            Err(e) => Answer::Later(chain(&e), None),
        }
    }
}

fn seconds(at: UnixMillis) -> i64 {
    at.0.div_euclid(1000)
}

fn key(secret: &Secret) -> Result<Vec<u8>, WebhookError> {
    let text = secret.expose().trim();
    let key = STANDARD.decode(text.strip_prefix(SECRET_PREFIX).unwrap_or(text)).map_err(|_| WebhookError::Key)?;
    if KEY_BYTES.contains(&key.len()) { Ok(key) } else { Err(WebhookError::Key) }
}

/// `v1,` and the signature in base64.
fn signature(key: &[u8], id: &str, timestamp: i64, body: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    mac.update(format!("{id}.{timestamp}.").as_bytes());
    mac.update(body.as_bytes());
    format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
}

fn client(settings: &WebhookSettings) -> Result<reqwest::Client, WebhookError> {
    // An error means that one is installed, which is all that is needed.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut builder = reqwest::Client::builder()
        .user_agent(concat!("vedetta/", env!("CARGO_PKG_VERSION")))
        .timeout(REQUEST)
        .connect_timeout(CONNECT)
        // One that is kept may have been closed at the other end: a request every few hours gains nothing by it.
        .pool_max_idle_per_host(0)
        .retry(reqwest::retry::never())
        .redirect(reqwest::redirect::Policy::none());
    let near = parse_url(settings.url.expose()).filter(|url| is_loopback(url.host));
    if let Some(path) = &settings.ca_file {
        let pem = std::fs::read(path).map_err(|e| WebhookError::CaFile(path.clone(), e))?;
        let bundle = reqwest::Certificate::from_pem_bundle(&pem);
        let certificates = bundle.map_err(|e| WebhookError::Certificates(path.clone(), e))?;
        builder = builder.tls_certs_merge(certificates);
    } else if near.as_ref().is_some_and(|url| !url.secure) {
        // Plain HTTP must work on a machine without any certificates too.
        builder = builder.tls_certs_only([]);
    }
    // A proxy for the Internet is no way to this machine.
    if near.is_some() {
        builder = builder.no_proxy();
    }
    builder.build().map_err(WebhookError::Client)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(status: u16) -> Answer {
        Said { status, words: "so".into(), retry_after: Some(Duration::from_secs(7)) }.answer()
    }

    #[test]
    fn only_two_hundreds_mean_taken_and_only_four_hundreds_never() {
        assert_eq!((said(200), said(204)), (Answer::Taken, Answer::Taken));
        for status in [301, 302, 307, 400, 401, 403, 404, 410, 422] {
            assert!(matches!(said(status), Answer::Refused(_)), "{status}");
        }
        for status in [100, 408, 425, 429, 500, 502, 503, 599] {
            let later = Answer::Later(format!("{status} so"), Some(Duration::from_secs(7)));
            assert_eq!(said(status), later, "{status}");
        }
    }

    #[test]
    fn a_key_is_base64_of_a_decent_length() {
        let check = |text: &str, fits: bool| assert_eq!(key(&Secret::new(text)).is_ok(), fits, "{text}");
        check("MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz", true);
        check("whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz\n", true);
        check("c2hvcnQ=", false);
        check("not base64 at all, not base64 at all", false);
        check(&"QUFB".repeat(22), false);
    }

    #[test]
    fn a_signature_is_what_openssl_computes() {
        // printf 'id-1.1795500000.{"a":1}' | openssl dgst -sha256 -mac HMAC -macopt key:012345678901234567890123 \
        //   -binary | base64
        let signed = signature(b"012345678901234567890123", "id-1", 1_795_500_000, "{\"a\":1}");
        assert_eq!(signed, "v1,QHEWDZtScAr4JicIUMJpLAjEpgydwjWXGeBqbJ2THqg=");
    }
}
