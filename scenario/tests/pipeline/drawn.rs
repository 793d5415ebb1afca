//! Applications and conditions that are drawn.

use fogbit_scenario::draw::{Key, Purpose};
use fogbit_scenario::pipeline::{
    Application, ApplicationDraws, ConditionDraws, Shape, SiteDraws, WayDraws,
};
use fogbit_scenario::topology::Range;

fn draws(shape: Shape) -> ApplicationDraws {
    ApplicationDraws {
        shapes: vec![shape],
        sub_tasks: [2, 12],
        cycles: Range { min: 2e7, max: 2e9 },
        bytes: Range { min: 2.5e3, max: 5e5 },
        sites: 3,
    }
}

fn applications(shape: Shape) -> Vec<Application> {
    let key = Key::derive(1, Purpose::TrainingTasks, 0);
    let draws = draws(shape);
    (1..=500).map(|number| draws.application(&key, number)).collect()
}

/// Numbers of the sub-tasks that `own` takes from, and gives to.
fn neighbours(application: &Application, own: u32) -> [Vec<u32>; 2] {
    let flows = application.flows();
    [
        flows.iter().filter(|flow| flow.to == Some(own)).filter_map(|flow| flow.from).collect(),
        flows.iter().filter(|flow| flow.from == Some(own)).filter_map(|flow| flow.to).collect(),
    ]
}

#[test]
fn every_shape_has_one_source_and_one_sink_and_nothing_hangs_loose() {
    for shape in [Shape::Chain, Shape::ForkJoin, Shape::Layered] {
        let mut sizes = [0; 13];
        for application in applications(shape) {
            let count = application.sub_tasks().len() as u32;
            sizes[count as usize] += 1;
            let ends = |input: bool| {
                let flows = application.flows().iter();
                let own = flows.filter(|flow| if input { flow.from } else { flow.to }.is_none());
                own.map(|flow| if input { flow.to } else { flow.from }).collect::<Vec<_>>()
            };
            assert_eq!((ends(true), ends(false)), (vec![Some(0)], vec![Some(count - 1)]));
            for own in 0..count {
                let [before, after] = neighbours(&application, own);
                assert_eq!(before.is_empty(), own == 0, "{shape:?} {application:?}");
                assert_eq!(after.is_empty(), own == count - 1, "{shape:?} {application:?}");
            }
            for own in application.sub_tasks() {
                assert!((20_000_000..=2_000_000_000).contains(&own.cycles));
            }
            assert!(application.flows().iter().all(|flow| (2500..=500_000).contains(&flow.bytes)));
        }
        // 500 / 11 of each size; 5 standard deviations are 32.
        assert!(sizes[2..].iter().all(|own| (14..=78).contains(own)), "{shape:?}: {sizes:?}");
    }
}

#[test]
fn shapes_are_what_they_are_called() {
    for application in applications(Shape::Chain) {
        assert_eq!(application.flows().len(), application.sub_tasks().len() + 1);
    }
    for application in applications(Shape::ForkJoin) {
        let count = application.sub_tasks().len() as u32;
        for own in 1..count - 1 {
            let [before, after] = neighbours(&application, own);
            assert_eq!((before.len(), after.len()), (1, 1), "{application:?}");
        }
    }
    let wide = |application: &Application| {
        let count = application.sub_tasks().len() as u32;
        (0..count).any(|own| neighbours(application, own)[0].len() > 1)
    };
    assert!(applications(Shape::Layered).iter().filter(|own| wide(own)).count() > 100);
}

#[test]
fn numbers_are_log_uniform_and_any_order_of_reading_gives_the_same() {
    let of = applications(Shape::Layered);
    let cycles: Vec<f64> =
        of.iter().flat_map(|own| own.sub_tasks()).map(|own| (own.cycles as f64).log10()).collect();
    let mean = cycles.iter().sum::<f64>() / cycles.len() as f64;
    // Uniform between log10(2e7) and log10(2e9), 2 apart: sd 2 / sqrt(12) / sqrt(3500) = .0098.
    assert!((mean - (2e7f64.log10() + 1.0)).abs() < 0.04, "{mean}");
    let key = Key::derive(1, Purpose::TrainingTasks, 0);
    assert_eq!(draws(Shape::Layered).application(&key, 321), of[320]);
}

#[test]
fn conditions_are_within_their_ranges_and_links_are_alike_both_ways() {
    let range = |min, max| Range { min, max };
    let site = |frequency_ghz| SiteDraws {
        frequency_ghz,
        load: range(0.0, 0.5),
        busy_ms: range(0.0, 10.0),
        overhead_ns: 0,
    };
    let way =
        |a, b| WayDraws { between: [a, b], mbit_s: range(5.0, 100.0), rtt_ms: range(2.0, 20.0) };
    let draws = ConditionDraws {
        sites: vec![site(1.0), site(8.0), site(20.0)],
        ways: vec![way(0, 1), way(0, 2), way(1, 2)],
    };
    let key = Key::derive(2, Purpose::TrainingTasks, 0);
    for number in 1..=200 {
        let own = draws.conditions(&key, number);
        assert_eq!(own.sites().len(), 3);
        for site in own.sites() {
            assert!((0.0..0.5).contains(&site.compute.load) && site.busy_ns <= 10_000_000);
        }
        for (from, to) in [(0, 1), (0, 2), (1, 2)] {
            let way = own.way(from, to);
            assert_eq!(way, own.way(to, from));
            assert!((5_000_000..=100_000_000).contains(&way.rate_bits_s));
            assert!((1_000_000..=10_000_000).contains(&way.delay_ns));
        }
    }
}
