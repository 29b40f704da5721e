"""Small tokenizers of every kind, trained on a few sentences."""

import json
from collections.abc import Callable
from pathlib import Path

from tokenizers import (
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from mitool.models.pretrained import Pretrained

CORPUS = (
    "The girl was happy. She was tired. The boy was happy. He was tired.",
    "the girl and the boy, 女孩很高兴, He said: She was happy. É é",
    *(" She" * 9, " He" * 9, "The girl was happy. She", "She", "He"),
)
BOS, EOS, UNK = "<s>", "</s>", "<unk>"
SPECIAL = [UNK, BOS, EOS]
AROUND: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "nothing": ((), ()),
    "bos": ((BOS,), ()),
    "both": ((BOS,), (EOS,)),
    "eos": ((), (EOS,)),
}
"""What a tokenizer puts before and after a text."""


def word_level() -> Tokenizer:
    tokenizer = Tokenizer(models.WordLevel(unk_token=UNK))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    return trained(tokenizer, trainers.WordLevelTrainer(special_tokens=SPECIAL))


def byte_level(prefix: bool) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=prefix)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    return trained(
        tokenizer,
        trainers.BpeTrainer(vocab_size=330, special_tokens=SPECIAL, initial_alphabet=alphabet),
    )


def byte_fallback() -> Tokenizer:
    """As Llama 2's: a space is a letter of its own, and bytes stand for letters unknown."""
    tokenizer = Tokenizer(models.BPE(unk_token=UNK, byte_fallback=True, fuse_unk=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Sequence(
        [
            decoders.Replace("\u2581", " "),
            decoders.ByteFallback(),
            decoders.Fuse(),
            decoders.Strip(" ", 1, 0),
        ]
    )
    of_bytes = [f"<0x{byte:02X}>" for byte in range(256)]
    trainer = trainers.BpeTrainer(vocab_size=400, special_tokens=[*SPECIAL, *of_bytes])
    found = trained(tokenizer, trainer, (CORPUS[0], *CORPUS[2:]))
    # bytes are entries as any other, and no special tokens as the trainer has them
    vocabulary = found.get_vocab()
    bare = Tokenizer(
        models.BPE(vocabulary, _merges(found), unk_token=UNK, byte_fallback=True, fuse_unk=True)
    )
    bare.pre_tokenizer, bare.decoder = found.pre_tokenizer, found.decoder
    bare.add_special_tokens(SPECIAL)
    return bare


def _merges(tokenizer: Tokenizer) -> list[tuple[str, str]]:
    return [tuple(merge) for merge in json.loads(tokenizer.to_str())["model"]["merges"]]


def unigram() -> Tokenizer:
    words = ("The", "the", "girl", "boy", "was", "happy", "tired", "She", "He")
    letters = dict.fromkeys("".join(CORPUS).replace(" ", "\u2581"))
    scores = {**dict.fromkeys(SPECIAL, 0.0), **dict.fromkeys(letters, -9.0)}
    scores |= {f"\u2581{word}": -1.0 for word in words}
    tokenizer = Tokenizer(models.Unigram(list(scores.items()), unk_id=0))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    tokenizer.add_special_tokens(SPECIAL)
    return tokenizer


def word_piece() -> Tokenizer:
    tokenizer = Tokenizer(models.WordPiece(unk_token=UNK))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    return trained(tokenizer, trainers.WordPieceTrainer(vocab_size=90, special_tokens=SPECIAL))


def with_suffix() -> Tokenizer:
    """As the first GPT's: the end of a word is part of its last token."""
    tokenizer = Tokenizer(models.BPE(unk_token=UNK, end_of_word_suffix="</w>"))
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.BPEDecoder(suffix="</w>")
    return trained(
        tokenizer,
        trainers.BpeTrainer(vocab_size=90, special_tokens=SPECIAL, end_of_word_suffix="</w>"),
    )


KINDS: dict[str, Callable[[], Tokenizer]] = {
    "words": word_level,
    "bytes": lambda: byte_level(False),
    "bytes after a space": lambda: byte_level(True),
    "byte fallback": byte_fallback,
    "unigram": unigram,
    "word pieces": word_piece,
    "suffix": with_suffix,
}


def trained(
    tokenizer: Tokenizer, trainer: trainers.Trainer, corpus: tuple[str, ...] = CORPUS
) -> Tokenizer:
    tokenizer.train_from_iterator(corpus, trainer)
    return tokenizer


def fast(tokenizer: Tokenizer, around: str = "nothing") -> PreTrainedTokenizerFast:
    """A tokenizer as transformers has it, which puts ``AROUND`` around texts."""
    before, after = AROUND[around]
    numbered = [(token, tokenizer.token_to_id(token)) for token in {*before, *after}]
    own = [tokenizer.post_processor] if tokenizer.post_processor else []
    template = processors.TemplateProcessing(
        single=" ".join([*before, "$A", *after]), special_tokens=numbered
    )
    tokenizer.post_processor = processors.Sequence([*own, template])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token=BOS, eos_token=EOS, unk_token=UNK
    )


def pretrained(tokenizer: PreTrainedTokenizerFast, n_tokens: int | None = None) -> Pretrained:
    """A random model of one layer with that tokenizer."""
    config = LlamaConfig(
        vocab_size=n_tokens or len(tokenizer),
        hidden_size=8,
        intermediate_size=8,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=64,
    )
    return Pretrained("made", LlamaForCausalLM(config).eval(), tokenizer)


def saved(tokenizer: PreTrainedTokenizerFast, folder: Path) -> Path:
    """A folder with that tokenizer and a random model."""
    tokenizer.save_pretrained(folder)
    pretrained(tokenizer).model.save_pretrained(folder)
    return folder
