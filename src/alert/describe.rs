//! What an incident says when it opens: whom it concerns, how grave it is, and the evidence. `[P]`

use std::collections::BTreeMap;

use super::causes::Causes;
use super::diagnosis::{self, Facts};
use super::engine::Engine;
use super::evidence;
use super::incident::{Condition, Direction, Figure, Incident, Severity, Subject};
use super::observe::{self, Key};
use crate::model::network::End;
use crate::model::view::{LinkState, LinkView, NetworkView};
use crate::model::{EdgeId, SiteId};

impl Engine {
    /// Who is behind the edge, and who of them is below target because of it.
    pub(super) fn concern(
        &self,
        incident: &mut Incident,
        link: &LinkView,
        view: &NetworkView,
        causes: &mut Causes<'_>,
    ) {
        let mut behind = self.recent.behind(link);
        if let Some(bundle) = self.bundle_view(&link.id, view) {
            behind.extend(self.recent.behind(bundle));
        }
        // Whoever repairs a dark site has the operator's other links back at once.
        let own = |edge: &EdgeId| view.edge(edge).filter(|other| other.wisp == link.wisp);
        let mut restored = vec![link.id.clone()];
        for other in incident.detail.also_down.iter().filter_map(own) {
            behind.extend(self.recent.behind(other));
            restored.push(other.id.clone());
        }
        let mut below = causes.sites_cleared_by(&restored);
        let all: Vec<SiteId> = behind.iter().cloned().collect();
        // Without any path left, restoring this link alone may not be enough; it is still one of those missing.
        below.extend(cut_off(view, &all));
        behind.extend(below.iter().cloned());
        incident.sites = behind.into_iter().collect();
        incident.sites_below = below.into_iter().collect();
        incident.sites_cut_off = cut_off(view, &incident.sites_below);
    }

    pub(super) fn evidence(&self, incident: &mut Incident, link: &LinkView, view: &NetworkView) {
        let found = evidence::collect(&self.recent, &self.network, view, link);
        let shown = found.link.as_ref().and_then(|id| view.links.get(id.as_str())).unwrap_or(link);
        let figure = observe::figure(link, incident.direction.unwrap_or(Direction::Downstream));
        let silent =
            |site: Option<&SiteId>| site.filter(|s| self.dark.is_dark(s)).map(|s| self.others_down_at(&link.id, s));
        let drop_db = [&found.near, &found.far].into_iter().flatten().filter_map(diagnosis::rsl_drop).reduce(f64::max);
        let diagnosis = diagnosis::diagnose(&Facts {
            near: found.near.as_ref(),
            far: found.far.as_ref(),
            limit: figure.limit.as_ref(),
            neighbours: evidence::neighbours(&self.recent, &self.network, view, shown, drop_db),
            profile: evidence::profile(shown),
            channel_mhz: self.recent.channel_mhz(shown),
            load: load(&figure, incident.measured_mbps),
            silent: [silent(Some(&shown.near_site)), silent(shown.far_site.as_ref())],
        });
        incident.detail.towards = towards(link, incident.direction);
        incident.near = found.near;
        incident.far = found.far;
        incident.probable_cause = diagnosis.cause;
        incident.confidence = diagnosis.confidence;
        incident.detail.reasons = diagnosis.reasons;
        incident.detail.evidence_link = found.link;
        incident.detail.figure = figure;
    }

    /// People of the distinct municipalities that these sites are in.
    pub(super) fn residents(&self, sites: &[SiteId]) -> u32 {
        let municipalities: BTreeMap<&SiteId, u32> = sites
            .iter()
            .filter_map(|site| self.network.municipality_of(site))
            .map(|municipality| (&municipality.id, municipality.residents.unwrap_or(0)))
            .collect();
        municipalities.values().fold(0, |sum, residents| sum.saturating_add(*residents))
    }

    fn bundle_view<'v>(&self, edge: &EdgeId, view: &'v NetworkView) -> Option<&'v LinkView> {
        let EdgeId::Link(id) = edge else { return None };
        view.bundles.get(self.network.bundle_of(id)?.id.as_str())
    }

    pub(super) fn severity(&self, key: &Key, incident: &Incident, view: &NetworkView) -> Severity {
        let bundle = key.edge().and_then(|edge| match key.condition {
            Condition::OnStandby => view.edge(edge),
            Condition::RedundancyLost => None,
            _ => self.bundle_view(edge, view),
        });
        // Once open it rises when the bundle's own incident opens: that one has held, a single look has not.
        let lost_only_redundancy = |bundle: &LinkView| {
            if incident.number == 0 {
                carries_enough(bundle)
            } else {
                let own = |i: &&Incident| i.is_opened() && i.condition != Condition::OnStandby;
                incident.severity == Severity::Minor
                    && !self.tellers(&Subject::Edge(bundle.id.clone())).any(|i| own(&i))
            }
        };
        if bundle.is_some_and(lost_only_redundancy) {
            return Severity::Minor;
        }
        let at_least = self.settings.of(key.condition, &key.subject, &self.network).severity;
        if incident.sites_cut_off.is_empty() { at_least } else { Severity::Critical }
    }
}

/// What passes, as a share of what can.
fn load(figure: &Figure, capacity_mbps: Option<f64>) -> Option<f64> {
    let capacity = capacity_mbps.filter(|mbps| *mbps > 0.0)?;
    Some(figure.throughput_mbps? / capacity)
}

/// The site that this direction of a link leads to; `None`: the Internet.
fn towards(link: &LinkView, direction: Option<Direction>) -> Option<SiteId> {
    let near = link.downstream_end == Some(End::Near);
    let downstream = direction != Some(Direction::Upstream);
    if near == downstream { Some(link.near_site.clone()) } else { link.far_site.clone() }
}

pub(super) fn cut_off(view: &NetworkView, sites: &[SiteId]) -> Vec<SiteId> {
    let without_path = |site: &&SiteId| view.sites.get(site.as_str()).is_some_and(|s| s.path.is_empty());
    sites.iter().filter(without_path).cloned().collect()
}

/// Up, and known to carry what is required in both directions.
pub(super) fn carries_enough(link: &LinkView) -> bool {
    let enough = |direction| {
        let figures = observe::figures(link, direction);
        figures.required_mbps <= 0.0 || figures.capacity_mbps.get().is_some_and(|mbps| mbps >= figures.required_mbps)
    };
    link.state == LinkState::Up && enough(Direction::Downstream) && enough(Direction::Upstream)
}
