//! `node`, `task-node` and `token create`: the processes of a run, and what lets them in.

use std::io::{BufRead, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use fogbit_transport::token::{Tokens, token_file};
use fogbit_transport::{Member, MemberOptions, Role, Token};
use tokio::sync::oneshot;

use super::print;
use crate::exit::{Exit, Failure};

/// Serve as a node of a run: `node` is a helper node, `task-node` a task node
///
/// The node proves the secret of its token, gets a certificate for its role and serves until the
/// run is over. `fogbit run` starts its own nodes; by hand they are needed for
/// `fogbit run --backend join`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  \
    fogbit node --join 192.0.2.10:7700 --token-file helper.token\n  \
    fogbit task-node --join 192.0.2.10:7700 --token-file task-node.token")]
pub(crate) struct NodeArgs {
    /// Address of the orchestrator
    #[arg(long, value_name = "HOST:PORT", env = "FOGBIT_JOIN")]
    join: String,

    /// File with the join token of this role; `-` reads it from standard input, whose end then ends
    /// the node
    #[arg(long, value_name = "FILE", env = "FOGBIT_TOKEN_FILE")]
    token_file: PathBuf,

    /// Name to ask for; by default the orchestrator finds one
    #[arg(long, env = "FOGBIT_NAME")]
    name: Option<String>,

    /// Address to listen on; by default any free port of the interface that reaches the
    /// orchestrator
    #[arg(long, value_name = "IP:PORT", env = "FOGBIT_LISTEN")]
    listen: Option<SocketAddr>,

    /// Stay on this processor core
    #[arg(long, value_name = "CORE", env = "FOGBIT_CORE")]
    core: Option<usize>,
}

pub(crate) fn node(args: NodeArgs) -> Result<Exit, Failure> {
    serve(args, Role::Helper)
}

pub(crate) fn task_node(args: NodeArgs) -> Result<Exit, Failure> {
    serve(args, Role::TaskNode)
}

fn serve(args: NodeArgs, role: Role) -> Result<Exit, Failure> {
    if let Some(core) = args.core {
        pin_to(core);
    }
    let (token, ended) = read_token(&args.token_file)?;
    let options =
        MemberOptions { join: args.join, token, role, name: args.name, listen: args.listen };
    let failed = |error: &dyn std::fmt::Display| Failure::new(Exit::Failed, error);
    let runtime = super::run::runtime()?;
    runtime.block_on(async {
        let mut stop = std::pin::pin!(stop(ended));
        let joined = tokio::select! {
            biased;
            () = &mut stop => return Ok(Exit::Interrupted),
            joined = Member::join(&options) => joined,
        };
        let member = joined.map_err(|error| failed(&error))?;
        match role {
            Role::TaskNode => {
                fogbit_task_node::serve(member, stop).await.map_err(|error| failed(&error))?;
            }
            Role::Helper | Role::Orchestrator => {
                fogbit_node::serve(member, stop).await.map_err(|error| failed(&error))?;
            }
        }
        Ok(Exit::Well)
    })
}

/// Completes when the pipe that brought the token is closed, or on a signal.
async fn stop(ended: Option<oneshot::Receiver<()>>) {
    let ended = async {
        match ended {
            // The sender is dropped without a word if the thread dies, which is an end as well.
            Some(ended) => drop(ended.await),
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        biased;
        () = ended => {}
        () = super::run::signal() => {}
    }
}

/// Reads the token. From standard input it also gives a receiver that completes at its end.
fn read_token(path: &Path) -> Result<(Token, Option<oneshot::Receiver<()>>), Failure> {
    let parse = |text: &str| {
        Token::parse(text).map_err(|error| {
            Failure::usage(format!("{}: {error}", path.display()))
                .help("`fogbit token create --out DIR` writes a token for each role")
        })
    };
    if path != Path::new("-") {
        let text = std::fs::read_to_string(path).map_err(|error| {
            Failure::usage(format!("cannot read the token file {}: {error}", path.display()))
        })?;
        return Ok((parse(&text)?, None));
    }
    let mut line = String::new();
    // A token is far shorter; whatever else comes is not kept.
    std::io::stdin()
        .lock()
        .take(4096)
        .read_line(&mut line)
        .map_err(|error| Failure::usage(format!("cannot read standard input: {error}")))?;
    let token = parse(&line)?;
    let (tell, ended) = oneshot::channel();
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink());
        let _ = tell.send(());
        // Whatever the node is busy with, it does not outlive the orchestrator.
        std::thread::sleep(std::time::Duration::from_millis(500));
        std::process::exit(Exit::Interrupted as i32);
    });
    Ok((token, Some(ended)))
}

fn pin_to(core: usize) {
    let mut set = rustix::thread::CpuSet::new();
    if core < rustix::thread::CpuSet::MAX_CPU {
        set.set(core);
        if let Err(error) = rustix::thread::sched_setaffinity(None, &set) {
            tracing::warn!(core, %error, "cannot stay on one core");
        }
    } else {
        tracing::warn!(core, "there is no such core");
    }
}

/// Make the authority and the join tokens of runs with --backend join
#[derive(Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// Write a new authority and a token for each role into a folder
    ///
    /// The orchestrator reads the folder with `--tokens DIR`; a helper node needs only
    /// helper.token, a task node only task-node.token. Files that exist are not overwritten.
    #[command(after_help = "Example:\n  fogbit token create --out tokens\n  \
        fogbit run topologies/small.toml --backend join --listen 0.0.0.0:7700 --tokens tokens")]
    Create {
        /// The folder
        #[arg(long, value_name = "DIR", env = "FOGBIT_TOKEN_OUT")]
        out: PathBuf,
    },
}

pub(crate) fn token(command: TokenCommand) -> Result<Exit, Failure> {
    let TokenCommand::Create { out } = command;
    Tokens::generate().and_then(|tokens| tokens.save(&out)).map_err(Failure::usage)?;
    print(&format!(
        "wrote {0}/authority.pem and authority.key for the orchestrator, {0}/{1} and {0}/{2} for \
         nodes\n",
        out.display(),
        token_file(Role::Helper),
        token_file(Role::TaskNode)
    ))?;
    Ok(Exit::Well)
}
