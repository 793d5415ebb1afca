//! Properties of the codec and of tokens: what goes in comes out, and no bytes whatever do harm.

use fogbit_scenario::Bit;
use fogbit_scenario::feedback::Outcome;
use fogbit_scenario::pipeline::{Span, Way};
use fogbit_transport::codec::{DATA_LIMIT, decode, encode};
use fogbit_transport::compute::{HEAD_LIMIT, Opening};
use fogbit_transport::pipeline::{
    Ended, FLOW_HEAD_LIMIT, FlowEnd, FlowHead, OpenPipeline, Part, PartFlow, PartTask, SiteAddress,
    SiteReply, SiteRequest,
};
use fogbit_transport::token::Tokens;
use fogbit_transport::wire::{
    JoinRequest, OpenSession, SeedOrder, SessionReply, SessionRequest, TrialId, TrialOrder,
    TrialReport,
};
use fogbit_transport::{Role, Token, WireError};
use proptest::prelude::*;

fn outcome() -> impl Strategy<Value = Outcome> {
    prop_oneof![
        Just(Outcome::Answered(Bit::Happy)),
        Just(Outcome::Answered(Bit::Unhappy)),
        Just(Outcome::Refused),
    ]
}

/// Any f64 that can be compared with itself.
fn number() -> impl Strategy<Value = f64> {
    any::<f64>().prop_filter("not a number is not equal to itself", |value| !value.is_nan())
}

fn request() -> impl Strategy<Value = SessionRequest> {
    prop_oneof![
        (any::<u64>(), any::<u64>())
            .prop_map(|(now, through)| SessionRequest::Announce { now, through }),
        (any::<u64>(), prop::collection::vec(number(), 0..20))
            .prop_map(|(slot, task)| SessionRequest::Offload { slot, task }),
    ]
}

fn reply() -> impl Strategy<Value = SessionReply> {
    prop_oneof![
        Just(SessionReply::Opened),
        prop::collection::vec(number(), 0..500)
            .prop_map(|states| SessionReply::Announced { states }),
        (outcome(), prop::collection::vec(number(), 0..50))
            .prop_map(|(outcome, changed)| SessionReply::Answer { outcome, changed }),
    ]
}

fn report() -> impl Strategy<Value = TrialReport> {
    prop_oneof![
        (prop::collection::vec((any::<u32>(), outcome()), 0..1000), any::<Option<u64>>())
            .prop_map(|(decisions, digest)| TrialReport::Decisions { decisions, digest }),
        Just(TrialReport::AskChoice),
        any::<u64>().prop_map(|nanoseconds| TrialReport::Done { nanoseconds }),
        (".*", any::<bool>())
            .prop_map(|(message, of_policy)| TrialReport::Failed { message, of_policy }),
    ]
}

fn flow_end() -> impl Strategy<Value = FlowEnd> {
    prop_oneof![
        any::<u32>().prop_map(FlowEnd::SubTask),
        Just(FlowEnd::Device),
        any::<u32>().prop_map(FlowEnd::Site),
    ]
}

fn part() -> impl Strategy<Value = Part> {
    let way = any::<(u32, u64, u64)>()
        .prop_map(|(to, rate_bits_s, delay_ns)| (to, Way { rate_bits_s, delay_ns }));
    let task = any::<(u32, u64)>().prop_map(|(number, cycles)| PartTask { number, cycles });
    let flow = (any::<u32>(), flow_end(), flow_end(), any::<u64>())
        .prop_map(|(flow, from, to, bytes)| PartFlow { flow, from, to, bytes });
    let all = (
        prop::collection::vec(way, 0..32),
        prop::collection::vec(task, 0..20),
        prop::collection::vec(flow, 0..50),
    );
    (any::<u64>(), all).prop_map(|(application, (ways, sub_tasks, flows))| Part {
        application,
        state: None,
        ways,
        sub_tasks,
        flows,
    })
}

fn site_reply() -> impl Strategy<Value = SiteReply> {
    let span = any::<[u64; 3]>().prop_map(|[ready_ns, start_ns, end_ns]| Span {
        ready_ns,
        start_ns,
        end_ns,
    });
    let ended = (
        any::<u64>(),
        prop::collection::vec(span, 0..20),
        prop::collection::vec(any::<u64>(), 0..20),
    );
    prop_oneof![
        Just(SiteReply::Connected),
        (any::<u64>(), any::<u32>(), ".*").prop_map(|(application, code, message)| {
            SiteReply::Refused { application, code, message }
        }),
        ended.prop_map(|(application, sub_tasks, arrived_ns)| {
            SiteReply::Ended(Ended { application, sub_tasks, arrived_ns })
        }),
    ]
}

proptest! {
    /// So do those between sites.
    #[test]
    fn messages_of_sites_come_out_as_they_went_in(
        part in part(),
        reply in site_reply(),
        (application, flow, bytes) in any::<(u64, u32, u64)>(),
    ) {
        let request = SiteRequest::Part(Box::new(part));
        let mut frame = Vec::new();
        encode(&request, &mut frame, DATA_LIMIT).unwrap();
        prop_assert_eq!(decode(&frame, DATA_LIMIT).unwrap(), Some((request, frame.len())));
        let mut frame = Vec::new();
        encode(&reply, &mut frame, DATA_LIMIT).unwrap();
        prop_assert_eq!(decode(&frame, DATA_LIMIT).unwrap(), Some((reply, frame.len())));
        let head = FlowHead { application, flow, bytes };
        let mut frame = Vec::new();
        encode(&head, &mut frame, FLOW_HEAD_LIMIT).unwrap();
        prop_assert_eq!(decode(&frame, FLOW_HEAD_LIMIT).unwrap(), Some((head, frame.len())));
    }

    /// Several messages one after another come out as they went in, wherever the bytes are cut.
    #[test]
    fn messages_come_out_as_they_went_in(
        requests in prop::collection::vec(request(), 1..5),
        reply in reply(),
        report in report(),
    ) {
        let mut bytes = Vec::new();
        for request in &requests {
            encode(request, &mut bytes, DATA_LIMIT).unwrap();
        }
        let mut rest = bytes.as_slice();
        for request in &requests {
            for cut in 0..4 {
                prop_assert!(decode::<SessionRequest>(&rest[..cut], DATA_LIMIT).unwrap().is_none());
            }
            let (message, used) = decode::<SessionRequest>(rest, DATA_LIMIT).unwrap().unwrap();
            let whole = decode::<SessionRequest>(&rest[..used - 1], DATA_LIMIT).unwrap();
            prop_assert!(whole.is_none(), "a message without its last byte");
            prop_assert_eq!(&message, request);
            rest = &rest[used..];
        }
        prop_assert!(rest.is_empty());

        let mut bytes = Vec::new();
        encode(&reply, &mut bytes, DATA_LIMIT).unwrap();
        prop_assert_eq!(decode(&bytes, DATA_LIMIT).unwrap(), Some((reply, bytes.len())));
        let mut bytes = Vec::new();
        encode(&report, &mut bytes, DATA_LIMIT).unwrap();
        prop_assert_eq!(decode(&bytes, DATA_LIMIT).unwrap(), Some((report, bytes.len())));
    }

    /// Bytes that are no message are an error or wait for more; nothing panics, and a length that
    /// lies allocates nothing.
    #[test]
    fn no_bytes_do_harm(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = decode::<SessionRequest>(&bytes, DATA_LIMIT);
        let _ = decode::<SessionReply>(&bytes, DATA_LIMIT);
        let _ = decode::<TrialReport>(&bytes, DATA_LIMIT);
        let _ = decode::<TrialOrder>(&bytes, DATA_LIMIT);
        let _ = decode::<SeedOrder>(&bytes, DATA_LIMIT);
        let _ = decode::<JoinRequest>(&bytes, DATA_LIMIT);
        // With a prefix that promises exactly what is there, the body itself is read.
        let mut framed = (bytes.len() as u32).to_le_bytes().to_vec();
        framed.extend(&bytes);
        let _ = decode::<SessionReply>(&framed, DATA_LIMIT);
        let _ = decode::<TrialOrder>(&framed, DATA_LIMIT);
        let _ = decode::<SeedOrder>(&framed, DATA_LIMIT);
        let _ = decode::<JoinRequest>(&framed, DATA_LIMIT);
        let _ = decode::<Opening>(&framed, DATA_LIMIT);
        let _ = decode::<SiteRequest>(&framed, DATA_LIMIT);
        let _ = decode::<SiteReply>(&framed, DATA_LIMIT);
        let _ = decode::<FlowHead>(&framed, DATA_LIMIT);
    }

    /// Tokens survive being written down; nothing else is taken for one.
    #[test]
    fn tokens_survive_being_written_down(authority: [u8; 32], secret: [u8; 32], text in ".{0,200}") {
        let token = Token { authority, secret };
        prop_assert_eq!(Token::parse(&format!("  {}\n", token.to_text())), Ok(token));
        prop_assert!(Token::parse(&text).is_err());
    }
}

#[test]
fn too_long_and_too_many_bytes_are_errors() {
    let message = SessionReply::Announced { states: vec![0.5; 100] };
    let mut bytes = Vec::new();
    assert!(matches!(encode(&message, &mut bytes, 100), Err(WireError::TooLong { .. })));
    assert!(bytes.is_empty(), "half a message was left behind");
    let long = 1000u32.to_le_bytes();
    assert!(matches!(decode::<SessionReply>(&long, 100), Err(WireError::TooLong { .. })));
    encode(&SessionReply::Opened, &mut bytes, 100).unwrap();
    bytes[0] += 1;
    bytes.push(0);
    assert!(matches!(decode::<SessionReply>(&bytes, 100), Err(WireError::Malformed(_))));
}

#[test]
fn a_secret_is_known_for_its_role_alone() {
    let tokens = Tokens::generate().unwrap();
    let secret = |role| tokens.token(role).unwrap().secret;
    assert_eq!(tokens.role_of(&secret(Role::Helper)), Some(Role::Helper));
    assert_eq!(tokens.role_of(&secret(Role::TaskNode)), Some(Role::TaskNode));
    assert_eq!(tokens.role_of(&[0; 32]), None);
    assert_eq!(tokens.role_of(&secret(Role::Helper)[..31]), None);
    assert!(tokens.token(Role::Orchestrator).is_none());
    assert!(!format!("{tokens:?}").contains("secret:"), "secrets stay out of logs");
}

/// What a request asks for is not what it gets: only its public key is signed.
#[test]
fn a_request_gets_no_more_than_its_place() {
    use fogbit_transport::identity::{Authority, PeerName};
    let authority = Authority::generate().unwrap();
    let greedy = {
        let mut params =
            rcgen::CertificateParams::new(vec!["orchestrator.orchestrator.fogbit".to_owned()])
                .unwrap();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let key = rcgen::KeyPair::generate().unwrap();
        params.serialize_request(&key).unwrap().der().to_vec()
    };
    let peer = PeerName { name: "h0".into(), role: Role::Helper };
    let certificate = authority.sign(&greedy, &peer).unwrap();
    assert_eq!(PeerName::of_certificate(&certificate), Some(peer.clone()));
    assert!(!String::from_utf8_lossy(&certificate).contains("orchestrator"));
    assert!(authority.sign(b"no request", &peer).is_err());
}

/// The messages of a session stay small: they are what lockstep is made of.
#[test]
fn sizes() {
    let size = |bytes: &mut Vec<u8>| std::mem::take(bytes).len();
    let mut bytes = Vec::new();
    encode(&SessionRequest::Offload { slot: 9999, task: vec![0.5; 2] }, &mut bytes, 100).unwrap();
    assert_eq!(size(&mut bytes), 25);
    let answer = SessionReply::Answer { outcome: Outcome::Refused, changed: vec![] };
    encode(&answer, &mut bytes, 100).unwrap();
    assert_eq!(size(&mut bytes), 7);
    let trial = fogbit_transport::wire::TrialId { seed_number: 0, policy: 0 };
    encode(&OpenSession { trial }, &mut bytes, 100).unwrap();
    assert_eq!(size(&mut bytes), 6);
}

/// As many sites as there may be, with names as long as those in certificates, at long addresses.
#[test]
fn the_largest_plan_fits_into_an_opening() {
    let address = "[2001:db8:1234:5678:9abc:def0:1234:5678]:65535".parse().ok();
    let site = SiteAddress { name: "n".repeat(63), address };
    let trial = TrialId { seed_number: u64::MAX, policy: u32::MAX };
    let open = OpenPipeline { trial, site: 31, sites: vec![site; 32] };
    encode(&Opening::Pipeline(open), &mut Vec::new(), HEAD_LIMIT).unwrap();
}
