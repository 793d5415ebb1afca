//! How long trials are and how time passes, as a topology file says it.

mod common;

use std::path::Path;
use std::time::Duration;

use common::{only_fault, read};
use fogbit_scenario::Scenario;
use fogbit_scenario::topology::{Clock, RunLength, TimeSpan};
use proptest::prelude::*;

const GOOD: &str = r#"slots = 100

[nodes]
count = 2
weights = { kind = "sphere" }

[policies.toof]
kind = "toof"
"#;

fn set(overrides: &[&str]) -> Scenario {
    read(Path::new("test.toml"), GOOD, overrides).unwrap_or_else(|e| panic!("{overrides:?}: {e}"))
}

/// The topology read again from what it is resolved to.
fn again(scenario: &Scenario) -> Scenario {
    let text = scenario.resolved_toml();
    read(Path::new("test.toml"), &text, &[]).unwrap_or_else(|e| panic!("{text}: {e}"))
}

#[test]
fn a_trial_has_a_number_of_slots_or_no_end() {
    let counted = set(&["slots=7"]);
    assert_eq!(counted.length(), RunLength::Slots(7));
    assert_eq!((counted.length().slots(), counted.last_slot()), (Some(7), 7));
    assert_eq!(counted.length().to_string(), "7 slots");
    // With and without quotes: what is no TOML value is taken for text.
    for assignment in ["slots=endless", "slots=\"endless\""] {
        let endless = set(&[assignment]);
        assert_eq!(endless.length(), RunLength::Endless);
        assert_eq!((endless.length().slots(), endless.last_slot()), (None, u64::MAX));
        assert_eq!(endless.length().to_string(), "endless");
        assert_eq!(again(&endless).length(), RunLength::Endless);
    }
    assert_eq!(again(&counted).length(), RunLength::Slots(7));
    let result = read(Path::new("test.toml"), GOOD, &["slots=Endless"]);
    assert!(only_fault("capitals", result).message.contains("Endless"));
}

#[test]
fn the_wall_clock_says_how_long_a_slot_takes() {
    assert!(set(&[]).wall_clock().is_none());
    let clock = |overrides: &[&str]| set(overrides).wall_clock().unwrap().clone();
    let wall = set(&["clock.kind=wall", "clock.slot=20ms"]);
    assert_eq!(wall.wall_clock().unwrap().slot.0, Duration::from_millis(20));
    assert_eq!((wall.clock().kind(), wall.lookahead()), ("wall", 0));
    assert_eq!(again(&wall).clock(), wall.clock());
    // Where nothing is said of it, the timeout is a second or five slots.
    for (slot, timeout) in
        [("1ms", "1s"), ("200ms", "1s"), ("1s", "5s"), ("10m", "50m"), ("30m", "1h"), ("1h", "1h")]
    {
        let scenario = set(&["clock.kind=wall", &format!("clock.slot={slot}")]);
        let said = scenario.wall_clock().unwrap().timeout();
        assert_eq!(said.to_string(), timeout, "slot {slot}");
        assert_eq!(again(&scenario).wall_clock().unwrap().timeout(), said, "slot {slot}");
    }
    // A slot of more years than can be counted five times.
    let far = ["clock.kind=wall", "clock.slot=500000000000y"];
    let fault = only_fault("far", read(Path::new("test.toml"), GOOD, &far));
    assert!(fault.message.contains("is out of range"), "{}", fault.message);
    let longest = clock(&["clock={kind=\"wall\",slot=\"1h\",timeout=\"60m\"}"]);
    assert_eq!(longest.timeout().0, Duration::from_secs(3600));
    let composed = clock(&["clock={kind=\"wall\",slot=\"1s 500ms\",timeout=\"1m 30s\"}"]);
    assert_eq!(composed.slot.0, Duration::from_millis(1500));
    assert_eq!(composed.timeout().to_string(), "1m 30s");
    // A slot of its own timeout is the least there may be.
    set(&["clock={kind=\"wall\",slot=\"1ms\",timeout=\"1ms\"}"]);
    // What is said of one clock is unknown to the other.
    for clock in ["clock={kind=\"wall\",slot=\"20ms\",lookahead=3}", "clock={slot=\"20ms\"}"] {
        let fault = only_fault(clock, read(Path::new("test.toml"), GOOD, &[clock]));
        assert!(!fault.message.is_empty());
    }
}

proptest! {
    /// A length of time is written as people write it, and read again as it was.
    #[test]
    fn a_length_of_time_survives_being_written(milliseconds in 1..3_600_000u64) {
        let span = TimeSpan(Duration::from_millis(milliseconds));
        let clock = format!("clock={{kind=\"wall\",slot=\"{span}\",timeout=\"1h\"}}");
        let scenario = set(&[&clock]);
        prop_assert_eq!(scenario.wall_clock().expect("the wall clock").slot, span);
        let back = again(&scenario);
        prop_assert_eq!(back.clock(), scenario.clock());
        prop_assert!(matches!(back.clock(), Clock::Wall(_)));
    }
}
