"""The file names of saved weights."""

import re

WEIGHTS_FILE = "model.safetensors"  # ours, and Hugging Face's
OPTIMIZER_FILE = "optimizer.safetensors"  # AdamW's moments, in a checkpoint
STATE_FILE = "state.json"  # configuration and training state, in a checkpoint
TOKENIZER_FILE = "tokenizer.json"  # the vocabulary, unless it is GPT-2's
CONFIG_FILE = "config.json"  # a GPT-2's configuration in Hugging Face's layout
BIN_FILE = "pytorch_model.bin"  # Hugging Face's older file of weights
INDEX_SUFFIX = ".index.json"  # after the name of a file of weights that is split into several
PICKLE_SUFFIXES = (".pth", ".pt", ".bin")  # of files of torch.save
WEIGHTS_SUFFIXES = (".safetensors", *PICKLE_SUFFIXES)
SHARD = re.compile(r"(.+)-\d{5}-of-\d{5}(\.\w+)")  # one file of several: name and suffix of all
