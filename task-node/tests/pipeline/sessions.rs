//! Sessions at a site: who may open what, and what becomes of requests that make no sense.

use fogbit_node::pipeline::{MOST_BYTES, MOST_DELAY_NS, MOST_SUB_TASKS};
use fogbit_scenario::pipeline::{SiteState, Way};
use fogbit_scenario::work::{Work, WorkKind};
use fogbit_transport::codec::{DATA_LIMIT, FrameSender};
use fogbit_transport::compute::{ComputeRequest, Opening};
use fogbit_transport::pipeline::{
    Ended, FlowEnd, FlowHead, Leads, OpenPipeline, OpenWay, Part, PartFlow, SiteAddress, SiteReply,
    SiteRequest, WayOpened,
};
use fogbit_transport::wire::TrialId;
use fogbit_transport::{CloseCode, Member, Role};
use tokio::sync::mpsc;

use crate::hub::{Hub, PLAYER, TRIAL, soon};
use crate::plan::{Plan, Session, WAY, device_part, flow, part, state, task};

#[tokio::test]
async fn only_the_player_opens_the_session_of_a_trial_and_once() {
    let mut hub = Hub::with_sites(1, true).await;
    let player = hub.member(Role::TaskNode, PLAYER).await;
    let stranger = hub.member(Role::TaskNode, "stranger").await;
    let refused = async |member: &Member, trial, sites: Vec<SiteAddress>, why: &str| {
        let code = Session::ask(member, trial, 1, sites).await.code().await;
        println!("{why}: {code:?}");
        code
    };
    let bad = Some(CloseCode::BadRequest);
    let sites = hub.sites(PLAYER);
    assert_eq!(refused(&stranger, TRIAL, sites.clone(), "the player's").await, bad);
    assert_eq!(refused(&stranger, TRIAL, hub.sites("stranger"), "a stranger").await, bad);
    let unknown = TrialId { seed_number: 1, ..TRIAL };
    let unknown = refused(&player, unknown, sites.clone(), "an unknown seed").await;
    assert_eq!(unknown, Some(CloseCode::UnknownTrial));
    let nobody = TrialId { policy: 2, ..TRIAL };
    assert_eq!(refused(&player, nobody, sites.clone(), "nobody's policy").await, bad);
    // It is site 1, and its peer is the device.
    assert_eq!(refused(&player, TRIAL, hub.sites("h7"), "another device").await, bad);
    let mut shifted = sites.clone();
    shifted.insert(1, SiteAddress { name: "h0".into(), address: None });
    let mut shifted = Session::ask(&player, TRIAL, 2, shifted).await;
    assert_eq!(shifted.code().await, bad, "it is not site 2");
    let nowhere = SiteAddress { name: "h2".into(), address: None };
    let nowhere: Vec<SiteAddress> = sites.iter().cloned().chain([nowhere]).collect();
    assert_eq!(refused(&player, TRIAL, nowhere, "a site without an address").await, bad);
    let many = sites[1].clone();
    let many = [sites.clone(), vec![many; 31]].concat();
    assert_eq!(refused(&player, TRIAL, many, "33 sites").await, bad);

    let first = Session::open(&player, 1, sites.clone()).await;
    assert_eq!(refused(&player, TRIAL, sites.clone(), "open already").await, bad);
    // The session ends with its stream, and leaves its place.
    first.connection.close(0u32.into(), b"");
    drop(first);
    let mut again = soon(async {
        loop {
            let mut session = Session::ask(&player, TRIAL, 1, sites.clone()).await;
            if session.hear().await.is_ok() {
                return session;
            }
        }
    })
    .await;
    // So it does with its seed.
    hub.end_seed();
    assert!(again.hear().await.is_err());
    let over = refused(&player, TRIAL, sites, "after the seed").await;
    assert_eq!(over, Some(CloseCode::UnknownTrial));
}

#[tokio::test]
async fn only_helper_nodes_that_the_plan_names_are_heard_and_only_with_their_ways() {
    let mut hub = Hub::with_sites(2, true).await;
    // Its place as h1 is taken over by a member that the test moves.
    let h1 = hub.member(Role::Helper, "h1").await;
    let other = hub.member(Role::Helper, "other").await;
    let player = hub.member(Role::TaskNode, PLAYER).await;
    let sites = hub.sites(PLAYER);
    let address = sites[2].address.unwrap();
    let open_way = |site| Opening::Way(OpenWay { trial: TRIAL, site, leads: Leads::There });
    let closed = async |member: &Member, opening: Opening| {
        let connection = soon(member.connect("h2", address)).await.unwrap();
        // Whoever is turned away at once does not get as far as a stream.
        let Ok((send, _receive)) = connection.open_bi().await else {
            return CloseCode::of(&connection.closed().await);
        };
        let _ = FrameSender::new(send, DATA_LIMIT).send(&opening).await;
        CloseCode::of(&soon(connection.closed()).await)
    };
    let wrong = Some(CloseCode::WrongRole);
    assert_eq!(closed(&h1, open_way(1)).await, wrong, "no session is open");
    let session = Session::open(&player, 2, sites.clone()).await;
    assert_eq!(closed(&other, open_way(1)).await, wrong, "it is not named");
    let request = ComputeRequest::new(TRIAL, 1, Work { kind: WorkKind::Sha256Chain, cycles: 1 }, 0);
    assert_eq!(closed(&h1, Opening::Compute(request)).await, wrong, "only ways");
    let steal = OpenPipeline { trial: TRIAL, site: 2, sites: sites.clone() };
    assert_eq!(closed(&h1, Opening::Pipeline(steal)).await, wrong, "only ways");
    for site in [0, 2, 3, u32::MAX] {
        let code = closed(&h1, open_way(site)).await;
        assert_eq!(code, Some(CloseCode::BadRequest), "it is not site {site}");
    }
    let unknown = OpenWay { trial: TrialId { policy: 1, ..TRIAL }, site: 1, leads: Leads::Back };
    assert_eq!(closed(&h1, Opening::Way(unknown)).await, Some(CloseCode::UnknownTrial));
    // The device's own ways are those of the player alone.
    let stranger = hub.member(Role::TaskNode, "stranger").await;
    assert_eq!(closed(&stranger, open_way(0)).await, Some(CloseCode::BadRequest));

    let connection = soon(h1.connect("h2", address)).await.unwrap();
    let mut way = Session::with(connection, open_way(1)).await;
    let WayOpened = soon(way.receive.expect()).await.unwrap();
    // With the session its ways are closed, and nobody is named any more.
    drop(session);
    soon(way.connection.closed()).await;
    assert_eq!(closed(&h1, open_way(1)).await, wrong);
}

#[tokio::test]
async fn odd_parts_are_refused_and_a_good_one_runs() {
    use FlowEnd::{Device, Site, SubTask};
    let mut plan = Plan::new(1, true).await;
    let with_flow = |odd: PartFlow| {
        let mut part = part();
        part.flows.push(odd);
        part
    };
    let with_state = |change: fn(&mut SiteState)| {
        let mut own = state();
        change(&mut own);
        Part { state: Some(own), ..part() }
    };
    let many = (0..=MOST_SUB_TASKS as u32).map(task).collect();
    let odd = [
        (Part { application: 0, ..part() }, "application 0"),
        (Part { state: None, ..part() }, "the other clock"),
        (with_state(|own| own.compute.load = 1.0), "a load of 1"),
        (with_state(|own| own.compute.frequency_ghz = f64::NAN), "a frequency of NaN"),
        (with_state(|own| own.compute.workers = 0), "0 workers"),
        (with_state(|own| own.compute.workers = 2), "2 workers"),
        (Part { sub_tasks: many, ..part() }, "257 sub-tasks: at most 256"),
        (Part { ways: vec![(0, WAY); 3], ..part() }, "3 ways: at most 1"),
        (Part { ways: vec![(1, WAY)], ..part() }, "site 1 is no other site of the 2"),
        (Part { ways: vec![], ..part() }, "flow 2 leads to site 0"),
        (Part { ways: vec![(0, Way { rate_bits_s: 0, ..WAY })], ..part() }, "0 bit/s"),
        (
            Part { ways: vec![(0, Way { delay_ns: MOST_DELAY_NS + 1, ..WAY })], ..part() },
            "ns of delay",
        ),
        (Part { sub_tasks: vec![task(2), task(0)], ..part() }, "sub-task 0 comes again"),
        (Part { sub_tasks: vec![task(0), task(0)], ..part() }, "sub-task 0 comes again"),
        (Part { sub_tasks: vec![task(0)], ..part() }, "flow 1 is one of sub-task 2"),
        (with_flow(flow(1, SubTask(0), Site(0), 1)), "flow 1 comes again"),
        (with_flow(flow(3, SubTask(2), SubTask(0), 1)), "flow 3 leads from sub-task 2 to 0"),
        (with_flow(flow(3, SubTask(2), SubTask(2), 1)), "flow 3 leads from sub-task 2 to 2"),
        (with_flow(flow(3, SubTask(1), Site(0), 1)), "sub-task 1, which is not placed here"),
        (with_flow(flow(3, SubTask(0), Site(2), 1)), "site 2 is no other site"),
        (with_flow(flow(3, Site(1), SubTask(0), 1)), "site 1 is no other site"),
        (with_flow(flow(3, Site(0), Site(0), 1)), "no end at a sub-task"),
        (with_flow(flow(3, Device, SubTask(0), 1)), "this is not the device"),
        (with_flow(flow(3, SubTask(2), Device, 1)), "this is not the device"),
        (with_flow(flow(3, SubTask(2), Site(0), MOST_BYTES + 1)), "1073741825 bytes"),
    ];
    let session = &mut plan.sessions[0];
    for (odd, why) in odd {
        let number = odd.application;
        match session.answer(SiteRequest::Part(Box::new(odd))).await {
            SiteReply::Refused { application, code, message } => {
                assert_eq!((application, code), (number, CloseCode::BadRequest as u32), "{why}");
                assert!(message.contains(why), "{message} instead of {why}");
            }
            other => panic!("{why}: {other:?}"),
        }
    }
    let ready = session.answer(SiteRequest::Part(Box::new(part()))).await;
    assert_eq!(ready, SiteReply::Ready { application: 1 });
    plan.device.prepare(device_part()).unwrap();
    session.send.send(&SiteRequest::Begin { application: 1 }).await.unwrap();
    let here = soon(plan.device.run(1)).await.unwrap();
    let SiteReply::Ended(there) = session.hear().await.unwrap() else { panic!("it is done") };
    println!("{there:?}, {here:?}");
    let Ended { application, sub_tasks, arrived_ns } = there;
    assert_eq!((application, sub_tasks.len(), arrived_ns.len()), (1, 2, 1));
    // 1,000 bytes take 0.8 ms and 1 ms more, each sub-task 1 ms.
    assert!(sub_tasks[0].end_ns >= 2_000_000 && sub_tasks[1].start_ns >= sub_tasks[0].end_ns);
    assert!(here.arrived_ns[0] >= 5_000_000, "{here:?}");
}

#[tokio::test]
async fn requests_out_of_turn_end_the_session() {
    let bad = Some(CloseCode::BadRequest);
    // Without ways there are no parts, and without a part nothing begins.
    let mut hub = Hub::with_sites(1, true).await;
    let member = hub.member(Role::TaskNode, PLAYER).await;
    let mut session = Session::open(&member, 1, hub.sites(PLAYER)).await;
    let refused = session.answer(SiteRequest::Part(Box::new(part()))).await;
    let SiteReply::Refused { message, .. } = refused else { panic!("{refused:?}") };
    assert!(message.contains("no ways"), "{message}");
    session.send.send(&SiteRequest::Begin { application: 1 }).await.unwrap();
    assert_eq!(session.code().await, bad);

    let mut plan = Plan::new(1, true).await;
    let session = &mut plan.sessions[0];
    session.answer(SiteRequest::Part(Box::new(part()))).await;
    session.send.send(&SiteRequest::Begin { application: 1 }).await.unwrap();
    // The device sends nothing, so that it is under way.
    session.send.send(&SiteRequest::Begin { application: 1 }).await.unwrap();
    assert_eq!(session.code().await, bad);

    // A message that is none costs the connection.
    let mut plan = Plan::new(1, true).await;
    let session = &mut plan.sessions[0];
    session.send.send(&vec![0xffu8; 40]).await.unwrap();
    let closed = soon(session.connection.closed()).await;
    assert_eq!(CloseCode::of(&closed), Some(CloseCode::BadMessage));
}

/// A device that sends what nobody waits for.
#[tokio::test]
async fn a_flow_that_nobody_awaits_ends_the_session() {
    let heads = [
        FlowHead { application: 2, flow: 0, bytes: 1000 },
        FlowHead { application: 1, flow: 1, bytes: 1000 },
        FlowHead { application: 1, flow: 0, bytes: 10 },
        FlowHead { application: 1, flow: u32::MAX, bytes: 0 },
    ];
    let mut hub = Hub::with_sites(1, true).await;
    let member = hub.member(Role::TaskNode, PLAYER).await;
    let sites = hub.sites(PLAYER);
    for head in heads {
        let mut session = soon(async {
            loop {
                let mut session = Session::ask(&member, TRIAL, 1, sites.clone()).await;
                if session.hear().await.is_ok() {
                    return session;
                }
            }
        })
        .await;
        session.send.send(&SiteRequest::Connect).await.unwrap();
        let mut ways = Vec::new();
        for leads in [Leads::There, Leads::Back] {
            let connection = soon(member.connect("h1", sites[1].address.unwrap())).await.unwrap();
            let open = OpenWay { trial: TRIAL, site: 0, leads };
            let mut way = Session::with(connection, Opening::Way(open)).await;
            let WayOpened = soon(way.receive.expect()).await.unwrap();
            ways.push(way);
        }
        assert_eq!(session.hear().await.unwrap(), SiteReply::Connected);
        let ready = session.answer(SiteRequest::Part(Box::new(part()))).await;
        assert_eq!(ready, SiteReply::Ready { application: 1 });
        session.send.send(&SiteRequest::Begin { application: 1 }).await.unwrap();
        ways[0].send.send(&head).await.unwrap();
        // Its bytes: a length and so many more.
        ways[0]
            .send
            .send(&vec![0u8; (head.bytes as usize).saturating_sub(5).max(1)])
            .await
            .unwrap();
        assert_eq!(session.code().await, Some(CloseCode::BadRequest), "{head:?}");
        for way in ways {
            soon(way.connection.closed()).await;
        }
    }
}

/// What is abandoned is gone, with its ways; the next application needs new ones.
#[tokio::test]
async fn what_is_abandoned_leaves_nothing() {
    let mut plan = Plan::new(2, true).await;
    // Of site 1, which waits for the device in vain.
    let session = &mut plan.sessions[0];
    session.answer(SiteRequest::Part(Box::new(part()))).await;
    session.send.send(&SiteRequest::Begin { application: 1 }).await.unwrap();
    plan.device.abandon();
    for session in &mut plan.sessions {
        assert_eq!(session.answer(SiteRequest::Abandon).await, SiteReply::Abandoned);
        let refused = session.answer(SiteRequest::Part(Box::new(part()))).await;
        assert!(matches!(refused, SiteReply::Refused { .. }), "{refused:?}");
    }
    for session in &mut plan.sessions {
        session.send.send(&SiteRequest::Connect).await.unwrap();
    }
    let (_none, mut incoming) = mpsc::channel(1);
    soon(plan.device.connect(&plan.member, &mut incoming)).await.unwrap();
    for session in &mut plan.sessions {
        assert_eq!(session.hear().await.unwrap(), SiteReply::Connected);
    }
    let session = &mut plan.sessions[0];
    let ready = session.answer(SiteRequest::Part(Box::new(part()))).await;
    assert_eq!(ready, SiteReply::Ready { application: 1 });
}
