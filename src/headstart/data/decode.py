"""From the bytes of a file to RGB, and from there to a square of pixels.

Whatever a folder of real photographs holds either becomes the picture that a viewer would show,
or an `ImageError` with a short reason; nothing is guessed and nothing is read past a pixel cap.
"""

from __future__ import annotations

import io
import stat
from pathlib import Path

import numpy as np
import PIL
from PIL import Image, TiffImagePlugin, UnidentifiedImageError, WebPImagePlugin

from headstart.errors import ImageError

FORMATS = (
    "JPEG",
    "PNG",
    "GIF",
    "BMP",
    TiffImagePlugin.TiffImageFile.format,
    WebPImagePlugin.WebPImageFile.format,
    "PPM",
)
"""The only decoders that a file is ever handed to, whatever its name says.

Pillow registers TIFF and WebP late; naming their classes here has them registered.
"""

MAX_PIXELS = 64_000_000
"""Default cap on width × height, checked before anything is decoded."""

DECODE_VERSION = f"1-pillow{PIL.__version__}"
"""Changes whenever the same bytes might give other pixels; a part of every key pixels are kept under."""

_ORIENTATION = 0x0112
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def read_rgb(source: Path | bytes, *, max_pixels: int = MAX_PIXELS, at_least: int | None = None) -> Image.Image:
    """The picture in `source` as a viewer shows it, in mode RGB.

    Turned as its EXIF orientation says; transparency over white; 16-bit grey scaled to 8 bits by
    ``round(v · 255 / 65535)``; the first frame of several.

    Parameters
    ----------
    source : a file, or the bytes of one.
    max_pixels : cap on width × height.
    at_least : a shorter side that suffices, in pixels: a JPEG may be decoded at 1/2, 1/4 or 1/8 of
        its size as long as both sides stay at least this long (several times faster on photographs).

    Raises
    ------
    ImageError : empty, not an image, cut off, too large, or of a kind whose range is unknown.
    """
    return decode(source, max_pixels=max_pixels, at_least=at_least)[0]


def decode(
    source: Path | bytes, *, max_pixels: int = MAX_PIXELS, at_least: int | None = None
) -> tuple[Image.Image, tuple[int, int]]:
    """`read_rgb`, and with it the (width, height) of the whole picture, before any reduction."""
    blob = source if isinstance(source, bytes) else read_bytes(source, max_pixels=max_pixels)
    if not blob:
        raise ImageError("an empty file")
    try:
        with Image.open(io.BytesIO(blob), formats=FORMATS) as image:
            width, height = image.size
            if width * height > max_pixels:
                raise ImageError(too_large(width, height, max_pixels))
            if at_least is not None:
                image.draft(None, (at_least, at_least))
            image.load()
            turn = _turn(image)
            if turn in (5, 6, 7, 8):
                width, height = height, width
            flat = flatten(image)
            return (flat.transpose(_TURNS[turn]) if turn in _TURNS else flat), (width, height)
    except (ImageError, MemoryError):
        raise
    except UnidentifiedImageError as error:
        raise ImageError("not an image of a known kind (JPEG, PNG, GIF, BMP, WebP, TIFF, PPM)") from error
    except Image.DecompressionBombError as error:
        raise ImageError(f"more than the {max_pixels:,} pixels allowed") from error
    except Exception as error:  # damaged bytes lead decoders anywhere: OSError, SyntaxError, struct.error, KeyError …
        raise ImageError(f"cut off or damaged ({error})") from error


def read_bytes(path: Path, *, max_pixels: int = MAX_PIXELS) -> bytes:
    """The bytes of an image file, unless it cannot be one: a pipe, or longer than any image under the cap.

    Raises
    ------
    ImageError : it is not a file, may not be read, or is larger than `max_pixels` of 8 bytes each.
    """
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise ImageError("not a file")
        if status.st_size > 8 * max_pixels + 2**20:
            raise ImageError(f"{status.st_size:,} bytes, more than {max_pixels:,} pixels can take")
        return path.read_bytes()
    except OSError as error:
        raise ImageError(f"cannot be opened ({error.strerror or error})") from error


def too_large(width: int, height: int, max_pixels: int) -> str:
    """The reason why an image above the cap is left out."""
    return f"{width} × {height} pixels, more than the {max_pixels:,} allowed"


def flatten(image: Image.Image) -> Image.Image:
    """Any mode of pixels to RGB.

    Raises
    ------
    ImageError : floating-point or 32-bit pixels, whose black and white the file does not tell.
    """
    if image.mode.startswith("I"):
        image = _eight_bits(image)
    elif image.mode == "F":
        raise ImageError("floating-point pixels, whose range is unknown")
    elif image.mode == "La":
        image = image.convert("LA")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        white = Image.new("RGB", image.size, "white")
        white.paste(image, mask=image.getchannel("A"))
        return white
    return image.convert("RGB")


def to_square(image: Image.Image, size: int) -> np.ndarray:
    """The whole picture squashed to uint8 (size, size, 3), bicubic, with antialiasing.

    Nothing is cropped: what tells two classes apart may stand at the rim.
    """
    # Pillow's gap of 3 halves the time on large pictures; its result differs from the plain one by at most rounding.
    return np.array(image.resize((size, size), Image.Resampling.BICUBIC, reducing_gap=3.0))


def array_to_square(array: np.ndarray, size: int) -> np.ndarray:
    """`to_square` of a picture in memory: uint8 (h, w) or (h, w, c) with c = 1, 3 or 4 (over white).

    Raises
    ------
    ImageError : another shape or type, or no pixels.
    """
    if array.dtype != np.uint8 or array.ndim not in (2, 3) or array.size == 0:
        raise ImageError(f"an array of type {array.dtype} and shape {array.shape}, not uint8 (h, w) or (h, w, c)")
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if array.ndim == 3 and array.shape[2] not in (3, 4):
        raise ImageError(f"an array with {array.shape[2]} channels, not 1, 3 or 4")
    return to_square(flatten(Image.fromarray(np.ascontiguousarray(array))), size)


def _turn(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(_ORIENTATION, 1))
    except Exception:  # viewers show a picture with broken EXIF data as it lies
        return 1


def _eight_bits(image: Image.Image) -> Image.Image:
    values = np.asarray(image).astype(np.int64)
    if values.min() < 0 or values.max() > 65535:
        raise ImageError("32-bit pixels, whose range is unknown")
    return Image.fromarray(((values * 255 + 32767) // 65535).astype(np.uint8))
