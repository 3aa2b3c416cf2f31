"""Random changes of the bytes or the tokens of files, for mutants_check.py."""

import re

NUMBERS = [0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, (1 << 63) - 1, 1 << 63]


def mutated(data, random, others):
    """Returns the bytes with at most 16 random changes: flipped bits, random bytes, limits of number types, deletions,
    repeated parts, insertions, fragments of the files `others`, and runs of one byte."""
    data = bytearray(data)
    for _ in range(random.choice([1, 1, 1, 2, 4, 16])):
        kind = random.randrange(9)
        at = random.randrange(len(data) + 1)
        if random.random() < 0.4:
            at = min(at, random.randrange(64))  # Headers are small and matter most.
        size = random.choice([1, 2, 4, 8, 64, 1024])
        if kind == 0 and at < len(data):
            data[at] ^= 1 << random.randrange(8)
        elif kind == 1 and at < len(data):
            data[at] = random.randrange(256)
        elif kind in (2, 3):
            width = random.choice([1, 2, 4, 8])
            number = random.choice(NUMBERS) & ((1 << (8 * width)) - 1)
            data[at : at + width] = number.to_bytes(width, random.choice(["little", "big"]))
        elif kind == 4:
            del data[at : len(data) if random.random() < 0.3 else at + size]
        elif kind == 5:
            data[at:at] = data[at : at + size] * random.choice([1, 2, 50])
        elif kind == 6:
            data[at:at] = random.randbytes(size)
        elif kind == 7:
            other = random.choice(others)
            start = random.randrange(len(other) + 1)
            data[at : at + size] = other[start : start + size]
        else:
            data[at : at + size] = bytes([random.choice([0, 0xFF, 0x20, 0x1B])]) * size
    return bytes(data)


WORDS = [
    "0", "-1", "1", "9223372036854775807", "9223372036854775808", "1e308", "1e999", "-0", "nan", "1000000", "16777216",
    "\x1b[2J", "\u202e", "", " ", "\t", "\n", "\r\n", "null", "[]", "{}", '""', "\\ud800", "é",
    "\u0301" * 50, "x" * 5000,
]  # fmt: skip


def rewritten(text, random, words):
    """Returns the text with at most 4 random changes of tokens: replacements by WORDS or `words`, repeated tokens,
    deletions, and swaps."""
    tokens = re.findall(r"\w+|\s+|[^\w\s]", text) or [""]
    for _ in range(random.choice([1, 1, 2, 4])):
        kind = random.randrange(6)
        at = random.randrange(len(tokens))
        if kind == 0:
            tokens[at] = random.choice(WORDS)
        elif kind == 1:
            tokens[at] = random.choice(words)
        elif kind == 2:
            tokens[at:at] = tokens[at : at + random.randrange(1, 12)] * random.choice([1, 1, 2, 200])
        elif kind == 3 and len(tokens) > 1:
            del tokens[at : at + random.choice([1, 1, 4])]
        elif kind == 4:
            numbers = [i for i, token in enumerate(tokens) if token.isdigit()]
            if numbers:
                tokens[random.choice(numbers)] = random.choice(WORDS[:12])
        else:
            other = random.randrange(len(tokens))
            tokens[at], tokens[other] = tokens[other], tokens[at]
        tokens = tokens or [""]
    return "".join(tokens)
