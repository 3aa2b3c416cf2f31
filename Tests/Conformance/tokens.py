#!/usr/bin/env python3
"""Writes tokens.json: tokens of byte-pair encoding and WordPiece from the Python package `tokenizers`.

Both tokenizers are trained on TRAINING, a small text in several languages. Then they split TEXTS, which have difficult
contents: contractions, several spaces, digits next to letters, accents, Chinese, and unknown words.
"""

import json
from pathlib import Path

import tokenizers
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

TRAINING = [
    "In the beginning God created the heaven and the earth. And the earth was without form, and void;",
    "and darkness was upon the face of the deep. And the Spirit of God moved upon the face of the waters.",
    "And God said, Let there be light: and there was light. It's what they'd said, and we've heard it in 1611.",
    "Am Anfang schuf Gott Himmel und Erde. Und die Erde war wüst und leer, und es war finster auf der Tiefe.",
    "Au commencement, Dieu créa les cieux et la terre. À l'été 2024, ça coûtait 3,50 €.",
]
TEXTS = [
    "And God said, Let there be light.",
    "they'll say it's 1611's   light\n\n  and  'twas so'\t",
    "wüst und leer; créa À l'ÉTÉ, naïve Übermut",
    "abc123def 4.5e-6 x_y #tag (a)[b]{c}",
    "在起初 God 神创造天地。 emoji 🙂!",
    "",
    " ",
    "unbelievable" + "e" * 120 + " zzz'sx 's'd",
]

byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)


def byte_of():
    """Maps each character of GPT-2's alphabet to the byte that it stands for."""
    shown = list(range(33, 127)) + list(range(161, 173)) + list(range(174, 256))
    table = {chr(b): b for b in shown}
    for n, b in enumerate(b for b in range(256) if b not in shown):
        table[chr(256 + n)] = b
    return table


bpe = Tokenizer(models.BPE())
bpe.pre_tokenizer = byte_level
bpe.decoder = decoders.ByteLevel()
bpe.train_from_iterator(
    TRAINING,
    trainers.BpeTrainer(vocab_size=340, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False),
)
table = byte_of()
numbers = {c: b + 1 for c, b in table.items()}
merges = []
for left, right in (m if isinstance(m, list) else m.split(" ") for m in json.loads(bpe.to_str())["model"]["merges"]):
    merges.append([numbers[left], numbers[right]])
    numbers[left + right] = 256 + len(merges)

wordpiece = Tokenizer(models.WordPiece(unk_token="[UNK]", max_input_chars_per_word=100))
wordpiece.normalizer = normalizers.BertNormalizer(lowercase=True, strip_accents=True)
wordpiece.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
wordpiece.train_from_iterator(
    TRAINING, trainers.WordPieceTrainer(vocab_size=220, special_tokens=special, show_progress=False)
)
pieces = [piece for piece, _ in sorted(wordpiece.get_vocab().items(), key=lambda item: item[1])]

fixture = {
    "tokenizers": tokenizers.__version__,
    "texts": TEXTS,
    "bpe": {"merges": merges, "tokens": [[numbers[t] for t in bpe.encode(text).tokens] for text in TEXTS]},
    "wordpiece": {"pieces": pieces, "tokens": [wordpiece.encode(text).ids for text in TEXTS]},
}
path = Path(__file__).with_suffix(".json")
path.write_text(json.dumps(fixture, ensure_ascii=False) + "\n")
print(f"{path.name}: {len(merges)} merges, {len(pieces)} pieces, {len(TEXTS)} texts")
