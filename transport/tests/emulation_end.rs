//! What is left of an endpoint with links when it is gone. Alone in its program: it counts the file
//! descriptors of the process.

mod common;

use std::time::Duration;

use common::{End, pair, settings};
use fogbit_scenario::draw::{Key, Purpose};
use fogbit_scenario::link::Direction;
use fogbit_transport::emulation::SendRawError;
use fogbit_transport::endpoint;

fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

#[test]
fn an_endpoint_leaves_neither_task_nor_descriptor() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
        let (tasks_before, descriptors_before) = (tasks(), descriptors());
        let (here, there) = pair(true, settings(100_000, true)).await;
        let slow = Direction { delay_ns: 3_600_000_000_000, ..Direction::UNIMPAIRED };
        here.links().set(there.address, slow, Key::derive(1, Purpose::LinkUp, 0));
        here.links().send_raw(there.address, b"never arrives").unwrap();
        assert!(tasks() > tasks_before && descriptors() > descriptors_before);

        // The handle stays.
        let End { endpoint, links, address, connection } = here;
        let links = links.unwrap();
        drop((connection, endpoint));
        let peer = there.address;
        drop(there);
        // What QUIC keeps of a connection that was closed.
        let gone = async {
            while tasks() > tasks_before || descriptors() > descriptors_before {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let gone = tokio::time::timeout(Duration::from_secs(20), gone).await;
        let left = (tasks() - tasks_before, descriptors() - descriptors_before);
        assert!(gone.is_ok(), "{left:?} tasks and descriptors are left");
        assert!(matches!(links.send_raw(peer, b"late"), Err(SendRawError::Closed)));
        assert_eq!(links.stats(peer).unwrap().delivered.packets, 0);
        endpoint::bind(address).expect("the port is free");
    });
}
