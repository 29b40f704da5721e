"""Command lines that ``--help`` shows and that a missing argument is answered with.

In one place, by the command's name; a task that is not here is shown the line that trains it.
"""

from collections.abc import Mapping, Sequence

EXAMPLES: Mapping[str, Sequence[str]] = {
    "": (
        "mitool train modadd --p 29 --frac-train 0.8 --epochs 2000 -o runs/first",
        "mitool analyze fourier runs/first --checkpoints all",
        "mitool tasks",
    ),
    "tasks": ("mitool tasks", "mitool tasks --json"),
    "inspect": (
        "mitool inspect runs/first",
        "mitool inspect runs/first/ckpt.safetensors --json",
        "mitool inspect gpt2 --pairs pairs.csv --check 'n_refused == 0'",
    ),
    "convert": (
        "mitool convert model.pt --task min --split-seed 4",
        "mitool convert model.pt --task modadd --p 113 --split python --split-seed 1",
        "mitool convert run.pt --task modadd --index -1 --rename 'layer#.W_*=blocks.#.attn.W_*'",
        "mitool convert runs/first --to bridge -o bridge.safetensors",
    ),
    "patch": (
        "mitool patch runs/first",
        "mitool patch runs/first --site 'resid_*' --by-position",
        "mitool patch runs/first --path 'L0H*->logits' --direction noise",
        "mitool patch gpt2 --task ioi --edge 'L9H*->logits' --n-pairs 32",
    ),
    "report": (
        "mitool report runs/first",
        "mitool report runs/first --check 'n_outdated == 0' --json",
    ),
    "plant": (
        "mitool plant",
        "mitool plant induction -o runs/planted-induction",
    ),
    "sweep": (
        'mitool sweep "train modadd --epochs 2000" --grid p=29,53 --grid seed=0:3',
        'mitool sweep "train min" --grid lr=0.001..0.03:6 --jobs 2 --metric test_loss',
        'mitool sweep "superpose train" --grid n_hidden=2,5 --check "done == 2"',
    ),
    "doctor": ("mitool doctor", "mitool doctor --check 'images == true'"),
    "train": (
        "mitool train modadd --p 113",
        "mitool train min --seeds 0-2 -o runs/min-seeds",
        "mitool train induction --resume",
    ),
    "train modadd": (
        "mitool train modadd --p 113",
        "mitool train modadd --p 97 --op subtract --stop-on-grok",
        "mitool train modadd --p 29 --frac-train 0.8 --epochs 2000 -o runs/first",
        "mitool train modadd --p 113 --seeds 0-2 -o runs/three-seeds",
    ),
    "train min": (
        "mitool train min",
        "mitool train min --k 3 --max-value 99 --op max",
        "mitool train min --check 'test_accuracy >= 0.99' --json",
    ),
    "train sort": ("mitool train sort", "mitool train sort --seed 1 --epochs 4000"),
    "train majority": ("mitool train majority", "mitool train majority --resume"),
    "train permute": ("mitool train permute", "mitool train permute --length 3"),
    "train index-array": ("mitool train index-array", "mitool train index-array --lr 3e-4"),
    "train previous-token": (
        "mitool train previous-token",
        "mitool train previous-token --n-heads 2 --seeds 0-2",
    ),
    "train digits": (
        "mitool train digits --digits 2",
        "mitool train digits --digits 5 --lr 1e-3 --schedule linear --epochs 40000",
    ),
    "train skip-trigram": (
        "mitool train skip-trigram",
        "mitool train skip-trigram --epochs 2000 -o runs/trigrams",
    ),
    "train greater-than": (
        "mitool train greater-than",
        "mitool train greater-than --seeds 0-2 -o runs/years",
    ),
    "train induction": (
        "mitool train induction",
        "mitool train induction --sequences 512 --checkpoint-every 50",
    ),
    "train gate": ("mitool train gate --op xor", "mitool train gate --op and --epochs 1500"),
    "analyze": (
        "mitool analyze fourier runs/modadd-p113-seed0",
        "mitool analyze attn runs/first",
        "mitool analyze circuit runs/first",
    ),
    "analyze attn": (
        "mitool analyze attn runs/first",
        "mitool analyze attn runs/first --prompt '3 5 =' --prompt '28 1 ='",
        "mitool analyze attn gpt2 --pairs pairs.csv -o runs/gpt2-attn",
    ),
    "analyze circuit": (
        "mitool analyze circuit runs/first --holdout 0.5",
        "mitool analyze circuit runs/first --method exact --edges 12",
        "mitool analyze circuit runs/planted-induction --truth runs/planted-induction/truth.txt",
        "mitool analyze circuit gpt2 --task ioi --n-pairs 64 --reach 0.8",
    ),
    "analyze fourier": (
        "mitool analyze fourier runs/first --checkpoints all",
        "mitool analyze fourier runs/first --threshold 0.02 -o fourier-strict",
    ),
    "superpose": (
        "mitool superpose intro",
        "mitool superpose mono LR1 --scale small",
        "mitool superpose train --n-features 50 --n-hidden 10 --n-instances 4",
    ),
    "superpose intro": ("mitool superpose intro", "mitool superpose intro --seed 1"),
    "superpose norms": (
        "mitool superpose norms",
        "mitool superpose norms --n-features 40 --n-hidden 8",
    ),
    "superpose geometry": (
        "mitool superpose geometry --steps 20000",
        "mitool superpose geometry --n-features 100 --n-hidden 10 -o runs/geometry",
    ),
    "superpose dimensionality": (
        "mitool superpose dimensionality",
        "mitool superpose dimensionality --from runs/superpose-geometry-seed0",
    ),
    "superpose phase": (
        "mitool superpose phase",
        "mitool superpose phase --n-instances 10 --steps 5000",
    ),
    "superpose correlated": (
        "mitool superpose correlated",
        "mitool superpose correlated --n-features 6 --seed 1",
    ),
    "superpose basis": ("mitool superpose basis", "mitool superpose basis --restarts 20"),
    "superpose mono": (
        "mitool superpose mono --list",
        "mitool superpose mono LR1 --scale small",
        "mitool superpose mono --sweep learning-rate=0.001,0.003 --scale small -o runs/rates",
    ),
    "superpose train": (
        "mitool superpose train --n-features 50 --n-hidden 10 --n-instances 4",
        "mitool superpose train --from runs/superpose-intro-seed0 -o runs/intro-again",
    ),
}


def examples_of(name: str) -> Sequence[str]:
    """The examples of a command by its name, without ``mitool``."""
    return EXAMPLES.get(name, (f"mitool {name}",))
