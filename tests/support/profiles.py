"""ICC profiles of screens made from their primaries, and colours worked out by them without a colour library."""

from __future__ import annotations

import struct

import numpy as np

TO_D50 = {
    "Display P3": [[0.51512, 0.29198, 0.15710], [0.24120, 0.69225, 0.06657], [-0.00105, 0.04189, 0.78407]],
    "Adobe RGB": [[0.60974, 0.20528, 0.14919], [0.31111, 0.62567, 0.06322], [0.01947, 0.06087, 0.74457]],
    "sRGB": [[0.43607, 0.38515, 0.14307], [0.22249, 0.71687, 0.06061], [0.01392, 0.09708, 0.71410]],
}
"""Linear RGB to XYZ adapted to D50, as the spaces' own profiles have it (rows X, Y, Z)."""

GAMMA = 2.19921875
"""Of Adobe RGB (1998)."""


def profile(space: str, kind: bytes = b"RGB ") -> bytes:
    """A version 2 matrix profile with the gamma of Adobe RGB for all spaces; of kind GRAY, its curve alone."""

    def number(value: float) -> bytes:
        return struct.pack(">i", round(value * 65536))

    matrix = np.array(TO_D50[space])
    curve = b"curv" + bytes(4) + struct.pack(">IH", 1, round(GAMMA * 256)) + bytes(2)
    tags = {b"desc": b"desc" + bytes(4) + struct.pack(">I", 5) + b"test\0" + bytes(79)}
    tags[b"cprt"] = b"text" + bytes(4) + b"CC0\0"
    tags[b"wtpt"] = b"XYZ " + bytes(4) + number(0.9642) + number(1.0) + number(0.8249)
    if kind == b"GRAY":
        tags[b"kTRC"] = curve
    else:
        for index, colour in enumerate(b"rgb"):
            tags[bytes([colour]) + b"XYZ"] = b"XYZ " + bytes(4) + b"".join(map(number, matrix[:, index]))
            tags[bytes([colour]) + b"TRC"] = curve
    table, body, at = b"", b"", 128 + 4 + 12 * len(tags)
    for name, data in tags.items():
        data += bytes(-len(data) % 4)
        table += name + struct.pack(">II", at + len(body), len(data))
        body += data
    size = at + len(body)
    head = struct.pack(">I4sI4s4s4s", size, bytes(4), 0x02400000, b"mntr", kind, b"XYZ ") + bytes(12) + b"acsp"
    head += bytes(28) + number(0.9642) + number(1.0) + number(0.8249)
    return head.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + body


def in_srgb(pixels: np.ndarray, space: str, curve: str = "gamma") -> np.ndarray:
    """Colours uint8 [..., 3] of a space in sRGB, float [..., 3] in 0..255, what is out of range cut off.

    curve : "gamma" as `profile` has it, or "srgb"
    """
    value = pixels / 255.0
    linear = (
        value**GAMMA if curve == "gamma" else np.where(value > 0.04045, ((value + 0.055) / 1.055) ** 2.4, value / 12.92)
    )
    there = np.clip(linear @ np.array(TO_D50[space]).T @ np.linalg.inv(TO_D50["sRGB"]).T, 0, 1)
    return 255 * np.where(there > 0.0031308, 1.055 * there ** (1 / 2.4) - 0.055, 12.92 * there)
