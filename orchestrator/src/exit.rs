//! Exit codes, and errors as the user sees them.

use std::fmt;
use std::process::ExitCode;

use fogbit_scenario::{Fault, Faults};
use miette::{Diagnostic, LabeledSpan, NamedSource, Severity, SourceCode};

/// The exit codes of every command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// All is well.
    Well = 0,
    /// An expectation failed, `verify` or `diff` found a difference, or a check of `doctor` failed.
    Difference = 1,
    /// Wrong usage or a bad topology; nothing was written.
    Usage = 2,
    /// The run is invalid: the host was too slow.
    Invalid = 3,
    /// A node or a trial failed, or results could not be written.
    Failed = 4,
    /// A fault in Fogbit itself.
    Internal = 70,
    /// Interrupted.
    Interrupted = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit as u8)
    }
}

/// An error that ends a command: what the user is shown, and the exit code.
#[derive(Debug)]
pub struct Failure {
    /// The exit code.
    pub exit: Exit,
    /// What is shown, in order.
    pub reports: Vec<Shown>,
}

/// One error as it is shown.
#[derive(Debug, Clone)]
pub struct Shown {
    message: String,
    help: Option<String>,
    source: Option<NamedSource<String>>,
    labels: Vec<LabeledSpan>,
}

impl Failure {
    /// An error without a place.
    pub fn new(exit: Exit, message: impl fmt::Display) -> Failure {
        let message = message.to_string();
        Failure { exit, reports: vec![Shown { message, help: None, source: None, labels: vec![] }] }
    }

    /// Wrong usage.
    pub fn usage(message: impl fmt::Display) -> Failure {
        Failure::new(Exit::Usage, message)
    }

    /// Says what would be right.
    pub fn help(mut self, help: impl Into<String>) -> Failure {
        if let Some(last) = self.reports.last_mut() {
            last.help = Some(help.into());
        }
        self
    }

    /// What is wrong, in a line.
    pub fn told(&self) -> String {
        self.reports.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
    }

    /// Shows the error on standard error.
    pub fn show(self) {
        for report in self.reports {
            tell(format_args!("{:?}", miette::Report::new(report)));
        }
    }
}

/// Writes a line to standard error. Where that cannot be written there is nobody left to tell.
pub fn tell(line: fmt::Arguments<'_>) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr(), "{line}");
}

impl From<Faults> for Failure {
    fn from(faults: Faults) -> Failure {
        Failure { exit: Exit::Usage, reports: faults.0.into_iter().map(Shown::from).collect() }
    }
}

impl Shown {
    /// Says what the error belongs to.
    pub fn about(mut self, what: &str) -> Shown {
        self.message = format!("{what}: {}", self.message);
        self
    }

    /// Whether both say the same of the same place; two overrides of one key are one place.
    pub fn says_the_same(&self, other: &Shown) -> bool {
        let name = |shown: &Shown| shown.source.as_ref().map(|source| source.name().to_owned());
        let (here, there) = (name(self), name(other));
        let key = |name: &Option<String>| {
            name.as_deref().and_then(|name| Some(name.split_once('=')?.0.to_owned()))
        };
        let same_place = match here == there {
            true => self.labels == other.labels,
            false => key(&here).is_some() && key(&here) == key(&there),
        };
        self.message == other.message && same_place
    }
}

impl From<Fault> for Shown {
    fn from(fault: Fault) -> Shown {
        let Fault { message, label, help, place } = fault;
        let Some(place) = place else {
            return Shown { message, help, source: None, labels: vec![] };
        };
        // Line numbers start at 1; a part of a larger file is preceded by its line number in the
        // message itself.
        let text = place.source.text.to_string();
        let start = place.span.start.min(text.len());
        let length = place.span.end.clamp(start, text.len()) - start;
        let labels = vec![LabeledSpan::new(Some(label), start, length)];
        let source = Some(NamedSource::new(place.source.name, text));
        Shown { message, help, source, labels }
    }
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Shown {}

impl Diagnostic for Shown {
    fn severity(&self) -> Option<Severity> {
        Some(Severity::Error)
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help.as_ref().map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.source.as_ref().map(|source| source as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        Some(Box::new(self.labels.iter().cloned()))
    }
}
