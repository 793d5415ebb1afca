//! Which process runs on which core.

/// The cores that processes are dealt to.
pub(super) struct Cores(Vec<usize>);

impl Cores {
    /// Those this process may use, beginning at another one for each run.
    pub(super) fn of_this_process() -> Cores {
        let Ok(set) = rustix::thread::sched_getaffinity(None) else { return Cores::none() };
        let mut cores: Vec<usize> = (0..1024).filter(|core| set.is_set(*core)).collect();
        if !cores.is_empty() {
            let first = std::process::id() as usize % cores.len();
            cores.rotate_left(first);
        }
        Cores(cores)
    }

    pub(super) fn none() -> Cores {
        Cores(Vec::new())
    }

    /// The core of process `index` where `sessions` task nodes run side by side. A lone session is
    /// fastest with the task node and its helper nodes on one core: waking a halted core costs more
    /// than what runs on it. Several are dealt alternately.
    pub(super) fn deal(&self, index: usize, sessions: usize) -> Option<usize> {
        match (self.0.len(), sessions) {
            (0, _) => None,
            (_, 1) => Some(self.0[0]),
            (cores, _) => Some(self.0[index % cores]),
        }
    }
}
