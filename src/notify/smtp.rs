//! SMTP: one connection for the mails that wait, each step with a time limit.
//!
//! TLS is never optional: implicit, or STARTTLS and nothing without it; plain only where the settings say so. What
//! fails before a mail is offered is the server's trouble and concerns all mails; what fails after is that mail's.

use std::path::PathBuf;
use std::time::Duration;

use lettre::Address;
use lettre::address::Envelope;
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{
    AsyncSmtpConnection, Certificate, CertificateStore, TlsParameters, TlsParametersBuilder,
};
use lettre::transport::smtp::extension::ClientId;
use tokio::time::timeout;

use crate::config::secret::{SecretError, SecretSource};
use crate::config::settings::{SmtpSecurity, SmtpSettings};

/// Connecting, TLS and the greeting. RFC 5321 (4.5.3.2) allows a server five minutes for each step; a relay that
/// needs more than this is better tried again later.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);

/// From MAIL to the answer after the message. Giving up in the middle may send a mail twice, so this is long.
const SEND_TIMEOUT: Duration = Duration::from_mins(5);

const QUIT_TIMEOUT: Duration = Duration::from_secs(5);

/// Without TLS inside of TLS these would show the password; XOAUTH2 is left out, for nobody can renew its tokens here.
const MECHANISMS: [Mechanism; 2] = [Mechanism::Plain, Mechanism::Login];

/// Why the server cannot be used now: all mails wait. The caller names the server.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    #[error("password")]
    Secret(#[source] SecretError),
    #[error("a user is set without a password")]
    NoPassword,
    #[error("certificates {0}")]
    CaFile(PathBuf, #[source] std::io::Error),
    #[error("certificates {0}")]
    CaSyntax(PathBuf, #[source] Error),
    #[error("TLS")]
    Tls(#[source] Error),
    #[error("no answer in time")]
    Timeout,
    #[error("no connection")]
    Connect(#[source] Error),
    #[error("it offers no STARTTLS, and without TLS nothing is sent")]
    NoStartTls,
    #[error("it refuses user and password")]
    Auth(#[source] Error),
}

/// What became of a mail that was offered.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// The connection failed, or the server wants no mail at all now.
    #[error("connection")]
    Server(#[source] Error),
    #[error("the server does not answer in time")]
    Timeout,
    /// 4xx: later, this mail.
    #[error("later")]
    Later(#[source] Error),
    /// 5xx: never, this mail to this address.
    #[error("refused")]
    Refused(#[source] Error),
}

pub struct Session {
    connection: AsyncSmtpConnection,
}

/// Connects, secures and logs in.
pub async fn connect(settings: &SmtpSettings, secrets: &dyn SecretSource) -> Result<Session, ConnectError> {
    let login = login(settings, secrets)?;
    timeout(CONNECT_TIMEOUT, handshake(settings, login)).await.map_err(|_| ConnectError::Timeout)?
}

async fn handshake(settings: &SmtpSettings, login: Option<Credentials>) -> Result<Session, ConnectError> {
    let tls = match settings.security {
        SmtpSecurity::Plain => None,
        SmtpSecurity::ImplicitTls | SmtpSecurity::StartTls => Some(tls(settings).await?),
    };
    let hello = ClientId::default();
    let implicit = tls.clone().filter(|_| settings.security == SmtpSecurity::ImplicitTls);
    let address = (settings.host.as_str(), settings.port);
    let mut connection = AsyncSmtpConnection::connect_tokio1(address, Some(CONNECT_TIMEOUT), &hello, implicit, None)
        .await
        .map_err(ConnectError::Connect)?;
    if let (SmtpSecurity::StartTls, Some(tls)) = (settings.security, tls) {
        if !connection.can_starttls() {
            return Err(ConnectError::NoStartTls);
        }
        connection.starttls(tls, &hello).await.map_err(ConnectError::Connect)?;
    }
    if let Some(login) = login {
        connection.auth(&MECHANISMS, &login).await.map_err(ConnectError::Auth)?;
    }
    Ok(Session { connection })
}

fn login(settings: &SmtpSettings, secrets: &dyn SecretSource) -> Result<Option<Credentials>, ConnectError> {
    let Some(user) = &settings.user else { return Ok(None) };
    let password = settings.password.as_ref().ok_or(ConnectError::NoPassword)?;
    let password = secrets.read(password).map_err(ConnectError::Secret)?;
    Ok(Some(Credentials::new(user.clone(), password.expose().to_owned())))
}

/// With a `ca_file` only its certificates count, otherwise the system's.
async fn tls(settings: &SmtpSettings) -> Result<TlsParameters, ConnectError> {
    let mut builder = TlsParametersBuilder::new(settings.host.clone());
    if let Some(path) = &settings.ca_file {
        let pem = tokio::fs::read(path).await.map_err(|e| ConnectError::CaFile(path.clone(), e))?;
        let certificate = Certificate::from_pem(&pem).map_err(|e| ConnectError::CaSyntax(path.clone(), e))?;
        builder = builder.certificate_store(CertificateStore::None).add_root_certificate(certificate);
    }
    builder.build_rustls().map_err(ConnectError::Tls)
}

impl Session {
    /// Offers one message to one address; what the server said to it. After an error the session may be broken: see
    /// [`Session::is_broken`].
    pub async fn send(&mut self, from: &Address, to: &Address, message: &[u8]) -> Result<String, SendError> {
        let envelope =
            Envelope::new(Some(from.clone()), vec![to.clone()]).expect("an envelope with one recipient is never empty");
        let sent = timeout(SEND_TIMEOUT, self.connection.send(&envelope, message)).await;
        let said = sent.map_err(|_| SendError::Timeout)?.map_err(judge)?;
        Ok(format!("{} {}", said.code(), said.first_line().unwrap_or_default()).trim_end().to_owned())
    }

    pub fn is_broken(&self) -> bool {
        self.connection.has_broken()
    }

    /// Says goodbye; the mails are delivered whether that works or not.
    pub async fn quit(mut self) {
        let _ = timeout(QUIT_TIMEOUT, self.connection.quit()).await;
    }
}

/// 421 closes the channel, 530 asks for a login (RFC 4954): both are about the server, not about the mail.
fn judge(error: Error) -> SendError {
    let code = error.status().map(u16::from);
    match code {
        Some(421 | 530) => SendError::Server(error),
        Some(400..=499) => SendError::Later(error),
        Some(_) => SendError::Refused(error),
        // The server cannot carry the address or the text at all.
        None if error.is_client() => SendError::Refused(error),
        None => SendError::Server(error),
    }
}
