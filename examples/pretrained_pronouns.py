"""Which heads and which edges of a pretrained model carry the answer "She" or "He".

usage: python pretrained_pronouns.py MODEL [FOLDER]
time:  25 s on two cores, for a Llama of 260 000 parameters

MODEL is a folder with a small decoder of Hugging Face's (or a name, where there is a network) that
goes on after "The girl was happy." with " She". The model reads each sentence with a noun and with
its counterpart; what carries the noun from the one run to the other carries the answer.
"""

import csv
import sys
from itertools import product
from pathlib import Path

import mitool

NOUNS = {
    "girl": "boy",
    "woman": "man",
    "mother": "father",
    "sister": "brother",
    "queen": "king",
    "lady": "lord",
}
MOODS = ("happy", "sad", "tired", "hungry", "brave", "kind", "late", "alone")
TEMPLATES = (
    "The {noun} was {mood}.",
    "Once the {noun} was {mood}.",
    "The {noun} came. It was {mood}.",
)
ANSWERS = (" She", " He")


def write_pairs(model: mitool.Model, path: Path) -> int:
    """Write the sentences that are as many tokens with either noun; returns how many there are."""
    rows = []
    for template, (her, him), mood in product(TEMPLATES, NOUNS.items(), MOODS):
        texts = [template.format(noun=noun, mood=mood) for noun in (her, him)]
        if len(model.encode(texts[0])) == len(model.encode(texts[1])):
            rows += [(*texts, *ANSWERS), (*texts[::-1], *ANSWERS[::-1])]
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("clean", "corrupted", "correct", "incorrect"))
        writer.writerows(rows)
    return len(rows)


def main(name: str, folder: Path) -> None:
    model = mitool.load(name)
    folder.mkdir(parents=True, exist_ok=True)
    pairs = folder / "pairs.csv"
    print(f"{write_pairs(model, pairs)} pairs in {pairs}")

    heads = model.patch(pairs=pairs, sites="z")
    attention = model.attention(pairs=pairs)
    circuit = model.circuit(pairs=pairs, edges=200, holdout=0.5)
    for finding, name in ((heads, "heads"), (attention, "attention"), (circuit, "circuit")):
        print(f"{finding.save(folder / name, overwrite=True)}: {finding.conclusion or ''}")

    head = str(heads.claims["top_site"]).removeprefix("z.")  # such as z.L4H2
    print(f"{head} adds {attention.claims[f'{head}.direct_logit_attribution']:+.2f} by itself")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2] if len(sys.argv) > 2 else "runs/pronouns"))
