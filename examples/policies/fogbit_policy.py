"""What an external policy needs to talk with Fogbit: the loop and the messages.

A policy is a class with `decide` and `learn`; `serve(MyPolicy)` does the rest. The protocol is in
docs/external-policies.md. Python 3.8 or newer, nothing but the standard library.
"""

import json
import math
import sys


def serve(policy_class):
    """Answers on standard output what comes in on standard input, until that ends.

    `policy_class(nodes, features, seed)` makes the policy anew for each `start`. It has

    - `decide(slot, contexts, present)`, which gives the number of a node, or that and the scores of
      all nodes, or these and the probability with which it chose so: `contexts` are N lists of d
      numbers, `present` the numbers of the nodes that can be chosen;
    - `learn(slot, node, context, bit)`: `node` answered with `bit`, 1 or -1. What it gives is told
      as the estimate; it need not give anything.
    """
    answers = sys.stdout
    sys.stdout = sys.stderr  # what the policy prints must not get between the answers
    policy, contexts = None, []
    for line in sys.stdin:
        message = json.loads(line)
        answer = None
        if "start" in message:
            start = message["start"]
            policy = policy_class(start["nodes"], start["features"], start.get("seed", 1))
        elif "decide" in message:
            decide = message["decide"]
            contexts = decide["contexts"]
            present = decide.get("present", range(len(contexts)))
            answer = _choice(policy.decide(decide["slot"], contexts, present))
        elif "learn" in message:
            learn = message["learn"]
            context = learn.get("context") or contexts[learn["node"]]
            estimate = policy.learn(learn["slot"], learn["node"], context, learn["bit"])
            answer = {} if estimate is None else {"estimate": _numbers(estimate)}
        if answer is not None:
            answers.write(json.dumps(answer) + "\n")
            answers.flush()


def _choice(chosen):
    if not isinstance(chosen, tuple):
        return {"node": int(chosen)}
    node, scores, *propensity = chosen
    answer = {"node": int(node), "scores": _numbers(scores)}
    if propensity:
        answer["propensity"] = float(propensity[0])
    return answer


def _numbers(values):
    """As JSON can hold them: infinity is no number there."""
    return [float(value) if math.isfinite(value) else None for value in values]
