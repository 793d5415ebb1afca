//! Decision files: a row for each application of a trial.

use std::fmt::Write;

use fogbit_scenario::pipeline::ApplicationFate;

use super::tally::Entry;

/// The columns.
pub const COLUMNS: [&str; 8] = [
    "application",
    "placement",
    "label",
    "delay_ns",
    "optimum_ns",
    "as_label",
    "fate",
    "measured_ns",
];

/// With more sites than these a site is more than one digit, and a hyphen stands between two.
const MOST_DIGITS: usize = 10;

/// The head of the file.
pub fn header() -> String {
    COLUMNS.join(",") + "\n"
}

/// A placement over so many sites: the number of the site of each sub-task, as in `00121`; with
/// hyphens between them where there are more than ten sites, as in `0-0-11-2`.
pub fn placement_text(placement: &[u8], sites: usize) -> String {
    let sites_of: Vec<String> = placement.iter().map(u8::to_string).collect();
    sites_of.join(if sites > MOST_DIGITS { "-" } else { "" })
}

/// Reads a placement again; none where it is none, or names a site that there is not.
pub fn placement_of(text: &str, sites: usize) -> Option<Vec<u8>> {
    let known = |site: u8| (usize::from(site) < sites).then_some(site);
    match sites > MOST_DIGITS {
        true => text.split('-').map(|own| known(own.parse().ok()?)).collect(),
        false => text.chars().map(|own| known(own.to_digit(10)? as u8)).collect(),
    }
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

/// Appends the row of an application over so many sites to `text`. What was measured is left out
/// where nobody did.
pub fn append_row(text: &mut String, entry: &Entry<'_>, sites: usize) {
    let Entry { step, delay_ns, label, .. } = *entry;
    let _ = write!(
        text,
        "{},{},{},{delay_ns},{},{},{},",
        step.application,
        placement_text(&step.placement, sites),
        placement_text(&label.placement, sites),
        label.delay_ns,
        entry.as_label(),
        fate_text(step.fate)
    );
    if let Some(measured) = &step.measured {
        let _ = write!(text, "{}", measured.delay_ns);
    }
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placements_and_fates_read_back() {
        for (placement, sites, text) in [
            (vec![0, 2, 1], 3, "021"),
            (vec![9, 0], 10, "90"),
            (vec![10, 0, 3], 11, "10-0-3"),
            (vec![7], 12, "7"),
        ] {
            assert_eq!(placement_text(&placement, sites), text);
            assert_eq!(placement_of(text, sites), Some(placement));
        }
        for (text, sites) in [("03", 3), ("0-1", 3), ("0x", 3), ("12", 12), ("-1", 12), ("", 11)] {
            assert_eq!(placement_of(text, sites), None, "{text}");
        }
        for fate in [ApplicationFate::Done, ApplicationFate::TimedOut, ApplicationFate::Refused(7)] {
            assert_eq!(fate_of(&fate_text(fate)), Some(fate));
        }
        for text in ["", "refused", "refused-", "late"] {
            assert_eq!(fate_of(text), None, "{text}");
        }
    }
}
