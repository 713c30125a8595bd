"""What a race says in sentences."""

from nnbench.race.analysis import Outcome, Winner
from nnbench.race.time_to_loss import TRAINED
from nnbench.show import units
from nnbench.stats.median import LEAST_FOR_WANTED


def sentences(outcome: Outcome) -> list[str]:
    """Who is first at the target, who leads when, and who is not worth its time."""
    found = [*_target(outcome), *_leaders(outcome)]
    front, epochs = outcome.front[TRAINED], f"{outcome.race.epochs:,} epochs"
    if len(outcome.race.racers) > 1:
        beaten = [one.label for one in outcome.race.racers if one not in front]
        verb = "is" if len(beaten) == 1 else "are"
        found.append(
            f"Over {epochs} of each, no other is better in both time and loss than "
            f"{', '.join(one.label for one in front)}"
            + (f"; {', '.join(beaten)} {verb} beaten in both." if beaten else ".")
        )
    return found


def _target(outcome: Outcome) -> list[str]:
    loss, epochs = f"a loss of {outcome.target_loss:.4g}", f"{outcome.race.epochs:,} epochs"
    if not outcome.winners:
        return [
            f"No network gets to {loss} within {epochs} with half of its seeds: give more --epochs "
            "or a higher --target-loss."
        ]
    found = [_winner(one, loss) for one in outcome.winners]
    missing = [
        one.racer.label for one in outcome.standings if not one.time_to_target_s[TRAINED].reached
    ]
    if missing:
        verb = "does" if len(missing) == 1 else "do"
        found.append(
            f"{', '.join(missing)} {verb} not get there within {epochs} with half of the seeds."
        )
    return found


def _winner(winner: Winner, loss: str) -> str:
    kind = "of training alone" if winner.clock == TRAINED else "from nothing"
    rivals = f"; {', '.join(winner.rivals)} cannot be told apart from it" if winner.rivals else ""
    return (
        f"{winner.label} is first at {loss}, after {units.seconds(winner.time_s)} {kind}{rivals}."
    )


def _leaders(outcome: Outcome) -> list[str]:
    first, *others = outcome.lasting
    if not others:
        every = "every" if len(outcome.leaders) == 1 else "nearly every"
        return [f"{first[1].label} has the lowest loss at {every} moment."]
    changes = [f"from {units.seconds(moment_s)} on {one.label}" for moment_s, one in others]
    parts = ", ".join([f"at first {first[1].label}", *changes])
    return [f"With a given time to train, the lowest loss has {parts}."]


def warnings(outcome: Outcome) -> list[str]:
    """What limits the answer."""
    counts = {len(one.curves) for one in outcome.race.racers}
    found = []
    if min(counts) < LEAST_FOR_WANTED:
        found.append(
            f"{min(counts)} seeds hold a median with {units.share(outcome.confidence)} at most: "
            f"{LEAST_FOR_WANTED} are needed for 95 %."
        )
    if len(counts) > 1:
        found.append("Some trainings did not end: networks stand on unequal numbers of seeds.")
    return [*found, "The loss is Keras' mean over the epoch's batches, on the data trained on."]
