//! What is answered to a request.

use std::net::IpAddr;
use std::sync::Arc;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use prometheus::TextEncoder;
use serde::Serialize;

use super::{Shared, Target, lock};

const PLAIN: &str = "text/plain; charset=utf-8";
const METRICS: &str = "text/plain; version=0.0.4; charset=utf-8";
const JSON: &str = "application/json";
const HTML: &str = "text/html; charset=utf-8";

type Answer = Response<Full<Bytes>>;

/// The answer to any request; hyper leaves the body away where the method is HEAD. `own` is the
/// address at which this client has found the process.
pub(super) fn answer<B>(shared: &Shared, own: Option<IpAddr>, request: &Request<B>) -> Answer {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let mut answer = text(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD\n");
        answer.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return answer;
    }
    // The lock is not held while targets are looked for.
    let find = lock(&shared.targets).as_ref().map(Arc::clone);
    match (request.uri().path(), find) {
        ("/metrics", _) => metrics(shared),
        ("/healthz", _) => text(StatusCode::OK, "ok\n"),
        ("/targets", Some(find)) => reply(StatusCode::OK, JSON, discovery(&find(), own)),
        ("/", find) => reply(StatusCode::OK, HTML, index(&shared.role, find.is_some())),
        _ => text(StatusCode::NOT_FOUND, "not found\n"),
    }
}

fn metrics(shared: &Shared) -> Answer {
    // Nor is the lock held while metrics are gathered.
    let registry = lock(&shared.registry).clone();
    match TextEncoder::new().encode_to_string(&registry.gather()) {
        Ok(body) => reply(StatusCode::OK, METRICS, body),
        Err(error) => {
            tracing::error!(%error, "cannot gather the metrics");
            text(StatusCode::INTERNAL_SERVER_ERROR, "the metrics cannot be gathered; see the log\n")
        }
    }
}

/// A group of targets as Prometheus' HTTP service discovery wants it.
#[derive(Serialize)]
struct Group<'a> {
    targets: [String; 1],
    labels: Labels<'a>,
}

#[derive(Serialize)]
struct Labels<'a> {
    role: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    node: Option<&'a str>,
}

fn discovery(targets: &[Target], own: Option<IpAddr>) -> String {
    let groups: Vec<Group<'_>> = targets.iter().map(|target| group(target, own)).collect();
    serde_json::to_string(&groups).expect("targets are plain data")
}

fn group(target: &Target, own: Option<IpAddr>) -> Group<'_> {
    let mut address = target.address;
    // Whoever listens on all addresses is found where this client has found it.
    if let (true, Some(own)) = (address.ip().is_unspecified(), own) {
        address.set_ip(own);
    }
    let labels = Labels { role: &target.role, node: target.node.as_deref() };
    Group { targets: [address.to_string()], labels }
}

fn index(role: &str, has_targets: bool) -> String {
    let paths = ["/metrics", "/healthz", "/targets"];
    let shown = if has_targets { &paths[..] } else { &paths[..2] };
    let items: String =
        shown.iter().map(|path| format!("<li><a href=\"{path}\">{path}</a></li>\n")).collect();
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>Fogbit {role}</title>\n\
         <h1>Fogbit {role}</h1>\n<ul>\n{items}</ul>\n</html>\n"
    )
}

fn text(status: StatusCode, body: &'static str) -> Answer {
    reply(status, PLAIN, body)
}

fn reply(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(Full::new(body.into()));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    answer
}
