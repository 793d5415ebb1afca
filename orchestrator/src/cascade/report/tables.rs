//! The tables: what each policy lost, and where the time went.

use fogbit_scenario::topology::Arrivals;

use super::Data;
use crate::cascade::summary::{PolicySummary, stage_text};
use crate::cascade::tally::StageTimes;
use crate::harness::ProblemSummary;
use crate::report::head_of;
use crate::report::markup::{escape, fixed, grouped, percent, put};
use crate::stats::{Interval, MeanSd};

const NONE: &str = "–";

/// What was run.
pub(super) fn head(data: &Data<'_>) -> String {
    let run = &data.summary.run;
    let (bucket, stream) = (&run.bucket, &run.stream);
    let arrivals = match &run.arrivals {
        Arrivals::Constant(constant) if constant.gap == 1 => "an image every slot".into(),
        Arrivals::Constant(constant) if constant.gap == 1 => "an image every slot".into(),
        Arrivals::Constant(constant) => format!("an image every {} slots", constant.gap),
        Arrivals::Markov(markov) => format!(
            "an image every {} or {} slots, changing with probability {} and {}",
            markov.gaps[0], markov.gaps[1], markov.leave[0], markov.leave[1]
        ),
    };
    let beyond = [
        format!("rate {} tokens a slot", bucket.rate),
        format!("depth {}", bucket.depth),
        format!("spread {}", stream.spread),
        format!("reset {}", stream.reset),
        arrivals,
    ];
    let first = ("problem <b>cascade</b>".into(), String::new());
    head_of(&data.summary.head(), &data.manifest, first, &beyond)
}

/// Names the policies that give one answer whatever they are asked.
pub(super) fn degenerate(data: &Data<'_>) -> String {
    let policies = data.summary.policies.iter();
    let named: Vec<String> = policies
        .filter_map(|p| Some(format!("<b>{}</b> ({})", escape(&p.name), p.degenerate?.name())))
        .collect();
    if named.is_empty() {
        return String::new();
    }
    format!(
        "<p class='note'>Degenerate, one answer to every image: {}. Where it is <i>send</i>, the \
         bucket alone decides which images are sent.</p>\n",
        named.join(", ")
    )
}

/// Each policy over the seeds.
pub(super) fn policies(data: &Data<'_>) -> String {
    let run = &data.summary.run;
    let baseline = run.baseline.as_deref().unwrap_or("the baseline");
    let mut out =
        String::from("<h2>Policies</h2>\n<div class='wide'><table class='full'><thead><tr>");
    put!(
        out,
        "<th rowspan='2'>policy</th><th class='group' colspan='2'>average loss</th>\
         <th class='group' colspan='3'>gain over {}</th><th rowspan='2'>mdp to<br>hidden</th>\
         <th rowspan='2'>sent</th><th rowspan='2'>tokens<br>wasted</th>\
         <th rowspan='2'>images/s</th><th rowspan='2'>images</th></tr><tr>",
        escape(baseline)
    );
    for title in ["mean", "95 % interval", "loss", "95 % interval", "share"] {
        put!(out, "<th class='number'>{title}</th>");
    }
    out.push_str("</tr></thead><tbody>\n");
    for (index, policy) in data.summary.policies.iter().enumerate() {
        row(&mut out, data, index, policy);
    }
    put!(
        out,
        "</tbody></table></div>\n<p class='small'>An image costs what the weak classifier loses on \
         it ({weak} on average over the trace), less its reward if it was sent and answered ({strong} \
         if all were). Intervals are 95 % confidence intervals of the mean over seeds (Student); a \
         gain is a paired difference. Sent: below it the share of images that the policy wanted to \
         send. Tokens wasted: the share of the tokens that came and found the bucket full. Mdp to \
         hidden: how far a policy is on the way from the loss of the first <code>mdp</code> to that of \
         the first <code>hidden-state</code>. Drawn from <a href='summary.json'><code>summary.json\
         </code></a> (<code>policies</code>).</p>\n",
        weak = fixed(run.weak_loss, 4),
        strong = fixed(run.strong_loss, 4)
    );
    out
}

fn row(out: &mut String, data: &Data<'_>, index: usize, policy: &PolicySummary) {
    let told = if policy.told_more { "<span class='sub'>told more, not ranked</span>" } else { "" };
    put!(out, "<tr><td><span class='word'>{}</span>{told}</td>", data.policy_name(index));
    let loss = policy.average_loss.map_or(NONE.into(), |loss| fixed(loss.mean, 5));
    put!(out, "<td>{loss}</td><td>{}</td>", ends(policy.average_loss_interval.as_ref()));
    match &policy.gain {
        Some(gain) => {
            put!(out, "<td>{}</td><td>{}</td>", fixed(gain.loss.mean, 5), ends(Some(&gain.loss)));
            let of_all = gain.percent.map_or(NONE.into(), |share| percent(share / 100.0));
            put!(out, "<td>{of_all}</td>");
        }
        None => put!(out, "<td>{NONE}</td><td>{NONE}</td><td>{NONE}</td>"),
    }
    let share = |value: Option<f64>| value.map_or(NONE.into(), percent);
    put!(out, "<td>{}</td>", share(policy.way));
    let wanted = share(policy.whole.wanted_share);
    let sent = share(policy.offloaded_share.map(|share| share.mean));
    put!(out, "<td>{sent}<span class='sub'>{wanted} wanted</span></td>");
    put!(out, "<td>{}</td>", share(policy.wasted_share.map(|share| share.mean)));
    let speed = policy.images_per_second.map_or(NONE.into(), |speed| grouped(speed as u64));
    put!(out, "<td>{speed}</td><td>{}</td></tr>\n", images(policy));
}

/// How many images, and how many of them were lost on the way.
fn images(policy: &PolicySummary) -> String {
    let counts = &policy.whole.counts;
    let mut text = grouped(counts.images);
    for (count, what) in [(counts.timed_out, "timed out"), (counts.refused, "refused")] {
        if count > 0 {
            put!(text, "<span class='sub'>{} {what}</span>", grouped(count));
        }
    }
    text
}

fn ends(of: Option<&Interval>) -> String {
    let ends = of.and_then(|of| of.low.zip(of.high));
    ends.map_or(NONE.into(), |(low, high)| format!("{} to {}", fixed(low, 5), fixed(high, 5)))
}

/// Where the time went (Table I of the paper); empty where nobody measured.
pub(super) fn times(data: &Data<'_>) -> String {
    if data.summary.policies.iter().all(|policy| policy.stages_ms.is_none()) {
        return String::new();
    }
    let mut out = String::from(
        "<h2>Where the time went</h2>\n<div class='wide'><table class='full'><thead><tr>\
         <th>policy</th><th class='left'></th>",
    );
    for title in ["weak<br>classifier", "decision", "transmission", "queue", "strong<br>classifier"]
    {
        put!(out, "<th class='number'>{title}</th>");
    }
    out.push_str("<th class='number'>all</th></tr></thead><tbody>\n");
    for (index, policy) in data.summary.policies.iter().enumerate() {
        let Some(stages) = &policy.stages_ms else { continue };
        let mut name = data.policy_name(index);
        for (what, times) in [("not sent", &stages.kept), ("sent", &stages.answered)] {
            let Some(times) = times else { continue };
            put!(out, "<tr><td>{}</td><td class='left'>{what}, ms</td>", std::mem::take(&mut name));
            stages_row(&mut out, times, stage_text);
            put!(out, "<tr><td></td><td class='left'>share</td>");
            let all = times.all.mean;
            stages_row(&mut out, times, |ms| percent(ms.mean / all));
        }
    }
    out.push_str(
        "</tbody></table></div>\n<p class='small'>Mean (standard deviation) in milliseconds over the \
         images of all complete trials, and the share of the whole: Table I of the paper. The weak \
         classifier includes entropy and metric; transmission is what passes until the answer is \
         there, less what the helper node says it took. Images without an answer do not count. \
         Drawn from <a href='summary.json'><code>summary.json</code></a> \
         (<code>policies.stages_ms</code>).</p>\n",
    );
    out
}

fn stages_row(out: &mut String, times: &StageTimes<MeanSd>, text: impl Fn(&MeanSd) -> String) {
    for (_, ms) in times.by_name() {
        put!(out, "<td>{}</td>", text(ms));
    }
    out.push_str("</tr>\n");
}
