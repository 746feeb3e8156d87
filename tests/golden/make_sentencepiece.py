"""Makes small SentencePiece models (BPE and Unigram) and the ids that sentencepiece itself gives for hard texts.

    pip install sentencepiece && python tests/golden/make_sentencepiece.py
"""
import json
from pathlib import Path

import sentencepiece as spm

HERE = Path(__file__).parent
TEXT = HERE / "../../resources/example/texts"
OUT = HERE / "data/sentencepiece"
HARD = [
    "", " ", "   two  spaces ", "Hello world", "naïve café — “quoted”", "１２３ full width", "tabs\tand\nlines\r\n",
    "日本語のテキスト", "emoji 😀👩‍👩‍👧", "ﬁne ligature", "a" * 60, "don't  stop", "\u0000\u0007 control",
]


def main() -> None:
    OUT.mkdir(parents=True, exist_ok=True)
    files = [path for path in sorted(TEXT.iterdir()) if path.suffix in {".txt", ".md"}]
    for kind in ("bpe", "unigram"):
        model = OUT / f"{kind}.model"
        # Lines and a writer instead of file names, which the model would carry.
        lines = (line for path in files for line in path.read_text(encoding="utf8").splitlines())
        with model.open("wb") as writer:
            spm.SentencePieceTrainer.train(
                sentence_iterator=lines, model_writer=writer, vocab_size=600, model_type=kind, byte_fallback=True,
                character_coverage=0.995, user_defined_symbols=["<mask>"], normalization_rule_name="identity" if kind == "bpe" else "nmt_nfkc",
                remove_extra_whitespaces=kind == "unigram", minloglevel=2,
            )
        processor = spm.SentencePieceProcessor(model_file=str(model))
        cases = [{"text": text, "ids": processor.encode(text)} for text in HARD]
        (OUT / f"{kind}.json").write_text(json.dumps(cases, ensure_ascii=True) + "\n")


if __name__ == "__main__":
    main()
