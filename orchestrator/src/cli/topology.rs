//! The arguments that say which topology is meant.

use std::path::PathBuf;

use clap::Args;
use fogbit_scenario::cascade::CascadeScenario;
use fogbit_scenario::pipeline::PipelineScenario;
use fogbit_scenario::placement::PlacementScenario;
use fogbit_scenario::topology::Problem;
use fogbit_scenario::{Fault, Faults, Scenario, TopologyFile};

use crate::exit::{Failure, tell};
use crate::harness::{narrow, wanted_policies};

/// A topology file with overrides.
#[derive(Debug, Args)]
pub(crate) struct TopologyArgs {
    /// The topology file (TOML), for example topologies/paper.toml
    pub(crate) file: PathBuf,

    /// Override a key of the topology file, e.g. --set policies.toof.gamma.c=0.1
    ///
    /// KEY is dotted; entries of a list go by number (node.0.name). VALUE is read as TOML, and what
    /// is no TOML value is taken as a string. Can be given several times; several in one argument
    /// are separated by semicolons. All are applied before the topology is validated.
    #[arg(long, value_name = "KEY=VALUE", env = "FOGBIT_SET")]
    set: Vec<String>,

    #[command(flatten)]
    selection: Selection,
}

/// Which seeds, policies and how many helper nodes of a topology are meant.
#[derive(Debug, Args)]
pub(crate) struct Selection {
    /// Play this many seeds, from 1 (overrides `seeds` of the topology file)
    #[arg(long, value_name = "N", env = "FOGBIT_SEEDS", conflicts_with = "seed")]
    seeds: Option<u64>,

    /// Play this one seed
    #[arg(long, value_name = "S", env = "FOGBIT_SEED")]
    seed: Option<u64>,

    /// Number of helper nodes; overrides `nodes.count`. Where the topology lists its nodes one by
    /// one it must be no less than these, and the others are spares
    #[arg(long, value_name = "N", env = "FOGBIT_NODES")]
    nodes: Option<u32>,

    /// Play only this policy of the topology file; can be given several times
    #[arg(long, value_name = "NAME", env = "FOGBIT_POLICY", value_delimiter = ',')]
    policy: Vec<String>,
}

/// The single assignments of `--set` arguments: a semicolon separates two, unless it is quoted.
pub(crate) fn assignments(arguments: &[String]) -> impl Iterator<Item = &str> {
    arguments
        .iter()
        .flat_map(|argument| {
            let mut quote = None;
            argument.split(move |c: char| match quote {
                None if c == ';' => true,
                None => {
                    quote = Some(c).filter(|c| *c == '"' || *c == '\'');
                    false
                }
                Some(open) => {
                    quote = quote.filter(|_| c != open);
                    false
                }
            })
        })
        .filter(|assignment| !assignment.trim().is_empty())
}

impl TopologyArgs {
    /// Reads the topology and overrides it, of whatever problem it is.
    pub(crate) fn file(&self) -> Result<TopologyFile, Failure> {
        let mut file = TopologyFile::read(&self.file)?;
        for assignment in assignments(&self.set) {
            file.set(assignment)?;
        }
        self.selection.apply(&mut file)?;
        Ok(file)
    }

    /// Validates a topology of the problem `one-bit`, and narrows it down.
    pub(crate) fn scenario(&self, file: &TopologyFile) -> Result<Scenario, Failure> {
        self.selection.scenario(file)
    }

    /// Validates a topology of the problem `placement`, and narrows it down.
    pub(crate) fn placement(&self, file: &TopologyFile) -> Result<PlacementScenario, Failure> {
        let mut scenario = PlacementScenario::from_file(file)?;
        narrow(&mut *scenario, &self.selection.policy)?;
        Ok(scenario)
    }

    /// Validates a topology of the problem `pipeline`, and narrows it down.
    pub(crate) fn pipeline(&self, file: &TopologyFile) -> Result<PipelineScenario, Failure> {
        let mut scenario = PipelineScenario::from_file(file)?;
        scenario.check_label_sweep().map_err(Faults::from)?;
        if let Some(path) = scenario.label_sweep() {
            crate::train::pipeline::read_rows(&path).map_err(|error| {
                let help = "what `fogbit train pipeline --label-sweep` wrote";
                Faults::from(scenario.label_sweep_fault(Fault::new(error.to_string()).help(help)))
            })?;
        }
        narrow(&mut *scenario, &self.selection.policy)?;
        Ok(scenario)
    }

    /// Validates a topology of the problem `cascade`, and narrows it down.
    pub(crate) fn cascade(&self, file: &TopologyFile) -> Result<CascadeScenario, Failure> {
        let mut scenario = CascadeScenario::from_file(file)?;
        narrow(&mut *scenario, &self.selection.policy)?;
        for key in scenario.keys_without_effect() {
            tell(format_args!(
                "note: {key} has no effect with [pictures]: the pictures themselves travel, and take \
                 as long as their classifier does"
            ));
        }
        Ok(scenario)
    }
}

impl Selection {
    /// The policies that are wanted; all where none is named.
    pub(crate) fn policies(&self) -> &[String] {
        &self.policy
    }

    /// Overrides seeds and number of nodes.
    pub(crate) fn apply(&self, file: &mut TopologyFile) -> Result<(), Failure> {
        if let Some(count) = self.seeds {
            file.set(&format!("seeds={count}"))?;
        }
        if let Some(seed) = self.seed {
            file.set(&format!("seeds=[{seed}]"))?;
        }
        if let Some(nodes) = self.nodes {
            count_nodes(file, nodes)?;
        }
        Ok(())
    }

    fn scenario(&self, file: &TopologyFile) -> Result<Scenario, Failure> {
        let mut scenario = Scenario::from_file(file)?;
        let names = scenario.policies().map(|(name, _)| name).collect();
        if let Some(wanted) = wanted_policies(&self.policy, names)? {
            scenario.keep_policies(wanted);
        }
        Ok(scenario)
    }

    /// Whether nothing was given.
    pub(crate) fn is_empty(&self) -> bool {
        let numbers = [self.seeds.is_some(), self.seed.is_some(), self.nodes.is_some()];
        !numbers.contains(&true) && self.policy.is_empty()
    }

    /// The flag that overrides `key` of the topology file, if it was given.
    pub(crate) fn flag_for(&self, key: &str) -> Option<&'static str> {
        match key {
            "seeds" if self.seeds.is_some() => Some("--seeds"),
            "seeds" if self.seed.is_some() => Some("--seed"),
            "nodes.count" if self.nodes.is_some() => Some("--nodes"),
            _ => None,
        }
    }
}

/// Has the topology `nodes` helper nodes, unless it lists them.
fn count_nodes(file: &mut TopologyFile, nodes: u32) -> Result<(), Failure> {
    if file.problem()? == Problem::Cascade {
        let message = format!("--nodes {nodes}, but the problem `cascade` has one helper node");
        return Err(Failure::usage(message).help("leave --nodes out"));
    }
    let listed = file.listed_nodes();
    if listed == 0 {
        return Ok(file.set(&format!("nodes.count={nodes}"))?);
    }
    if (nodes as usize) < listed {
        let message = format!("--nodes {nodes}, but the topology lists {listed} helper nodes");
        return Err(Failure::usage(message).help(format!("--nodes {listed} or more")));
    }
    if nodes as usize > listed && file.problem()? != Problem::OneBit {
        let message = format!("--nodes {nodes}, but the topology lists {listed} helper nodes");
        return Err(Failure::usage(message).help("spares are for the problem `one-bit`"));
    }
    if nodes as usize > listed {
        let spares = nodes as usize - listed;
        tell(format_args!("note: the topology lists {listed} helper nodes; {spares} are spares"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::assignments;

    #[test]
    fn semicolons_separate_unless_they_are_quoted() {
        let arguments = ["a=1;b=2".to_owned(), "about=\"x;y\";c='z;'".to_owned(), String::new()];
        let found: Vec<&str> = assignments(&arguments).collect();
        assert_eq!(found, ["a=1", "b=2", "about=\"x;y\"", "c='z;'"]);
    }
}
