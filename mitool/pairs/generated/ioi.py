"""Indirect object identification: who was given it (Wang et al. 2022, arXiv 2211.00593)."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Generator

from mitool.core.errors import InputError
from mitool.pairs.generated.base import REMEDY, Prompt, PromptTask, choose, one_token_words
from mitool.pairs.tokens import Reader

NAME = "ioi"

TEMPLATES = (
    "Then, {first} and {second} went to the {place}. {giver} gave a {object} to",
    "Then, {first} and {second} had a lot of fun at the {place}. {giver} gave a {object} to",
    "Then, {first} and {second} were working at the {place}. {giver} decided to give a {object} to",
    "Then, {first} and {second} were thinking about going to the {place}. {giver} wanted to give a "
    "{object} to",
    "Then, {first} and {second} had a long argument, and afterwards {giver} said to",
    "After {first} and {second} went to the {place}, {giver} gave a {object} to",
    "When {first} and {second} got a {object} at the {place}, {giver} decided to give it to",
    "When {first} and {second} got a {object} at the {place}, {giver} decided to give the {object} "
    "to",
    "While {first} and {second} were working at the {place}, {giver} gave a {object} to",
    "While {first} and {second} were commuting to the {place}, {giver} gave a {object} to",
    "After the lunch, {first} and {second} went to the {place}. {giver} gave a {object} to",
    "Afterwards, {first} and {second} went to the {place}. {giver} gave a {object} to",
    "Then, {first} and {second} had a long argument. Afterwards {giver} said to",
    "The {place} {first} and {second} went to had a {object}. {giver} gave it to",
    "Friends {first} and {second} found a {object} at the {place}. {giver} gave it to",
)
"""The templates of the paper, its Figure 14, up to the answer."""

ORDERS = ("ABB", "BAB")
"""Who is meant by the first name, the second and the giver: A is given it, by B. The answer makes
them the paper's ABBA and BABA.
"""

NAMES = (
    *("Aaron", "Adam", "Alan", "Albert", "Alex", "Alice", "Amanda", "Amy", "Andrew", "Angela"),
    *("Anna", "Anne", "Anthony", "Arthur", "Barbara", "Ben", "Betty", "Bob", "Brian", "Carl"),
    *("Carol", "Catherine", "Charles", "Charlotte", "Chris", "Claire", "Daniel", "David", "Dennis"),
    *("Diana", "Donald", "Donna", "Dorothy", "Edward", "Eleanor", "Elizabeth", "Ellen", "Emily"),
    *("Emma", "Eric", "Eva", "Frank", "Fred", "George", "Hannah", "Harold", "Heather", "Helen"),
    *("Henry", "Ian", "Isaac", "Jacob", "James", "Jane", "Janet", "Jennifer", "Jessica", "Joan"),
    *("John", "Joseph", "Joshua", "Julia", "Julie", "Karen", "Kate", "Kenneth", "Kevin", "Laura"),
    *("Linda", "Lisa", "Louise", "Lucy", "Margaret", "Maria", "Martha", "Martin", "Mary"),
    *("Matthew", "Michael", "Nancy", "Nathan", "Nicole", "Oliver", "Patricia", "Patrick", "Paul"),
    *("Peter", "Rachel", "Rebecca", "Richard", "Robert", "Ruth", "Ryan", "Sally", "Samuel"),
    *("Sarah", "Simon", "Sophie", "Stephen", "Susan", "Teresa", "Thomas", "Tim", "Tom", "Victoria"),
    *("Walter", "Wendy", "William"),
)

PLACES = (
    *("airport", "bakery", "bank", "bar", "beach", "bridge", "cafe", "castle", "church", "farm"),
    *("garden", "gym", "harbor", "hospital", "hotel", "lake", "library", "market", "museum"),
    *("office", "palace", "park", "restaurant", "school", "stadium", "station", "store", "theater"),
    *("village", "zoo"),
)

OBJECTS = (
    *("ball", "basket", "blanket", "book", "bottle", "box", "cake", "camera", "coat", "coin"),
    *("computer", "cookie", "cup", "drink", "drum", "flower", "guitar", "hat", "key", "knife"),
    *("lamp", "letter", "map", "necklace", "pencil", "phone", "picture", "ring", "sandwich"),
    *("scarf", "toy"),
)
"""Things that are given, none of which would be *an*."""

N_NAMES = 5
"""The names of a pair: two in the clean text, and three others in the corrupted one."""


@dataclass(frozen=True)
class IOIPrompts:
    """The prompts whose names, places and objects are one token each, so that a clean and its
    corrupted text are as many.

    Attributes:
        names: at least ``N_NAMES``.
        places: at least one.
        objects: at least one.
    """

    names: tuple[str, ...]
    places: tuple[str, ...]
    objects: tuple[str, ...]

    @property
    def n_clean(self) -> int:
        n_of_names = len(self.names) * (len(self.names) - 1) * len(ORDERS)
        return n_of_names * sum(
            (len(self.places) if "{place}" in template else 1)
            * (len(self.objects) if "{object}" in template else 1)
            for template in TEMPLATES
        )

    def draw(self, generator: Generator) -> Prompt:
        template, place, object_ = (
            words[choose(generator, len(words))] for words in (TEMPLATES, self.places, self.objects)
        )
        chosen = torch.randperm(len(self.names), generator=generator)[:N_NAMES].tolist()
        io, subject, *others = (self.names[i] for i in chosen)
        order = ORDERS[choose(generator, len(ORDERS))]
        clean, corrupted = (
            template.format(first=first, second=second, giver=giver, place=place, object=object_)
            for first, second, giver in ([{"A": io, "B": subject}[x] for x in order], others)
        )
        return Prompt(clean, corrupted, (f" {io}",), (f" {subject}",))


def ioi_prompts(model: Reader) -> IOIPrompts:
    """The prompts of indirect object identification that a model's tokenizer reads as the paper's
    does.

    The templates are the paper's, in both orders, each as likely. The corrupted text is of its
    p_ABC: three other names in place of the three mentions of two, so that nothing says who is
    given something; it differs from the clean one by names alone. Right is the indirect object of
    the clean text, wrong its giver. The names, places and objects are lists of our own.

    Raises:
        InputError: fewer than ``N_NAMES`` names are one token, or no place or no object is.
    """
    names, places, objects = (
        _words(model, kind, words, least)
        for kind, words, least in (
            ("names", NAMES, N_NAMES),
            ("places", PLACES, 1),
            ("objects", OBJECTS, 1),
        )
    )
    return IOIPrompts(names, places, objects)


def _words(model: Reader, kind: str, words: Sequence[str], least: int) -> tuple[str, ...]:
    known = one_token_words(model, NAME, words)
    if len(known) < least:
        raise InputError(
            f"{NAME}: expected a tokenizer to which at least {least} of {len(words)} {kind} "
            f"({words[0]}, {words[1]}, ..) are one token each, found {len(known)}; {REMEDY}"
        )
    return known


IOI = PromptTask(
    NAME,
    "Who is given it: the one of two names that is not the giver's",
    "Wang et al. 2022, arXiv 2211.00593",
    "logit-diff",
    ioi_prompts,
)
