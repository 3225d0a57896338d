"""The bytes of a text → its characters: encodings found, declared or chosen."""

from gpt_core.documents.encodings.decoding import BYTE_ORDER_MARKS, decode_text
from gpt_core.documents.encodings.names import ENCODING_NAMES, WEB_LABELS, web_encoding

__all__ = ["BYTE_ORDER_MARKS", "ENCODING_NAMES", "WEB_LABELS", "decode_text", "web_encoding"]
