"""Prints training.txt: tasks to train on of topologies/learned.toml, from docs/determinism.md and the
formula of seed 000 alone.

Shares no code with the crate:
python3 -B scenario/tests/training.py | diff scenario/tests/training.txt -
"""

from golden import child, draw, key

SEEDS, TASKS = (1, 7), 40
SLIPS = {"fixed": 1, "notebook": 1000}


def uniform(stream, number, low, high):
    return low + (draw(stream, number) >> 11) / 2**53 * (high - low)


def example(seed, number):
    streams = [child(key(seed, "train.tasks", 0), index) for index in range(6)]
    cycles = round(uniform(streams[0], number, 1e6, 1e9))
    size = round(uniform(streams[1], number, 100, 5000) * 1e3)
    load = uniform(streams[2], number, 0.1, 0.9)
    rtt = round(uniform(streams[4], number, 10, 200) * 1e6) / 1e9
    return cycles, size, load, rtt


def latencies(cycles, size, load, rtt, bytes_s):
    """Seconds on the task node of 0.1 GHz, and on an edge node of 1e6 GHz with 10 ms overhead."""
    return cycles / (1e8 * (1 - load)), cycles / 1e15 + 0.01 + rtt + size / bytes_s


def main():
    for seed in SEEDS:
        for number in range(1, TASKS + 1):
            task = example(seed, number)
            print("task", seed, number, *task)
            for units, slip in SLIPS.items():
                print("expected", seed, number, units, *latencies(*task, 1e6 * slip))


if __name__ == "__main__":
    main()
