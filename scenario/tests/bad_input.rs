//! Every mistake in a topology file is told in words that say what would be right, and underlined
//! where it is: the key or value itself.

mod common;

use std::path::Path;

use fogbit_scenario::{Faults, TopologyFile};

use common::{check, check_all, edited, read};

const GOOD: &str = r#"about = "a test"
slots = 100
seeds = [5, 6]

[clock]
kind = "slot"
lookahead = 64

[features]
kind = "model"
full_scale = { length_kb = 1000, complexity_cycles = 1e9, cpu_frequency_ghz = 4, cqi = 15 }

[task]
length_kb = { min = 0, max = 900 }
complexity_cycles = { min = 0, max = 1e9 }

[nodes]
weights = { kind = "signs", signs = [-1, -1, -1, 1, 1], norm = 0.9 }
cpu_frequency_ghz = { min = 1, max = 3 }
cqi = { kind = "ar1", min = 0, max = 14, correlation = 0.9 }
queue = { kind = "fifo", capacity = 4, service_rate = 0.5, own_rate = 0.1 }

[[node]]
name = "anna"

[[node]]
name = "bert"
cqi = { kind = "iid", min = 0, max = 13 }
queue = { kind = "drawn", min = 0.1, max = 0.95 }
weights = { kind = "given", values = [0.1, 0.2, 0.3, 0.4, 0.5] }

[[task-node]]
name = "thea"

[[link]]
from = "thea"
to = "anna"

[[link]]
from = "thea"
to = "bert"

[policies.toof]
kind = "toof"
lambda = 1.5
gamma = { kind = "tuned", c = 0.03 }

[policies.eq15]
kind = "toof"
gamma = { kind = "paper-eq15", delta = 0.05 }

[policies.turns]
kind = "round-robin"

[[expect]]
policy = "toof"
metric = "average_regret"
below = "turns"
slot = 90
seeds = 2
"#;

/// The smallest topology there is, for what [`GOOD`] says in other ways.
const SMALL: &str = r#"about = "a test"
slots = 1

[nodes]
count = 3
weights = { kind = "sphere" }

[policies.toof]
kind = "toof"
"#;

// The mistakes, in the form that `check_all` reads.

const FORMAT: &str = r#"
# Not TOML, or not of the format.
a key without a value ¦ slots = 100 → slots = «» ¦ not valid TOML ¦
a key twice ¦ [clock] → «slots» = 3⏎[clock] ¦ the key `slots` is given twice ¦ each key once
a policy twice ¦ [policies.turns] → [policies.«eq15»] ¦ the key `eq15` is given twice ¦ names of their own
an unknown key ¦ about = → «abuot» = ¦ unknown key `abuot` ¦ did you mean `about`?
an unknown table ¦ [clock] → [«clok»] ¦ unknown key `clok` ¦ did you mean `clock`?
an unknown key like no other ¦ about = → «xyz» = ¦ unknown key `xyz` ¦ known here: about, problem, slots, seeds
an unknown key beside a kind ¦ lambda = 1.5 → «lamda» = 1.5 ¦ unknown key `lamda` ¦ did you mean `lambda`?
an unknown key, inline ¦ service_rate → «servicerate» ¦ unknown key `servicerate` ¦ did you mean `service_rate`?
an unknown key in a list ¦ to = "bert" → «too» = "bert" ¦ unknown key `too` ¦ did you mean `to`?
an unknown key where there are none ¦ "round-robin" → "round-robin"⏎«lambda» = 1 ¦ unknown key `lambda` ¦ no key but `kind`
an unknown key of the seeds ¦ [5, 6] → { first = 1, count = 1, «cuont» = 2 } ¦ unknown key `cuont` ¦ did you mean `count`?
an unknown kind ¦ "round-robin" → «"roundrobin"» ¦ unknown kind `roundrobin` ¦ did you mean `round-robin`?
an unknown metric ¦ "average_regret" → «"averageregret"» ¦ unknown value `averageregret` ¦ did you mean `average_regret`?
no kind ¦ [policies.turns]⏎kind = "round-robin" → «[policies.turns]» ¦ missing key `kind` ¦ one of `toof`, `greedy`
no kind, inline ¦ { kind = "drawn", min = 0.1, max = 0.95 } → «{ min = 0.1, max = 0.95 }» ¦ missing key `kind` ¦ one of `drawn`, `fifo`
a key of another kind than the default ¦ { kind = "tuned", c = 0.03 } → { «delta» = 0.03 } ¦ unknown key `delta` ¦ known here: c
no slots ¦ about = "a test"⏎slots = 100 → «»about = "a test" ¦ missing key `slots` ¦ slots = 10000
no key that an entry of a list needs ¦ [[expect]]⏎policy = "toof" → «[[expect]]» ¦ missing key `policy` ¦
no key that a table needs, inline ¦ { min = 0, max = 900 } → «{ max = 900 }» ¦ missing key `min` ¦
# Wrong types.
text for a number ¦ slots = 100 → slots = «"many"» ¦ wrong value: string "many" ¦ a number of slots, or "endless"
a float for a whole number ¦ slots = 100 → slots = «1e4» ¦ wrong type: the number `10000.0` ¦ a number of slots, or "endless"
a negative count ¦ slots = 100 → slots = «-1» ¦ wrong value: integer `-1` ¦ a number of slots, or "endless"
a number for text ¦ name = "anna" → name = «7» ¦ wrong type: integer `7` ¦ expected a string
a table for a list ¦ [0.1, 0.2, 0.3, 0.4, 0.5] → «{}» ¦ wrong type: a table ¦ expected a list
a list for a table ¦ [clock] → «[[clock]]» ¦ wrong type: a list ¦ a table with `kind`
a number for an interval ¦ { min = 0, max = 900 } → «7» ¦ wrong type: integer `7` ¦ an interval `{ min = ..., max = ... }`
a list for an interval ¦ { min = 0, max = 900 } → «[0, 900, 1000]» ¦ wrong type: a list of 3 ¦ an interval `{ min = ..., max = ... }`
text for the seeds ¦ [5, 6] → «"x"» ¦ wrong type: string "x" ¦ a count, a list of seeds, or
text in a list ¦ [5, 6] → [5, «"x"»] ¦ wrong type: string "x" ¦ expected a whole number
a number for a kind ¦ "round-robin" → «1» ¦ wrong type: integer `1` ¦ `round-robin`
text for a policy ¦ [policies.turns]⏎kind = "round-robin" → [policies]⏎turns = «"round-robin"» ¦ wrong type: string ¦ a table with `kind`
a boolean for a frequency ¦ { min = 1, max = 3 } → «true» ¦ wrong type: boolean ¦ a number of GHz
a boolean for a bound ¦ below = "turns" → below = «true» ¦ wrong type: boolean ¦ a number or the name of a policy
a sign beyond its type ¦ signs = [-1, -1, → signs = [-1, «-200», ¦ wrong value: integer `-200` ¦ -1 or 1
# Run length.
slots = 0 ¦ slots = 100 → slots = «0» ¦ a trial cannot have 0 slots ¦ from 1 to
too many slots ¦ slots = 100 → slots = «1000000000001» ¦ a trial cannot have ¦ from 1 to
lookahead 0 ¦ lookahead = 64 → lookahead = «0» ¦ lookahead = 0 ¦ from 1 to 4096
lookahead too far ¦ lookahead = 64 → lookahead = «4097» ¦ lookahead = 4097 ¦ from 1 to 4096
endless with two seeds ¦ slots = 100 → slots = "endless" & seeds = [5, 6] → seeds = «[5, 6]» ¦ an endless run never gets to the second ¦ one seed
no length of a slot ¦ [clock]⏎kind = "slot"⏎lookahead = 64 → «[clock]»⏎kind = "wall" ¦ missing key `slot` ¦
a slot without a unit ¦ kind = "slot"⏎lookahead = 64 → kind = "wall"⏎slot = «20» ¦ wrong type: integer `20` ¦ such as "20ms"
a slot of unknown unit ¦ kind = "slot"⏎lookahead = 64 → kind = "wall"⏎slot = «"20 sloths"» ¦ wrong value: string "20 sloths" ¦ such as "20ms"
a slot too short ¦ kind = "slot"⏎lookahead = 64 → kind = "wall"⏎slot = «"999us"» ¦ slot = "999us" is out of range ¦ from 1ms to 1h
a slot too long ¦ kind = "slot"⏎lookahead = 64 → kind = "wall"⏎slot = «"61m"»⏎timeout = "1h" ¦ is out of range ¦ from 1ms to 1h
a timeout within a slot ¦ kind = "slot"⏎lookahead = 64 → kind = "wall"⏎slot = "50ms"⏎timeout = «"49ms"» ¦ timeout = "49ms" is less than a slot of 50ms ¦ several slots
the truth in real time ¦ kind = "slot"⏎lookahead = 64 → kind = "wall"⏎slot = "50ms" & [policies.turns]⏎kind = "round-robin" → [policies.«turns»]⏎kind = "optimal" ¦ `optimal` cannot be played in real time ¦ delete it
no seeds ¦ [5, 6] → «0» ¦ a run cannot have 0 seeds ¦ from 1 to
no seeds, as a list ¦ [5, 6] → «[]» ¦ a run cannot have 0 seeds ¦ from 1 to
no seeds, as a block ¦ [5, 6] → { first = 3, count = «0» } ¦ a run cannot have 0 seeds ¦ from 1 to
a seed twice ¦ [5, 6] → [5, 6, «5», 7] ¦ the seed 5 is given twice ¦ each seed once
less than no seeds ¦ [5, 6] → «-3» ¦ a count of seeds cannot be negative ¦
# Policies.
a policy with a bad name ¦ [policies.turns]⏎ → [policies.«Turns»]⏎ & below = "turns" → below = "Turns" ¦ `Turns` cannot be the name of a policy ¦ lower-case
lambda = 0 ¦ lambda = 1.5 → lambda = «0» ¦ lambda = 0 is out of range ¦ from 0.000000001
a prior for other features ¦ lambda = 1.5 → lambda = 1.5⏎prior = { mean = «[0.1, 0.2]», strength = 16 } ¦ 2 numbers for 5 features ¦ 5 numbers: one for each
a prior out of the ball ¦ lambda = 1.5 → lambda = 1.5⏎prior = { mean = «[0.9, 0.9, 0, 0, 0]» } ¦ the mean has length 1.27 ¦ a shorter mean
a prior of nan ¦ lambda = 1.5 → lambda = 1.5⏎prior = { mean = «[nan, 0, 0, 0, 0]» } ¦ the mean is not finite ¦ finite
a prior without a mean ¦ lambda = 1.5 → lambda = 1.5⏎prior = «{ strength = 3 }» ¦ missing key `mean` ¦
a prior of no strength ¦ lambda = 1.5 → lambda = 1.5⏎prior = { mean = [0, 0, 0, 0, 0], strength = «0» } ¦ strength = 0 is out of range ¦ from 0.000000001
the paper's radius for another rule ¦ "toof"⏎gamma = { kind = "paper-eq15" → "ofu-ecolog"⏎gamma = { kind = «"paper-eq15"» ¦ equation (15) holds for the update of `toof` ¦ tuned
a discount above 1 ¦ kind = "round-robin" → kind = "discounted-toof"⏎discount = «1.5» ¦ discount = 1.5 is out of range ¦ to 1
a negative scale ¦ kind = "round-robin" → kind = "thompson"⏎scale = «-1» ¦ scale = -1 is out of range ¦ from 0
a negative alpha ¦ kind = "round-robin" → kind = "lin-ucb"⏎alpha = «-1» ¦ alpha = -1 is out of range ¦ from 0
a negative epsilon ¦ kind = "round-robin" → kind = "epsilon-greedy"⏎epsilon = «-1» ¦ epsilon = -1 is out of range ¦ from 0
a negative decay ¦ kind = "round-robin" → kind = "epsilon-greedy"⏎decay = «-1» ¦ decay = -1 is out of range ¦ from 0
lambda of a rival ¦ kind = "round-robin" → kind = "full-information"⏎lambda = «0» ¦ lambda = 0 is out of range ¦ from 0.000000001
a whole history without end ¦ slots = 100 → slots = "endless" & seeds = [5, 6] → seeds = [5] & [policies.turns]⏎kind = "round-robin" → [policies.«turns»]⏎kind = "mle-ucb" ¦ `mle-ucb` keeps every bit ¦ a number of slots
all bits in real time ¦ kind = "slot"⏎lookahead = 64 → kind = "wall"⏎slot = "50ms" & [policies.turns]⏎kind = "round-robin" → [policies.«turns»]⏎kind = "full-information" ¦ `full-information` cannot be played in real time ¦ delete it
lambda = nan ¦ lambda = 1.5 → lambda = «nan» ¦ lambda is not a finite number ¦
c below 0 ¦ c = 0.03 → c = «-0.03» ¦ c = -0.03 is out of range ¦ a value from 0
delta = 1 ¦ delta = 0.05 → delta = «1» ¦ delta = 1 is out of range ¦ a value from
# Expectations.
an expectation of nobody ¦ policy = "toof" → policy = «"tof"» ¦ no policy is called `tof` ¦ policies here: toof, eq15, turns
an expectation against nobody ¦ below = "turns" → below = «"greedy"» ¦ no policy is called `greedy` ¦ policies here: toof, eq15, turns
an expectation against itself ¦ below = "turns" → below = «"toof"» ¦ `toof` is compared with itself ¦ another policy
an expectation of nothing ¦ [[expect]] → «[[expect]]» & below = "turns"⏎ →  ¦ either `below` or `above` ¦ for example
an expectation of too much ¦ below = "turns" → below = "turns"⏎above = «0.5» ¦ either `below` or `above` ¦ for example
an expectation below infinity ¦ below = "turns" → below = «inf» ¦ below is not a finite number ¦
an expectation before the first slot ¦ slot = 90 → slot = «0» ¦ slots count from 1 ¦ slot = 10000
an expectation of no seeds ¦ seeds = 2 → seeds = «0» ¦ no seed shows nothing ¦ 50 or more
"#;

const NODES: &str = r#"
# How many nodes.
nodes counted and listed ¦ [nodes]⏎ → [nodes]⏎count = «2»⏎ ¦ both nodes.count and 2 [[node]] ¦ leave one of them out
# Numbers.
an interval upside down ¦ { min = 0, max = 900 } → { min = «901», max = 900 } ¦ length_kb: min = 901 is above max = 900 ¦ min <= max
an interval below 0 ¦ { min = 1, max = 3 } → { min = «-1», max = 3 } ¦ cpu_frequency_ghz.min = -1 ¦ a value from 0
a frequency below 0 ¦ { min = 1, max = 3 } → «-1» ¦ cpu_frequency_ghz = -1 ¦ a value from 0
an endless interval ¦ complexity_cycles = { min = 0, max = 1e9 } → complexity_cycles = { min = 0, max = «inf» } ¦ complexity_cycles.max is not a finite number ¦
a full scale of 0 ¦ cpu_frequency_ghz = 4 → cpu_frequency_ghz = «0» ¦ cpu_frequency_ghz = 0 is out of range ¦
a correlation of 1 ¦ correlation = 0.9 → correlation = «1.0» ¦ correlation = 1 is out of range ¦ below 1
a correlation of nan ¦ correlation = 0.9 → correlation = «nan» ¦ correlation = NaN is out of range ¦ below 1
channel quality upside down ¦ "ar1", min = 0 → "ar1", min = «15» ¦ cqi: min = 15 is above max = 14 ¦ min <= max
a queue upside down ¦ min = 0.1, max = 0.95 → min = «0.96», max = 0.95 ¦ min = 0.96 is above max = 0.95 ¦ min <= max
a queue more than full ¦ max = 0.95 → max = «1.5» ¦ max = 1.5 is out of range ¦ from 0 to 1
a queue without room ¦ capacity = 4 → capacity = «0» ¦ capacity = 0 is out of range ¦ from 1 to 1000000
a queue without service ¦ service_rate = 0.5 → service_rate = «0» ¦ service_rate = 0 is out of range ¦
own tasks below 0 ¦ own_rate = 0.1 → own_rate = «-0.1» ¦ own_rate = -0.1 is out of range ¦
# Weights.
too few weights ¦ [0.1, 0.2, 0.3, 0.4, 0.5] → «[0.1, 0.2]» ¦ 2 weights for 5 features ¦ give 5 numbers
a weight that is no number ¦ [0.1, 0.2, 0.3, 0.4, 0.5] → [0.1, 0.2, «nan», 0.4, 0.5] ¦ a weight is not a finite number ¦
an endless weight ¦ [0.1, 0.2, 0.3, 0.4, 0.5] → [0.1, 0.2, 0.3, 0.4, «-inf»] ¦ a weight is not a finite number ¦
too long weights ¦ [0.1, 0.2, 0.3, 0.4, 0.5] → «[1, 0.2, 0.3, 0.4, 0.5]» ¦ ||w|| = 1.240967 is above 1 ¦ divide each weight by 1.240967
too many signs ¦ [-1, -1, -1, 1, 1] → «[-1, -1, -1, 1, 1, 1]» ¦ 6 signs for 5 features ¦ give 5 signs
no sign ¦ [-1, -1, -1, 1, 1] → [-1, «0», -1, 1, 1] ¦ 0 is not a sign ¦ -1 or 1
a norm above 1 ¦ norm = 0.9 → norm = «1.1» ¦ norm = 1.1 is out of range ¦ from 0 to 1
weights of a trace that is not there ¦ kind = "given", values = [0.1, 0.2, 0.3, 0.4, 0.5] → kind = «"trace"» ¦ no trace whose header has weights ¦ w_true
no weights ¦ weights = { kind = "signs", signs = [-1, -1, -1, 1, 1], norm = 0.9 }⏎ →  & [[node]]⏎name = "anna" → «[[node]]»⏎name = "anna" ¦ a helper node has no weights ¦ nodes.weights =
bad weights that only the second node uses ¦ norm = 0.9 → norm = «1.1» & name = "anna"⏎ → name = "anna"⏎weights = { kind = "sphere" }⏎ ¦ norm = 1.1 is out of range ¦
a sphere beyond 1 ¦ name = "anna"⏎ → name = "anna"⏎weights = { kind = "sphere", norm = «2» }⏎ ¦ norm = 2 is out of range ¦
# ||x|| <= 1.
a task beyond full scale ¦ max = 900 → max = «9000» ¦ ||x|| of node `anna` can reach ¦ raise features.full_scale
a frequency beyond full scale ¦ { min = 1, max = 3 } → «8» ¦ ||x|| of node `anna` can reach ¦ nothing is clipped
a channel beyond full scale ¦ max = 13 → max = «130» ¦ ||x|| of node `bert` can reach ¦
a default beyond full scale ¦ length_kb = { min = 0, max = 900 }⏎ →  & length_kb = 1000 → length_kb = «10» ¦ ||x|| of node `anna` can reach ¦
# Names and links.
a node with a bad name ¦ name = "anna" → name = «"Anna"» & to = "anna" → to = "Anna" ¦ `Anna` cannot be the name of a node ¦ lower-case
a task node with a bad name ¦ name = "thea" → name = «"-"» & [[link]]⏎from = "thea"⏎to = "anna"⏎ →  & [[link]]⏎from = "thea"⏎to = "bert"⏎ →  ¦ `-` cannot be the name of a node ¦ lower-case
a task node called like a helper node ¦ name = "thea" → name = «"anna"» & [[link]]⏎from = "thea"⏎to = "anna"⏎ →  & [[link]]⏎from = "thea"⏎to = "bert"⏎ →  ¦ two nodes are called `anna` ¦
two task nodes ¦ [[task-node]]⏎name = "thea" → [[task-node]]⏎name = "thea"⏎«[[task-node]]»⏎name = "theo" ¦ 2 task nodes ¦ exactly one
a link from elsewhere ¦ from = "thea"⏎to = "anna" → from = «"theo"»⏎to = "anna" ¦ `theo` is not the task node ¦ from = "thea"
a link to nowhere ¦ to = "bert" → to = «"berta"» ¦ no helper node is called `berta` ¦
a link under an unknown profile ¦ to = "anna" → to = "anna"⏎profile = «"lta"» ¦ no link profile is called `lta` ¦ lte
a link from an unknown profile ¦ to = "anna" → to = "anna"⏎profile = { base = «"6g"» } ¦ no link profile is called `6g` ¦ 5g
a negative round trip ¦ to = "anna" → to = "anna"⏎profile = { rtt_ms = «-1.0» } ¦ rtt_ms = -1 is out of range ¦ from 0 to 60000
an endless round trip ¦ to = "anna" → to = "anna"⏎profile = { rtt_ms = «inf» } ¦ rtt_ms is not a finite number ¦
jitter beyond the round trip ¦ to = "anna" → to = "anna"⏎profile = { rtt_ms = 10, jitter_ms = «11» } ¦ jitter_ms = 11 is more than rtt_ms = 10 ¦ before they are sent
loss over 1 ¦ to = "anna" → to = "anna"⏎profile = { loss = «1.01» } ¦ loss = 1.01 is out of range ¦ from 0 to 1
loss in bursts over 1 ¦ to = "anna" → to = "anna"⏎profile = { loss = { good_to_bad = «2», bad_to_good = 0.1 } } ¦ good_to_bad = 2 is out of range ¦
loss that is no number ¦ to = "anna" → to = "anna"⏎profile = { loss = «"much"» } ¦ wrong type: string "much" ¦ a share from 0 to 1
no rate at all ¦ to = "anna" → to = "anna"⏎profile = { up_mbit_s = «0» } ¦ up_mbit_s = 0 is out of range ¦ from 0.01
too small a queue ¦ to = "anna" → to = "anna"⏎profile = { up_mbit_s = 1, queue_kb = «1» } ¦ queue_kb = 1 is out of range ¦
an unknown key of a link ¦ to = "anna" → to = "anna"⏎profile = { «rtt» = 1 } ¦ unknown key `rtt` ¦ rtt_ms
all links under an unknown profile ¦ [[link]]⏎from = "thea"⏎to = "anna" → [links]⏎profile = «"4g"»⏎[[link]]⏎from = "thea"⏎to = "anna" ¦ no link profile is called `4g` ¦
an event of an unknown link ¦ [[link]]⏎from = "thea"⏎to = "anna" → [[event]]⏎at = 3⏎link = «"carl"»⏎profile = "lte"⏎[[link]]⏎from = "thea"⏎to = "anna" ¦ no helper node is called `carl` ¦ anna
an event of a link under an unknown profile ¦ [[link]]⏎from = "thea"⏎to = "anna" → [[event]]⏎at = 3⏎link = "anna"⏎profile = «"lt"»⏎[[link]]⏎from = "thea"⏎to = "anna" ¦ no link profile is called `lt` ¦
a profile of a node ¦ [[link]]⏎from = "thea"⏎to = "anna" → [[event]]⏎at = 3⏎node = «"anna"»⏎profile = "lte"⏎[[link]]⏎from = "thea"⏎to = "anna" ¦ `node` has nothing to do with `profile` ¦ link = ...
two things in one event ¦ [[link]]⏎from = "thea"⏎to = "anna" → [[event]]⏎at = 3⏎node = "anna"⏎action = "leave"⏎profile = «"lte"»⏎[[link]]⏎from = "thea"⏎to = "anna" ¦ both `action` and `profile` ¦ two events
another problem ¦ about = → problem = «"placement"»⏎about = ¦ the problem here is `placement` ¦ for `one-bit` only
a problem that there is not ¦ about = → problem = «"two-bit"»⏎about = ¦ unknown value `two-bit` ¦
two links to one node ¦ to = "bert" → to = "bert"⏎[[link]]⏎from = "thea"⏎to = «"anna"» ¦ `anna` is linked twice ¦ one link
"#;

const COUNTED: &str = r#"
no nodes ¦ count = 3 → count = «0» ¦ a topology cannot have 0 helper nodes ¦ from 1 to 10000
too many nodes ¦ count = 3 → count = «10001» ¦ a topology cannot have 10001 helper nodes ¦ from 1 to 10000
a count beyond its type ¦ count = 3 → count = «5000000000» ¦ wrong value: integer `5000000000` ¦ a whole number
nodes not counted ¦ [nodes]⏎count = 3 → [«nodes»] ¦ how many helper nodes there are is not said ¦ nodes.count = 10
no nodes at all ¦ about = → «»about = & [nodes]⏎count = 3⏎weights = { kind = "sphere" }⏎ →  ¦ how many helper nodes there are is not said ¦ nodes.count = 10
no weights ¦ [nodes] → [«nodes»] & weights = { kind = "sphere" }⏎ →  ¦ a helper node has no weights ¦ nodes.weights =
a task node called like a counted node ¦ [policies.toof] → [[task-node]]⏎name = «"h2"»⏎[policies.toof] ¦ two nodes are called `h2` ¦ h0, h1
no policy ¦ [policies.toof]⏎kind = "toof"⏎ → [«policies»]⏎ ¦ no policy ¦ [policies.toof]
no policies at all ¦ about = → «»about = & [policies.toof]⏎kind = "toof"⏎ →  ¦ missing key `policies` ¦ fogbit policy list
"#;

#[test]
fn mistakes_in_format_run_length_policies_and_expectations() {
    check_all(GOOD, FORMAT);
}

#[test]
fn mistakes_in_nodes_and_links() {
    check_all(GOOD, NODES);
}

#[test]
fn mistakes_in_counted_nodes() {
    check_all(SMALL, COUNTED);
}

const TWICE: &str = r#"
a name twice ¦ name = "bert" → name = «"anna"» ¦ two nodes are called `anna` ¦ a name of its own
a node called like the unnamed task node ¦ name = "bert" → name = «"task"» & [[task-node]]⏎name = "thea" →  ¦ two nodes are called `task` ¦ `task` where it is not named
"#;

#[test]
fn a_node_name_used_twice() {
    let without_links = GOOD.split("[[link]]").next().unwrap().to_owned()
        + "[policies.turns]\nkind = \"round-robin\"\n";
    check_all(&without_links, TWICE);
}

#[test]
fn a_missing_file_is_named() {
    let missing = Path::new("no/such/topology.toml");
    let Err(Faults(faults)) = TopologyFile::read(missing) else { panic!("it is missing") };
    let message = "cannot read the topology file no/such/topology.toml: No such file";
    check("missing", &faults[0], message, "topologies/paper.toml", None);

    let folder = tempfile::tempdir().expect("a folder");
    let binary = folder.path().join("binary.toml");
    std::fs::write(&binary, [0xff, 0xfe, 0x00]).expect("a file");
    let Err(Faults(faults)) = TopologyFile::read(&binary) else { panic!("it is no text") };
    check("binary", &faults[0], "valid UTF-8", "topologies/paper.toml", None);
}

/// Whoever mends one mistake should not have to run again to hear of the next.
#[test]
fn independent_mistakes_are_told_at_once_in_the_order_of_the_file() {
    let told = |edits: &[(&str, &str)]| {
        let text = edited(GOOD, edits);
        let Err(Faults(faults)) = read(Path::new("test.toml"), &text, &[]) else {
            panic!("there are mistakes")
        };
        let underlined = |p: &fogbit_scenario::Fault| {
            let place = p.place.as_ref().expect("a place");
            place.source.text[place.span.clone()].to_owned()
        };
        faults.iter().map(underlined).collect::<Vec<_>>()
    };
    let format = [
        ("about =", "abuot ="),
        ("lookahead = 64", "lookahead = \"far\""),
        ("capacity = 4", "capacity = 4, size = 3"),
        ("lambda = 1.5", "lamda = 1.5"),
        ("\"round-robin\"", "\"rr\""),
    ];
    assert_eq!(told(&format), ["abuot", "\"far\"", "size", "lamda", "\"rr\""]);
    let values = [
        ("slots = 100", "slots = 0"),
        ("lookahead = 64", "lookahead = 9999"),
        ("norm = 0.9", "norm = 1.25"),
        ("[0.1, 0.2, 0.3, 0.4, 0.5]", "[0.1]"),
        ("to = \"bert\"", "to = \"bart\""),
        ("lambda = 1.5", "lambda = -1"),
        ("slot = 90", "slot = -0"),
    ];
    assert_eq!(told(&values), ["0", "9999", "1.25", "[0.1]", "\"bart\"", "-1", "-0"]);
}
