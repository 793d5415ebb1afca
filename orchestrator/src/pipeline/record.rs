//! Decision files: a row for each application of a trial.

use std::fmt::Write;

use fogbit_policy::pipeline::Optimum;
use fogbit_scenario::pipeline::{ApplicationFate, ApplicationStep};

use super::tally::as_label;

/// The columns.
pub const COLUMNS: [&str; 9] = [
    "application",
    "placement",
    "label",
    "delay_ns",
    "optimum_ns",
    "as_label",
    "fate",
    "measured_ns",
    "held_up_ns",
];

/// The head of the file.
pub fn header() -> String {
    COLUMNS.join(",") + "\n"
}

/// In this base every site is one digit: there are 32 at most.
const BASE: u32 = 36;

/// A placement: the site of each sub-task, a digit each, as in `00121`; site 10 is `a`, 11 `b`, and so
/// on.
pub fn placement_text(placement: &[u8]) -> String {
    let digit = |site: &u8| char::from_digit(u32::from(*site), BASE).unwrap_or('?');
    placement.iter().map(digit).collect()
}

/// Reads a placement over so many sites again; none where it is none, or names a site that there is
/// not.
pub fn placement_of(text: &str, sites: usize) -> Option<Vec<u8>> {
    let site = |digit: char| digit.to_digit(BASE).map(|site| site as u8);
    let known = |site: &u8| usize::from(*site) < sites && !text.contains(char::is_uppercase);
    text.chars().map(|digit| site(digit).filter(known)).collect()
}

/// `done`, `timed-out`, or `refused-CODE`.
pub fn fate_text(fate: ApplicationFate) -> String {
    match fate {
        ApplicationFate::Done => "done".into(),
        ApplicationFate::TimedOut => "timed-out".into(),
        ApplicationFate::Refused(code) => format!("refused-{code}"),
    }
}

/// Reads a fate again.
pub fn fate_of(text: &str) -> Option<ApplicationFate> {
    match text {
        "done" => Some(ApplicationFate::Done),
        "timed-out" => Some(ApplicationFate::TimedOut),
        text => text.strip_prefix("refused-")?.parse().ok().map(ApplicationFate::Refused),
    }
}

/// A row of it.
#[derive(Debug, Clone, Copy)]
pub struct DecisionRow<'s> {
    /// What happened.
    pub step: &'s ApplicationStep,
    /// Its modelled delay in nanoseconds.
    pub delay_ns: u64,
    /// Its best placement.
    pub label: &'s Optimum,
    /// By how much its sub-tasks took longer than they were to, in nanoseconds.
    pub held_up_ns: u64,
}

impl DecisionRow<'_> {
    /// Appends it to `text`. What was measured is left out where nobody did.
    pub fn append_to(&self, text: &mut String) {
        let DecisionRow { step, delay_ns, label, held_up_ns } = *self;
        let _ = write!(
            text,
            "{},{},{},{delay_ns},{},{},{},",
            step.application,
            placement_text(&step.placement),
            placement_text(&label.placement),
            label.delay_ns,
            as_label(&step.placement, &label.placement),
            fate_text(step.fate)
        );
        match &step.measured {
            Some(measured) => {
                let _ = writeln!(text, "{},{held_up_ns}", measured.delay_ns);
            }
            None => text.push_str(",\n"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placements_and_fates_read_back() {
        for (placement, text) in [(vec![0, 2, 1], "021"), (vec![10, 0, 31], "a0v"), (vec![7], "7")]
        {
            assert_eq!(placement_text(&placement), text);
            assert_eq!(placement_of(text, 32), Some(placement));
        }
        for (text, sites) in [("03", 3), ("0-1", 3), ("0x", 32), ("0A", 32), ("c", 12), (" 1", 3)] {
            assert_eq!(placement_of(text, sites), None, "{text}");
        }
        for fate in [ApplicationFate::Done, ApplicationFate::TimedOut, ApplicationFate::Refused(7)]
        {
            assert_eq!(fate_of(&fate_text(fate)), Some(fate));
        }
        for text in ["", "refused", "refused-", "late"] {
            assert_eq!(fate_of(text), None, "{text}");
        }
    }
}
