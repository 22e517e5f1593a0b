//! The policy on incidents made by hand, and the mails of its notices as golden files.

use super::*;
use crate::config::settings::{Quiet, Weekly};
use crate::model::condition::Delivery;

/// A recorded conversation, as if the first mail had gone out at the opening.
fn told(network: &Network, recipient: &Recipient, incident: &Incident) -> Thread {
    let mail = render(network, incident, recipient, NoticeKind::Opened, incident.opened_at.unwrap(), &SENDER).unwrap();
    Thread {
        recipient: key(network, recipient).unwrap(),
        incident: incident.number,
        shadow: false,
        root: mail.message_id.clone(),
        root_at: mail.date,
        subject: mail.subject,
        leader: None,
        facts: Facts::of(incident, None),
        told: vec![Told { at: mail.date, kind: NoticeKind::Opened, message_id: mail.message_id, why: Vec::new() }],
    }
}

struct Case {
    network: Network,
    settings: NotifySettings,
    incidents: Vec<Incident>,
    log: Log,
    desk: Desk,
    refused: Vec<Refused>,
}

impl Case {
    fn new(incidents: Vec<Incident>) -> Self {
        Self {
            network: network(Language::Italian),
            settings: NotifySettings {
                rodaggio: std::time::Duration::ZERO,
                weekly: Weekly::Nobody,
                ..NotifySettings::default()
            },
            incidents,
            log: Log::default(),
            desk: Desk::default(),
            refused: Vec::new(),
        }
    }

    /// Both were told of the first incident.
    fn told(mut self) -> Self {
        for recipient in [wisp(), Recipient::Staff(0)] {
            self.log.put(told(&self.network, &recipient, &self.incidents[0]));
        }
        self
    }

    fn decide(&self, now: &str) -> Vec<Notice> {
        policy::decide(Situation {
            now: at(now),
            network: &self.network,
            settings: &self.settings,
            incidents: &self.incidents,
            log: &self.log,
            desk: &self.desk,
            refused: &self.refused,
        })
    }

    fn say(&mut self, act: Act, now: &str) {
        let incident = self.incidents[0].number;
        self.desk.apply(&self.network, |_| true, Command::Act { incident, act }, "Anna Riva", at(now)).unwrap();
    }

    fn mail(&self, notice: &Notice, now: &str) -> Mail {
        let thread =
            notice.incidents.first().and_then(|n| self.log.thread(*n, &key(&self.network, &notice.recipient)?));
        let material = Material {
            network: &self.network,
            incidents: &self.incidents,
            desk: &self.desk,
            thread,
            now: at(now),
            sender: &SENDER,
        };
        compose(material, notice).unwrap()
    }
}

fn kinds(notices: &[Notice]) -> Vec<(Recipient, NoticeKind)> {
    notices.iter().map(|n| (n.recipient.clone(), n.kind)).collect()
}

fn both(kind: NoticeKind) -> Vec<(Recipient, NoticeKind)> {
    vec![(wisp(), kind), (Recipient::Staff(0), kind)]
}

const NOON: &str = "2026-11-24T11:00:00Z";

#[test]
fn who_is_told_of_what() {
    let check = |case: &Case, expected: Vec<(Recipient, NoticeKind)>| assert_eq!(kinds(&case.decide(NOON)), expected);
    let staff = |kind| vec![(Recipient::Staff(0), kind)];
    check(&Case::new(vec![fade()]), both(NoticeKind::Opened));
    check(&Case::new(vec![closed(fade())]).told(), both(NoticeKind::Closed));
    // Whoever was told hears of the end, also if a cause was found since.
    check(&Case::new(vec![Incident { caused_by: vec![1], ..closed(fade()) }]).told(), both(NoticeKind::Closed));
    // Never told: no end either, but a line in the morning.
    check(&Case::new(vec![closed(fade())]), vec![]);
    assert_eq!(kinds(&Case::new(vec![closed(fade())]).decide("2026-11-25T06:30:00Z")), both(NoticeKind::Digest));
    // Not to be told at all.
    check(&Case::new(vec![Incident { detail: Detail::default(), ..fade() }]), vec![]);
    // Without an operator, or one without an address: the staff, and nobody is chased.
    check(&Case::new(vec![Incident { wisp: None, ..fade() }]), staff(NoticeKind::Opened));
    let mut silent = Case::new(vec![down()]);
    silent.network.wisps.values_mut().for_each(|w| w.email.clear());
    check(&silent, staff(NoticeKind::Opened));
    silent.log.put(told(&silent.network, &Recipient::Staff(0), &silent.incidents[0]));
    assert_eq!(kinds(&silent.decide("2026-11-24T19:00:00Z")), []);
    // An operator without an incident of its own hears nothing.
    assert!(
        Case::new(vec![fade()])
            .decide(NOON)
            .iter()
            .all(|n| n.recipient != Recipient::Wisp(WispId::parse("belbo").unwrap()))
    );
}

#[test]
fn a_consequence_at_a_dark_site_is_told_to_its_operator_alone() {
    let mut shared = Incident { caused_by: vec![1], ..dark() };
    (shared.detail.announced, shared.detail.operator_only) = (false, true);
    assert_eq!(kinds(&Case::new(vec![shared.clone()]).decide(NOON)), [(wisp(), NoticeKind::Opened)]);
    // Two of them because of one root are one mail, and one at the end when both are over.
    let second = Incident { number: 148, ..shared.clone() };
    let mut case = Case::new(vec![shared.clone(), second.clone()]);
    let due = case.decide(NOON);
    assert_eq!(due.iter().map(|n| n.incidents.clone()).collect::<Vec<_>>(), [vec![147, 148]]);
    assert!(case.mail(&due[0], NOON).text.contains("VED-148"));
    case.log.put(told(&case.network, &wisp(), &shared));
    case.log.put(Thread { leader: Some(147), ..told(&case.network, &wisp(), &second) });
    case.incidents[0] = closed(shared);
    assert_eq!(kinds(&case.decide(NOON)), []);
    case.incidents[1] = closed(second);
    assert_eq!(kinds(&case.decide(NOON)), [(wisp(), NoticeKind::Closed)]);
}

#[test]
fn contacts_hear_of_their_own_place_only() {
    let mut case = Case::new(vec![down()]);
    case.network.sites.get_mut("paroldo").unwrap().contact_email = vec!["sindaco@paroldo.example".into()];
    case.network.sites.get_mut("bossolasco").unwrap().contact_email = vec!["x@bossolasco.example".into()];
    let due = case.decide(NOON);
    let contacts: Vec<_> = due.iter().filter(|n| matches!(n.recipient, Recipient::Contact(_))).collect();
    assert_eq!(contacts.len(), 1);
    golden("contact-opened-it.txt", &shown(&case.mail(contacts[0], "2026-11-24T05:45:00Z")));
    let over = Case { incidents: vec![closed(down())], ..case };
    let notice = Notice { kind: NoticeKind::Closed, why: vec![Why::Closed], ..contacts[0].clone() };
    golden("contact-closed-it.txt", &shown(&over.mail(&notice, "2026-11-24T08:45:00Z")));
}

#[test]
fn changes_are_batched_and_name_their_reasons() {
    let mut case = Case::new(vec![fade()]).told();
    let worse = &mut case.incidents[0];
    worse.measured_mbps_min = Some(20.0);
    worse.sites_cut_off = vec![site_id("paroldo")];
    case.say(
        Act::Acknowledge {
            ticket: Some("T-2231".into()),
            expected_repair: Some(at("2026-11-24T14:30:00Z")),
            note: None,
        },
        "2026-11-24T06:10:00Z",
    );
    // The first mail went out at 06:57 local.
    assert_eq!(kinds(&case.decide("2026-11-24T06:26:59Z")), []);
    let due = case.decide("2026-11-24T06:27:00Z");
    assert_eq!(kinds(&due), both(NoticeKind::Changed));
    let words = |n: &Notice| n.why.iter().map(Why::as_str).collect::<Vec<_>>();
    assert_eq!(words(&due[0]), ["more_places", "capacity_fell"]);
    assert_eq!(words(&due[1]), ["more_places", "capacity_fell", "acknowledged", "expected_repair"]);
}

#[test]
fn quiet_hours_hold_what_can_wait_over_both_changes_of_the_clock() {
    let check = |quiet, night: &str, expected: usize| {
        let mut case = Case::new(vec![fade()]);
        case.settings.quiet = quiet;
        case.incidents[0].since = at(night);
        assert_eq!(case.decide(night).iter().filter(|n| n.kind == NoticeKind::Opened).count(), expected, "{night}");
    };
    for (night, morning) in
        [("2026-10-25T05:59:00Z", "2026-10-25T06:00:00Z"), ("2027-03-28T04:59:00Z", "2027-03-28T05:00:00Z")]
    {
        check(Quiet::AllButCritical, night, 0);
        check(Quiet::AllButCritical, morning, 2);
        check(Quiet::Updates, night, 2);
    }
    let mut critical = Case::new(vec![down()]);
    critical.settings.quiet = Quiet::AllButCritical;
    assert_eq!(kinds(&critical.decide("2026-10-25T02:00:00Z")), both(NoticeKind::Opened));
}

#[test]
fn beyond_the_mails_an_hour_the_rest_is_one_summary_and_nothing_is_lost() {
    let many: Vec<Incident> = (1..=50).map(|number| Incident { number, ..fade() }).collect();
    let case = Case::new(many);
    let due: Vec<Notice> = case.decide(NOON).into_iter().filter(|n| n.recipient == wisp()).collect();
    assert_eq!(due.len(), 20);
    let told: std::collections::BTreeSet<u64> = due.iter().flat_map(|n| n.incidents.clone()).collect();
    assert_eq!(told.len(), 50);
    let summary = due.last().unwrap();
    assert_eq!((summary.kind, summary.merged.len()), (NoticeKind::Summary, 31));
    golden("summary-wisp-it.txt", &shown(&case.mail(summary, NOON)));
    // With no room left they wait.
    let mut full = case;
    let mut mailbox = super::super::log::Mailbox::default();
    (0..20).for_each(|_| mailbox.note(at(NOON)));
    full.log.put_mailbox("wisp:langhenet", mailbox);
    assert!(full.decide("2026-11-24T11:59:00Z").iter().all(|n| n.recipient != wisp()));
    assert!(full.decide("2026-11-24T12:00:00Z").iter().any(|n| n.recipient == wisp()));
}

#[test]
fn a_long_incident_goes_on_with_a_fresh_mail_after_a_week() {
    let case = Case::new(vec![fade()]).told();
    let due = case.decide("2026-12-01T06:30:00Z");
    let reminder = due.iter().find(|n| n.recipient == wisp() && n.kind == NoticeKind::Reminder).unwrap();
    assert!(reminder.fresh);
    let mail = case.mail(reminder, "2026-12-01T06:30:00Z");
    assert_eq!((mail.in_reply_to, mail.references.len()), (None, 0));
    assert_eq!(mail.subject, case.log.thread(147, "wisp:langhenet").unwrap().subject);
    let early = case.decide("2026-11-25T06:30:00Z");
    assert!(early.iter().any(|n| n.kind == NoticeKind::Reminder && !n.fresh));
}

#[test]
fn a_refused_address_is_told_to_the_staff_once_a_week() {
    let refused = |id: &str, when: &str| Refused {
        id: id.into(),
        address: "noc@langhenet.example".into(),
        why: "refused: permanent error (550): no such user".into(),
        at: at(when),
        incident: "VED-147".into(),
        reported_at: None,
    };
    let mut case = Case::new(vec![]);
    case.refused = vec![refused("a", "2026-11-24T10:00:00Z"), refused("b", "2026-11-24T10:30:00Z")];
    let due = case.decide(NOON);
    assert_eq!((kinds(&due), due[0].refused.len()), (vec![(Recipient::Staff(0), NoticeKind::Undeliverable)], 1));
    golden("undeliverable-staff-it.txt", &shown(&case.mail(&due[0], NOON)));
    case.refused[0].reported_at = Some(at(NOON));
    assert_eq!(kinds(&case.decide(NOON)), []);
    // The staff cannot be told by mail that its own address fails: the page says so.
    case.refused = vec![Refused { address: "tecnico@unione.example".into(), ..refused("c", NOON) }];
    assert_eq!(kinds(&case.decide(NOON)), []);
}

/// Every new kind of notice, in both languages.
#[test]
fn notices_read_as_written_down() {
    for language in [Language::Italian, Language::English] {
        let with = |incidents: Vec<Incident>| {
            let mut case = Case::new(incidents);
            case.network = network(language);
            case
        };
        let keep = |case: &Case, name: &str, due: &[Notice], now: &str| {
            for notice in due {
                let role = match notice.recipient {
                    Recipient::Wisp(_) => "wisp",
                    Recipient::Staff(_) => "staff",
                    Recipient::Contact(_) => "contact",
                };
                let mail = case.mail(notice, now);
                assert!(mail.text.lines().count() <= 30, "{name}-{role}");
                golden(&format!("{name}-{role}-{}.txt", language.code()), &shown(&mail));
                golden(&format!("{name}-{role}-{}.html", language.code()), &mail.html);
            }
        };
        let of = |due: Vec<Notice>, kind| -> Vec<Notice> { due.into_iter().filter(|n| n.kind == kind).collect() };

        let mut case = with(vec![standby()]).told();
        let now = "2026-11-24T13:00:00Z";
        keep(&case, "escalated", &of(case.decide(now), NoticeKind::Escalated), now);
        let now = "2026-11-25T06:30:00Z";
        keep(&case, "reminder", &of(case.decide(now), NoticeKind::Reminder), now);
        case.say(
            Act::Acknowledge {
                ticket: Some("T-2231".into()),
                expected_repair: Some(at("2026-11-24T14:30:00Z")),
                note: Some(
                    if language == Language::Italian { "antenna da riallineare" } else { "antenna to realign" }.into(),
                ),
            },
            "2026-11-24T08:12:00Z",
        );
        case.incidents[0].measured_mbps_min = Some(41.0);
        case.incidents[0].sites_cut_off = vec![site_id("paroldo")];
        let now = "2026-11-24T08:15:00Z";
        keep(&case, "changed", &of(case.decide(now), NoticeKind::Changed), now);
        let now = "2026-11-25T06:30:00Z";
        let mut overdue = with(vec![case.incidents[0].clone()]).told();
        overdue.desk = case.desk.clone();
        keep(&overdue, "overdue", &of(overdue.decide(now), NoticeKind::Reminder), now);

        let mut minor = Incident { number: 150, severity: Severity::Minor, ..fade() };
        minor.detail.announced = false;
        minor.detail.delivery = Delivery::Digest;
        (minor.since, minor.opened_at) = (at("2026-11-24T20:00:00Z"), Some(at("2026-11-24T20:15:00Z")));
        let missed = Incident { number: 149, ..closed(down()) };
        let digest = with(vec![minor, missed]);
        keep(&digest, "digest", &of(digest.decide(now), NoticeKind::Digest), now);

        let monday = "2026-11-30T06:30:00Z";
        let site = |number, id: &str, end: Option<&str>| {
            let below = Incident {
                number,
                condition: Condition::SiteBelowTarget,
                subject: Subject::Site(site_id(id)),
                caused_by: vec![147],
                ..fade()
            };
            match end {
                Some(_) => closed(below),
                None => below,
            }
        };
        let mut week = with(vec![fade(), site(151, "paroldo", None), site(152, "murazzano", Some("over"))]).told();
        week.settings.weekly = Weekly::Contacts;
        let town = week.network.sites.get_mut(&site_id("paroldo")).unwrap();
        town.contact_email = vec!["sindaco@paroldo.example".into()];
        keep(&week, "weekly", &of(week.decide(monday), NoticeKind::Weekly), monday);
        let mut calm = with(Vec::new());
        calm.settings.weekly = Weekly::Staff;
        keep(&calm, "weekly_calm", &of(calm.decide(monday), NoticeKind::Weekly), monday);

        let mut rodaggio = with(vec![closed(fade()), Incident { number: 148, ..down() }]);
        rodaggio.settings.rodaggio = NotifySettings::default().rodaggio;
        rodaggio.desk.rodaggio.born_at = at("2026-11-20T08:00:00Z");
        for incident in rodaggio.incidents.clone() {
            for recipient in [wisp(), Recipient::Staff(0)] {
                let mut thread = Thread { shadow: true, ..told(&rodaggio.network, &recipient, &incident) };
                if let Some(at) = incident.closed_at {
                    let closed = Told { at, kind: NoticeKind::Closed, ..thread.told[0].clone() };
                    thread.told.push(closed);
                }
                rodaggio.log.put(thread);
            }
        }
        keep(&rodaggio, "rodaggio", &of(rodaggio.decide(now), NoticeKind::RodaggioDigest), now);
    }
}

#[test]
fn the_week_is_told_on_monday_morning_once_and_not_late() {
    let mut case = Case::new(Vec::new());
    case.settings.weekly = Weekly::Staff;
    let weekly = |case: &Case, now: &str| {
        let due = case.decide(now);
        due.into_iter().find(|n| n.kind == NoticeKind::Weekly).and_then(|n| n.weekly).map(|w| (w.from, w.to))
    };
    // 07:30 in Rome; 29 November is a Sunday.
    let (monday, before) = (at("2026-11-30T06:30:00Z"), at("2026-11-23T06:30:00Z"));
    assert_eq!(weekly(&case, "2026-11-29T12:00:00Z"), None);
    assert_eq!(weekly(&case, "2026-11-30T06:29:59Z"), None);
    assert_eq!(weekly(&case, "2026-11-30T06:30:00Z"), Some((before, monday)));
    assert_eq!(weekly(&case, "2026-12-01T06:29:59Z"), Some((before, monday)), "the hub was off");
    assert_eq!(weekly(&case, "2026-12-01T06:30:00Z"), None, "a day late");
    // The week in which the clock changes has an hour more.
    assert_eq!(weekly(&case, "2026-10-26T06:30:00Z"), Some((at("2026-10-19T05:30:00Z"), at("2026-10-26T06:30:00Z"))));
    let key = key(&case.network, &Recipient::Staff(0)).unwrap();
    case.log.put_mailbox(&key, Mailbox { weekly_at: Some(monday), ..Mailbox::default() });
    assert_eq!(weekly(&case, "2026-11-30T06:31:00Z"), None, "once");
    assert!(weekly(&case, "2026-12-07T06:30:00Z").is_some());
    let mut new = Case::new(Vec::new());
    new.settings.weekly = Weekly::Staff;
    new.desk.rodaggio.born_at = at("2026-11-30T08:00:00Z");
    assert_eq!(weekly(&new, "2026-11-30T09:00:00Z"), None, "a hub of this morning has no week to tell");
    let first = weekly(&new, "2026-12-07T06:30:00Z").map(|(from, _)| from);
    assert_eq!(first, Some(new.desk.rodaggio.born_at));
    new.settings.weekly = Weekly::Nobody;
    assert_eq!(weekly(&new, "2026-12-07T06:30:00Z"), None);
}

#[test]
fn a_hilltop_that_takes_twenty_municipalities_down_is_one_mail_to_each_and_one_at_the_end() {
    let consequence = |number| {
        let mut site = Incident { number, caused_by: vec![147], ..down() };
        site.detail.announced = false;
        site
    };
    let storm = |root: Incident| std::iter::once(root).chain((200..220).map(consequence)).collect::<Vec<_>>();
    let mut case = Case::new(storm(down()));
    assert_eq!(kinds(&case.decide(NOON)), both(NoticeKind::Opened));
    case = Case::new(storm(closed(down()))).told();
    case.incidents[1..].iter_mut().for_each(|i| *i = closed(i.clone()));
    assert_eq!(kinds(&case.decide(NOON)), both(NoticeKind::Closed));
}
