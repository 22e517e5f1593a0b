//! Who is logged in: a random word in a cookie, kept here only as its SHA-256. `[P]`
//!
//! Sessions live in memory: a hub that starts again asks everybody to log in again.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use sha2::{Digest as _, Sha256};

use super::accounts::Role;
use crate::config::text::hex;

/// Without a request for so long, a session ends. The page of a screen on the wall asks all the time.
pub const IDLE_MAX: Duration = Duration::from_hours(8);
/// However busy, a session ends after so long.
pub const AGE_MAX: Duration = Duration::from_hours(7 * 24);
/// At once; of more, the one that was idle longest ends.
pub const SESSIONS_MAX: usize = 500;

/// Somebody who is logged in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    pub account: String,
    pub role: Role,
    /// What forms of this session carry; says nothing of the cookie.
    pub mark: String,
    /// Of the account when it began: another password ends it.
    pub stamp: String,
    began: Instant,
    seen: Instant,
}

type Key = [u8; 32];

/// All of them.
#[derive(Debug, Default)]
pub struct Sessions {
    by_key: HashMap<Key, Session>,
}

fn key(word: &str) -> Key {
    Sha256::digest(word.as_bytes()).into()
}

impl Sessions {
    /// Begins one; `word` is 256 bits of chance, in hexadecimal.
    pub fn begin(&mut self, word: &str, account: &str, role: Role, stamp: &str, now: Instant) -> Session {
        self.by_key.retain(|_, session| session.is_alive(now));
        if self.by_key.len() >= SESSIONS_MAX
            && let Some(oldest) = self.by_key.iter().min_by_key(|(_, s)| s.seen).map(|(key, _)| *key)
        {
            self.by_key.remove(&oldest);
        }
        let mark = hex(&key(&format!("mark {word}")));
        let session =
            Session { account: account.to_owned(), role, mark, stamp: stamp.to_owned(), began: now, seen: now };
        self.by_key.insert(key(word), session.clone());
        session
    }

    /// The session of a cookie's word, if it lives; it was seen now.
    pub fn find(&mut self, word: &str, now: Instant) -> Option<Session> {
        let key = key(word);
        let session = self.by_key.get_mut(&key)?;
        if !session.is_alive(now) {
            self.by_key.remove(&key);
            return None;
        }
        session.seen = now;
        Some(session.clone())
    }

    pub fn end(&mut self, word: &str) {
        self.by_key.remove(&key(word));
    }
}

impl Session {
    fn is_alive(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.seen) < IDLE_MAX && now.saturating_duration_since(self.began) < AGE_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_lives_while_it_is_used_and_not_for_ever() {
        let (mut all, start) = (Sessions::default(), Instant::now());
        let begun = all.begin("word", "anna", Role::Staff, "s", start);
        assert_eq!(all.find("word", start).map(|s| s.account), Some("anna".into()));
        assert_eq!(all.find("other", start), None);
        assert!(!begun.mark.contains("word") && begun.mark.len() == 64);
        assert_eq!(all.find("word", start + IDLE_MAX), None, "idle");
        all.begin("word", "anna", Role::Staff, "s", start);
        let mut now = start;
        while now < start + AGE_MAX {
            assert!(all.find("word", now).is_some());
            now += IDLE_MAX / 2;
        }
        assert_eq!(all.find("word", start + AGE_MAX), None, "a week");
        all.begin("word", "anna", Role::Staff, "s", start);
        all.end("word");
        assert_eq!(all.find("word", start), None);
    }

    #[test]
    fn their_number_is_bounded_and_the_idlest_goes() {
        let (mut all, start) = (Sessions::default(), Instant::now());
        for n in 0..SESSIONS_MAX {
            all.begin(&n.to_string(), "anna", Role::Staff, "s", start + Duration::from_secs(n as u64));
        }
        let later = start + Duration::from_hours(1);
        assert!(all.find("0", later).is_some());
        all.begin("new", "anna", Role::Staff, "s", later);
        assert_eq!(all.by_key.len(), SESSIONS_MAX);
        assert!(all.find("1", later).is_none() && all.find("0", later).is_some() && all.find("new", later).is_some());
    }
}
