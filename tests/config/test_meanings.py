"""What keys mean: read from the comments of config.yaml and from the docstrings of models."""

from roco.attacks.l0.greedy import Greedy
from roco.config.meanings import comments_of, description_of, meaning_at, meanings_of


def test_comments_belong_to_the_key_below_or_before_them() -> None:
    text = "# of a\na: 1\nb:\n  # two\n  # lines\n  c: '#' # and more [3]\n\n# of nothing\n\n  d: 4\ne: 5 # last\n"
    expected = {"a": "of a", "b": "", "b.c": "two lines and more [3]", "b.d": "", "e": "last"}
    assert comments_of(text) == expected


def test_a_recipe_is_explained_where_the_first_one_stands() -> None:
    assert meaning_at("space.nodes") == "in a phase at most [6]"
    assert meaning_at("targets.training.learning_rate") == "at the start, falls to 0 by a cosine [not given]"
    assert meaning_at("evaluation.training.learning_rate") == "at the start, falls to 0 by a cosine [0.025]"
    assert meaning_at("space.colour") == ""


def test_docstrings_explain_a_section_and_its_keys_with_those_that_it_extends() -> None:
    assert description_of(Greedy).startswith("L0 by greedy choice of pixels")
    assert "Attributes" not in description_of(Greedy)
    meanings = meanings_of(Greedy)
    assert meanings["rivals"] == "for the last pixel, gradients are taken for so many of the likeliest other classes."
    assert meanings["margin"].startswith("by how many logits")
