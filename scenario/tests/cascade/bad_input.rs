//! Every mistake in a topology is told in words that say what would be right, and underlined where it
//! is.

use crate::common::{check_all_with, edited, only_fault};
use crate::{GOOD, TRACE, folder, good, read};

const CASES: &str = r#"
# Keys and kinds.
an unknown key ¦ reset = 0.2 → «rest» = 0.2 ¦ unknown key `rest` ¦ did you mean `reset`?
an unknown kind of arrivals ¦ "markov" → «"markow"» ¦ unknown kind `markow` ¦ did you mean `markov`?
an unknown policy ¦ "belief" → «"believe"» ¦ unknown kind `believe` ¦ did you mean `belief`?
an unknown metric ¦ "average_loss" → «"mean_loss"» ¦ unknown value `mean_loss` ¦
an unknown score ¦ file = "trace.csv" → file = "trace.csv"⏎score = «"metrics"» ¦ unknown value `metrics` ¦ did you mean `metric`?
# Run.
no images ¦ images = 1000 → images = «0» ¦ a trial cannot have 0 images ¦ from 1 to
a seed twice ¦ [5, 6] → [5, «5»] ¦ the seed 5 is given twice ¦ each seed once
too short a slot ¦ "100ms" → «"0s"» ¦ is out of range ¦ from 1ms to 1h
too short a timeout ¦ "2s" → «"9ms"» ¦ timeout = "9ms" is out of range ¦ from 10ms to 1h
too long a timeout ¦ "2s" → «"2h"» ¦ is out of range ¦ from 10ms to 1h
# Trace.
no file ¦ "trace.csv" → «"there-is-none.csv"» ¦ cannot read the trace ¦ relative to its topology file
a folder ¦ "trace.csv" → «"."» ¦ is a folder ¦
losses twice ¦ file = "trace.csv" → file = "trace.csv"⏎weak_loss = «0.3» ¦ weak_loss = 0.3, but the trace holds losses of its own ¦ leave it out
# Stream and arrivals.
a spread above 1 ¦ spread = 0.3 → spread = «1.3» ¦ spread = 1.3 is out of range ¦ from 0 to 1
a negative reset ¦ reset = 0.2 → reset = «-0.2» ¦ reset = -0.2 is out of range ¦ from 0 to 1
a reset of nothing ¦ reset = 0.2 → reset = «nan» ¦ reset is not a finite number ¦
no gap ¦ gaps = [1, 3] → gaps = [«0», 3] ¦ a gap = 0 is out of range ¦ from 1 to 1000
too long a gap ¦ gaps = [1, 3] → gaps = [1, «1001»] ¦ a gap = 1001 is out of range ¦
a state for ever ¦ [0.001, 0.0005] → [0.001, «0»] ¦ the probability of leaving a state = 0 is out of range ¦
leaving too surely ¦ [0.001, 0.0005] → [«1.001», 0.0005] ¦ = 1.001 is out of range ¦ to 1
no constant gap ¦ kind = "markov"⏎gaps = [1, 3]⏎leave = [0.001, 0.0005] → gap = «0» ¦ gap = 0 is out of range ¦ from 1 to 1000
# Bucket.
no rate ¦ rate = 0.1 → rate = «0» ¦ rate = 0 is no number of tokens ¦ above 0
too exact a rate ¦ rate = 0.1 → rate = «0.12345678901» ¦ is no number of tokens ¦ at most nine digits
a rate in words ¦ rate = 0.1 → rate = «"a tenth"» ¦ rate = "a tenth" is no number of tokens ¦ "1/3"
a rate over 0 ¦ rate = 0.1 → rate = «"1/0"» ¦ rate = "1/0" is no number of tokens ¦
a rate above 1 ¦ rate = 0.1 → rate = «1.5» ¦ rate = 1.5 is above 1 ¦ at most one token a slot
no whole token ¦ depth = 4 → depth = «0.5» ¦ depth = 0.5 is below 1 ¦ never holds a token
too many levels ¦ [bucket]⏎rate = 0.1 → [«bucket»]⏎rate = "1/100001" ¦ this bucket has more than 100000 levels ¦ rounder numbers
too much to plan ¦ rate = 0.1 → rate = "1/20000" & places = 64 → places = «64» ¦ filter would plan for 80001 levels ¦ depth = 3 at most
# Nodes.
no workers ¦ workers = 2 → workers = «0» ¦ workers = 0 is out of range ¦ from 1 to 64
too many that wait ¦ queue_limit = 8 → queue_limit = «10001» ¦ queue_limit = 10001 is out of range ¦ from 0 to 10000
a negative size ¦ image_kb = 0.5 → image_kb = «-0.5» ¦ image_kb = -0.5 is out of range ¦
an endless service ¦ service_ms = 3 → service_ms = «inf» ¦ service_ms is not a finite number ¦
no name ¦ name = "cam" → name = «"Cam!"» ¦ `Cam!` cannot be the name of a node ¦ lower-case
a name twice ¦ name = "cam" → name = "cloud" & [edge]⏎name = "cloud" → [edge]⏎name = «"cloud"» ¦ two nodes are called `cloud` ¦ a name of its own
# Link.
an unknown profile ¦ profile = "wifi" → profile = «"wify"» ¦ no link profile is called `wify` ¦ one of loopback
an event too early ¦ at = 20 → at = «9» ¦ slot 9 is listed after slot 10 ¦ in the order
an event of another link ¦ link = "cloud" → link = «"clod"» ¦ no helper node is called `clod` ¦ cloud
an event with a wrong link ¦ rtt_ms = 30 → rtt_ms = «-30» ¦ rtt_ms = -30 is out of range ¦ from 0
# Policies.
no file name ¦ [policies.filter] → [policies.«"../filter"»] ¦ cannot be the name of a policy ¦ it names files
a threshold of nothing ¦ threshold = 0.25 → threshold = «nan» ¦ threshold is not a finite number ¦
no discount ¦ discount = 0.99 → discount = «0» ¦ discount = 0 ¦ above 0
a discount of 1 ¦ discount = 0.99 → discount = «1» ¦ discount = 1 is out of range ¦
too few places ¦ places = 64 → places = «7» ¦ places = 7 is out of range ¦ from 8 to 4096
no model ¦ kind = "dqn" → kind = "dqn"⏎model = «"there-is-none.safetensors"» ¦ there is no model ¦ fogbit train dqn
another setting than none ¦ kind = "dqn" → kind = "dqn"⏎other_setting = «true» ¦ other_setting without a model ¦ model = 
an empty layer ¦ hidden = [8, 9] → hidden = [8, «0»] ¦ hidden layer = 0 is out of range ¦ from 1 to 4096
no iterations ¦ iterations = 3 → iterations = «0» ¦ iterations = 0 is out of range ¦ from 1 to
too short a history ¦ iterations = 3 → history = «1» ¦ history = 1 is out of range ¦ from 2 to 1000
too few images ¦ iterations = 3 → images = «999» ¦ images = 999 is out of range ¦ from 1000
no learning rate ¦ iterations = 3 → learning_rate = «0» ¦ learning_rate = 0 is out of range ¦
# Expectations.
about nobody ¦ policy = "thresholds" → policy = «"threshold"» ¦ no policy is called `threshold` ¦ baseline, thresholds
against itself ¦ below = "baseline" → below = «"thresholds"» ¦ `thresholds` is compared with itself ¦ another policy
no bound ¦ [[expect]]⏎policy = "thresholds"⏎metric = "average_loss"⏎below = "baseline" → «[[expect]]»⏎policy = "thresholds"⏎metric = "average_loss" ¦ needs either `below` or `above` ¦
no seeds to hold for ¦ seeds = 2 → seeds = «0» ¦ no seed shows nothing ¦
"#;

#[test]
fn mistakes_are_underlined() {
    let folder = folder(TRACE);
    let file = folder.path().join("test.toml");
    // Cases name the file as they please, and the trace has to be beside it.
    check_all_with(GOOD, CASES, |name, text| {
        let called = file.display().to_string();
        read(&file, text).map_err(|mut faults| {
            for place in faults.0.iter_mut().filter_map(|fault| fault.place.as_mut()) {
                assert_eq!(place.source.name, called);
                place.source.name = name.display().to_string();
            }
            faults
        })
    });
}

#[test]
fn links_change_in_real_time_only() {
    let folder = folder(TRACE);
    let slot = "[clock]\nkind = \"wall\"\nslot = \"100ms\"\ntimeout = \"2s\"\n\n";
    let text = edited(GOOD, &[(slot, "")]);
    let fault = only_fault("events", read(&folder.path().join("test.toml"), &text));
    assert!(fault.message.contains("in real time only"), "{fault}");
    let place = fault.place.expect("a place");
    assert_eq!(&place.source.text[place.span], "[[event]]");
}

#[test]
fn where_a_trace_has_no_losses_their_mean_is_told() {
    let folder = folder("entropy,reward\n0.1,0\n1.2,1\n");
    let read = |edit: &str| {
        read(&folder.path().join("test.toml"), &edited(GOOD, &[("\"trace.csv\"", edit)]))
    };
    let fault = only_fault("no loss", read("\"trace.csv\""));
    assert!(fault.message.contains("rewards, but no losses"), "{fault}");
    assert!(fault.help.is_some_and(|help| help.contains("weak_loss = 0.3")));
    for bad in ["-0.1", "nan", "1e9"] {
        let fault = only_fault(bad, read(&format!("\"trace.csv\"\nweak_loss = {bad}")));
        let place = fault.place.expect("a place");
        assert_eq!(&place.source.text[place.span], bad);
    }
    let scenario = read("\"trace.csv\"\nweak_loss = 0.3").expect("no fault");
    assert_eq!(scenario.test().weak_loss(), f64::from(0.3f32));
    assert!((scenario.test().strong_loss() + 0.2).abs() < 1e-6);
}

/// With a token for every image there is nothing to decide; that is allowed.
#[test]
fn there_may_be_more_tokens_than_images() {
    let folder = folder(TRACE);
    let edits = [("rate = 0.1", "rate = 1"), ("depth = 4", "depth = 1.5"), ("[1, 3]", "[2, 3]")];
    let setting = good(folder.path(), &edited(GOOD, &edits)).setting();
    assert_eq!(setting.affordable_share(), 1.0);
    assert_eq!((setting.bucket.refill, setting.bucket.price, setting.bucket.depth), (2, 2, 3));
}

#[test]
fn pictures_are_looked_for_only_when_they_are_needed() {
    let folder = folder(TRACE);
    let pictures = "[pictures]\nfrom = \"idx\"\nclassifiers = \"models\"\n\n[stream]";
    let scenario = good(folder.path(), &edited(GOOD, &[("[stream]", pictures)]));
    let fault = |underlined: &str| {
        let fault = scenario.check_pictures().expect_err("something is missing");
        let place = fault.place.clone().expect("a place");
        assert_eq!(&place.source.text[place.span], underlined);
        fault.message
    };
    assert!(fault("\"idx\"").contains("there is no folder"));
    std::fs::create_dir_all(folder.path().join("idx")).unwrap();
    assert!(fault("\"models\"").contains("weak.safetensors"));
    std::fs::create_dir_all(folder.path().join("models")).unwrap();
    std::fs::write(folder.path().join("models/weak.safetensors"), "").unwrap();
    assert!(fault("\"models\"").contains("strong.safetensors"));
    std::fs::write(folder.path().join("models/strong.safetensors"), "").unwrap();
    scenario.check_pictures().expect("all is there");
}

#[test]
fn without_policies_there_is_nothing_to_run() {
    let folder = folder(TRACE);
    let text = "problem = \"cascade\"\nimages = 5\ntrace.file = \"trace.csv\"\n\
                bucket = { rate = 0.1, depth = 4 }\n[policies]\n";
    let fault = only_fault("no policy", read(&folder.path().join("test.toml"), text));
    assert!(fault.message.contains("no policy"), "{fault}");
}

#[test]
fn another_problem_is_named() {
    let text = "problem = \"placement\"\nslots = 5\nnodes.count = 1\npolicies.a.kind = \"rule\"\n";
    let faults = read(std::path::Path::new("test.toml"), text).unwrap_err();
    assert!(faults.to_string().contains("placement"), "{faults}");
}
