//! The best choice by the hidden weights. Whoever calls this knows the truth: the orchestrator's
//! ledger, and the door through which the policy `optimal` is told its choice.

use fogbit_scenario::Contexts;

/// The best node of equation (17) among those that are present, `argmax x.w`, with ties to the lowest number, and its product;
/// `weights` are the hidden weights, node after node.
#[inline]
pub fn best_node(contexts: &Contexts, weights: &[Vec<f64>]) -> (usize, f64) {
    let mut best = (0, f64::NEG_INFINITY);
    for (node, w) in weights.iter().enumerate() {
        let product = contexts.dot(node, w);
        if product > best.1 && contexts.is_present(node) {
            best = (node, product);
        }
    }
    best
}
