//! Runs over nodes that are started by hand, some of which die and come back.

use std::path::PathBuf;

use fogbit_transport::Role;
use fogbit_transport::token::published_file;
use rustix::process::Signal;
use serde_json::Value;

use crate::common::{Guarded, Joining, send, wait_for_end, waiting_node};
use crate::{HELPERS, Scrape, WELL, Watch, free_tcp, free_udp, topology};

const POLICIES: [&str; 2] = ["round-robin", "toof"];

/// An endless run, and all its nodes.
pub(crate) struct Fog {
    _dir: tempfile::TempDir,
    tokens: PathBuf,
    pub(crate) address: String,
    pub(crate) orchestrator: Joining,
    pub(crate) watch: Watch,
    /// By the names they asked for.
    nodes: Vec<(String, Guarded)>,
}

impl Fog {
    /// The orchestrator and three helper nodes; task nodes are still to come.
    pub(crate) fn start(task_nodes: usize) -> Fog {
        let dir = tempfile::tempdir().unwrap();
        let file = topology(dir.path(), "\"endless\"", "20ms", &POLICIES);
        let (address, metrics) = (free_udp(), free_tcp());
        let tokens = dir.path().join("tokens");
        let arguments = [
            ["--listen", &address],
            ["--metrics", &metrics.to_string()],
            ["--publish-tokens", tokens.to_str().unwrap()],
            ["--task-nodes", &task_nodes.to_string()],
        ];
        let out = dir.path().join("out");
        let orchestrator = Joining::start_at(
            &address,
            &file,
            &[&arguments.concat()[..], &["--quiet"]].concat(),
            &out,
        );
        let watch = Watch::at(metrics);
        let mut fog = Fog { _dir: dir, tokens, address, orchestrator, watch, nodes: Vec::new() };
        for name in HELPERS {
            fog.add(Role::Helper, Some(name));
        }
        fog
    }

    pub(crate) fn token(&self, role: Role) -> PathBuf {
        published_file(&self.tokens, role)
    }

    /// Starts a node that waits for its place.
    pub(crate) fn add(&mut self, role: Role, name: Option<&str>) {
        let subcommand = if role == Role::Helper { "node" } else { "task-node" };
        let wish = name.map_or(vec![], |name| vec!["--name", name]);
        let more = [&["--wait", "forever"], wish.as_slice()].concat();
        let node = waiting_node(subcommand, &self.address, &self.token(role), &more);
        self.nodes.push((name.unwrap_or("anybody").to_owned(), node));
    }

    /// Kills a node that had no chance to say goodbye.
    fn kill(&mut self, name: &str) {
        let index = self.nodes.iter().position(|(called, _)| called == name).unwrap();
        let (_, mut node) = self.nodes.remove(index);
        node.kill().unwrap();
        node.wait().unwrap();
    }

    /// Stops the run. All nodes that are left must end well with it.
    pub(crate) fn stop(self) -> (Option<i32>, Value, String) {
        send(Signal::TERM, self.orchestrator.child.id() as i32);
        let (code, stdout, told) = self.orchestrator.end();
        for (name, mut node) in self.nodes {
            assert_eq!(wait_for_end(&mut node), Some(0), "{name}");
        }
        (code, serde_json::from_str(&stdout).expect(&told), told)
    }

    /// Stops the run; every trial of it must be whole.
    fn stop_well(self) -> Value {
        let (code, summary, told) = self.stop();
        assert!(WELL.contains(&code), "{code:?}: {told}");
        assert_eq!(summary["run"]["status"], "complete");
        for trial in summary["trials"].as_array().unwrap() {
            assert_eq!(trial["status"], "complete", "{trial}");
        }
        summary
    }
}

fn present(now: &Scrape, node: &str) -> bool {
    now.of_node("fogbit_node_present", node) == 1.0
}

fn losses(now: &Scrape, node: &str) -> f64 {
    now.of_node("fogbit_node_losses_total", node)
}

/// The helper node `h1` dies; a new one takes its place, which waits already or comes later.
fn a_helper_node_dies_and_another_comes(spare: bool) {
    let lost = HELPERS[1];
    let mut fog = Fog::start(1);
    fog.add(Role::TaskNode, None);
    let (_, now) = fog.watch.wait_for_slots(&POLICIES, 30.0);
    assert!(HELPERS.iter().all(|node| present(&now, node) && losses(&now, node) == 0.0));
    fog.watch.assert_adds_up(&POLICIES);
    if spare {
        // Every place is taken: it waits until one is free.
        fog.add(Role::Helper, None);
    }

    fog.kill(lost);
    // Before it is missed it gets tasks, which are never answered.
    fog.watch.wait_until("tasks without an answer", |now| {
        now.of_both("fogbit_tasks_timed_out_total", "round-robin", lost) > 0.0
    });
    // Ten seconds of silence are needed to be sure that it is gone for good.
    fog.watch.wait_until("the loss", |now| losses(now, lost) == 1.0);
    if !spare {
        fog.watch.wait_until("its absence", |now| !present(now, lost));
        // Nobody chooses it; the others get its share.
        let (before, after) = fog.watch.wait_for_slots(&POLICIES, 100.0);
        for policy in POLICIES {
            assert_eq!(after.offloaded(policy, lost), before.offloaded(policy, lost), "{policy}");
            assert_eq!(
                after.of("fogbit_idle_slots_total", policy),
                before.of("fogbit_idle_slots_total", policy),
                "{policy}"
            );
        }
        for other in HELPERS.iter().filter(|node| **node != lost) {
            let tasks = |now: &Scrape| now.offloaded("round-robin", other);
            assert!(tasks(&after) > tasks(&before), "{other}");
        }
        assert_eq!(after.get("fogbit_members{role=\"helper\"}"), 2.0);
        fog.add(Role::Helper, None);
    }

    let back = fog.watch.wait_until("somebody in its place", |now| present(now, lost));
    let answered = |now: &Scrape| {
        let bit = |bit: &str| {
            let labels = format!("{{bit=\"{bit}\",node=\"{lost}\",policy=\"round-robin\"}}");
            now.get(&format!("fogbit_feedback_total{labels}"))
        };
        bit("happy") + bit("unhappy")
    };
    let now = fog
        .watch
        .wait_until("answers of the new node", |now| answered(now) >= answered(&back) + 5.0);
    assert_eq!(now.get("fogbit_members{role=\"helper\"}"), 3.0);
    fog.watch.wait_for_slots(&POLICIES, 20.0);
    fog.watch.assert_adds_up(&POLICIES);
    let now = fog.watch.scrape();
    let lost_so_far: Vec<f64> = HELPERS.iter().map(|node| losses(&now, node)).collect();
    assert_eq!(lost_so_far, [0.0, 1.0, 0.0]);
    let summary = fog.stop_well();
    assert!(summary["trials"][0]["timed_out"].as_u64() > Some(0), "{summary}");
}

#[test]
fn a_helper_node_that_died_is_missed_until_another_comes() {
    a_helper_node_dies_and_another_comes(false);
}

#[test]
fn a_spare_takes_the_place_of_a_helper_node_that_died() {
    a_helper_node_dies_and_another_comes(true);
}

#[test]
fn a_run_survives_the_death_of_all_its_helper_nodes() {
    let mut fog = Fog::start(1);
    fog.add(Role::TaskNode, None);
    fog.watch.wait_for_slots(&POLICIES, 20.0);
    for name in HELPERS {
        fog.kill(name);
    }
    fog.watch.wait_until("idle slots", |now| {
        POLICIES.iter().all(|policy| now.of("fogbit_idle_slots_total", policy) >= 10.0)
    });
    fog.watch.assert_adds_up(&POLICIES);
    // Places are free once the dead are missed; whoever comes before waits.
    for name in HELPERS {
        fog.add(Role::Helper, Some(name));
    }
    let back = fog.watch.wait_until("all to be back", |now| {
        HELPERS.iter().all(|node| losses(now, node) == 1.0 && present(now, node))
    });
    fog.watch.wait_until("tasks for all of them", |now| {
        let more = |node: &&str| {
            now.offloaded("round-robin", node) >= back.offloaded("round-robin", node) + 5.0
        };
        HELPERS.iter().all(more)
    });
    fog.watch.assert_adds_up(&POLICIES);
    fog.stop_well();
}

#[test]
fn a_task_node_that_dies_fails_its_own_trials() {
    let mut fog = Fog::start(2);
    // Policies are dealt to task nodes in the order of their names.
    fog.add(Role::TaskNode, Some("task-a"));
    fog.add(Role::TaskNode, Some("task-b"));
    fog.watch.wait_for_slots(&POLICIES, 20.0);
    fog.kill("task-a");
    fog.watch.wait_until("the loss", |now| now.get("fogbit_members{role=\"task-node\"}") == 1.0);
    let (before, after) = fog.watch.wait_for_slots(&POLICIES[1..], 50.0);
    let slots = |now: &Scrape| now.of("fogbit_slots_total", POLICIES[0]);
    assert_eq!(slots(&after), slots(&before), "slots of a task node that is dead");
    assert!(HELPERS.iter().all(|node| present(&after, node)));
    let (code, summary, told) = fog.stop();
    assert_eq!(code, Some(4), "{told}");
    assert!(told.contains("the trial of round-robin failed"), "{told}");
    assert_eq!(summary["run"]["status"], "failed");
    let statuses: Vec<&Value> =
        summary["trials"].as_array().unwrap().iter().map(|trial| &trial["status"]).collect();
    assert_eq!(statuses, ["failed", "complete"]);
    assert!(summary["trials"][0]["slots"].as_u64() >= Some(20), "what was played is kept");
}
