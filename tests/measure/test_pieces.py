"""Pieces of a step: networks cut after each of their layers, which train as the whole does."""

from pathlib import Path

import pytest

from nnbench.errors import UserError
from nnbench.workload.case import Case

HERE = Path(__file__).parent


@pytest.mark.long
@pytest.mark.parametrize("backend", ["jax", "tensorflow", "torch"])
def test_pieces_of_any_network_make_what_it_makes_and_train_the_weights_up_to_there(
    in_backend, backend
):
    in_backend(backend, (HERE / "piece_checks.py").read_text())


def test_a_piece_is_part_of_a_case_and_an_unknown_one_is_refused():
    from runs import case

    piece = case("6x2", piece="cut:3")
    assert Case.from_json(piece.to_json()) == piece
    assert piece.key != case("6x2").key
    assert "piece" not in case("6x2").to_json()
    with pytest.raises(UserError, match="unknown piece 'half' of a step"):
        case("6x2", piece="half")
