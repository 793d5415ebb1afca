//! A decision in one or two sentences.

use super::{Explanation, NodeView};

/// A bonus below this is not worth a word.
const NOTHING: f64 = 5e-4;

/// Why the node was chosen, and whether it was the best.
pub fn words(explanation: &Explanation) -> String {
    format!("{} {}", reason(explanation), verdict(explanation))
}

fn reason(explanation: &Explanation) -> String {
    let (policy, chosen) = (&explanation.policy, &explanation.nodes[explanation.chosen]);
    let name = &chosen.name;
    match explanation.kind.as_str() {
        "optimal" if chosen.weights.is_empty() => {
            return format!(
                "{policy} is told the truth and chose {name}: its P of {} is the largest.",
                short(chosen.product)
            );
        }
        "optimal" => {
            return format!(
                "{policy} is told the hidden weights and chose {name}: its x.w of {} is the largest.",
                short(chosen.product)
            );
        }
        "round-robin" => return format!("{policy} chose {name}: it was its turn."),
        _ => {}
    }
    let mut text = match (drawn(chosen), chosen.score) {
        (Some(propensity), _) => {
            format!("{policy} drew {name}, which had a probability of {}", short(propensity))
        }
        (None, Some(score)) => format!("{policy} chose {name}: {}", rank(explanation, score)),
        (None, None) if explanation.kind == "external" => format!(
            "{policy} chose {name}; `run --backend sim --log decisions` keeps the scores it tells"
        ),
        (None, None) => format!("{policy} chose {name}; it told no scores"),
    };
    let parts = chosen.estimated_product.zip(chosen.bonus.filter(|b| b.abs() >= NOTHING));
    if let (None, Some((product, bonus))) = (drawn(chosen), parts) {
        let (product, bonus) = (short(product), short(bonus));
        text += &format!(", {product} by its estimate and {bonus} as a bonus for uncertainty");
    }
    if explanation.kind == "full-information" {
        text += ". It learns from the bits of all nodes";
    }
    text + "."
}

/// The probability of a node that was drawn, not chosen.
fn drawn(node: &NodeView) -> Option<f64> {
    node.propensity.filter(|propensity| *propensity < 1.0)
}

fn rank(explanation: &Explanation, score: f64) -> String {
    let scores = explanation.nodes.iter().filter_map(|node| node.score);
    let (mut larger, mut equal) = (0, 0);
    for other in scores {
        larger += usize::from(other > score);
        equal += usize::from(other == score);
    }
    let score = short(score);
    match (larger, equal) {
        (0, 0 | 1) => format!("its score of {score} is the largest"),
        (0, _) => {
            format!("its score of {score} is the largest and the first of {equal} that are equal")
        }
        (1, _) => format!("its score is {score}, though there is a larger one"),
        (larger, _) => format!("its score is {score}, though {larger} are larger"),
    }
}

fn verdict(explanation: &Explanation) -> String {
    let (chosen, best) = (explanation.chosen, explanation.best);
    let nodes = &explanation.nodes;
    let loss = nodes[best].product - nodes[chosen].product;
    if best == chosen || loss <= 0.0 {
        return "It was the best choice.".into();
    }
    format!("The best was {}, by {}.", nodes[best].name, short(loss))
}

/// A number in three digits behind the point; what would look like 0 in an exponent.
pub(super) fn short(number: f64) -> String {
    if number != 0.0 && number.abs() < NOTHING {
        format!("{number:.1e}")
    } else {
        format!("{number:.3}")
    }
}
