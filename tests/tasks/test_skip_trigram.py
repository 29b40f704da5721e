"""Skip trigrams."""

from mitool.tasks.skip_trigram import SkipTrigram
from tests.tasks.labelled import rows


def test_the_answer_belongs_to_the_one_token_that_the_last_asks_for() -> None:
    task = SkipTrigram(groups=3, size=4, length=5)
    seen = set()
    for (bos, *keys, asking), (answer,) in rows(task, 500):
        assert bos == "BOS"
        asked_for = [key for key in keys if key[1] == asking[1]]
        assert len(asked_for) == 1
        assert answer == "C" + asked_for[0][1:]
        seen.add((answer, keys.index(asked_for[0])))
    assert len(seen) == 12 * 5  # every trigram at every place


def test_the_vocabulary() -> None:
    task = SkipTrigram(groups=2, size=2)
    trigrams = ("0.0", "0.1", "1.0", "1.1")
    answers, keys = (tuple(f"{letter}{t}" for t in trigrams) for letter in "CA")
    assert task.vocabulary == (*answers, *keys, "B0", "B1", "BOS")
