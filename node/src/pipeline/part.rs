//! What a part may be: whatever is refused here can harm nobody later.

use fogbit_scenario::pipeline::Way;
use fogbit_transport::pipeline::{FlowEnd, Part, PartFlow};

use super::error::PartError;

/// Sub-tasks of an application at one site.
pub const MOST_SUB_TASKS: usize = 256;
/// Flows that begin or end at one site.
pub const MOST_FLOWS: usize = 4096;
/// Bytes of one flow.
pub const MOST_BYTES: u64 = 1 << 30;
/// Delay of a way in nanoseconds: ten minutes.
pub const MOST_DELAY_NS: u64 = 600_000_000_000;

/// Checks `part` for site `own` of `sites`, in real time or not.
///
/// # Errors
/// The first thing that is wrong with it.
pub(super) fn check(part: &Part, own: u32, sites: usize, real_time: bool) -> Result<(), PartError> {
    if part.application == 0 {
        return Err(PartError::NoApplication);
    }
    check_state(part, real_time)?;
    let counts = [
        ("sub-tasks", part.sub_tasks.len(), MOST_SUB_TASKS),
        ("flows", part.flows.len(), MOST_FLOWS),
        ("ways", part.ways.len(), sites.saturating_sub(1)),
    ];
    for (what, count, most) in counts {
        if count > most {
            return Err(PartError::TooMany { what, count, most });
        }
    }
    rising("sub-task", part.sub_tasks.iter().map(|task| task.number))?;
    rising("flow", part.flows.iter().map(|flow| flow.flow))?;
    rising("way", part.ways.iter().map(|(site, _)| *site))?;
    let another = |site: u32| match site != own && (site as usize) < sites {
        true => Ok(()),
        false => Err(PartError::NoSite { site, sites }),
    };
    for (site, way) in &part.ways {
        another(*site)?;
        check_way(*site, way)?;
    }
    for flow in &part.flows {
        check_flow(part, flow, own)?;
        for end in [flow.from, flow.to] {
            if let FlowEnd::Site(site) = end {
                another(site)?;
            }
        }
        if let (true, FlowEnd::Site(site)) = (real_time, flow.to)
            && !part.ways.iter().any(|(known, _)| *known == site)
        {
            return Err(PartError::NoWay { flow: flow.flow, site });
        }
    }
    Ok(())
}

fn check_state(part: &Part, real_time: bool) -> Result<(), PartError> {
    if part.state.is_some() != real_time || (!real_time && !part.ways.is_empty()) {
        return Err(PartError::Clock);
    }
    let Some(state) = &part.state else { return Ok(()) };
    state.compute.check()?;
    match state.compute.workers {
        1 => Ok(()),
        workers => Err(PartError::Workers(workers)),
    }
}

fn check_way(site: u32, way: &Way) -> Result<(), PartError> {
    let Way { rate_bits_s, delay_ns } = *way;
    if rate_bits_s == 0 || delay_ns > MOST_DELAY_NS {
        return Err(PartError::Way { site, rate_bits_s, delay_ns });
    }
    Ok(())
}

fn check_flow(part: &Part, flow: &PartFlow, own: u32) -> Result<(), PartError> {
    let PartFlow { flow: number, from, to, bytes } = *flow;
    for end in [from, to] {
        match end {
            FlowEnd::SubTask(sub_task) if place(part, sub_task).is_none() => {
                return Err(PartError::NoSubTask { flow: number, sub_task });
            }
            FlowEnd::Device if own != 0 => return Err(PartError::NotTheDevice(number)),
            _ => {}
        }
    }
    match (from, to) {
        (FlowEnd::SubTask(from), FlowEnd::SubTask(to)) if from >= to => {
            Err(PartError::Backwards { flow: number, from, to })
        }
        (FlowEnd::Device, FlowEnd::Device) | (FlowEnd::Site(_), FlowEnd::Site(_)) => {
            Err(PartError::NoEnd(number))
        }
        _ if bytes > MOST_BYTES => Err(PartError::Bytes { flow: number, bytes, most: MOST_BYTES }),
        _ => Ok(()),
    }
}

/// Where a sub-task is in the part.
pub(super) fn place(part: &Part, sub_task: u32) -> Option<usize> {
    part.sub_tasks.binary_search_by_key(&sub_task, |task| task.number).ok()
}

/// Where a flow is in the part.
pub(super) fn flow_place(part: &Part, flow: u32) -> Option<usize> {
    part.flows.binary_search_by_key(&flow, |own| own.flow).ok()
}

fn rising(what: &'static str, numbers: impl Iterator<Item = u32>) -> Result<(), PartError> {
    let mut last = None;
    for number in numbers {
        if last.is_some_and(|last| number <= last) {
            return Err(PartError::Order { what, number });
        }
        last = Some(number);
    }
    Ok(())
}
