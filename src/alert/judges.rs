//! The judges of single conditions: each looks at one subject and says what it sees. `[P]`

use std::time::Duration;

use jiff::tz::TimeZone;

use super::backup::{self, Carries, Verdict};
use super::hold::Input;
use super::incident::{Condition, Subject};
use super::observe::{Judge, Key, Seen};
use crate::model::view::{AgentView, LinkState, LinkView};
use crate::model::{BackupId, DeviceId, EdgeId, ServiceId, SiteId, UnixMillis};

const DAY: Duration = Duration::from_hours(24);
/// Proof of two machines under one name counts for so long: they take turns, but not every minute.
const CLONED_FOR: Duration = Duration::from_hours(1);
/// An agent is not heard once this many intervals have passed without a batch.
const SILENT_INTERVALS: u32 = 3;

fn flag(wrong: Option<bool>) -> Seen {
    Seen::only(match wrong {
        Some(true) => Input::Breach,
        Some(false) => Input::Clear,
        None => Input::Unknown,
    })
}

impl Judge<'_> {
    /// Conditions of an edge besides its state and its capacity.
    pub(super) fn link_seen(&self, condition: Condition, link: &LinkView) -> Seen {
        match condition {
            Condition::RedundancyLost => self.members_seen(link),
            Condition::SignalBelowBaseline => self.signal_seen(link),
            Condition::CapacityNotMeasurable => self.measurable_seen(link),
            Condition::PacketLoss | Condition::RoundTripTime => {
                let subject = Subject::Edge(link.id.clone());
                self.echo_seen(condition, &subject, link.state == LinkState::Up)
            }
            _ => Seen::only(Input::Unknown),
        }
    }

    /// Conditions of everything that is no edge; `None` if the inventory no longer has it.
    pub(super) fn judge_other(&self, key: &Key) -> Option<Seen> {
        match &key.subject {
            Subject::Device(id) => self.device_seen(key.condition, id),
            Subject::Site(id) => {
                self.network.sites.get(id.as_str())?;
                Some(match key.condition {
                    Condition::SitePower => self.power_seen(id),
                    _ => flag(Some(self.scene.redundancy.is_lost(id))),
                })
            }
            Subject::Service(id, from) => self.service_seen(id, from),
            Subject::Agent(id) => {
                self.network.sites.get(id.as_str()).filter(|s| s.agent)?;
                Some(self.agent_seen(key.condition, id))
            }
            Subject::Backup(id) => self.backup_seen(id),
            Subject::Hub => Some(match key.condition {
                Condition::CertificateExpiring => {
                    self.certificate_seen(self.view.hub_certificate_expires_at, &key.subject)
                }
                _ => flag(Some(self.view.blind_since.is_some())),
            }),
            Subject::Edge(_) => None,
        }
    }

    /// A bundle that works, but not on all of its members.
    fn members_seen(&self, bundle: &LinkView) -> Seen {
        let EdgeId::Bundle(id) = &bundle.id else { return Seen::only(Input::Unknown) };
        let Some(inventory) = self.network.bundles.get(id.as_str()) else { return Seen::only(Input::Unknown) };
        if bundle.state != LinkState::Up || bundle.on_standby {
            return Seen::only(Input::Unknown);
        }
        let mut states = inventory.links.iter().filter_map(|m| self.view.links.get(m.as_str())).map(|m| m.state);
        let all_up = states.clone().all(|s| s == LinkState::Up);
        let one_down = states.any(|s| matches!(s, LinkState::Down(_)));
        flag(if one_down { Some(true) } else { all_up.then_some(false) })
    }

    fn measurable_seen(&self, link: &LinkView) -> Seen {
        if link.state != LinkState::Up {
            return Seen::only(Input::Unknown);
        }
        let (downstream, upstream) = link.downstream_upstream();
        let known = downstream.capacity_mbps.get().is_some() && upstream.capacity_mbps.get().is_some();
        let was_known = || self.memory.was_measured(&link.id);
        flag(if known { Some(false) } else { was_known().then_some(true) })
    }

    fn signal_seen(&self, link: &LinkView) -> Seen {
        if link.state != LinkState::Up {
            return Seen::only(Input::Unknown);
        }
        let EdgeId::Link(id) = &link.id else { return Seen::only(Input::Unknown) };
        let setting = || self.setting(Condition::SignalBelowBaseline, &Subject::Edge(link.id.clone()));
        let mut worst: Option<Seen> = None;
        for (end, view) in [&link.near, &link.far].into_iter().enumerate() {
            let Some(view) = view else { continue };
            let (Some(dbm), Some(usual)) = (view.rsl_dbm.get(), self.memory.baseline(id, end, self.now)) else {
                continue;
            };
            let setting = setting();
            let drop_db = usual.median_dbm - dbm;
            let open = setting.threshold.max(usual.wide_db());
            let close = setting.close_threshold.max(usual.wide_db() / 2.0);
            let input = match drop_db {
                d if d >= open => Input::Breach,
                d if d <= close => Input::Clear,
                _ => Input::Between,
            };
            let seen = Seen {
                value: Some(drop_db),
                limit: Some(open),
                usual: Some(usual.median_dbm),
                device: Some(view.device.clone()),
                ..Seen::only(input)
            };
            let worse = worst.as_ref().is_none_or(|w| drop_db - open > w.value.unwrap_or(0.0) - w.limit.unwrap_or(0.0));
            if worse {
                worst = Some(seen);
            }
        }
        worst.unwrap_or_else(|| Seen::only(Input::Unknown))
    }

    fn echo_seen(&self, condition: Condition, subject: &Subject, answers: bool) -> Seen {
        if !answers {
            return Seen::only(Input::Unknown);
        }
        let echoes = self.scene.echoes(subject);
        let value = if condition == Condition::PacketLoss { echoes.loss_percent } else { echoes.rtt_ms };
        Seen::against(value, &self.setting(condition, subject))
    }

    fn device_seen(&self, condition: Condition, id: &DeviceId) -> Option<Seen> {
        self.network.devices.get(id.as_str())?;
        let Some(device) = self.view.devices.get(id.as_str()) else { return Some(Seen::only(Input::Unknown)) };
        let subject = Subject::Device(id.clone());
        let links = || {
            let links = self.scene.links_of(id).iter();
            links.filter_map(|link| self.view.links.get(link.as_str())).map(|link| link.state)
        };
        Some(match condition {
            Condition::PacketLoss | Condition::RoundTripTime => {
                self.echo_seen(condition, &subject, device.answers == Some(true))
            }
            Condition::Temperature => {
                Seen::against(device.temperature_celsius.get(), &self.setting(condition, &subject))
            }
            Condition::PortBelowUsual => {
                let (rate, usual) = (device.port_rate_mbps.get().filter(|r| *r > 0.0), self.memory.usual_port(id));
                let seen = flag(rate.zip(usual).map(|(rate, usual)| rate < usual));
                Seen { value: rate, limit: usual, usual, ..seen }
            }
            Condition::ManagementUnreachable => match device.answers {
                Some(false) if links().any(|state| state == LinkState::Up) => flag(Some(true)),
                Some(true) => flag(Some(false)),
                _ => flag(None),
            },
            Condition::DeviceDown => match device.answers {
                Some(false) => {
                    let told = links().any(|state| !matches!(state, LinkState::Unknown(_)));
                    flag((!told && self.scene.is_lit(&device.site)).then_some(true))
                }
                Some(true) => flag(Some(false)),
                None => flag(None),
            },
            _ => Seen::only(Input::Unknown),
        })
    }

    fn power_seen(&self, id: &SiteId) -> Seen {
        let Some(power) = self.scene.power(id).filter(|p| p.told) else { return Seen::only(Input::Unknown) };
        let charge = power.battery_percent.as_ref();
        let setting = self.setting(Condition::SitePower, &Subject::Site(id.clone()));
        if let Some(device) = &power.on_battery {
            let value = charge.map(|(percent, _)| *percent);
            return Seen { value, device: Some(device.clone()), ..Seen::only(Input::Breach) };
        }
        if let Some((_, device)) = &power.low_supply {
            return Seen { device: Some(device.clone()), ..Seen::only(Input::Breach) };
        }
        match charge {
            // Charging again: below is no trouble of its own once the mains are back, but not yet well either.
            Some((percent, device)) => {
                let seen = Seen::against(Some(*percent), &setting);
                Seen { device: Some(device.clone()), ..seen }
            }
            None => Seen::only(Input::Clear),
        }
    }

    fn service_seen(&self, id: &ServiceId, from: &SiteId) -> Option<Seen> {
        self.network.services.get(id.as_str()).filter(|s| s.from.contains(from))?;
        let found = self.view.services.iter().find(|s| s.id == *id && s.from == *from);
        Some(flag(found.and_then(|s| s.up).map(|up| !up)))
    }

    fn agent_seen(&self, condition: Condition, id: &SiteId) -> Seen {
        let Some(agent) = self.view.agents.get(id.as_str()) else { return Seen::only(Input::Unknown) };
        match condition {
            Condition::AgentSilent => self.silence_seen(agent),
            Condition::PartRefused => Seen {
                said: agent.part.refused.clone(),
                ..flag(match agent.part.refused {
                    Some(_) => Some(true),
                    None => agent.part.in_force.map(|_| false),
                })
            },
            Condition::ClockWrong => {
                let error = agent.clock_error_ms.map(|ms| ms.unsigned_abs() as f64 / 1000.0);
                Seen::against(error, &self.setting(condition, &Subject::Agent(id.clone())))
            }
            Condition::CertificateExpiring => {
                self.certificate_seen(agent.certificate_expires_at, &Subject::Agent(id.clone()))
            }
            // Without proof there is one machine: nothing else can be seen of it.
            Condition::ClonedAgent => {
                flag(Some(agent.cloned_at.is_some_and(|at| at <= self.now && self.now.since(at) < CLONED_FOR)))
            }
            _ => Seen::only(Input::Unknown),
        }
    }

    /// In whole days, as people count them.
    fn certificate_seen(&self, expires_at: Option<UnixMillis>, subject: &Subject) -> Seen {
        let days = expires_at.map(|at| (at.since(self.now).as_secs() / DAY.as_secs()) as f64);
        Seen::against(days, &self.setting(Condition::CertificateExpiring, subject))
    }

    fn backup_seen(&self, id: &BackupId) -> Option<Seen> {
        let job = self.network.backups.get(id.as_str())?;
        let zone = TimeZone::get(&self.network.time_zone).unwrap_or(TimeZone::UTC);
        let said = self.view.backups.get(id.as_str()).copied().unwrap_or_default();
        let verdict = backup::judge(job, &zone, said, Carries::of(self.view, job), self.now);
        let Verdict { input, trouble, measured_mbps, required_mbps } = verdict;
        Some(Seen { measured_mbps, required_mbps, backup: trouble, ..Seen::only(input) })
    }

    /// Never heard is not silent: it may not have been installed yet.
    fn silence_seen(&self, agent: &AgentView) -> Seen {
        flag(agent.last_batch_at.map(|at| self.now.since(at) > self.interval * SILENT_INTERVALS))
    }
}
