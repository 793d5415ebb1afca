//! What a run over processes needs before it begins: a socket, and tokens for the nodes.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use fogbit_transport::endpoint;
use fogbit_transport::token::{Published, Tokens, published_file, token_file};
use tokio::runtime::Runtime;
use tokio::sync::watch;

use super::run::{BackendKind, RunArgs};
use crate::backend::process::{Nodes, Options, Targets};
use crate::exit::{Exit, Failure};

/// The socket and the tokens of a run over processes.
pub(super) struct Network {
    endpoint: quinn::Endpoint,
    tokens: Tokens,
    /// The tokens of the nodes, where the user wants them.
    published: Option<Published>,
}

impl Network {
    /// `None` for the backend that needs none.
    pub(super) fn prepare(args: &RunArgs, runtime: &Runtime) -> Result<Option<Network>, Failure> {
        if args.publish_tokens.is_some() && args.backend != BackendKind::Join {
            return Err(Failure::usage("--publish-tokens is for --backend join alone"));
        }
        if args.backend == BackendKind::Sim {
            return Ok(None);
        }
        let _guard = runtime.enter();
        let address = args.listen.unwrap_or_else(|| (Ipv4Addr::LOCALHOST, 0).into());
        let endpoint = endpoint::bind(address).map_err(|error| {
            Failure::usage(format!("cannot listen on {address}: {error}"))
                .help("choose another address with --listen; port 0 takes a free one")
        })?;
        let tokens = match &args.tokens {
            Some(dir) => Tokens::load(dir).map_err(|error| {
                Failure::usage(format!("cannot read the tokens: {error}"))
                    .help(format!("`fogbit token create --out {}` makes them", dir.display()))
            })?,
            None => Tokens::generate().map_err(|error| Failure::new(Exit::Internal, error))?,
        };
        let publish = |dir: &PathBuf| {
            tokens.publish(|role| published_file(dir, role)).map_err(|error| {
                Failure::usage(format!("cannot publish the tokens: {error}"))
                    .help("--publish-tokens names a folder that this process can write to")
            })
        };
        let published = args.publish_tokens.as_ref().map(publish).transpose()?;
        Ok(Some(Network { endpoint, tokens, published }))
    }

    /// What the backend needs, and what there is for the length of the run alone.
    pub(super) fn options(
        self,
        args: &RunArgs,
        results: &Path,
        targets: Targets,
        stopped: watch::Receiver<bool>,
    ) -> Result<(Options, Made), Failure> {
        let Network { endpoint, tokens, published } = self;
        let mut made = Made { _published: published, folder: None };
        let nodes = if args.backend == BackendKind::Join {
            let (folder, own) = token_folder(args, &tokens, results)?;
            made.folder = own;
            let address = endpoint.local_addr().map_err(|e| Failure::new(Exit::Internal, e))?;
            let hint = format!(" (joining on {address}, tokens in {})", folder.display());
            Nodes::Others { task_nodes: args.task_nodes.max(1), hint }
        } else {
            Nodes::Children { pin: !args.no_pin }
        };
        let logs = results.join("logs");
        Ok((Options { endpoint, tokens, nodes, logs, stopped, targets }, made))
    }
}

/// Tokens that are removed when the run is over.
pub(super) struct Made {
    _published: Option<Published>,
    folder: Option<(PathBuf, Published)>,
}

impl Drop for Made {
    fn drop(&mut self) {
        if let Some((folder, tokens)) = self.folder.take() {
            drop(tokens);
            // Somebody may have put something else there.
            let _ = std::fs::remove_dir(folder);
        }
    }
}

/// The folder of the tokens, and the same again with them if it was made for this run alone.
fn token_folder(
    args: &RunArgs,
    tokens: &Tokens,
    results: &Path,
) -> Result<(PathBuf, Option<(PathBuf, Published)>), Failure> {
    if let Some(folder) = args.publish_tokens.as_ref().or(args.tokens.as_ref()) {
        return Ok((folder.clone(), None));
    }
    let folder = results.join("tokens");
    let published = tokens
        .publish(|role| folder.join(token_file(role)))
        .map_err(|error| Failure::new(Exit::Failed, error))?;
    Ok((folder.clone(), Some((folder, published))))
}
