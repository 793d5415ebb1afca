//! Placement networks: what they see, their files, and what they may decide.

use std::sync::Arc;

use fogbit_neural::{Metadata, Network};
use fogbit_policy::pipeline::{
    Encoder, Encoding, NetPolicy, PipelineNet, PipelineNetError, PipelinePolicy, Sight,
};
use fogbit_scenario::draw::{Key, Purpose};
use fogbit_scenario::pipeline::{
    Application, ApplicationDraws, ApplicationSource, ConditionDraws, Flow, Shape, SiteDraws,
    SiteSet, SubTask, WayDraws,
};

use crate::range;

fn key() -> Key {
    Key::derive(5, Purpose::TrainingApplications(0), 0)
}

fn draws(least: u32, most: u32) -> ApplicationSource {
    ApplicationSource::Drawn(ApplicationDraws {
        shapes: vec![Shape::Chain, Shape::ForkJoin, Shape::Layered],
        sub_tasks: [least, most],
        cycles: range(1e8, 5e8),
        bytes: range(2e4, 3e5),
        sites: 3,
    })
}

fn conditions() -> ConditionDraws {
    let site = |frequency_ghz, load, busy| SiteDraws {
        frequency_ghz,
        load: range(0.0, load),
        busy_ms: range(0.0, busy),
        overhead_ns: 0,
    };
    let way = |between, rate: (f64, f64), rtt: (f64, f64)| WayDraws {
        between,
        mbit_s: range(rate.0, rate.1),
        rtt_ms: range(rtt.0, rtt.1),
    };
    ConditionDraws {
        sites: vec![site(2.0, 0.5, 0.0), site(8.0, 0.9, 0.0), site(20.0, 0.5, 400.0)],
        ways: vec![
            way([0, 1], (20.0, 100.0), (2.0, 10.0)),
            way([0, 2], (4.0, 20.0), (20.0, 80.0)),
            way([1, 2], (20.0, 200.0), (20.0, 80.0)),
        ],
    }
}

/// A network that nobody trained, for `encoding`.
fn untrained(encoding: &Encoding) -> PipelineNet {
    let network = Network::new(&[encoding.inputs(), 16, encoding.outputs()], &key());
    PipelineNet::new(network, encoding.clone(), Metadata::new()).expect("the same ends")
}

/// Two sub-tasks; the second one may run on the device and in the cloud.
fn given() -> ApplicationSource {
    let all = SiteSet::all(3);
    let sites = SiteSet::all(1);
    let flow = |from, to, bytes| Flow { from, to, bytes };
    let two = Application::new(
        vec![SubTask { cycles: 100, sites: all }, SubTask { cycles: 400, sites }],
        vec![flow(None, Some(0), 10), flow(Some(0), Some(1), 1000), flow(Some(1), None, 100)],
    );
    ApplicationSource::Given(vec![two])
}

#[test]
fn what_is_drawn_comes_to_one_scale() {
    let (source, conditions) = (draws(2, 8), conditions());
    let encoding = Encoding::of(&source, &conditions);
    // 6 of sites, 6 of links, 3 times 8 of sub-tasks and 28 of what flows between them.
    assert_eq!((encoding.inputs(), encoding.outputs()), (64, 24));
    let encoder = Encoder::new(&encoding);
    let mut row = Vec::new();
    let (mut low, mut high) = (vec![f32::MAX; 64], vec![f32::MIN; 64]);
    for number in 1..=3000 {
        let application = source.application(&key().child(0), number);
        let met = conditions.conditions(&key().child(1), number);
        encoder.encode(&application, &met, &mut row);
        assert_eq!(row.len(), 64);
        for ((low, high), value) in low.iter_mut().zip(&mut high).zip(&row) {
            (*low, *high) = (low.min(*value), high.max(*value));
        }
        // What is not there is 0, and everything that is there is not.
        let count = application.sub_tasks().len();
        let there = row[12..20].iter().filter(|value| **value != 0.0).count();
        assert_eq!(there, count);
        let flows = row[20..].iter().filter(|value| **value != 0.0).count();
        assert_eq!(flows, application.flows().len());
    }
    // The device and the edge are never busy.
    let constant = [1, 3];
    for place in (0..12).filter(|place| !constant.contains(place)) {
        let (low, high) = (low[place], high[place]);
        assert!(
            (-1.001..-0.98).contains(&low) && (0.98..1.001).contains(&high),
            "{place}: {low} {high}"
        );
    }
    assert_eq!(constant.map(|place| [low[place], high[place]]), [[0.0; 2]; 2]);
    assert!(high[12..].iter().all(|value| *value <= 1.001), "{high:?}");
}

#[test]
fn numbers_are_where_they_belong() {
    let (source, conditions) = (given(), conditions());
    let encoding = Encoding::of(&source, &conditions);
    assert!(encoding.restricted);
    assert_eq!((encoding.cycles, encoding.bytes), ([100.0, 400.0], [10.0, 1000.0]));
    let application = source.application(&key(), 1);
    let mut row = Vec::new();
    Encoder::new(&encoding).encode(&application, &conditions.conditions(&key(), 1), &mut row);
    // Cycles of both, input, output, what flows from the first to the second, where they may not run.
    let input = [0.25, 0.0];
    let closed = [0.0, 0.0, 0.0, 0.0, 1.0, 1.0];
    assert_eq!(row[12..14], [0.25, 1.0]);
    assert_eq!(row[14..16], input);
    assert_eq!(row[16], 0.0);
    // 100 is in the middle of 10 and 1000; the logarithm that is linear between powers of two is
    // not far from it.
    assert!((row[17] - 0.625).abs() < 0.02, "{}", row[17]);
    assert_eq!(row[18], 1.0);
    assert_eq!(row[19..], closed);
}

#[test]
fn a_network_that_nobody_trained_places_where_sub_tasks_may_run() {
    for source in [draws(2, 8), given()] {
        let net = Arc::new(untrained(&Encoding::of(&source, &conditions())));
        let mut policy = NetPolicy::new(net);
        let mut placement = vec![7; 3];
        for number in 1..=500 {
            let application = source.application(&key().child(0), number);
            let conditions = conditions().conditions(&key().child(1), number);
            let sight = Sight { number, application: &application, conditions: &conditions };
            policy.place(&sight, &mut placement);
            assert!(application.allows(&placement), "{placement:?}");
        }
    }
}

#[test]
fn applications_that_a_network_does_not_fit_are_no_reason_to_panic() {
    let conditions = conditions();
    let net = untrained(&Encoding::of(&draws(2, 4), &conditions));
    assert!(net.fits(4, 3).is_ok() && net.fits(2, 3).is_ok());
    let found = [net.fits(5, 3), net.fits(4, 2), net.fits(4, 4)].map(Result::unwrap_err);
    assert!(matches!(found[0], PipelineNetError::SubTasks { found: 4, wanted: 5 }));
    assert!(matches!(found[1], PipelineNetError::Sites { found: 3, wanted: 2 }));
    assert!(matches!(found[2], PipelineNetError::Sites { found: 3, wanted: 4 }));
    let mut policy = NetPolicy::new(Arc::new(net));
    let mut placement = Vec::new();
    for number in 1..=50 {
        let larger = draws(8, 8).application(&key(), number);
        policy.decide(&larger, &conditions.conditions(&key(), number), &mut placement);
        assert!(larger.allows(&placement));
    }
    let fewer = ConditionDraws {
        sites: conditions.sites[..2].to_vec(),
        ways: conditions.ways[..1].to_vec(),
    };
    let sites = SiteSet::all(2);
    let pair = Application::new(vec![SubTask { cycles: 9, sites }; 2], Vec::new());
    policy.decide(&pair, &fewer.conditions(&key(), 1), &mut placement);
    assert!(pair.allows(&placement));
}

#[test]
fn a_file_is_read_as_it_was_written() {
    let net = untrained(&Encoding::of(&draws(2, 8), &conditions()));
    let bytes = net.to_bytes().expect("finite weights");
    let read = PipelineNet::from_bytes(&bytes).expect("a model");
    assert_eq!(read, net);
    assert_eq!(read.to_bytes().expect("the same"), bytes);
}

/// Bytes of a file whose metadata have another encoding than its network, or another entry.
fn changed(change: impl FnOnce(&mut Metadata)) -> PipelineNetError {
    let net = untrained(&Encoding::of(&draws(2, 8), &conditions()));
    let (network, mut metadata) =
        Network::from_bytes(&net.to_bytes().expect("finite weights")).expect("a network");
    change(&mut metadata);
    let bytes = network.to_bytes(&metadata).expect("finite weights");
    PipelineNet::from_bytes(&bytes).expect_err("it is no model any more")
}

#[test]
fn files_of_something_else_are_told() {
    let told = |error: PipelineNetError| error.to_string();
    let missing = told(changed(|own| drop(own.remove("problem"))));
    assert!(missing.contains("no entry \"problem\""), "{missing}");
    let other = told(changed(|own| drop(own.insert("problem".into(), "cascade".into()))));
    assert!(other.contains("problem = \"cascade\", expected \"pipeline\""), "{other}");
    let version = told(changed(|own| drop(own.insert("format".into(), "placement-net/9".into()))));
    assert!(version.contains("placement-net/9"), "{version}");
    let replaced = |from: &'static str, to: &'static str| {
        told(changed(|own| {
            let text = own["encoding"].replace(from, to);
            assert_ne!(text, own["encoding"], "{from}");
            own.insert("encoding".into(), text);
        }))
    };
    for (from, to, want) in [
        ("\"sub_tasks\":8", "\"sub_tasks\":7", "it takes 64 values and gives 24"),
        ("\"sub_tasks\":8", "\"sub_tasks\":0", "0 sub-tasks"),
        ("\"sub_tasks\":8", "\"sub_tasks\":4000000000", "4000000000 sub-tasks"),
        ("\"sites\":3", "\"sites\":33", "33 sites"),
        ("\"sites\":3", "\"sites\":0", "0 sites"),
        ("\"sites\":3", "\"sites\":2", "ghz has 3 ranges, expected 2"),
        ("\"cycles\":[1", "\"cycles\":[9e99,1", "encoding"),
        ("\"cycles\":[1", "\"cycles\":[-1", "is no range"),
        ("100000000.0,500000000.0", "0.0,0.0", "cycles from 0 to 0 is no range"),
        ("100000000.0,500000000.0", "1e300,1e308", "is no range"),
        ("\"restricted\":false", "\"restricted\":true", "it takes 64 values"),
        ("{", "[", "encoding"),
    ] {
        let found = replaced(from, to);
        assert!(found.contains(want), "{to}: {found}");
    }
}

#[test]
fn odd_bytes_are_no_reason_to_panic() {
    let net = untrained(&Encoding::of(&draws(2, 3), &conditions()));
    let bytes = net.to_bytes().expect("finite weights");
    for length in (0..bytes.len()).step_by(7) {
        assert!(PipelineNet::from_bytes(&bytes[..length]).is_err(), "cut to {length}");
    }
    let mut refused = 0;
    for place in 0..bytes.len() {
        let mut odd = bytes.clone();
        odd[place] ^= 0x55;
        refused += u32::from(PipelineNet::from_bytes(&odd).is_err());
    }
    assert!(refused > 500, "{refused} of {} were refused", bytes.len());
}
