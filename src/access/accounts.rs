//! The staff's accounts: a name, a role, a password, a one-time code. `[P]`
//!
//! Passwords are kept as argon2id (RFC 9106) with the crate's parameters: 19 MiB, 2 passes, 1 lane. Codes are TOTP
//! (RFC 6238): HMAC-SHA-1, 6 digits, 30 s, one step early or late, each at most once.

use std::collections::BTreeMap;
use std::fmt;

use argon2::Argon2;
use argon2::password_hash::{PasswordHash, PasswordHasher as _, PasswordVerifier as _, SaltString};
use serde::{Deserialize, Serialize};
use totp_rs::{Builder, Secret as TotpSecret, Totp};

use crate::config::secret::Secret;
use crate::model::{SiteId, WispId};

/// The version of the file that this program writes; it refuses newer ones.
pub const FORMAT: u32 = 1;
/// Accounts in all: a Union has a handful.
pub const ACCOUNTS_MAX: usize = 200;
/// Links in all: one for each operator and place of a large network.
const SHARES_MAX: usize = 2000;
/// Of a link.
const WORD_CHARS: usize = 32;
const NAME_CHARS_MAX: usize = 40;
/// NIST SP 800-63B, 5.1.1.2 asks for 8; there is no reason to be as short as that.
pub const PASSWORD_CHARS_MIN: usize = 12;
/// More is a mistake, or somebody who wants to keep the machine busy.
pub const PASSWORD_BYTES_MAX: usize = 256;
/// RFC 4226, section 4: 160 bits.
pub const SEED_BYTES: usize = 20;
pub const SALT_BYTES: usize = 16;
/// A code is good for so long, and for one step before and after.
pub const CODE_STEP_S: u64 = 30;

/// What an account may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Sees everything, takes charge, announces works, suspends the contract's clock.
    Staff,
    /// Sees everything.
    Reader,
}

impl Role {
    pub const ALL: [Self; 2] = [Self::Staff, Self::Reader];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Staff => "staff",
            Self::Reader => "reader",
        }
    }
}

/// Why there is no such account.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AccountError {
    #[error("{0:?} is no name for an account: 1 to {NAME_CHARS_MAX} of a-z, 0-9, `.`, `-`, `_`, first a letter")]
    Name(String),
    #[error("there is an account {0} already: `vedetta account renew {0}` gives it a new password and code")]
    Exists(String),
    #[error("there is no account {0}")]
    Unknown(String),
    #[error("a password has {PASSWORD_CHARS_MIN} characters at least and {PASSWORD_BYTES_MAX} bytes at most")]
    Password,
    #[error("there is no link for {0}")]
    NoShare(String),
    #[error("there are too many: {ACCOUNTS_MAX} accounts and {SHARES_MAX} links at most")]
    TooMany,
    #[error("the password or the code of {0} cannot be read")]
    Damaged(String),
    #[error("is of format {0}, and this program knows {FORMAT}: it was written by a newer one")]
    Newer(u32),
}

/// One account. Its secrets show as `***` wherever they are printed.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    pub role: Role,
    /// RFC 3339.
    pub made_at: String,
    password_argon2id: String,
    totp_base32: String,
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Account({}, ***)", self.role.as_str())
    }
}

/// What chance gives to a new account.
#[derive(Clone, Copy)]
pub struct Chance {
    pub salt: [u8; SALT_BYTES],
    pub seed: [u8; SEED_BYTES],
}

impl Account {
    /// Hashes the password: some tens of milliseconds, on purpose.
    pub fn new(role: Role, password: &str, chance: Chance, made_at: String) -> Result<Self, AccountError> {
        if password.chars().count() < PASSWORD_CHARS_MIN || password.len() > PASSWORD_BYTES_MAX {
            return Err(AccountError::Password);
        }
        let salt = SaltString::encode_b64(&chance.salt).map_err(|_| AccountError::Password)?;
        let hash = Argon2::default().hash_password(password.as_bytes(), &salt);
        let password_argon2id = hash.map_err(|_| AccountError::Password)?.to_string();
        Ok(Self { role, made_at, password_argon2id, totp_base32: TotpSecret::new_stack(chance.seed).to_base32() })
    }

    /// Whether it is the password: some tens of milliseconds, on purpose.
    pub fn knows(&self, password: &str) -> bool {
        let hash = PasswordHash::new(&self.password_argon2id);
        password.len() <= PASSWORD_BYTES_MAX
            && hash.is_ok_and(|hash| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok())
    }

    /// The step of 30 s that the code belongs to, if it is good at `now_s` (Unix seconds).
    pub fn step_of(&self, code: &str, now_s: u64) -> Option<u64> {
        let digits: String = code.chars().filter(|c| !c.is_whitespace()).collect();
        self.totp()?.check(&digits, now_s)
    }

    fn totp(&self) -> Option<Totp> {
        let secret = TotpSecret::try_from_base32(&self.totp_base32).ok()?;
        Builder::new().with_secret(secret).with_skew(1).with_step_duration(CODE_STEP_S).build().ok()
    }

    /// What an authenticator reads from a QR code (the Key Uri Format that all of them know).
    pub fn otpauth(&self, name: &str, network: &str) -> String {
        let issuer: String = network.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').collect();
        format!(
            "otpauth://totp/vedetta-{issuer}:{name}?secret={}&issuer=vedetta-{issuer}&algorithm=SHA1&digits=6&period=30",
            self.totp_base32
        )
    }

    /// Changes whenever the password does: sessions that began before end then.
    pub fn stamp(&self) -> &str {
        &self.password_argon2id
    }
}

/// All accounts, by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Accounts {
    format: u32,
    #[serde(rename = "accounts")]
    by_name: BTreeMap<String, Account>,
    /// Links of operators and places, by whose they are.
    #[serde(default)]
    shares: BTreeMap<String, Share>,
}

/// A link that shows one operator its own lines, or one place its own service.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Share {
    /// The last part of its address: 128 bits of chance, in hexadecimal.
    pub word: String,
    /// RFC 3339.
    pub made_at: String,
}

impl fmt::Debug for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Whose a link is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whose {
    Wisp(WispId),
    Site(SiteId),
}

impl Whose {
    /// `wisp:ID` or `site:ID`.
    pub fn parse(text: &str) -> Option<Self> {
        match text.split_once(':')? {
            ("wisp", id) => WispId::parse(id).ok().map(Self::Wisp),
            ("site", id) => SiteId::parse(id).ok().map(Self::Site),
            _ => None,
        }
    }
}

impl fmt::Display for Whose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Wisp(id) => write!(f, "wisp:{id}"),
            Self::Site(id) => write!(f, "site:{id}"),
        }
    }
}

impl Default for Accounts {
    fn default() -> Self {
        Self { format: FORMAT, by_name: BTreeMap::new(), shares: BTreeMap::new() }
    }
}

impl Accounts {
    /// Whether all of it can be used.
    pub fn check(self) -> Result<Self, AccountError> {
        if self.format > FORMAT {
            return Err(AccountError::Newer(self.format));
        }
        if self.by_name.len() > ACCOUNTS_MAX {
            return Err(AccountError::TooMany);
        }
        for (name, account) in &self.by_name {
            check_name(name)?;
            if account.totp().is_none() || PasswordHash::new(&account.password_argon2id).is_err() {
                return Err(AccountError::Damaged(name.clone()));
            }
        }
        if self.shares.len() > SHARES_MAX {
            return Err(AccountError::TooMany);
        }
        let bad = self.shares.iter().find(|(whose, s)| Whose::parse(whose).is_none() || s.word.len() != WORD_CHARS);
        match bad {
            Some((whose, _)) => Err(AccountError::Damaged(whose.clone())),
            None => Ok(self),
        }
    }

    /// Whose link ends in this word. All are compared, so that the time taken says nothing.
    pub fn share(&self, word: &str) -> Option<Whose> {
        let mut found = None;
        for (whose, share) in &self.shares {
            if Secret::new(share.word.as_str()).is(word) {
                found = Some(whose);
            }
        }
        Whose::parse(found?)
    }

    pub fn shares(&self) -> impl Iterator<Item = (&str, &Share)> {
        self.shares.iter().map(|(whose, share)| (whose.as_str(), share))
    }

    /// A new link, in place of one that there was.
    pub fn add_share(&mut self, whose: &Whose, share: Share) -> Result<(), AccountError> {
        if self.shares.len() >= SHARES_MAX {
            return Err(AccountError::TooMany);
        }
        self.shares.insert(whose.to_string(), share);
        Ok(())
    }

    pub fn remove_share(&mut self, whose: &Whose) -> Result<(), AccountError> {
        self.shares.remove(&whose.to_string()).map(|_| ()).ok_or_else(|| AccountError::NoShare(whose.to_string()))
    }

    pub fn get(&self, name: &str) -> Option<&Account> {
        self.by_name.get(name)
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &Account)> {
        self.by_name.iter().map(|(name, account)| (name.as_str(), account))
    }

    pub fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }

    /// One more.
    pub fn add(&mut self, name: &str, account: Account) -> Result<(), AccountError> {
        check_name(name)?;
        if self.by_name.contains_key(name) {
            return Err(AccountError::Exists(name.to_owned()));
        }
        if self.by_name.len() >= ACCOUNTS_MAX {
            return Err(AccountError::TooMany);
        }
        self.by_name.insert(name.to_owned(), account);
        Ok(())
    }

    /// Another password and code for one that there is.
    pub fn replace(&mut self, name: &str, account: Account) -> Result<(), AccountError> {
        let place = self.by_name.get_mut(name).ok_or_else(|| AccountError::Unknown(name.to_owned()))?;
        *place = account;
        Ok(())
    }

    pub fn remove(&mut self, name: &str) -> Result<(), AccountError> {
        self.by_name.remove(name).map(|_| ()).ok_or_else(|| AccountError::Unknown(name.to_owned()))
    }
}

/// Names stand in addresses of authenticators and in lines of the log: plain letters only.
pub fn check_name(name: &str) -> Result<(), AccountError> {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '-' | '_');
    let begins = name.starts_with(|c: char| c.is_ascii_lowercase());
    if begins && name.len() <= NAME_CHARS_MAX && name.chars().all(allowed) {
        Ok(())
    } else {
        Err(AccountError::Name(name.to_owned()))
    }
}

#[cfg(test)]
pub(super) mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// The seed of RFC 6238, appendix B.
    pub const SEED: [u8; SEED_BYTES] = *b"12345678901234567890";
    pub const PASSWORD: &str = "quattro lupi sul colle";

    pub fn account(role: Role) -> Account {
        Account::new(role, PASSWORD, Chance { salt: [7; SALT_BYTES], seed: SEED }, "2026-11-24T10:00:00Z".into())
            .unwrap()
    }

    pub fn code_now(account: &Account, now: jiff::Timestamp) -> String {
        account.totp().unwrap().generate(u64::try_from(now.as_second()).unwrap()).to_string()
    }

    #[test]
    fn codes_are_those_of_rfc_6238() {
        let account = account(Role::Staff);
        // Appendix B, SHA-1, the last six of eight digits.
        for (at, code) in
            [(59, "287082"), (1_111_111_109, "081804"), (1_111_111_111, "050471"), (2_000_000_000, "279037")]
        {
            assert_eq!(account.step_of(code, at), Some(at / 30), "{at}");
            assert_eq!(account.step_of(code, at + 30), Some(at / 30), "a step late");
            assert_eq!(account.step_of(code, at + 61 + 30), None, "too late");
        }
        assert_eq!(account.step_of(" 287 082 ", 59), Some(1));
        for wrong in ["", "28708", "2870820", "28708x", "২৮৭০৮২", "000000"] {
            assert_eq!(account.step_of(wrong, 59), None, "{wrong:?}");
        }
    }

    #[test]
    fn a_password_is_known_and_never_shown() {
        let account = account(Role::Reader);
        assert!(account.knows(PASSWORD) && !account.knows("quattro lupi sul colla") && !account.knows(""));
        assert!(!account.knows(&"x".repeat(PASSWORD_BYTES_MAX + 1)));
        assert!(account.password_argon2id.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
        assert_eq!(format!("{account:?}"), "Account(reader, ***)");
        let chance = Chance { salt: [1; SALT_BYTES], seed: SEED };
        for bad in ["", "short", &"x".repeat(257)] {
            assert_eq!(Account::new(Role::Staff, bad, chance, String::new()), Err(AccountError::Password));
        }
    }

    #[test]
    fn an_authenticator_reads_the_seed() {
        let uri = account(Role::Staff).otpauth("anna", "alta-langa");
        assert_eq!(
            uri,
            "otpauth://totp/vedetta-alta-langa:anna?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=vedetta-alta-langa&\
             algorithm=SHA1&digits=6&period=30"
        );
    }

    #[test]
    fn names_formats_and_damage_are_refused() {
        let mut all = Accounts::default();
        all.add("anna.riva", account(Role::Staff)).unwrap();
        assert_eq!(all.add("anna.riva", account(Role::Staff)), Err(AccountError::Exists("anna.riva".into())));
        for bad in ["", "Anna", "1anna", "anna riva", "annà", "an\nna", &"a".repeat(41)] {
            assert_eq!(all.add(bad, account(Role::Staff)), Err(AccountError::Name(bad.into())), "{bad:?}");
        }
        assert_eq!(all.remove("bruno"), Err(AccountError::Unknown("bruno".into())));
        let text = serde_json::to_string(&all).unwrap();
        let read = |text: &str| serde_json::from_str::<Accounts>(text).unwrap().check();
        assert_eq!(read(&text), Ok(all));
        assert_eq!(read(&text.replace("\"format\":1", "\"format\":2")), Err(AccountError::Newer(2)));
        assert_eq!(read(&text.replace("$argon2id", "argon")), Err(AccountError::Damaged("anna.riva".into())));
        assert_eq!(read(&text.replace("GEZDG", "0189!")), Err(AccountError::Damaged("anna.riva".into())));
    }
}
