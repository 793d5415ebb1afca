//! `doctor`: whether this host can run Fogbit, and what would help.

mod check;
mod clock;
mod docker;
mod host;
mod network;

use std::fmt::Write;

use clap::Args;
use comfy_table::presets::UTF8_HORIZONTAL_ONLY;
use comfy_table::{ContentArrangement, Table};
use serde::Serialize;

use super::print;
use super::run::Format;
use crate::exit::{Exit, Failure};
use check::{Check, Verdict};

/// Columns of the table; wider findings are wrapped.
const WIDTH: u16 = 100;

/// Check whether this host can run Fogbit
///
/// Looks at ports, limits, buffers, clocks, processors, memory, disk and Docker, and says what would
/// help where something is missing. It changes nothing and takes a second or two, up to 6 seconds
/// where Docker does not answer.
#[derive(Debug, Args)]
#[command(after_help = "Verdicts:\n  \
    well     nothing to do\n  \
    warning  Fogbit works, but not all of it: the advice says what is in the way\n  \
    failed   runs cannot work\n\n\
    JSON (--format json): one object with `version` (of Fogbit), `failed` and `warnings` (how many \
    checks), and `checks`, a list of objects with `check` (a name that stays the same), `verdict` \
    (as above), `found` (a sentence) and `advice` (what to do, or null).\n\n\
    Exit codes: 0 nothing failed, warnings or not; 1 a check failed.")]
pub(crate) struct DoctorArgs {
    /// What goes to standard output: a table with advice, or JSON
    #[arg(long, value_enum, default_value_t = Format::Table, env = "FOGBIT_FORMAT")]
    format: Format,
}

pub(crate) fn doctor(args: DoctorArgs) -> Result<Exit, Failure> {
    let mut checks = network::checks();
    checks.extend(host::checks());
    checks.extend(clock::checks());
    checks.extend(super::stopping::runtime()?.block_on(docker::checks()));
    let findings = Findings::new(checks);
    print(&match args.format {
        Format::Table => findings.table(),
        Format::Json => findings.json()?,
    })?;
    Ok(findings.exit())
}

/// Everything that was found.
#[derive(Debug, Serialize)]
struct Findings {
    version: &'static str,
    failed: usize,
    warnings: usize,
    checks: Vec<Check>,
}

impl Findings {
    fn new(checks: Vec<Check>) -> Findings {
        let count = |verdict| checks.iter().filter(|check| check.verdict == verdict).count();
        Findings {
            version: env!("CARGO_PKG_VERSION"),
            failed: count(Verdict::Failed),
            warnings: count(Verdict::Warning),
            checks,
        }
    }

    fn exit(&self) -> Exit {
        if self.failed == 0 { Exit::Well } else { Exit::Difference }
    }

    /// The advice stands below the table, where commands are not wrapped.
    fn table(&self) -> String {
        let mut table = Table::new();
        table
            .load_style(UTF8_HORIZONTAL_ONLY)
            .set_content_arrangement(ContentArrangement::Dynamic)
            .set_width(WIDTH)
            .set_header(["check", "verdict", "found"]);
        for Check { check, verdict, found, .. } in &self.checks {
            table.add_row([check, verdict.name(), found.as_str()]);
        }
        let mut text = format!("{table}\n");
        for Check { check, verdict, advice, .. } in &self.checks {
            if let Some(advice) = advice {
                let _ = writeln!(text, "{} {check}: {advice}", verdict.name());
            }
        }
        let warnings = match self.warnings {
            0 => "no warnings".into(),
            1 => "1 warning".into(),
            many => format!("{many} warnings"),
        };
        let _ = match self.failed {
            0 => writeln!(text, "This host can run Fogbit: nothing failed, {warnings}."),
            many => writeln!(text, "This host cannot run Fogbit: {many} failed, {warnings}."),
        };
        text
    }

    fn json(&self) -> Result<String, Failure> {
        let text = serde_json::to_string_pretty(self)
            .map_err(|error| Failure::new(Exit::Internal, error))?;
        Ok(text + "\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn well() -> Check {
        Check::well("memory", "plenty")
    }

    fn warning() -> Check {
        Check::warning("docker", "not there", "install it")
    }

    fn failed() -> Check {
        Check::failed("loopback", "broken", "mend it")
    }

    #[test]
    fn only_failed_checks_fail_the_host() {
        let exit = |checks| Findings::new(checks).exit();
        assert_eq!(exit(vec![well()]), Exit::Well);
        assert_eq!(exit(vec![well(), warning(), warning()]), Exit::Well);
        assert_eq!(exit(vec![well(), warning(), failed()]), Exit::Difference);
    }

    #[test]
    fn the_table_has_every_check_and_the_advice_below() {
        let text = Findings::new(vec![well(), warning(), failed()]).table();
        let (table, advice) = text.split_once("warning docker: install it\n").expect("the advice");
        for expected in ["memory", "well", "plenty", "docker", "loopback", "failed", "broken"] {
            assert!(table.contains(expected), "{expected}: {text}");
        }
        assert!(advice.starts_with("failed loopback: mend it\n"), "{text}");
        assert!(advice.ends_with("cannot run Fogbit: 1 failed, 1 warning.\n"), "{text}");
        let text = Findings::new(vec![well()]).table();
        assert!(text.ends_with("can run Fogbit: nothing failed, no warnings.\n"), "{text}");
    }

    #[test]
    fn json_is_as_documented() {
        let json = Findings::new(vec![well(), warning()]).json().unwrap();
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        let expected = serde_json::json!({
            "version": env!("CARGO_PKG_VERSION"),
            "failed": 0,
            "warnings": 1,
            "checks": [
                { "check": "memory", "verdict": "well", "found": "plenty", "advice": null },
                { "check": "docker", "verdict": "warning", "found": "not there",
                  "advice": "install it" },
            ],
        });
        assert_eq!(json, expected);
    }
}
