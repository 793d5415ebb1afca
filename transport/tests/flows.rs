//! Connections that carry flows: what a flow takes on the wire.

mod common;

use std::time::{Duration, Instant};

use fogbit_scenario::draw::{Key, Purpose};
use fogbit_scenario::link::{Direction, HEADER_BYTES};
use fogbit_scenario::pipeline::Way;
use fogbit_transport::endpoint::flow_transport_config;
use fogbit_transport::pipeline::line_rate;

const MEGABYTE: usize = 1_000_000;

/// The line is as much faster than the payload as packets are longer, and nothing else is sent: not by
/// a window that opens slowly, and not again, however late acknowledgements come.
#[tokio::test]
async fn a_flow_takes_the_line_for_as_long_as_its_payload_says() {
    let (here, there) = common::pair(true, flow_transport_config(8)).await;
    while here.connection.stats().path.current_mtu < 1452 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let way = Way { rate_bits_s: 20_000_000, delay_ns: 150_000_000 };
    let direction = Direction {
        rate_bits_s: Some(line_rate(&way, 1452)),
        delay_ns: way.delay_ns,
        queue_bytes: u64::MAX,
        ..Direction::UNIMPAIRED
    };
    let mut ratios = Vec::new();
    for _ in 0..3 {
        here.links().set(there.address, direction, Key::derive(0, Purpose::LinkUp, 0));
        let began = Instant::now();
        let (mut send, _) = here.connection.open_bi().await.unwrap();
        send.write_all(&vec![0; MEGABYTE]).await.unwrap();
        send.finish().unwrap();
        let (_, mut receive) = there.connection.accept_bi().await.unwrap();
        let read = receive.read_to_end(MEGABYTE).await.unwrap();
        let took = began.elapsed();
        assert_eq!(read.len(), MEGABYTE);
        let stats = here.links().stats(there.address).unwrap();
        let wire = stats.offered.bytes + stats.offered.packets * HEADER_BYTES;
        let planned = MEGABYTE as f64 * line_rate(&way, 1452) as f64 / way.rate_bits_s as f64;
        println!("{took:?}; {wire} bytes on the wire, {planned:.0} planned");
        // 0.4 s on the line and 0.15 s under way; with a window that had to open it were far more.
        assert!(took >= Duration::from_millis(549), "{took:?}");
        ratios.push(wire as f64 / planned);
    }
    assert!(ratios.iter().all(|ratio| (ratio - 1.0).abs() < 0.002), "{ratios:?}");
}
