"""Small hostile files, made by hand: what each did to a server that read it in its own process
stands in the function that makes it.
"""

import io
import json
import struct
import zipfile
import zlib
from collections.abc import Callable
from functools import partial

VOCAB_SIZE = 50257


def nested_pth(depth: int = 40) -> bytes:
    """Return a model.pth of some hundred bytes whose state dict has one key, a nested tuple.

    Each level holds the level below twice, by reference. ``torch.load(weights_only=True)`` allows
    tuples, a dict hashes its keys, and a tuple hashes anew what it holds: 2^depth steps in C, with
    the interpreter's lock held. At depth 26 some seconds, at 40 for hours: no page, no health, no
    training step, no answer to SIGTERM.
    """
    pickled = b"\x80\x02})q\x00"  # protocol 2, a dict, an empty tuple kept as 0
    for level in range(1, depth):
        pickled += b"h" + bytes([level - 1]) + b"\x86q" + bytes([level])  # (below, below), kept
    pickled += b"Ns."  # dict[tuple] = None
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("archive/data.pkl", pickled)
        archive.writestr("archive/version", "3\n")
        archive.writestr("archive/byteorder", "little")
    return file.getvalue()


def big_state_json(megabytes: int = 40) -> bytes:
    """Return a state.json of very many empty lists, to lie beside a model.safetensors.

    ``json.loads`` makes objects of 56 bytes from 3: 40 MB took more than 1 GB of memory and ten
    seconds, in which no other thread ran.
    """
    return b"[" + b"[]," * (megabytes * 2**20 // 3) + b"0]"


def many_layers(layers: int = 10_000) -> bytes:
    """Return a GPT-2 in safetensors with one dimension and very many layers.

    Every shape is right. Building the model, with its modules and checks for each layer, took
    minutes for 11 MB of file, which a ZIP makes 1 MB.
    """
    shapes = {
        "wte.weight": [VOCAB_SIZE, 1],
        "wpe.weight": [1, 1],
        "ln_f.weight": [1],
        "ln_f.bias": [1],
    }
    block = {
        "ln_1.weight": [1], "ln_1.bias": [1], "ln_2.weight": [1], "ln_2.bias": [1],
        "attn.c_attn.weight": [1, 3], "attn.c_attn.bias": [3],
        "attn.c_proj.weight": [1, 1], "attn.c_proj.bias": [1],
        "mlp.c_fc.weight": [1, 4], "mlp.c_fc.bias": [4],
        "mlp.c_proj.weight": [4, 1], "mlp.c_proj.bias": [1],
    }  # fmt: skip
    for layer in range(layers):
        shapes |= {f"h.{layer}.{name}": shape for name, shape in block.items()}
    header, end = {}, 0
    for name, shape in shapes.items():
        begin, numbers = end, 1
        for size in shape:
            numbers *= size
        end += 4 * numbers
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [begin, end]}
    described = json.dumps(header, separators=(",", ":")).encode()
    described += b" " * (-len(described) % 8)
    return struct.pack("<Q", len(described)) + described + bytes(end)


def slow_pdf(pages: int = 15, words: int = 100_000) -> bytes:
    """Return a PDF of some kB whose pages all show one deflated stream of very many words.

    Each page's 0.8 MB of operators is read anew, in Python: 15 pages kept a core busy for the
    better part of a minute, and went on after the tab was closed. More pages cost 80 bytes each.
    """
    stream = zlib.compress(b"BT /F1 12 Tf " + b"(a) Tj " * words + b" ET", 9)
    kids = b" ".join(b"%d 0 R" % (5 + page) for page in range(pages))
    parts = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Count %d /Kids [%s] >>" % (pages, kids),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
        b"<< /Length %d /Filter /FlateDecode >>\nstream\n" % len(stream) + stream + b"\nendstream",
    ]
    parts += [
        b"<< /Type /Page /Parent 2 0 R /Contents 4 0 R /Resources << /Font << /F1 3 0 R >> >> >>"
    ] * pages
    out, places = b"%PDF-1.4\n", []
    for number, part in enumerate(parts, 1):
        places.append(len(out))
        out += b"%d 0 obj\n" % number + part + b"\nendobj\n"
    table = b"xref\n0 %d\n0000000000 65535 f \n" % (len(parts) + 1)
    table += b"".join(b"%010d 00000 n \n" % place for place in places)
    trailer = b"trailer << /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF"
    return out + table + trailer % (len(parts) + 1, len(out))


def blown_up_docx(megabytes: int = 60) -> bytes:
    """Return a Word file of some hundred kB whose document.xml is large: empty paragraphs.

    Below any ratio that looks like a ZIP bomb, thanks to a run of text that does not compress.
    The tree of it took more than 1 GB of memory.
    """
    word = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument"
    package = "http://schemas.openxmlformats.org/package/2006"
    kind = "application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"
    letters, number = [], 1
    for _ in range(megabytes * 2**20 // 60):
        number = number * 1103515245 + 12345 & 0x7FFFFFFF  # the same file each time
        letters.append(97 + (number >> 16) % 26)
    document = (
        f'<w:document xmlns:w="{word}"><w:body>'.encode()
        + b"<w:p/>" * (megabytes * 2**20 // 6)
        + b"<w:p><w:r><w:t>" + bytes(letters) + b"</w:t></w:r></w:p></w:body></w:document>"
    )  # fmt: skip
    types = (
        f'<Types xmlns="{package}/content-types"><Default Extension="rels" '
        'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Override PartName="/word/document.xml" ContentType="{kind}"/></Types>'
    )
    links = (
        f'<Relationships xmlns="{package}/relationships"><Relationship Id="r1" Type="{office}" '
        'Target="word/document.xml"/></Relationships>'
    )
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        archive.writestr("[Content_Types].xml", types)
        archive.writestr("_rels/.rels", links)
        archive.writestr("word/document.xml", document)
    return file.getvalue()


def zip_bomb(name: str, megabytes: int = 1024) -> bytes:
    """Return a ZIP of 1 MB or so that holds one file of zeros, of so many MB."""
    file = io.BytesIO()
    with (
        zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open(name, "w", force_zip64=True) as part,
    ):
        for _ in range(megabytes):
            part.write(bytes(2**20))
    return file.getvalue()


# The files of one upload each, by name.
WEIGHTS: dict[str, dict[str, Callable[[], bytes]]] = {
    "nested pickle": {"nested.pth": nested_pth},
    "state.json of 40 MB": {"state.json": big_state_json, "model.safetensors": bytes},
    "10,000 layers": {"many-layers.safetensors": many_layers},
    "ZIP bomb of weights": {"model.zip": partial(zip_bomb, "model.safetensors")},
}
DOCUMENTS: dict[str, dict[str, Callable[[], bytes]]] = {
    "PDF of 4 kB": {"slow.pdf": slow_pdf},
    "Word file of 60 MB in 0.8": {"blown-up.docx": blown_up_docx},
    "ZIP bomb of texts": {"books.zip": partial(zip_bomb, "book.txt")},
}
