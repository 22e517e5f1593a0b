//! Signed links: the right of one operator to speak about one incident, as a text that only this hub can write. `[P]`
//!
//! A mail carries the address `PUBLIC_URL/l/TOKEN`. The token is `NUMBER.OPENED.WISP.MAC`: the incident, the instant
//! when it opened in hexadecimal milliseconds (a new ledger counts from one again), the operator, and the first
//! [`MAC_BYTES`] bytes of HMAC-SHA256 over the network and all that stands before, in hexadecimal (RFC 2104, section 5:
//! half of the output may be left out). Nothing is stored for a link: the key decides, and the incident's end.
//!
//! The forms on such a page carry a second signature over the page and the state that it showed, so that a request that
//! is sent again later changes nothing.

use std::fmt;
use std::time::Duration;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use super::incident::Incident;
use crate::config::text::hex;
use crate::model::{BackupId, NetworkId, UnixMillis, WispId};

/// A key is so long: the output of SHA-256 (RFC 2104, section 3).
pub const KEY_BYTES: usize = 32;
/// Of the signature in a link: nobody guesses 128 bits, and the address stays on one line of a mail.
const MAC_BYTES: usize = 16;
/// The key that signs, and older ones that links in mails may still be signed by.
const KEYS_MAX: usize = 4;
/// The longest token: a number, an instant, an identifier and the signature.
const TOKEN_BYTES_MAX: usize = 20 + 1 + 16 + 1 + crate::model::id::ID_BYTES_MAX + 1 + 2 * MAC_BYTES;
/// A form that was opened earlier must be looked at again.
const FORM_MAX: Duration = Duration::from_hours(24);
/// A link ends so long after its incident has closed.
pub const AFTER_CLOSING: Duration = Duration::from_hours(7 * 24);

/// What a signature is for: one of a kind is never taken for one of another.
const LINK: &str = "vedetta link 1";
const FORM: &str = "vedetta form 1";
const BACKUP: &str = "vedetta backup 1";

/// Why a key file is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    #[error("line {0}: must be 64 hexadecimal digits")]
    Malformed(usize),
    #[error("must have from 1 to {KEYS_MAX} keys, one a line, has {0}")]
    Count(usize),
}

/// Whoever speaks, and about what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    pub incident: u64,
    pub opened_at: UnixMillis,
    pub wisp: WispId,
}

impl Grant {
    /// Of the incident's operator; `None` where it has none, or has not opened.
    pub fn of(incident: &Incident) -> Option<Self> {
        let wisp = incident.wisp.clone()?;
        (incident.number > 0).then_some(Self { incident: incident.number, opened_at: opened(incident), wisp })
    }

    /// Whether it is about this incident, and its operator is still the same.
    pub fn is_about(&self, incident: &Incident) -> bool {
        Self::of(incident).as_ref() == Some(self)
    }
}

fn opened(incident: &Incident) -> UnixMillis {
    incident.opened_at.unwrap_or(incident.since)
}

/// Whether links about an incident still work.
pub fn is_valid(incident: &Incident, now: UnixMillis) -> bool {
    incident.closed_at.is_none_or(|at| now.since(at) < AFTER_CLOSING)
}

/// What a form's signature is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FormSign {
    Good,
    /// Ours, but of another state of the page, or too long ago: look again.
    Old,
    /// Not of this page.
    Wrong,
}

/// The keys of a hub; the first signs. They show as `***` wherever they are printed.
#[derive(Clone, PartialEq, Eq)]
pub struct LinkKeys {
    signs: [u8; KEY_BYTES],
    older: Vec<[u8; KEY_BYTES]>,
}

impl fmt::Debug for LinkKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl LinkKeys {
    /// With one key.
    pub const fn new(key: [u8; KEY_BYTES]) -> Self {
        Self { signs: key, older: Vec::new() }
    }

    /// Of a key file: a key a line in hexadecimal, the one that signs first; empty lines and `#` comments are left out.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let lines = text.lines().enumerate().map(|(at, line)| (at + 1, line.trim()));
        let lines = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
        let key = |(at, line): (usize, &str)| unhex(line).ok_or(KeyError::Malformed(at));
        let keys = lines.map(key).collect::<Result<Vec<[u8; KEY_BYTES]>, KeyError>>()?;
        match keys.split_first() {
            Some((signs, older)) if older.len() < KEYS_MAX => Ok(Self { signs: *signs, older: older.to_vec() }),
            _ => Err(KeyError::Count(keys.len())),
        }
    }

    /// The key that signs, as a line of the key file.
    pub fn line(&self) -> String {
        hex(&self.signs)
    }

    /// The address that a mail to the operator carries.
    pub fn address(&self, public_url: &str, network: &NetworkId, grant: &Grant) -> String {
        format!("{}/l/{}", public_url.trim_end_matches('/'), self.token(network, grant))
    }

    /// The last part of a link's address.
    pub fn token(&self, network: &NetworkId, grant: &Grant) -> String {
        let said = format!("{}.{:x}.{}", grant.incident, grant.opened_at.0.max(0), grant.wisp);
        let mac = self.sign(&[LINK, network.as_str(), &said]);
        format!("{said}.{mac}")
    }

    /// What a token grants; `None` if this hub has not written it, to the last letter.
    pub fn read(&self, network: &NetworkId, token: &str) -> Option<Grant> {
        if token.len() > TOKEN_BYTES_MAX {
            return None;
        }
        let (said, mac) = token.rsplit_once('.')?;
        if !self.is_ours(&[LINK, network.as_str(), said], mac) {
            return None;
        }
        let mut parts = said.splitn(3, '.');
        let incident = parts.next()?.parse().ok()?;
        let opened_at = UnixMillis(i64::from_str_radix(parts.next()?, 16).ok()?);
        Some(Grant { incident, opened_at, wisp: WispId::parse(parts.next()?).ok()? })
    }

    /// What a backup job shows when it says how it goes: `JOB.MAC`. It is good for as long as the key and the job are.
    pub fn backup_token(&self, network: &NetworkId, job: &BackupId) -> String {
        format!("{job}.{}", self.sign(&[BACKUP, network.as_str(), job.as_str()]))
    }

    /// The job that a token speaks for; `None` if this hub has not written it.
    pub fn read_backup(&self, network: &NetworkId, token: &str) -> Option<BackupId> {
        let (job, mac) = token.rsplit_once('.').filter(|_| token.len() <= TOKEN_BYTES_MAX)?;
        let job = BackupId::parse(job).ok()?;
        self.is_ours(&[BACKUP, network.as_str(), job.as_str()], mac).then_some(job)
    }

    /// The signature of a form. `page` is whose form it is, `state` what it showed.
    pub fn form(&self, page: &str, state: &str, now: UnixMillis) -> String {
        let at = format!("{:x}", now.0.max(0));
        format!("{at}.{}.{}", self.sign(&[FORM, page, &at]), self.sign(&[FORM, page, &at, state]))
    }

    /// Whether a form was made by this hub for this page, not long ago, and when the page showed this state.
    pub fn check_form(&self, page: &str, state: &str, token: &str, now: UnixMillis) -> FormSign {
        let mut parts = token.splitn(3, '.');
        let (Some(at), Some(of_page), Some(of_state)) = (parts.next(), parts.next(), parts.next()) else {
            return FormSign::Wrong;
        };
        if !self.is_ours(&[FORM, page, at], of_page) {
            return FormSign::Wrong;
        }
        let fresh = i64::from_str_radix(at, 16).is_ok_and(|at| now.since(UnixMillis(at)) < FORM_MAX);
        let same = self.is_ours(&[FORM, page, at, state], of_state);
        if fresh && same { FormSign::Good } else { FormSign::Old }
    }

    fn sign(&self, parts: &[&str]) -> String {
        let mac = hmac(&self.signs, parts).finalize().into_bytes();
        mac.get(..MAC_BYTES).map(hex).unwrap_or_default()
    }

    /// Compares with every key, each in a time that tells nothing of where a signature differs.
    fn is_ours(&self, parts: &[&str], mac: &str) -> bool {
        let Some(mac) = unhex::<MAC_BYTES>(mac) else { return false };
        let keys = std::iter::once(&self.signs).chain(&self.older);
        keys.fold(false, |ours, key| hmac(key, parts).verify_truncated_left(&mac).is_ok() | ours)
    }
}

/// Over all parts, none of which can run into the next: none of them has a zero byte.
fn hmac(key: &[u8; KEY_BYTES], parts: &[&str]) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    for part in parts {
        mac.update(part.as_bytes());
        mac.update(&[0]);
    }
    mac
}

/// Lower-case digits only, so that there is one way to write a signature.
fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digit = |b: u8| match b {
        b'0'..=b'9' => Some(b - b'0'),
        b'a'..=b'f' => Some(b - b'a' + 10),
        _ => None,
    };
    let bytes = text.as_bytes();
    if bytes.len() != 2 * N {
        return None;
    }
    let mut out = [0; N];
    for (byte, pair) in out.iter_mut().zip(bytes.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn network(id: &str) -> NetworkId {
        NetworkId::parse(id).unwrap()
    }

    fn grant(incident: u64, opened_at: i64, wisp: &str) -> Grant {
        Grant { incident, opened_at: UnixMillis(opened_at), wisp: WispId::parse(wisp).unwrap() }
    }

    #[test]
    fn a_token_is_what_openssl_computes() {
        let key: [u8; KEY_BYTES] = std::array::from_fn(|i| i as u8);
        let keys = LinkKeys::new(key);
        // printf 'vedetta link 1\0valdora\0147.19e0b1c2d3.langhenet\0' | openssl dgst -sha256 -mac HMAC -macopt \
        //   hexkey:000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f
        let token = keys.token(&network("valdora"), &grant(147, 0x19_e0b1_c2d3, "langhenet"));
        assert_eq!(token, "147.19e0b1c2d3.langhenet.a2f2e6ff1923c823ae7e1b71d02957f8");
    }

    #[test]
    fn a_key_file_has_keys_and_says_what_is_wrong() {
        let (a, b) = ("00".repeat(32), "a5".repeat(32));
        let both = LinkKeys::parse(&format!("# new\n{a}\n\n  {b}\n")).unwrap();
        assert_eq!((both.line(), format!("{both:?}")), (a.clone(), "***".to_owned()));
        let old = LinkKeys::parse(&b).unwrap();
        let (n, g) = (network("valdora"), grant(7, 1_795_000_000_000, "langhenet"));
        // Rotation: what the older key signed is still read, and the newer one signs.
        assert_eq!(both.read(&n, &old.token(&n, &g)), Some(g.clone()));
        assert_eq!(old.read(&n, &both.token(&n, &g)), None);
        let check = |text: &str, expected: KeyError| assert_eq!(LinkKeys::parse(text), Err(expected), "{text}");
        check("", KeyError::Count(0));
        check(&format!("{a}\n{a}\n{a}\n{a}\n{a}"), KeyError::Count(5));
        check("abc", KeyError::Malformed(1));
        check(&format!("{a}\n{}", "A5".repeat(32)), KeyError::Malformed(2));
    }

    #[test]
    fn a_form_is_good_for_its_page_its_state_and_a_day() {
        let keys = LinkKeys::new([7; KEY_BYTES]);
        let now = UnixMillis(1_795_000_000_000);
        let token = keys.form("l 147.x", "2", now);
        let check = |page: &str, state: &str, hours: u64, expected: FormSign| {
            assert_eq!(keys.check_form(page, state, &token, now + Duration::from_hours(hours)), expected);
        };
        check("l 147.x", "2", 23, FormSign::Good);
        check("l 147.x", "3", 0, FormSign::Old);
        check("l 147.x", "2", 24, FormSign::Old);
        check("l 148.x", "2", 0, FormSign::Wrong);
        assert_eq!(keys.check_form("l 147.x", "2", "", now), FormSign::Wrong);
        assert_eq!(LinkKeys::new([8; KEY_BYTES]).check_form("l 147.x", "2", &token, now), FormSign::Wrong);
    }

    #[test]
    fn a_backup_job_is_known_by_its_token_and_by_nothing_else() {
        let key: [u8; KEY_BYTES] = std::array::from_fn(|i| i as u8);
        let (keys, n, job) = (LinkKeys::new(key), network("valdora"), BackupId::parse("notte").unwrap());
        let token = keys.backup_token(&n, &job);
        // printf 'vedetta backup 1\0valdora\0notte\0' | openssl dgst -sha256 -mac HMAC -macopt hexkey:00…1f
        assert_eq!(token, "notte.4d19af5aaa1bc9e05ee98fb70fe0ca6f");
        assert_eq!(keys.read_backup(&n, &token), Some(job.clone()));
        assert_eq!(keys.read_backup(&network("altra"), &token), None);
        assert_eq!(keys.read_backup(&n, &token.replace("notte", "giorno")), None);
        assert_eq!(keys.read_backup(&n, &keys.token(&n, &grant(7, 1, "notte"))), None);
        assert_eq!(LinkKeys::new([9; KEY_BYTES]).read_backup(&n, &token), None);
    }

    proptest! {
        #[test]
        fn what_was_signed_is_read_and_nothing_else(
            key: [u8; KEY_BYTES], other: [u8; KEY_BYTES], number in 1u64.., opened in 0i64.., wisp in "[a-z0-9-]{1,64}",
            at: prop::sample::Index, byte: u8,
        ) {
            let (keys, n) = (LinkKeys::new(key), network("valdora"));
            let granted = grant(number, opened, &wisp);
            let token = keys.token(&n, &granted);
            prop_assert!(token.len() <= TOKEN_BYTES_MAX);
            prop_assert_eq!(keys.read(&n, &token), Some(granted));
            prop_assert_eq!(keys.read(&network("altra"), &token), None);
            if other != key {
                prop_assert_eq!(LinkKeys::new(other).read(&n, &token), None);
            }
            // One changed, lost or doubled byte is another text.
            let mut bytes = token.clone().into_bytes();
            let place = at.index(bytes.len());
            bytes[place] = byte;
            let changed = String::from_utf8_lossy(&bytes).into_owned();
            prop_assert!(changed == token || keys.read(&n, &changed).is_none());
            bytes.remove(place);
            prop_assert!(keys.read(&n, &String::from_utf8_lossy(&bytes)).is_none());
            prop_assert_eq!(keys.read(&n, &format!("{token}0")), None);
            prop_assert_eq!(keys.read(&n, &token.to_uppercase()).is_none(), token != token.to_uppercase());
        }

        #[test]
        fn no_text_is_read(token in ".{0,200}") {
            prop_assert_eq!(LinkKeys::new([1; KEY_BYTES]).read(&network("valdora"), &token), None);
        }
    }
}
