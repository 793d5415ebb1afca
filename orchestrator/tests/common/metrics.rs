//! A client of the metrics, and a strict parser of Prometheus' text format.

use std::collections::{BTreeMap, HashMap};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use super::PATIENCE;

/// An answer as it came, the names of its headers in small letters.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HashMap<String, String>,
    pub(crate) body: String,
}

/// A connection that does not read for ever.
pub(crate) fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Asks once; the server closes the connection.
pub(crate) fn ask(address: SocketAddr, method: &str, path: &str) -> Answer {
    let mut stream = connect(address);
    write!(stream, "{method} {path} HTTP/1.1\r\nHost: {address}\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").expect(&text);
    let mut lines = head.lines();
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let headers = lines
        .map(|line| line.split_once(": ").unwrap())
        .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
        .collect();
    Answer { status, headers, body: body.to_owned() }
}

pub(crate) fn get(address: SocketAddr, path: &str) -> Answer {
    ask(address, "GET", path)
}

/// Scrapes and parses.
pub(crate) fn scrape(address: SocketAddr) -> BTreeMap<String, f64> {
    let answer = get(address, "/metrics");
    assert_eq!(answer.status, 200, "{}", answer.body);
    parse(&answer.body)
}

/// Parses Prometheus' text format, strictly: every series with its value.
pub(crate) fn parse(text: &str) -> BTreeMap<String, f64> {
    assert!(text.ends_with('\n'), "{text}");
    let mut types = HashMap::new();
    let mut series = BTreeMap::new();
    for line in text.lines() {
        if let Some(comment) = line.strip_prefix("# ") {
            let mut words = comment.splitn(3, ' ');
            let (keyword, name, rest) =
                (words.next().unwrap(), words.next().unwrap(), words.next().unwrap());
            if keyword == "TYPE" {
                assert!(["counter", "gauge", "histogram"].contains(&rest), "{line}");
                assert!(types.insert(name.to_owned(), rest).is_none(), "a second {line}");
            } else {
                assert_eq!(keyword, "HELP", "{line}");
            }
            continue;
        }
        let (name, value) = line.rsplit_once(' ').expect(line);
        let bare = name.split('{').next().unwrap();
        let first = bare.chars().next().unwrap();
        assert!(first.is_ascii_alphabetic() || first == '_', "{line}");
        assert!(bare.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == ':'), "{line}");
        let parts = ["_bucket", "_sum", "_count"];
        let family = parts.iter().find_map(|part| bare.strip_suffix(part));
        let of_histogram = family.is_some_and(|family| types.get(family) == Some(&"histogram"));
        assert!(of_histogram || types.contains_key(bare), "no type before {line}");
        assert!(name == bare || labels_are_well_formed(&name[bare.len()..]), "{line}");
        assert!(series.insert(name.to_owned(), value.parse().unwrap()).is_none(), "again {line}");
    }
    series
}

/// Whether it is `{name="value",...}` with quotes, backslashes and ends of line escaped.
fn labels_are_well_formed(labels: &str) -> bool {
    let Some(mut rest) = labels.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) else {
        return false;
    };
    loop {
        let Some((name, after)) = rest.split_once("=\"") else { return false };
        if !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
            return false;
        }
        let mut escaped = false;
        let end = after.find(|c| {
            let ends = c == '"' && !escaped;
            escaped = c == '\\' && !escaped;
            ends
        });
        let Some(end) = end else { return false };
        match after[end + 1..].strip_prefix(',') {
            Some(more) => rest = more,
            None => return after.len() == end + 1,
        }
    }
}
