//! The rankings, and the best settings by environment.

use super::Data;
use super::grid::Varying;
use crate::harness::metric::Known;
use crate::report::markup::{self, escape, fixed, grouped, put, shortened};
use crate::stats::MeanSd;
use crate::sweep::environment::{Environment, is_of_policies, touches};
use crate::sweep::summary::{PointSummary, Ranked, short_key};

/// Rows of a ranking that are shown, and of all rankings together.
const RANKED: (usize, usize) = (40, 240);
/// Environments whose ranking is shown.
const RANKINGS: usize = 40;
/// Environments whose best settings are shown.
const BEST: usize = 200;
/// Policies whose best settings are shown.
const MOST_POLICIES: usize = 12;

/// The heads of columns for the keys that vary.
pub(super) fn key_heads(data: &Data) -> String {
    data.varying.iter().map(key_head).collect()
}

fn key_head(key: &Varying) -> String {
    format!("<th title='{}'>{}</th>", escape(&key.key), escape(&short_key(&key.key)))
}

/// What a point sets of them.
pub(super) fn key_cells(data: &Data, point: &PointSummary) -> String {
    data.varying.iter().map(|key| key_cell(key, point)).collect()
}

fn key_cell(key: &Varying, point: &PointSummary) -> String {
    let value = point.settings.get(&key.key).map_or("–", String::as_str);
    format!("<td>{}</td>", escape(&shortened(value, 40)))
}

/// The ranking of each environment.
pub(super) fn ranking(data: &Data) -> String {
    let environments = &data.summary.environments;
    let shown = environments.len().min(RANKINGS);
    let rows = (RANKED.1 / shown.max(1)).min(RANKED.0);
    let mut out = String::from("<h2>Ranking</h2>\n");
    if environments.len() > 1 {
        put!(
            out,
            "<p>One for each of {} environments, the values of the keys that are no settings of \
             policies. What is lost in one says nothing about another, so places and differences \
             are of one environment.</p>\n",
            grouped(environments.len() as u64)
        );
    }
    for environment in &environments[..shown] {
        let places: Vec<&Ranked> = data.summary.ranking_of(environment).collect();
        if environments.len() > 1 {
            put!(out, "<h3>{}</h3>\n", escape(&environment_title(environment)));
        }
        out.push_str(&places_table(data, &places[..places.len().min(rows)]));
        let left = places.len().saturating_sub(rows);
        if left > 0 {
            let left = grouped(left as u64);
            put!(out, "<p class='small'>{left} more are in <code>summary.json</code>.</p>\n");
        }
    }
    if environments.len() > shown {
        put!(
            out,
            "<p class='small'>The rankings of {} more environments are in \
             <code>summary.json</code>.</p>\n",
            grouped((environments.len() - shown) as u64)
        );
    }
    out.push_str(
        "<p class='small'>Means over seeds, with one standard deviation between them. Differences \
         to the first place are paired by seed, with Student’s 95 % interval: one that holds 0 \
         leaves the order open. Of many compared with one, some seem decided by luck. A policy that \
         several points set alike stands once, with its points. Policies that know more than a task \
         node can are not ranked.</p>\n",
    );
    out
}

fn places_table(data: &Data, places: &[&Ranked]) -> String {
    let metric = data.metric();
    let digits = metric.style.digits;
    let keys: Vec<&Varying> = data.varying.iter().filter(|key| is_of_policies(&key.key)).collect();
    let heads: String = keys.iter().map(|key| key_head(key)).collect();
    let mut out = format!(
        "<div class='wide'><table class='ranks'><thead><tr><th>place</th><th class='left'>policy\
         </th>{heads}<th>{}</th><th>behind the first</th><th>95 % interval</th>\
         <th class='left'>points</th></tr></thead><tbody>\n",
        column_head(metric)
    );
    for ranked in places {
        let Some(point) = data.point(&ranked.point) else { continue };
        let (behind, interval) =
            ranked.behind.as_ref().map_or(("–".into(), "–".into()), |pair| {
                let ends = pair.t.low.zip(pair.t.high);
                let interval = ends.map_or("–".into(), |(low, high)| {
                    format!("{} to {}", fixed(low, digits), fixed(high, digits))
                });
                (fixed(pair.mean, digits), interval)
            });
        let cell = |key: &&Varying| match touches(&key.key, &ranked.policy) {
            true => key_cell(key, point),
            false => "<td></td>".to_owned(),
        };
        put!(
            out,
            "<tr><td>{}</td><td class='left'>{}</td>{}<td>{}</td><td>{behind}</td>\
             <td>{interval}</td><td class='left'>{}</td></tr>\n",
            ranked.place,
            data.policy_name(&ranked.policy),
            keys.iter().map(cell).collect::<String>(),
            mean_sd(metric, ranked.value),
            escape(&ranked.points())
        );
    }
    out.push_str("</tbody></table></div>\n");
    out
}

/// The best setting of each policy in each environment; empty where there is one environment.
pub(super) fn best(data: &Data) -> String {
    let environments = &data.summary.environments;
    if environments.len() < 2 {
        return String::new();
    }
    let keys: Vec<&Varying> = data.varying.iter().filter(|key| !is_of_policies(&key.key)).collect();
    let ranked = |name: &str| data.summary.best.iter().any(|best| best.policy == name);
    let policies: Vec<&String> =
        data.policies.iter().map(|(name, _)| name).filter(|name| ranked(name)).collect();
    let shown = &policies[..policies.len().min(MOST_POLICIES)];
    let heads: String = keys.iter().map(|key| key_head(key)).collect();
    let names: String =
        shown.iter().map(|name| format!("<th>{}</th>", data.policy_name(name))).collect();
    let mut out = format!(
        "<h2>Each policy by environment</h2>\n<p>Mean {}, of each policy at the setting that did \
         best there; the best policy of an environment is bold.</p>\n<div class='wide'><table \
         class='ranks'><thead><tr>{heads}{names}</tr></thead><tbody>\n",
        data.metric().style.title()
    );
    for environment in environments.iter().take(BEST) {
        let first = data.summary.ranking_of(environment).next();
        let Some(point) = environment.points.first().and_then(|name| data.point(name)) else {
            continue;
        };
        let keys: String = keys.iter().map(|key| key_cell(key, point)).collect();
        put!(out, "<tr>{keys}");
        for name in shown {
            let is_first = first.is_some_and(|first| first.policy == **name);
            out.push_str(&best_cell(data, environment, name, is_first));
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</tbody></table></div>\n");
    let left = environments.len().saturating_sub(BEST);
    let hidden = policies.len() - shown.len();
    if left > 0 || hidden > 0 {
        put!(
            out,
            "<p class='small'>{} more environments and {hidden} more policies are in \
             <code>summary.json</code>.</p>\n",
            grouped(left as u64)
        );
    }
    out
}

fn best_cell(data: &Data, environment: &Environment, policy: &str, is_first: bool) -> String {
    let mut found = data.summary.best.iter().filter(|best| best.policy == policy);
    let best = found.find(|best| best.environment == environment.environment);
    let Some((best, point)) = best.and_then(|best| Some((best, data.point(&best.point)?))) else {
        return "<td>–</td>".into();
    };
    let value = fixed(best.value.mean, data.metric().style.digits);
    let value = if is_first { format!("<b>{value}</b>") } else { value };
    let setting = shortened(&point.label_of(policy), 40);
    let link = match setting.is_empty() {
        true => String::new(),
        false => format!(
            "<span class='sub'><a href='topologies/{}.toml'>{}</a></span>",
            escape(&point.point),
            escape(&setting)
        ),
    };
    format!("<td>{value}{link}</td>")
}

/// What an environment sets, for headings.
pub(super) fn environment_title(environment: &Environment) -> String {
    let label = environment.label();
    if label.is_empty() { "as in the topology".into() } else { label }
}

/// The same as the head of a column, with the unit below.
fn column_head(metric: Known) -> String {
    format!("{}<span class='sub'>{}</span>", metric.style.phrase, metric.style.unit)
}

fn mean_sd(metric: Known, value: MeanSd) -> String {
    markup::mean_sd(value, metric.style.digits)
}
