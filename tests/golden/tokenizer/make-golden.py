"""Makes tests/golden/data/tokenizer-peers.json: ids and decoded texts of Hugging Face's `tokenizers` (Rust).

Run with `pip install tokenizers==0.23.3`, in this folder: python3 make-golden.py
The tokenizers are built here by that library's own classes from the vocabularies in tests/data/tokenizer, so the
golden depends on none of this repository's code. Seed: 7.
"""
import gzip
import json
import random

import tokenizers
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers

DATA = "../../data/tokenizer/"
BITS = [" ", "  ", "\n", "\r\n", "\t", "\u0085", "\ufeff", "\u00a0", "\u3000", "\u200b", "a", "The", "the", "'s", "'S", "'LL",
        "don't", "1", "12", "1234", "²", "٣", "½", "Ⅷ", "é", "e\u0301", "日本", "🦙", "👨‍👩‍👧", ".", "...", "!?", "$", "+", "<=", "~",
        "`", "|", "<|im_end|>", "<|endoftext|>", "<s>", "<|user|>", "</s>", "Äpfel", "нещо", "Hello", "WORLD", "CamelCase",
        "constructor", "__proto__", "prototype", "a▁b", "▁", "▁▁", "\u0000", "\u0301", "ﷺ", "ſ", "_", "-", "/", "            ", "\n\n\n"]
CL100K = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|DIGITS| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"


def vocabulary(name):
    with gzip.open(f"{DATA}{name}.vocabulary.json.gz", "rt", encoding="utf8") as file:
        return {key.removeprefix("tokenizer.ggml."): value for key, value in json.load(file).items()}


def add_tokens(tokenizer, found):
    for token, kind in zip(found["tokens"], found["token_type"]):
        if kind == 3:
            tokenizer.add_special_tokens([AddedToken(token, normalized=False, special=True)])
        elif kind == 4:
            tokenizer.add_tokens([AddedToken(token, normalized=False)])
    return tokenizer


def byte_level(found, pre, ignore_merges=False):
    vocab = {token: index for index, token in enumerate(found["tokens"])}
    merges = [tuple(merge.split(" ")) for merge in found["merges"]]
    tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=merges, ignore_merges=ignore_merges))
    tokenizer.pre_tokenizer = pre
    tokenizer.decoder = decoders.ByteLevel()
    return add_tokens(tokenizer, found)


def sentence_piece(found):
    tokens, kinds, scores = found["tokens"], found["token_type"], found["scores"]
    vocab = {token: index for index, token in enumerate(tokens)}
    merges = []
    for index, token in enumerate(tokens):
        if kinds[index] == 1:
            cuts = [(token[:cut], token[cut:]) for cut in range(1, len(token))]
            cuts = [pair for pair in cuts if pair[0] in vocab and pair[1] in vocab]
            merges += [(scores[index], pair) for pair in sorted(cuts, key=lambda pair: (vocab[pair[0]], vocab[pair[1]]))]
    merges.sort(key=lambda merge: -merge[0])
    tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=[pair for _, pair in merges], unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    return add_tokens(tokenizer, found)


def split_then_bytes(digits):
    return pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(CL100K.replace("DIGITS", digits)), "isolated"),
                                    pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])


smollm2 = vocabulary("smollm2")
gpt2_bytes = pre_tokenizers.ByteLevel(add_prefix_space=False)
peers = {
    "gpt-2": byte_level(smollm2, gpt2_bytes),
    "smollm": byte_level(smollm2, pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), gpt2_bytes])),
    "qwen2": byte_level(smollm2, split_then_bytes(r"\p{N}")),
    "llama-bpe": byte_level(smollm2, split_then_bytes(r"\p{N}{1,3}"), ignore_merges=True),
    "sentencepiece": sentence_piece(vocabulary("phi3")),
}
random.seed(7)
texts = [""] + ["".join(random.choices(BITS, k=random.randint(1, 14))) for _ in range(160)] + ["a" * 500, "ab " * 200, " " * 300, "日" * 200]
golden = {
    "made by": f"make-golden.py, tokenizers {tokenizers.__version__}, seed 7",
    "texts": texts,
    "ids": {name: [peer.encode(text, add_special_tokens=False).ids for text in texts] for name, peer in peers.items()},
    "decoded": {name: [peer.decode(peer.encode(text, add_special_tokens=False).ids) for text in texts] for name, peer in peers.items()},
}
with open("../data/tokenizer-peers.json", "w", encoding="utf8") as file:
    json.dump(golden, file, ensure_ascii=False, separators=(",", ":"))
