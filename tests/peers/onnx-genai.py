"""Greedy continuation by onnxruntime-genai: python onnx-genai.py MODEL_FOLDER IDS.json COUNT OUT.json [TEXT]"""
import json
import sys

import onnxruntime_genai as og

folder, ids_path, count, out_path = sys.argv[1:5]
ids = json.load(open(ids_path))
model = og.Model(folder)
params = og.GeneratorParams(model)
params.set_search_options(do_sample=False, min_length=0, max_length=len(ids) + int(count))
generator = og.Generator(model, params)
generator.append_tokens(ids)
found = []
while len(found) < int(count) and not generator.is_done():
    generator.generate_next_token()
    found.append(int(generator.get_next_tokens()[0]))
tokenized = None
if len(sys.argv) > 5:
    try:
        tokenized = [int(i) for i in og.Tokenizer(model).encode(sys.argv[5])]
    except Exception as error:
        tokenized = str(error)
json.dump({"generated": found, "tokenized": tokenized, "version": og.__version__}, open(out_path, "w"))
