//! An application, cut into what each site does of it, and put together again from what each site has
//! measured.

use fogbit_scenario::pipeline::{Application, Conditions, Flow, Measured, Schedule, Span};
use fogbit_transport::pipeline::{Ended, FlowEnd, Part, PartFlow, PartTask};

/// The parts of an application, one for each site, by number; none for a site that has nothing to do.
/// In real time sub-tasks and flows take what `conditions` say; else neither takes anything.
pub(super) fn cut(
    number: u64,
    application: &Application,
    conditions: &Conditions,
    placement: &[u8],
    real_time: bool,
) -> Vec<Option<Part>> {
    let sites = conditions.sites().len();
    (0..sites)
        .map(|site| {
            let sub_tasks = application.sub_tasks().iter().zip(placement).enumerate();
            let sub_tasks: Vec<PartTask> = sub_tasks
                .filter(|(_, (_, at))| usize::from(**at) == site)
                .map(|(number, (own, _))| PartTask { number: number as u32, cycles: own.cycles })
                .collect();
            let flows = application.flows().iter().enumerate();
            let flows: Vec<PartFlow> = flows
                .filter_map(|(number, flow)| part_flow(number, flow, placement, site, real_time))
                .collect();
            if sub_tasks.is_empty() && flows.is_empty() {
                return None;
            }
            let mut ways: Vec<u32> = flows.iter().filter_map(|flow| other(flow.to)).collect();
            ways.sort_unstable();
            ways.dedup();
            let way = |to: u32| (to, *conditions.way(site, to as usize));
            Some(Part {
                application: number,
                state: real_time.then(|| conditions.sites()[site]),
                ways: ways.into_iter().filter(|_| real_time).map(way).collect(),
                sub_tasks,
                flows,
            })
        })
        .collect()
}

/// The sites of giver and taker: the device, where it is input or output.
fn ends(flow: &Flow, placement: &[u8]) -> [usize; 2] {
    [flow.from, flow.to].map(|end| end.map_or(0, |own| placement[own as usize].into()))
}

fn part_flow(
    number: usize,
    flow: &Flow,
    placement: &[u8],
    site: usize,
    real_time: bool,
) -> Option<PartFlow> {
    let sites = ends(flow, placement);
    if !sites.contains(&site) {
        return None;
    }
    let end = |sub_task: Option<u32>, at: usize| match sub_task {
        _ if at != site => FlowEnd::Site(at as u32),
        Some(own) => FlowEnd::SubTask(own),
        None => FlowEnd::Device,
    };
    Some(PartFlow {
        flow: number as u32,
        from: end(flow.from, sites[0]),
        to: end(flow.to, sites[1]),
        bytes: if real_time { flow.bytes } else { 0 },
    })
}

/// The other site at an end, if it is one.
fn other(end: FlowEnd) -> Option<u32> {
    match end {
        FlowEnd::Site(site) => Some(site),
        FlowEnd::SubTask(_) | FlowEnd::Device => None,
    }
}

/// What was measured of an application, from the parts and what each site told of its own.
///
/// A sub-task's times are those of its site. A flow is ready when its giver was done and ends when its
/// last byte was there; it begins when it is ready, or when the flow before it had left the way: as long
/// before its end as the way delays. Each site counts from the moment at which it heard that the
/// application begins. None if a site has told of another part than its own.
pub(super) fn join(
    application: &Application,
    conditions: &Conditions,
    placement: &[u8],
    told: &[(Part, Ended)],
) -> Option<Measured> {
    let mut schedule = Schedule {
        sub_tasks: vec![Span::default(); application.sub_tasks().len()],
        flows: vec![Span::default(); application.flows().len()],
    };
    for (part, ended) in told {
        let comes = || part.flows.iter().filter(|flow| other(flow.from).is_some());
        if ended.sub_tasks.len() != part.sub_tasks.len()
            || ended.arrived_ns.len() != comes().count()
        {
            return None;
        }
        for (task, span) in part.sub_tasks.iter().zip(&ended.sub_tasks) {
            schedule.sub_tasks[task.number as usize] = *span;
        }
        for (flow, end_ns) in comes().zip(&ended.arrived_ns) {
            schedule.flows[flow.flow as usize].end_ns = *end_ns;
        }
    }
    let given = |flow: &Flow| flow.from.map_or(0, |own| schedule.sub_tasks[own as usize].end_ns);
    let ready: Vec<u64> = application.flows().iter().map(given).collect();
    for (span, ready_ns) in schedule.flows.iter_mut().zip(ready) {
        let end_ns = span.end_ns.max(ready_ns);
        *span = Span { ready_ns, start_ns: ready_ns, end_ns };
    }
    begin_behind_others(application, conditions, placement, &mut schedule.flows);
    Some(Measured { delay_ns: schedule.delay_ns(), schedule })
}

/// Each flow begins when the one before it has left their way.
fn begin_behind_others(
    application: &Application,
    conditions: &Conditions,
    placement: &[u8],
    spans: &mut [Span],
) {
    let ways: Vec<[usize; 2]> =
        application.flows().iter().map(|flow| ends(flow, placement)).collect();
    let mut order: Vec<usize> =
        (0..spans.len()).filter(|at| ways[*at][0] != ways[*at][1]).collect();
    order.sort_by_key(|at| (ways[*at], spans[*at].end_ns));
    for two in order.windows(2) {
        let [before, behind] = [two[0], two[1]];
        if ways[before] == ways[behind] {
            let [from, to] = ways[behind];
            let left_ns = spans[before].end_ns.saturating_sub(conditions.way(from, to).delay_ns);
            let span = &mut spans[behind];
            span.start_ns = left_ns.clamp(span.ready_ns, span.end_ns);
        }
    }
}
