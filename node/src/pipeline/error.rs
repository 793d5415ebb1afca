//! What goes wrong at a site.

use fogbit_scenario::work::BadCompute;
use fogbit_transport::{CloseCode, MemberError, WireError};

use crate::compute::{ComputeError, ComputeSetupError};

/// Why a part is refused; the session goes on.
#[derive(Debug, thiserror::Error)]
pub enum PartError {
    /// Applications count from 1.
    #[error("application 0: they count from 1")]
    NoApplication,
    /// Ways are not open.
    #[error("there are no ways yet")]
    NotConnected,
    /// Too many of something.
    #[error("{count} {what}: at most {most}")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many.
        count: usize,
        /// How many there may be.
        most: usize,
    },
    /// Numbers that do not rise.
    #[error("{what} {number} comes again, or after a larger number")]
    Order {
        /// Of what.
        what: &'static str,
        /// The number.
        number: u32,
    },
    /// A flow to or from a sub-task that is not placed here.
    #[error("flow {flow} is one of sub-task {sub_task}, which is not placed here")]
    NoSubTask {
        /// The flow.
        flow: u32,
        /// The sub-task.
        sub_task: u32,
    },
    /// A flow to an earlier sub-task, or to the same one: such an application would never end.
    #[error("flow {flow} leads from sub-task {from} to {to}: flows lead to larger numbers")]
    Backwards {
        /// The flow.
        flow: u32,
        /// Who gives it.
        from: u32,
        /// Who takes it.
        to: u32,
    },
    /// A site that is not there, or this one itself.
    #[error("site {site} is no other site of the {sites} of this plan")]
    NoSite {
        /// The site.
        site: u32,
        /// How many there are.
        sites: usize,
    },
    /// A flow that has nothing to do with this site, or from the device to the device.
    #[error("flow {0} has no end at a sub-task")]
    NoEnd(u32),
    /// Input or output of a site that is not the device.
    #[error("flow {0} is input or output, and this is not the device")]
    NotTheDevice(u32),
    /// Too long a flow.
    #[error("flow {flow} of {bytes} bytes: at most {most}")]
    Bytes {
        /// The flow.
        flow: u32,
        /// How long it is.
        bytes: u64,
        /// How long it may be.
        most: u64,
    },
    /// A flow that leads where no way is described.
    #[error("flow {flow} leads to site {site}, and the way there is not described")]
    NoWay {
        /// The flow.
        flow: u32,
        /// The site.
        site: u32,
    },
    /// No rate, or too long a delay.
    #[error("the way to site {site} has {rate_bits_s} bit/s and {delay_ns} ns of delay")]
    Way {
        /// The site.
        site: u32,
        /// Its rate.
        rate_bits_s: u64,
        /// Its delay.
        delay_ns: u64,
    },
    /// What takes time in virtual time, or none in real time.
    #[error("a part of the other clock")]
    Clock,
    /// More workers than one.
    #[error("{0} workers: a site has one")]
    Workers(u32),
    /// A computer that cannot be.
    #[error(transparent)]
    Computer(#[from] BadCompute),
    /// One that could not be started.
    #[error(transparent)]
    Start(#[from] ComputeSetupError),
}

impl PartError {
    /// The code that travels.
    pub fn code(&self) -> CloseCode {
        match self {
            PartError::Start(ComputeSetupError::System(_)) => CloseCode::Failed,
            _ => CloseCode::BadRequest,
        }
    }
}

/// Why a site cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum SiteError {
    /// What was told of the plan makes no sense.
    #[error("a plan that cannot be: {0}")]
    Plan(String),
    /// There is no such part, or it has begun.
    #[error("application {0} is not ready to begin")]
    NotReady(u64),
    /// Another site is gone, or does not keep to the protocol.
    #[error("the way from or to site {site}: {error}")]
    Way {
        /// The other site.
        site: u32,
        /// What happened.
        error: WireError,
    },
    /// Another site could not be reached.
    #[error(transparent)]
    Unreachable(#[from] MemberError),
    /// Ways from other sites did not come.
    #[error("the ways of other sites did not come within {0} s")]
    Alone(u64),
    /// A flow that nobody waits for.
    #[error("flow {flow} of application {application} came from site {site} and is not awaited")]
    Unexpected {
        /// Who sent it.
        site: u32,
        /// The application.
        application: u64,
        /// The flow.
        flow: u32,
    },
    /// A sub-task could not be done.
    #[error("sub-task {sub_task}: {error}")]
    SubTask {
        /// Its number.
        sub_task: u32,
        /// Why.
        error: ComputeError,
    },
    /// The system gave no socket or no timer.
    #[error("no socket or timer: {0}")]
    System(#[from] std::io::Error),
}

impl SiteError {
    /// The code that travels.
    pub fn code(&self) -> CloseCode {
        match self {
            SiteError::Plan(_) | SiteError::NotReady(_) | SiteError::Unexpected { .. } => {
                CloseCode::BadRequest
            }
            _ => CloseCode::Failed,
        }
    }

    /// The other site whose fault it is, if it is that of one.
    pub fn site(&self) -> Option<u32> {
        match self {
            SiteError::Way { site, .. } | SiteError::Unexpected { site, .. } => Some(*site),
            _ => None,
        }
    }
}
