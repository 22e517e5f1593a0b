//! Services in the cloud as a site sees them: one GET a poll, over a path tried anew each time.
//!
//! Nothing is kept from one poll to the next that could hide a fault: no connection, no TLS session (a resumed one
//! does not look at the certificate again), no address, no cookie. The body is never read.

use std::error::Error as StdError;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{CONNECTION, HeaderMap, HeaderValue};
use reqwest::{Client, redirect};
use rustls::{ClientConfig, RootCertStore};
use tokio::sync::{Mutex, Semaphore, oneshot};
use tokio::time::{Instant, timeout};

use crate::model::Missing;

/// A service that takes longer than this to answer is of no use to an office.
pub const SERVICE_TIMEOUT: Duration = Duration::from_secs(10);
/// Redirections followed before a service counts as going round in circles.
const REDIRECTS_MAX: usize = 5;
/// Header lines of one answer. Their size is bounded by hyper's read buffer (some 400 KiB, then the answer is refused).
const HEADERS_MAX: usize = 100;
/// Names being resolved at once. A lookup cannot be called off: one that outlives its poll keeps its place until the
/// system gives up, so dead name servers can never fill the machine with threads.
const LOOKUPS_MAX: usize = 64;
/// What services are told of us.
const USER_AGENT: &str = concat!("vedetta/", env!("CARGO_PKG_VERSION"));

/// The final answer of a service, after redirections.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ServiceAnswer {
    /// HTTP status code.
    pub status: u16,
    /// From the beginning of the poll (name, connection, TLS, redirections) to the headers of the final answer.
    pub response_ms: f64,
}

impl ServiceAnswer {
    /// Whether it is 2xx or 3xx.
    pub fn is_good(&self) -> bool {
        (200..400).contains(&self.status)
    }
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ServiceError {
    #[error("no answer in time")]
    Timeout,
    #[error("the name cannot be resolved: {0}")]
    Name(String),
    /// No route, a port that refuses, a connection that is reset.
    #[error("cannot be reached: {0}")]
    Unreachable(String),
    #[error("its certificate is not accepted: {0}")]
    Certificate(String),
    /// Not HTTP, not TLS, an answer cut short, more headers than anybody needs, redirections without end.
    #[error("its answer cannot be read: {0}")]
    Malformed(String),
    /// The fault is on this machine: this says nothing of the service.
    #[error("cannot be tried from here: {0}")]
    NotPossible(String),
}

impl ServiceError {
    /// The reason that stands for the response time.
    pub fn missing(&self) -> Missing {
        match self {
            Self::Timeout => Missing::Timeout,
            Self::Name(_) | Self::Unreachable(_) => Missing::Unreachable,
            Self::Certificate(_) => Missing::Refused,
            Self::Malformed(_) => Missing::Malformed,
            Self::NotPossible(_) => Missing::NotMeasured,
        }
    }

    /// Whether it says something of the service as the site sees it. A name that does not resolve and a missing route
    /// do: whoever works at the site has no service either. What this machine lacks does not.
    pub fn is_knowledge(&self) -> bool {
        !matches!(self, Self::NotPossible(_))
    }
}

/// What [`ServiceProbe::get`] returns.
pub type ServiceTrial<'a> = Pin<Box<dyn Future<Output = Result<ServiceAnswer, ServiceError>> + Send + 'a>>;

/// Tries services. The second implementation is the demo's, whose services do not exist.
pub trait ServiceProbe: Send + Sync {
    /// Asks for `url` once and waits at most `limit` for the headers of the final answer.
    fn get<'a>(&'a self, url: &'a str, limit: Duration) -> ServiceTrial<'a>;
}

type Roots = dyn Fn() -> RootCertStore + Send + Sync;

/// Real services, over HTTP/1.1 and TLS 1.2 or 1.3 with the system's root certificates (or those that
/// `SSL_CERT_FILE` and `SSL_CERT_DIR` name). Proxies that the environment names are not used: an office's computers
/// would not know them.
///
/// Roots are read when a service is first tried, and again after a certificate was not accepted: what an
/// administrator adds counts at the next poll.
pub struct HttpServices {
    roots: Arc<Roots>,
    tools: Mutex<Option<Tools>>,
    names: Arc<Names>,
}

#[derive(Clone)]
struct Tools {
    client: Client,
    has_roots: bool,
}

impl Default for HttpServices {
    fn default() -> Self {
        Self::new()
    }
}

impl HttpServices {
    /// Nothing is opened or read yet.
    pub fn new() -> Self {
        Self::with_roots(Arc::new(system_roots))
    }

    fn with_roots(roots: Arc<Roots>) -> Self {
        Self { roots, tools: Mutex::new(None), names: Arc::new(Names(Arc::new(Semaphore::new(LOOKUPS_MAX)))) }
    }

    async fn tools(&self) -> Result<Tools, ServiceError> {
        let mut tools = self.tools.lock().await;
        if let Some(tools) = &*tools {
            return Ok(tools.clone());
        }
        let (roots, names) = (Arc::clone(&self.roots), Arc::clone(&self.names));
        let made = tokio::task::spawn_blocking(move || make_tools(roots(), names)).await;
        let made = made.map_err(|e| ServiceError::NotPossible(e.to_string()))??;
        Ok(tools.insert(made).clone())
    }

    async fn answer(&self, url: &str) -> Result<ServiceAnswer, ServiceError> {
        let tools = self.tools().await?;
        let started = Instant::now();
        match tools.client.get(url).send().await {
            Ok(answer) => Ok(ServiceAnswer {
                status: answer.status().as_u16(),
                response_ms: started.elapsed().as_secs_f64() * 1e3,
            }),
            Err(e) => {
                let error = classify(&e);
                if matches!(error, ServiceError::Certificate(_)) {
                    *self.tools.lock().await = None;
                    if !tools.has_roots {
                        return Err(ServiceError::NotPossible(
                            "this machine has no root certificates (package ca-certificates)".into(),
                        ));
                    }
                }
                Err(error)
            }
        }
    }
}

impl ServiceProbe for HttpServices {
    fn get<'a>(&'a self, url: &'a str, limit: Duration) -> ServiceTrial<'a> {
        Box::pin(async move { timeout(limit, self.answer(url)).await.unwrap_or(Err(ServiceError::Timeout)) })
    }
}

fn system_roots() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    // A certificate that does not parse is of no use to anybody; an empty store is told to whoever tries a service.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots
}

fn make_tools(roots: RootCertStore, names: Arc<Names>) -> Result<Tools, ServiceError> {
    let not_possible = |e: &dyn StdError| ServiceError::NotPossible(e.to_string());
    let has_roots = !roots.is_empty();
    let mut tls = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|e| not_possible(&e))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    tls.resumption = rustls::client::Resumption::disabled();
    tls.alpn_protocols = vec![b"http/1.1".to_vec()];
    let client = Client::builder()
        .tls_backend_preconfigured(tls)
        .dns_resolver(names)
        .user_agent(USER_AGENT)
        .default_headers(HeaderMap::from_iter([(CONNECTION, HeaderValue::from_static("close"))]))
        .redirect(redirect::Policy::limited(REDIRECTS_MAX))
        .referer(false)
        .retry(reqwest::retry::never())
        .no_proxy()
        .http1_only()
        .http1_max_headers(HEADERS_MAX)
        .pool_max_idle_per_host(0)
        // Shared out among the addresses of a name: the first that swallows everything leaves time for the next.
        .connect_timeout(SERVICE_TIMEOUT)
        .build()
        .map_err(|e| not_possible(&e))?;
    Ok(Tools { client, has_roots })
}

/// The system's resolver, each lookup on a thread of its own: lookups on the runtime's pool would take the places of
/// file work, and keep the process from ending until dead name servers have timed out.
struct Names(Arc<Semaphore>);

#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct NameError(io::Error);

#[derive(Debug, thiserror::Error)]
#[error("no thread to resolve a name with: {0}")]
struct NoThread(io::Error);

impl Resolve for Names {
    fn resolve(&self, name: Name) -> Resolving {
        let places = Arc::clone(&self.0);
        Box::pin(async move {
            let place = places.acquire_owned().await?;
            let (reply, answer) = oneshot::channel();
            let lookup = move || {
                let found = (name.as_str(), 0).to_socket_addrs().map(Iterator::collect::<Vec<SocketAddr>>);
                drop(place);
                // Nobody waits any more for a lookup that outlived its poll.
                let _ = reply.send(found);
            };
            std::thread::Builder::new().name("resolve".into()).spawn(lookup).map_err(NoThread)?;
            let found = answer.await.map_err(|e| NoThread(io::Error::other(e)))?.map_err(NameError)?;
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

/// The first cause that tells what happened, from the outermost inwards.
fn classify(error: &reqwest::Error) -> ServiceError {
    if error.is_builder() {
        return ServiceError::NotPossible(innermost(error));
    }
    if error.is_timeout() {
        return ServiceError::Timeout;
    }
    if error.is_redirect() {
        return ServiceError::Malformed(innermost(error));
    }
    causes(error).find_map(cause).unwrap_or_else(|| ServiceError::Malformed(innermost(error)))
}

fn cause(e: &(dyn StdError + 'static)) -> Option<ServiceError> {
    use rustls::CertificateError::{NotValidYet, NotValidYetContext};
    if let Some(NameError(e)) = e.downcast_ref() {
        return Some(match from_io(e) {
            ours @ ServiceError::NotPossible(_) => ours,
            _ => ServiceError::Name(e.to_string()),
        });
    }
    if e.is::<NoThread>() {
        return Some(ServiceError::NotPossible(e.to_string()));
    }
    if let Some(e) = e.downcast_ref::<rustls::Error>() {
        return Some(match e {
            // A relay without a battery-backed clock begins in the past; certificates of the future are rare.
            rustls::Error::InvalidCertificate(NotValidYet | NotValidYetContext { .. }) => {
                ServiceError::NotPossible(format!("{e}: is this machine's clock set?"))
            }
            rustls::Error::InvalidCertificate(_) | rustls::Error::NoCertificatesPresented => {
                ServiceError::Certificate(e.to_string())
            }
            _ => ServiceError::Malformed(e.to_string()),
        });
    }
    let io = e.downcast_ref::<io::Error>()?;
    // One that wraps another error speaks through it: `causes` shows that next.
    io.get_ref().is_none().then(|| from_io(io))
}

fn from_io(e: &io::Error) -> ServiceError {
    use io::ErrorKind::{AddrNotAvailable, OutOfMemory, PermissionDenied, TimedOut};
    /// Too many open files, of the process and of the machine: `std` has no kind for them.
    const NO_DESCRIPTORS: [i32; 2] = [24, 23];
    match e.kind() {
        TimedOut => ServiceError::Timeout,
        AddrNotAvailable | OutOfMemory | PermissionDenied => ServiceError::NotPossible(e.to_string()),
        _ if e.raw_os_error().is_some_and(|code| NO_DESCRIPTORS.contains(&code)) => {
            ServiceError::NotPossible(e.to_string())
        }
        _ => ServiceError::Unreachable(e.to_string()),
    }
}

/// An error and its causes. `io::Error::source` leaves out the error that it wraps, which is the one that tells.
fn causes<'e>(error: &'e (dyn StdError + 'static)) -> impl Iterator<Item = &'e (dyn StdError + 'static)> {
    fn next<'e>(e: &&'e (dyn StdError + 'static)) -> Option<&'e (dyn StdError + 'static)> {
        let e: &'e (dyn StdError + 'static) = *e;
        match e.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(wrapped) => Some(wrapped),
            None => e.source(),
        }
    }
    std::iter::successors(Some(error), next)
}

/// The innermost cause in words. The outer ones repeat the URL, which may hold a key.
fn innermost(error: &(dyn StdError + 'static)) -> String {
    causes(error).last().map(ToString::to_string).unwrap_or_default()
}

#[cfg(test)]
mod tests;
