//! Ctrl-C.

use std::process::Stdio;
use std::time::Duration;

use rustix::process::Signal;

use crate::common::{send, spawn, wait_for_end};
use crate::fashion_mnist;

#[test]
fn ctrl_c_leaves_nothing_behind() {
    if fashion_mnist("ctrl_c_leaves_nothing_behind").is_none() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let mut child = spawn(
        crate::common::fogbit()
            .args(["train", "classifiers", "--epochs", "1000", "--out"])
            .arg(dir.path().join("classifiers"))
            .stdout(Stdio::null())
            .stderr(Stdio::null()),
    );
    std::thread::sleep(Duration::from_secs(2));
    send(Signal::INT, child.id() as i32);
    assert_eq!(wait_for_end(&mut child), Some(130));
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}
