//! Where simulated devices answer: addresses on loopback. `[P]`

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

use crate::model::network::Network;
use crate::model::{BackhaulId, DeviceId};

/// FNV-1a, 64 bits: the same on every machine and in every build, which the standard hasher does not promise.
pub fn hash(parts: &[&[u8]]) -> u64 {
    let mut state = 0xcbf2_9ce4_8422_2325_u64;
    for part in parts {
        // The length keeps ("ab", "c") and ("a", "bc") apart.
        for byte in (part.len() as u64).to_le_bytes().iter().chain(*part) {
            state = (state ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
    // Near inputs must give far outputs also in the high bits (the finaliser of MurmurHash3).
    state ^= state >> 33;
    state = state.wrapping_mul(0xff51_afd7_ed55_8ccd);
    state ^ (state >> 33)
}

/// One loopback address for each device. One that is on loopback already stays where it is; 10.a.b.c answers on
/// 127.a.b.c. Any other address, one that two devices share (address spaces of WISPs overlap) and one that loopback
/// cannot use get another, the same every time.
pub fn loopback(network: &Network) -> BTreeMap<DeviceId, Ipv4Addr> {
    let mut taken = BTreeSet::new();
    let mut addresses = BTreeMap::new();
    let stays = |v4: Ipv4Addr| v4.is_loopback().then_some(v4);
    let translated = |v4: Ipv4Addr| {
        let [first, a, b, c] = v4.octets();
        (first == 10).then_some(Ipv4Addr::new(127, a, b, c))
    };
    // Those that must stay choose first.
    for natural in [&stays as &dyn Fn(Ipv4Addr) -> Option<Ipv4Addr>, &translated] {
        for device in network.devices.values() {
            let IpAddr::V4(v4) = device.address else { continue };
            if let Some(address) = natural(v4).filter(|a| usable(*a))
                && taken.insert(address)
            {
                addresses.insert(device.id.clone(), address);
            }
        }
    }
    for id in network.devices.keys() {
        if !addresses.contains_key(id) {
            let (first, last) = (0x7f80_0001_u32, 0x7fff_fffe_u32);
            let candidates = last - first + 1;
            let start = (hash(&[id.as_str().as_bytes()]) % u64::from(candidates)) as u32;
            // A network has far fewer devices than there are addresses: one of them is free.
            let free =
                (0..candidates).map(|i| Ipv4Addr::from(first + (start + i) % candidates)).find(|a| !taken.contains(a));
            if let Some(address) = free {
                taken.insert(address);
                addresses.insert(id.clone(), address);
            }
        }
    }
    addresses
}

/// Neither network nor broadcast address of 127/8, nor the address that other programs listen on.
fn usable(address: Ipv4Addr) -> bool {
    let bits = u32::from(address);
    bits != 0x7f00_0000 && bits != 0x7f00_0001 && bits != 0x7fff_ffff
}

/// Gives each backhaul addresses of its own: in the simulation only the address says which backhaul an echo takes,
/// and people name the same few addresses outside for all. The new ones are of 198.18.0.0/15, which no host may
/// have (RFC 2544).
pub fn separate_backhauls(network: &mut Network) {
    let mut seen: BTreeMap<IpAddr, BackhaulId> = BTreeMap::new();
    let mut next = u32::from(Ipv4Addr::new(198, 18, 0, 1));
    for backhaul in network.backhauls.values_mut() {
        for address in backhaul.gateway.iter_mut().chain(&mut backhaul.outside) {
            if seen.get(address).is_some_and(|first| *first != backhaul.id) {
                while seen.contains_key(&IpAddr::V4(Ipv4Addr::from(next))) {
                    next += 1;
                }
                *address = IpAddr::V4(Ipv4Addr::from(next));
            }
            seen.entry(*address).or_insert_with(|| backhaul.id.clone());
        }
    }
}

/// The device's MAC address: that of the inventory, else an invented one with the locally administered bit set.
pub fn mac_of(id: &DeviceId, known: Option<&str>) -> [u8; 6] {
    let parse = |text: &str| {
        let value = u64::from_str_radix(text, 16).ok().filter(|_| text.len() == 12)?;
        value.to_be_bytes()[2..].try_into().ok()
    };
    known.and_then(parse).unwrap_or_else(|| {
        let mut mac = [0x02; 6];
        mac[1..].copy_from_slice(&hash(&[b"mac", id.as_str().as_bytes()]).to_be_bytes()[..5]);
        mac
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::fixture;

    #[test]
    fn ten_becomes_loopback_and_every_address_is_its_own() {
        let mut network = fixture::network();
        let natural = loopback(&network);
        assert_eq!(natural["a-b-af60"], Ipv4Addr::new(127, 0, 1, 2));

        let ids: Vec<DeviceId> = network.devices.keys().cloned().collect();
        let odd = ["192.168.1.20", "2001:db8::5", "10.255.255.255", "10.0.0.1", "10.0.1.2"];
        for (id, address) in ids.iter().zip(odd) {
            network.devices.get_mut(id.as_str()).expect("listed").address = address.parse().expect("an address");
        }
        let addresses = loopback(&network);
        assert_eq!(addresses.len(), network.devices.len());
        let unique: BTreeSet<_> = addresses.values().collect();
        assert_eq!(unique.len(), addresses.len());
        assert!(addresses.values().all(|a| a.is_loopback() && usable(*a)));
        assert_eq!(addresses, loopback(&network), "the same every time");
    }

    #[test]
    fn loopback_stays_where_it_is_and_chooses_first() {
        let mut network = fixture::network();
        let ids: Vec<DeviceId> = network.devices.keys().cloned().collect();
        for (id, address) in ids.iter().zip(["10.0.9.9", "127.0.9.9", "127.0.9.9", "127.0.0.1"]) {
            network.devices.get_mut(id.as_str()).expect("listed").address = address.parse().expect("an address");
        }
        let addresses = loopback(&network);
        let kept = Ipv4Addr::new(127, 0, 9, 9);
        assert_eq!(addresses[&ids[1]], kept);
        assert!([0, 2].iter().all(|i| addresses[&ids[*i]] != kept), "one device an address");
        assert_ne!(addresses[&ids[3]], Ipv4Addr::LOCALHOST, "where other programs listen");
    }

    #[test]
    fn backhauls_that_share_an_address_outside_get_their_own() {
        let mut network = fixture::network();
        separate_backhauls(&mut network);
        let mut all: Vec<IpAddr> =
            network.backhauls.values().flat_map(|b| b.gateway.iter().chain(&b.outside).copied()).collect();
        let before = all.len();
        all.sort();
        all.dedup();
        assert_eq!(all.len(), before);
        assert!(all.contains(&"192.0.2.1".parse().expect("an address")), "the first keeps what it had");
    }

    #[test]
    fn macs_are_those_of_the_inventory_or_invented_once() {
        let id = DeviceId::parse("x").expect("an id");
        assert_eq!(mac_of(&id, Some("020000000a0b")), [2, 0, 0, 0, 0x0a, 0x0b]);
        let invented = mac_of(&id, None);
        assert_eq!(invented[0], 0x02);
        assert_eq!(invented, mac_of(&id, Some("nonsense")));
        assert_ne!(invented, mac_of(&DeviceId::parse("y").expect("an id"), None));
    }
}
