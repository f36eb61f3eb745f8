"""Ratios of hostmesh to its floors and peers: collected, stored, and compared with stored ones.

Ours and the other run in turn, so each round gives a pair and each pair a ratio: what else the machine does meets both. The
ratios of all rounds are the sample of a figure. In all of them less is better.

The spread of a figure is the interval from the lowest to the highest ratio of its sample; from TRIMMED_FROM rounds on
without the lowest and the highest one, which one disturbed round would otherwise decide. A figure is worse when its
interval lies wholly above the stored one, and by more than RESOLUTION. That needs no assumption about how the ratios are
distributed: were both samples the same, it would happen once in C(2n, n) comparisons of n rounds each, which is 1 in 252
for 5 rounds, and once in 590 for 9 trimmed ones. With fewer than MINIMUM rounds on either side nothing is said."""

import json
import statistics

MINIMUM = 5
TRIMMED_FROM = 8
# Memory is counted in pages, of which an idle proc has some forty.
RESOLUTION = 0.03


class Ratios:
    """What one run of the benchmark collects: name -> sample, and name -> median of what ours was divided by."""

    def __init__(self):
        self.samples = {}
        self.bases = {}

    def add(self, name, ours, others):
        """Two lists of the same rounds. A round that lacks a value on either side has no ratio."""
        sample = [round(our / other, 4) for our, other in zip(ours, others) if our is not None and other]
        if sample:
            self.samples[name] = sample
            self.bases[name] = round(statistics.median(other for other in others if other), 4)


def interval(sample):
    ordered = sorted(sample)
    if len(ordered) >= TRIMMED_FROM:
        ordered = ordered[1:-1]
    return ordered[0], ordered[-1]


def verdict(now, stored):
    if min(len(now), len(stored)) < MINIMUM:
        return "too few runs"
    low, high = interval(now)
    stored_low, stored_high = interval(stored)
    if low > stored_high * (1 + RESOLUTION):
        return "WORSE"
    if high * (1 + RESOLUTION) < stored_low:
        return "better"
    return "as stored"


def compare(now, stored):
    """Two dictionaries of samples. Rows for a table (name, stored, now, verdict), by name. Those of `now` only are new;
    those of `stored` only are not in it, because somebody may have chosen among the sections."""
    rows = []
    for name in sorted(now):
        if name in stored:
            rows.append((name, text(stored[name]), text(now[name]), verdict(now[name], stored[name])))
        else:
            rows.append((name, "-", text(now[name]), "new"))
    return rows


def times_as_slow(now, stored):
    """How many times as long the floors and peers took as when they were stored: the geometric mean over what both have,
    1 when that is nothing. Ratios of another machine, or of this one on another day, are not the same."""
    common = [now[name] / stored[name] for name in now if stored.get(name)]
    return statistics.geometric_mean(common) if common else 1.0


def passed(rows):
    """Whether nothing is worse. Where nothing could be compared, nothing is known."""
    verdicts = {row[-1] for row in rows}
    return "WORSE" not in verdicts and bool(verdicts & {"as stored", "better"})


def text(sample):
    return "%.2f (%.2f to %.2f)" % ((statistics.median(sample),) + interval(sample))


def store(file, taken, samples):
    """`taken`: a dictionary that says by what, when and where they were measured, and `bases`."""
    lines = ["    %s: %s" % (json.dumps(name), json.dumps(sample)) for name, sample in sorted(samples.items())]
    with open(file, "w", encoding="utf-8") as stored:
        stored.write('{\n  "taken": %s,\n  "ratios": {\n%s\n  }\n}\n' % (
            json.dumps(taken, indent=2).replace("\n", "\n  "), ",\n".join(lines)))


def load(file):
    """(taken, samples); ValueError with a sentence when it is not such a file."""
    with open(file, encoding="utf-8") as stored:
        content = json.load(stored)
    try:
        samples = {name: [float(ratio) for ratio in sample] for name, sample in content["ratios"].items()}
        taken = dict(content["taken"])
    except (KeyError, TypeError, AttributeError) as wrong:
        raise ValueError("%s does not hold stored ratios: %r" % (file, wrong)) from wrong
    if not all(samples.values()):
        raise ValueError("%s has a figure without ratios" % file)
    return taken, samples
