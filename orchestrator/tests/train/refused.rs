//! What is refused, with a place and what would be right.

use std::path::Path;

use fogbit_neural::{Metadata, Network};
use fogbit_scenario::draw::{Key, Purpose};

use crate::common::{fogbit, stderr, topology};
use crate::{keep, run, train};

/// A run whose policy names this model is refused before anything is written.
fn refused(model: &Path, more: &[&str], words: &[&str]) {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    let set = format!("policies.learned.model={}", model.display());
    let output = run(&[&["--set", &set], more].concat(), &out);
    let told = stderr(&output);
    assert_eq!(output.status.code(), Some(2), "{told}");
    // The model is what is underlined.
    assert!(told.contains("--set policies.learned.model="), "{told}");
    // Long messages are broken into lines.
    let flat = told.split_whitespace().filter(|word| *word != "│").collect::<Vec<_>>().join(" ");
    for word in words {
        assert!(flat.contains(word), "{word}: {told}");
    }
    assert!(!out.exists());
}

#[test]
fn models_that_are_none() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("m");
    refused(&path, &[], &["there is no model"]);
    keep(&path, &[]);
    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, &whole[..whole.len() - 5]).unwrap();
    refused(&path, &[], &["truncated"]);
    std::fs::write(&path, "no model at all, but a text").unwrap();
    refused(&path, &[], &["no model of `learned`"]);
    std::fs::write(&path, whole).unwrap();
    refused(
        &path,
        &["--set", "policies.learned.train.features=raw"],
        &["was trained with features = \"logarithmic\"", "the policy has \"raw\""],
    );
    refused(&path, &["--set", "policies.learned.train.units=notebook"], &["units = \"fixed\""]);

    let other = Network::new(&[3, 2], &Key::derive(1, Purpose::NetworkWeights, 0));
    other.save(&path, &Metadata::new()).unwrap();
    refused(&path, &[], &["\"problem\"", "something else"]);
    let own = [("problem", "placement"), ("features", "raw"), ("units", "fixed")];
    let own = own.map(|(entry, text)| (entry.to_owned(), text.to_owned()));
    other.save(&path, &own.into()).unwrap();
    refused(&path, &[], &["takes 3 values", "expected 4 and 2"]);
}

#[test]
fn arguments_that_are_wrong() {
    let told = |arguments: &[&str]| {
        let output = train().args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", stderr(&output));
        assert!(output.stdout.is_empty());
        stderr(&output)
    };
    let epochs = told(&["--epochs", "0"]);
    assert!(epochs.contains("--epochs 0") && epochs.contains("from 1 to 10000"), "{epochs}");
    assert!(told(&["--samples", "10"]).contains("from 100"));
    assert!(told(&["--hidden", "64,0"]).contains("hidden layer"));
    assert!(told(&["--features", "round"]).contains("logarithmic"));
    assert!(told(&["--learning-rate", "nan"]).contains("finite number"));
    assert!(told(&["--policy", "rule"]).contains("policies of that kind: learned"));
    let several = told(&["--set", "policies.second.kind=learned"]);
    assert!(several.contains("learned, second"), "{several}");
    assert!(told(&["--out", "/nowhere/at/all"]).contains("no such folder"));
    assert!(told(&["--set", "task.input_kb.max=-1"]).contains("out of range"));
}

/// A model that the topology names need not be there yet; a topology without `learned` is trained
/// with the defaults; one of another problem is refused.
#[test]
fn topologies_to_train_for() {
    let missing = ["--set", "policies.learned.model=nowhere.safetensors"];
    let output = train().args(crate::QUICK).args(missing).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let train = |file: &Path| {
        fogbit().args(["train", "placement"]).arg(file).args(crate::QUICK).output().unwrap()
    };
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("bare.toml");
    let text = "problem = \"placement\"\nslots = 10\nnodes.count = 1\n\
                links.profile = \"lte\"\n[policies.rule]\nkind = \"rule\"\n";
    std::fs::write(&file, text).unwrap();
    let output = train(&file);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let output = train(&topology("paper.toml"));
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("one-bit"), "{}", stderr(&output));
}
