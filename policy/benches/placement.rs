//! How long a decision of the problem `placement` takes.

use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, criterion_group, criterion_main};
use fogbit_neural::{Metadata, Network, Standardiser};
use fogbit_policy::placement::{DecisionModel, LearnedPolicy, PlacementPolicy};
use fogbit_scenario::draw::{Key, Purpose};
use fogbit_scenario::link::LinkSpec;
use fogbit_scenario::placement::{HelperNode, SiteSight, Task};
use fogbit_scenario::topology::{PlacementFeatures, PlacementUnits, Range};

/// `learned` between the task node and one helper node, with two sizes of network.
fn learned(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("learned, one decision");
    let task = Task { cycles: 300_000_000, input_bytes: 2_000_000, output_bytes: 0 };
    let edge = HelperNode {
        name: "edge".into(),
        frequency_hz: 1e15,
        load: Range { min: 0.0, max: 0.0 },
        workers: 1,
        queue_limit: 1,
        overhead_ns: 10_000_000,
    };
    let link = LinkSpec::UNIMPAIRED.with_round_trip(50_000_000);
    let sights = [SiteSight::local(1e8, 0.4), SiteSight::remote(&edge, 0.0, &link)];
    for widths in [&[4, 32, 16, 2][..], &[4, 64, 64, 2]] {
        let network = Network::new(widths, &Key::derive(1, Purpose::NetworkWeights, 0));
        let rows: Vec<f64> = (0..80).map(f64::from).collect();
        let model = DecisionModel::new(
            network,
            PlacementFeatures::Logarithmic,
            PlacementUnits::Fixed,
            Some(Standardiser::fit(&rows, 4)),
            Metadata::new(),
        );
        let mut policy = LearnedPolicy::new(Arc::new(model.expect("a model")), sights.len());
        let name: Vec<String> = widths.iter().map(usize::to_string).collect();
        group.bench_function(name.join("-"), |bencher| {
            bencher.iter(|| policy.decide(1, black_box(&task), black_box(&sights)));
        });
    }
    group.finish();
}

criterion_group!(benches, learned);
criterion_main!(benches);
