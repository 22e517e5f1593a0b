//! Who may look, and who may change things: the staff's accounts, their sessions, and the log of both.
//!
//! `accounts.json` in the hub's data directory holds the accounts; `vedetta account` writes it, the hub reads it again
//! whenever it changes. A login that cannot be written down does not happen.

pub mod accounts;
pub mod journal;
pub mod sessions;

use std::collections::BTreeMap;
use std::io::Read as _;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use anyhow::Context as _;
use jiff::Timestamp;
use tokio::sync::Semaphore;

use accounts::{Account, Accounts, CODE_STEP_S, Chance, Role};
use journal::{Event, What};
use sessions::{Session, Sessions};

use crate::config::text::hex;

/// The file with the accounts.
pub const ACCOUNTS_FILE: &str = "accounts.json";
/// A larger one is none of ours.
const FILE_BYTES_MAX: u64 = 1024 * 1024;
/// Whoever waits longer for its turn to have a password hashed is told to try again.
const QUEUE_MAX: Duration = Duration::from_secs(5);
/// Wrong codes with the right password, until no code is taken for [`CODE_PAUSE`].
const WRONG_CODES_MAX: u32 = 5;
const CODE_PAUSE: Duration = Duration::from_mins(15);
/// Failures that the log takes at once, and then one in [`FAILURE_EVERY`]; the others are counted.
const FAILURES_BURST: f64 = 30.0;
const FAILURE_EVERY: Duration = Duration::from_mins(5);

/// Why somebody is not logged in.
#[derive(Debug, thiserror::Error)]
pub enum LoginError {
    /// Name, password or code: which of them is nobody's business.
    #[error("wrong name, password or code")]
    Wrong,
    #[error("too many at once")]
    Busy,
    #[error("the access log cannot be written")]
    NotWritten(#[source] std::io::Error),
}

/// The file as it was last read.
struct Kept {
    seen: Option<(SystemTime, u64)>,
    accounts: Arc<Accounts>,
}

/// What is known of one account's codes.
#[derive(Debug, Clone, Copy, Default)]
struct Codes {
    /// The newest step that was used: codes of it and of older ones are over (RFC 6238, 5.2).
    used: u64,
    wrong: u32,
    last_wrong: Option<Instant>,
}

/// How many failures may still be written down.
struct Failures {
    left: f64,
    at: Instant,
}

/// All of it, for the hub.
pub struct Access {
    dir: PathBuf,
    open_to: Vec<IpAddr>,
    kept: Mutex<Kept>,
    sessions: Mutex<Sessions>,
    codes: Mutex<BTreeMap<String, Codes>>,
    failures: Mutex<Failures>,
    unwritten: AtomicU64,
    /// One password is hashed at a time: 19 MiB each.
    hashing: Semaphore,
    /// What a password is compared with where there is no such account, so that time tells nothing.
    nobody: Account,
}

/// Whoever panicked left whole values behind.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Chance for a new account.
pub fn chance() -> Chance {
    Chance { salt: rand::random(), seed: rand::random() }
}

/// A password that a person can type: five groups of four, of letters and digits that do not look alike; 98 bits.
pub fn password() -> String {
    const LETTERS: &[u8; 30] = b"abcdefghijkmnpqrstuvwxyz234567";
    let group = || (0..4).map(|_| char::from(LETTERS[rand::random_range(0..LETTERS.len())])).collect::<String>();
    (0..5).map(|_| group()).collect::<Vec<_>>().join("-")
}

/// The last part of the address of an operator's or a place's link: 128 bits.
pub fn share_word() -> String {
    hex(&rand::random::<[u8; 16]>())
}

/// The accounts of a data directory; none where there is no file.
pub fn read(dir: &Path) -> anyhow::Result<Accounts> {
    let path = dir.join(ACCOUNTS_FILE);
    let named = || path.display().to_string();
    let file = match std::fs::File::open(&path) {
        Ok(file) => file,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Accounts::default()),
        Err(e) => return Err(e).with_context(named),
    };
    let mut text = String::new();
    file.take(FILE_BYTES_MAX).read_to_string(&mut text).with_context(named)?;
    let accounts: Accounts = serde_json::from_str(&text).with_context(named)?;
    accounts.check().with_context(named)
}

/// Writes the accounts, readable by the hub's user alone, the whole file or none.
pub fn write(dir: &Path, accounts: &Accounts) -> anyhow::Result<()> {
    crate::hub::keys::write(&dir.join(ACCOUNTS_FILE), &serde_json::to_string_pretty(accounts)?)
}

impl Access {
    /// For the hub of this data directory. `open_to`: who needs no account to look.
    pub fn new(dir: &Path, open_to: Vec<IpAddr>) -> anyhow::Result<Self> {
        let nobody = Account::new(Role::Reader, &password(), chance(), String::new())?;
        Ok(Self {
            dir: dir.to_owned(),
            open_to,
            kept: Mutex::new(Kept { seen: None, accounts: Arc::default() }),
            sessions: Mutex::default(),
            codes: Mutex::default(),
            failures: Mutex::new(Failures { left: FAILURES_BURST, at: Instant::now() }),
            unwritten: AtomicU64::new(0),
            hashing: Semaphore::new(1),
            nobody,
        })
    }

    /// Whether this reader needs no account to look.
    pub fn is_open_to(&self, reader: IpAddr) -> bool {
        self.open_to.contains(&reader)
    }

    /// The accounts as they are now. A file that cannot be read is no account at all: nobody gets in by damage.
    pub fn accounts(&self) -> Arc<Accounts> {
        let found = std::fs::metadata(self.dir.join(ACCOUNTS_FILE)).ok();
        let seen = found.and_then(|m| Some((m.modified().ok()?, m.len())));
        let mut kept = lock(&self.kept);
        if kept.seen != seen {
            let accounts = read(&self.dir).unwrap_or_else(|error| {
                tracing::error!(error = format!("{error:#}"), "nobody can log in");
                Accounts::default()
            });
            *kept = Kept { seen, accounts: Arc::new(accounts) };
        }
        kept.accounts.clone()
    }

    /// The session of a cookie, while its account is what it was.
    pub fn session(&self, word: &str) -> Option<Session> {
        let session = lock(&self.sessions).find(word, Instant::now())?;
        let same = self.accounts().get(&session.account).is_some_and(|a| a.stamp() == session.stamp);
        if !same {
            lock(&self.sessions).end(word);
        }
        same.then_some(session)
    }

    /// Logs somebody in: the cookie's word. Written down before it is told.
    pub async fn login(&self, name: &str, password: &str, code: &str, from: IpAddr) -> Result<String, LoginError> {
        let accounts = self.accounts();
        let account = accounts.get(name).cloned();
        let turn = tokio::time::timeout(QUEUE_MAX, self.hashing.acquire()).await;
        let Ok(Ok(_turn)) = turn else { return Err(LoginError::Busy) };
        let (tried, shown) = (account.clone().unwrap_or_else(|| self.nobody.clone()), password.to_owned());
        let known = tokio::task::spawn_blocking(move || tried.knows(&shown)).await.unwrap_or(false);
        let now = Timestamp::now();
        let good =
            account.filter(|_| known).filter(|account| self.takes_code(name, account, code, now, Instant::now()));
        let who = if accounts.get(name).is_some() { name } else { "?" };
        let Some(account) = good else {
            self.failed(who, from, now).await;
            return Err(LoginError::Wrong);
        };
        self.note(Event { who: who.to_owned(), what: What::Login, from: from.to_string(), note: None }, now)
            .await
            .map_err(LoginError::NotWritten)?;
        let word = hex(&rand::random::<[u8; 32]>());
        lock(&self.sessions).begin(&word, name, account.role, account.stamp(), Instant::now());
        Ok(word)
    }

    /// Whether the code is good, and for the first time; after [`WRONG_CODES_MAX`] none is for a while.
    fn takes_code(&self, name: &str, account: &Account, code: &str, now: Timestamp, at: Instant) -> bool {
        let mut all = lock(&self.codes);
        let codes = all.entry(name.to_owned()).or_default();
        if codes.last_wrong.is_some_and(|last| at.saturating_duration_since(last) >= CODE_PAUSE) {
            (codes.wrong, codes.last_wrong) = (0, None);
        }
        let now_s = u64::try_from(now.as_second()).unwrap_or(0);
        let step = account.step_of(code, now_s).filter(|step| *step > codes.used);
        match step {
            Some(step) if codes.wrong < WRONG_CODES_MAX => {
                *codes = Codes { used: step, wrong: 0, last_wrong: None };
                true
            }
            _ => {
                codes.wrong = codes.wrong.saturating_add(1);
                codes.last_wrong = Some(at);
                false
            }
        }
    }

    /// Ends a session; written down where there was one.
    pub async fn logout(&self, word: &str, from: IpAddr) {
        let session = self.session(word);
        lock(&self.sessions).end(word);
        if let Some(session) = session {
            let event = Event { who: session.account, what: What::Logout, from: from.to_string(), note: None };
            if let Err(error) = self.note(event, Timestamp::now()).await {
                tracing::error!(%error, "the access log cannot be written");
            }
        }
    }

    /// Writes a failure down, or counts it for the next line: a flood of them must not fill the disk.
    async fn failed(&self, who: &str, from: IpAddr, now: Timestamp) {
        let writes = {
            let mut failures = lock(&self.failures);
            let filled = failures.at.elapsed().as_secs_f64() / FAILURE_EVERY.as_secs_f64();
            *failures = Failures { left: (failures.left + filled).min(FAILURES_BURST), at: Instant::now() };
            let writes = failures.left >= 1.0;
            failures.left -= f64::from(u8::from(writes));
            writes
        };
        if !writes {
            self.unwritten.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let others = self.unwritten.swap(0, Ordering::Relaxed);
        let note = (others > 0).then(|| format!("and {others} failures before it that have no line"));
        let event = Event { who: who.to_owned(), what: What::LoginFailed, from: from.to_string(), note };
        if let Err(error) = self.note(event, now).await {
            tracing::error!(%error, "the access log cannot be written");
        }
    }

    async fn note(&self, event: Event, at: Timestamp) -> std::io::Result<()> {
        let path = self.dir.join(journal::FILE);
        let written = tokio::task::spawn_blocking(move || journal::append(&path, &event, at)).await;
        let entry = written.map_err(std::io::Error::other)??;
        tracing::info!(n = entry.n, who = entry.who, what = ?entry.what, from = entry.from, hash = entry.hash, "access");
        Ok(())
    }
}

/// Writes down what the command line did to an account.
pub fn note_from_terminal(dir: &Path, who: &str, what: What) -> anyhow::Result<()> {
    let event = Event { who: who.to_owned(), what, from: "terminal".to_owned(), note: None };
    let path = dir.join(journal::FILE);
    journal::append(&path, &event, Timestamp::now()).map(|_| ()).with_context(|| path.display().to_string())
}

const _: () = assert!(CODE_PAUSE.as_secs() > 3 * CODE_STEP_S);

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::accounts::tests::{PASSWORD, account, code_now};
    use super::*;

    fn access() -> (tempfile::TempDir, Arc<Access>) {
        let dir = tempfile::tempdir().unwrap();
        let mut all = Accounts::default();
        all.add("anna", account(Role::Staff)).unwrap();
        write(dir.path(), &all).unwrap();
        let access = Arc::new(Access::new(dir.path(), vec![]).unwrap());
        (dir, access)
    }

    #[test]
    fn a_code_is_good_once_and_five_wrong_ones_close_the_door_for_a_while() {
        let (_dir, access) = access();
        let account = account(Role::Staff);
        let start = Instant::now();
        let at = |s: i64| Timestamp::from_second(s).unwrap();
        let takes = |code: &str, s: i64, after: u64| {
            access.takes_code("anna", &account, code, at(s), start + Duration::from_secs(after))
        };
        assert!(takes("287082", 59, 0));
        assert!(!takes("287082", 59, 1), "once");
        for n in 0..4 {
            assert!(!takes("000000", 59, 2 + n));
        }
        assert!(!takes("081804", 1_111_111_109, 10), "five were wrong");
        assert!(!takes("081804", 1_111_111_109, 10 + 899));
        assert!(takes("081804", 1_111_111_109, 10 + 899 + 900));
    }

    #[tokio::test]
    async fn logging_in_and_out_is_written_down_and_a_new_password_ends_sessions() {
        let (dir, access) = access();
        let from: IpAddr = "192.0.2.7".parse().unwrap();
        let code = code_now(&account(Role::Staff), Timestamp::now());
        assert!(matches!(access.login("anna", "quattro lupi sul colla", &code, from).await, Err(LoginError::Wrong)));
        assert!(matches!(access.login("my password", PASSWORD, &code, from).await, Err(LoginError::Wrong)));
        let word = access.login("anna", PASSWORD, &code, from).await.unwrap();
        assert_eq!(access.session(&word).map(|s| (s.account, s.role)), Some(("anna".into(), Role::Staff)));
        assert!(access.session("").is_none() && access.session("x").is_none());
        let mut all = read(dir.path()).unwrap();
        let other = Account::new(Role::Staff, "cinque lupi sul colle", chance(), String::new()).unwrap();
        all.replace("anna", other).unwrap();
        write(dir.path(), &all).unwrap();
        assert!(access.session(&word).is_none(), "another password");
        access.logout(&word, from).await;
        let text = std::fs::read_to_string(dir.path().join(journal::FILE)).unwrap();
        let (entries, broken) = journal::verify(&text);
        let told: Vec<_> = entries.iter().map(|e| (e.who.as_str(), e.what, e.from.as_str())).collect();
        assert_eq!(
            (told, broken),
            (
                vec![
                    ("anna", What::LoginFailed, "192.0.2.7"),
                    ("?", What::LoginFailed, "192.0.2.7"),
                    ("anna", What::Login, "192.0.2.7"),
                ],
                None
            )
        );
        assert!(!text.contains("my password") && !text.contains(PASSWORD));
    }

    #[tokio::test]
    async fn a_flood_of_failures_is_counted_and_a_log_that_fails_lets_nobody_in() {
        let (dir, access) = access();
        let from: IpAddr = "192.0.2.7".parse().unwrap();
        for _ in 0..100 {
            access.failed("?", from, Timestamp::now()).await;
        }
        let path = dir.path().join(journal::FILE);
        assert_eq!(std::fs::read_to_string(&path).unwrap().lines().count(), 30);
        assert_eq!(access.unwritten.load(Ordering::Relaxed), 70);
        std::fs::write(&path, "damaged\n").unwrap();
        let code = code_now(&account(Role::Staff), Timestamp::now());
        assert!(matches!(access.login("anna", PASSWORD, &code, from).await, Err(LoginError::NotWritten(_))));
    }

    #[test]
    fn a_damaged_file_opens_nothing() {
        let (dir, access) = access();
        assert!(!access.accounts().is_empty());
        std::fs::write(dir.path().join(ACCOUNTS_FILE), "{").unwrap();
        assert!(access.accounts().is_empty());
        assert!(read(dir.path()).is_err());
        assert!(password().len() == 24 && password() != password());
    }
}
