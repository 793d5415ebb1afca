//! How `node` and `task-node` become members of a run: at once, or when it is possible.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use fogbit_transport::{Backoff, Joiner, Member, MemberError, MemberOptions, Obstacle, Token};
use tokio::time::Instant;

use crate::exit::{Exit, Failure, tell};

/// While another attempt can follow, an orchestrator that shows no sign of life for this long is
/// given up: its name may have another address by now.
const ANSWER_WITHIN: Duration = Duration::from_secs(4);

/// How long to wait for what is not there yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wait {
    /// So long after the first attempt.
    For(Duration),
    /// Until it is there.
    Forever,
}

impl Wait {
    /// Unless the user says otherwise.
    pub(super) const DEFAULT: Wait = Wait::For(Duration::from_secs(30));

    fn deadline(self) -> Option<Instant> {
        match self {
            // A time that the clock cannot show never comes.
            Wait::For(time) => Instant::now().checked_add(time),
            Wait::Forever => None,
        }
    }
}

impl FromStr for Wait {
    type Err = String;

    fn from_str(text: &str) -> Result<Wait, String> {
        if text == "forever" {
            return Ok(Wait::Forever);
        }
        humantime::parse_duration(text)
            .map(Wait::For)
            .map_err(|error| format!("neither `forever` nor a time like `30s`: {error}"))
    }
}

/// Where the token comes from.
#[derive(Debug)]
pub(super) enum TokenSource {
    /// A file, read anew at each attempt: a later run brings another token.
    File(PathBuf),
    /// Standard input, which was read.
    Given(Token),
}

impl TokenSource {
    fn token(&self) -> Result<Token, Setback> {
        let path = match self {
            TokenSource::Given(token) => return Ok(token.clone()),
            TokenSource::File(path) => path,
        };
        let shown = path.display();
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) => {
                let message = format!("cannot read the token file {shown}: {error}");
                if error.kind() != std::io::ErrorKind::NotFound {
                    return Err(Setback::Lasting(Failure::usage(message)));
                }
                let reason = format!("there is no token file {shown} yet");
                return Err(Setback::passing(reason, message));
            }
        };
        if text.trim().is_empty() {
            let message = format!("the token file {shown} is empty");
            return Err(Setback::passing(message.clone(), message));
        }
        parse_token(path, &text).map_err(Setback::Lasting)
    }
}

/// The token in `text`, which is the content of the file `path`.
pub(super) fn parse_token(path: &Path, text: &str) -> Result<Token, Failure> {
    Token::parse(text).map_err(|error| {
        Failure::usage(format!("{}: {error}", path.display()))
            .help("`fogbit token create --out DIR` writes a token for each role")
    })
}

/// Why an attempt to join failed.
enum Setback {
    /// A later attempt may succeed: what is waited for in words, and how it ends if it never does.
    Passing(String, Failure),
    /// None ever will.
    Lasting(Failure),
}

impl Setback {
    fn passing(reason: String, message: impl std::fmt::Display) -> Setback {
        Setback::Passing(reason, Failure::new(Exit::Failed, message))
    }

    fn of(error: &MemberError, options: &MemberOptions) -> Setback {
        let join = &options.join;
        let reason = match error.obstacle() {
            None => return Setback::Lasting(Failure::new(Exit::Failed, error)),
            Some(Obstacle::NoAddress) => format!("the orchestrator {join} has no address yet"),
            Some(Obstacle::NoOrchestrator) => error.to_string(),
            Some(Obstacle::OtherRun) => {
                format!("the orchestrator {join} is not of the run this token is for")
            }
            Some(Obstacle::NoPlace) => "every place is taken, this node is a spare".into(),
            Some(Obstacle::NameTaken) => {
                format!("the name {} is taken or unknown", options.name.as_deref().unwrap_or("?"))
            }
        };
        Setback::passing(reason, error)
    }
}

/// A node that joins, as often as it is asked to.
pub(super) struct Joining<F> {
    joiner: Joiner,
    source: TokenSource,
    options: F,
    wait: Wait,
}

impl<F: Fn(Token) -> MemberOptions> Joining<F> {
    /// A node that joins with what `options` makes of its token.
    pub(super) fn new(source: TokenSource, wait: Wait, options: F) -> Joining<F> {
        Joining { joiner: Joiner::default(), source, options, wait }
    }

    /// Joins as soon as it can, and says what it waits for.
    ///
    /// # Errors
    /// What cannot pass, at once; what might have passed, when the time is over.
    pub(super) async fn join(&mut self) -> Result<Member, Failure> {
        let deadline = self.wait.deadline();
        let mut backoff = Backoff::default();
        let mut told = String::new();
        loop {
            let (reason, failure) = match self.attempt().await {
                Ok(member) => return Ok(member),
                Err(Setback::Lasting(failure)) => return Err(failure),
                Err(Setback::Passing(reason, failure)) => (reason, failure),
            };
            let now = Instant::now();
            if deadline.is_some_and(|deadline| deadline <= now) {
                return Err(failure);
            }
            if reason != told {
                tell(format_args!("waiting: {reason}"));
                told = reason;
            }
            let next = now + backoff.pause();
            tokio::time::sleep_until(deadline.map_or(next, |deadline| deadline.min(next))).await;
        }
    }

    async fn attempt(&mut self) -> Result<Member, Setback> {
        let mut options = (self.options)(self.source.token()?);
        options.answer_within = (self.wait != Wait::For(Duration::ZERO)).then_some(ANSWER_WITHIN);
        self.joiner.join(&options).await.map_err(|error| Setback::of(&error, &options))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_times() {
        assert_eq!("forever".parse(), Ok(Wait::Forever));
        assert_eq!("0s".parse(), Ok(Wait::For(Duration::ZERO)));
        assert_eq!("1min 30s".parse(), Ok(Wait::For(Duration::from_secs(90))));
        assert!("soon".parse::<Wait>().unwrap_err().contains("forever"));
    }
}
