"""Makes the Parquet tables in tests/data/parquet: what pyarrow writes, small, in the shapes that data sets have.

python make_parquet.py (pyarrow 26.0.1)
"""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

OUT = Path(__file__).parent.parent / "data" / "parquet"

TEXTS = pa.table({
    "id": pa.array(range(40), pa.int64()),
    "text": [None if row == 7 else f"Row {row}: the füchslein 🦊 ran on. " * (row % 3 + 1) for row in range(40)],
})
CHATS = pa.table({
    "messages": pa.array(
        [[{"role": "user", "content": f"Question {row}?"}, {"role": "assistant", "content": f"Answer {row}."}] for row in range(6)],
        pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())])),
    ),
})
QUESTIONS = pa.table({"ask": [f"What is {row}?" for row in range(5)], "reply": [f"It is {row}." for row in range(5)], "ok": [True] * 5})


def main() -> None:
    OUT.mkdir(parents=True, exist_ok=True)
    for codec in ["none", "snappy", "gzip", "zstd", "brotli", "lz4"]:
        pq.write_table(TEXTS, OUT / f"texts-{codec}.parquet", compression=codec, row_group_size=16)
    pq.write_table(TEXTS, OUT / "texts-v2.parquet", data_page_version="2.0", compression="zstd", use_dictionary=False)
    pq.write_table(TEXTS, OUT / "texts-delta.parquet", use_dictionary=False, column_encoding={"text": "DELTA_BYTE_ARRAY", "id": "DELTA_BINARY_PACKED"})
    pq.write_table(CHATS, OUT / "chats.parquet", row_group_size=4)
    pq.write_table(QUESTIONS, OUT / "questions.parquet", store_schema=False)


main()
