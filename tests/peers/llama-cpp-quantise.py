"""Quantises a GGUF file by llama.cpp itself: python llama-cpp-quantise.py LIBRARY_FOLDER SOURCE.gguf FILE_TYPE OUT.gguf

The libraries are those that node-llama-cpp comes with; FILE_TYPE is a number of `enum llama_ftype`.
"""

import ctypes
import glob
import os
import sys


def library(folder, name):
    return ctypes.CDLL(sorted(glob.glob(os.path.join(folder, name)))[0], mode=ctypes.RTLD_GLOBAL)


def main():
    folder, source, file_type, out = sys.argv[1:]
    library(folder, "libggml-base*.so")
    ggml = library(folder, "libggml.v*.so")
    llama = library(folder, "libllama.v*.so")
    ggml.ggml_backend_load_all_from_path(folder.encode())

    # More room than the parameters take; only the first two of them are set: threads and file type.
    class Parameters(ctypes.Structure):
        _fields_ = [("threads", ctypes.c_int32), ("file_type", ctypes.c_int32), ("rest", ctypes.c_uint8 * 1024)]

    llama.llama_model_quantize_default_params.restype = Parameters
    llama.llama_model_quantize.argtypes = [ctypes.c_char_p, ctypes.c_char_p, ctypes.c_void_p]
    llama.llama_model_quantize.restype = ctypes.c_uint32
    llama.llama_backend_init()
    parameters = llama.llama_model_quantize_default_params()
    parameters.threads = 1
    parameters.file_type = int(file_type)
    failed = llama.llama_model_quantize(source.encode(), out.encode(), ctypes.byref(parameters))
    sys.exit(1 if failed else 0)


main()
