//! A connection to the broker, made again whenever it breaks: a thin layer over rumqttc.
//!
//! [`drive`] polls and reconnects; a worker receives [`LinkEvent`]s and sends through [`Requests`]. Both run side by
//! side in one task, and what keeps them from waiting for each other is one rule: `drive` never waits for the worker
//! while a connection is open.
//!
//! What rumqttc 0.25 makes necessary:
//! * Each connection gets an event loop of its own. One that is kept sends what was under way again with old packet
//!   ids, above the broker's receive maximum, and hands out events of the connection before.
//! * Its in-flight table is allocated for the limit, 14 MB by default: [`OUTGOING_MAX`].
//! * `publish` only queues. What counts as delivered is decided elsewhere, never by it, nor by the broker.
//! * A refusing acknowledgement is handed out like any other: its reason is looked at here.
//! * A failed connection attempt returns at once: the pause between attempts is ours.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rand::Rng;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{
    DisconnectReasonCode, Filter, LastWill, Packet, PubAckReason, Publish, PublishProperties, SubscribeReasonCode,
};
use rumqttc::v5::{AsyncClient, ConnectionError, Event, EventLoop, MqttOptions, StateError};
use rumqttc::{Outgoing, TlsConfiguration, Transport};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::sync::mpsc;

use super::certificate::{self, Stamp};
use crate::config::secret::{SecretError, SecretSource};
use crate::config::settings::{MqttSettings, TlsSettings};
use crate::model::view::certificate_days_left;
use crate::model::{MonoMillis, UnixMillis};
use crate::runtime::clock::SharedClock;

/// Requests (publications, acknowledgements) that wait for the network: more than [`INCOMING_MAX`], so that the
/// acknowledgements of all that the broker may have under way always find room.
const REQUESTS_MAX: usize = 512;
/// Publications under way to the broker.
const OUTGOING_MAX: u16 = 100;
/// Publications that the broker may have under way to a client that acknowledges by hand: with batches of the largest
/// size, 8 MB.
pub const INCOMING_MAX: u16 = 128;
/// Capacity for a channel of [`LinkEvent`]s.
pub const EVENTS_MAX: usize = INCOMING_MAX as usize + 128;
/// Largest packet accepted: a batch with its properties, or an agent's part of the inventory.
const PACKET_BYTES_MAX: u32 = 512 * 1024;
const CONNECT_TIMEOUT_SECS: u64 = 10;
/// rumqttc refuses less.
const KEEP_ALIVE_MIN: Duration = Duration::from_secs(5);
const PAUSE_MIN: Duration = Duration::from_millis(500);
const PAUSE_MAX: Duration = Duration::from_secs(30);
/// A connection that lasted this long was a good one: the next pause is short again.
const GOOD_CONNECTION: Duration = Duration::from_secs(10);
/// How often certificate files are looked at.
const CERTIFICATES_LOOK: Duration = Duration::from_secs(10);
/// How long a farewell may take.
const FAREWELL: Duration = Duration::from_secs(2);

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    #[error("password")]
    Password(#[source] SecretError),
    #[error("certificate file {path}")]
    CertificateFile { path: PathBuf, source: rustls::pki_types::pem::Error },
    #[error("key file {path}")]
    KeyFile { path: PathBuf, source: rustls::pki_types::pem::Error },
    #[error("certificate file {0} has no certificate that can be used")]
    NoCertificate(PathBuf),
    #[error("this system has no certificates to trust: name a CA file")]
    NoSystemCertificates,
    #[error("TLS settings")]
    Tls(#[source] rustls::Error),
    #[error("connection")]
    Connection(#[source] Box<ConnectionError>),
    #[error("the broker refuses the subscription to {0}")]
    SubscriptionRefused(String),
    #[error("another client of the same name has connected")]
    TakenOver,
    #[error("the broker sends faster than it was told to")]
    Flooded,
    #[error("reading settings was interrupted")]
    Interrupted,
    #[error("the certificate files have changed: connecting with the new ones")]
    Renewed,
    /// We ended it ourselves.
    #[error("the connection was ended")]
    Farewell,
}

/// What a connection is for.
#[derive(Debug, Clone)]
pub struct LinkConfig {
    pub settings: MqttSettings,
    /// Fixed: a client that restarts takes over what is left of its former connection.
    pub client_id: String,
    /// Topic and payload that the broker publishes, retained, when the connection breaks.
    pub will: Option<(String, Vec<u8>)>,
    /// Without any, the connection only publishes.
    pub subscriptions: Vec<String>,
    /// Messages are acknowledged with [`Requests::ack`]; at most [`INCOMING_MAX`] are under way.
    pub manual_acks: bool,
    /// Each publication that the broker has taken is told as [`LinkEvent::Taken`].
    pub told_of_acks: bool,
}

impl LinkConfig {
    /// For the log.
    pub fn broker(&self) -> String {
        format!("{}:{}", self.settings.host, self.settings.port)
    }
}

/// A message from the broker.
#[derive(Debug, Clone)]
pub struct Message {
    connection: u64,
    publish: Publish,
}

impl Message {
    /// Empty if it is not text, which no topic of ours is then.
    pub fn topic(&self) -> &str {
        std::str::from_utf8(&self.publish.topic).unwrap_or_default()
    }

    pub fn payload(&self) -> &[u8] {
        &self.publish.payload
    }

    pub fn user_properties(&self) -> &[(String, String)] {
        self.publish.properties.as_ref().map_or(&[], |p| &p.user_properties)
    }
}

#[derive(Debug)]
pub enum LinkEvent {
    /// Connected, and all subscriptions are in place.
    Up(Requests),
    Message(Message),
    /// The broker has taken what was published; told where it was asked for.
    Taken,
    /// The broker refused something that was published.
    Refused(String),
    /// There is no connection, or no more.
    Down(LinkError),
}

/// Sends over one connection; of no use once that has ended.
#[derive(Debug, Clone)]
pub struct Requests {
    client: AsyncClient,
    connection: u64,
    certificate_expires_at: Option<UnixMillis>,
}

/// The connection has ended, or too much waits for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the connection takes nothing now")]
pub struct NotNow;

impl Requests {
    /// Counts connections of this process, from 1.
    pub fn connection(&self) -> u64 {
        self.connection
    }

    /// End of the validity of the certificate that this connection was made with; `None`: it needed none.
    pub fn certificate_expires_at(&self) -> Option<UnixMillis> {
        self.certificate_expires_at
    }

    /// Queues a publication with QoS 1, without waiting.
    pub fn try_publish(
        &self,
        topic: &str,
        retain: bool,
        payload: Vec<u8>,
        user_properties: Vec<(String, String)>,
    ) -> Result<(), NotNow> {
        let properties = PublishProperties { user_properties, ..PublishProperties::default() };
        self.client
            .try_publish_with_properties(topic, QoS::AtLeastOnce, retain, payload, properties)
            .map_err(|_| NotNow)
    }

    /// Queues a publication with QoS 1, and waits for room.
    pub async fn publish(&self, topic: &str, retain: bool, payload: Vec<u8>) -> Result<(), NotNow> {
        self.client.publish(topic, QoS::AtLeastOnce, retain, payload).await.map_err(|_| NotNow)
    }

    /// Acknowledges a message of this connection; of another, does nothing.
    pub async fn ack(&self, message: &Message) -> Result<(), NotNow> {
        if message.connection != self.connection {
            return Ok(());
        }
        self.client.ack(&message.publish).await.map_err(|_| NotNow)
    }

    /// Publishes a last retained message in place of the will, ends the connection, and waits a moment for that.
    pub async fn farewell(self, topic: &str, payload: Vec<u8>, events: &mut mpsc::Receiver<LinkEvent>) {
        let ended = async {
            if self.publish(topic, true, payload).await.is_err() || self.client.disconnect().await.is_err() {
                return;
            }
            while !matches!(events.recv().await, None | Some(LinkEvent::Down(_))) {}
        };
        if tokio::time::timeout(FAREWELL, ended).await.is_err() {
            tracing::debug!("the broker did not close the connection in time");
        }
    }
}

/// Keeps a connection until the receiver of `events` is gone. A broker that is not there is waited for, and named in
/// the log once for each reason.
pub async fn drive(
    config: LinkConfig,
    secrets: Arc<dyn SecretSource>,
    clock: SharedClock,
    events: mpsc::Sender<LinkEvent>,
) {
    let mut attempts = Attempts::default();
    for connection in 1.. {
        let error = match options(&config, &secrets).await {
            Ok((options, certificate)) => {
                let mut session = Session {
                    config: &config,
                    events: &events,
                    clock: &clock,
                    connection,
                    certificate_expires_at: certificate.as_ref().and_then(|c| c.expires_at),
                    up_at: None,
                };
                let error = tokio::select! {
                    error = session.run(options) => error,
                    () = renewed(&config, certificate) => LinkError::Renewed,
                };
                attempts.ended(session.up_at.map(|at| clock.mono().since(at)));
                error
            }
            Err(e) => e,
        };
        if matches!(error, LinkError::Farewell) {
            // Whoever said farewell drops the receiver, and this future with it.
            let _ = events.send(LinkEvent::Down(error)).await;
            return events.closed().await;
        }
        attempts.log(&config, &error);
        let pause = attempts.pause(&error);
        if events.send(LinkEvent::Down(error)).await.is_err() {
            return;
        }
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = events.closed() => return,
        }
    }
}

/// How connecting has gone so far.
#[derive(Debug, Default)]
struct Attempts {
    /// Failures since the last good connection.
    failures: u32,
    logged: Option<String>,
}

impl Attempts {
    fn ended(&mut self, lasted: Option<Duration>) {
        if lasted.is_some() {
            self.logged = None;
        }
        if lasted.is_some_and(|span| span >= GOOD_CONNECTION) {
            self.failures = 0;
        }
    }

    fn log(&mut self, config: &LinkConfig, error: &LinkError) {
        let reason = chain(error);
        if matches!(error, LinkError::Renewed) {
            return tracing::info!(broker = config.broker(), reason);
        }
        if self.logged.as_ref() == Some(&reason) {
            tracing::debug!(broker = config.broker(), reason, failures = self.failures, "still no MQTT connection");
        } else {
            tracing::warn!(broker = config.broker(), reason, "no MQTT connection; trying again until there is one");
            self.logged = Some(reason);
        }
    }

    /// Doubles up to a bound, with half of it left to chance, so that agents do not all come back at once.
    fn pause(&mut self, error: &LinkError) -> Duration {
        let doubled = PAUSE_MIN.saturating_mul(1 << self.failures.min(10)).min(PAUSE_MAX);
        self.failures = self.failures.saturating_add(1);
        // Two of one name must not throw each other out all the time.
        let span = if matches!(error, LinkError::TakenOver) { PAUSE_MAX } else { doubled };
        span.mul_f64(rand::rng().random_range(0.5..=1.0))
    }
}

/// An error and its causes, `a: b: c`; what a cause merely repeats is left out.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.ends_with(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}

/// One connection.
struct Session<'a> {
    config: &'a LinkConfig,
    events: &'a mpsc::Sender<LinkEvent>,
    clock: &'a SharedClock,
    connection: u64,
    certificate_expires_at: Option<UnixMillis>,
    up_at: Option<MonoMillis>,
}

impl Session<'_> {
    /// Runs until the connection ends. The event loop is dropped on return, so that a worker that waits for room in
    /// its queue is set free before it is told.
    async fn run(&mut self, options: MqttOptions) -> LinkError {
        let (client, mut event_loop) = AsyncClient::new(options, REQUESTS_MAX);
        loop {
            if let Err(error) = self.step(&client, &mut event_loop).await {
                return error;
            }
        }
    }

    async fn step(&mut self, client: &AsyncClient, event_loop: &mut EventLoop) -> Result<(), LinkError> {
        let event = event_loop.poll().await.map_err(|e| match e {
            ConnectionError::MqttState(StateError::ServerDisconnect {
                reason_code: DisconnectReasonCode::SessionTakenOver,
                ..
            }) => LinkError::TakenOver,
            e => LinkError::Connection(Box::new(e)),
        })?;
        let packet = match event {
            Event::Incoming(packet) => packet,
            // It has been sent: what the broker does next is no failure.
            Event::Outgoing(Outgoing::Disconnect) => return Err(LinkError::Farewell),
            Event::Outgoing(_) => return Ok(()),
        };
        match packet {
            Packet::ConnAck(_) if self.config.subscriptions.is_empty() => self.is_up(client),
            Packet::ConnAck(_) => {
                let filters = self.config.subscriptions.iter().map(|f| Filter::new(f.clone(), QoS::AtLeastOnce));
                client.try_subscribe_many(filters).map_err(|_| LinkError::Flooded)
            }
            Packet::SubAck(ack) => {
                let granted = |code: &SubscribeReasonCode| matches!(code, SubscribeReasonCode::Success(_));
                if let Some(at) = ack.return_codes.iter().position(|code| !granted(code)) {
                    let filter = self.config.subscriptions.get(at).cloned().unwrap_or_default();
                    return Err(LinkError::SubscriptionRefused(filter));
                }
                self.is_up(client)
            }
            Packet::Publish(publish) => {
                let unsure = publish.qos == QoS::AtMostOnce;
                match self.tell(LinkEvent::Message(Message { connection: self.connection, publish })) {
                    // QoS 0 promises nothing, and knows no receive maximum.
                    Err(_) if unsure => Ok(()),
                    told => told,
                }
            }
            Packet::PubAck(ack)
                if !matches!(ack.reason, PubAckReason::Success | PubAckReason::NoMatchingSubscribers) =>
            {
                let text = ack.properties.and_then(|p| p.reason_string).unwrap_or_default();
                // One that is not told was preceded by many that were.
                let _ = self.tell(LinkEvent::Refused(format!("{:?} {text}", ack.reason).trim_end().to_owned()));
                Ok(())
            }
            Packet::PubAck(_) if self.config.told_of_acks => self.tell(LinkEvent::Taken),
            _ => Ok(()),
        }
    }

    fn is_up(&mut self, client: &AsyncClient) -> Result<(), LinkError> {
        tracing::info!(broker = self.config.broker(), "connected over MQTT");
        self.up_at = Some(self.clock.mono());
        self.warn_of_certificate();
        self.tell(LinkEvent::Up(Requests {
            client: client.clone(),
            connection: self.connection,
            certificate_expires_at: self.certificate_expires_at,
        }))
    }

    fn warn_of_certificate(&self) {
        let now = self.clock.now();
        if let Some(days) = self.certificate_expires_at.and_then(|at| certificate_days_left(at, now)) {
            tracing::warn!(days, "this machine's certificate for the broker ends soon: renew it");
        }
    }

    /// Never waits: see the module.
    fn tell(&self, event: LinkEvent) -> Result<(), LinkError> {
        self.events.try_send(event).map_err(|_| LinkError::Flooded)
    }
}

/// The certificate files that a connection was made with.
#[derive(Debug, Clone)]
struct Certificate {
    stamp: Stamp,
    expires_at: Option<UnixMillis>,
}

/// Reads secrets and certificates anew for each attempt, so that renewed ones are taken up.
async fn options(
    config: &LinkConfig,
    secrets: &Arc<dyn SecretSource>,
) -> Result<(MqttOptions, Option<Certificate>), LinkError> {
    let (config, secrets) = (config.clone(), Arc::clone(secrets));
    let job = move || {
        // The stamp first: what changes after it is seen as changed.
        let certificate = config.settings.tls.as_ref().map(|tls| Certificate {
            stamp: Stamp::of(tls),
            expires_at: tls.client.as_ref().and_then(|(path, _)| certificate::expires_at(path)),
        });
        Ok((options_now(&config, secrets.as_ref())?, certificate))
    };
    tokio::task::spawn_blocking(job).await.unwrap_or(Err(LinkError::Interrupted))
}

/// Returns once the certificate files are others, and fit together: whoever replaces them does so one by one.
async fn renewed(config: &LinkConfig, certificate: Option<Certificate>) {
    let (Some(tls), Some(mut certificate)) = (config.settings.tls.clone(), certificate) else {
        return std::future::pending().await;
    };
    loop {
        tokio::time::sleep(CERTIFICATES_LOOK).await;
        let tls = tls.clone();
        let job = move || (Stamp::of(&tls), tls_config(&tls).err());
        let Ok((stamp, error)) = tokio::task::spawn_blocking(job).await else { continue };
        match error {
            _ if stamp == certificate.stamp => {}
            None => return,
            Some(error) => {
                let reason = chain(&error);
                tracing::warn!(
                    reason,
                    "new certificate files cannot be used; the connection goes on with the old ones"
                );
                certificate.stamp = stamp;
            }
        }
    }
}

fn options_now(config: &LinkConfig, secrets: &dyn SecretSource) -> Result<MqttOptions, LinkError> {
    let settings = &config.settings;
    let mut options = MqttOptions::new(&config.client_id, &settings.host, settings.port);
    options
        .set_keep_alive(settings.keep_alive.max(KEEP_ALIVE_MIN))
        .set_connection_timeout(CONNECT_TIMEOUT_SECS)
        .set_clean_start(true)
        .set_session_expiry_interval(Some(0))
        .set_receive_maximum(Some(INCOMING_MAX))
        .set_max_packet_size(Some(PACKET_BYTES_MAX))
        .set_outgoing_inflight_upper_limit(OUTGOING_MAX)
        .set_manual_acks(config.manual_acks);
    if let Some((topic, payload)) = &config.will {
        options.set_last_will(LastWill::new(topic, payload.clone(), QoS::AtLeastOnce, true, None));
    }
    if let Some(user) = &settings.user {
        let password = settings.password.as_ref().map(|p| secrets.read(p)).transpose().map_err(LinkError::Password)?;
        options.set_credentials(user, password.as_ref().map_or("", |p| p.expose()));
    }
    if let Some(tls) = &settings.tls {
        let tls = TlsConfiguration::Rustls(Arc::new(tls_config(tls)?));
        options.set_transport(Transport::tls_with_config(tls));
    }
    Ok(options)
}

fn tls_config(tls: &TlsSettings) -> Result<rustls::ClientConfig, LinkError> {
    let mut roots = rustls::RootCertStore::empty();
    if let Some(path) = &tls.ca_file {
        for certificate in certificates(path)? {
            roots.add(certificate).map_err(LinkError::Tls)?;
        }
    } else {
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if roots.is_empty() {
            return Err(LinkError::NoSystemCertificates);
        }
    }
    // The provider is named, not taken from the process: another crate may have installed another one.
    let builder = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(LinkError::Tls)?
        .with_root_certificates(roots);
    match &tls.client {
        None => Ok(builder.with_no_client_auth()),
        Some((certificate_file, key_file)) => {
            let key = PrivateKeyDer::from_pem_file(key_file)
                .map_err(|source| LinkError::KeyFile { path: key_file.clone(), source })?;
            builder.with_client_auth_cert(certificates(certificate_file)?, key).map_err(LinkError::Tls)
        }
    }
}

/// All certificates of a PEM file, at least one.
fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, LinkError> {
    let error = |source| LinkError::CertificateFile { path: path.to_owned(), source };
    let found: Vec<_> = CertificateDer::pem_file_iter(path).map_err(error)?.collect::<Result<_, _>>().map_err(error)?;
    if found.is_empty() {
        return Err(LinkError::NoCertificate(path.to_owned()));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::secret::SystemSecrets;
    use crate::model::network::SecretRef;

    fn config() -> LinkConfig {
        LinkConfig {
            settings: MqttSettings {
                host: "broker.example".to_owned(),
                port: 8883,
                tls: None,
                user: None,
                password: None,
                keep_alive: Duration::from_secs(1),
            },
            client_id: "me".to_owned(),
            will: Some(("t".to_owned(), b"gone".to_vec())),
            subscriptions: vec![],
            manual_acks: true,
            told_of_acks: false,
        }
    }

    #[test]
    fn sessions_are_clean_and_end_with_their_connection() {
        let options = options_now(&config(), &SystemSecrets).unwrap();
        assert!(options.clean_start());
        assert_eq!(options.session_expiry_interval(), Some(0));
        assert_eq!(options.keep_alive(), KEEP_ALIVE_MIN);
        assert_eq!(options.receive_maximum(), Some(INCOMING_MAX));
        assert!(options.last_will().unwrap().retain);
    }

    #[test]
    fn what_is_missing_is_named() {
        let mut with_password = config();
        with_password.settings.user = Some("hub".to_owned());
        with_password.settings.password = Some(SecretRef::File("/nowhere/password".into()));
        let error = options_now(&with_password, &SystemSecrets).unwrap_err();
        assert!(chain(&error).contains("/nowhere/password"), "{}", chain(&error));

        let mut with_ca = config();
        with_ca.settings.tls = Some(TlsSettings { ca_file: Some("/nowhere/ca.pem".into()), client: None });
        let error = options_now(&with_ca, &SystemSecrets).unwrap_err();
        assert!(chain(&error).contains("/nowhere/ca.pem"), "{}", chain(&error));

        let empty = tempfile::NamedTempFile::new().unwrap();
        with_ca.settings.tls = Some(TlsSettings { ca_file: Some(empty.path().into()), client: None });
        assert!(matches!(options_now(&with_ca, &SystemSecrets), Err(LinkError::NoCertificate(_))));
    }

    #[test]
    fn pauses_grow_to_a_bound_and_shrink_after_a_good_connection() {
        let mut attempts = Attempts::default();
        let mut pause = || attempts.pause(&LinkError::Flooded);
        let pauses: Vec<Duration> = (0..12).map(|_| pause()).collect();
        assert!(pauses[0] <= PAUSE_MIN && pauses[0] >= PAUSE_MIN / 2);
        assert!(pauses[11] <= PAUSE_MAX && pauses[11] >= PAUSE_MAX / 2);
        attempts.ended(Some(GOOD_CONNECTION));
        assert!(attempts.pause(&LinkError::Flooded) <= PAUSE_MIN);
        assert!(attempts.pause(&LinkError::TakenOver) >= PAUSE_MAX / 2);
    }
}
