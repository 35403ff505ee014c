"""A picture as a file: Vega-Lite and its caption in, SVG, PDF or PNG at 300 dpi out.

Drawing takes a browser's engine of 200 MB, so that the dashboard has it done by a process of its
own, `python -m dashboard.printing`: JSON on its input, the file on its output.
"""

from __future__ import annotations

import json
import math
import re
import subprocess
import sys
import textwrap
import threading
from pathlib import Path
from typing import Any, Literal
from xml.sax.saxutils import escape

import vl_convert

from pipeline.errors import PipelineError

Ending = Literal["svg", "pdf", "png"]

WIDTH = 1000  # pixels of 1/96 inch: 10.4 inches
DPI = 300
# It comes with vl-convert, so that a picture is the same on every machine; Arial is as wide.
PRINTED_FONT = "Liberation Sans, Arial, Helvetica, sans-serif"
PATIENCE_S = 60
N_AT_ONCE = 2  # more people than this wait for each other

_CAPTION_SIZE, _CAPTION_LINE, _MARGIN = 12, 17, 4
_CAPTION_CHARACTERS = 155  # of that size, in the width of a picture
_SIZE = re.compile(r'width="([\d.]+)" height="([\d.]+)" viewBox="0 0 [\d.]+ [\d.]+"')
_ENTRY = re.compile(rb"(?<=\n)(\d{10}) \d{5} n")  # of the table of a PDF's objects
_REFERENCE = re.compile(rb"(?<![\d.])(\d+) 0 R\b")
_NAMES = re.compile(rb"(?:[ \t]+/[a-z]+\d+ \d+ 0 R\n){2,}")
_INCH = 72  # what vl-convert takes a pixel for is a point
_turns = threading.BoundedSemaphore(N_AT_ONCE)


class PrintingError(PipelineError):
    """A picture that cannot be made into a file."""


def svg(spec: dict[str, Any], caption: str, *, ground: str, ink: str) -> str:
    """Return the picture as SVG, the caption in small type below it."""
    # Nothing may be fetched: a picture holds its own data.
    drawn = vl_convert.vegalite_to_svg(spec, allowed_base_urls=[])
    found = _SIZE.search(drawn)
    if found is None:
        raise PrintingError("The picture came without a size and cannot be printed; report this.")
    width, height = (float(value) for value in found.groups())
    characters = max(20, int(_CAPTION_CHARACTERS * width / WIDTH))
    lines = [line for part in caption.splitlines() for line in textwrap.wrap(part, characters)]
    whole = math.ceil(height) + (2 * _MARGIN + _CAPTION_LINE * len(lines) if lines else 0)
    size = f'width="{width:g}" height="{whole:g}" viewBox="0 0 {width:g} {whole:g}"'
    # One ground for all, or a hair of none shows between picture and caption.
    ground_of_all = f'<rect width="{width:g}" height="{whole:g}" fill="{ground}"/>'
    below = [
        f'<text x="{_MARGIN}" y="{height + _MARGIN + _CAPTION_LINE * (n + 0.75):g}" fill="{ink}" '
        f'font-family="{PRINTED_FONT}" font-size="{_CAPTION_SIZE}px">{escape(line)}</text>'
        for n, line in enumerate(lines)
    ]
    opening = drawn[: drawn.index(">", found.end()) + 1].replace(found[0], size, 1)
    inside = drawn[len(opening) + len(found[0]) - len(size) :].rstrip().removesuffix("</svg>")
    return f"{opening}{ground_of_all}{inside}{''.join(below)}</svg>"


def convert(drawn: str, ending: Ending) -> bytes:
    """Return an SVG as the bytes of a file."""
    if ending == "svg":
        return drawn.encode()
    if ending == "pdf":
        return in_order(vl_convert.svg_to_pdf(drawn))  # no dots; a viewer fits it to the page
    return vl_convert.svg_to_png(drawn, scale=_INCH / 96, ppi=DPI)


def in_order(pdf: bytes) -> bytes:
    """Return a PDF of vl-convert with its objects numbered and named in the order of their use.

    It numbers them in another order each time, and a picture should be the same each time.
    """
    table = pdf.rindex(b"xref\n", 0, pdf.rindex(b"startxref"))
    trailer = pdf[pdf.index(b"trailer", table) : pdf.rindex(b"startxref")]
    places = sorted(int(one) for one in _ENTRY.findall(pdf, table))
    heads: dict[bytes, bytes] = {}  # by number: what comes before the stream, where there is one
    streams: dict[bytes, bytes] = {}
    for place, end in zip(places, [*places[1:], table], strict=True):
        number, _, body = pdf[place:end].partition(b" 0 obj\n")
        head, stream, rest = body.partition(b"stream\n")
        heads[number], streams[number] = _NAMES.sub(_sorted_lines, head), stream + rest
    order = dict.fromkeys(_REFERENCE.findall(trailer))
    waiting = list(order)
    while waiting:
        for number in _REFERENCE.findall(heads[waiting.pop(0)]):
            if number not in order:
                order[number] = None
                waiting.append(number)
    numbers = {number: b"%d" % new for new, number in enumerate(order, 1)}

    def renumbered(found: re.Match[bytes]) -> bytes:
        return numbers[found[1]] + b" 0 R"

    out, offsets = bytearray(pdf[: places[0]]), []
    for number, new in numbers.items():
        offsets.append(len(out))
        out += new + b" 0 obj\n" + _REFERENCE.sub(renumbered, heads[number]) + streams[number]
    entries = b"".join(b"%010d 00000 n\r\n" % place for place in offsets)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f\r\n" % (len(offsets) + 1) + entries
    size = re.sub(rb"/Size \d+", b"/Size %d" % (len(offsets) + 1), trailer)
    out += _REFERENCE.sub(renumbered, size) + b"startxref\n%d\n%%%%EOF" % start
    return bytes(out)


def _sorted_lines(found: re.Match[bytes]) -> bytes:
    return b"".join(sorted(found[0].splitlines(keepends=True)))


def printed(asked: dict[str, Any]) -> bytes:
    """Return the file that is asked for, made by a process of its own.

    `asked` has spec, caption, ground, ink and ending.

    Raises:
        PrintingError: it took too long, or the process has failed.
    """
    with _turns:
        try:
            done = subprocess.run(
                [sys.executable, "-m", "dashboard.printing"],
                input=json.dumps(asked).encode(),
                capture_output=True,
                cwd=Path(__file__).parents[1],
                timeout=PATIENCE_S,
                check=False,
            )
        except subprocess.TimeoutExpired as late:
            raise PrintingError(
                f"The picture was not drawn within {PATIENCE_S} s; try again in a moment."
            ) from late
    if done.returncode:
        last = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
        raise PrintingError(f"The picture could not be drawn ({''.join(last)}); report this.")
    return done.stdout


def _main() -> None:
    asked = json.load(sys.stdin)
    drawn = svg(asked["spec"], asked["caption"], ground=asked["ground"], ink=asked["ink"])
    sys.stdout.buffer.write(convert(drawn, asked["ending"]))


if __name__ == "__main__":
    _main()
