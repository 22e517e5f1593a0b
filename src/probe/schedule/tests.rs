use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::pin::Pin;

use super::*;
use crate::config::secret::Secret;
use crate::model::{DeviceId, Missing, Tag};
use crate::probe::access::{Access, Version};
use crate::probe::device::Manner;
use crate::probe::memory::Speech;
use crate::probe::ping::PingRound;
use crate::probe::service::HttpServices;
use crate::probe::testing::{AF60, Responder, Temper, objects};
use crate::runtime::clock::SystemClock;

/// Every address answers, but those that end in 9.
struct Echo;

impl Pinger for Echo {
    fn round(
        &self,
        target: IpAddr,
        count: u8,
        _: Duration,
    ) -> Pin<Box<dyn Future<Output = Result<PingRound, PingError>> + Send + '_>> {
        let dead = target.to_string().ends_with('9');
        Box::pin(async move {
            Ok(PingRound { sent: count, rtt_ms: if dead { vec![] } else { vec![2.0; usize::from(count)] } })
        })
    }
}

struct Broken;

impl Pinger for Broken {
    fn round(
        &self,
        _: IpAddr,
        _: u8,
        _: Duration,
    ) -> Pin<Box<dyn Future<Output = Result<PingRound, PingError>> + Send + '_>> {
        Box::pin(async { panic!("a bug in the pinger") })
    }
}

fn plan(interval: Duration, radios: &[(&str, &Responder)]) -> ProbePlan {
    let site = SiteId::parse("hill").unwrap();
    let device = |(id, radio): &(&str, &Responder)| DevicePlan {
        device: DeviceId::parse(id).unwrap(),
        site: site.clone(),
        address: radio.address,
        access: Access::V2c { community: Secret::new("public") },
        manner: Manner::default(),
    };
    let devices = radios.iter().map(device).collect();
    ProbePlan {
        agent: site,
        interval,
        devices,
        pings: vec![],
        services: vec![],
        dropped: Dropped::default(),
        memories: Memories::default(),
    }
}

/// A plan that nothing replaces.
fn fixed(plan: ProbePlan) -> Plans {
    watch::channel(Some(Arc::new(plan))).1
}

/// Runs a plan and collects samples until `enough` says so.
async fn samples_until(
    plan: ProbePlan,
    pinger: Arc<dyn Pinger>,
    mut enough: impl FnMut(&[Sample]) -> bool,
) -> Vec<Sample> {
    let (switch, shutdown) = Shutdown::new();
    let (tx, mut rx) = mpsc::channel(16);
    let running = run(fixed(plan), tx, pinger, Arc::new(HttpServices::new()), SystemClock::shared(), 7, shutdown);
    tokio::pin!(running);
    let mut seen = Vec::new();
    while !enough(&seen) {
        tokio::select! {
            batch = rx.recv() => seen.extend(batch.expect("the sender lives as long as the run")),
            ended = &mut running => panic!("ended early: {ended:?}"),
        }
    }
    switch.stop();
    running.await.unwrap();
    seen
}

fn of<'a>(samples: &'a [Sample], measurement: &str, device: &str) -> Vec<&'a Sample> {
    let is = |s: &&Sample| s.measurement.name == measurement && s.tag_value(Tag::Device) == Some(device);
    samples.iter().filter(is).collect()
}

#[tokio::test]
async fn dead_and_lying_devices_delay_no_other() {
    let healthy =
        [Responder::start(objects(AF60), Temper::Honest).await, Responder::start(objects(AF60), Temper::Honest).await];
    let silent = Responder::start(objects(AF60), Temper::Silent).await;
    let liar = Responder::start(objects(AF60), Temper::Garbage).await;
    let radios = [("a", &healthy[0]), ("silent", &silent), ("liar", &liar), ("b", &healthy[1])];
    // The silent ones take four times the interval to be given up at first; the healthy are polled all the while.
    let plan = plan(Duration::from_secs(1), &radios);
    let samples = samples_until(plan, Arc::new(Echo), |seen| {
        ["a", "b"].iter().all(|d| of(seen, "device", d).len() >= 4)
            && ["silent", "liar"].iter().all(|d| !of(seen, "device", d).is_empty())
    })
    .await;
    for device in ["a", "b"] {
        for sample in of(&samples, "device", device) {
            assert_eq!(sample.reading("snmp_up_flag"), Some(Reading::value(1.0)));
            assert_eq!(sample.reading("timeouts_total"), Some(Reading::value(0.0)));
            assert_eq!(sample.reading("overruns_total"), Some(Reading::value(0.0)));
        }
        assert_eq!(of(&samples, "radio_info", device).len(), 1, "said once, for it has not changed");
        assert!(of(&samples, "radio", device).len() >= 4 && of(&samples, "port", device).len() >= 4);
    }
    let check = |device: &str, why| {
        let sample = of(&samples, "device", device)[0];
        assert_eq!(sample.reading("snmp_up_flag"), Some(Reading::value(0.0)));
        assert_eq!(sample.reading("poll_ms"), Some(Reading::Missing(why)), "{device}");
    };
    check("silent", Missing::Timeout);
    check("liar", Missing::Malformed);
}

fn shared(plan: &ProbePlan, shutdown: Shutdown) -> Shared {
    Shared {
        agent: plan.agent.clone(),
        interval: plan.interval,
        samples: mpsc::channel(1).0,
        dropped: Dropped::default(),
        memories: plan.memories.clone(),
        clock: SystemClock::shared(),
        retired: shutdown.clone(),
        shutdown,
    }
}

fn watched(shared: &Shared, device: &DevicePlan, session: Session) -> Watched {
    Watched {
        poller: Poller::new(session, Manner::default()),
        samples: DeviceSamples::new(&shared.agent, device),
        id: device.device.clone(),
        memory: shared.memories.recall(&device.device),
        pause: Pause::default(),
        error: SnmpError::Timeout,
        radios: Vec::new(),
        overruns: 0,
    }
}

/// Sixty polls are an hour; nothing here waits for them.
#[tokio::test]
async fn a_dead_device_gets_some_twenty_packets_an_hour_whether_it_was_known_or_not() {
    let silent = Responder::start(objects(AF60), Temper::Silent).await;
    let plan = plan(Duration::from_mins(1), &[("dead", &silent)]);
    let (_switch, shutdown) = Shutdown::new();
    let shared = shared(&plan, shutdown);
    let device = &plan.devices[0];
    let known = Speech { version: Version::V1, variables: 9, bulk: None };
    for recalled in [None, Some(known)] {
        let session = Session::new(silent.address, device.access.clone(), Duration::from_millis(10));
        let session = recalled.into_iter().fold(session, Session::recalling);
        let mut watched = watched(&shared, device, session);
        let before = silent.datagrams();
        let mut most = 0;
        for _ in 0..60 {
            let already = silent.datagrams();
            watched.tick(&shared).await;
            most = most.max(silent.datagrams() - already);
        }
        let packets = silent.datagrams() - before;
        assert!((10..=20).contains(&packets), "{recalled:?}: {packets} packets in an hour");
        assert!(most <= 2, "{recalled:?}: {most} packets at once");
        assert_eq!(watched.poller.session.counts().timeouts, packets);
    }
}

/// What one process learnt, the next begins with: nothing is asked in a version that the radio does not speak, and the
/// answers that are too big are asked for once.
#[tokio::test]
async fn how_a_device_is_asked_is_remembered() {
    let radio = Responder::start(objects(AF60), Temper::OnlyV1).await;
    let plan = plan(Duration::from_mins(1), &[("a", &radio)]);
    let (_switch, shutdown) = Shutdown::new();
    let shared = shared(&plan, shutdown);
    let device = &plan.devices[0];
    for timeouts in [1, 0] {
        let mut session = Session::new(radio.address, device.access.clone(), Duration::from_millis(200));
        if let Some(speech) = shared.memories.recall(&device.device).speech {
            session = session.recalling(speech);
        }
        let mut watched = watched(&shared, device, session);
        watched.tick(&shared).await;
        assert_eq!(watched.poller.session.version(), Some(Version::V1));
        assert_eq!(watched.poller.session.counts().timeouts, timeouts);
    }
}

#[tokio::test]
async fn a_device_that_falls_silent_goes_on_saying_so() {
    let radio = Responder::start(objects(AF60), Temper::Honest).await;
    let silent = Responder::start(objects(AF60), Temper::Silent).await;
    let shared_plan = plan(Duration::from_millis(200), &[("a", &radio)]);
    let (_switch, shutdown) = Shutdown::new();
    let shared = shared(&shared_plan, shutdown);
    let device = &shared_plan.devices[0];
    let session =
        |responder: &Responder| Session::new(responder.address, device.access.clone(), Duration::from_millis(100));
    let mut watched = watched(&shared, device, session(&radio));
    assert!(of(&watched.tick(&shared).await, "radio", "a")[0].reading("capacity_tx_mbps").unwrap().get().is_some());
    watched.poller.session = session(&silent);
    let mut asked = Vec::new();
    for _ in 0..8 {
        let before = silent.datagrams();
        let samples = watched.tick(&shared).await;
        asked.push(silent.datagrams() > before);
        assert_eq!(of(&samples, "device", "a")[0].reading("snmp_up_flag"), Some(Reading::value(0.0)));
        let radio = of(&samples, "radio", "a")[0];
        for field in ["capacity_tx_mbps", "capacity_rx_mbps", "rsl_dbm"] {
            assert_eq!(radio.reading(field), Some(Reading::Missing(Missing::Timeout)));
        }
        assert_eq!(radio.reading("snr_db"), None);
    }
    assert_eq!(asked, [true, true, false, true, false, false, false, true]);
    watched.poller.session = session(&radio);
    for _ in 0..3 {
        watched.tick(&shared).await;
    }
    assert_eq!(of(&watched.tick(&shared).await, "device", "a")[0].reading("snmp_up_flag"), Some(Reading::value(1.0)));
    assert_eq!(watched.pause, Pause::default());
}

#[test]
fn a_silent_device_is_left_alone_longer_and_longer_but_never_for_long() {
    let mut pause = Pause::default();
    let mut gaps = BTreeMap::new();
    for failure in 0..20 {
        pause.failed();
        let mut skipped = 0;
        while pause.skip() {
            skipped += 1;
        }
        gaps.insert(failure, skipped);
    }
    assert_eq!(gaps.values().take(4).copied().collect::<Vec<u32>>(), [0, 1, 3, 3]);
    assert!(gaps.values().all(|skipped| *skipped < PAUSE_POLLS_MAX));
    assert!(pause.silent());
    pause.answered();
    assert!(!pause.silent() && !pause.skip());
}

#[tokio::test]
async fn addresses_and_backhauls_are_pinged() {
    let ip = |text: &str| text.parse::<IpAddr>().unwrap();
    let mut plan = plan(Duration::from_millis(50), &[]);
    let site = plan.agent.clone();
    plan.pings = vec![
        PingPlan::Device { site: site.clone(), device: DeviceId::parse("a").unwrap(), address: ip("10.0.0.9") },
        PingPlan::Backhaul {
            site,
            backhaul: crate::model::BackhaulId::parse("fibra").unwrap(),
            gateway: Some(ip("10.0.0.1")),
            outside: vec![ip("192.0.2.9"), ip("192.0.2.1")],
        },
    ];
    let subjects = |seen: &[Sample]| {
        let subject = |s: &Sample| s.tag_value(Tag::Device).or(s.tag_value(Tag::Backhaul)).map(str::to_owned);
        seen.iter().filter_map(subject).collect::<BTreeSet<_>>()
    };
    let samples = samples_until(plan, Arc::new(Echo), |seen| subjects(seen).len() == 2).await;
    let device = of(&samples, "ping", "a")[0];
    assert_eq!(device.reading("loss_percent"), Some(Reading::value(100.0)));
    assert_eq!(device.reading("rtt_ms_median"), Some(Reading::Missing(Missing::Timeout)));
    let backhaul = samples.iter().find(|s| s.tag_value(Tag::Backhaul) == Some("fibra")).unwrap();
    assert_eq!(backhaul.reading("loss_percent"), Some(Reading::value(0.0)), "one of the two outside answers");
    assert_eq!(backhaul.reading("gateway_loss_percent"), Some(Reading::value(0.0)));
}

#[tokio::test]
async fn a_task_that_dies_ends_the_run_with_its_name() {
    let mut plan = plan(Duration::from_millis(50), &[]);
    let (site, device) = (plan.agent.clone(), DeviceId::parse("a").unwrap());
    plan.pings = vec![PingPlan::Device { site, device, address: "10.0.0.1".parse().unwrap() }];
    let (_switch, shutdown) = Shutdown::new();
    let (tx, _rx) = mpsc::channel(1);
    let ended =
        run(fixed(plan), tx, Arc::new(Broken), Arc::new(HttpServices::new()), SystemClock::shared(), 1, shutdown).await;
    assert!(ended.unwrap_err().to_string().starts_with("pinging device a died"), "the panic names its task");
}

#[tokio::test]
async fn samples_that_find_no_room_are_counted() {
    let radio = Responder::start(objects(AF60), Temper::Honest).await;
    let plan = plan(Duration::from_millis(100), &[("a", &radio)]);
    let dropped = plan.dropped.clone();
    let (switch, shutdown) = Shutdown::new();
    let (tx, _full) = mpsc::channel(1);
    let running =
        run(fixed(plan), tx, Arc::new(Echo), Arc::new(HttpServices::new()), SystemClock::shared(), 1, shutdown);
    let watch = async {
        while dropped.count() == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        switch.stop();
    };
    let (ended, ()) = tokio::join!(running, watch);
    ended.unwrap();
}

#[tokio::test]
async fn an_empty_plan_waits_for_the_end() {
    let (switch, shutdown) = Shutdown::new();
    let (tx, _rx) = mpsc::channel(1);
    let running = run(
        fixed(plan(Duration::from_mins(1), &[])),
        tx,
        Arc::new(Echo),
        Arc::new(HttpServices::new()),
        SystemClock::shared(),
        1,
        shutdown,
    );
    let (ended, ()) = tokio::join!(running, async { switch.stop() });
    ended.unwrap();
}

#[tokio::test]
async fn a_new_plan_restarts_only_what_it_changes() {
    let (same, changed, added) = tokio::join!(
        Responder::start(objects(AF60), Temper::Honest),
        Responder::start(objects(AF60), Temper::Honest),
        Responder::start(objects(AF60), Temper::Honest)
    );
    let interval = Duration::from_millis(100);
    let before = plan(interval, &[("same", &same), ("changed", &changed), ("gone", &changed)]);
    let mut after = plan(interval, &[("same", &same), ("changed", &changed), ("added", &added)]);
    after.devices[1].manner.ports = vec!["eth9".into()];
    let (plans_in, plans) = watch::channel(Some(Arc::new(before)));
    let (switch, shutdown) = Shutdown::new();
    let (tx, mut rx) = mpsc::channel(64);
    let running = run(plans, tx, Arc::new(Echo), Arc::new(HttpServices::new()), SystemClock::shared(), 7, shutdown);
    let watching = async {
        let mut seen: Vec<Sample> = Vec::new();
        let n = |seen: &[Sample], device: &str| of(seen, "device", device).len();
        while ["same", "changed", "gone"].iter().any(|d| n(&seen, d) < 3) {
            seen.extend(rx.recv().await.unwrap());
        }
        plans_in.send_replace(Some(Arc::new(after)));
        let mut later: Vec<Sample> = Vec::new();
        while ["same", "changed", "added"].iter().any(|d| n(&later, d) < 5) {
            later.extend(rx.recv().await.unwrap());
        }
        // At most the poll that was under way.
        assert!(n(&later, "gone") <= 1, "{}", n(&later, "gone"));
        switch.stop();
        seen.extend(later);
        seen
    };
    let (ended, seen) = tokio::join!(running, watching);
    ended.unwrap();
    // Requests are counted from the start of a task: of the one that stays they never begin anew.
    let restarts = |device: &str| {
        let requests: Vec<f64> = of(&seen, "device", device)
            .iter()
            .filter_map(|s| s.reading("requests_total").and_then(Reading::get))
            .collect();
        assert!(requests.len() > 5, "{device}: {}", requests.len());
        requests.windows(2).filter(|pair| pair[1] < pair[0]).count()
    };
    assert_eq!((restarts("same"), restarts("changed")), (0, 1));
}

#[test]
fn first_polls_are_spread_further_the_more_there_are() {
    let check = |interval, devices, expected| {
        assert_eq!(first_within(Duration::from_secs(interval), devices), Duration::from_secs(expected));
    };
    check(60, 60, 10);
    check(60, 3_000, 30);
    check(60, 20_000, 60);
    check(2, 60, 2);
}
