use super::*;
use crate::config::secret::Secret;
use crate::probe::testing::{AF60, Objects, Responder, Temper, objects};

const AF: &str = "1.3.6.1.4.1.41112.1.11.1";

fn oid(text: &str) -> Oid {
    Oid::parse(text).unwrap()
}

fn session(responder: &Responder, v1: bool) -> Session {
    let community = Secret::new("public");
    let access = if v1 { Access::V1 { community } } else { Access::V2c { community } };
    Session::new(responder.address, access, Duration::from_secs(1))
}

/// Some objects that are there, and two that are not.
fn mixed() -> Vec<Oid> {
    vec![
        oid(&format!("{AF}.1.2.1")),
        oid("1.3.6.1.4.1.99999.1.0"),
        oid(&format!("{AF}.2.2.1")),
        oid("1.3.6.1.4.1.99999.2.0"),
        oid(&format!("{AF}.3.1.7.2.0.0.0.0.17.1")),
    ]
}

fn check_mixed(answers: &Answers) {
    let values: Vec<_> = mixed().iter().map(|oid| answers.number(oid)).collect();
    let lacking = Err(Missing::NotOffered);
    assert_eq!(values, [Ok(69120.0), lacking, Err(Missing::Malformed), lacking, Ok(1_951_000.0)]);
    assert_eq!(answers.text(&mixed()[2]).as_deref(), Ok("AF60-LR"));
}

#[tokio::test]
async fn one_packet_asks_v2c_everything_at_once() {
    let radio = Responder::start(objects(AF60), Temper::Honest).await;
    let mut session = session(&radio, false);
    check_mixed(&session.get(&mixed()).await.unwrap());
    assert_eq!(session.counts(), Counts { requests: 1, timeouts: 0, malformed: 0 });
    assert_eq!(session.version(), Some(Version::V2c));
}

#[tokio::test]
async fn a_name_that_v1_lacks_costs_a_packet_once() {
    let radio = Responder::start(objects(AF60), Temper::Honest).await;
    let mut session = session(&radio, true);
    check_mixed(&session.get(&mixed()).await.unwrap());
    assert_eq!(session.counts().requests, 3);
    check_mixed(&session.get(&mixed()).await.unwrap());
    assert_eq!(session.counts().requests, 4, "what it lacks is remembered");
    session.forget();
    check_mixed(&session.get(&mixed()).await.unwrap());
    assert_eq!(session.counts().requests, 7, "after a restart it may have another firmware");
}

#[tokio::test]
async fn a_row_that_vanishes_from_a_v1_agent_costs_one_packet_not_one_a_column() {
    let row: Vec<Oid> = [3, 4, 7, 8, 15].iter().map(|c| oid(&format!("{AF}.3.1.{c}.2.0.0.0.0.17.1"))).collect();
    let mut asked = vec![oid(&format!("{AF}.1.2.1"))];
    asked.extend(row.clone());
    let radio = Responder::start(objects(AF60), Temper::Honest).await;
    let mut session = session(&radio, true);
    session.get(&asked).await.unwrap();
    let gone: Objects = objects(AF60).into_iter().filter(|(o, _)| !o.to_string().contains("17.1")).collect();
    let down = Responder::start(gone, Temper::Honest).await;
    session.target = down.address;
    session.client = None;
    let answers = session.get(&asked).await.unwrap();
    assert_eq!(answers.number(&asked[0]), Ok(69120.0));
    assert!(row.iter().all(|oid| answers.number(oid) == Err(Missing::NotOffered)));
    assert_eq!(down.datagrams(), 2);
    // The peer comes back: nothing of its row was written off.
    session.target = radio.address;
    session.client = None;
    assert_eq!(session.get(&asked).await.unwrap().number(&row[2]), Ok(1_951_000.0));
}

#[tokio::test]
async fn a_radio_that_speaks_only_v1_is_found_out_and_remembered() {
    let radio = Responder::start(objects(AF60), Temper::OnlyV1).await;
    let mut session = session(&radio, false);
    check_mixed(&session.get(&mixed()).await.unwrap());
    assert_eq!(session.version(), Some(Version::V1));
    let before = session.counts();
    assert_eq!(before.timeouts, 1, "one question in v2c");
    check_mixed(&session.get(&mixed()).await.unwrap());
    assert_eq!(session.counts(), Counts { requests: before.requests + 1, ..before });
}

#[tokio::test]
async fn a_silent_device_gets_two_packets_and_then_one_at_a_time() {
    let radio = Responder::start(objects(AF60), Temper::Silent).await;
    let mut session = session(&radio, false);
    for packets in [2, 3, 4] {
        assert_eq!(session.get(&mixed()).await, Err(SnmpError::Timeout));
        assert_eq!(session.counts(), Counts { requests: packets, timeouts: packets, malformed: 0 });
    }
}

#[tokio::test]
async fn nonsense_is_a_counted_failure_of_the_radio_that_sent_it() {
    for temper in [Temper::Garbage, Temper::WrongRequestId, Temper::Truncated, Temper::Oversized] {
        let radio = Responder::start(objects(AF60), temper).await;
        let mut session = session(&radio, true);
        assert_eq!(session.get(&mixed()[..1]).await, Err(SnmpError::Malformed), "{temper:?}");
        assert_eq!(session.counts().malformed, 1, "{temper:?}");
        assert_eq!(session.counts().requests, 1, "{temper:?}");
        assert!(session.column(&[1, 3], 5).await.is_err());
    }
}

#[tokio::test]
async fn a_port_that_nobody_listens_on_is_unreachable_at_once() {
    let radio = Responder::start(objects(AF60), Temper::Honest).await;
    let mut session = session(&radio, true);
    let address = radio.address;
    drop(radio);
    // The task that held the socket ends a moment after it is dropped.
    while tokio::net::UdpSocket::bind(address).await.is_err() {
        tokio::task::yield_now().await;
    }
    let failed = session.get(&mixed()).await;
    assert!(matches!(failed, Err(SnmpError::Unreachable(_))), "{failed:?}");
    assert_eq!(session.counts().timeouts, 0);
}

#[tokio::test]
async fn an_agent_that_says_too_big_is_asked_for_less_from_then_on() {
    let radio = Responder::start(objects(AF60), Temper::Small(3)).await;
    let mut session = session(&radio, false);
    let asked: Vec<Oid> = objects(AF60).into_keys().take(16).collect();
    let answers = session.get(&asked).await.unwrap();
    assert!(asked.iter().all(|oid| answers.has(oid)));
    let learnt = session.counts().requests;
    session.get(&asked).await.unwrap();
    assert_eq!(session.counts().requests - learnt, 8, "two variables a packet, none of them refused");
}

#[tokio::test]
async fn what_was_learnt_of_a_device_is_where_the_next_session_begins() {
    let radio = Responder::start(objects(AF60), Temper::Small(3)).await;
    let mut first = session(&radio, false);
    let asked: Vec<Oid> = objects(AF60).into_keys().take(16).collect();
    first.get(&asked).await.unwrap();
    let mut next = session(&radio, false).recalling(first.speech().unwrap());
    next.get(&asked).await.unwrap();
    assert_eq!(next.counts(), Counts { requests: 8, timeouts: 0, malformed: 0 }, "nothing was too big");
    // Another firmware speaks another version: one packet is lost, and then both are tried.
    let speech = Speech { version: Version::V1, variables: 26, bulk: None };
    let access = Access::V2c { community: Secret::new("public") };
    let silent = Responder::start(objects(AF60), Temper::Silent).await;
    let mut wrong = Session::new(silent.address, access, Duration::from_millis(50)).recalling(speech);
    assert_eq!(wrong.get(&asked[..1]).await, Err(SnmpError::Timeout));
    assert_eq!((wrong.counts().requests, wrong.version()), (1, None));
    wrong.target = radio.address;
    wrong.client = None;
    wrong.get(&asked[..1]).await.unwrap();
    assert_eq!(wrong.version(), Some(Version::V2c));
    // What is remembered of a credential that is another by now says nothing.
    let v1 = session(&radio, true).recalling(Speech { version: Version::V3, variables: 0, bulk: None });
    assert_eq!((v1.version(), v1.oids_per_get), (None, 1));
}

#[tokio::test]
async fn a_column_ends_where_the_table_does() {
    for v1 in [false, true] {
        let radio = Responder::start(objects(AF60), Temper::Honest).await;
        let mut session = session(&radio, v1);
        let types = session.column(crate::probe::port::IF_TYPE, 10).await.unwrap();
        assert_eq!(types.rows.iter().map(|r| r.index.clone()).collect::<Vec<_>>(), [[1], [2], [3], [4]]);
        assert!(types.complete);
        let packets = radio.datagrams();
        assert_eq!(packets, if v1 { 5 } else { 4 });
        let two = session.column(crate::probe::port::IF_TYPE, 2).await.unwrap();
        assert_eq!((two.rows.len(), two.complete), (2, false));
        assert_eq!(radio.datagrams(), packets + 2, "no further than the bound");
        let last = session.column(&[1, 3, 6, 1, 4, 1, 99999], 10).await.unwrap();
        assert!(last.rows.is_empty() && last.complete, "past the end of the MIB");
    }
}

/// A table of so many peers, and the object behind it.
fn table(rows: u32) -> Objects {
    let row = |i: u32| (oid(&format!("1.3.6.1.4.1.99999.1.3.2.0.0.0.0.{i}")), Value::Integer(i as i32));
    (1..=rows).map(row).chain([(oid("1.3.6.1.4.1.99999.2.0"), Value::Integer(0))]).collect()
}

const TABLE: &[u32] = &[1, 3, 6, 1, 4, 1, 99999, 1, 3];

async fn walked(session: &mut Session, expected: usize) -> u64 {
    let before = session.counts().requests;
    let column = session.column(TABLE, 200).await.unwrap();
    assert_eq!((column.rows.len(), column.complete), (expected, true));
    let arcs: Vec<u32> = column.rows.iter().map(|row| row.index[5]).collect();
    assert_eq!(arcs, (1..=expected as u32).collect::<Vec<_>>());
    session.counts().requests - before
}

#[tokio::test]
async fn forty_peers_are_found_with_seven_packets() {
    for (peers, packets) in [(0, 1), (1, 2), (2, 3), (3, 4), (4, 4), (40, 7), (150, 12)] {
        let radio = Responder::start(table(peers), Temper::Honest).await;
        let mut session = session(&radio, false);
        session.get(&[oid("1.3.6.1.4.1.99999.2.0")]).await.unwrap();
        assert_eq!(walked(&mut session, peers as usize).await, packets, "{peers} peers");
        assert_eq!(session.speech().unwrap().bulk, (peers > 2).then_some(true));
    }
    // The bound holds within an answer too.
    let radio = Responder::start(table(40), Temper::Honest).await;
    let column = session(&radio, false).column(TABLE, 10).await.unwrap();
    assert_eq!((column.rows.len(), column.complete), (10, false));
}

#[tokio::test]
async fn a_device_without_bulk_is_found_out_once_and_walked() {
    let radio = Responder::start(table(40), Temper::NoBulk).await;
    let mut first = session(&radio, false);
    // Two bulk questions without an answer, then row by row.
    assert_eq!(walked(&mut first, 40).await, 41 + 2);
    assert_eq!(walked(&mut first, 40).await, 41);
    let speech = first.speech().unwrap();
    assert_eq!(speech.bulk, Some(false));
    assert_eq!(walked(&mut session(&radio, false).recalling(speech), 40).await, 41);
    // Its new firmware answers: it is walked until GETBULK is tried again, and what is known to work stays known.
    let updated = Responder::start(table(40), Temper::Honest).await;
    (first.target, first.client) = (updated.address, None);
    assert_eq!(walked(&mut first, 40).await, 41);
    for _ in 0..2 {
        first.try_bulk_again();
        assert_eq!(walked(&mut first, 40).await, 7);
        assert_eq!(first.speech().unwrap().bulk, Some(true));
    }
    // SNMPv1 has no GETBULK.
    let radio = Responder::start(table(40), Temper::OnlyV1).await;
    assert_eq!(walked(&mut session(&radio, true), 40).await, 41);
}

#[tokio::test]
async fn a_machine_without_sockets_blames_no_radio() {
    // What a failed bind of ours is, as the transport wraps it.
    let none = std::io::Error::from_raw_os_error(24);
    let source = std::io::Error::new(none.kind(), NoSocket::from(none));
    let error = Error::Network { target: "192.0.2.1:161".parse().unwrap(), source };
    let radio = Responder::start(objects(AF60), Temper::Honest).await;
    let session = session(&radio, false);
    let failed = session.classify(&error, session.strays());
    assert!(matches!(&failed, SnmpError::NotAsked(why) if why.contains("no socket")), "{failed:?}");
    assert_eq!(failed.missing(), Missing::NotMeasured);
}

#[tokio::test]
async fn an_agent_that_does_not_advance_is_left() {
    let radio = Responder::start(objects(AF60), Temper::Stuck).await;
    let mut session = session(&radio, false);
    let column = session.column(&[1, 3, 6, 1, 2, 1, 2, 2, 1, 3], 50).await;
    // The first answer is the column itself, which is no row of it.
    assert_eq!(column.map(|c| c.rows.len()), Ok(0));
    assert!(radio.datagrams() <= 2);
}

#[cfg(feature = "sim")]
mod v3 {
    use std::convert::Infallible;

    use async_snmp::handler::{BoxFuture, GetNextResult, GetResult, HandlerResult, MibHandler, RequestContext};
    use async_snmp::{Agent, AuthoritativeEngine};
    use tokio::task::JoinSet;

    use super::*;
    use crate::model::network::{AuthProtocol, PrivProtocol};
    use crate::probe::testing::to_wire;

    struct Mib(Objects);

    impl MibHandler for Mib {
        fn get<'a>(
            &'a self,
            _: &'a RequestContext,
            oid: &'a async_snmp::Oid,
        ) -> BoxFuture<'a, HandlerResult<GetResult>> {
            let found = self.0.get(&Oid::from(oid.arcs())).map(to_wire);
            Box::pin(async move { Ok(found.map_or(GetResult::NoSuchInstance, GetResult::Value)) })
        }

        fn get_next<'a>(
            &'a self,
            _: &'a RequestContext,
            _: &'a async_snmp::Oid,
        ) -> BoxFuture<'a, HandlerResult<GetNextResult>> {
            Box::pin(async { Ok(GetNextResult::EndOfMibView) })
        }
    }

    const AUTH: [(AuthProtocol, async_snmp::AuthProtocol); 6] = [
        (AuthProtocol::Md5, async_snmp::AuthProtocol::Md5),
        (AuthProtocol::Sha1, async_snmp::AuthProtocol::Sha1),
        (AuthProtocol::Sha224, async_snmp::AuthProtocol::Sha224),
        (AuthProtocol::Sha256, async_snmp::AuthProtocol::Sha256),
        (AuthProtocol::Sha384, async_snmp::AuthProtocol::Sha384),
        (AuthProtocol::Sha512, async_snmp::AuthProtocol::Sha512),
    ];
    const PRIVACY: [(PrivProtocol, async_snmp::PrivProtocol); 3] = [
        (PrivProtocol::Aes128, async_snmp::PrivProtocol::Aes128),
        (PrivProtocol::Aes192, async_snmp::PrivProtocol::Aes192Blumenthal),
        (PrivProtocol::Aes256, async_snmp::PrivProtocol::Aes256Blumenthal),
    ];

    /// An agent with a user for each authentication, with each privacy in turn, named `a<i>p<j>`.
    async fn agent(tasks: &mut JoinSet<()>) -> SocketAddr {
        let engine =
            AuthoritativeEngine::install(b"\x80\x00\x1f\x88\x04vedetta".to_vec(), |_| Ok::<(), Infallible>(()));
        let mut builder = Agent::builder()
            .bind("127.0.0.1:0")
            .authoritative_engine(engine.unwrap())
            .handler(async_snmp::oid!(1, 3, 6, 1, 4, 1, 41112), Arc::new(Mib(objects(AF60))))
            .allow_all_access();
        for (i, (_, auth)) in AUTH.into_iter().enumerate() {
            for (j, (_, privacy)) in PRIVACY.into_iter().enumerate().filter(|(j, _)| *j == i % PRIVACY.len()) {
                let user = move |u: async_snmp::UsmUser| u.auth_priv(auth, b"auth-password", privacy, b"priv-password");
                builder = builder.usm_user(format!("a{i}p{j}"), user).unwrap();
            }
        }
        let agent = builder.build().await.unwrap();
        let address = agent.local_addr();
        tasks.spawn(async move {
            let _ = agent.run().await;
        });
        address
    }

    fn user(name: &str, auth: (AuthProtocol, &str), privacy: (PrivProtocol, &str)) -> Access {
        let auth = (auth.0, Secret::new(auth.1));
        let privacy = (privacy.0, Secret::new(privacy.1));
        Access::v3(name, Some(&auth), Some(&privacy)).unwrap()
    }

    fn asked() -> Vec<Oid> {
        vec![oid(&format!("{AF}.1.2.1")), oid("1.3.6.1.4.1.41112.99.0")]
    }

    #[tokio::test]
    async fn every_protocol_is_spoken() {
        let mut tasks = JoinSet::new();
        let address = agent(&mut tasks).await;
        for (i, (auth, _)) in AUTH.into_iter().enumerate() {
            for (j, (privacy, _)) in PRIVACY.into_iter().enumerate().filter(|(j, _)| *j == i % PRIVACY.len()) {
                let access = user(&format!("a{i}p{j}"), (auth, "auth-password"), (privacy, "priv-password"));
                let mut session = Session::new(address, access, Duration::from_secs(2));
                let answers = session.get(&asked()).await.unwrap();
                assert_eq!(answers.number(&asked()[0]), Ok(69120.0), "{auth:?} {privacy:?}");
                assert_eq!(answers.number(&asked()[1]), Err(Missing::NotOffered));
                let learnt = session.counts().requests;
                session.get(&asked()).await.unwrap();
                assert_eq!(session.counts().requests, learnt + 1, "the engine is known by now");
            }
        }
    }

    #[tokio::test]
    async fn refused_credentials_are_told_from_silence() {
        let mut tasks = JoinSet::new();
        let address = agent(&mut tasks).await;
        let (auth, privacy) = (AuthProtocol::Sha256, PrivProtocol::Aes128);
        for (i, access) in [
            user("nobody", (auth, "auth-password"), (privacy, "priv-password")),
            user("a3p0", (auth, "wrong-password"), (privacy, "priv-password")),
            user("a3p0", (AuthProtocol::Sha1, "auth-password"), (privacy, "priv-password")),
        ]
        .into_iter()
        .enumerate()
        {
            let mut session = Session::new(address, access, Duration::from_millis(500));
            assert_eq!(session.get(&asked()).await, Err(SnmpError::Refused), "{i}");
            assert_eq!(session.counts().malformed, 0);
        }
        // What was encrypted with another key is noise to the agent, which says nothing (RFC 3826 has no check).
        let access = user("a3p0", (auth, "auth-password"), (privacy, "wrong-password"));
        let mut session = Session::new(address, access, Duration::from_millis(300));
        assert_eq!(session.get(&asked()).await, Err(SnmpError::Timeout));
    }
}
