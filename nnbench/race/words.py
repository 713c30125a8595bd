"""What a race says in sentences."""

from nnbench.race.goal import LOSS
from nnbench.race.time_to_loss import TRAINED, Race
from nnbench.show import units
from nnbench.stats.median import LEAST_FOR_WANTED
from nnbench.workload.case import SPLIT_SEED
from nnbench.workload.networks import listed


def sentences(race: Race) -> list[str]:
    """Who is first at the target, who leads when, and who is not worth its time."""
    found = [*_target(race), _leaders(race)]
    front = race.front()
    if len(race.racers) > 1:
        beaten = [one.name for one in race.racers if one not in front]
        found.append(
            f"Over {race.epochs:,} epochs of each, no other is better in both time and "
            f"{race.goal.name} than "
            f"{listed([one.name for one in front])}"
            + (f"; {_all(beaten, 'is', 'are')} beaten in both." if beaten else ".")
        )
    return found


def _all(names: list[str], one: str, several: str) -> str:
    return f"{listed(names)} {one if len(names) == 1 else several}"


def _target(race: Race) -> list[str]:
    within = f"within {race.epochs:,} epochs with half of"
    name, target = race.goal.name, f"{race.shown(race.target):.4g}"
    if not race.winners:
        easier = "lower" if race.goal.rises else "higher"
        option = "--target-loss" if race.goal == LOSS else f"value of {name}"
        return [
            f"No network gets to a {name} of {target} {within} its seeds: give more "
            f"--epochs or a {easier} {option}."
        ]
    found = []
    for clock, (best, rivals) in race.winners.items():
        time = units.seconds(best.time_to(race.target, clock).value)
        kind = "of training alone" if clock == TRAINED else "from nothing"
        others = listed([one.name for one in rivals])
        found.append(
            f"{best.name} is first at a {name} of {target}, after {time} {kind}"
            + (f"; {others} cannot be distinguished from it." if rivals else ".")
        )
    missing = [one.name for one in race.racers if not one.time_to(race.target).reached]
    if missing:
        found.append(f"{_all(missing, 'does', 'do')} not get there {within} the seeds.")
    return found


def _leaders(race: Race) -> str:
    first, *others = race.lasting_leaders
    if not others:
        every = "every" if len(race.leaders) == 1 else "nearly every"
        return f"{first[1].name} has the {race.goal.best} at {every} moment."
    changes = [f"from {units.seconds(moment_s)} on {one.name}" for moment_s, one in others]
    parts = ", ".join([f"at first {first[1].name}", *changes])
    return f"With a given time to train, the {race.goal.best} has {parts}."


def warnings(race: Race) -> list[str]:
    """What limits the answer."""
    counts = {len(one.curves) for one in race.racers}
    found = []
    if min(counts) < LEAST_FOR_WANTED:
        found.append(
            f"{min(counts)} seeds hold a median with {units.share(race.confidence)} at most: "
            f"{LEAST_FOR_WANTED} are needed for 95 %."
        )
    if len(counts) > 1:
        found.append("Some trainings did not end: networks stand on unequal numbers of seeds.")
    case = race.case
    if case.held_out is not None:
        found.append(
            f"{case.held_out_rows:,} of {case.rows:,} rows, drawn with seed {SPLIT_SEED}, are held "
            "out; to validate on them is a part of each epoch's time."
        )
    if not race.goal.validates:
        what = "loss" if race.goal.metric is None else race.goal.name
        found.append(f"The {what} is Keras' mean over the epoch's batches, on the data trained on.")
    return found
