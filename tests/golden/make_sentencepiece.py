"""Makes small SentencePiece models and the ids that sentencepiece and Hugging Face's tokenizers give for hard texts.

    pip install sentencepiece==0.2.3 tokenizers==0.23.3 && python tests/golden/make_sentencepiece.py

The models: BPE with byte tokens as Llama's; Unigram with byte tokens and NMT's table of characters; Unigram without
byte tokens whose tokens may span spaces. Texts are drawn with seed 7.
"""
import json
import random
from pathlib import Path

import sentencepiece as spm
from sentencepiece import sentencepiece_model_pb2
from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers

HERE = Path(__file__).parent
TEXT = HERE / "../../resources/example/texts"
OUT = HERE / "data/sentencepiece"
KINDS = {
    "bpe": dict(model_type="bpe", byte_fallback=True, normalization_rule_name="identity", remove_extra_whitespaces=False),
    "unigram": dict(model_type="unigram", byte_fallback=True, normalization_rule_name="nmt_nfkc"),
    "unigram-spans": dict(model_type="unigram", byte_fallback=False, normalization_rule_name="identity", add_dummy_prefix=False,
                          remove_extra_whitespaces=False, split_by_whitespace=False),
}
HARD = [
    "", " ", "   two  spaces ", "Hello world", "naïve café — “quoted”", "１２３ full width", "tabs\tand\nlines\r\n",
    "日本語のテキスト", "emoji 😀👩‍👩‍👧", "ﬁne ligature", "a" * 60, "don't  stop", "\u0000\u0007 control", "a<mask>b", " <mask> <mask>  c",
    "①<①>①", "<①>", "ends with a mark▁", "▁▁ marks ▁", "e\u0301\u0301\u0323x", "ｶﾞｷﾞ", "한국어", "ﷺ", "\u1100\u1161\u11a8", " " * 300,
]
BITS = [" ", "  ", "\n", "\r\n", "\t", "\u0085", "\ufeff", "\u00a0", "\u3000", "\u200b", "a", "The", "the", "'s", "don't", "1", "1234",
        "²", "½", "Ⅷ", "é", "e\u0301", "日本", "ｶﾞ", "🦙", "👨‍👩‍👧", ".", "...", "$", "<mask>", "<①>", "Äpfel", "нещо", "Hello", "was",
        "little", "girl", "▁", "▁▁", "\u0000", "\u0301", "ﷺ", "ſ", "ﬁ", "_", "            ", "\n\n\n", "\u0600", "1\u0301", "\u0915\u094d\u0937"]


def drawn():
    random.seed(7)
    return HARD + ["".join(random.choices(BITS, k=random.randint(1, 14))) for _ in range(200)]


def train(name, options):
    files = [path for path in sorted(TEXT.iterdir()) if path.suffix in {".txt", ".md"}]
    # Lines and a writer instead of file names, which the model would carry.
    lines = (line for path in files for line in path.read_text(encoding="utf8").splitlines())
    with (OUT / f"{name}.model").open("wb") as writer:
        spm.SentencePieceTrainer.train(sentence_iterator=lines, model_writer=writer, vocab_size=600, character_coverage=0.995,
                                       user_defined_symbols=["<mask>", "<①>"], num_threads=1, minloglevel=2, **options)


def hugging_face(spaces, metaspace):
    """The Unigram model with Hugging Face's classes, as its converters put them together."""
    proto = sentencepiece_model_pb2.ModelProto.FromString((OUT / "unigram.model").read_bytes())
    tokenizer = Tokenizer(models.Unigram([(piece.piece, piece.score) for piece in proto.pieces], 0, True))
    steps = [normalizers.Precompiled(proto.normalizer_spec.precompiled_charsmap)]
    tokenizer.normalizer = normalizers.Sequence(steps + ([normalizers.Replace(Regex(" {2,}"), " ")] if spaces else []))
    tokenizer.pre_tokenizer = metaspace
    for piece in proto.pieces:
        if piece.type in (2, 3):
            tokenizer.add_special_tokens([AddedToken(piece.piece, normalized=False, special=True)])
        if piece.type == 4:
            tokenizer.add_tokens([AddedToken(piece.piece, normalized=False)])
    return tokenizer


def write(name, content):
    (OUT / f"{name}.json").write_text(json.dumps(content, ensure_ascii=True, separators=(",", ":")) + "\n", encoding="utf8")


def main() -> None:
    OUT.mkdir(parents=True, exist_ok=True)
    texts = drawn()
    for name, options in KINDS.items():
        train(name, options)
        processor = spm.SentencePieceProcessor(model_file=str(OUT / f"{name}.model"))
        write(name, [{"text": text, "ids": processor.encode(text), "decoded": processor.decode(processor.encode(text))} for text in texts])
    for name, spaces, scheme, split in [("always", True, "always", True), ("first", False, "first", False), ("never", True, "never", True)]:
        peer = hugging_face(spaces, pre_tokenizers.Metaspace("▁", scheme, split))
        write(f"hugging-face-{name}", [{"text": text, "ids": peer.encode(text, add_special_tokens=False).ids} for text in texts])


if __name__ == "__main__":
    main()
