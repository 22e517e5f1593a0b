//! The words of the program as types: ids, readings, samples, and the network that the inventory describes. `[P]`

pub mod condition;
pub mod id;
pub mod network;
pub mod part;
pub mod reading;
pub mod sample;
pub mod time;
pub mod view;

pub use condition::{Condition, Delivery, Severity};
pub use id::{
    BackhaulId, BackupId, BundleId, CredentialId, DeviceId, EdgeId, LinkId, NetworkId, SectorId, ServiceId, SiteId,
    WispId,
};
pub use reading::{Missing, Provenance, Reading};
pub use sample::{Sample, Tag};
pub use time::{MonoMillis, UnixMillis};
