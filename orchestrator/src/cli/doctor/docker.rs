//! Docker and Docker Compose, which Fogbit can do without.

use std::io;
use std::process::{Output, Stdio};
use std::time::Duration;

use tokio::process::Command;

use super::check::Check;

/// An engine that takes longer to answer counts as not reachable.
const PATIENCE: Duration = Duration::from_secs(5);

pub(super) async fn checks() -> Vec<Check> {
    let engine = ask(&["version", "--format", "{{.Server.Version}}"]);
    let compose = ask(&["compose", "version"]);
    let (engine, compose) = tokio::join!(engine, compose);
    vec![judge_engine(engine), judge_compose(compose)]
}

/// What came of a `docker` command.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Asked {
    /// It ended well, with this on standard output.
    Said(String),
    /// It ended badly, with this as the first line on standard error.
    Refused(String),
    /// There is no such program.
    Missing,
    /// It did not end in time.
    Silent,
}

async fn ask(arguments: &[&str]) -> Asked {
    let output =
        Command::new("docker").args(arguments).stdin(Stdio::null()).kill_on_drop(true).output();
    match tokio::time::timeout(PATIENCE, output).await {
        Ok(output) => answer(output),
        Err(_) => Asked::Silent,
    }
}

fn answer(output: io::Result<Output>) -> Asked {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    match output {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Asked::Missing,
        Err(error) => Asked::Refused(error.to_string()),
        Ok(output) if output.status.success() => Asked::Said(text(&output.stdout)),
        Ok(output) => {
            Asked::Refused(text(&output.stderr).lines().next().unwrap_or_default().to_owned())
        }
    }
}

fn judge_engine(asked: Asked) -> Check {
    let check = "docker";
    let reach = "only Docker Compose needs it: start it (`sudo systemctl start docker`), and see \
                 that you may use it (group `docker`) and that DOCKER_HOST, if set, is right";
    match asked {
        Asked::Said(version) if !version.is_empty() => {
            Check::well(check, format!("engine {version}"))
        }
        Asked::Said(_) => Check::warning(check, "the engine does not say its version", reach),
        Asked::Refused(reason) => {
            Check::warning(check, format!("the engine is not reachable: {reason}"), reach)
        }
        Asked::Silent => Check::warning(check, "the engine does not answer within 5 s", reach),
        Asked::Missing => Check::warning(
            check,
            "there is no program `docker`",
            "only Docker Compose needs it: install Docker Engine, \
             https://docs.docker.com/engine/install/",
        ),
    }
}

fn judge_compose(asked: Asked) -> Check {
    let check = "docker-compose";
    let install = "only the stack with Prometheus and Grafana needs it: install the Compose plugin, \
                   version 2 or newer, https://docs.docker.com/compose/install/ (the old program \
                   `docker-compose` is not enough)";
    match asked {
        Asked::Said(text) => match compose_version(&text) {
            Some((version, 2..)) => Check::well(check, format!("Compose {version}")),
            Some((version, _)) => {
                Check::warning(check, format!("Compose {version} is too old"), install)
            }
            None => Check::warning(
                check,
                format!("`docker compose version` says what is no version: {text}"),
                install,
            ),
        },
        Asked::Refused(_) => Check::warning(check, "`docker` has no Compose plugin", install),
        Asked::Silent => Check::warning(check, "it does not answer within 5 s", install),
        Asked::Missing => Check::warning(check, "there is no program `docker`", install),
    }
}

/// The version in a text like `Docker Compose version v2.29.1`, and its first number.
fn compose_version(text: &str) -> Option<(&str, u32)> {
    let version = text.split_whitespace().last()?;
    let version = version.strip_prefix('v').unwrap_or(version);
    let (major, _) = version.split_once('.')?;
    Some((version, major.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;
    use std::process::ExitStatus;

    use super::*;
    use crate::cli::doctor::check::Verdict;

    fn said(text: &str) -> Asked {
        Asked::Said(text.into())
    }

    #[test]
    fn what_a_program_says_is_understood() {
        let output = |code: i32, stdout: &str, stderr: &str| {
            answer(Ok(Output {
                status: ExitStatus::from_raw(code << 8),
                stdout: stdout.into(),
                stderr: stderr.into(),
            }))
        };
        assert_eq!(output(0, "27.1.1\n", ""), said("27.1.1"));
        let refused = output(1, "\n", "Cannot connect.\nIs it running?\n");
        assert_eq!(refused, Asked::Refused("Cannot connect.".into()));
        assert_eq!(output(1, "", ""), Asked::Refused(String::new()));
        assert_eq!(answer(Err(io::ErrorKind::NotFound.into())), Asked::Missing);
        let forbidden = answer(Err(io::ErrorKind::PermissionDenied.into()));
        assert_eq!(forbidden, Asked::Refused("permission denied".into()));
    }

    #[test]
    fn without_an_engine_there_is_a_warning() {
        let well = judge_engine(said("27.1.1"));
        assert_eq!((well.verdict, well.found.as_str()), (Verdict::Well, "engine 27.1.1"));
        let others = [said(""), Asked::Refused("no".into()), Asked::Silent, Asked::Missing];
        for other in others {
            assert_eq!(judge_engine(other).verdict, Verdict::Warning);
        }
        let advice = judge_engine(Asked::Missing).advice.unwrap();
        assert!(advice.contains("install Docker Engine"), "{advice}");
    }

    #[test]
    fn without_compose_there_is_a_warning() {
        for (text, version) in [
            ("Docker Compose version v2.29.1", "2.29.1"),
            ("Docker Compose version 2.3.3", "2.3.3"),
            ("Docker Compose version v5.0.0-rc.1", "5.0.0-rc.1"),
            ("Docker Compose version 2.37.1+ds1-0ubuntu2", "2.37.1+ds1-0ubuntu2"),
        ] {
            let well = judge_compose(said(text));
            assert_eq!((well.verdict, well.found), (Verdict::Well, format!("Compose {version}")));
        }
        let others = [
            said("Docker Compose version v1.29.2"),
            said("something else"),
            said(""),
            Asked::Refused("unknown command".into()),
            Asked::Silent,
            Asked::Missing,
        ];
        for other in others {
            assert_eq!(judge_compose(other.clone()).verdict, Verdict::Warning, "{other:?}");
        }
    }
}
