//! Checks of external policies.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::{Check, LONGEST_SPAN, SHORTEST_SPAN};
use crate::scenario::trace_path;
use crate::topology::places::way;
use crate::topology::{ExternalProgram, PolicySpec, Topology};

/// What else lies in a results directory, in which the files of a policy are kept.
const TAKEN: &[&str] = &[
    "manifest.json",
    "topology.toml",
    "summary.json",
    "curves.csv",
    "report.html",
    "curves",
    "decisions",
    "logs",
    "tokens",
];

impl Check<'_, '_> {
    /// Checks all external policies of the topology at `path`.
    pub(super) fn external_policies(&mut self, topology: &Topology, path: &Path) {
        let folder = trace_path(path, "");
        let mut kept = BTreeMap::new();
        for (name, spec) in &topology.policies {
            let PolicySpec::External(program) = spec else { continue };
            self.command(name, program);
            for (key, span) in
                [("timeout", program.timeout), ("start_timeout", program.start_timeout)]
            {
                if !(SHORTEST_SPAN..=LONGEST_SPAN).contains(&span) {
                    self.fail(
                        way!["policies", name, key],
                        format!("{key} = \"{span}\" is out of range"),
                        format!("from {SHORTEST_SPAN} to {LONGEST_SPAN}, for example \"1s\""),
                    );
                }
            }
            self.files(name, program, &folder, &mut kept);
        }
    }

    fn command(&mut self, name: &str, program: &ExternalProgram) {
        if program.command.first().is_none_or(String::is_empty) {
            self.fail(
                way!["policies", name, "command"],
                "the command names no program",
                "for example command = [\"python3\", \"my_policy.py\"]",
            );
        }
        if let Some(at) = program.command.iter().position(|argument| argument.contains('\0')) {
            self.fail(
                way!["policies", name, "command", at],
                "no argument of a program can hold a NUL",
                "leave it out",
            );
        }
    }

    /// `kept` says which file is kept under which name so far.
    fn files(
        &mut self,
        name: &str,
        program: &ExternalProgram,
        folder: &Path,
        kept: &mut BTreeMap<PathBuf, PathBuf>,
    ) {
        for (at, file) in program.files.iter().enumerate() {
            let path = Path::new(file);
            if !path.is_relative() || !folder.join(path).is_file() {
                self.fail(
                    way!["policies", name, "files", at],
                    format!("there is no file `{file}`"),
                    "the path of a file, relative to this topology file",
                );
                return;
            }
        }
        for file in program.kept_files(folder) {
            let first = file.to.components().next().map(|first| first.as_os_str().to_owned());
            let taken = first.is_some_and(|first| TAKEN.iter().any(|taken| first == *taken));
            let before = kept.insert(file.to.clone(), file.from.clone());
            if taken || before.is_some_and(|before| !same_file(&before, &file.from)) {
                self.fail(
                    way!["policies", name],
                    format!("something else is called `{}` in the results", file.to.display()),
                    "the files of policies are kept with the results: give this one another name",
                );
            }
        }
    }
}

fn same_file(a: &Path, b: &Path) -> bool {
    let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    real(a) == real(b)
}
