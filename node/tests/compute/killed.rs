//! A task node that is killed takes its tasks with it.

use std::net::Ipv4Addr;
use std::process::{Command, Stdio};

use fogbit_node::compute::{ComputeEnd, ComputeService};
use fogbit_scenario::work::{ComputeSpec, Execution};
use fogbit_transport::compute::offload;
use fogbit_transport::identity::Authority;

use crate::common::{connect, request, serve, soon, spec, task, task_node, until};

/// Where the test below tells its child the helper node's address and the authority.
const ADDRESS: &str = "FOGBIT_TEST_COMPUTE_ADDRESS";
const AUTHORITY: &str = "FOGBIT_TEST_COMPUTE_AUTHORITY";

/// The child: by itself it does nothing.
#[tokio::test]
async fn task_node_process() {
    let Ok(address) = std::env::var(ADDRESS) else { return };
    let folder = std::path::PathBuf::from(std::env::var(AUTHORITY).unwrap());
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
    let authority = Authority::from_pem(&read("certificate"), &read("key")).unwrap();
    let client = quinn::Endpoint::client((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    let connection = connect(&client, &task_node(&authority), address.parse().unwrap()).await;
    let mut waiting = tokio::task::JoinSet::new();
    for number in 0..3 {
        let connection = connection.clone();
        waiting.spawn(async move {
            let endless = task(u64::MAX / 4);
            let _ = offload(&connection, request(number, &endless), b"task").await;
        });
    }
    while waiting.join_next().await.is_some() {}
}

#[tokio::test]
async fn who_is_killed_leaves_nothing_running() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::generate().unwrap();
    let (certificate, key) = authority.to_pem();
    std::fs::write(folder.path().join("certificate"), certificate).unwrap();
    std::fs::write(folder.path().join("key"), key).unwrap();
    let busy = ComputeSpec { frequency_ghz: 1e9, workers: 2, ..spec(Execution::Real) };
    let service = ComputeService::new(busy).unwrap();
    let (server, mut ends) = serve(&authority, service.clone());
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "killed::task_node_process"])
        .env(ADDRESS, server.local_addr().unwrap().to_string())
        .env(AUTHORITY, folder.path())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    until(|| service.counts().accepted == 3).await;
    child.kill().unwrap();
    child.wait().unwrap();
    for _ in 0..3 {
        assert_eq!(soon(ends.recv()).await, Some(ComputeEnd::Gone));
    }
    until(|| service.state().running == 0).await;
    let counts = service.counts();
    assert_eq!((counts.accepted, counts.cancelled, counts.open()), (3, 3, 0));
    soon(service.submit(task(10))).await.unwrap();
}
