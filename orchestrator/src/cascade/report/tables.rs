//! The tables: what each policy lost, and where the time went.

use fogbit_scenario::topology::Arrivals;

use super::Data;
use crate::cascade::summary::{PolicySummary, StagesSummary, stage_text};
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
    // Without `mdp` and `hidden-state` there is no way from one to the other.
    let has_way = data.summary.policies.iter().any(|policy| policy.way.is_some());
    let mut out =
        String::from("<h2>Policies</h2>\n<div class='wide'><table class='full'><thead><tr>");
    put!(
        out,
        "<th>policy</th><th>average loss</th><th>gain over<br>{}</th><th>of its<br>loss</th>{way}\
         <th>sent</th><th>tokens<br>wasted</th><th>images/s</th><th>images</th></tr></thead><tbody>\n",
        escape(baseline),
        way = if has_way { "<th>mdp to<br>hidden</th>" } else { "" }
    );
    for (index, policy) in data.summary.policies.iter().enumerate() {
        row(&mut out, data, index, policy, has_way);
    }
    let about_way = match has_way {
        true => {
            " Mdp to hidden: how far a policy is on the way from the loss of the first \
             <code>mdp</code> to that of the first <code>hidden-state</code>."
        }
        false => "",
    };
    put!(
        out,
        "</tbody></table></div>\n<p class='small'>An image costs what the weak classifier loses on \
         it ({weak} on average over the trace), less its reward if it was sent and answered ({strong} \
         if all were). Below means stand 95 % confidence intervals of the mean over seeds (Student); a \
         gain is a paired difference. Sent: below it the share of images that the policy wanted to \
         send. Tokens wasted: the share of the tokens that came and found the bucket full.{about_way} \
         Drawn from <a href='summary.json'><code>summary.json</code></a> (<code>policies</code>).</p>\n",
        weak = fixed(run.weak_loss, 4),
        strong = fixed(run.strong_loss, 4)
    );
    out
}

fn row(out: &mut String, data: &Data<'_>, index: usize, policy: &PolicySummary, has_way: bool) {
    let told = if policy.told_more { "<span class='sub'>told more, not ranked</span>" } else { "" };
    put!(out, "<tr><td><span class='word'>{}</span>{told}</td>", data.policies.name(index));
    let loss = policy.average_loss.map_or(NONE.into(), |loss| fixed(loss.mean, 5));
    put!(out, "<td>{loss}{}</td>", ends(policy.average_loss_interval.as_ref()));
    match &policy.gain {
        Some(gain) => {
            put!(out, "<td>{}{}</td>", fixed(gain.loss.mean, 5), ends(Some(&gain.loss)));
            let of_all = gain.percent.map_or(NONE.into(), |share| percent(share / 100.0));
            put!(out, "<td>{of_all}</td>");
        }
        None => put!(out, "<td>{NONE}</td><td>{NONE}</td>"),
    }
    let share = |value: Option<f64>| value.map_or(NONE.into(), percent);
    if has_way {
        put!(out, "<td>{}</td>", share(policy.way));
    }
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
    ends.map_or(String::new(), |(low, high)| {
        format!("<span class='sub'>{} to {}</span>", fixed(low, 5), fixed(high, 5))
    })
}

/// Where the time went (Table I of the paper); empty where nobody measured.
pub(super) fn times(data: &Data<'_>) -> String {
    if data.summary.policies.iter().all(|policy| policy.stages_ms.is_none()) {
        return String::new();
    }
    let mut out = String::from("<h2>Where the time went</h2>\n<p>Images that were sent:</p>\n");
    stages_table(&mut out, data, |stages| stages.answered.as_ref());
    out.push_str("<details><summary>Images that were not sent</summary>\n");
    stages_table(&mut out, data, |stages| stages.kept.as_ref());
    out.push_str("</details>\n");
    out.push_str(
        "<p class='small'>Mean (standard deviation) in milliseconds over the \
         images of all complete trials, and below it the share of the whole: Table I of the paper. The weak \
         classifier includes entropy and metric; transmission is what passes until the answer is \
         there, less what the helper node says it took. Images without an answer do not count. \
         Drawn from <a href='summary.json'><code>summary.json</code></a> \
         (<code>policies.stages_ms</code>).</p>\n",
    );
    out
}

/// A row for each policy, a column for each stage.
fn stages_table(
    out: &mut String,
    data: &Data<'_>,
    which: impl Fn(&StagesSummary) -> Option<&StageTimes<MeanSd>>,
) {
    out.push_str("<div class='wide'><table class='full'><thead><tr><th>policy</th>");
    for title in ["weak<br>classifier", "decision", "transmission", "queue", "strong<br>classifier"]
    {
        put!(out, "<th class='number'>{title}</th>");
    }
    out.push_str("<th class='number'>all</th></tr></thead><tbody>\n");
    for (index, policy) in data.summary.policies.iter().enumerate() {
        let Some(times) = policy.stages_ms.as_ref().and_then(&which) else { continue };
        put!(out, "<tr><td>{}</td>", data.policies.name(index));
        for (_, ms) in times.by_name() {
            let share = percent(ms.mean / times.all.mean);
            put!(out, "<td>{}<span class='sub'>{share}</span></td>", stage_text(ms));
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</tbody></table></div>\n");
}
