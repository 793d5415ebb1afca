"""Schedules of applications, written down once more, plainly: one heap of events.

Draws 100 applications with their times, places them at random, and says when each sub-task and each
flow begins and ends. `python3 scenario/tests/pipeline/schedules.py > scenario/tests/pipeline/schedules.json`.
"""

import heapq
import json
import random


def play(sub_tasks, flows, computing, sending, delay, busy, placement):
    """First come, first served, at sites and on ways; everything is an event in one heap."""
    heap, number = [], 0
    waiting = [sum(1 for flow in flows if flow[1] == own) for own in range(sub_tasks)]
    sites = [{"free": time} for time in busy]
    ways = {}
    done, moved = [None] * sub_tasks, [None] * len(flows)

    def push(time, rank, own):
        heapq.heappush(heap, (time, rank, own))

    def hand_on(giver, now):
        own = [place for place, flow in enumerate(flows) if flow[0] == giver]
        own.sort(key=lambda place: (flows[place][1] is None, flows[place][1]))
        for place in own:
            source = 0 if giver is None else placement[giver]
            taker = flows[place][1]
            target = 0 if taker is None else placement[taker]
            begin = end = now
            if source != target:
                begin = max(now, ways.get((source, target), 0))
                ways[(source, target)] = begin + sending[place][source][target]
                end = ways[(source, target)] + delay[source][target]
            moved[place] = [now, begin, end]
            if taker is not None:
                arrive(taker, end)

    arrivals = [[] for _ in range(sub_tasks)]

    def arrive(taker, time):
        arrivals[taker].append(time)
        if len(arrivals[taker]) == waiting[taker]:
            push(max(arrivals[taker]), 1, taker)

    for own in range(sub_tasks):
        if waiting[own] == 0:
            push(0, 1, own)
    hand_on(None, 0)
    while heap:
        now, rank, own = heapq.heappop(heap)
        if rank == 0:
            hand_on(own, now)
            continue
        site = sites[placement[own]]
        begin = max(now, site["free"])
        site["free"] = begin + computing[own][placement[own]]
        done[own] = [now, begin, site["free"]]
        push(site["free"], 0, own)
    return done, moved


def case(draw):
    sub_tasks, sites = draw.randint(1, 9), draw.randint(2, 4)
    pairs = [(a, b) for b in range(sub_tasks) for a in range(b) if draw.random() < 0.35]
    pairs += [(None, own) for own in range(sub_tasks) if draw.random() < 0.3]
    pairs += [(own, None) for own in range(sub_tasks) if draw.random() < 0.3]
    pairs.sort(key=lambda flow: (-1 if flow[0] is None else flow[0], 99 if flow[1] is None else flow[1]))
    # Few different times: much happens at the same nanosecond.
    time = lambda: draw.choice([0, 1, 2, 3, 5, 8]) * 1000
    # A site of 1 GHz takes a nanosecond for a cycle.
    cycles = [time() for _ in range(sub_tasks)]
    speed = [draw.choice([1, 2, 4]) for _ in range(sites)]
    size = [time() for _ in pairs]
    rate = [[draw.choice([1, 2, 4]) for _ in range(sites)] for _ in range(sites)]
    delay = [[0 if a == b else time() for b in range(sites)] for a in range(sites)]
    busy = [time() for _ in range(sites)]
    placement = [draw.randrange(sites) for _ in range(sub_tasks)]
    computing = [[own // by for by in speed] for own in cycles]
    sending = [[[own // rate[a][b] for b in range(sites)] for a in range(sites)] for own in size]
    done, moved = play(sub_tasks, pairs, computing, sending, delay, busy, placement)
    return {
        "flows": pairs, "cycles": cycles, "speed_ghz": speed, "bytes": size, "rate_gb_s": rate,
        "delay_ns": delay, "busy_ns": busy, "placement": placement,
        "sub_tasks": done, "moved": moved,
    }


if __name__ == "__main__":
    draw = random.Random(7)
    print("[" + ",\n".join(json.dumps(case(draw)) for _ in range(100)) + "]")
