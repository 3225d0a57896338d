"""The file names of saved weights."""

WEIGHTS_FILE = "model.safetensors"  # ours, and Hugging Face's
OPTIMIZER_FILE = "optimizer.safetensors"  # AdamW's moments, in a checkpoint
STATE_FILE = "state.json"  # configuration and training state, in a checkpoint
CONFIG_FILE = "config.json"  # a GPT-2's configuration in Hugging Face's layout
