"""Run contenders in turn, several times, and print medians and ratios."""

import statistics
import time


def race(contenders, rounds=3):
    """Run each contender `rounds` times, interleaved.

    `contenders` maps a name to a function that returns an objective value; the first is ours.
    Returns nothing: prints a table of median seconds, the ratio to ours, and how far each
    objective lies above the best, relatively.
    """
    seconds = {name: [] for name in contenders}
    objectives = {}
    for _ in range(rounds):
        for name, function in contenders.items():
            started = time.perf_counter()
            objectives[name] = function()
            seconds[name].append(time.perf_counter() - started)
    ours = statistics.median(next(iter(seconds.values())))
    best = min(objectives.values())
    print(f"{'':34} {'median s':>9} {'min s':>8} {'ratio':>8} {'above best':>11}")
    for name, times in seconds.items():
        median = statistics.median(times)
        above = (objectives[name] - best) / abs(best)
        print(f"{name:34} {median:9.3f} {min(times):8.3f} {median / ours:8.2f} {above:11.1e}")
