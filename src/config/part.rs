//! An agent's part of the inventory as text: what `check::part` reads. `[P]`
//!
//! Secrets are not in it: [`secrets`] names them, and they travel sealed.

use std::fmt::Write as _;

use super::check::sealed_name;
use crate::model::network::{AuthProtocol, Credential, PrivProtocol, SecretRef, SnmpAccess};
use crate::model::part::AgentPart;

/// TOML with the tables of `schema::PART`. The same part gives the same text.
pub fn render(part: &AgentPart) -> String {
    let mut out = String::new();
    line(&mut out, "network", &text(part.network.as_str()));
    line(&mut out, "agent", &text(part.agent.as_str()));
    for credential in part.credentials.values() {
        render_credential(&mut out, credential);
    }
    for (id, device) in &part.devices {
        head(&mut out, "device", id.as_str());
        line(&mut out, "site", &text(device.site.as_str()));
        line(&mut out, "address", &text(&device.address.to_string()));
        line(&mut out, "snmp_port", &device.snmp_port.to_string());
        if let Some(credential) = &device.credential {
            line(&mut out, "snmp", &text(credential.as_str()));
        }
        if let Some(profile) = &device.profile {
            line(&mut out, "profile", &text(profile));
        }
        line(&mut out, "ports", &list(&device.ports));
        line(&mut out, "sector", if device.sector { "true" } else { "false" });
        line(&mut out, "peers", &list(&device.peers));
    }
    for (id, backhaul) in &part.backhauls {
        head(&mut out, "backhaul", id.as_str());
        if let Some(gateway) = backhaul.gateway {
            line(&mut out, "gateway", &text(&gateway.to_string()));
        }
        line(&mut out, "outside", &list(backhaul.outside.iter().map(ToString::to_string)));
    }
    for (id, url) in &part.services {
        head(&mut out, "service", id.as_str());
        line(&mut out, "url", &text(url));
    }
    out
}

/// The secrets of a part: the name of each, and where the hub has it.
pub fn secrets(part: &AgentPart) -> Vec<(String, &SecretRef)> {
    let of = |credential: &'_ Credential, which: &str| sealed_name(credential.id.as_str(), which);
    let mut all = Vec::new();
    for credential in part.credentials.values() {
        match &credential.access {
            SnmpAccess::V1 { community } | SnmpAccess::V2c { community } => {
                all.push((of(credential, "community"), community));
            }
            SnmpAccess::V3 { auth, privacy, .. } => {
                all.extend(auth.iter().map(|(_, secret)| (of(credential, "auth"), secret)));
                all.extend(privacy.iter().map(|(_, secret)| (of(credential, "privacy"), secret)));
            }
        }
    }
    all
}

fn render_credential(out: &mut String, credential: &Credential) {
    head(out, "credential", credential.id.as_str());
    let version = match &credential.access {
        SnmpAccess::V1 { .. } => "v1",
        SnmpAccess::V2c { .. } => "v2c",
        SnmpAccess::V3 { .. } => "v3",
    };
    line(out, "version", &text(version));
    if let SnmpAccess::V3 { user, auth, privacy } = &credential.access {
        line(out, "user", &text(user));
        if let Some((protocol, _)) = auth {
            line(out, "auth", &text(auth_name(*protocol)));
        }
        if let Some((protocol, _)) = privacy {
            line(out, "privacy", &text(privacy_name(*protocol)));
        }
    }
}

fn auth_name(protocol: AuthProtocol) -> &'static str {
    match protocol {
        AuthProtocol::Md5 => "md5",
        AuthProtocol::Sha1 => "sha1",
        AuthProtocol::Sha224 => "sha224",
        AuthProtocol::Sha256 => "sha256",
        AuthProtocol::Sha384 => "sha384",
        AuthProtocol::Sha512 => "sha512",
    }
}

fn privacy_name(protocol: PrivProtocol) -> &'static str {
    match protocol {
        PrivProtocol::Des => "des",
        PrivProtocol::Aes128 => "aes128",
        PrivProtocol::Aes192 => "aes192",
        PrivProtocol::Aes256 => "aes256",
    }
}

// Writing to a String cannot fail.
fn line(out: &mut String, key: &str, value: &str) {
    let _ = writeln!(out, "{key} = {value}");
}

fn head(out: &mut String, table: &str, id: &str) {
    let _ = writeln!(out, "\n[[{table}]]");
    line(out, "id", &text(id));
}

fn list(items: impl IntoIterator<Item = impl AsRef<str>>) -> String {
    let items: Vec<String> = items.into_iter().map(|item| text(item.as_ref())).collect();
    format!("[{}]", items.join(", "))
}

/// A basic string (TOML 1.0): control characters, quotes and backslashes are escaped.
fn text(value: &str) -> String {
    let mut out = String::from("\"");
    for c in value.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c.is_control() => {
                let _ = write!(out, "\\u{:04X}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use proptest::prelude::*;

    use super::*;
    use crate::config::check;
    use crate::model::network::Network;

    fn example() -> Network {
        check::network(include_str!("../../configs/alta-langa.toml"), Path::new("")).0.unwrap()
    }

    /// As the agent knows it: its secrets are sealed ones.
    fn sealed(mut part: AgentPart) -> AgentPart {
        for credential in part.credentials.values_mut() {
            let name = |which| SecretRef::Sealed(sealed_name(credential.id.as_str(), which));
            match &mut credential.access {
                SnmpAccess::V1 { community } | SnmpAccess::V2c { community } => *community = name("community"),
                SnmpAccess::V3 { auth, privacy, .. } => {
                    if let Some((_, secret)) = auth {
                        *secret = name("auth");
                    }
                    if let Some((_, secret)) = privacy {
                        *secret = name("privacy");
                    }
                }
            }
        }
        part
    }

    #[test]
    fn every_part_of_the_example_is_read_back_and_every_device_is_in_one() {
        let network = example();
        let mut n_devices = 0;
        for site in network.agents() {
            let part = AgentPart::of(&network, &site.id);
            n_devices += part.devices.len();
            let text = render(&part);
            let (read, findings) = check::part(&text);
            assert!(!findings.has_error(), "{text}");
            assert_eq!(read, Some(sealed(part)));
        }
        assert_eq!(n_devices, network.devices.len());
    }

    #[test]
    fn a_part_tells_nothing_of_others() {
        let network = example();
        let site = network.agents().next().unwrap();
        let part = AgentPart::of(&network, &site.id);
        let text = render(&part);
        for device in network.devices.values().filter(|d| d.via != site.id) {
            assert!(!text.contains(&format!("\"{}\"", device.id)), "{}", device.id);
        }
        for wisp in network.wisps.values() {
            assert!(!text.contains(&format!("\"{}\"", wisp.id)) && !text.contains(&wisp.name), "{}", wisp.id);
            assert!(wisp.email.iter().all(|address| !text.contains(address)));
        }
        assert!(!text.contains("_file") && !text.contains("_env") && !text.contains("contract"));
    }

    #[test]
    fn keys_of_a_newer_hub_are_ignored_and_bad_values_are_not() {
        let good = "network = \"n\"\nagent = \"a\"\nmood = \"new\"\n[[weather]]\nid = \"x\"\n\n[[device]]\nid = \"d\"\n\
                    site = \"a\"\naddress = \"192.0.2.1\"\ncolour = \"red\"\n";
        assert!(check::part(good).0.is_some());
        for (from, to) in [
            ("192.0.2.1", "192.0.2"),
            ("agent = \"a\"", "agent = \"A\""),
            ("colour = \"red\"", "snmp = \"nowhere\""),
            ("colour = \"red\"", "profile = \"of-tomorrow\""),
            ("colour = \"red\"", "peers = [7]"),
            ("network", "network = "),
        ] {
            assert!(check::part(&good.replacen(from, to, 1)).0.is_none(), "{from} -> {to}");
        }
    }

    proptest! {
        #[test]
        fn any_text_survives(value in "\\PC*|[\\x00-\\x7f]*") {
            let line = format!("a = {}", super::text(&value));
            let (table, errors) = toml::de::DeTable::parse_recoverable(&line);
            prop_assert!(errors.is_empty(), "{line}");
            prop_assert_eq!(table.get_ref().get("a").and_then(|v| v.get_ref().as_str()), Some(value.as_str()));
        }

        #[test]
        fn no_text_is_a_panic(value in ".*") {
            check::part(&value);
        }
    }
}
