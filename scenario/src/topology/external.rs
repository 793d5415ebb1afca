//! External policies in the topology file: programs that are asked over standard input and output.

use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::TimeSpan;

/// Parameters of an external policy: a program that decides. `docs/external-policies.md` has the
/// protocol.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExternalProgram {
    /// The program and its arguments, for example `["python3", "my_policy.py"]`. It runs in the
    /// folder of the topology file.
    pub command: Vec<String>,
    /// Further files that the program needs, relative to the topology file. They are kept with the
    /// results, as are files that `command` names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<String>,
    /// A decision that takes longer ends the trial (1 ms to 1 h).
    #[serde(default = "second")]
    pub timeout: TimeSpan,
    /// The same for the first decision, which has to wait until the program has started (1 ms to
    /// 1 h).
    #[serde(default = "half_a_minute")]
    pub start_timeout: TimeSpan,
}

fn second() -> TimeSpan {
    TimeSpan(Duration::from_secs(1))
}

fn half_a_minute() -> TimeSpan {
    TimeSpan(Duration::from_secs(30))
}

/// A file that is kept with the results, so that they can be played again from there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptFile {
    /// Where it lies now.
    pub from: PathBuf,
    /// Where it lies in the results directory, relative to it.
    pub to: PathBuf,
}

impl ExternalProgram {
    /// The files of `folder`, that of the topology file, that belong to this policy: those of
    /// `files`, and those that `command` names and that are there.
    pub fn kept_files(&self, folder: &Path) -> Vec<KeptFile> {
        let named = self.command.iter().filter(|argument| is_file(argument, folder));
        named
            .chain(&self.files)
            .map(|name| KeptFile { from: folder.join(name), to: kept_name(name) })
            .collect()
    }

    /// The same policy as it is written beside those files.
    pub(crate) fn beside_kept_files(&self, folder: &Path) -> ExternalProgram {
        let kept = |name: &String| match is_file(name, folder) {
            true => kept_name(name).to_string_lossy().into_owned(),
            false => name.clone(),
        };
        ExternalProgram {
            command: self.command.iter().map(kept).collect(),
            files: self.files.iter().map(kept).collect(),
            ..self.clone()
        }
    }
}

/// Whether an argument names a file relative to `folder`. Absolute paths stay what they are, and a
/// program without a slash is looked for on the search path.
fn is_file(argument: &str, folder: &Path) -> bool {
    let path = Path::new(argument);
    path.is_relative() && !argument.is_empty() && folder.join(path).is_file()
}

/// The place of a file within the results: the same as within the folder of the topology, or its
/// name alone where it lies outside.
fn kept_name(name: &str) -> PathBuf {
    let path = Path::new(name);
    let inside = path.components().all(|c| matches!(c, Component::Normal(_) | Component::CurDir));
    let normal = path.components().filter(|c| matches!(c, Component::Normal(_)));
    if inside { normal.collect() } else { path.file_name().unwrap_or_default().into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_keep_their_place_unless_they_lie_outside() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("inner");
        std::fs::create_dir(&inner).unwrap();
        for name in ["outer.py", "inner/a.py", "inner/python3"] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        let program = ExternalProgram {
            command: words(&["python", "./a.py", "../outer.py", "missing.py", "--x=a.py"]),
            files: words(&["../inner/a.py"]),
            timeout: second(),
            start_timeout: half_a_minute(),
        };
        let kept = program.kept_files(&inner);
        let to: Vec<_> = kept.iter().map(|file| file.to.to_str().unwrap()).collect();
        assert_eq!(to, ["a.py", "outer.py", "a.py"]);
        assert!(kept.iter().all(|file| file.from.is_file()));
        let beside = program.beside_kept_files(&inner);
        assert_eq!(beside.command, ["python", "a.py", "outer.py", "missing.py", "--x=a.py"]);
        assert_eq!(beside.files, ["a.py"]);
    }
}
