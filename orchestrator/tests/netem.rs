//! `fogbit render --target netem` and `fogbit profile list`.

mod common;

use std::path::Path;
use std::process::{Command, Output};

use common::{fogbit, stderr, stdout, topology};
use serde_json::Value;

const LINKS: &str = r#"
slots = 1000

[clock]
kind = "wall"
slot = "20ms"

[nodes]
weights = { kind = "sphere" }

[policies.toof]
kind = "toof"

[[node]]
name = "near"

[[node]]
name = "far-off"

[[link]]
to = "near"
profile = "lte"

[[link]]
to = "far-off"
profile = { base = "starlink", duplicate = 0.01 }

[[event]]
at = 501
link = "near"
profile = "loopback"
"#;

fn render(file: &Path) -> Output {
    fogbit().arg("render").arg(file).args(["--target", "netem"]).output().unwrap()
}

fn rendered(text: &str) -> String {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("links.toml");
    std::fs::write(&file, text).unwrap();
    let output = render(&file);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    stdout(&output)
}

/// The commands under a heading, without comments.
fn part<'a>(text: &'a str, heading: &str) -> Vec<&'a str> {
    let mut lines = text.lines().skip_while(|line| *line != format!("## {heading}")).skip(1);
    let part: Vec<&str> = lines.by_ref().take_while(|line| !line.starts_with("## ")).collect();
    assert!(!part.is_empty(), "no part {heading}:\n{text}");
    part.into_iter().filter(|line| !line.is_empty() && !line.starts_with('#')).collect()
}

#[test]
fn both_ends_of_each_link_get_their_direction() {
    let text = rendered(LINKS);
    // 35 ms and 5 ms at 12 Mbit/s are 60,000 bytes, 47 packets; 300,000 bytes wait, 235 packets.
    let lte = "netem limit 282 delay 35ms 5ms rate 12mbit -14";
    let bursts = "delay 25ms 5ms loss gemodel 0.02% 2% 50% 0% duplicate 1% rate";
    let task = part(&text, "slot 1, task node task");
    assert_eq!(task[0], "ethtool -K \"$DEV\" gso off tso off gro off");
    assert_eq!(task[1], "tc qdisc replace dev \"$DEV\" root handle 1: htb default 0");
    assert_eq!(task[3], format!("tc qdisc replace dev \"$DEV\" parent 1:1 handle 10: {lte}"));
    assert!(task[4].contains("dst \"$ADDRESS_NEAR\" flowid 1:1"), "{}", task[4]);
    assert!(task[6].ends_with(&format!("{bursts} 13500kbit -14")), "{}", task[6]);
    assert!(task[7].contains("dst \"$ADDRESS_FAR_OFF\" flowid 1:2"), "{}", task[7]);
    assert_eq!(task.len(), 8);

    let far = part(&text, "slot 1, helper node far-off");
    assert!(far[3].ends_with(&format!("{bursts} 87mbit -14")), "{}", far[3]);
    assert!(far[4].contains("dst \"$ADDRESS_TASK\""), "{}", far[4]);
}

#[test]
fn a_change_says_when_and_takes_the_rate_back() {
    let text = rendered(LINKS);
    let nothing = "netem limit 1000000 rate 0bit";
    for host in ["task node task", "helper node near"] {
        let change = part(&text, &format!("slot 501, 10 s after the start, {host}"));
        let command = format!("tc qdisc change dev \"$DEV\" parent 1:1 handle 10: {nothing}");
        assert_eq!(change, [command]);
    }
}

#[test]
fn what_is_rendered_is_a_script_that_a_shell_can_read() {
    let dir = tempfile::tempdir().unwrap();
    let script = dir.path().join("links.sh");
    std::fs::write(&script, rendered(LINKS)).unwrap();
    let checked = Command::new("sh").arg("-n").arg(&script).output().unwrap();
    assert!(checked.status.success(), "{}", stderr(&checked));
}

#[test]
fn a_topology_without_links_has_nothing_to_render() {
    let output = render(&topology("paper.toml"));
    assert_eq!(output.status.code(), Some(2));
    assert!(output.stdout.is_empty());
    let told = stderr(&output);
    assert!(told.contains("has no emulated") && told.contains("profile list"), "{told}");
    let unknown =
        fogbit().arg("render").arg(topology("paper.toml")).args(["--target", "ns3"]).output();
    assert_eq!(unknown.unwrap().status.code(), Some(2));
}

#[test]
fn profiles_are_listed_with_sources_and_what_is_ours() {
    let list = |arguments: &[&str]| {
        let output = fogbit().args(["profile", "list"]).args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        stdout(&output)
    };
    let table = list(&[]);
    let row = |name: &str| {
        let mut rows = table.lines().filter(|line| line.trim_start().starts_with(name));
        rows.next().unwrap_or_else(|| panic!("{table}")).to_owned()
    };
    for cell in ["25", "5 *", "0.1 % *", "100", "50"] {
        assert!(row("5g").contains(cell), "{table}");
    }
    assert!(row("starlink").contains("0.5 % in bursts *"), "{table}");
    assert!(table.contains("WebPageTest, connectivity profile LTE"), "{table}");

    let json: Value = serde_json::from_str(&list(&["--format", "json"])).unwrap();
    let all = json.as_array().unwrap();
    assert_eq!(all.len(), 13);
    let congested = all.iter().find(|each| each["name"] == "congested").unwrap();
    assert_eq!(congested["rtt_ms"], 200.0);
    assert_eq!(congested["loss"], 0.05);
    assert_eq!(congested["ours"].as_array().unwrap().len(), 5);
    assert!(all.iter().all(|each| each["source"].as_str().is_some_and(|text| !text.is_empty())));
}
