import pytest

from dashboard.components.word_map import WordPath, map_data


def test_places_are_short_numbers_and_each_path_has_a_colour() -> None:
    data = map_data(
        ["a", "<b>"],
        [(0.123456789, -1e-9), (12345.6, 2.0)],
        1,
        [0],
        [WordPath(0, [(1.0, 2.0), (0.123456789, 0.0)]), WordPath(1, [(1, 1)])],
        "map",
    )
    assert data["places"] == [[0.1235, -1e-9], [12350.0, 2.0]]
    assert (data["words"], data["selected"], data["near"]) == (["a", "<b>"], 1, [0])
    assert data["paths"][0]["places"] == [[1.0, 2.0], [0.1235, 0.0]]
    assert data["paths"][0]["color"] != data["paths"][1]["color"]


def test_a_word_without_a_place_is_refused() -> None:
    with pytest.raises(ValueError, match="There are 1 places for 2 words"):
        map_data(["a", "b"], [(0.0, 0.0)], 0, [], [], "map")
