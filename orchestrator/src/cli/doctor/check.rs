//! What a check says.

use serde::Serialize;

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Verdict {
    /// Nothing to do.
    Well,
    /// Fogbit works, but not all of it.
    Warning,
    /// Runs cannot work.
    Failed,
}

impl Verdict {
    /// The name in tables, the same as in JSON.
    pub(super) fn name(self) -> &'static str {
        match self {
            Verdict::Well => "well",
            Verdict::Warning => "warning",
            Verdict::Failed => "failed",
        }
    }
}

/// One check: its lasting name, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Check {
    pub(super) check: &'static str,
    pub(super) verdict: Verdict,
    pub(super) found: String,
    pub(super) advice: Option<String>,
}

impl Check {
    pub(super) fn well(check: &'static str, found: impl Into<String>) -> Check {
        Check { check, verdict: Verdict::Well, found: found.into(), advice: None }
    }

    pub(super) fn warning(
        check: &'static str,
        found: impl Into<String>,
        advice: impl Into<String>,
    ) -> Check {
        let (found, advice) = (found.into(), Some(advice.into()));
        Check { check, verdict: Verdict::Warning, found, advice }
    }

    pub(super) fn failed(
        check: &'static str,
        found: impl Into<String>,
        advice: impl Into<String>,
    ) -> Check {
        Check { verdict: Verdict::Failed, ..Check::warning(check, found, advice) }
    }
}
