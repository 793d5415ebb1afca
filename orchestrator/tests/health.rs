//! `fogbit health` as a program.

mod common;

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use common::{PATIENCE, fogbit, stderr, stdout};
use fogbit::exporter::Exporter;

fn exporter() -> Exporter {
    Exporter::start((Ipv4Addr::LOCALHOST, 0).into(), "helper").unwrap()
}

/// `fogbit health`; its exit code, what it printed, and its error.
fn health(arguments: &[&str], variable: Option<&str>) -> (Option<i32>, String, String) {
    let mut command = fogbit();
    command.arg("health").args(arguments);
    if let Some(value) = variable {
        command.env("FOGBIT_METRICS", value);
    }
    let output = command.output().unwrap();
    (output.status.code(), stdout(&output), stderr(&output))
}

#[test]
fn health_says_ok_where_a_process_lives() {
    let exporter = exporter();
    let well = (Some(0), "ok\n".to_owned(), String::new());
    assert_eq!(health(&["--metrics", &exporter.address().to_string()], None), well);
    // The variable says where the process listens, on every interface; it is asked over loopback.
    let everywhere = format!("0.0.0.0:{}", exporter.address().port());
    assert_eq!(health(&[], Some(&everywhere)), well);
}

#[test]
fn health_fails_where_no_process_answers_well() {
    let free = exporter().address().to_string();
    let (code, out, error) = health(&["--metrics", &free], None);
    assert_eq!((code, out.as_str()), (Some(4), ""));
    assert!(error.contains(&free) && error.contains("refused"), "{error}");

    let ill = server(|mut stream| {
        let _ = stream.read(&mut [0; 1024]);
        let answer = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n";
        stream.write_all(answer).unwrap();
    });
    let (code, _, error) = health(&["--metrics", &ill], None);
    assert!(code == Some(4) && error.contains("503"), "{error}");

    let other = server(|mut stream| stream.write_all(b"SSH-2.0-OpenSSH\r\n").unwrap());
    let (code, _, error) = health(&["--metrics", &other], None);
    assert!(code == Some(4) && error.contains("HTTP"), "{error}");

    let (code, _, error) = health(&["--metrics", "localhost"], None);
    assert!(code == Some(2), "{error}");
}

#[test]
fn health_does_not_wait_for_ever() {
    let silent = server(|stream| {
        std::thread::sleep(PATIENCE);
        drop(stream);
    });
    let start = Instant::now();
    let (code, _, error) = health(&["--metrics", &silent], None);
    assert!(code == Some(4) && error.contains("no answer in 3 s"), "{error}");
    assert!(start.elapsed() < Duration::from_secs(20));
}

/// A server that does this to a single client; its address.
fn server(serve: impl FnOnce(TcpStream) + Send + 'static) -> String {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || serve(listener.accept().unwrap().0));
    address
}
