//! The messages: written into a reused buffer, and read into typed answers.

use std::borrow::Cow;

use fogbit_scenario::{Bit, Contexts};
use serde::ser::{Serialize, Serializer};
use serde::{Deserialize, Serialize as DeriveSerialize};

use super::ExternalTrial;

/// Every language's numbers hold integers up to here.
const LARGEST_INTEGER: u64 = 1 << 53;
/// How much of an answer that makes no sense is shown, in bytes.
const SHOWN: usize = 120;

#[derive(DeriveSerialize)]
#[serde(rename_all = "snake_case")]
enum Request<'a> {
    Start {
        nodes: usize,
        features: usize,
        policy: &'a str,
        seed: u64,
        #[serde(skip_serializing_if = "Option::is_none")]
        slots: Option<u64>,
    },
    Decide {
        slot: u64,
        contexts: Rows<'a>,
        #[serde(skip_serializing_if = "Option::is_none")]
        present: Option<Present<'a>>,
    },
    Learn {
        slot: u64,
        node: usize,
        bit: i8,
        context: Row<'a>,
    },
}

/// The contexts, node after node.
struct Rows<'a>(&'a Contexts);

impl Serialize for Rows<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq((0..self.0.nodes()).map(|node| Row(self.0, node)))
    }
}

/// The context of one node.
struct Row<'a>(&'a Contexts, usize);

impl Serialize for Row<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq((0..self.0.features()).map(|feature| self.0.get(self.1, feature)))
    }
}

/// The numbers of the nodes that are present.
struct Present<'a>(&'a Contexts);

impl Serialize for Present<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq((0..self.0.nodes()).filter(|node| self.0.is_present(*node)))
    }
}

fn write(buffer: &mut Vec<u8>, request: &Request<'_>) {
    serde_json::to_writer(&mut *buffer, request).expect("a message can be written as JSON");
    buffer.push(b'\n');
}

/// What the trial is.
pub(super) fn start(buffer: &mut Vec<u8>, trial: &ExternalTrial<'_>, seed: u64) {
    let &ExternalTrial { name: policy, nodes, features, slots, .. } = trial;
    let slots = Some(slots).filter(|slots| *slots <= LARGEST_INTEGER);
    write(buffer, &Request::Start { nodes, features, policy, seed, slots });
}

/// The question.
pub(super) fn decide(buffer: &mut Vec<u8>, slot: u64, contexts: &Contexts) {
    let present = (contexts.present() < contexts.nodes()).then_some(Present(contexts));
    write(buffer, &Request::Decide { slot, contexts: Rows(contexts), present });
}

/// What came of it.
pub(super) fn learn(buffer: &mut Vec<u8>, slot: u64, contexts: &Contexts, node: usize, bit: Bit) {
    let context = Row(contexts, node);
    write(buffer, &Request::Learn { slot, node, bit: bit.sign(), context });
}

/// What an answer says beside the node.
#[derive(Debug, Default)]
pub(super) struct Decided {
    pub(super) scores: Vec<f64>,
    pub(super) propensity: Option<f64>,
}

/// Keys that are not listed are for others.
#[derive(Debug, Deserialize)]
struct Answer<'a> {
    #[serde(default)]
    node: Option<i64>,
    /// What is no number is null: JSON knows no infinity.
    #[serde(default)]
    scores: Option<Vec<Option<f64>>>,
    #[serde(default)]
    propensity: Option<f64>,
    #[serde(default, borrow)]
    error: Option<Cow<'a, str>>,
}

fn read(line: &[u8]) -> Result<Answer<'_>, String> {
    let trimmed = line.trim_ascii();
    if !trimmed.starts_with(b"{") {
        return Err(format!("its answer is no JSON object: {}", shown(trimmed)));
    }
    let answer: Answer<'_> = serde_json::from_slice(trimmed)
        .map_err(|error| format!("its answer cannot be read ({error}): {}", shown(trimmed)))?;
    match answer.error {
        Some(error) => Err(format!("it says: {}", shown(error.as_bytes()))),
        None => Ok(answer),
    }
}

/// The beginning of a text, without control characters.
fn shown(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(SHOWN)]);
    let dots = if bytes.len() > SHOWN { "..." } else { "" };
    format!("`{}{dots}`", text.replace(char::is_control, " "))
}

/// Reads the answer to [`learn`].
///
/// # Errors
/// If it is none.
pub(super) fn learnt(line: &[u8]) -> Result<(), String> {
    match read(line)?.node {
        None => Ok(()),
        Some(_) => Err("it answered a `learn` with a node: each `learn` wants a line of its own, \
                        such as {}"
            .into()),
    }
}

/// Reads the answer to [`decide`]; gives the node, and the rest in `decided`.
///
/// # Errors
/// If it is none, or chooses a node that is not there.
pub(super) fn decided(
    line: &[u8],
    contexts: &Contexts,
    decided: &mut Decided,
) -> Result<usize, String> {
    let answer = read(line)?;
    let node = answer.node.ok_or_else(|| format!("its answer has no node: {}", shown(line)))?;
    let nodes = contexts.nodes();
    let Some(chosen) = usize::try_from(node).ok().filter(|node| *node < nodes) else {
        return Err(format!("node {node} was chosen where there are {nodes}, counted from 0"));
    };
    if !contexts.is_present(chosen) {
        return Err(format!("the absent node {node} was chosen"));
    }
    let scores = answer.scores.unwrap_or_default();
    if !scores.is_empty() && scores.len() != nodes {
        return Err(format!("{} scores for {nodes} nodes", scores.len()));
    }
    decided.scores.clear();
    decided.scores.extend(scores.into_iter().map(|score| score.unwrap_or(f64::NAN)));
    decided.propensity = answer.propensity;
    if let Some(propensity) = answer.propensity.filter(|p| !(*p > 0.0 && *p <= 1.0)) {
        return Err(format!(
            "its choice has a propensity of {propensity}, not above 0 and up to 1"
        ));
    }
    Ok(chosen)
}

#[cfg(test)]
mod tests {
    use fogbit_scenario::draw::{Key, Purpose};

    use super::*;

    fn contexts() -> Contexts {
        let mut contexts = Contexts::new(3, 2);
        for (node, state) in [[0.5, -0.0], [1.0 / 3.0, 5e-324], [0.0, 0.125]].iter().enumerate() {
            contexts.set_state(node, state);
        }
        contexts
    }

    fn text(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut buffer = Vec::new();
        write(&mut buffer);
        String::from_utf8(buffer).unwrap()
    }

    /// The texts are those of the documentation.
    #[test]
    fn messages_are_as_documented() {
        let mut contexts = contexts();
        let all = "[[0.5,-0.0],[0.3333333333333333,5e-324],[0.0,0.125]]";
        assert_eq!(
            text(|b| decide(b, 7, &contexts)),
            format!("{{\"decide\":{{\"slot\":7,\"contexts\":{all}}}}}\n")
        );
        contexts.set_present(1, false);
        assert_eq!(
            text(|b| decide(b, 8, &contexts)),
            format!("{{\"decide\":{{\"slot\":8,\"contexts\":{all},\"present\":[0,2]}}}}\n")
        );
        assert_eq!(
            text(|b| learn(b, 7, &contexts, 2, Bit::Unhappy)),
            "{\"learn\":{\"slot\":7,\"node\":2,\"bit\":-1,\"context\":[0.0,0.125]}}\n"
        );
        let key = Key::derive(1, Purpose::Policy("mine"), 0);
        let folder = std::path::Path::new(".");
        let mut trial =
            ExternalTrial { name: "mine", folder, nodes: 3, features: 2, slots: 100, key: &key };
        let start_of = |trial: &ExternalTrial<'_>| text(|b| start(b, trial, 99));
        assert_eq!(
            start_of(&trial),
            "{\"start\":{\"nodes\":3,\"features\":2,\"policy\":\"mine\",\"seed\":99,\"slots\":100}}\n"
        );
        trial.slots = u64::MAX;
        assert!(!start_of(&trial).contains("slots"), "an endless trial has no last slot");
    }

    #[test]
    fn answers_are_read_and_unknown_keys_left_alone() {
        let (contexts, mut more) = (contexts(), Decided::default());
        let line =
            b" {\"scores\":[0.5,null,1],\"node\":2,\"propensity\":0.25,\"new\":{\"a\":[]}} \r\n";
        assert_eq!(decided(line, &contexts, &mut more), Ok(2));
        assert!(more.scores[1].is_nan() && (more.scores[0], more.scores[2]) == (0.5, 1.0));
        assert_eq!(more.propensity, Some(0.25));
        assert_eq!(decided(b"{\"node\":0}\n", &contexts, &mut more), Ok(0));
        assert!(more.scores.is_empty() && more.propensity.is_none());
        for line in [&b"{}\n"[..], b"{\"estimate\":null}\n", b"{\"estimate\":[1,2]}\n"] {
            assert_eq!(learnt(line), Ok(()));
        }
    }

    #[test]
    fn what_is_no_answer_is_told() {
        let (mut contexts, mut more) = (contexts(), Decided::default());
        contexts.set_present(1, false);
        for (line, part) in [
            (&b"garbage\n"[..], "no JSON object: `garbage`"),
            (b"[2]\n", "no JSON object"),
            (b"\n", "no JSON object"),
            (b"{\"node\":\n", "cannot be read"),
            (b"{\"node\":\"2\"}\n", "cannot be read"),
            (b"{\"node\":0.5}\n", "cannot be read"),
            (b"\xff\xfe\n", "no JSON object"),
            (b"{\"scores\":[1,2,3]}\n", "has no node"),
            (b"{\"node\":3}\n", "node 3 was chosen where there are 3"),
            (b"{\"node\":-1}\n", "node -1 was chosen"),
            (b"{\"node\":1}\n", "absent node 1"),
            (b"{\"node\":0,\"scores\":[1]}\n", "1 scores for 3 nodes"),
            (b"{\"node\":0,\"propensity\":0}\n", "propensity of 0"),
            (b"{\"error\":\"no idea\",\"node\":0}\n", "it says: `no idea`"),
        ] {
            let told = decided(line, &contexts, &mut more).unwrap_err();
            assert!(told.contains(part), "{told}");
        }
        assert!(learnt(b"{\"node\":0}\n").unwrap_err().contains("line of its own"));
        let long = [b"{\"error\":\"".as_slice(), &[b'x'; 1000], b"\"}\n"].concat();
        assert!(learnt(&long).unwrap_err().len() < 200);
    }
}
