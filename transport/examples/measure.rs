//! Measures a link between two hosts or network namespaces with the probes of a run, and compares what two
//! measurements found. `.ci/kernel` compares the kernel's links and emulated ones with it.
//!
//! ```text
//! measure answer LISTEN PEER PROFILE kernel|emulated          until its standard input ends
//! measure ask LISTEN PEER PROFILE kernel|emulated TIMES       prints a check as JSON
//! measure compare FILE FILE                                   fails if two checks differ
//! ```
//!
//! PROFILE is JSON: a profile's name in quotes, or the table of settings of a topology file. With `kernel`
//! this program does nothing to packets: the link itself is to be what PROFILE says.

use std::io::Read;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;

use fogbit_scenario::draw::{Key, Purpose};
use fogbit_scenario::link::verdict::{Finding, LinkCheck, LossSample, Measurement, Verdict};
use fogbit_scenario::link::{Direction, LinkPath, LinkState};
use fogbit_scenario::topology::LinkProfile;
use fogbit_transport::endpoint::bind_with_links;
use fogbit_transport::probe::{Probed, Prober};

type Failure = Box<dyn std::error::Error>;

const USAGE: &str = "measure answer|ask LISTEN PEER PROFILE kernel|emulated [TIMES], or \
                     measure compare FILE FILE";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match arguments[..] {
        ["compare", one, other] => compare(one, other),
        ["answer", listen, peer, profile, how] => end(listen, peer, profile, how, None),
        ["ask", listen, peer, profile, how, times] => end(listen, peer, profile, how, Some(times)),
        _ => Err(USAGE.into()),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(failure) => {
            eprintln!("measure: {failure}");
            ExitCode::from(2)
        }
    }
}

/// One end of a link: with `times` the one that asks.
fn end(
    listen: &str,
    peer: &str,
    profile: &str,
    how: &str,
    times: Option<&str>,
) -> Result<bool, Failure> {
    let (listen, peer): (SocketAddr, SocketAddr) = (listen.parse()?, peer.parse()?);
    let profile: LinkProfile = serde_json::from_str(profile)?;
    let state = profile.resolve().map_err(|fault| fault.message)?;
    let (way, purpose) = match times {
        Some(_) => (state.spec.up, Purpose::LinkUp),
        None => (state.spec.down, Purpose::LinkDown),
    };
    let way = if how == "emulated" { way } else { Direction::UNIMPAIRED };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let (_endpoint, links) = bind_with_links(listen)?;
        links.set(peer, way, Key::derive(1, purpose, 0));
        let prober = Prober::of_links(&links);
        let path = LinkPath::constant(state.clone());
        let probed = prober.open(*b"measured kernels", peer, &path).ok_or("the id is in use")?;
        match times {
            Some(times) => ask(&probed, &state, times.parse()?).await,
            None => answer(&prober).await,
        }
    })
}

async fn answer(prober: &Arc<Prober>) -> Result<bool, Failure> {
    let (give, ended) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        let _ = give.send(());
    });
    ended.await?;
    eprintln!("{prober:?}");
    Ok(true)
}

async fn ask(probed: &Probed, state: &LinkState, times: u32) -> Result<bool, Failure> {
    let mut all = Measurement::default();
    for _ in 0..times {
        let measured = probed.probe(0).await?;
        all.echo_bytes = measured.echo_bytes;
        all.round_trips_ns.extend(measured.round_trips_ns);
        all.late_ns = all.late_ns.max(measured.late_ns);
        add(&mut all.up.loss, measured.up.loss);
        add(&mut all.down.loss, measured.down.loss);
        // One line does not go on in the next probe.
        (all.up.rate, all.down.rate) = (measured.up.rate, measured.down.rate);
    }
    let check = LinkCheck::of_probe("measured", 1, state, &all);
    println!("{}", serde_json::to_string_pretty(&check)?);
    Ok(true)
}

fn add(all: &mut Option<LossSample>, more: Option<LossSample>) {
    if let Some(more) = more {
        let all = all.get_or_insert_default();
        all.sent += more.sent;
        all.received += more.received;
        all.unsure += more.unsure;
    }
}

/// Whether two links, configured alike, are what they should be and alike.
fn compare(one: &str, other: &str) -> Result<bool, Failure> {
    let read = |path: &str| -> Result<LinkCheck, Failure> {
        Ok(serde_json::from_str(&std::fs::read_to_string(path)?)?)
    };
    let (one, other) = (read(one)?, read(other)?);
    let common = one.compare(&other);
    let mut well = !common.is_empty();
    for (name, differs) in &common {
        let (here, there) = (named(&one, name), named(&other, name));
        let wrong = [here, there].iter().any(|finding| finding.verdict == Verdict::Wrong);
        well &= !differs && !wrong;
        let verdict = if *differs {
            "DIFFERENT"
        } else if wrong {
            "WRONG"
        } else {
            "alike"
        };
        let configured = here.configured.unwrap_or(f64::NAN);
        println!("{name:<10} {configured:>9.4}   {}   {}   {verdict}", shown(here), shown(there));
    }
    Ok(well)
}

fn named<'a>(check: &'a LinkCheck, name: &str) -> &'a Finding {
    match name {
        "round trip" => &check.round_trip_ms,
        "rate up" => &check.up.rate_mbit_s,
        "rate down" => &check.down.rate_mbit_s,
        "loss up" => &check.up.loss,
        _ => &check.down.loss,
    }
}

fn shown(finding: &Finding) -> String {
    let number = |value: Option<f64>| value.map_or("-".into(), |value| format!("{value:.4}"));
    let (low, high) = (number(finding.low), number(finding.high));
    format!("{:>9} ({low} to {high})", number(finding.measured))
}
