//! `init`: a topology, or a policy with a topology that plays it, to start from.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use clap::Args;

use super::print;
use crate::exit::{Exit, Failure};

const TOPOLOGY: &str = include_str!("init/topology.toml");
const POLICY_IN_TOPOLOGY: &str = include_str!("init/policy.toml");
const POLICY: &str = include_str!("init/policy.py");
const POLICY_LOOP: &str = include_str!("../../../examples/policies/fogbit_policy.py");
/// The name of that file.
const POLICY_LOOP_FILE: &str = "fogbit_policy.py";

/// Write a topology, or a policy of your own, to start from
///
/// Without --policy it writes a topology file that explains its keys and plays in seconds. With
/// --policy it writes a policy in Python as well, which the topology plays beside two that are built
/// in. Files that exist are never overwritten.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    fogbit init\n  \
    fogbit init scenarios/mine.toml\n  \
    fogbit init experiment --policy mine")]
pub(crate) struct InitArgs {
    /// The topology file (ending in .toml), or a folder for it
    #[arg(value_name = "DIR|FILE", default_value = ".")]
    path: PathBuf,

    /// Write a topology alone; that is what happens without --policy too
    #[arg(long, conflicts_with = "policy")]
    topology: bool,

    /// Write a policy of this name in Python, and a topology that plays it
    #[arg(long, value_name = "NAME", env = "FOGBIT_INIT_POLICY")]
    policy: Option<String>,
}

pub(crate) fn init(args: &InitArgs) -> Result<Exit, Failure> {
    let (folder, topology) = place(&args.path);
    let files = match &args.policy {
        Some(name) => policy_files(name, &topology)?,
        None => vec![(topology.clone(), TOPOLOGY.to_owned())],
    };
    let files: Vec<(PathBuf, String)> =
        files.into_iter().map(|(name, text)| (folder.join(name), text)).collect();
    let mut told = String::new();
    for path in write_all(&folder, &files)? {
        told += &format!("wrote {}\n", path.display());
    }
    told += &next_steps(&folder.join(&topology), files.get(1).map(|(path, _)| path.as_path()));
    print(&told)?;
    Ok(Exit::Well)
}

/// The folder, and the name of the topology file in it.
fn place(path: &Path) -> (PathBuf, String) {
    match (path.extension(), path.file_name()) {
        (Some(extension), Some(name)) if extension == "toml" => {
            let folder = path.parent().unwrap_or(Path::new(""));
            (folder.to_owned(), name.to_string_lossy().into_owned())
        }
        _ if path == Path::new(".") => (PathBuf::new(), "topology.toml".into()),
        _ => (path.to_owned(), "topology.toml".into()),
    }
}

/// The topology, the policy, and what the policy needs.
fn policy_files(name: &str, topology: &str) -> Result<Vec<(String, String)>, Failure> {
    let letter = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_".contains(c);
    let fine = (1..=50).contains(&name.len()) && name.chars().all(letter) && !name.starts_with('-');
    // With the ending it is no module of Python's own, such as random.
    let file =
        if name.ends_with("policy") { format!("{name}.py") } else { format!("{name}_policy.py") };
    if !fine || file == POLICY_LOOP_FILE || ["toof", "round-robin"].contains(&name) {
        let message = format!("`{name}` cannot be the name of the policy");
        return Err(Failure::usage(message).help(
            "1 to 50 lower-case letters, digits, hyphens and underscores, and none of `toof`, \
             `round-robin`, `fogbit` and `fogbit_policy`, which are others",
        ));
    }
    let put = |text: &str| text.replace("NAME", name).replace("FILE", &file);
    Ok(vec![
        (topology.to_owned(), TOPOLOGY.to_owned() + &put(POLICY_IN_TOPOLOGY)),
        (file.clone(), POLICY.replace("NAME", name)),
        (POLICY_LOOP_FILE.to_owned(), POLICY_LOOP.to_owned()),
    ])
}

/// Writes all files or none, and says which. The loop of policies may be there already: it stays.
fn write_all<'f>(folder: &Path, files: &'f [(PathBuf, String)]) -> Result<Vec<&'f Path>, Failure> {
    let is_loop = |path: &Path| path.file_name().is_some_and(|name| name == POLICY_LOOP_FILE);
    let there = |path: &Path| path.symlink_metadata().is_ok();
    if let Some((path, _)) = files.iter().find(|(path, _)| there(path) && !is_loop(path)) {
        let message = format!("{} exists already", path.display());
        return Err(Failure::usage(message)
            .help("nothing was written: choose another folder, file or --policy name"));
    }
    if !folder.as_os_str().is_empty() {
        fs::create_dir_all(folder).map_err(|error| unwritable(folder, &error))?;
    }
    let mut written = Vec::new();
    for (path, text) in files.iter().filter(|(path, _)| !there(path)) {
        let done = File::create_new(path).and_then(|mut file| {
            written.push(path.as_path());
            file.write_all(text.as_bytes())
        });
        if let Err(error) = done {
            for path in written {
                // One that cannot be taken away again is told by the next attempt.
                let _ = fs::remove_file(path);
            }
            return Err(unwritable(path, &error));
        }
    }
    Ok(written)
}

fn unwritable(path: &Path, error: &std::io::Error) -> Failure {
    let exit = match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Exit::Failed,
        _ => Exit::Usage,
    };
    Failure::new(exit, format!("cannot write {}: {error}", path.display()))
        .help("give a folder, or a file ending in .toml, that can be written")
}

fn next_steps(topology: &Path, policy: Option<&Path>) -> String {
    let topology = topology.display();
    let change = match policy {
        Some(policy) => format!("change {} as you like, then", policy.display()),
        None => format!("change {topology} as you like, then"),
    };
    format!(
        "\nNext: {change}\n  \
         fogbit validate {topology}            says what is wrong with it\n  \
         fogbit run {topology} --backend sim   plays it in virtual time\n  \
         fogbit run {topology}                 plays it with a process for each node\n"
    )
}
